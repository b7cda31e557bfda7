//! Charges on the nodes of a mesh enter; their potential on the nodes leaves.

use std::sync::Arc;

use rayon::prelude::*;
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::{Fft, FftPlanner};

use super::mesh::Grid;
use crate::kernels::tsne_forces::NearPart;

/// Lines that one task transforms.
const LINES: usize = 8;

/// From charges to the potential on the nodes: plans for one size and spacing, and the kernel's transform.
pub(super) struct Convolution {
    spacing: f32,
    /// Twice the nodes, so that the ends of the map do not meet, rounded up to a fast size.
    pub(super) size: [usize; 2],
    row_forward: Arc<dyn RealToComplex<f32>>,
    row_inverse: Arc<dyn ComplexToReal<f32>>,
    column_forward: Arc<dyn Fft<f32>>,
    column_inverse: Arc<dyn Fft<f32>>,
    /// Half a spectrum, column by column.
    kernel: Vec<f32>,
    /// Mean potential of a point at its own place: 1, but for the mesh.
    pub(super) own_potential: f64,
}

impl Convolution {
    pub(super) fn new(grid: &Grid) -> Self {
        let size = grid.n_nodes.map(|n| fast_size(2 * n));
        let (mut real, mut complex) = (RealFftPlanner::new(), FftPlanner::new());
        let mut convolution = Self {
            spacing: grid.spacing,
            size,
            row_forward: real.plan_fft_forward(size[0]),
            row_inverse: real.plan_fft_inverse(size[0]),
            column_forward: complex.plan_fft_forward(size[1]),
            column_inverse: complex.plan_fft_inverse(size[1]),
            kernel: Vec::new(),
            own_potential: 0.0,
        };
        convolution.prepare_kernel(grid.near());
        convolution
    }

    /// Large enough, and not so large that smaller transforms would pay.
    pub(super) fn fits(&self, grid: &Grid) -> bool {
        let wanted = grid.n_nodes.map(|n| fast_size(2 * n));
        let area = |size: [usize; 2]| size[0] * size[1];
        self.spacing == grid.spacing
            && wanted[0] <= self.size[0]
            && wanted[1] <= self.size[1]
            && 2 * area(self.size) <= 3 * area(wanted)
    }

    /// Transforms the kernel and divides by the splines' responses, once for spreading and once for reading, so
    /// that the kernel is interpolated between the nodes. All is even, so the spectrum is real.
    fn prepare_kernel(&mut self, near: Option<NearPart>) {
        let [nx, ny] = self.size;
        let (half_x, half_y) = (nx / 2 + 1, ny / 2 + 1);
        let spacing = self.spacing;
        let fold = |k: usize, n: usize| k.min(n - k) as f32 * spacing;
        let rows: Vec<Vec<f32>> = (0..half_y)
            .into_par_iter()
            .map(|j| {
                let y = fold(j, ny);
                let potential = |i| {
                    let square = fold(i, nx).powi(2) + y * y;
                    near.map_or(1.0 / (1.0 + square), |near| near.far(square))
                };
                let mut row: Vec<f32> = (0..nx).map(potential).collect();
                let mut spectrum = self.row_forward.make_output_vec();
                // The lengths come from the plan itself, so this cannot fail.
                let _ = self.row_forward.process(&mut row, &mut spectrum);
                spectrum.iter().map(|c| c.re).collect()
            })
            .collect();
        let scale = 1.0 / (nx * ny) as f64;
        let (across, along) = (Response::axis(nx), Response::axis(ny));
        let columns: Vec<(Vec<f32>, f64)> = (0..half_x)
            .into_par_iter()
            .map(|i| {
                let mut column: Vec<Complex<f32>> =
                    (0..ny).map(|j| Complex::new(rows[j.min(ny - j)][i], 0.0)).collect();
                self.column_forward.process(&mut column);
                // Columns between the ends stand for two.
                let twice = if i == 0 || 2 * i == nx { 1.0 } else { 2.0 };
                let mut own = 0.0;
                for (value, along) in column.iter_mut().zip(&along) {
                    let sharp = scale * f64::from(value.re) / (across[i].twice * along.twice);
                    own += twice * sharp * across[i].own * along.own;
                    value.re = sharp as f32;
                }
                (column[..half_y].iter().map(|c| c.re).collect(), own)
            })
            .collect();
        self.own_potential = columns.iter().map(|c| c.1).sum();
        self.kernel = columns.into_iter().flat_map(|c| c.0).collect();
    }

    /// Turns the charges of the first `n_rows` rows of `nodes` into the potential there.
    pub(super) fn run(
        &self,
        n_rows: usize,
        nodes: &mut [f32],
        spectrum: &mut Vec<Complex<f32>>,
        columns: &mut Vec<Complex<f32>>,
    ) {
        let [nx, ny] = self.size;
        let (half_x, half_y) = (nx / 2 + 1, ny / 2 + 1);
        let zero = Complex::new(0.0, 0.0);
        let tasks = n_rows.div_ceil(LINES);
        spectrum.resize(tasks * LINES * half_x, zero);
        columns.resize(half_x * ny, zero);

        let rows = nodes.par_chunks_mut(LINES * nx).zip(spectrum.par_chunks_mut(LINES * half_x));
        rows.for_each_init(
            || self.row_forward.make_scratch_vec(),
            |scratch, (nodes, spectrum)| {
                for (row, spectrum) in nodes.chunks_mut(nx).zip(spectrum.chunks_mut(half_x)) {
                    // The lengths come from the plan itself, so this cannot fail.
                    let _ = self.row_forward.process_with_scratch(row, spectrum, scratch);
                }
            },
        );
        let spectrum = &*spectrum;
        columns.par_chunks_mut(LINES * ny).enumerate().for_each_init(
            || vec![zero; self.column_forward.get_inplace_scratch_len()],
            |scratch, (task, columns)| {
                let first = task * LINES;
                for (j, row) in spectrum.chunks(half_x).take(n_rows).enumerate() {
                    for (column, value) in columns.chunks_mut(ny).zip(&row[first..]) {
                        column[j] = *value;
                    }
                }
                for (column, i) in columns.chunks_mut(ny).zip(first..) {
                    column[n_rows..].fill(zero);
                    self.column_forward.process_with_scratch(column, scratch);
                    let kernel = &self.kernel[i * half_y..(i + 1) * half_y];
                    for (value, k) in column.iter_mut().zip(kernel) {
                        *value *= k;
                    }
                    for (value, k) in column[1..].iter_mut().rev().zip(&kernel[1..half_y - 1]) {
                        *value *= k;
                    }
                    self.column_inverse.process_with_scratch(column, scratch);
                }
            },
        );
        let columns = &*columns;
        nodes.par_chunks_mut(LINES * nx).enumerate().take(tasks).for_each_init(
            || (vec![zero; LINES * half_x], self.row_inverse.make_scratch_vec()),
            |(spectrum, scratch), (task, nodes)| {
                let first = task * LINES;
                for (i, column) in columns.chunks(ny).enumerate() {
                    for (k, value) in column[first..first + LINES].iter().enumerate() {
                        spectrum[k * half_x + i] = *value;
                    }
                }
                for (row, spectrum) in nodes.chunks_mut(nx).zip(spectrum.chunks_mut(half_x)) {
                    // Exactly real in theory; the inverse wants it so.
                    spectrum[0].im = 0.0;
                    spectrum[half_x - 1].im = 0.0;
                    let _ = self.row_inverse.process_with_scratch(spectrum, row, scratch);
                }
            },
        );
    }
}

/// Responses of the splines at frequency `k` of `n`.
struct Response {
    /// Of spreading and reading at nodes: the cubic B-spline at the integers is 4/6, 1/6; squared.
    twice: f64,
    /// Of both for a point anywhere, on average: the B-spline of order 8 at the integers.
    own: f64,
}

impl Response {
    fn axis(n: usize) -> Vec<Self> {
        (0..n).map(|k| Self::at(k, n)).collect()
    }

    fn at(k: usize, n: usize) -> Self {
        let angle = 2.0 * std::f64::consts::PI * k as f64 / n as f64;
        let once = (4.0 + 2.0 * angle.cos()) / 6.0;
        let order_8 = 2416.0
            + 2.0 * (1191.0 * angle.cos() + 120.0 * (2.0 * angle).cos() + (3.0 * angle).cos());
        Self { twice: once * once, own: order_8 / 5040.0 }
    }
}

/// The smallest fast length of a transform from `n` on: 16, 48, 80, 144, ... times a power of two.
fn fast_size(n: usize) -> usize {
    let from = |odd: usize| (4..usize::BITS).map(|twos| odd << twos).find(|&size| size >= n);
    [1, 3, 5, 9, 15, 27, 45].into_iter().filter_map(from).min().unwrap_or(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_fast_and_large_enough() {
        let sizes: Vec<usize> = [1, 17, 33, 49, 130, 700, 1025].map(fast_size).into();
        assert_eq!(sizes, [16, 32, 48, 64, 144, 720, 1152]);
    }
}
