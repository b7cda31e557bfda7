//! Images become stacks of features strip by strip, and strips become votes: never a whole image at once.

use std::ops::Range;

use rayon::prelude::*;

use super::filters::{Block, Size, around, inner, outer};
use super::forest::Forest;
use super::spec::{FeatureSpec, Inner};
use super::votes::Voters;
use crate::error::{Error, Result};
use crate::image::{Grid, ImageFile, IntensityImage, Pixels};
use crate::progress::Progress;

/// Numbers that one strip may hold: with a handful of threads far below 200 MB.
const STRIP_NUMBERS: usize = 3 << 20;
/// Layers of a stack that are worked on together.
pub(super) const STRIP_LAYERS: usize = 16;

/// Where the pixels of a channel come from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pages<'a> {
    Memory(&'a IntensityImage),
    File(&'a ImageFile, usize),
}

/// One channel: an image, or one layer of it where layers are channels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Channel<'a> {
    pages: Pages<'a>,
    layer: Option<usize>,
}

impl<'a> Pages<'a> {
    pub fn grid(self) -> &'a Grid {
        match self {
            Self::Memory(image) => image.grid(),
            Self::File(file, _) => file.grid(),
        }
    }
}

/// The channels of images for an annotation (or model) with so many axes.
///
/// A stack given where planes are classified is taken as one channel per layer, as APOC does.
///
/// # Errors
/// When there is no image, they differ in shape, or planes are given for stacks.
pub(super) fn channels<'a>(pages: &[Pages<'a>], n_dims: usize) -> Result<Vec<Channel<'a>>> {
    let first =
        pages.first().ok_or_else(|| Error::parameter("images", "none", "at least one image"))?;
    let mut channels = Vec::new();
    for page in pages {
        let (grid, expected) = (page.grid(), first.grid());
        if grid.shape() != expected.shape() {
            return Err(Error::data(format!("channels of different shape: {expected} and {grid}"))
                .help("give channels of one image"));
        }
        match (grid.n_axes(), n_dims) {
            (3, 2) => {
                let layers = 0..grid.extent()[0];
                channels.extend(layers.map(|z| Channel { pages: *page, layer: Some(z) }));
            }
            (2, 3) => {
                return Err(Error::data(format!(
                    "the image of {grid} is a plane, the model is for stacks"
                ))
                .help("give a stack, or train a model on planes"));
            }
            _ => channels.push(Channel { pages: *page, layer: None }),
        }
    }
    Ok(channels)
}

impl Channel<'_> {
    /// Layers, rows and columns that are classified.
    pub fn extent(&self) -> [usize; 3] {
        let [nz, ny, nx] = self.pages.grid().extent();
        [if self.layer.is_some() { 1 } else { nz }, ny, nx]
    }

    fn is_stack(&self) -> bool {
        self.layer.is_none() && self.pages.grid().n_axes() == 3
    }

    /// Whole rows of some layers, in single precision.
    fn block(&self, layers: Range<usize>, rows: Range<usize>) -> Result<Block> {
        let width = self.extent()[2];
        let stored = self.layer.map_or(layers.clone(), |layer| layer..layer + 1);
        let values = match self.pages {
            Pages::Memory(image) => copied(image, &stored, &rows),
            Pages::File(file, channel) => {
                file.read(channel, &[stored.clone(), rows.clone(), 0..width])?.to_f32()
            }
        };
        if let Some(i) = values.iter().position(|v| !v.is_finite()) {
            let (row, x) = (i / width, i % width);
            let (z, y) = (stored.start + row / rows.len(), rows.start + row % rows.len());
            return Err(Error::data(format!(
                "the pixel at z = {z}, y = {y}, x = {x} is {}, not a finite number",
                values[i]
            ))
            .help("replace it, for instance by 0"));
        }
        Ok(Block { layers, rows, width, values })
    }
}

#[expect(clippy::unnecessary_cast, reason = "the body is written once for five types")]
fn copied(image: &IntensityImage, layers: &Range<usize>, rows: &Range<usize>) -> Vec<f32> {
    let [_, ny, nx] = image.grid().extent();
    let mut values = Vec::with_capacity(layers.len() * rows.len() * nx);
    for z in layers.clone() {
        let stretch = (z * ny + rows.start) * nx..(z * ny + rows.end) * nx;
        crate::for_each_pixel_type!(image.pixels(), pixels => {
            values.extend(pixels[stretch].iter().map(|v| *v as f32));
        });
    }
    values
}

/// A division of an image into strips, each with the features of all channels.
#[derive(Debug)]
pub(super) struct Stack<'a> {
    spec: &'a FeatureSpec,
    channels: Vec<Channel<'a>>,
    size: Size,
    width: usize,
    strip_rows: Option<usize>,
}

/// Layers and rows of one strip.
pub(super) type Strip = (Range<usize>, Range<usize>);

impl<'a> Stack<'a> {
    pub fn new(spec: &'a FeatureSpec, channels: Vec<Channel<'a>>) -> Self {
        let [n_layers, n_rows, width] = channels.first().map_or([0; 3], Channel::extent);
        let is_stack = channels.first().is_some_and(Channel::is_stack);
        Self { spec, channels, size: Size { n_layers, n_rows, is_stack }, width, strip_rows: None }
    }

    /// So many rows at a time, instead of as many as fit.
    pub fn strip_rows(mut self, rows: Option<usize>) -> Self {
        self.strip_rows = rows;
        self
    }

    pub fn extent(&self) -> [usize; 3] {
        [self.size.n_layers, self.size.n_rows, self.width]
    }

    /// Whether layers are filtered together.
    pub fn is_stack(&self) -> bool {
        self.size.is_stack
    }

    pub fn spec(&self) -> &FeatureSpec {
        self.spec
    }

    /// The pixels of these layers and rows, channel by channel.
    pub fn sources(&self, (layers, rows): &Strip) -> impl Iterator<Item = Result<Block>> {
        self.channels.iter().map(|channel| channel.block(layers.clone(), rows.clone()))
    }

    pub fn n_features(&self) -> usize {
        self.spec.features.len() * self.channels.len()
    }

    /// The strips of the image, top to bottom.
    pub fn strips(&self) -> Vec<Strip> {
        self.strips_of(&(0..self.size.n_layers), &(0..self.size.n_rows))
    }

    /// The strips of some layers and rows, top to bottom.
    fn strips_of(&self, all: &Range<usize>, all_rows: &Range<usize>) -> Vec<Strip> {
        let layers = if self.size.is_stack { STRIP_LAYERS.min(self.size.n_layers) } else { 1 };
        // Features, the votes, and the block they are made from.
        let planes = self.n_features() + 6;
        let fitting = STRIP_NUMBERS / (planes * self.width.max(1) * layers);
        let rows = self.strip_rows.unwrap_or(fitting).clamp(1, self.size.n_rows.max(1));
        let mut strips = Vec::new();
        for z in all.clone().step_by(layers) {
            for y in all_rows.clone().step_by(rows) {
                strips.push((z..(z + layers).min(all.end), y..(y + rows).min(all_rows.end)));
            }
        }
        strips
    }

    /// All features of a strip, each in z, y, x order; those of the first channel first.
    pub fn features(&self, (layers, rows): &Strip) -> Result<Vec<Vec<f32>>> {
        let reach = self.spec.reach();
        let deep = |reach: usize| if self.size.is_stack { reach } else { 0 };
        let mut planes = Vec::with_capacity(self.n_features());
        for channel in &self.channels {
            let source = channel.block(
                around(layers, deep(reach), self.size.n_layers),
                around(rows, reach, self.size.n_rows),
            )?;
            planes.extend(self.of_channel(&source, layers, rows));
        }
        Ok(planes)
    }

    /// Filters that start alike share their start.
    fn of_channel(
        &self,
        source: &Block,
        layers: &Range<usize>,
        rows: &Range<usize>,
    ) -> Vec<Vec<f32>> {
        let features = &self.spec.features;
        let mut planes: Vec<Vec<f32>> = vec![Vec::new(); features.len()];
        for first in 0..features.len() {
            if !planes[first].is_empty() {
                continue;
            }
            let start = features[first].inner;
            let sharing: Vec<usize> =
                (first..features.len()).filter(|&i| features[i].inner == start).collect();
            let more = usize::from(sharing.iter().any(|&i| features[i].outer.is_some()));
            let deep = if self.size.is_stack { more } else { 0 };
            let wide = inner(
                source,
                start,
                self.size,
                &around(layers, deep, self.size.n_layers),
                &around(rows, more, self.size.n_rows),
            );
            for i in sharing {
                planes[i] = match features[i].outer {
                    Some(filter) => outer(&wide, filter, self.size, layers, rows),
                    None => inner(&wide, Inner::Original, self.size, layers, rows),
                }
                .values;
            }
        }
        planes
    }

    /// What `finish` makes of the sums of votes `[class][pixel]` for every pixel of some layers and rows.
    pub fn vote<T: Copy + Default + Send>(
        &self,
        forest: &Forest,
        layers: &Range<usize>,
        rows: &Range<usize>,
        progress: &Progress,
        finish: impl Fn(&[f32]) -> Vec<T> + Sync,
    ) -> Result<Vec<T>> {
        let voters = Voters::of(forest);
        let strips = self.strips_of(layers, rows);
        let done = std::sync::atomic::AtomicUsize::new(0);
        let found: Vec<Vec<T>> = strips
            .par_iter()
            .map(|strip| {
                let planes = self.features(strip)?;
                let planes: Vec<&[f32]> = planes.iter().map(Vec::as_slice).collect();
                let n = strip.0.len() * strip.1.len() * self.width;
                let mut sums = vec![0.0; n * forest.n_classes];
                voters.sum(&planes, &mut sums);
                let finished = finish(&sums);
                let count = done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
                progress.report(count, strips.len());
                Ok(finished)
            })
            .collect::<Result<_>>()?;
        Ok(self.joined(&strips, &found, (layers, rows)))
    }

    /// The values of all pixels of some layers and rows, from those of their strips.
    pub fn joined<T: Copy + Default>(
        &self,
        strips: &[Strip],
        found: &[Vec<T>],
        (layers, rows): (&Range<usize>, &Range<usize>),
    ) -> Vec<T> {
        let mut all = vec![T::default(); layers.len() * rows.len() * self.width];
        for ((zs, ys), values) in strips.iter().zip(found) {
            for (i, row) in values.chunks_exact(self.width).enumerate() {
                let (z, y) = (zs.start + i / ys.len(), ys.start + i % ys.len());
                let line = (z - layers.start) * rows.len() + y - rows.start;
                all[line * self.width..][..self.width].copy_from_slice(row);
            }
        }
        all
    }
}

/// The features of an image, one image each: what a classifier sees.
///
/// A stack is filtered in three dimensions; several images are channels of one, the features of the first
/// come first.
///
/// ```
/// use ndarray::array;
/// use polariscope::apoc::{FeatureSpec, feature_images};
/// use polariscope::image::{IntensityImage, Pixels};
///
/// let image = IntensityImage::from_array(array![[0u8, 0, 0], [0, 9, 0], [0, 0, 0]])?;
/// let spec = FeatureSpec::parse("original laplace_box=0")?;
/// let features = feature_images(&spec, &[image])?;
///
/// assert!(matches!(features[1].pixels(), Pixels::F32(v) if v[4] == 72.0 && v[0] == -9.0));
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # Errors
/// No image, images of different shape, or a pixel that is not finite.
pub fn feature_images(
    spec: &FeatureSpec,
    images: &[IntensityImage],
) -> Result<Vec<IntensityImage>> {
    let pages: Vec<Pages<'_>> = images.iter().map(Pages::Memory).collect();
    let n_dims = images.first().map_or(2, |image| image.grid().n_axes());
    let stack = Stack::new(spec, channels(&pages, n_dims)?);
    let strips: Vec<Vec<Vec<f32>>> =
        stack.strips().par_iter().map(|strip| stack.features(strip)).collect::<Result<_>>()?;
    let [nz, ny, nx] = stack.extent();
    let names = spec.names();
    (0..stack.n_features())
        .map(|f| {
            let mut values = vec![0.0; nz * ny * nx];
            for ((layers, rows), planes) in stack.strips().iter().zip(&strips) {
                for (i, row) in planes[f].chunks_exact(nx).enumerate() {
                    let (z, y) = (layers.start + i / rows.len(), rows.start + i % rows.len());
                    values[(z * ny + y) * nx..][..nx].copy_from_slice(row);
                }
            }
            let image = IntensityImage::new(images[0].grid().clone(), Pixels::F32(values))?;
            Ok(image.named(&names[f % names.len()]))
        })
        .collect()
}
