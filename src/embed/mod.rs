//! Few coordinates for many features: PCA, neighbours, UMAP, t-SNE, and how faithful they are.

mod explained;
mod moments;
mod near_order;
pub mod neighbors;
mod pca;
mod plane;
mod procrustes;
pub mod quality;
pub mod tsne;
pub mod umap;
mod vector;

pub use explained::{Explained, ExplainedVariance, StopRules, r_squared_on_map};
pub(crate) use moments::Moments;
pub use pca::{Pca, PcaParams};
pub(crate) use pca::{first_component, not_finite, symmetric_eigen};
pub(crate) use plane::{MOST_AXES, nearest_on_map};
pub use procrustes::{Procrustes, procrustes};
