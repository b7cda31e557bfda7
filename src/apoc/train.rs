//! Rows of features with a class become a forest, and a forest a classifier.

use super::Kind;
use super::classifier::Classifier;
use super::grow::{Lesson, grow};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// More classes than this are labels of objects, given by mistake.
const MAX_CLASSES: usize = 1_000;

/// How a forest grows: 100 trees of two levels by default, as in APOC.
#[derive(Debug, Clone)]
pub(super) struct Growth {
    pub max_depth: usize,
    pub n_trees: usize,
    pub seed: u64,
    pub positive_class: usize,
    pub probability_of: usize,
    pub progress: Progress,
}

impl Default for Growth {
    fn default() -> Self {
        Self {
            max_depth: 2,
            n_trees: 100,
            seed: 0,
            positive_class: 2,
            probability_of: 2,
            progress: Progress::default(),
        }
    }
}

/// The rows seen so far; training goes on with more.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    /// Row after row.
    pub values: Vec<f32>,
    pub classes: Vec<u32>,
    pub n_features: usize,
    /// Axes of the annotation.
    pub n_dims: usize,
}

impl Rows {
    /// Rows of another annotation, which must have as many features.
    pub fn add(
        &mut self,
        values: Vec<f32>,
        classes: Vec<u32>,
        n_features: usize,
        n_dims: usize,
    ) -> Result<()> {
        if classes.is_empty() {
            return Err(Error::data("the annotation marks nothing: all of it is 0")
                .help("mark some places with 1, others with 2 (3, ..)"));
        }
        if !self.classes.is_empty() && (n_features, n_dims) != (self.n_features, self.n_dims) {
            return Err(Error::data(format!(
                "{n_features} features of an annotation with {n_dims} axes, but {} and {} before",
                self.n_features, self.n_dims
            ))
            .help("continue training with images of as many channels and axes"));
        }
        (self.n_features, self.n_dims) = (n_features, n_dims);
        self.values.extend(values);
        self.classes.extend(classes);
        Ok(())
    }

    /// The classes that occur, ascending: the first becomes class 1 of the model, the next class 2, ..
    pub fn classes(&self) -> Vec<u32> {
        let mut classes = self.classes.clone();
        classes.sort_unstable();
        classes.dedup();
        classes
    }

    /// Trains on all rows.
    pub fn fit(&self, kind: Kind, features: String, growth: &Growth) -> Result<Classifier> {
        if self.classes.is_empty() {
            return Err(Error::data("nothing was added to train on")
                .help("add an image and its annotation"));
        }
        let n_classes = self.classes().len();
        if n_classes > MAX_CLASSES {
            return Err(Error::data(format!("{n_classes} different numbers are no classes"))
                .help("is the annotation a label image of objects? mark classes with 1, 2, .."));
        }
        for (name, class, asked) in [
            ("positive_class_identifier", growth.positive_class, kind.has_positive_class()),
            ("output_probability_of_class", growth.probability_of, kind == Kind::ProbabilityMapper),
        ] {
            let least = usize::from(kind != Kind::ProbabilityMapper);
            if asked && !(least..=n_classes).contains(&class) {
                return Err(Error::parameter(
                    name,
                    class,
                    format!("one of the {n_classes} classes of the annotation"),
                ));
            }
        }
        if growth.n_trees == 0 || growth.max_depth == 0 {
            let (name, allowed) = match growth.n_trees {
                0 => ("n_trees", "at least 1"),
                _ => ("max_depth", "at least 1"),
            };
            return Err(Error::parameter(name, 0, allowed));
        }
        let order = self.classes();
        let classes: Vec<u16> =
            self.classes.iter().map(|c| order.partition_point(|o| o < c) as u16).collect();
        let lesson = Lesson {
            values: &self.values,
            classes: &classes,
            n_features: self.n_features,
            n_classes,
        };
        let grown = grow(&lesson, growth);
        Ok(Classifier {
            kind,
            features,
            n_dims: self.n_dims,
            max_depth: growth.max_depth,
            importances: grown.importances,
            positive_class: kind.has_positive_class().then_some(growth.positive_class),
            probability_of: if kind == Kind::ProbabilityMapper { growth.probability_of } else { 0 },
            covers: Some(grown.covers),
            forest: grown.forest,
        })
    }
}

/// Setters that all trainers share.
macro_rules! growth_setters {
    () => {
        /// Most questions on the way to a decision, 2 by default: such trees can be read.
        pub fn max_depth(mut self, max_depth: usize) -> Self {
            self.growth.max_depth = max_depth;
            self
        }

        /// Number of trees, 100 by default.
        pub fn n_trees(mut self, n_trees: usize) -> Self {
            self.growth.n_trees = n_trees;
            self
        }

        /// The seed of every random choice, 0 by default: scikit-learn's `random_state`, which is 0 in APOC.
        pub fn seed(mut self, seed: u64) -> Self {
            self.growth.seed = seed;
            self
        }

        /// The class that an object segmenter or selector is about, 2 by default.
        pub fn positive_class_identifier(mut self, class: usize) -> Self {
            self.growth.positive_class = class;
            self
        }

        /// The class whose probability a probability mapper gives, 2 by default; 0 gives the class itself.
        pub fn output_probability_of_class(mut self, class: usize) -> Self {
            self.growth.probability_of = class;
            self
        }

        /// Called as trees are finished.
        pub fn progress(mut self, progress: crate::progress::Progress) -> Self {
            self.growth.progress = progress;
            self
        }

        /// The classes of the annotations so far, ascending. The model counts them 1, 2, .. without gaps,
        /// as APOC does.
        pub fn classes(&self) -> Vec<u32> {
            self.rows.classes()
        }

        /// How much each feature matters beside one of pure chance (`random_control`, the last): mean
        /// absolute SHAP values of a forest that was offered both. A feature that matters no more than
        /// chance can go.
        ///
        /// # Errors
        /// As the training itself.
        pub fn against_chance(&self) -> Result<Vec<(String, f64)>> {
            let model = self.fit()?;
            self.rows.against_chance(&model.feature_names(), &self.growth)
        }
    };
}
pub(super) use growth_setters;
