"""Forests and SHAP values beside scikit-learn, scikit-learn-intelex, shap, WOODELF, FastTreeSHAP and xgboost.

usage: python forest.py [fit] [folds] [shap] [deep]      (all without a word)
"""
import json
import os
import sys
import tempfile

from harness import compare  # first: it sets the threads

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.model_selection import StratifiedKFold, cross_val_score

FOLDER = tempfile.mkdtemp()


def save(name, *columns):
    path = os.path.join(FOLDER, name + ".npy")
    np.save(path, np.ascontiguousarray(np.column_stack(columns), "<f8"))
    return path


def table(n):
    """Measurements of n objects: 20 correlated, partly skewed columns of a mixture of 8 populations in 9 latent
    dimensions; 4 classes, 5 % of them wrong."""
    mixture, rng = np.random.default_rng(4242), np.random.default_rng(n)
    centers, mixing = mixture.normal(0, 1.5, (8, 9)), mixture.normal(0, 1, (9, 9)) * .35 + np.eye(9)
    loadings = mixture.normal(0, 1, (9, 20))
    component = rng.choice(8, n, p=[.25, .2, .15, .12, .1, .08, .06, .04])
    latent = centers[component] + rng.standard_normal((n, 9)) @ mixing * .75
    x = latent @ loadings * .5 + .3 * rng.standard_normal((n, 20))
    x[:, :8] = np.exp(.4 * x[:, :8] + 5)
    y = component % 4
    wrong = rng.random(n) < .05
    y[wrong] = rng.integers(0, 4, wrong.sum())
    return x, y


def fit():
    from sklearnex.ensemble import RandomForestClassifier as Intelex
    for n, depth in ((5_000, None), (5_000, 8), (50_000, 8), (50_000, None), (200_000, None)):
        x, y = table(n)
        cut = n * 4 // 5

        def work(kind):
            return lambda: kind(100, max_depth=depth, n_jobs=2, random_state=0).fit(x[:cut], y[:cut])

        def quality(forest):
            from harness import time_peer
            predict_cpu, _, found = time_peer(lambda: forest.predict(x[cut:]), 3)
            return {"accuracy": float((found == y[cut:]).mean()), "predict_cpu": round(predict_cpu, 4)}

        peers = {"scikit-learn-intelex": (work(Intelex), quality), "scikit-learn": (work(RandomForestClassifier), quality)}
        arguments = ["forest", save(f"forest_{n}", x, y)] + ([f"depth={depth}"] if depth else [])
        compare(f"forest of 100 trees of {depth or 'any'} levels, {n} x 20", peers, arguments, repeats=3 if n < 100_000 else 1)


def folds():
    for name, load in (("iris", load_iris), ("wine", load_wine), ("breast cancer", load_breast_cancer), ("digits", load_digits)):
        x, y = load(return_X_y=True)

        def work():
            return np.mean([cross_val_score(RandomForestClassifier(100, n_jobs=2, random_state=s), x, y, cv=StratifiedKFold(5, shuffle=True, random_state=s)).mean() for s in range(5)])

        compare(f"accuracy, 5 times 5 folds, {name}", {"scikit-learn": (work, lambda a: {"accuracy": round(float(a), 4)})}, ("forest_folds", save(name.replace(" ", "_"), x, y)), repeats=1)


def dump(forest):
    """The format that Model::open documents."""
    classes = getattr(forest, "classes_", None)
    return {"format": "scikit-learn forest", "n_features": forest.n_features_in_, "n_outputs": 1 if classes is None else len(classes),
            "output": "regression value" if classes is None else "class probability", "classes": None if classes is None else classes.tolist(),
            "trees": [{"children_left": t.children_left.tolist(), "children_right": t.children_right.tolist(), "feature": t.feature.tolist(),
                       "threshold": t.threshold.tolist(), "cover": t.weighted_n_node_samples.tolist(), "value": t.value[:, 0, :].tolist()}
                      for t in (tree.tree_ for tree in forest.estimators_)]}


def dump_xgboost(booster):
    """The same for the margin of a boosted model: the mean over the trees times their number is the sum."""
    path = os.path.join(FOLDER, "booster.json")
    booster.save_model(path)
    trees = json.load(open(path))["learner"]["gradient_booster"]["model"]["trees"]
    out = []
    for t in trees:
        left, right, cut = t["left_children"], t["right_children"], np.array(t["split_conditions"], "f4")
        cover = [float(h) for h in t["sum_hessian"]]
        for i in reversed(range(len(left))):  # f32 sums do not add up
            if left[i] >= 0:
                cover[i] = cover[left[i]] + cover[right[i]]
        out.append({"children_left": left, "children_right": right, "feature": t["split_indices"], "cover": cover,
                    # xgboost goes left on `<`
                    "threshold": np.nextafter(cut, np.float32(-np.inf)).astype(float).tolist(),
                    "value": [[float(c) * len(trees)] if l < 0 else [0.0] for c, l in zip(cut, left)]})
    return {"format": "xgboost", "n_features": int(trees[0]["tree_param"]["num_feature"]), "n_outputs": 1, "output": "regression value", "classes": None, "trees": out}


def size(values):
    return {"sum_abs": float(np.abs(np.asarray(values)).sum() / len(values))}


def ours(name, model, x):
    path = os.path.join(FOLDER, name + ".json")
    json.dump(model, open(path, "w"))
    return ("tree_shap", save(name, x), f"model={path}")


def by_shap(model, x):
    import shap
    return lambda: shap.TreeExplainer(model, feature_perturbation="tree_path_dependent").shap_values(x, check_additivity=False)


def deep():
    x, y = table(50_000)
    full = RandomForestClassifier(100, n_jobs=2, random_state=0).fit(x[:4_000], y[:4_000])
    compare("TreeSHAP, full-depth forest, 200 rows", {"shap": (by_shap(full, x[:200]), size)}, ours("full", dump(full), x[:200]))


def shallow():
    """FastTreeSHAP is `pip install fasttreeshap-fixed`, which builds with today's numpy."""
    import fasttreeshap_fixed as fasttreeshap
    import pandas
    import xgboost
    from woodelf import WoodelfExplainer
    x, y = table(50_000)
    train, labels = x[:4_000], y[:4_000]
    def peers(model, rows, *names):
        frame, matrix = pandas.DataFrame(x[:rows]), xgboost.DMatrix(x[:rows])
        work = {
            "WOODELF": lambda: WoodelfExplainer(model).shap_values(frame),
            "FastTreeSHAP v2": lambda: fasttreeshap.TreeExplainer(model, algorithm="v2", n_jobs=2).shap_values(x[:rows], check_additivity=False),
            "xgboost": lambda: model.get_booster().predict(matrix, pred_contribs=True)[:, :-1],
            "shap": by_shap(model, x[:rows]),
        }
        return {name: (work[name], size) for name in names}

    boosted = xgboost.XGBClassifier(n_estimators=100, max_depth=8, n_jobs=2).fit(train, labels == 0)
    for rows, names in ((50_000, ("WOODELF", "FastTreeSHAP v2", "xgboost")), (5_000, ("WOODELF", "FastTreeSHAP v2", "xgboost", "shap"))):
        compare(f"TreeSHAP, 100 boosted trees of depth 8, {rows} rows", peers(boosted, rows, *names), ours("boosted", dump_xgboost(boosted.get_booster()), x[:rows]), repeats=1)

    # Of 0 and 1 a regressor makes the splits of a classifier; FastTreeSHAP fails on two outputs.
    bounded = RandomForestRegressor(100, max_depth=8, max_features="sqrt", n_jobs=2, random_state=0).fit(train, labels == 0)
    for rows, names in ((50_000, ("WOODELF", "FastTreeSHAP v2")), (5_000, ("WOODELF", "FastTreeSHAP v2", "shap"))):
        compare(f"TreeSHAP, forest of depth 8, {rows} rows", peers(bounded, rows, *names), ours("bounded", dump(bounded), x[:rows]), repeats=1)


if __name__ == "__main__":
    stages = {"fit": fit, "folds": folds, "shap": shallow, "deep": deep}
    wanted = sys.argv[1:] or stages
    for name, stage in stages.items():
        if name in wanted:
            stage()
