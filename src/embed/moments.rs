//! Rows of numbers in, their count, mean and scatter out, in one reading of the memory.

#![expect(
    clippy::inline_always,
    reason = "the same code is compiled twice, for two widths of vectors"
)]

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;

#[cfg(target_arch = "x86_64")]
use super::vector::Avx2;
use super::vector::{LANES, Vector};
use crate::kernels::large_pages;

/// Rows summed up by one task; fixed, so that the result does not depend on the number of threads.
const TASK_ROWS: usize = 8192;
/// Rows shifted and multiplied at a time: 128 rows of 20 columns stay in the first-level cache.
const BLOCK_ROWS: usize = 128;
/// Rows of a tile of sums.
const TILE: usize = 4;
/// Vectors in a row of a tile, at most: 4 x 3 vectors of sums, 3 of factors and 1 more fill the registers of AVX2.
const WIDEST: usize = 3;

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
        let parts: Vec<Self> = (0..rows.nrows().div_ceil(TASK_ROWS))
            .into_par_iter()
            .map(|task| {
                let end = rows.nrows().min((task + 1) * TASK_ROWS);
                Self::of_task(rows.slice(s![task * TASK_ROWS..end, ..]))
            })
            .collect();
        parts.into_iter().fold(Self::none(rows.ncols()), |mut all, part| {
            all.combine(&part);
            all
        })
    }

    /// Sums about the mean of the first rows, moved to the mean of all in the end: one reading of the memory.
    /// The first rows are among those that are summed, so however far from the others they lie, the scatter is
    /// large as well and the move costs few digits.
    fn of_task(rows: ArrayView2<'_, f64>) -> Self {
        let d = rows.ncols();
        let first = rows.slice(s![..rows.nrows().min(BLOCK_ROWS), ..]);
        // From the first row on, so that a constant column has a scatter of exactly 0.
        let origin = rows.row(0);
        let shift = (&first - &origin).sum_axis(Axis(0)) / first.nrows() as f64 + origin;
        let mut block = Block::new(d);
        let mut sums = vec![0.0; block.stride];
        let mut products = vec![0.0; block.stride * block.stride];
        for rows in rows.axis_chunks_iter(Axis(0), BLOCK_ROWS) {
            block.fill(rows, shift.view());
            block.add_to(&mut sums, &mut products);
        }
        let n = rows.nrows() as f64;
        let from_shift = |j: usize| sums[j] / n;
        let scatter = Array2::from_shape_fn((d, d), |(i, j)| {
            products[i.min(j) * block.stride + i.max(j)] - from_shift(i) * from_shift(j) * n
        });
        let mean = Array1::from_shape_fn(d, |j| shift[j] + from_shift(j));
        Self { n_rows: rows.nrows(), mean, scatter }
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
    let mut out = large_pages::zeros(n * k);
    out.par_chunks_mut((TASK_ROWS * k).max(1)).enumerate().for_each(|(task, out)| {
        let mut block = Block::new(d);
        let mut wide = vec![0.0; BLOCK_ROWS * width];
        for (step, out) in out.chunks_mut(BLOCK_ROWS * k).enumerate() {
            let start = task * TASK_ROWS + step * BLOCK_ROWS;
            let count = out.len() / k;
            block.fill(rows.slice(s![start..start + count, ..]), mean);
            block.multiply(&packed, width, &mut wide);
            for (row, wide) in wide.chunks_exact(width).take(count).enumerate() {
                match out.get_mut(row * k..row * k + width) {
                    // Whole vectors, which may reach into the next row: it is written after.
                    Some(out) => {
                        let vectors = out.as_chunks_mut::<LANES>().0.iter_mut();
                        vectors.zip(wide.as_chunks().0).for_each(|(out, wide)| *out = *wide);
                    }
                    None => out[row * k..][..k].copy_from_slice(&wide[..k]),
                }
            }
        }
    });
    Array2::from_shape_vec((n, k), out).unwrap_or_default()
}

/// Shifted rows, padded with zeros to whole vectors and tiles.
struct Block {
    stride: usize,
    values: Vec<f64>,
}

impl Block {
    fn new(n_columns: usize) -> Self {
        let stride = n_columns.next_multiple_of(LANES);
        Self { stride, values: vec![0.0; BLOCK_ROWS * stride] }
    }

    fn fill(&mut self, rows: ArrayView2<'_, f64>, shift: ArrayView1<'_, f64>) {
        let used = rows.nrows() * self.stride;
        self.values[used..].fill(0.0);
        let targets = self.values.chunks_exact_mut(self.stride);
        if let (Some(rows), Some(shift)) = (rows.as_slice(), shift.as_slice()) {
            for (target, row) in targets.zip(rows.chunks_exact(shift.len())) {
                target.iter_mut().zip(row).zip(shift).for_each(|((t, &x), &m)| *t = x - m);
            }
        } else {
            for (target, row) in targets.zip(rows.outer_iter()) {
                target.iter_mut().zip(&row).zip(&shift).for_each(|((t, &x), &m)| *t = x - m);
            }
        }
    }

    /// Adds the sums of the columns, and the upper triangle of `rowsᵀ rows` (`stride` x `stride`).
    fn add_to(&self, sums: &mut [f64], products: &mut [f64]) {
        for row in self.values.chunks_exact(self.stride) {
            sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            #[expect(unsafe_code, reason = "vector instructions")]
            // SAFETY: the processor has AVX2 and FMA, checked on the line above.
            return unsafe { add_products_avx2(self, products) };
        }
        add_products::<[f64; LANES]>(self, products);
    }

    /// Writes `rows weights` to `out`, `width` numbers a row.
    fn multiply(&self, weights: &[f64], width: usize, out: &mut [f64]) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            #[expect(unsafe_code, reason = "vector instructions")]
            // SAFETY: the processor has AVX2 and FMA, checked on the line above.
            return unsafe { multiply_avx2(self, weights, width, out) };
        }
        multiply::<[f64; LANES]>(self, weights, width, out);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn add_products_avx2(block: &Block, products: &mut [f64]) {
    add_products::<Avx2>(block, products);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn multiply_avx2(block: &Block, weights: &[f64], width: usize, out: &mut [f64]) {
    multiply::<Avx2>(block, weights, width, out);
}

#[inline(always)]
fn add_products<V: Vector>(block: &Block, products: &mut [f64]) {
    let stride = block.stride;
    for i in (0..stride).step_by(TILE) {
        for j in (i..stride).step_by(WIDEST * LANES) {
            let out = &mut products[i * stride + j..];
            match (stride - j) / LANES {
                1 => add_tile::<V, 1>(block, i, j, out),
                2 => add_tile::<V, 2>(block, i, j, out),
                _ => add_tile::<V, WIDEST>(block, i, j, out),
            }
        }
    }
}

/// The products of columns `i..` with columns `j..`.
#[inline(always)]
fn add_tile<V: Vector, const W: usize>(block: &Block, i: usize, j: usize, out: &mut [f64]) {
    let mut sums = [[V::splat(0.0); W]; TILE];
    for row in block.values.chunks_exact(block.stride) {
        add_outer(&mut sums, &row[i..i + TILE], 1, &row[j..j + W * LANES]);
    }
    for (out, sums) in out.chunks_mut(block.stride).zip(sums) {
        for (out, sum) in out.chunks_exact_mut(LANES).zip(sums) {
            V::splat(1.0).mul_add(sum, V::load(out)).store(out);
        }
    }
}

#[inline(always)]
fn multiply<V: Vector>(block: &Block, weights: &[f64], width: usize, out: &mut [f64]) {
    let rows = block.values.chunks_exact(TILE * block.stride);
    for (rows, out) in rows.zip(out.chunks_exact_mut(TILE * width)) {
        for k in (0..width).step_by(WIDEST * LANES) {
            let (weights, out) = (&weights[k..], &mut out[k..]);
            match (width - k) / LANES {
                1 => multiply_tile::<V, 1>(rows, weights, width, out),
                2 => multiply_tile::<V, 2>(rows, weights, width, out),
                _ => multiply_tile::<V, WIDEST>(rows, weights, width, out),
            }
        }
    }
}

#[inline(always)]
fn multiply_tile<V: Vector, const W: usize>(
    rows: &[f64],
    weights: &[f64],
    width: usize,
    out: &mut [f64],
) {
    let stride = rows.len() / TILE;
    let mut sums = [[V::splat(0.0); W]; TILE];
    for (j, weights) in weights.chunks(width).enumerate() {
        add_outer(&mut sums, &rows[j..], stride, &weights[..W * LANES]);
    }
    for (out, sums) in out.chunks_mut(width).zip(sums) {
        out.chunks_exact_mut(LANES).zip(sums).for_each(|(out, sum)| sum.store(out));
    }
}

/// Adds the products of [`TILE`] numbers, each a `step` after the one before, with `W` vectors.
#[inline(always)]
fn add_outer<V: Vector, const W: usize>(
    sums: &mut [[V; W]; TILE],
    left: &[f64],
    step: usize,
    right: &[f64],
) {
    let right: [V; W] = std::array::from_fn(|w| V::load(&right[w * LANES..]));
    for (t, sums) in sums.iter_mut().enumerate() {
        let left = V::splat(left[t * step]);
        sums.iter_mut().zip(right).for_each(|(sum, right)| *sum = left.mul_add(right, *sum));
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
    fn first_rows_far_from_the_others_cost_few_digits() {
        for far in [1e4, 1e8] {
            let mut rows = table(3000, 6, 0.0);
            rows.slice_mut(s![..BLOCK_ROWS / 2, ..3]).mapv_inplace(|v| v + far);
            let moments = Moments::of(rows.view());
            let centred = &rows - &rows.mean_axis(Axis(0)).unwrap();
            let slow = centred.t().dot(&centred);
            for ((i, j), found) in moments.scatter.indexed_iter() {
                let scale = (slow[[i, i]] * slow[[j, j]]).sqrt();
                assert!((found - slow[[i, j]]).abs() < 1e-13 * scale, "{far} {i} {j}");
            }
        }
    }

    #[test]
    fn constants_do_not_scatter() {
        let rows = Array2::from_shape_fn((1000, 2), |(i, j)| if j == 0 { 0.1 } else { i as f64 });
        let moments = Moments::of(rows.view());
        assert_eq!(moments.mean[0], 0.1);
        assert_eq!((moments.scatter[[0, 0]], moments.scatter[[0, 1]]), (0.0, 0.0));
    }

    #[test]
    fn registers_and_their_scalar_twin_give_the_same_bits() {
        for (d, k) in [(1, 1), (4, 8), (20, 12), (27, 17), (33, 40)] {
            let mut block = Block::new(d);
            block.fill(table(BLOCK_ROWS - 3, d, 0.0).view(), Array1::ones(d).view());
            let stride = block.stride;
            let (mut sums, mut fast) = (vec![0.0; stride], vec![0.5; stride * stride]);
            let mut slow = fast.clone();
            block.add_to(&mut sums, &mut fast);
            add_products::<[f64; LANES]>(&block, &mut slow);
            assert_eq!(fast, slow);
            let width = usize::next_multiple_of(k, LANES);
            let weights = table(d, width, 0.0).into_raw_vec_and_offset().0;
            let (mut fast, mut slow) =
                (vec![0.0; BLOCK_ROWS * width], vec![0.0; BLOCK_ROWS * width]);
            block.multiply(&weights, width, &mut fast);
            multiply::<[f64; LANES]>(&block, &weights, width, &mut slow);
            assert_eq!(fast, slow);
        }
    }

    #[test]
    fn projection_is_the_matrix_product() {
        for (n, d, k) in [(1, 3, 2), (200, 20, 10), (131, 9, 9), (77, 40, 33)] {
            let (rows, weights) = (table(n, d, 5.0), table(d, k, 0.0));
            let mean = rows.mean_axis(Axis(0)).unwrap();
            let slow = (&rows - &mean).dot(&weights);
            let fast = project(rows.view(), mean.view(), weights.view());
            assert!((&fast - &slow).iter().all(|e| e.abs() < 1e-12));
        }
    }
}
