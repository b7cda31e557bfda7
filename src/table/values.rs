//! A column of any number type becomes one plain slice of `f64`, missing = NaN.

use std::borrow::Cow;

use polars::prelude::{Column, DataFrame, DataType};

use crate::error::{Error, Result};

/// The names of the columns, in table order.
pub(super) fn names(frame: &DataFrame) -> impl Iterator<Item = &str> {
    frame.columns().iter().map(|column| column.name().as_str())
}

/// Numbers, integers or floats; booleans and text are not.
pub(super) fn is_number(column: &Column) -> bool {
    column.dtype().is_primitive_numeric()
}

/// The values of a number or boolean column; null and NaN both come as NaN. `None` for text and the like.
///
/// A float column without nulls is borrowed, everything else is copied.
pub(super) fn numbers(column: &Column) -> Option<Cow<'_, [f64]>> {
    if *column.dtype() == DataType::Float64
        && let Ok(values) = column.f64()
        && let Ok(slice) = values.cont_slice()
    {
        return Some(Cow::Borrowed(slice));
    }
    if !is_number(column) && !column.dtype().is_bool() {
        return None;
    }
    let cast = column.cast(&DataType::Float64).ok()?;
    let values = cast.f64().ok()?;
    Some(Cow::Owned(values.iter().map(|v| v.unwrap_or(f64::NAN)).collect()))
}

/// The column of that name, or an error that suggests the closest one.
pub(super) fn find<'a>(frame: &'a DataFrame, name: &str) -> Result<&'a Column> {
    frame.column(name).map_err(|_| unknown(frame, name))
}

/// `no such column`, with the closest name that there is.
pub(super) fn unknown(frame: &DataFrame, name: &str) -> Error {
    let names: Vec<&str> = names(frame).collect();
    let error = Error::data("there is no such column").at_column(name);
    match crate::error::closest(name, names.iter().copied()) {
        Some(close) => error.help(format!("did you mean `{close}`?")),
        None => error.help(format!("the table has {}", listed(&names))),
    }
}

/// The first few names, in backticks.
fn listed(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(8).map(|n| format!("`{n}`")).collect();
    let more =
        if names.len() > 8 { format!(" and {} more", names.len() - 8) } else { String::new() };
    shown.join(", ") + &more
}

/// The values of a column of numbers, missing = NaN.
///
/// # Errors
/// A name that is not in the table (with the closest that is), or a column that is not of numbers.
pub fn column_of_numbers<'a>(frame: &'a DataFrame, name: &str) -> Result<Cow<'a, [f64]>> {
    numbers(find(frame, name)?)
        .ok_or_else(|| Error::data("is not a column of numbers").at_column(name))
}

/// The values of a column of numbers, missing = NaN; `None` when there is no such column or it is no number.
pub fn numbers_of<'a>(frame: &'a DataFrame, name: &str) -> Option<Cow<'a, [f64]>> {
    numbers(frame.column(name).ok()?)
}
