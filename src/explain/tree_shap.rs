//! From a forest and a table to SHAP values.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use ndarray::{Array2, Array3, Array4, ArrayView2, Axis, CowArray, Ix2};
use rayon::prelude::*;

use super::patterns::Tables;
use super::quadrature::{Plan, Scratch};
use super::shap::Shap;
use super::{interventional, paths};
use crate::classify::model::find_columns;
use crate::classify::trees::{Trees, check_matrix};
use crate::classify::{Model, RandomForest, RegressionForest, Scaling};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::table::Features;

/// A forest whose outputs can be explained.
pub trait Explainable {
    /// Its trees.
    fn trees(&self) -> &Trees;
    /// Names of its features; empty where it has none.
    fn feature_names(&self) -> &[String];
    /// Names of its outputs: the classes, or `value`.
    fn output_names(&self) -> Vec<String>;
    /// How a table is scaled before the trees are asked; not at all by default.
    fn scaling(&self) -> Option<&Scaling> {
        None
    }
}

impl Explainable for RandomForest {
    fn trees(&self) -> &Trees {
        self.trees()
    }
    fn feature_names(&self) -> &[String] {
        self.feature_names()
    }
    fn output_names(&self) -> Vec<String> {
        self.classes().iter().map(ToString::to_string).collect()
    }
}

impl Explainable for RegressionForest {
    fn trees(&self) -> &Trees {
        self.trees()
    }
    fn feature_names(&self) -> &[String] {
        self.feature_names()
    }
    fn output_names(&self) -> Vec<String> {
        vec!["value".to_string()]
    }
}

impl Explainable for Model {
    fn trees(&self) -> &Trees {
        self.trees()
    }
    fn feature_names(&self) -> &[String] {
        self.feature_names()
    }
    fn output_names(&self) -> Vec<String> {
        self.output_names()
    }
    fn scaling(&self) -> Option<&Scaling> {
        self.scaling()
    }
}

/// Exact Shapley values of a forest's outputs (Lundberg et al., *From local explanations to global
/// understanding with explainable AI for trees*, 2020).
///
/// A feature that is left out is replaced by the training rows that reached each split
/// (path-dependent), as `shap.TreeExplainer` does by default; with a
/// [`background`](Self::background) it takes the values of those rows (interventional).
///
/// # Determinism
/// Same bits on any number of threads. Few rows and many go different ways to the same values:
/// a row explained alone may differ in the last bits from the row explained in a large table.
///
/// ```
/// use linfa::traits::Fit;
/// use ndarray::array;
/// use polariscope::classify::RandomForest;
/// use polariscope::explain::TreeShap;
/// use polariscope::table::Features;
///
/// let matrix = array![[1.0, 3.0], [2.0, 1.0], [7.0, 3.0], [8.0, 1.0]];
/// let features = Features::new(matrix, ["area", "noise"])?;
/// let forest = RandomForest::params().min_samples_leaf(1).fit(&features.labelled(&[1, 1, 2, 2])?)?;
/// let shap = TreeShap::of(&forest).explain(&features)?;
///
/// assert_eq!(shap.values.dim(), (4, 2, 2));
/// assert_eq!(shap.ranking()[0], 0, "the area decides");
/// assert!(shap.additivity_error < 1e-12);
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TreeShap<'a> {
    trees: &'a Trees,
    features: Vec<String>,
    outputs: Vec<String>,
    scaling: Option<&'a Scaling>,
    background: Option<Array2<f64>>,
    progress: Progress,
}

/// Tables are cut for so many tasks, if their rows are not too few or too many for one.
const TASKS: usize = 16;
/// Most rows that one task explains at a time.
const BLOCK_ROWS: usize = 2048;
/// Rows whose values wait at the same time to be put in place.
const SLICE_ROWS: usize = 1 << 16;
/// Tasks explain multiples of so many rows: fewer are not worth fetching the trees for.
const LEAST_BLOCK_ROWS: usize = 128;

impl<'a> TreeShap<'a> {
    /// Explains a forest, a model or a dump read from a file.
    pub fn of(forest: &'a impl Explainable) -> Self {
        Self {
            trees: forest.trees(),
            features: forest.feature_names().to_vec(),
            outputs: forest.output_names(),
            scaling: forest.scaling(),
            background: None,
            progress: Progress::default(),
        }
    }

    /// Explains against the mean output over these rows (columns as the forest's features) instead
    /// of the training's covers. Takes time proportional to their number: some hundred rows are plenty.
    pub fn background(mut self, background: ArrayView2<'_, f64>) -> Self {
        self.background = Some(background.to_owned());
        self
    }

    /// Called as blocks of rows are finished.
    pub fn progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// The SHAP values of every row; columns are found by name, further columns do not matter.
    ///
    /// # Errors
    /// A feature of the forest that is missing, or as [`explain_matrix`](Self::explain_matrix).
    pub fn explain(&self, features: &Features) -> Result<Shap> {
        if self.features.is_empty() {
            let shap = self.explain_matrix(features.matrix())?;
            return Ok(Shap { features: features.names().to_vec(), ..shap });
        }
        let columns = find_columns(&self.features, features.names())?;
        self.explain_matrix(features.matrix().select(Axis(1), &columns).view())
    }

    /// As [`explain`](Self::explain), for a matrix whose columns are the forest's features in order.
    ///
    /// # Errors
    /// Another number of columns, or a value that is not finite, with its row and column; a
    /// background without rows.
    pub fn explain_matrix(&self, matrix: ArrayView2<'_, f64>) -> Result<Shap> {
        let trees = self.trees;
        let matrix = self.prepared(matrix)?;
        let mut values = Array3::zeros((matrix.nrows(), trees.n_features(), trees.n_outputs()));
        let base = match &self.background {
            None => {
                self.path_dependent(matrix.view(), &mut values);
                base(trees)
            }
            Some(background) => {
                let background = self.prepared(background.view())?;
                let outputs = trees.mean_outputs_unchecked(background.view());
                let Some(base) = outputs.mean_axis(Axis(0)) else {
                    return Err(Error::data("the background has no rows: give at least one"));
                };
                interventional::add_values(trees, matrix.view(), background.view(), &mut values);
                base.to_vec()
            }
        };
        Ok(Shap {
            additivity_error: additivity_error(trees, matrix.view(), &base, &values),
            values,
            base,
            features: self.feature_names(),
            outputs: self.outputs.clone(),
        })
    }

    /// Path-dependent interaction values, shape `(n_rows, n_features, n_features, n_outputs)`:
    /// a row and feature's values over the other axis of features sum to its SHAP value.
    ///
    /// Each pair is held twice with half its worth; the diagonal is what a feature does alone.
    ///
    /// # Errors
    /// As [`explain_matrix`](Self::explain_matrix).
    pub fn interactions(&self, matrix: ArrayView2<'_, f64>) -> Result<Array4<f64>> {
        let matrix = self.prepared(matrix)?;
        let (n, d, k) = (matrix.nrows(), self.trees.n_features(), self.trees.n_outputs());
        let mut single = Array3::zeros((n, d, k));
        self.path_dependent(matrix.view(), &mut single);
        let mut pairs = paths::interactions(self.trees, matrix.view());
        let shared = pairs.sum_axis(Axis(2));
        for ((i, j, o), value) in single.indexed_iter() {
            pairs[[i, j, j, o]] = value - shared[[i, j, o]];
        }
        Ok(pairs)
    }

    /// The matrix as the trees want it: checked, and scaled where the model scales.
    fn prepared<'m>(&self, matrix: ArrayView2<'m, f64>) -> Result<CowArray<'m, f64, Ix2>> {
        check_matrix(matrix, self.trees.n_features(), &self.features)?;
        Ok(match self.scaling {
            None => matrix.into(),
            Some(scaling) => scaling.apply(matrix).into(),
        })
    }

    fn feature_names(&self) -> Vec<String> {
        crate::classify::params::names_or_numbers(&self.features, self.trees.n_features())
    }

    fn path_dependent(&self, matrix: ArrayView2<'_, f64>, values: &mut Array3<f64>) {
        let trees = self.trees;
        let (d, k) = (trees.n_features(), trees.n_outputs());
        // Probabilities sum to one, so the values of a row's feature sum to zero: one output is free.
        let explained = if trees.outputs_sum_to_one { k - 1 } else { k };
        let method = Method::of(trees, explained, matrix.nrows());
        let rows = matrix.as_standard_layout();
        let block_rows = matrix.nrows().div_ceil(TASKS).next_multiple_of(LEAST_BLOCK_ROWS);
        let block_rows = block_rows.clamp(LEAST_BLOCK_ROWS, BLOCK_ROWS);
        let slices = values.axis_chunks_iter_mut(Axis(0), SLICE_ROWS);
        for (slice, (mut out, rows)) in
            slices.zip(rows.axis_chunks_iter(Axis(0), SLICE_ROWS)).enumerate()
        {
            let Some(rows) = rows.as_slice() else { return };
            let mut phi = vec![0.0; rows.len() * explained];
            method.add_rows(rows, d, &mut phi, block_rows, &|share| {
                let done = (slice * SLICE_ROWS * d) as f64 + share.min(1.0) * rows.len() as f64;
                self.progress.report(done as usize, matrix.len());
            });
            out.axis_chunks_iter_mut(Axis(0), block_rows)
                .into_par_iter()
                .zip(phi.par_chunks(block_rows * d * explained))
                .for_each(|(mut out, phi)| {
                    let lanes = out.lanes_mut(Axis(2)).into_iter().zip(phi.chunks(explained));
                    for (mut out, phi) in lanes {
                        out.iter_mut().zip(phi).for_each(|(o, p)| *o = *p);
                        if explained < k {
                            out[k - 1] = -phi.iter().sum::<f64>();
                        }
                    }
                });
        }
    }
}

/// Two ways to the same values: tables are quick for many rows and small trees.
enum Method<'a> {
    Tables(Tables<'a>),
    Quadrature(Vec<Plan>),
}

/// Rows below which filling tables takes longer than it saves.
const FEW_ROWS: usize = 500;

impl<'a> Method<'a> {
    fn of(trees: &'a Trees, explained: usize, n_rows: usize) -> Self {
        let tables = (n_rows >= FEW_ROWS).then(|| Tables::of(trees, explained)).flatten();
        tables.map_or_else(
            || {
                let scale = 1.0 / trees.as_slice().len() as f64;
                let plan = |t| Plan::new(t, trees.n_outputs(), explained, scale);
                Self::Quadrature(trees.as_slice().iter().map(plan).collect())
            },
            Self::Tables,
        )
    }

    /// Adds the values of rows to `phi`, shape `(n_rows, n_features * explained)`, in tasks of `block_rows`; `report`
    /// is told the share that is done.
    fn add_rows(
        &self,
        rows: &[f64],
        d: usize,
        phi: &mut [f64],
        block_rows: usize,
        report: &(dyn Fn(f64) + Sync),
    ) {
        match self {
            Self::Tables(tables) => tables.add_rows(rows, phi, block_rows, report),
            Self::Quadrature(plans) => {
                let (done, width) = (AtomicUsize::new(0), phi.len() / rows.len() * d);
                let blocks = phi.par_chunks_mut(block_rows * width);
                blocks.zip(rows.par_chunks(block_rows * d)).for_each(|(phi, block)| {
                    let mut scratch = Scratch::default();
                    for plan in plans {
                        plan.add_rows(block, d, &mut scratch, phi);
                    }
                    let finished = done.fetch_add(block.len(), Relaxed) + block.len();
                    report(finished as f64 / rows.len() as f64);
                });
            }
        }
    }
}

/// The expected output over the training rows.
pub(crate) fn base(trees: &Trees) -> Vec<f64> {
    let k = trees.n_outputs();
    let mut base = vec![0.0; k];
    for tree in trees.as_slice() {
        base.iter_mut().zip(tree.expected_values(k)).for_each(|(b, v)| *b += v);
    }
    for mean in &mut base {
        *mean /= trees.as_slice().len() as f64;
    }
    base
}

/// The largest `|base + sum of values - output|` over rows and outputs.
fn additivity_error(
    trees: &Trees,
    matrix: ArrayView2<'_, f64>,
    base: &[f64],
    values: &Array3<f64>,
) -> f64 {
    let outputs = trees.mean_outputs_unchecked(matrix);
    let sums = values.sum_axis(Axis(1));
    let errors = sums.rows().into_iter().zip(outputs.rows()).map(|(sums, outputs)| {
        let of_output = |((s, o), b): ((&f64, &f64), &f64)| (b + s - o).abs();
        sums.iter().zip(outputs).zip(base).map(of_output).fold(0.0, f64::max)
    });
    errors.fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::tree::Kind;
    use crate::classify::{Tree, Trees};
    use crate::seed::Seed;
    use linfa::DatasetBase;
    use linfa::traits::Fit;
    use ndarray::Array1;

    /// The expected output of a tree when only the features in `known` are known.
    fn expectation(tree: &Tree, k: usize, node: usize, row: &[f64], known: usize) -> Vec<f64> {
        match tree.kind(node) {
            Kind::Leaf(leaf) => tree.leaf_values(leaf, k).to_vec(),
            Kind::Split { feature, threshold, left } if known >> feature & 1 == 1 => {
                let child = left + usize::from(row[feature] > threshold);
                expectation(tree, k, child, row, known)
            }
            Kind::Split { left, .. } => {
                let (l, r) = tree.shares(node, left);
                let left_side = expectation(tree, k, left, row, known);
                let right_side = expectation(tree, k, left + 1, row, known);
                left_side.iter().zip(&right_side).map(|(a, b)| l * a + r * b).collect()
            }
        }
    }

    /// Shapley's formula by enumeration of all subsets of the features.
    fn by_enumeration(trees: &Trees, row: &[f64]) -> Vec<f64> {
        let (d, k, n) = (trees.n_features(), trees.n_outputs(), trees.as_slice().len());
        let mut phi = vec![0.0; d * k];
        let factorial = |m: usize| (1..=m).map(|i| i as f64).product::<f64>();
        for tree in trees.as_slice() {
            let worth: Vec<Vec<f64>> =
                (0..1 << d).map(|s| expectation(tree, k, 0, row, s)).collect();
            for j in 0..d {
                for s in (0..1usize << d).filter(|s| s >> j & 1 == 0) {
                    let size = s.count_ones() as usize;
                    let weight = factorial(size) * factorial(d - size - 1) / factorial(d);
                    for o in 0..k {
                        phi[j * k + o] += weight * (worth[s | 1 << j][o] - worth[s][o]) / n as f64;
                    }
                }
            }
        }
        phi
    }

    fn table(n: usize, d: usize, seed: u64) -> Array2<f64> {
        let mut stream = Seed::new(seed).stream("table", 0);
        Array2::from_shape_simple_fn((n, d), || stream.normal())
    }

    #[test]
    fn values_are_shapley_values() {
        // Outputs are explained four at a time, rows too: some are left over.
        for (n_classes, depth) in [(2, 3), (3, 8), (5, 20), (8, 20)] {
            let matrix = table(122, 5, 7);
            let labels = matrix
                .rows()
                .into_iter()
                .map(|r| ((r[0] + r[1] * r[2] + 0.3 * r[3]).abs() * 2.0) as usize % n_classes);
            let data = DatasetBase::new(matrix.clone(), labels.collect::<Array1<usize>>());
            let params = RandomForest::params().n_trees(6).max_depth(depth).min_samples_leaf(1);
            let forest = params.fit(&data).unwrap();
            let shap = TreeShap::of(&forest).explain_matrix(matrix.view()).unwrap();
            assert!(n_classes < 8 || forest.trees().n_outputs() > 5);
            assert!(shap.additivity_error < 1e-13, "{}", shap.additivity_error);
            for i in (0..20).chain([120, 121]) {
                let exact = by_enumeration(forest.trees(), &matrix.row(i).to_vec());
                let found = shap.values.index_axis(Axis(0), i);
                for (a, b) in exact.iter().zip(found) {
                    assert!((a - b).abs() < 1e-13, "row {i}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn interactions_are_shapleys_and_add_up() {
        let matrix = table(90, 4, 11);
        let labels = matrix.rows().into_iter().map(|r| usize::from(r[0] * r[1] + r[2] > 0.2));
        let data = DatasetBase::new(matrix.clone(), labels.collect::<Array1<usize>>());
        let forest = RandomForest::params().n_trees(3).fit(&data).unwrap();
        let rows = matrix.slice(ndarray::s![..6, ..]);
        let explainer = TreeShap::of(&forest);
        let pairs = explainer.interactions(rows).unwrap();
        let single = explainer.explain_matrix(rows).unwrap().values;
        assert!((pairs.sum_axis(Axis(2)) - single).iter().all(|v| v.abs() < 1e-13));
        for row in 0..6 {
            for (a, b) in (0..4).flat_map(|a| (0..a).map(move |b| (a, b))) {
                let mut exact = 0.0;
                for tree in forest.trees().as_slice() {
                    let worth = |s| expectation(tree, 2, 0, &matrix.row(row).to_vec(), s)[1];
                    for s in (0..16usize).filter(|s| s >> a & 1 == 0 && s >> b & 1 == 0) {
                        // |S|! (d - |S| - 2)! / (2 (d - 1)!), over three trees.
                        let weight = [2.0, 1.0, 2.0][s.count_ones() as usize] / 12.0 / 3.0;
                        let (i, j) = (1 << a, 1 << b);
                        exact +=
                            weight * (worth(s | i | j) - worth(s | i) - worth(s | j) + worth(s));
                    }
                }
                assert!((pairs[[row, a, b, 1]] - exact).abs() < 1e-13);
                assert_eq!(pairs[[row, a, b, 1]], pairs[[row, b, a, 1]]);
            }
        }
    }

    #[test]
    fn numbers_are_explained_too() {
        let matrix = table(80, 4, 3);
        let targets: Array1<f64> =
            matrix.rows().into_iter().map(|r| 100.0 + r[0] * r[1] + r[2]).collect();
        let data = DatasetBase::new(matrix.clone(), targets);
        let forest = RegressionForest::params().n_trees(5).fit(&data).unwrap();
        let shap = TreeShap::of(&forest).explain_matrix(matrix.view()).unwrap();
        assert!(shap.additivity_error < 1e-10);
        let exact = by_enumeration(forest.trees(), &matrix.row(3).to_vec());
        for (a, b) in exact.iter().zip(shap.values.index_axis(Axis(0), 3)) {
            assert!((a - b).abs() < 1e-11, "{a} {b}");
        }
    }

    #[test]
    fn tables_and_quadrature_agree_and_threads_do_not_matter() {
        for (n_classes, depth, n_features) in [(2, 4, 3), (3, 8, 6), (2, 12, 9)] {
            let matrix = table(3000, n_features, 11);
            let labels = matrix
                .rows()
                .into_iter()
                .map(|r| ((r[0] * r[1] + r[2]).abs() * 2.0) as usize % n_classes);
            let data = DatasetBase::new(matrix.clone(), labels.collect::<Array1<usize>>());
            let forest = RandomForest::params().n_trees(7).max_depth(depth).fit(&data).unwrap();
            let explain = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| TreeShap::of(&forest).explain_matrix(matrix.view()).unwrap().values)
            };
            let many = explain(2);
            assert_eq!(many, explain(1));
            assert_eq!(many, explain(7));
            let few = matrix.slice(ndarray::s![..FEW_ROWS - 1, ..]);
            let few = TreeShap::of(&forest).explain_matrix(few).unwrap().values;
            for (a, b) in few.iter().zip(&many) {
                assert!((a - b).abs() < 1e-14, "{a} {b}");
            }
        }
    }

    #[test]
    fn more_trees_and_rows_than_one_portion_are_explained_alike() {
        let table = table(600, 3, 4);
        let labels = table.rows().into_iter().map(|r| usize::from(r[0] * r[1] > r[2]));
        let data = DatasetBase::new(table.clone(), labels.collect::<Array1<usize>>());
        let forest = RandomForest::params().n_trees(40).max_depth(4).fit(&data).unwrap();
        let explain = |rows: Vec<usize>| {
            let matrix = table.select(Axis(0), &rows);
            TreeShap::of(&forest).explain_matrix(matrix.view()).unwrap().values
        };
        let many = explain((0..SLICE_ROWS + 700).map(|row| row % 600).collect());
        for (i, values) in many.outer_iter().enumerate() {
            assert_eq!(values, many.index_axis(Axis(0), i % 600), "row {i}");
        }
        let few = explain((0..FEW_ROWS - 1).collect());
        assert!(few.iter().zip(&many).all(|(a, b)| (a - b).abs() < 1e-14));
    }

    #[test]
    fn a_forest_without_splits_explains_nothing() {
        let data = DatasetBase::new(Array2::zeros((4, 2)), Array1::from(vec![3, 3, 3, 3]));
        let forest = RandomForest::params().n_trees(3).fit(&data).unwrap();
        for n in [1, FEW_ROWS] {
            let shap = TreeShap::of(&forest).explain_matrix(Array2::zeros((n, 2)).view()).unwrap();
            assert_eq!(shap.base, [1.0]);
            assert!(shap.values.iter().all(|v| *v == 0.0) && shap.additivity_error == 0.0);
        }
    }

    #[test]
    fn families_and_faults() {
        let matrix = table(50, 3, 2);
        let labels = matrix.rows().into_iter().map(|r| usize::from(r[0] > r[1]));
        let data = DatasetBase::new(matrix.clone(), labels.collect::<Array1<usize>>());
        let forest = RandomForest::params().n_trees(3).fit(&data).unwrap();
        let shap = TreeShap::of(&forest).explain_matrix(matrix.view()).unwrap();
        let grouped = shap.grouped(&[("size".to_string(), vec![0, 2])]).unwrap();
        assert_eq!(grouped.features, ["size", "feature_1"]);
        let sum = shap.values[[4, 0, 1]] + shap.values[[4, 2, 1]];
        assert_eq!(grouped.values[[4, 0, 1]], sum);
        assert!(shap.grouped(&[("a".into(), vec![0]), ("b".into(), vec![0])]).is_err());
        assert!(shap.grouped(&[("a".into(), vec![3])]).is_err());
        assert!(TreeShap::of(&forest).explain_matrix(table(2, 4, 0).view()).is_err());
        let mut holes = matrix.clone();
        holes[[6, 1]] = f64::NAN;
        let error = TreeShap::of(&forest).explain_matrix(holes.view()).unwrap_err();
        assert_eq!((error.row(), error.column()), (Some(7), Some("feature_1")));
    }

    #[test]
    fn a_background_is_a_game_between_rows() {
        let matrix = table(60, 4, 5);
        let labels = matrix.rows().into_iter().map(|r| usize::from(r[0] * r[1] > r[2]));
        let data = DatasetBase::new(matrix.clone(), labels.collect::<Array1<usize>>());
        let forest = RandomForest::params().n_trees(4).min_samples_leaf(1).fit(&data).unwrap();
        let background = matrix.slice(ndarray::s![10..17, ..]);
        let shap = TreeShap::of(&forest).background(background);
        let shap = shap.explain_matrix(matrix.slice(ndarray::s![..5, ..])).unwrap();
        assert!(shap.additivity_error < 1e-14);
        // Shapley's formula over mixtures of the row and each background row.
        let (row, d) = (matrix.row(2), 4);
        let worth = |s: usize| {
            let mixed = |z: ndarray::ArrayView1<'_, f64>| {
                Array2::from_shape_fn((1, d), |(_, f)| if s >> f & 1 == 1 { row[f] } else { z[f] })
            };
            let of = |z| forest.probabilities(mixed(z).view()).unwrap()[[0, 1]];
            background.rows().into_iter().map(of).sum::<f64>() / 7.0
        };
        for j in 0..d {
            let mut phi = 0.0;
            for s in (0..1usize << d).filter(|s| s >> j & 1 == 0) {
                let weight = [6.0, 2.0, 2.0, 6.0][s.count_ones() as usize] / 24.0;
                phi += weight * (worth(s | 1 << j) - worth(s));
            }
            assert!((phi - shap.values[[2, j, 1]]).abs() < 1e-14);
        }
        let none = background.slice(ndarray::s![..0, ..]);
        assert!(TreeShap::of(&forest).background(none).explain_matrix(matrix.view()).is_err());
    }

    #[test]
    fn a_scaled_model_is_explained_on_the_tables_scale() {
        let matrix = table(40, 2, 5);
        let labels = matrix.rows().into_iter().map(|r| usize::from(r[0] > 0.0));
        let data = DatasetBase::new(matrix.clone(), labels.collect::<Array1<usize>>())
            .with_feature_names(vec!["area", "extent"]);
        let forest = RandomForest::params().n_trees(4).fit(&data).unwrap();
        let scaling = Scaling { center: vec![5.0, -1.0], scale: vec![2.0, 0.5] };
        let model = Model::of(&forest).with_scaling(scaling).unwrap();
        let raw = Array2::from_shape_fn((40, 3), |(i, j)| match j {
            0 => matrix[[i, 1]] * 0.5 - 1.0,
            1 => 0.0,
            _ => matrix[[i, 0]] * 2.0 + 5.0,
        });
        let raw = Features::new(raw, ["extent", "other", "area"]).unwrap();
        let plain = TreeShap::of(&forest).explain_matrix(matrix.view()).unwrap();
        let scaled = TreeShap::of(&model).explain(&raw).unwrap();
        assert_eq!(scaled.features, ["area", "extent"]);
        assert!(scaled.values.iter().zip(&plain.values).all(|(a, b)| (a - b).abs() < 1e-14));
        assert!(TreeShap::of(&model).explain(&raw.columns(&[0, 1]).unwrap()).is_err());
    }
}
