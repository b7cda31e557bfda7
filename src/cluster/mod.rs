//! Groups of objects: K-means, the choice of k, and how two groupings agree.

pub mod agreement;
mod choose_k;
mod kmeans;
mod silhouette;
mod single_population;

pub use choose_k::{Candidate, ChoiceOfK, Gap, choose_k, gap};
pub use kmeans::{Init, KMeans, KMeansParams};
pub use silhouette::{SILHOUETTE_ROWS, Silhouette, silhouette};
pub use single_population::{Null, SIMULATED_ROWS, single_population};
