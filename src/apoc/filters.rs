//! Blocks of an image become blocks of features: blurs, and what the nearest neighbours say.
//!
//! A block carries the pixels around it that its filters reach, as far as the image has them; beyond the
//! border the border pixel is repeated. So a value depends on its neighbourhood alone, and any division
//! into blocks gives the same bits.

use std::ops::Range;

use super::blur::Taps;
use super::spec::{Inner, Outer};

/// Columns of which the rows under a kernel fit into the nearest cache together.
const STRIP: usize = 512;

/// Whole rows of some layers of an image.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub layers: Range<usize>,
    pub rows: Range<usize>,
    pub width: usize,
    /// In z, y, x order.
    pub values: Vec<f32>,
}

/// Layers and rows of the whole image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub n_layers: usize,
    pub n_rows: usize,
    /// Whether filters reach into other layers.
    pub is_stack: bool,
}

impl Block {
    fn zeros(layers: Range<usize>, rows: Range<usize>, width: usize) -> Self {
        let values = vec![0.0; layers.len() * rows.len() * width];
        Self { layers, rows, width, values }
    }

    /// A row, or the nearest one that is there.
    fn row(&self, z: isize, y: isize) -> &[f32] {
        let inside = |i: isize, range: &Range<usize>| {
            i.clamp(range.start as isize, range.end as isize - 1) as usize - range.start
        };
        let row = inside(z, &self.layers) * self.rows.len() + inside(y, &self.rows);
        &self.values[row * self.width..(row + 1) * self.width]
    }

    /// Each row of the block with its layer and number.
    fn rows_mut(&mut self) -> impl Iterator<Item = (isize, isize, &mut [f32])> {
        let (first, rows) = (self.layers.start, self.rows.clone());
        self.values.chunks_exact_mut(self.width).enumerate().map(move |(i, row)| {
            let (z, y) = (first + i / rows.len(), rows.start + i % rows.len());
            (z as isize, y as isize, row)
        })
    }

    /// The part of the block with these layers and rows.
    fn part(&self, layers: Range<usize>, rows: Range<usize>) -> Self {
        let mut part = Self::zeros(layers, rows, self.width);
        for (z, y, row) in part.rows_mut() {
            row.copy_from_slice(self.row(z, y));
        }
        part
    }
}

/// A range with `reach` more on each side, as far as the image goes.
pub(super) fn around(range: &Range<usize>, reach: usize, length: usize) -> Range<usize> {
    range.start.saturating_sub(reach)..(range.end + reach).min(length)
}

/// A feature's first filter on these layers and rows, from a block that holds all it reaches.
pub(super) fn inner(
    source: &Block,
    filter: Inner,
    size: Size,
    layers: &Range<usize>,
    rows: &Range<usize>,
) -> Block {
    let blurred = |sigma: f64| gaussian(source, sigma, size, layers, rows);
    match filter {
        Inner::Original => source.part(layers.clone(), rows.clone()),
        Inner::GaussianBlur(sigma) => blurred(sigma),
        Inner::DifferenceOfGaussian(sigma) => {
            let mut narrow = blurred(sigma * 0.9);
            let wide = blurred(sigma * 1.1);
            narrow.values.iter_mut().zip(&wide.values).for_each(|(a, b)| *a -= b);
            narrow
        }
    }
}

/// Along x, then y, then z, each rounded to a single.
fn gaussian(
    source: &Block,
    sigma: f64,
    size: Size,
    layers: &Range<usize>,
    rows: &Range<usize>,
) -> Block {
    let Some(taps) = Taps::of(sigma) else {
        return source.part(layers.clone(), rows.clone());
    };
    let r = taps.radius();
    let all_layers = if size.is_stack { around(layers, r, size.n_layers) } else { layers.clone() };
    let all_rows = around(rows, r, size.n_rows);
    let over_x = along_x(source, &taps, all_layers.clone(), all_rows);
    let over_y = along_lines(&over_x, &taps, all_layers, rows.clone(), |block, z, y, offset| {
        block.row(z, y + offset)
    });
    if !size.is_stack {
        return over_y;
    }
    along_lines(&over_y, &taps, layers.clone(), rows.clone(), |block, z, y, offset| {
        block.row(z + offset, y)
    })
}

fn along_x(source: &Block, taps: &Taps, layers: Range<usize>, rows: Range<usize>) -> Block {
    let mut out = Block::zeros(layers, rows, source.width);
    let (r, width) = (taps.radius(), source.width);
    let mut padded = vec![0.0; width + 2 * r];
    for (z, y, out) in out.rows_mut() {
        let row = source.row(z, y);
        padded[..r].fill(row[0]);
        padded[r..r + width].copy_from_slice(row);
        padded[r + width..].fill(row[width - 1]);
        let shifted: Vec<&[f32]> = (0..taps.weights.len()).map(|t| &padded[t..t + width]).collect();
        taps.mean(&shifted, out);
    }
    out
}

fn along_lines(
    source: &Block,
    taps: &Taps,
    layers: Range<usize>,
    rows: Range<usize>,
    line: for<'a> fn(&'a Block, isize, isize, isize) -> &'a [f32],
) -> Block {
    let mut out = Block::zeros(layers, rows, source.width);
    let r = taps.radius() as isize;
    let mut lines = Vec::with_capacity(taps.weights.len());
    // Narrow strips from top to bottom: the lines of one row are still near when the next needs them.
    for start in (0..source.width).step_by(STRIP) {
        let strip = start..(start + STRIP).min(source.width);
        for (z, y, out) in out.rows_mut() {
            lines.clear();
            lines.extend((-r..=r).map(|offset| &line(source, z, y, offset)[strip.clone()]));
            taps.mean(&lines, &mut out[strip.clone()]);
        }
    }
    out
}

/// A feature's second filter: from a block with one more row (and layer) around.
pub(super) fn outer(
    source: &Block,
    filter: Outer,
    size: Size,
    layers: &Range<usize>,
    rows: &Range<usize>,
) -> Block {
    let mut out = Block::zeros(layers.clone(), rows.clone(), source.width);
    for (z, y, out) in out.rows_mut() {
        match (filter, size.is_stack) {
            (Outer::Sobel, false) => {
                let rows: [Padded; 3] =
                    std::array::from_fn(|i| Padded::of(source, z, y + i as isize - 1));
                sobel(&rows, out);
            }
            (Outer::Sobel, true) => {
                let rows: [Padded; 9] = std::array::from_fn(|i| {
                    Padded::of(source, z + (i / 3) as isize - 1, y + (i % 3) as isize - 1)
                });
                sobel_stack(&rows, out);
            }
            (Outer::LaplaceBox, false) => {
                let [above, here, below] =
                    std::array::from_fn(|i| Padded::of(source, z, y + i as isize - 1));
                for (x, out) in out.iter_mut().enumerate() {
                    let at = |row: &Padded, i: usize| f64::from(row.0[x + i]);
                    let around: f64 = [&above, &below]
                        .map(|row| at(row, 0) + at(row, 1) + at(row, 2))
                        .iter()
                        .sum();
                    *out = (8.0 * at(&here, 1) - at(&here, 0) - at(&here, 2) - around) as f32;
                }
            }
            // In stacks clEsperanto weighs the centre 1, not 26, and sums singles along x, y, z.
            (Outer::LaplaceBox, true) => {
                let rows: [Padded; 9] = std::array::from_fn(|i| {
                    Padded::of(source, z + (i / 3) as isize - 1, y + (i % 3) as isize - 1)
                });
                for (x, out) in out.iter_mut().enumerate() {
                    *out = 0.0;
                    for (dx, dy, dz) in neighbours_of_a_stack() {
                        let value = rows[3 * dz + dy].0[x + dx];
                        *out += if (dx, dy, dz) == (1, 1, 1) { value } else { -value };
                    }
                }
            }
            (Outer::LaplaceDiamond, _) => {
                let here = Padded::of(source, z, y);
                let mut near: Vec<&[f32]> = vec![source.row(z, y - 1), source.row(z, y + 1)];
                if size.is_stack {
                    near.extend([source.row(z - 1, y), source.row(z + 1, y)]);
                }
                let n = near.len() + 2;
                for (x, out) in out.iter_mut().enumerate() {
                    let sides = f64::from(here.0[x]) + f64::from(here.0[x + 2]);
                    let others: f64 = near.iter().map(|row| f64::from(row[x])).sum();
                    *out = (n as f64 * f64::from(here.0[x + 1]) - sides - others) as f32;
                }
            }
        }
    }
    out
}

/// The 27 neighbours, x slowest: the order in which a stack's box is summed.
fn neighbours_of_a_stack() -> impl Iterator<Item = (usize, usize, usize)> {
    (0..27).map(|i| (i / 9, i / 3 % 3, i % 3))
}

/// A row with its first and last pixel repeated once.
struct Padded(Vec<f32>);

impl Padded {
    fn of(source: &Block, z: isize, y: isize) -> Self {
        let row = source.row(z, y);
        let mut padded = Vec::with_capacity(row.len() + 2);
        padded.push(row[0]);
        padded.extend_from_slice(row);
        padded.push(row[row.len() - 1]);
        Self(padded)
    }
}

/// The length of the gradient by Sobel's weights, not normalised.
fn sobel(rows: &[Padded; 3], out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        #[expect(unsafe_code, reason = "wider registers are chosen at run time")]
        // SAFETY: the processor was just found to have AVX2 and FMA.
        unsafe {
            sobel_avx2(rows, out);
        }
        return;
    }
    sobel_scalar(rows, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn sobel_avx2(rows: &[Padded; 3], out: &mut [f32]) {
    sobel_scalar(rows, out);
}

#[inline(always)]
fn sobel_scalar(rows: &[Padded; 3], out: &mut [f32]) {
    let n = out.len();
    let [a, b, c] = rows.each_ref().map(|row| &row.0[..n + 2]);
    for (x, out) in out.iter_mut().enumerate() {
        let [above, here, below] = [a, b, c].map(|row| [0, 1, 2].map(|i| f64::from(row[x + i])));
        let over_x = (above[2] - above[0]) + 2.0 * (here[2] - here[0]) + (below[2] - below[0]);
        let over_y = (below[0] - above[0]) + 2.0 * (below[1] - above[1]) + (below[2] - above[2]);
        let (over_x, over_y) = (over_x as f32, over_y as f32);
        *out = over_x.mul_add(over_x, over_y * over_y).sqrt();
    }
}

/// The same in three dimensions. clEsperanto reads beyond its weights there: its numbers are no standard.
fn sobel_stack(rows: &[Padded; 9], out: &mut [f32]) {
    const SMOOTH: [f64; 3] = [1.0, 2.0, 1.0];
    const SLOPE: [f64; 3] = [-1.0, 0.0, 1.0];
    for (x, out) in out.iter_mut().enumerate() {
        let mut slopes = [0.0; 3];
        for (dx, dy, dz) in neighbours_of_a_stack() {
            let value = f64::from(rows[3 * dz + dy].0[x + dx]);
            slopes[0] += SLOPE[dx] * SMOOTH[dy] * SMOOTH[dz] * value;
            slopes[1] += SMOOTH[dx] * SLOPE[dy] * SMOOTH[dz] * value;
            slopes[2] += SMOOTH[dx] * SMOOTH[dy] * SLOPE[dz] * value;
        }
        let [over_x, over_y, over_z] = slopes.map(|slope| slope as f32);
        *out = over_x.mul_add(over_x, over_y.mul_add(over_y, over_z * over_z)).sqrt();
    }
}
