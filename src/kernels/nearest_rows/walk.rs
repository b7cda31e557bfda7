//! Queries that stand near each other walk through the tree of the references together.

use std::ops::Range;

use rayon::prelude::*;

use super::nearest::Nearest;
use super::tile::{Found, HEIGHT, Path, fetch};
use super::{Hit, Search};
use crate::kernels::leaves::{LANES, Leaves};

/// Queries of one task: enough of them meet in a leaf that it is worth its way into the cache.
const TASK: usize = 128;

pub(super) struct Walk<'a> {
    pub search: &'a Search<'a>,
    /// The references.
    pub near: &'a Leaves,
    pub path: Path,
}

/// Some queries on their way. They are known by their position in the task.
struct Task<'a> {
    /// Where they stand, one after the other.
    places: &'a [f32],
    lists: Vec<Nearest>,
    /// Copies of those of the lists.
    bars: Vec<f32>,
    reaches: Vec<f32>,
    /// Which queries enter a node: those of its parents below, its own on top.
    entering: Vec<u16>,
    found: Found,
}

impl Walk<'_> {
    /// The hits of `asked`, in its order.
    pub fn run(&self, asked: &Leaves) -> Vec<Vec<Hit>> {
        let tasks = asked.order.par_chunks(TASK).zip(asked.places.par_chunks(TASK * asked.width));
        let hits: Vec<Vec<Vec<Hit>>> =
            tasks.map(|(rows, places)| self.task(rows, places)).collect();
        hits.into_iter().flatten().collect()
    }

    fn task(&self, rows: &[u32], places: &[f32]) -> Vec<Vec<Hit>> {
        let queries = rows.iter().zip(places.chunks_exact(self.near.width));
        let mut task = Task {
            places,
            lists: queries.map(|(&row, place)| Nearest::new(self.search, row, place)).collect(),
            bars: vec![f32::MIN; rows.len()],
            reaches: vec![f32::MAX; rows.len()],
            entering: (0..rows.len() as u16).collect(),
            found: Found::default(),
        };
        self.visit(&mut task, self.near.n_levels(), 0, 0..rows.len());
        task.lists.into_iter().map(|list| list.finish(self.search)).collect()
    }

    /// Leads the queries that enter a node into those children that are within their reach, nearest child first.
    fn visit(&self, task: &mut Task, level: usize, node: usize, entering: Range<usize>) {
        if level == 0 {
            return self.meet(task, node, entering);
        }
        let room = entering.len() + HEIGHT;
        let first = task.entering.len();
        task.entering.resize(first + LANES * room, 0);
        let (above, lists) = task.entering.split_at_mut(first);
        let (mut lens, mut total) = ([0; LANES], [0.0; LANES]);
        let boxes = self.near.boxes(level, node);
        for &query in &above[entering] {
            let place = &task.places[usize::from(query) * self.near.width..][..self.near.width];
            let (gaps, mut mask) =
                self.path.box_gaps(self.search.gap, boxes, place, task.reaches[usize::from(query)]);
            total.iter_mut().zip(gaps).for_each(|(total, gap)| *total += gap);
            while mask != 0 {
                let child = mask.trailing_zeros() as usize;
                mask &= mask - 1;
                lists[child * room + lens[child]] = query;
                lens[child] += 1;
            }
        }
        let mut order: [usize; LANES] = std::array::from_fn(|child| child);
        order.sort_unstable_by(|&a, &b| total[a].total_cmp(&total[b]).then(a.cmp(&b)));
        let mut next = order.into_iter().filter(|&child| lens[child] > 0).peekable();
        while let Some(child) = next.next() {
            if let Some(&child) = next.peek().filter(|_| level == 1) {
                fetch(self.near.panel(node * LANES + child));
            }
            let start = first + child * room;
            self.visit(task, level - 1, node * LANES + child, start..start + lens[child]);
        }
        task.entering.truncate(first);
    }

    /// Offers a leaf to the queries that enter it.
    fn meet(&self, task: &mut Task, leaf: usize, entering: Range<usize>) {
        // The last tile is filled up with its last query, for which there is room behind the list.
        let end = entering.start + entering.len().next_multiple_of(HEIGHT);
        let last = task.entering[entering.end - 1];
        task.entering[entering.end..end].fill(last);
        let groups = task.entering[entering.start..end].as_chunks::<HEIGHT>().0;
        let (panel, rows) = (self.near.panel(leaf), self.near.rows(leaf));
        let mut next = 0;
        while let Some(skipped) = self.path.skim(
            self.search.gap,
            panel,
            task.places,
            &task.bars,
            &groups[next..],
            &mut task.found,
        ) {
            next += skipped;
            for (h, &query) in groups[next].iter().enumerate().take(entering.len() - next * HEIGHT)
            {
                let query = usize::from(query);
                let list = &mut task.lists[query];
                if rows[0] >= list.end {
                    continue;
                }
                let mut mask = task.found.masks[h];
                while mask != 0 {
                    let lane = mask.trailing_zeros() as usize;
                    mask &= mask - 1;
                    list.offer(self.search, task.found.sums[h][lane], rows[lane]);
                }
                (task.bars[query], task.reaches[query]) = (list.bar, list.reach);
            }
            next += 1;
        }
    }
}
