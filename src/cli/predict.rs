//! `explore predict`: adds `predicted` and one `probability_CLASS` column per class.

use std::path::PathBuf;

use clap::Args;
use ndarray::Axis;
use polariscope::Result;
use polariscope::classify::Model;
use polariscope::table::{Features, Table, with_columns, with_values};
use polars::prelude::{NamedFrom, Series};
use serde_json::json;

use super::Console;
use super::args::{Globals, Input, Output};

#[derive(Debug, Args)]
pub struct Predict {
    /// A model file
    model: PathBuf,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    output: Output,
}

impl Predict {
    pub fn run(&self, globals: &Globals, console: &Console) -> Result<()> {
        console.check_free(&self.output, globals)?;
        let model = Model::open(&self.model)?;
        let table = console.read(&self.input)?;
        let features = features_of(&model, &table).map_err(|e| e.in_file(&self.input.table))?;
        let outputs = model.outputs(&features)?;
        let n_rows = table.frame.height();
        let mut predicted: Vec<Option<String>> = vec![None; n_rows];
        for (&row, label) in features.rows().iter().zip(model.assign(&features)?) {
            predicted[row] = Some(label);
        }
        let mut frame = with_columns(&table.frame, vec![typed(&model, predicted)])?;
        if model.classes().is_some() {
            let names: Vec<String> =
                model.output_names().iter().map(|name| format!("probability_{name}")).collect();
            frame = with_values(&frame, features.rows(), &names, outputs.view())?;
        }
        console.print_json(json!({
            "n_rows": n_rows,
            "n_predicted": features.n_rows(),
            "classes": model.classes(),
            "mean_probability": outputs.mean_axis(Axis(0)).map(|m| m.to_vec()),
        }))?;
        console.write(&frame, &self.output, globals)
    }
}

/// The model's features from a table, by name; rows with a missing one are left out.
pub fn features_of(model: &Model, table: &Table) -> Result<Features> {
    model.check_columns(&table.frame.get_column_names())?;
    if model.feature_names().is_empty() {
        return Features::from_frame(&table.frame, polariscope::table::Columns::measurements());
    }
    Features::from_names(&table.frame, model.feature_names())
}

/// Classes that are whole numbers come back as numbers, so that they compare with the column they were learned from.
fn typed(model: &Model, predicted: Vec<Option<String>>) -> polars::prelude::Column {
    let numeric = model.classes().is_some_and(|names| names.iter().all(|n| n.parse::<i64>().is_ok()));
    if numeric {
        let numbers: Vec<Option<i64>> =
            predicted.iter().map(|p| p.as_ref().and_then(|p| p.parse().ok())).collect();
        return Series::new("predicted".into(), numbers).into();
    }
    if model.classes().is_none() {
        let numbers: Vec<Option<f64>> =
            predicted.iter().map(|p| p.as_ref().and_then(|p| p.parse().ok())).collect();
        return Series::new("predicted".into(), numbers).into();
    }
    Series::new("predicted".into(), predicted).into()
}
