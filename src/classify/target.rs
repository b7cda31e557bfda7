//! What a tree learns: class counts with the Gini impurity, or sums of a number with its variance.

use std::cmp::Ordering;

use super::grow::{Sample, Target};

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
    fn add(&self, counts: &mut [u32], sample: Sample) {
        counts[sample.class as usize] += u32::from(sample.weight);
    }

    #[inline]
    fn weight(&self, counts: &[u32]) -> u64 {
        counts[..self.width()].iter().map(|&c| u64::from(c)).sum()
    }

    fn is_pure(&self, counts: &[u32], _: &[Sample]) -> bool {
        counts.iter().filter(|c| **c > 0).count() < 2
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

    /// Exact by cross-multiplied fractions; with class weights the rounded scores decide.
    fn compare(&self, a: [&[u32]; 2], b: [&[u32]; 2]) -> Ordering {
        let rounded = |s: [&[u32]; 2]| self.purity(s[0]) + self.purity(s[1]);
        let by_rounding = || rounded(a).total_cmp(&rounded(b));
        if self.weights.is_some() {
            return by_rounding();
        }
        let fraction = |[left, right]: [&[u32]; 2]| {
            let square = |s: &[u32]| s.iter().map(|&c| u128::from(c).pow(2)).sum::<u128>();
            let (l, r) = (u128::from(self.weight(left)), u128::from(self.weight(right)));
            (square(left) * r + square(right) * l, l * r)
        };
        let ((top_a, bottom_a), (top_b, bottom_b)) = (fraction(a), fraction(b));
        // Above 30 million rows the products leave 128 bits; a tie of that size is none.
        match (top_a.checked_mul(bottom_b), top_b.checked_mul(bottom_a)) {
            (Some(x), Some(y)) => x.cmp(&y),
            _ => by_rounding(),
        }
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
    fn add(&self, sums: &mut [i64], sample: Sample) {
        let weight = i64::from(sample.weight);
        sums[0] += weight * i64::from(self.integers[sample.row as usize]);
        sums[1] += weight;
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

    fn compare(&self, a: [&[i64]; 2], b: [&[i64]; 2]) -> Ordering {
        let score = |s: [&[i64]; 2]| self.purity(s[0]) + self.purity(s[1]);
        score(a).total_cmp(&score(b))
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
