//! Seeds in, rows to start from out: greedy k-means++ for many starts at once.
//!
//! Arthur and Vassilvitskii, *k-means++: the advantages of careful seeding*, 2007; the greedy form (several
//! candidates a step, the best one stays) is section 5 there and what scikit-learn does.

use rayon::prelude::*;

use super::points::{BLOCK, Points, TILE};
#[cfg(target_arch = "x86_64")]
use super::wide;
use crate::seed::Stream;

/// For each stream, the positions of `k` rows to start from.
pub(super) fn plus_plus(points: &Points, k: usize, mut streams: Vec<Stream>) -> Vec<Vec<usize>> {
    let n_candidates = 2 + (k as f64).ln() as usize;
    let mut search = Search::new(points, streams.len());
    let mut picks: Vec<Vec<usize>> = streams.iter_mut().map(|s| vec![s.below(points.n)]).collect();
    for _ in 1..k {
        let latest: Vec<usize> = picks.iter().map(|p| p[p.len() - 1]).collect();
        search.lower_to(&latest);
        let candidates: Vec<Vec<usize>> = streams
            .iter_mut()
            .enumerate()
            .map(|(start, stream)| (0..n_candidates).map(|_| search.draw(start, stream)).collect())
            .collect();
        for (picks, best) in picks.iter_mut().zip(search.best(&candidates)) {
            picks.push(best);
        }
    }
    picks
}

/// The squared distance of each row to the nearest pick, for each start.
struct Search<'a> {
    points: &'a Points,
    n_starts: usize,
    /// By blocks of rows, in each by starts, in each by rows; 0 after the last row.
    distances: Vec<f32>,
    /// Sums of `distances` by blocks and starts.
    sums: Vec<f64>,
}

impl<'a> Search<'a> {
    fn new(points: &'a Points, n_starts: usize) -> Self {
        let mut distances = vec![f32::INFINITY; points.n_blocks() * n_starts * BLOCK];
        let in_last = points.n - (points.n_blocks() - 1) * BLOCK;
        for start in distances.chunks_exact_mut(BLOCK).rev().take(n_starts) {
            start[in_last..].fill(0.0);
        }
        Self { points, n_starts, distances, sums: vec![0.0; points.n_blocks() * n_starts] }
    }

    /// Takes one more pick of each start into account.
    fn lower_to(&mut self, picks: &[usize]) {
        let points = self.points;
        let picks: Vec<Vec<f32>> = picks.iter().map(|&p| single(points, p)).collect();
        self.distances
            .par_chunks_mut(self.n_starts * BLOCK)
            .zip(self.sums.par_chunks_mut(self.n_starts))
            .enumerate()
            .for_each(|(block, (distances, sums))| {
                for ((pick, distances), sum) in
                    picks.iter().zip(distances.chunks_exact_mut(BLOCK)).zip(sums)
                {
                    *sum = potential(points, block, pick, distances, true);
                }
            });
    }

    /// A row drawn with probability proportional to its squared distance.
    fn draw(&self, start: usize, stream: &mut Stream) -> usize {
        let of_blocks = || self.sums.iter().skip(start).step_by(self.n_starts);
        let total: f64 = of_blocks().sum();
        if total <= 0.0 {
            return stream.below(self.points.n);
        }
        let mut left = stream.uniform() * total;
        let mut block = 0;
        for (b, &sum) in of_blocks().enumerate().filter(|&(_, &sum)| sum > 0.0) {
            block = b;
            if left < sum {
                break;
            }
            left -= sum;
        }
        let distances = &self.distances[(block * self.n_starts + start) * BLOCK..][..BLOCK];
        let mut last = 0;
        for (i, &distance) in distances.iter().enumerate().filter(|&(_, &d)| d > 0.0) {
            last = i;
            left -= f64::from(distance);
            if left < 0.0 {
                break;
            }
        }
        block * BLOCK + last
    }

    /// For each start the candidate that leaves the least total distance, the first among equals.
    fn best(&mut self, candidates: &[Vec<usize>]) -> Vec<usize> {
        let points = self.points;
        let rows: Vec<Vec<Vec<f32>>> = candidates
            .iter()
            .map(|of_start| of_start.iter().map(|&p| single(points, p)).collect())
            .collect();
        let sums: Vec<Vec<f64>> = self
            .distances
            .par_chunks_mut(self.n_starts * BLOCK)
            .enumerate()
            .map(|(block, distances)| {
                rows.iter()
                    .zip(distances.chunks_exact_mut(BLOCK))
                    .flat_map(|(rows, distances)| {
                        rows.iter()
                            .map(|row| potential(points, block, row, distances, false))
                            .collect::<Vec<_>>()
                    })
                    .collect()
            })
            .collect();
        let mut offset = 0;
        candidates
            .iter()
            .map(|of_start| {
                let total = |c: usize| sums.iter().map(|block| block[offset + c]).sum::<f64>();
                let totals: Vec<f64> = (0..of_start.len()).map(total).collect();
                offset += of_start.len();
                let best = (0..totals.len()).min_by(|&a, &b| totals[a].total_cmp(&totals[b]));
                of_start[best.unwrap_or(0)]
            })
            .collect()
    }
}

fn single(points: &Points, position: usize) -> Vec<f32> {
    points.row(position)[..points.d].iter().map(|&v| v as f32).collect()
}

/// The sum of the distances of one block after `pick`; `keep` also stores them.
fn potential(
    points: &Points,
    block: usize,
    pick: &[f32],
    distances: &mut [f32],
    keep: bool,
) -> f64 {
    let d = points.d;
    let tiles = &points.tiles[block * BLOCK * d..];
    let tiles = &tiles[..tiles.len().min(BLOCK * d)];
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "vector instructions")]
        // SAFETY: the processor has AVX2, checked on the line above.
        return unsafe { wide::potential(tiles, pick, distances, keep) };
    }
    potential_plain(tiles, pick, distances, keep)
}

/// Plain multiply and add, never fused: every processor makes the same draws.
fn potential_plain(tiles: &[f32], pick: &[f32], distances: &mut [f32], keep: bool) -> f64 {
    let mut sums = [0.0f32; TILE];
    for (tile, distances) in
        tiles.chunks_exact(TILE * pick.len()).zip(distances.chunks_exact_mut(TILE))
    {
        let mut squares = [0.0f32; TILE];
        for (values, &centre) in tile.chunks_exact(TILE).zip(pick) {
            for l in 0..TILE {
                let difference = values[l] - centre;
                squares[l] += difference * difference;
            }
        }
        for l in 0..TILE {
            let lower = squares[l].min(distances[l]);
            sums[l] += lower;
            if keep {
                distances[l] = lower;
            }
        }
    }
    sums.iter().map(|&sum| f64::from(sum)).sum()
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::seed::Seed;

    #[test]
    fn picks_are_distinct_and_cover_far_groups() {
        let mut stream = Seed::new(5).stream("starts", 0);
        // Five tight groups, one of them of a single row: k-means++ finds each, plain sampling would not.
        let matrix = Array2::from_shape_fn((5001, 2), |(i, j)| {
            let group = if i == 5000 { 4 } else { i % 4 };
            [0.0, 100.0, 200.0, 300.0, -400.0][group] * (1.0 - j as f64) + stream.uniform()
        });
        let points = Points::new(matrix.view(), &[]).unwrap();
        let streams: Vec<_> = (0..20).map(|i| Seed::new(i).stream("start", 0)).collect();
        for picks in plus_plus(&points, 5, streams) {
            let mut groups: Vec<i64> = picks
                .iter()
                .map(|&p| (matrix[[points.order[p] as usize, 0]] / 100.0).round() as i64)
                .collect();
            groups.sort_unstable();
            assert_eq!(groups, [-4, 0, 1, 2, 3]);
        }
    }

    #[test]
    fn both_compilations_give_the_same_bits() {
        let mut stream = Seed::new(6).stream("starts", 0);
        let tiles: Vec<f32> = (0..TILE * 7 * 10).map(|_| stream.normal() as f32).collect();
        let (mut a, mut b) = (vec![1.0; 160], vec![1.0; 160]);
        let pick = &tiles[..7];
        let slow = potential_plain(&tiles, pick, &mut a, true);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            #[expect(unsafe_code, reason = "vector instructions")]
            // SAFETY: the processor has AVX2, checked on the line above.
            let fast = unsafe { wide::potential(&tiles, pick, &mut b, true) };
            assert_eq!((slow, a), (fast, b));
        }
    }
}
