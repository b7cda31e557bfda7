//! How much of a result survives another run, another sample, another choice.
//!
//! Enter many runs of the same analysis (maps, groupings); leave numbers with intervals, and one light.

mod conclusion;
mod groups;
mod map;
mod reliability;
mod verdict;

pub use conclusion::classifier_agreement;
pub use groups::{ClusterGrade, GroupStability};
pub use map::{MapStability, Resolution, ScalePoint, shared_neighbors};
pub use reliability::{RELIABLE, intraclass_correlation};
pub use verdict::{Evidence, Learned, Light, NULL_LEVEL, Verdict};

/// A mean over runs with its 95 % interval by the jackknife over runs, never over pairs of runs.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Interval {
    /// The estimate from all runs.
    pub value: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
}

impl Interval {
    /// The jackknife interval of a statistic over pairs of runs (Efron and Tibshirani, *An
    /// Introduction to the Bootstrap*, 1993, chapter 11): pairs share runs, so the runs are left
    /// out one at a time, and the interval is the normal one, 1.96 standard errors either side.
    ///
    /// `pair(a, b)` with `a < b < n_runs` is the statistic of one pair. With fewer than three runs
    /// the interval is the value itself.
    pub fn over_pairs(n_runs: usize, pair: impl Fn(usize, usize) -> f64) -> Self {
        let mut with_run = vec![0.0; n_runs];
        for b in 1..n_runs {
            for a in 0..b {
                let value = pair(a, b);
                with_run[a] += value;
                with_run[b] += value;
            }
        }
        Self::of_runs(&with_run)
    }

    /// The same interval from the sums, for each run, of the statistic over the pairs with all other runs.
    pub(super) fn of_runs(with_run: &[f64]) -> Self {
        let n = with_run.len() as f64;
        let total = with_run.iter().sum::<f64>() / 2.0;
        let value = total / (n * (n - 1.0) / 2.0).max(1.0);
        if with_run.len() < 3 {
            return Self { value, low: value, high: value };
        }
        let left = (n - 1.0) * (n - 2.0) / 2.0;
        let spread: f64 = with_run.iter().map(|w| ((total - w) / left - value).powi(2)).sum();
        let half = 1.96 * (spread * (n - 1.0) / n).sqrt();
        Self { value, low: value - half, high: value + half }
    }
}

/// If all of `n_runs` repeats agree, other outcomes occur in at most this share of repeats, with
/// 95 % confidence: 1 - 0.05^(1/n) (the exact binomial bound at zero counts).
///
/// ```
/// use polariscope::stability::unseen_share;
/// assert!((unseen_share(50) - 0.058).abs() < 0.001);
/// ```
pub fn unseen_share(n_runs: usize) -> f64 {
    1.0 - 0.05f64.powf(1.0 / n_runs.max(1) as f64)
}

/// The 95 % interval of a share that was seen `right` times in `n` (Wilson, *Probable inference, the law of
/// succession, and statistical inference*, 1927): it stays inside 0..1 and is right for small `n`.
///
/// ```
/// use polariscope::stability::share_interval;
/// let (low, high) = share_interval(8, 10);
/// assert!((low - 0.4902).abs() < 1e-4 && (high - 0.9433).abs() < 1e-4);
/// ```
pub fn share_interval(right: usize, n: usize) -> (f64, f64) {
    const Z: f64 = 1.959_963_984_540_054;
    let (n, p) = (n.max(1) as f64, right as f64 / n.max(1) as f64);
    let (scale, middle) = (1.0 + Z * Z / n, p + Z * Z / (2.0 * n));
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    (((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jackknife_of_additive_pairs_is_the_classic_one() {
        // For a pair statistic (x_a + x_b) / 2 the estimate is the mean and the jackknife error
        // the usual standard error of a mean.
        let x = [1.0, 2.0, 4.0, 7.0, 7.5];
        let n = x.len() as f64;
        let interval = Interval::over_pairs(x.len(), |a, b| f64::midpoint(x[a], x[b]));
        let mean = x.iter().sum::<f64>() / n;
        let sd = (x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
        assert!((interval.value - mean).abs() < 1e-12);
        assert!((interval.high - mean - 1.96 * sd / n.sqrt()).abs() < 1e-9);
    }
}
