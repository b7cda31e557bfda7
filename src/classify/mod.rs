//! Random forests that give the same answer every time, their validation and their model files.

mod bag;
mod bins;
mod forest;
mod grow;
mod params;
mod regression;
mod target;
mod tree;
mod trees;

pub use forest::RandomForest;
pub use params::{ClassWeight, ForestParams, MaxFeatures};
pub use regression::RegressionForest;
pub use tree::Tree;
pub use trees::Trees;
