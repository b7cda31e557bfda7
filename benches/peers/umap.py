"""Neighbours and UMAP beside umap-learn, FAISS and pynndescent; every side judged by the same quality measures.

usage: python umap.py [digits|5k|50k|200k]...     (inputs are generated into benches/peers/data)
"""
import os, sys

import harness  # sets the number of threads before numpy is loaded
import numpy as np

sys.path.pop(0)  # this file's name must not hide the peer it measures
DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
K = 15


def table(n):
    """Eight groups in nine dimensions, shown through 20 correlated, partly skewed columns; standardized."""
    mixture = np.random.default_rng(4242)
    centres = mixture.normal(0, 1.5, (8, 9))
    turn = mixture.normal(0, 0.35, (9, 9)) + np.eye(9)
    rng = np.random.default_rng(n)
    z = centres[rng.choice(8, n, p=[0.25, 0.2, 0.15, 0.12, 0.1, 0.08, 0.06, 0.04])]
    z = z + 0.75 * rng.standard_normal((n, 9)) @ turn
    x = np.hstack([z, z[:, ::-1] * 0.6 + 0.5 * np.exp(0.4 * z), np.tanh(z[:, :2])]) + 0.3 * rng.standard_normal((n, 20))
    return (x - x.mean(0)) / x.std(0)


def load(name):
    """The matrix, and its path for the other side."""
    path = f"{DATA}/{name}.npy"
    if not os.path.exists(path):
        os.makedirs(DATA, exist_ok=True)
        if name == "digits":
            from sklearn.datasets import load_digits
            x = load_digits().data
        else:
            x = table(int(name.rstrip("k")) * 1000)
        np.save(path, np.ascontiguousarray(x, dtype="<f8"))
    return np.load(path), path


def quality(x, sample=2000):
    """Trustworthiness and preservation of the 15 nearest neighbours, over a sample of rows."""
    rows = np.random.default_rng(0).choice(len(x), min(sample, len(x)), replace=False)

    def measure(y):
        wrong = kept = 0
        for i in rows:
            far, near = ((x - x[i]) ** 2).sum(1), ((y - y[i]) ** 2).sum(1)
            far[i] = near[i] = np.inf
            there, here = np.argpartition(far, K)[:K], np.argpartition(near, K)[:K]
            kept += len(np.intersect1d(there, here))
            wrong += sum((far < far[j]).sum() + 1 - K for j in np.setdiff1d(here, there))
        n = len(x)
        return dict(trustworthiness=round(1 - 2 * wrong / (len(rows) * K * (2 * n - 3 * K - 1)), 4), neighbor_preservation=round(kept / len(rows) / K, 4))

    return measure


def neighbors(name):
    import faiss, pynndescent
    x, path = load(name)
    rows = np.ascontiguousarray(x, dtype="float32")
    faiss.omp_set_num_threads(2)

    def flat():
        index = faiss.IndexFlatL2(rows.shape[1])
        index.add(rows)
        return index.search(rows, K + 1)

    def approximate():
        return pynndescent.NNDescent(rows, n_neighbors=K + 1, random_state=0, n_jobs=2).neighbor_graph

    peers = {"faiss flat (exact)": (flat, None), "pynndescent (approximate)": (approximate, None)}
    harness.compare(f"{K} nearest neighbours, {name}", peers, ["neighbors", path, f"k={K}"])


def maps(name):
    import umap
    x, path = load(name)
    rows = x.astype("float32")
    judge = quality(x)
    peers = {
        "umap-learn, parallel": (lambda: umap.UMAP(n_jobs=2).fit_transform(rows), judge),
        "umap-learn, seeded": (lambda: umap.UMAP(random_state=42, n_jobs=1).fit_transform(rows), judge),
    }
    harness.compare(f"UMAP, {name}", peers, ["umap", path], repeats=1)


if __name__ == "__main__":
    for name in sys.argv[1:] or ["digits", "5k", "50k"]:
        neighbors(name)
        maps(name)
