"""Pixel classification of 2,048 x 2,048 pixels: `explore apoc predict` beside APOC and OpenCV + scikit-learn-intelex.

`EXPLORE_APOC=python-with-apoc python benches/peers/apoc.py [FOLDER]`, after `cargo build --release`. Every line is a
process of its own, reading of the image and writing of the result included: CPU seconds of user and system, and the
largest resident memory. APOC needs an OpenCL device (pocl on the same processor) and is left out without EXPLORE_APOC.
"""
import os, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXPLORE = os.path.join(ROOT, "target", "release", "explore")
SIDE, MARKS = 2048, 4000
MANY = "original " + " ".join(f"{f}={s}" for f in ("gaussian_blur", "difference_of_gaussian", "laplace_box_of_gaussian_blur", "sobel_of_gaussian_blur") for s in range(1, 7))

APOC = """
import apoc, numpy as np, sys
from skimage.io import imread
np.save(sys.argv[3], np.asarray(apoc.PixelClassifier(sys.argv[1]).predict(image=imread(sys.argv[2]))))
"""
OPENCV = """
import cv2, numpy as np, sys
from sklearnex.ensemble import RandomForestClassifier
from skimage.io import imread
cv2.setNumThreads(2)
image, marks = imread(sys.argv[1]).astype("f4"), imread(sys.argv[2])
blur = lambda s: cv2.GaussianBlur(image, (int(8 * s) | 1,) * 2, s, borderType=cv2.BORDER_REPLICATE)
planes, box = [image], -np.ones((3, 3), "f4")
box[1, 1] = 8
for s in range(1, 7):
    g = blur(s)
    x, y = cv2.Sobel(g, cv2.CV_32F, 1, 0), cv2.Sobel(g, cv2.CV_32F, 0, 1)
    planes += [g, blur(0.9 * s) - blur(1.1 * s), cv2.filter2D(g, -1, box, borderType=cv2.BORDER_REPLICATE), cv2.magnitude(x, y)]
features = np.stack([p.ravel() for p in planes], 1)
known = marks.ravel() > 0
forest = RandomForestClassifier(100, max_depth=8, random_state=0, n_jobs=2).fit(features[known], marks.ravel()[known])
np.save(sys.argv[3], forest.predict(features).astype("u1").reshape(image.shape))
"""


def timed(name, command, against=None):
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    cpu = used.ru_utime + used.ru_stime
    assert status == 0, command
    ratio = f"{cpu / against:7.1f} x" if against else ""
    print(f"  {name:34} cpu {cpu:8.2f} s  wall {time.perf_counter() - start:8.2f} s  {used.ru_maxrss / 1024:7.0f} MiB {ratio}", flush=True)
    return cpu


def main(folder):
    import numpy as np, scipy.ndimage as nd, tifffile

    rng = np.random.default_rng(1)
    smooth = nd.gaussian_filter(rng.standard_normal((SIDE, SIDE)), 5)
    truth = smooth > 0.02
    image = np.clip(90 + 60 * truth + rng.normal(0, 18, truth.shape), 0, 255).astype("u1")
    marks = np.zeros(image.size, "u2")
    chosen = rng.choice(image.size, MARKS, replace=False)
    marks[chosen] = 1 + truth.ravel()[chosen]
    path = lambda name: os.path.join(folder, name)
    tifffile.imwrite(path("image.tif"), image)
    tifffile.imwrite(path("marks.tif"), marks.reshape(image.shape))

    def train(name, features, depth):
        subprocess.run([EXPLORE, "apoc", "train", "pixel-classifier", "--image", path("image.tif"), "--annotation", path("marks.tif"), "--features", features,
                        "--max-depth", str(depth), "-o", path(name), "--overwrite", "-q"], check=True, stdout=subprocess.DEVNULL)

    def ours(name, out):
        return timed("polariscope", [EXPLORE, "apoc", "predict", path(name), "--image", path("image.tif"), "-o", path(out), "--overwrite", "--threads", "2", "-q"])

    train("small.cl", "object_size_1_to_5_px", 2)
    print("16 features, 100 trees of depth 2")
    cpu = ours("small.cl", "small.npy")
    if python := os.environ.get("EXPLORE_APOC"):
        timed("APOC (pocl), compiling included", [python, "-c", APOC, path("small.cl"), path("image.tif"), path("apoc.npy")], cpu)
        same = np.array_equal(np.load(path("small.npy")), np.load(path("apoc.npy")))
        print(f"  the same class for every pixel: {same}")
        timed("APOC again (kernels in its cache)", [python, "-c", APOC, path("small.cl"), path("image.tif"), path("apoc.npy")], cpu)
    train("large.cl", MANY, 8)
    print("25 features, 100 trees of depth 8")
    cpu = ours("large.cl", "large.npy")
    timed("OpenCV + scikit-learn-intelex", [sys.executable, "-c", OPENCV, path("image.tif"), path("marks.tif"), path("sklearn.npy")], cpu)
    print(f"  equal pixels: {(np.load(path('large.npy')) == np.load(path('sklearn.npy'))).mean():.4f} (another forest)")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(folder)
