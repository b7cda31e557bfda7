//! The values of an image become one that separates background from objects.

use crate::error::{Error, Result};
use crate::image::{IntensityImage, Pixels};

/// Values counted by their size: exactly for whole numbers, in 256 bins for others.
struct Histogram {
    counts: Vec<u64>,
    centers: Vec<f64>,
}

const N_BINS: usize = 256;

/// Otsu's threshold: the value that splits the histogram with the largest variance between the classes.
/// Objects are what is above it. Equal to `skimage.filters.threshold_otsu`.
///
/// # Errors
/// When all pixels are equal, there is none, or one is not finite.
///
/// # References
/// Otsu, A threshold selection method from gray-level histograms, 1979, equation 12.
pub fn otsu(image: &IntensityImage) -> Result<f64> {
    let histogram = Histogram::of(image)?;
    Ok(histogram.centers[otsu_bin(&histogram.counts, &histogram.centers)])
}

/// The bin of Otsu's threshold; the first of equals.
pub(super) fn otsu_bin(counts: &[u64], centers: &[f64]) -> usize {
    let total: f64 = counts.iter().map(|c| *c as f64).sum();
    let total_sum: f64 = counts.iter().zip(centers).map(|(c, v)| *c as f64 * v).sum();
    let (mut below, mut sum_below) = (0.0, 0.0);
    let (mut best, mut largest) = (0, -1.0);
    for (i, (&count, center)) in counts.iter().zip(centers).enumerate().take(counts.len() - 1) {
        below += count as f64;
        sum_below += count as f64 * center;
        let above = total - below;
        if below > 0.0 && above > 0.0 {
            let distance = sum_below / below - (total_sum - sum_below) / above;
            let variance = below * above * distance * distance;
            if variance > largest {
                (best, largest) = (i, variance);
            }
        }
    }
    best
}

/// Li's threshold: the value that makes the cross entropy between the image and its two classes least.
/// Equal to `skimage.filters.threshold_li`.
///
/// # Errors
/// When all pixels are equal, there is none, or one is not finite.
///
/// # References
/// Li and Tam, An iterative algorithm for minimum cross entropy thresholding, 1998.
pub fn li(image: &IntensityImage) -> Result<f64> {
    check(image)?;
    let mut values = sorted_counts(image.pixels());
    let least = values[0].0;
    values.iter_mut().for_each(|(value, _)| *value -= least);
    let gap = values.windows(2).map(|w| w[1].0 - w[0].0).fold(f64::INFINITY, f64::min);
    let tolerance = gap / 2.0;
    let mean = |of: &[(f64, f64)]| {
        let (sum, n) = of.iter().fold((0.0, 0.0), |(s, n), (v, c)| (s + v * c, n + c));
        sum / n
    };
    let mut threshold = mean(&values);
    loop {
        let split = values.partition_point(|(value, _)| *value <= threshold);
        let (back, fore) = (mean(&values[..split]), mean(&values[split..]));
        if back == 0.0 || !fore.is_finite() {
            break;
        }
        let next = (back - fore) / (back.ln() - fore.ln());
        let moved = (next - threshold).abs();
        threshold = next;
        if moved <= tolerance {
            break;
        }
    }
    Ok(threshold + least)
}

/// The triangle threshold: the bin farthest from the line between the histogram's peak and its far end.
/// Equal to `skimage.filters.threshold_triangle`.
///
/// # Errors
/// When all pixels are equal, there is none, or one is not finite.
///
/// # References
/// Zack, Rogers and Latt, Automatic measurement of sister chromatid exchange frequency, 1977.
pub fn triangle(image: &IntensityImage) -> Result<f64> {
    let Histogram { mut counts, mut centers } = Histogram::of(image)?;
    let largest = counts.iter().copied().max().unwrap_or(0);
    let position = |test: &dyn Fn(u64) -> bool| counts.iter().position(|c| test(*c)).unwrap_or(0);
    let mut peak = position(&|c| c == largest);
    let mut low = position(&|c| c > 0);
    let high = counts.iter().rposition(|c| *c > 0).unwrap_or(0);
    // The long tail comes first.
    if peak - low < high - peak {
        counts.reverse();
        centers.reverse();
        (low, peak) = (counts.len() - 1 - high, counts.len() - 1 - peak);
    }
    let (height, width) = (largest as f64, (peak - low) as f64);
    let norm = height.hypot(width);
    let distance = |i: usize| height / norm * i as f64 - width / norm * counts[low + i] as f64;
    let mut farthest = 0;
    for i in 1..peak - low {
        if distance(i) > distance(farthest) {
            farthest = i;
        }
    }
    Ok(centers[low + farthest])
}

fn check(image: &IntensityImage) -> Result<(f64, f64)> {
    let pixels = image.pixels();
    if pixels.is_empty() {
        return Err(Error::data("an image without pixels has no threshold"));
    }
    let range = |(low, high): (f64, f64), v: f64| (low.min(v), high.max(v));
    let start = (f64::INFINITY, f64::NEG_INFINITY);
    #[expect(clippy::unnecessary_cast, reason = "the body is written once for five types")]
    let (low, high, finite) = crate::for_each_pixel_type!(pixels, values => {
        let (low, high) = values.iter().map(|v| *v as f64).fold(start, range);
        (low, high, values.iter().all(|v| (*v as f64).is_finite()))
    });
    if !finite {
        return Err(
            Error::data("a pixel is not a finite number").help("replace it, for instance by 0")
        );
    }
    if low == high {
        return Err(constant(low));
    }
    Ok((low, high))
}

/// All pixels are equal.
pub(super) fn constant(value: f64) -> Error {
    Error::data(format!(
        "every pixel is {value}: there is no threshold between background and objects"
    ))
    .help("give another image, or a fixed threshold with --method threshold --threshold T")
}

impl Histogram {
    fn of(image: &IntensityImage) -> Result<Self> {
        let (low, high) = check(image)?;
        Ok(match image.pixels() {
            Pixels::U8(values) => Self::whole(values.iter().map(|v| usize::from(*v)), low, high),
            Pixels::U16(values) => Self::whole(values.iter().map(|v| usize::from(*v)), low, high),
            pixels => Self::binned(&pixels.to_f64(), low, high),
        })
    }

    fn whole(values: impl Iterator<Item = usize>, low: f64, high: f64) -> Self {
        let first = low as usize;
        let mut counts = vec![0; high as usize - first + 1];
        values.for_each(|v| counts[v - first] += 1);
        let centers = (0..counts.len()).map(|i| (first + i) as f64).collect();
        Self { counts, centers }
    }

    /// `numpy.histogram(values, 256)`.
    fn binned(values: &[f64], low: f64, high: f64) -> Self {
        let edge = |i: usize| low + (high - low) * i as f64 / N_BINS as f64;
        let mut counts = vec![0; N_BINS];
        for &value in values {
            let mut bin = (((value - low) / (high - low)) * N_BINS as f64) as usize;
            bin = bin.min(N_BINS - 1);
            // Rounding may put a value beside its edge.
            if value < edge(bin) {
                bin -= 1;
            } else if bin < N_BINS - 1 && value >= edge(bin + 1) {
                bin += 1;
            }
            counts[bin] += 1;
        }
        Self { counts, centers: (0..N_BINS).map(|i| 0.5 * (edge(i) + edge(i + 1))).collect() }
    }
}

/// The distinct values, ascending, and how often each occurs.
fn sorted_counts(pixels: &Pixels) -> Vec<(f64, f64)> {
    let mut values = pixels.to_f64();
    values.sort_unstable_by(f64::total_cmp);
    values.chunk_by(|a, b| a == b).map(|equal| (equal[0], equal.len() as f64)).collect()
}
