"""t-SNE beside openTSNE (FFT), scikit-learn and scikit-learn-intelex: python tsne.py [digits] [5k] [50k] [--slow]

One divergence for all: affinities by openTSNE from exact neighbours (perplexity 30), the norm over all pairs.
`--slow` also runs scikit-learn without intelex (minutes at 5,000 rows). Peers run once beyond 10,000 rows.
"""
import os, sys, tempfile

import numpy as np

from harness import compare, time_ours


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


def divergence(X):
    """The divergence of a map of X, in one way for all."""
    from openTSNE.affinity import PerplexityBasedNN
    P = PerplexityBasedNN(X, perplexity=30, n_jobs=2, method="exact").P.tocoo()

    def of(Y):
        Y = np.asarray(Y, dtype=float)
        z = -float(len(Y))
        for start in range(0, len(Y), 200):
            z += (1 / (1 + ((Y[start : start + 200, None] - Y[None]) ** 2).sum(-1))).sum()
        square = ((Y[P.row] - Y[P.col]) ** 2).sum(1)
        return {"kl": round(float((P.data * (np.log(P.data) + np.log1p(square) + np.log(z))).sum()), 4)}

    return of


def peers(X, quality, slow):
    def opentsne():
        from openTSNE import TSNE
        return np.asarray(TSNE(perplexity=30, n_jobs=2, random_state=0, negative_gradient_method="fft").fit(X))

    def sklearn():
        from sklearn.manifold import TSNE
        return TSNE(perplexity=30, n_jobs=2, random_state=0).fit_transform(X)

    def intelex():
        from sklearnex.manifold import TSNE
        return TSNE(perplexity=30, n_jobs=2, random_state=0).fit_transform(X)

    chosen = {"scikit-learn-intelex": (intelex, quality), "openTSNE (FFT)": (opentsne, quality)}
    return chosen | ({"scikit-learn": (sklearn, quality)} if slow else {})


if __name__ == "__main__":
    sizes = [a for a in sys.argv[1:] if not a.startswith("-")] or ["digits", "5k"]
    for size in sizes:
        X = np.ascontiguousarray(table(size))
        quality = divergence(X)
        with tempfile.TemporaryDirectory() as folder:
            path, out = os.path.join(folder, "table.npy"), os.path.join(folder, "map.csv")
            np.save(path, X)
            ours = ["tsne", path, f"out={out}"]
            time_ours(*ours)
            print("polariscope", quality(np.loadtxt(out, delimiter=",")))
            compare(f"t-SNE, {size}, {X.shape[0]} x {X.shape[1]}", peers(X, quality, "--slow" in sys.argv), ours, 1)
