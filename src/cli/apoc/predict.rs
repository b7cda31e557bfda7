//! `explore apoc predict`: a model applied to an image, labels or a table.

use std::path::PathBuf;

use clap::Args;
use polariscope::apoc::{Classifier, Kind, PixelPrediction, find_columns, row_classes};
use polariscope::image::{LabelImage, check_output};
use polariscope::table::{self, numbers_of};
use polariscope::{Error, Result};
use polars::prelude::{NamedFrom, Series};
use serde_json::json;

use super::super::args::Input;
use super::{Console, Globals, intensity, needed, opened, usage};

#[derive(Debug, Args)]
pub struct Predict {
    /// Model: an APOC .cl file
    model: PathBuf,
    /// Image with the channels of the training; several flags give several channels
    #[arg(long = "image", value_name = "I")]
    images: Vec<PathBuf>,
    /// Label image, for classifiers of objects
    #[arg(long, value_name = "L")]
    labels: Option<PathBuf>,
    /// Table, for classifiers of rows
    #[arg(long, value_name = "T")]
    table: Option<PathBuf>,
    /// Rows of the image that are worked on at a time; never changes a pixel
    #[arg(long, value_name = "N")]
    tile: Option<usize>,
    /// Label image, probabilities or table to write
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
}

/// How many labels there are, and pixels of each.
fn tell_labels(model: &Classifier, pixels: &[u64], console: &Console) -> Result<()> {
    console.print_json(json!({
        "kind": model.kind().word(),
        "n_labels": pixels.iter().skip(1).filter(|n| **n > 0).count(),
        "pixels": pixels,
    }))
}

impl Predict {
    pub fn run(&self, globals: &Globals, console: &Console) -> Result<()> {
        check_output(&self.output, globals.existing())?;
        let model = Classifier::open(&self.model)?;
        match model.kind() {
            kind if kind.reads_pixels() => self.pixels(&model, globals, console),
            kind if kind.reads_objects() => self.objects(&model, globals, console),
            _ => self.rows(&model, globals, console),
        }
    }

    fn pixels(&self, model: &Classifier, globals: &Globals, console: &Console) -> Result<()> {
        self.refuse("--labels", self.labels.is_some(), model.kind())?;
        self.refuse("--table", self.table.is_some(), model.kind())?;
        needed(self.images.first(), "--image", model.kind())?;
        let files = opened(&self.images)?;
        let mut prediction = PixelPrediction::of_files(model, &files)
            .map_err(|e| e.in_file(&self.model))?
            .progress(console.progress("classify"));
        if let Some(tile) = self.tile {
            prediction = prediction.tile(tile);
        }
        let save = |on| {
            let prediction = prediction.clone().backend(on);
            let written = prediction.save(&self.output, globals.existing());
            written.map_err(|e| e.in_file(&self.images[0]))
        };
        let n_pixels = files.first().map_or(0, |file| file.grid().n_pixels());
        let written = globals.backend.run(n_pixels, save)?;
        if model.kind() == Kind::ProbabilityMapper {
            let mean = written.sum / written.n_pixels as f64;
            return console.print_json(json!({ "kind": model.kind().word(), "mean_probability": mean }));
        }
        tell_labels(model, &written.pixels, console)
    }

    fn objects(&self, model: &Classifier, globals: &Globals, console: &Console) -> Result<()> {
        console.refuse_gpu(super::ON_GPU)?;
        self.refuse("--table", self.table.is_some(), model.kind())?;
        let path = needed(self.labels.as_ref(), "--labels", model.kind())?;
        let labels = LabelImage::open(path)?;
        let intensity = intensity(&self.images)?;
        let found = model
            .predict_objects(&labels, intensity.as_ref())
            .map_err(|e| e.in_file(&self.model))?;
        found.save(&self.output, globals.existing())?;
        let mut counts = vec![0u64; found.max_label() as usize + 1];
        found.pixels().iter().for_each(|&l| counts[l as usize] += 1);
        tell_labels(model, &counts, console)
    }

    fn rows(&self, model: &Classifier, globals: &Globals, console: &Console) -> Result<()> {
        self.refuse("--image", !self.images.is_empty(), model.kind())?;
        self.refuse("--labels", self.labels.is_some(), model.kind())?;
        let path = needed(self.table.as_ref(), "--table", model.kind())?;
        let table = console.read(&Input { table: path.clone() })?;
        let names: Vec<String> =
            table.frame.get_column_names().iter().map(ToString::to_string).collect();
        let positions = find_columns(model, &names).map_err(|e| e.in_file(path))?;
        let columns = positions
            .into_iter()
            .map(|i| {
                let values = numbers_of(&table.frame, &names[i]).ok_or_else(|| {
                    Error::data("is not a column of numbers").in_file(path).at_column(&names[i])
                })?;
                Ok(values.iter().map(|&x| x as f32).collect())
            })
            .collect::<Result<Vec<Vec<f32>>>>()?;
        let n_rows = table.frame.height();
        let classes = globals.backend.run(n_rows, |on| row_classes(&on, model, &columns))?;
        let n_missing = classes.iter().filter(|class| **class == 0).count();
        let mut frame = table.frame;
        frame
            .with_column(Series::new("prediction".into(), classes).into())
            .map_err(|e| Error::internal(e.to_string()))?;
        table::write(&frame, &self.output, globals.existing())?;
        console.print_json(json!({
            "kind": model.kind().word(),
            "n_rows": frame.height(),
            "n_not_predicted": n_missing,
        }))
    }

    fn refuse(&self, flag: &str, is_given: bool, kind: Kind) -> Result<()> {
        if !is_given {
            return Ok(());
        }
        Err(Error::parameter(flag, "given", format!("left out: the model is a {kind}"))
            .in_file(&self.model)
            .help(usage(kind)))
    }
}
