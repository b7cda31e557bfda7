//! Rows of numbers in, their count, mean and scatter out, in one reading of the memory.

#![expect(
    clippy::inline_always,
    reason = "the same code is compiled twice, for two widths of vectors"
)]

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;

/// Rows summed up by one task; fixed, so that the result does not depend on the number of threads.
const TASK_ROWS: usize = 8192;
/// Rows centred and multiplied at a time: 128 rows of 24 columns stay in the first-level cache.
const BLOCK_ROWS: usize = 128;
/// Columns per vector of sums; blocks are padded with zeros to a multiple of it.
pub(super) const LANES: usize = 8;
/// Rows of the left operand in a tile of sums: 4 x 8 sums fill the registers of AVX2.
const TILE: usize = 4;

/// How many rows, their mean, and their scatter `Σ (x - mean)(x - mean)ᵀ`: a monoid.
///
/// Parts are joined by the exact update of Chan, Golub and `LeVeque` (*Updating formulae and a pairwise
/// algorithm for computing sample variances*, 1979), so a large common offset costs no digits.
#[derive(Debug, Clone)]
pub(crate) struct Moments {
    pub(crate) n_rows: usize,
    pub(crate) mean: Array1<f64>,
    pub(crate) scatter: Array2<f64>,
}

impl Moments {
    /// The moments of no rows.
    pub(crate) fn none(n_columns: usize) -> Self {
        let scatter = Array2::zeros((n_columns, n_columns));
        Self { n_rows: 0, mean: Array1::zeros(n_columns), scatter }
    }

    /// The moments of all rows; the same bits on any number of threads.
    pub(crate) fn of(rows: ArrayView2<'_, f64>) -> Self {
        let (n, d) = rows.dim();
        let parts: Vec<Self> = (0..n.div_ceil(TASK_ROWS))
            .into_par_iter()
            .map(|task| {
                let mut part = Self::none(d);
                let mut block = Block::new(d);
                let end = n.min((task + 1) * TASK_ROWS);
                for start in (task * TASK_ROWS..end).step_by(BLOCK_ROWS) {
                    part.push(rows.slice(s![start..end.min(start + BLOCK_ROWS), ..]), &mut block);
                }
                part
            })
            .collect();
        parts.into_iter().fold(Self::none(d), |mut all, part| {
            all.combine(&part);
            all
        })
    }

    /// Adds up to [`BLOCK_ROWS`] rows.
    fn push(&mut self, rows: ArrayView2<'_, f64>, block: &mut Block) {
        let mean = mean_of(rows);
        block.fill(rows, mean.view());
        add_products(&block.values, block.stride, &mut block.scatter);
        let d = mean.len();
        let scatter = Array2::from_shape_fn((d, d), |(i, j)| {
            block.scatter[i.min(j) * block.stride + i.max(j)]
        });
        self.combine(&Self { n_rows: rows.nrows(), mean, scatter });
    }

    /// Joins two parts.
    pub(crate) fn combine(&mut self, other: &Self) {
        if other.n_rows == 0 {
            return;
        }
        if self.n_rows == 0 {
            self.clone_from(other);
            return;
        }
        let total = (self.n_rows + other.n_rows) as f64;
        let weight = self.n_rows as f64 * other.n_rows as f64 / total;
        let shift = &other.mean - &self.mean;
        for ((mut sums, added), &a) in
            self.scatter.outer_iter_mut().zip(other.scatter.outer_iter()).zip(&shift)
        {
            for ((sum, &add), &b) in sums.iter_mut().zip(&added).zip(&shift) {
                *sum += add + weight * a * b;
            }
        }
        self.mean.scaled_add(other.n_rows as f64 / total, &shift);
        self.n_rows += other.n_rows;
    }
}

/// `(rows - mean) weights` for `weights` of shape `(n_columns, n_outputs)`; shape `(n_rows, n_outputs)`.
pub(super) fn project(
    rows: ArrayView2<'_, f64>,
    mean: ArrayView1<'_, f64>,
    weights: ArrayView2<'_, f64>,
) -> Array2<f64> {
    let ((n, d), k) = (rows.dim(), weights.ncols());
    let width = k.next_multiple_of(LANES);
    let mut packed = vec![0.0; d * width];
    for (target, source) in packed.chunks_exact_mut(width.max(1)).zip(weights.outer_iter()) {
        target.iter_mut().zip(&source).for_each(|(t, &w)| *t = w);
    }
    let mut out = vec![0.0; n * k];
    out.par_chunks_mut((TASK_ROWS * k).max(1)).enumerate().for_each(|(task, out)| {
        let mut block = Block::new(d);
        let mut wide = vec![0.0; BLOCK_ROWS * width];
        for (step, out) in out.chunks_mut(BLOCK_ROWS * k).enumerate() {
            let start = task * TASK_ROWS + step * BLOCK_ROWS;
            let count = out.len() / k;
            block.fill(rows.slice(s![start..start + count, ..]), mean);
            multiply(&block.values, block.stride, &packed, width, &mut wide);
            for (target, source) in out.chunks_exact_mut(k).zip(wide.chunks_exact(width)) {
                target.copy_from_slice(&source[..k]);
            }
        }
    });
    Array2::from_shape_vec((n, k), out).unwrap_or_default()
}

/// Centred rows, padded with zeros to whole tiles in both directions, and room for their products.
struct Block {
    stride: usize,
    values: Vec<f64>,
    scatter: Vec<f64>,
}

impl Block {
    fn new(n_columns: usize) -> Self {
        let stride = n_columns.next_multiple_of(LANES);
        Self { stride, values: vec![0.0; BLOCK_ROWS * stride], scatter: vec![0.0; stride * stride] }
    }

    fn fill(&mut self, rows: ArrayView2<'_, f64>, mean: ArrayView1<'_, f64>) {
        let used = rows.nrows() * self.stride;
        self.values[used..].fill(0.0);
        for (target, source) in self.values.chunks_exact_mut(self.stride).zip(rows.outer_iter()) {
            if let (Some(source), Some(mean)) = (source.as_slice(), mean.as_slice()) {
                target.iter_mut().zip(source).zip(mean).for_each(|((t, &x), &m)| *t = x - m);
            } else {
                target.iter_mut().zip(&source).zip(&mean).for_each(|((t, &x), &m)| *t = x - m);
            }
        }
    }
}

fn mean_of(rows: ArrayView2<'_, f64>) -> Array1<f64> {
    let mut sum = Array1::<f64>::zeros(rows.ncols());
    if let (Some(sum), Some(values)) = (sum.as_slice_mut(), rows.as_slice()) {
        for row in values.chunks_exact(sum.len()) {
            sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
    } else {
        for row in rows.axis_iter(Axis(0)) {
            sum += &row;
        }
    }
    sum / rows.nrows() as f64
}

/// Writes the upper triangle of `rowsᵀ rows` to `out` (`stride` x `stride`).
fn add_products(rows: &[f64], stride: usize, out: &mut [f64]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "the same Rust code compiled for wider vectors")]
        // SAFETY: the processor has AVX2, checked on the line above.
        return unsafe { products_avx2(rows, stride, out) };
    }
    products(rows, stride, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn products_avx2(rows: &[f64], stride: usize, out: &mut [f64]) {
    products(rows, stride, out);
}

/// Plain multiply and add, never fused: the same bits on every processor.
#[inline(always)]
fn products(rows: &[f64], stride: usize, out: &mut [f64]) {
    for i in (0..stride).step_by(TILE) {
        for j in (i - i % LANES..stride).step_by(LANES) {
            let mut sums = [[0.0; LANES]; TILE];
            for row in rows.chunks_exact(stride) {
                add_outer(&mut sums, &row[i..i + TILE], &row[j..j + LANES]);
            }
            for (t, sums) in sums.iter().enumerate() {
                out[(i + t) * stride + j..][..LANES].copy_from_slice(sums);
            }
        }
    }
}

/// Writes `rows weights` to `out`, `width` numbers a row.
fn multiply(rows: &[f64], stride: usize, weights: &[f64], width: usize, out: &mut [f64]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "the same Rust code compiled for wider vectors")]
        // SAFETY: the processor has AVX2, checked on the line above.
        return unsafe { multiply_avx2(rows, stride, weights, width, out) };
    }
    multiply_plain(rows, stride, weights, width, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn multiply_avx2(rows: &[f64], stride: usize, weights: &[f64], width: usize, out: &mut [f64]) {
    multiply_plain(rows, stride, weights, width, out);
}

#[inline(always)]
fn multiply_plain(rows: &[f64], stride: usize, weights: &[f64], width: usize, out: &mut [f64]) {
    for (rows, out) in rows.chunks_exact(TILE * stride).zip(out.chunks_exact_mut(TILE * width)) {
        for k in (0..width).step_by(LANES) {
            let mut sums = [[0.0; LANES]; TILE];
            for (j, weights) in weights.chunks_exact(width).enumerate() {
                let left = [rows[j], rows[stride + j], rows[2 * stride + j], rows[3 * stride + j]];
                add_outer(&mut sums, &left, &weights[k..k + LANES]);
            }
            for (t, sums) in sums.iter().enumerate() {
                out[t * width + k..][..LANES].copy_from_slice(sums);
            }
        }
    }
}

#[inline(always)]
fn add_outer(sums: &mut [[f64; LANES]; TILE], left: &[f64], right: &[f64]) {
    for t in 0..TILE {
        for l in 0..LANES {
            sums[t][l] += left[t] * right[l];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    fn table(n: usize, d: usize, offset: f64) -> Array2<f64> {
        let mut stream = Seed::new(1).stream("moments", n as u64);
        Array2::from_shape_fn((n, d), |_| offset + stream.normal())
    }

    #[test]
    fn agree_with_two_passes_even_far_from_zero() {
        for (n, d, offset) in [(2, 1, 0.0), (300, 5, 1e6), (9000, 20, 0.0), (129, 33, -1e3)] {
            let rows = table(n, d, offset);
            let moments = Moments::of(rows.view());
            let mean = rows.mean_axis(Axis(0)).unwrap();
            let centred = &rows - &mean;
            let slow = centred.t().dot(&centred);
            assert!((&moments.mean - &mean).iter().all(|e| e.abs() < 1e-9 * (1.0 + offset.abs())));
            let worst = (&moments.scatter - &slow).iter().fold(0.0f64, |w, e| w.max(e.abs()));
            assert!(worst < 1e-9 * n as f64, "{n} x {d}: {worst}");
        }
    }

    #[test]
    fn both_compilations_give_the_same_bits() {
        let rows: Vec<f64> = table(BLOCK_ROWS, 24, 0.0).into_raw_vec_and_offset().0;
        let (mut fast, mut slow) = (vec![0.0; 24 * 24], vec![0.0; 24 * 24]);
        add_products(&rows, 24, &mut fast);
        products(&rows, 24, &mut slow);
        assert_eq!(fast, slow);
        let (mut fast, mut slow) = (vec![0.0; BLOCK_ROWS * 8], vec![0.0; BLOCK_ROWS * 8]);
        multiply(&rows, 24, &rows[..24 * 8], 8, &mut fast);
        multiply_plain(&rows, 24, &rows[..24 * 8], 8, &mut slow);
        assert_eq!(fast, slow);
    }

    #[test]
    fn projection_is_the_matrix_product() {
        for (n, d, k) in [(1, 3, 2), (200, 20, 10), (131, 9, 9)] {
            let (rows, weights) = (table(n, d, 5.0), table(d, k, 0.0));
            let mean = rows.mean_axis(Axis(0)).unwrap();
            let slow = (&rows - &mean).dot(&weights);
            let fast = project(rows.view(), mean.view(), weights.view());
            assert!((&fast - &slow).iter().all(|e| e.abs() < 1e-12));
        }
    }
}
