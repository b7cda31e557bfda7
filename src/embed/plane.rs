//! Points of a map enter; the nearest others of each leave, exactly, without comparing all with all.

use std::ops::Range;

use ndarray::{Array2, ArrayView1, ArrayView2};
use rayon::prelude::*;

/// Points that are compared one by one.
const LEAF: usize = 12;
/// Queries per task; queries of a task lie side by side on the map.
const TASK: usize = 256;

/// A map has at most so many columns.
pub(crate) const MOST_AXES: usize = 64;

/// For each row of `points`, the `k` nearest other rows, in no particular order; the smaller index among equally
/// near ones. Shape `(n_rows, k)`, k at most n - 1. Meant for maps, of at most [`MOST_AXES`] columns.
pub(crate) fn nearest_on_map(points: ArrayView2<'_, f64>, k: usize) -> Array2<u32> {
    // Columns are filled up with zeros to the next width that is compiled, which changes no distance.
    match points.ncols() {
        ..=2 => nearest_in::<2>(points, k),
        3..=4 => nearest_in::<4>(points, k),
        5..=16 => nearest_in::<16>(points, k),
        _ => nearest_in::<MOST_AXES>(points, k),
    }
}

fn nearest_in<const D: usize>(points: ArrayView2<'_, f64>, k: usize) -> Array2<u32> {
    let n = points.nrows();
    let k = k.min(n.saturating_sub(1));
    let tree = Tree::<D>::new(points);
    let found: Vec<Vec<u32>> = (0..n.div_ceil(TASK))
        .into_par_iter()
        .map(|task| {
            let mut nearest = Vec::with_capacity(TASK * k);
            for query in task * TASK..n.min((task + 1) * TASK) {
                let mut near = Nearest::to(query, k);
                tree.search(1, 0..n, &mut near);
                nearest.extend(near.finish().map(|(_, i)| i));
            }
            nearest
        })
        .collect();
    let mut nearest = Array2::zeros((n, k));
    let rows = found.iter().flat_map(|task| task.chunks_exact(k.max(1)));
    for (&i, row) in tree.order.iter().zip(rows) {
        nearest.row_mut(i as usize).iter_mut().zip(row).for_each(|(slot, &j)| *slot = j);
    }
    nearest
}

/// Halves, quarters, ... of the points, apart along the column in which they spread most.
struct Tree<const D: usize> {
    /// The points in the order of the leaves, and the rows they come from.
    points: Vec<[f64; D]>,
    order: Vec<u32>,
    /// Lowest and highest corner of every part; those of part i are parts 2 i and 2 i + 1.
    boxes: Vec<[[f64; D]; 2]>,
}

impl<const D: usize> Tree<D> {
    fn new(points: ArrayView2<'_, f64>) -> Self {
        let filled = |row: ArrayView1<'_, f64>| {
            let mut point = [0.0; D];
            point.iter_mut().zip(row).for_each(|(x, &value)| *x = value);
            point
        };
        let points: Vec<[f64; D]> = points.outer_iter().map(filled).collect();
        let mut order: Vec<u32> = (0..points.len() as u32).collect();
        let mut boxes = Vec::new();
        split(&points, &mut order, 1, &mut boxes);
        let points = order.iter().map(|&i| points[i as usize]).collect();
        Self { points, order, boxes }
    }

    fn search(&self, part: usize, range: Range<usize>, near: &mut Nearest) {
        let query = &self.points[near.query];
        if range.len() <= LEAF {
            let own = near.query;
            for place in range.filter(|&place| place != own) {
                let gaps = self.points[place].iter().zip(query).map(|(a, b)| (a - b) * (a - b));
                near.offer((gaps.sum::<f64>().to_bits(), self.order[place]));
            }
            return;
        }
        let middle = range.start + range.len() / 2;
        let halves = [(2 * part, range.start..middle), (2 * part + 1, middle..range.end)];
        let gap = halves.each_ref().map(|half| self.gap(half.0, query));
        let nearer = usize::from(gap[1] < gap[0]);
        for half in [nearer, 1 - nearer] {
            if near.may_gain(gap[half]) {
                let (part, range) = halves[half].clone();
                self.search(part, range, near);
            }
        }
    }

    /// Squared distance of a point to a part's box.
    fn gap(&self, part: usize, point: &[f64; D]) -> f64 {
        let [low, high] = &self.boxes[part];
        let corners = point.iter().zip(low.iter().zip(high));
        let outside = corners.map(|(x, (low, high))| x - x.max(*low).min(*high));
        outside.map(|gap| gap * gap).sum()
    }
}

fn split<const D: usize>(
    points: &[[f64; D]],
    order: &mut [u32],
    part: usize,
    boxes: &mut Vec<[[f64; D]; 2]>,
) {
    let (mut low, mut high) = ([f64::INFINITY; D], [f64::NEG_INFINITY; D]);
    for &i in order.iter() {
        for (d, &value) in points[i as usize].iter().enumerate() {
            low[d] = low[d].min(value);
            high[d] = high[d].max(value);
        }
    }
    let spread = |d: usize| high[d] - low[d];
    let widest = (1..D).fold(0, |w, d| if spread(d) > spread(w) { d } else { w });
    if boxes.len() <= part {
        boxes.resize(part + 1, [[0.0; D]; 2]);
    }
    boxes[part] = [low, high];
    if order.len() > LEAF {
        let middle = order.len() / 2;
        let value = |i: &u32| points[*i as usize][widest];
        order.select_nth_unstable_by(middle, |a, b| value(a).total_cmp(&value(b)).then(a.cmp(b)));
        let (left, right) = order.split_at_mut(middle);
        split(points, left, 2 * part, boxes);
        split(points, right, 2 * part + 1, boxes);
    }
}

/// A point that may be among the nearest: the bits of its squared distance, which sort as it does, and its row.
type Candidate = (u64, u32);

/// The best so far, and some more: they are sorted out when there are half as many again as are wanted, which takes
/// less time than keeping them in order.
struct Nearest {
    k: usize,
    query: usize,
    found: Vec<Candidate>,
    /// No candidate beyond it is among the nearest.
    bar: Candidate,
    /// So many are sorted out.
    most: usize,
}

impl Nearest {
    fn to(query: usize, k: usize) -> Self {
        let found = Vec::with_capacity(k + k / 2 + 1);
        Self { k, query, found, bar: (u64::MAX, u32::MAX), most: k }
    }

    fn offer(&mut self, candidate: Candidate) {
        if candidate < self.bar {
            self.found.push(candidate);
            if self.found.len() == self.most {
                self.sort_out();
                self.most = self.k + self.k / 2 + 1;
            }
        }
    }

    fn sort_out(&mut self) {
        if let Some(last) = self.k.min(self.found.len()).checked_sub(1) {
            self.bar = *self.found.select_nth_unstable(last).1;
            self.found.truncate(self.k);
        }
    }

    /// Whether points this far away (squared) could be among the nearest.
    fn may_gain(&self, gap: f64) -> bool {
        gap.to_bits() <= self.bar.0
    }

    fn finish(mut self) -> impl Iterator<Item = Candidate> {
        self.sort_out();
        self.found.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    #[test]
    fn finds_what_sorting_all_distances_finds_ties_included() {
        let mut stream = Seed::new(6).stream("plane", 0);
        // A coarse grid has many equal distances and equal points.
        for (width, k) in [(2, 1), (2, 7), (2, 40), (1, 7), (3, 7), (9, 7), (17, 7)] {
            let map =
                Array2::from_shape_simple_fn((700, width), || (stream.normal() * 6.0).round());
            let found = nearest_on_map(map.view(), k);
            for i in 0..700 {
                let distance = |j: usize| {
                    map.row(i).iter().zip(map.row(j)).map(|(a, b)| (a - b) * (a - b)).sum::<f64>()
                };
                let mut all: Vec<usize> = (0..700).filter(|&j| j != i).collect();
                all.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)).then(a.cmp(&b)));
                all.truncate(k);
                all.sort_unstable();
                let mut row: Vec<usize> = found.row(i).iter().map(|&j| j as usize).collect();
                row.sort_unstable();
                assert_eq!(row, all, "row {i}, k {k}");
            }
        }
        assert_eq!(nearest_on_map(Array2::zeros((1, 2)).view(), 3).dim(), (1, 0));
    }
}
