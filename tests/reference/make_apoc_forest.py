"""Writes apoc_forest.json: forests of scikit-learn for other seeds and odder tables than those of apoc.json.

With the lecture's data as argument (the folder that holds `blobs` and `expected`) it also prints how far forests of
other seeds lie from the expected segmentation: the numbers in src/apoc/reference.rs, and their spread over 200 seeds.
"""
import json
import os
import sys

import numpy as np
from sklearn.ensemble import RandomForestClassifier

rng = np.random.default_rng(5)
here = os.path.dirname(os.path.abspath(__file__))


def record(table, classes, random_state, n_trees, max_depth):
    table = np.asarray(table, np.float32)
    forest = RandomForestClassifier(n_trees, max_depth=max_depth, random_state=random_state).fit(table, classes)
    nodes = []
    for tree in (e.tree_ for e in forest.estimators_):
        for i in range(tree.node_count):
            if tree.children_left[i] < 0:
                nodes += [-1, *tree.value[i, 0].tolist()]
            else:
                nodes += [int(tree.feature[i]), float(np.float32(tree.threshold[i]))]
    return {"columns": table.T.astype(float).tolist(), "classes": classes.tolist(), "random_state": random_state, "n_trees": n_trees,
            "max_depth": max_depth, "nodes": nodes}


noise = rng.normal(size=(60, 6))
noise[:, 1] = 3.5  # constant
noise[:, 2] = np.round(noise[:, 2])  # ties
noise[:, 4] = 1 + rng.integers(0, 3, 60) * 0.6e-7  # closer than scikit-learn tells apart
mixed = 1 + (noise[:, 0] + noise[:, 2] > 0) + (noise[:, 5] > 1)
whole = rng.integers(0, 3, (40, 9))
records = [record(noise, mixed, 3, 12, 4), record(whole, 1 + rng.integers(0, 4, 40), 2**32 - 1, 8, 30), record(noise[:, :1], mixed, 0, 5, 2)]
with open(os.path.join(here, "apoc_forest.json"), "w") as file:
    json.dump(records, file)

if len(sys.argv) > 1:
    import tifffile

    read = lambda name: tifffile.imread(os.path.join(sys.argv[1], name))
    expected = read("expected/apoc/object_segmenter_prediction.tif").ravel() > 0
    names = ("original", "gaussian_blur_2", "sobel_of_gaussian_blur_2")
    features = np.stack([read(f"expected/apoc/feature_{name}.tif").astype(np.float32).ravel() for name in names], 1)
    marks = read("blobs/blobs_annotations.tif").ravel()
    ious = []
    for seed in range(200):
        forest = RandomForestClassifier(100, max_depth=2, random_state=seed).fit(features[marks > 0], marks[marks > 0])
        # APOC asks `<` where scikit-learn asks `<=`, and rounds thresholds to single precision.
        votes = np.zeros((2, len(features)), np.float32)
        for tree in (e.tree_ for e in forest.estimators_):
            at = np.zeros(len(features), int)
            for _ in range(2):
                inner = tree.children_left[at] >= 0
                left = features[np.arange(len(features)), np.maximum(tree.feature[at], 0)] < tree.threshold[at].astype(np.float32)
                at = np.where(inner, np.where(left, tree.children_left[at], tree.children_right[at]), at)
            votes = (votes + tree.value[at, 0].T).astype(np.float32)
        found = votes[1] > votes[0]
        both, either = int((found & expected).sum()), int((found | expected).sum())
        ious.append(both / either)
        if seed < 8:
            print((seed, both, either), flush=True)
    print("IoU", np.min(ious), np.median(ious), np.max(ious), "below 0.99:", np.mean(np.array(ious) < 0.99))
