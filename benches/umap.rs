//! Neighbours and UMAP beside their peers. `INPUT` is a .npy file of little-endian f64 in row order.

use std::path::Path;

use linfa::traits::Fit;
use polariscope::embed::neighbors::{Metric, Neighbors};
use polariscope::embed::quality::Quality;
use polariscope::embed::umap::{Init, Umap};
use serde_json::{Value, json};

use crate::peer::{read_npy, timed};

/// Stages `neighbors INPUT [k=15]`, `umap INPUT [seeds=1] [init=pca] [densmap=false] [out=FILE]`, `umap-many INPUT [runs=20]`.
///
/// FILE gets the maps of all seeds, little-endian f64 in row order.
pub fn run(stage: &str, arguments: &[String]) -> Option<Value> {
    if !["neighbors", "umap", "umap-many"].contains(&stage) {
        return None;
    }
    let matrix = read_npy(Path::new(arguments.first()?));
    let option = |name: &str| {
        arguments.iter().find_map(|a| a.strip_prefix(name)?.strip_prefix('=').map(str::to_string))
    };
    match stage {
        "neighbors" => {
            let k = option("k").and_then(|k| k.parse().ok()).unwrap_or(15);
            let (cpu, wall, near) = timed(|| {
                Neighbors::exact(matrix.view(), k, Metric::Euclidean).expect("clean rows")
            });
            let mean = near.distances.mean();
            Some(json!({"cpu": cpu, "wall": wall, "mean_distance": mean}))
        }
        "umap" => {
            let n_seeds = option("seeds").and_then(|k| k.parse().ok()).unwrap_or(1);
            let data = linfa::DatasetBase::new(matrix, ());
            let init = match option("init").as_deref() {
                Some("spectral") => Init::Spectral,
                Some("random") => Init::Random,
                _ => Init::Pca,
            };
            let densmap = option("densmap").as_deref() == Some("true");
            let params = Umap::params(2).init(init).densmap(densmap);
            let (cpu, wall, umap) = timed(|| params.fit(&data).expect("clean rows"));
            if let Some(path) = option("out") {
                let seeds: Vec<u64> = (0..n_seeds).collect();
                let maps = params.fit_many(&data, &seeds).expect("clean rows");
                let bytes = maps.iter().flatten().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>();
                std::fs::write(path, bytes).expect("the output can be written");
            }
            let map = umap.coordinates().view();
            let (quality_cpu, _, quality) =
                timed(|| Quality::measure(data.records.view(), map, 15, Metric::Euclidean));
            let quality = quality.expect("as many rows");
            Some(json!({
                "cpu": cpu,
                "wall": wall,
                "trustworthiness": quality.trustworthiness,
                "continuity": quality.continuity,
                "neighbor_preservation": quality.neighbor_preservation,
                "quality_cpu": quality_cpu,
            }))
        }
        "umap-many" => {
            let runs = option("runs").and_then(|k| k.parse().ok()).unwrap_or(20);
            let data = linfa::DatasetBase::new(matrix, ());
            let seeds: Vec<u64> = (0..runs).collect();
            let (cpu, wall, maps) =
                timed(|| Umap::params(2).fit_many(&data, &seeds).expect("clean rows"));
            Some(json!({"cpu": cpu, "wall": wall, "runs": maps.len()}))
        }
        _ => None,
    }
}
