//! Centres to start from in, converged centres out: Lloyd's iteration for many starts at once.
//!
//! All starts pass over a few rows while those are in the cache, a row's nearest centre is used at once (no
//! matrix of distances ever exists), and rows that cannot have changed cluster are not looked at: the idea of
//! G. Hamerly, *Making k-means even faster*, 2010, for tiles of 16 rows.

use rayon::prelude::*;

use super::nearest::{
    Centres, Drift, Known, Sums, Visit, block_labels, squared_distance, update_block,
};
use super::points::{BLOCK, Points};

/// Starts that one task takes over a block: enough to share the rows, few enough to feed all threads.
const STARTS_PER_TASK: usize = 8;

/// A bound on the passes of polishing, which ends by itself: every move lowers the inertia.
const POLISHING_PASSES: usize = 100;

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) max_iter: usize,
    /// Squared movement of all centres together, in scaled units.
    pub(super) tolerance: f64,
}

/// One start on its way.
pub(super) struct Run {
    pub(super) centres: Centres,
    pub(super) n_iter: usize,
    pub(super) converged: bool,
    drift: Drift,
    sums: Sums,
}

/// Moves the centres of every start until they stand still.
pub(super) fn iterate(
    points: &Points,
    starts: Vec<Centres>,
    limits: Limits,
    report: &dyn Fn(usize),
) -> Vec<Run> {
    let block_rows = |block: usize| BLOCK.min(points.n - block * BLOCK);
    let mut known: Vec<Vec<Known>> = (0..points.n_blocks())
        .map(|block| vec![Known::nothing(block_rows(block)); starts.len()])
        .collect();
    let mut runs: Vec<Run> = starts
        .into_iter()
        .map(|centres| Run {
            sums: Sums::none(centres.k, points.stride),
            centres,
            n_iter: 0,
            converged: false,
            drift: Drift::default(),
        })
        .collect();
    for iteration in 1..=limits.max_iter {
        let mut changes = changes(points, &runs, &mut known).into_iter();
        for run in runs.iter_mut().filter(|run| !run.converged) {
            if let Some(change) = changes.next() {
                run.sums.combine(&change);
            }
            run.n_iter = iteration;
            run.converged = run.step(points) <= limits.tolerance;
        }
        let at_rest = runs.iter().filter(|r| r.converged).count();
        report(at_rest);
        if at_rest == runs.len() {
            break;
        }
    }
    runs
}

/// For each start that still moves, how its sums change, blocks added in order.
fn changes(points: &Points, runs: &[Run], known: &mut [Vec<Known>]) -> Vec<Sums> {
    let of_blocks: Vec<Vec<Sums>> = known
        .par_iter_mut()
        .enumerate()
        .map(|(block, known)| {
            let mut visits: Vec<Visit<'_>> = runs
                .iter()
                .zip(known)
                .filter(|(run, _)| !run.converged)
                .map(|(run, known)| (&run.centres, run.drift, known))
                .collect();
            let parts: Vec<Vec<Sums>> = visits
                .par_chunks_mut(STARTS_PER_TASK)
                .map(|visits| update_block(points, block, visits))
                .collect();
            parts.into_iter().flatten().collect()
        })
        .collect();
    let mut of_blocks = of_blocks.into_iter();
    let mut totals = of_blocks.next().unwrap_or_default();
    for block in of_blocks {
        totals.iter_mut().zip(&block).for_each(|(total, sums)| total.combine(sums));
    }
    totals
}

impl Run {
    /// Puts each centre at the mean of its rows; the squared movement of all centres together.
    fn step(&mut self, points: &Points) -> f64 {
        let mut sums = self.sums.clone();
        if sums.counts.contains(&0) {
            self.refill(points, &mut sums);
        }
        let stride = points.stride;
        let mut rows = self.centres.rows.clone();
        for ((row, sum), &count) in
            rows.chunks_exact_mut(stride).zip(sums.rows.chunks_exact(stride)).zip(&sums.counts)
        {
            if count > 0 {
                row.iter_mut().zip(sum).for_each(|(r, s)| *r = s / count as f64);
            }
        }
        let moved = squared_distance(&rows, &self.centres.rows);
        let next = Centres::new(rows, points.d, stride);
        self.drift.add(&self.centres, &next);
        self.centres = next;
        moved
    }

    /// Gives each empty cluster the row that is farthest from its centre, out of a cluster of several.
    fn refill(&self, points: &Points, sums: &mut Sums) {
        let labels = labels(points, &self.centres);
        let mut farthest: Vec<(f64, usize)> = labels
            .par_iter()
            .enumerate()
            .map(|(i, &c)| (squared_distance(points.row(i), self.centres.row(c as usize)), i))
            .collect();
        farthest.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut farthest = farthest.into_iter().filter(|f| f.0 > 0.0);
        let empty: Vec<usize> = (0..sums.counts.len()).filter(|&c| sums.counts[c] == 0).collect();
        for c in empty {
            let Some((_, i)) = farthest.find(|f| sums.counts[labels[f.1] as usize] > 1) else {
                return;
            };
            let from = labels[i] as usize;
            sums.counts[from] -= 1;
            sums.counts[c] = 1;
            for (j, &value) in points.row(i).iter().enumerate() {
                sums.rows[from * points.stride + j] -= value;
                sums.rows[c * points.stride + j] = value;
            }
        }
    }
}

/// The nearest centre of every row.
pub(super) fn labels(points: &Points, centres: &Centres) -> Vec<u32> {
    let mut labels = vec![0; points.n];
    labels
        .par_chunks_mut(BLOCK)
        .enumerate()
        .for_each(|(block, labels)| block_labels(points, block, centres, labels));
    labels
}

/// Moves single rows to another cluster while that lowers the inertia, centres following at once: a better optimum
/// than Lloyd's, which counts a row's own pull on its centre as nearness (Hartigan 1975; Telgarsky and Vattani 2010).
pub(super) fn polish(points: &Points, centres: &mut Centres) {
    let mut nearest = labels(points, centres);
    let mut sums = Sums::none(centres.k, points.stride);
    nearest.iter().enumerate().for_each(|(i, &c)| sums.enter(c, points.row(i)));
    let mut rows = centres.rows.clone();
    let mut improved = true;
    let mut passes = 0;
    while improved && passes < POLISHING_PASSES {
        improved = false;
        passes += 1;
        for (i, nearest) in nearest.iter_mut().enumerate() {
            let (row, from) = (points.row(i), *nearest as usize);
            let (count, stride) = (|c: usize| sums.counts[c] as f64, points.stride);
            let distance = |c: usize| squared_distance(row, &rows[c * stride..][..stride]);
            if sums.counts[from] < 2 {
                continue;
            }
            let saved = distance(from) * count(from) / (count(from) - 1.0);
            let cost = |c: usize| distance(c) * count(c) / (count(c) + 1.0);
            let others = (0..centres.k).filter(|&c| c != from).map(|c| (cost(c), c));
            let Some((added, to)) = others.reduce(|a, b| if b.0 < a.0 { b } else { a }) else {
                return;
            };
            // The margin keeps rounding from moving a row to and fro.
            if added >= saved * (1.0 - 1e-12) {
                continue;
            }
            sums.leave(from as u32, row);
            sums.enter(to as u32, row);
            for c in [from, to] {
                let (count, at) = (sums.counts[c] as f64, c * stride..(c + 1) * stride);
                let means = sums.rows[at.clone()].iter().map(|sum| sum / count);
                rows[at].iter_mut().zip(means).for_each(|(value, mean)| *value = mean);
            }
            *nearest = to as u32;
            improved = true;
        }
    }
    *centres = Centres::new(rows, points.d, points.stride);
}

/// Nearest centres, and the sum of squared distances to them in scaled units; no cluster is empty if the
/// rows allow it.
pub(super) fn assign(points: &Points, centres: &mut Centres) -> (Vec<u32>, f64) {
    let mut nearest = labels(points, centres);
    fill_empty(points, centres, &mut nearest);
    let sums: Vec<f64> = nearest
        .par_chunks(BLOCK)
        .enumerate()
        .map(|(block, labels)| {
            let distance = |(i, &c): (usize, &u32)| {
                squared_distance(points.row(block * BLOCK + i), centres.row(c as usize))
            };
            labels.iter().enumerate().map(distance).sum()
        })
        .collect();
    (nearest, sums.iter().sum())
}

/// The last step may leave a cluster empty: it takes the farthest row, and its centre moves there.
fn fill_empty(points: &Points, centres: &mut Centres, nearest: &mut [u32]) {
    let mut counts = vec![0usize; centres.k];
    for &c in nearest.iter() {
        counts[c as usize] += 1;
    }
    while let Some(empty) = counts.iter().position(|&c| c == 0) {
        let distance = |i: usize| squared_distance(points.row(i), centres.row(nearest[i] as usize));
        let farthest = (0..points.n)
            .filter(|&i| counts[nearest[i] as usize] > 1)
            .map(|i| (distance(i), i))
            .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        let Some((_, i)) = farthest else {
            return;
        };
        counts[nearest[i] as usize] -= 1;
        counts[empty] = 1;
        nearest[i] = empty as u32;
        let mut rows = centres.rows.clone();
        rows[empty * points.stride..][..points.stride].copy_from_slice(points.row(i));
        *centres = Centres::new(rows, points.d, points.stride);
    }
}
