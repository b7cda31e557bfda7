"""Region properties of blobs beside scikit-image, SimpleITK and cc3d: `python benches/peers/regions.py [--big]`.

2,000 x 5,000 pixels with about 5,500 objects; --big adds 8,000 x 8,000 with about 60,000 (scikit-image: over a minute).
scikit-image measures everything; SimpleITK all it has except the hull, which it does not know; cc3d three columns.
"""
import os, sys
import numpy as np
from harness import ROOT, compare

DATA = os.path.join(ROOT, "target", "bench-data")
SKIMAGE = ["label", "area", "bbox", "centroid", "perimeter", "perimeter_crofton", "area_convex", "solidity", "feret_diameter_max",
           "axis_major_length", "axis_minor_length", "eccentricity", "orientation", "euler_number", "moments", "moments_central",
           "moments_normalized", "moments_hu", "intensity_mean", "intensity_max", "intensity_min", "intensity_std", "extent",
           "equivalent_diameter_area"]


def blobs(height, width, pitch, seed):
    """Wobbly ellipses on a jittered grid with holes; who comes first keeps the pixel. u32 labels, u16 image with noise."""
    rng = np.random.default_rng(seed)
    labels, signal, k = np.zeros((height, width), np.uint32), np.zeros((height, width), np.float32), 0
    for row in range(int(height // pitch)):
        for column in range(int(width // pitch)):
            u = rng.random(10)
            if u[9] < 0.04:
                continue
            cy, cx = (row + 0.5 + 0.3 * (u[0] - 0.5)) * pitch, (column + 0.5 + 0.3 * (u[1] - 0.5)) * pitch
            a = pitch * (0.26 + 0.24 * u[2])
            b, angle = a * (0.45 + 0.55 * u[3]), np.pi * u[4]
            reach = int(np.ceil(1.3 * a)) + 1
            box = np.s_[max(0, int(cy) - reach):int(cy) + reach + 1, max(0, int(cx) - reach):int(cx) + reach + 1]
            dy, dx = np.ogrid[box]
            dy, dx = np.broadcast_arrays(dy[:labels[box].shape[0]] - cy, dx[:, :labels[box].shape[1]] - cx)
            p, q = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
            phi = np.arctan2(q, p)
            radius = np.hypot(p / a, q / b) / (1 + 0.1 * np.cos(3 * phi + 6.283 * u[5]) + 0.06 * np.cos(5 * phi + 6.283 * u[6]))
            inside = (radius < 1) & (labels[box] == 0)
            if inside.sum() >= 20:
                k += 1
                labels[box][inside] = k
                signal[box][inside] = (600 + 3000 * u[7]) * (1.1 - radius[inside] ** 2)
    image = np.empty(labels.shape, np.uint16)
    for strip in range(0, height, 512):
        s = signal[strip:strip + 512]
        noise = rng.standard_normal(s.shape, dtype=np.float32) * (12 + 0.8 * np.sqrt(np.maximum(s, 0)))
        image[strip:strip + 512] = np.clip(200 + s + noise, 0, 65535)
    return labels, image


def saved(name, *size):
    os.makedirs(DATA, exist_ok=True)
    paths = [os.path.join(DATA, f"{name}_{what}.npy") for what in ("labels", "image")]
    if not all(map(os.path.exists, paths)):
        for path, array in zip(paths, blobs(*size)):
            np.save(path, array)
    return paths


def skimage(labels, image):
    from skimage.measure import regionprops_table
    return (lambda: regionprops_table(labels, image, properties=SKIMAGE),
            lambda t: dict(n=len(t["label"]), area=float(t["area"].sum()), perimeter=round(float(t["perimeter"].sum()), 3),
                           convex=float(t["area_convex"].sum()), feret=round(float(t["feret_diameter_max"].sum()), 3)))


def simpleitk(labels, image):
    import SimpleITK as sitk
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(2)
    columns = ["PhysicalSize", "BoundingBox", "Centroid", "PrincipalMoments", "PrincipalAxes", "Elongation", "Roundness",
               "Perimeter", "EquivalentSphericalRadius", "Mean", "StandardDeviation", "Minimum", "Maximum", "Median", "Sum"]

    def work():
        statistics = sitk.LabelIntensityStatisticsImageFilter()
        statistics.SetComputePerimeter(True)
        statistics.Execute(sitk.GetImageFromArray(labels), sitk.GetImageFromArray(image))
        known = statistics.GetLabels()
        return {c: [getattr(statistics, "Get" + c)(k) for k in known] for c in columns}
    return work, lambda t: dict(n=len(t["Mean"]), area=sum(t["PhysicalSize"]), crofton=round(sum(t["Perimeter"]), 3))


def cc3d(labels, _):
    import cc3d
    return lambda: cc3d.statistics(labels), lambda t: dict(n=len(t["voxel_counts"]) - 1, columns=3)


if __name__ == "__main__":
    sizes = {"img2k5k": (2000, 5000, 41.6, 1)}
    if "--big" in sys.argv:
        sizes["img8k"] = (8000, 8000, 31.9, 2)
    for name, size in sizes.items():
        paths = saved(name, *size)
        arrays = [np.load(path) for path in paths]
        peers = {"scikit-image 0.26": skimage, "SimpleITK, no hull": simpleitk, "cc3d, 3 columns": cc3d}
        compare(f"region properties, {size[0]} x {size[1]}", {k: f(*arrays) for k, f in peers.items()}, ("regions", *paths),
                repeats=1 if name == "img8k" else 3)
