//! `explore correlate`: a square table, first column `column`.

use clap::{Args, ValueEnum};
use ndarray::Array2;
use polariscope::table::{Columns, correlate, Correlation};
use polariscope::{Error, Result};
use polars::prelude::{Column, DataFrame, NamedFrom, Series};
use serde_json::json;

use super::Console;
use super::args::{Choice, Globals, Input, Output};

#[derive(Debug, Args)]
pub struct Correlate {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    choice: Choice,
    /// Linear (pearson) or monotone (spearman) relation
    #[arg(long, value_enum, default_value_t = Method::Pearson)]
    method: Method,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Method {
    Pearson,
    Spearman,
}

impl Correlate {
    pub fn run(&self, globals: &Globals, console: &Console) -> Result<()> {
        console.check_free(&self.output, globals)?;
        let table = console.read(&self.input)?;
        let columns = Columns::chosen(&table.frame, self.choice.selection())?;
        let names = columns.features();
        if names.len() < 2 {
            return Err(Error::data(format!("{} feature columns: correlating takes 2", names.len()))
                .in_file(&self.input.table)
                .help("name the columns with --features"));
        }
        let method = match self.method {
            Method::Pearson => Correlation::Pearson,
            Method::Spearman => Correlation::Spearman,
        };
        let matrix = correlate(&table.frame, &names, method)?;
        let rows: Vec<Vec<Option<f64>>> =
            matrix.outer_iter().map(|row| row.iter().copied().map(defined).collect()).collect();
        console.print_json(json!({ "columns": names, "matrix": rows }))?;
        console.write(&square(&names, &matrix)?, &self.output, globals)
    }
}

/// The correlation with a constant column is not a number, and is written as missing.
fn defined(r: f64) -> Option<f64> {
    r.is_finite().then_some(r)
}

fn square(names: &[&str], matrix: &Array2<f64>) -> Result<DataFrame> {
    let first: Column = Series::new("column".into(), names).into();
    let rest = names.iter().zip(matrix.columns()).map(|(name, column)| {
        let values: Vec<Option<f64>> = column.iter().copied().map(defined).collect();
        Series::new((*name).into(), values).into()
    });
    super::frame_of(std::iter::once(first).chain(rest).collect())
}
