//! Trees that try every threshold: annotations are small, and a handful of pixels decides where a border runs.
//!
//! The forest of [`classify`](crate::classify) looks at 256 bins of a feature. On a thousand annotated pixels
//! that moves thresholds enough to change half a percent of an image, so here every value is its own bin.

use rayon::prelude::*;

use super::forest::{Forest, Node, below_is_at_most};
use super::train::Growth;
use crate::seed::Seed;

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

/// One tree while it grows.
#[derive(Default)]
struct Tree {
    nodes: Vec<Node>,
    covers: Vec<f64>,
    votes: Vec<f64>,
    importances: Vec<f64>,
}

/// A way to part rows in two.
struct Cut {
    feature: usize,
    threshold: f32,
    /// Gini impurity that it takes away, times rows.
    gain: f64,
}

/// Grows all trees, each on its own bag of rows and with its own random features.
pub(super) fn grow(lesson: &Lesson<'_>, growth: &Growth) -> Grown {
    let trees: Vec<Tree> = (0..growth.n_trees as u64)
        .into_par_iter()
        .map(|t| {
            let seed = Seed::new(growth.seed);
            let (mut bag, n) = (seed.stream("apoc rows", t), lesson.classes.len());
            let mut rows: Vec<u32> = (0..n).map(|_| bag.below(n) as u32).collect();
            let mut tree = Tree { importances: vec![0.0; lesson.n_features], ..Tree::default() };
            tree.node(lesson, &mut rows, growth.max_depth, &mut seed.stream("apoc features", t));
            tree
        })
        .collect();
    let mut forest =
        Forest { n_features: lesson.n_features, n_classes: lesson.n_classes, ..Forest::default() };
    let (mut covers, mut importances) = (Vec::new(), vec![0.0; lesson.n_features]);
    for tree in trees {
        let (start, leaves) = (forest.nodes.len() as u32, forest.n_leaves() as u32);
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
        let total: f64 = tree.importances.iter().sum();
        let shares = tree.importances.iter().map(|x| if total > 0.0 { x / total } else { 0.0 });
        importances.iter_mut().zip(shares).for_each(|(sum, share)| *sum += share);
    }
    let total: f64 = importances.iter().sum();
    if total > 0.0 {
        importances.iter_mut().for_each(|share| *share /= total);
    }
    Grown { forest, covers, importances }
}

impl Tree {
    /// Grows the node of these rows and all below it; returns its position.
    fn node(
        &mut self,
        lesson: &Lesson<'_>,
        rows: &mut [u32],
        levels: usize,
        stream: &mut crate::seed::Stream,
    ) -> u32 {
        let here = self.nodes.len();
        self.nodes.push(Node::leaf(self.votes.len() / lesson.n_classes));
        self.covers.push(rows.len() as f64);
        let counts = counts(lesson, rows);
        let is_pure = counts.iter().filter(|n| **n > 0).count() < 2;
        let cut =
            if levels == 0 || is_pure { None } else { best_cut(lesson, rows, &counts, stream) };
        let Some(cut) = cut else {
            let n = rows.len() as f64;
            self.votes.extend(counts.iter().map(|&count| count as f64 / n));
            return here as u32;
        };
        self.importances[cut.feature] += cut.gain;
        // Rows keep no order: only how many of each go where matters.
        let mut middle = 0;
        for i in 0..rows.len() {
            if lesson.values[rows[i] as usize * lesson.n_features + cut.feature] < cut.threshold {
                rows.swap(middle, i);
                middle += 1;
            }
        }
        let (below, above) = rows.split_at_mut(middle);
        let left = self.node(lesson, below, levels - 1, stream);
        let right = self.node(lesson, above, levels - 1, stream);
        self.nodes[here] =
            Node { threshold: cut.threshold, feature: cut.feature as u32, left, right };
        here as u32
    }
}

fn counts(lesson: &Lesson<'_>, rows: &[u32]) -> Vec<u64> {
    let mut counts = vec![0; lesson.n_classes];
    rows.iter().for_each(|&row| counts[lesson.classes[row as usize] as usize] += 1);
    counts
}

/// Sum of squares over the sum: the larger over both sides, the purer they are.
fn purity(counts: &[u64]) -> f64 {
    let n: u64 = counts.iter().sum();
    counts.iter().map(|&c| (c * c) as f64).sum::<f64>() / n.max(1) as f64
}

/// The best cut over a random subset of the features (the root of their number), going on until one can be
/// cut at all; of equal cuts the first that was tried.
fn best_cut(
    lesson: &Lesson<'_>,
    rows: &[u32],
    counts: &[u64],
    stream: &mut crate::seed::Stream,
) -> Option<Cut> {
    let d = lesson.n_features;
    let mut order: Vec<usize> = (0..d).collect();
    let mut best: Option<Cut> = None;
    let whole = purity(counts);
    let mut tried = 0;
    for i in 0..d {
        if tried >= d.isqrt().max(1) {
            break;
        }
        order.swap(i, i + stream.below(d - i));
        let feature = order[i];
        let value = |row: &u32| lesson.values[*row as usize * d + feature];
        let mut sorted: Vec<(f32, u16)> =
            rows.iter().map(|row| (value(row), lesson.classes[*row as usize])).collect();
        sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let (mut left, mut right) = (vec![0; counts.len()], counts.to_vec());
        let mut can_be_cut = false;
        for pair in sorted.windows(2) {
            let class = usize::from(pair[0].1);
            left[class] += 1;
            right[class] -= 1;
            if pair[0].0 >= pair[1].0 {
                continue;
            }
            can_be_cut = true;
            let gain = purity(&left) + purity(&right) - whole;
            if best.as_ref().is_none_or(|best| gain > best.gain) {
                let halfway = f64::midpoint(f64::from(pair[0].0), f64::from(pair[1].0));
                best = Some(Cut { feature, threshold: below_is_at_most(halfway), gain });
            }
        }
        // A constant feature does not count as tried.
        tried += usize::from(can_be_cut);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apoc::votes::{Voters, winners};

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
