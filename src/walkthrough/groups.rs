//! The groups of the walk-through: how many, found many times over, on many samples, against one population.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use ndarray::Array2;
use rayon::prelude::*;

use super::{Groups, Learning, Recipe};
use crate::cluster::{
    ChoiceOfK, KMeans, Null, SortedTable, choose_k, silhouette, single_population,
};
use crate::error::Result;
use crate::progress::Progress;
use crate::seed::Seed;
use crate::select::Grouping;
use crate::stability::GroupStability;
use crate::table::Features;

/// The largest number of groups that `auto` considers.
const MAX_K: usize = 10;
/// Share of the rows in a subsample.
pub(super) const SUBSAMPLE: f64 = 0.8;
/// Starts per subsample: a subsample asks what another sample finds, not what another start does.
const SUBSAMPLE_STARTS: usize = 3;

/// The groups, and how far they can be trusted.
#[derive(Debug)]
pub struct Grouped {
    /// Number of groups.
    pub k: usize,
    /// How k was chosen; `None` when it was given.
    pub choice: Option<ChoiceOfK>,
    /// Within-group sum of squares of the best start.
    pub inertia: f64,
    /// Mean silhouette width of the voted groups; `None` for a single group.
    pub silhouette: Option<f64>,
    /// Distances of every row to every centre, shape `(n_rows, k)`, in the space that was grouped.
    pub distances: Array2<f64>,
    /// Every single-start run, with centres in feature space.
    pub runs: Vec<Grouping>,
    /// Agreement of the runs and subsamples; its labels are the groups.
    pub stability: GroupStability,
    /// Whether one population explains the table as well; `None` for a single group.
    pub null: Option<Null>,
    /// Where the groups are classes learned from marks: the marks, and how well. They keep their order.
    pub learning: Option<Learning>,
}

impl Grouped {
    /// Groups the rows of `space`; `features` are the same rows in feature space.
    pub(super) fn find(
        space: &Features,
        features: &Features,
        recipe: &Recipe,
        progress: &Progress,
    ) -> Result<Self> {
        let seed = Seed::new(recipe.seed);
        let total = recipe.subsamples + 3;
        let (k, choice) = match recipe.k {
            Groups::Number(k) => (k, None),
            Groups::Auto => {
                let most = MAX_K.min(space.n_rows() - 1);
                let choice = choose_k(space, 2..=most, recipe.seed)?;
                (choice.best_k, Some(choice))
            }
        };
        progress.report(1, total);
        let seeds: Vec<u64> = (0..recipe.cluster_runs.max(2) as u64)
            .map(|run| seed.child("kmeans", run).value())
            .collect();
        let runs = KMeans::params(k).n_init(1).fit_many(space, &seeds)?;
        progress.report(2, total);
        let sorted = SortedTable::new(space.matrix());
        let done = AtomicUsize::new(2);
        let subsample = |draw: u64| {
            let n_drawn = ((SUBSAMPLE * space.n_rows() as f64).ceil() as usize).max(k);
            let rows = seed.stream("subsample", draw).sample(space.n_rows(), n_drawn);
            let params = KMeans::params(k).n_init(SUBSAMPLE_STARTS);
            let groups =
                params.seed(seed.child("subsample", draw).value()).fit_sample(&sorted, &rows)?;
            progress.report(1 + done.fetch_add(1, Relaxed), total);
            Ok((rows, groups.labels().to_vec()))
        };
        let subsamples: Result<Vec<_>> =
            (0..recipe.subsamples as u64).into_par_iter().map(subsample).collect();
        let labels: Vec<Vec<usize>> = runs.iter().map(|run| run.labels().to_vec()).collect();
        let stability = GroupStability::of(&labels, &subsamples?)?;
        let best = runs.iter().min_by(|a, b| a.inertia().total_cmp(&b.inertia()));
        let centers = Grouping::of(space, stability.labels.clone()).centers;
        // The vote may leave a group empty that single runs found.
        let k = stability.labels.iter().copied().max().unwrap_or(1);
        let groups = &stability.labels;
        let (silhouette, null) = match (&choice, k) {
            (_, 1) => (None, None),
            (choice, _) => {
                // A k that was chosen for its fit is judged with all k that were tried.
                let known = choice.as_ref().filter(|c| c.best_k == k);
                let null = match known {
                    Some(choice) => choice.null.clone(),
                    None => single_population(space, groups, recipe.null_tables, recipe.seed)?,
                };
                (Some(silhouette(space, groups)?.mean), Some(null))
            }
        };
        let outcome = Self {
            k,
            choice,
            inertia: best.map_or(0.0, KMeans::inertia),
            silhouette,
            null,
            learning: None,
            distances: distances(space, &centers),
            runs: labels.into_iter().map(|labels| Grouping::of(features, labels)).collect(),
            stability,
        };
        progress.report(1, 1);
        Ok(outcome)
    }

    /// What a group is called: a class, where a person gave it.
    pub(super) fn noun(&self) -> &'static str {
        if self.learning.is_some() { "class" } else { "group" }
    }

    /// Rows assigned to each group, in group order.
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.k];
        let assigned = self.stability.assigned();
        assigned.iter().filter(|l| **l > 0).for_each(|&label| sizes[label - 1] += 1);
        sizes
    }
}

/// Euclidean distance of every row to every centre.
pub(super) fn distances(space: &Features, centers: &Array2<f64>) -> Array2<f64> {
    let matrix = space.matrix();
    Array2::from_shape_fn((space.n_rows(), centers.nrows()), |(row, group)| {
        let squares = matrix
            .row(row)
            .iter()
            .zip(centers.row(group))
            .map(|(a, b)| (a - b).powi(2))
            .sum::<f64>();
        squares.sqrt()
    })
}
