//! What a Parquet or Arrow file says about its columns beside their values: role, unit and definition.
//!
//! A polars frame has no room for it, so it travels with the file, as JSON under [`KEY`] in the metadata of
//! its schema, where pyarrow, pandas and polars show it. Names alone tell everything but the unit of length.

use std::collections::BTreeMap;

use polars::prelude::DataFrame;
use serde::{Deserialize, Serialize};

use super::columns::Columns;
use crate::regions::recognize;

/// The key of the notes in the metadata of a file.
pub(super) const KEY: &str = "polariscope";

/// What is written.
#[derive(Debug, Serialize, Deserialize)]
struct Notes {
    /// Unit of lengths; null for pixels.
    length_unit: Option<String>,
    #[serde(default, skip_deserializing)]
    columns: BTreeMap<String, Note>,
}

#[derive(Debug, Serialize, Default)]
struct Note {
    role: &'static str,
    unit: String,
    definition: Option<&'static str>,
}

/// The notes on a table whose lengths are in `length_unit` (pixels when `None`).
pub(super) fn write(frame: &DataFrame, length_unit: Option<&str>) -> String {
    let columns = Columns::of(frame).in_lengths(length_unit);
    let note = |column: &super::columns::Column| Note {
        role: column.role.name(),
        unit: column.unit.clone(),
        definition: recognize(&column.name).map(|known| known.property.definition),
    };
    let columns = columns.iter().map(|column| (column.name.clone(), note(column))).collect();
    let notes = Notes { length_unit: length_unit.map(str::to_owned), columns };
    // Text and maps of text always become JSON.
    serde_json::to_string(&notes).unwrap_or_default()
}

/// The unit of lengths that a file was written with; notes of others are ignored.
pub(super) fn length_unit(notes: &str) -> Option<String> {
    let unit = serde_json::from_str::<Notes>(notes).ok()?.length_unit?;
    // It is printed in every row of the screen.
    (!unit.is_empty() && unit.chars().count() <= 12 && !unit.contains(char::is_control))
        .then_some(unit)
}
