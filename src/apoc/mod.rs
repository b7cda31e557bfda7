//! Accelerated pixel and object classification: forests that are trained on a few annotated pixels or
//! objects, kept as files one can read, and run fast.
//!
//! Models are those of APOC (<https://github.com/haesleinhuepf/apoc>), read from and written to its `.cl`
//! files; features are those of clEsperanto, pixel for pixel. [`Classifier`] is what every model file holds;
//! [`PixelClassifier`] and its like train and predict.

mod blur;
mod cl;
mod classifier;
mod draws;
mod explain;
mod filters;
mod folder;
mod forest;
mod grow;
mod kind;
mod merger;
mod neighborhood;
mod numbering;
mod object_statistics;
mod objects;
mod on_gpu;
mod pixels;
#[cfg(test)]
mod reference;
mod spec;
mod stack;
mod table;
mod train;
mod votes;

pub use classifier::{Classifier, Statistics};
pub use explain::Explanation;
pub use folder::folder_pairs;
pub use kind::Kind;
pub use merger::{MergeTrainer, ObjectMerger};
pub use objects::{
    ObjectClassifier, ObjectSelector, ObjectTrainer, annotated_objects, object_features,
};
pub use pixels::{
    ObjectSegmenter, PixelClassifier, PixelPrediction, PixelTrainer, ProbabilityMapper, Typed,
    Written,
};
pub use spec::FeatureSpec;
pub use stack::feature_images;
pub use table::{TableRowClassifier, TableTrainer, find_columns, row_classes};
