//! `explore select`: which features separate the groups.

use clap::Args;
use polariscope::Result;
use polariscope::select::{Grouping, Selection};
use polariscope::table::{Classes, Columns, Features, Table};
use serde_json::json;

use super::Console;
use super::args::{Globals, Input, Output, Scaled};

#[derive(Debug, Args)]
pub struct Select {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    scaled: Scaled,
    /// Column that says which group a row belongs to; groups found by `cluster` have 0 for "none"
    #[arg(long, default_value = "cluster", value_name = "COLUMN")]
    by: String,
}

impl Select {
    pub fn run(&self, globals: &Globals, console: &Console) -> Result<()> {
        console.check_free(&self.output, globals)?;
        let table = console.read(&self.input)?;
        let (found, groups) = selected(&table, &self.scaled, &self.by, globals)?;
        console.print_json(json!({
            "by": self.by,
            "groups": groups,
            "chosen": found.chosen,
            "balanced_accuracy": found.balanced_accuracy,
            "sentence": found.sentence,
            "ranking": found.ranking,
        }))?;
        console.note(&found.sentence);
        console.write(&found.frame()?, &self.output, globals)
    }
}

/// The features that separate the groups of column `by`, and the names of the groups that have complete rows.
pub fn selected(
    table: &Table,
    scaled: &Scaled,
    by: &str,
    globals: &Globals,
) -> Result<(Selection, Vec<String>)> {
    let classes = Classes::of(&table.frame, by)?;
    let unassigned = classes.names.iter().position(|name| by == "cluster" && name == "0");
    let columns = Columns::chosen(&table.frame, scaled.choice.selection().exclude([by]))?;
    let complete = Features::from_columns(&table.frame, &columns)?;
    let group_of = |row: usize| classes.labels[row].filter(|&class| Some(class) != unassigned);
    let grouped: Vec<usize> = (0..complete.n_rows())
        .filter(|&row| group_of(complete.rows()[row]).is_some())
        .collect();
    let features = complete.select_rows(&grouped).into_scaled(scaled.scale)?;
    let groups: Vec<usize> = features.rows().iter().filter_map(|&row| group_of(row)).collect();
    // Classes without a complete row would be empty groups: number those that are there.
    let mut present = groups.clone();
    present.sort_unstable();
    present.dedup();
    let labels: Vec<usize> =
        groups.iter().filter_map(|g| present.binary_search(g).ok()).map(|g| g + 1).collect();
    let run = Grouping::of(&features, labels.clone());
    let found = Selection::of(&features, &[run], &labels, globals.seed)?;
    Ok((found, present.iter().map(|&g| classes.names[g].clone()).collect()))
}
