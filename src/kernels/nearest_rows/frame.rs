//! Rows enter; the same rows leave as f32: centred, scaled to at most 1, and those columns first that tell most.

use nalgebra::{DMatrix, SymmetricEigen};
use rayon::prelude::*;

use super::{Gap, Rows, Search};

/// Columns that are turned, and rows from which the turn is found; both bound the cost, not the result.
const MOST_TURNED: usize = 96;
const SAMPLE: usize = 2048;
/// Within these the squares of values and of what is left of them stay far from the ends of f64.
const SAFE: std::ops::Range<f64> = 1e-130..1e130;
/// With more columns the bounds on rounded sums say nothing; there is no such table.
const MOST_COLUMNS: usize = 100_000;
/// How far from right angles the axes of a turn may be: below what f32 can tell.
const SKEW: f64 = 1e-12;

/// Where values are centred, and by what they are scaled to at most 1.
pub(in crate::kernels) struct Centred {
    centre: Vec<f64>,
    scale: f64,
}

impl Centred {
    /// `None` where f32 or squares in f64 cannot hold the values.
    pub fn of(references: Rows, queries: Rows) -> Option<Self> {
        let width = references.width;
        let mut centre = vec![0.0; width];
        for row in references.values.chunks_exact(width) {
            centre.iter_mut().zip(row).for_each(|(c, x)| *c += x);
        }
        centre.iter_mut().for_each(|c| *c /= references.len().max(1) as f64);
        let largest = [references, queries]
            .iter()
            .flat_map(|rows| rows.values.chunks_exact(width))
            .flat_map(|row| row.iter().zip(&centre).map(|(x, c)| (x - c).abs()))
            .fold(0.0, f64::max);
        if largest > 0.0 && !SAFE.contains(&largest) || width > MOST_COLUMNS {
            return None;
        }
        let scale = if largest > 0.0 { 1.0 / largest } else { 1.0 };
        Some(Self { centre, scale })
    }

    fn value(&self, row: &[f64], column: usize) -> f64 {
        (row[column] - self.centre[column]) * self.scale
    }

    /// A row, column by column.
    pub fn place(&self, row: &[f64]) -> impl Iterator<Item = f32> {
        (0..row.len()).map(|column| self.value(row, column) as f32)
    }
}

pub(super) struct Frame {
    centred: Centred,
    /// All columns, those that vary most first.
    columns: Vec<usize>,
    /// The first of them are turned onto axes at right angles to each other: weights, axis by axis.
    turn: Vec<f64>,
    n_turned: usize,
}

impl Frame {
    /// `None` where f32 or squares in f64 cannot hold the values.
    pub fn of(search: &Search) -> Option<Self> {
        let refs = search.refs;
        let centred = Centred::of(refs, search.queries)?;
        let columns = (0..refs.width).collect();
        let mut frame = Self { centred, columns, turn: Vec::new(), n_turned: 0 };
        let step = refs.len().div_ceil(SAMPLE).max(1);
        let sample = (0..refs.len()).step_by(step).map(|i| frame.scaled(refs.row(i)));
        frame.look_along_what_varies(&sample.collect::<Vec<_>>(), search.gap);
        Some(frame)
    }

    /// Sorts the columns; for squared gaps, which a turn leaves as they are, turns them onto principal axes.
    fn look_along_what_varies(&mut self, sample: &[Vec<f64>], gap: Gap) {
        let spread = |c: usize| -> f64 { sample.iter().map(|row| row[c] * row[c]).sum() };
        let mut spreads: Vec<(f64, usize)> = self.columns.iter().map(|&c| (spread(c), c)).collect();
        spreads.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        self.columns = spreads.into_iter().map(|(_, c)| c).collect();
        if gap == Gap::Absolute {
            return;
        }
        let d = self.columns.len().min(MOST_TURNED);
        let mut scatter = DMatrix::<f64>::zeros(d, d);
        for row in sample {
            for (i, &a) in self.columns[..d].iter().enumerate() {
                for (j, &b) in self.columns[..d].iter().enumerate() {
                    scatter[(i, j)] += row[a] * row[b];
                }
            }
        }
        let eigen = SymmetricEigen::new(scatter);
        let mut order: Vec<usize> = (0..d).collect();
        order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
        let axis = |&axis: &usize| eigen.eigenvectors.column(axis).iter().copied().collect();
        let axes: Vec<Vec<f64>> = order.iter().map(axis).collect();
        let skew = |i: usize, j: usize| {
            let product: f64 = axes[i].iter().zip(&axes[j]).map(|(a, b)| a * b).sum();
            (product - f64::from(u8::from(i == j))).abs()
        };
        // Without the turn the search is only slower.
        if (0..d).all(|i| (0..=i).all(|j| skew(i, j) < SKEW)) {
            (self.turn, self.n_turned) = (axes.concat(), d);
        }
    }

    fn scaled(&self, row: &[f64]) -> Vec<f64> {
        self.columns.iter().map(|&c| self.centred.value(row, c)).collect()
    }

    /// The rows in the frame, one after the other.
    pub fn places(&self, rows: Rows) -> Vec<f32> {
        let mut places = vec![0.0; rows.values.len()];
        places.par_chunks_exact_mut(rows.width).enumerate().for_each(|(i, place)| {
            let scaled = self.scaled(rows.row(i));
            place.iter_mut().zip(&scaled).for_each(|(to, x)| *to = *x as f32);
            for (to, axis) in place.iter_mut().zip(self.turn.chunks_exact(self.n_turned.max(1))) {
                *to = axis.iter().zip(&scaled).map(|(w, x)| w * x).sum::<f64>() as f32;
            }
        });
        places
    }
}
