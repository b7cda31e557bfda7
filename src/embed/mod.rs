//! Few coordinates for many features: PCA, neighbours, UMAP, t-SNE, and how faithful they are.

pub mod neighbors;
pub mod quality;
pub mod umap;
