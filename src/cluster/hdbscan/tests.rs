//! HDBSCAN beside scikit-learn and a slow definition.

use ndarray::Array2;
use serde::Deserialize;

use super::*;
use crate::cluster::agreement::adjusted_rand;
use crate::seed::Seed;

/// What scikit-learn finds (tests/reference/make_hdbscan.py).
#[derive(Deserialize)]
struct Reference {
    tables: std::collections::BTreeMap<String, Vec<Vec<f64>>>,
    found: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    name: String,
    min_cluster_size: usize,
    min_samples: usize,
    labels: Vec<usize>,
    probabilities: Vec<f64>,
    /// Rows whose group does not depend on the order of the rows.
    settled: Vec<bool>,
}

fn fit(rows: &Array2<f64>, size: usize, samples: usize) -> Hdbscan {
    let params = Hdbscan::params(size).min_samples(samples);
    params.fit(&DatasetBase::from(rows.view())).unwrap()
}

#[test]
fn groups_and_probabilities_are_those_of_scikit_learn() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/hdbscan.json");
    let reference: Reference =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for found in reference.found {
        let rows = &reference.tables[&found.name];
        let rows = Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap();
        let ours = fit(&rows, found.min_cluster_size, found.min_samples);
        let what = format!("{} {} {}", found.name, found.min_cluster_size, found.min_samples);
        assert_eq!(Some(&ours.n_clusters()), found.labels.iter().max(), "{what}");
        let settled: Vec<usize> = (0..rows.nrows()).filter(|&row| found.settled[row]).collect();
        assert!(settled.len() * 2 > rows.nrows(), "{what}");
        let of = |labels: &[usize]| settled.iter().map(|&row| labels[row]).collect::<Vec<_>>();
        let (a, b) = (of(ours.labels()), of(&found.labels));
        assert_eq!(adjusted_rand(&a, &b).unwrap(), 1.0, "{what}");
        for (row, (a, b)) in settled.iter().zip(a.iter().zip(b)) {
            assert_eq!(*a == 0, b == 0, "{what}, row {row}");
            let (ours, theirs) = (ours.probabilities()[*row], found.probabilities[*row]);
            assert!((ours - theirs).abs() < 1e-10, "{what}, row {row}: {ours} not {theirs}");
        }
    }
}

/// Two dense groups, a sparse one, and rows in between; every third row doubled.
fn table() -> Array2<f64> {
    let mut stream = Seed::new(8).stream("hdbscan", 0);
    let mut rows = Array2::from_shape_fn((240, 3), |(i, j)| match i % 4 {
        0 => stream.normal() * 0.3,
        1 => stream.normal() * 0.3 + 5.0,
        2 => stream.normal() + 12.0 * (j % 2) as f64,
        _ => stream.uniform() * 16.0 - 2.0,
    });
    for i in (0..200).step_by(3) {
        let copy = rows.row(i).to_owned();
        rows.row_mut(i + 40).assign(&copy);
    }
    rows
}

#[test]
fn the_order_of_the_rows_changes_nothing_but_names() {
    let rows = table();
    let found = fit(&rows, 8, 5);
    assert!(found.n_clusters() >= 3);
    // Multiples of a number without a factor in common with 240 meet every row once.
    for step in [7, 77, 119, 239] {
        let shuffled: Vec<usize> = (0..240).map(|place| (place * step + 100) % 240).collect();
        let other = fit(&rows.select(ndarray::Axis(0), &shuffled), 8, 5);
        let labels: Vec<usize> = shuffled.iter().map(|&row| found.labels()[row]).collect();
        assert_eq!(adjusted_rand(&labels, other.labels()).unwrap(), 1.0);
        for (place, &row) in shuffled.iter().enumerate() {
            assert_eq!(other.labels()[place] == 0, labels[place] == 0);
            assert_eq!(other.probabilities()[place], found.probabilities()[row]);
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let mut stream = Seed::new(9).stream("many", 0);
    let rows = Array2::from_shape_fn((5000, 2), |(i, _)| (i % 7) as f64 * 9.0 + stream.normal());
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| fit(&rows, 20, 20))
    };
    assert_eq!(on(1).n_clusters(), 7);
    assert_eq!(on(1), on(2));
    assert_eq!(on(1), on(7));
}

#[test]
fn bad_input_says_what_is_allowed() {
    let message = |rows: &Array2<f64>, size, samples| {
        let params = Hdbscan::params(size).min_samples(samples);
        params.fit(&DatasetBase::from(rows.view())).unwrap_err().to_string()
    };
    let rows = table();
    let allowed = "is invalid: must be at least 2 and at most the number of rows (240)";
    assert_eq!(message(&rows, 1, 5), format!("min_cluster_size = 1 {allowed}"));
    assert_eq!(message(&rows, 241, 5), format!("min_cluster_size = 241 {allowed}"));
    assert!(message(&rows, 5, 0).starts_with("min_samples = 0 is invalid: must be at least 1"));
    assert!(message(&rows, 5, 241).starts_with("min_samples = 241"));
    assert!(message(&ndarray::array![[0.0], [f64::NAN]], 2, 1).contains("row 2"));
    assert!(message(&ndarray::array![[1e200], [-1e200]], 2, 1).contains("too large"));
    assert!(message(&Array2::zeros((0, 2)), 2, 1).contains("0 rows"));
    // Rows that are all equal are one population, and no group.
    assert_eq!(fit(&Array2::zeros((9, 2)), 3, 3).labels(), [0; 9]);
}
