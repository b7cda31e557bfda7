//! Groups of objects: K-means, the choice of k, and how two groupings agree.

mod kmeans;
mod silhouette;

pub use kmeans::{Init, KMeans, KMeansParams};
pub use silhouette::{SILHOUETTE_ROWS, Silhouette, silhouette};
