"""t-SNE beside openTSNE (FFT), scikit-learn and scikit-learn-intelex: python tsne.py [digits] [5k] [50k] [--slow]

One divergence for all: affinities by openTSNE from exact neighbours (perplexity 30), the norm over all pairs.
Peers run once, after an uncounted run on 500 rows. `--slow` also runs scikit-learn without intelex.
"""
import os, sys, tempfile, time

from harness import cpu_seconds, time_ours  # sets the number of threads before numpy is loaded

import numba
import numpy as np


def table(size):
    if size == "digits":
        from sklearn.datasets import load_digits
        return load_digits().data.astype(float)
    n = {"5k": 5_000, "50k": 50_000, "200k": 200_000}[size]
    # A mixture of eight groups in nine hidden dimensions, seen through 20 correlated, partly skewed columns.
    rng, mixture = np.random.default_rng(n), np.random.default_rng(4242)
    mu, mix = mixture.normal(0, 1.5, (8, 9)), mixture.normal(0, 1, (9, 9)) * 0.35 + np.eye(9)
    hidden = mu[rng.choice(8, n, p=[0.25, 0.2, 0.15, 0.12, 0.1, 0.08, 0.06, 0.04])] + rng.standard_normal((n, 9)) @ mix * 0.75
    seen = hidden @ mixture.normal(0, 1, (9, 20)) + 0.3 * rng.standard_normal((n, 20))
    seen[:, ::3] = np.exp(0.3 * seen[:, ::3])
    return (seen - seen.mean(0)) / seen.std(0)


@numba.njit(parallel=True)
def norm(Y):
    """The sum of 1 / (1 + squared distance) over all pairs."""
    parts = np.zeros(len(Y))
    for i in numba.prange(len(Y)):
        for j in range(len(Y)):
            if j != i:
                parts[i] += 1 / (1 + (Y[i, 0] - Y[j, 0]) ** 2 + (Y[i, 1] - Y[j, 1]) ** 2)
    return parts.sum()


def divergence(X):
    """The divergence of a map of X, in one way for all."""
    from openTSNE.affinity import PerplexityBasedNN
    P = PerplexityBasedNN(X, perplexity=30, n_jobs=2, method="exact").P.tocoo()

    def of(Y):
        Y = np.ascontiguousarray(Y, dtype=float)
        square = ((Y[P.row] - Y[P.col]) ** 2).sum(1)
        return float((P.data * (np.log(P.data) + np.log1p(square) + np.log(norm(Y)))).sum())

    return of


def opentsne(X):
    from openTSNE import TSNE
    return np.asarray(TSNE(perplexity=30, n_jobs=2, random_state=0, negative_gradient_method="fft").fit(X))


def sklearn(X):
    from sklearn.manifold import TSNE
    return TSNE(perplexity=30, n_jobs=2, random_state=0).fit_transform(X)


def intelex(X):
    from sklearnex.manifold import TSNE
    return TSNE(perplexity=30, n_jobs=2, random_state=0).fit_transform(X)


def show(name, cpu, wall, kl, mine):
    print(f"  {name:28} cpu {cpu:9.3f} s  wall {wall:9.3f} s   {cpu / mine['cpu']:7.1f} x   KL {kl:.4f}", flush=True)


if __name__ == "__main__":
    peers = {"scikit-learn-intelex": intelex, "openTSNE (FFT)": opentsne}
    if "--slow" in sys.argv:
        peers["scikit-learn"] = sklearn
    for size in [a for a in sys.argv[1:] if not a.startswith("-")] or ["digits", "5k"]:
        X = np.ascontiguousarray(table(size))
        kl = divergence(X)
        with tempfile.TemporaryDirectory() as folder:
            path, out = os.path.join(folder, "table.npy"), os.path.join(folder, "map.csv")
            np.save(path, X)
            mine = time_ours("tsne", path, f"out={out}")
            Y = np.loadtxt(out, delimiter=",")
        print(f"t-SNE, {size}, {X.shape[0]} x {X.shape[1]}; we report KL {mine['kl_divergence']:.4f}")
        show("polariscope", mine["cpu"], mine["wall"], kl(Y), mine)
        for name, peer in peers.items():
            peer(X[:500])
            cpu, wall = cpu_seconds(), time.perf_counter()
            Y = peer(X)
            show(name, cpu_seconds() - cpu, time.perf_counter() - wall, kl(Y), mine)
