//! What other, equally sensible choices would have given: another k, another scale, another space, other neighbours.

use std::sync::Arc;

use linfa::traits::Fit;
use rayon::prelude::*;
use serde::Serialize;

use super::{ClusterOn, Grouped, Recipe, UmapRuns};
use crate::cluster::KMeans;
use crate::cluster::agreement::{adjusted_rand, jaccard_per_cluster, share_moved};
use crate::embed::procrustes;
use crate::error::Result;
use crate::seed::Seed;
use crate::stability::shared_neighbors;
use crate::table::{Features, Scale};

/// Starts of a grouping under another choice: what is asked is what the choice does, not the start.
const STARTS: usize = 5;

/// What one other choice does to the groups (of classes: shallower trees, or the features of the short list alone).
#[derive(Debug, Clone, Serialize)]
pub struct GroupChoice {
    /// The choice: `k = 3`, `scale = robust`, `cluster_on = pca`.
    pub choice: String,
    /// Share of objects in another group than reported.
    pub moved: f64,
    /// Adjusted Rand index with the groups that are reported.
    pub ari: f64,
    /// Per reported group: its best Jaccard overlap with a group under the other choice.
    pub jaccard: Vec<f64>,
}

/// What another size of neighbourhood does to the map.
#[derive(Debug, Clone, Serialize)]
pub struct MapChoice {
    /// The choice: `n_neighbors = 30`.
    pub choice: String,
    /// Neighbourhood size at which the maps are compared.
    pub k: usize,
    /// Chance-corrected share of these neighbours that return, R_NX(k).
    pub shared_neighbors: f64,
    /// The same between maps that differ by their seed only.
    pub between_seeds: f64,
    /// Procrustes disparity to the map that is shown.
    pub procrustes: f64,
}

/// The other choices that were tried.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Choices {
    /// Beside the groups.
    pub groups: Vec<GroupChoice>,
    /// Beside the map.
    pub map: Vec<MapChoice>,
}

impl Choices {
    /// Tries k - 1 and k + 1, the other scale and the other space, and half and twice the neighbours; one choice at
    /// a time. `space` is the matrix that was grouped, `others` are those that could have been.
    pub(super) fn try_out(
        space: &Features,
        others: &[(String, Features)],
        features: &Features,
        groups: &Grouped,
        umap: Option<&UmapRuns>,
        recipe: &Recipe,
    ) -> Result<Self> {
        let mut choices = Self::default();
        if groups.learning.is_none() && groups.k >= 2 {
            let other_k = [groups.k - 1, groups.k + 1].map(|k| (format!("k = {k}"), space, k));
            let other_k = other_k.into_iter().filter(|&(_, _, k)| k >= 2 && k < space.n_rows());
            let other_space =
                others.iter().map(|(choice, space)| (choice.clone(), space, groups.k));
            let tried: Vec<_> = other_k.chain(other_space).collect();
            let tried = tried.into_par_iter();
            let found =
                tried.map(|(choice, space, k)| group_choice(choice, space, k, groups, recipe));
            choices.groups = found.flatten().collect();
        }
        if let Some(umap) = umap {
            let others: Vec<usize> = recipe.other_n_neighbors(features.n_rows()).collect();
            let tried = others.into_par_iter().map(|n| map_choice(n, features, umap, recipe));
            choices.map = tried.collect::<Result<_>>()?;
        }
        Ok(choices)
    }

    /// The largest share of objects that another scale or space moves; another k moves them by design.
    pub fn moved(&self) -> Option<f64> {
        let same_k = self.groups.iter().filter(|choice| !choice.choice.starts_with("k = "));
        same_k.map(|choice| choice.moved).reduce(f64::max)
    }
}

/// `None` where the table cannot be grouped so (fewer different rows than groups).
fn group_choice(
    choice: String,
    space: &Features,
    k: usize,
    groups: &Grouped,
    recipe: &Recipe,
) -> Option<GroupChoice> {
    let seed = Seed::new(recipe.seed).child("choice", k as u64).value();
    let other = KMeans::params(k).n_init(STARTS).seed(seed).fit(space).ok()?;
    let labels = &groups.stability.labels;
    Some(GroupChoice {
        choice,
        moved: share_moved(labels, other.labels()).ok()?,
        ari: adjusted_rand(labels, other.labels()).ok()?,
        jaccard: jaccard_per_cluster(labels, other.labels()).ok()?.into_values().collect(),
    })
}

fn map_choice(
    n_neighbors: usize,
    features: &Features,
    umap: &UmapRuns,
    recipe: &Recipe,
) -> Result<MapChoice> {
    let seed = Seed::new(recipe.seed).child("umap choice", n_neighbors as u64).value();
    let params =
        recipe.umap().n_neighbors(n_neighbors).neighbors(Arc::clone(&umap.near)).seed(seed);
    let other = params.fit(features)?;
    let (shown, other) = (umap.medoid().view(), other.coordinates().view());
    let stability = &umap.stability;
    let at_scale = stability.curve.iter().find(|point| point.k == stability.object_scale);
    Ok(MapChoice {
        choice: format!("n_neighbors = {n_neighbors}"),
        k: stability.object_scale,
        shared_neighbors: shared_neighbors(shown, other, stability.object_scale, recipe.seed)?,
        between_seeds: at_scale.map_or(f64::NAN, |point| point.repeatability.value),
        procrustes: procrustes(shown, other)?.disparity,
    })
}

/// The spaces that could have been grouped instead of the recipe's: the other scale, and features or components.
pub(super) fn other_spaces(
    raw: &Features,
    features: &Features,
    components: &Features,
    recipe: &Recipe,
) -> Result<Vec<(String, Features)>> {
    let other = if recipe.scale == Scale::Robust { Scale::Zscore } else { Scale::Robust };
    let mut spaces = Vec::new();
    // A scale changes components and maps too, but then two things change at once.
    if recipe.cluster_on == ClusterOn::Features {
        spaces.push((format!("scale = {}", other.name()), raw.scaled(other)?));
        spaces.push(("cluster_on = pca".to_owned(), components.clone()));
    } else {
        spaces.push(("cluster_on = features".to_owned(), features.clone()));
    }
    Ok(spaces)
}
