//! Sums of products of all pairs of columns, in one pass over the rows.
//!
//! Rows are taken in fixed blocks, which any thread may sum, and the blocks are added in order: the same bits on
//! any number of threads. Inside a block, tiles of rows stay in the first-level cache while all pairs are formed,
//! two columns against four at a time, so that every number loaded is used several times.

use std::borrow::Cow;
use std::ops::Range;

use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;

/// Rows summed by one thread at a time.
const BLOCK: usize = 4096;
/// Rows of a tile: 20 columns of 128 numbers are 20 kB.
const TILE: usize = 128;
/// Blocks whose sums are in memory at a time.
const WAVE: usize = 32;
/// Columns are padded to a multiple of this.
const GROUP: usize = 4;
/// Sums side by side, so that an addition does not wait for the one before.
const LANES: usize = 4;

/// Numbers in columns, of whatever memory layout.
pub(super) enum Columns<'a> {
    Matrix(ArrayView2<'a, f64>),
    Slices(&'a [Cow<'a, [f64]>]),
}

impl Columns<'_> {
    pub(super) fn shape(&self) -> (usize, usize) {
        match self {
            Self::Matrix(matrix) => matrix.dim(),
            Self::Slices(columns) => (columns.first().map_or(0, |c| c.len()), columns.len()),
        }
    }

    /// Copies rows of column `j`.
    pub(super) fn copy(&self, j: usize, rows: Range<usize>, to: &mut [f64]) {
        match self {
            Self::Slices(columns) => to.copy_from_slice(&columns[j][rows]),
            Self::Matrix(matrix) => {
                to.iter_mut().zip(matrix.slice(s![rows, j])).for_each(|(to, &x)| *to = x);
            }
        }
    }

    /// The whole column `j`.
    pub(super) fn column(&self, j: usize) -> Cow<'_, [f64]> {
        match self {
            Self::Slices(columns) => Cow::Borrowed(&columns[j]),
            Self::Matrix(matrix) => Cow::Owned(matrix.column(j).to_vec()),
        }
    }
}

/// Co-moments about the means: `sum((x_i - mean_i) (x_j - mean_j))`; NaN in rows and columns with a NaN.
pub(super) fn comoments(columns: &Columns) -> Array2<f64> {
    let (n, d) = columns.shape();
    // Near the mean already, so that hardly anything cancels when the true mean is put in at the end.
    let near: Vec<f64> = (0..d).map(|j| near_mean(columns, j)).collect();
    let starts: Vec<usize> = (0..n).step_by(BLOCK).collect();
    let mut total = Sums::zero(d);
    for wave in starts.chunks(WAVE) {
        let sums = |&start: &usize| block(columns, start..(start + BLOCK).min(n), &near);
        let wave: Vec<Sums> = wave.par_iter().map(sums).collect();
        for sums in &wave {
            total.add(sums);
        }
    }
    let first = &total.first;
    Array2::from_shape_fn((d, d), |(i, j)| {
        let about_near = total.products[i.max(j) * total.width + i.min(j)];
        let about_mean = about_near - first[i] * first[j] / n as f64;
        if i == j { super::varying(about_mean, n, near[j]) } else { about_mean }
    })
}

/// The mean of the first block.
fn near_mean(columns: &Columns, j: usize) -> f64 {
    let rows = columns.shape().0.min(BLOCK);
    let mut head = vec![0.0; rows];
    columns.copy(j, 0..rows, &mut head);
    head.iter().sum::<f64>() / rows as f64
}

/// Sums and sums of products; the lower triangle of `products` is filled.
struct Sums {
    width: usize,
    first: Vec<f64>,
    products: Vec<f64>,
}

impl Sums {
    fn zero(d: usize) -> Self {
        let width = d.next_multiple_of(GROUP);
        Self { width, first: vec![0.0; width], products: vec![0.0; width * width] }
    }

    fn add(&mut self, other: &Self) {
        self.first.iter_mut().zip(&other.first).for_each(|(a, b)| *a += b);
        self.products.iter_mut().zip(&other.products).for_each(|(a, b)| *a += b);
    }
}

fn block(columns: &Columns, rows: Range<usize>, near: &[f64]) -> Sums {
    let d = near.len();
    let mut sums = Sums::zero(d);
    let mut tile = vec![0.0; sums.width * TILE];
    for start in rows.clone().step_by(TILE) {
        let n = TILE.min(rows.end - start);
        for (j, (column, &near)) in tile.chunks_exact_mut(TILE).zip(near).enumerate() {
            columns.copy(j, start..start + n, &mut column[..n]);
            column[..n].iter_mut().for_each(|x| *x -= near);
            column[n..].fill(0.0);
            sums.first[j] += column.iter().sum::<f64>();
        }
        products(&tile, &mut sums);
    }
    sums
}

/// Adds the products of all pairs of columns of a tile.
fn products(tile: &[f64], sums: &mut Sums) {
    let column = |j: usize| &tile[j * TILE..(j + 1) * TILE];
    for i in (0..sums.width).step_by(2) {
        for j in (0..=i).step_by(GROUP) {
            let two = [column(i), column(i + 1)];
            let four = [column(j), column(j + 1), column(j + 2), column(j + 3)];
            let dots = two_by_four(two, four);
            for (a, dots) in dots.iter().enumerate() {
                let row = &mut sums.products[(i + a) * sums.width + j..][..GROUP];
                row.iter_mut().zip(dots).for_each(|(sum, dot)| *sum += dot);
            }
        }
    }
}

/// Eight scalar products at once.
#[inline]
fn two_by_four(two: [&[f64]; 2], four: [&[f64]; 4]) -> [[f64; 4]; 2] {
    let mut sums = [[[0.0; LANES]; 4]; 2];
    let two = two.map(|c| c.as_chunks::<LANES>().0);
    let four = four.map(|c| c.as_chunks::<LANES>().0);
    for k in 0..TILE / LANES {
        for a in 0..2 {
            for b in 0..4 {
                for lane in 0..LANES {
                    sums[a][b][lane] += two[a][k][lane] * four[b][k][lane];
                }
            }
        }
    }
    sums.map(|row| row.map(|lanes| (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])))
}
