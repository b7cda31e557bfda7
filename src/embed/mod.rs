//! Few coordinates for many features: PCA, neighbours, UMAP, t-SNE, and how faithful they are.

pub mod neighbors;
pub mod umap;
pub mod tsne;
mod moments;
mod pca;

pub(crate) use moments::Moments;
pub use pca::{Pca, PcaParams};
pub(crate) use pca::{first_component, not_finite, symmetric_eigen};
