//! A forest made small for asking it: values become ranks among its thresholds, nodes eight bytes.
//!
//! `x > threshold` says the same as `rank(x) > rank(threshold)` where the rank of a number is how many thresholds
//! of the feature are below it. So a row is ranked once, and its ways through all trees compare small integers.
//!
//! A tree is taken in two parts. Its top, the splits that most rows meet, is asked of all rows, one split after the
//! other, many rows per instruction. Then rows walk on side by side. Those that left the top of a large tree at the
//! same place do so together: what is left of the tree there is small enough to stay in the first-level cache.

mod thresholds;
mod top;

use std::array;
use std::hint::black_box;

use rayon::prelude::*;

use self::thresholds::Thresholds;
use self::top::{LANES, Top, tops};
use super::tree::{Kind, Tree};

/// Rows that walk side by side: about as many as there are steps in the time of one row's step.
const WALKERS: usize = 8;
/// Steps between two looks at whether all have arrived: a look costs more than some steps on the spot.
const STRIDE: usize = 4;
/// No rank exceeds it: the mark of a leaf.
const NEVER: u16 = u16::MAX;
/// Steps in a line of the cache.
const STEPS_PER_LINE: usize = 64 / size_of::<Step>();
/// Trees of fewer nodes stay in the first-level cache whole.
const LARGE_TREE: usize = 2048;

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
    top: Top,
    /// Per place of the top: where in `steps` a row that leaves there walks on.
    starts: Box<[u32; 256]>,
    steps: Vec<Step>,
    /// Number of the leaf, from left to right, that a step is; 0 for a split.
    leaves: Vec<u32>,
    /// Steps of the longest way.
    longest: usize,
}

/// The ways through all trees of a forest.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Walk {
    /// Per feature, those of all trees.
    thresholds: Vec<Thresholds>,
    /// Per feature and rank among `thresholds`: the rank among those of the tops.
    top_ranks: Vec<Vec<u8>>,
    trees: Vec<Ways>,
    /// If all leaves of all trees give 1 to one output and 0 to all others: that output, tree by tree and step by step.
    votes: Option<Vec<Vec<u16>>>,
}

/// Rows as the ranks of their values.
pub(crate) struct Ranks {
    n_rows: usize,
    n_features: usize,
    /// Shape `(n_rows, n_features)`, filled up with rows of zeros to whole `LANES`.
    rows: Vec<u16>,
    /// Ranks among the thresholds of the tops, column by column, each filled up with zeros to whole `LANES`.
    columns: Vec<u8>,
}

impl Walk {
    /// The ways of trees over `n_features`; `None` where thresholds or features are too many to be numbered.
    pub fn of(trees: &[Tree], n_features: usize, n_outputs: usize) -> Option<Self> {
        let thresholds = thresholds(trees, n_features);
        let most = thresholds.iter().map(Vec::len).max().unwrap_or(0);
        if n_features > usize::from(u16::MAX) || most >= usize::from(NEVER) {
            return None;
        }
        let (tops, top_thresholds) = tops(trees, n_features);
        let top_ranks = thresholds.iter().zip(&top_thresholds).map(|(all, tops)| {
            let below = |&t: &f64| tops.partition_point(|&top| top <= t) as u8;
            std::iter::once(0).chain(all.iter().map(below)).collect()
        });
        let top_ranks: Vec<Vec<u8>> = top_ranks.collect();
        let thresholds: Vec<Thresholds> = thresholds.into_iter().map(Thresholds::new).collect();
        let ways = |(tree, top): (_, &Vec<bool>)| Ways::of(tree, top, &thresholds, &top_ranks);
        let ways: Vec<Ways> = trees.par_iter().zip(&tops).map(ways).collect();
        let votes =
            trees.iter().zip(&ways).map(|(tree, ways)| ways.votes(tree, n_outputs)).collect();
        Some(Self { thresholds, top_ranks, trees: ways, votes })
    }

    /// The ranks of rows that stand one after the other, feature by feature for some rows at a time, so that its
    /// thresholds stay in the cache.
    pub fn ranks(&self, values: &[f64]) -> Ranks {
        let d = self.thresholds.len();
        let n_rows = values.len() / d;
        let length = n_rows.next_multiple_of(LANES);
        let mut rows = vec![0; length * d];
        let mut columns = vec![0; length * d];
        for start in (0..n_rows).step_by(LANES) {
            let end = n_rows.min(start + LANES);
            for (feature, thresholds) in self.thresholds.iter().enumerate() {
                for first in (start..end).step_by(WALKERS) {
                    // Where rows are missing the last one is ranked again.
                    let group: [usize; WALKERS] = array::from_fn(|w| (first + w).min(end - 1));
                    let ranks = thresholds.ranks(group.map(|row| values[row * d + feature]));
                    for (row, rank) in group.into_iter().zip(ranks) {
                        rows[row * d + feature] = rank as u16;
                        columns[feature * length + row] = self.top_ranks[feature][rank];
                    }
                }
            }
        }
        Ranks { n_rows, n_features: d, rows, columns }
    }

    /// Whether a tree is too large for the first-level cache: then many rows should come at once.
    pub fn has_large_trees(&self) -> bool {
        self.trees.iter().any(|ways| ways.steps.len() >= LARGE_TREE)
    }

    /// Writes the number of the leaf of a tree that each row falls into.
    pub fn find_leaves(&self, tree: usize, ranks: &Ranks, leaves: &mut [u32]) {
        self.trees[tree].find(ranks, &self.trees[tree].leaves, leaves);
    }

    /// How often the trees vote for each of `n_outputs`, row by row; `None` if not all leaves are votes.
    pub fn count_votes(&self, ranks: &Ranks, n_outputs: usize) -> Option<Vec<u32>> {
        let mut counts = vec![0; ranks.n_rows * n_outputs];
        let mut found = vec![0; ranks.n_rows];
        for (ways, votes) in self.trees.iter().zip(self.votes.as_ref()?) {
            ways.find(ranks, votes, &mut found);
            for (counts, &vote) in counts.chunks_exact_mut(n_outputs).zip(&found) {
                counts[usize::from(vote)] += 1;
            }
        }
        Some(counts)
    }
}

impl Ways {
    fn of(tree: &Tree, inside: &[bool], thresholds: &[Thresholds], top_ranks: &[Vec<u8>]) -> Self {
        let rank = |feature: usize, threshold| thresholds[feature].ranks([threshold])[0];
        let top_rank = |feature: usize, threshold| top_ranks[feature][rank(feature, threshold)];
        let (top, exits) = Top::of(tree, inside, top_rank);
        let (steps, leaves) = (Vec::new(), Vec::new());
        let mut ways = Self { top, starts: Box::new([0; 256]), steps, leaves, longest: 0 };
        for (place, node) in exits {
            ways.starts[usize::from(place)] = ways.steps.len() as u32;
            let depth = ways.append(tree, node, &rank);
            ways.longest = ways.longest.max(depth);
        }
        ways
    }

    /// Appends what is below a node, level by level; returns the number of levels below it.
    fn append(&mut self, tree: &Tree, root: usize, rank: &impl Fn(usize, f64) -> usize) -> usize {
        let first = self.steps.len();
        let mut nodes = vec![root];
        let (mut next, mut depth, mut end_of_level) = (0, 0, 1);
        while next < nodes.len() {
            if next == end_of_level {
                (depth, end_of_level) = (depth + 1, nodes.len());
            }
            let (step, leaf) = match tree.kind(nodes[next]) {
                Kind::Leaf(leaf) => {
                    (Step { rank: NEVER, feature: 0, child: (first + next) as u32 }, leaf)
                }
                Kind::Split { feature, threshold, left } => {
                    let child = (first + nodes.len()) as u32;
                    nodes.extend([left, left + 1]);
                    let rank = rank(feature, threshold) as u16;
                    (Step { rank, feature: feature as u16, child }, 0)
                }
            };
            self.steps.push(step);
            self.leaves.push(leaf as u32);
            next += 1;
        }
        depth
    }

    /// The one output that each leaf votes for, step by step, if every leaf does so.
    fn votes(&self, tree: &Tree, n_outputs: usize) -> Option<Vec<u16>> {
        let vote = |(step, &leaf): (&Step, &u32)| {
            if step.rank != NEVER {
                return Some(0);
            }
            let values = tree.leaf_values(leaf as usize, n_outputs);
            let output = values.iter().position(|&v| v == 1.0)?;
            let others_are_zero = values.iter().filter(|&&v| v != 0.0).count() == 1;
            u16::try_from(output).ok().filter(|_| others_are_zero)
        };
        self.steps.iter().zip(&self.leaves).map(vote).collect()
    }

    /// Writes what `of_step` says of the leaf that each row falls into.
    fn find<T: Copy>(&self, ranks: &Ranks, of_step: &[T], found: &mut [T]) {
        let d = ranks.n_features;
        let places = self.top.places(&ranks.columns, ranks.rows.len() / d);
        let start = |row: u32| self.starts[usize::from(places[row as usize])];
        let on_their_way = if self.steps.len() < LARGE_TREE {
            self.below_the_top(&places, of_step, found)
        } else {
            // Read in order, the tree comes into the cache several times as fast as step by step.
            black_box(self.steps.iter().step_by(STEPS_PER_LINE).fold(0, |all, s| all ^ s.rank));
            sorted(&places[..ranks.n_rows])
        };
        for group in on_their_way.chunks(WALKERS) {
            // A group that is not full is filled up with its last row.
            let group: [u32; WALKERS] = array::from_fn(|w| group[w.min(group.len() - 1)]);
            let rows = group.map(|row| &ranks.rows[row as usize * d..][..d]);
            let ends = self.walk(rows, group.map(start));
            let ends = group.into_iter().zip(ends);
            ends.for_each(|(row, at)| found[row as usize] = of_step[at as usize]);
        }
    }

    /// The rows that did not leave the top for a leaf: few, where trees are small. For the others the leaf is written.
    fn below_the_top<T: Copy>(&self, places: &[u8], of_step: &[T], found: &mut [T]) -> Vec<u32> {
        let mut rows = vec![0; found.len()];
        let mut n_rows = 0;
        for ((row, found), &place) in (0..).zip(found).zip(places) {
            let at = self.starts[usize::from(place)] as usize;
            *found = of_step[at];
            // Written in any case: no branch to guess.
            rows[n_rows] = row;
            n_rows += usize::from(self.steps[at].rank != NEVER);
        }
        rows.truncate(n_rows);
        rows
    }

    /// Takes rows from where they are to their leaves.
    #[inline(always)]
    fn walk(&self, rows: [&[u16]; WALKERS], mut at: [u32; WALKERS]) -> [u32; WALKERS] {
        let steps = &self.steps[..];
        let mut left = self.longest;
        loop {
            let stride = left.min(STRIDE);
            for _ in 0..stride {
                for (at, row) in at.iter_mut().zip(&rows) {
                    let Step { rank, feature, child } = steps[*at as usize];
                    *at = child + u32::from(row[usize::from(feature)] > rank);
                }
            }
            left -= stride;
            if left == 0 || at.iter().all(|&at| steps[at as usize].rank == NEVER) {
                return at;
            }
        }
    }
}

/// The rows in order of their places, those of one place in their own order.
fn sorted(places: &[u8]) -> Vec<u32> {
    let mut counts = [0u32; 256];
    places.iter().for_each(|&place| counts[usize::from(place)] += 1);
    let mut end = 0;
    let mut starts = counts.map(|count| {
        end += count;
        end - count
    });
    let mut order = vec![0; places.len()];
    for (row, &place) in places.iter().enumerate() {
        let start = &mut starts[usize::from(place)];
        order[*start as usize] = row as u32;
        *start += 1;
    }
    order
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
        // Few thresholds, so that all tops are large, and more than a byte can number.
        for (d, n_thresholds) in [(3, 200), (3, 1 << 40), (1, 1 << 40)] {
            let sizes = (0..40).map(|i| 3 * i).chain([255, 256, 700, 3000]);
            let trees: Vec<Tree> =
                sizes.map(|size| tree(&mut stream, size, d, n_thresholds)).collect();
            let walk = Walk::of(&trees, d, 1).unwrap();
            let sizes: Vec<usize> = walk.trees.iter().map(|ways| ways.top.n_splits()).collect();
            assert!(sizes[..40].iter().zip(0..).all(|(&size, i)| size <= 3 * i / 2 + 1));
            assert_eq!(sizes[42] == top::TOP_SPLITS, n_thresholds == 200);
            // On thresholds, beside them by the last bit, and far away; numbers of rows that fill no group.
            let mut value = || {
                let near = stream.below(n_thresholds + 2) as f64 - 4.0;
                [near, near.next_up(), near.next_down(), -0.0, 1e300, -1e300][stream.below(6)]
            };
            for n_rows in [0, 1, 37, 777] {
                let rows: Vec<f64> = (0..n_rows * d).map(|_| value()).collect();
                let ranks = walk.ranks(&rows);
                let rows: Vec<&[f64]> = rows.chunks_exact(d).collect();
                for (i, tree) in trees.iter().enumerate() {
                    let (mut found, mut expected) = (vec![0; n_rows], vec![0; n_rows]);
                    walk.find_leaves(i, &ranks, &mut found);
                    tree.find_leaves(&rows, &mut expected);
                    assert_eq!(found, expected, "tree {i}");
                }
            }
        }
    }

    #[test]
    fn votes_are_counted_as_outputs_are_added() {
        let mut stream = Seed::new(5).stream("trees", 0);
        let mut trees: Vec<Tree> = (0..9).map(|i| tree(&mut stream, 300 * i, 2, 50)).collect();
        for tree in &mut trees {
            let votes: Vec<usize> = (0..tree.n_leaves()).map(|_| stream.below(3)).collect();
            let one_hot = |vote| (0..3).map(move |output| f64::from(u8::from(output == vote)));
            tree.values = votes.into_iter().flat_map(one_hot).collect();
        }
        let values: Vec<f64> = (0..333 * 2).map(|_| stream.below(60) as f64 - 5.0).collect();
        let rows: Vec<&[f64]> = values.chunks_exact(2).collect();
        let (mut sums, mut leaves) = (vec![0.0; 333 * 3], vec![0; 333]);
        for tree in &trees {
            tree.find_leaves(&rows, &mut leaves);
            for (sums, &leaf) in sums.chunks_exact_mut(3).zip(&leaves) {
                sums.iter_mut().zip(tree.leaf_values(leaf as usize, 3)).for_each(|(s, v)| *s += v);
            }
        }
        let counted = |trees: &[Tree]| {
            let walk = Walk::of(trees, 2, 3).unwrap();
            walk.count_votes(&walk.ranks(&values), 3)
        };
        let counts = counted(&trees).unwrap();
        assert_eq!(counts.into_iter().map(f64::from).collect::<Vec<_>>(), sums);
        trees[4].values[0] = 0.5;
        assert!(counted(&trees).is_none());
    }

    #[test]
    fn too_many_thresholds_are_not_ranked() {
        let mut stream = Seed::new(1).stream("trees", 0);
        let trees: Vec<Tree> = (0..4).map(|_| tree(&mut stream, 40_000, 1, 1 << 40)).collect();
        assert!(Walk::of(&trees[..1], 1, 1).is_some());
        assert!(Walk::of(&trees, 1, 1).is_none());
    }
}
