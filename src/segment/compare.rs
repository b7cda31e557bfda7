//! Labels beside a truth become matches, errors and scores.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::image::LabelImage;

/// How well predicted objects match true ones.
///
/// A ratio of nothing to nothing is `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// True objects.
    pub n_truth: usize,
    /// Predicted objects.
    pub n_prediction: usize,
    /// Pixels that are object in both over pixels that are object in either.
    pub pixel_iou: Option<f64>,
    /// Twice the pixels that are object in both over the sum of both.
    pub dice: Option<f64>,
    /// The least intersection over union of a match.
    pub threshold: f64,
    /// Predicted objects with a match.
    pub tp: usize,
    /// Predicted objects without one.
    pub fp: usize,
    /// True objects without one.
    pub missed: usize,
    /// `tp / (tp + fp)`.
    pub precision: Option<f64>,
    /// `tp / (tp + fn)`.
    pub recall: Option<f64>,
    /// `2 tp / (2 tp + fp + fn)`.
    pub f1: Option<f64>,
    /// `tp / (tp + fp + fn)`: intersection over union of the sets of objects.
    pub object_iou: Option<f64>,
    /// The mean of `object_iou` over the thresholds 0.5, 0.55, ... 0.95.
    pub average_precision: Option<f64>,
    /// Mean intersection over union of the matches.
    pub mean_matched_iou: Option<f64>,
    /// For every true object its best intersection over union with any prediction, averaged:
    /// clEsperanto's sparse Jaccard index.
    pub mean_best_iou: Option<f64>,
    /// Predicted objects that hold more than half of two or more true ones.
    pub merges: usize,
    /// True objects that hold more than half of two or more predicted ones.
    pub splits: usize,
    /// Who matches whom, by true label.
    pub matches: Vec<Match>,
}

/// A true object and the predicted one that stands for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    /// Label in the truth.
    pub truth: u32,
    /// Label in the prediction.
    pub prediction: u32,
    /// Intersection over union.
    pub iou: f64,
}

/// Compares labels with a truth. Objects match one to one, the best overlaps first, from an intersection
/// over union of `threshold` on.
///
/// ```
/// use ndarray::array;
/// use polariscope::image::LabelImage;
/// use polariscope::segment::compare;
///
/// let truth = LabelImage::from(array![[1, 1, 1, 1, 0, 2, 2]]);
/// let prediction = LabelImage::from(array![[0, 5, 5, 5, 0, 7, 0]]);
/// let comparison = compare(&truth, &prediction, 0.6)?;
/// assert_eq!((comparison.tp, comparison.fp, comparison.missed), (1, 1, 1));
/// assert_eq!(comparison.pixel_iou, Some(4.0 / 6.0));
/// assert_eq!(comparison.matches[0].iou, 0.75);
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # Errors
/// When the images differ in shape, or the threshold is not above 0 and at most 1.
pub fn compare(truth: &LabelImage, prediction: &LabelImage, threshold: f64) -> Result<Comparison> {
    if truth.shape() != prediction.shape() {
        let message =
            format!("the truth is {}, the prediction is {}", truth.grid(), prediction.grid());
        return Err(Error::data(message).help("images that belong together cover the same pixels"));
    }
    if !(threshold > 0.0 && threshold <= 1.0) {
        return Err(Error::parameter("threshold", threshold, "above 0 and at most 1"));
    }
    Ok(Overlaps::of(truth.pixels(), prediction.pixels()).compare(threshold))
}

/// Pixels of every pair of objects, and of every object.
struct Overlaps {
    /// (true, predicted, pixels), by true and then predicted label; no background.
    pairs: Vec<(u32, u32, u64)>,
    truth: Vec<(u32, u64)>,
    prediction: Vec<(u32, u64)>,
}

impl Overlaps {
    fn of(truth: &[u32], prediction: &[u32]) -> Self {
        let mut stretches: Vec<(u32, u32, u64)> = Vec::new();
        for pair in truth.iter().copied().zip(prediction.iter().copied()) {
            match stretches.last_mut() {
                Some((t, p, n)) if (*t, *p) == pair => *n += 1,
                _ => stretches.push((pair.0, pair.1, 1)),
            }
        }
        let of_truth = sums(stretches.iter().map(|&(t, _, n)| (t, n)));
        let of_prediction = sums(stretches.iter().map(|&(_, p, n)| (p, n)));
        let both = stretches.iter().filter(|(t, p, _)| *t != 0 && *p != 0);
        let pairs = sums(both.map(|&(t, p, n)| ((t, p), n)));
        Self {
            pairs: pairs.into_iter().map(|((t, p), n)| (t, p, n)).collect(),
            truth: of_truth.into_iter().filter(|(label, _)| *label != 0).collect(),
            prediction: of_prediction.into_iter().filter(|(label, _)| *label != 0).collect(),
        }
    }

    fn compare(&self, threshold: f64) -> Comparison {
        let total = |of: &[(u32, u64)]| of.iter().map(|(_, n)| n).sum::<u64>();
        let (n_truth, n_prediction) = (self.truth.len(), self.prediction.len());
        let both: u64 = self.pairs.iter().map(|(_, _, n)| n).sum();
        let sum = total(&self.truth) + total(&self.prediction);
        let ious = self.ious();
        let matches = matches(&ious, threshold);
        let tp = matches.len();
        let (fp, missed) = (n_prediction - tp, n_truth - tp);
        let at = |threshold: f64| {
            let tp = self::matches(&ious, threshold).len();
            ratio(tp as u64, (n_truth + n_prediction - tp) as u64)
        };
        let average = (0..10).map(|i| at(f64::from(50 + 5 * i) / 100.0)).sum::<Option<f64>>();
        let mut best = vec![0.0f64; n_truth];
        for found in &ious {
            let i = position(&self.truth, found.truth);
            best[i] = best[i].max(found.iou);
        }
        let mean = |sum: f64, n: usize| (n > 0).then(|| sum / n as f64);
        Comparison {
            n_truth,
            n_prediction,
            pixel_iou: ratio(both, sum - both),
            dice: ratio(2 * both, sum),
            threshold,
            tp,
            fp,
            missed,
            precision: ratio(tp as u64, (tp + fp) as u64),
            recall: ratio(tp as u64, (tp + missed) as u64),
            f1: ratio(2 * tp as u64, (2 * tp + fp + missed) as u64),
            object_iou: ratio(tp as u64, (tp + fp + missed) as u64),
            average_precision: average.map(|sum| sum / 10.0),
            mean_matched_iou: mean(matches.iter().map(|m| m.iou).sum(), tp),
            mean_best_iou: mean(best.iter().sum(), n_truth),
            merges: crowded(self.pairs.iter().map(|&(t, p, n)| (p, n, area(&self.truth, t)))),
            splits: crowded(self.pairs.iter().map(|&(t, p, n)| (t, n, area(&self.prediction, p)))),
            matches,
        }
    }

    fn ious(&self) -> Vec<Match> {
        let iou = |&(t, p, n): &(u32, u32, u64)| {
            let union = area(&self.truth, t) + area(&self.prediction, p) - n;
            Match { truth: t, prediction: p, iou: n as f64 / union as f64 }
        };
        self.pairs.iter().map(iou).collect()
    }
}

/// One to one, the best overlaps first; from one half on there is no choice to make.
fn matches(ious: &[Match], threshold: f64) -> Vec<Match> {
    let mut candidates: Vec<Match> = ious.iter().filter(|m| m.iou >= threshold).copied().collect();
    candidates.sort_by(|a, b| b.iou.total_cmp(&a.iou).then(a.truth.cmp(&b.truth)));
    let (mut truth_taken, mut prediction_taken) = (BTreeSet::new(), BTreeSet::new());
    let mut matches: Vec<Match> = Vec::new();
    for candidate in candidates {
        let Match { truth, prediction, .. } = candidate;
        if !truth_taken.contains(&truth) && prediction_taken.insert(prediction) {
            truth_taken.insert(truth);
            matches.push(candidate);
        }
    }
    matches.sort_by_key(|m| m.truth);
    matches
}

/// How many holders hold more than half of two or more objects; items are (holder, shared, area of object).
fn crowded(items: impl Iterator<Item = (u32, u64, u64)>) -> usize {
    let held = items.filter(|(_, shared, area)| 2 * shared > *area);
    sums(held.map(|(holder, _, _)| (holder, 1))).iter().filter(|(_, n)| *n >= 2).count()
}

/// The sum of every key, ascending.
fn sums<K: Ord + Copy>(items: impl Iterator<Item = (K, u64)>) -> Vec<(K, u64)> {
    let mut items: Vec<(K, u64)> = items.collect();
    items.sort_unstable_by_key(|item| item.0);
    let equal = items.chunk_by(|a, b| a.0 == b.0);
    equal.map(|equal| (equal[0].0, equal.iter().map(|item| item.1).sum())).collect()
}

fn position(of: &[(u32, u64)], label: u32) -> usize {
    of.partition_point(|(other, _)| *other < label)
}

fn area(of: &[(u32, u64)], label: u32) -> u64 {
    of[position(of, label)].1
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn image(row: [u32; 12]) -> LabelImage {
        LabelImage::from(ndarray::Array2::from_shape_vec((1, 12), row.to_vec()).unwrap())
    }

    #[test]
    fn merges_and_splits_are_seen() {
        let truth = image([1, 1, 1, 2, 2, 2, 0, 3, 3, 3, 3, 0]);
        let merged = image([9, 9, 9, 9, 9, 9, 0, 4, 4, 5, 5, 0]);
        let comparison = compare(&truth, &merged, 0.5).unwrap();
        assert_eq!((comparison.merges, comparison.splits), (1, 1));
        // The merged object overlaps either true one by exactly one half, but matches one to one.
        assert_eq!((comparison.tp, comparison.fp, comparison.missed), (2, 1, 1));
        assert_eq!(comparison.pixel_iou, Some(1.0));
        assert_eq!(comparison.object_iou, Some(0.5));
        assert_eq!(comparison.mean_best_iou, Some(0.5));
    }

    #[test]
    fn the_lectures_example() {
        // Pixels: 4 in both of 11 in either. Objects: one found of two.
        let truth = image([1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 0]);
        let prediction = image([5, 5, 5, 5, 0, 0, 0, 0, 0, 0, 0, 0]);
        let comparison = compare(&truth, &prediction, 0.5).unwrap();
        assert_eq!(comparison.pixel_iou, Some(4.0 / 11.0));
        assert_eq!(comparison.object_iou, Some(0.5));
    }

    #[test]
    fn perfect_and_empty() {
        let truth = image([1, 1, 0, 2, 2, 0, 0, 3, 3, 3, 3, 0]);
        let same = compare(&truth, &truth, 1.0).unwrap();
        assert_eq!((same.f1, same.average_precision, same.dice), (Some(1.0), Some(1.0), Some(1.0)));
        let empty = image([0; 12]);
        let nothing = compare(&empty, &empty, 0.5).unwrap();
        assert_eq!((nothing.pixel_iou, nothing.precision, nothing.f1), (None, None, None));
        let missed = compare(&truth, &empty, 0.5).unwrap();
        assert_eq!((missed.precision, missed.recall, missed.f1), (None, Some(0.0), Some(0.0)));
        assert!(compare(&truth, &truth, 0.0).is_err());
        assert!(compare(&truth, &LabelImage::from(array![[1, 2]]), 0.5).is_err());
    }
}
