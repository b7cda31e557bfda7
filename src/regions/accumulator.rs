//! Tiles of labels become objects, each the set of its runs and the exact sums of its intensities.
//!
//! Sets of runs join and integers add in any order, so threads, tiles, streams and processes give the same bits.

use rayon::prelude::*;

use super::on_gpu::Counted;
use crate::error::{Error, Result};
use crate::image::{Grid, IntensityImage, LabelImage, Pixels};
use crate::kernels::region_intensity::{Intensity, Sample};
use crate::kernels::region_runs::{Span, group, runs_of_row};

/// Objects collected tile by tile, for images that do not fit into memory or are shared between processes.
///
/// Tiles may come in any order and cut objects anywhere; each pixel must come once.
///
/// ```
/// use ndarray::array;
/// use polariscope::image::LabelImage;
/// use polariscope::regions::{Accumulator, Regions};
///
/// let left = LabelImage::from(array![[1, 1], [0, 1]]);
/// let right = LabelImage::from(array![[1, 2], [1, 0]]);
/// let mut objects = Accumulator::new(&[2, 4], 0)?;
/// objects.push(&[0, 2], &right, &[])?;
/// objects.push(&[0, 0], &left, &[])?;
///
/// let whole = LabelImage::from(array![[1, 1, 1, 2], [0, 1, 1, 0]]);
/// let table = Regions::params().measure(&whole)?;
/// assert!(Regions::params().measure_objects(objects)?.equals_missing(&table));
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Accumulator {
    pub(super) n_axes: usize,
    /// Planes, rows and columns of the whole image.
    pub(super) extent: [usize; 3],
    pub(super) n_channels: usize,
    /// Whether every pixel value is kept, as quantiles, textures and weighted moments need.
    pub(super) keep_values: bool,
    pub(super) parts: Vec<Objects>,
}

/// Objects by ascending label. Channel by channel, so that objects without channels cost nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Objects {
    pub labels: Vec<u32>,
    /// Where each object's spans begin, with the end as the last entry.
    pub begins: Vec<usize>,
    /// Each object's spans, ordered by row and column.
    pub spans: Vec<Span>,
    /// Per channel, per object.
    pub intensity: Vec<Vec<Intensity>>,
    /// Per channel, the pixel values in the order of the spans; empty unless kept.
    pub values: Vec<Vec<f64>>,
    /// Where each object's values begin, with the end as the last entry; empty unless kept.
    pub firsts: Vec<usize>,
    /// What a device counted of every object, in place of its spans.
    pub counted: Option<Counted>,
}

impl Objects {
    /// The values of one object, in the order of its spans; empty unless kept.
    pub fn values_of(&self, channel: usize, at: usize) -> &[f64] {
        match self.firsts.get(at..at + 2) {
            Some(ends) => &self.values[channel][ends[0]..ends[1]],
            None => &[],
        }
    }

    /// The spans of one object.
    pub fn spans_of(&self, at: usize) -> &[Span] {
        &self.spans[self.begins[at]..self.begins[at + 1]]
    }

    /// Fills `firsts`.
    pub fn count_values(&mut self) {
        let n_pixels = |ends: &[usize]| -> usize {
            self.spans[ends[0]..ends[1]].iter().map(|span| span.len() as usize).sum()
        };
        let mut total = 0;
        let ends = self.begins.windows(2).map(|ends| {
            total += n_pixels(ends);
            total
        });
        self.firsts = std::iter::once(0).chain(ends).collect();
    }
}

/// Pixels worked on at once: enough to amortise, few enough to stay in the cache.
const BLOCK_PIXELS: usize = 1 << 18;

impl Accumulator {
    /// No object yet of an image of this shape, `(y, x)` or `(z, y, x)`.
    ///
    /// # Errors
    /// A shape with other than two or three axes, or with more than 2^32 - 1 rows or columns.
    pub fn new(shape: &[usize], n_channels: usize) -> Result<Self> {
        let grid = Grid::new(shape)?;
        let extent = grid.extent();
        if extent[0] * extent[1] >= u32::MAX as usize || extent[2] >= u32::MAX as usize {
            return Err(Error::data(format!("an image of {grid} has too many rows or columns"))
                .help("measure it in pieces of less than 4 billion rows"));
        }
        let (n_axes, parts) = (shape.len(), Vec::new());
        Ok(Self { n_axes, extent, n_channels, keep_values: false, parts })
    }

    /// Keeps every pixel value of the objects, which quantiles, textures and weighted moments need.
    pub fn keep_values(mut self) -> Self {
        self.keep_values = true;
        self
    }

    /// Adds a tile whose first pixel lies at `corner` of the whole image.
    ///
    /// # Errors
    /// A tile that does not fit, or channels whose shape or number differ.
    pub fn push(
        &mut self,
        corner: &[usize],
        labels: &LabelImage,
        channels: &[&IntensityImage],
    ) -> Result<()> {
        let pixels: Vec<&Pixels> = channels.iter().map(|channel| channel.pixels()).collect();
        for channel in channels {
            channel.check_same_shape("its label image", labels.grid())?;
        }
        if corner.len() != self.n_axes || labels.shape().len() != self.n_axes {
            let found = format!("{corner:?}");
            return Err(Error::parameter("corner", found, format!("{} indices", self.n_axes)));
        }
        let mut first = [0; 3];
        first[3 - self.n_axes..].copy_from_slice(corner);
        let extent = labels.grid().extent();
        let tile = Source { labels: labels.pixels(), channels: &pixels, extent, corner: first };
        self.push_window(&tile, Window { first: [0; 3], extent })
    }

    /// Adds the part of an image that a window shows.
    pub(super) fn push_window(&mut self, source: &Source<'_>, window: Window) -> Result<()> {
        let fits = |a: usize| source.corner[a] + source.extent[a] <= self.extent[a];
        if !(0..3).all(fits) || source.channels.len() != self.n_channels {
            return Err(Error::data(format!(
                "a tile of {:?} at {:?} with {} channels does not fit an image of {:?} with {}",
                source.extent,
                source.corner,
                source.channels.len(),
                self.extent,
                self.n_channels
            )));
        }
        let [n_planes, n_rows, n_columns] = window.extent;
        let at_once = (BLOCK_PIXELS / n_columns.max(1)).max(1);
        let rows: Vec<(usize, usize)> =
            (0..n_planes).flat_map(|z| (0..n_rows).map(move |y| (z, y))).collect();
        let parts = rows.par_chunks(at_once).map(|rows| self.objects_in(source, window, rows));
        let parts: Vec<Objects> = parts.collect();
        self.parts.extend(parts);
        Ok(())
    }

    /// The objects in some rows of a window.
    fn objects_in(&self, source: &Source<'_>, window: Window, rows: &[(usize, usize)]) -> Objects {
        let [_, n_rows, n_columns] = source.extent;
        let shift = (source.corner[2] + window.first[2]) as u32;
        let (mut keys, mut spans, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for &(z, y) in rows {
            let (z, y) = (z + window.first[0], y + window.first[1]);
            let begin = (z * n_rows + y) * n_columns + window.first[2];
            let row = ((source.corner[0] + z) * self.extent[1] + source.corner[1] + y) as u32;
            let line = &source.labels[begin..begin + window.extent[2]];
            runs_of_row(line, |label, start, end| {
                keys.push(label);
                spans.push(Span { row, start: start as u32 + shift, end: end as u32 + shift });
                places.push(begin + start);
            });
        }
        let (labels, begins, order) = group(&keys);
        let mut objects = Objects { labels, begins, ..Objects::default() };
        let mut owners = vec![0u32; spans.len()];
        for (object, ends) in objects.begins.windows(2).enumerate() {
            for &run in &order[ends[0]..ends[1]] {
                owners[run as usize] = object as u32;
            }
        }
        for &pixels in source.channels {
            let n_objects = objects.labels.len();
            objects.intensity.push(crate::for_each_pixel_type!(pixels, values => {
                sums(values, &spans, &places, &owners, n_objects)
            }));
            objects.values.push(if self.keep_values {
                crate::for_each_pixel_type!(pixels, values => copy(values, &spans, &places, &order))
            } else {
                Vec::new()
            });
        }
        objects.spans = order.iter().map(|&run| spans[run as usize]).collect();
        if self.keep_values {
            objects.count_values();
        }
        objects
    }

    /// Joins what was collected elsewhere of the same image.
    ///
    /// # Errors
    /// Accumulators of images of different shape or with different channels.
    pub fn combine(&mut self, other: Self) -> Result<()> {
        let same = self.extent == other.extent
            && self.n_channels == other.n_channels
            && self.keep_values == other.keep_values;
        if !same {
            return Err(Error::data(format!(
                "objects of an image of {:?} with {} channels cannot join those of {:?} with {}",
                other.extent, other.n_channels, self.extent, self.n_channels
            )));
        }
        self.parts.extend(other.parts);
        Ok(())
    }

    /// All objects, in one form whatever the tiles were.
    pub(super) fn objects(mut self) -> Result<Objects> {
        if self.parts.len() == 1 {
            return Ok(self.parts.swap_remove(0));
        }
        merge(&self.parts, self.n_channels, self.keep_values)
    }
}

/// An image or tile in memory, and where it lies in the whole.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub labels: &'a [u32],
    pub channels: &'a [&'a Pixels],
    pub extent: [usize; 3],
    pub corner: [usize; 3],
}

/// A box of pixels: z, y, x.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub first: [usize; 3],
    pub extent: [usize; 3],
}

/// Intensity sums per object, reading the pixels in the order of memory.
fn sums<T: Sample>(
    values: &[T],
    spans: &[Span],
    places: &[usize],
    owners: &[u32],
    n_objects: usize,
) -> Vec<Intensity> {
    let mut sums = vec![Intensity::default(); n_objects];
    for ((span, &place), &owner) in spans.iter().zip(places).zip(owners) {
        T::push(&values[place..place + span.len() as usize], &mut sums[owner as usize]);
    }
    sums
}

/// The pixel values, object by object.
fn copy<T: Sample>(values: &[T], spans: &[Span], places: &[usize], order: &[u32]) -> Vec<f64> {
    let run = |&run: &u32| {
        let (place, length) = (places[run as usize], spans[run as usize].len() as usize);
        values[place..place + length].iter().map(|&value| value.value())
    };
    order.iter().flat_map(run).collect()
}

/// Joins the pieces of each object.
fn merge(parts: &[Objects], n_channels: usize, keep_values: bool) -> Result<Objects> {
    let keys: Vec<u32> = parts.iter().flat_map(|part| &part.labels).copied().collect();
    let pieces: Vec<(u32, u32)> = parts
        .iter()
        .enumerate()
        .flat_map(|(p, part)| (0..part.labels.len()).map(move |slot| (p as u32, slot as u32)))
        .collect();
    let (labels, ends, order) = group(&keys);
    let mut all = Objects {
        begins: Vec::with_capacity(labels.len() + 1),
        spans: Vec::with_capacity(parts.iter().map(|part| part.spans.len()).sum()),
        intensity: vec![Vec::with_capacity(labels.len()); n_channels],
        values: vec![Vec::new(); n_channels],
        firsts: Vec::new(),
        counted: None,
        labels,
    };
    for (object, ends) in ends.windows(2).enumerate() {
        let pieces: Vec<(&Objects, usize)> = order[ends[0]..ends[1]]
            .iter()
            .map(|&piece| pieces[piece as usize])
            .map(|(part, slot)| (&parts[part as usize], slot as usize))
            .collect();
        all.begins.push(all.spans.len());
        join_spans(&pieces, &mut all.spans).map_err(|row| {
            let label = all.labels[object];
            Error::data(format!("tiles overlap in object {label}, row {row} of the image"))
                .help("give every pixel in one tile only")
        })?;
        for channel in 0..n_channels {
            let mut sums = Intensity::default();
            for (part, slot) in &pieces {
                sums.combine(&part.intensity[channel][*slot]);
            }
            all.intensity[channel].push(sums);
            if keep_values {
                join_values(&pieces, channel, &mut all.values[channel]);
            }
        }
    }
    all.begins.push(all.spans.len());
    if keep_values {
        all.count_values();
    }
    Ok(all)
}

/// Appends the spans of all pieces in order, those cut by a tile border made whole; the row where two overlap is the error.
fn join_spans(pieces: &[(&Objects, usize)], out: &mut Vec<Span>) -> std::result::Result<(), u32> {
    let begin = out.len();
    for (part, slot) in pieces {
        out.extend_from_slice(&part.spans[part.begins[*slot]..part.begins[slot + 1]]);
    }
    if pieces.len() == 1 {
        return Ok(());
    }
    let spans = &mut out[begin..];
    if !spans.is_sorted() {
        spans.sort_unstable();
    }
    let mut last = 0;
    for next in 1..spans.len() {
        let (before, span) = (spans[last], spans[next]);
        if before.row == span.row && span.start < before.end {
            return Err(span.row);
        }
        if before.row == span.row && span.start == before.end {
            spans[last].end = span.end;
        } else {
            last += 1;
            spans[last] = span;
        }
    }
    out.truncate(begin + last + 1);
    Ok(())
}

/// Appends the values of all pieces in the order of the joined spans.
fn join_values(pieces: &[(&Objects, usize)], channel: usize, out: &mut Vec<f64>) {
    let mut stretches: Vec<(Span, &[f64])> = Vec::new();
    for (part, slot) in pieces {
        let mut rest = &part.values[channel][part.firsts[*slot]..];
        for span in &part.spans[part.begins[*slot]..part.begins[slot + 1]] {
            let (values, behind) = rest.split_at(span.len() as usize);
            stretches.push((*span, values));
            rest = behind;
        }
    }
    stretches.sort_unstable_by_key(|(span, _)| *span);
    for (_, values) in stretches {
        out.extend_from_slice(values);
    }
}
