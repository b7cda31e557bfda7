//! SHAP values against a background: features that are left out take the values of other rows.
//!
//! For one row and one background row every leaf asks some features to be the row's own and some
//! to be the background's; its Shapley values follow from the two counts alone (Lundberg et al. 2020,
//! Algorithm 3). The result is the mean over the background.

use ndarray::{Array3, ArrayView2, Axis};
use rayon::prelude::*;

use crate::classify::Tree;
use crate::classify::tree::Kind;
use crate::classify::trees::Trees;

/// Whose value a feature must have to reach a node.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Row,
    Background,
}

/// Adds the values of every row, shape `(n_rows, n_features, n_outputs)`.
pub(crate) fn add_values(
    trees: &Trees,
    matrix: ArrayView2<'_, f64>,
    background: ArrayView2<'_, f64>,
    values: &mut Array3<f64>,
) {
    let weights = Weights::up_to(trees.n_features().min(trees.depth()));
    let scale = 1.0 / (trees.as_slice().len() * background.nrows()) as f64;
    values.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(i, mut values)| {
        let row = matrix.row(i);
        for other in background.rows() {
            for tree in trees.as_slice() {
                for_each_leaf(tree, &|f| row[f], &|f| other[f], |leaf, path| {
                    let own = path.iter().filter(|(_, side)| *side == Side::Row).count();
                    let foreign = path.len() - own;
                    for &(feature, side) in path {
                        let weight = match side {
                            Side::Row => weights.of(own - 1, foreign),
                            Side::Background => -weights.of(own, foreign - 1),
                        };
                        let outputs = tree.leaf_values(leaf, trees.n_outputs());
                        for (o, output) in outputs.iter().enumerate() {
                            values[[feature, o]] += scale * weight * output;
                        }
                    }
                });
            }
        }
    });
}

/// Calls `found` with every leaf that some mixture of the two rows reaches, and what it asks for.
fn for_each_leaf(
    tree: &Tree,
    row: &dyn Fn(usize) -> f64,
    other: &dyn Fn(usize) -> f64,
    mut found: impl FnMut(usize, &[(usize, Side)]),
) {
    let mut path: Vec<(usize, Side)> = Vec::new();
    let mut open = vec![(0, 0, None)];
    while let Some((node, length, asked)) = open.pop() {
        path.truncate(length);
        path.extend(asked);
        match tree.kind(node) {
            Kind::Leaf(leaf) => found(leaf, &path),
            Kind::Split { feature, threshold, left } => {
                let child = |x: f64| left + usize::from(x > threshold);
                let (own, foreign) = (child(row(feature)), child(other(feature)));
                let known = path.iter().find(|(f, _)| *f == feature).map(|(_, side)| *side);
                let n = path.len();
                match known {
                    _ if own == foreign => open.push((own, n, None)),
                    Some(Side::Row) => open.push((own, n, None)),
                    Some(Side::Background) => open.push((foreign, n, None)),
                    None => open.extend([
                        (foreign, n, Some((feature, Side::Background))),
                        (own, n, Some((feature, Side::Row))),
                    ]),
                }
            }
        }
    }
}

/// `a! b! / (a + b + 1)!`, the share of orders in which `a` given features come before and `b` after.
struct Weights {
    table: Vec<f64>,
    n: usize,
}

impl Weights {
    fn up_to(most: usize) -> Self {
        let n = most + 1;
        let mut table = vec![0.0; n * n];
        for a in 0..n {
            // 1 / ((a + b + 1) * binomial(a + b, a)), from b = 0 on.
            let mut weight = 1.0 / (a as f64 + 1.0);
            for b in 0..n {
                table[a * n + b] = weight;
                weight *= (b as f64 + 1.0) / ((a + b + 2) as f64);
            }
        }
        Self { table, n }
    }

    fn of(&self, a: usize, b: usize) -> f64 {
        self.table[a * self.n + b]
    }
}
