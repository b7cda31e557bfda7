//! Which centre is nearest, for 16 rows at a time: a guess in single precision with a bound on its rounding
//! error, and the exact answer in double precision for the few rows where the guess may be wrong.

#![expect(
    clippy::inline_always,
    reason = "the same code is compiled twice, for two widths of vectors"
)]

use super::points::{BLOCK, LANES, Points, TILE};
#[cfg(target_arch = "x86_64")]
use super::wide;

/// Centres per step: 4 x 16 scores fill eight registers.
pub(super) const GROUP: usize = 4;
/// Tiles that stay in the cache while all starts pass over them: 256 rows.
const STEP_TILES: usize = 16;

/// The centres of one start, in double precision and packed for the single-precision guess.
#[derive(Clone)]
pub(super) struct Centres {
    pub(super) k: usize,
    /// `k` rows of `stride` numbers, in the units of [`Points`].
    pub(super) rows: Vec<f64>,
    stride: usize,
    /// By groups of four centres: for each column, the four negated values.
    pub(super) negated: Vec<f32>,
    /// Half the squared length of each centre; infinite where a group is padded.
    pub(super) half: Vec<f32>,
    /// A guess is sure when the gap to the next score is above `slack.0 * row length + slack.1`.
    pub(super) slack: (f32, f32),
}

impl Centres {
    pub(super) fn new(rows: Vec<f64>, d: usize, stride: usize) -> Self {
        let k = rows.len() / stride;
        let groups = k.div_ceil(GROUP);
        let mut negated = vec![0.0; groups * d * GROUP];
        let mut half = vec![f32::INFINITY; groups * GROUP];
        let mut reach = 0.0f64;
        for (c, row) in rows.chunks_exact(stride).enumerate() {
            let square: f64 = row.iter().map(|v| v * v).sum();
            reach = reach.max(square.sqrt());
            half[c] = (0.5 * square) as f32;
            let group = &mut negated[c / GROUP * d * GROUP..];
            for (j, &value) in row[..d].iter().enumerate() {
                group[j * GROUP + c % GROUP] = -value as f32;
            }
        }
        // A score of d + 1 rounded terms is off by at most (d + 4) u (|x| |c| + |c|² / 2), u = 2^-24
        // (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1, plus the rounding
        // of x and c). Two scores are compared, and the factor 1.1 pays for the bound's own rounding.
        let unit = 1.1 * 2.0 * (d as f64 + 4.0) * f64::from(f32::EPSILON) / 2.0;
        let slack =
            ((unit * reach) as f32, (unit * 0.5 * reach * reach) as f32 + f32::MIN_POSITIVE);
        Self { k, rows, stride, negated, half, slack }
    }

    pub(super) fn row(&self, c: usize) -> &[f64] {
        &self.rows[c * self.stride..][..self.stride]
    }

    /// The nearest centre of one row, the first one among equals, and its squared distance.
    pub(super) fn nearest(&self, row: &[f64]) -> (usize, f64) {
        let mut best = (0, f64::INFINITY);
        for (c, centre) in self.rows.chunks_exact(self.stride).enumerate() {
            let distance = squared_distance(row, centre);
            if distance < best.1 {
                best = (c, distance);
            }
        }
        best
    }
}

/// The squared distance of two padded rows, summed lane by lane so that vectors can carry it.
#[inline(always)]
pub(super) fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        for l in 0..LANES {
            sums[l] += (a[l] - b[l]) * (a[l] - b[l]);
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}

/// Sums of the rows of each cluster and how many they are, or how both change.
#[derive(Clone)]
pub(super) struct Sums {
    pub(super) rows: Vec<f64>,
    pub(super) counts: Vec<i64>,
}

impl Sums {
    pub(super) fn none(k: usize, stride: usize) -> Self {
        Self { rows: vec![0.0; k * stride], counts: vec![0; k] }
    }

    pub(super) fn combine(&mut self, other: &Self) {
        self.rows.iter_mut().zip(&other.rows).for_each(|(a, b)| *a += b);
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
    }

    #[inline(always)]
    pub(super) fn enter(&mut self, c: u32, row: &[f64]) {
        self.counts[c as usize] += 1;
        let sums = &mut self.rows[c as usize * row.len()..][..row.len()];
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }

    #[inline(always)]
    pub(super) fn leave(&mut self, c: u32, row: &[f64]) {
        self.counts[c as usize] -= 1;
        let sums = &mut self.rows[c as usize * row.len()..][..row.len()];
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum -= value);
    }
}

/// How far scores may have changed since the start: for a row x by `by_length * |x| + offset`.
///
/// A score is |c|² / 2 - x c. When its centre moves by m, it changes by at most |x| |m| + ||c'|² - |c|²| / 2.
#[derive(Clone, Copy, Default)]
pub(super) struct Drift {
    by_length: f64,
    offset: f64,
}

impl Drift {
    /// Takes the move of all centres from `before` to `after` into account.
    pub(super) fn add(&mut self, before: &Centres, after: &Centres) {
        let (mut longest, mut offset) = (0.0f64, 0.0f64);
        for c in 0..before.k {
            let (a, b) = (before.row(c), after.row(c));
            longest = longest.max(squared_distance(a, b).sqrt());
            // (|b|² - |a|²) / 2, without the cancellation.
            let half: f64 = a.iter().zip(b).map(|(a, b)| 0.5 * (b - a) * (b + a)).sum();
            offset = offset.max(half.abs());
        }
        self.by_length += longest;
        self.offset += offset;
    }

    fn of(self, length: f32) -> f64 {
        // The factor pays for the rounding of the sums.
        1.000_001 * (f64::from(length) * self.by_length + self.offset)
    }
}

/// What one start knows of one block: the cluster of each row, and how long each tile will keep its labels.
#[derive(Clone)]
pub(super) struct Known {
    labels: Vec<u32>,
    /// While twice the drift of a tile is below this, none of its rows can have changed cluster.
    until: Vec<f64>,
}

/// The label of a row that has not been looked at.
const NONE: u32 = u32::MAX;

impl Known {
    pub(super) fn nothing(n_rows: usize) -> Self {
        let tiles = n_rows.div_ceil(TILE);
        Self { labels: vec![NONE; tiles * TILE], until: vec![f64::NEG_INFINITY; tiles] }
    }
}

/// One start on one block: its centres, their drift, and what is known.
pub(super) type Visit<'a> = (&'a Centres, Drift, &'a mut Known);

/// Brings the labels of one block up to date for several starts; how the sums of each start change.
pub(super) fn update_block(points: &Points, block: usize, starts: &mut [Visit<'_>]) -> Vec<Sums> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        #[expect(unsafe_code, reason = "vector instructions")]
        // SAFETY: the processor has AVX2 and FMA, checked on the line above.
        return unsafe { update_block_avx2(points, block, starts) };
    }
    update_block_plain::<false>(points, block, starts)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn update_block_avx2(points: &Points, block: usize, starts: &mut [Visit<'_>]) -> Vec<Sums> {
    update_block_plain::<true>(points, block, starts)
}

/// Wide (and fused) or not changes the guess, never the answer.
#[inline(always)]
fn update_block_plain<const WIDE: bool>(
    points: &Points,
    block: usize,
    starts: &mut [Visit<'_>],
) -> Vec<Sums> {
    let mut changes: Vec<Sums> =
        starts.iter().map(|(centres, ..)| Sums::none(centres.k, points.stride)).collect();
    let n_tiles = BLOCK.min(points.n - block * BLOCK).div_ceil(TILE);
    for step in (0..n_tiles).step_by(STEP_TILES) {
        for ((centres, drift, known), changes) in starts.iter_mut().zip(&mut changes) {
            for tile in step..n_tiles.min(step + STEP_TILES) {
                let first = block * BLOCK + tile * TILE;
                let drift = 2.0 * drift.of(points.reach[first / TILE]);
                if drift < known.until[tile] {
                    continue;
                }
                let (nearest, gap) = nearest_of_tile::<WIDE>(points, first, centres);
                known.until[tile] = drift + f64::from(gap);
                let labels = &mut known.labels[tile * TILE..][..TILE];
                if *labels == nearest {
                    continue;
                }
                for l in 0..TILE.min(points.n - first) {
                    if labels[l] != nearest[l] {
                        let row = points.row(first + l);
                        if labels[l] != NONE {
                            changes.leave(labels[l], row);
                        }
                        changes.enter(nearest[l], row);
                        labels[l] = nearest[l];
                    }
                }
            }
        }
    }
    changes
}

/// For the rows of one block, the nearest centre of each.
pub(super) fn block_labels(points: &Points, block: usize, centres: &Centres, out: &mut [u32]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        #[expect(unsafe_code, reason = "vector instructions")]
        // SAFETY: the processor has AVX2 and FMA, checked on the line above.
        return unsafe { block_labels_avx2(points, block, centres, out) };
    }
    block_labels_plain::<false>(points, block, centres, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn block_labels_avx2(points: &Points, block: usize, centres: &Centres, out: &mut [u32]) {
    block_labels_plain::<true>(points, block, centres, out);
}

#[inline(always)]
fn block_labels_plain<const WIDE: bool>(
    points: &Points,
    block: usize,
    centres: &Centres,
    out: &mut [u32],
) {
    for (tile, out) in out.chunks_mut(TILE).enumerate() {
        let (nearest, _) = nearest_of_tile::<WIDE>(points, block * BLOCK + tile * TILE, centres);
        out.copy_from_slice(&nearest[..out.len()]);
    }
}

/// The nearest centres of the 16 rows from `first` on (rows past the last get any answer), and by how much
/// every other score is surely greater, for all 16 rows.
#[inline(always)]
fn nearest_of_tile<const WIDE: bool>(
    points: &Points,
    first: usize,
    centres: &Centres,
) -> ([u32; TILE], f32) {
    let tile = &points.tiles[first * points.d..][..TILE * points.d];
    let lengths = &points.lengths[first..][..TILE];
    #[cfg(target_arch = "x86_64")]
    let (mut nearest, gaps) = if WIDE {
        #[expect(unsafe_code, reason = "vector instructions")]
        // SAFETY: only the functions compiled for AVX2 and FMA, which are called where the processor
        // has them, ask for the wide form.
        unsafe {
            wide::guess(tile, lengths, centres)
        }
    } else {
        guess(tile, lengths, centres)
    };
    #[cfg(not(target_arch = "x86_64"))]
    let (mut nearest, gaps) = guess(tile, lengths, centres);
    let mut least = gaps;
    for width in [8, 4, 2, 1] {
        for l in 0..width {
            least[l] = least[l].min(least[l + width]);
        }
    }
    let least = least[0];
    if least <= 0.0 {
        for l in (0..TILE.min(points.n - first)).filter(|&l| gaps[l] <= 0.0) {
            nearest[l] = centres.nearest(points.row(first + l)).0 as u32;
        }
    }
    (nearest, least)
}

/// The centre of least score for each row, and by how much the next score is surely greater: not above 0 where
/// rounding may have chosen wrongly.
#[inline(always)]
fn guess(tile: &[f32], lengths: &[f32], centres: &Centres) -> ([u32; TILE], [f32; TILE]) {
    let group_len = GROUP * tile.len() / TILE;
    let mut best = [f32::INFINITY; TILE];
    let mut second = [f32::INFINITY; TILE];
    let mut nearest = [0u32; TILE];
    for (c, &half) in centres.half.iter().enumerate() {
        let centre = centres.negated[c / GROUP * group_len..].iter().skip(c % GROUP).step_by(GROUP);
        let mut scores = [half; TILE];
        for (values, &centre) in tile.chunks_exact(TILE).zip(centre) {
            for l in 0..TILE {
                scores[l] += centre * values[l];
            }
        }
        for l in 0..TILE {
            let better = scores[l] < best[l];
            second[l] = if better { best[l] } else { second[l].min(scores[l]) };
            best[l] = if better { scores[l] } else { best[l] };
            nearest[l] = if better { c as u32 } else { nearest[l] };
        }
    }
    let mut gaps = [0.0; TILE];
    for l in 0..TILE {
        gaps[l] = second[l] - best[l] - (centres.slack.0 * lengths[l] + centres.slack.1);
    }
    (nearest, gaps)
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::seed::Seed;

    #[test]
    fn guess_and_check_gives_the_exact_answer() {
        for (n, d, k, spread) in [(100, 3, 5, 1.0), (5000, 20, 8, 1e6), (333, 7, 13, 1e-9)] {
            let mut stream = Seed::new(3).stream("nearest", n as u64);
            // Coarse values make exact ties common.
            let matrix =
                Array2::from_shape_fn((n, d), |_| spread * (2.0 * stream.normal()).round());
            let points = Points::new(matrix.view(), &[]).unwrap();
            let picks: Vec<f64> = (0..k).flat_map(|c| points.row(c * 7).to_vec()).collect();
            let centres = Centres::new(picks, d, points.stride);
            for block in 0..points.n_blocks() {
                let mut labels = vec![0; BLOCK.min(n - block * BLOCK)];
                let mut plain = labels.clone();
                block_labels(&points, block, &centres, &mut labels);
                block_labels_plain::<false>(&points, block, &centres, &mut plain);
                assert_eq!(labels, plain);
                for (i, &label) in labels.iter().enumerate() {
                    let exact = centres.nearest(points.row(block * BLOCK + i)).0;
                    assert_eq!(label as usize, exact);
                }
                let visit = |wide: bool| {
                    let mut known = Known::nothing(labels.len());
                    let mut visits = [(&centres, Drift::default(), &mut known)];
                    let sums = if wide {
                        update_block(&points, block, &mut visits)
                    } else {
                        update_block_plain::<false>(&points, block, &mut visits)
                    };
                    (sums[0].rows.clone(), sums[0].counts.clone(), known.labels)
                };
                assert_eq!(visit(true), visit(false));
            }
        }
    }
}
