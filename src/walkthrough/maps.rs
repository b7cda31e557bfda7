//! The maps of the walk-through: UMAP many times over, t-SNE once, and how faithful each is.

use std::sync::Arc;

use linfa::traits::Fit;
use ndarray::{Array2, ArrayView2};

use super::{Map, Recipe, Step};
use crate::embed::neighbors::{Metric, Neighbors};
use crate::embed::quality::Quality;
use crate::embed::r_squared_on_map;
use crate::embed::tsne::TsneParams;
use crate::error::Result;
use crate::progress::Progress;
use crate::seed::Seed;
use crate::stability::MapStability;
use crate::table::Features;

/// Neighbourhood size that the qualities are for.
const QUALITY_NEIGHBORS: usize = 15;

/// The maps that a recipe asks for.
pub(super) struct Maps {
    pub umap: Option<UmapRuns>,
    pub tsne: Option<TsneMap>,
}

impl Maps {
    pub fn draw(
        features: &Features,
        recipe: &Recipe,
        progress: impl Fn(Step) -> Progress,
    ) -> Result<Self> {
        if !recipe.draws(Map::Umap) && !recipe.draws(Map::Tsne) {
            return Ok(Self { umap: None, tsne: None });
        }
        let matrix = features.matrix();
        let tsne = recipe.draws(Map::Tsne).then(|| recipe.tsne());
        let near = Arc::new(neighbors(features, recipe, tsne.as_ref())?);

        let mut umap = None;
        if recipe.draws(Map::Umap) {
            let seed = Seed::new(recipe.seed);
            let n_maps = recipe.n_maps(features.n_rows()).max(2) as u64;
            let seeds: Vec<u64> = (0..n_maps).map(|run| seed.child("umap", run).value()).collect();
            let params = recipe.umap().neighbors(Arc::clone(&near)).progress(progress(Step::Umap));
            let runs = params.fit_many(features, &seeds)?;
            let stability = MapStability::of(&runs, matrix, recipe.seed)?;
            umap = Some((runs, stability));
        }
        let fit = |params: TsneParams| {
            params.neighbors(Arc::clone(&near)).progress(progress(Step::Tsne)).fit(features)
        };
        let tsne = tsne.map(fit).transpose()?;

        let medoid = umap.iter().map(|(runs, stability)| runs[stability.medoid].view());
        let shown: Vec<ArrayView2<'_, f64>> =
            medoid.chain(tsne.iter().map(|tsne| tsne.coordinates().view())).collect();
        let k = judged_neighbors(features);
        let qualities = Quality::of_each(matrix, &shown, k, Metric::Euclidean, Some(&near))?;
        let r_squared = shown.iter().map(|map| r_squared_on_map(features, *map));
        let mut judged = qualities.into_iter().zip(r_squared.collect::<Result<Vec<_>>>()?);
        let umap = umap.and_then(|(runs, stability)| {
            let (quality, r_squared) = judged.next()?;
            Some(UmapRuns { runs, stability, quality, r_squared, near })
        });
        let tsne = tsne.and_then(|tsne| {
            let (quality, r_squared) = judged.next()?;
            let (coordinates, kl_divergence) = (tsne.coordinates().clone(), tsne.kl_divergence());
            Some(TsneMap { coordinates, kl_divergence, quality, r_squared })
        });
        Ok(Self { umap, tsne })
    }
}

/// UMAPs that differ by their seed only.
#[derive(Debug)]
pub struct UmapRuns {
    /// Every run, each of shape `(n_rows, 2)`.
    pub runs: Vec<Array2<f64>>,
    /// How far the runs agree.
    pub stability: MapStability,
    /// How faithful the medoid run is to the features.
    pub quality: Quality,
    /// Share of each feature's variance that the two axes of the medoid run explain.
    pub r_squared: Vec<f64>,
    /// The neighbours that the runs were drawn from, and as many more as another choice asks for.
    pub(super) near: Arc<Neighbors>,
}

impl UmapRuns {
    /// The run that agrees best with the others: the one to show.
    pub fn medoid(&self) -> &Array2<f64> {
        &self.runs[self.stability.medoid]
    }

    pub(super) fn as_features(&self) -> Result<Features> {
        Features::new(self.medoid().clone(), ["umap_0", "umap_1"])
    }
}

/// One t-SNE.
#[derive(Debug)]
pub struct TsneMap {
    /// Shape `(n_rows, 2)`.
    pub coordinates: Array2<f64>,
    /// Kullback-Leibler divergence that the optimisation reached.
    pub kl_divergence: f64,
    /// How faithful it is to the features.
    pub quality: Quality,
    /// Share of each feature's variance that the two axes explain.
    pub r_squared: Vec<f64>,
}

/// One search for all maps.
fn neighbors(features: &Features, recipe: &Recipe, tsne: Option<&TsneParams>) -> Result<Neighbors> {
    let n_rows = features.n_rows();
    let mut k = judged_neighbors(features);
    if recipe.draws(Map::Umap) {
        let widest = recipe.other_n_neighbors(n_rows).chain([recipe.n_neighbors]).max();
        k = k.max(widest.unwrap_or(0) - 1);
    }
    if let Some(tsne) = tsne {
        k = k.max(tsne.n_neighbors(n_rows)?);
    }
    Neighbors::exact(features.matrix(), k, Metric::Euclidean)
}

/// Trustworthiness is defined below half the table only.
fn judged_neighbors(features: &Features) -> usize {
    QUALITY_NEIGHBORS.min((features.n_rows() - 1) / 2).max(1)
}
