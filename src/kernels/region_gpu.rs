//! Labels on a device become the same integers as their runs do on the processor.
//!
//! Shaders: `region_sums.wgsl` (coordinate powers, boxes), `region_edges.wgsl` (planes), `region_solid.wgsl` (stacks),
//! `region_intensity.wgsl` (whole numbers), `region_floats.wgsl` and `region_rows.wgsl`. They add whole numbers only, so every order of additions, size of group and cut into
//! bands gives the bits of the CPU.
//!
//! # Cost
//! Each kernel reads 4 bytes a pixel once (intensities: plus 1, 2 or 4), the edges up to 9 neighbours from cache
//! and up to 45 at border pixels (stacks: 14, and some 300 integer operations at border voxels); what is written is
//! a few dozen bytes a label and, for each run of up to 64 pixels, one atomic addition per sum: 6 (16 with cubes, 10 in
//! stacks) + 6, 8 (14), 7 (up to 8 a pixel for floats of many scales) and 2. A card that moves B bytes a second and
//! is limited by memory takes 4 n / B seconds a kernel for n pixels; atomics on few large objects are what may
//! keep it from that. `cargo bench --bench main -- gpu` prints what a card reaches.

use std::ops::Range;
use std::sync::Arc;

use super::raster_gpu::value_of;
use super::region_edges::Edges;
use super::region_intensity::Intensity;
use super::region_runs::Span;
use super::region_solid::Solid;
use super::region_sums::Bounds;
use crate::backend::{Bound, Buffer, Gpu, Launch, Shader};
use crate::error::{Error, Result};

macro_rules! region_shader {
    ($name:literal) => {
        Shader {
            name: $name,
            source: concat!(
                include_str!("words.wgsl"),
                include_str!("region_bands.wgsl"),
                include_str!("region_adds.wgsl"),
                include_str!(concat!($name, ".wgsl"))
            ),
        }
    };
}
pub(super) static SUMS: Shader = region_shader!("region_sums");
pub(super) static EDGES: Shader = region_shader!("region_edges");
pub(super) static SOLID: Shader = region_shader!("region_solid");
pub(super) static INTENSITY: Shader = region_shader!("region_intensity");
pub(super) static FLOATS: Shader = region_shader!("region_floats");
pub(super) static ROWS: Shader = Shader {
    name: "region_rows",
    source: concat!(
        include_str!("words.wgsl"),
        include_str!("region_bands.wgsl"),
        include_str!("region_rows.wgsl")
    ),
};

/// Rows beside those of a band in a plane that its borders are told from; in a stack it is a plane and a row.
const HALO: usize = 2;

/// Labels on a device, in bands of rows as large as it sees at once; the rows of a stack are counted plane by plane.
/// Labels should be dense: there is room for every number from 1 to the largest.
pub(crate) struct LabelBands<'a> {
    gpu: &'a Gpu,
    bands: Vec<Band>,
    /// Planes, rows and columns.
    extent: [usize; 3],
    is_stack: bool,
    pub max_label: u32,
}

struct Band {
    labels: Arc<Buffer<u32>>,
    /// Rows in the buffer.
    held: Range<usize>,
    /// Rows that belong to the band and no other.
    own: Range<usize>,
}

/// Sums of the powers of a label's coordinates, and its box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RegionSums {
    /// From the first pixel of the image, modulo 2^64. Entry `9 k + 3 j + i` is the sum of `z^k y^j x^i`; with cubes, in
    /// a plane only, entry `4 j + i` is that of `y^j x^i`.
    pub powers: [u64; 27],
    pub bounds: Bounds,
}

impl RegionSums {
    pub fn n_pixels(&self) -> u64 {
        self.powers[0]
    }

    /// Rows of all planes of the box.
    fn n_rows(&self) -> usize {
        self.bounds.extent[0] as usize * self.bounds.extent[1] as usize
    }
}

impl<'a> LabelBands<'a> {
    /// Copies labels to the device.
    pub fn upload(
        gpu: &'a Gpu,
        labels: &[u32],
        extent: [usize; 3],
        is_stack: bool,
    ) -> Result<Self> {
        let [n_planes, height, width] = extent;
        let n_rows = n_planes * height;
        let halo = if is_stack { height + 1 } else { HALO };
        let at_once = match gpu.max_words() / width.max(1) {
            all if all >= n_rows => n_rows,
            some => some.saturating_sub(2 * halo),
        };
        if at_once == 0 && n_rows > 0 {
            let what = if is_stack { "planes" } else { "rows" };
            return Err(Error::backend(format!(
                "{what} of {width} columns are too large for {}",
                gpu.adapter().name
            ))
            .help("use --backend cpu"));
        }
        let bands = (0..n_rows).step_by(at_once.max(1)).map(|first| {
            let own = first..(first + at_once).min(n_rows);
            let held = own.start.saturating_sub(halo)..(own.end + halo).min(n_rows);
            let labels = gpu.upload(&labels[held.start * width..held.end * width])?;
            Ok(Band { labels: Arc::new(labels), held, own })
        });
        let max_label = labels.iter().copied().max().unwrap_or(0);
        Ok(Self { gpu, bands: bands.collect::<Result<_>>()?, extent, is_stack, max_label })
    }

    /// Columns of a row.
    pub fn width(&self) -> usize {
        self.extent[2]
    }

    /// Labels that are on the device, in one piece, and none above `max_label`.
    pub fn over(
        gpu: &'a Gpu,
        labels: Arc<Buffer<u32>>,
        extent: [usize; 3],
        is_stack: bool,
        max_label: u32,
    ) -> Self {
        let rows = 0..extent[0] * extent[1];
        let bands = vec![Band { labels, held: rows.clone(), own: rows }];
        Self { gpu, bands, extent, is_stack, max_label }
    }

    /// For every label from 1: powers up to the third of each coordinate if `cubes`, else all up to the second order.
    pub fn sums(&self, cubes: bool) -> Result<Vec<RegionSums>> {
        let (n_powers, n_z) = (if cubes { 4 } else { 3 }, if self.is_stack { 3 } else { 1 });
        let n_words = 2 * n_powers * n_powers * n_z;
        let constants = [("POWERS", n_powers as f64), ("Z_POWERS", n_z as f64)];
        let mut all = Vec::with_capacity(self.max_label as usize);
        for labels in self.batches(n_words) {
            let sums = self.gpu.zeros::<u32>(labels.len() * n_words)?;
            let boxes = self.gpu.zeros::<u32>(labels.len() * 6)?;
            for band in &self.bands {
                let buffers: [(_, &dyn Bound); 2] = [("sums", &sums), ("boxes", &boxes)];
                self.launch(&SUMS, band, &labels, &constants, &buffers)?;
            }
            let (sums, boxes) = (self.gpu.read(&sums)?, self.gpu.read(&boxes)?);
            let found = sums.chunks_exact(n_words).zip(boxes.as_chunks::<6>().0);
            all.extend(found.map(|(words, ends)| {
                let mut powers = [0; 27];
                for (power, pair) in powers.iter_mut().zip(words.as_chunks::<2>().0) {
                    *power = wide(*pair);
                }
                RegionSums { powers, bounds: box_of(*ends) }
            }));
        }
        Ok(all)
    }

    /// For every label of a plane from 1: what is counted along its border.
    pub fn edges(&self, sums: &[RegionSums]) -> Result<Vec<Edges>> {
        const N_WORDS: usize = 16;
        let counts = self.counted(&EDGES, N_WORDS)?;
        let edges = counts.as_chunks::<N_WORDS>().0.iter().zip(sums).map(|(words, sums)| {
            let count = |at: usize| wide([words[2 * at], words[2 * at + 1]]);
            let crossings = [0, 1, 2, 3].map(count);
            Edges {
                area: sums.n_pixels(),
                crossings,
                // Corners minus sides plus pixels, each side and corner counted at the first pixel that has it.
                euler: count(4) as i64 - crossings[1] as i64,
                codes: [5, 6, 7].map(count),
            }
        });
        Ok(edges.collect())
    }

    /// For every label of a stack from 1: what is counted along its border.
    pub fn solids(&self) -> Result<Vec<Solid>> {
        const N_WORDS: usize = 28;
        let counts = self.counted(&SOLID, N_WORDS)?;
        let solids = counts.as_chunks::<N_WORDS>().0.iter().map(|words| {
            let count = |at: usize| wide([words[2 * at], words[2 * at + 1]]);
            Solid { crossings: std::array::from_fn(count), euler: count(13) as i64 }
        });
        Ok(solids.collect())
    }

    /// For every label from 1: sums of whole numbers of `bits` bits, of which `words` gives those of some rows.
    pub fn intensity(
        &self,
        sums: &[RegionSums],
        bits: u32,
        words: &dyn Fn(Range<usize>) -> Vec<u32>,
    ) -> Result<Vec<Intensity>> {
        const N_WORDS: usize = 7;
        let constants = [("BITS", f64::from(bits))];
        let found = self.counted_with(&INTENSITY, N_WORDS, &constants, Some(words))?;
        let found = found.as_chunks::<N_WORDS>().0.iter().zip(sums);
        Ok(found
            .map(|(&[s0, s1, q0, q1, q2, not_min, max], sums)| {
                let mut intensity = Intensity { count: sums.n_pixels(), ..Intensity::default() };
                if intensity.count > 0 {
                    (intensity.min, intensity.max) = (f64::from(!not_min), f64::from(max));
                    intensity.sum.add_whole(i128::from(wide([s0, s1])));
                    intensity
                        .squares
                        .add_whole(i128::from(wide([q0, q1])) + (i128::from(q2) << 64));
                }
                intensity
            })
            .collect())
    }

    /// The same of single precision values, by their bits.
    pub fn float_intensity(
        &self,
        sums: &[RegionSums],
        words: &dyn Fn(Range<usize>) -> Vec<u32>,
    ) -> Result<Vec<Intensity>> {
        /// Places of the sum and of the sum of squares, and the place of the first, as in the shader.
        const SUMS: (usize, i16) = (10, -7);
        const SQUARES: (usize, i16) = (18, -11);
        const N_WORDS: usize = 3 + 4 * (SUMS.0 + SQUARES.0);
        let found = self.counted_with(&FLOATS, N_WORDS, &[], Some(words))?;
        let found = found.as_chunks::<N_WORDS>().0.iter().zip(sums);
        let part = |[a, b, c, d]: [u32; 4]| {
            (u128::from(wide([a, b])) | u128::from(wide([c, d])) << 64) as i128
        };
        Ok(found
            .map(|(words, sums)| {
                let odd = u64::from(words[0]);
                let count = sums.n_pixels() - odd;
                let mut intensity = Intensity { count, odd, ..Intensity::default() };
                if count > 0 {
                    (intensity.min, intensity.max) =
                        (f64::from(value_of(!words[1])), f64::from(value_of(words[2])));
                }
                let (sum, squares) = words[3..].as_chunks::<4>().0.split_at(SUMS.0);
                for (place, words) in (SUMS.1..).zip(sum) {
                    intensity.sum.add_part(place, part(*words));
                }
                for (place, words) in (SQUARES.1..).zip(squares) {
                    intensity.squares.add_part(place, part(*words));
                }
                intensity
            })
            .collect())
    }

    /// Every row of every label from its first pixel to its last, and where each label's rows begin, with the end last.
    pub fn rows(&self, sums: &[RegionSums]) -> Result<(Vec<Span>, Vec<usize>)> {
        let (mut rows, mut begins) = (Vec::new(), vec![0]);
        let mut first = 0;
        while first < sums.len() {
            let (mut places, mut n_words) = (Vec::new(), 0);
            for sums in &sums[first..] {
                let next = n_words + 2 * sums.n_rows();
                if next.max(places.len() + 4) > self.gpu.max_words() {
                    break;
                }
                let Bounds { first: [z, y, _], extent: [_, n_lines, _] } = sums.bounds;
                places.extend([n_words as u32, z, y, n_lines]);
                n_words = next;
            }
            let n_labels = places.len() / 4;
            if n_labels == 0 {
                return Err(Error::backend(format!(
                    "object {} has too many rows for the GPU",
                    first + 1
                ))
                .help("use --backend cpu"));
            }
            let batch = first as u32 + 1..(first + n_labels) as u32 + 1;
            let places = self.gpu.upload(&places)?;
            let ends = self.gpu.zeros::<u32>(n_words)?;
            for band in &self.bands {
                let buffers: [(_, &dyn Bound); 2] = [("rows", &places), ("ends", &ends)];
                self.launch(&ROWS, band, &batch, &[], &buffers)?;
            }
            let ends = self.gpu.read(&ends)?;
            let mut rest = ends.as_chunks::<2>().0;
            for sums in &sums[first..first + n_labels] {
                let (own, behind) = rest.split_at(sums.n_rows());
                rest = behind;
                rows.extend(self.spans(sums.bounds, own));
                begins.push(rows.len());
            }
            first += n_labels;
        }
        Ok((rows, begins))
    }

    /// The rows of a box from the complement of the first and the last column, where there are any.
    fn spans(&self, bounds: Bounds, ends: &[[u32; 2]]) -> impl Iterator<Item = Span> {
        let [_, height, _] = self.extent.map(|length| length as u32);
        let lines = (0u32..).zip(ends).filter(|(_, [not_first, _])| *not_first != 0);
        lines.map(move |(line, [not_first, last])| {
            let (z, y) = (line / bounds.extent[1], line % bounds.extent[1]);
            let row = (bounds.first[0] + z) * height + bounds.first[1] + y;
            Span { row, start: !not_first, end: last + 1 }
        })
    }

    /// Ranges of labels whose sums fit into one buffer.
    fn batches(&self, words_per_label: usize) -> impl Iterator<Item = Range<u32>> + use<> {
        let at_once = (self.gpu.max_words() / words_per_label).max(1) as u32;
        let end = self.max_label.saturating_add(1);
        (1..end)
            .step_by(at_once as usize)
            .map(move |first| first..end.min(first.saturating_add(at_once)))
    }

    /// The words that a kernel leaves for every label.
    fn counted(&self, shader: &'static Shader, n_words: usize) -> Result<Vec<u32>> {
        self.counted_with(shader, n_words, &[], None)
    }

    /// The same with values beside the labels, which stay on the device while their band is worked on.
    fn counted_with(
        &self,
        shader: &'static Shader,
        n_words: usize,
        constants: &[(&'static str, f64)],
        values: Option<&dyn Fn(Range<usize>) -> Vec<u32>>,
    ) -> Result<Vec<u32>> {
        let mut all = Vec::with_capacity(self.max_label as usize * n_words);
        for labels in self.batches(n_words) {
            let sums = self.gpu.zeros::<u32>(labels.len() * n_words)?;
            for band in &self.bands {
                let mut buffers: Vec<(_, &dyn Bound)> = vec![("sums", &sums)];
                let held = match values {
                    Some(words) => Some(self.gpu.upload(&words(band.own.clone()))?),
                    None => None,
                };
                buffers.extend(held.as_ref().map(|held| ("values", held as &dyn Bound)));
                self.launch(shader, band, &labels, constants, &buffers)?;
            }
            all.extend(self.gpu.read(&sums)?);
        }
        Ok(all)
    }

    fn launch(
        &self,
        shader: &'static Shader,
        band: &Band,
        labels: &Range<u32>,
        constants: &[(&'static str, f64)],
        buffers: &[(&'static str, &dyn Bound)],
    ) -> Result<()> {
        const SEGMENT: usize = 64;
        let parameters = [
            ("width", self.extent[2] as u32),
            ("height", self.extent[1] as u32),
            ("start", band.held.start as u32),
            ("n_held", band.held.len() as u32),
            ("first", band.own.start as u32),
            ("n_rows", band.own.len() as u32),
            ("first_label", labels.start),
            ("n_labels", labels.len() as u32),
        ];
        let mut bound: Vec<(&'static str, &dyn Bound)> = vec![("labels", &*band.labels)];
        bound.extend(buffers);
        self.gpu.launch(&Launch {
            shader,
            entry: "main",
            constants,
            parameters: &parameters,
            buffers: &bound,
            n_items: self.width().div_ceil(SEGMENT) * band.own.len(),
        })
    }
}

fn wide(words: [u32; 2]) -> u64 {
    u64::from(words[0]) | u64::from(words[1]) << 32
}

/// From the complements of the least and the largest coordinates; empty without a pixel.
fn box_of(ends: [u32; 6]) -> Bounds {
    let [first, last] = [0, 1].map(|end| [0, 1, 2].map(|axis| ends[2 * axis + end]));
    let first = first.map(|complement| !complement);
    if first[0] > last[0] {
        return Bounds::default();
    }
    Bounds { first, extent: [0, 1, 2].map(|axis| last[axis] - first[axis] + 1) }
}
