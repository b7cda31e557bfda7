//! Nearest neighbours become affinities: who should stand near whom on the map, and how strongly.

use rayon::prelude::*;

use crate::embed::neighbors::Neighbors;
use crate::error::{Error, Result};

/// Rows whose bandwidth is found per task.
const BLOCK: usize = 256;
/// Newton steps (bisections where Newton leaves the bracket); 10 are typical, duplicates need most.
const MAX_STEPS: usize = 200;
/// Accuracy of the entropy, in nats: the tolerance of openTSNE.
const ENTROPY_TOLERANCE: f64 = 1e-8;

/// The symmetric affinities `p_ij` of t-SNE, sparse and summing to 1.
///
/// `p_ij = (p_j|i + p_i|j) / 2n`, where `p_j|i` is a Gaussian over the nearest neighbours of row `i` whose
/// bandwidth gives it the wanted perplexity (van der Maaten and Hinton 2008, *Visualizing data using t-SNE*,
/// equations 1 and 3).
#[derive(Debug, Clone, PartialEq)]
pub struct Affinities {
    starts: Vec<usize>,
    others: Vec<u32>,
    values: Vec<f64>,
    perplexity: f64,
}

impl Affinities {
    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of affinities kept, counting `p_ij` and `p_ji`.
    pub fn n_entries(&self) -> usize {
        self.values.len()
    }

    /// The perplexity they were made for.
    pub fn perplexity(&self) -> f64 {
        self.perplexity
    }

    /// The affinities of row `i`: (other row, ascending, and `p_ij`).
    ///
    /// # Panics
    /// When `i` is not a row.
    pub fn row(&self, i: usize) -> impl Iterator<Item = (u32, f64)> + '_ {
        let range = self.starts[i]..self.starts[i + 1];
        self.others[range.clone()].iter().copied().zip(self.values[range].iter().copied())
    }

    /// The Kullback-Leibler divergence of a map, given `Z = Σ_{i≠j} 1 / (1 + |y_i - y_j|²)`.
    pub(super) fn divergence<const D: usize>(&self, points: &[[f32; D]], z: f64) -> f64 {
        let rows: Vec<f64> = (0..self.n_rows())
            .into_par_iter()
            .map(|i| {
                let part = |(j, p): (u32, f64)| {
                    let pairs = points[i].iter().zip(&points[j as usize]);
                    let square: f64 =
                        pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
                    p * (p.ln() + square.ln_1p())
                };
                self.row(i).filter(|&(_, p)| p > 0.0).map(part).sum()
            })
            .collect();
        rows.iter().sum::<f64>() + self.values.iter().sum::<f64>() * z.ln()
    }

    /// Makes `conditional` affinities (rows of (other, `p_j|i`)) symmetric.
    pub(super) fn symmetric(conditional: &Conditional, perplexity: f64) -> Self {
        let (n, k) = (conditional.n_rows, conditional.n_neighbors);
        let incoming = Incoming::of(conditional);
        let rows: Vec<Vec<(u32, f64)>> = (0..n)
            .into_par_iter()
            .map(|i| {
                let mut row: Vec<(u32, f64)> = conditional.row(i).chain(incoming.row(i)).collect();
                // Stable: of two affinities between the same rows the outgoing one comes first.
                row.sort_by_key(|&(other, _)| other);
                row.dedup_by(|later, kept| {
                    let same = later.0 == kept.0;
                    kept.1 += if same { later.1 } else { 0.0 };
                    same
                });
                row
            })
            .collect();
        let total: f64 = rows.iter().map(|row| row.iter().map(|e| e.1).sum::<f64>()).sum();
        let mut all = Self {
            starts: vec![0],
            others: Vec::with_capacity(2 * n * k),
            values: Vec::with_capacity(2 * n * k),
            perplexity,
        };
        for row in rows {
            for (other, value) in row {
                all.others.push(other);
                all.values.push(value / total);
            }
            all.starts.push(all.others.len());
        }
        all
    }
}

/// Gaussian affinities `p_j|i` of each row to its neighbours; each row sums to 1.
#[derive(Debug)]
pub(super) struct Conditional {
    n_rows: usize,
    n_neighbors: usize,
    others: Vec<u32>,
    values: Vec<f64>,
}

impl Conditional {
    /// Calibrates each row to `perplexity`.
    pub(super) fn calibrate(near: &Neighbors, perplexity: f64) -> Self {
        let (n_rows, n_neighbors) = near.distances.dim();
        let mut values = vec![0.0; n_rows * n_neighbors];
        values.par_chunks_mut(BLOCK * n_neighbors).enumerate().for_each(|(block, values)| {
            for (k, row) in values.chunks_mut(n_neighbors).enumerate() {
                for (value, distance) in row.iter_mut().zip(near.distances.row(block * BLOCK + k)) {
                    *value = f64::from(*distance).powi(2);
                }
                gaussian(row, perplexity.ln());
            }
        });
        let others = near.indices.iter().copied().collect();
        Self { n_rows, n_neighbors, others, values }
    }

    pub(super) fn row(&self, i: usize) -> impl Iterator<Item = (u32, f64)> + '_ {
        let range = i * self.n_neighbors..(i + 1) * self.n_neighbors;
        self.others[range.clone()].iter().copied().zip(self.values[range].iter().copied())
    }
}

/// The transpose of [`Conditional`]: for each row, who counts it as a neighbour, ascending.
struct Incoming {
    starts: Vec<usize>,
    others: Vec<u32>,
    values: Vec<f64>,
}

impl Incoming {
    fn of(conditional: &Conditional) -> Self {
        let mut starts = vec![0; conditional.n_rows + 1];
        for &other in &conditional.others {
            starts[other as usize + 1] += 1;
        }
        for i in 0..conditional.n_rows {
            starts[i + 1] += starts[i];
        }
        let mut next = starts.clone();
        let mut others = vec![0; conditional.others.len()];
        let mut values = vec![0.0; conditional.others.len()];
        for i in 0..conditional.n_rows {
            for (other, value) in conditional.row(i) {
                let at = &mut next[other as usize];
                (others[*at], values[*at]) = (i as u32, value);
                *at += 1;
            }
        }
        Self { starts, others, values }
    }

    fn row(&self, i: usize) -> impl Iterator<Item = (u32, f64)> + '_ {
        let range = self.starts[i]..self.starts[i + 1];
        self.others[range.clone()].iter().copied().zip(self.values[range].iter().copied())
    }
}

/// Turns squared distances into probabilities `exp(-β d²) / S` with the wanted entropy (in nats).
///
/// The entropy falls as β grows; its slope in ln β is `-β² Var(d²)`. Newton steps on ln β, kept in a bracket.
/// Where no β reaches the entropy (more equal distances than the perplexity) the nearest share evenly.
fn gaussian(row: &mut [f64], entropy: f64) {
    let nearest = row.iter().copied().fold(f64::INFINITY, f64::min);
    for d in row.iter_mut() {
        *d -= nearest;
    }
    let mean = row.iter().sum::<f64>() / row.len() as f64;
    if mean == 0.0 {
        row.fill(1.0 / row.len() as f64);
        return;
    }
    let squares = row.to_vec();
    let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
    let mut log_beta = -mean.ln();
    for _ in 0..MAX_STEPS {
        let beta = log_beta.exp();
        let (mut sum, mut first, mut second) = (0.0, 0.0, 0.0);
        for (p, &d) in row.iter_mut().zip(&squares) {
            *p = (-beta * d).exp();
            sum += *p;
            first += *p * d;
            second += *p * d * d;
        }
        let (first, second) = (first / sum, second / sum);
        for p in row.iter_mut() {
            *p /= sum;
        }
        let excess = sum.ln() + beta * first - entropy;
        if excess.abs() < ENTROPY_TOLERANCE {
            return;
        }
        if excess > 0.0 {
            low = log_beta;
        } else {
            high = log_beta;
        }
        let slope = beta * beta * (second - first * first);
        let newton = log_beta + excess / slope;
        log_beta =
            if slope > 0.0 && newton > low && newton < high && (newton - log_beta).abs() < 5.0 {
                newton
            } else if high.is_infinite() {
                log_beta + 2.0
            } else if low.is_infinite() {
                log_beta - 2.0
            } else {
                f64::midpoint(low, high)
            };
        // Beyond this every exponential is 0 or 1, and more steps change nothing.
        if log_beta.abs() > 700.0 {
            return;
        }
    }
}

/// The wanted perplexity, or why it is not possible for `n_rows` rows.
///
/// Without a wish it is 30, or a third of the other rows where there are fewer than 91 rows.
pub(super) fn perplexity(wanted: Option<f64>, n_rows: usize) -> Result<f64> {
    let others = n_rows.saturating_sub(1) as f64;
    let value = wanted.unwrap_or_else(|| (others / 3.0).clamp(1.0, 30.0));
    if value >= 1.0 && value <= others {
        return Ok(value);
    }
    let allowed = format!("at least 1 and at most the number of other rows ({others})");
    Err(Error::parameter("perplexity", value, allowed)
        .help("a perplexity of at most a third of the number of rows is sensible"))
}

/// Neighbours that carry the affinities of a row: three times the perplexity, as in openTSNE.
pub(super) fn n_neighbors(perplexity: f64, n_candidates: usize) -> usize {
    ((3.0 * perplexity) as usize).clamp(1, n_candidates)
}
