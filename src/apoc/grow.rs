//! Trees that try every threshold, as scikit-learn grows them for APOC: the same rows, seed and parameters give the
//! same trees, question for question.
//!
//! The forest of [`classify`](crate::classify) looks at 256 bins of a feature and draws its random numbers for other
//! ends. Annotations are small, and a handful of pixels and draws decides where a border runs: among scikit-learn's
//! own seeds the intersection over union with the lecture's segmentation goes from 0.974 to 1. So nothing is
//! left to differ here, not even the order of the draws.

use rayon::prelude::*;

use super::draws::{FeatureDraws, RandomState};
use super::forest::{Forest, Node};
use super::train::Growth;

/// What came of a training.
pub(super) struct Grown {
    pub forest: Forest,
    /// Rows of the bootstrap that reached each node.
    pub covers: Vec<f64>,
    /// Impurity that each feature took away, as shares that sum to 1.
    pub importances: Vec<f64>,
}

/// Rows to learn from: values row after row, and the class of each, from 0.
pub(super) struct Lesson<'a> {
    pub values: &'a [f32],
    pub classes: &'a [u16],
    pub n_features: usize,
    pub n_classes: usize,
}

/// Values no further apart than this are the same (`FEATURE_THRESHOLD`).
const SAME: f32 = 1e-7;
/// Seeds of trees and of their features are drawn below this.
const SEEDS: u32 = i32::MAX as u32;

/// One tree while it grows.
struct Tree<'a> {
    lesson: &'a Lesson<'a>,
    nodes: Vec<Node>,
    covers: Vec<f64>,
    votes: Vec<f64>,
    importances: Vec<f64>,
    draws: FeatureDraws,
    /// The features in the order that the draws so far have left them in.
    order: Vec<usize>,
    /// Those at the head of the order that are constant in the node at hand, and were found so above it.
    constant: Vec<usize>,
}

/// A way to part rows in two.
struct Cut {
    feature: usize,
    threshold: f64,
    /// The less impure both sides are, the larger.
    purity: f64,
}

/// Grows all trees, each on its own bag of rows and with its own random features.
pub(super) fn grow(lesson: &Lesson<'_>, growth: &Growth) -> Grown {
    // scikit-learn takes 32 bits; of larger seeds both halves count.
    let mut seeds = RandomState::new((growth.seed ^ (growth.seed >> 32)) as u32);
    let seeds: Vec<u32> = (0..growth.n_trees).map(|_| seeds.below(SEEDS)).collect();
    let trees: Vec<Tree<'_>> =
        seeds.into_par_iter().map(|seed| Tree::grow(lesson, seed, growth)).collect();
    let mut forest =
        Forest { n_features: lesson.n_features, n_classes: lesson.n_classes, ..Forest::default() };
    let (mut covers, mut importances) = (Vec::new(), vec![0.0; lesson.n_features]);
    for tree in trees {
        let (start, leaves) = (forest.nodes.len() as u32, forest.n_leaves() as u32);
        let n_rows = tree.covers[0];
        forest.roots.push(start);
        forest.nodes.extend(tree.nodes.into_iter().map(|node| {
            if node.is_leaf() {
                Node { right: node.right + leaves, ..node }
            } else {
                Node { left: node.left + start, right: node.right + start, ..node }
            }
        }));
        forest.votes.extend(tree.votes);
        covers.extend(tree.covers);
        let taken: Vec<f64> = tree.importances.iter().map(|x| x / n_rows).collect();
        let total: f64 = taken.iter().sum();
        let shares = taken.iter().map(|x| if total > 0.0 { x / total } else { 0.0 });
        importances.iter_mut().zip(shares).for_each(|(sum, share)| *sum += share);
    }
    let total: f64 = importances.iter().sum();
    if total > 0.0 {
        importances.iter_mut().for_each(|share| *share /= total);
    }
    Grown { forest, covers, importances }
}

impl<'a> Tree<'a> {
    fn grow(lesson: &'a Lesson<'a>, seed: u32, growth: &Growth) -> Self {
        let n_rows = lesson.classes.len() as u32;
        let mut bag = RandomState::new(seed);
        let mut rows: Vec<u32> = (0..n_rows).map(|_| bag.below(n_rows)).collect();
        let mut tree = Self {
            lesson,
            nodes: Vec::new(),
            covers: Vec::new(),
            votes: Vec::new(),
            importances: vec![0.0; lesson.n_features],
            draws: FeatureDraws::new(RandomState::new(seed).below(SEEDS)),
            order: (0..lesson.n_features).collect(),
            constant: vec![0; lesson.n_features],
        };
        tree.node(&mut rows, growth.max_depth, 0);
        tree
    }

    /// Grows the node of these rows and all below it; returns its position. `n_constant` features are known to be
    /// constant in it.
    fn node(&mut self, rows: &mut [u32], levels: usize, n_constant: usize) -> u32 {
        let here = self.nodes.len();
        self.nodes.push(Node::leaf(self.votes.len() / self.lesson.n_classes));
        self.covers.push(rows.len() as f64);
        let counts = self.counts(rows);
        let is_pure = counts.iter().filter(|n| **n > 0).count() < 2;
        let (cut, n_constant) = if levels == 0 || is_pure {
            (None, n_constant)
        } else {
            self.best_cut(rows, &counts, n_constant)
        };
        let Some(cut) = cut else {
            let n = rows.len() as f64;
            self.votes.extend(counts.iter().map(|&count| count as f64 / n));
            return here as u32;
        };
        // Rows keep no order: only how many of each go where matters.
        let mut middle = 0;
        for i in 0..rows.len() {
            if f64::from(self.value(rows[i], cut.feature)) <= cut.threshold {
                rows.swap(middle, i);
                middle += 1;
            }
        }
        let (below, above) = rows.split_at_mut(middle);
        self.importances[cut.feature] +=
            impurity(&counts) - impurity(&self.counts(below)) - impurity(&self.counts(above));
        let left = self.node(below, levels - 1, n_constant);
        let right = self.node(above, levels - 1, n_constant);
        // As APOC writes it.
        let threshold = cut.threshold as f32;
        self.nodes[here] = Node { threshold, feature: cut.feature as u32, left, right };
        here as u32
    }

    fn value(&self, row: u32, feature: usize) -> f32 {
        self.lesson.values[row as usize * self.lesson.n_features + feature]
    }

    fn counts(&self, rows: &[u32]) -> Vec<u64> {
        let mut counts = vec![0; self.lesson.n_classes];
        rows.iter().for_each(|&row| counts[self.lesson.classes[row as usize] as usize] += 1);
        counts
    }

    /// The best cut over a random subset of the features (the root of their number), going on until one can be
    /// cut at all; of equal cuts the first that was tried. Also how many features are constant here.
    ///
    /// Drawing without replacement by Fisher and Yates: `order` holds features drawn before that are constant, those
    /// known to be constant, those found so now, those not drawn yet, and those that were tried.
    fn best_cut(&mut self, rows: &[u32], counts: &[u64], n_known: usize) -> (Option<Cut>, usize) {
        let n_wanted = self.order.len().isqrt().max(1);
        let (mut end, mut n_drawn, mut n_found, mut n_visited) = (self.order.len(), 0, 0, 0);
        let mut best: Option<Cut> = None;
        while end > n_known + n_found && (n_visited < n_wanted || n_visited <= n_found + n_drawn) {
            n_visited += 1;
            let at = self.draws.between(n_drawn, end - n_found);
            if at < n_known {
                self.order.swap(n_drawn, at);
                n_drawn += 1;
                continue;
            }
            let at = at + n_found;
            let feature = self.order[at];
            let mut sorted: Vec<(f32, u16)> = rows
                .iter()
                .map(|&row| (self.value(row, feature), self.lesson.classes[row as usize]))
                .collect();
            sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            if sorted[sorted.len() - 1].0 <= sorted[0].0 + SAME {
                self.order.swap(at, n_known + n_found);
                n_found += 1;
                continue;
            }
            end -= 1;
            self.order.swap(end, at);
            try_cuts(feature, &sorted, counts, &mut best);
        }
        // Siblings and children find the constant features in the order in which they were found.
        self.order[..n_known].copy_from_slice(&self.constant[..n_known]);
        let n_constant = n_known + n_found;
        self.constant[n_known..n_constant].copy_from_slice(&self.order[n_known..n_constant]);
        (best, n_constant)
    }
}

/// Tries every threshold between values that differ, lowest first.
fn try_cuts(feature: usize, sorted: &[(f32, u16)], counts: &[u64], best: &mut Option<Cut>) {
    let (mut left, mut right) = (vec![0; counts.len()], counts.to_vec());
    for pair in sorted.windows(2) {
        let (class, low, high) = (usize::from(pair[0].1), pair[0].0, pair[1].0);
        left[class] += 1;
        right[class] -= 1;
        if high <= low + SAME {
            continue;
        }
        let purity = -impurity(&right) - impurity(&left);
        if best.as_ref().is_none_or(|best| purity > best.purity) {
            let halfway = f64::from(low) / 2.0 + f64::from(high) / 2.0;
            let threshold = if halfway == f64::from(high) { f64::from(low) } else { halfway };
            *best = Some(Cut { feature, threshold, purity });
        }
    }
}

/// Gini impurity times rows.
fn impurity(counts: &[u64]) -> f64 {
    let n = counts.iter().sum::<u64>() as f64;
    let squares: f64 = counts.iter().map(|&c| (c * c) as f64).sum();
    n * (1.0 - squares / (n * n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apoc::votes::{Voters, winners};
    use crate::seed::Seed;

    #[test]
    fn full_trees_know_their_rows_on_any_number_of_threads() {
        let mut stream = Seed::new(2).stream("rows", 0);
        let values: Vec<f32> = (0..600).map(|_| stream.uniform() as f32).collect();
        let classes: Vec<u16> =
            values.chunks(3).map(|row| (3.0 * (row[0] + row[1]) / 2.0) as u16).collect();
        let lesson = Lesson { values: &values, classes: &classes, n_features: 3, n_classes: 3 };
        let growth = Growth { max_depth: 30, n_trees: 60, ..Growth::default() };
        let grown = grow(&lesson, &growth);
        for threads in [1, 2, 7] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let again = pool.install(|| grow(&lesson, &growth));
            assert_eq!(again.forest, grown.forest);
            assert_eq!(again.importances, grown.importances);
        }
        let columns: Vec<Vec<f32>> =
            (0..3).map(|f| values.iter().skip(f).step_by(3).copied().collect()).collect();
        let columns: Vec<&[f32]> = columns.iter().map(Vec::as_slice).collect();
        let mut sums = vec![0.0; 600];
        Voters::of(&grown.forest).sum(&columns, &mut sums);
        let found = winners(&sums, 3);
        let right = found.iter().zip(&classes).filter(|(f, c)| **f == u32::from(**c) + 1).count();
        assert!(right > 195, "{right}");
        assert!(grown.importances[2] < grown.importances[0] / 2.0, "{:?}", grown.importances);
    }
}
