//! One row per column of a table: how many, how large, how spread, and the shape of the distribution.

use polars::prelude::DataFrame;
use rayon::prelude::*;
use serde::Serialize;

use super::Columns;
use super::values::{is_number, numbers};

/// Bars of the histogram that becomes a sparkline.
pub const BARS: usize = 8;

/// What `describe` says about one column. Numbers are `None` where they are not defined (text, no values, one value for `std`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnSummary {
    /// As in the table.
    pub name: String,
    /// The word for its role.
    pub role: &'static str,
    /// Empty when unknown.
    pub unit: String,
    /// Values that are there.
    pub count: usize,
    /// Values that are not: null or NaN.
    pub missing: usize,
    /// Arithmetic mean.
    pub mean: Option<f64>,
    /// Standard deviation of a sample (ddof 1).
    pub std: Option<f64>,
    /// Smallest value.
    pub min: Option<f64>,
    /// First quartile, linear between order statistics as numpy's default.
    pub q25: Option<f64>,
    /// Median.
    pub median: Option<f64>,
    /// Third quartile.
    pub q75: Option<f64>,
    /// Largest value.
    pub max: Option<f64>,
    /// Number of different values, text included.
    pub distinct: usize,
    /// Counts in equal bins from `min` to `max`; all zero for text.
    pub histogram: [usize; BARS],
}

/// Summarises every column, in table order.
///
/// ```
/// use polariscope::table::{Table, describe};
/// let table = Table::from_bytes("t.csv", b"area\n1\n2\n\n4\nNA\n")?;
/// let area = &describe(&table.frame)[0];
/// assert_eq!((area.count, area.missing, area.median), (3, 1, Some(2.0)));
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # Determinism
/// The same bits on any number of threads: sums are taken over fixed blocks, in order.
pub fn describe(frame: &DataFrame) -> Vec<ColumnSummary> {
    let columns = Columns::of(frame);
    let judged: Vec<_> = columns.iter().zip(frame.columns()).collect();
    judged
        .into_par_iter()
        .map(|(known, column)| {
            let empty = ColumnSummary {
                name: known.name.clone(),
                role: known.role.name(),
                unit: known.unit.clone(),
                count: column.len() - column.null_count(),
                missing: column.null_count(),
                mean: None,
                std: None,
                min: None,
                q25: None,
                median: None,
                q75: None,
                max: None,
                distinct: 0,
                histogram: [0; BARS],
            };
            match numbers(column).filter(|_| is_number(column)) {
                Some(values) => of_numbers(empty, &values),
                None => {
                    let distinct = column.n_unique().unwrap_or(0);
                    ColumnSummary {
                        distinct: distinct - usize::from(column.null_count() > 0),
                        ..empty
                    }
                }
            }
        })
        .collect()
}

/// Fills in what numbers have and text has not.
fn of_numbers(empty: ColumnSummary, column: &[f64]) -> ColumnSummary {
    let mut values: Vec<f64> = column.iter().copied().filter(|v| !v.is_nan()).collect();
    let (count, missing) = (values.len(), column.len() - values.len());
    if count == 0 {
        return ColumnSummary { count, missing, ..empty };
    }
    let mean = block_sum(&values, |x| x) / count as f64;
    let squares = block_sum(&values, |x| (x - mean) * (x - mean));
    let min = values.iter().copied().fold(f64::INFINITY, f64::min);
    let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let histogram = bars(&values, min, max);
    let distinct = distinct(&values);
    let [q25, median, q75] = [0.25, 0.5, 0.75].map(|q| Some(quantile(&mut values, q)));
    ColumnSummary {
        count,
        missing,
        mean: Some(mean),
        std: (count > 1).then(|| (squares / (count - 1) as f64).sqrt()),
        min: Some(min),
        q25,
        median,
        q75,
        max: Some(max),
        distinct,
        histogram,
        ..empty
    }
}

/// The sum of `f` over the values, by fixed blocks combined in order.
fn block_sum(values: &[f64], f: impl Fn(f64) -> f64) -> f64 {
    values.chunks(1024).map(|block| lanes_sum(block, &f)).sum()
}

/// Eight running sums side by side, so that additions do not wait for each other.
fn lanes_sum(block: &[f64], f: &impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; 8];
    let (whole, rest) = block.as_chunks::<8>();
    for chunk in whole {
        lanes.iter_mut().zip(chunk).for_each(|(lane, &x)| *lane += f(x));
    }
    lanes.iter_mut().zip(rest).for_each(|(lane, &x)| *lane += f(x));
    lanes.iter().sum()
}

/// The quantile `q`, linear between order statistics (numpy's default); reorders `values`, which must not be empty.
fn quantile(values: &mut [f64], q: f64) -> f64 {
    let position = (values.len() - 1) as f64 * q;
    let (_, &mut low, above) = values.select_nth_unstable_by(position as usize, f64::total_cmp);
    let share = position.fract();
    if share == 0.0 {
        return low;
    }
    let high = above.iter().copied().fold(f64::INFINITY, f64::min);
    // numpy's lerp, which is exact at both ends.
    if share < 0.5 { low + (high - low) * share } else { high - (high - low) * (1.0 - share) }
}

fn distinct(values: &[f64]) -> usize {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    1 + sorted.windows(2).filter(|w| w[0] != w[1]).count()
}

/// Counts in equal bins over `min..=max`; a constant column fills the middle.
fn bars(values: &[f64], min: f64, max: f64) -> [usize; BARS] {
    let mut counts = [0; BARS];
    let width = (max - min) / BARS as f64;
    if !(width.is_normal()) {
        counts[BARS / 2] = values.len();
        return counts;
    }
    for x in values {
        counts[(((x - min) / width) as usize).min(BARS - 1)] += 1;
    }
    counts
}
