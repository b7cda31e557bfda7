//! Labels on a device become the same integers as their runs do on the processor.
//!
//! Shaders: `region_sums.wgsl` (coordinate powers, boxes), `region_edges.wgsl`, `region_intensity.wgsl` and
//! `region_rows.wgsl`. They add whole numbers only, so every order of additions, size of group and cut into
//! bands gives the bits of the CPU.
//!
//! # Cost
//! Each kernel reads 4 bytes a pixel once (intensities: plus 1, 2 or 4), the edges up to 9 neighbours from cache
//! and up to 45 at border pixels; what is written is a few dozen bytes a label and, for each run of up to 64
//! pixels, one atomic addition per sum: 6 (16 with cubes) + 4, 8, 4 and 2. A card that moves B bytes a second and
//! is limited by memory takes 4 n / B seconds a kernel for n pixels; atomics on few large objects are what may
//! keep it from that. `cargo bench --bench main -- gpu` prints what a card reaches.

use std::ops::Range;
use std::sync::Arc;

use super::region_edges::Edges;
use super::region_hull::RowEnds;
use super::region_intensity::Intensity;
use super::region_sums::Bounds;
use crate::backend::{Bound, Buffer, Gpu, Launch, Shader};
use crate::error::{Error, ErrorKind, Result};

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
pub(super) static INTENSITY: Shader = region_shader!("region_intensity");
pub(super) static ROWS: Shader = Shader {
    name: "region_rows",
    source: concat!(
        include_str!("words.wgsl"),
        include_str!("region_bands.wgsl"),
        include_str!("region_rows.wgsl")
    ),
};

/// Rows beside those of a band that its borders are told from.
const HALO: usize = 2;

/// A plane of labels on a device, in bands as large as it sees at once. Labels should be dense: there is room for
/// every number from 1 to the largest.
pub(crate) struct LabelBands<'a> {
    gpu: &'a Gpu,
    bands: Vec<Band>,
    pub width: usize,
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
pub(crate) struct PlaneSums {
    /// Entry `4 j + i` is the sum of `y^j x^i` from the first pixel of the image, modulo 2^64.
    pub powers: [u64; 16],
    pub bounds: Bounds,
}

impl PlaneSums {
    pub fn n_pixels(&self) -> u64 {
        self.powers[0]
    }
}

impl<'a> LabelBands<'a> {
    /// Copies labels to the device.
    pub fn upload(gpu: &'a Gpu, labels: &[u32], width: usize) -> Result<Self> {
        let n_rows = labels.len() / width.max(1);
        let at_once = (gpu.max_words() / width.max(1)).saturating_sub(2 * HALO);
        if at_once == 0 && n_rows > 0 {
            return Err(Error::new(
                ErrorKind::Backend,
                format!("rows of {width} pixels are too long for {}", gpu.adapter().name),
            )
            .help("use --backend cpu"));
        }
        let bands = (0..n_rows).step_by(at_once.max(1)).map(|first| {
            let own = first..(first + at_once).min(n_rows);
            let held = own.start.saturating_sub(HALO)..(own.end + HALO).min(n_rows);
            let labels = gpu.upload(&labels[held.start * width..held.end * width])?;
            Ok(Band { labels: Arc::new(labels), held, own })
        });
        let max_label = labels.iter().copied().max().unwrap_or(0);
        Ok(Self { gpu, bands: bands.collect::<Result<_>>()?, width, max_label })
    }

    /// Labels that are on the device, in one piece, and none above `max_label`.
    pub fn over(
        gpu: &'a Gpu,
        labels: Arc<Buffer<u32>>,
        [n_rows, width]: [usize; 2],
        max_label: u32,
    ) -> Self {
        let bands = vec![Band { labels, held: 0..n_rows, own: 0..n_rows }];
        Self { gpu, bands, width, max_label }
    }

    /// For every label from 1: powers up to the third of each coordinate if `cubes`, else all up to the second order.
    pub fn sums(&self, cubes: bool) -> Result<Vec<PlaneSums>> {
        let n_powers = if cubes { 4 } else { 3 };
        let n_words = 2 * n_powers * n_powers;
        let mut all = Vec::with_capacity(self.max_label as usize);
        for labels in self.batches(n_words) {
            let sums = self.gpu.zeros::<u32>(labels.len() * n_words)?;
            let boxes = self.gpu.zeros::<u32>(labels.len() * 4)?;
            for band in &self.bands {
                let constants = [("POWERS", n_powers as f64)];
                let buffers: [(_, &dyn Bound); 2] = [("sums", &sums), ("boxes", &boxes)];
                self.launch(&SUMS, band, &labels, &constants, &buffers)?;
            }
            let (sums, boxes) = (self.gpu.read(&sums)?, self.gpu.read(&boxes)?);
            all.extend(sums.chunks_exact(n_words).zip(boxes.as_chunks::<4>().0).map(
                |(words, ends)| {
                    let mut powers = [0; 16];
                    for (at, pair) in words.as_chunks::<2>().0.iter().enumerate() {
                        powers[at / n_powers * 4 + at % n_powers] = wide(*pair);
                    }
                    PlaneSums { powers, bounds: box_of(*ends) }
                },
            ));
        }
        Ok(all)
    }

    /// For every label from 1: what is counted along its border.
    pub fn edges(&self, sums: &[PlaneSums]) -> Result<Vec<Edges>> {
        const N_WORDS: usize = 16;
        let counts = self.counted(&EDGES, N_WORDS, &[])?;
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

    /// For every label from 1: sums of whole numbers of `bits` bits, of which `words(rows)` gives those of some rows.
    pub fn intensity(
        &self,
        sums: &[PlaneSums],
        bits: u32,
        words: impl Fn(Range<usize>) -> Vec<u32>,
    ) -> Result<Vec<Intensity>> {
        const N_WORDS: usize = 7;
        let mut all = Vec::with_capacity(sums.len());
        // Values stay on the device only while their band is worked on, and labels have one batch but for millions.
        for labels in self.batches(N_WORDS) {
            let found = self.gpu.zeros::<u32>(labels.len() * N_WORDS)?;
            for band in &self.bands {
                let values = self.gpu.upload(&words(band.own.clone()))?;
                let buffers: [(_, &dyn Bound); 2] = [("sums", &found), ("values", &values)];
                self.launch(&INTENSITY, band, &labels, &[("BITS", f64::from(bits))], &buffers)?;
            }
            let found = self.gpu.read(&found)?;
            let counted = &sums[all.len()..];
            all.extend(found.as_chunks::<N_WORDS>().0.iter().zip(counted).map(|(words, sums)| {
                let [s0, s1, q0, q1, q2, not_min, max] = *words;
                let mut intensity = Intensity { count: sums.n_pixels(), ..Intensity::default() };
                if intensity.count > 0 {
                    (intensity.min, intensity.max) = (f64::from(!not_min), f64::from(max));
                    intensity.sum.add_whole(i128::from(wide([s0, s1])));
                    intensity
                        .squares
                        .add_whole(i128::from(wide([q0, q1])) + (i128::from(q2) << 64));
                }
                intensity
            }));
        }
        Ok(all)
    }

    /// The first and last pixel of every row of every label, and where each label's rows begin, with the end last.
    pub fn rows(&self, sums: &[PlaneSums]) -> Result<(Vec<RowEnds>, Vec<usize>)> {
        let height = |sums: &PlaneSums| sums.bounds.extent[1] as usize;
        let (mut rows, mut begins) = (Vec::new(), vec![0]);
        let mut first = 0;
        while first < sums.len() {
            let mut places = Vec::new();
            let mut n_words = 0;
            for sums in &sums[first..] {
                let next = n_words + 2 * height(sums);
                if next > self.gpu.max_words() || 2 * places.len() + 2 > self.gpu.max_words() {
                    break;
                }
                places.extend([n_words as u32, sums.bounds.first[1]]);
                n_words = next;
            }
            let batch = first as u32 + 1..(first + places.len() / 2) as u32 + 1;
            let places = self.gpu.upload(&places)?;
            let ends = self.gpu.zeros::<u32>(n_words)?;
            for band in &self.bands {
                let buffers: [(_, &dyn Bound); 2] = [("rows", &places), ("ends", &ends)];
                self.launch(&ROWS, band, &batch, &[], &buffers)?;
            }
            let ends = self.gpu.read(&ends)?;
            let mut rest = ends.as_chunks::<2>().0;
            for sums in &sums[first..first + batch.len()] {
                let (own, behind) = rest.split_at(height(sums));
                rest = behind;
                let filled = own.iter().zip(i64::from(sums.bounds.first[1])..);
                rows.extend(filled.filter(|([not_first, _], _)| *not_first != 0).map(
                    |([not_first, last], row)| RowEnds {
                        row,
                        first: i64::from(!not_first),
                        last: i64::from(*last),
                    },
                ));
                begins.push(rows.len());
            }
            first += batch.len();
        }
        Ok((rows, begins))
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
    fn counted(
        &self,
        shader: &'static Shader,
        n_words: usize,
        constants: &[(&'static str, f64)],
    ) -> Result<Vec<u32>> {
        let mut all = Vec::with_capacity(self.max_label as usize * n_words);
        for labels in self.batches(n_words) {
            let sums = self.gpu.zeros::<u32>(labels.len() * n_words)?;
            for band in &self.bands {
                self.launch(shader, band, &labels, constants, &[("sums", &sums)])?;
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
            ("width", self.width as u32),
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
            n_items: self.width.div_ceil(SEGMENT) * band.own.len(),
        })
    }
}

fn wide(words: [u32; 2]) -> u64 {
    u64::from(words[0]) | u64::from(words[1]) << 32
}

/// From the complements of the least and the largest coordinates; empty without a pixel.
fn box_of([not_top, bottom, not_left, right]: [u32; 4]) -> Bounds {
    let (top, left) = (!not_top, !not_left);
    if top > bottom {
        return Bounds::default();
    }
    Bounds { first: [0, top, left], extent: [1, bottom - top + 1, right - left + 1] }
}
