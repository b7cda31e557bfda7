//! Rows enter; a tree of boxes leaves, in which rows that are near each other stand together.
//!
//! Every node has [`LANES`] children, and a leaf has as many rows, so that one step of a vector looks at all of them.

use rayon::prelude::*;

use super::nearest_rows::Gap;

/// Rows of a leaf and children of a node.
pub(super) const LANES: usize = 16;
/// Columns on which boxes are drawn, at most: of the first and most telling.
const MOST_AXES: usize = 12;
/// Below this many rows a split is not worth another thread.
const PARALLEL: usize = 1 << 13;

/// One value of each row of a leaf or of each child of a node, as vectors want it.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Lanes(pub [f32; LANES]);

/// An order of rows, leaf by leaf, and the boxes around runs of it.
pub(super) struct Leaves {
    /// Positions of the rows, ascending in each leaf.
    pub order: Vec<u32>,
    /// The rows in this order, one after the other.
    pub places: Vec<f32>,
    pub width: usize,
    n_axes: usize,
    panels: Vec<Lanes>,
    /// Of the nodes above the leaves, then of those above these, ..., last of the root.
    boxes: Vec<Vec<Lanes>>,
}

impl Leaves {
    /// Sorts rows of `width` values, those first that vary most, given one after the other.
    pub fn of(places: Vec<f32>, width: usize, gap: Gap) -> Self {
        let n_axes = width.min(MOST_AXES);
        let mut order: Vec<u32> = (0..(places.len() / width) as u32).collect();
        split(&mut order, &places, width, n_axes);
        let mut sorted = vec![0.0; places.len()];
        sorted.par_chunks_exact_mut(width).zip(&order).for_each(|(to, &row)| {
            to.copy_from_slice(&places[row as usize * width..][..width]);
        });
        let panels = pack(&sorted, width, gap);
        let mut leaves = Self { order, places: sorted, width, n_axes, panels, boxes: Vec::new() };
        leaves.draw_boxes();
        leaves
    }

    /// How many nodes there are above a leaf.
    pub fn n_levels(&self) -> usize {
        self.boxes.len()
    }

    /// The rows of a leaf, ascending.
    pub fn rows(&self, leaf: usize) -> &[u32] {
        &self.order[leaf * LANES..self.order.len().min((leaf + 1) * LANES)]
    }

    /// The rows of a leaf, column by column, after the values at which their sums start; empty places start infinitely
    /// far away.
    pub fn panel(&self, leaf: usize) -> &[Lanes] {
        &self.panels[leaf * (self.width + 1)..(leaf + 1) * (self.width + 1)]
    }

    /// The boxes around the children of a node, `level` above the leaves: low ends, then high ends, axis by axis.
    /// Empty ones are infinitely far away.
    pub fn boxes(&self, level: usize, node: usize) -> &[Lanes] {
        &self.boxes[level - 1][node * 2 * self.n_axes..(node + 1) * 2 * self.n_axes]
    }

    fn draw_boxes(&mut self) {
        let (n_axes, width) = (self.n_axes, self.width);
        let ends = |rows: &[f32], axis: usize| {
            let column = rows.iter().skip(axis).step_by(width);
            column.fold(NOTHING, |(low, high), &x| (low.min(x), high.max(x)))
        };
        // Ends of every box of a level, axis by axis.
        let mut bounds: Vec<(f32, f32)> = self
            .places
            .par_chunks(width * LANES)
            .flat_map_iter(|rows| (0..n_axes).map(move |axis| ends(rows, axis)))
            .collect();
        while self.boxes.is_empty() || bounds.len() > n_axes {
            let n_nodes = bounds.len().div_ceil(n_axes * LANES);
            let mut boxes = vec![Lanes([f32::INFINITY; LANES]); n_nodes * 2 * n_axes];
            let mut around = vec![NOTHING; n_nodes * n_axes];
            for (i, &(low, high)) in bounds.iter().enumerate() {
                let (child, axis) = (i / n_axes, i % n_axes);
                let (node, lane) = (child / LANES, child % LANES);
                let at = 2 * (node * n_axes + axis);
                (boxes[at].0[lane], boxes[at + 1].0[lane]) = (low, high);
                let whole = &mut around[node * n_axes + axis];
                *whole = (whole.0.min(low), whole.1.max(high));
            }
            self.boxes.push(boxes);
            bounds = around;
        }
    }
}

/// The ends of a box around no row.
const NOTHING: (f32, f32) = (f32::INFINITY, f32::NEG_INFINITY);

fn pack(places: &[f32], width: usize, gap: Gap) -> Vec<Lanes> {
    let n_leaves = places.len().div_ceil(width * LANES);
    let mut panels = vec![Lanes([0.0; LANES]); n_leaves * (width + 1)];
    let leaves = panels.par_chunks_exact_mut(width + 1).zip(places.par_chunks(width * LANES));
    leaves.for_each(|(panel, rows)| {
        panel[0].0.fill(f32::NEG_INFINITY);
        for (lane, row) in rows.chunks_exact(width).enumerate() {
            panel[0].0[lane] = gap.start(row);
            row.iter().zip(&mut panel[1..]).for_each(|(x, column)| column.0[lane] = *x);
        }
    });
    panels
}

/// Halves the rows where they vary most, again and again, into whole nodes.
fn split(order: &mut [u32], places: &[f32], width: usize, n_axes: usize) {
    let n = order.len();
    if n <= LANES {
        return order.sort_unstable();
    }
    let place = |row: u32| &places[row as usize * width..][..n_axes];
    // About the first row, so that sums of squares do not cancel.
    let (origin, mut sums) = (place(order[0]), [(0.0, 0.0); MOST_AXES]);
    for &row in order.iter() {
        for ((sum, x), origin) in sums.iter_mut().zip(place(row)).zip(origin) {
            let x = x - origin;
            *sum = (sum.0 + x, sum.1 + x * x);
        }
    }
    let spread = |axis: usize| sums[axis].1 - sums[axis].0 * sums[axis].0 / n as f32;
    let axis = (0..n_axes).fold(0, |a, b| if spread(b) > spread(a) { b } else { a });
    let mut node = LANES;
    while node * LANES < n {
        node *= LANES;
    }
    let middle = n.div_ceil(node) / 2 * node;
    order.select_nth_unstable_by(middle, |&a, &b| {
        place(a)[axis].total_cmp(&place(b)[axis]).then(a.cmp(&b))
    });
    let (left, right) = order.split_at_mut(middle);
    if n > PARALLEL {
        rayon::join(|| split(left, places, width, n_axes), || split(right, places, width, n_axes));
    } else {
        split(left, places, width, n_axes);
        split(right, places, width, n_axes);
    }
}
