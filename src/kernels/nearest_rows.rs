//! Two sets of rows enter; for each query row the reference rows nearest to it leave, exactly.
//!
//! The references stand in a tree of boxes ([`super::leaves`]), turned so that the first columns tell most. A box is
//! passed over for every query that has found nearer rows; where queries come near a leaf, a register tile of packed
//! f32 values finds candidates at the speed of the multiply-add units. The candidates are measured in f64, in one fixed
//! order of summation. How much rounding can hide is bounded, and so much farther reaches every bar: no row among the
//! nearest is passed over, and the result is the same on every processor, whatever tile it used.

mod frame;
mod nearest;
mod on_gpu;
mod tile;
mod walk;

use rayon::prelude::*;

use super::leaves::Leaves;
pub(super) use frame::Centred;
use frame::Frame;
#[cfg(test)]
pub(super) use on_gpu::NEAREST;
pub(crate) use on_gpu::nearest_rows_on;
use tile::Path;
use walk::Walk;

/// What is small between near rows. Both are sums over the columns; roots are taken by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gap {
    /// The sum of squared differences.
    Squared,
    /// The sum of absolute differences.
    Absolute,
}

impl Gap {
    /// The definition: differences in f64, summed in column order.
    #[inline]
    pub(crate) fn between(self, a: &[f64], b: &[f64]) -> f64 {
        let pairs = a.iter().zip(b);
        match self {
            Self::Squared => pairs.fold(0.0, |sum, (a, b)| sum + (a - b) * (a - b)),
            Self::Absolute => pairs.fold(0.0, |sum, (a, b)| sum + (a - b).abs()),
        }
    }

    /// Where the sums of a reference begin, to be larger where the gap is smaller: `x.y - |y|^2 / 2` for squared gaps,
    /// minus the absolute differences for the others.
    pub(super) fn start(self, place: &[f32]) -> f32 {
        let square: f64 = place.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        if self == Self::Squared { (-0.5 * square) as f32 } else { 0.0 }
    }
}

/// Rows of equal width, one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub values: &'a [f64],
    pub width: usize,
}

impl<'a> Rows<'a> {
    pub(crate) fn len(self) -> usize {
        self.values.len() / self.width
    }

    #[inline]
    pub(crate) fn row(self, i: usize) -> &'a [f64] {
        &self.values[i * self.width..(i + 1) * self.width]
    }
}

/// A reference row and its gap to the query.
pub(crate) type Hit = (f64, u32);

/// The `k` references nearest to each query, ascending by gap, ties to the smaller index.
///
/// With `skip_self` the queries are the references, and a row is not its own neighbour.
/// `k` must not exceed the number of references there are to choose from.
pub(crate) fn nearest_rows(
    references: Rows,
    queries: Rows,
    k: usize,
    gap: Gap,
    skip_self: bool,
) -> Vec<Vec<Hit>> {
    Search { refs: references, queries, k, gap, skip_self }.run(Path::fastest())
}

/// What is searched for.
#[derive(Debug, Clone, Copy)]
struct Search<'a> {
    refs: Rows<'a>,
    queries: Rows<'a>,
    k: usize,
    gap: Gap,
    skip_self: bool,
}

impl Search<'_> {
    fn run(&self, path: Path) -> Vec<Vec<Hit>> {
        let Some(frame) = Frame::of(self) else {
            return self.scan_all();
        };
        let leaves = |rows: Rows| Leaves::of(frame.places(rows), rows.width, self.gap);
        let near = leaves(self.refs);
        let others = (!self.skip_self).then(|| leaves(self.queries));
        let asked = others.as_ref().unwrap_or(&near);
        let found = Walk { search: self, near: &near, path }.run(asked);
        let mut hits = vec![Vec::new(); self.queries.len()];
        asked.order.iter().zip(found).for_each(|(&row, found)| hits[row as usize] = found);
        hits
    }

    fn scan_all(&self) -> Vec<Vec<Hit>> {
        (0..self.queries.len()).into_par_iter().map(|query| self.scan(query)).collect()
    }

    /// The definition itself: every reference measured in f64.
    fn scan(&self, query: usize) -> Vec<Hit> {
        let mut hits: Vec<Hit> = Vec::with_capacity(2 * self.k);
        let mut bar = f64::INFINITY;
        for j in (0..self.refs.len()).filter(|&j| !(self.skip_self && j == query)) {
            let gap = self.gap.between(self.queries.row(query), self.refs.row(j));
            // Rows come in ascending order, so a later row that ties with the bar has no claim.
            if gap < bar || hits.len() < self.k {
                hits.push((gap, j as u32));
                if hits.len() == 2 * self.k {
                    keep_nearest(&mut hits, self.k);
                    bar = hits[self.k - 1].0;
                }
            }
        }
        keep_nearest(&mut hits, self.k);
        hits
    }
}

fn keep_nearest(hits: &mut Vec<Hit>, k: usize) {
    hits.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    hits.truncate(k);
}

#[cfg(test)]
mod tests;
