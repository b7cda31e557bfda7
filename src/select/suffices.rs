//! The shortest list of features that tells the groups apart: greedy, judged out of bag.

use std::collections::BTreeMap;

use linfa::traits::Fit;
use rayon::prelude::*;

use super::Grouping;
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
/// The same for the short lists of single runs, which are counted, not reported.
const MAX_RUN_ROWS: usize = 1_000;
/// Different groupings that get a short list of their own, the most frequent first.
const MAX_GROUPINGS: usize = 10;

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
    greedy(features, labels, candidates, MAX_ROWS, seed)
}

/// Per family, the share of runs on whose short list it stands, and how many runs were judged.
///
/// Runs that found the same groups share one short list.
pub fn frequencies(
    features: &Features,
    runs: &[Grouping],
    candidates: &[usize],
    family_sets: &[Vec<usize>],
    seed: u64,
) -> Result<(Vec<f64>, usize)> {
    let mut counts: BTreeMap<&[usize], usize> = BTreeMap::new();
    runs.iter().for_each(|run| *counts.entry(&run.labels).or_default() += 1);
    let mut groupings: Vec<(&[usize], usize)> = counts.into_iter().collect();
    groupings.sort_by_key(|&(_, n_runs)| std::cmp::Reverse(n_runs));
    groupings.truncate(MAX_GROUPINGS);
    let n_judged: usize = groupings.iter().map(|g| g.1).sum();
    let mut chosen = vec![0usize; family_sets.len()];
    for (labels, n_runs) in groupings {
        let list = greedy(features, labels, candidates, MAX_RUN_ROWS, seed)?;
        for (count, family) in chosen.iter_mut().zip(family_sets) {
            *count += n_runs * usize::from(list.columns.iter().any(|c| family.contains(c)));
        }
    }
    Ok((chosen.iter().map(|&n| n as f64 / n_judged as f64).collect(), n_judged))
}

/// The same for samples of objects whose classes are known: the first ten get a short list.
pub fn frequencies_in_samples(
    samples: &[(Features, Vec<usize>)],
    candidates: &[usize],
    family_sets: &[Vec<usize>],
    seed: u64,
) -> Result<(Vec<f64>, usize)> {
    let n_judged = samples.len().min(MAX_GROUPINGS);
    let mut chosen = vec![0usize; family_sets.len()];
    for (features, classes) in &samples[..n_judged] {
        let list = greedy(features, classes, candidates, MAX_RUN_ROWS, seed)?;
        for (count, family) in chosen.iter_mut().zip(family_sets) {
            *count += usize::from(list.columns.iter().any(|c| family.contains(c)));
        }
    }
    Ok((chosen.iter().map(|&n| n as f64 / n_judged as f64).collect(), n_judged))
}

fn greedy(
    features: &Features,
    labels: &[usize],
    candidates: &[usize],
    max_rows: usize,
    seed: u64,
) -> Result<ShortList> {
    let step = features.n_rows().div_ceil(max_rows).max(1);
    let rows: Vec<usize> = (0..features.n_rows()).step_by(step).collect();
    let features = features.select_rows(&rows);
    let labels: Vec<usize> = rows.iter().map(|&row| labels[row]).collect();
    let candidates = &candidates[..candidates.len().min(MAX_CANDIDATES)];
    let mut list = ShortList { columns: Vec::new(), balanced_accuracy: 0.0 };
    loop {
        let tried = candidates.par_iter().filter(|c| !list.columns.contains(c)).map(|&candidate| {
            let columns: Vec<usize> = list.columns.iter().copied().chain([candidate]).collect();
            let accuracy = out_of_bag_accuracy(&features.columns(&columns)?, &labels, seed)?;
            Ok((accuracy, candidate))
        });
        let tried: Vec<(f64, usize)> = tried.collect::<Result<_>>()?;
        // The first of equals.
        match tried.into_iter().reduce(|best, next| if next.0 > best.0 { next } else { best }) {
            Some((accuracy, column)) if accuracy >= list.balanced_accuracy + WORTHWHILE_GAIN => {
                list.columns.push(column);
                list.balanced_accuracy = accuracy;
            }
            _ => return Ok(list),
        }
    }
}

/// Balanced accuracy of a small forest on the rows its trees did not see.
pub(crate) fn out_of_bag_accuracy(features: &Features, labels: &[usize], seed: u64) -> Result<f64> {
    let forest = RandomForest::params()
        .n_trees(25)
        .max_depth(4)
        .min_samples_leaf(2)
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
    // Of a handful of rows, every tree may have seen all.
    if truth.is_empty() {
        return Ok(0.0);
    }
    Ok(Confusion::of(&truth, &predicted)?.balanced_accuracy())
}
