"""Haralick textures of small objects, by mahotas: tests/reference/texture.json.

mahotas 1.4.19, numpy 2.4.6. Grey levels 1..32 between the least and largest value of each object, 0 outside, which
`ignore_zeros` leaves out; the mean over the directions. mahotas takes the variance of feature 10 over 33 differences,
the last of which cannot occur; here over the 32 that can. Run from the repository's root.
"""
import json

import mahotas
import numpy as np

LEVELS = 32


def texture(values, inside):
    least, most = values[inside].min(), values[inside].max()
    scale = LEVELS / (most - least) if most > least else 0
    levels = np.where(inside, np.minimum(((values - least) * scale).astype(int), LEVELS - 1) + 1, 0)
    features = mahotas.features.haralick(levels, ignore_zeros=True)
    n = int(levels.max()) + 1  # the length that mahotas takes the variance over
    squares = (features[:, 9] + 1 / n**2) * n
    features[:, 9] = squares / LEVELS - 1 / LEVELS**2
    return features.mean(axis=0)


def case(shape, seed):
    """Three neighbouring ellipsoids of noise with a gradient."""
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*map(np.arange, shape), indexing="ij")
    labels = np.zeros(shape, int)
    for k in range(1, 4):
        center, radii = [rng.uniform(0.2, 0.8) * s for s in shape], [rng.uniform(0.2, 0.5) * s + 1 for s in shape]
        labels[sum(((a - c) / r) ** 2 for a, c, r in zip(axes, center, radii)) < 1] = 2 * k
    values = (rng.integers(0, 90, shape) + sum((3 + 4 * i) * a for i, a in enumerate(axes))) % 251
    found = np.unique(labels[labels > 0])
    table = [texture(values, labels == k).tolist() for k in found]
    return {"shape": shape, "labels": labels.ravel().tolist(), "intensity": values.ravel().tolist(), "table": table}


if __name__ == "__main__":
    cases = [case((24, 31), 1), case((30, 18), 2), case((9, 14, 12), 3)]
    with open("tests/reference/texture.json", "w") as file:
        json.dump({"cases": cases}, file, separators=(",", ":"))
