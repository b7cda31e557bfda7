//! `explore train`: a random forest on a table column.

use std::path::PathBuf;

use clap::Args;
use linfa::traits::Fit;
use polariscope::classify::validate::{self, Split};
use polariscope::classify::{ForestParams, Model, RandomForest, TrainingSummary};
use polariscope::explain::with_random_control;
use polariscope::output::check_free;
use polariscope::report::count;
use polariscope::table::{Classes, Features, Table};
use polariscope::{Error, Result};
use serde_json::{Map, Value, json};

use super::Console;
use super::args::{Choice, Globals, Input};
use super::target::Target;

/// Parts of the cross-validation.
const FOLDS: usize = 5;

#[derive(Debug, Args)]
pub struct Train {
    #[command(flatten)]
    input: Input,
    /// Column to learn: names or whole numbers
    #[arg(long, value_name = "COLUMN")]
    target: String,
    /// Model file to write
    #[arg(short, long, value_name = "MODEL.json")]
    output: PathBuf,
    #[command(flatten)]
    choice: Choice,
    /// Number of trees
    #[arg(long, default_value_t = 100, value_name = "N")]
    n_trees: usize,
    /// Depth of the trees
    #[arg(long, default_value_t = 8, value_name = "D")]
    max_depth: usize,
    /// Also train with a column of random numbers, and name the features that are worth no more than it
    #[arg(long)]
    random_control: bool,
    /// Rows that a leaf keeps at least
    #[arg(long, default_value_t = 1, value_name = "N")]
    min_samples_leaf: usize,
    /// Column of the image (or animal) a row comes from: cross-validation keeps each whole on one side
    #[arg(long, value_name = "COLUMN")]
    split_by: Option<String>,
}

impl Train {
    pub fn run(&self, globals: &Globals, console: &Console) -> Result<()> {
        check_free(&self.output, globals.existing())?;
        let table = console.read(&self.input)?;
        let mut choice = self.choice.clone();
        choice.exclude.extend(self.split_by.clone());
        let target = Target::of(&table, &self.target, &choice)
            .map_err(|e| e.in_file(&self.input.table))?;
        let Target { columns, features, labels, .. } = &target;
        let params = RandomForest::params()
            .n_trees(self.n_trees)
            .max_depth(self.max_depth)
            .min_samples_leaf(self.min_samples_leaf)
            .seed(globals.seed);
        let splits = self.splits(&table, features, labels, globals.seed)?;
        let folds = validate::cross_validate(&params, features, labels, &splits)?;
        let forest =
            params.clone().progress(console.progress("forest")).fit(&features.labelled(labels)?)?;
        let units = features.names().iter().map(|n| columns.get(n).map_or(String::new(), |c| c.unit.clone()));
        let mut model = Model::of(&forest).with_classes(target.names_of(forest.classes()))?.with_units(units.collect())?;
        let summary = TrainingSummary {
            target: Some(self.target.clone()),
            cv_accuracy: Some(folds.accuracy()),
            cv_balanced_accuracy: Some(folds.balanced_accuracy()),
            ..model.summary().clone()
        };
        model = model.with_summary(summary);
        model.save(&self.output, globals.existing())?;

        let control = if self.random_control { Some(control(&params, &target, globals.seed)?) } else { None };
        let importances: Map<String, Value> =
            features.names().iter().cloned().zip(forest.importances().iter().map(|&i| json!(i))).collect();
        console.print_json(json!({
            "target": self.target,
            "classes": model.classes(),
            "n_rows": features.n_rows(),
            "n_rows_left_out": table.frame.height() - features.n_rows(),
            "oob_accuracy": forest.oob_score(),
            "cv_accuracy": folds.accuracy(),
            "cv_balanced_accuracy": folds.balanced_accuracy(),
            "importances": importances,
            "random_control": control.as_ref().map(|(importance, below)| json!({ "importance": importance, "not_above": below })),
            "model": self.output,
        }))?;
        let mut ranked: Vec<(f64, &String)> =
            forest.importances().iter().copied().zip(features.names()).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut text = format!(
            "{} rows, {} features, classes: {}\nout of bag {:.1} %   {}-fold {:.1} % (balanced {:.1} %)\nimportance\n",
            count(features.n_rows()),
            features.n_features(),
            model.classes().unwrap_or_default().join(", "),
            100.0 * forest.oob_score().unwrap_or(f64::NAN),
            splits.len(),
            100.0 * folds.accuracy(),
            100.0 * folds.balanced_accuracy(),
        );
        for (importance, name) in ranked.iter().take(10) {
            text += &format!("  {importance:.3}  {name}\n");
        }
        if let Some((importance, below)) = control {
            text += &format!("  {importance:.3}  random numbers; not above them: {}\n", if below.is_empty() { "none".to_owned() } else { below.join(", ") });
        }
        text += &format!("model      {}\n", self.output.display());
        console.print(&text)
    }

    /// Parts for the cross-validation: by class, or such that no image is on both sides.
    fn splits(
        &self,
        table: &Table,
        features: &Features,
        labels: &[usize],
        seed: u64,
    ) -> Result<Vec<Split>> {
        let Some(column) = &self.split_by else {
            return validate::stratified_k_fold(labels, FOLDS.min(labels.len()), seed);
        };
        let images = Classes::of(&table.frame, column)?;
        let image_of = |&row: &usize| {
            images.labels[row].ok_or_else(|| {
                Error::data("does not say which image the row comes from")
                    .at_row(row + 1)
                    .at_column(column)
                    .help("fill it in, or leave out --split-by")
            })
        };
        let groups = features.rows().iter().map(image_of).collect::<Result<Vec<_>>>()?;
        let mut distinct = groups.clone();
        distinct.sort_unstable();
        distinct.dedup();
        validate::grouped_k_fold(labels, &groups, FOLDS.min(distinct.len()), seed)
            .map_err(|e| e.at_column(column))
    }
}

/// The importance of a column of random numbers among the features, and the features that it is not below.
fn control(
    params: &ForestParams<RandomForest>,
    target: &Target,
    seed: u64,
) -> Result<(f64, Vec<String>)> {
    let features = with_random_control(&target.features, seed)?;
    let forest = params.fit(&features.labelled(&target.labels)?)?;
    let (chance, importances) = forest.importances().split_last().unwrap_or((&0.0, &[]));
    let below = features.names().iter().zip(importances).filter(|(_, i)| *i <= chance);
    Ok((*chance, below.map(|(name, _)| name.clone()).collect()))
}
