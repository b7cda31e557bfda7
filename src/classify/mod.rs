//! Random forests that give the same answer every time, their validation and their model files.

mod bag;
mod bins;
mod export;
pub(crate) mod forest;
mod grow;
mod importance;
pub mod metrics;
pub(crate) mod model;
pub(crate) mod params;
mod regression;
mod target;
pub(crate) mod tree;
pub(crate) mod trees;
pub mod validate;
pub(crate) mod walk;

pub use forest::RandomForest;
pub use importance::PermutationImportance;
pub use model::{Model, Scaling, TrainingSummary};
pub use params::{ClassWeight, ForestParams, MaxFeatures};
pub use regression::RegressionForest;
pub use tree::Tree;
pub use trees::Trees;
