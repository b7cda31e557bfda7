//! Neighbours enter; the fuzzy graph leaves: how strongly each pair of rows belongs together.

use ndarray::ArrayView1;
use rayon::prelude::*;

use super::super::neighbors::Neighbors;

/// A symmetric weighted graph over the rows, in compressed rows with ascending columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    pub(crate) offsets: Vec<usize>,
    pub(crate) columns: Vec<u32>,
    pub(crate) weights: Vec<f32>,
}

impl Graph {
    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Number of stored weights; each pair counts twice.
    pub fn n_weights(&self) -> usize {
        self.weights.len()
    }

    /// The neighbours of row `i` and their weights in (0, 1], columns ascending.
    ///
    /// # Panics
    /// When there is no row `i`.
    pub fn row(&self, i: usize) -> impl Iterator<Item = (u32, f32)> + '_ {
        let range = self.offsets[i]..self.offsets[i + 1];
        self.columns[range.clone()].iter().copied().zip(self.weights[range].iter().copied())
    }

    /// The largest weight.
    pub(crate) fn strongest(&self) -> f32 {
        self.weights.iter().copied().fold(0.0, f32::max)
    }

    /// Edges below this weight would pull less than once in `n_epochs`: they are dropped, as in umap-learn.
    pub(crate) fn least(&self, n_epochs: usize) -> f32 {
        self.strongest() / n_epochs.max(1) as f32
    }

    /// Rows of (column, weight), columns ascending; weights of zero are dropped.
    pub(crate) fn from_rows(rows: Vec<Vec<(u32, f32)>>) -> Self {
        let mut graph = Self { offsets: vec![0], columns: Vec::new(), weights: Vec::new() };
        for row in rows {
            for (column, weight) in row.into_iter().filter(|(_, weight)| *weight > 0.0) {
                graph.columns.push(column);
                graph.weights.push(weight);
            }
            graph.offsets.push(graph.columns.len());
        }
        graph
    }

    /// Each weight w and its mirror v become `mix (w + v - w v) + (1 - mix) w v`: at 1 the fuzzy
    /// union of both directions, at 0 their intersection.
    pub(crate) fn symmetric(&self, mix: f32) -> Self {
        let mirror = self.transposed();
        let rows = (0..self.n_rows()).into_par_iter().map(|i| {
            merge(self.row(i), mirror.row(i))
                .map(|(column, w, v)| (column, mix * (w + v - w * v) + (1.0 - mix) * (w * v)))
                .collect()
        });
        Self::from_rows(rows.collect())
    }

    fn transposed(&self) -> Self {
        let mut offsets = vec![0; self.n_rows() + 1];
        self.columns.iter().for_each(|&column| offsets[column as usize + 1] += 1);
        for i in 0..self.n_rows() {
            offsets[i + 1] += offsets[i];
        }
        let mut next = offsets.clone();
        let mut columns = vec![0; self.columns.len()];
        let mut weights = vec![0.0; self.columns.len()];
        for i in 0..self.n_rows() {
            for (column, weight) in self.row(i) {
                let place = &mut next[column as usize];
                columns[*place] = i as u32;
                weights[*place] = weight;
                *place += 1;
            }
        }
        Self { offsets, columns, weights }
    }
}

/// Walks two ascending rows at once; a side without the column counts as 0.
fn merge(
    left: impl Iterator<Item = (u32, f32)>,
    right: impl Iterator<Item = (u32, f32)>,
) -> impl Iterator<Item = (u32, f32, f32)> {
    let (mut left, mut right) = (left.peekable(), right.peekable());
    std::iter::from_fn(move || {
        let (l, r) = (left.peek().map(|l| l.0), right.peek().map(|r| r.0));
        let column = l.into_iter().chain(r).min()?;
        let mut weight_at = |side: Option<u32>, is_left: bool| {
            if side != Some(column) {
                return 0.0;
            }
            let entry = if is_left { left.next() } else { right.next() };
            entry.map_or(0.0, |(_, weight)| weight)
        };
        Some((column, weight_at(l, true), weight_at(r, false)))
    })
}

/// The local scale of each row: `rho`, the distance that counts as touching, and `sigma`, how fast
/// membership fades beyond it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scales {
    pub sigmas: Vec<f32>,
    pub rhos: Vec<f32>,
}

/// The membership sum is met to this precision, and sigma is at least this share of the mean
/// distance (umap-learn's `SMOOTH_K_TOLERANCE` and `MIN_K_DIST_SCALE`).
const TOLERANCE: f64 = 1e-5;
const LEAST_SIGMA: f64 = 1e-3;

/// Finds for each row the sigma at which the memberships of its neighbours sum to
/// `log2(n_neighbors)` (arXiv:1802.03426, algorithm 3, as umap-learn computes it).
///
/// `own` is 1 where the rows are their own nearest neighbours at distance 0, which umap-learn
/// counts in `n_neighbors` but not in the sum, and 0 where the rows are new.
pub(crate) fn local_scales(near: &Neighbors, own: usize, local_connectivity: f64) -> Scales {
    let n_neighbors = near.k() + own;
    let target = (n_neighbors as f64).log2();
    let row_mean =
        |row: ArrayView1<f32>| row.iter().map(|&d| f64::from(d)).sum::<f64>() / n_neighbors as f64;
    let means: Vec<f64> = near.distances.rows().into_iter().map(row_mean).collect();
    let mean = means.iter().sum::<f64>() / means.len() as f64;
    let (sigmas, rhos) = (0..near.n_rows())
        .into_par_iter()
        .map(|i| {
            let row = near.distances.row(i);
            let rho = touching_distance(row, local_connectivity);
            let beyond: Vec<f64> =
                row.iter().skip(1 - own).map(|&d| f64::from((d - rho).max(0.0))).collect();
            let least = LEAST_SIGMA * if rho > 0.0 { means[i] } else { mean };
            (solve_sigma(&beyond, target).max(least) as f32, rho)
        })
        .unzip();
    Scales { sigmas, rhos }
}

/// The distance to the `local_connectivity`-th neighbour that is not a duplicate, interpolated.
fn touching_distance(row: ArrayView1<f32>, local_connectivity: f64) -> f32 {
    let apart: Vec<f32> = row.iter().copied().filter(|&d| d > 0.0).collect();
    if (apart.len() as f64) < local_connectivity {
        return apart.last().copied().unwrap_or(0.0);
    }
    let Some(&nearest) = apart.first() else { return 0.0 };
    let index = local_connectivity.floor() as usize;
    let part = (local_connectivity - index as f64) as f32;
    if index == 0 {
        return part * nearest;
    }
    let touching = apart[index - 1];
    if f64::from(part) > TOLERANCE { touching + part * (apart[index] - touching) } else { touching }
}

/// Bisection for the sum of `exp(-beyond / sigma)` to equal `target`.
fn solve_sigma(beyond: &[f64], target: f64) -> f64 {
    let (mut low, mut high, mut sigma) = (0.0, f64::INFINITY, 1.0);
    for _ in 0..64 {
        let sum: f64 = beyond.iter().map(|d| (-d / sigma).exp()).sum();
        if (sum - target).abs() < TOLERANCE {
            break;
        }
        if sum > target {
            high = sigma;
        } else {
            low = sigma;
        }
        sigma = if high.is_infinite() { 2.0 * sigma } else { f64::midpoint(low, high) };
    }
    sigma
}

/// How strongly a row holds its neighbour at `distance`, in [0, 1].
#[inline]
pub(crate) fn membership(distance: f32, sigma: f32, rho: f32) -> f32 {
    if distance <= rho || sigma == 0.0 { 1.0 } else { (-((distance - rho) / sigma)).exp() }
}

/// The directed memberships of all rows in their neighbours, columns ascending.
pub(crate) fn memberships(near: &Neighbors, scales: &Scales) -> Vec<Vec<(u32, f32)>> {
    (0..near.n_rows())
        .into_par_iter()
        .map(|i| {
            let (sigma, rho) = (scales.sigmas[i], scales.rhos[i]);
            let pairs = near.indices.row(i).into_iter().zip(near.distances.row(i));
            let mut row: Vec<(u32, f32)> =
                pairs.map(|(&j, &distance)| (j, membership(distance, sigma, rho))).collect();
            row.sort_unstable_by_key(|entry| entry.0);
            row
        })
        .collect()
}
