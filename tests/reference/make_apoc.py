"""Writes apoc.json: features, statistics and models of APOC on small images.

Needs apoc 0.12.0, pyclesperanto_prototype 0.24.6, numpy 1.26 and a CPU OpenCL device (pocl 3.1).
"""
import json
import os
import tempfile
import warnings

import apoc
import numpy as np
import pyclesperanto_prototype as cle

warnings.simplefilter("ignore")
rng = np.random.default_rng(7)
here = os.path.dirname(os.path.abspath(__file__))


def flat(array):
    return [float(x) if np.isfinite(x) else None for x in np.asarray(array).ravel()]


def blobs(shape):
    """Smooth hills of whole numbers with some noise."""
    grid = np.indices(shape).astype(float)
    image = np.full(shape, 20.0)
    for _ in range(6):
        center = [rng.uniform(0, n) for n in shape]
        squared = sum((g - c) ** 2 for g, c in zip(grid, center))
        image += 150 * np.exp(-squared / (2 * rng.uniform(2, 4) ** 2))
    return np.clip(image + rng.normal(0, 4, shape), 0, 255).round().astype(np.uint8)


plane, second, stack = blobs((19, 23)), blobs((19, 23)), blobs((6, 9, 11))

SPEC_2D = ("original gaussian_blur=1 gaussian_blur=5 gaussian_blur=0.1 difference_of_gaussian=2 laplace_box_of_gaussian_blur=1 "
           "sobel_of_gaussian_blur=3 sobel=0 laplace_box=0 laplace_diamond_of_gaussian_blur=1.5")
# sobel of stacks reads beyond its weights in clEsperanto: there is nothing to compare with.
SPEC_3D = "original gaussian_blur=1 gaussian_blur=3 difference_of_gaussian=1 laplace_box_of_gaussian_blur=1 laplace_diamond=0"
features = []
for image, spec in ((plane, SPEC_2D), (stack, SPEC_3D)):
    images = apoc.generate_feature_stack(image, spec)
    features.append({"shape": image.shape, "pixels": image.ravel().tolist(), "features": spec,
                     "expected": [flat(i) for i in images]})


def annotate(image, levels, n):
    """Marks n random pixels with 1, 2, .. by their brightness."""
    annotation = np.zeros(image.shape, np.uint32)
    for i in rng.choice(image.size, n, replace=False):
        annotation.ravel()[i] = 1 + np.searchsorted(levels, image.ravel()[i])
    return annotation


def read(path):
    with open(path) as file:
        return file.read()


models = []
with tempfile.TemporaryDirectory() as folder:
    for kind, images, levels, spec, depth in (
        ("PixelClassifier", [plane], [40, 90], "small_quick", 2),
        ("PixelClassifier", [plane, second], [60], "gaussian_blur=1 sobel_of_gaussian_blur=1", 4),
        ("ObjectSegmenter", [plane], [60], "original gaussian_blur=1", 2),
        ("ProbabilityMapper", [plane], [40, 90], "small_dog_log", 3),
        ("ObjectSegmenter", [stack], [60], "original gaussian_blur=1 difference_of_gaussian=1", 3),
    ):
        path = os.path.join(folder, "model.cl")
        apoc.erase_classifier(path)
        extra = {"output_probability_of_class": 3} if kind == "ProbabilityMapper" else {}
        model = getattr(apoc, kind)(path, max_depth=depth, num_ensembles=12, **extra)
        spec = getattr(apoc.PredefinedFeatureSet, spec).value if "=" not in spec else spec
        annotation = annotate(images[0], levels, 120)
        image = images[0] if len(images) == 1 else images
        model.train(spec, annotation, image)
        shares, counts = model.statistics()
        models.append({"cl": read(path), "shape": images[0].shape, "channels": [i.ravel().tolist() for i in images],
                       "annotation": annotation.ravel().tolist(),
                       "counts": {name: count.tolist() for name, count in counts.items()},
                       "expected": flat(model.predict(image))})

    # Touching objects on background, one of them alone.
    labels = np.zeros((26, 30), np.uint32)
    seeds = rng.uniform(2, 20, (9, 2))
    y, x = np.indices(labels.shape)
    distance = np.stack([(y - a) ** 2 + (x - b) ** 2 for a, b in seeds])
    near = distance.min(axis=0) < 30
    labels[near] = distance.argmin(axis=0)[near] + 1
    labels[22:25, 24:28] = 10
    intensity = blobs(labels.shape)
    path = os.path.join(folder, "objects.cl")
    selected = [f for f in apoc.list_available_object_classification_features() if not f.endswith("?")]
    selected += [k for k in cle.statistics_of_labelled_neighbors(labels) if k not in selected and k != "label"]
    selected += ["average_distance_of_n_nearest_neighbors=3"]
    measured, _ = apoc.ObjectClassifier(path)._make_features(" ".join(selected), cle.push(labels), None, intensity)
    objects = {"shape": labels.shape, "labels": labels.ravel().tolist(), "intensity": intensity.ravel().tolist(),
               "features": {name: flat(values[1:]) for name, values in measured.items()}}

    for kind, spec in (("ObjectClassifier", "area mean_intensity touching_neighbor_count"),
                       ("ObjectSelector", "area average_distance_of_n_nearest_neighbors=2"),
                       ("ObjectMerger", "touch_portion mean_touch_intensity area_difference centroid_distance")):
        path = os.path.join(folder, kind + ".cl")
        model = getattr(apoc, kind)(path, num_ensembles=15)
        if kind == "ObjectMerger":
            annotation = np.zeros_like(labels)
            annotation[:, 5:8], annotation[:, 14:16] = 1, 2
        else:
            annotation = np.where(labels % 3 == 0, 0, 1 + (labels % 3 == 1)).astype(np.uint32)
        model.train(spec, labels, annotation, intensity)
        objects[kind] = {"cl": read(path), "annotation": annotation.ravel().tolist(), "expected": flat(model.predict(labels, intensity))}

with open(os.path.join(here, "apoc.json"), "w") as file:
    json.dump({"features": features, "models": models, "objects": objects}, file)
