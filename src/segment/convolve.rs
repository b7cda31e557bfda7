//! Even and odd kernels along z, y and x: the separable sums behind the linear filters.
//!
//! Every sum runs over the taps from the outermost pair to the centre, so a value depends on its
//! neighbourhood alone: blocks of an image give the bits of the whole.

use std::ops::Range;

use rayon::prelude::*;

use super::field::Field;
use crate::kernels::large_pages::zeros;

/// The weights of the centre and of the pixels after it; those before it are the same, negative in an
/// odd kernel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kernel {
    pub weights: Vec<f32>,
    pub is_odd: bool,
}

/// What lies beyond the border.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Border {
    /// The border pixel, again and again.
    Nearest,
    /// The image mirrored, the border pixel included: scipy's `reflect`.
    Reflect,
}

impl Border {
    /// The pixel of a line of `length` that stands for position `i`.
    pub(super) fn inside(self, i: isize, length: usize) -> usize {
        let last = length as isize - 1;
        match self {
            Self::Nearest => i.clamp(0, last) as usize,
            Self::Reflect => {
                let i = i.rem_euclid(2 * length as isize);
                i.min(2 * last + 1 - i) as usize
            }
        }
    }
}

impl Kernel {
    pub(super) fn even(weights: impl IntoIterator<Item = f64>) -> Self {
        Self { weights: weights.into_iter().map(|w| w as f32).collect(), is_odd: false }
    }

    /// Leaves everything as it is.
    pub(super) fn identity() -> Self {
        Self::even([1.0])
    }

    /// A normalised Gaussian that reaches `radius` pixels, or its first or second derivative as scipy
    /// takes it: the polynomial times the normalised weights.
    pub(super) fn gaussian(sigma: f64, radius: usize, order: usize) -> Self {
        if sigma == 0.0 {
            return Self::identity();
        }
        let x = |i: usize| i as f64 / sigma;
        let weights: Vec<f64> = (0..=radius).map(|i| (-0.5 * x(i).powi(2)).exp()).collect();
        let sum = weights[0] + 2.0 * weights[1..].iter().sum::<f64>();
        let polynomial = |i: usize| match order {
            0 => 1.0,
            1 => x(i) / sigma,
            _ => (x(i).powi(2) - 1.0) / (sigma * sigma),
        };
        let weights = weights.iter().enumerate().map(|(i, w)| w / sum * polynomial(i));
        Self { is_odd: order == 1, ..Self::even(weights) }
    }

    pub(super) fn radius(&self) -> usize {
        self.weights.len() - 1
    }
}

/// Values that are summed at once; they stay in registers while the taps pass by.
const LANES: usize = 32;
/// Rows that one task convolves.
const ROWS: usize = 32;
/// Columns of which the lines under a kernel fit into the nearest cache together.
const STRIP: usize = 256;

/// The field convolved with one kernel for each of the axes z, y, x; a plane has no z to convolve.
pub(super) fn convolve(field: &Field, kernels: [&Kernel; 3], border: Border) -> Field {
    convolve_rows(field, kernels, border, 0..field.extent()[1])
}

/// The same, of which only `rows` of every layer are wanted.
pub(super) fn convolve_rows(
    field: &Field,
    kernels: [&Kernel; 3],
    border: Border,
    rows: Range<usize>,
) -> Field {
    let [nz, ny, nx] = field.extent();
    let [over_z, over_y, over_x] = kernels;
    let extent = [nz, rows.len(), nx];
    let mut values = zeros(extent.iter().product());
    let convolved;
    let source = if nz == 1 || over_z.radius() == 0 {
        field.values()
    } else {
        convolved = over_layers(field, over_z, border);
        &convolved
    };
    let line_above = |row: usize, offset: isize| {
        let (z, y) = (row / rows.len(), rows.start + row % rows.len());
        let y = border.inside(y as isize + offset, ny);
        &source[(z * ny + y) * nx..][..nx]
    };
    values.par_chunks_mut(nx * ROWS).enumerate().for_each(|(block, out)| {
        let n_rows = out.len() / nx;
        let lines: Vec<Lines<'_>> = (block * ROWS..block * ROWS + n_rows)
            .map(|row| taps(over_y, |offset| line_above(row, offset)))
            .collect();
        let r = over_x.radius();
        let width = nx + 2 * r;
        let mut padded = vec![0.0; n_rows * width];
        // Narrow strips from top to bottom: the lines of one row are still near when the next needs them.
        for start in (0..nx).step_by(STRIP) {
            let strip = start..(start + STRIP).min(nx);
            for (lines, padded) in lines.iter().zip(padded.chunks_exact_mut(width)) {
                sum_lines(over_y, lines, strip.start, &mut padded[r + strip.start..r + strip.end]);
            }
        }
        for (padded, out) in padded.chunks_exact_mut(width).zip(out.chunks_exact_mut(nx)) {
            for i in 0..r {
                padded[i] = padded[r + border.inside(i as isize - r as isize, nx)];
                padded[r + nx + i] = padded[r + border.inside((nx + i) as isize, nx)];
            }
            let shifted = taps(over_x, |offset| &padded[(r as isize + offset) as usize..][..nx]);
            sum_lines(over_x, &shifted, 0, out);
        }
    });
    Field::made(extent, values)
}

fn over_layers(field: &Field, kernel: &Kernel, border: Border) -> Vec<f32> {
    let [nz, ny, nx] = field.extent();
    let mut values = zeros(field.values().len());
    values.par_chunks_mut(nx).enumerate().for_each(|(row, out)| {
        let (z, y) = (row / ny, row % ny);
        let lines = taps(kernel, |offset| {
            let z = border.inside(z as isize + offset, nz);
            &field.values()[(z * ny + y) * nx..][..nx]
        });
        sum_lines(kernel, &lines, 0, out);
    });
    values
}

type Lines<'a> = Vec<[&'a [f32]; 2]>;

/// The pairs of lines before and after the centre that share a weight; the centre is paired with itself.
fn taps<'a>(kernel: &Kernel, line: impl Fn(isize) -> &'a [f32]) -> Lines<'a> {
    (0..kernel.weights.len() as isize).map(|i| [line(-i), line(i)]).collect()
}

/// The weighted sum of lines from position `start` on.
fn sum_lines(kernel: &Kernel, lines: &[[&[f32]; 2]], start: usize, out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "wider registers are chosen at run time")]
        // SAFETY: the processor was just found to have AVX2.
        unsafe {
            sum_lines_avx2(kernel, lines, start, out);
        }
        return;
    }
    sum_lines_scalar(kernel, lines, start, out);
}

/// The same code compiled for AVX2. No fused multiply-add, so that the bits are those of any processor.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn sum_lines_avx2(kernel: &Kernel, lines: &[[&[f32]; 2]], start: usize, out: &mut [f32]) {
    sum_lines_scalar(kernel, lines, start, out);
}

#[expect(clippy::inline_always, reason = "it must be compiled into its caller's instruction set")]
#[inline(always)]
fn sum_lines_scalar(kernel: &Kernel, lines: &[[&[f32]; 2]], start: usize, out: &mut [f32]) {
    if kernel.is_odd {
        sum_pairs::<true>(&kernel.weights, lines, start, out);
    } else {
        sum_pairs::<false>(&kernel.weights, lines, start, out);
    }
}

#[expect(clippy::inline_always, reason = "it must be compiled into its caller's instruction set")]
#[inline(always)]
fn sum_pairs<const ODD: bool>(
    weights: &[f32],
    lines: &[[&[f32]; 2]],
    start: usize,
    out: &mut [f32],
) {
    let join = |before: f32, after: f32| if ODD { after - before } else { after + before };
    let center = if ODD { 0.0 } else { weights[0] };
    let n_whole = out.len() / LANES * LANES;
    let (whole, rest) = out.split_at_mut(n_whole);
    for (block, out) in whole.chunks_exact_mut(LANES).enumerate() {
        let here = start + block * LANES..start + (block + 1) * LANES;
        let mut sums = [0.0f32; LANES];
        for (weight, [before, after]) in weights.iter().zip(lines).skip(1).rev() {
            let (before, after) = (&before[here.clone()], &after[here.clone()]);
            for lane in 0..LANES {
                sums[lane] += weight * join(before[lane], after[lane]);
            }
        }
        let line = &lines[0][0][here];
        for lane in 0..LANES {
            out[lane] = sums[lane] + center * line[lane];
        }
    }
    for (i, out) in rest.iter_mut().enumerate() {
        let i = start + n_whole + i;
        let pairs = weights.iter().zip(lines).skip(1).rev();
        let sum = pairs
            .fold(0.0, |sum, (weight, [before, after])| sum + weight * join(before[i], after[i]));
        *out = sum + center * lines[0][0][i];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    #[test]
    fn wide_and_narrow_sums_are_equal_and_right() {
        let mut stream = Seed::new(1).stream("convolve", 0);
        let lines: Vec<Vec<f32>> =
            (0..13).map(|_| (0..77).map(|_| stream.uniform() as f32).collect()).collect();
        for order in 0..3 {
            let kernel = Kernel::gaussian(1.7, 6, order);
            let pairs = taps(&kernel, |offset| &lines[(6 + offset) as usize]);
            let (mut wide, mut narrow) = (vec![0.0; 77], vec![0.0; 77]);
            sum_lines(&kernel, &pairs, 0, &mut wide);
            sum_lines_scalar(&kernel, &pairs, 0, &mut narrow);
            assert_eq!(wide, narrow);
            for (x, value) in wide.iter().enumerate() {
                let slow: f64 = (0..13usize)
                    .map(|t| {
                        let sign = if order == 1 && t < 6 { -1.0 } else { 1.0 };
                        sign * f64::from(kernel.weights[t.abs_diff(6)]) * f64::from(lines[t][x])
                    })
                    .sum();
                assert!((f64::from(*value) - slow).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn borders_repeat_or_mirror() {
        let mirrored: Vec<usize> = (-4..7).map(|i| Border::Reflect.inside(i, 3)).collect();
        assert_eq!(mirrored, [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0]);
        assert_eq!(Border::Nearest.inside(-4, 3), 0);
        assert_eq!(Border::Nearest.inside(9, 3), 2);
    }
}
