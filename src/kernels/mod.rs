//! Numeric kernels: they know numbers, not images or tables.

pub(crate) mod forest_votes;
pub(crate) mod lanes;
pub(crate) mod large_pages;
mod leaves;
pub(crate) mod nearest_centroid;
pub(crate) mod nearest_rows;
pub(crate) mod pixel_features;
pub(crate) mod ranks;
pub(crate) mod raster_gpu;
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
pub mod umap_layout;

/// All shaders, for the test that they are valid.
#[cfg(test)]
pub(crate) const SHADERS: &[&crate::backend::Shader] = &[
    &forest_votes::VOTES,
    &nearest_centroid::NEAREST_CENTROID,
    &nearest_rows::NEAREST,
    &pixel_features::PIXEL_FEATURES,
    &raster_gpu::BOX_RANK,
    &raster_gpu::COMPONENTS,
    &raster_gpu::CONVOLVE,
    &raster_gpu::CROP,
    &raster_gpu::HISTOGRAM,
    &raster_gpu::POINTWISE,
    &raster_gpu::RELABEL,
    &raster_gpu::SPOTS,
    &raster_gpu::VORONOI,
    &region_gpu::EDGES,
    &region_gpu::FLOATS,
    &region_gpu::INTENSITY,
    &region_gpu::ROWS,
    &region_gpu::SOLID,
    &region_gpu::SUMS,
    &tsne_forces::TSNE_FORCES,
    &umap_layout::UMAP_LAYOUT,
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
