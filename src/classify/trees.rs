//! Many trees and their mean: the numbers behind every forest, whoever trained it.

use std::ops::RangeInclusive;

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use super::tree::Tree;
use super::walk::{Ranks, Walk};
use crate::error::{Error, Result};

/// An ensemble of trees whose outputs are averaged: what predicts and what SHAP explains.
#[expect(clippy::struct_field_names, reason = "the trees of the trees: there is no better word")]
#[derive(Debug, Clone, PartialEq)]
pub struct Trees {
    pub(crate) trees: Vec<Tree>,
    pub(crate) n_features: usize,
    pub(crate) n_outputs: usize,
    pub(crate) outputs_sum_to_one: bool,
    /// The quick way through them, where there is one.
    walk: Option<Walk>,
}

/// Tables are cut for so many tasks, if their rows are not too few or too many for one.
const TASKS: usize = 8;
/// Rows of a task at least and at most: what they need stays in the cache on the way through all trees, and
/// large trees are fetched for more of them.
const BLOCK_ROWS: RangeInclusive<usize> = 512..=1024;
const BLOCK_ROWS_OF_LARGE_TREES: RangeInclusive<usize> = 2048..=8192;

impl Trees {
    /// Trees that agree on the number of features and outputs.
    pub(crate) fn new(trees: Vec<Tree>, n_features: usize, n_outputs: usize) -> Self {
        let sums_to_one = |leaf: &[f64]| (leaf.iter().sum::<f64>() - 1.0).abs() < 1e-12;
        let outputs_sum_to_one =
            n_outputs > 1 && trees.iter().all(|t| t.values.chunks(n_outputs).all(sums_to_one));
        let walk = Walk::of(&trees, n_features, n_outputs);
        Self { trees, n_features, n_outputs, outputs_sum_to_one, walk }
    }

    /// The trees, in the order in which they were drawn.
    pub fn as_slice(&self) -> &[Tree] {
        &self.trees
    }

    /// Number of features of a row.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// Number of outputs: the classes, or one for a regression.
    pub fn n_outputs(&self) -> usize {
        self.n_outputs
    }

    /// Leaves of all trees.
    pub fn n_leaves(&self) -> usize {
        self.trees.iter().map(Tree::n_leaves).sum()
    }

    /// Depth of the deepest tree.
    pub fn depth(&self) -> usize {
        self.trees.iter().map(Tree::depth).max().unwrap_or(0)
    }

    /// The mean output of the trees for each row, shape `(n_rows, n_outputs)`.
    ///
    /// # Errors
    /// A number of columns other than [`n_features`](Self::n_features), or a value that is not finite.
    pub fn mean_outputs(&self, matrix: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        check_matrix(matrix, self.n_features, &[])?;
        Ok(self.mean_outputs_unchecked(matrix))
    }

    pub(crate) fn mean_outputs_unchecked(&self, matrix: ArrayView2<'_, f64>) -> Array2<f64> {
        if self.n_features == 0 {
            return Array2::zeros((matrix.nrows(), self.n_outputs));
        }
        let rows = matrix.as_standard_layout();
        let is_large = self.walk.as_ref().is_some_and(Walk::has_large_trees);
        let bounds = if is_large { BLOCK_ROWS_OF_LARGE_TREES } else { BLOCK_ROWS };
        let block_rows = matrix.nrows().div_ceil(TASKS).clamp(*bounds.start(), *bounds.end());
        let mut outputs = Array2::zeros((matrix.nrows(), self.n_outputs));
        outputs
            .axis_chunks_iter_mut(Axis(0), block_rows)
            .into_par_iter()
            .zip(rows.axis_chunks_iter(Axis(0), block_rows).into_par_iter())
            .for_each(|(mut out, block)| {
                let (Some(out), Some(block)) = (out.as_slice_mut(), block.as_slice()) else {
                    return;
                };
                self.add_block(block, out);
                for mean in out {
                    *mean /= self.trees.len() as f64;
                }
            });
        outputs
    }

    /// Adds every tree's outputs for a block of rows, in the order of the trees.
    fn add_block(&self, block: &[f64], out: &mut [f64]) {
        let k = self.n_outputs;
        let rows = self.enter(block);
        if let (Some(walk), Rows::Ranks(ranks)) = (&self.walk, &rows)
            && let Some(counts) = walk.count_votes(ranks, k)
        {
            out.iter_mut().zip(counts).for_each(|(out, count)| *out += f64::from(count));
            return;
        }
        let mut leaves = vec![0; block.len() / self.n_features];
        for (t, tree) in self.trees.iter().enumerate() {
            self.find_leaves(t, &rows, &mut leaves);
            match k {
                1 => add_leaves::<1>(tree, &leaves, out),
                2 => add_leaves::<2>(tree, &leaves, out),
                3 => add_leaves::<3>(tree, &leaves, out),
                4 => add_leaves::<4>(tree, &leaves, out),
                5 => add_leaves::<5>(tree, &leaves, out),
                6 => add_leaves::<6>(tree, &leaves, out),
                _ => {
                    for (out, &leaf) in out.chunks_exact_mut(k).zip(&leaves) {
                        let values = tree.leaf_values(leaf as usize, k);
                        out.iter_mut().zip(values).for_each(|(o, v)| *o += v);
                    }
                }
            }
        }
    }

    /// Rows that stand one after the other, made ready to walk through the trees.
    pub(crate) fn enter<'a>(&self, rows: &'a [f64]) -> Rows<'a> {
        match &self.walk {
            Some(walk) => Rows::Ranks(walk.ranks(rows)),
            None => Rows::Values(rows.chunks_exact(self.n_features).collect()),
        }
    }

    /// Writes the number of the leaf of a tree that each row falls into.
    pub(crate) fn find_leaves(&self, tree: usize, rows: &Rows<'_>, leaves: &mut [u32]) {
        match (&self.walk, rows) {
            (Some(walk), Rows::Ranks(ranks)) => walk.find_leaves(tree, ranks, leaves),
            (_, Rows::Values(rows)) => self.trees[tree].find_leaves(rows, leaves),
            (None, Rows::Ranks(_)) => {}
        }
    }
}

/// Adds the `K` outputs of each row's leaf.
fn add_leaves<const K: usize>(tree: &Tree, leaves: &[u32], out: &mut [f64]) {
    let values = tree.values.as_chunks::<K>().0;
    for (out, &leaf) in out.as_chunks_mut::<K>().0.iter_mut().zip(leaves) {
        let values = &values[leaf as usize];
        out.iter_mut().zip(values).for_each(|(o, v)| *o += v);
    }
}

/// Rows on their way through the trees: as ranks among the thresholds, or as they are where those are too many.
pub(crate) enum Rows<'a> {
    Ranks(Ranks),
    Values(Vec<&'a [f64]>),
}

/// A matrix of the right width whose values are all finite.
///
/// # Errors
/// With the row (from 1) and the column of the first fault.
pub(crate) fn check_matrix(
    matrix: ArrayView2<'_, f64>,
    n_features: usize,
    names: &[String],
) -> Result<()> {
    if matrix.ncols() != n_features {
        return Err(Error::data(format!(
            "the matrix has {} columns, the forest was trained on {n_features}",
            matrix.ncols()
        )));
    }
    match matrix.indexed_iter().find(|(_, v)| !v.is_finite()) {
        None => Ok(()),
        Some(((row, column), value)) => Err(Error::data(format!("{value} is not a finite number"))
            .at_row(row + 1)
            .at_column(names.get(column).cloned().unwrap_or_else(|| column.to_string()))
            .help("fill or drop the value: a forest has no rule for a missing one")),
    }
}
