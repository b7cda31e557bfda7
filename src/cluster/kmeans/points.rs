//! A matrix in; out come its rows as K-means wants to read them: in an order that the table's order does
//! not decide, centred, scaled, in double precision by row and in single precision by tiles.

use std::cmp::Ordering;

use ndarray::ArrayView2;
use rayon::prelude::*;

use crate::embed::not_finite;
use crate::error::{Error, Result};
use crate::seed::mix;

/// Rows per tile of single-precision numbers: two vectors of eight.
pub(super) const TILE: usize = 16;
/// Rows whose sums are formed one after the other; sums of blocks are combined in order, so that the
/// result does not depend on the number of threads.
pub(super) const BLOCK: usize = 4096;
/// Columns of a row are padded with zeros to a multiple of this.
pub(super) const LANES: usize = 4;

/// The rows of a table, centred and scaled by one power of two so that the largest value is about 1.
///
/// Rows stand in the order of a hash of their values in single precision. So neither the order of the
/// table nor the last digits of a standardization decide which rows a seed picks, or how sums round.
pub(super) struct Points {
    pub(super) n: usize,
    pub(super) d: usize,
    /// Numbers per row in `rows`: `d` padded to [`LANES`].
    pub(super) stride: usize,
    /// For each position here, the row of the table.
    pub(super) order: Vec<u32>,
    pub(super) mean: Vec<f64>,
    pub(super) scale: f64,
    pub(super) rows: Vec<f64>,
    /// Tiles of 16 rows: the 16 values of the first column, of the second, ...; zeros after the last row.
    pub(super) tiles: Vec<f32>,
    /// Length of each row, for the rounding bound; zeros after the last row.
    pub(super) lengths: Vec<f32>,
    /// Length of the longest row of each tile, rounded up.
    pub(super) reach: Vec<f32>,
    /// Sum over columns of the variance (divided by n), in scaled units.
    pub(super) variance: f64,
}

/// A table with its rows in order, for K-means on many samples of them.
pub(crate) struct SortedTable<'a> {
    pub(super) matrix: ArrayView2<'a, f64>,
    keys: Vec<(u64, u32)>,
}

impl<'a> SortedTable<'a> {
    pub(crate) fn new(matrix: ArrayView2<'a, f64>) -> Self {
        Self { matrix, keys: ordered_keys(matrix) }
    }
}

impl Points {
    pub(super) fn new(matrix: ArrayView2<'_, f64>, names: &[String]) -> Result<Self> {
        let n = matrix.nrows();
        if u32::try_from(n).is_err() {
            return Err(Error::data(format!("{n} rows are more than K-means can take")));
        }
        Self::of(matrix, names, ordered_keys(matrix))
    }

    /// Those of some rows of a table, ascending: as if the table had no others.
    pub(super) fn of_sample(table: &SortedTable<'_>, rows: &[usize]) -> Result<Self> {
        let mut places = vec![u32::MAX; table.matrix.nrows()];
        (0..).zip(rows).for_each(|(place, &row)| places[row] = place);
        let is_drawn = |&&(_, row): &&(u64, u32)| places[row as usize] < u32::MAX;
        let mut points =
            Self::of(table.matrix, &[], table.keys.iter().filter(is_drawn).copied().collect())?;
        points.order.iter_mut().for_each(|row| *row = places[*row as usize]);
        Ok(points)
    }

    /// Those of the rows of these keys.
    fn of(matrix: ArrayView2<'_, f64>, names: &[String], keys: Vec<(u64, u32)>) -> Result<Self> {
        let (n, d) = (keys.len(), matrix.ncols());
        let stride = d.next_multiple_of(LANES);
        let mut rows = vec![0.0; n * stride];
        let (mean, largest) = gather(matrix, &keys, &mut rows, stride);
        if !largest.is_finite() {
            return Err(not_finite(matrix, names));
        }
        // Rounding to a power of two changes no digits of the rows.
        let scale = if largest > 0.0 {
            (-largest.log2().ceil()).clamp(-1000.0, 1000.0).exp2()
        } else {
            1.0
        };
        let mut points = Self {
            n,
            d,
            stride,
            order: keys.into_iter().map(|(_, row)| row).collect(),
            mean,
            scale,
            rows,
            tiles: vec![0.0; n.div_ceil(TILE) * TILE * d],
            lengths: vec![0.0; n.div_ceil(TILE) * TILE],
            reach: Vec::new(),
            variance: 0.0,
        };
        points.centre_and_tile();
        points.reach = points
            .lengths
            .chunks_exact(TILE)
            .map(|lengths| 1.000_001 * lengths.iter().fold(0.0f32, |a, &b| a.max(b)))
            .collect();
        Ok(points)
    }

    pub(super) fn row(&self, position: usize) -> &[f64] {
        &self.rows[position * self.stride..][..self.stride]
    }

    pub(super) fn n_blocks(&self) -> usize {
        self.n.div_ceil(BLOCK)
    }

    /// The number of rows that differ from each other, counted up to `wanted`.
    pub(super) fn n_distinct_up_to(&self, wanted: usize) -> usize {
        // Equal rows are neighbours here.
        let changes = (1..self.n).filter(|&i| self.row(i) != self.row(i - 1));
        1 + changes.take(wanted.saturating_sub(1)).count()
    }

    /// Fills what follows from the gathered rows: centred values, tiles, lengths, variance.
    fn centre_and_tile(&mut self) {
        let (d, stride, scale) = (self.d, self.stride, self.scale);
        let mean = &self.mean;
        let squares: Vec<f64> = self
            .rows
            .par_chunks_mut(BLOCK * stride)
            .zip(self.tiles.par_chunks_mut(BLOCK * d))
            .zip(self.lengths.par_chunks_mut(BLOCK))
            .map(|((rows, tiles), lengths)| {
                let mut total = 0.0;
                for (i, row) in rows.chunks_exact_mut(stride).enumerate() {
                    let tile = &mut tiles[i / TILE * TILE * d..];
                    let mut square = 0.0;
                    for (j, (value, &mean)) in row.iter_mut().zip(mean).enumerate() {
                        *value = (*value - mean) * scale;
                        tile[j * TILE + i % TILE] = *value as f32;
                        square += *value * *value;
                    }
                    lengths[i] = square.sqrt() as f32;
                    total += square;
                }
                total
            })
            .collect();
        self.variance = squares.iter().sum::<f64>() / self.n as f64;
    }
}

/// (hash, row) of every row, by hash and then by values.
fn ordered_keys(matrix: ArrayView2<'_, f64>) -> Vec<(u64, u32)> {
    let mut keys: Vec<(u64, u32)> = (0..matrix.nrows())
        .into_par_iter()
        .with_min_len(BLOCK)
        .map(|i| {
            // Adding 0 makes -0 and 0 one value.
            let hash = matrix
                .row(i)
                .iter()
                .fold(0, |hash: u64, &value| mix(hash ^ u64::from((value as f32 + 0.0).to_bits())));
            (hash, i as u32)
        })
        .collect();
    keys.par_sort_unstable_by(|a, b| {
        let values = || matrix.row(a.1 as usize).iter().partial_cmp(matrix.row(b.1 as usize));
        a.0.cmp(&b.0).then_with(|| values().unwrap_or(Ordering::Equal)).then(a.1.cmp(&b.1))
    });
    keys
}

/// Copies the rows in the order of the keys; the column means and the largest distance from them.
fn gather(
    matrix: ArrayView2<'_, f64>,
    keys: &[(u64, u32)],
    rows: &mut [f64],
    stride: usize,
) -> (Vec<f64>, f64) {
    let d = matrix.ncols();
    let parts: Vec<_> = rows
        .par_chunks_mut(BLOCK * stride)
        .zip(keys.par_chunks(BLOCK))
        .map(|(rows, keys)| {
            let mut sums = vec![0.0; d];
            let (mut low, mut high) = (vec![f64::INFINITY; d], vec![f64::NEG_INFINITY; d]);
            for (target, &(_, row)) in rows.chunks_exact_mut(stride).zip(keys) {
                for (j, &value) in matrix.row(row as usize).iter().enumerate() {
                    target[j] = value;
                    sums[j] += value;
                    low[j] = low[j].min(value);
                    high[j] = high[j].max(value);
                }
            }
            (sums, low, high)
        })
        .collect();
    let mut mean = vec![0.0; d];
    let (mut low, mut high) = (vec![f64::INFINITY; d], vec![f64::NEG_INFINITY; d]);
    for (part, part_low, part_high) in &parts {
        for j in 0..d {
            mean[j] += part[j];
            low[j] = low[j].min(part_low[j]);
            high[j] = high[j].max(part_high[j]);
        }
    }
    for m in &mut mean {
        *m /= keys.len() as f64;
    }
    let largest = mean
        .iter()
        .zip(low.iter().zip(&high))
        .map(|(&m, (&low, &high))| if m.is_finite() { (high - m).max(m - low) } else { m.abs() })
        .fold(0.0f64, |a, b| if b.is_nan() || a.is_nan() { f64::NAN } else { a.max(b) });
    (mean, largest)
}
