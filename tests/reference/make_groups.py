"""Writes groups.json: what scikit-learn 1.9.1, scipy 1.17.1, numpy 2.4.6 and diptest 0.12.0 say about small tables.

usage: python make_groups.py      (any recent versions agree to the tolerances of the tests)
"""
import json, os

import numpy as np
from diptest import dipstat
from scipy.spatial import procrustes
from sklearn.cluster import DBSCAN, OPTICS, KMeans, cluster_optics_dbscan
from sklearn.datasets import load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, silhouette_samples
from sklearn.mixture import GaussianMixture

rng = np.random.default_rng(2026)


def standardized(x):
    return np.round((x - x.mean(0)) / x.std(0), 6)


def agreement():
    cases = []
    for n, ka, kb in [(40, 3, 3), (40, 2, 5), (60, 8, 1), (30, 30, 4), (50, 4, 4)]:
        a, b = rng.integers(1, ka + 1, n), rng.integers(1, kb + 1, n)
        if ka == 30:
            a = np.arange(1, n + 1)
        if n == 50:
            b = np.where(rng.random(n) < 0.8, a, b)
        scores = {"rand": adjusted_rand_score(a, b), "information": adjusted_mutual_info_score(a, b)}
        cases.append({"a": a.tolist(), "b": b.tolist()} | scores)
    return cases


def tables():
    found = []
    for name, x, ks in [("iris", load_iris().data, [2, 3, 5]), ("wine", load_wine().data, [3, 4])]:
        x = standardized(x)
        best = [min(KMeans(k, n_init=1, random_state=s, tol=0).fit(x).inertia_ for s in range(50)) for k in ks]
        labels = KMeans(3, n_init=20, random_state=0).fit(x).labels_ + 1
        pca = PCA().fit(x)
        mixture = GaussianMixture(3, n_init=20, tol=1e-10, max_iter=5000, random_state=0).fit(x)
        reach = {"iris": 0.6, "wine": 2.3}[name]
        optics = OPTICS(min_samples=5).fit(x)
        at = cluster_optics_dbscan(reachability=optics.reachability_, core_distances=optics.core_distances_,
                                   ordering=optics.ordering_, eps=reach)
        found.append({
            "name": name, "rows": x.tolist(), "ks": ks, "best_inertia": best,
            "labels": labels.tolist(), "silhouettes": np.round(silhouette_samples(x, labels), 12).tolist(),
            "explained_variance": pca.explained_variance_.tolist(),
            "mixture_weights": sorted(mixture.weights_.tolist(), reverse=True), "mixture_likelihood": mixture.score(x),
            "reach": reach, "dbscan": (DBSCAN(eps=reach, min_samples=5).fit(x).labels_ + 1).tolist(),
            "core_distances": np.round(optics.core_distances_, 10).tolist(), "optics_at_reach": (at + 1).tolist(),
        })
    return found


def maps():
    a, b = np.round(rng.normal(size=(20, 2)), 6), np.round(rng.normal(size=(20, 2)), 6)
    b = np.round(b + 2 * a[:, ::-1], 6)
    _, _, disparity = procrustes(a, b)
    r2 = []
    for x in b.T:
        design = np.c_[np.ones(20), a]
        left = x - design @ np.linalg.lstsq(design, x, rcond=None)[0]
        r2.append(1 - (left @ left) / ((x - x.mean()) @ (x - x.mean())))
    return {"a": a.tolist(), "b": b.tolist(), "disparity": disparity, "r_squared": r2}


def dips():
    draw = np.random.default_rng(15)
    found = []
    for n in [4, 9, 40, 200]:
        heap = draw.normal(size=n)
        for x in [heap, np.round(heap, 1), draw.uniform(size=n), draw.lognormal(size=n), np.where(heap > 0, heap + 4, heap)]:
            x = np.round(x, 6)
            found.append({"values": x.tolist(), "dip": dipstat(x)})
    return found


if __name__ == "__main__":
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "groups.json")
    with open(path, "w") as file:
        json.dump({"agreement": agreement(), "tables": tables(), "maps": maps(), "dips": dips()}, file)
