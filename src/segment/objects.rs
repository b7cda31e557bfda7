//! Labelled runs: counted, left out, renumbered and painted.

use std::path::Path;

use super::runs::{Run, Runs};
use crate::error::Result;
use crate::image::{Grid, LabelImage, save_labels_by_rows};
use crate::output::Existing;

/// The objects of an image, as the label of every run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Objects {
    pub runs: Runs,
    pub labels: Vec<u32>,
}

/// Sides of an image, at which an object may be cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sides {
    /// y = 0.
    pub top: bool,
    /// The last row.
    pub bottom: bool,
    /// x = 0.
    pub left: bool,
    /// The last column.
    pub right: bool,
    /// z = 0; planes have no such side.
    pub front: bool,
    /// The last layer; planes have no such side.
    pub back: bool,
}

impl Sides {
    /// Every side.
    pub const ALL: Self =
        Self { top: true, bottom: true, left: true, right: true, front: true, back: true };
    /// No side.
    pub const NONE: Self =
        Self { top: false, bottom: false, left: false, right: false, front: false, back: false };
}

impl Objects {
    pub(crate) fn of(labels: &LabelImage) -> Self {
        let pixels = labels.pixels();
        let runs = Runs::of_labels(labels.grid().extent(), pixels);
        let nx = runs.extent[2];
        let mut of_runs = Vec::with_capacity(runs.runs.len());
        for row in 0..runs.rows.len() - 1 {
            of_runs.extend(
                runs.of_row(row).map(|run| pixels[row * nx + runs.runs[run].start as usize]),
            );
        }
        Self { runs, labels: of_runs }
    }

    pub(crate) fn paint(&self, grid: &Grid) -> Result<LabelImage> {
        LabelImage::new(grid.clone(), self.runs.paint(&self.labels))
    }

    /// Writes the labels without ever holding them as pixels.
    pub(crate) fn save(&self, path: &Path, existing: Existing, grid: &Grid) -> Result<()> {
        save_labels_by_rows(path, existing, grid, self.max_label(), |row, columns, out| {
            for run in self.runs.of_row(row) {
                let Run { start, end } = self.runs.runs[run];
                let (start, end) =
                    ((start as usize).max(columns.start), (end as usize).min(columns.end));
                if start < end {
                    out[start - columns.start..end - columns.start].fill(self.labels[run]);
                }
            }
        })
    }

    pub(crate) fn max_label(&self) -> u32 {
        self.labels.iter().copied().max().unwrap_or(0)
    }

    /// The labels that occur, ascending, and the number of pixels of each.
    pub(crate) fn areas(&self) -> Vec<(u32, usize)> {
        let mut areas: Vec<(u32, usize)> = self
            .labels
            .iter()
            .zip(&self.runs.runs)
            .map(|(&label, run)| (label, run.len()))
            .collect();
        areas.sort_unstable();
        let mut n = 0;
        for i in 0..areas.len() {
            if n > 0 && areas[n - 1].0 == areas[i].0 {
                areas[n - 1].1 += areas[i].1;
            } else {
                areas[n] = areas[i];
                n += 1;
            }
        }
        areas.truncate(n);
        areas
    }

    /// The labels, ascending, of objects that touch one of `sides`.
    pub(crate) fn at(&self, sides: Sides) -> Vec<u32> {
        let [nz, ny, nx] = self.runs.extent;
        let mut found = Vec::new();
        for row in 0..self.runs.rows.len() - 1 {
            let (z, y) = (row / ny, row % ny);
            let whole_row = sides.top && y == 0
                || sides.bottom && y + 1 == ny
                || nz > 1 && (sides.front && z == 0 || sides.back && z + 1 == nz);
            for run in self.runs.of_row(row) {
                let Run { start, end } = self.runs.runs[run];
                if whole_row || sides.left && start == 0 || sides.right && end as usize == nx {
                    found.push(self.labels[run]);
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Without the objects in `without` (ascending); the others are numbered 1, 2, 3, ... in their order.
    pub(crate) fn without(&self, without: &[u32]) -> Self {
        let mut kept: Vec<u32> = self.labels.clone();
        kept.sort_unstable();
        kept.dedup();
        kept.retain(|label| without.binary_search(label).is_err());
        let mut renamed = Self { runs: Runs::empty(self.runs.extent), labels: Vec::new() };
        // A table while labels are dense, a search when a few labels have huge numbers.
        let largest = self.max_label() as usize;
        let mut table = vec![0; if largest <= 16 * kept.len() + 1024 { largest + 1 } else { 0 }];
        if !table.is_empty() {
            kept.iter().enumerate().for_each(|(i, &label)| table[label as usize] = i as u32 + 1);
        }
        let new = |label: u32| match table.get(label as usize) {
            Some(&new) => new,
            None => kept.binary_search(&label).map_or(0, |i| i as u32 + 1),
        };
        for row in 0..self.runs.rows.len() - 1 {
            for run in self.runs.of_row(row) {
                let label = new(self.labels[run]);
                if label != 0 {
                    renamed.runs.runs.push(self.runs.runs[run]);
                    renamed.labels.push(label);
                }
            }
            renamed.runs.rows.push(renamed.runs.runs.len());
        }
        renamed
    }

    /// The labels, ascending, of objects with fewer pixels than `least` or more than `most`.
    pub(crate) fn outside(&self, least: usize, most: usize) -> Vec<u32> {
        let areas = self.areas().into_iter();
        areas.filter(|(_, area)| *area < least || *area > most).map(|(label, _)| label).collect()
    }
}
