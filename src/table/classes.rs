//! A column that says which class a row belongs to becomes names and labels.

use std::collections::BTreeSet;

use polars::prelude::{DataFrame, DataType};

use super::values::{find, numbers};
use crate::error::{Error, Result};

/// More classes than this are a measurement, not a class.
const MAX_CLASSES: usize = 1_000;

/// The classes of a column, and the class of each row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classes {
    /// Numbers ascending, text in alphabetical order.
    pub names: Vec<String>,
    /// Per table row the position of its class in `names`; `None` where the value is missing.
    pub labels: Vec<Option<usize>>,
}

impl Classes {
    /// Reads the classes of a column of text, whole numbers or true/false.
    ///
    /// ```
    /// use polariscope::table::{Classes, Table};
    /// let table = Table::from_bytes("t.csv", b"area,kind\n1,round\n2,long\n3,\n")?;
    /// let classes = Classes::of(&table.frame, "kind")?;
    /// assert_eq!(classes.names, ["long", "round"]);
    /// assert_eq!(classes.labels, [Some(1), Some(0), None]);
    /// # Ok::<(), polariscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// An unknown column, numbers that are not whole, or more classes than 1,000.
    pub fn of(frame: &DataFrame, column: &str) -> Result<Self> {
        let values = find(frame, column)?;
        let (names, labels) =
            if let Some(numbers) = numbers(values).filter(|_| !values.dtype().is_bool()) {
                whole_numbers(&numbers).map_err(|e| e.at_column(column))?
            } else {
                let text = values
                    .cast(&DataType::String)
                    .map_err(|e| Error::data(e.to_string()).at_column(column))?;
                let text = text.str().map_err(|e| Error::internal(e.to_string()))?;
                let names: BTreeSet<&str> = text.iter().flatten().collect();
                let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
                let position = |v: &str| names.binary_search_by(|n| n.as_str().cmp(v)).ok();
                let labels = text.iter().map(|v| v.and_then(position)).collect();
                (names, labels)
            };
        if names.len() > MAX_CLASSES {
            return Err(Error::data(format!("{} different values are no classes", names.len()))
                .at_column(column)
                .help("choose a column that names the group of each row"));
        }
        Ok(Self { names, labels })
    }
}

fn whole_numbers(values: &[f64]) -> Result<(Vec<String>, Vec<Option<usize>>)> {
    if let Some((row, value)) =
        values.iter().enumerate().find(|(_, v)| !v.is_nan() && v.fract() != 0.0)
    {
        return Err(Error::data(format!("{value} is a measurement, not a class"))
            .at_row(row + 1)
            .help("choose a column of names or whole numbers"));
    }
    let names: BTreeSet<i64> = values.iter().filter(|v| !v.is_nan()).map(|&v| v as i64).collect();
    let names: Vec<i64> = names.into_iter().collect();
    let labels = values
        .iter()
        .map(|&v| if v.is_nan() { None } else { names.binary_search(&(v as i64)).ok() })
        .collect();
    Ok((names.iter().map(i64::to_string).collect(), labels))
}
