"""Neighbours beside FAISS and pynndescent; UMAP beside umap-learn and embedding-atlas, every map judged by the same measures.

usage: python umap.py [digits|5k|uneven|50k|100k|200k]... [neighbors] [maps] [many] [densmap] [walk] [picture]
(default: digits 5k 50k, all but the last two)
`uneven` is 5k with groups of different densities. `walk` takes the program from EXPLORE=.../target/release/explore, or from the path.
Inputs are generated into benches/peers/data, `picture` draws one map of each side there. The Rust UMAP of embedding-atlas
is not on PyPI or crates.io by itself: build `cargo build --release -p umap-benchmark` in a clone of github.com/apple/embedding-atlas
and give the program in EMBEDDING_ATLAS=.../target/release/umap-bench; without it that line is left out.
"""
import json, os, statistics, subprocess, sys, tempfile

import harness  # sets the number of threads before numpy is loaded
import numpy as np

sys.path.pop(0)  # this file's name must not hide the peer it measures
DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
K = 15


def table(n, widths=np.ones(8)):
    """Eight groups in nine dimensions, shown through 20 correlated, partly skewed columns; standardized."""
    mixture = np.random.default_rng(4242)
    centres = mixture.normal(0, 1.5, (8, 9))
    turn = mixture.normal(0, 0.35, (9, 9)) + np.eye(9)
    rng = np.random.default_rng(n)
    groups = rng.choice(8, n, p=[0.25, 0.2, 0.15, 0.12, 0.1, 0.08, 0.06, 0.04])
    z = centres[groups] + 0.75 * widths[groups, None] * rng.standard_normal((n, 9)) @ turn
    x = np.hstack([z, z[:, ::-1] * 0.6 + 0.5 * np.exp(0.4 * z), np.tanh(z[:, :2])]) + 0.3 * rng.standard_normal((n, 20))
    return (x - x.mean(0)) / x.std(0)


def load(name):
    """The matrix, and its path for the other side."""
    path = f"{DATA}/{name}.npy"
    if not os.path.exists(path):
        os.makedirs(DATA, exist_ok=True)
        if name == "digits":
            from sklearn.datasets import load_digits
            x = load_digits().data
        else:
            x = table(5000, np.geomspace(0.2, 2, 8)) if name == "uneven" else table(int(name.rstrip("k")) * 1000)
        np.save(path, np.ascontiguousarray(x, dtype="<f8"))
    return np.load(path), path


def quality(x):
    """Trustworthiness and preservation of the 15 nearest neighbours, over a sample of rows: mean and range over maps."""
    n = len(x)
    rows = np.random.default_rng(0).choice(n, min(1000, n), replace=False)

    def nearest(distances):
        return np.argpartition(distances, K)[:K]

    def apart(points, i):
        distances = ((points - points[i]) ** 2).sum(1)
        distances[i] = np.inf
        return distances

    def measure(maps):
        wrong, kept = np.zeros(len(maps)), np.zeros(len(maps))
        for i in rows:
            far = apart(x, i)
            there = nearest(far)
            for m, y in enumerate(maps):
                here = nearest(apart(y, i))
                kept[m] += len(np.intersect1d(there, here))
                wrong[m] += sum((far < far[j]).sum() + 1 - K for j in np.setdiff1d(here, there))
        trust = 1 - 2 * wrong / (len(rows) * K * (2 * n - 3 * K - 1))
        return " ".join(f"{name} {v.mean():.4f} [{v.min():.4f}, {v.max():.4f}]" for name, v in (("trust", trust), ("kept", kept / len(rows) / K)))

    return measure


def neighbors(name):
    import faiss, pynndescent
    x, path = load(name)
    rows = np.ascontiguousarray(x, dtype="float32")
    faiss.omp_set_num_threads(2)

    def flat():
        index = faiss.IndexFlatL2(rows.shape[1])
        index.add(rows)
        return index.search(rows, K + 1)

    def approximate():
        return pynndescent.NNDescent(rows, n_neighbors=K + 1, random_state=0, n_jobs=2).neighbor_graph

    def recall(graph):
        rows_asked = np.random.default_rng(0).choice(len(rows), min(2000, len(rows)), replace=False)
        index = faiss.IndexFlatL2(rows.shape[1])
        index.add(rows)
        exact, found = index.search(rows[rows_asked], K + 1)[1], graph[0][rows_asked]
        return dict(recall=round(float(np.mean([len(np.intersect1d(a, b)) for a, b in zip(exact, found)])) / (K + 1), 4))

    peers = {"faiss flat (exact)": (flat, None), "pynndescent (approximate)": (approximate, recall)}
    if len(x) > 100_000:
        del peers["faiss flat (exact)"]  # its time grows with the square
    harness.compare(f"{K} nearest neighbours, {name}", peers, ["neighbors", path, f"k={K}"])


def ours(path, n, seeds, *options):
    """Figures of one fit, and the maps of several seeds."""
    with tempfile.NamedTemporaryFile(suffix=".f64") as file:
        figures = harness.time_ours("umap", path, f"seeds={seeds}", f"out={file.name}", *options)
        return figures, np.fromfile(file.name, "<f8").reshape(seeds, n, 2)


def atlas(x):
    """A call of the Rust UMAP of embedding-atlas, in a process of its own."""
    program, folder = os.environ["EMBEDDING_ATLAS"], tempfile.mkdtemp()
    np.ascontiguousarray(x, dtype="<f4").tofile(f"{folder}/data.bin")
    with open(f"{folder}/meta.json", "w") as file:
        file.write(json.dumps({"n_points": len(x), "dim": x.shape[1]}))
    seed = iter(range(1000))

    def work():
        command = [program, folder, "euclidean", "--seed", str(next(seed)), "--embedding-path", f"{folder}/map.bin"]
        subprocess.run(command, check=True, capture_output=True)
        return np.fromfile(f"{folder}/map.bin", "<f4").reshape(-1, 2).astype(float)

    return work


def log_radii(points, power, least=0.0):
    """Local radii as umap-learn's `rad_orig_` (distances to the power of 2) and `rad_emb_` (of 1) on exact neighbours."""
    from sklearn.neighbors import NearestNeighbors
    from umap.umap_ import compute_membership_strengths, smooth_knn_dist
    from scipy.sparse import coo_matrix
    distance, index = NearestNeighbors(n_neighbors=K - 1).fit(points).kneighbors()
    index = np.hstack([np.arange(len(points))[:, None], index]).astype(np.int32)
    distance = np.hstack([np.zeros((len(points), 1)), distance]).astype(np.float32)
    rows, columns, weights, _ = compute_membership_strengths(index, distance, *smooth_knn_dist(distance, float(K), local_connectivity=1.0))
    directed = coo_matrix((weights, (rows, columns))).tocsr()
    graph = directed + directed.T - directed.multiply(directed.T)
    graph.data[graph.data < least * graph.data.max()] = 0
    graph.eliminate_zeros()
    graph = graph.tocoo()
    apart = np.linalg.norm(points[graph.row] - points[graph.col], axis=1)
    return np.log(1e-8 + np.bincount(graph.row, graph.data * apart**power) / np.bincount(graph.row, graph.data))


def densities(x):
    """Trustworthiness, preservation, and the correlation of log local radii in the data with those on the map."""
    judge, radii = quality(x), log_radii(x, 2, 1 / (700 if len(x) <= 10_000 else 400))

    def measure(maps):
        r = np.array([np.corrcoef(radii, log_radii(y, 1))[0, 1] for y in maps])
        return f"{judge(maps)} radii {r.mean():.4f} [{r.min():.4f}, {r.max():.4f}]"

    return measure


def maps(name, draw, densmap=False):
    import umap
    x, path = load(name)
    rows, seeds = x.astype("float32"), 5 if len(x) <= 50_000 else 1
    judge = densities(x) if densmap else quality(x)
    figures, mine = ours(path, len(x), seeds, f"densmap={densmap}".lower())
    print(f"{'densMAP' if densmap else 'UMAP'}, {name}, {seeds} seeds\n  {'polariscope':28} cpu {figures['cpu']:9.3f} s  wall {figures['wall']:9.3f} s             {judge(mine)}", flush=True)
    peers = {"umap-learn, parallel": lambda: umap.UMAP(n_jobs=2, densmap=densmap).fit_transform(rows)}
    if "EMBEDDING_ATLAS" in os.environ and not densmap:
        peers["embedding-atlas"] = atlas(x)
    if len(x) <= 5_000:
        peers["umap-learn, seeded"] = lambda: umap.UMAP(random_state=42, n_jobs=1, densmap=densmap).fit_transform(rows)
    shown = {"polariscope": mine[0]}
    umap.UMAP(n_jobs=2, n_epochs=10, densmap=densmap).fit_transform(rows[:2000])  # compiles
    for peer, work in peers.items():
        runs, cpu, wall = [], [], []
        for _ in range(1 if peer.endswith("seeded") else seeds):
            c, w = harness.cpu_seconds(), harness.time.perf_counter()
            runs.append(np.asarray(work(), float))
            cpu.append(harness.cpu_seconds() - c)
            wall.append(harness.time.perf_counter() - w)
        shown[peer] = runs[0]
        print(f"  {peer:28} cpu {statistics.median(cpu):9.3f} s  wall {statistics.median(wall):9.3f} s   {statistics.median(cpu) / figures['cpu']:7.1f} x   {judge(runs)}", flush=True)
    if draw:
        picture(f"{name}-densmap" if densmap else name, x, shown)


def picture(name, x, shown):
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    from sklearn.cluster import KMeans
    groups = KMeans(10, n_init=3, random_state=0).fit_predict(x)
    figure, axes = pyplot.subplots(1, len(shown), figsize=(5 * len(shown), 5))
    for axis, (title, y) in zip(axes, shown.items()):
        axis.scatter(*y.T, c=groups, s=2, cmap="tab10")
        axis.set(title=title, aspect="equal")
    figure.savefig(f"{DATA}/{name}.png", dpi=80)


def fresh(path):
    """The command of one umap-learn map in a process of its own, which compiles first."""
    return [sys.executable, "-c", f"import numpy, umap; umap.UMAP(n_jobs=2).fit_transform(numpy.load({path!r}).astype('float32'))"]


def walk(name):
    """The whole walk-through, report included, beside a single map: ours as a command, and umap-learn in a fresh process."""
    x, path = load(name)
    with tempfile.TemporaryDirectory() as folder:
        table = f"{folder}/table.csv"
        np.savetxt(table, x, delimiter=",", header=",".join(f"m{i:02}" for i in range(x.shape[1])), comments="")
        explore = os.environ.get("EXPLORE", "explore")
        print(f"the whole walk-through, {name}", flush=True)
        commands = {
            "explore TABLE": [explore, table, "-o", f"{folder}/report"],
            "explore embed umap TABLE": [explore, "embed", "umap", table, "-o", f"{folder}/map.csv"],
            "one umap-learn, fresh process": fresh(path),
        }
        for title, command in commands.items():
            c, w = harness.cpu_seconds(), harness.time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, cwd="/")
            print(f"  {title:32} cpu {harness.cpu_seconds() - c:9.3f} s  wall {harness.time.perf_counter() - w:9.3f} s", flush=True)


def many(name):
    """Twenty maps beside one of umap-learn, compiled already and in a fresh process."""
    import umap
    x, path = load(name)
    rows = x.astype("float32")
    peers = {
        "one umap-learn, parallel": (lambda: umap.UMAP(n_jobs=2).fit_transform(rows), None),
        "one umap-learn, fresh process": (lambda: subprocess.run(fresh(path), check=True, capture_output=True, cwd="/"), None),
    }
    harness.compare(f"20 UMAPs, {name}", peers, ["umap-many", path, "runs=20"], repeats=1)


if __name__ == "__main__":
    stages = {"neighbors", "maps", "many", "densmap", "walk", "picture"}
    wanted = stages.intersection(sys.argv[1:]) or stages - {"walk", "picture"}
    for name in [a for a in sys.argv[1:] if a not in stages] or ["digits", "5k", "50k"]:
        if "neighbors" in wanted:
            neighbors(name)
        if "maps" in wanted or wanted == {"picture"}:
            maps(name, "picture" in wanted)
        if "densmap" in wanted:
            maps(name, "picture" in wanted, densmap=True)
        if "many" in wanted and name == "5k":
            many(name)
        if "walk" in wanted:
            walk(name)
