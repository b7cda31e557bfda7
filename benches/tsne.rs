//! `tsne FILE.npy [perplexity=P] [n_iter=N] [out=FILE.csv]`: a map of a C-ordered f64 matrix.

use std::fmt::Write as _;

use linfa::DatasetBase;
use linfa::traits::Fit;
use polariscope::embed::tsne::{Tsne, TsneParams};
use serde_json::{Value, json};

use crate::peer::{read_npy, timed};

/// Runs the stage if it is one of this file's.
pub fn run(stage: &str, arguments: &[String]) -> Option<Value> {
    if stage != "tsne" {
        return None;
    }
    let matrix = DatasetBase::from(read_npy(arguments.first()?));
    let mut params = Tsne::params(2);
    let mut out = None;
    for (key, value) in arguments[1..].iter().filter_map(|argument| argument.split_once('=')) {
        params = match key {
            "out" => {
                out = Some(value);
                params
            }
            _ => set(params, key, value.parse().expect("a number")),
        };
    }
    let (cpu, wall, tsne) = timed(|| params.fit(&matrix).expect("a map"));
    if let Some(path) = out {
        let mut text = String::new();
        for row in tsne.coordinates().rows() {
            let _ = writeln!(text, "{},{}", row[0], row[1]);
        }
        std::fs::write(path, text).expect("a file that can be written");
    }
    Some(json!({ "cpu": cpu, "wall": wall, "kl_divergence": tsne.kl_divergence() }))
}

fn set(params: TsneParams, key: &str, value: f64) -> TsneParams {
    match key {
        "perplexity" => params.perplexity(value),
        "n_iter" => params.n_iter(value as usize),
        "early_exaggeration" => params.early_exaggeration(value),
        "learning_rate" => params.learning_rate(value),
        "seed" => params.seed(value as u64),
        _ => panic!("unknown key {key}"),
    }
}
