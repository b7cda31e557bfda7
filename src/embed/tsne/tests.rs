//! t-SNE against slow formulas and reference numbers.

use std::path::Path;

use super::*;

/// Rows in three groups of unlike spread, in `p` columns.
fn groups(n: usize, p: usize) -> Array2<f64> {
    let mut stream = Seed::new(5).stream("groups", 0);
    Array2::from_shape_fn((n, p), |(i, j)| {
        ((i % 3) * (j + 1)) as f64 * 3.0 + (1.0 + (i % 3) as f64) * stream.normal()
    })
}

fn fit(params: &TsneParams, matrix: &Array2<f64>) -> Result<Tsne> {
    params.fit(&DatasetBase::from(matrix.clone()))
}

fn message(params: &TsneParams, matrix: &Array2<f64>) -> String {
    fit(params, matrix).unwrap_err().to_string()
}

/// The divergence by its definition, from the coordinates alone.
fn divergence(tsne: &Tsne) -> f64 {
    let y = tsne.coordinates();
    let q = |i: usize, j: usize| {
        1.0 / (1.0 + y.row(i).iter().zip(y.row(j)).map(|(a, b)| (a - b).powi(2)).sum::<f64>())
    };
    let n = y.nrows();
    let z: f64 = (0..n).map(|i| (0..n).filter(|&j| j != i).map(|j| q(i, j)).sum::<f64>()).sum();
    let row = |i: usize| {
        tsne.affinities().row(i).map(|(j, p)| p * (p / (q(i, j as usize) / z)).ln()).sum::<f64>()
    };
    (0..n).map(row).sum()
}

#[test]
fn groups_become_islands_and_the_divergence_is_the_one_of_its_definition() {
    let matrix = groups(150, 5);
    let tsne = fit(&Tsne::params(2), &matrix).unwrap();
    let y = tsne.coordinates();
    for i in 0..150 {
        let distance = |j: usize| (&y.row(i) - &y.row(j)).mapv(|v| v * v).sum();
        let nearest =
            (0..150).filter(|&j| j != i).min_by(|&a, &b| distance(a).total_cmp(&distance(b)));
        assert_eq!(nearest.unwrap() % 3, i % 3);
    }
    // f32 points, f64 sums: only the norm Z carries rounding.
    assert!((tsne.kl_divergence() - divergence(&tsne)).abs() < 1e-6);
}

#[test]
fn known_neighbours_give_the_map_that_a_search_gives() {
    let matrix = groups(150, 5);
    let params = Tsne::params(2).n_iter(50);
    let k = params.n_neighbors(150).unwrap();
    let near = Neighbors::exact(matrix.view(), k + 7, Metric::Euclidean).unwrap();
    let known = fit(&params.clone().neighbors(near.clone()), &matrix).unwrap();
    assert_eq!(known.coordinates(), fit(&params, &matrix).unwrap().coordinates());

    let refused =
        |near: Neighbors, matrix: &Array2<f64>| message(&params.clone().neighbors(near), matrix);
    let few = refused(near.nearest(9).unwrap(), &matrix);
    assert!(few.contains("k = 90 is invalid"), "{few}");
    let other = refused(near.clone(), &groups(151, 5));
    assert_eq!(other, "neighbours of 150 rows, the table has 151");
    let mut wrong = near;
    wrong.indices[[4, 2]] = 150;
    let message = refused(wrong, &matrix);
    assert_eq!(message, "row 5: neighbour 150, counted from 0, of a table of 150 rows");
}

#[test]
fn a_device_makes_a_map_as_good_and_the_same_each_time() {
    let Some(gpu) = crate::backend::test_device() else { return };
    let on_gpu = Tsne::params(2).backend(Backend::Gpu(gpu.into()));
    let matrix = groups(150, 5);
    let (map, again) = (fit(&on_gpu, &matrix).unwrap(), fit(&on_gpu, &matrix).unwrap());
    assert_eq!(map.coordinates(), again.coordinates());
    assert!((map.kl_divergence() - divergence(&map)).abs() < 1e-5);
    let on_cpu = fit(&Tsne::params(2), &matrix).unwrap();
    let worse = map.kl_divergence() / on_cpu.kl_divergence();
    // Two descents of the same surface: what is left differs as between two seeds.
    assert!((0.95..1.05).contains(&worse), "{worse}");
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    let matrix = groups(400, 4);
    let runs: Vec<Tsne> = [1, 2, 7]
        .map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fit(&Tsne::params(2).n_iter(300), &matrix).unwrap())
        })
        .into();
    for run in &runs[1..] {
        assert_eq!(run.coordinates(), runs[0].coordinates());
        assert_eq!(run.kl_divergence().to_bits(), runs[0].kl_divergence().to_bits());
    }
    let seven = runs[0].transform(matrix.slice(ndarray::s![..20, ..])).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(7).build().unwrap();
    assert_eq!(
        pool.install(|| runs[0].transform(matrix.slice(ndarray::s![..20, ..])).unwrap()),
        seven
    );
}

#[test]
fn one_and_three_axes_work() {
    let matrix = groups(60, 4);
    for n_components in [1, 3] {
        let tsne = fit(&Tsne::params(n_components).n_iter(400), &matrix).unwrap();
        assert_eq!(tsne.coordinates().dim(), (60, n_components));
        assert!((tsne.kl_divergence() - divergence(&tsne)).abs() < 1e-6);
        assert!(tsne.kl_divergence() < 0.6, "{}", tsne.kl_divergence());
    }
}

#[test]
fn new_rows_land_beside_their_like() {
    let matrix = groups(150, 5);
    let tsne = fit(&Tsne::params(2), &matrix).unwrap();
    let again = tsne.transform(matrix.view()).unwrap();
    for i in 0..150 {
        let distance =
            |j: usize| (&again.row(i) - &tsne.coordinates().row(j)).mapv(|v| v * v).sum();
        let nearest = (0..150).min_by(|&a, &b| distance(a).total_cmp(&distance(b)));
        assert_eq!(nearest.unwrap() % 3, i % 3);
    }
    let error = tsne.transform(matrix.slice(ndarray::s![.., ..3])).unwrap_err();
    assert_eq!(error.to_string(), "found 3 columns, but 5 were fitted");
}

#[test]
fn several_seeds_share_the_affinities() {
    let matrix = groups(60, 3);
    let params = Tsne::params(2).init(Init::Random).n_iter(100);
    let runs = params.fit_many(&DatasetBase::from(matrix.clone()), &[3, 4]).unwrap();
    assert_eq!(runs[0].affinities(), runs[1].affinities());
    assert_ne!(runs[0].coordinates(), runs[1].coordinates());
    assert_eq!(fit(&params.seed(4), &matrix).unwrap().coordinates(), runs[1].coordinates());
}

#[test]
fn small_and_odd_tables_give_finite_maps() {
    for n in 2..=10 {
        let tsne = fit(&Tsne::params(2), &groups(n, 3)).unwrap();
        assert!(tsne.coordinates().iter().all(|v| v.is_finite()), "{n} rows");
        assert!(tsne.kl_divergence().is_finite());
    }
    let equal = Array2::from_elem((50, 3), 2.5);
    let mut constant = groups(50, 3);
    constant.column_mut(1).fill(7.0);
    let mut duplicates = groups(80, 3);
    for i in 20..80 {
        let first = duplicates.row(i % 3).to_owned();
        duplicates.row_mut(i).assign(&first);
    }
    let single = groups(50, 1);
    for matrix in [equal, constant, duplicates, single] {
        let tsne = fit(&Tsne::params(2), &matrix).unwrap();
        assert!(tsne.coordinates().iter().all(|v| v.is_finite()));
        assert!(tsne.kl_divergence().is_finite());
    }
}

#[test]
fn bad_input_is_named() {
    let mut matrix = groups(20, 3);
    let said = message(&Tsne::params(2).perplexity(25.0), &matrix);
    let allowed = "at least 1 and at most the number of other rows (19)";
    assert_eq!(said, format!("perplexity = 25 is invalid: must be {allowed}"));
    assert!(message(&Tsne::params(4), &matrix).contains("1, 2 or 3"));
    assert!(message(&Tsne::params(2).learning_rate(0.0), &matrix).contains("learning_rate = 0"));
    let start = Init::Given(Array2::zeros((3, 2)));
    assert!(message(&Tsne::params(2).init(start), &matrix).contains("each of the 20 rows"));
    assert!(message(&Tsne::params(2), &groups(1, 3)).contains("at least 2 rows"));
    matrix[[4, 1]] = f64::NAN;
    assert_eq!(message(&Tsne::params(2), &matrix), "row 5: column `2`: NaN is not a finite number");
    let named = DatasetBase::from(matrix).with_feature_names(vec!["area", "extent", "solidity"]);
    let said = Tsne::params(2).fit(&named).unwrap_err().to_string();
    assert_eq!(said, "row 5: column `extent`: NaN is not a finite number");
}

/// A table of the shared data as numbers; `None` when the folder is absent.
fn shared(name: &str, n_skip: usize) -> Option<Array2<f64>> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared");
    let folder = std::env::var("POLARISCOPE_SHARED").unwrap_or_else(|_| default.into());
    let path = Path::new(&folder).join("data/expected/ml").join(name);
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: no ../shared/data");
        return None;
    };
    let rows: Vec<Vec<f64>> = text
        .lines()
        .skip(n_skip)
        .map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect())
        .collect();
    Some(Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j]))
}

#[test]
fn affinities_and_divergence_equal_scikit_learns_on_the_lectures_table() {
    let (Some(scaled), Some(expected)) =
        (shared("standard_scaled_44x16.csv", 1), shared("tsne_scaled_P_perplexity10.csv", 0))
    else {
        return;
    };
    // scikit-learn's exact method lets all rows be neighbours.
    let near = Neighbors::exact(scaled.view(), 43, Metric::Euclidean).unwrap();
    let dense = Affinities::symmetric(&Conditional::calibrate(&near, 10.0), 10.0);
    for i in 0..44 {
        for (j, p) in dense.row(i) {
            // scikit-learn stops its search at 1e-5 nats.
            assert!((p - expected[[i, j as usize]]).abs() < 3e-4 * p + 1e-9, "{i} {j}: {p}");
        }
    }
    let params = Tsne::params(2).perplexity(10.0);
    let tsne = params.map(scaled.view(), dense).unwrap();
    assert!(tsne.kl_divergence() < 0.230_091 * 1.01, "{}", tsne.kl_divergence());
}

#[test]
fn affinities_and_divergence_equal_open_tsnes() {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/tsne.json"));
    let expected: serde_json::Value = serde_json::from_str(text).unwrap();
    let number = |v: &serde_json::Value| v.as_f64().unwrap();
    let rows = expected["table"].as_array().unwrap();
    let matrix = Array2::from_shape_fn((rows.len(), 5), |(i, j)| number(&rows[i][j]));
    let tsne = fit(&Tsne::params(2).perplexity(number(&expected["perplexity"])), &matrix).unwrap();
    for (i, row) in expected["affinities"].as_array().unwrap().iter().enumerate() {
        let row = row.as_array().unwrap();
        assert_eq!(tsne.affinities().row(i).count(), row.len());
        for ((j, p), entry) in tsne.affinities().row(i).zip(row) {
            assert_eq!(f64::from(j), number(&entry[0]));
            // Distances are f32; openTSNE's search ends at 1e-8 nats.
            assert!((p - number(&entry[1])).abs() < 1e-6 * p + 1e-12, "{i} {j}: {p} {entry}");
        }
    }
    assert!(tsne.kl_divergence() < 1.01 * number(&expected["kl_divergence"]));
}
