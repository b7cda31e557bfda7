//! Quantiles, the number of different values and a histogram, without sorting.
//!
//! Values are dealt into equal bins between the smallest and the largest. An order statistic is then found by
//! selection in one bin, and equal values, which share a bin, are counted bin by bin in a table that stays in the cache.

/// The values of a column, dealt into bins.
pub(super) struct Binned {
    values: Vec<f64>,
    /// Where each bin begins in `values`; one more at the end.
    starts: Vec<usize>,
}

/// Bins: for a million values some 250 each, which fit the first-level cache.
const BINS: usize = 4096;

impl Binned {
    /// Deals finite values; `min` and `max` are theirs.
    pub(super) fn new(values: &[f64], min: f64, max: f64) -> Self {
        // Fewer bins for few values; a power of two so that histograms of fewer bars need no new pass.
        let bins = BINS.min(values.len().next_power_of_two()).max(8);
        let scale = bins as f64 / (max - min);
        let scale = if scale.is_finite() { scale } else { 0.0 };
        let bin = |x: f64| (((x - min) * scale) as usize).min(bins - 1);
        let places: Vec<u16> = values.iter().map(|&x| bin(x) as u16).collect();
        let mut starts = vec![0; bins + 1];
        for &bin in &places {
            starts[usize::from(bin) + 1] += 1;
        }
        (0..bins).for_each(|bin| starts[bin + 1] += starts[bin]);
        let mut next = starts.clone();
        let mut dealt = vec![0.0; values.len()];
        for (&value, &bin) in values.iter().zip(&places) {
            // Adding 0 makes -0 and 0 one.
            dealt[next[usize::from(bin)]] = value + 0.0;
            next[usize::from(bin)] += 1;
        }
        Self { values: dealt, starts }
    }

    /// Counts in `bars` equal parts of the range; `bars` is a power of two up to 8.
    pub(super) fn histogram(&self, bars: usize) -> impl Iterator<Item = usize> {
        let step = (self.starts.len() - 1) / bars;
        (0..bars).map(move |bar| self.starts[(bar + 1) * step] - self.starts[bar * step])
    }

    /// The quantile `q`, linear between order statistics (numpy's default).
    pub(super) fn quantile(&mut self, q: f64) -> f64 {
        let position = (self.values.len() - 1) as f64 * q;
        let low = self.ranked(position as usize);
        let share = position.fract();
        if share == 0.0 {
            return low;
        }
        let high = self.ranked(position as usize + 1);
        // numpy's way, which is exact at both ends.
        if share < 0.5 { low + (high - low) * share } else { high - (high - low) * (1.0 - share) }
    }

    /// The value at `rank`, from 0.
    fn ranked(&mut self, rank: usize) -> f64 {
        let bin = self.starts.partition_point(|&start| start <= rank) - 1;
        let (start, end) = (self.starts[bin], self.starts[bin + 1]);
        *self.values[start..end].select_nth_unstable_by(rank - start, f64::total_cmp).1
    }

    /// How many different values there are.
    pub(super) fn distinct(&self) -> usize {
        let mut table = Vec::new();
        self.starts.windows(2).map(|w| distinct(&self.values[w[0]..w[1]], &mut table)).sum()
    }
}

/// Counts different values by a table of open addresses, at most half full.
fn distinct(values: &[f64], table: &mut Vec<u64>) -> usize {
    // No finite number has these bits.
    const EMPTY: u64 = u64::MAX;
    if values.len() < 2 {
        return values.len();
    }
    let slots = (2 * values.len()).next_power_of_two();
    table.clear();
    table.resize(slots, EMPTY);
    let mut n = 0;
    for value in values {
        let bits = value.to_bits();
        // Fibonacci hashing: the upper bits of a product with the golden ratio.
        let mut slot = (bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - slots.ilog2())) as usize;
        while table[slot] != bits && table[slot] != EMPTY {
            slot = (slot + 1) % slots;
        }
        n += usize::from(table[slot] == EMPTY);
        table[slot] = bits;
    }
    n
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    /// Against a sort.
    fn check(values: &[f64]) {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (sorted[0], sorted[sorted.len() - 1]);
        let mut binned = Binned::new(values, min, max);
        for q in [0.0, 0.1, 0.25, 0.5, 0.75, 1.0] {
            let position = (sorted.len() - 1) as f64 * q;
            let (low, high) = (sorted[position.floor() as usize], sorted[position.ceil() as usize]);
            let expected = low + (high - low) * position.fract();
            let found = binned.quantile(q);
            let scale = expected.abs().max(1e-300);
            assert!((found - expected).abs() <= 1e-14 * scale, "{q}: {found} {expected}");
        }
        sorted.dedup();
        assert_eq!(binned.distinct(), sorted.len());
        assert_eq!(binned.histogram(8).sum::<usize>(), values.len());
    }

    #[test]
    fn as_a_sort_would() {
        let mut stream = Seed::new(8).stream("order", 0);
        check(&[5.0]);
        check(&[2.0, 2.0]);
        check(&[-0.0, 0.0, 1.0]);
        check(&[f64::MAX, f64::MIN, 0.0]);
        check(&[1e-310, 2e-310, 3e-310]);
        for n in [3, 10, 1000, 20_000] {
            check(&(0..n).map(|_| stream.normal()).collect::<Vec<_>>());
            check(&(0..n).map(|_| stream.below(7) as f64).collect::<Vec<_>>());
            // One value far away puts all others into one bin.
            let skewed = (0..n).map(|i| if i == 1 { 1e12 } else { stream.normal() });
            check(&skewed.collect::<Vec<_>>());
        }
    }

    #[test]
    fn bars_of_equal_width() {
        let values: Vec<f64> = (0..800).map(f64::from).collect();
        let binned = Binned::new(&values, 0.0, 799.0);
        assert_eq!(binned.histogram(8).collect::<Vec<_>>(), [100; 8]);
    }
}
