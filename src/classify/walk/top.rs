//! The tops of trees: the splits that most rows meet, asked of many rows with one instruction.

use std::collections::BinaryHeap;

use crate::classify::tree::{Kind, Tree};

/// Splits of a top: as many as can be numbered in a byte together with the places where rows leave them.
pub(super) const TOP_SPLITS: usize = 127;
/// Thresholds of one feature in all tops, so that ranks among them are bytes.
const TOP_THRESHOLDS: usize = 255;
/// At most one of so many splits of a tree belongs to its top: those further down are met by too few rows.
const TOP_SHARE: usize = 2;
/// Rows that a split is asked of at once; columns of ranks are filled up to a multiple of it.
pub(super) const LANES: usize = 128;

/// The top of a tree, parents first.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Top {
    splits: Vec<Split>,
}

/// A row at `place` goes to the next place, and `skip` further when its rank exceeds that of the threshold.
///
/// Places are numbered parents first, left before right, splits and exits together; ranks are those among the
/// thresholds of all tops.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Split {
    feature: u16,
    rank: u8,
    place: u8,
    skip: u8,
}

impl Top {
    /// The top of the marked nodes, and the places where rows leave it with the nodes that they leave it for.
    pub fn of(
        tree: &Tree,
        inside: &[bool],
        rank: impl Fn(usize, f64) -> u8,
    ) -> (Self, Vec<(u8, usize)>) {
        let (mut splits, mut exits) = (Vec::<Split>::new(), Vec::new());
        // The way down, left first; a right child comes with the split that it belongs to.
        let mut open = vec![(0, None)];
        let mut place = 0;
        while let Some((node, parent)) = open.pop() {
            if let Some(parent) = parent {
                let parent: &mut Split = &mut splits[parent];
                parent.skip = place - parent.place - 1;
            }
            match tree.kind(node) {
                Kind::Split { feature, threshold, left } if inside[node] => {
                    open.extend([(left + 1, Some(splits.len())), (left, None)]);
                    let rank = rank(feature, threshold);
                    splits.push(Split { feature: feature as u16, rank, place, skip: 0 });
                }
                _ => exits.push((place, node)),
            }
            place += 1;
        }
        (Self { splits }, exits)
    }

    /// The place where each row leaves the top; `columns` are ranks feature by feature, `n_rows` of each.
    pub fn places(&self, columns: &[u8], n_rows: usize) -> Vec<u8> {
        let mut places = vec![0; n_rows];
        self.fill(columns, &mut places);
        places
    }

    fn fill(&self, columns: &[u8], places: &mut [u8]) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            #[expect(unsafe_code, reason = "calls the same loops compiled for AVX2")]
            return unsafe { self.fill_avx2(columns, places) };
        }
        self.fill_plainly(columns, places);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn fill_avx2(&self, columns: &[u8], places: &mut [u8]) {
        self.fill_plainly(columns, places);
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "only then is it compiled for its caller's features")]
    fn fill_plainly(&self, columns: &[u8], places: &mut [u8]) {
        let n = places.len();
        for (chunk, places) in places.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let mut now = *places;
            for split in &self.splits {
                let start = usize::from(split.feature) * n + chunk * LANES;
                let Some(ranks) = columns[start..].first_chunk::<LANES>() else { continue };
                // Without branches, array to array: so it becomes a few wide instructions.
                now = std::array::from_fn(|i| {
                    let here = u8::from(now[i] == split.place).wrapping_neg();
                    let right = u8::from(ranks[i] > split.rank).wrapping_neg() & split.skip;
                    now[i].wrapping_sub(here).wrapping_add(here & right)
                });
            }
            *places = now;
        }
    }

    #[cfg(test)]
    pub fn n_splits(&self) -> usize {
        self.splits.len()
    }
}

/// Per tree a mark for each split of its top, and per feature the thresholds of all tops, ascending.
///
/// The tops grow side by side, each by the split that most of the training rows met, as long as it can be numbered.
pub(super) fn tops(trees: &[Tree], n_features: usize) -> (Vec<Vec<bool>>, Vec<Vec<f64>>) {
    let mut tops: Vec<Vec<bool>> = trees.iter().map(|tree| vec![false; tree.n_nodes()]).collect();
    // Covers are positive: their bits are in their own order.
    let key = |tree: &Tree, node: usize| (tree.cover[node].to_bits(), node);
    let mut borders: Vec<BinaryHeap<(u64, usize)>> =
        trees.iter().map(|tree| BinaryHeap::from([key(tree, 0)])).collect();
    let mut thresholds = vec![Vec::new(); n_features];
    for size in 0..TOP_SPLITS {
        for ((tree, top), border) in trees.iter().zip(&mut tops).zip(&mut borders) {
            if size * TOP_SHARE >= tree.n_leaves() {
                continue;
            }
            while let Some((_, node)) = border.pop() {
                let Kind::Split { feature, threshold, left } = tree.kind(node) else { continue };
                if enter(&mut thresholds[feature], threshold + 0.0) {
                    top[node] = true;
                    border.extend([key(tree, left), key(tree, left + 1)]);
                    break;
                }
            }
        }
    }
    (tops, thresholds)
}

/// Whether a threshold is among the ascending ones, or could still be put there.
fn enter(thresholds: &mut Vec<f64>, threshold: f64) -> bool {
    let place = thresholds.partition_point(|&t| t < threshold);
    let is_there = thresholds.get(place) == Some(&threshold);
    if !is_there && thresholds.len() < TOP_THRESHOLDS {
        thresholds.insert(place, threshold);
        return true;
    }
    is_there
}
