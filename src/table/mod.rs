//! From files to a finite, named matrix: reading, column roles, summary, correlation, scaling.

mod attach;
mod classes;
mod columnar;
mod columns;
mod correlation;
mod csv;
mod features;
mod glob;
mod messages;
mod notes;
mod open;
mod order;
mod pages;
mod scale;
mod summary;
mod text;
mod values;
mod write;

pub use attach::{label_column, optional_column, with_columns, with_values};
pub use classes::Classes;
pub use columnar::is_guarded;
pub use columns::{Column, Columns, MISSING_ALLOWED, Selection};
pub use correlation::{
    Correlation, correlate, families, pearson, ranks, redundancies, representative, spearman,
};
pub use features::Features;
pub use open::Table;
pub use scale::{Scale, Scaler};
pub use summary::{BARS, ColumnSummary, describe, describe_in};
pub use values::{column_of_numbers, numbers_of};
pub use write::{check_suffix, write, write_csv, write_measured};

pub use crate::regions::Role;
