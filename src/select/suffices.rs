//! The shortest list of features that tells the groups apart: greedy, judged out of bag.

use linfa::traits::Fit;

use crate::classify::RandomForest;
use crate::classify::metrics::Confusion;
use crate::error::Result;
use crate::table::Features;

/// Another feature must gain this much balanced accuracy to earn its place.
const WORTHWHILE_GAIN: f64 = 0.02;
/// Only the strongest representatives are tried: each round fits a forest for every one of them.
const MAX_CANDIDATES: usize = 8;
/// Rows the small forests are grown on; evenly spread over the table.
const MAX_ROWS: usize = 4_000;

/// The chosen columns, and what they achieve.
pub struct ShortList {
    /// Positions of the features, in the order they were chosen.
    pub columns: Vec<usize>,
    /// Balanced accuracy of the small forest, out of bag.
    pub balanced_accuracy: f64,
}

/// Adds the feature that helps most until the next one gains less than 0.02.
pub fn short_list(
    features: &Features,
    labels: &[usize],
    candidates: &[usize],
    seed: u64,
) -> Result<ShortList> {
    let step = features.n_rows().div_ceil(MAX_ROWS).max(1);
    let rows: Vec<usize> = (0..features.n_rows()).step_by(step).collect();
    let features = features.select_rows(&rows);
    let labels: Vec<usize> = rows.iter().map(|&row| labels[row]).collect();
    let candidates = &candidates[..candidates.len().min(MAX_CANDIDATES)];
    let mut list = ShortList { columns: Vec::new(), balanced_accuracy: 0.0 };
    loop {
        let mut best: Option<(f64, usize)> = None;
        for &candidate in candidates.iter().filter(|c| !list.columns.contains(c)) {
            let columns: Vec<usize> = list.columns.iter().copied().chain([candidate]).collect();
            let accuracy = out_of_bag_accuracy(&features.columns(&columns)?, &labels, seed)?;
            if best.is_none_or(|(reached, _)| accuracy > reached) {
                best = Some((accuracy, candidate));
            }
        }
        match best {
            Some((accuracy, column)) if accuracy >= list.balanced_accuracy + WORTHWHILE_GAIN => {
                list.columns.push(column);
                list.balanced_accuracy = accuracy;
            }
            _ => return Ok(list),
        }
    }
}

/// Balanced accuracy of a small forest on the rows its trees did not see.
fn out_of_bag_accuracy(features: &Features, labels: &[usize], seed: u64) -> Result<f64> {
    let forest = RandomForest::params()
        .n_trees(25)
        .max_depth(4)
        .seed(seed)
        .fit(&features.labelled(labels)?)?;
    let (mut truth, mut predicted) = (Vec::new(), Vec::new());
    // A row that every tree has seen has no vote.
    for (&label, vote) in labels.iter().zip(forest.oob_predictions().unwrap_or_default()) {
        if let Some(vote) = vote {
            truth.push(label);
            predicted.push(vote);
        }
    }
    Ok(Confusion::of(&truth, &predicted)?.balanced_accuracy())
}
