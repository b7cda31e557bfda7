"""Writes hdbscan.json: the groups that scikit-learn 1.9.1 (numpy 2.4.6) finds by HDBSCAN in small tables.

A row whose own reach links two groups belongs to either in scikit-learn, as the order of the rows has it. So every
table is shuffled 20 times: `settled` are the rows that keep their group and their probability whatever the order.

usage: python make_hdbscan.py      (any recent version agrees to the tolerances of the test)
"""
import json, os

import numpy as np
from sklearn.cluster import HDBSCAN
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine, make_blobs, make_moons

rng = np.random.default_rng(2026)


def standardized(x):
    return (x - x.mean(0)) / x.std(0)


def with_noise(x, low, high, n):
    return np.r_[x, rng.uniform(low, high, (n, x.shape[1]))]


def tables():
    blobs, _ = make_blobs(400, centers=5, cluster_std=[0.3, 0.6, 1, 0.5, 0.2], random_state=3)
    moons, _ = make_moons(300, noise=0.06, random_state=1)
    grid = np.stack(np.meshgrid(np.arange(9), np.arange(9)), -1).reshape(-1, 2)
    return {
        "iris": (standardized(load_iris().data), [(5, 5), (10, 3), (15, 15), (5, 1)]),
        "wine": (standardized(load_wine().data), [(5, 5), (15, 15)]),
        "cancer": (standardized(load_breast_cancer().data)[:, :10], [(5, 5), (25, 5)]),
        "digits": (load_digits().data[:500, 2:30], [(5, 5), (10, 3), (25, 5)]),
        "moons": (with_noise(moons, -2, 3, 30), [(5, 5), (15, 15), (25, 5)]),
        "blobs": (with_noise(blobs, -12, 12, 40), [(5, 5), (15, 15), (25, 5)]),
        "one population": (rng.normal(size=(200, 3)), [(15, 15), (10, 3)]),
        "duplicates": (np.r_[np.repeat([[0.0, 0.0], [5.0, 5.0]], 8, 0), rng.normal(2, 2, (60, 2))], [(5, 5)]),
        "two grids": (np.r_[grid, grid * 1.5 + 20.0], [(5, 5)]),
    }


def fit(x, size, samples):
    found = HDBSCAN(min_cluster_size=size, min_samples=samples, copy=True).fit(x)
    return found.labels_ + 1, found.probabilities_


def renamed(labels, like):
    """The labels with the names of those they mostly meet."""
    names = {0: 0}
    for label in set(labels[labels > 0].tolist()):
        names[label] = int(np.bincount(like[labels == label]).argmax()) or 1000 + label
    return np.array([names[label] for label in labels])


def main():
    found, rows = [], {}
    for name, (x, settings) in tables().items():
        x = np.round(x, 5)
        rows[name] = x.tolist()
        for size, samples in settings:
            labels, probabilities = fit(x, size, samples)
            settled = np.ones(len(x), bool)
            for seed in range(20):
                order = np.random.default_rng(seed).permutation(len(x))
                other, sure = np.empty(len(x), int), np.empty(len(x))
                other[order], sure[order] = fit(x[order], size, samples)
                settled &= (renamed(other, labels) == labels) & (abs(sure - probabilities) < 1e-9)
            found.append({
                "name": name, "min_cluster_size": size, "min_samples": samples, "labels": labels.tolist(),
                "probabilities": np.round(probabilities, 12).tolist(), "settled": settled.tolist(),
            })
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hdbscan.json")
    with open(path, "w") as file:
        json.dump({"tables": rows, "found": found}, file)


if __name__ == "__main__":
    main()
