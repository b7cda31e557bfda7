//! Pixels become runs: the stretches of every row that belong together, and their connected components.
//!
//! A run is all that is kept of an image between tiles: a few bytes per object and row.

use std::ops::Range;

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::kernels::large_pages::zeros;

/// Pixels `start..end` of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub start: u32,
    pub end: u32,
}

impl Run {
    pub(crate) fn len(self) -> usize {
        (self.end - self.start) as usize
    }
}

/// The runs of all rows (z, y), in raster order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Runs {
    pub extent: [usize; 3],
    /// Where the runs of each row begin, and the end of the last.
    pub rows: Vec<usize>,
    pub runs: Vec<Run>,
}

/// Which neighbours of a pixel it is connected with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Connectivity {
    /// Those that share a side (2D: 4) or face (3D: 6).
    Faces,
    /// Those that share a corner too (2D: 8, 3D: 26).
    #[default]
    Corners,
}

/// Rows that one task scans.
const BAND: usize = 64;

impl Runs {
    /// The runs of pixels that are `inside`.
    pub(crate) fn of_mask<T: Copy + Sync>(
        extent: [usize; 3],
        values: &[T],
        inside: impl Fn(T) -> bool + Sync,
    ) -> Self {
        Self::by_row(extent, values, |row, runs| scan_mask(row, &inside, runs))
    }

    /// The runs of equal labels, without background.
    pub(crate) fn of_labels(extent: [usize; 3], labels: &[u32]) -> Self {
        Self::by_row(extent, labels, |row, runs| {
            let mut x = 0;
            for equal in row.chunk_by(|a, b| a == b) {
                let start = x;
                x += equal.len() as u32;
                if equal[0] != 0 {
                    runs.push(Run { start, end: x });
                }
            }
        })
    }

    fn by_row<T: Sync>(
        extent: [usize; 3],
        values: &[T],
        scan: impl Fn(&[T], &mut Vec<Run>) + Sync,
    ) -> Self {
        let nx = extent[2].max(1);
        let bands: Vec<(Vec<usize>, Vec<Run>)> = values
            .par_chunks(nx * BAND)
            .map(|band| {
                let mut runs = Vec::new();
                let ends = band.chunks(nx).map(|row| {
                    scan(row, &mut runs);
                    runs.len()
                });
                (ends.collect(), runs)
            })
            .collect();
        let mut all = Self::empty(extent);
        for (ends, runs) in bands {
            let before = all.runs.len();
            all.rows.extend(ends.iter().map(|end| before + end));
            all.runs.extend(runs);
        }
        all.close();
        all
    }

    /// No runs yet; rows are added with [`push_row`](Self::push_row).
    pub(crate) fn empty(extent: [usize; 3]) -> Self {
        Self { extent, rows: vec![0], runs: Vec::new() }
    }

    /// Adds the next row: runs from left to right, joined where one ends at the start of the next.
    pub(crate) fn push_row(&mut self, row: impl IntoIterator<Item = Run>) {
        let first = self.runs.len();
        for run in row {
            match self.runs[first..].last_mut() {
                Some(last) if last.end == run.start => last.end = run.end,
                _ => self.runs.push(run),
            }
        }
        self.rows.push(self.runs.len());
    }

    /// Rows that were not given hold nothing.
    pub(crate) fn close(&mut self) {
        self.rows.resize(self.extent[0] * self.extent[1] + 1, self.runs.len());
    }

    /// Positions of the runs of a row.
    pub(crate) fn of_row(&self, row: usize) -> Range<usize> {
        self.rows[row]..self.rows[row + 1]
    }

    /// The component of every run, from 0 in raster order of their first pixel, and their number.
    pub(crate) fn components(&self, connectivity: Connectivity) -> (Vec<u32>, usize) {
        let mut sets = Sets((0..self.runs.len() as u32).collect());
        let [nz, ny, _] = self.extent;
        let reach = u32::from(connectivity == Connectivity::Corners);
        for z in 0..nz {
            for y in 0..ny {
                let row = z * ny + y;
                if y > 0 {
                    self.join(row, row - 1, reach, &mut sets);
                }
                if z > 0 {
                    let sides =
                        if reach == 1 { y.saturating_sub(1)..(y + 2).min(ny) } else { y..y + 1 };
                    sides.for_each(|side| self.join(row, (z - 1) * ny + side, reach, &mut sets));
                }
            }
        }
        sets.numbered()
    }

    /// Unites the runs of two rows that touch.
    fn join(&self, row: usize, other: usize, reach: u32, sets: &mut Sets) {
        let (mut here, mut there) = (self.of_row(row), self.of_row(other));
        while !here.is_empty() && !there.is_empty() {
            let (a, b) = (self.runs[here.start], self.runs[there.start]);
            if a.start < b.end + reach && b.start < a.end + reach {
                sets.unite(here.start as u32, there.start as u32);
            }
            if a.end < b.end {
                here.start += 1;
            } else {
                there.start += 1;
            }
        }
    }

    /// An image in which run `i` has label `labels[i]`.
    pub(crate) fn paint(&self, labels: &[u32]) -> Vec<u32> {
        let nx = self.extent[2].max(1);
        let mut pixels = zeros(self.extent.iter().product());
        pixels.par_chunks_mut(nx * BAND).enumerate().for_each(|(band, pixels)| {
            for (i, row) in pixels.chunks_mut(nx).enumerate() {
                for run in self.of_row(band * BAND + i) {
                    let Run { start, end } = self.runs[run];
                    row[start as usize..end as usize].fill(labels[run]);
                }
            }
        });
        pixels
    }

    /// Refuses more objects than labels can count.
    pub(crate) fn check_count(n_objects: usize) -> Result<()> {
        if n_objects < u32::MAX as usize {
            return Ok(());
        }
        Err(Error::data(format!("{n_objects} objects are more than labels of 32 bits can number"))
            .help("segment parts of the image, or a smoother image with fewer objects"))
    }
}

/// Finds where a row enters and leaves the mask, 64 pixels at a time.
#[inline]
fn scan_mask<T: Copy>(row: &[T], inside: &impl Fn(T) -> bool, runs: &mut Vec<Run>) {
    let mut start = None;
    let mut was_inside = 0u64;
    let mut at = 0u32;
    for pixels in row.chunks(64) {
        let mut flags = [0u8; 64];
        flags.iter_mut().zip(pixels).for_each(|(flag, &pixel)| *flag = u8::from(inside(pixel)));
        let bits = pack(&flags);
        // A bit differs from the one before: the row enters or leaves the mask.
        let mut turns = bits ^ (bits << 1 | was_inside);
        was_inside = bits >> 63;
        while turns != 0 {
            let x = at + turns.trailing_zeros();
            match start.take() {
                None => start = Some(x),
                Some(start) => runs.push(Run { start, end: x }),
            }
            turns &= turns - 1;
        }
        at += 64;
    }
    if let Some(start) = start {
        runs.push(Run { start, end: row.len() as u32 });
    }
}

/// One bit for each of 64 bytes that are 0 or 1.
#[inline]
fn pack(flags: &[u8; 64]) -> u64 {
    // The product moves the lowest bit of every byte into the highest byte, the first one lowest.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    flags.chunks_exact(8).enumerate().fold(0, |bits, (i, bytes)| {
        let mut word = [0; 8];
        word.copy_from_slice(bytes);
        bits | (u64::from_le_bytes(word).wrapping_mul(GATHER) >> 56) << (8 * i)
    })
}

/// Disjoint sets whose root is their smallest member.
struct Sets(Vec<u32>);

impl Sets {
    fn root(&mut self, mut i: u32) -> u32 {
        while self.0[i as usize] != i {
            let up = self.0[self.0[i as usize] as usize];
            self.0[i as usize] = up;
            i = up;
        }
        i
    }

    fn unite(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b) as usize] = a.min(b);
    }

    /// The number of every member's set, in order of their roots, and how many sets there are.
    fn numbered(mut self) -> (Vec<u32>, usize) {
        let mut n_sets = 0;
        // A root stands before the rest of its set, so the number it gets is there when they ask.
        for i in 0..self.0.len() {
            let up = self.0[i] as usize;
            self.0[i] = if up == i { n_sets } else { self.0[up] };
            n_sets += u32::from(up == i);
        }
        (self.0, n_sets as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    /// Flood filling, pixel by pixel.
    fn flood(extent: [usize; 3], mask: &[bool], corners: bool) -> Vec<u32> {
        let [nz, ny, nx] = extent.map(|n| n as i64);
        let mut labels = vec![0; mask.len()];
        let mut n = 0;
        for start in 0..mask.len() {
            if !mask[start] || labels[start] != 0 {
                continue;
            }
            n += 1;
            labels[start] = n;
            let mut open = vec![start];
            while let Some(i) = open.pop() {
                let i = i as i64;
                let (z, y, x) = (i / (ny * nx), i / nx % ny, i % nx);
                for d in 0..27 {
                    let (dz, dy, dx) = (d / 9 - 1, d / 3 % 3 - 1, d % 3 - 1);
                    let (z, y, x) = (z + dz, y + dy, x + dx);
                    let near = corners || dz.abs() + dy.abs() + dx.abs() <= 1;
                    if near && z >= 0 && z < nz && y >= 0 && y < ny && x >= 0 && x < nx {
                        let j = ((z * ny + y) * nx + x) as usize;
                        if mask[j] && labels[j] == 0 {
                            labels[j] = n;
                            open.push(j);
                        }
                    }
                }
            }
        }
        labels
    }

    #[test]
    fn components_equal_flood_filling() {
        for index in 0..200 {
            let mut stream = Seed::new(3).stream("components", index);
            let nz = [1, 1, 4][stream.below(3)];
            let extent = [nz, 1 + stream.below(20), 1 + stream.below(20)];
            let density = stream.uniform();
            let mask: Vec<bool> =
                (0..extent.iter().product()).map(|_| stream.uniform() < density).collect();
            let runs = Runs::of_mask(extent, &mask, |m| m);
            for (connectivity, corners) in
                [(Connectivity::Faces, false), (Connectivity::Corners, true)]
            {
                let (ids, n) = runs.components(connectivity);
                let labels: Vec<u32> = ids.iter().map(|id| id + 1).collect();
                let expected = flood(extent, &mask, corners);
                assert_eq!(runs.paint(&labels), expected, "{extent:?} {index}");
                assert_eq!(n as u32, expected.iter().copied().max().unwrap_or(0));
            }
        }
    }
}
