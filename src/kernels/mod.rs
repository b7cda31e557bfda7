//! Numeric kernels: they know numbers, not images or tables.

pub mod region_edges;
pub mod region_hull;
pub mod region_intensity;
pub mod region_runs;
pub mod region_sums;
pub(crate) mod nearest_rows;
pub(crate) mod tsne_forces;
