//! Numeric kernels: they know numbers, not images or tables.

pub(crate) mod forest_votes;
pub(crate) mod large_pages;
mod leaves;
pub(crate) mod nearest_rows;
pub(crate) mod planes_gpu;
pub(crate) mod ranks;
pub mod region_edges;
pub mod region_fill;
pub(crate) mod region_gpu;
pub mod region_hull;
pub mod region_hull3;
pub mod region_intensity;
pub mod region_neighbors;
pub mod region_runs;
pub mod region_solid;
pub mod region_sums;
pub mod region_texture;
pub mod region_weights;
pub(crate) mod tsne_forces;

/// All shaders, for the test that they are valid.
#[cfg(test)]
pub(crate) const SHADERS: &[&crate::backend::Shader] = &[
    &forest_votes::VOTES,
    &nearest_rows::NEAREST,
    &planes_gpu::BOX_RANK,
    &planes_gpu::COMPONENTS,
    &planes_gpu::CONVOLVE,
    &planes_gpu::HISTOGRAM,
    &planes_gpu::POINTWISE,
    &planes_gpu::RELABEL,
    &planes_gpu::SPOTS,
    &planes_gpu::VORONOI,
    &region_gpu::EDGES,
    &region_gpu::FLOATS,
    &region_gpu::INTENSITY,
    &region_gpu::ROWS,
    &region_gpu::SOLID,
    &region_gpu::SUMS,
];

/// The widest vector instructions that the kernels find on this machine; no result depends on it.
pub fn instruction_set() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            return "AVX-512";
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return "AVX2";
        }
    }
    "scalar"
}
