//! An image, in memory or on disk, becomes objects; tiles give the labels of the whole image.
//!
//! What belongs to the whole image (range, histogram, threshold) is gathered first. Every tile is then
//! filtered with a margin as wide as the kernel and leaves only its runs, which know no tile any more.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

use rayon::prelude::*;

use super::field::{Channel, Field, Source};
use super::filters::{check_sigma, gaussian, gaussian_radius};
use super::grow::grow;
use super::objects::{Objects, Sides};
use super::runs::{Connectivity, Run, Runs};
use super::thresholds::{constant, otsu_bin};
use crate::error::{Error, Result};
use crate::image::{Grid, ImageFile, IntensityImage, LabelImage, save_labels_by_rows};
use crate::output::Existing;
use crate::progress::Progress;

/// How objects are told from background and from each other.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Method {
    /// Spots are local maxima after a blur of `spot_sigma`; they grow inside what is above Otsu's
    /// threshold after a blur of `outline_sigma`: clEsperanto's `voronoi_otsu_labeling`.
    VoronoiOtsu,
    /// Connected pixels above Otsu's threshold after a blur of `outline_sigma`: clEsperanto's
    /// `gauss_otsu_labeling`.
    GaussOtsu,
    /// Connected pixels above Otsu's threshold.
    Otsu,
    /// Connected pixels above this value.
    Threshold(f64),
}

/// Parameters of a segmentation.
///
/// # Determinism
/// Labels do not depend on the tile size nor on the number of threads.
///
/// ```
/// use polariscope::image::synth::Blobs;
/// use polariscope::segment::{Method, Segmentation};
///
/// let blobs = Blobs::params().make()?;
/// let segmentation = Segmentation::params(Method::VoronoiOtsu).spot_sigma(4.0).outline_sigma(1.0);
/// let whole = segmentation.segment(&blobs.image)?;
/// let tiled = segmentation.tile(100).segment(&blobs.image)?;
/// assert_eq!(whole.labels()?, tiled.labels()?);
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # References
/// Haase et al., CLIJ: GPU-accelerated image processing for everyone, 2020 (Voronoi-Otsu-Labeling).
#[derive(Debug, Clone)]
pub struct Segmentation {
    method: Method,
    spot_sigma: f64,
    outline_sigma: f64,
    exclude_edges: bool,
    min_area: usize,
    max_area: usize,
    tile: Option<usize>,
    progress: Progress,
}

impl Segmentation {
    /// A segmentation with both sigmas 2, all objects kept, of the whole image at once.
    pub fn params(method: Method) -> Self {
        Self {
            method,
            spot_sigma: 2.0,
            outline_sigma: 2.0,
            exclude_edges: false,
            min_area: 0,
            max_area: usize::MAX,
            tile: None,
            progress: Progress::default(),
        }
    }

    /// Blur, in pixels, before objects are told apart: about as large as the smallest distance of centres.
    pub fn spot_sigma(mut self, sigma: f64) -> Self {
        self.spot_sigma = sigma;
        self
    }

    /// Blur, in pixels, before objects are told from background.
    pub fn outline_sigma(mut self, sigma: f64) -> Self {
        self.outline_sigma = sigma;
        self
    }

    /// Leaves out objects that touch a border of the image.
    pub fn exclude_edges(mut self, exclude: bool) -> Self {
        self.exclude_edges = exclude;
        self
    }

    /// Leaves out objects of fewer pixels.
    pub fn min_area(mut self, n_pixels: usize) -> Self {
        self.min_area = n_pixels;
        self
    }

    /// Leaves out objects of more pixels.
    pub fn max_area(mut self, n_pixels: usize) -> Self {
        self.max_area = n_pixels;
        self
    }

    /// Works through tiles of `side` pixels: less memory, the same labels.
    pub fn tile(mut self, side: usize) -> Self {
        self.tile = Some(side);
        self
    }

    /// Where to report how far the work is.
    pub fn progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// Segments an image in memory.
    ///
    /// # Errors
    /// When a parameter is out of range, a pixel is not finite, or all are equal (no threshold).
    pub fn segment(&self, image: &IntensityImage) -> Result<Segmented> {
        self.check()?;
        let is_whole = matches!(image.pixels().type_name(), "uint8" | "uint16");
        self.run(&Field::of(image)?, is_whole, image.grid())
    }

    /// Segments one channel of a file; with [`tile`](Self::tile), no more than a few tiles are in memory
    /// at a time, beside the runs of the objects.
    ///
    /// # Errors
    /// As [`segment`](Self::segment), and when the file cannot be read.
    pub fn segment_file(&self, file: &ImageFile, channel: usize) -> Result<Segmented> {
        self.check()?;
        let is_whole = matches!(file.type_name().as_str(), "uint8" | "uint16");
        self.run(&Channel { file, channel }, is_whole, file.grid())
    }

    fn check(&self) -> Result<()> {
        check_sigma("spot_sigma", self.spot_sigma)?;
        check_sigma("outline_sigma", self.outline_sigma)?;
        if self.tile == Some(0) {
            return Err(Error::parameter("tile", 0, "at least 1 pixel"));
        }
        if self.min_area > self.max_area {
            let allowed = format!("at most max_area ({})", self.max_area);
            return Err(Error::parameter("min_area", self.min_area, allowed));
        }
        match self.method {
            Method::Threshold(t) if !t.is_finite() => {
                Err(Error::parameter("threshold", t, "a finite number"))
            }
            _ => Ok(()),
        }
    }

    fn run(&self, source: &dyn Source, is_whole: bool, grid: &Grid) -> Result<Segmented> {
        let outline_sigma = match self.method {
            Method::VoronoiOtsu | Method::GaussOtsu => self.outline_sigma,
            Method::Otsu | Method::Threshold(_) => 0.0,
        };
        let tiles = Tiles::new(source, self.tile);
        let outline = tiles.blurred(outline_sigma)?;
        let threshold = match self.method {
            Method::VoronoiOtsu | Method::GaussOtsu => outline.otsu_of_clesperanto()?,
            Method::Otsu => outline.otsu_of_scikit_image(is_whole)?,
            Method::Threshold(t) => t as f32,
        };
        let spot_sigma = (self.method == Method::VoronoiOtsu).then_some(self.spot_sigma);
        let (mask, spots) = tiles.find(&outline, threshold, spot_sigma, &self.progress)?;
        drop(outline);
        let all = if spot_sigma.is_some() {
            grow(&mask, &spots)?
        } else {
            let (ids, n) = mask.components(Connectivity::Corners);
            Runs::check_count(n)?;
            Objects { runs: mask, labels: ids.iter().map(|id| id + 1).collect() }
        };
        let all = all.without(&all.outside(self.min_area, self.max_area));
        let at_border = all.at(Sides::ALL);
        let n_all = all.labels.iter().copied().max().unwrap_or(0) as usize;
        let count = Count { all: n_all, inside: n_all - at_border.len() };
        let objects = if self.exclude_edges { all.without(&at_border) } else { all };
        Ok(Segmented { objects, grid: grid.clone(), count, threshold: f64::from(threshold) })
    }
}

/// What a segmentation found.
#[derive(Debug, Clone)]
pub struct Segmented {
    objects: Objects,
    grid: Grid,
    count: Count,
    threshold: f64,
}

/// How many objects there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// All of them, those at the border included.
    pub all: usize,
    /// Those that do not touch the border of the image.
    pub inside: usize,
}

impl Count {
    /// The usual estimate for a field of view: every second object at the border belongs to it.
    pub fn half_border(self) -> f64 {
        (self.all + self.inside) as f64 / 2.0
    }
}

impl Segmented {
    /// The objects counted before those at the border were left out.
    pub fn count(&self) -> Count {
        self.count
    }

    /// The value above which a pixel belongs to an object.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// The label image.
    ///
    /// # Errors
    /// Never in practice: the objects always fill their grid.
    pub fn labels(&self) -> Result<LabelImage> {
        self.objects.paint(&self.grid)
    }

    /// Writes the labels as TIFF without ever holding them as pixels.
    ///
    /// # Errors
    /// When the file exists and must be kept, or cannot be written.
    pub fn save(&self, path: impl AsRef<Path>, existing: Existing) -> Result<()> {
        let largest = self.objects.labels.iter().copied().max().unwrap_or(0);
        save_labels_by_rows(path.as_ref(), existing, &self.grid, largest, |row, columns, out| {
            for run in self.objects.runs.of_row(row) {
                let Run { start, end } = self.objects.runs.runs[run];
                let (start, end) =
                    ((start as usize).max(columns.start), (end as usize).min(columns.end));
                if start < end {
                    out[start - columns.start..end - columns.start].fill(self.objects.labels[run]);
                }
            }
        })
    }
}

type Region = [Range<usize>; 3];

/// An image cut into tiles.
struct Tiles<'a> {
    source: &'a dyn Source,
    /// Ranges of layers, rows and columns; every combination is a tile.
    cuts: [Vec<Range<usize>>; 3],
}

impl<'a> Tiles<'a> {
    fn new(source: &'a dyn Source, side: Option<usize>) -> Self {
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
        let wide = self.widened(region, gaussian_radius(sigma));
        let block = self.source.block(&wide)?;
        let blurred = if sigma == 0.0 { block.into_owned() } else { gaussian(&block, sigma)? };
        let inside = [0, 1, 2]
            .map(|axis| region[axis].start - wide[axis].start..region[axis].end - wide[axis].start);
        Ok(blurred.crop(&inside).into_owned())
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
    fn blurred(&'a self, sigma: f64) -> Result<Blurred<'a>> {
        let whole = self.source.extent().map(|length| 0..length);
        let cached = if self.is_one() { Some(self.blur(&whole, sigma)?) } else { None };
        Ok(Blurred { tiles: self, sigma, cached })
    }

    /// The pixels above `threshold` and, where a sigma for them is given, the local maxima among them.
    fn find(
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
                    let found =
                        Runs::find(field.extent(), field.values(), |v| v > threshold, |_, _| true);
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
        let wide = self.widened(region, 1);
        let field = self.blur(&wide, sigma)?;
        let offset = [0, 1, 2].map(|axis| region[axis].start - wide[axis].start);
        let ny = region[1].len();
        let rows = (0..region[0].len() * ny).into_par_iter().map(|row| {
            let (z, y) = (row / ny + offset[0], row % ny + offset[1]);
            let lines = lines_around(&field, z, y);
            let mut peaks = Vec::new();
            for run in mask.of_row(row) {
                let Run { start, end } = mask.runs[run];
                for x in start..end {
                    if is_peak(&lines, x as usize + offset[2]) {
                        peaks.push(Run { start: x, end: x + 1 });
                    }
                }
            }
            peaks
        });
        Ok(rows.collect())
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
struct Blurred<'a> {
    tiles: &'a Tiles<'a>,
    sigma: f64,
    cached: Option<Field>,
}

/// Pixels that one task counts.
const PIXELS: usize = 1 << 16;
const N_BINS: usize = 256;

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

    fn histogram(&self, n_bins: usize, bin: impl Fn(f32) -> usize + Sync) -> Result<Vec<u64>> {
        let mut counts = vec![0; n_bins];
        for region in self.tiles.all() {
            let field = self.region(&region)?;
            let count = |values: &[f32]| {
                let mut counts = vec![0u64; n_bins];
                values.iter().for_each(|&v| counts[bin(v)] += 1);
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

    /// Bins are centred on 256 values from the least to the largest.
    fn otsu_of_clesperanto(&self) -> Result<f32> {
        let (low, high) = self.range()?;
        let last = (N_BINS - 1) as f32;
        // Halves go up, as in OpenCL; the value is never negative.
        let counts =
            self.histogram(N_BINS, |v| ((v - low) / (high - low) * last + 0.5) as usize)?;
        let centers: Vec<f64> = (0..N_BINS).map(|i| i as f64).collect();
        let bin = otsu_bin(&counts, &centers) as f64;
        Ok((bin * f64::from(high - low) / f64::from(last) + f64::from(low)) as f32)
    }

    /// Whole numbers of 8 and 16 bits are counted as they are, others in 256 bins between least and largest.
    fn otsu_of_scikit_image(&self, is_whole: bool) -> Result<f32> {
        let (low, high) = self.range()?;
        if is_whole {
            let n_bins = (high - low) as usize + 1;
            let counts = self.histogram(n_bins, |v| (v - low) as usize)?;
            let centers: Vec<f64> = (0..n_bins).map(|i| f64::from(low) + i as f64).collect();
            return Ok(centers[otsu_bin(&counts, &centers)] as f32);
        }
        let width = f64::from(high) - f64::from(low);
        let place = |v: f32| (f64::from(v) - f64::from(low)) / width * N_BINS as f64;
        let counts = self.histogram(N_BINS, |v| (place(v) as usize).min(N_BINS - 1))?;
        let center = |i: usize| f64::from(low) + width * (i as f64 + 0.5) / N_BINS as f64;
        let centers: Vec<f64> = (0..N_BINS).map(center).collect();
        Ok(centers[otsu_bin(&counts, &centers)] as f32)
    }
}
