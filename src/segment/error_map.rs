//! A truth and a prediction become one label image in which every pixel says what was found and what was not.

use super::compare::{Comparison, Match};
use crate::error::{Error, Result};
use crate::image::LabelImage;

/// What a pixel of an [`ErrorMap`] says about its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// The truth and its match both have it.
    Found,
    /// One of a true object and its match has it: the outlines differ.
    Outline,
    /// Only a true object without a match has it.
    Missed,
    /// Only a predicted object without a match has it.
    False,
    /// A true and a predicted object have it that match nothing: split, merged or displaced.
    Mistaken,
}

impl Finding {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] =
        [Self::Found, Self::Outline, Self::Missed, Self::False, Self::Mistaken];

    /// A few words for a legend.
    pub fn words(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Outline => "outline differs",
            Self::Missed => "missed",
            Self::False => "false",
            Self::Mistaken => "split or merged",
        }
    }
}

/// A label image of findings; each part of an object has a label of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorMap {
    /// Which part a pixel belongs to, 0 where neither image has an object.
    pub labels: LabelImage,
    /// What the parts 1, 2, 3, ... say.
    pub findings: Vec<Finding>,
}

impl Comparison {
    /// Where the matches and the errors are.
    ///
    /// ```
    /// use ndarray::array;
    /// use polariscope::image::LabelImage;
    /// use polariscope::segment::{Finding, compare};
    ///
    /// let truth = LabelImage::from(array![[1, 1, 1, 1, 0, 2, 2]]);
    /// let prediction = LabelImage::from(array![[0, 5, 5, 5, 5, 0, 0]]);
    /// let map = compare(&truth, &prediction, 0.5)?.error_map(&truth, &prediction)?;
    /// assert_eq!(map.labels.pixels(), [2, 1, 1, 1, 2, 3, 3]);
    /// assert_eq!(map.findings, [Finding::Found, Finding::Outline, Finding::Missed]);
    /// # Ok::<(), polariscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the images differ in shape.
    pub fn error_map(&self, truth: &LabelImage, prediction: &LabelImage) -> Result<ErrorMap> {
        if truth.shape() != prediction.shape() {
            let message =
                format!("the truth is {}, the prediction is {}", truth.grid(), prediction.grid());
            return Err(Error::data(message).help("compare the images that belong together"));
        }
        let by_truth = |label: u32| {
            self.matches.binary_search_by_key(&label, |m| m.truth).ok().map(|i| self.matches[i])
        };
        let mut by_prediction: Vec<Match> = self.matches.clone();
        by_prediction.sort_by_key(|m| m.prediction);
        let matched = |label: u32| {
            let found = by_prediction.binary_search_by_key(&label, |m| m.prediction);
            found.ok().map(|i| by_prediction[i])
        };
        // A part is a finding and the object it belongs to: the true one where there is one.
        let part = |t: u32, p: u32| match (by_truth(t), matched(p)) {
            (Some(m), _) if m.prediction == p => (Finding::Found, t),
            (Some(_), _) => (Finding::Outline, t),
            (None, Some(m)) if t == 0 => (Finding::Outline, m.truth),
            (None, None) if t == 0 => (Finding::False, p),
            (None, None) if p != 0 => (Finding::Mistaken, t),
            _ => (Finding::Missed, t),
        };
        let pairs = || truth.pixels().iter().copied().zip(prediction.pixels().iter().copied());
        let mut parts: Vec<(Finding, u32)> = Vec::new();
        let mut last = (0, 0);
        for pair in pairs().filter(|pair| *pair != (0, 0)) {
            if pair != last {
                parts.push(part(pair.0, pair.1));
                last = pair;
            }
        }
        parts.sort_unstable();
        parts.dedup();
        let number = |pair: (u32, u32)| match pair {
            (0, 0) => 0,
            (t, p) => parts.binary_search(&part(t, p)).map_or(0, |i| i as u32 + 1),
        };
        let (mut last, mut label) = ((0, 0), 0);
        let pixels = pairs().map(|pair| {
            if pair != last {
                (last, label) = (pair, number(pair));
            }
            label
        });
        Ok(ErrorMap {
            labels: LabelImage::new(truth.grid().clone(), pixels.collect())?,
            findings: parts.into_iter().map(|(finding, _)| finding).collect(),
        })
    }
}
