//! Tiles of an image become what belongs to the whole: its range, histogram, threshold, mask and spots.
//!
//! Every tile is filtered with a margin as wide as the kernel, so each pixel has the bits it has in the
//! whole image, and leaves only its runs, which know no tile any more.

mod on_gpu;

use std::borrow::Cow;
use std::ops::Range;

use rayon::prelude::*;

use super::bins::{Bins, Countable, NOTHING, added, wider};
use super::field::{Field, Source};
use super::filters::{gaussian_radius, gaussian_rows};
use super::runs::{Run, Runs};
use crate::backend::Gpu;
use crate::error::Result;
use crate::kernels::large_pages::zeros;
use crate::progress::Progress;

type Region = [Range<usize>; 3];

/// An image cut into tiles.
pub(super) struct Tiles<'a> {
    source: &'a dyn Source,
    /// Ranges of layers, rows and columns; every combination is a tile.
    cuts: [Vec<Range<usize>>; 3],
    /// What works on their pixels, if not the processor.
    gpu: Option<&'a Gpu>,
}

impl<'a> Tiles<'a> {
    pub(super) fn new(source: &'a dyn Source, side: Option<usize>) -> Self {
        let cuts = source.extent().map(|length| {
            let side = side.unwrap_or(length).max(1);
            (0..length).step_by(side).map(|start| start..(start + side).min(length)).collect()
        });
        Self { source, cuts, gpu: None }
    }

    fn all(&self) -> impl Iterator<Item = Region> + '_ {
        let [layers, rows, columns] = &self.cuts;
        layers.iter().flat_map(move |z| {
            rows.iter()
                .flat_map(move |y| columns.iter().map(move |x| [z.clone(), y.clone(), x.clone()]))
        })
    }

    pub(super) fn is_one(&self) -> bool {
        self.cuts.iter().all(|cuts| cuts.len() == 1)
    }

    /// A region of the blurred image.
    fn blur(&self, region: &Region, sigma: f64) -> Result<Field> {
        self.near(region, gaussian_radius(sigma))?.blur(region, sigma)
    }

    /// What is needed to filter a region with kernels that reach `margin` pixels.
    fn near(&'a self, region: &Region, margin: usize) -> Result<Near<'a>> {
        let read = if self.source.is_in_memory() {
            None
        } else {
            let wide = self.widened(region, margin);
            Some((self.source.block(&wide)?, wide))
        };
        Ok(Near { tiles: self, read })
    }

    /// The region with a margin, as far as the image reaches.
    fn widened(&self, region: &Region, margin: usize) -> Region {
        let extent = self.source.extent();
        [0, 1, 2].map(|axis| {
            let range = &region[axis];
            range.start.saturating_sub(margin)..(range.end + margin).min(extent[axis])
        })
    }

    /// The blurred image; computed once if there is a single tile, and tile by tile when asked otherwise.
    pub(super) fn blurred(&'a self, sigma: f64) -> Result<Blurred<'a>> {
        let whole = self.source.extent().map(|length| 0..length);
        let is_kept = self.is_one() && self.gpu.is_none();
        let cached = if is_kept { Some(self.blur(&whole, sigma)?) } else { None };
        Ok(Blurred { tiles: self, sigma, cached })
    }

    /// The pixels above `threshold` and, where a sigma for them is given, the local maxima among them.
    pub(super) fn find(
        &self,
        outline: &Blurred<'_>,
        threshold: f32,
        spot_sigma: Option<f64>,
        progress: &Progress,
    ) -> Result<[Runs; 2]> {
        let extent = self.source.extent();
        let mut all = [Runs::empty(extent), Runs::empty(extent)];
        let n_tiles = self.cuts.iter().map(Vec::len).product();
        let mut n_done = 0;
        for layers in &self.cuts[0] {
            let n_rows = layers.len() * extent[1];
            let mut rows = [vec![Vec::new(); n_rows], vec![Vec::new(); n_rows]];
            for ys in &self.cuts[1] {
                for xs in &self.cuts[2] {
                    let region = [layers.clone(), ys.clone(), xs.clone()];
                    let found = match self.gpu {
                        Some(gpu) => {
                            self.find_on(gpu, &region, outline.sigma, threshold, spot_sigma)
                        }
                        None => self.find_in(&region, outline, threshold, spot_sigma),
                    };
                    for (rows, found) in rows.iter_mut().zip(found?) {
                        for i in 0..layers.len() * ys.len() {
                            let row = i / ys.len() * extent[1] + ys.start + i % ys.len();
                            let x = xs.start as u32;
                            let moved = |run: &Run| Run { start: run.start + x, end: run.end + x };
                            rows[row].extend(found.runs[found.of_row(i)].iter().map(moved));
                        }
                    }
                    n_done += 1;
                    progress.report(n_done, n_tiles);
                }
            }
            for (all, rows) in all.iter_mut().zip(rows) {
                rows.into_iter().for_each(|row| all.push_row(row));
            }
        }
        Ok(all)
    }

    /// The mask of a region and, where wanted, its spots.
    fn find_in(
        &self,
        region: &Region,
        outline: &Blurred<'_>,
        threshold: f32,
        spot_sigma: Option<f64>,
    ) -> Result<Vec<Runs>> {
        let field = outline.region(region)?;
        let mask = Runs::of_mask(field.extent(), field.values(), |v| v > threshold);
        let spots = spot_sigma.map(|sigma| self.peaks(region, sigma, &mask)).transpose()?;
        Ok([mask].into_iter().chain(spots).collect())
    }

    /// The pixels of the mask that no neighbour exceeds.
    fn peaks(&self, region: &Region, sigma: f64, mask: &Runs) -> Result<Runs> {
        let near = self.near(region, gaussian_radius(sigma) + 1)?;
        let [layers, rows, columns] = region;
        let n_rows = rows.len();
        let bands = bands_of(region).into_par_iter().map(|band| {
            let wide = self.widened(&[layers.clone(), band.clone(), columns.clone()], 1);
            let field = near.blur(&wide, sigma)?;
            let offset = |axis: usize, at: usize| at - wide[axis].start;
            let mut peaks = Vec::new();
            for z in layers.clone() {
                for y in band.clone() {
                    let lines = lines_around(&field, offset(0, z), offset(1, y));
                    let row = (z - layers.start) * n_rows + y - rows.start;
                    let tops =
                        mask.runs[mask.of_row(row)].iter().flat_map(|run| run.start..run.end);
                    let tops =
                        tops.filter(|x| is_peak(&lines, offset(2, columns.start + *x as usize)));
                    peaks.push(tops.map(|x| Run { start: x, end: x + 1 }).collect());
                }
            }
            Ok(peaks)
        });
        let found: Vec<Vec<Vec<Run>>> = bands.collect::<Result<_>>()?;
        // A plane has many bands, a stack has one: either way they come in the order of the rows.
        let mut peaks = Runs::empty(mask.extent);
        found.into_iter().flatten().for_each(|row| peaks.push_row(row));
        Ok(peaks)
    }
}

/// Rows that are filtered at once: few enough to stay in the cache between the steps.
const BAND: usize = 64;

/// The rows of a region in bands; a stack is one band, because its layers would be blurred again for each.
fn bands_of(region: &Region) -> Vec<Range<usize>> {
    let Range { start, end } = region[1];
    let is_banded = region[0].len() == 1 && end - start > 2 * BAND;
    let height = if is_banded { BAND } else { end - start };
    (start..end).step_by(height.max(1)).map(|y| y..(y + height).min(end)).collect()
}

/// The surroundings of a region: in memory as a whole, or read for this region.
struct Near<'a> {
    tiles: &'a Tiles<'a>,
    read: Option<(Field, Region)>,
}

impl Near<'_> {
    fn blur(&self, region: &Region, sigma: f64) -> Result<Field> {
        let extent = region.clone().map(|range| range.len());
        let row_of_bands = extent[0] * extent[2] * bands_of(region).first().map_or(1, Range::len);
        let mut values = zeros(extent.iter().product());
        let out = values.par_chunks_mut(row_of_bands.max(1));
        let done: Result<()> =
            bands_of(region).into_par_iter().zip(out).try_for_each(|(band, out)| {
                let part = [region[0].clone(), band, region[2].clone()];
                let wide = self.tiles.widened(&part, gaussian_radius(sigma));
                let [layers, rows, columns] = inside(&part, &wide);
                let blurred = gaussian_rows(&self.part(&wide)?, sigma, rows);
                blurred.copy(&[layers, 0..part[1].len(), columns], out);
                Ok(())
            });
        done.map(|()| Field::made(extent, values))
    }

    fn part(&self, region: &Region) -> Result<Field> {
        match &self.read {
            None => self.tiles.source.block(region),
            Some((field, held)) => {
                let extent = region.clone().map(|range| range.len());
                let mut values = vec![0.0; extent.iter().product()];
                field.copy(&inside(region, held), &mut values);
                Ok(Field::made(extent, values))
            }
        }
    }
}

/// Where a region lies in another one that holds it.
fn inside(region: &Region, outer: &Region) -> Region {
    [0, 1, 2].map(|axis| {
        let from = outer[axis].start;
        region[axis].start - from..region[axis].end - from
    })
}

/// The row (z, y) of the field, then those beside it.
fn lines_around(field: &Field, z: usize, y: usize) -> Vec<&[f32]> {
    let [nz, ny, nx] = field.extent();
    let line = |z: usize, y: usize| &field.values()[(z * ny + y) * nx..][..nx];
    let mut lines = vec![line(z, y)];
    for layer in z.saturating_sub(1)..(z + 2).min(nz) {
        for row in y.saturating_sub(1)..(y + 2).min(ny) {
            if (layer, row) != (z, y) {
                lines.push(line(layer, row));
            }
        }
    }
    lines
}

fn is_peak(lines: &[&[f32]], x: usize) -> bool {
    let value = lines[0][x];
    let around = x.saturating_sub(1)..(x + 2).min(lines[0].len());
    lines.iter().all(|line| line[around.clone()].iter().all(|v| *v <= value))
}

/// The blurred image, tile by tile.
pub(super) struct Blurred<'a> {
    tiles: &'a Tiles<'a>,
    sigma: f64,
    cached: Option<Field>,
}

impl Blurred<'_> {
    fn region(&self, region: &Region) -> Result<Cow<'_, Field>> {
        match &self.cached {
            Some(field) => Ok(Cow::Borrowed(field)),
            None => Ok(Cow::Owned(self.tiles.blur(region, self.sigma)?)),
        }
    }
}

impl Countable for Blurred<'_> {
    fn range(&self) -> Result<(f32, f32)> {
        self.tiles.all().try_fold(NOTHING, |range, region| {
            let part = match self.tiles.gpu {
                Some(gpu) => self.tiles.blur_on(gpu, &region, self.sigma)?.range(),
                None => self.region(&region)?.range(),
            };
            Ok(wider(range, part?))
        })
    }

    fn counts<F: Fn(f32) -> u16 + Sync>(&self, bins: &Bins<F>) -> Result<Vec<u64>> {
        self.tiles.all().try_fold(vec![0; bins.n()], |counts, region| {
            let part = match self.tiles.gpu {
                Some(gpu) => self.tiles.blur_on(gpu, &region, self.sigma)?.counts(bins),
                None => self.region(&region)?.counts(bins),
            };
            Ok(added(counts, part?))
        })
    }
}
