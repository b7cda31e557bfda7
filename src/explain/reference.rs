//! Forests, predictions and SHAP values of scikit-learn and shap, from files.

use std::path::PathBuf;

use ndarray::{Array2, ArrayView, Axis, Dimension};
use serde_json::{Value, json};

use super::TreeShap;
use crate::classify::Model;

/// What the issue asks for; the values themselves are good to 1e-15.
const TOLERANCE: f64 = 1e-9;

fn numbers(value: &Value, into: &mut Vec<f64>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| numbers(item, into)),
        number => into.push(number.as_f64().unwrap()),
    }
}

fn matrix(value: &Value) -> Array2<f64> {
    let mut flat = Vec::new();
    numbers(value, &mut flat);
    let n = value.as_array().unwrap().len();
    Array2::from_shape_vec((n, flat.len() / n), flat).unwrap()
}

/// Compares in order of memory; `scale` is the size of the numbers.
fn check<D: Dimension>(what: &str, found: ArrayView<'_, f64, D>, expected: &Value, scale: f64) {
    let mut wanted = Vec::new();
    numbers(expected, &mut wanted);
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (i, (a, b)) in found.iter().zip(&wanted).enumerate() {
        assert!((a - b).abs() <= TOLERANCE * scale, "{what}: number {i} is {a}, expected {b}");
    }
}

#[test]
fn scikit_learn_and_shap_agree() {
    let text = include_str!("../../tests/reference/forest.json");
    let cases: Vec<Value> = serde_json::from_str(text).unwrap();
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let model = Model::from_json(&case["model"].to_string()).unwrap();
        let scale = if name == "diabetes" { 100.0 } else { 1.0 };
        let x = matrix(&case["x"]);
        check(name, model.outputs_of(x.view()).unwrap().view(), &case["outputs"], scale);
        let explainer = TreeShap::of(&model);
        let shap = explainer.explain_matrix(x.view()).unwrap();
        check(name, ArrayView::from(&shap.base), &case["base"], scale);
        check(name, shap.values.view(), &case["shap"], scale);
        let pairs = explainer.interactions(x.slice(ndarray::s![..1, ..])).unwrap();
        // shap loses some digits of interactions, and works in f32 where there is a background.
        let pairs = pairs.index_axis(Axis(0), 0);
        check(name, pairs, &case["interactions_of_row_0"], scale * 100.0);
        let background = matrix(&case["background"]);
        let against = TreeShap::of(&model).background(background.view());
        let against = against.explain_matrix(x.view()).unwrap();
        check(name, against.values.view(), &case["interventional"], scale * 100.0);
    }
}

fn shared() -> Option<PathBuf> {
    let folder = std::env::var("POLARISCOPE_SHARED").map_or_else(
        |_| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")),
        PathBuf::from,
    );
    let found = folder.join("expected/ml");
    if !found.is_dir() {
        println!("skipped: no ../shared/data");
    }
    found.is_dir().then_some(found)
}

/// A file of numbers with a heading; cells that are no numbers become 0.
fn csv(path: PathBuf) -> Array2<f64> {
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<Vec<f64>> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(|cell| cell.parse().unwrap_or(0.0)).collect())
        .collect();
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j])
}

#[test]
fn the_lectures_explanations() {
    let Some(folder) = shared() else { return };
    for (name, inputs, class_counts) in [
        ("xai_object", "xai_object_X12.csv", &[1, 2, 3][..]),
        ("xai_pixel_corr", "xai_pixel_corr_X.csv", &[2]),
        ("xai_pixel_exercise", "xai_pixel_exercise_X.csv", &[2]),
    ] {
        let text = std::fs::read_to_string(folder.join(format!("{name}_rf.json"))).unwrap();
        let forest: Value = serde_json::from_str(&text).unwrap();
        let n_features = forest["feature_names"].as_array().unwrap().len();
        let trees: Vec<Value> = forest["trees"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| {
                json!({"children_left": t["left"], "children_right": t["right"],
                    "feature": t["feature"], "threshold": t["threshold"],
                    "cover": t["weighted_n_node_samples"], "value": t["value"]})
            })
            .collect();
        let dump = json!({"format": "scikit-learn forest", "n_features": n_features,
            "n_outputs": forest["classes"].as_array().unwrap().len(),
            "output": "class probability", "classes": forest["classes"],
            "feature_names": forest["feature_names"], "trees": trees});
        let model = Model::from_json(&dump.to_string()).unwrap();
        let x = csv(folder.join(inputs));
        let x = x.slice(ndarray::s![.., ..n_features]);
        let shap = TreeShap::of(&model).explain_matrix(x).unwrap();
        for class in class_counts {
            let expected = csv(folder.join(format!("{name}_shap_class{class}.csv")));
            assert_eq!(expected.nrows(), x.nrows());
            let found = shap.values.index_axis(Axis(2), class - 1);
            for (a, b) in found.iter().zip(&expected) {
                assert!((a - b).abs() < TOLERANCE, "{name}: {a} {b}");
            }
        }
    }
}
