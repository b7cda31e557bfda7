//! Groups and components beside the peers: `pca`, `kmeans`, `kmeans-many`, `hdbscan`, `silhouette`, `choose-k`, `null`.
//!
//! The input is a `.npy` matrix of f64; its columns are standardized before the clock starts.

use linfa::traits::Fit;
use ndarray::{Array2, Axis};
use polariscope::cluster::{Hdbscan, KMeans, choose_k, silhouette, single_population};
use polariscope::embed::{ExplainedVariance, Pca};
use polariscope::table::Features;
use serde_json::{Value, json};

use crate::peer::{read_npy, timed};

/// The quality and the time of one stage, or nothing if the stage is not ours.
pub fn run(stage: &str, arguments: &[String]) -> Option<Value> {
    let stages =
        ["pca", "explained", "kmeans", "kmeans-many", "hdbscan", "silhouette", "choose-k", "null"];
    if !stages.contains(&stage) {
        return None;
    }
    let matrix = standardized(read_npy(&arguments[0]));
    let option = |name: &str, default: usize| {
        let prefix = format!("{name}=");
        arguments.iter().find_map(|a| a.strip_prefix(&prefix)?.parse().ok()).unwrap_or(default)
    };
    let names: Vec<String> = (0..matrix.ncols()).map(|j| format!("f{j}")).collect();
    let features = Features::new(matrix, names).ok()?;
    let k = option("k", 8);
    let kmeans = || KMeans::params(k).n_init(option("n_init", 10)).fit(&features);
    let (cpu, wall, mut quality) = match stage {
        "pca" => {
            // The clock of a process ticks every 10 ms: too coarse for one.
            const FITS: usize = 5;
            let fit = || Pca::params(option("n_components", 10)).fit(&features);
            let (cpu, wall, pca) = timed(|| {
                (1..FITS).for_each(|_| drop(fit()));
                fit()
            });
            let shares = pca.ok()?.explained_variance_ratio();
            let json = json!({ "evr": shares.iter().take(3).collect::<Vec<_>>() });
            (cpu / FITS as f64, wall / FITS as f64, json)
        }
        "explained" => {
            let (cpu, wall, found) = timed(|| ExplainedVariance::of(&features, 0));
            let found = found.ok()?;
            let first = found.components()[0];
            let rules = found.stop_rules();
            let json = json!({ "share": first.share, "interval": first.interval, "horn": rules.parallel_analysis });
            (cpu, wall, json)
        }
        "kmeans" => {
            let (cpu, wall, found) = timed(kmeans);
            let found = found.ok()?;
            (cpu, wall, json!({ "inertia": found.inertia(), "iterations": found.n_iter() }))
        }
        "kmeans-many" => {
            let seeds: Vec<u64> = (0..option("seeds", 50) as u64).collect();
            let (cpu, wall, found) = timed(|| KMeans::params(k).fit_many(&features, &seeds));
            let best = found.ok()?.iter().map(KMeans::inertia).fold(f64::INFINITY, f64::min);
            (cpu, wall, json!({ "best_inertia": best }))
        }
        "hdbscan" => {
            let (cpu, wall, found) = timed(|| Hdbscan::params(option("size", 15)).fit(&features));
            let found = found.ok()?;
            let noise = found.labels().iter().filter(|&&label| label == 0).count();
            (cpu, wall, json!({ "k": found.n_clusters(), "noise": noise }))
        }
        "silhouette" => {
            let labels = kmeans().ok()?;
            let (cpu, wall, found) = timed(|| silhouette(&features, labels.labels()));
            (cpu, wall, json!({ "mean": found.ok()?.mean }))
        }
        "choose-k" => {
            let (cpu, wall, found) = timed(|| choose_k(&features, 2..=10, 0));
            let found = found.ok()?;
            (cpu, wall, json!({ "k": found.k, "p_value": found.null.p_value }))
        }
        _ => {
            let labels = kmeans().ok()?;
            let (cpu, wall, found) =
                timed(|| single_population(&features, labels.labels(), 100, 0));
            (cpu, wall, json!({ "p_value": found.ok()?.p_value }))
        }
    };
    quality["cpu"] = cpu.into();
    quality["wall"] = wall.into();
    Some(quality)
}

fn standardized(mut matrix: Array2<f64>) -> Array2<f64> {
    for mut column in matrix.axis_iter_mut(Axis(1)) {
        let (mean, std) = (column.mean().unwrap_or(0.0), column.std(0.0));
        column.mapv_inplace(|v| (v - mean) / if std > 0.0 { std } else { 1.0 });
    }
    matrix
}
