//! Which centre is nearest, for 16 rows at a time: a guess in single precision with a bound on its rounding
//! error, and the exact answer in double precision for the few rows where the guess may be wrong.

use super::points::{BLOCK, Points, TILE};

/// Centres per step: 4 x 16 scores fill eight registers.
const GROUP: usize = 4;
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
    negated: Vec<f32>,
    /// Half the squared length of each centre; infinite where a group is padded.
    half: Vec<f32>,
    /// A guess is sure when the gap to the next score is above `slack.0 * row length + slack.1`.
    slack: (f32, f32),
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

#[inline(always)]
pub(super) fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

/// Sums of the rows of each cluster, and how many they are, over one block.
#[derive(Clone)]
pub(super) struct Sums {
    pub(super) rows: Vec<f64>,
    pub(super) counts: Vec<u32>,
}

impl Sums {
    pub(super) fn none(k: usize, stride: usize) -> Self {
        Self { rows: vec![0.0; k * stride], counts: vec![0; k] }
    }

    pub(super) fn combine(&mut self, other: &Self) {
        self.rows.iter_mut().zip(&other.rows).for_each(|(a, b)| *a += b);
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
    }
}

/// For each start, the sums over one block of the rows nearest to each of its centres.
pub(super) fn block_sums(points: &Points, block: usize, starts: &[&Centres]) -> Vec<Sums> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        #[expect(unsafe_code, reason = "the same Rust code compiled for wider vectors")]
        // SAFETY: the processor has AVX2 and FMA, checked on the line above.
        return unsafe { block_sums_avx2(points, block, starts) };
    }
    block_sums_plain::<false>(points, block, starts)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn block_sums_avx2(points: &Points, block: usize, starts: &[&Centres]) -> Vec<Sums> {
    block_sums_plain::<true>(points, block, starts)
}

/// Fused or not changes the guess, never the answer.
#[inline(always)]
fn block_sums_plain<const FUSED: bool>(
    points: &Points,
    block: usize,
    starts: &[&Centres],
) -> Vec<Sums> {
    let stride = points.stride;
    let mut all: Vec<Sums> = starts.iter().map(|s| Sums::none(s.k, stride)).collect();
    let end = points.n.min((block + 1) * BLOCK);
    for step in (block * BLOCK..end).step_by(STEP_TILES * TILE) {
        for (centres, sums) in starts.iter().zip(&mut all) {
            for first in (step..end.min(step + STEP_TILES * TILE)).step_by(TILE) {
                let nearest = nearest_of_tile::<FUSED>(points, first, centres);
                let rows = points.rows[first * stride..].chunks_exact(stride);
                for (row, &c) in rows.zip(&nearest) {
                    let c = c as usize;
                    sums.counts[c] += 1;
                    let sum = &mut sums.rows[c * stride..][..stride];
                    for (sum, value) in sum.chunks_exact_mut(4).zip(row.chunks_exact(4)) {
                        for l in 0..4 {
                            sum[l] += value[l];
                        }
                    }
                }
            }
        }
    }
    all
}

/// For the rows of one block, the nearest centre of each.
pub(super) fn block_labels(points: &Points, block: usize, centres: &Centres, out: &mut [u32]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        #[expect(unsafe_code, reason = "the same Rust code compiled for wider vectors")]
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
fn block_labels_plain<const FUSED: bool>(
    points: &Points,
    block: usize,
    centres: &Centres,
    out: &mut [u32],
) {
    for (tile, out) in out.chunks_mut(TILE).enumerate() {
        let nearest = nearest_of_tile::<FUSED>(points, block * BLOCK + tile * TILE, centres);
        out.copy_from_slice(&nearest[..out.len()]);
    }
}

/// The nearest centres of the 16 rows from `first` on (rows past the last get any answer).
#[inline(always)]
fn nearest_of_tile<const FUSED: bool>(
    points: &Points,
    first: usize,
    centres: &Centres,
) -> [u32; TILE] {
    let d = points.d;
    let tile = &points.tiles[first * d..][..TILE * d];
    let mut best = [f32::INFINITY; TILE];
    let mut second = [f32::INFINITY; TILE];
    let mut nearest = [0u32; TILE];
    for (group, (negated, half)) in
        centres.negated.chunks_exact(GROUP * d).zip(centres.half.chunks_exact(GROUP)).enumerate()
    {
        let mut scores = [[0.0f32; TILE]; GROUP];
        for c in 0..GROUP {
            scores[c] = [half[c]; TILE];
        }
        for (values, centre) in tile.chunks_exact(TILE).zip(negated.chunks_exact(GROUP)) {
            for c in 0..GROUP {
                for l in 0..TILE {
                    scores[c][l] = if FUSED {
                        centre[c].mul_add(values[l], scores[c][l])
                    } else {
                        centre[c] * values[l] + scores[c][l]
                    };
                }
            }
        }
        for c in 0..GROUP {
            let name = (group * GROUP + c) as u32;
            for l in 0..TILE {
                let score = scores[c][l];
                let better = score < best[l];
                let loser = if better { best[l] } else { score };
                second[l] = if loser < second[l] { loser } else { second[l] };
                best[l] = if better { score } else { best[l] };
                nearest[l] = if better { name } else { nearest[l] };
            }
        }
    }
    let lengths = &points.lengths[first..][..TILE];
    let mut doubtful = [false; TILE];
    for l in 0..TILE {
        doubtful[l] = second[l] - best[l] <= centres.slack.0 * lengths[l] + centres.slack.1;
    }
    if doubtful.contains(&true) {
        for l in (0..TILE.min(points.n - first)).filter(|&l| doubtful[l]) {
            nearest[l] = centres.nearest(points.row(first + l)).0 as u32;
        }
    }
    nearest
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
                let fast = block_sums(&points, block, &[&centres]);
                let slow = block_sums_plain::<false>(&points, block, &[&centres]);
                assert_eq!(fast[0].rows, slow[0].rows);
            }
        }
    }
}
