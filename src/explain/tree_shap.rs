//! From a forest and a table to SHAP values.

use ndarray::{Array3, ArrayView2, Axis};
use rayon::prelude::*;

use super::quadrature::{Plan, Scratch};
use super::shap::Shap;
use crate::classify::forest::check_names;
use crate::classify::trees::{Trees, check_matrix};
use crate::classify::{Model, RandomForest, RegressionForest};
use crate::error::Result;
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
}

/// Exact Shapley values of a forest's outputs (Lundberg et al., *From local explanations to global
/// understanding with explainable AI for trees*, 2020).
///
/// A feature that is left out is replaced by the training rows that reached each split
/// (path-dependent), as `shap.TreeExplainer` does by default. Same bits on any number of threads.
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
    progress: Progress,
}

/// Rows that one task explains; fixed, so that threads do not matter.
const BLOCK_ROWS: usize = 256;

impl<'a> TreeShap<'a> {
    /// Explains a forest, a model or a dump read from a file.
    pub fn of(forest: &'a impl Explainable) -> Self {
        Self {
            trees: forest.trees(),
            features: forest.feature_names().to_vec(),
            outputs: forest.output_names(),
            progress: Progress::default(),
        }
    }

    /// Called as blocks of rows are finished.
    pub fn progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// The SHAP values of every row.
    ///
    /// # Errors
    /// When the names of the features are not those of the forest, in the same order.
    pub fn explain(&self, features: &Features) -> Result<Shap> {
        if !self.features.is_empty() {
            check_names(&self.features, features.names())?;
        }
        let mut shap = self.explain_matrix(features.matrix())?;
        shap.features = features.names().to_vec();
        Ok(shap)
    }

    /// As [`explain`](Self::explain), for a matrix without names.
    ///
    /// # Errors
    /// Another number of columns, or a value that is not finite, with its row and column.
    pub fn explain_matrix(&self, matrix: ArrayView2<'_, f64>) -> Result<Shap> {
        let trees = self.trees;
        check_matrix(matrix, trees.n_features(), &self.features)?;
        let k = trees.n_outputs();
        let mut values = Array3::zeros((matrix.nrows(), trees.n_features(), k));
        self.path_dependent(matrix, &mut values);
        let base = base(trees);
        Ok(Shap {
            additivity_error: additivity_error(trees, matrix, &base, &values),
            values,
            base,
            features: self.feature_names(),
            outputs: self.outputs.clone(),
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
        let scale = 1.0 / trees.as_slice().len() as f64;
        let plans: Vec<Plan> =
            trees.as_slice().iter().map(|t| Plan::new(t, k, explained, scale)).collect();
        let rows = matrix.as_standard_layout();
        values
            .axis_chunks_iter_mut(Axis(0), BLOCK_ROWS)
            .into_par_iter()
            .zip(rows.axis_chunks_iter(Axis(0), BLOCK_ROWS).into_par_iter())
            .for_each(|(mut out, block)| {
                let mut scratch = Scratch::default();
                let mut phi = vec![0.0; block.nrows() * d * explained];
                for plan in &plans {
                    for (phi, row) in phi.chunks_mut((d * explained).max(1)).zip(block.rows()) {
                        if let Some(row) = row.as_slice() {
                            plan.add_row(row, &mut scratch, phi);
                        }
                    }
                }
                for (mut out, phi) in
                    out.lanes_mut(Axis(2)).into_iter().zip(phi.chunks(explained.max(1)))
                {
                    out.iter_mut().zip(phi).for_each(|(o, p)| *o = *p);
                    if explained < k {
                        out[k - 1] = -phi.iter().sum::<f64>();
                    }
                }
            });
    }
}

/// The expected output over the training rows.
pub(crate) fn base(trees: &Trees) -> Vec<f64> {
    let k = trees.n_outputs();
    let mut base = vec![0.0; k];
    for tree in trees.as_slice() {
        base.iter_mut().zip(tree.expected_values(k)).for_each(|(b, v)| *b += v);
    }
    base.iter_mut().for_each(|b| *b /= trees.as_slice().len() as f64);
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
    use ndarray::{Array1, Array2};

    /// The expected output of a tree when only the features in `known` are known.
    fn expectation(tree: &Tree, k: usize, node: usize, row: &[f64], known: usize) -> Vec<f64> {
        match tree.nodes[node].kind() {
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
        for (n_classes, depth) in [(2, 3), (3, 8), (5, 20)] {
            let matrix = table(120, 5, 7);
            let labels = matrix
                .rows()
                .into_iter()
                .map(|r| ((r[0] + r[1] * r[2] + 0.3 * r[3]).abs() * 2.0) as usize % n_classes);
            let data = DatasetBase::new(matrix.clone(), labels.collect::<Array1<usize>>());
            let params = RandomForest::params().n_trees(6).max_depth(depth).min_samples_leaf(1);
            let forest = params.fit(&data).unwrap();
            let shap = TreeShap::of(&forest).explain_matrix(matrix.view()).unwrap();
            assert!(shap.additivity_error < 1e-13, "{}", shap.additivity_error);
            for i in 0..20 {
                let exact = by_enumeration(forest.trees(), &matrix.row(i).to_vec());
                let found = shap.values.index_axis(Axis(0), i);
                for (a, b) in exact.iter().zip(found) {
                    assert!((a - b).abs() < 1e-13, "row {i}: {a} {b}");
                }
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
}
