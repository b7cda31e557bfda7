//! The maps of the walk-through: UMAP many times over, t-SNE once, and how faithful each is.

use linfa::traits::Fit;
use ndarray::Array2;

use super::{Map, Recipe};
use crate::embed::neighbors::Metric;
use crate::embed::quality::Quality;
use crate::embed::r_squared_on_map;
use crate::embed::tsne::Tsne;
use crate::error::Result;
use crate::progress::Progress;
use crate::seed::Seed;
use crate::stability::MapStability;
use crate::table::Features;

/// Neighbourhood size that the qualities are for.
const QUALITY_NEIGHBORS: usize = 15;

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
}

impl UmapRuns {
    pub(super) fn draw(
        features: &Features,
        recipe: &Recipe,
        progress: Progress,
    ) -> Result<Option<Self>> {
        if !recipe.draws(Map::Umap) {
            return Ok(None);
        }
        let seed = Seed::new(recipe.seed);
        let n_maps = recipe.n_maps(features.n_rows()).max(2) as u64;
        let seeds: Vec<u64> = (0..n_maps).map(|run| seed.child("umap", run).value()).collect();
        let runs = recipe.umap().progress(progress).fit_many(features, &seeds)?;
        let stability = MapStability::of(&runs, features.matrix(), recipe.seed)?;
        let shown = runs[stability.medoid].view();
        let quality =
            Quality::measure(features.matrix(), shown, neighbors(features), Metric::Euclidean)?;
        let r_squared = r_squared_on_map(features, shown)?;
        Ok(Some(Self { runs, stability, quality, r_squared }))
    }

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

impl TsneMap {
    pub(super) fn draw(
        features: &Features,
        recipe: &Recipe,
        progress: Progress,
    ) -> Result<Option<Self>> {
        if !recipe.draws(Map::Tsne) {
            return Ok(None);
        }
        let mut params = Tsne::params(2).seed(recipe.seed).progress(progress);
        if let Some(perplexity) = recipe.perplexity {
            params = params.perplexity(perplexity);
        }
        let tsne = params.fit(features)?;
        let map = tsne.coordinates();
        Ok(Some(Self {
            quality: Quality::measure(
                features.matrix(),
                map.view(),
                neighbors(features),
                Metric::Euclidean,
            )?,
            r_squared: r_squared_on_map(features, map.view())?,
            kl_divergence: tsne.kl_divergence(),
            coordinates: map.clone(),
        }))
    }
}

/// Trustworthiness is defined below half the table only.
fn neighbors(features: &Features) -> usize {
    QUALITY_NEIGHBORS.min((features.n_rows() - 1) / 2).max(1)
}
