"""Writes tests/reference/segment.json: filters, thresholds and the watershed as scipy and scikit-image compute them.

Made with python 3.11, numpy 2.4.6, scipy 1.17.1, scikit-image 0.26.0.
"""

import json
import pathlib
import sys

import numpy as np
import scipy.ndimage as nd
from skimage import filters, segmentation

OUT = pathlib.Path(__file__).parent / "segment.json"


def smooth(shape, seed):
    field = nd.gaussian_filter(np.random.default_rng(seed).random(shape), 1.2)
    return np.round((field - field.min()) / np.ptp(field) * 200).astype("f8")


def hessian(image, sigma):
    """Eigenvalues, largest first, of the matrix of Gaussian derivatives."""
    n = image.ndim
    matrix = np.empty(image.shape + (n, n))
    for a in range(n):
        for b in range(n):
            order = [(a == i) + (b == i) for i in range(n)]
            matrix[..., a, b] = nd.gaussian_filter(image, sigma, order=order)
    return np.moveaxis(np.linalg.eigvalsh(matrix)[..., ::-1], -1, 0)


def entries(image):
    return {
        "gaussian_scipy": nd.gaussian_filter(image, 1.7),
        "laplacian_of_gaussian": nd.gaussian_laplace(image, 1.3),
        "sobel": filters.sobel(image),
        "hessian_eigenvalues": hessian(image, 1.3),
        "mean": nd.uniform_filter(image, 5),
        "median": nd.median_filter(image, 5),
        "top_hat": nd.white_tophat(image, 5),
    }


def clesperanto_gaussian(image, sigma):
    """Kernel of int(8 sigma) made odd, border pixels repeated."""
    radius = (int(8 * sigma) | 1) // 2
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    for axis in range(image.ndim):
        image = nd.correlate1d(image, kernel / kernel.sum(), axis=axis, mode="nearest")
    return image


def rounded(array):
    return [float(f"{v:.8g}") for v in np.asarray(array, dtype="f8").ravel()]


def main():
    out = {"fields": []}
    for shape, seed in (((17, 20), 1), ((6, 8, 9), 2)):
        image = smooth(shape, seed)
        found = entries(image) | {"gaussian": clesperanto_gaussian(image, 1.3)}
        extent = (1,) * (3 - len(shape)) + shape
        record = {"extent": extent, "values": rounded(image)} | {k: rounded(v) for k, v in found.items()}
        markers = np.zeros(shape, "i4")
        for label, index in enumerate(np.random.default_rng(seed + 10).choice(image.size, 6, replace=False)):
            markers.ravel()[index] = label + 1
        heights = image + np.linspace(0, 0.5, image.size).reshape(shape)  # no ties
        record["heights"] = rounded(heights.astype("f4"))
        record["markers"] = markers.ravel().tolist()
        record["watershed"] = segmentation.watershed(heights.astype("f4"), markers).ravel().tolist()
        out["fields"].append(record)
    out["thresholds"] = []
    rng = np.random.default_rng(5)
    for kind in ("uint8", "uint16", "float64"):
        values = np.concatenate([rng.normal(60, 9, 500), rng.normal(140, 20, 200)]).clip(0, 255)
        if kind == "uint16":
            values = values * 30
        image = values.astype(kind).reshape(20, 35)
        out["thresholds"].append({
            "type": kind,
            "values": rounded(image),
            "otsu": float(filters.threshold_otsu(image)),
            "li": float(filters.threshold_li(image)),
            "triangle": float(filters.threshold_triangle(image)),
        })
    OUT.write_text(json.dumps(out, separators=(",", ":")) + "\n")


sys.exit(main())
