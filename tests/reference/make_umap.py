"""Writes umap.json: local scales, fuzzy graphs and curve constants of umap-learn on given neighbours, and
trustworthiness of scikit-learn, radii of densMAP, for the tests of src/embed/umap and of src/embed/quality.rs.

python 3.11, numpy 2.4.6, scipy 1.17.1, scikit-learn 1.9.1, umap-learn 0.5.12
usage: python make_umap.py > umap.json
"""
import json, sys, warnings

import numpy as np
from scipy.optimize import curve_fit
from scipy.spatial.distance import cdist
from sklearn.manifold import trustworthiness
from umap import UMAP
from umap.umap_ import (compute_membership_strengths, discrete_metric_simplicial_set_intersection,
                        find_ab_params, fuzzy_simplicial_set, smooth_knn_dist)

warnings.filterwarnings("ignore")
rng = np.random.default_rng(20)


def digits(values):
    return [float(f"{v:.9g}") for v in np.asarray(values, float).ravel()]


def neighbours(rows, references, metric, k):
    """Indices and f32 distances, ties to the smaller index; a row is its own first neighbour."""
    d = cdist(rows, references, metric)
    d[d < 1e-12] = 0  # equal directions, up to the rounding of 1 - cosine
    if rows is references:
        np.fill_diagonal(d, -1)
    index = np.argsort(d, axis=1, kind="stable")[:, :k]
    return index, np.maximum(np.take_along_axis(d, index, 1), 0).astype(np.float32)


def tight_ab(spread, min_dist):
    """find_ab_params, then the same fit run until it no longer moves (it stops at about six digits)."""
    x = np.linspace(0, spread * 3, 300)
    y = np.where(x < min_dist, 1.0, np.exp(-(x - min_dist) / spread))
    curve = lambda x, a, b: 1.0 / (1.0 + a * x ** (2 * b))
    start = find_ab_params(spread, min_dist)
    tight = curve_fit(curve, x, y, p0=start, ftol=1e-15, xtol=1e-15, gtol=1e-15)[0]
    assert np.allclose(start, tight, rtol=2e-5)
    return tight


def triples(graph):
    graph = graph.tocsr()
    graph.sort_indices()
    return {"offsets": graph.indptr.tolist(), "columns": graph.indices.tolist(), "weights": digits(graph.data)}


rows = np.round(rng.normal(size=(90, 4)) + 3 * rng.integers(0, 3, (90, 1)), 3)
rows[40] = rows[7]
rows[41] = rows[7]
new = np.round(rng.normal(size=(12, 4)) + 3 * rng.integers(0, 3, (12, 1)), 3)
new[3] = rows[20]
labels = [int(v) for v in rng.integers(-1, 3, 90)]
out = {"rows": digits(rows), "width": 4, "new": digits(new), "labels": labels, "cases": []}
for metric, k, connectivity, mix in [("euclidean", 15, 1.0, 1.0), ("euclidean", 6, 2.5, 0.4),
                                     ("cosine", 10, 1.0, 1.0), ("correlation", 8, 1.0, 1.0), ("cityblock", 10, 0.5, 0.0)]:
    index, distance = neighbours(rows, rows, metric, k)
    sigmas, rhos = smooth_knn_dist(distance, float(k), local_connectivity=connectivity)
    graph = fuzzy_simplicial_set(rows, k, None, metric, knn_indices=index, knn_dists=distance,
                                 set_op_mix_ratio=mix, local_connectivity=connectivity)[0]
    case = {"metric": {"cityblock": "manhattan"}.get(metric, metric), "n_neighbors": k,
            "local_connectivity": connectivity, "set_op_mix_ratio": mix,
            "sigmas": digits(sigmas), "rhos": digits(rhos), "graph": triples(graph)}
    if metric == "euclidean" and mix == 1.0:
        far = 2.5 / (1 - 0.5)
        case["supervised"] = triples(discrete_metric_simplicial_set_intersection(graph, np.array(labels), far_dist=far))
        index, distance = neighbours(new, rows, metric, k)
        sigmas, rhos = smooth_knn_dist(distance, float(k), local_connectivity=0.0)
        values = compute_membership_strengths(index.astype(np.int32), distance, sigmas, rhos, bipartite=True)[2]
        case["new_columns"], case["new_weights"] = index.ravel().tolist(), digits(values)
    out["cases"].append(case)
pairs = [(1.0, 0.1), (1.0, 0.0), (1.0, 0.5), (1.0, 0.99), (0.5, 0.1), (2.0, 0.25), (5.0, 3.0)]
out["curves"] = [[s, d, *tight_ab(s, d)] for s, d in pairs]
rows = rows[:40]  # no duplicates: scikit-learn orders ties by chance
flat = np.round(rows[:, :2] + 0.5 * rng.normal(size=(40, 2)), 3)
out["map"] = digits(flat)
out["trustworthiness"] = [[k, trustworthiness(rows, flat, n_neighbors=k)] for k in (1, 5, 15)]
out["continuity"] = [[k, trustworthiness(flat, rows, n_neighbors=k)] for k in (1, 5, 15)]
# Local radii: of the data by densMAP, of the map as those of the data, from squared distances (umap-learn's rad_emb_ does not square them).
index, distance = neighbours(flat, flat, "euclidean", 10)
graph, _, _, distances = fuzzy_simplicial_set(flat, 10, None, "euclidean", knn_indices=index, knn_dists=distance, return_dists=True)
graph = graph.tocoo()
squared = np.array([distances[i, j] ** 2 for i, j in zip(graph.row, graph.col)])
radii = np.bincount(graph.row, graph.data * squared) / np.bincount(graph.row, graph.data)
model = UMAP(n_neighbors=10, densmap=True, output_dens=True, random_state=0, n_jobs=1).fit(rows)
out["data_radii"], out["map_radii"] = digits(model.rad_orig_), digits(np.log(1e-8 + radii))
json.dump(out, sys.stdout, separators=(",", ":"))
