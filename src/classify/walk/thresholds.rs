//! The thresholds of one feature: a value enters, how many of them are below it leaves.

use std::hint::select_unpredictable;

/// Thresholds between two of those that are searched first.
const FINE: usize = 64;

/// Ascending thresholds, each once.
///
/// Tens of thousands of them do not stay in the cache: a few that stand together are searched first, then those
/// between two of these.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Thresholds {
    /// Filled up with infinity to a power of two less one.
    all: Vec<f64>,
    /// Every [`FINE`]th of all, from that on.
    coarse: Vec<f64>,
}

impl Thresholds {
    pub fn new(mut all: Vec<f64>) -> Self {
        all.resize((all.len() + 1).next_power_of_two() - 1, f64::INFINITY);
        let coarse = all.iter().skip(FINE - 1).step_by(FINE).copied().collect();
        Self { all, coarse }
    }

    /// How many thresholds are below each value.
    pub fn ranks<const N: usize>(&self, values: [f64; N]) -> [usize; N] {
        let below = search(&self.coarse, [0; N], self.coarse.len().div_ceil(2), values);
        let step = FINE.min(self.all.len() + 1) / 2;
        search(&self.all, below.map(|below| below * FINE), step, values)
    }
}

/// How many are below each value, where so many are and twice `step` less one are open.
///
/// Half of all guesses would be wrong: no branches, and a search for several values at a time.
fn search<const N: usize>(
    thresholds: &[f64],
    mut below: [usize; N],
    mut step: usize,
    values: [f64; N],
) -> [usize; N] {
    while step > 0 {
        for (below, &x) in below.iter_mut().zip(&values) {
            let more = *below + step;
            *below = select_unpredictable(thresholds[more - 1] < x, more, *below);
        }
        step /= 2;
    }
    below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rank_is_the_number_of_thresholds_below() {
        for n in [0, 1, 2, 3, 62, 63, 64, 127, 128, 1000, 4095, 4096] {
            let thresholds = Thresholds::new((0..n).map(|i| f64::from(i) / 2.0).collect());
            for rank in 0..=n {
                // On the last threshold that is not below, and right below and above it.
                let on = f64::from(rank) / 2.0;
                let ranks = thresholds.ranks([on, on.next_down(), on.next_up()]);
                let above = (rank + 1).min(n);
                assert_eq!(ranks, [rank, rank, above].map(|r| r as usize), "{n} thresholds");
            }
        }
    }
}
