//! `explore explain`: SHAP values in long form: row, feature, output, shap.

use std::path::PathBuf;

use clap::Args;
use polariscope::Result;
use polariscope::classify::Model;
use polariscope::explain::{Shap, TreeShap};
use polariscope::select::named_families;
use polariscope::table::spearman;
use polars::prelude::{DataFrame, NamedFrom, Series};
use serde_json::{Map, Value, json};

use super::Console;
use super::args::{Globals, Input, Output};

#[derive(Debug, Args)]
pub struct Explain {
    /// A model file, ours or a scikit-learn dump
    model: PathBuf,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    output: Output,
    /// Values of families of correlated features (|Spearman| >= 0.85) in place of single features
    #[arg(long)]
    families: bool,
    /// Explain against the mean over this table's rows (at most 200, evenly spread) instead of the training's covers
    #[arg(long, value_name = "TABLE")]
    background: Option<PathBuf>,
}

/// Rows of the background, whose number the time grows with.
const MAX_BACKGROUND: usize = 200;

impl Explain {
    pub fn run(&self, globals: &Globals, console: &Console) -> Result<()> {
        console.check_free(&self.output, globals)?;
        let model = Model::open(&self.model)?;
        let table = console.read(&self.input)?;
        let features = super::predict::features_of(&model, &table)
            .map_err(|e| e.in_file(&self.input.table))?;
        let mut explainer = TreeShap::of(&model).progress(console.progress("SHAP"));
        if let Some(path) = &self.background {
            let table = console.read(&Input { table: path.clone() })?;
            let rows = super::predict::features_of(&model, &table).map_err(|e| e.in_file(path))?;
            let step = rows.n_rows().div_ceil(MAX_BACKGROUND).max(1);
            let spread: Vec<usize> = (0..rows.n_rows()).step_by(step).collect();
            explainer = explainer.background(rows.select_rows(&spread).matrix());
        }
        let mut shap = explainer.explain(&features)?;
        if self.families {
            let correlations = spearman(features.matrix()).mapv(f64::abs);
            shap = shap.grouped(&named_families(features.names(), &correlations))?;
        }
        let base: Map<String, Value> =
            shap.outputs.iter().cloned().zip(shap.base.iter().map(|&b| json!(b))).collect();
        let importances: Map<String, Value> =
            shap.features.iter().cloned().zip(shap.importances().iter().map(|&i| json!(i))).collect();
        console.print_json(json!({
            "n_rows": features.n_rows(),
            "outputs": shap.outputs,
            "base": base,
            "importances": importances,
            "additivity_error": shap.additivity_error,
        }))?;
        console.write(&long(&shap, features.rows())?, &self.output, globals)
    }
}

/// One line per row, feature and output.
fn long(shap: &Shap, rows: &[usize]) -> Result<DataFrame> {
    let n = shap.values.len();
    let (mut row, mut feature, mut output, mut value) =
        (Vec::with_capacity(n), Vec::with_capacity(n), Vec::with_capacity(n), Vec::with_capacity(n));
    for ((r, f, o), &v) in shap.values.indexed_iter() {
        row.push(rows[r] as u64);
        feature.push(shap.features[f].as_str());
        output.push(shap.outputs[o].as_str());
        value.push(v);
    }
    super::frame_of(vec![
        Series::new("row".into(), row).into(),
        Series::new("feature".into(), feature).into(),
        Series::new("output".into(), output).into(),
        Series::new("shap".into(), value).into(),
    ])
}
