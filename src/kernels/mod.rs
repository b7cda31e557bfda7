//! Numeric kernels: they know numbers, not images or tables.

pub mod region_edges;
pub mod region_fill;
pub mod region_hull;
pub mod region_hull3;
pub mod region_intensity;
pub mod region_neighbors;
pub mod region_runs;
pub mod region_solid;
pub mod region_sums;
pub mod region_texture;
pub mod region_weights;
