//! What a tree learns: class counts with the Gini impurity, or sums of a number with its variance.

use super::grow::{Sample, Target, Worth};

/// Class counts; `K` is their number where the compiler should know it, 0 where it cannot.
pub(crate) struct Classes<'a, const K: usize> {
    pub n_classes: usize,
    /// Weight of a row of each class; `None` is one for all.
    pub weights: Option<&'a [f64]>,
}

impl<const K: usize> Classes<'_, K> {
    fn weighted(&self, counts: &[u32]) -> impl Iterator<Item = f64> {
        counts.iter().enumerate().map(|(k, &c)| self.weights.map_or(1.0, |w| w[k]) * f64::from(c))
    }
}

impl<const K: usize> Target for Classes<'_, K> {
    type Sum = u32;

    #[inline]
    fn width(&self) -> usize {
        if K == 0 { self.n_classes } else { K }
    }

    #[inline]
    fn add(&self, histogram: &mut [u32], bin: usize, sample: Sample) {
        histogram[bin * self.width() + sample.class as usize] += u32::from(sample.weight);
    }

    #[inline]
    fn weight(&self, counts: &[u32]) -> u64 {
        counts[..self.width()].iter().map(|&c| u64::from(c)).sum()
    }

    fn is_pure(&self, counts: &[u32], _: &[Sample]) -> bool {
        counts.iter().filter(|c| **c > 0).count() < 2
    }

    #[inline]
    fn occurring(&self, counts: &[u32]) -> u64 {
        if self.width() > 64 {
            return u64::MAX;
        }
        let counts = counts[..self.width()].iter().enumerate();
        counts.fold(0, |bits, (k, &count)| bits | u64::from(count > 0) << k)
    }

    /// Sum of squared counts over the count: the Gini impurity falls as this rises.
    #[inline]
    fn purity(&self, counts: &[u32]) -> f64 {
        if self.weights.is_some() {
            let (mut square, mut weight) = (0.0, 0.0);
            for w in self.weighted(counts) {
                square += w * w;
                weight += w;
            }
            return square / weight;
        }
        let counts = &counts[..self.width()];
        let square: u64 = counts.iter().map(|&c| u64::from(c) * u64::from(c)).sum();
        let weight: u64 = counts.iter().map(|&c| u64::from(c)).sum();
        square as f64 / weight as f64
    }

    /// Exact below 2 million rows and without class weights.
    #[inline]
    fn worth(&self, [left, right]: [&[u32]; 2], [l, r]: [u64; 2]) -> Worth {
        if self.weights.is_some() || l + r >= 1 << 21 {
            return Worth::rounded(self.purity(left) + self.purity(right));
        }
        let square = |counts: &[u32]| {
            counts[..self.width()].iter().map(|&c| u64::from(c) * u64::from(c)).sum::<u64>()
        };
        Worth { top: square(left) * r + square(right) * l, bottom: l * r }
    }

    fn cover(&self, counts: &[u32]) -> f64 {
        self.weighted(counts).sum()
    }

    fn n_outputs(&self) -> usize {
        self.width()
    }

    fn push_outputs(&self, counts: &[u32], _: &[Sample], outputs: &mut Vec<f64>) {
        let cover = self.cover(counts);
        outputs.extend(self.weighted(counts).map(|w| w / cover));
    }
}

/// Sums of a number per bin, exact because the number is held as an integer of 32 bits.
pub(crate) struct Numbers {
    /// The targets in the order of the bins' rows.
    values: Vec<f64>,
    /// The same, shifted and scaled so that their range is -2^30..=2^30.
    integers: Vec<i32>,
}

impl Numbers {
    pub fn new(values: Vec<f64>) -> Self {
        let (low, high) = values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
        let (middle, half) = (low / 2.0 + high / 2.0, high / 2.0 - low / 2.0);
        let scale = if half > 0.0 { 2.0_f64.powi(30) / half } else { 0.0 };
        let integers = values.iter().map(|v| ((v - middle) * scale).round() as i32).collect();
        Self { values, integers }
    }
}

/// Sums are `[target, weight]`: variance falls as `sum^2 / weight` rises.
impl Target for Numbers {
    type Sum = i64;

    fn width(&self) -> usize {
        2
    }

    #[inline]
    fn add(&self, histogram: &mut [i64], bin: usize, sample: Sample) {
        let weight = i64::from(sample.weight);
        histogram[2 * bin] += weight * i64::from(self.integers[sample.row as usize]);
        histogram[2 * bin + 1] += weight;
    }

    #[inline]
    fn weight(&self, sums: &[i64]) -> u64 {
        sums[1] as u64
    }

    fn is_pure(&self, _: &[i64], samples: &[Sample]) -> bool {
        let mut integers = samples.iter().map(|s| self.integers[s.row as usize]);
        let first = integers.next();
        integers.all(|i| Some(i) == first)
    }

    #[inline]
    fn purity(&self, sums: &[i64]) -> f64 {
        let sum = sums[0] as f64;
        sum * sum / sums[1] as f64
    }

    fn occurring(&self, _: &[i64]) -> u64 {
        u64::MAX
    }

    fn cover(&self, sums: &[i64]) -> f64 {
        sums[1] as f64
    }

    fn n_outputs(&self) -> usize {
        1
    }

    /// The mean of the targets themselves, added in the order of the rows.
    fn push_outputs(&self, sums: &[i64], samples: &[Sample], outputs: &mut Vec<f64>) {
        let sum: f64 =
            samples.iter().map(|s| f64::from(s.weight) * self.values[s.row as usize]).sum();
        outputs.push(sum / sums[1] as f64);
    }
}
