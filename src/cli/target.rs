//! What a classifier learns from: the rows of a table whose class is known, and their classes.

use std::collections::BTreeSet;

use polariscope::report::figures::ColorBy;
use polariscope::table::{Classes, Columns, Features, Table, column_of_numbers};
use polariscope::{Error, Result};

use super::args::Choice;

/// The chosen features, as measured, of the rows that have a class.
pub struct Target {
    /// What every column of the table is.
    pub columns: Columns,
    pub features: Features,
    /// Per row of `features` its class, a position in `names`.
    pub labels: Vec<usize>,
    pub names: Vec<String>,
}

impl Target {
    /// Reads the classes of `column`, which is then no feature.
    pub fn of(table: &Table, column: &str, choice: &Choice) -> Result<Self> {
        let classes = Classes::of(&table.frame, column)?;
        let columns = Columns::chosen(&table.frame, choice.selection().exclude([column]))?;
        let complete = Features::from_columns(&table.frame, &columns)?;
        let known: Vec<usize> = (0..complete.n_rows())
            .filter(|&row| classes.labels[complete.rows()[row]].is_some())
            .collect();
        let features = complete.select_rows(&known);
        let labels: Vec<usize> =
            features.rows().iter().filter_map(|&row| classes.labels[row]).collect();
        if labels.iter().all(|label| labels.first() == Some(label)) {
            return Err(Error::data("there are no two classes to tell apart").at_column(column));
        }
        Ok(Self { columns, features, labels, names: classes.names })
    }

    /// The names of classes that a forest knows by position.
    pub fn names_of(&self, classes: &[usize]) -> Vec<String> {
        classes.iter().map(|&class| self.names[class].clone()).collect()
    }
}

/// Numbers with at most so many different values, all whole, name groups.
const MOST_GROUPS: usize = 10;

/// A column gives each of `rows` its colour: text, truth values and a few whole numbers as classes, other numbers on a
/// scale.
pub fn color_by(table: &Table, name: &str, rows: &[usize]) -> Result<ColorBy> {
    let numbers = column_of_numbers(&table.frame, name);
    let is_label = name == "cluster" || name == "predicted_cluster";
    match numbers {
        Ok(values) if !is_label && !are_groups(&values) => {
            Ok(ColorBy::values(name, rows.iter().map(|&row| values[row]).collect::<Vec<_>>()))
        }
        Err(_) | Ok(_) => {
            let mut classes = Classes::of(&table.frame, name)?;
            // A cluster 0 is no group but the mark of objects that belong to none.
            let none = (is_label && classes.names.first().is_some_and(|n| n == "0")).then_some(0);
            let shift = usize::from(none.is_none());
            if none.is_some() {
                classes.names.remove(0);
            }
            Ok(ColorBy::Groups {
                name: name.to_owned(),
                labels: rows.iter().map(|&r| classes.labels[r].map_or(0, |c| c + shift)).collect(),
                names: classes.names,
            })
        }
    }
}

/// Whether there are few different numbers, all whole, and each of them twice on average.
fn are_groups(values: &[f64]) -> bool {
    let mut known = values.iter().copied().filter(|value| !value.is_nan());
    let mut different = BTreeSet::new();
    let are_few_and_whole = known.all(|value| {
        different.insert(value.to_bits());
        value.fract() == 0.0 && different.len() <= MOST_GROUPS
    });
    are_few_and_whole && !different.is_empty() && 2 * different.len() <= values.len()
}
