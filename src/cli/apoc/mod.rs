//! `explore apoc`: pixel and object classification with models that APOC reads and writes.

mod convert;
mod explain;
mod predict;
mod train;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use polariscope::apoc::Classifier;
use polariscope::image::{ImageFile, IntensityImage};
use polariscope::{Error, Result};
use serde_json::{Map, Value, json};

use super::Console;
use super::args::Globals;

#[derive(Debug, Args)]
pub struct Apoc {
    #[command(subcommand)]
    step: Step,
}

#[derive(Debug, Subcommand)]
enum Step {
    /// Train a forest on a few annotated pixels, objects or rows
    Train(train::Train),
    /// Apply a model: an APOC .cl file, ours or APOC's own
    Predict(predict::Predict),
    /// Which feature decided where, as a picture
    Explain(explain::Explain),
    /// Write a model in another language: .cl, .json, .wgsl
    Convert(convert::Convert),
}

/// What is said where something else is asked of a device.
const ON_GPU: &str = "of APOC, only trained classifiers of pixels and of table rows run on a GPU";

impl Apoc {
    pub fn run(&self, globals: &Globals, console: &Console) -> Result<()> {
        if !matches!(self.step, Step::Predict(_)) {
            console.refuse_gpu(ON_GPU)?;
        }
        match &self.step {
            Step::Train(train) => train.run(globals, console),
            Step::Predict(predict) => predict.run(globals, console),
            Step::Explain(explain) => explain.run(globals, console),
            Step::Convert(convert) => convert.run(globals, console),
        }
    }
}

/// What a model is, as JSON.
fn described(model: &Classifier) -> Value {
    let statistics = model.statistics();
    let by_feature = |values: Vec<Value>| -> Map<String, Value> {
        statistics.features.iter().cloned().zip(values).collect()
    };
    json!({
        "kind": model.kind().word(),
        "features": model.feature_names(),
        "n_classes": model.n_classes(),
        "n_trees": model.n_trees(),
        "positive_class_identifier": model.positive_class(),
        "importances": model.feature_importances(),
        "counts": by_feature(statistics.counts.iter().map(|c| json!(c)).collect()),
        "shares": by_feature(statistics.shares().iter().map(|s| json!(s)).collect()),
    })
}

/// All channels of all files, as those of one image.
fn channels(paths: &[PathBuf]) -> Result<Vec<IntensityImage>> {
    let mut channels = Vec::new();
    for path in paths {
        channels.extend(IntensityImage::open_channels(path)?);
    }
    Ok(channels)
}

/// The one intensity image of objects.
fn intensity(paths: &[PathBuf]) -> Result<Option<IntensityImage>> {
    match paths {
        [] => Ok(None),
        [path] => IntensityImage::open(path).map(Some),
        _ => Err(Error::parameter("--image", format!("{} images", paths.len()), "one image")
            .help("features of objects are those of one channel")),
    }
}

/// What a flag gives, or that it is missing.
fn needed<T>(given: Option<T>, flag: &str, kind: polariscope::apoc::Kind) -> Result<T> {
    given.ok_or_else(|| {
        Error::parameter(flag, "nothing", format!("given for a {kind}")).help(usage(kind))
    })
}

fn usage(kind: polariscope::apoc::Kind) -> String {
    let inputs = if kind.reads_pixels() {
        "--image IMAGE.tif"
    } else if kind.reads_objects() {
        "--labels LABELS.tif [--image IMAGE.tif]"
    } else {
        "--table TABLE.csv"
    };
    format!("a {kind} reads {inputs}")
}

fn opened(paths: &[PathBuf]) -> Result<Vec<ImageFile>> {
    paths.iter().map(ImageFile::open).collect()
}
