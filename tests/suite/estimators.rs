//! One contract for every estimator: hostile tables, repeated fits, any number of threads.

use linfa::traits::Fit;
use ndarray::{Array2, Axis};
use polariscope::classify::RandomForest;
use polariscope::cluster::{Dbscan, GaussianMixture, Hdbscan, KMeans, Optics};
use polariscope::embed::tsne::Tsne;
use polariscope::embed::umap::Umap;
use polariscope::embed::{ExplainedVariance, Pca};
use polariscope::seed::Seed;
use polariscope::table::Features;
use polariscope::{Error, Result};

/// An estimator as a function from a table to numbers, one block per row or not.
struct Estimator {
    name: &'static str,
    fit: fn(&Features) -> Result<Vec<f64>>,
    /// Whether each row has the same count of numbers, in row order.
    per_row: bool,
}

fn labels_of(features: &Features) -> Vec<usize> {
    (0..features.n_rows()).map(|row| 1 + row % 2).collect()
}

fn numbers(labels: &[usize]) -> Vec<f64> {
    labels.iter().map(|&label| label as f64).collect()
}

const ESTIMATORS: [Estimator; 10] = [
    Estimator {
        name: "Pca",
        fit: |f| Ok(Pca::params(1).fit(f)?.coordinates().iter().copied().collect()),
        per_row: true,
    },
    Estimator {
        name: "ExplainedVariance",
        fit: |f| {
            Ok(ExplainedVariance::of(f, 0)?.components().iter().map(|c| c.interval.0).collect())
        },
        per_row: false,
    },
    Estimator {
        name: "Umap",
        fit: |f| Ok(Umap::params(2).n_neighbors(5).fit(f)?.coordinates().iter().copied().collect()),
        per_row: true,
    },
    Estimator {
        name: "Tsne",
        fit: |f| Ok(Tsne::params(2).fit(f)?.coordinates().iter().copied().collect()),
        per_row: true,
    },
    Estimator {
        name: "KMeans",
        fit: |f| Ok(numbers(KMeans::params(2).fit(f)?.labels())),
        per_row: true,
    },
    Estimator {
        name: "GaussianMixture",
        fit: |f| Ok(numbers(GaussianMixture::params(2).fit(f)?.labels())),
        per_row: true,
    },
    Estimator {
        name: "Dbscan",
        fit: |f| Ok(numbers(Dbscan::params(1.0, 3).fit(f)?.labels())),
        per_row: true,
    },
    Estimator {
        name: "Optics",
        fit: |f| Ok(numbers(&Optics::params(3).fit(f)?.labels_at(1.0))),
        per_row: true,
    },
    Estimator {
        name: "Hdbscan",
        fit: |f| Ok(Hdbscan::params(5).fit(f)?.probabilities().to_vec()),
        per_row: true,
    },
    Estimator {
        name: "RandomForest",
        fit: |f| {
            let forest = RandomForest::params().n_trees(10).fit(&f.labelled(&labels_of(f))?)?;
            Ok(forest.predict_proba(f)?.into_iter().collect())
        },
        per_row: true,
    },
];

fn table(n: usize, d: usize) -> Features {
    let mut stream = Seed::new(5).stream("contract", 0);
    let matrix = Array2::from_shape_fn((n, d), |(row, _)| stream.normal() + (row % 3) as f64 * 4.0);
    Features::new(matrix, (0..d).map(|i| format!("f{i}"))).unwrap()
}

fn named(matrix: Array2<f64>) -> Features {
    let d = matrix.ncols();
    Features::new(matrix, (0..d).map(|i| format!("f{i}"))).unwrap()
}

fn finite_or_clear(estimator: &Estimator, what: &str, features: &Features) {
    match (estimator.fit)(features) {
        Ok(values) => {
            assert!(values.iter().all(|v| v.is_finite()), "{} on {what}", estimator.name);
            if estimator.per_row {
                assert_eq!(values.len() % features.n_rows(), 0, "{} on {what}", estimator.name);
            }
        }
        Err(error) => clear(estimator, what, &error),
    }
}

fn clear(estimator: &Estimator, what: &str, error: &Error) {
    assert!(error.to_string().len() > 10, "{} on {what}: {error}", estimator.name);
}

#[test]
fn hostile_tables_give_finite_results_or_clear_errors() {
    let mut duplicated = table(40, 3).matrix().to_owned();
    for row in 0..20 {
        let copy = duplicated.row(0).to_owned();
        duplicated.row_mut(row).assign(&copy);
    }
    let mut constant = table(40, 3).matrix().to_owned();
    constant.column_mut(1).fill(7.0);
    let cases = [
        ("one row", table(1, 3)),
        ("two rows", table(2, 3)),
        ("one column", table(40, 1)),
        ("wide", table(12, 30)),
        ("duplicate rows", named(duplicated)),
        ("constant column", named(constant)),
        ("all equal", named(Array2::from_elem((40, 3), 2.5))),
        ("huge", named(table(40, 3).matrix().mapv(|v| v * 1e150))),
        ("tiny", named(table(40, 3).matrix().mapv(|v| v * 1e-150))),
    ];
    for estimator in &ESTIMATORS {
        for (what, features) in &cases {
            finite_or_clear(estimator, what, features);
        }
    }
}

#[test]
fn fitting_twice_and_on_any_threads_gives_the_same_bits() {
    let features = table(300, 6);
    for estimator in &ESTIMATORS {
        let first = (estimator.fit)(&features).unwrap();
        for threads in [1, 2, 7] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let again = pool.install(|| (estimator.fit)(&features)).unwrap();
            let same = first.iter().zip(&again).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{} on {threads} threads", estimator.name);
        }
    }
}

#[test]
fn non_finite_values_are_refused_before_any_estimator() {
    let mut matrix = table(10, 2).matrix().to_owned();
    matrix[[3, 1]] = f64::INFINITY;
    let error = Features::new(matrix, ["a", "b"]).unwrap_err();
    assert_eq!((error.row(), error.column()), (Some(4), Some("b")));
}

#[test]
fn groups_do_not_depend_on_the_order_of_rows() {
    let features = table(200, 4);
    let mut order: Vec<usize> = (0..200).collect();
    Seed::new(1).stream("order", 0).shuffle(&mut order);
    let shuffled = named(features.matrix().select(Axis(0), &order));
    let groups = KMeans::params(3).fit(&features).unwrap();
    let again = KMeans::params(3).fit(&shuffled).unwrap();
    for (position, &row) in order.iter().enumerate() {
        assert_eq!(again.labels()[position], groups.labels()[row]);
    }
    assert!((again.inertia() - groups.inertia()).abs() < 1e-9 * groups.inertia());
}
