//! `explore describe`: one row per column.

use clap::Args;
use polariscope::Result;
use polariscope::report::count;
use polariscope::report::screen::{FeatureRow, Screen};
use polariscope::table::{ColumnSummary, describe_in};
use polars::prelude::{Column, DataFrame, NamedFrom, Series};
use serde_json::json;

use super::Console;
use super::args::{Globals, Input, Output};

#[derive(Debug, Args)]
pub struct Describe {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    output: Output,
}

impl Describe {
    pub fn run(&self, globals: &Globals, console: &Console) -> Result<()> {
        console.check_free(&self.output, globals)?;
        let table = console.read(&self.input)?;
        let summaries = describe_in(&table.frame, table.length_unit.as_deref());
        console.print_json(json!({ "columns": summaries, "n_rows": table.frame.height() }))?;
        if self.output.output.is_some() {
            return console.write(&frame(&summaries)?, &self.output, globals);
        }
        console.print(&self.screen(&summaries, table.frame.height()).text(console.style()))
    }

    fn screen(&self, summaries: &[ColumnSummary], n_rows: usize) -> Screen {
        let row = |summary: &ColumnSummary| FeatureRow {
            note: if summary.role == "feature" { String::new() } else { summary.role.to_owned() },
            ..FeatureRow::of(summary)
        };
        let size = format!("{} rows x {} columns", count(n_rows), summaries.len());
        Screen {
            title: vec![self.input.table.display().to_string(), size],
            features: summaries.iter().map(row).collect(),
            unfolded: true,
            ..Screen::default()
        }
    }
}

/// The summaries as a table, one row per column.
fn frame(summaries: &[ColumnSummary]) -> Result<DataFrame> {
    let text = |name: &str, value: fn(&ColumnSummary) -> &str| -> Column {
        Series::new(name.into(), summaries.iter().map(value).collect::<Vec<_>>()).into()
    };
    let count = |name: &str, value: fn(&ColumnSummary) -> usize| -> Column {
        Series::new(name.into(), summaries.iter().map(|s| value(s) as u64).collect::<Vec<_>>())
            .into()
    };
    let number = |name: &str, value: fn(&ColumnSummary) -> Option<f64>| -> Column {
        Series::new(name.into(), summaries.iter().map(value).collect::<Vec<_>>()).into()
    };
    super::frame_of(vec![
        text("column", |s| &s.name),
        text("role", |s| s.role),
        text("unit", |s| &s.unit),
        count("count", |s| s.count),
        count("missing", |s| s.missing),
        number("mean", |s| s.mean),
        number("std", |s| s.std),
        number("min", |s| s.min),
        number("q25", |s| s.q25),
        number("median", |s| s.median),
        number("q75", |s| s.q75),
        number("max", |s| s.max),
        count("distinct", |s| s.distinct),
    ])
}
