//! `explore compare`: predicted labels against the truth.

use std::path::PathBuf;

use clap::Args;
use polariscope::Result;
use polariscope::image::LabelImage;
use polariscope::segment::compare;
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
}

impl Compare {
    pub fn run(&self, _globals: &Globals, console: &Console) -> Result<()> {
        let truth = LabelImage::open(&self.truth)?;
        let prediction = LabelImage::open(&self.prediction)?;
        let found = compare(&truth, &prediction, self.threshold)?;
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
