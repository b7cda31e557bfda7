//! From columns of numbers to columns of bytes: choosing a split needs the order of the values only.

use ndarray::ArrayView2;
use rayon::prelude::*;

/// Bins per feature: as many as a byte tells apart.
const MAX_BINS: usize = 256;

/// A matrix as one byte per value, column by column.
#[derive(Debug)]
pub(crate) struct Bins {
    /// `columns[feature][row]`.
    pub columns: Vec<Vec<u8>>,
    /// `ranges[feature][bin]`: the smallest and the largest value in the bin.
    ranges: Vec<Vec<(f64, f64)>>,
}

impl Bins {
    /// Bins a finite matrix, its rows taken in the given order.
    ///
    /// Up to 256 distinct values keep a bin each, so that every possible split is there; beyond
    /// that the bins hold equal shares of the rows.
    pub fn of(matrix: ArrayView2<'_, f64>, order: &[u32]) -> Self {
        let (ranges, columns) = (0..matrix.ncols())
            .into_par_iter()
            .map(|feature| {
                let column = matrix.column(feature);
                let values: Vec<f64> = order.iter().map(|&r| column[r as usize]).collect();
                let ranges = ranges(&values);
                let bins = values.iter().map(|&x| bin_of(&ranges, x)).collect();
                (ranges, bins)
            })
            .unzip();
        Self { columns, ranges }
    }

    pub fn n_features(&self) -> usize {
        self.columns.len()
    }

    /// Bins that the feature has; 1 when it is constant.
    pub fn n_bins(&self, feature: usize) -> usize {
        self.ranges[feature].len()
    }

    /// Halfway between the largest value of bin `left` and the smallest of bin `right`.
    pub fn threshold(&self, feature: usize, left: u8, right: u8) -> f64 {
        halfway(self.ranges[feature][left as usize].1, self.ranges[feature][right as usize].0)
    }
}

/// The bin of a value that is in one.
fn bin_of(ranges: &[(f64, f64)], x: f64) -> u8 {
    ranges.partition_point(|&(_, high)| high < x) as u8
}

/// The smallest and largest value of each bin of one column, ascending.
fn ranges(values: &[f64]) -> Vec<(f64, f64)> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let changes: Vec<usize> = (1..sorted.len()).filter(|&i| sorted[i - 1] < sorted[i]).collect();
    let mut cuts =
        if changes.len() < MAX_BINS { changes } else { even_cuts(&changes, sorted.len()) };
    cuts.push(sorted.len());
    let mut start = 0;
    cuts.into_iter()
        .map(|end| (sorted[std::mem::replace(&mut start, end)], sorted[end - 1]))
        .collect()
}

/// Out of the positions where the value changes, those nearest to equal shares of the rows.
fn even_cuts(changes: &[usize], n: usize) -> Vec<usize> {
    let mut cuts: Vec<usize> = (1..MAX_BINS)
        .map(|b| {
            let wanted = b * n / MAX_BINS;
            let after = changes.partition_point(|&e| e < wanted).min(changes.len() - 1);
            let before = after.saturating_sub(1);
            let is_before = wanted.abs_diff(changes[before]) <= wanted.abs_diff(changes[after]);
            changes[if is_before { before } else { after }]
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
        assert_eq!(ranges(&[3.0, 1.0, 1.0, 2.0]), [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]);
        assert_eq!(ranges(&[7.0; 5]), [(7.0, 7.0)]);
        assert_eq!(ranges(&[-0.0, 0.0]).len(), 1);
        let bins = Bins::of(ndarray::array![[1.0], [2.0], [6.0]].view(), &[0, 1, 2]);
        assert_eq!((bins.threshold(0, 0, 1), bins.threshold(0, 0, 2)), (1.5, 3.5));
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
            let (low, high) = bins.ranges[0][usize::from(bin)];
            assert!((low..=high).contains(&matrix[[i, 0]]));
        }
    }
}
