//! Centres to start from in, converged centres out: Lloyd's iteration for many starts at once.
//!
//! All starts pass over a few rows while those are in the cache, and a row's nearest centre is used at once:
//! no matrix of distances ever exists.

use rayon::prelude::*;

use super::nearest::{Centres, Sums, block_labels, block_sums, squared_distance};
use super::points::{BLOCK, Points};

/// Starts that one task takes over a block: enough to share the rows, few enough to feed all threads.
const STARTS_PER_TASK: usize = 8;

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
}

/// Moves the centres of every start until they stand still.
pub(super) fn iterate(
    points: &Points,
    starts: Vec<Centres>,
    limits: Limits,
    report: &dyn Fn(usize),
) -> Vec<Run> {
    let mut runs: Vec<Run> =
        starts.into_iter().map(|centres| Run { centres, n_iter: 0, converged: false }).collect();
    for iteration in 1..=limits.max_iter {
        let mut active: Vec<&mut Run> = runs.iter_mut().filter(|r| !r.converged).collect();
        if active.is_empty() {
            break;
        }
        let centres: Vec<&Centres> = active.iter().map(|r| &r.centres).collect();
        let sums = sums_of(points, &centres);
        for (run, sums) in active.iter_mut().zip(sums) {
            let moved = run.step(points, sums);
            run.n_iter = iteration;
            run.converged = moved <= limits.tolerance;
        }
        report(runs.iter().filter(|r| r.converged).count());
    }
    runs
}

/// Sums over all blocks, in order, for each start.
fn sums_of(points: &Points, starts: &[&Centres]) -> Vec<Sums> {
    let n_blocks = points.n_blocks();
    let of_tasks: Vec<Vec<Vec<Sums>>> = starts
        .par_chunks(STARTS_PER_TASK)
        .map(|starts| {
            (0..n_blocks).into_par_iter().map(|block| block_sums(points, block, starts)).collect()
        })
        .collect();
    of_tasks
        .into_iter()
        .flat_map(|of_blocks: Vec<Vec<Sums>>| {
            let mut blocks = of_blocks.into_iter();
            let mut totals = blocks.next().unwrap_or_default();
            for block in blocks {
                totals.iter_mut().zip(&block).for_each(|(total, sums)| total.combine(sums));
            }
            totals
        })
        .collect()
}

impl Run {
    /// Puts each centre at the mean of its rows; the squared movement of all centres together.
    fn step(&mut self, points: &Points, mut sums: Sums) -> f64 {
        if sums.counts.contains(&0) {
            self.refill(points, &mut sums);
        }
        let stride = points.stride;
        let mut rows = self.centres.rows.clone();
        for ((row, sum), &count) in
            rows.chunks_exact_mut(stride).zip(sums.rows.chunks_exact(stride)).zip(&sums.counts)
        {
            if count > 0 {
                row.iter_mut().zip(sum).for_each(|(r, s)| *r = s / f64::from(count));
            }
        }
        let moved = squared_distance(&rows, &self.centres.rows);
        self.centres = Centres::new(rows, points.d, stride);
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
    nearest.iter().for_each(|&c| counts[c as usize] += 1);
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
