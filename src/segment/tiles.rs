//! Tiles of an image become what belongs to the whole: its range, histogram, threshold, mask and spots.
//!
//! Every tile is filtered with a margin as wide as the kernel, so each pixel has the bits it has in the
//! whole image, and leaves only its runs, which know no tile any more.

use std::borrow::Cow;
use std::ops::Range;

use rayon::prelude::*;

use super::field::{Field, Source};
use super::filters::{gaussian_radius, gaussian_rows};
use super::runs::{Run, Runs};
use super::thresholds::{constant, otsu_bin};
use crate::error::Result;
use crate::kernels::large_pages::zeros;
use crate::progress::Progress;

type Region = [Range<usize>; 3];

/// An image cut into tiles.
pub(super) struct Tiles<'a> {
    source: &'a dyn Source,
    /// Ranges of layers, rows and columns; every combination is a tile.
    cuts: [Vec<Range<usize>>; 3],
}

impl<'a> Tiles<'a> {
    pub(super) fn new(source: &'a dyn Source, side: Option<usize>) -> Self {
        let cuts = source.extent().map(|length| {
            let side = side.unwrap_or(length).max(1);
            (0..length).step_by(side).map(|start| start..(start + side).min(length)).collect()
        });
        Self { source, cuts }
    }

    fn all(&self) -> impl Iterator<Item = Region> + '_ {
        let [layers, rows, columns] = &self.cuts;
        layers.iter().flat_map(move |z| {
            rows.iter()
                .flat_map(move |y| columns.iter().map(move |x| [z.clone(), y.clone(), x.clone()]))
        })
    }

    fn is_one(&self) -> bool {
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
            Some((self.source.block(&wide)?, wide.map(|range| range.start)))
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
        let cached = if self.is_one() { Some(self.blur(&whole, sigma)?) } else { None };
        Ok(Blurred { tiles: self, sigma, cached })
    }

    /// The pixels above `threshold` and, where a sigma for them is given, the local maxima among them.
    pub(super) fn find(
        &self,
        outline: &Blurred<'_>,
        threshold: f32,
        spot_sigma: Option<f64>,
        progress: &Progress,
    ) -> Result<(Runs, Runs)> {
        let extent = self.source.extent();
        let (mut mask, mut spots) = (Runs::empty(extent), Runs::empty(extent));
        let n_tiles = self.cuts.iter().map(Vec::len).product();
        let mut n_done = 0;
        for layers in &self.cuts[0] {
            let n_rows = layers.len() * extent[1];
            let mut rows = [vec![Vec::new(); n_rows], vec![Vec::new(); n_rows]];
            for ys in &self.cuts[1] {
                for xs in &self.cuts[2] {
                    let region = [layers.clone(), ys.clone(), xs.clone()];
                    let field = outline.region(&region)?;
                    let found = Runs::of_mask(field.extent(), field.values(), |v| v > threshold);
                    let peaks = match spot_sigma {
                        Some(sigma) => self.peaks(&region, sigma, &found)?,
                        None => Vec::new(),
                    };
                    for i in 0..layers.len() * ys.len() {
                        let row = i / ys.len() * extent[1] + ys.start + i % ys.len();
                        let x = xs.start as u32;
                        let moved = |run: &Run| Run { start: run.start + x, end: run.end + x };
                        rows[0][row].extend(found.runs[found.of_row(i)].iter().map(moved));
                        rows[1][row].extend(peaks.get(i).into_iter().flatten().map(moved));
                    }
                    n_done += 1;
                    progress.report(n_done, n_tiles);
                }
            }
            let [mask_rows, spot_rows] = rows;
            mask_rows.into_iter().for_each(|row| mask.push_row(row));
            spot_rows.into_iter().for_each(|row| spots.push_row(row));
        }
        Ok((mask, spots))
    }

    /// For every row of the region, the pixels of the mask that no neighbour exceeds.
    fn peaks(&self, region: &Region, sigma: f64, mask: &Runs) -> Result<Vec<Vec<Run>>> {
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
                    peaks.push((row, tops.map(|x| Run { start: x, end: x + 1 }).collect()));
                }
            }
            Ok(peaks)
        });
        let found: Vec<Vec<(usize, Vec<Run>)>> = bands.collect::<Result<_>>()?;
        let mut peaks = vec![Vec::new(); layers.len() * n_rows];
        found.into_iter().flatten().for_each(|(row, tops)| peaks[row] = tops);
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
    read: Option<(Field, [usize; 3])>,
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
                let inside = |axis: usize| {
                    part[axis].start - wide[axis].start..part[axis].end - wide[axis].start
                };
                let blurred = gaussian_rows(&self.part(&wide)?, sigma, inside(1));
                let inside = [inside(0), 0..part[1].len(), inside(2)];
                blurred.copy(&inside, out);
                Ok(())
            });
        done.map(|()| Field::made(extent, values))
    }

    fn part(&self, region: &Region) -> Result<Field> {
        match &self.read {
            None => self.tiles.source.block(region),
            Some((field, origin)) => {
                let inside = [0, 1, 2]
                    .map(|axis| region[axis].start - origin[axis]..region[axis].end - origin[axis]);
                let extent = inside.clone().map(|range| range.len());
                let mut values = vec![0.0; extent.iter().product()];
                field.copy(&inside, &mut values);
                Ok(Field::made(extent, values))
            }
        }
    }
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

/// Pixels that one task counts.
const PIXELS: usize = 1 << 16;
const N_BINS: usize = 256;
const BINS_AT_ONCE: usize = 1024;

impl Blurred<'_> {
    fn region(&self, region: &Region) -> Result<Cow<'_, Field>> {
        match &self.cached {
            Some(field) => Ok(Cow::Borrowed(field)),
            None => Ok(Cow::Owned(self.tiles.blur(region, self.sigma)?)),
        }
    }

    fn range(&self) -> Result<(f32, f32)> {
        let mut range = (f32::INFINITY, f32::NEG_INFINITY);
        let wider = |a: (f32, f32), b: (f32, f32)| (a.0.min(b.0), a.1.max(b.1));
        for region in self.tiles.all() {
            let field = self.region(&region)?;
            let of = |values: &[f32]| {
                let start = (f32::INFINITY, f32::NEG_INFINITY);
                values.iter().fold(start, |(low, high), &v| {
                    (if v < low { v } else { low }, if v > high { v } else { high })
                })
            };
            range = wider(range, field.values().par_chunks(PIXELS).map(of).reduce(|| range, wider));
        }
        if range.0 < range.1 { Ok(range) } else { Err(constant(f64::from(range.0))) }
    }

    fn histogram(&self, n_bins: usize, bin: impl Fn(f32) -> u16 + Sync) -> Result<Vec<u64>> {
        let mut counts = vec![0; n_bins];
        for region in self.tiles.all() {
            let field = self.region(&region)?;
            let count = |values: &[f32]| {
                let mut counts = vec![0u64; n_bins];
                let mut bins = [0u16; BINS_AT_ONCE];
                for values in values.chunks(BINS_AT_ONCE) {
                    // Two loops, so that the first one runs in wide registers.
                    bins.iter_mut().zip(values).for_each(|(b, &v)| *b = bin(v));
                    bins[..values.len()].iter().for_each(|&b| counts[usize::from(b)] += 1);
                }
                counts
            };
            let add = |mut a: Vec<u64>, b: Vec<u64>| {
                a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
                a
            };
            let part = field.values().par_chunks(PIXELS).map(count).reduce(|| vec![0; n_bins], add);
            counts = add(counts, part);
        }
        Ok(counts)
    }

    /// Otsu's threshold by these bins over the range of the values.
    pub(super) fn otsu<F: Fn(f32) -> u16 + Sync>(
        &self,
        bins: impl Fn((f32, f32)) -> Bins<F>,
    ) -> Result<f32> {
        let bins = bins(self.range()?);
        Ok(bins.threshold(&self.histogram(bins.n(), &bins.bin)?))
    }
}

/// How values are counted for Otsu's threshold; a larger value is never in a lower bin.
pub(super) struct Bins<F> {
    pub bin: F,
    centers: Vec<f64>,
    /// The threshold that stands for each bin.
    thresholds: Vec<f32>,
}

impl<F> Bins<F> {
    pub fn n(&self) -> usize {
        self.centers.len()
    }

    pub fn threshold(&self, counts: &[u64]) -> f32 {
        self.thresholds[otsu_bin(counts, &self.centers)]
    }
}

impl Bins<()> {
    /// Centred on 256 values from the least to the largest.
    pub fn clesperanto((low, high): (f32, f32)) -> Bins<impl Fn(f32) -> u16> {
        let last = (N_BINS - 1) as f32;
        let value = |i: f64| (i * f64::from(high - low) / f64::from(last) + f64::from(low)) as f32;
        let centers: Vec<f64> = (0..N_BINS).map(|i| i as f64).collect();
        Bins {
            // Halves go up, as in OpenCL; the value is never negative.
            bin: move |v| ((v - low) / (high - low) * last + 0.5) as i32 as u16,
            thresholds: centers.iter().map(|&i| value(i)).collect(),
            centers,
        }
    }

    /// Whole numbers of 8 and 16 bits, as they are.
    pub fn whole((low, high): (f32, f32)) -> Bins<impl Fn(f32) -> u16> {
        let n_bins = (high - low) as usize + 1;
        let centers = (0..n_bins).map(|i| f64::from(low) + i as f64).collect();
        Bins::of_scikit_image(move |v| (v - low) as i32 as u16, centers)
    }

    /// 256 bins of equal width between the least and the largest.
    pub fn even((low, high): (f32, f32)) -> Bins<impl Fn(f32) -> u16> {
        let width = f64::from(high) - f64::from(low);
        let place = move |v: f32| (f64::from(v) - f64::from(low)) / width * N_BINS as f64;
        let center = |i: usize| f64::from(low) + width * (i as f64 + 0.5) / N_BINS as f64;
        let bin = move |v| (place(v) as u16).min(N_BINS as u16 - 1);
        Bins::of_scikit_image(bin, (0..N_BINS).map(center).collect())
    }
}

impl<F> Bins<F> {
    fn of_scikit_image(bin: F, centers: Vec<f64>) -> Self {
        Self { bin, thresholds: centers.iter().map(|&center| center as f32).collect(), centers }
    }
}
