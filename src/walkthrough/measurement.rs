//! Does the measurement enter the result? The objects measured again with outlines a pixel larger and smaller, and
//! with images half a pixel aside.

use linfa::traits::Fit;
use ndarray::Array2;
use polars::prelude::DataFrame;
use serde::Serialize;

use super::{Grouped, Outcome, Recipe};
use crate::cluster::KMeans;
use crate::cluster::agreement::share_moved;
use crate::error::Result;
use crate::image::{IntensityImage, LabelImage};
use crate::regions::{Regions, Selection, recognize};
use crate::seed::Seed;
use crate::stability::{RELIABLE, intraclass_correlation};
use crate::table::{Features, numbers_of};

/// Starts of the groupings of measurements made differently.
const STARTS: usize = 5;

/// How far results depend on where exactly the outlines lie.
#[derive(Debug, Clone, Serialize)]
pub struct Measurement {
    /// The ways in which the objects were measured again.
    pub variants: Vec<Variant>,
    /// Per feature that can be measured from the images, in the order of the features.
    pub reliability: Vec<Reliability>,
}

/// One other way to measure.
#[derive(Debug, Clone, Serialize)]
pub struct Variant {
    /// What was changed.
    pub change: String,
    /// Objects that vanish.
    pub n_lost: usize,
    /// Share of the objects that are put into another group when all features are taken from here; `None` when a
    /// feature is not measured from the images.
    pub moved: Option<f64>,
}

/// How much of a feature's spread is due to the objects.
#[derive(Debug, Clone, Serialize)]
pub struct Reliability {
    /// Name of the feature.
    pub feature: String,
    /// ICC(2,1) over all ways to measure; `None` when nothing varies.
    pub icc: Option<f64>,
}

impl Measurement {
    /// Features whose reliability is below 0.75, the least reliable first.
    pub fn unreliable(&self) -> Vec<(&str, f64)> {
        let mut low: Vec<(&str, f64)> = self
            .reliability
            .iter()
            .filter_map(|r| Some((r.feature.as_str(), r.icc?)))
            .filter(|r| r.1 < RELIABLE)
            .collect();
        low.sort_by(|a, b| a.1.total_cmp(&b.1));
        low
    }

    /// The largest share of objects that a change moves.
    pub fn moved(&self) -> Option<f64> {
        self.variants.iter().filter_map(|variant| variant.moved).reduce(f64::max)
    }

    /// Measures again and compares; `None` when no feature of the outcome is measured from images.
    pub(super) fn repeat(
        outcome: &Outcome,
        labels: &LabelImage,
        channels: &[(String, IntensityImage)],
    ) -> Result<Option<Self>> {
        let all: Vec<usize> = (0..outcome.features.n_rows()).collect();
        let keys = outcome.keys(&all);
        let names = measurable(outcome.raw.names(), channels);
        if names.iter().all(Option::is_none) {
            return Ok(None);
        }
        let columns: Vec<&str> = names.iter().flatten().map(String::as_str).collect();
        let measure = |labels: &LabelImage, channels: &[(String, IntensityImage)]| {
            let frame = measured(labels, channels, &columns)?;
            Ok::<_, crate::Error>(rows_of(&frame, &keys, &columns))
        };
        let mut changes = vec![
            ("outlines a pixel larger", measure(&moved_outline(labels, true)?, channels)?),
            ("outlines a pixel smaller", measure(&moved_outline(labels, false)?, channels)?),
        ];
        if !channels.is_empty() {
            let aside: Vec<(String, IntensityImage)> = channels
                .iter()
                .map(|(name, image)| Ok((name.clone(), half_a_pixel_aside(image)?)))
                .collect::<Result<_>>()?;
            changes.push(("images half a pixel aside", measure(labels, &aside)?));
        }
        let plain = measure(labels, channels)?;
        let reliability = columns
            .iter()
            .zip(outcome.raw.names().iter().zip(&names).filter(|(_, name)| name.is_some()))
            .enumerate()
            .map(|(c, (_, (feature, _)))| {
                let repeats = std::iter::once(&plain).chain(changes.iter().map(|change| &change.1));
                let values: Vec<_> = repeats.map(|table| table.column(c)).collect();
                let table =
                    Array2::from_shape_fn((keys.len(), values.len()), |(row, m)| values[m][row]);
                Reliability { feature: feature.clone(), icc: intraclass_correlation(table.view()) }
            })
            .collect();
        let complete = columns.len() == names.len();
        let variants = changes
            .iter()
            .map(|(change, table)| {
                let kept: Vec<usize> = (0..keys.len())
                    .filter(|&row| table.row(row).iter().all(|v| v.is_finite()))
                    .collect();
                let moved = if complete {
                    regrouped(table, &kept, &outcome.groups, outcome)?
                } else {
                    None
                };
                let n_lost = keys.len() - kept.len();
                Ok(Variant { change: (*change).to_owned(), n_lost, moved })
            })
            .collect::<Result<_>>()?;
        Ok(Some(Self { variants, reliability }))
    }
}

/// What each feature is called when it is measured here; `None` for what the images do not hold.
fn measurable(features: &[String], channels: &[(String, IntensityImage)]) -> Vec<Option<String>> {
    let needs_image = |name: &str| name.starts_with("intensity") || name.contains("weighted");
    let has = |channel: &str| channels.iter().any(|(name, _)| name == channel);
    features
        .iter()
        .map(|feature| {
            let known = recognize(feature)?;
            let there = match &known.channel {
                Some(channel) => has(channel),
                None => !needs_image(known.property.name) || has(""),
            };
            there.then_some(known.name)
        })
        .collect()
}

fn measured(
    labels: &LabelImage,
    channels: &[(String, IntensityImage)],
    columns: &[&str],
) -> Result<DataFrame> {
    let mut properties: Vec<String> =
        columns.iter().map(|c| c.split("__").next().unwrap_or(c).to_owned()).collect();
    properties.sort();
    properties.dedup();
    let mut regions = Regions::params().properties(Selection::Names(properties));
    for (name, image) in channels {
        regions = regions.channel(name, image);
    }
    regions.measure(labels)
}

/// The columns of the objects with these keys, shape `(n_keys, n_columns)`; NaN for what is not there.
fn rows_of(frame: &DataFrame, keys: &[u32], columns: &[&str]) -> Array2<f64> {
    let labels = numbers_of(frame, "label").unwrap_or_default();
    let place = |key: u32| labels.binary_search_by(|l| l.total_cmp(&f64::from(key))).ok();
    let places: Vec<Option<usize>> = keys.iter().map(|&key| place(key)).collect();
    let mut table = Array2::from_elem((keys.len(), columns.len()), f64::NAN);
    for (mut column, name) in table.columns_mut().into_iter().zip(columns) {
        let values = numbers_of(frame, name).unwrap_or_default();
        for (cell, place) in column.iter_mut().zip(&places) {
            *cell = place.and_then(|p| values.get(p).copied()).unwrap_or(f64::NAN);
        }
    }
    table
}

/// The share of objects that the analysis, begun with these measurements, would have put into another group.
fn regrouped(
    table: &Array2<f64>,
    kept: &[usize],
    groups: &Grouped,
    outcome: &Outcome,
) -> Result<Option<f64>> {
    let Recipe { seed, scale, cluster_on, .. } = outcome.recipe;
    let is_in_features = groups.learning.is_some() || cluster_on == super::ClusterOn::Features;
    if groups.k < 2 || !is_in_features || kept.len() <= groups.k {
        return Ok(None);
    }
    let rows = table.select(ndarray::Axis(0), kept);
    let features = Features::new(rows, outcome.raw.names().to_vec())?;
    if let Some(learning) = &groups.learning {
        return learning.moved_by(&features, kept, &groups.stability.labels, &outcome.recipe);
    }
    let features = features.scaled(scale)?;
    let seed = Seed::new(seed).child("measurement", 0).value();
    let Ok(found) = KMeans::params(groups.k).n_init(STARTS).seed(seed).fit(&features) else {
        return Ok(None);
    };
    let reported: Vec<usize> = kept.iter().map(|&row| groups.stability.labels[row]).collect();
    Ok(Some(share_moved(&reported, found.labels())?))
}

/// Every label one pixel larger, into the background only and the smaller label first, or one pixel smaller. Pixels
/// touch where they share a face.
fn moved_outline(labels: &LabelImage, larger: bool) -> Result<LabelImage> {
    let [depth, height, width] = labels.grid().extent();
    let old = labels.pixels();
    let steps = [(depth, height * width), (height, width), (width, 1)];
    let mut new = old.to_vec();
    for (i, pixel) in new.iter_mut().enumerate() {
        if larger == (old[i] != 0) {
            continue;
        }
        let mut around = steps.iter().flat_map(|&(length, step)| {
            let at = i / step % length;
            let before = (at > 0).then(|| old[i - step]);
            let after = (at + 1 < length).then(|| old[i + step]);
            before.into_iter().chain(after)
        });
        if larger {
            *pixel = around.filter(|label| *label != 0).min().unwrap_or(0);
        } else if around.any(|label| label != old[i]) {
            *pixel = 0;
        }
    }
    LabelImage::new(labels.grid().clone(), new)
}

/// The image as a sensor half a pixel further along every axis would see it: the mean of neighbouring pixels, the
/// last one repeated at the border.
fn half_a_pixel_aside(image: &IntensityImage) -> Result<IntensityImage> {
    let [depth, height, width] = image.grid().extent();
    let mut values = image.pixels().to_f64();
    for (length, step) in [(depth, height * width), (height, width), (width, 1)] {
        // Ascending order reads each right neighbour before it is changed.
        for i in 0..values.len() {
            if i / step % length + 1 < length {
                values[i] = f64::midpoint(values[i], values[i + step]);
            }
        }
    }
    IntensityImage::new(image.grid().clone(), values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn outlines_move_by_one_pixel_and_never_over_each_other() {
        let labels = LabelImage::from(array![
            [0, 0, 0, 0, 0, 0],
            [0, 2, 2, 2, 0, 0],
            [0, 2, 2, 2, 7, 0],
            [0, 2, 2, 2, 0, 0],
            [0, 0, 0, 0, 0, 0]
        ]);
        let larger = moved_outline(&labels, true).unwrap();
        assert_eq!(
            larger.pixels(),
            LabelImage::from(array![
                [0, 2, 2, 2, 0, 0],
                [2, 2, 2, 2, 2, 0],
                [2, 2, 2, 2, 7, 7],
                [2, 2, 2, 2, 2, 0],
                [0, 2, 2, 2, 0, 0]
            ])
            .pixels()
        );
        let smaller = moved_outline(&labels, false).unwrap();
        assert_eq!(smaller.labels(), [2]);
        assert_eq!(smaller.pixels().iter().filter(|l| **l == 2).count(), 1);
    }

    #[test]
    fn half_a_pixel_is_the_mean_of_neighbours() {
        let image = IntensityImage::from_array(array![[0u8, 4], [8, 12]]).unwrap();
        let aside = half_a_pixel_aside(&image).unwrap();
        assert_eq!(aside.pixels().to_f64(), [6.0, 8.0, 10.0, 12.0]);
    }
}
