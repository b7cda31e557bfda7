//! A graph and starting coordinates enter; coordinates leave: the layout of a device, with random numbers of its own.

use super::forces::Forces;
use super::graph::Graph;
use crate::backend::Backend;
use crate::error::Result;
use crate::kernels::umap_layout::{self, Pulls};
use crate::progress::Progress;

/// As [`super::layout::optimize`]: another map of the same quality.
pub(super) fn optimize<const D: usize>(
    backend: &Backend,
    graph: &Graph,
    starts: Vec<Vec<[f32; D]>>,
    forces: &Forces,
    seeds: &[u64],
    progress: &Progress,
) -> Result<Vec<Vec<[f32; D]>>> {
    let edges: Vec<Vec<(u32, f32)>> =
        (0..graph.n_rows()).map(|row| graph.row(row).collect()).collect();
    let pulls = Pulls::of(&edges)?;
    let maps = starts.into_iter().zip(seeds).enumerate().map(|(done, (start, &seed))| {
        let forces = umap_layout::Forces {
            a: forces.a as f32,
            b: forces.b as f32,
            repulsion: forces.repulsion as f32,
            learning_rate: forces.learning_rate,
            n_strangers: forces.negative_sample_rate as u32,
            n_epochs: forces.n_epochs as u32,
            seed,
        };
        let map = umap_layout::layout(backend, &pulls, &forces, start)?;
        progress.report(done + 1, seeds.len());
        Ok(map)
    });
    maps.collect()
}
