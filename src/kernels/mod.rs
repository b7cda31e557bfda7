//! Numeric kernels: they know numbers, not images or tables.

pub(crate) mod nearest_rows;
pub mod region_edges;
pub mod region_fill;
pub mod region_hull;
pub mod region_hull3;
pub mod region_intensity;
pub mod region_neighbors;
pub mod region_runs;
pub mod region_solid;
pub mod region_sums;
pub(crate) mod tsne_forces;

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
pub(crate) mod ranks;
pub mod region_texture;
pub mod region_weights;
