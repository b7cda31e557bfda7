//! Model files: what survives them, and what is refused.

use super::file::as_double;
use super::*;
use linfa::traits::Fit;
use ndarray::array;

fn features() -> Features {
    let matrix = array![[1.0, 0.3], [2.0, 0.1], [3.0, 0.7], [7.0, 0.2], [8.0, 0.9], [9.5, 0.4]];
    Features::new(matrix, ["area", "noise"]).unwrap()
}

fn model() -> Model {
    let labelled = features().labelled(&[1, 1, 1, 5, 5, 5]).unwrap();
    Model::of(&RandomForest::params().n_trees(7).min_samples_leaf(1).fit(&labelled).unwrap())
}

#[test]
fn a_model_survives_its_file() {
    let scaling = Scaling { center: vec![0.1, 1.0 / 3.0], scale: vec![1.7, 0.3] };
    let model = model().with_scaling(scaling).unwrap();
    let again = Model::from_json(&model.to_json()).unwrap();
    assert_eq!(again, model);
    assert_eq!(again.outputs(&features()).unwrap(), model.outputs(&features()).unwrap());
    assert_eq!(again.to_json(), model.to_json());
}

#[test]
fn a_changed_file_is_refused() {
    let json = model().to_json();
    for (from, to, says) in [
        ("\"schema_version\":1", "\"schema_version\":9", "schema_version is 9"),
        ("\"area\"", "\"arena\"", "hash"),
        ("\"cover\":[6.0", "\"cover\":[6.5", "hash"),
        ("{", "[", "is no model file"),
    ] {
        let error = Model::from_json(&json.replacen(from, to, 1)).unwrap_err();
        assert!(error.message().contains(says), "{from} -> {to}: {error}");
    }
}

/// A dump with one split: `x0 <= 0.5`.
fn dump(replace: &[(&str, &str)]) -> Result<Model> {
    let mut json = r#"{"format": "scikit-learn forest", "n_features": 2, "n_outputs": 2,
        "output": "class probability", "classes": [1, 2], "trees": [{"children_left": [1, -1, -1],
        "children_right": [2, -1, -1], "feature": [0, -2, -2], "threshold": [0.5, -2, -2],
        "cover": [4, 1, 3], "value": [[0.5, 0.5], [1, 0], [0.25, 0.75]]}]}"#
        .to_string();
    for (from, to) in replace {
        assert!(json.contains(from), "{from}");
        json = json.replacen(from, to, 1);
    }
    Model::from_json(&json)
}

#[test]
fn a_scikit_learn_dump_is_read_and_its_faults_are_named() {
    let outputs = dump(&[]).unwrap().outputs_of(array![[0.5, 0.0], [0.6, 0.0]].view()).unwrap();
    assert_eq!(outputs, array![[1.0, 0.0], [0.25, 0.75]]);
    for (from, to, says) in [
        ("[1, -1, -1]", "[0, -1, -1]", "tree 0: node 0: children 0 and 2"),
        ("[1, -1, -1]", "[2, -1, -1]", "tree 0: node 0: children 2 and 2"),
        ("[1, -1, -1]", "[7, -1, -1]", "tree 0: node 0: children 7 and 2"),
        ("[1, -1, -1]", "[-1, -1, -1]", "tree 0: node 0: children -1 and 2"),
        ("[1, -1, -1]", "[1, -1]", "tree 0: children_right has 3 entries"),
        ("[0, -2, -2]", "[2, -2, -2]", "tree 0: node 0: feature 2 is not one of 0..2"),
        ("[4, 1, 3]", "[4, 0, 3]", "cover"),
        ("[4, 1, 3]", "[9, 1, 3]", "node 0: cover 9 differs from its children's 4"),
        ("[1, 0]", "[3, 0]", "tree 0: leaf 0 holds [3.0, 0.0]"),
        ("[1, 0]", "[1]", "tree 0: node 1: value must be 2 finite numbers"),
        ("\"class probability\"", "\"votes\"", "output is \"votes\""),
        ("\"classes\": [1, 2]", "\"classes\": [1, 1]", "classes has `1` twice"),
        ("\"n_features\": 2", "\"n_features\": -2", "is no model file"),
        ("\"trees\"", "\"feature_names\": [\"a\"], \"trees\"", "feature_names has 1 entries"),
    ] {
        let error = dump(&[(from, to)]).unwrap_err();
        assert!(error.message().contains(says), "{from} -> {to}: {error}");
    }
}

#[test]
fn a_loop_in_a_tree_is_refused() {
    let looped = [
        ("[1, -1, -1]", "[1, 1, -1]"),
        ("[2, -1, -1]", "[2, 2, -1]"),
        ("[4, 1, 3]", "[4, 4, 0.000001]"),
        ("[0, -2, -2]", "[0, 0, -2]"),
    ];
    assert!(dump(&looped).is_err());
}

#[test]
fn thresholds_mean_for_doubles_what_they_mean_for_floats() {
    for threshold in [0.5, 0.1, 1.0 / 3.0, 555.5, -2.7, 1e-40, 0.0, 16_777_217.0, 3.4e38] {
        let double = as_double(threshold);
        let goes_left = |x: f64| f64::from(x as f32) <= threshold;
        assert!(goes_left(double) && !goes_left(double.next_up()), "{threshold} {double}");
    }
}
