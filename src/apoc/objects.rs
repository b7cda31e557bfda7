//! The classifiers of objects: classes of labels, and the labels of one class.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use super::Kind;
use super::classifier::Classifier;
use super::neighborhood;
use super::object_statistics::{INTENSITY, Objects, SHAPE};
use super::on_gpu;
use super::pixels::{Typed, typed};
use super::train::{Growth, Rows, growth_setters};
use super::votes::{Voters, winners};
use crate::backend::Backend;
use crate::error::{Error, Result, closest};
use crate::image::{IntensityImage, LabelImage};

typed! {
    /// Gives every object a class, from its size, shape, intensity and neighbours.
    ///
    /// ```
    /// use ndarray::array;
    /// use polariscope::apoc::ObjectClassifier;
    /// use polariscope::image::LabelImage;
    ///
    /// let labels = LabelImage::from(array![[1, 1, 1, 0, 2, 0, 3], [0, 0, 0, 0, 0, 3, 3]]);
    /// let annotation = LabelImage::from(array![[0, 2, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0, 0]]);
    /// let mut trainer = ObjectClassifier::params("area")?;
    /// trainer.add(&labels, &annotation, None)?;
    /// let classifier = trainer.fit()?;
    ///
    /// let classes = classifier.predict(&labels, None)?;
    /// assert_eq!(classes.pixels(), [2, 2, 2, 0, 1, 0, 2, 0, 0, 0, 0, 0, 2, 2]);
    /// # Ok::<(), polariscope::Error>(())
    /// ```
    ObjectClassifier
}
typed! {
    /// Keeps the objects of the positive class.
    ObjectSelector
}

/// The words of a specification.
pub(super) fn names_of(text: &str) -> Vec<String> {
    let words = text.split(|c: char| c.is_whitespace() || c == ',');
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Every feature of objects by name.
pub fn object_features() -> Vec<String> {
    let plain = SHAPE.iter().chain(&INTENSITY).map(|name| (*name).to_owned());
    plain.chain(neighborhood::names()).collect()
}

/// Features of all objects, `[feature][object]`.
pub(super) fn measure(
    names: &[String],
    objects: &Objects<'_>,
    has_intensity: bool,
) -> Result<Vec<Vec<f32>>> {
    if names.is_empty() {
        return Err(Error::parameter("features", "none", "at least one, such as `area`"));
    }
    names
        .iter()
        .map(|name| {
            if INTENSITY.contains(&name.as_str()) && !has_intensity {
                return Err(Error::data(format!("the feature {name} needs an intensity image")));
            }
            if let Some(values) = objects.statistic(name) {
                return Ok(values);
            }
            neighborhood::feature(name, objects)?.ok_or_else(|| {
                let known = object_features();
                let error = Error::parameter("feature", name, "a feature of objects");
                match closest(name, known.iter().map(String::as_str)) {
                    Some(near) => error.help(format!("did you mean `{near}`?")),
                    None => error.help(format!("known are {}", known.join(", "))),
                }
            })
        })
        .collect()
}

/// The class of each row, `[feature][row]`; 0 for a row with a number that is missing.
pub(super) fn classify(
    backend: &Backend,
    model: &Classifier,
    columns: &[Vec<f32>],
) -> Result<Vec<u32>> {
    if columns.len() != model.n_features() {
        return Err(Error::data(format!(
            "{} features for a model that reads {}",
            columns.len(),
            model.n_features()
        )));
    }
    let columns: Vec<&[f32]> = columns.iter().map(Vec::as_slice).collect();
    if let Backend::Gpu(gpu) = backend {
        return on_gpu::row_classes(gpu, &model.forest, &columns);
    }
    let n = columns.first().map_or(0, |column| column.len());
    let mut sums = vec![0.0; n * model.n_classes()];
    Voters::of(&model.forest).sum(&columns, &mut sums);
    let mut classes = winners(&sums, model.n_classes());
    for (row, class) in classes.iter_mut().enumerate() {
        if columns.iter().any(|column| column[row].is_nan()) {
            *class = 0;
        }
    }
    Ok(classes)
}

/// Collects annotated objects and trains on them; adding more and training again continues the training.
#[derive(Debug, Clone)]
pub struct ObjectTrainer<C> {
    names: Vec<String>,
    growth: Growth,
    rows: Rows,
    kind: PhantomData<C>,
}

impl<C: Typed> ObjectTrainer<C> {
    /// A trainer for these features, names separated by spaces or commas.
    ///
    /// # Errors
    /// When there is no name.
    pub fn new(features: &str) -> Result<Self> {
        let names = names_of(features);
        if names.is_empty() {
            return Err(Error::parameter("features", "none", "at least one, such as `area`"));
        }
        Ok(Self { names, growth: Growth::default(), rows: Rows::default(), kind: PhantomData })
    }

    growth_setters!();

    /// Adds the objects that an annotation marks: the largest number on an object is its class.
    ///
    /// # Errors
    /// An unknown feature, one that needs an intensity image where there is none, an annotation that
    /// marks no object, images of different shape.
    pub fn add(
        &mut self,
        labels: &LabelImage,
        annotation: &LabelImage,
        intensity: Option<&IntensityImage>,
    ) -> Result<()> {
        let marked = annotated_objects(labels, annotation)?;
        let objects = Objects::of(labels, intensity)?;
        let class_of = |label| marked.get(label).copied().unwrap_or(0);
        let classes: Vec<u32> = objects.labels.iter().map(class_of).collect();
        let columns = measure(&self.names, &objects, intensity.is_some())?;
        add_rows(&mut self.rows, &columns, &classes)
            .map_err(|e| e.help("mark objects, not background, with 1, 2, .."))
    }

    /// Trains on everything added so far.
    ///
    /// # Errors
    /// When nothing was added, or a parameter is out of range.
    pub fn fit(&self) -> Result<C> {
        C::of(self.rows.fit(C::KIND, self.names.join(" "), &self.growth)?)
    }
}

/// The class of every object that an annotation marks, by its label: the largest number on it, as in APOC.
///
/// ```
/// use ndarray::array;
/// use polariscope::apoc::annotated_objects;
/// use polariscope::image::LabelImage;
///
/// let labels = LabelImage::from(array![[7, 7, 0, 9, 4]]);
/// let annotation = LabelImage::from(array![[1, 2, 3, 1, 0]]);
/// let classes = annotated_objects(&labels, &annotation)?;
/// assert_eq!(classes.into_iter().collect::<Vec<_>>(), [(7, 2), (9, 1)]);
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # Errors
/// Images of different shape.
pub fn annotated_objects(
    labels: &LabelImage,
    annotation: &LabelImage,
) -> Result<BTreeMap<u32, u32>> {
    check_annotation(labels, annotation)?;
    let mut classes = BTreeMap::new();
    let pixels = labels.pixels().iter().zip(annotation.pixels());
    for (&label, &mark) in pixels.filter(|(label, mark)| **label > 0 && **mark > 0) {
        let class = classes.entry(label).or_default();
        *class = mark.max(*class);
    }
    Ok(classes)
}

/// Refuses an annotation of another shape than the labels.
pub(super) fn check_annotation(labels: &LabelImage, annotation: &LabelImage) -> Result<()> {
    if annotation.shape() == labels.shape() {
        return Ok(());
    }
    let (marked, there) = (annotation.grid(), labels.grid());
    Err(Error::data(format!("the annotation is {marked} pixels, the label image {there}"))
        .help("draw the marks on the label image itself, or on its image"))
}

/// Rows that have a class and no missing number.
pub(super) fn add_rows(rows: &mut Rows, columns: &[Vec<f32>], classes: &[u32]) -> Result<()> {
    let (mut values, mut kept) = (Vec::new(), Vec::new());
    for (row, &class) in classes.iter().enumerate().filter(|(_, class)| **class > 0) {
        if columns.iter().all(|column| column[row].is_finite()) {
            values.extend(columns.iter().map(|column| column[row]));
            kept.push(class);
        }
    }
    rows.add(values, kept, columns.len(), 1)
}

impl ObjectClassifier {
    /// A trainer for these features, names separated by spaces or commas.
    ///
    /// # Errors
    /// When there is no name.
    pub fn params(features: &str) -> Result<ObjectTrainer<Self>> {
        ObjectTrainer::new(features)
    }

    /// The class of every object, painted where the object is; background is 0.
    ///
    /// # Errors
    /// An unknown feature, one that needs an intensity image where there is none, images of different shape.
    pub fn predict(
        &self,
        labels: &LabelImage,
        intensity: Option<&IntensityImage>,
    ) -> Result<LabelImage> {
        object_classes(self, labels, intensity)
    }
}

impl ObjectSelector {
    /// A trainer for these features, names separated by spaces or commas.
    ///
    /// # Errors
    /// When there is no name.
    pub fn params(features: &str) -> Result<ObjectTrainer<Self>> {
        ObjectTrainer::new(features)
    }

    /// The objects of the positive class, numbered anew from 1 in their order.
    ///
    /// # Errors
    /// As [`ObjectClassifier::predict`].
    pub fn predict(
        &self,
        labels: &LabelImage,
        intensity: Option<&IntensityImage>,
    ) -> Result<LabelImage> {
        selected_objects(self, labels, intensity)
    }
}

/// Objects with their classes.
pub(super) fn object_classes(
    model: &Classifier,
    labels: &LabelImage,
    intensity: Option<&IntensityImage>,
) -> Result<LabelImage> {
    let (present, classes) = classes_of(model, labels, intensity)?;
    repaint(labels, &present, &classes)
}

/// Objects of the positive class.
pub(super) fn selected_objects(
    model: &Classifier,
    labels: &LabelImage,
    intensity: Option<&IntensityImage>,
) -> Result<LabelImage> {
    let (present, classes) = classes_of(model, labels, intensity)?;
    let positive = model.positive_class().unwrap_or(2) as u32;
    let mut count = 0;
    let numbers: Vec<u32> = classes
        .iter()
        .map(|&class| {
            count += u32::from(class == positive);
            if class == positive { count } else { 0 }
        })
        .collect();
    repaint(labels, &present, &numbers)
}

/// The labels that are there, and the class of each.
fn classes_of(
    model: &Classifier,
    labels: &LabelImage,
    intensity: Option<&IntensityImage>,
) -> Result<(Vec<u32>, Vec<u32>)> {
    let objects = Objects::of(labels, intensity)?;
    let names = names_of(model.feature_specification());
    let columns = measure(&names, &objects, intensity.is_some())?;
    let classes = classify(&Backend::Cpu, model, &columns)?;
    Ok((objects.labels, classes))
}

/// Every label replaced by its number; background stays 0.
pub(super) fn repaint(labels: &LabelImage, present: &[u32], numbers: &[u32]) -> Result<LabelImage> {
    let mut last = (0, 0);
    let painted = labels.pixels().iter().map(|&label| {
        if label != last.0 {
            last = (label, present.binary_search(&label).map_or(0, |i| numbers[i]));
        }
        last.1
    });
    LabelImage::new(labels.grid().clone(), painted.collect())
}
