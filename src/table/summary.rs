//! One row per column of a table: how many, how large, how spread, and the shape of the distribution.

use std::borrow::Cow;

use polars::prelude::DataFrame;
use rayon::prelude::*;
use serde::Serialize;

use super::Columns;
use super::order::Binned;
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
    describe_in(frame, None)
}

/// As [`describe`], with lengths in `length_unit` (pixels when `None`).
pub fn describe_in(frame: &DataFrame, length_unit: Option<&str>) -> Vec<ColumnSummary> {
    let columns = Columns::of(frame).in_lengths(length_unit);
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
            if let Some(values) = numbers(column).filter(|_| is_number(column)) {
                return of_numbers(empty, &values);
            }
            let distinct = column.n_unique().unwrap_or(0);
            ColumnSummary { distinct: distinct - usize::from(column.null_count() > 0), ..empty }
        })
        .collect()
}

/// Fills in what numbers have and text has not.
fn of_numbers(empty: ColumnSummary, column: &[f64]) -> ColumnSummary {
    let values = present(column);
    let (count, missing) = (values.len(), column.len() - values.len());
    if count == 0 {
        return ColumnSummary { count, missing, ..empty };
    }
    let mean = block_sum(&values, |x| x) / count as f64;
    let squares = block_sum(&values, |x| (x - mean) * (x - mean));
    let (min, max) = extremes(&values);
    let mut binned = Binned::new(&values, min, max);
    let mut histogram = [0; BARS];
    histogram.iter_mut().zip(binned.histogram(BARS)).for_each(|(bar, count)| *bar = count);
    if min == max {
        // A column of one value is a bar in the middle.
        histogram.swap(0, BARS / 2);
    }
    let [q25, median, q75] = [0.25, 0.5, 0.75].map(|q| Some(binned.quantile(q)));
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
        distinct: binned.distinct(),
        histogram,
        ..empty
    }
}

/// The values that are there, copied only when some are not.
fn present(column: &[f64]) -> Cow<'_, [f64]> {
    // A block at a time, so that the compiler can look at several values at once.
    let complete = |block: &[f64]| block.iter().fold(true, |all, v| all & !v.is_nan());
    if column.chunks(1024).all(complete) {
        return Cow::Borrowed(column);
    }
    Cow::Owned(column.iter().copied().filter(|v| !v.is_nan()).collect())
}

/// Smallest and largest, by lanes.
fn extremes(values: &[f64]) -> (f64, f64) {
    let (mut min, mut max) = ([f64::INFINITY; 8], [f64::NEG_INFINITY; 8]);
    let (whole, rest) = values.as_chunks::<8>();
    for chunk in whole.iter().map(|c| &c[..]).chain([rest]) {
        for (lane, &x) in chunk.iter().enumerate() {
            min[lane] = if x < min[lane] { x } else { min[lane] };
            max[lane] = if x > max[lane] { x } else { max[lane] };
        }
    }
    let least = min.into_iter().fold(f64::INFINITY, f64::min);
    (least, max.into_iter().fold(f64::NEG_INFINITY, f64::max))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Table;

    #[test]
    fn counts_missing_text_and_single_values() {
        let text = b"a,name,one,none\n1.5,x,2,\n,y,2,\nNaN,,2,\n4.5,x,2,\n";
        let table = Table::from_bytes("t.csv", text).unwrap();
        let [a, name, one, none] = <[_; 4]>::try_from(describe(&table.frame)).unwrap();
        assert_eq!((a.count, a.missing, a.mean, a.distinct), (2, 2, Some(3.0), 2));
        assert_eq!(a.std, Some(4.5_f64.sqrt()));
        assert_eq!((a.q25, a.median, a.q75), (Some(2.25), Some(3.0), Some(3.75)));
        assert_eq!((name.count, name.missing, name.distinct, name.mean), (3, 1, 2, None));
        assert_eq!((one.std, one.distinct, one.histogram[BARS / 2]), (Some(0.0), 1, 4));
        assert_eq!((none.count, none.missing, none.min), (0, 4, None));
    }
}
