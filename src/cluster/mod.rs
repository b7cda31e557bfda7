//! Groups of objects: K-means, the choice of k, other ways to group, and how two groupings agree.

pub mod agreement;
mod choose_k;
mod density;
mod dip;
mod hdbscan;
mod kmeans;
mod lasso;
mod mixture;
#[cfg(test)]
mod reference;
mod rule;
mod silhouette;
mod single_population;
mod valley;

pub use choose_k::{Candidate, ChoiceOfK, Gap, choose_k, gap};
pub use density::{Dbscan, DbscanParams, Optics, OpticsParams};
pub use dip::dip;
pub use hdbscan::{Hdbscan, HdbscanParams};
pub(crate) use kmeans::SortedTable;
pub use kmeans::{Init, KMeans, KMeansParams};
pub use lasso::{Lasso, Polygon};
pub use mixture::{GaussianMixture, GaussianMixtureParams};
pub use rule::Rule;
pub use silhouette::{SILHOUETTE_ROWS, Silhouette, silhouette};
pub use single_population::{Null, SIMULATED_ROWS, single_population};
pub use valley::Valley;
