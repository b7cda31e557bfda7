//! `explore compare`: predicted labels against the truth.

use std::path::PathBuf;

use clap::Args;
use polariscope::Result;
use polariscope::image::LabelImage;
use polariscope::output::check_free;
use polariscope::report::figures::{ColorBy, LabelPicture, label_image};
use polariscope::segment::{Comparison, ErrorMap, Finding, compare};
use serde_json::json;

use super::Console;
use super::args::Globals;

#[derive(Debug, Args)]
pub struct Compare {
    /// Label image that is right
    truth: PathBuf,
    /// Label image to judge
    prediction: PathBuf,
    /// Least intersection over union of a match
    #[arg(long, default_value_t = 0.5, value_name = "T")]
    threshold: f64,
    /// Picture of matches and errors to write: .png or .svg
    #[arg(short, long, value_name = "PICTURE")]
    output: Option<PathBuf>,
}

impl Compare {
    pub fn run(&self, globals: &Globals, console: &Console) -> Result<()> {
        console.refuse_gpu("labels are compared on the CPU")?;
        if let Some(output) = &self.output {
            check_free(output, globals.existing())?;
        }
        let truth = LabelImage::open(&self.truth)?;
        let prediction = LabelImage::open(&self.prediction)?;
        let found = compare(&truth, &prediction, self.threshold)?;
        if let Some(output) = &self.output {
            let map = found.error_map(&truth, &prediction)?;
            label_image(&picture(&found, &map)).write_as(output, globals.existing())?;
        }
        console.print_json(json!({
            "n_truth": found.n_truth,
            "n_prediction": found.n_prediction,
            "pixel_iou": found.pixel_iou,
            "dice": found.dice,
            "threshold": found.threshold,
            "tp": found.tp,
            "fp": found.fp,
            "fn": found.missed,
            "precision": found.precision,
            "recall": found.recall,
            "f1": found.f1,
            "object_iou": found.object_iou,
            "average_precision": found.average_precision,
            "mean_matched_iou": found.mean_matched_iou,
            "mean_best_iou": found.mean_best_iou,
            "merges": found.merges,
            "splits": found.splits,
        }))?;
        let ratio = |r: Option<f64>| r.map_or("undefined (0/0)".to_owned(), |r| format!("{r:.4}"));
        console.print(&format!(
            "objects           {} true, {} predicted\n\
             pixel IoU         {}   Dice {}\n\
             matches           {} at IoU {} and better; {} false, {} missed\n\
             precision         {}   recall {}   F1 {}\n\
             mean matched IoU  {}\n\
             merged {}   split {}\n",
            found.n_truth,
            found.n_prediction,
            ratio(found.pixel_iou),
            ratio(found.dice),
            found.tp,
            found.threshold,
            found.fp,
            found.missed,
            ratio(found.precision),
            ratio(found.recall),
            ratio(found.f1),
            ratio(found.mean_matched_iou),
            found.merges,
            found.splits,
        ))
    }
}

/// The middle layer of the findings, coloured by what they are.
fn picture(found: &Comparison, map: &ErrorMap) -> LabelPicture {
    let [n_layers, height, width] = map.labels.grid().extent();
    let middle = n_layers / 2;
    let labels = map.labels.pixels()[middle * height * width..][..height * width].to_vec();
    let position = |finding| Finding::ALL.iter().position(|f| *f == finding).map_or(0, |i| i + 1);
    let mut subtitle = format!(
        "{} of {} true objects found at an intersection over union of {} and better, {} predicted falsely.",
        found.tp, found.n_truth, found.threshold, found.fp
    );
    if n_layers > 1 {
        subtitle.push_str(&format!(" Layer {middle} of {n_layers}."));
    }
    LabelPicture {
        title: "Matches and errors".to_owned(),
        subtitle,
        width,
        height,
        labels,
        keys: (1..=map.findings.len() as u32).collect(),
        color: ColorBy::Groups {
            name: "object parts".to_owned(),
            labels: map.findings.iter().map(|finding| position(*finding)).collect(),
            names: Finding::ALL.map(|finding| finding.words().to_owned()).to_vec(),
        },
    }
}
