//! From columns of numbers to columns of bytes: a split needs the order of the values, not the values.

use ndarray::ArrayView2;
use rayon::prelude::*;

/// Bins per feature: as many as a byte tells apart.
const MAX_BINS: usize = 256;

/// A matrix as one byte per value, column by column, with the thresholds between the bins.
#[derive(Debug)]
pub(crate) struct Bins {
    /// `columns[feature][row]`.
    pub columns: Vec<Vec<u8>>,
    /// `thresholds[feature][b]` parts bin `b` (`x <= threshold`) from bin `b + 1`.
    pub thresholds: Vec<Vec<f64>>,
}

impl Bins {
    /// Bins a finite matrix, its rows taken in the given order.
    ///
    /// Up to 256 distinct values keep a bin each, so that every possible split is there; beyond
    /// that the bins hold equal shares of the rows. Thresholds stand halfway between the two
    /// neighbouring values that occur.
    pub fn of(matrix: ArrayView2<'_, f64>, order: &[u32]) -> Self {
        let (thresholds, columns) = (0..matrix.ncols())
            .into_par_iter()
            .map(|feature| {
                let column = matrix.column(feature);
                let values: Vec<f64> = order.iter().map(|&r| column[r as usize]).collect();
                let thresholds = thresholds(&values);
                let bins = values.iter().map(|&x| bin_of(&thresholds, x)).collect();
                (thresholds, bins)
            })
            .unzip();
        Self { columns, thresholds }
    }

    pub fn n_features(&self) -> usize {
        self.columns.len()
    }

    /// Bins that the feature has; 1 when it is constant.
    pub fn n_bins(&self, feature: usize) -> usize {
        self.thresholds[feature].len() + 1
    }
}

/// The bin of a value: how many thresholds it exceeds.
fn bin_of(thresholds: &[f64], x: f64) -> u8 {
    thresholds.partition_point(|&t| t < x) as u8
}

/// The thresholds of one column, ascending.
fn thresholds(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let ends: Vec<usize> = (1..sorted.len()).filter(|&i| sorted[i - 1] < sorted[i]).collect();
    let cuts = if ends.len() < MAX_BINS { ends } else { even_cuts(&ends, sorted.len()) };
    cuts.into_iter().map(|i| halfway(sorted[i - 1], sorted[i])).collect()
}

/// Out of the positions where the value changes, those nearest to equal shares of the rows.
fn even_cuts(ends: &[usize], n: usize) -> Vec<usize> {
    let mut cuts: Vec<usize> = (1..MAX_BINS)
        .map(|b| {
            let wanted = b * n / MAX_BINS;
            let after = ends.partition_point(|&e| e < wanted).min(ends.len() - 1);
            let before = after.saturating_sub(1);
            let nearest_before = wanted.abs_diff(ends[before]) <= wanted.abs_diff(ends[after]);
            ends[if nearest_before { before } else { after }]
        })
        .collect();
    cuts.dedup();
    cuts
}

/// The midpoint of `a < b`, or `a` where rounding would reach `b`: always `a <= t < b`.
fn halfway(a: f64, b: f64) -> f64 {
    let middle = a / 2.0 + b / 2.0;
    if a <= middle && middle < b { middle } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn few_values_keep_a_bin_each_and_thresholds_stand_halfway() {
        assert_eq!(thresholds(&[3.0, 1.0, 1.0, 2.0]), [1.5, 2.5]);
        assert_eq!(thresholds(&[7.0; 5]), [] as [f64; 0]);
        assert_eq!(thresholds(&[-0.0, 0.0]), [] as [f64; 0]);
        let next = 1.0_f64.next_up();
        assert_eq!(halfway(1.0, next), 1.0);
        assert_eq!(halfway(-f64::MAX, f64::MAX), 0.0);
    }

    #[test]
    fn many_values_share_the_bins_evenly() {
        let matrix = Array2::from_shape_fn((10_000, 1), |(i, _)| ((i * 7919) % 10_000) as f64);
        let order: Vec<u32> = (0..10_000).collect();
        let bins = Bins::of(matrix.view(), &order);
        assert_eq!(bins.n_bins(0), 256);
        let mut sizes = vec![0; 256];
        bins.columns[0].iter().for_each(|&b| sizes[b as usize] += 1);
        assert!(sizes.iter().all(|s| (38..=41).contains(s)), "{sizes:?}");
        for (i, &bin) in bins.columns[0].iter().enumerate() {
            let x = matrix[[i, 0]];
            let below = bins.thresholds[0].iter().filter(|t| **t < x).count();
            assert_eq!(below, usize::from(bin));
        }
    }
}
