"""Voronoi-Otsu labelling and connected components: polariscope beside scikit-image, OpenCV, cc3d and SimpleITK.

`python benches/peers/segment.py [FOLDER]` makes its inputs in FOLDER (default: a temporary one) from a fixed seed.
Sizes: 2,000 x 5,000 pixels with about 5,500 objects, and 256^3 voxels.
"""
import os, sys, tempfile

from harness import compare

import cc3d, cv2, numpy as np, scipy.ndimage as nd, SimpleITK as sitk
from skimage.filters import gaussian, threshold_otsu
from skimage.measure import label
from skimage.morphology import local_maxima
from skimage.segmentation import watershed

SPOT, OUTLINE = 4, 1
cv2.setNumThreads(2)


def blobs(shape, pitch, seed):
    """Wobbly ellipses on a jittered grid with noise; the first one keeps a contested pixel."""
    rng = np.random.default_rng(seed)
    labels, light, k = np.zeros(shape, "u4"), np.zeros(shape, "f4"), 0
    for start in np.ndindex(*(int(n // pitch) for n in shape)):
        u = rng.random(12)
        if u[9] < 0.04:
            continue
        center = [(i + 0.5 + 0.3 * (r - 0.5)) * pitch for i, r in zip(start, u)]
        a = pitch * (0.26 + 0.24 * u[3])
        b = a * (0.45 + 0.55 * u[4])
        box = tuple(slice(max(0, int(c - 1.3 * a)), int(c + 1.3 * a) + 2) for c in center)
        grid = [np.arange(s.start, min(s.stop, n)).reshape([-1 if j == i else 1 for j in range(len(shape))]) - c
                for i, (s, n, c) in enumerate(zip(box, shape, center))]
        angle, y, x = np.pi * u[5], grid[-2], grid[-1]
        p, q = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        rest = (grid[0] / b) ** 2 if len(shape) == 3 else 0
        wobble = 1 + 0.10 * np.cos(3 * np.arctan2(q, p) + 6.283 * u[6])
        rho = np.sqrt((p / a) ** 2 + (q / b) ** 2 + rest) / wobble
        inside = (rho < 1) & (labels[box] == 0)
        if inside.sum() < 20:
            continue
        k += 1
        labels[box][inside] = k
        light[box][inside] = (600 + 3000 * u[7]) * (1.1 - rho[inside] ** 2)
    noise = rng.standard_normal(shape, dtype="f4")
    return labels, np.clip(200 + light + noise * (12 + 0.8 * np.sqrt(light.clip(0))), 0, 65535).astype("u2")


def scikit_image(image):
    blurred, outline = gaussian(image, SPOT, preserve_range=True), gaussian(image, OUTLINE, preserve_range=True)
    mask = outline > threshold_otsu(outline)
    return watershed(mask, label(local_maxima(blurred) & mask), mask=mask)


def opencv(image):
    floats = image.astype("f4")
    blurred, outline = cv2.GaussianBlur(floats, (33, 33), SPOT), cv2.GaussianBlur(floats, (9, 9), OUTLINE)
    peaks = cv2.dilate(blurred, np.ones((3, 3), "u1")) == blurred
    mask = cv2.threshold(np.clip(outline, 0, 65535).astype("u2"), 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1] > 0
    return watershed(mask, cc3d.connected_components(peaks & mask, connectivity=8), mask=mask)


def main(folder):
    count = lambda labels: {"n": int(labels.max())}
    for name, shape, pitch in (("2000 x 5000", (2000, 5000), 41.6), ("256^3", (256, 256, 256), 21)):
        labels, image = blobs(shape, pitch, 1)
        mask = labels > 0
        image_path, mask_path = os.path.join(folder, "image.npy"), os.path.join(folder, "mask.npy")
        np.save(image_path, image)
        np.save(mask_path, mask.astype("u1"))
        if len(shape) == 2:
            compare(f"voronoi-otsu labelling, {name}", {
                "OpenCV + cc3d + watershed": (lambda: opencv(image), count),
                "scikit-image": (lambda: scikit_image(image), count),
            }, ["voronoi-otsu", image_path])
        as_bytes = mask.astype("u1")
        peers = {
            "cc3d": (lambda: cc3d.connected_components(mask, connectivity=8 if len(shape) == 2 else 26), count),
            "scikit-image": (lambda: label(mask), count),
            "scipy": (lambda: nd.label(mask, np.ones((3,) * len(shape)))[0], count),
            "SimpleITK": (lambda: sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(as_bytes), True)), count),
        }
        if len(shape) == 2:
            peers["OpenCV"] = (lambda: cv2.connectedComponentsWithAlgorithm(as_bytes, 8, cv2.CV_32S, cv2.CCL_SPAGHETTI)[1], count)
        compare(f"connected components, {name}", peers, ["components", mask_path])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(folder)
