//! Values, wherever they are, become Otsu's threshold by the bins of a method.

use rayon::prelude::*;

use super::field::Field;
use super::thresholds::{constant, otsu_bin};
use crate::error::Result;
use crate::kernels::raster_gpu::{key_of, value_of};

/// Pixels that one task counts.
const PIXELS: usize = 1 << 16;
const N_BINS: usize = 256;
const BINS_AT_ONCE: usize = 1024;

/// Values that can be counted: of a field, of tiles, on a device.
pub(super) trait Countable {
    /// The least and the largest value.
    fn range(&self) -> Result<(f32, f32)>;

    /// How many values each bin has.
    fn counts<F: Fn(f32) -> u16 + Sync>(&self, bins: &Bins<F>) -> Result<Vec<u64>>;

    /// Otsu's threshold by these bins over the range of the values.
    fn otsu<F: Fn(f32) -> u16 + Sync>(&self, bins: impl Fn((f32, f32)) -> Bins<F>) -> Result<f32> {
        let (low, high) = self.range()?;
        if low >= high {
            return Err(constant(f64::from(low)));
        }
        let bins = bins((low, high));
        Ok(bins.thresholds[otsu_bin(&self.counts(&bins)?, &bins.centers)])
    }
}

/// The range of no values, which any other widens.
pub(super) const NOTHING: (f32, f32) = (f32::INFINITY, f32::NEG_INFINITY);

/// The range of two lots of values.
pub(super) fn wider(a: (f32, f32), b: (f32, f32)) -> (f32, f32) {
    (a.0.min(b.0), a.1.max(b.1))
}

/// The counts of two lots of values.
pub(super) fn added(mut a: Vec<u64>, b: Vec<u64>) -> Vec<u64> {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
    a
}

impl Countable for Field {
    fn range(&self) -> Result<(f32, f32)> {
        let of = |values: &[f32]| {
            values.iter().fold(NOTHING, |(low, high), &v| {
                (if v < low { v } else { low }, if v > high { v } else { high })
            })
        };
        Ok(self.values().par_chunks(PIXELS).map(of).reduce(|| NOTHING, wider))
    }

    fn counts<F: Fn(f32) -> u16 + Sync>(&self, bins: &Bins<F>) -> Result<Vec<u64>> {
        let count = |values: &[f32]| {
            let mut counts = vec![0u64; bins.n()];
            let mut found = [0u16; BINS_AT_ONCE];
            for values in values.chunks(BINS_AT_ONCE) {
                // Two loops, so that the first one runs in wide registers.
                found.iter_mut().zip(values).for_each(|(b, &v)| *b = (bins.bin)(v));
                found[..values.len()].iter().for_each(|&b| counts[usize::from(b)] += 1);
            }
            counts
        };
        let parts = self.values().par_chunks(PIXELS).map(count);
        Ok(parts.reduce(|| vec![0; bins.n()], added))
    }
}

/// How values are counted for Otsu's threshold; a larger value is never in a lower bin.
pub(super) struct Bins<F> {
    bin: F,
    range: (f32, f32),
    centers: Vec<f64>,
    /// The threshold that stands for each bin.
    thresholds: Vec<f32>,
}

impl<F: Fn(f32) -> u16> Bins<F> {
    pub fn n(&self) -> usize {
        self.centers.len()
    }

    /// The least value of each bin, infinity for bins that no value reaches.
    ///
    /// The CPU's own formula decides, by bisection over all numbers in the range, because it never falls.
    pub fn least_values(&self) -> Vec<f32> {
        let reaches = |key: u32, wanted: usize| usize::from((self.bin)(value_of(key))) >= wanted;
        let (mut first, last) = (key_of(self.range.0), key_of(self.range.1));
        let next = |wanted: usize| {
            if !reaches(last, wanted) {
                return f32::INFINITY;
            }
            let (mut below, mut from) = (first, last);
            while below < from {
                let middle = below + (from - below) / 2;
                if reaches(middle, wanted) {
                    from = middle;
                } else {
                    below = middle + 1;
                }
            }
            first = from;
            value_of(from)
        };
        (0..self.n()).map(next).collect()
    }
}

impl Bins<()> {
    /// Centred on 256 values from the least to the largest.
    pub fn clesperanto((low, high): (f32, f32)) -> Bins<impl Fn(f32) -> u16> {
        let last = (N_BINS - 1) as f32;
        let value = |i: f64| (i * f64::from(high - low) / f64::from(last) + f64::from(low)) as f32;
        let centers: Vec<f64> = (0..N_BINS).map(|i| i as f64).collect();
        Bins {
            // Halves go up, as in OpenCL; the value is never negative.
            bin: move |v| ((v - low) / (high - low) * last + 0.5) as i32 as u16,
            range: (low, high),
            thresholds: centers.iter().map(|&i| value(i)).collect(),
            centers,
        }
    }

    /// Whole numbers of 8 and 16 bits, as they are.
    pub fn whole((low, high): (f32, f32)) -> Bins<impl Fn(f32) -> u16> {
        let n_bins = (high - low) as usize + 1;
        let centers = (0..n_bins).map(|i| f64::from(low) + i as f64).collect();
        Bins::of_scikit_image(move |v| (v - low) as i32 as u16, (low, high), centers)
    }

    /// 256 bins of equal width between the least and the largest.
    pub fn even((low, high): (f32, f32)) -> Bins<impl Fn(f32) -> u16> {
        let width = f64::from(high) - f64::from(low);
        let place = move |v: f32| (f64::from(v) - f64::from(low)) / width * N_BINS as f64;
        let center = |i: usize| f64::from(low) + width * (i as f64 + 0.5) / N_BINS as f64;
        let bin = move |v| (place(v) as u16).min(N_BINS as u16 - 1);
        Bins::of_scikit_image(bin, (low, high), (0..N_BINS).map(center).collect())
    }
}

impl<F> Bins<F> {
    fn of_scikit_image(bin: F, range: (f32, f32), centers: Vec<f64>) -> Self {
        let thresholds = centers.iter().map(|&center| center as f32).collect();
        Self { bin, range, centers, thresholds }
    }
}
