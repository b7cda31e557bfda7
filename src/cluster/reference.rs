//! Our numbers beside scikit-learn's and scipy's (tests/reference/make_groups.py).

use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::{Array2, ArrayView1};
use serde::Deserialize;

use super::agreement::{adjusted_mutual_information, adjusted_rand};
use super::{Dbscan, GaussianMixture, KMeans, Optics, dip, silhouette};
use crate::embed::{Pca, procrustes, r_squared_on_map};

#[derive(Deserialize)]
struct Reference {
    agreement: Vec<Agreement>,
    tables: Vec<Table>,
    maps: Maps,
    dips: Vec<Dip>,
}

#[derive(Deserialize)]
struct Dip {
    values: Vec<f64>,
    dip: f64,
}

#[derive(Deserialize)]
struct Agreement {
    a: Vec<usize>,
    b: Vec<usize>,
    rand: f64,
    information: f64,
}

#[derive(Deserialize)]
struct Table {
    name: String,
    rows: Vec<Vec<f64>>,
    ks: Vec<usize>,
    best_inertia: Vec<f64>,
    labels: Vec<usize>,
    silhouettes: Vec<f64>,
    explained_variance: Vec<f64>,
    mixture_weights: Vec<f64>,
    mixture_likelihood: f64,
    reach: f64,
    dbscan: Vec<usize>,
    core_distances: Vec<f64>,
    optics_at_reach: Vec<usize>,
}

#[derive(Deserialize)]
struct Maps {
    a: Vec<Vec<f64>>,
    b: Vec<Vec<f64>>,
    disparity: f64,
    r_squared: Vec<f64>,
}

fn reference() -> Reference {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/groups.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn matrix(rows: &[Vec<f64>]) -> Array2<f64> {
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

fn assert_close<'a>(
    found: impl IntoIterator<Item = &'a f64>,
    expected: &[f64],
    tolerance: f64,
    what: &str,
) {
    let found: Vec<f64> = found.into_iter().copied().collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= tolerance, "{what} {i}: {f} instead of {e}");
    }
}

#[test]
fn agreement_of_groupings() {
    for case in reference().agreement {
        assert!((adjusted_rand(&case.a, &case.b).unwrap() - case.rand).abs() < 1e-12);
        let information = adjusted_mutual_information(&case.a, &case.b).unwrap();
        assert!((information - case.information).abs() < 1e-10, "{information}");
    }
}

#[test]
fn k_means_reaches_the_best_of_fifty_starts() {
    for table in reference().tables {
        let data = DatasetBase::from(matrix(&table.rows));
        for (&k, &best) in table.ks.iter().zip(&table.best_inertia) {
            let found = KMeans::params(k).tolerance(0.0).fit(&data).unwrap();
            assert!(
                found.inertia() <= best * (1.0 + 1e-9),
                "{} {k}: {}",
                table.name,
                found.inertia()
            );
        }
    }
}

#[test]
fn silhouettes_and_variances() {
    for table in reference().tables {
        let data = DatasetBase::from(matrix(&table.rows));
        let found = silhouette(&data, &table.labels).unwrap();
        assert_close(&found.per_object, &table.silhouettes, 1e-11, &table.name);
        let pca = Pca::params(table.explained_variance.len()).fit(&data).unwrap();
        assert_close(pca.explained_variance(), &table.explained_variance, 1e-12, &table.name);
    }
}

#[test]
fn mixtures_reach_the_same_likelihood() {
    for table in reference().tables {
        let data = DatasetBase::from(matrix(&table.rows));
        let params = GaussianMixture::params(3).n_init(20).tolerance(1e-8).max_iter(1000);
        let found = params.fit(&data).unwrap();
        let name = &table.name;
        let likelihood = found.log_likelihood();
        assert!(likelihood > table.mixture_likelihood - 1e-5, "{name}: {likelihood}");
        if (likelihood - table.mixture_likelihood).abs() < 1e-5 {
            let mut weights = found.weights().to_vec();
            weights.sort_by(|a, b| b.total_cmp(a));
            assert_close(&weights, &table.mixture_weights, 1e-3, name);
        }
    }
}

#[test]
fn density_groups() {
    for table in reference().tables {
        let data = DatasetBase::from(matrix(&table.rows));
        let dbscan = Dbscan::params(table.reach, 5).fit(&data).unwrap();
        let same = |labels: &[usize], expected: &[usize]| {
            let noise = |labels: &[usize]| labels.iter().map(|&l| l == 0).collect::<Vec<_>>();
            assert_eq!(adjusted_rand(labels, expected).unwrap(), 1.0, "{}", table.name);
            assert_eq!(noise(labels), noise(expected), "{}", table.name);
        };
        same(dbscan.labels(), &table.dbscan);
        let optics = Optics::params(5).fit(&data).unwrap();
        assert_close(optics.core_distances(), &table.core_distances, 1e-9, &table.name);
        same(&optics.labels_at(table.reach), &table.optics_at_reach);
    }
}

#[test]
fn maps() {
    let Maps { a, b, disparity, r_squared } = reference().maps;
    let (a, b) = (matrix(&a), matrix(&b));
    let found = procrustes(a.view(), b.view()).unwrap();
    assert!((found.disparity - disparity).abs() < 1e-12);
    let found = r_squared_on_map(&DatasetBase::from(b), a.view()).unwrap();
    assert_close(ArrayView1::from(&found), &r_squared, 1e-12, "r squared");
}

#[test]
fn dips() {
    for case in reference().dips {
        let found = dip(&case.values);
        assert!((found - case.dip).abs() < 1e-12, "{found}, diptest says {}", case.dip);
    }
}
