//! The way to each leaf as one condition per feature; and the interactions of features along it.

use ndarray::{Array4, ArrayView2, Axis};
use rayon::prelude::*;

use super::legendre::gauss_legendre;
use crate::classify::Tree;
use crate::classify::tree::Kind;
use crate::classify::trees::Trees;

/// What the way to a leaf asks of one feature: `low < x <= high`.
#[derive(Debug, Clone, Copy)]
struct Condition {
    feature: usize,
    low: f64,
    high: f64,
    /// Share of the cover that followed, over all splits on the feature.
    share: f64,
}

/// Every leaf of a tree with its conditions.
fn paths(tree: &Tree) -> Vec<(usize, Vec<Condition>)> {
    let mut paths = Vec::with_capacity(tree.n_leaves());
    let mut open = vec![(0, Vec::<Condition>::new())];
    while let Some((node, path)) = open.pop() {
        match tree.kind(node) {
            Kind::Leaf(leaf) => paths.push((leaf, path)),
            Kind::Split { feature, threshold, left } => {
                let (share_left, share_right) = tree.shares(node, left);
                let child = |share: f64, low: f64, high: f64| {
                    let mut path = path.clone();
                    let at = path.iter().position(|c| c.feature == feature).unwrap_or_else(|| {
                        let (low, high) = (f64::NEG_INFINITY, f64::INFINITY);
                        path.push(Condition { feature, low, high, share: 1.0 });
                        path.len() - 1
                    });
                    let c = &mut path[at];
                    (c.low, c.high, c.share) = (c.low.max(low), c.high.min(high), c.share * share);
                    path
                };
                open.push((left + 1, child(share_right, threshold, f64::INFINITY)));
                open.push((left, child(share_left, f64::NEG_INFINITY, threshold)));
            }
        }
    }
    paths
}

/// Shapley interaction values without their diagonal, shape `(n_rows, n_features, n_features, n_outputs)`.
///
/// A pair's value is half the integral of the second derivative of the product that
/// [`super::quadrature`] integrates: both features' factors are replaced by their slopes.
pub(crate) fn interactions(trees: &Trees, matrix: ArrayView2<'_, f64>) -> Array4<f64> {
    let (d, k) = (trees.n_features(), trees.n_outputs());
    let paths: Vec<_> = trees.as_slice().iter().map(|t| (t, paths(t))).collect();
    let longest = paths.iter().flat_map(|(_, p)| p).map(|(_, path)| path.len()).max().unwrap_or(0);
    let (nodes, weights) = gauss_legendre((longest / 2).max(1));
    let scale = 0.5 / trees.as_slice().len() as f64;
    let mut values = Array4::zeros((matrix.nrows(), d, d, k));
    values.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(i, mut values)| {
        let row = matrix.row(i);
        for (tree, paths) in &paths {
            for (leaf, path) in paths {
                let slope = |c: &Condition| {
                    let follows = c.low < row[c.feature] && row[c.feature] <= c.high;
                    f64::from(u8::from(follows)) - c.share
                };
                let slopes: Vec<f64> = path.iter().map(slope).collect();
                let mut pairs = vec![0.0; path.len() * path.len()];
                for (t, w) in nodes.iter().zip(&weights) {
                    let factors: Vec<f64> =
                        path.iter().zip(&slopes).map(|(c, s)| c.share + t * s).collect();
                    let product = w * factors.iter().product::<f64>();
                    for a in 0..path.len() {
                        for b in 0..a {
                            pairs[a * path.len() + b] +=
                                product * slopes[a] * slopes[b] / (factors[a] * factors[b]);
                        }
                    }
                }
                let outputs = tree.leaf_values(*leaf, k);
                for a in 0..path.len() {
                    for b in 0..a {
                        let (f, g) = (path[a].feature, path[b].feature);
                        for (o, value) in outputs.iter().enumerate() {
                            let worth = scale * value * pairs[a * path.len() + b];
                            values[[f, g, o]] += worth;
                            values[[g, f, o]] += worth;
                        }
                    }
                }
            }
        }
    });
    values
}
