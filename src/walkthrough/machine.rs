//! Does the machine enter the result? The steps of the job, repeated on other numbers of threads.

use linfa::traits::Fit;
use serde::Serialize;

use super::Recipe;
use crate::classify::RandomForest;
use crate::cluster::KMeans;
use crate::embed::Pca;
use crate::embed::umap::Umap;
use crate::error::Result;
use crate::seed::mix;
use crate::table::Features;

/// Numbers of threads on which the steps are repeated: one, few, and more than divide the work evenly.
const THREADS: [usize; 3] = [1, 2, 7];
/// Rows of the repeats, evenly spread over the table: enough that the work is split.
const ROWS: usize = 1_000;
/// Rounds of the repeated map: every one reads what the one before left.
const EPOCHS: usize = 20;

/// Whether other numbers of threads give the same bits.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Numbers of threads that were tried.
    pub threads: [usize; 3],
    /// Whether all gave the same bits.
    pub same_bits: bool,
    /// A fingerprint of the bits: another machine that shows it too computes the same.
    pub fingerprint: String,
}

impl Machine {
    /// Repeats components, a map, groups and a forest on up to 1,000 rows of `features` on each number of threads;
    /// `None` where the system gives no threads, or where so few rows hold too few different ones for k groups.
    pub(super) fn check(features: &Features, recipe: &Recipe, k: usize) -> Option<Self> {
        let step = features.n_rows().div_ceil(ROWS).max(1);
        let rows: Vec<usize> = (0..features.n_rows()).step_by(step).collect();
        let some = features.select_rows(&rows);
        let k = k.clamp(1, rows.len());
        let mut prints = Vec::new();
        for threads in THREADS {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().ok()?;
            prints.push(pool.install(|| fingerprint(&some, recipe, k)).ok()?);
        }
        Some(Self {
            threads: THREADS,
            same_bits: prints.iter().all(|print| *print == prints[0]),
            fingerprint: format!("{:016x}", prints[0]),
        })
    }
}

fn fingerprint(features: &Features, recipe: &Recipe, k: usize) -> Result<u64> {
    let pca = Pca::params(features.n_features().min(features.n_rows()).min(2)).fit(features)?;
    let n_neighbors = recipe.n_neighbors.min(features.n_rows().saturating_sub(1));
    let umap = Umap::params(2).n_neighbors(n_neighbors).n_epochs(EPOCHS).seed(recipe.seed);
    let map = umap.fit(features)?;
    let groups = KMeans::params(k).n_init(2).seed(recipe.seed).fit(features)?;
    let forest = RandomForest::params().n_trees(4).seed(recipe.seed);
    let forest = forest.fit(&features.labelled(groups.labels())?)?;
    let classes = forest.predict_proba(features)?;
    let components = pca.coordinates();
    let numbers = components.iter().chain(map.coordinates()).chain(&classes);
    let labels = groups.labels().iter().map(|&label| label as u64);
    Ok(numbers.map(|v| v.to_bits()).chain(labels).fold(0, |print, bits| mix(print ^ bits)))
}
