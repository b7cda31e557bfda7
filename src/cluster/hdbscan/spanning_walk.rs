//! Rows and their core distances in; the rows in the order in which a minimum spanning tree reaches them, out.

use rayon::prelude::*;

use crate::kernels::nearest_rows::Rows;

/// Rows measured at a time: their numbers lie column by column.
const LANES: usize = 8;
/// Tiles of one task; fewer are not worth waking a thread for.
const TASK_TILES: usize = 256;

/// The walk of Prim's algorithm. Two rows are connected at the largest reach that lies between them in the order, so
/// that order and reaches say all that a single-linkage tree says.
pub(super) struct Walk {
    /// All rows, the first of the table first.
    pub order: Vec<u32>,
    /// For each place in the order the distance at which the rows before it reach it; infinite for the first.
    pub reach: Vec<f64>,
}

/// Reaches the nearest row again and again; `core` are squared distances. Nothing where a distance overflows.
pub(super) fn walk(rows: Rows, core: &[f64]) -> Option<Walk> {
    // On a thread of the pool every step is cheaper than from outside.
    rayon::scope(|_| steps(rows, core))
}

fn steps(rows: Rows, core: &[f64]) -> Option<Walk> {
    let mut left = Left::all_but_first(rows, core);
    let (mut order, mut reach) = (vec![0], vec![f64::INFINITY]);
    while !left.rows.is_empty() {
        let last = order[order.len() - 1] as usize;
        let (gap, place) = left.approach(rows.row(last), core[last]);
        if gap == f64::INFINITY {
            return None;
        }
        order.push(left.take(place));
        reach.push(gap.sqrt());
    }
    Some(Walk { order, reach })
}

/// The rows that are not reached yet, in tiles of [`LANES`].
struct Left {
    width: usize,
    rows: Vec<u32>,
    tiles: Vec<Tile>,
    /// Numbers of the rows, tile by tile, column by column.
    values: Vec<f64>,
}

/// What is known of the rows of a tile, in squared distances; infinite in empty places.
#[derive(Clone, Copy)]
struct Tile {
    core: [f64; LANES],
    /// The least reach from any row that was reached.
    reach: [f64; LANES],
}

const EMPTY: Tile = Tile { core: [f64::INFINITY; LANES], reach: [f64::INFINITY; LANES] };

impl Left {
    fn all_but_first(rows: Rows, core: &[f64]) -> Self {
        let (n, width) = (rows.len() - 1, rows.width);
        let n_tiles = n.div_ceil(LANES);
        let mut left = Self {
            width,
            rows: (1..=n as u32).collect(),
            tiles: vec![EMPTY; n_tiles],
            values: vec![0.0; n_tiles * width * LANES],
        };
        for place in 0..n {
            left.tiles[place / LANES].core[place % LANES] = core[place + 1];
            for (column, &value) in rows.row(place + 1).iter().enumerate() {
                *left.value(place, column) = value;
            }
        }
        left
    }

    fn value(&mut self, place: usize, column: usize) -> &mut f64 {
        &mut self.values[(place / LANES * self.width + column) * LANES + place % LANES]
    }

    /// Takes a new row into account; the least reach of all rows that are left, and the first place that has it.
    fn approach(&mut self, from: &[f64], core: f64) -> (f64, usize) {
        let per_task = TASK_TILES * self.width * LANES;
        let tasks = self.tiles.par_chunks_mut(TASK_TILES).zip(self.values.par_chunks(per_task));
        let first = |task: usize, (reach, place)| (reach, task * TASK_TILES * LANES + place);
        let nearest = tasks
            .enumerate()
            .map(|(task, (tiles, values))| first(task, approach(tiles, values, from, core)));
        let sooner = |a: (f64, usize), b: (f64, usize)| if b < a { b } else { a };
        nearest.reduce(|| (f64::INFINITY, usize::MAX), sooner)
    }

    /// Removes a row: the last one takes its place.
    fn take(&mut self, place: usize) -> u32 {
        let last = self.rows.len() - 1;
        for column in 0..self.width {
            *self.value(place, column) = *self.value(last, column);
        }
        let (to, from) = (place % LANES, last % LANES);
        let moved = self.tiles[last / LANES];
        let tile = &mut self.tiles[place / LANES];
        (tile.core[to], tile.reach[to]) = (moved.core[from], moved.reach[from]);
        let tile = &mut self.tiles[last / LANES];
        (tile.core[from], tile.reach[from]) = (f64::INFINITY, f64::INFINITY);
        self.tiles.truncate(last.div_ceil(LANES));
        self.values.truncate(last.div_ceil(LANES) * self.width * LANES);
        self.rows.swap_remove(place)
    }
}

fn approach(tiles: &mut [Tile], values: &[f64], from: &[f64], core: f64) -> (f64, usize) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "the same Rust code compiled for wider vectors")]
        // SAFETY: the processor has AVX2, checked on the line above.
        return unsafe { approach_avx2(tiles, values, from, core) };
    }
    approach_plain(tiles, values, from, core)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn approach_avx2(tiles: &mut [Tile], values: &[f64], from: &[f64], core: f64) -> (f64, usize) {
    approach_plain(tiles, values, from, core)
}

/// The sums of squares have the bits of the core distances: the same differences in the same order, never fused.
#[expect(clippy::inline_always, reason = "compiled twice, for two widths of vectors")]
#[inline(always)]
fn approach_plain(tiles: &mut [Tile], values: &[f64], from: &[f64], core: f64) -> (f64, usize) {
    let larger = |a: f64, b: f64| if a > b { a } else { b };
    let smaller = |a: f64, b: f64| if a < b { a } else { b };
    let mut least = [f64::INFINITY; LANES];
    for (tile, values) in tiles.iter_mut().zip(values.chunks_exact(from.len() * LANES)) {
        let mut gaps = [0.0; LANES];
        for (&from, column) in from.iter().zip(values.as_chunks::<LANES>().0) {
            for l in 0..LANES {
                let difference = column[l] - from;
                gaps[l] += difference * difference;
            }
        }
        for l in 0..LANES {
            let reach = larger(larger(gaps[l], tile.core[l]), core);
            tile.reach[l] = smaller(tile.reach[l], reach);
            least[l] = smaller(least[l], tile.reach[l]);
        }
    }
    let least = least.into_iter().fold(f64::INFINITY, smaller);
    let has_it = |tile: &Tile| tile.reach.iter().position(|&reach| reach == least);
    let place = tiles.iter().enumerate().find_map(|(t, tile)| Some(t * LANES + has_it(tile)?));
    (least, place.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::nearest_rows::Gap;
    use crate::seed::Seed;

    /// Kruskal's algorithm on all pairs: another way to the same tree.
    fn slow_reaches(rows: Rows, core: &[f64]) -> Vec<f64> {
        let n = rows.len();
        let reach = |i: usize, j: usize| {
            Gap::Squared.between(rows.row(i), rows.row(j)).max(core[i]).max(core[j])
        };
        let mut edges: Vec<(f64, usize, usize)> =
            (0..n).flat_map(|i| (0..i).map(move |j| (reach(i, j), i, j))).collect();
        edges.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut part: Vec<usize> = (0..n).collect();
        let mut reaches = Vec::new();
        for (reach, i, j) in edges {
            let (a, b) = (part[i], part[j]);
            if a != b {
                part.iter_mut().filter(|p| **p == a).for_each(|p| *p = b);
                reaches.push(reach.sqrt());
            }
        }
        reaches
    }

    #[test]
    fn reaches_are_those_of_a_minimum_spanning_tree() {
        for (n, width) in [(1, 2), (2, 1), (9, 3), (150, 2), (61, 20)] {
            let mut stream = Seed::new(3).stream("walk", n as u64);
            let values: Vec<f64> = (0..n * width).map(|_| stream.normal()).collect();
            let core: Vec<f64> = (0..n).map(|_| stream.uniform()).collect();
            let rows = Rows { values: &values, width };
            let Walk { order, mut reach } = walk(rows, &core).unwrap();
            let mut all = order.clone();
            all.sort_unstable();
            assert_eq!(all, (0..n as u32).collect::<Vec<_>>());
            assert_eq!(reach.remove(0), f64::INFINITY);
            reach.sort_by(f64::total_cmp);
            assert_eq!(reach, slow_reaches(rows, &core));
        }
    }

    #[test]
    fn both_compilations_give_the_same_bits() {
        let mut stream = Seed::new(3).stream("lanes", 0);
        let values: Vec<f64> = (0..40 * 5 * LANES).map(|_| stream.normal()).collect();
        let from: Vec<f64> = (0..5).map(|_| stream.normal()).collect();
        let tile = Tile { core: [0.5; LANES], reach: [4.0; LANES] };
        let (mut fast, mut slow) = (vec![tile; 40], vec![tile; 40]);
        let found = approach(&mut fast, &values, &from, 1.0);
        assert_eq!(found, approach_plain(&mut slow, &values, &from, 1.0));
        assert!(fast.iter().zip(&slow).all(|(a, b)| a.reach == b.reach));
    }
}
