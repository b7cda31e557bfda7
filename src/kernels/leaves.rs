//! Rows enter; an order in which near rows stand together leaves, cut into leaves with a box around each.
//!
//! The boxes live on a few directions at right angles to each other, those along which the rows vary most: a gap
//! between boxes is never larger than the distance between rows in them, whatever the directions are.

use nalgebra::{DMatrix, SymmetricEigen};
use rayon::prelude::*;

/// Rows of a leaf: a multiple of every tile's width, and few enough to stay in the first-level cache.
pub(super) const LEAF: usize = 144;
/// Within a leaf the order goes on down to this many rows, so that the queries of a tile are near each other too.
const CELL: usize = 8;
/// Directions on which boxes are drawn, at most.
const MOST_AXES: usize = 16;
/// Columns among which the directions are sought, and rows from which; both bound the cost, not the result.
const MOST_COLUMNS: usize = 96;
const SAMPLE: usize = 2048;
/// Below this many rows a split is not worth another thread.
const PARALLEL: usize = 1 << 14;

/// Directions at right angles to each other, as weights of columns.
pub(super) struct Axes {
    columns: Vec<usize>,
    /// One row of weights per direction.
    weights: Vec<Vec<f64>>,
}

impl Axes {
    /// The directions along which `n` rows of `width` values, all about 1 or smaller, vary most.
    pub fn of(n: usize, width: usize, row: impl Fn(usize) -> Vec<f64>) -> Self {
        let step = n.div_ceil(SAMPLE).max(1);
        let sample: Vec<Vec<f64>> = (0..n).step_by(step).map(row).collect();
        let spread = |c: usize| -> f64 {
            let mean = sample.iter().map(|r| r[c]).sum::<f64>() / sample.len() as f64;
            sample.iter().map(|r| (r[c] - mean).powi(2)).sum()
        };
        let mut columns: Vec<(f64, usize)> = (0..width).map(|c| (spread(c), c)).collect();
        columns.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let columns: Vec<usize> = columns.iter().take(MOST_COLUMNS).map(|&(_, c)| c).collect();
        let mean = |c: &usize| sample.iter().map(|r| r[*c]).sum::<f64>() / sample.len() as f64;
        let means: Vec<f64> = columns.iter().map(mean).collect();
        let d = columns.len();
        let mut scatter = DMatrix::<f64>::zeros(d, d);
        for row in &sample {
            let centred: Vec<f64> = columns.iter().zip(&means).map(|(&c, m)| row[c] - m).collect();
            for i in 0..d {
                for j in 0..d {
                    scatter[(i, j)] += centred[i] * centred[j];
                }
            }
        }
        if !scatter.iter().all(|v| v.is_finite()) {
            // Values too large for squares: any directions will do, but the solver would not end.
            scatter = DMatrix::identity(d, d);
        }
        let eigen = SymmetricEigen::new(scatter);
        let mut order: Vec<usize> = (0..d).collect();
        order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
        let weights = order
            .iter()
            .take(MOST_AXES)
            .map(|&axis| eigen.eigenvectors.column(axis).iter().copied().collect())
            .collect();
        Self { columns, weights }
    }

    fn place(&self, row: &[f64]) -> impl Iterator<Item = f64> {
        self.weights.iter().map(|w| self.columns.iter().zip(w).map(|(&c, w)| row[c] * w).sum())
    }
}

/// An order of rows, and boxes around runs of it.
pub(super) struct Leaves {
    /// Positions of the rows, [`LEAF`] by [`LEAF`] near each other.
    pub order: Vec<u32>,
    /// One box per leaf.
    pub boxes: Vec<Bounds>,
    places: Vec<f64>,
    n_axes: usize,
}

impl Leaves {
    /// Sorts `n` rows, given in the scale of [`Axes::of`].
    pub fn of(n: usize, axes: &Axes, row: impl Fn(usize) -> Vec<f64> + Sync) -> Self {
        let n_axes = axes.weights.len();
        let mut places = vec![0.0; n * n_axes];
        places.par_chunks_exact_mut(n_axes).enumerate().for_each(|(i, place)| {
            place.iter_mut().zip(axes.place(&row(i))).for_each(|(p, x)| *p = x);
        });
        let mut order: Vec<u32> = (0..n as u32).collect();
        split(&mut order, &places, n_axes);
        let mut leaves = Self { order, boxes: Vec::new(), places, n_axes };
        leaves.boxes = leaves.order.par_chunks(LEAF).map(|rows| leaves.bounds(rows)).collect();
        leaves
    }

    /// The rows of a leaf.
    pub fn rows(&self, leaf: usize) -> &[u32] {
        &self.order[leaf * LEAF..self.order.len().min((leaf + 1) * LEAF)]
    }

    /// The box around some rows.
    pub fn bounds(&self, rows: &[u32]) -> Bounds {
        let mut bounds = Bounds { low: [0.0; MOST_AXES], high: [0.0; MOST_AXES] };
        for (i, &row) in rows.iter().enumerate() {
            let place = &self.places[row as usize * self.n_axes..][..self.n_axes];
            for (axis, &x) in place.iter().enumerate() {
                let (low, high) = (&mut bounds.low[axis], &mut bounds.high[axis]);
                *low = if i == 0 { x } else { low.min(x) };
                *high = if i == 0 { x } else { high.max(x) };
            }
        }
        bounds
    }
}

/// Halves the rows along their longest side again and again, whole leaves to the left.
fn split(order: &mut [u32], places: &[f64], n_axes: usize) {
    let n = order.len();
    if n <= CELL {
        return;
    }
    let at = |row: u32, axis: usize| places[row as usize * n_axes + axis];
    let length = |axis: usize| {
        let ends = order.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &row| {
            let x = at(row, axis);
            (low.min(x), high.max(x))
        });
        ends.1 - ends.0
    };
    let longest = (0..n_axes).map(|axis| (length(axis), axis));
    let Some((_, axis)) = longest.reduce(|a, b| if b.0 > a.0 { b } else { a }) else {
        return;
    };
    let middle = if n > LEAF { (n / 2).next_multiple_of(LEAF) } else { n / 2 };
    order.select_nth_unstable_by(middle, |&a, &b| {
        at(a, axis).total_cmp(&at(b, axis)).then(a.cmp(&b))
    });
    let (left, right) = order.split_at_mut(middle);
    if n > PARALLEL {
        rayon::join(|| split(left, places, n_axes), || split(right, places, n_axes));
    } else {
        split(left, places, n_axes);
        split(right, places, n_axes);
    }
}

/// A box; unused axes have no length.
pub(super) struct Bounds {
    low: [f64; MOST_AXES],
    high: [f64; MOST_AXES],
}

impl Bounds {
    /// At most the squared distance between any two rows in the boxes; rounding (of values about 1, on axes that are
    /// at right angles but for their last digits) is taken off.
    pub fn squared_gap(&self, other: &Self) -> f64 {
        let mut sum = 0.0;
        for axis in 0..MOST_AXES {
            let apart = (self.low[axis] - other.high[axis]).max(other.low[axis] - self.high[axis]);
            let apart = apart.max(0.0);
            sum += apart * apart;
        }
        sum * (1.0 - 1e-9) - 1e-12
    }
}
