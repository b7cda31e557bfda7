"""Region properties of small hard label images, by scikit-image: tests/reference/regions.json.

scikit-image 0.26.0, numpy 2.x, scipy 1.x. Columns are those of `regionprops_table`; null where scikit-image
refuses, divides by zero or (flat objects in 3D) gives up on the hull. Run from the repository's root.
"""
import json, math, warnings
import numpy as np
from skimage.measure import regionprops
from skimage.measure._regionprops import COL_DTYPES, OBJECT_COLUMNS

warnings.filterwarnings("ignore")
NAMES = sorted(set(COL_DTYPES) - set(OBJECT_COLUMNS) - {"label"})


def picture(text):
    rows = text.split()
    return np.array([[int(c, 36) if c != "." else 0 for c in row] for row in rows], np.int32)


def intensity(shape):
    """A fixed pattern without symmetry, 8 bit."""
    axes = np.meshgrid(*map(np.arange, shape), indexing="ij")
    return (sum((2 * k + 3) * a * a + 5 * a for k, a in enumerate(axes)) % 23 * 9 + 4).astype(np.uint8)


def number(value):
    value = float(value)
    return None if not math.isfinite(value) else int(value) if value.is_integer() and abs(value) < 1e15 else value


def table(labels, image, spacing):
    columns = {}
    regions = regionprops(labels, image, spacing=spacing)
    columns["label"] = [int(r.label) for r in regions]
    for name in NAMES:
        values = []
        for region in regions:
            try:
                values.append(np.asarray(region[name], float))
            except Exception:
                values.append(None)
        shape = next((v.shape for v in values if v is not None), None)
        if shape is None:
            continue
        for index in np.ndindex(shape):
            column = "-".join(map(str, (name, *index)))
            columns[column] = [None if v is None else number(v[index]) for v in values]
    if labels.ndim == 3:  # a flat object has no 3D hull in qhull, and scikit-image then reports an empty one
        flat = [a == 0 for a in columns["area_convex"]]
        for name in ("area_convex", "solidity", "feret_diameter_max"):
            if name in columns:
                columns[name] = [None if f else v for f, v in zip(flat, columns[name])]
    return columns


def case(name, labels, spacing=None):
    spacing = spacing or (1.0,) * labels.ndim
    image = intensity(labels.shape)
    return {"name": name, "shape": labels.shape, "spacing": spacing, "labels": labels.ravel().tolist(),
            "intensity": image.ravel().tolist(), "table": table(labels, image, spacing)}


def blobs(shape, n, seed):
    """Overlapping balls, later ones on top: touching, cut by the border, in pieces."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int32)
    axes = np.meshgrid(*map(np.arange, shape), indexing="ij")
    for k in range(1, n + 1):
        center, radii = [rng.uniform(0, s) for s in shape], [rng.uniform(1.5, s / 3) for s in shape]
        labels[sum(((a - c) / r) ** 2 for a, c, r in zip(axes, center, radii)) < 1] = 3 * k
    return labels


MASKS = {
    "one pixel": "... .1. ...",
    "lines": "11111.2 ......2 .3....2 ..3...2 ...3..2 ......2",
    "two far pixels": "1...... ....... .....1.",
    "holes": "11111.. 1...1.. 1.1.1.. 1...1.. 11111..",
    "corner holes": ".111. 1...1 1...1 .111. ..... 22... 2.2.. .22..",
    "touching": "111222 111222 113332 333332 3.3.33",
    "disconnected": "11.11 11.11 ..... .1.1. 11111",
    "border": "1111 1..1 1.22 1.22",
    "gap in labels": "1.z 1.z ..z 9.z",
    "square": "1111 1111 1111 1111",
    "diamond": "..1.. .111. 11111 .111. ..1..",
    "cross": ".1. 111 .1. ... 2.2 .2. 2.2",
    "comb": "1111111 1.1.1.1 1.1.1.1",
    "one row": "11.2.333",
    "one column": "1 1 . 2 3 3 3",
    "full": "111 111",
    "L and T": "1...222 1....2. 1....2. 111..2.",
    "spiral": "11111111 1......1 1.1111.1 1.1..1.1 1.11.1.1 1....1.1 111111.1",
}


def main():
    cases = [case(name, picture(text)) for name, text in MASKS.items()]
    cases.append(case("wide", np.repeat(np.repeat(picture("1.11 1111 .1.1"), 3, 0), 37, 1)))
    cases.append(case("blobs", blobs((40, 50), 6, 1)))
    cases.append(case("blobs, spacing 0.5", blobs((24, 30), 4, 2), (0.5, 0.5)))
    cases.append(case("blobs, spacing 2 x 0.3", blobs((24, 30), 4, 3), (2.0, 0.3)))
    cases.append(case("balls", blobs((9, 11, 12), 4, 4)))
    cases.append(case("balls, spacing 2.5 x 0.7 x 1.1", blobs((8, 10, 12), 3, 5), (2.5, 0.7, 1.1)))
    hollow = np.zeros((5, 5, 5), np.int32)
    hollow[:] = 1
    hollow[1:4, 1:4, 1:4] = 0
    hollow[2, 2, 2] = 2
    cases.append(case("hollow cube and a voxel", hollow))
    ring = np.zeros((3, 6, 6), np.int32)
    ring[1, 1:5, 1:5] = 1
    ring[1, 2:4, 2:4] = 0
    ring[0, 0, :3] = 2
    cases.append(case("flat ring and a line", ring))
    with open("tests/reference/regions.json", "w") as file:
        json.dump({"cases": cases}, file, separators=(",", ":"))


if __name__ == "__main__":
    main()
