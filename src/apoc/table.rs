//! The classifier of table rows.

use super::Kind;
use super::classifier::Classifier;
use super::objects::{add_rows, classify, names_of};
use super::pixels::{Typed, typed};
use super::train::{Growth, Rows, growth_setters};
use crate::backend::Backend;
use crate::error::{Error, Result, closest};

typed! {
    /// Gives every row of a table a class.
    ///
    /// ```
    /// use polariscope::apoc::TableRowClassifier;
    ///
    /// let area = vec![10.0, 11.0, 30.0, 31.0, f32::NAN];
    /// let mut trainer = TableRowClassifier::params("area")?;
    /// trainer.add(&[area.clone()], &[1, 1, 2, 2, 0])?;
    /// let classifier = trainer.fit()?;
    ///
    /// // A row with a missing number has no class.
    /// assert_eq!(classifier.predict(&[area])?, [1, 1, 2, 2, 0]);
    /// # Ok::<(), polariscope::Error>(())
    /// ```
    TableRowClassifier
}

/// Collects rows with a class and trains on them; adding more and training again continues the training.
#[derive(Debug, Clone)]
pub struct TableTrainer {
    names: Vec<String>,
    growth: Growth,
    rows: Rows,
}

impl TableTrainer {
    growth_setters!();

    /// Adds rows: a column per feature, and the class of each row, 0 where none is known. Rows with a
    /// missing number (NaN) are left out.
    ///
    /// # Errors
    /// Another number of columns than features, columns of different length, no row with a class.
    pub fn add(&mut self, columns: &[Vec<f32>], classes: &[u32]) -> Result<()> {
        if columns.len() != self.names.len() || columns.iter().any(|c| c.len() != classes.len()) {
            return Err(Error::data(format!(
                "{} columns for {} features, or not as long as the {} classes",
                columns.len(),
                self.names.len(),
                classes.len()
            )));
        }
        add_rows(&mut self.rows, columns, classes)
    }

    /// Trains on everything added so far.
    ///
    /// # Errors
    /// When nothing was added, or a parameter is out of range.
    pub fn fit(&self) -> Result<TableRowClassifier> {
        let model = self.rows.fit(Kind::TableRowClassifier, self.names.join(" "), &self.growth)?;
        TableRowClassifier::of(model)
    }
}

impl TableRowClassifier {
    /// A trainer for these columns, names separated by spaces or commas.
    ///
    /// # Errors
    /// When there is no name.
    pub fn params(features: &str) -> Result<TableTrainer> {
        let names = names_of(features);
        if names.is_empty() {
            return Err(Error::parameter("features", "none", "at least one column"));
        }
        Ok(TableTrainer { names, growth: Growth::default(), rows: Rows::default() })
    }

    /// The class of each row, one column per feature in the order of the specification; 0 for a row with a
    /// missing number (NaN).
    ///
    /// # Errors
    /// Another number of columns than features.
    pub fn predict(&self, columns: &[Vec<f32>]) -> Result<Vec<u32>> {
        row_classes(&Backend::Cpu, self, columns)
    }
}

/// The class of each row of any model whose features are columns, on the processor or a device with the same answer.
///
/// # Errors
/// Another number of columns than features; what the device has no room for.
pub fn row_classes(
    backend: &Backend,
    model: &Classifier,
    columns: &[Vec<f32>],
) -> Result<Vec<u32>> {
    let n_rows = columns.first().map_or(0, Vec::len);
    if columns.iter().any(|column| column.len() != n_rows) {
        return Err(Error::data("the columns differ in length"));
    }
    classify(backend, model, columns)
}

/// Where the features of a model stand among the columns of a table.
///
/// # Errors
/// A feature that is not there, with the column that is named alike.
pub fn find_columns(model: &Classifier, columns: &[String]) -> Result<Vec<usize>> {
    names_of(model.feature_specification())
        .iter()
        .map(|name| {
            let same = |column: &String| {
                column == name || column.replace(char::is_whitespace, "_") == *name
            };
            columns.iter().position(same).ok_or_else(|| {
                let error =
                    Error::data(format!("the model reads the column `{name}`, which is not there"));
                match closest(name, columns.iter().map(String::as_str)) {
                    Some(near) => error.help(format!("is `{near}` meant? rename it")),
                    None => {
                        error.help(format!("the model reads {}", model.feature_specification()))
                    }
                }
            })
        })
        .collect()
}
