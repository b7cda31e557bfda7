//! Two sets of rows enter; for each query row the reference rows nearest to it leave, exactly.
//!
//! Rows that are near each other are put into leaves; a leaf whose box is farther away than what was
//! found already is passed over. In the others a register tile of packed f32 values finds candidates
//! at the speed of the multiply-add units; the candidates are measured again in f64, in one fixed
//! order of summation. Bounds on rounding and on the boxes prove that no nearer row was passed over;
//! a row for which the proof fails is scanned again in f64. So the result is the same on every
//! processor, whatever tile it used.

mod on_gpu;
mod tile;

use rayon::prelude::*;

use super::leaves::{Axes, Bounds, LEAF, Leaves};
#[cfg(test)]
pub(super) use on_gpu::NEAREST;
pub(crate) use on_gpu::nearest_rows_on;
use tile::{MOST_QUERIES, MOST_SUMS, Path};

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
    Path::fastest().run(references, queries, k, gap, skip_self)
}

impl Path {
    fn run(self, refs: Rows, queries: Rows, k: usize, gap: Gap, skip_self: bool) -> Vec<Vec<Hit>> {
        let search = Search::new(refs, queries, k, gap, skip_self);
        let frame = &search.frame;
        let axes = Axes::of(refs.len(), refs.width, |i| frame.scaled(refs.row(i)));
        let leaves = |rows: Rows| Leaves::of(rows.len(), &axes, |i| frame.scaled(rows.row(i)));
        let (near, others) = (leaves(refs), (!skip_self).then(|| leaves(queries)));
        let asked = others.as_ref().unwrap_or(&near);
        let walk = Walk { path: self, search: &search, near: &near };
        let panels = walk.pack();
        let tasks: Vec<Vec<Vec<Hit>>> = (0..asked.boxes.len())
            .into_par_iter()
            .map(|leaf| walk.task(&panels, asked, leaf))
            .collect();
        let mut hits = vec![Vec::new(); queries.len()];
        let found = tasks.into_iter().flatten();
        asked.order.iter().zip(found).for_each(|(&row, found)| hits[row as usize] = found);
        hits
    }
}

/// What is searched for.
struct Search<'a> {
    refs: Rows<'a>,
    queries: Rows<'a>,
    k: usize,
    gap: Gap,
    skip_self: bool,
    frame: Frame,
}

/// How it is searched for on the CPU.
struct Walk<'a> {
    path: Path,
    search: &'a Search<'a>,
    /// The references, sorted.
    near: &'a Leaves,
}

impl Walk<'_> {
    /// References in panels as wide as a tile, column by column; empty places are infinitely far.
    fn pack(&self) -> Vec<f32> {
        let (depth, (_, lanes)) = (self.search.depth(), self.path.shape());
        let mut panels = vec![0.0; self.search.refs.len().div_ceil(lanes) * depth * lanes];
        panels.par_chunks_exact_mut(depth * lanes).enumerate().for_each(|(p, panel)| {
            let far =
                if self.search.gap == Gap::Squared { f32::NEG_INFINITY } else { f32::INFINITY };
            panel[(depth - 1) * lanes..].fill(far);
            let end = self.search.refs.len().min((p + 1) * lanes);
            for (lane, &i) in self.near.order[p * lanes..end].iter().enumerate() {
                let mut norm = 0.0;
                for (column, x) in
                    self.search.frame.place(self.search.refs.row(i as usize)).enumerate()
                {
                    panel[column * lanes + lane] = x;
                    norm += f64::from(x) * f64::from(x);
                }
                if self.search.gap == Gap::Squared {
                    panel[(depth - 1) * lanes + lane] = (-0.5 * norm) as f32;
                }
            }
        });
        panels
    }

    /// The hits of the queries in a leaf, in the order of the leaf.
    fn task(&self, panels: &[f32], asked: &Leaves, leaf: usize) -> Vec<Vec<Hit>> {
        let (depth, (height, lanes)) = (self.search.depth(), self.path.shape());
        let rows = asked.rows(leaf);
        let mut lists: Vec<Candidates> =
            rows.iter().map(|&row| self.search.candidates(row)).collect();
        let mut groups = vec![1.0; rows.len().div_ceil(height) * depth * height];
        for (slot, &row) in rows.iter().enumerate() {
            let group = &mut groups[slot / height * depth * height..];
            for (column, x) in
                self.search.frame.place(self.search.queries.row(row as usize)).enumerate()
            {
                group[column * height + slot % height] = x;
            }
        }
        let bounds: Vec<Bounds> = rows.chunks(height).map(|rows| asked.bounds(rows)).collect();
        let leaf_gap = |box_: &Bounds| asked.boxes[leaf].squared_gap(box_);
        let mut around: Vec<(f64, usize)> =
            self.near.boxes.iter().map(leaf_gap).enumerate().map(|(l, gap)| (gap, l)).collect();
        around.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let per_leaf = LEAF / lanes * depth * lanes;
        for (gap, near) in around {
            if gap > reach(&lists) {
                // So are all that follow.
                lists.iter_mut().for_each(|list| list.pass_over(gap));
                break;
            }
            let block = &panels[near * per_leaf..panels.len().min((near + 1) * per_leaf)];
            let queries = groups.chunks_exact(depth * height).zip(lists.chunks_mut(height));
            for ((query, lists), bounds) in queries.zip(&bounds) {
                let gap = bounds.squared_gap(&self.near.boxes[near]);
                if gap > reach(lists) {
                    lists.iter_mut().for_each(|list| list.pass_over(gap));
                } else {
                    self.scan(query, block, lists, near * LEAF);
                }
            }
        }
        lists.iter().map(|list| self.search.finish(list)).collect()
    }

    /// Offers one leaf, whose first place in the order is `first`, to one group of queries.
    fn scan(&self, query: &[f32], panels: &[f32], lists: &mut [Candidates], first: usize) {
        let (height, lanes) = self.path.shape();
        let panel_len = self.search.depth() * lanes;
        let mut sums = [0.0; MOST_SUMS];
        let mut bars = [f32::INFINITY; MOST_QUERIES];
        bars.iter_mut().zip(lists.iter()).for_each(|(bar, list)| *bar = list.bar);
        let mut next = 0;
        while let Some(skipped) = self.path.skim(
            self.search.gap,
            query,
            &panels[next * panel_len..],
            &bars[..height],
            &mut sums,
        ) {
            let base = first + (next + skipped) * lanes;
            for (q, list) in lists.iter_mut().enumerate() {
                let sums = &sums[q * lanes..(q + 1) * lanes];
                if sums.iter().all(|sum| *sum <= list.bar) {
                    continue;
                }
                for (place, &sum) in (base..).zip(sums) {
                    if sum > list.bar {
                        let row = self.near.order[place];
                        if !(self.search.skip_self && row == list.query) {
                            list.push(sum, row);
                        }
                    }
                }
                bars[q] = list.bar;
            }
            next += skipped + 1;
        }
    }
}

impl<'a> Search<'a> {
    fn new(refs: Rows<'a>, queries: Rows<'a>, k: usize, gap: Gap, skip_self: bool) -> Self {
        Self { refs, queries, k, gap, skip_self, frame: Frame::of(refs, queries) }
    }

    /// Columns of a panel. Squared gaps have one more, minus half the squared norm: with a query
    /// column of ones the tile's sums become x.y - |y|^2 / 2, largest where the gap is smallest.
    fn depth(&self) -> usize {
        self.refs.width + usize::from(self.gap == Gap::Squared)
    }

    /// An empty list for a query. A few more than `k` are kept, so that rounding rarely leaves a doubt.
    fn candidates(&self, query: u32) -> Candidates {
        let place = self.frame.place(self.queries.row(query as usize)).map(f64::from);
        Candidates {
            query,
            keep: self.k + self.k / 4 + 4,
            bar: f32::NEG_INFINITY,
            unseen: f64::INFINITY,
            list: Vec::new(),
            gap: self.gap,
            norm: place.map(|x| x * x).sum(),
        }
    }

    /// Measures the candidates, and scans again where rounding may have hidden a nearer row.
    fn finish(&self, candidates: &Candidates) -> Vec<Hit> {
        let (i, k) = (candidates.query as usize, self.k);
        let query = self.queries.row(i);
        let measure =
            |&(_, j): &(f32, u32)| (self.gap.between(query, self.refs.row(j as usize)), j);
        let mut hits: Vec<Hit> = candidates.list.iter().map(measure).collect();
        sort_hits(&mut hits);
        hits.truncate(k);
        if hits.len() == k && self.is_proven(candidates, hits[k - 1].0, query) {
            return hits;
        }
        rescan(self.refs, query, k, self.gap, self.skip_self.then_some(i))
    }

    /// Whether every row that was passed over is farther than `kth`, the gap of the k-th hit.
    ///
    /// Standard bounds on rounded sums (Higham 2002, section 3.1), in the frame's scale: a row y
    /// within `kth` of the query x has |y| <= |x| + root of kth, which bounds the error of its sum.
    fn is_proven(&self, candidates: &Candidates, kth: f64, query: &[f64]) -> bool {
        let (bar, scale) = (candidates.bar, self.frame.scale);
        let squared = match self.gap {
            Gap::Squared => kth * scale * scale,
            // Absolute differences add up to at least the straight line.
            Gap::Absolute => (kth * scale) * (kth * scale),
        };
        if candidates.unseen <= squared {
            return false;
        }
        if bar == f32::NEG_INFINITY {
            return true;
        }
        let unit = f64::from(f32::EPSILON) / 2.0;
        let width = query.len() as f64;
        let placed = self.frame.place(query).map(f64::from);
        match self.gap {
            Gap::Squared => {
                let kth = kth * self.frame.scale * self.frame.scale;
                let norm: f64 = placed.map(|x| x * x).sum();
                let reach = norm.sqrt() + kth.sqrt();
                let doubt = unit * (2.0 * width + 16.0) * reach * (norm.sqrt() + reach) + 1e-36;
                norm - 2.0 * f64::from(bar) > kth + doubt
            }
            Gap::Absolute => {
                let kth = kth * self.frame.scale;
                let norm: f64 = placed.map(f64::abs).sum();
                let doubt = unit * (width + 8.0) * (2.0 * norm + kth) + 1e-36;
                -f64::from(bar) > kth + doubt
            }
        }
    }
}

/// Values are centred and scaled to at most 1, so that f32 neither cancels nor overflows.
pub(super) struct Frame {
    centre: Vec<f64>,
    scale: f64,
}

impl Frame {
    pub(super) fn of(references: Rows, queries: Rows) -> Self {
        let mut centre = vec![0.0; references.width];
        for row in references.values.chunks_exact(references.width) {
            centre.iter_mut().zip(row).for_each(|(c, x)| *c += x);
        }
        let n = references.len().max(1) as f64;
        for c in &mut centre {
            *c /= n;
        }
        let largest = [references, queries]
            .iter()
            .flat_map(|rows| rows.values.chunks_exact(rows.width))
            .flat_map(|row| row.iter().zip(&centre).map(|(x, c)| (x - c).abs()))
            .fold(0.0, f64::max);
        let scale = if largest > 0.0 && largest.is_finite() { 1.0 / largest } else { 1.0 };
        Self { centre, scale }
    }

    fn scaled(&self, row: &[f64]) -> Vec<f64> {
        row.iter().zip(&self.centre).map(|(x, c)| (x - c) * self.scale).collect()
    }

    pub(super) fn place(&self, row: &[f64]) -> impl Iterator<Item = f32> {
        row.iter().zip(&self.centre).map(|(x, c)| ((x - c) * self.scale) as f32)
    }
}

/// The best candidates of one query so far, unordered; the larger the sum, the nearer.
struct Candidates {
    query: u32,
    keep: usize,
    /// Everything that was scanned and passed over has a sum of at most this.
    bar: f32,
    /// Everything that was not scanned is at least this far, squared.
    unseen: f64,
    list: Vec<(f32, u32)>,
    gap: Gap,
    norm: f64,
}

impl Candidates {
    /// About the squared distance that a row must be within to be worth a look.
    fn reach(&self) -> f64 {
        let bar = f64::from(self.bar);
        match self.gap {
            Gap::Squared => self.norm - 2.0 * bar,
            Gap::Absolute => bar * bar,
        }
    }

    fn pass_over(&mut self, squared_gap: f64) {
        self.unseen = self.unseen.min(squared_gap);
    }

    fn push(&mut self, sum: f32, index: u32) {
        self.list.push((sum, index));
        if self.list.len() == 2 * self.keep {
            self.list.select_nth_unstable_by(self.keep, |a, b| b.0.total_cmp(&a.0));
            self.bar = self.list[self.keep].0;
            self.list.truncate(self.keep);
        }
    }
}

/// The farthest reach of some queries.
fn reach(lists: &[Candidates]) -> f64 {
    lists.iter().map(Candidates::reach).fold(0.0, f64::max)
}

fn sort_hits(hits: &mut [Hit]) {
    hits.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
}

/// The definition itself: every reference measured in f64.
fn rescan(references: Rows, query: &[f64], k: usize, gap: Gap, me: Option<usize>) -> Vec<Hit> {
    let mut hits: Vec<Hit> = Vec::with_capacity(2 * k);
    let mut bar = f64::INFINITY;
    for j in (0..references.len()).filter(|&j| Some(j) != me) {
        let distance = gap.between(query, references.row(j));
        // Rows come in ascending order, so a later row that ties with the bar has no claim.
        if distance < bar || hits.len() < k {
            hits.push((distance, j as u32));
            if hits.len() == 2 * k {
                sort_hits(&mut hits);
                hits.truncate(k);
                bar = hits[k - 1].0;
            }
        }
    }
    sort_hits(&mut hits);
    hits.truncate(k);
    hits
}

#[cfg(test)]
mod tests;
