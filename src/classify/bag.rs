//! Training the trees of a forest side by side, each on its own bag of rows.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use super::bins::Bins;
use super::grow::{Grown, Limits, Sample, Target, grow, ones};
use super::trees::Trees;
use crate::progress::Progress;
use crate::seed::{Seed, mix};

/// What training needs to know beside the data.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub n_trees: usize,
    pub limits: Limits,
    pub bootstrap: bool,
    pub oob: bool,
    pub seed: Seed,
    pub progress: Progress,
}

/// Trees, impurity importances that sum to 1, and the mean outputs of the trees that had not seen a row.
pub(crate) struct Trained {
    pub trees: Trees,
    pub importances: Vec<f64>,
    /// Shape `(n_rows, n_outputs)`, NaN for a row that every tree saw.
    pub oob: Option<Array2<f64>>,
}

/// Positions of the rows in an order of their own content, so that shuffling a table changes nothing.
///
/// Equal rows with equal targets may change places: no tree can tell.
pub(crate) fn canonical_order(
    matrix: ArrayView2<'_, f64>,
    target: impl Fn(usize) -> u64,
) -> Vec<u32> {
    // Adding 0 makes -0 and 0 one value, as they are for every comparison.
    let bits = |row: usize| matrix.row(row).into_iter().map(|x| (x + 0.0).to_bits());
    let hash = |row: usize| bits(row).fold(mix(target(row)), |h, b| mix(h ^ b));
    let mut keyed: Vec<(u64, u32)> = (0..matrix.nrows()).map(|r| (hash(r), r as u32)).collect();
    keyed.sort_by(|a, b| {
        let (i, j) = (a.1 as usize, b.1 as usize);
        // Different rows with one hash are rarer than broken memory, but cost nothing to order.
        a.0.cmp(&b.0).then_with(|| target(i).cmp(&target(j)).then_with(|| bits(i).cmp(bits(j))))
    });
    keyed.into_iter().map(|(_, row)| row).collect()
}

/// Trains on rows in canonical `order`; `classes` are theirs (0 where the target is a number).
pub(crate) fn train<T: Target>(
    settings: &Settings,
    matrix: ArrayView2<'_, f64>,
    order: &[u32],
    classes: &[u16],
    target: &T,
) -> Trained {
    let bins = Bins::of(matrix, order);
    let done = AtomicUsize::new(0);
    let grown: Vec<(Grown, Vec<u64>)> = (0..settings.n_trees)
        .into_par_iter()
        .map(|t| {
            let (samples, unseen) = bag(settings, classes, t as u64);
            let grown =
                grow(&bins, target, settings.limits, samples, node_seed(settings, t as u64));
            settings.progress.report(done.fetch_add(1, Relaxed) + 1, settings.n_trees);
            (grown, unseen)
        })
        .collect();
    let importances =
        mean_importances(grown.iter().map(|(g, _)| &g.importances), bins.n_features());
    let (trees, unseen): (Vec<_>, Vec<_>) = grown.into_iter().map(|(g, u)| (g.tree, u)).unzip();
    let trees = Trees::new(trees, matrix.ncols(), target.n_outputs());
    let oob = (settings.bootstrap && settings.oob)
        .then(|| unseen_outputs(&trees, &unseen, matrix, order));
    Trained { trees, importances, oob }
}

fn node_seed(settings: &Settings, tree: u64) -> Seed {
    settings.seed.child("forest splits", tree)
}

/// The rows a tree sees, with how often it drew them, and a bit for each row it does not see.
fn bag(settings: &Settings, classes: &[u16], tree: u64) -> (Vec<Sample>, Vec<u64>) {
    let n = classes.len();
    let mut weights = vec![u16::from(!settings.bootstrap); n];
    if settings.bootstrap {
        let mut stream = settings.seed.stream("forest rows", tree);
        (0..n).for_each(|_| {
            let weight = &mut weights[stream.below(n)];
            *weight = weight.saturating_add(1);
        });
    }
    let mut samples = Vec::with_capacity(n);
    let mut unseen = vec![0u64; n.div_ceil(64)];
    for (row, (&weight, &class)) in weights.iter().zip(classes).enumerate() {
        if weight > 0 {
            samples.push(Sample { row: row as u32, class, weight });
        } else {
            unseen[row / 64] |= 1 << (row % 64);
        }
    }
    (samples, unseen)
}

/// The mean over the trees of each tree's shares, made to sum to 1.
fn mean_importances<'a>(trees: impl Iterator<Item = &'a Vec<f64>>, d: usize) -> Vec<f64> {
    let mut mean = vec![0.0; d];
    for tree in trees {
        let total: f64 = tree.iter().sum();
        if total > 0.0 {
            mean.iter_mut().zip(tree).for_each(|(m, x)| *m += x / total);
        }
    }
    let total: f64 = mean.iter().sum();
    if total > 0.0 {
        for share in &mut mean {
            *share /= total;
        }
    }
    mean
}

/// Rows whose trees are asked together; a multiple of 64, the bits of a word of `unseen`.
const BLOCK_ROWS: usize = 1024;

/// The mean outputs of the trees that have not seen a row, in the table's order.
fn unseen_outputs(
    trees: &Trees,
    unseen: &[Vec<u64>],
    matrix: ArrayView2<'_, f64>,
    order: &[u32],
) -> Array2<f64> {
    let k = trees.n_outputs();
    let blocks: Vec<Vec<f64>> = order
        .par_chunks(BLOCK_ROWS)
        .enumerate()
        .map(|(b, rows)| {
            let positions: Vec<usize> = rows.iter().map(|&r| r as usize).collect();
            let block = matrix.select(Axis(0), &positions);
            let words = b * BLOCK_ROWS / 64..(b * BLOCK_ROWS + rows.len()).div_ceil(64);
            let mut sums = vec![0.0; rows.len() * k];
            let (mut votes, mut leaves) = (vec![0u32; rows.len()], vec![0; rows.len()]);
            let entered = trees.enter(block.as_slice().unwrap_or_default());
            for (t, (tree, unseen)) in trees.as_slice().iter().zip(unseen).enumerate() {
                trees.find_leaves(t, &entered, &mut leaves);
                for i in ones(&unseen[words.clone()]) {
                    votes[i] += 1;
                    let values = tree.leaf_values(leaves[i] as usize, k);
                    sums[i * k..(i + 1) * k].iter_mut().zip(values).for_each(|(s, v)| *s += v);
                }
            }
            // A row without a vote divides 0 by 0: NaN, as documented.
            sums.chunks_mut(k).zip(votes).for_each(|(sums, n)| {
                for sum in sums {
                    *sum /= f64::from(n);
                }
            });
            sums
        })
        .collect();
    let mut outputs = Array2::zeros((order.len(), k));
    for (values, &row) in blocks.iter().flat_map(|b| b.chunks(k)).zip(order) {
        outputs.row_mut(row as usize).iter_mut().zip(values).for_each(|(o, v)| *o = *v);
    }
    outputs
}
