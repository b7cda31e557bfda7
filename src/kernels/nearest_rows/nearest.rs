//! Rounded sums of a query enter; the rows that may be its nearest are kept, and at the end measured.
//!
//! # Why none is missed
//! A sum is at most `g` off, relative to what is summed up (Higham 2002, section 3.1, with room to spare), and a place
//! in the frame at most [`PLACE`], relative to its norm. From the k-th best sum follows how far the k-th nearest row
//! can be at most; from that, how small the sum of a row can be that is as near: the bar. A row below it has k nearer
//! rows. The gap of a box is rounded like that of a row in it, so the same holds of boxes beyond the reach.

use super::tile::fetch;
use super::{Gap, Hit, Search, keep_nearest};

/// More than the relative error of a place in the frame.
const PLACE: f64 = f32::EPSILON as f64;
/// What underflow may take, and more.
const TINY: f64 = 1e-30;
/// Candidates that are kept for every row that is wanted.
const ROOM: usize = 4;

/// The best candidates of one query so far. Sums are larger where rows are nearer: `x.y - |y|^2 / 2`, or minus the
/// absolute differences.
pub(super) struct Nearest {
    pub row: u32,
    /// No row with a smaller sum is among the nearest.
    pub bar: f32,
    /// Nor is one with a larger gap in the frame.
    pub reach: f32,
    /// Nor is one with this position or a larger one: as many others have no gap at all.
    pub end: u32,
    gap: Gap,
    k: usize,
    /// Of the query: Euclidean for squared gaps.
    norm: f64,
    g: f64,
    /// The k largest sums, descending; minus infinity where there are fewer.
    best: Vec<f32>,
    candidates: Vec<(f32, u32)>,
    /// Those that were measured.
    hits: Vec<Hit>,
}

impl Nearest {
    /// Nothing yet for the query `row`, which stands at `place`.
    pub fn new(search: &Search, row: u32, place: &[f32]) -> Self {
        let absolute = place.iter().map(|x| f64::from(x.abs()));
        let norm = match search.gap {
            Gap::Squared => absolute.map(|x| x * x).sum::<f64>().sqrt(),
            Gap::Absolute => absolute.sum(),
        };
        Self {
            row,
            bar: f32::MIN,
            reach: f32::MAX,
            end: u32::MAX,
            gap: search.gap,
            k: search.k,
            norm,
            g: 0.6 * f64::from(f32::EPSILON) * (place.len() as f64 + 8.0),
            best: vec![f32::NEG_INFINITY; search.k],
            candidates: Vec::with_capacity(ROOM * search.k),
            hits: Vec::new(),
        }
    }

    #[inline]
    pub fn offer(&mut self, search: &Search, sum: f32, row: u32) {
        if sum < self.bar || row >= self.end || (search.skip_self && row == self.row) {
            return;
        }
        if self.candidates.len() == ROOM * self.k {
            self.candidates.retain(|&(sum, _)| sum >= self.bar);
            if self.candidates.len() > ROOM / 2 * self.k {
                self.measure(search);
            }
        }
        self.candidates.push((sum, row));
        if sum > self.best[self.k - 1] {
            let mut above = f32::INFINITY;
            for best in &mut self.best {
                // Without a branch, so that a vector does many places at once.
                let lower = if above < sum { above } else { sum };
                above = *best;
                *best = if above > lower { above } else { lower };
            }
            self.tighten(self.best[self.k - 1]);
        }
    }

    /// Draws bar and reach for the k-th best `sum`, once there are as many.
    fn tighten(&mut self, sum: f32) {
        if sum == f32::NEG_INFINITY {
            return;
        }
        let (sum, norm, g) = (f64::from(sum), self.norm, self.g);
        // From the frame to the rows or back: |y| <= |x| + reach.
        let wider = |reach: f64| reach * (1.0 + g) + PLACE * (2.0 * norm + reach) + TINY;
        let (bar, reach) = match self.gap {
            Gap::Squared => {
                // A sum is off by g m (|x| + m) at most for m = |x| + d at distance d, and twice that is less than
                // g (7 |x|^2 + 5 d^2).
                let square = norm * norm;
                let off = 7.0 * g * square + TINY;
                let kth = ((square - 2.0 * sum).max(0.0) + off) * (1.0 + 6.0 * g);
                let reach = wider(wider(kth.sqrt())).powi(2);
                (0.5 * (square - reach * (1.0 + 5.0 * g) - off), reach * (1.0 + g))
            }
            Gap::Absolute => {
                let reach = wider(wider(-sum * (1.0 + g))) * (1.0 + g);
                (-reach, reach)
            }
        };
        (self.bar, self.reach) = ((bar as f32).next_down(), (reach as f32).next_up());
    }

    /// The nearest of all that were offered.
    pub fn finish(mut self, search: &Search) -> Vec<Hit> {
        self.measure(search);
        self.hits
    }

    fn measure(&mut self, search: &Search) {
        let query = search.queries.row(self.row as usize);
        self.candidates.retain(|&(sum, row)| sum >= self.bar && row < self.end);
        let rows = self.candidates.iter().map(|&(_, row)| (row, search.refs.row(row as usize)));
        rows.clone().for_each(|(_, values)| fetch(values));
        self.hits.extend(rows.map(|(row, values)| (search.gap.between(query, values), row)));
        self.candidates.clear();
        keep_nearest(&mut self.hits, self.k);
        if let Some(&(0.0, last)) = self.hits.get(self.k - 1) {
            self.end = last;
        }
    }
}
