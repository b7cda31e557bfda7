//! Touching objects that an annotation says belong together teach which others do.

use std::collections::BTreeMap;

use super::Kind;
use super::classifier::Classifier;
use super::object_statistics::{Objects, contacts, distance, each_contact};
use super::objects::{check_annotation, classify, names_of, repaint};
use super::pixels::{Typed, typed};
use super::train::{Growth, Rows, growth_setters};
use crate::backend::Backend;
use crate::error::{Error, Result, closest};
use crate::image::{IntensityImage, LabelImage};

typed! {
    /// Merges touching objects.
    ///
    /// An annotation that crosses the border of two objects says 1 for "merge", 2 for "keep apart".
    ObjectMerger
}

/// What is known of two touching objects.
const FEATURES: [&str; 8] = [
    "mean_touch_intensity",
    "touch_portion",
    "touch_count",
    "centroid_distance",
    "mean_intensity_difference",
    "standard_deviation_intensity_difference",
    "area_difference",
    "mean_max_distance_to_centroid_ratio_difference",
];
/// The class of an annotation that says: these are one.
const MERGE: u32 = 1;

/// Collects annotated borders and trains on them; adding more and training again continues the training.
#[derive(Debug, Clone)]
pub struct MergeTrainer {
    names: Vec<String>,
    growth: Growth,
    rows: Rows,
}

impl MergeTrainer {
    growth_setters!();

    /// Adds the borders that an annotation crosses.
    ///
    /// # Errors
    /// As [`ObjectTrainer::add`](super::ObjectTrainer::add); an annotation that crosses no border.
    pub fn add(
        &mut self,
        labels: &LabelImage,
        annotation: &LabelImage,
        intensity: Option<&IntensityImage>,
    ) -> Result<()> {
        check_annotation(labels, annotation)?;
        let mut marks: BTreeMap<[u32; 2], u32> = BTreeMap::new();
        for mark in [MERGE, 2] {
            let marked = labels.pixels().iter().zip(annotation.pixels());
            let marked = marked.map(|(&label, &m)| if m == mark { label } else { 0 }).collect();
            let marked = LabelImage::new(labels.grid().clone(), marked)?;
            // A border marked both ways makes a class of its own, as in APOC.
            for pair in contacts(&marked).into_keys().filter(|pair| pair[0] > 0) {
                *marks.entry(pair).or_default() += mark;
            }
        }
        let pairs = Pairs::of(labels, intensity)?;
        let (columns, sides) = pairs.measure(&self.names)?;
        let classes: Vec<u32> = sides
            .iter()
            .map(|&[a, b]| marks.get(&[a.min(b), a.max(b)]).copied().unwrap_or(0))
            .collect();
        let (mut values, mut kept) = (Vec::new(), Vec::new());
        for (row, class) in classes.into_iter().enumerate().filter(|(_, class)| *class > 0) {
            values.extend(columns.iter().map(|column| column[row]));
            kept.push(class);
        }
        self.rows.add(values, kept, columns.len(), 2).map_err(|e| {
            e.help("draw 1 across borders that should go, 2 across those that should stay")
        })
    }

    /// Trains on everything added so far.
    ///
    /// # Errors
    /// When nothing was added, or a parameter is out of range.
    pub fn fit(&self) -> Result<ObjectMerger> {
        ObjectMerger::of(self.rows.fit(Kind::ObjectMerger, self.names.join(" "), &self.growth)?)
    }
}

impl ObjectMerger {
    /// A trainer for these features, names separated by spaces or commas.
    ///
    /// # Errors
    /// When there is no name, or an unknown one.
    pub fn params(features: &str) -> Result<MergeTrainer> {
        let names = names_of(features);
        if names.is_empty() {
            return Err(Error::parameter(
                "features",
                "none",
                "at least one, such as `touch_portion`",
            ));
        }
        for name in &names {
            check(name)?;
        }
        Ok(MergeTrainer { names, growth: Growth::default(), rows: Rows::default() })
    }

    /// The labels, touching ones merged where the model says so, and numbered anew from 1.
    ///
    /// # Errors
    /// As [`ObjectClassifier::predict`](super::ObjectClassifier::predict).
    pub fn predict(
        &self,
        labels: &LabelImage,
        intensity: Option<&IntensityImage>,
    ) -> Result<LabelImage> {
        merged_objects(self, labels, intensity)
    }
}

pub(super) fn merged_objects(
    model: &Classifier,
    labels: &LabelImage,
    intensity: Option<&IntensityImage>,
) -> Result<LabelImage> {
    let pairs = Pairs::of(labels, intensity)?;
    let (columns, sides) = pairs.measure(&names_of(model.feature_specification()))?;
    let classes = classify(&Backend::Cpu, model, &columns)?;
    let present = &pairs.objects.labels;
    // Each object's group is named by the largest label in it.
    let mut group: Vec<usize> = (0..present.len()).collect();
    for (pair, _) in sides.iter().zip(&classes).filter(|(_, class)| **class == MERGE) {
        let place = |label: u32| present.partition_point(|&l| l < label);
        let (a, b) = (root(&group, place(pair[0])), root(&group, place(pair[1])));
        group[a.min(b)] = a.max(b);
    }
    let roots: Vec<usize> = (0..present.len()).map(|i| root(&group, i)).collect();
    let mut kept = roots.clone();
    kept.sort_unstable();
    kept.dedup();
    let numbers: Vec<u32> =
        roots.iter().map(|r| kept.partition_point(|k| k < r) as u32 + 1).collect();
    repaint(labels, present, &numbers)
}

/// The object that names the group of an object.
fn root(group: &[usize], mut i: usize) -> usize {
    while group[i] != i {
        i = group[i];
    }
    i
}

fn check(name: &str) -> Result<()> {
    let full = |name: &str| {
        FEATURES.contains(&name) || FEATURES.contains(&format!("{name}_difference").as_str())
    };
    if full(name) {
        return Ok(());
    }
    let error = Error::parameter("feature", name, format!("one of {}", FEATURES.join(", ")));
    Err(match closest(name, FEATURES) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error,
    })
}

/// The touching objects of an image.
struct Pairs<'a> {
    objects: Objects<'a>,
    intensity: Option<&'a IntensityImage>,
}

impl<'a> Pairs<'a> {
    fn of(labels: &'a LabelImage, intensity: Option<&'a IntensityImage>) -> Result<Self> {
        Ok(Self { objects: Objects::of(labels, intensity)?, intensity })
    }

    /// Features, `[feature][side]`, and the sides: every pair seen from both of its objects.
    fn measure(&self, names: &[String]) -> Result<(Vec<Vec<f32>>, Vec<[u32; 2]>)> {
        let counts = contacts(self.objects.image);
        let touching = counts.keys().filter(|pair| pair[0] > 0);
        let sides: Vec<[u32; 2]> = touching.flat_map(|&[a, b]| [[a, b], [b, a]]).collect();
        let columns = names.iter().map(|name| self.feature(name, &sides, &counts));
        Ok((columns.collect::<Result<_>>()?, sides))
    }

    fn feature(
        &self,
        name: &str,
        sides: &[[u32; 2]],
        counts: &BTreeMap<[u32; 2], u64>,
    ) -> Result<Vec<f32>> {
        check(name)?;
        let place = |label: u32| self.objects.labels.partition_point(|&l| l < label);
        let count = |&[a, b]: &[u32; 2]| counts[&[a.min(b), a.max(b)]] as f32;
        match name {
            "touch_count" => return Ok(sides.iter().map(count).collect()),
            "touch_portion" => {
                let mut totals = vec![0.0; self.objects.labels.len()];
                for (pair, &n) in counts {
                    for label in pair.iter().filter(|label| **label > 0) {
                        totals[place(*label)] += n as f32;
                    }
                }
                return Ok(sides.iter().map(|side| count(side) / totals[place(side[0])]).collect());
            }
            "centroid_distance" => {
                let centers = self.objects.centers();
                let apart =
                    |&[a, b]: &[u32; 2]| distance(centers[place(a)], centers[place(b)]) as f32;
                return Ok(sides.iter().map(apart).collect());
            }
            "mean_touch_intensity" => {
                let intensity = self.needed(name)?;
                let whole = |i: usize| (intensity.pixels().get(i) as f32).trunc();
                let mut sums: BTreeMap<[u32; 2], u64> = BTreeMap::new();
                each_contact(self.objects.image, |pair, i, j| {
                    *sums.entry(pair).or_default() +=
                        f32::midpoint(whole(i), whole(j)).max(0.0) as u64;
                });
                let mean = |side: &[u32; 2]| {
                    let pair = [side[0].min(side[1]), side[0].max(side[1])];
                    sums[&pair] as f32 / count(side)
                };
                return Ok(sides.iter().map(mean).collect());
            }
            _ => {}
        }
        let statistic = name.strip_suffix("_difference").unwrap_or(name);
        if statistic.contains("intensity") {
            self.needed(name)?;
        }
        let values = self.objects.statistic(statistic).unwrap_or_default();
        Ok(sides.iter().map(|&[a, b]| (values[place(a)] - values[place(b)]).abs()).collect())
    }

    fn needed(&self, name: &str) -> Result<&IntensityImage> {
        self.intensity
            .ok_or_else(|| Error::data(format!("the feature {name} needs an intensity image")))
    }
}
