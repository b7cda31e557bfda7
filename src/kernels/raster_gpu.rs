//! Values and labels of a plane or a stack on a device: filters, thresholds, components and growth, without a way back
//! between.
//!
//! Definitions are those of `segment/`. Sums are rounded step by step in the CPU's order (see `rounded` in
//! `raster.wgsl`), quotients and roots in whole numbers (`exact.wgsl`), so that blurs, edges, thresholds and labels
//! have the CPU's bits.
//!
//! # Cost
//! Per pixel: a convolution along one axis moves 8 bytes and does 3 operations for each of 2 r + 1 taps (their reads
//! come from cache); a rank the same with 1; two images that become one 12 bytes, their root of squares 8 and about 400
//! operations on whole numbers; range and histogram move 4 (8 comparisons); mask and peaks 8 and 12; a crop 8;
//! components about 40 over five kernels; every step of growth 8, and as many steps as the widest gap between a spot
//! and its border, rounded up to 16. A card that moves B bytes a second takes bytes / B seconds a pixel as long as
//! that is more than operations / its rate: for a blur of sigma 2 (two axes, 17 taps) 16 / B, about 100 operations; at
//! 500 GB/s that is 0.3 ms for 10 million pixels.

use std::ops::Range;

use crate::backend::{Bound, Buffer, Gpu, Launch, Shader, Word};
use crate::error::{Error, Result};

macro_rules! raster_shader {
    ($name:literal $(, $part:literal)*) => {
        $crate::backend::Shader {
            name: $name,
            source: concat!(
                include_str!("words.wgsl"),
                include_str!("raster.wgsl"),
                $(include_str!($part),)*
                include_str!(concat!($name, ".wgsl"))
            ),
        }
    };
}
pub(super) use raster_shader;

pub(super) static CONVOLVE: Shader = raster_shader!("convolve");
pub(super) static CROP: Shader = raster_shader!("crop");
pub(super) static POINTWISE: Shader = raster_shader!("pointwise", "exact.wgsl");
pub(super) static BOX_RANK: Shader = raster_shader!("box_rank");
pub(super) static HISTOGRAM: Shader = raster_shader!("histogram");
pub(super) static SPOTS: Shader = raster_shader!("spots");
pub(super) static COMPONENTS: Shader = raster_shader!("components");
pub(super) static VORONOI: Shader = raster_shader!("voronoi");
pub(super) static RELABEL: Shader = raster_shader!("relabel");

/// An image of this size on a device; its pixels are buffers of one word each, x fastest. A plane has one layer.
#[derive(Clone, Copy)]
pub(crate) struct Raster<'a> {
    pub gpu: &'a Gpu,
    /// Layers, rows and columns.
    pub extent: [usize; 3],
}

/// Along which pixels a filter runs: the axes z, y, x are counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Along {
    Z = 0,
    Y = 1,
    X = 2,
}

/// A kernel of [`Raster::convolve`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taps<'a> {
    /// The weights of the centre and of the pixels after it.
    pub weights: &'a [f32],
    /// Whether the weights before the centre are negative.
    pub is_odd: bool,
    /// Whether the image is mirrored beyond its border; the border pixel is repeated otherwise.
    pub is_mirrored: bool,
}

/// What [`Raster::join`] does with two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Join {
    /// a - b
    Difference = 0,
    /// a + b
    Sum = 1,
    /// a a + b b
    Squares = 2,
    /// a + b b
    OneMoreSquare = 3,
    /// The root of half of a.
    RootOfHalf = 4,
    /// The root of a third of a.
    RootOfThird = 5,
}

/// Pixels of an invocation of `histogram.wgsl`, and of a count in `components.wgsl`.
const STRETCH: usize = 64;
const COUNTED: usize = 256;

/// Steps of growth between looks at whether anything changed; even, so that the last two were both kinds.
const STEPS: usize = 16;

/// What differs between launches over an image.
#[derive(Default)]
pub(super) struct Ask<'a> {
    pub constants: &'a [(&'static str, f64)],
    pub reach: usize,
    pub axis: usize,
}

impl<'a> Raster<'a> {
    /// An image that the device sees at once.
    pub fn new(gpu: &'a Gpu, extent: [usize; 3]) -> Result<Self> {
        let raster = Self { gpu, extent };
        if raster.n_pixels() <= gpu.max_words() {
            return Ok(raster);
        }
        let [depth, height, width] = extent;
        let layers = if depth == 1 { String::new() } else { format!("{depth} x ") };
        let what = format!(
            "an image of {layers}{height} x {width} pixels is more than {} sees at once: {} pixels",
            gpu.adapter().name,
            gpu.max_words()
        );
        Err(Error::backend(what).help("use --backend cpu, or work on parts of it"))
    }

    pub fn n_pixels(&self) -> usize {
        self.extent.iter().product()
    }

    /// The axes that have more than one pixel to look at: not z in a plane.
    pub fn axes(&self) -> &'static [Along] {
        if self.extent[0] == 1 { &[Along::Y, Along::X] } else { &[Along::Z, Along::Y, Along::X] }
    }

    /// One axis of a separable sum.
    pub fn convolve(
        &self,
        values: &Buffer<f32>,
        taps: Taps<'_>,
        along: Along,
    ) -> Result<Buffer<f32>> {
        let convolved = self.gpu.zeros(self.n_pixels())?;
        let weights = self.gpu.upload(taps.weights)?;
        let flag = |is_set: bool| f64::from(u8::from(is_set));
        let ask = Ask {
            constants: &[("IS_ODD", flag(taps.is_odd)), ("MIRRORED", flag(taps.is_mirrored))],
            reach: taps.weights.len() - 1,
            axis: along as usize,
        };
        let buffers: [(_, &dyn Bound); 3] =
            [("weights", &weights), ("values", values), ("convolved", &convolved)];
        self.each(&CONVOLVE, "main", &ask, &buffers)?;
        Ok(convolved)
    }

    /// Two images become one.
    pub fn join(&self, a: &Buffer<f32>, b: &Buffer<f32>, how: Join) -> Result<Buffer<f32>> {
        let joined = self.gpu.zeros(self.n_pixels())?;
        let constants = [("OPERATION", f64::from(how as u32))];
        let ask = Ask { constants: &constants, ..Ask::default() };
        self.each(&POINTWISE, "main", &ask, &[("a", a), ("b", b), ("joined", &joined)])?;
        Ok(joined)
    }

    /// The least or largest of the pixels within `radius` along one axis.
    pub fn rank(
        &self,
        values: &Buffer<f32>,
        radius: usize,
        is_largest: bool,
        along: Along,
    ) -> Result<Buffer<f32>> {
        let picked = self.gpu.zeros(self.n_pixels())?;
        let constants = [("LARGEST", f64::from(u8::from(is_largest)))];
        let ask = Ask { constants: &constants, reach: radius, axis: along as usize };
        self.each(&BOX_RANK, "main", &ask, &[("values", values), ("picked", &picked)])?;
        Ok(picked)
    }

    /// The part of an image inside `region`, and the raster of that part.
    pub fn crop<T: Word>(
        &self,
        whole: &Buffer<T>,
        region: &[Range<usize>; 3],
    ) -> Result<(Self, Buffer<T>)> {
        let part = Self { gpu: self.gpu, extent: region.clone().map(|range| range.len()) };
        let [_, height, width] = self.extent;
        let first = (region[0].start * height + region[1].start) * width + region[2].start;
        let strides = self.gpu.upload(&[first, width, height * width].map(|step| step as u32))?;
        let cropped = self.gpu.zeros(part.n_pixels())?;
        let buffers: [(_, &dyn Bound); 3] =
            [("whole", whole), ("strides", &strides), ("cropped", &cropped)];
        part.each(&CROP, "main", &Ask::default(), &buffers)?;
        Ok((part, cropped))
    }

    /// The least and the largest value.
    pub fn range(&self, values: &Buffer<f32>) -> Result<(f32, f32)> {
        let ends = self.gpu.zeros::<u32>(2)?;
        let n_stretches = self.n_pixels().div_ceil(STRETCH);
        let buffers: [(_, &dyn Bound); 2] = [("values", values), ("ends", &ends)];
        self.launch(&HISTOGRAM, "range", &Ask::default(), &buffers, n_stretches)?;
        let ends = self.gpu.read(&ends)?;
        Ok((value_of(!ends[0]), value_of(ends[1])))
    }

    /// How many values each bin has; `least` are the least values of the bins, ascending.
    pub fn histogram(&self, values: &Buffer<f32>, least: &[f32]) -> Result<Vec<u64>> {
        let counts = self.gpu.zeros::<u32>(least.len())?;
        let least = self.gpu.upload(least)?;
        let n_stretches = self.n_pixels().div_ceil(STRETCH);
        let buffers: [(_, &dyn Bound); 3] =
            [("values", values), ("least", &least), ("counts", &counts)];
        self.launch(&HISTOGRAM, "count", &Ask::default(), &buffers, n_stretches)?;
        Ok(self.gpu.read(&counts)?.into_iter().map(u64::from).collect())
    }

    /// 1 above the threshold, 0 elsewhere.
    pub fn above(&self, values: &Buffer<f32>, threshold: f32) -> Result<Buffer<u32>> {
        let mask = self.gpu.zeros(self.n_pixels())?;
        let threshold = self.gpu.upload(&[threshold])?;
        let buffers: [(_, &dyn Bound); 3] =
            [("values", values), ("threshold", &threshold), ("mask", &mask)];
        self.each(&SPOTS, "above", &Ask::default(), &buffers)?;
        Ok(mask)
    }

    /// 1 at pixels of the mask that no neighbour exceeds, 0 elsewhere.
    pub fn peaks(&self, values: &Buffer<f32>, mask: &Buffer<u32>) -> Result<Buffer<u32>> {
        let spots = self.gpu.zeros(self.n_pixels())?;
        let buffers: [(_, &dyn Bound); 3] = [("values", values), ("mask", mask), ("spots", &spots)];
        self.each(&SPOTS, "peaks", &Ask::default(), &buffers)?;
        Ok(spots)
    }

    /// Connected components (over corners too), numbered from 1 in raster order of their first pixel, and their number.
    pub fn components(&self, mask: &Buffer<u32>) -> Result<(Buffer<u32>, usize)> {
        let parents = self.gpu.zeros::<u32>(self.n_pixels())?;
        let numbers = self.gpu.zeros::<u32>(self.n_pixels())?;
        let n_stretches = self.n_pixels().div_ceil(COUNTED);
        let counts = self.gpu.zeros::<u32>(n_stretches)?;
        let (mask, parents, ask) =
            (("mask", mask as &dyn Bound), ("parents", &parents as &dyn Bound), Ask::default());
        self.each(&COMPONENTS, "start", &ask, &[mask, parents])?;
        self.each(&COMPONENTS, "join", &ask, &[mask, parents])?;
        self.launch(&COMPONENTS, "count", &ask, &[parents, ("counts", &counts)], n_stretches)?;
        // One word for 256 pixels comes back: how many components begin before each stretch.
        let mut before = 0;
        let mut begins = self.gpu.read(&counts)?;
        for count in &mut begins {
            before += std::mem::replace(count, before);
        }
        let counts = self.gpu.upload(&begins)?;
        let numbered: [(_, &dyn Bound); 3] = [parents, ("counts", &counts), ("numbers", &numbers)];
        self.launch(&COMPONENTS, "number", &ask, &numbered, n_stretches)?;
        self.each(&COMPONENTS, "spread", &ask, &[mask, parents, ("numbers", &numbers)])?;
        Ok((numbers, before as usize))
    }

    /// Spots grown inside the mask: labels, and how many there are. Spots that touch are one; they are numbered by x,
    /// then y of their first pixel in that order.
    pub fn grown(&self, mask: &Buffer<u32>, spots: &Buffer<u32>) -> Result<(Buffer<u32>, usize)> {
        let (numbers, n_spots) = self.components(spots)?;
        let firsts = self.gpu.zeros::<u32>(n_spots)?;
        let ask = Ask::default();
        self.each(&VORONOI, "first", &ask, &[("numbers", &numbers), ("firsts", &firsts)])?;
        let places: Vec<u32> = self.gpu.read(&firsts)?.into_iter().map(|place| !place).collect();
        let mut order: Vec<usize> = (0..n_spots).collect();
        order.sort_unstable_by_key(|&spot| places[spot]);
        let mut labels = vec![0u32; n_spots];
        order.iter().zip(1..).for_each(|(&spot, label)| labels[spot] = label);
        let firsts = self.gpu.upload(&labels)?;
        let (mut older, mut newer) =
            (self.gpu.zeros::<u32>(self.n_pixels())?, self.gpu.zeros::<u32>(self.n_pixels())?);
        let buffers: [(_, &dyn Bound); 4] =
            [("mask", mask), ("numbers", &numbers), ("firsts", &firsts), ("labels", &older)];
        self.each(&VORONOI, "seed", &ask, &buffers)?;
        let changes = self.gpu.zeros::<u32>(1)?;
        loop {
            self.gpu.clear(&changes)?;
            for step in 0..STEPS {
                let ask = Ask { reach: usize::from(step % 2 == 0), ..Ask::default() };
                let buffers: [(_, &dyn Bound); 3] =
                    [("labels", &newer), ("older", &older), ("changes", &changes)];
                self.each(&VORONOI, "grow", &ask, &buffers)?;
                std::mem::swap(&mut older, &mut newer);
            }
            if self.gpu.read(&changes)? == [0] {
                return Ok((older, n_spots));
            }
        }
    }

    /// Label `l` becomes `names[l]`; labels beyond become 0.
    pub fn rename(&self, labels: &Buffer<u32>, names: &[u32]) -> Result<()> {
        let names = self.gpu.upload(names)?;
        self.each(&RELABEL, "main", &Ask::default(), &[("labels", labels), ("names", &names)])
    }

    /// Runs a kernel with one invocation a pixel.
    pub(super) fn each(
        &self,
        shader: &'static Shader,
        entry: &'static str,
        ask: &Ask<'_>,
        buffers: &[(&'static str, &dyn Bound)],
    ) -> Result<()> {
        self.launch(shader, entry, ask, buffers, self.n_pixels())
    }

    /// Runs a kernel with so many invocations.
    pub(super) fn launch(
        &self,
        shader: &'static Shader,
        entry: &'static str,
        ask: &Ask<'_>,
        buffers: &[(&'static str, &dyn Bound)],
        n_items: usize,
    ) -> Result<()> {
        let parameters = [
            ("width", self.extent[2] as u32),
            ("height", self.extent[1] as u32),
            ("depth", self.extent[0] as u32),
            ("reach", ask.reach as u32),
            ("axis", ask.axis as u32),
            ("zero", 0),
        ];
        let (constants, parameters) = (ask.constants, &parameters);
        self.gpu.launch(&Launch { shader, entry, constants, parameters, buffers, n_items })
    }
}

/// Keys order as the values do: all bits of negative numbers are turned over, the sign of others.
pub(crate) fn key_of(value: f32) -> u32 {
    let bits = value.to_bits();
    bits ^ if bits >> 31 == 1 { u32::MAX } else { 1 << 31 }
}

/// The value of a key.
pub(crate) fn value_of(key: u32) -> f32 {
    f32::from_bits(key ^ if key >> 31 == 1 { 1 << 31 } else { u32::MAX })
}
