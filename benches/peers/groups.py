"""K-means, PCA, HDBSCAN and silhouette beside scikit-learn, scikit-learn-intelex and FAISS.

usage: python groups.py [--big]      (--big adds the table of 1,000,000 rows)
The tables are those of an 8-component mixture seen through 20 correlated columns, standardized on both sides.
"""
import sys, tempfile

from harness import compare
import numpy as np


def table(n):
    """8 groups in 9 hidden dimensions -> 20 correlated, differently scaled, partly skewed columns."""
    rng, mixture = np.random.default_rng(n), np.random.default_rng(4242)  # the same mixture for every n
    centres = mixture.normal(0, 1.5, (8, 9))
    mix = mixture.normal(0, 1, (9, 9)) * 0.35 + np.eye(9)
    group = rng.choice(8, n, p=[0.25, 0.2, 0.15, 0.12, 0.1, 0.08, 0.06, 0.04])
    z = centres[group] + rng.standard_normal((n, 9)) @ mix * 0.75
    e, x = rng.standard_normal((n, 20)), np.empty((n, 20))
    area, ecc = np.exp(6.5 + 0.45 * z[:, 0]), 1 / (1 + np.exp(-0.9 * z[:, 1]))
    sol, q = 1 / (1 + np.exp(-(2.2 + 0.6 * z[:, 2]))), np.sqrt(1 - 0.98 * ecc**2)
    major = 2 * np.sqrt(area / np.pi / q)
    mean = np.exp(6.8 + 0.35 * z[:, 4])
    sd = mean * np.exp(-1.6 + 0.25 * z[:, 5])
    x[:, 0], x[:, 2] = area, area / sol
    x[:, 1] = area / (0.62 + 0.12 * np.tanh(0.5 * z[:, 6])) * np.exp(0.03 * e[:, 1])
    x[:, 3] = np.pi * (major + major * q) / 2 * (1 + 0.1 * (1 - sol)) * np.exp(0.02 * e[:, 3])
    x[:, 4], x[:, 5], x[:, 6] = major * np.exp(0.03 * np.abs(e[:, 4])), major, major * q
    x[:, 7], x[:, 8], x[:, 9] = ecc, sol, area / x[:, 1]
    x[:, 10] = np.tanh(0.5 * z[:, 3]) * np.pi / 2 + 0.15 * e[:, 10]
    x[:, 11], x[:, 12] = mean, sd
    x[:, 13] = mean + 3.1 * sd * np.exp(0.06 * e[:, 13])
    x[:, 14] = mean - 1.9 * sd * np.exp(0.06 * e[:, 14])
    x[:, 15] = z[:, 6] + 0.3 * e[:, 15]
    x[:, 16] = 0.6 * z[:, 7] + 0.5 * z[:, 6] + 0.3 * e[:, 16]
    x[:, 17] = z[:, 7] * 0.5 - z[:, 5] * 0.4 + 0.3 * e[:, 17]
    x[:, 18], x[:, 19] = np.exp(0.3 * z[:, 8] + 0.1 * e[:, 18]), np.exp(3 - 0.25 * z[:, 8] + 0.1 * e[:, 19])
    return x


def kmeans_peers(x):
    import faiss
    from sklearn.cluster import KMeans
    from sklearnex.cluster import KMeans as IntelKMeans

    faiss.omp_set_num_threads(2)
    single = np.ascontiguousarray(x, dtype="float32")

    def by_faiss():
        k = faiss.Kmeans(20, 8, niter=25, nredo=10, seed=0, max_points_per_centroid=10**9)
        k.train(single)
        return k

    def quality(r):
        return {"inertia": float(r.inertia_), "iterations": int(r.n_iter_)}

    def faiss_quality(k):
        return {"inertia": float(k.index.search(single, 1)[0].astype("f8").sum())}

    return {
        "scikit-learn": (lambda: KMeans(8, n_init=10, random_state=0).fit(x), quality),
        "scikit-learn-intelex": (lambda: IntelKMeans(8, n_init=10, random_state=0).fit(x), quality),
        "FAISS, f32, 25 iterations": (by_faiss, faiss_quality),
    }


def pca_peers(x):
    from sklearn.decomposition import PCA
    from sklearnex.decomposition import PCA as IntelPCA

    def fit(pca):
        return pca, pca.fit_transform(x)

    def quality(r):
        return {"evr": [round(float(v), 8) for v in r[0].explained_variance_ratio_[:3]]}

    # Ours always gives the scores of the rows too; what the peer needs without them stands beside.
    return {
        "scikit-learn": (lambda: fit(PCA(10, svd_solver="covariance_eigh")), quality),
        "scikit-learn-intelex": (lambda: fit(IntelPCA(10, svd_solver="covariance_eigh")), quality),
        "scikit-learn-intelex, no scores": (lambda: (IntelPCA(10, svd_solver="covariance_eigh").fit(x),), quality),
    }


def hdbscan_peers(x):
    from sklearn.cluster import HDBSCAN

    def quality(r):
        return {"k": int(r.labels_.max() + 1), "noise": int((r.labels_ < 0).sum())}

    return {"scikit-learn": (lambda: HDBSCAN(min_cluster_size=15, n_jobs=2, copy=True).fit(x), quality)}


def silhouette_peers(x):
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    labels = KMeans(8, n_init=10, random_state=0).fit(x).labels_
    return {"scikit-learn": (lambda: silhouette_score(x, labels), lambda mean: {"mean": float(mean)})}


def main():
    big = "--big" in sys.argv
    with tempfile.TemporaryDirectory() as folder:
        for n in (5_000, 50_000, 200_000) + ((1_000_000,) if big else ()):
            x = table(n)
            path = f"{folder}/table_{n}.npy"
            np.save(path, x)
            x = (x - x.mean(0)) / x.std(0)
            if n >= 200_000:  # below, the clock of the process is too coarse for ours
                compare(f"PCA, {n} x 20, 10 components and the scores of the rows", pca_peers(x), ["pca", path])
            peers = kmeans_peers(x) if n <= 200_000 else {}
            compare(f"K-means, {n} x 20, k = 8, 10 starts", peers, ["kmeans", path])
            if n == 5_000:
                compare(f"HDBSCAN, {n} x 20, groups of 15 and more", hdbscan_peers(x), ["hdbscan", path])
                compare(f"silhouette, {n} x 20", silhouette_peers(x), ["silhouette", path])


if __name__ == "__main__":
    main()
