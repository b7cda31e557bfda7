//! The graph and the curve against umap-learn, the layout against itself and against quality.

use std::collections::BTreeMap;
use std::sync::Arc;

use linfa::{DatasetBase, traits::Fit};
use ndarray::{Array1, Array2, Axis, concatenate, s};
use serde::Deserialize;

use super::graph::{Graph, local_scales, memberships};
use super::{Init, Umap, UmapParams, curve, map_radii, target};
use crate::backend::{Backend, test_device};
use crate::embed::neighbors::{Metric, Neighbors};
use crate::embed::quality::{Quality, continuity, trustworthiness};
use crate::error::ErrorKind;
use crate::seed::Seed;
use crate::table::pearson;

/// Both sides compute in f32 from distances that agree to an ulp or two.
const WEIGHT_TOLERANCE: f32 = 2e-5;

#[derive(Deserialize)]
struct Reference {
    rows: Vec<f64>,
    width: usize,
    new: Vec<f64>,
    labels: Vec<i64>,
    cases: Vec<Case>,
    curves: Vec<[f64; 4]>,
    map: Vec<f64>,
    trustworthiness: Vec<(usize, f64)>,
    continuity: Vec<(usize, f64)>,
    data_radii: Vec<f64>,
    map_radii: Vec<f64>,
}

#[derive(Deserialize)]
struct Case {
    metric: String,
    n_neighbors: usize,
    local_connectivity: f64,
    set_op_mix_ratio: f64,
    sigmas: Vec<f32>,
    rhos: Vec<f32>,
    graph: Triples,
    supervised: Option<Triples>,
    new_columns: Option<Vec<u32>>,
    new_weights: Option<Vec<f32>>,
}

#[derive(Deserialize)]
struct Triples {
    offsets: Vec<usize>,
    columns: Vec<u32>,
    weights: Vec<f32>,
}

impl Triples {
    fn graph(&self) -> Graph {
        let row = |i: usize| {
            let range = self.offsets[i]..self.offsets[i + 1];
            range.map(|e| (self.columns[e], self.weights[e])).collect()
        };
        Graph::from_rows((0..self.offsets.len() - 1).map(row).collect())
    }
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../../../tests/reference/umap.json")).unwrap()
}

fn matrix(values: &[f64], width: usize) -> Array2<f64> {
    Array2::from_shape_vec((values.len() / width, width), values.to_vec()).unwrap()
}

fn assert_near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= WEIGHT_TOLERANCE * e.abs().max(1.0), "{i}: {f} is not {e}");
    }
}

fn assert_same_graph(found: &Graph, expected: &Graph) {
    assert_eq!(found.offsets, expected.offsets);
    assert_eq!(found.columns, expected.columns);
    assert_near(&found.weights, &expected.weights);
}

fn params_of(case: &Case) -> UmapParams {
    Umap::params(2)
        .metric(case.metric.parse().unwrap())
        .n_neighbors(case.n_neighbors)
        .local_connectivity(case.local_connectivity)
        .set_op_mix_ratio(case.set_op_mix_ratio)
}

#[test]
fn graphs_equal_those_of_umap_learn() {
    let reference = reference();
    let rows = matrix(&reference.rows, reference.width);
    let labels: Vec<Option<usize>> =
        reference.labels.iter().map(|&label| usize::try_from(label).ok()).collect();
    for case in &reference.cases {
        let base = params_of(case).foundation(rows.view()).unwrap();
        assert_near(&base.scales.sigmas, &case.sigmas);
        assert_near(&base.scales.rhos, &case.rhos);
        assert_same_graph(&base.graph, &case.graph.graph());
        if let Some(supervised) = &case.supervised {
            assert_same_graph(&target::intersect(&base.graph, &labels, 0.5), &supervised.graph());
        }
    }
}

#[test]
fn memberships_of_new_rows_equal_those_of_umap_learn() {
    let reference = reference();
    let rows = matrix(&reference.rows, reference.width);
    let new = matrix(&reference.new, reference.width);
    let case = &reference.cases[0];
    let near =
        Neighbors::query(rows.view(), new.view(), case.n_neighbors, Metric::Euclidean).unwrap();
    let graph = Graph::from_rows(memberships(&near, &local_scales(&near, 0, 0.0)));
    let (columns, weights) =
        (case.new_columns.as_ref().unwrap(), case.new_weights.as_ref().unwrap());
    for i in 0..new.nrows() {
        let expected: BTreeMap<u32, f32> = (0..case.n_neighbors)
            .map(|j| (columns[i * case.n_neighbors + j], weights[i * case.n_neighbors + j]))
            .filter(|(_, weight)| *weight > 0.0)
            .collect();
        assert!(graph.row(i).map(|(j, _)| j).eq(expected.keys().copied()));
        let found: Vec<f32> = graph.row(i).map(|(_, weight)| weight).collect();
        assert_near(&found, &expected.into_values().collect::<Vec<_>>());
    }
}

#[test]
fn curve_constants_equal_those_of_scipy() {
    for [spread, min_dist, a, b] in reference().curves {
        let found = curve::find_ab(spread, min_dist);
        let tolerance = 1e-6;
        assert!((found.0 - a).abs() < tolerance && (found.1 - b).abs() < tolerance, "{found:?}");
    }
}

#[test]
fn quality_equals_that_of_scikit_learn() {
    let reference = reference();
    let rows = matrix(&reference.rows, reference.width).slice_move(s![..40, ..]);
    let map = matrix(&reference.map, 2);
    for (k, expected) in reference.trustworthiness {
        let found = trustworthiness(rows.view(), map.view(), k).unwrap();
        assert!((found - expected).abs() < 1e-12, "{k}: {found} is not {expected}");
    }
    for (k, expected) in reference.continuity {
        let found = continuity(rows.view(), map.view(), k).unwrap();
        assert!((found - expected).abs() < 1e-12, "{k}: {found} is not {expected}");
    }
}

#[test]
fn radii_equal_those_of_umap_learn() {
    let reference = reference();
    let rows = matrix(&reference.rows, reference.width).slice_move(s![..40, ..]);
    let umap = Umap::params(2).n_neighbors(10).densmap(true).fit(&data(&rows)).unwrap();
    let map = matrix(&reference.map, 2);
    let found = [umap.data_radii(), map_radii(map.view(), 10).unwrap()];
    for (found, expected) in found.iter().zip([&reference.data_radii, &reference.map_radii]) {
        assert_eq!(found.len(), expected.len());
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() < 1e-4, "{f} is not {e}");
        }
    }
    assert_eq!(umap.map_radii().unwrap(), map_radii(umap.coordinates().view(), 10).unwrap());
}

/// Three groups in five dimensions.
fn groups(n: usize) -> Array2<f64> {
    let mut stream = Seed::new(9).stream("groups", 0);
    Array2::from_shape_fn((n, 5), |(i, j)| stream.normal() + if i % 3 == j { 12.0 } else { 0.0 })
}

fn data(matrix: &Array2<f64>) -> DatasetBase<Array2<f64>, ()> {
    DatasetBase::new(matrix.clone(), ())
}

fn bits(map: &Array2<f64>) -> Vec<u64> {
    map.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn maps_are_the_same_for_any_number_of_threads() {
    // More rows than one task takes in a turn.
    let data = data(&groups(6000));
    for params in [Umap::params(2), Umap::params(2).densmap(true), Umap::params(3).densmap(true)] {
        let fit = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| bits(params.clone().n_epochs(6).fit(&data).unwrap().coordinates()))
        };
        let one = fit(1);
        assert_eq!(one, fit(2));
        assert_eq!(one, fit(7));
    }
}

#[test]
fn many_maps_equal_single_ones() {
    let data = data(&groups(150));
    for densmap in [false, true] {
        let params = Umap::params(3).n_epochs(30).init(Init::Random).densmap(densmap);
        let maps = params.fit_many(&data, &[5, 6]).unwrap();
        assert_eq!(&maps[1], params.clone().seed(6).fit(&data).unwrap().coordinates());
        assert_ne!(maps[0], maps[1]);
    }
}

/// As many rows around each of three points, each time three times as far out.
fn uneven(n: usize) -> Array2<f64> {
    let mut stream = Seed::new(4).stream("uneven", 0);
    Array2::from_shape_fn((n, 5), |(i, j)| {
        let spread = [1.0, 3.0, 9.0][i % 3];
        spread * stream.normal() + if i % 3 == j { 60.0 } else { 0.0 }
    })
}

#[test]
fn densities_of_the_data_are_those_of_the_map() {
    let rows = uneven(600);
    for width in [1, 2, 3] {
        let correlation = |params: UmapParams| {
            let umap = params.fit(&data(&rows)).unwrap();
            let radii = [umap.data_radii(), umap.map_radii().unwrap()].concat();
            let quality =
                Quality::measure(rows.view(), umap.coordinates().view(), 15, Metric::Euclidean);
            let radii = Array2::from_shape_vec((2, 600), radii).unwrap();
            (pearson(radii.t())[[0, 1]], quality.unwrap().trustworthiness)
        };
        let plain = correlation(Umap::params(width));
        let dense = correlation(Umap::params(width).densmap(true));
        assert!(plain.0 < 0.6 && dense.0 > 0.85, "{width}: {plain:?} {dense:?}");
        assert!(dense.1 > plain.1 - 0.05, "{width}: {plain:?} {dense:?}");
        let ignored = Umap::params(width).n_epochs(20);
        let without = ignored.clone().densmap(true).dens_lambda(0.0).fit(&data(&rows)).unwrap();
        assert_eq!(without.coordinates(), ignored.fit(&data(&rows)).unwrap().coordinates());
    }
    let umap = Umap::params(2).n_epochs(5).densmap(true).fit(&data(&rows)).unwrap();
    assert!(umap.transform(rows.view()).unwrap_err().message().contains("no new rows"));
}

#[test]
fn every_start_keeps_groups_together() {
    let rows = groups(240);
    for init in
        [Init::Pca, Init::Spectral, Init::Random, Init::Given(rows.select(Axis(1), &[0, 1]))]
    {
        let umap = Umap::params(2).init(init.clone()).fit(&data(&rows)).unwrap();
        let quality =
            Quality::measure(rows.view(), umap.coordinates().view(), 15, Metric::Euclidean)
                .unwrap();
        assert!(quality.trustworthiness > 0.93, "{init:?} {quality:?}");
    }
}

/// How much less trustworthy a device's map may be: that much lies between two seeds of such small tables.
const TRUST_TOLERANCE: f64 = 0.02;

#[test]
fn a_device_lays_out_another_map_of_the_same_quality() {
    let Some(gpu) = test_device() else { return };
    let gpu = Backend::Gpu(Arc::new(gpu));
    for (n, n_components) in [(240, 2), (600, 2), (150, 1), (150, 3)] {
        let rows = groups(n);
        let params = Umap::params(n_components).set_op_mix_ratio(0.9).seed(4);
        let map = |params: UmapParams| params.fit(&data(&rows)).unwrap().coordinates().clone();
        let cpu = map(params.clone());
        assert_eq!(map(params.clone().backend(gpu.clone())), cpu, "neighbours are the same");
        let params = params.backend(gpu.clone()).layout_on(gpu.clone());
        let maps = params.fit_many(&data(&rows), &[4, 5]).unwrap();
        assert_eq!(map(params), maps[0], "the same again");
        assert!(maps[0] != cpu && maps[0] != maps[1]);
        let trust = |map: &Array2<f64>| {
            Quality::measure(rows.view(), map.view(), 15, Metric::Euclidean)
                .unwrap()
                .trustworthiness
        };
        let expected = trust(&cpu);
        for map in &maps {
            let found = trust(map);
            let what = format!("{n} rows, {n_components} axes: {found}, on the CPU {expected}");
            assert!(found > expected - TRUST_TOLERANCE, "{what}");
        }
        // Such a tolerance tells a map from rows thrown anywhere.
        let mut stream = Seed::new(8).stream("anywhere", n as u64);
        let anywhere = Array2::from_shape_simple_fn((n, n_components), || stream.uniform());
        assert!(trust(&anywhere) < expected - 10.0 * TRUST_TOLERANCE);
    }
    let error =
        |params: UmapParams| params.layout_on(gpu.clone()).fit(&data(&groups(40))).unwrap_err();
    assert!(error(Umap::params(5)).to_string().contains("must be 1 to 4 on a GPU"));
    assert!(error(Umap::params(2).densmap(true)).message().contains("by the CPU alone"));
}

#[test]
fn new_rows_land_beside_their_like() {
    let rows = groups(240);
    let umap = Umap::params(2).seed(3).fit(&data(&rows)).unwrap();
    let new = groups(30) + 0.01;
    let placed = umap.transform(new.view()).unwrap();
    let near =
        Neighbors::query(umap.coordinates().view(), placed.view(), 5, Metric::Euclidean).unwrap();
    for (i, neighbours) in near.indices.rows().into_iter().enumerate() {
        assert!(neighbours.iter().all(|&j| j as usize % 3 == i % 3), "{i}: {neighbours}");
    }
    assert_eq!(placed, umap.transform(new.view()).unwrap());
}

#[test]
fn labels_draw_their_rows_together() {
    let mut stream = Seed::new(1).stream("noise", 0);
    let noise = Array2::from_shape_simple_fn((200, 4), || stream.normal());
    let labels: Array1<usize> = (0..200).map(|i| i % 2).collect();
    let apart = |map: &Array2<f64>| {
        let near = Neighbors::exact(map.view(), 5, Metric::Euclidean).unwrap();
        let same = near.indices.indexed_iter().filter(|((i, _), j)| i % 2 == **j as usize % 2);
        same.count() as f64 / 1000.0
    };
    let plain = Umap::params(2).fit(&data(&noise)).unwrap();
    let labelled = DatasetBase::new(noise, labels);
    let supervised = Umap::params(2).fit(&labelled).unwrap();
    assert!(apart(plain.coordinates()) < 0.7);
    assert!(apart(supervised.coordinates()) > 0.95);
}

#[test]
fn odd_tables_give_finite_maps() {
    let constant = Array2::from_elem((40, 3), 2.5);
    let mut half = groups(60);
    half.column_mut(1).fill(1.0);
    let duplicates = concatenate![Axis(0), groups(30), groups(30), groups(30)];
    // Two parts of the graph, then many: groups of 16 with 15 neighbours see only themselves.
    let parts = |n: usize| {
        let mut stream = Seed::new(2).stream("parts", 0);
        Array2::from_shape_fn((16 * n, 2), |(i, j)| {
            stream.normal() + ((i / 16) as f64 * [1e4, 3e4][j]).sin() * 1e5
        })
    };
    for (name, rows) in [
        ("constant", constant),
        ("constant column", half),
        ("duplicates", duplicates),
        ("two parts", parts(2)),
        ("many parts", parts(11)),
        ("fewest", groups(16)),
        ("one column", groups(60).select(Axis(1), &[0])),
    ] {
        for init in [Init::Pca, Init::Spectral, Init::Random] {
            for densmap in [false, true] {
                let params = Umap::params(2).init(init.clone()).n_epochs(50).densmap(densmap);
                let umap = params.fit(&data(&rows)).unwrap();
                assert!(umap.coordinates().iter().all(|x| x.is_finite()), "{name} {init:?}");
                let radii = [umap.data_radii(), umap.map_radii().unwrap()].concat();
                assert!(radii.iter().all(|x| x.is_finite()), "{name} {init:?}");
            }
        }
    }
}

#[test]
fn errors_name_value_and_remedy() {
    let message = |params: UmapParams, rows: &Array2<f64>| {
        let error = params.fit(&data(rows)).unwrap_err();
        (error.kind(), error.to_string())
    };
    let rows = groups(15);
    let (kind, text) = message(Umap::params(2), &rows);
    assert_eq!(kind, ErrorKind::Parameter);
    assert_eq!(
        text,
        "n_neighbors = 15 is invalid: must be at least 2 and at most the number of rows - 1 (14)"
    );
    assert!(message(Umap::params(0), &groups(40)).1.starts_with("n_components = 0"));
    assert!(message(Umap::params(2).min_dist(2.0), &groups(40)).1.starts_with("min_dist = 2"));
    assert!(message(Umap::params(2).spread(f64::NAN), &groups(40)).1.contains("NaN is invalid"));
    assert!(message(Umap::params(2).target([Some(1)]), &groups(40)).1.contains("1 labels for 40"));
    for (params, start) in [
        (Umap::params(2).dens_lambda(-1.0), "dens_lambda = -1"),
        (Umap::params(2).dens_frac(1.5), "dens_frac = 1.5"),
        (Umap::params(2).dens_var_shift(f64::INFINITY), "dens_var_shift = inf"),
    ] {
        assert!(message(params, &groups(40)).1.starts_with(start));
    }
    let error = map_radii(groups(4).view(), 4).unwrap_err().to_string();
    assert!(error.ends_with("at least 2 and at most the number of rows - 1 (3)"), "{error}");
    let mut broken = groups(40);
    broken[[3, 1]] = f64::NAN;
    assert_eq!(
        message(Umap::params(2), &broken).1,
        "row 4: column `2`: NaN is not a finite number"
    );
}
