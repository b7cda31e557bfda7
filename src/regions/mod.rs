//! From a label image to a table of region properties.
//!
//! [`Regions`] measures images in memory, [`Accumulator`] collects tiles; both end in a polars
//! `DataFrame` with one row per object. [`PROPERTIES`] says what every column means, and
//! [`recognize`] does so for the columns of other tools.

mod accumulator;
mod columns;
#[cfg(test)]
mod invariance;
mod names;
mod neighbors;
mod object;
mod on_gpu;
mod partial;
mod property;
#[cfg(test)]
mod reference;
mod writers;

use polars::prelude::DataFrame;

pub use accumulator::Accumulator;
pub use columns::Selection;
pub use names::{Known, Names, normalized, property, recognize};
pub use property::{Dims, Index, Offer, PROPERTIES, Property, Role, Unit};

use self::accumulator::{Source, Window};
use self::columns::Plan;
use self::object::Space;
use crate::backend::Backend;
use crate::error::{Error, ErrorKind, Result};
use crate::image::{Grid, ImageFile, IntensityImage, LabelImage, Pixels};
use crate::kernels::region_solid::direction_shares;
use crate::progress::Progress;
use crate::segment::Segmented;

/// Measures the objects of a label image: area, shape, place and intensity, one row each.
///
/// Numbers are those of scikit-image 0.26 under its names; [`PROPERTIES`] has every definition.
///
/// ```
/// use ndarray::array;
/// use polariscope::image::{IntensityImage, LabelImage};
/// use polariscope::regions::Regions;
///
/// let labels = LabelImage::from(array![[7, 7, 0], [0, 0, 2]]);
/// let dapi = IntensityImage::from_array(array![[10u8, 20, 0], [0, 0, 5]])?;
/// let table = Regions::params().channel("dapi", &dapi).measure(&labels)?;
///
/// let column = |name| table.column(name).unwrap().f64().unwrap().to_vec();
/// assert_eq!(column("area"), [Some(1.0), Some(2.0)]); // labels ascend: 2, 7
/// assert_eq!(column("intensity_mean__dapi"), [Some(5.0), Some(15.0)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Regions;

impl Regions {
    /// Core properties of the labels alone.
    pub fn params<'a>() -> RegionsParams<'a> {
        RegionsParams::default()
    }
}

/// What to measure, and how to call it; see [`Regions`].
#[derive(Debug, Clone, Default)]
pub struct RegionsParams<'a> {
    channels: Vec<(String, &'a IntensityImage)>,
    properties: Selection,
    spacing: Option<Vec<f64>>,
    tile: Option<usize>,
    names: Names,
    backend: Backend,
    progress: Progress,
}

impl<'a> RegionsParams<'a> {
    /// Adds an intensity image; its columns end in `__name`.
    pub fn channel(mut self, name: impl Into<String>, image: &'a IntensityImage) -> Self {
        self.channels.push((name.into(), image));
        self
    }

    /// Adds an intensity image without a name: `intensity_mean`.
    pub fn intensity(self, image: &'a IntensityImage) -> Self {
        self.channel("", image)
    }

    /// Which properties; [`Selection::Core`] by default.
    pub fn properties(mut self, properties: Selection) -> Self {
        self.properties = properties;
        self
    }

    /// Distance of neighbouring pixels along (z,) y, x; that of the label image by default.
    pub fn spacing(mut self, spacing: &[f64]) -> Self {
        self.spacing = Some(spacing.to_vec());
        self
    }

    /// Works through tiles of this many pixels a side. The table is the same; less memory is in use at a time.
    pub fn tile(mut self, tile: usize) -> Self {
        self.tile = Some(tile);
        self
    }

    /// The words for the columns; [`Names::Canonical`] by default.
    pub fn names(mut self, names: Names) -> Self {
        self.names = names;
        self
    }

    /// Where pixels become sums; [`Backend::Cpu`] by default. The table is the same.
    ///
    /// A device measures images in memory (cut to what it sees at once, whatever [`tile`](Self::tile) says):
    /// intensities but for double precision, and what follows from sums, borders and hulls, as all of [`Selection::Core`] does.
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// Reports how far it is.
    pub fn progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// One row per object, labels ascending: `label` (u32), then the columns of the selection.
    ///
    /// Undefined values are null. An image without objects gives the same columns and no row.
    ///
    /// # Errors
    /// Images that do not cover the same pixels, two channels of the same name, unknown properties,
    /// a spacing that is not one positive number per axis, a tile of 0; what the [`backend`](Self::backend) cannot measure.
    ///
    /// # Determinism
    /// The same bits for any tile and any number of threads: sums are exact before they are rounded once.
    pub fn measure(&self, labels: &LabelImage) -> Result<DataFrame> {
        let (grid, plan, pixels) = self.prepared(labels.grid())?;
        if let Backend::Gpu(gpu) = &self.backend {
            let objects = on_gpu::objects(gpu, labels, &pixels, plan.needs)?;
            return plan.table(&objects, space(&grid), &self.progress);
        }
        let mut objects = Accumulator::new(labels.shape(), pixels.len())?;
        objects.keep_values = plan.needs.values;
        let source = Source {
            labels: labels.pixels(),
            channels: &pixels,
            extent: grid.extent(),
            corner: [0; 3],
        };
        for window in self.windows(grid.extent())? {
            objects.push_window(&source, window)?;
        }
        plan.table(&objects.objects()?, space(&grid), &self.progress)
    }

    /// As [`measure`](Self::measure), for what a segmentation found; labels on a device are measured there without
    /// leaving it, if the [`backend`](Self::backend) is a device too.
    ///
    /// # Errors
    /// As [`measure`](Self::measure).
    pub fn measure_segmented(&self, found: &Segmented) -> Result<DataFrame> {
        match (&self.backend, found.on_device()) {
            (Backend::Gpu(_), Some(labels)) => {
                let (grid, plan, pixels) = self.prepared(&labels.grid)?;
                let objects = on_gpu::objects_on_device(labels, &pixels, plan.needs)?;
                plan.table(&objects, space(&grid), &self.progress)
            }
            _ => self.measure(&found.labels()?),
        }
    }

    /// The grid with its spacing, what to measure, and the pixels of the channels, which cover the same grid.
    fn prepared(&self, labels: &Grid) -> Result<(Grid, Plan, Vec<&Pixels>)> {
        let names: Vec<String> = self.channels.iter().map(|(name, _)| name.clone()).collect();
        let grid = self.grid(labels)?;
        let plan = self.plan(grid.n_axes(), &names)?;
        let mut pixels: Vec<&Pixels> = Vec::new();
        for (name, image) in &self.channels {
            let what = if name.is_empty() { "the label image" } else { name.as_str() };
            image.check_same_shape("the label image", labels).map_err(|e| e.at_column(what))?;
            pixels.push(image.pixels());
        }
        Ok((grid, plan, pixels))
    }

    /// As [`measure`](Self::measure), reading files tile by tile: a few tiles are in memory at a time.
    ///
    /// `channels` are the name, the file and the number of the channel in it; images given to
    /// [`channel`](Self::channel) are not read. Tiles are 2,048 pixels a side unless [`tile`](Self::tile) says otherwise.
    ///
    /// # Errors
    /// As [`measure`](Self::measure), when a file is damaged or is not a label image, and on a device.
    pub fn measure_files(
        &self,
        labels: &ImageFile,
        channels: &[(String, &ImageFile, usize)],
    ) -> Result<DataFrame> {
        if let Backend::Gpu(_) = &self.backend {
            return Err(Error::new(ErrorKind::Backend, "a device measures no files tile by tile")
                .help("measure the whole image (no --tile), or use the CPU"));
        }
        let grid = self.grid(labels.grid())?;
        let names: Vec<String> = channels.iter().map(|(name, ..)| name.clone()).collect();
        let plan = self.plan(grid.n_axes(), &names)?;
        if let Some((name, file, _)) =
            channels.iter().find(|(_, f, _)| f.grid().shape() != grid.shape())
        {
            return Err(Error::data(format!(
                "the image {name:?} is {}, the label image is {grid}",
                file.grid()
            ))
            .help(
                "images that belong together cover the same pixels: give the pair from one export",
            ));
        }
        let mut objects = Accumulator::new(grid.shape(), channels.len())?;
        objects.keep_values = plan.needs.values;
        let windows =
            Self { tile: self.tile.or(Some(FILE_TILE)), ..self.clone() }.windows(grid.extent())?;
        for Window { first, extent } in windows {
            let region = [0, 1, 2].map(|a| first[a]..first[a] + extent[a]);
            let pixels = labels.read_labels(&region)?;
            let values: Vec<Pixels> = channels
                .iter()
                .map(|(_, file, c)| file.read(*c, &region))
                .collect::<Result<_>>()?;
            let values: Vec<&Pixels> = values.iter().collect();
            let source = Source { labels: &pixels, channels: &values, extent, corner: first };
            objects.push_window(&source, Window { first: [0; 3], extent })?;
        }
        plan.table(&objects.objects()?, space(&grid), &self.progress)
    }

    /// As [`measure`](Self::measure), for objects collected tile by tile.
    ///
    /// Channels are those pushed to the accumulator, in their order; the images given here only lend their names.
    ///
    /// # Errors
    /// As [`measure`](Self::measure); properties that need [`Accumulator::keep_values`] without it.
    pub fn measure_objects(&self, objects: Accumulator) -> Result<DataFrame> {
        let extent = objects.extent;
        let grid = self.grid(&Grid::new(&extent[3 - objects.n_axes..])?)?;
        let unnamed =
            |i: usize| if objects.n_channels == 1 { String::new() } else { i.to_string() };
        let names: Vec<String> = (0..objects.n_channels)
            .map(|i| self.channels.get(i).map_or_else(|| unnamed(i), |(name, _)| name.clone()))
            .collect();
        let plan = self.plan(grid.n_axes(), &names)?;
        if plan.needs.values && !objects.keep_values {
            return Err(Error::data("the tiles were collected without their pixel values")
                .help("call `keep_values()` on the accumulator before the first tile"));
        }
        plan.table(&objects.objects()?, space(&grid), &self.progress)
    }

    fn plan(&self, n_axes: usize, channels: &[String]) -> Result<Plan> {
        if let Some(twice) = (1..channels.len()).find(|&i| channels[..i].contains(&channels[i])) {
            let name = &channels[twice];
            return Err(Error::parameter("channel", format!("{name:?}"), "a name used once")
                .help("give each image its own name: NAME=IMAGE.tif"));
        }
        Plan::new(&self.properties, n_axes, channels, self.names)
    }

    /// The grid with the spacing that was asked for.
    fn grid(&self, grid: &Grid) -> Result<Grid> {
        match &self.spacing {
            Some(spacing) => grid.clone().with_spacing(spacing, grid.unit()),
            None => Ok(grid.clone()),
        }
    }

    /// Tiles that cover an image; one that covers all of it by default.
    fn windows(&self, extent: [usize; 3]) -> Result<Vec<Window>> {
        let tile = match self.tile {
            Some(0) => return Err(Error::parameter("tile", 0, "at least 1 pixel")),
            Some(tile) => tile,
            None => return Ok(vec![Window { first: [0; 3], extent }]),
        };
        let cuts = |axis: usize| (0..extent[axis]).step_by(tile);
        let size = |first: [usize; 3]| [0, 1, 2].map(|a| tile.min(extent[a] - first[a]));
        Ok(cuts(0)
            .flat_map(|z| cuts(1).map(move |y| (z, y)))
            .flat_map(|(z, y)| cuts(2).map(move |x| [z, y, x]))
            .map(|first| Window { first, extent: size(first) })
            .collect())
    }
}

/// Pixels a side of the tiles read from files.
const FILE_TILE: usize = 2048;

fn space(grid: &Grid) -> Space {
    let mut spacing = [1.0; 3];
    spacing[3 - grid.n_axes()..].copy_from_slice(grid.spacing());
    let shares = if grid.n_axes() == 3 { direction_shares(spacing) } else { [0.0; 13] };
    Space { n_axes: grid.n_axes(), extent: grid.extent(), spacing, shares }
}
