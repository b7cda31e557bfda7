"""Times one piece of work in a peer and in polariscope, in the same run, on the same input.

A topic script (regions.py, umap.py, ...) imports this, generates its inputs from a fixed seed, and calls
`compare(title, peer_callables, ours_arguments)`. CPU seconds (user + system, all threads) are the figure to
compare on a noisy machine; the median of the repeats is printed, and the ratio peer / ours.
"""
import json, os, resource, statistics, subprocess, time, warnings

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"):
    os.environ.setdefault(name, "2")
os.environ.update(OMP_WAIT_POLICY="PASSIVE", GOMP_SPINCOUNT="0", KMP_BLOCKTIME="0")  # no spinning: CPU seconds stay comparable
warnings.filterwarnings("ignore")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def cpu_seconds():
    a, b = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return a.ru_utime + a.ru_stime + b.ru_utime + b.ru_stime


def time_peer(work, repeats):
    """(median CPU seconds, median wall seconds, last result) after one uncounted warm-up."""
    result, cpu, wall = work(), [], []
    for _ in range(repeats):
        c, w = cpu_seconds(), time.perf_counter()
        result = work()
        cpu.append(cpu_seconds() - c)
        wall.append(time.perf_counter() - w)
    return statistics.median(cpu), statistics.median(wall), result


def time_ours(*arguments):
    """Runs `cargo bench --bench main -- peer ARGUMENTS`, which prints one JSON line: {cpu, wall, ...quality}."""
    out = subprocess.run(["cargo", "bench", "--quiet", "--bench", "main", "--", "peer", *map(str, arguments)], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return json.loads(out.strip().splitlines()[-1])


def compare(title, peers, ours, repeats=3):
    """peers: {name: (callable, quality(result) -> dict)}; ours: arguments of the bench binary."""
    mine = time_ours(*ours)
    print(f"{title}\n  {'polariscope':28} cpu {mine['cpu']:9.3f} s  wall {mine['wall']:9.3f} s   {({k: v for k, v in mine.items() if k not in ('cpu', 'wall')})}")
    for name, (work, quality) in peers.items():
        cpu, wall, result = time_peer(work, repeats)
        ratio = f"{cpu / mine['cpu']:7.1f} x" if mine["cpu"] else "        -"  # not timed, or shorter than the clock's tick
        print(f"  {name:28} cpu {cpu:9.3f} s  wall {wall:9.3f} s   {ratio}   {quality(result) if quality else ''}", flush=True)
