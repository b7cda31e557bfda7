//! A path becomes an open image file, and any part of it pixels, without reading the rest.

use std::ops::Range;
use std::path::Path;

use super::bytes::Bytes;
use super::dense::Dense;
use super::sample::{Format, Pixel, room};
use super::tiff::Tiff;
use super::zarr::{Wanted, Zarr};
use super::{Grid, IntensityImage, LabelImage, Pixels};
use crate::error::{Error, Result};

/// An image on disk, told by its content: TIFF (also `BigTIFF`, OME-TIFF, ImageJ), OME-Zarr or a bare Zarr
/// array (versions 2 and 3), PNG or a numpy array.
///
/// Opening reads headers only. [`read`](Self::read) decodes the chunks that a region touches, so an
/// image larger than memory can be worked through tile by tile; PNG images alone are decoded whole.
/// Of an OME-Zarr image the full resolution is read.
///
/// Values are those stored in the file, as tifffile and ImageJ give them: `MinIsWhite` images are not
/// inverted, palette images give the index, 1-, 2- and 4-bit images their small numbers. Signed and
/// 64-bit numbers become `f32` or `f64`, where they fit exactly.
#[derive(Debug)]
pub struct ImageFile {
    grid: Grid,
    format: Format,
    channels: Vec<Option<String>>,
    is_color: bool,
    chunk: [usize; 2],
    source: Source,
}

#[derive(Debug)]
enum Source {
    Tiff(Tiff),
    Dense(Dense),
    Zarr(Box<Zarr>),
}

impl ImageFile {
    /// Reads the headers of a file.
    ///
    /// # Errors
    /// When the file is missing, of another kind, damaged, empty, or has more axes than channel, z, y, x.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_for(path.as_ref(), Wanted::Intensities)
    }

    /// Like [`open`](Self::open), but of an OME-Zarr image that holds labels too, those are read. If they
    /// are several, name one: `IMAGE.zarr/labels/NAME`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_labels(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_for(path.as_ref(), Wanted::Labels)
    }

    /// Whether [`open`](Self::open) and [`open_labels`](Self::open_labels) read different pixels: an
    /// OME-Zarr image with labels beside it.
    pub fn holds_labels_too(path: impl AsRef<Path>) -> bool {
        let path = path.as_ref();
        Self::is_store(path) && Zarr::holds_both(path)
    }

    /// Whether the path is a folder that can be read as an image: a Zarr store, group or array.
    pub fn is_store(path: impl AsRef<Path>) -> bool {
        path.as_ref().is_dir() && Zarr::is(path.as_ref())
    }

    fn open_for(path: &Path, wanted: Wanted) -> Result<Self> {
        let opened = if Self::is_store(path) {
            Zarr::open(path, wanted).and_then(Self::from_zarr)
        } else {
            Bytes::open(path).and_then(Self::from_source)
        };
        opened.map_err(|e| e.in_file(path))
    }

    /// Like [`open`](Self::open), for a file that is in memory.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self> {
        Self::from_source(Bytes::Memory(bytes))
    }

    fn from_source(bytes: Bytes) -> Result<Self> {
        let start = bytes.read(0, bytes.len().min(16))?;
        if Tiff::is(&start) {
            return Self::from_tiff(Tiff::open(bytes)?);
        }
        if Dense::is_npy(&start) {
            return Self::from_dense(Dense::open_npy(bytes)?);
        }
        if Dense::is_png(&start) {
            return Self::from_dense(Dense::open_png(&bytes)?);
        }
        let found =
            if bytes.len() == 0 { "the file is empty" } else { "is not an image that can be read" };
        Err(Error::format(found)
            .help("images are TIFF, PNG or numpy (.npy) files, or Zarr folders"))
    }

    fn from_tiff(tiff: Tiff) -> Result<Self> {
        let page = tiff.page();
        let plane = [page.rows, page.columns];
        let is_stack = tiff.n_layers() > 1;
        let shape = [&[tiff.n_layers()][..usize::from(is_stack)], &plane].concat();
        let unit = tiff.axes.unit.as_deref();
        let spacing = &tiff.axes.spacing[usize::from(!is_stack)..];
        let grid = Grid::new(&shape)?.with_spacing(spacing, unit)?;
        let is_color = tiff.is_color();
        let channels = channels(tiff.n_channels(), is_color, &tiff.axes.channel_names);
        let (format, chunk) = (page.format()?, page.chunk);
        Ok(Self { grid, format, channels, is_color, chunk, source: Source::Tiff(tiff) })
    }

    fn from_dense(dense: Dense) -> Result<Self> {
        let grid = Grid::new(&dense.shape)?;
        if grid.n_pixels() == 0 {
            return Err(Error::format(format!("the image is {grid} pixels"))
                .help("export it again: there is nothing to read"));
        }
        let [_, ny, nx] = grid.extent();
        // A second number beside grey is transparency.
        let channels = channels(1, dense.n_channels >= 3, &[]);
        let (format, is_color) = (dense.format, dense.is_color);
        Ok(Self { grid, format, channels, is_color, chunk: [ny, nx], source: Source::Dense(dense) })
    }

    fn from_zarr(zarr: Zarr) -> Result<Self> {
        let axes = &zarr.axes;
        let grid = Grid::new(&axes.shape)?.with_spacing(&axes.spacing, axes.unit.as_deref())?;
        let channels = channels(axes.n_channels, false, &axes.channel_names);
        let (format, chunk) = (zarr.format, zarr.chunk);
        let source = Source::Zarr(Box::new(zarr));
        Ok(Self { grid, format, channels, is_color: false, chunk, source })
    }

    /// Shape, spacing and unit, as far as the file tells; spacing is 1 where it does not.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// The channels that can be read, by name where the file has names. Transparency is left out.
    pub fn channels(&self) -> &[Option<String>] {
        &self.channels
    }

    /// Rows and columns of the chunks that are decoded at once.
    pub fn chunk(&self) -> [usize; 2] {
        self.chunk
    }

    /// The number type of the file in numpy's words, such as `uint16`.
    pub fn type_name(&self) -> String {
        self.format.name()
    }

    /// The values of one channel in `region`, ranges along z, y, x (a plane has one layer).
    ///
    /// # Errors
    /// When the region or channel is not in the image, or the file is damaged there.
    pub fn read(&self, channel: usize, region: &[Range<usize>; 3]) -> Result<Pixels> {
        if self.is_color && self.channels.len() == 1 {
            return Err(Error::format("the image holds colours of a palette, not intensities")
                .help("save it as a grey image"));
        }
        let count = self.check(channel, region)?;
        let mut pixels = self.format.zeros(count)?;
        crate::for_each_pixel_type!(&mut pixels, values => self.fill(channel, region, values))?;
        Ok(pixels)
    }

    /// The labels in `region`, ranges along z, y, x (a plane has one layer).
    ///
    /// # Errors
    /// When the image holds floats, colours, several channels or negative numbers, the region is not in
    /// it, or the file is damaged there.
    pub fn read_labels(&self, region: &[Range<usize>; 3]) -> Result<Vec<u32>> {
        self.check_labels()?;
        let count = self.check(0, region)?;
        let mut labels = room(count)?;
        self.fill(0, region, &mut labels)?;
        Ok(labels)
    }

    /// Refuses, without reading pixels, what cannot be a label image.
    ///
    /// # Errors
    /// When the image holds floats, colours or several channels.
    pub fn check_labels(&self) -> Result<()> {
        // An index into a palette is a label, as in masks saved with a colour for every object.
        if self.channels.len() > 1 {
            let what = if self.is_color {
                "colour".into()
            } else {
                format!("{}-channel", self.channels.len())
            };
            return Err(Error::format(format!(
                "labels are one whole number per pixel, this is a {what} image"
            ))
            .help("save the labels as a grey image of 16 or 32 bits, not as a picture"));
        }
        self.format.check_label()
    }

    fn check(&self, channel: usize, region: &[Range<usize>; 3]) -> Result<usize> {
        if channel >= self.channels.len() {
            let allowed = format!("below {}, the number of channels", self.channels.len());
            return Err(Error::parameter("channel", channel, allowed));
        }
        let extent = self.grid.extent();
        if region
            .iter()
            .zip(extent)
            .any(|(range, length)| range.start > range.end || range.end > length)
        {
            let allowed = format!("inside the image of {}", self.grid);
            return Err(Error::parameter("region", format!("{region:?}"), allowed));
        }
        Ok(region.iter().map(ExactSizeIterator::len).product())
    }

    fn fill<T: Pixel>(
        &self,
        channel: usize,
        region: &[Range<usize>; 3],
        out: &mut [T],
    ) -> Result<()> {
        let [layers, rows, columns] = region;
        let layer_pixels = rows.len() * columns.len();
        if layer_pixels == 0 {
            return Ok(());
        }
        let mut by_layer = layers.clone().zip(out.chunks_exact_mut(layer_pixels));
        match &self.source {
            Source::Tiff(tiff) => {
                by_layer.try_for_each(|(z, out)| tiff.read_layer(channel, z, rows, columns, out))
            }
            Source::Dense(dense) => {
                by_layer.try_for_each(|(z, out)| dense.read_layer(channel, z, rows, columns, out))
            }
            // A chunk may hold many layers, so they are read together.
            Source::Zarr(zarr) if !layers.is_empty() => zarr.read(channel, region, out),
            Source::Zarr(_) => Ok(()),
        }
    }

    /// The region that is the whole image.
    pub fn everything(&self) -> [Range<usize>; 3] {
        self.grid.extent().map(|length| 0..length)
    }

    /// All labels.
    ///
    /// # Errors
    /// As [`read_labels`](Self::read_labels).
    pub fn labels(&self) -> Result<LabelImage> {
        LabelImage::new(self.grid.clone(), self.read_labels(&self.everything())?)
    }

    /// One channel, whole.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn intensities(&self, channel: usize) -> Result<IntensityImage> {
        let image =
            IntensityImage::new(self.grid.clone(), self.read(channel, &self.everything())?)?;
        Ok(match &self.channels[channel] {
            Some(name) => image.named(name),
            None => image,
        })
    }
}

/// Names for the channels: the file's own, the three colours, or none.
fn channels(n_channels: usize, is_color: bool, names: &[String]) -> Vec<Option<String>> {
    if is_color {
        return ["red", "green", "blue"].map(|name| Some(name.to_owned())).to_vec();
    }
    let name = |i: usize| names.get(i).filter(|name| !name.is_empty()).cloned();
    (0..n_channels).map(name).collect()
}

impl LabelImage {
    /// Opens a label image: TIFF (also `BigTIFF`, OME-TIFF, ImageJ), OME-Zarr, PNG or `.npy`.
    ///
    /// # Errors
    /// When the file cannot be read, or holds colours, floats, several channels or negative numbers.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        ImageFile::open_labels(path)?.labels().map_err(|e| e.in_file(path))
    }
}

impl IntensityImage {
    /// Opens an image of one channel: TIFF (also `BigTIFF`, OME-TIFF, ImageJ), OME-Zarr, PNG or `.npy`.
    ///
    /// # Errors
    /// When the file cannot be read, or has several channels.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut channels = Self::open_channels(path)?;
        match (channels.pop(), channels.len()) {
            (Some(image), 0) => Ok(image),
            (_, n_others) => Err(Error::format(format!("the image has {} channels", n_others + 1))
                .in_file(path)
                .help("take one of IntensityImage::open_channels, or save single channels")),
        }
    }

    /// Opens all channels of an image.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn open_channels(path: impl AsRef<Path>) -> Result<Vec<Self>> {
        let path = path.as_ref();
        let file = ImageFile::open(path)?;
        (0..file.channels().len())
            .map(|c| file.intensities(c).map_err(|e| e.in_file(path)))
            .collect()
    }
}
