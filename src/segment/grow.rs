//! Spots become regions: a Voronoi diagram inside a mask, grown step by step.
//!
//! In every step each free pixel of the mask takes the largest label among its neighbours of the step
//! before: all neighbours in the first step and every other one, those that share a face between.

use rayon::prelude::*;

use super::objects::Objects;
use super::runs::{Connectivity, Run, Runs};
use crate::error::Result;

/// Grows `spots` inside `mask`. Spots that touch are one; they are numbered by x, then y, then z of
/// their first pixel in that order. Parts of the mask without a spot stay empty.
pub(crate) fn grow(mask: &Runs, spots: &Runs) -> Result<Objects> {
    let seeds = Seeds::of(spots);
    Runs::check_count(seeds.n)?;
    let (component_of, n_components) = mask.components(Connectivity::Corners);
    let mut within = vec![Vec::new(); n_components];
    for seed in seeds.pixels(spots) {
        let runs = mask.of_row(seed.row);
        let run = runs.start + mask.runs[runs].partition_point(|run| run.end <= seed.x);
        within[component_of[run] as usize].push(seed);
    }
    // A part with one spot is its region; the others are grown one by one.
    let only =
        |seeds: &[Seed]| seeds.first().is_some_and(|s| seeds.iter().all(|t| t.label == s.label));
    let mut runs_of = vec![Vec::new(); n_components];
    for (run, &component) in component_of.iter().enumerate() {
        if !only(&within[component as usize]) && !within[component as usize].is_empty() {
            runs_of[component as usize].push(run);
        }
    }
    let rows = row_of_runs(mask);
    let mut pieces: Vec<Piece> = (0..n_components)
        .into_par_iter()
        .filter(|&c| !runs_of[c].is_empty())
        .flat_map_iter(|c| Part::new(mask, &rows, &runs_of[c], &within[c]).grown())
        .collect();
    for (run, &component) in component_of.iter().enumerate() {
        let seeds = &within[component as usize];
        if only(seeds) {
            pieces.push(Piece { mask_run: run, run: mask.runs[run], label: seeds[0].label });
        }
    }
    pieces.par_sort_unstable_by_key(|piece| (piece.mask_run, piece.run.start));
    Ok(assemble(mask, &rows, &pieces))
}

/// A stretch of a run of the mask that belongs to one object.
struct Piece {
    mask_run: usize,
    run: Run,
    label: u32,
}

fn assemble(mask: &Runs, rows: &[u32], pieces: &[Piece]) -> Objects {
    let mut runs = Runs::empty(mask.extent);
    for piece in pieces {
        let row = rows[piece.mask_run] as usize;
        runs.rows.resize(row + 1, runs.runs.len());
        runs.runs.push(piece.run);
    }
    runs.close();
    Objects { runs, labels: pieces.iter().map(|piece| piece.label).collect() }
}

fn row_of_runs(runs: &Runs) -> Vec<u32> {
    let mut rows = vec![0; runs.runs.len()];
    for row in 0..runs.rows.len() - 1 {
        rows[runs.of_row(row)].fill(row as u32);
    }
    rows
}

/// One pixel of a spot.
#[derive(Debug, Clone, Copy)]
struct Seed {
    row: usize,
    x: u32,
    label: u32,
}

/// The label of every run of the spots.
struct Seeds {
    n: usize,
    labels: Vec<u32>,
}

impl Seeds {
    fn of(spots: &Runs) -> Self {
        let (ids, n) = spots.components(Connectivity::Corners);
        let ny = spots.extent[1];
        let mut first = vec![(u32::MAX, 0, 0); n];
        for row in 0..spots.rows.len() - 1 {
            for run in spots.of_row(row) {
                let at = (spots.runs[run].start, row % ny, row / ny);
                let id = ids[run] as usize;
                first[id] = first[id].min(at);
            }
        }
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_unstable_by_key(|&id| first[id]);
        let mut label = vec![0; n];
        order.iter().enumerate().for_each(|(rank, &id)| label[id] = rank as u32 + 1);
        Self { n, labels: ids.iter().map(|&id| label[id as usize]).collect() }
    }

    fn pixels<'a>(&'a self, spots: &'a Runs) -> impl Iterator<Item = Seed> + 'a {
        (0..spots.rows.len() - 1).flat_map(move |row| {
            spots.of_row(row).flat_map(move |run| {
                let Run { start, end } = spots.runs[run];
                (start..end).map(move |x| Seed { row, x, label: self.labels[run] })
            })
        })
    }
}

const FREE: u32 = 0;
const OUTSIDE: u32 = u32::MAX;

/// A connected part of the mask on a raster of its own, one pixel of margin around.
struct Part<'a> {
    mask: &'a Runs,
    rows: &'a [u32],
    runs: &'a [usize],
    /// First z, y, x, margin included.
    origin: [isize; 3],
    extent: [usize; 3],
    labels: Vec<u32>,
    frontier: Vec<usize>,
}

impl<'a> Part<'a> {
    fn new(mask: &'a Runs, rows: &'a [u32], runs: &'a [usize], seeds: &[Seed]) -> Self {
        let ny = mask.extent[1];
        let place = |run: usize| (rows[run] as usize / ny, rows[run] as usize % ny, mask.runs[run]);
        let (mut low, mut high) = ([usize::MAX; 3], [0; 3]);
        for &run in runs {
            let (z, y, run) = place(run);
            let ends = [(z, z + 1), (y, y + 1), (run.start as usize, run.end as usize)];
            for (axis, (start, end)) in ends.into_iter().enumerate() {
                low[axis] = low[axis].min(start);
                high[axis] = high[axis].max(end);
            }
        }
        let origin = low.map(|l| l as isize - 1);
        let extent = [0, 1, 2].map(|axis| high[axis] - low[axis] + 2);
        let labels = vec![OUTSIDE; extent.iter().product()];
        let mut part = Self { mask, rows, runs, origin, extent, labels, frontier: Vec::new() };
        for &run in runs {
            let start = part.at(rows[run] as usize, mask.runs[run].start);
            part.labels[start..start + mask.runs[run].len()].fill(FREE);
        }
        for seed in seeds {
            let i = part.at(seed.row, seed.x);
            part.labels[i] = seed.label;
            part.frontier.push(i);
        }
        part
    }

    fn at(&self, row: usize, x: u32) -> usize {
        let ny = self.mask.extent[1];
        let place = [row / ny, row % ny, x as usize];
        let [z, y, x] = [0, 1, 2].map(|axis| (place[axis] as isize - self.origin[axis]) as usize);
        (z * self.extent[1] + y) * self.extent[2] + x
    }

    /// The offsets to all neighbours, or to those that share a face.
    fn neighbours(&self, corners: bool) -> Vec<isize> {
        let (row, layer) = (self.extent[2] as isize, (self.extent[1] * self.extent[2]) as isize);
        let depth = isize::from(self.mask.extent[0] != 1);
        let mut offsets = Vec::new();
        for dz in -depth..=depth {
            for dy in -1..=1isize {
                for dx in -1..=1isize {
                    let distance = dz.abs() + dy.abs() + dx.abs();
                    if distance == 1 || corners && distance > 1 {
                        offsets.push(dz * layer + dy * row + dx);
                    }
                }
            }
        }
        offsets
    }

    fn grown(mut self) -> impl Iterator<Item = Piece> {
        let steps = [self.neighbours(true), self.neighbours(false)];
        // A pixel beside a corner of the front waits for the next step over corners, so the front of
        // the step before is kept too.
        let mut older: Vec<usize> = Vec::new();
        let mut largest = vec![FREE; self.labels.len()];
        for step in 0.. {
            let mut reached = Vec::new();
            for &i in older.iter().chain(&self.frontier) {
                for offset in &steps[step % 2] {
                    let j = (i as isize + offset) as usize;
                    if self.labels[j] == FREE {
                        if largest[j] == FREE {
                            reached.push(j);
                        }
                        largest[j] = largest[j].max(self.labels[i]);
                    }
                }
            }
            if reached.is_empty() && self.frontier.is_empty() {
                break;
            }
            reached.iter().for_each(|&j| self.labels[j] = largest[j]);
            older = std::mem::replace(&mut self.frontier, reached);
        }
        self.pieces().into_iter()
    }

    fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for &mask_run in self.runs {
            let Run { start, end } = self.mask.runs[mask_run];
            let first = self.at(self.rows[mask_run] as usize, start);
            let labels = &self.labels[first..first + (end - start) as usize];
            let mut x = start;
            for equal in labels.chunk_by(|a, b| a == b) {
                let run = Run { start: x, end: x + equal.len() as u32 };
                x = run.end;
                if equal[0] != FREE {
                    pieces.push(Piece { mask_run, run, label: equal[0] });
                }
            }
        }
        pieces
    }
}
