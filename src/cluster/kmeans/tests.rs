//! K-means against slow formulas and reference numbers.

use ndarray::{Axis, array, concatenate};

use super::*;
use crate::seed::Seed;
use crate::table::Features;

/// `n` rows in `k` round groups.
fn groups(n: usize, d: usize, k: usize, seed: u64) -> Array2<f64> {
    let mut stream = Seed::new(seed).stream("groups", 0);
    let centres = Array2::from_shape_fn((k, d), |_| 4.0 * stream.normal());
    Array2::from_shape_fn((n, d), |(i, j)| centres[[i % k, j]] + stream.normal())
}

fn features(matrix: Array2<f64>) -> Features {
    let names: Vec<String> = (0..matrix.ncols()).map(|j| format!("f{j}")).collect();
    Features::new(matrix, names).unwrap()
}

/// Lloyd's iteration as the textbook writes it.
fn textbook(rows: &Array2<f64>, mut centres: Array2<f64>) -> (Vec<usize>, f64) {
    loop {
        let mut labels = Vec::new();
        let mut inertia = 0.0;
        for row in rows.outer_iter() {
            let squares: Vec<f64> =
                centres.outer_iter().map(|c| (&c - &row).mapv(|v| v * v).sum()).collect();
            let best =
                (1..squares.len()).fold(0, |b, c| if squares[c] < squares[b] { c } else { b });
            inertia += squares[best];
            labels.push(best);
        }
        let mut next = centres.clone();
        for (c, mut centre) in next.outer_iter_mut().enumerate() {
            let members: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] == c).collect();
            centre.assign(&rows.select(Axis(0), &members).mean_axis(Axis(0)).unwrap());
        }
        if next == centres {
            return (labels, inertia);
        }
        centres = next;
    }
}

#[test]
fn given_start_follows_the_textbook() {
    for (n, d, k) in [(60, 2, 3), (9000, 5, 6), (500, 21, 4)] {
        let rows = groups(n, d, k, 7);
        let start = rows.slice(ndarray::s![..k, ..]).to_owned();
        let (labels, inertia) = textbook(&rows, start.clone());
        let params = KMeans::params(k).tolerance(0.0).init(Init::Given(start));
        let fitted = params.fit(&features(rows)).unwrap();
        assert!((fitted.inertia() - inertia).abs() < 1e-9 * inertia);
        let pairs: std::collections::BTreeSet<_> = labels.iter().zip(fitted.labels()).collect();
        assert_eq!(pairs.len(), k, "the partition is the same");
        assert!(fitted.sizes().windows(2).all(|w| w[0] >= w[1]));
    }
}

#[test]
fn nothing_but_the_labels_follows_a_permutation() {
    let rows = groups(5000, 6, 5, 11);
    let mut order: Vec<usize> = (0..5000).collect();
    Seed::new(1).stream("order", 0).shuffle(&mut order);
    let a = KMeans::params(5).n_init(3).fit(&features(rows.clone())).unwrap();
    let b = KMeans::params(5).n_init(3).fit(&features(rows.select(Axis(0), &order))).unwrap();
    assert_eq!(a.inertia(), b.inertia());
    assert_eq!(a.centroids(), b.centroids());
    let permuted: Vec<usize> = order.iter().map(|&i| a.labels()[i]).collect();
    assert_eq!(permuted, b.labels());
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let rows = features(groups(20_000, 9, 7, 13));
    let fit = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let fitted = pool.install(|| KMeans::params(7).n_init(4).fit(&rows)).unwrap();
        (fitted.labels().to_vec(), fitted.centroids().to_owned(), fitted.inertia().to_bits())
    };
    assert_eq!(fit(1), fit(2));
    assert_eq!(fit(1), fit(7));
}

#[test]
fn a_sample_is_grouped_as_a_table_of_its_own() {
    let table = groups(600, 3, 4, 2);
    let rows = Seed::new(3).stream("sample", 0).sample(600, 400);
    let params = KMeans::params(4).n_init(3).seed(5);
    let alone = params.fit(&features(table.select(ndarray::Axis(0), &rows))).unwrap();
    let sample = params.fit_sample(&SortedTable::new(table.view()), &rows).unwrap();
    assert_eq!((sample.labels(), sample.centroids()), (alone.labels(), alone.centroids()));
    assert_eq!(sample.inertia().to_bits(), alone.inertia().to_bits());
}

#[test]
fn many_seeds_at_once_equal_one_by_one() {
    let rows = features(groups(800, 4, 6, 17));
    let many = KMeans::params(5).fit_many(&rows, &[3, 9]).unwrap();
    for (seed, together) in [3, 9].into_iter().zip(&many) {
        let alone = KMeans::params(5).n_init(1).seed(seed).fit(&rows).unwrap();
        assert_eq!(alone.labels(), together.labels());
        assert_eq!(alone.inertia(), together.inertia());
    }
}

#[test]
fn new_rows_and_distances() {
    let rows = groups(300, 3, 3, 19);
    let fitted = KMeans::params(3).fit(&features(rows.clone())).unwrap();
    assert_eq!(fitted.assign(rows.view()).unwrap(), fitted.labels());
    let distances = fitted.distances(rows.view()).unwrap();
    let inertia: f64 = distances
        .outer_iter()
        .map(|row| row.iter().fold(f64::INFINITY, |a, &b| a.min(b)).powi(2))
        .sum();
    assert!((inertia - fitted.inertia()).abs() < 1e-9 * inertia);
    let error = fitted.assign(array![[1.0]].view()).unwrap_err();
    assert_eq!(error.to_string(), "found 1 columns, but 3 were fitted");
}

#[test]
fn an_empty_cluster_takes_the_farthest_row() {
    let rows = array![[0.0], [1.0], [2.0], [50.0]];
    let start = array![[0.0], [1000.0], [2000.0]];
    let fitted = KMeans::params(3).init(Init::Given(start)).tolerance(0.0).fit(&features(rows));
    let fitted = fitted.unwrap();
    assert_eq!(fitted.sizes(), [2, 1, 1]);
    assert!((fitted.inertia() - 0.5).abs() < 1e-12);
    // Stopped at once, no cluster may be left empty either.
    let start = array![[0.0], [1000.0], [2000.0]];
    let once = KMeans::params(3).init(Init::Given(start)).max_iter(1);
    let once = once.fit(&features(array![[0.0], [1.0], [2.0], [50.0]])).unwrap();
    assert!(once.sizes().iter().all(|&s| s > 0));
}

#[test]
fn edge_cases_say_what_is_allowed() {
    let rows = features(array![[1.0, 0.0], [2.0, 0.0], [2.0, -0.0]]);
    let message = |k| KMeans::params(k).fit(&rows).unwrap_err().to_string();
    let allowed = "must be at least 1 and at most the number of rows (3)";
    assert_eq!(message(0), format!("n_clusters = 0 is invalid: {allowed}"));
    assert_eq!(message(4), format!("n_clusters = 4 is invalid: {allowed}"));
    let allowed = "must be at most the number of different rows (2)";
    assert_eq!(message(3), format!("n_clusters = 3 is invalid: {allowed}"));
    assert_eq!(KMeans::params(2).fit(&rows).unwrap().labels(), [2, 1, 1]);
    let one = features(array![[5.0]]);
    assert_eq!(KMeans::params(1).fit(&one).unwrap().labels(), [1]);
    let same = features(Array2::from_elem((9, 3), 4.0));
    assert_eq!(KMeans::params(1).fit(&same).unwrap().inertia(), 0.0);
    let nan = linfa::Dataset::from(array![[1.0], [f64::NAN]]);
    let error = KMeans::params(1).fit(&nan).unwrap_err();
    assert_eq!(error.to_string(), "row 2: column `1`: NaN is not a finite number");
    let huge = features(array![[1e300], [-1e300], [1.01e300]]);
    assert_eq!(KMeans::params(2).fit(&huge).unwrap().sizes(), [2, 1]);
}

#[test]
fn duplicates_and_far_offsets_do_no_harm() {
    let few = groups(40, 3, 4, 23);
    let many = concatenate(Axis(0), &vec![few.view(); 30]).unwrap();
    let once = KMeans::params(4).fit(&features(few)).unwrap();
    let often = KMeans::params(4).fit(&features(many.clone())).unwrap();
    assert!((often.inertia() / 30.0 - once.inertia()).abs() < 1e-9 * once.inertia());
    let far = KMeans::params(4).fit(&features(many + 1e7)).unwrap();
    assert_eq!(far.labels(), often.labels());
}

#[test]
fn the_lectures_table_gives_the_expected_numbers() {
    let folder = std::env::var("POLARISCOPE_SHARED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data").to_string());
    let path = format!("{folder}/expected/ml/standard_scaled_44x16.csv");
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: no ../shared/data");
        return;
    };
    let values: Vec<f64> = text
        .lines()
        .skip(1)
        .flat_map(|line| line.split(',').map(|v| v.parse().unwrap()).collect::<Vec<f64>>())
        .collect();
    let rows = Array2::from_shape_vec((44, 16), values).unwrap();
    for (k, inertia, silhouette) in [
        (2, 498.782_117_163_626_5, 0.457_906_854_460_270_9),
        (3, 287.462_411_104_856_9, 0.439_931_437_037_709_26),
    ] {
        let start = rows.slice(ndarray::s![..k, ..]).to_owned();
        let fitted = KMeans::params(k).tolerance(0.0).init(Init::Given(start));
        let fitted = fitted.fit(&features(rows.clone())).unwrap();
        assert!((fitted.inertia() - inertia).abs() < 1e-9, "{}", fitted.inertia());
        let found =
            crate::cluster::silhouette(&features(rows.clone()), fitted.labels()).unwrap().mean;
        assert!((found - silhouette).abs() < 1e-12, "{found}");
    }
}
