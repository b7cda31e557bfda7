//! The inner loops for processors with AVX2: eight rows in a vector, two vectors a tile. Each has a plain twin.

#[expect(clippy::wildcard_imports, reason = "a dozen instructions, each with its full name")]
use std::arch::x86_64::*;

use super::nearest::{Centres, GROUP};
use super::points::TILE;

/// Numbers in a vector.
const WIDTH: usize = 8;

/// The best and second score of eight rows so far.
#[derive(Clone, Copy)]
struct Lead {
    best: __m256,
    second: __m256,
    nearest: __m256,
}

/// [`guess`](super::nearest) for four centres at a time, with fused multiplication and addition.
#[target_feature(enable = "avx2,fma")]
#[inline]
pub(super) fn guess(
    tile: &[f32],
    lengths: &[f32],
    centres: &Centres,
) -> ([u32; TILE], [f32; TILE]) {
    let group_len = GROUP * tile.len() / TILE;
    let infinity = _mm256_set1_ps(f32::INFINITY);
    let mut lead = [Lead { best: infinity, second: infinity, nearest: _mm256_setzero_ps() }; 2];
    let halves = centres.half.chunks_exact(GROUP);
    for (group, (negated, half)) in centres.negated.chunks_exact(group_len).zip(halves).enumerate()
    {
        let start = |c: usize| [_mm256_set1_ps(half[c]); 2];
        let mut scores = [start(0), start(1), start(2), start(3)];
        for (values, centre) in tile.chunks_exact(TILE).zip(negated.chunks_exact(GROUP)) {
            let (left, right) = (load(&values[..WIDTH]), load(&values[WIDTH..]));
            for (scores, centre) in scores.iter_mut().zip(centre) {
                let centre = _mm256_set1_ps(*centre);
                scores[0] = _mm256_fmadd_ps(centre, left, scores[0]);
                scores[1] = _mm256_fmadd_ps(centre, right, scores[1]);
            }
        }
        for (c, scores) in scores.iter().enumerate() {
            let name = _mm256_castsi256_ps(_mm256_set1_epi32((group * GROUP + c) as i32));
            for (lead, &score) in lead.iter_mut().zip(scores) {
                let better = _mm256_cmp_ps::<_CMP_LT_OQ>(score, lead.best);
                let loser = _mm256_max_ps(score, lead.best);
                lead.second = _mm256_min_ps(lead.second, loser);
                lead.best = _mm256_min_ps(lead.best, score);
                lead.nearest = _mm256_blendv_ps(lead.nearest, name, better);
            }
        }
    }
    let mut nearest = [0.0; TILE];
    let mut gaps = [0.0; TILE];
    let slack = (_mm256_set1_ps(centres.slack.0), _mm256_set1_ps(centres.slack.1));
    for (half, lead) in lead.iter().enumerate() {
        let bound = _mm256_fmadd_ps(slack.0, load(&lengths[half * WIDTH..]), slack.1);
        let gap = _mm256_sub_ps(_mm256_sub_ps(lead.second, lead.best), bound);
        store(&mut gaps[half * WIDTH..], gap);
        store(&mut nearest[half * WIDTH..], lead.nearest);
    }
    (nearest.map(f32::to_bits), gaps)
}

/// [`potential`](super::starts) with 8 rows in a vector: the same operations in the same order, the same bits.
#[target_feature(enable = "avx2")]
pub(super) fn potential(tiles: &[f32], pick: &[f32], distances: &mut [f32], keep: bool) -> f64 {
    let mut sums = [_mm256_setzero_ps(); 2];
    for (tile, distances) in
        tiles.chunks_exact(TILE * pick.len()).zip(distances.chunks_exact_mut(TILE))
    {
        let mut squares = [_mm256_setzero_ps(); 2];
        for (values, centre) in tile.chunks_exact(TILE).zip(pick) {
            let centre = _mm256_set1_ps(*centre);
            for (half, square) in squares.iter_mut().enumerate() {
                let difference = _mm256_sub_ps(load(&values[half * WIDTH..]), centre);
                *square = _mm256_add_ps(*square, _mm256_mul_ps(difference, difference));
            }
        }
        for half in 0..2 {
            let lower = _mm256_min_ps(squares[half], load(&distances[half * WIDTH..]));
            sums[half] = _mm256_add_ps(sums[half], lower);
            if keep {
                store(&mut distances[half * WIDTH..], lower);
            }
        }
    }
    let mut lanes = [0.0f32; TILE];
    store(&mut lanes[..WIDTH], sums[0]);
    store(&mut lanes[WIDTH..], sums[1]);
    lanes.iter().map(|&sum| f64::from(sum)).sum()
}

#[target_feature(enable = "avx2")]
#[inline]
fn load(values: &[f32]) -> __m256 {
    let values = &values[..WIDTH];
    #[expect(unsafe_code, reason = "vector instructions")]
    // SAFETY: the slice holds eight numbers; the instruction needs no alignment.
    unsafe {
        _mm256_loadu_ps(values.as_ptr())
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn store(target: &mut [f32], values: __m256) {
    let target = &mut target[..WIDTH];
    #[expect(unsafe_code, reason = "vector instructions")]
    // SAFETY: the slice has room for eight numbers; the instruction needs no alignment.
    unsafe {
        _mm256_storeu_ps(target.as_mut_ptr(), values);
    }
}
