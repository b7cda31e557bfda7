//! Forests and SHAP values beside their peers. `INPUT` is a .npy file of little-endian f64 in row
//! order whose last column is the class, or for `tree_shap` the model's features alone.

use std::path::Path;

use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::{Array1, Array2, s};
use polariscope::classify::{Model, RandomForest, validate};
use polariscope::explain::TreeShap;
use polariscope::table::Features;
use serde_json::{Value, json};

use crate::peer::{read_npy, timed};

/// Stages `forest INPUT [depth=D]` (train on 4 of 5 rows, predict the fifth), `forest_folds INPUT`
/// and `tree_shap INPUT model=FILE`.
pub fn run(stage: &str, arguments: &[String]) -> Option<Value> {
    let option = |name: &str| {
        arguments.iter().find_map(|a| a.strip_prefix(name)?.strip_prefix('=').map(str::to_string))
    };
    match stage {
        "forest" => {
            let depth = option("depth").map(|depth| depth.parse().expect("a depth"));
            Some(forest(&read_npy(Path::new(arguments.first()?)), depth))
        }
        "forest_folds" => Some(folds(&read_npy(Path::new(arguments.first()?)))),
        "tree_shap" => {
            let matrix = read_npy(Path::new(arguments.first()?));
            let model = Model::open(option("model")?).expect("a model file");
            let explain =
                || TreeShap::of(&model).explain_matrix(matrix.view()).expect("clean rows");
            let (cpu, wall, shap) = timed(explain);
            let rows = matrix.nrows() as f64;
            Some(json!({"cpu": cpu, "wall": wall, "rows_per_cpu_second": rows / cpu,
                "leaves": model.trees().n_leaves(), "additivity_error": shap.additivity_error,
                "sum_abs": shap.values.mapv(f64::abs).sum() / rows}))
        }
        _ => None,
    }
}

/// As deep as scikit-learn goes by default.
fn full() -> polariscope::classify::ForestParams<RandomForest> {
    RandomForest::params().max_depth(None).min_samples_leaf(1).oob_score(false)
}

fn parts(table: &Array2<f64>) -> (Array2<f64>, Vec<usize>) {
    let d = table.ncols() - 1;
    let labels = table.column(d).iter().map(|&y| y as usize).collect();
    (table.slice(s![.., ..d]).to_owned(), labels)
}

fn forest(table: &Array2<f64>, depth: Option<usize>) -> Value {
    let (matrix, labels) = parts(table);
    let n = labels.len() * 4 / 5;
    let train = matrix.slice(s![..n, ..]).to_owned();
    let train = DatasetBase::new(train, Array1::from(labels[..n].to_vec()));
    let test = matrix.slice(s![n.., ..]).to_owned();
    let (cpu, wall, forest) = timed(|| full().max_depth(depth).fit(&train).expect("clean rows"));
    let ask = || forest.probabilities(test.view()).expect("clean rows");
    // Asked often: one round is shorter than the clock's tick.
    let (predict_cpu, _, shares) = timed(|| {
        (1..20).for_each(|_| drop(ask()));
        ask()
    });
    let right = shares.rows().into_iter().zip(&labels[n..]).filter(|(row, label)| {
        let best = row.iter().enumerate().fold(0, |b, (i, x)| if *x > row[b] { i } else { b });
        forest.classes()[best] == **label
    });
    json!({"cpu": cpu, "wall": wall, "predict_cpu": predict_cpu / 20.0,
        "accuracy": right.count() as f64 / test.nrows() as f64,
        "leaves": forest.trees().n_leaves(), "depth": forest.trees().depth()})
}

fn folds(table: &Array2<f64>) -> Value {
    let (matrix, labels) = parts(table);
    let names = (0..matrix.ncols()).map(|i| format!("x{i}"));
    let features = Features::new(matrix, names).expect("clean rows");
    let accuracies: Vec<f64> = (0..5)
        .map(|seed| {
            let splits = validate::stratified_k_fold(&labels, 5, seed).expect("enough rows");
            let found = validate::cross_validate(&full().seed(seed), &features, &labels, &splits);
            found.expect("clean rows").accuracy()
        })
        .collect();
    json!({"cpu": 0.0, "wall": 0.0, "accuracy": accuracies.iter().sum::<f64>() / 5.0})
}
