"""Writes forest.json: small forests of scikit-learn as dumps, with what scikit-learn and shap make of them.

Versions: python 3.11 or newer, numpy 2, scikit-learn 1.9.1, shap 0.51.0.
usage: python make_forest.py   (writes beside itself)
"""
import json
import os

import numpy as np
import shap
from sklearn.datasets import load_diabetes, load_iris, load_wine
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor


def dump(forest):
    """The format that Model::open documents."""
    trees = [tree.tree_ for tree in forest.estimators_]
    classes = getattr(forest, "classes_", None)
    return {
        "format": "scikit-learn forest",
        "n_features": forest.n_features_in_,
        "n_outputs": 1 if classes is None else len(classes),
        "output": "regression value" if classes is None else "class probability",
        "classes": None if classes is None else classes.tolist(),
        "trees": [{
            "children_left": t.children_left.tolist(),
            "children_right": t.children_right.tolist(),
            "feature": t.feature.tolist(),
            "threshold": t.threshold.tolist(),
            "cover": t.weighted_n_node_samples.tolist(),
            "value": t.value[:, 0, :].tolist(),
        } for t in trees],
    }


def case(name, forest, data, rows):
    # Whole numbers: thresholds are then exact in f32, to which shap rounds them where there is a background
    # (scikit-learn compares with the f64), so no row stands on the edge.
    table = np.round(data.data * 1000)
    forest.fit(table, data.target)
    x = table[rows]
    explainer = shap.TreeExplainer(forest, feature_perturbation="tree_path_dependent")
    background = table[::29]
    against = shap.TreeExplainer(forest, background, feature_perturbation="interventional")
    outputs = forest.predict_proba(x) if hasattr(forest, "classes_") else forest.predict(x)[:, None]
    shape = (len(x), x.shape[1], outputs.shape[1])
    return {
        "name": name,
        "model": dump(forest),
        "x": x.tolist(),
        "outputs": outputs.tolist(),
        "base": np.atleast_1d(explainer.expected_value).tolist(),
        "shap": np.reshape(explainer.shap_values(x, check_additivity=False), shape).tolist(),
        "interactions_of_row_0": np.reshape(explainer.shap_interaction_values(x[:1]), (x.shape[1], x.shape[1], outputs.shape[1])).tolist(),
        "background": background.tolist(),
        "interventional": np.reshape(against.shap_values(x, check_additivity=False), shape).tolist(),
    }


cases = [
    case("iris", RandomForestClassifier(8, max_depth=4, random_state=0), load_iris(), slice(0, 150, 15)),
    case("wine", RandomForestClassifier(4, random_state=1, class_weight="balanced"), load_wine(), slice(0, 178, 30)),
    case("diabetes", RandomForestRegressor(3, max_depth=5, random_state=2), load_diabetes(), slice(0, 442, 60)),
]
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "forest.json"), "w") as file:
    json.dump(cases, file, separators=(",", ":"))
    file.write("\n")
