//! A forest made small for asking it: values become ranks among its thresholds, nodes eight bytes.
//!
//! `x > threshold` says the same as `rank(x) > rank(threshold)` where the rank of a number is how many thresholds
//! of the feature are below it. So a row is ranked once, and its ways through all trees compare small integers.

use rayon::prelude::*;

use super::tree::{Kind, Tree};

/// Rows that walk side by side: about as many as there are steps in the time of one row's step.
const WALKERS: usize = 16;
/// Steps between two looks at whether all have arrived: a look costs more than some steps on the spot.
const STRIDE: usize = 4;
/// No rank exceeds it: the mark of a leaf.
const NEVER: u16 = u16::MAX;

/// One step: to `child`, or to the node after it when the row's rank exceeds that of the threshold.
///
/// A leaf has itself as child: a row that has arrived stays, so that rows on ways of different length can walk side
/// by side without a branch.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Step {
    rank: u16,
    feature: u16,
    child: u32,
}

/// The ways through one tree.
#[derive(Debug, Clone, PartialEq)]
struct Ways {
    steps: Vec<Step>,
    /// Number of the leaf, from left to right, that a node is; 0 for a split.
    leaves: Vec<u32>,
}

/// The ways through all trees of a forest.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Walk {
    /// Per feature: the thresholds of all trees, ascending, each once.
    thresholds: Vec<Vec<f64>>,
    trees: Vec<Ways>,
}

impl Walk {
    /// The ways of trees over `n_features`; `None` where thresholds or features are too many to be numbered.
    pub fn of(trees: &[Tree], n_features: usize) -> Option<Self> {
        let thresholds = thresholds(trees, n_features);
        if n_features > usize::from(u16::MAX)
            || thresholds.iter().any(|t| t.len() >= usize::from(NEVER))
        {
            return None;
        }
        let ways = |tree: &Tree| {
            let way = |(i, kind)| match kind {
                Kind::Leaf(leaf) => {
                    (Step { rank: NEVER, feature: 0, child: i as u32 }, leaf as u32)
                }
                Kind::Split { feature, threshold, left } => {
                    let rank = rank(&thresholds[feature], threshold);
                    (Step { rank, feature: feature as u16, child: left as u32 }, 0)
                }
            };
            let (steps, leaves) = tree.kinds().enumerate().map(way).unzip();
            Ways { steps, leaves }
        };
        let trees = trees.par_iter().map(ways).collect();
        Some(Self { thresholds, trees })
    }

    /// The ranks of rows that stand one after the other, with rows of zeros up to a full set of walkers.
    pub fn ranks(&self, rows: &[f64]) -> Vec<u16> {
        let d = self.thresholds.len();
        let mut ranks = vec![0; (rows.len() / d).next_multiple_of(WALKERS) * d];
        for (feature, thresholds) in self.thresholds.iter().enumerate() {
            let values = rows.iter().skip(feature).step_by(d);
            let ranks = ranks.iter_mut().skip(feature).step_by(d);
            values.zip(ranks).for_each(|(&x, slot)| *slot = rank(thresholds, x));
        }
        ranks
    }

    /// Writes the number of the leaf of a tree that each row of `ranks` falls into.
    pub fn find_leaves(&self, tree: usize, ranks: &[u16], leaves: &mut [u32]) {
        let (ways, d) = (&self.trees[tree], self.thresholds.len());
        let steps = &ways.steps[..];
        for (ranks, leaves) in ranks.chunks_exact(WALKERS * d).zip(leaves.chunks_mut(WALKERS)) {
            let rows: [&[u16]; WALKERS] = std::array::from_fn(|w| &ranks[w * d..(w + 1) * d]);
            let mut at = [0; WALKERS];
            loop {
                for _ in 0..STRIDE {
                    for (at, row) in at.iter_mut().zip(&rows) {
                        let Step { rank, feature, child } = steps[*at as usize];
                        *at = child + u32::from(row[usize::from(feature)] > rank);
                    }
                }
                if at.iter().all(|&at| steps[at as usize].rank == NEVER) {
                    break;
                }
            }
            leaves.iter_mut().zip(at).for_each(|(leaf, at)| *leaf = ways.leaves[at as usize]);
        }
    }
}

/// How many of the ascending thresholds are below a value.
fn rank(thresholds: &[f64], x: f64) -> u16 {
    thresholds.partition_point(|&t| t < x) as u16
}

/// The thresholds of each feature over all trees, ascending, each once.
pub(crate) fn thresholds(trees: &[Tree], n_features: usize) -> Vec<Vec<f64>> {
    let mut thresholds = vec![Vec::new(); n_features];
    for kind in trees.iter().flat_map(Tree::kinds) {
        if let Kind::Split { feature, threshold, .. } = kind {
            // Adding 0 makes -0 and 0 one threshold.
            thresholds[feature].push(threshold + 0.0);
        }
    }
    thresholds.par_iter_mut().for_each(|of_feature| {
        of_feature.sort_unstable_by(f64::total_cmp);
        of_feature.dedup();
    });
    thresholds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::{Seed, Stream};

    /// A tree of splits at whole numbers, grown at random.
    fn tree(stream: &mut Stream, n_splits: usize, n_features: usize, n_thresholds: usize) -> Tree {
        let mut tree = Tree::sprout();
        let mut open = vec![0];
        for _ in 0..n_splits {
            let node = open.swap_remove(stream.below(open.len()));
            let threshold = stream.below(n_thresholds) as f64 - 3.0;
            let left = tree.split(node, stream.below(n_features), threshold);
            open.extend([left, left + 1]);
        }
        for node in open {
            tree.end(node, 1);
            tree.values.push(0.0);
        }
        tree
    }

    #[test]
    fn ranks_decide_as_values_do() {
        let mut stream = Seed::new(4).stream("trees", 0);
        let trees: Vec<Tree> = (0..40).map(|i| tree(&mut stream, 3 * i, 3, 7)).collect();
        let walk = Walk::of(&trees, 3).unwrap();
        // On thresholds, beside them by the last bit, and far away; 37 rows leave some walkers without one.
        let mut value = || {
            let near = stream.below(9) as f64 - 4.0;
            [near, near.next_up(), near.next_down(), -0.0, 1e300, -1e300][stream.below(6)]
        };
        let rows: Vec<f64> = (0..37 * 3).map(|_| value()).collect();
        let ranks = walk.ranks(&rows);
        let rows: Vec<&[f64]> = rows.chunks_exact(3).collect();
        for (i, tree) in trees.iter().enumerate() {
            let (mut found, mut expected) = (vec![0; 37], vec![0; 37]);
            walk.find_leaves(i, &ranks, &mut found);
            tree.find_leaves(&rows, &mut expected);
            assert_eq!(found, expected, "tree {i}");
        }
    }

    #[test]
    fn too_many_thresholds_are_not_ranked() {
        let mut stream = Seed::new(1).stream("trees", 0);
        let trees: Vec<Tree> = (0..4).map(|_| tree(&mut stream, 40_000, 1, 1 << 40)).collect();
        assert!(Walk::of(&trees[..1], 1).is_some());
        assert!(Walk::of(&trees, 1).is_none());
    }
}
