//! The way back: a matrix of results becomes columns of the table its rows came from.

use ndarray::ArrayView2;
use polars::prelude::{Column, DataFrame, NamedFrom, Series};

use crate::error::{Error, Result};

/// Adds one column per name, or replaces the column of that name; rows that are not in `rows` (positions in the
/// table, one per row of the matrix) are missing.
///
/// # Errors
/// When there is not one name per column of the matrix or one position per row.
///
/// ```
/// use ndarray::array;
/// use polariscope::table::{Table, with_values};
/// let table = Table::from_bytes("t.csv", b"label,area\n1,5\n2,\n3,7\n")?;
/// let frame = with_values(&table.frame, &[0, 2], &["score"], array![[0.5], [1.5]].view())?;
/// assert_eq!(frame.column("score").unwrap().null_count(), 1);
/// # Ok::<(), polariscope::Error>(())
/// ```
pub fn with_values<N: AsRef<str>>(
    frame: &DataFrame,
    rows: &[usize],
    names: &[N],
    values: ArrayView2<'_, f64>,
) -> Result<DataFrame> {
    if names.len() != values.ncols() || rows.len() != values.nrows() {
        return Err(Error::internal(format!(
            "{} names and {} rows for a matrix of {} x {}",
            names.len(),
            rows.len(),
            values.nrows(),
            values.ncols()
        )));
    }
    let columns = names.iter().zip(values.columns()).map(|(name, values)| {
        optional_column(name.as_ref(), frame.height(), rows, values.iter().map(|&v| Some(v)))
    });
    with_columns(frame, columns.collect())
}

/// Adds columns, or replaces those of the same name.
///
/// # Errors
/// When a column has another number of rows.
pub fn with_columns(frame: &DataFrame, columns: Vec<Column>) -> Result<DataFrame> {
    let mut frame = frame.clone();
    for column in columns {
        frame.with_column(column).map_err(|e| Error::internal(e.to_string()))?;
    }
    Ok(frame)
}

/// A column of numbers given for some rows only.
pub fn optional_column(
    name: &str,
    n_rows: usize,
    rows: &[usize],
    values: impl Iterator<Item = Option<f64>>,
) -> Column {
    let mut column = vec![None; n_rows];
    rows.iter().zip(values).for_each(|(&row, value)| column[row] = value);
    Series::new(name.into(), column).into()
}

/// A column of labels: 0 in rows that have none.
pub fn label_column(name: &str, n_rows: usize, rows: &[usize], labels: &[usize]) -> Column {
    let mut column = vec![0u32; n_rows];
    rows.iter().zip(labels).for_each(|(&row, &label)| column[row] = label as u32);
    Series::new(name.into(), column).into()
}
