//! The model file: a forest with everything it takes to use it on another table.

mod file;

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::forest::{RandomForest, largest};
use super::trees::{Trees, check_matrix};
use crate::error::{Error, Result, closest};
use crate::table::Features;

/// A trained forest with its features, classes and the summary of its training.
///
/// ```
/// use linfa::traits::Fit;
/// use ndarray::array;
/// use polariscope::classify::{Model, RandomForest};
/// use polariscope::table::Features;
///
/// let features = Features::new(array![[1.0], [2.0], [8.0], [9.0]], ["area"])?;
/// let forest = RandomForest::params().min_samples_leaf(1).fit(&features.labelled(&[1, 1, 2, 2])?)?;
/// let model = Model::of(&forest);
/// let again = Model::from_json(&model.to_json())?;
///
/// assert_eq!(again, model);
/// assert_eq!(again.assign(&features)?, ["1", "1", "2", "2"]);
/// assert!(again.check_columns(&["perimeter"]).is_err());
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    trees: Trees,
    feature_names: Vec<String>,
    units: Vec<String>,
    scaler: Option<Scaling>,
    classes: Option<Vec<String>>,
    summary: TrainingSummary,
}

/// `(x - center) / scale` per feature, applied before the forest is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// What is taken away, one per feature.
    pub center: Vec<f64>,
    /// What it is divided by, one per feature.
    pub scale: Vec<f64>,
}

/// How well the training went; every accuracy was taken on rows the trees had not seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainingSummary {
    /// Column that was learned.
    pub target: Option<String>,
    /// Rows of the training.
    pub n_rows: usize,
    /// Seed of the training.
    pub seed: u64,
    /// Out-of-bag accuracy.
    pub oob_accuracy: Option<f64>,
    /// Cross-validated accuracy.
    pub cv_accuracy: Option<f64>,
    /// Cross-validated balanced accuracy.
    pub cv_balanced_accuracy: Option<f64>,
    /// Impurity importance per feature.
    pub importances: Vec<f64>,
    /// Version of the program that trained it.
    pub version: String,
}

impl Model {
    /// The model of a forest: class labels as text, no units, no scaler.
    pub fn of(forest: &RandomForest) -> Self {
        Self {
            trees: forest.trees().clone(),
            feature_names: forest.feature_names().to_vec(),
            units: vec![String::new(); forest.feature_names().len()],
            scaler: None,
            classes: Some(forest.classes().iter().map(ToString::to_string).collect()),
            summary: TrainingSummary {
                n_rows: forest.n_rows(),
                seed: forest.seed(),
                oob_accuracy: forest.oob_score(),
                importances: forest.importances().to_vec(),
                version: env!("CARGO_PKG_VERSION").to_string(),
                ..TrainingSummary::default()
            },
        }
    }

    /// Names the classes, in the order of [`RandomForest::classes`].
    ///
    /// # Errors
    /// When there is not one name per class.
    pub fn with_classes(mut self, names: Vec<String>) -> Result<Self> {
        if names.len() != self.trees.n_outputs() {
            let message = format!("{} names for {} classes", names.len(), self.trees.n_outputs());
            return Err(Error::data(message));
        }
        self.classes = Some(names);
        Ok(self)
    }

    /// Notes the unit of each feature.
    ///
    /// # Errors
    /// When there is not one unit per feature.
    pub fn with_units(mut self, units: Vec<String>) -> Result<Self> {
        check_length("units", units.len(), self.trees.n_features())?;
        self.units = units;
        Ok(self)
    }

    /// Scales tables before the forest is asked, as the training table was scaled.
    ///
    /// # Errors
    /// When there is not one finite center and one positive scale per feature.
    pub fn with_scaling(mut self, scaling: Scaling) -> Result<Self> {
        scaling.check(self.trees.n_features())?;
        self.scaler = Some(scaling);
        Ok(self)
    }

    /// Notes how the training went.
    pub fn with_summary(mut self, summary: TrainingSummary) -> Self {
        self.summary = summary;
        self
    }

    /// The trees.
    pub fn trees(&self) -> &Trees {
        &self.trees
    }

    /// Names of the features; empty for a dump that has none.
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    /// Unit of each feature, empty where none is known.
    pub fn units(&self) -> &[String] {
        &self.units
    }

    /// How tables are scaled before the forest is asked.
    pub fn scaling(&self) -> Option<&Scaling> {
        self.scaler.as_ref()
    }

    /// Names of the classes; `None` for a regression.
    pub fn classes(&self) -> Option<&[String]> {
        self.classes.as_deref()
    }

    /// Names of the outputs: the classes, or `value` (`value_0`, ... where there are several).
    pub fn output_names(&self) -> Vec<String> {
        match (&self.classes, self.trees.n_outputs()) {
            (Some(classes), _) => classes.clone(),
            (None, 1) => vec!["value".to_string()],
            (None, n) => (0..n).map(|k| format!("value_{k}")).collect(),
        }
    }

    /// How the training went.
    pub fn summary(&self) -> &TrainingSummary {
        &self.summary
    }

    /// Which of a table's columns feed the model, as positions in `columns`.
    ///
    /// # Errors
    /// Names every feature that is missing, with the closest column where one is close.
    pub fn check_columns<S: AsRef<str>>(&self, columns: &[S]) -> Result<Vec<usize>> {
        find_columns(&self.feature_names, columns)
    }

    /// The outputs for each row, shape `(n_rows, n_outputs)`: probabilities, or predicted numbers.
    ///
    /// Columns are found by name; further columns do not matter.
    ///
    /// # Errors
    /// A feature that is missing.
    pub fn outputs(&self, features: &Features) -> Result<Array2<f64>> {
        let columns = self.check_columns(features.names())?;
        if self.feature_names.is_empty() {
            return self.outputs_of(features.matrix());
        }
        self.outputs_of(features.matrix().select(ndarray::Axis(1), &columns).view())
    }

    /// As [`outputs`](Self::outputs), for a matrix whose columns are the model's features in order.
    ///
    /// # Errors
    /// Another number of columns, or a value that is not finite, with its row and column.
    pub fn outputs_of(&self, matrix: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        check_matrix(matrix, self.trees.n_features(), &self.feature_names)?;
        Ok(match &self.scaler {
            None => self.trees.mean_outputs_unchecked(matrix),
            Some(scaling) => self.trees.mean_outputs_unchecked(scaling.apply(matrix).view()),
        })
    }

    /// The most probable class of each row; for a regression the number as text.
    ///
    /// # Errors
    /// As [`outputs`](Self::outputs).
    pub fn assign(&self, features: &Features) -> Result<Vec<String>> {
        let outputs = self.outputs(features)?;
        Ok(outputs
            .rows()
            .into_iter()
            .map(|row| match &self.classes {
                Some(classes) => classes[largest(row.iter())].clone(),
                None => row[0].to_string(),
            })
            .collect())
    }
}

/// The position of each wanted name among the columns.
///
/// # Errors
/// Every name that is missing, with the closest column where one is close.
pub(crate) fn find_columns<S: AsRef<str>>(wanted: &[String], columns: &[S]) -> Result<Vec<usize>> {
    let position = |name: &String| columns.iter().position(|c| c.as_ref() == name);
    let missing: Vec<&String> = wanted.iter().filter(|name| position(name).is_none()).collect();
    if missing.is_empty() {
        return Ok(wanted.iter().filter_map(position).collect());
    }
    let guess = |name: &&String| {
        let names = columns.iter().map(AsRef::as_ref);
        closest(name, names).map_or(format!("`{name}`"), |c| format!("`{name}` (is it `{c}`?)"))
    };
    let listed: Vec<String> = missing.iter().map(guess).collect();
    Err(Error::data(format!(
        "the table lacks {} of the {} features of the model: {}",
        missing.len(),
        wanted.len(),
        listed.join(", ")
    ))
    .help("measure the missing features, or train a model on the columns that are there"))
}

fn check_length(name: &str, found: usize, wanted: usize) -> Result<()> {
    if found == wanted {
        return Ok(());
    }
    Err(Error::format(format!("{name} has {found} entries: must be {wanted}")))
}

impl Scaling {
    fn check(&self, n_features: usize) -> Result<()> {
        check_length("scaler.center", self.center.len(), n_features)?;
        check_length("scaler.scale", self.scale.len(), n_features)?;
        let wrong = |(c, s): (&f64, &f64)| !(c.is_finite() && s.is_finite() && *s > 0.0);
        match self.center.iter().zip(&self.scale).position(wrong) {
            None => Ok(()),
            Some(i) => Err(Error::format(format!(
                "scaler of feature {i}: ({}, {}) must be a finite center and a positive scale",
                self.center[i], self.scale[i]
            ))),
        }
    }

    pub(crate) fn apply(&self, matrix: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut scaled = matrix.to_owned();
        for (mut column, (center, scale)) in
            scaled.columns_mut().into_iter().zip(self.center.iter().zip(&self.scale))
        {
            column.mapv_inplace(|x| (x - center) / scale);
        }
        scaled
    }
}

#[cfg(test)]
mod tests;
