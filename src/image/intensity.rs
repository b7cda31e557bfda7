//! One measured value per pixel, in the number type of the file.

use ndarray::{Array, Dimension};

use super::Grid;
use crate::error::{Error, Result};

/// Values in (z,) y, x order, x fastest, in the type they were recorded in.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Pixels {
    /// 8 bits, 0 to 255.
    U8(Vec<u8>),
    /// 16 bits, 0 to 65,535.
    U16(Vec<u16>),
    /// 32 bits, 0 to 4,294,967,295.
    U32(Vec<u32>),
    /// Single precision.
    F32(Vec<f32>),
    /// Double precision.
    F64(Vec<f64>),
}

/// Runs `$body` with `$values` bound to the vector inside, whatever its type.
#[macro_export]
#[doc(hidden)]
macro_rules! for_each_pixel_type {
    ($pixels:expr, $values:ident => $body:expr) => {
        match $pixels {
            $crate::image::Pixels::U8($values) => $body,
            $crate::image::Pixels::U16($values) => $body,
            $crate::image::Pixels::U32($values) => $body,
            $crate::image::Pixels::F32($values) => $body,
            $crate::image::Pixels::F64($values) => $body,
        }
    };
}

impl Pixels {
    /// The number of values.
    pub fn len(&self) -> usize {
        for_each_pixel_type!(self, values => values.len())
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value at position `i`.
    ///
    /// # Panics
    /// When there is no such position.
    #[expect(clippy::unnecessary_cast, reason = "the body is written once for five types")]
    pub fn get(&self, i: usize) -> f64 {
        for_each_pixel_type!(self, values => values[i] as f64)
    }

    /// All values in single precision, which holds 8 and 16 bits exactly.
    #[expect(clippy::unnecessary_cast, reason = "the body is written once for five types")]
    pub fn to_f32(&self) -> Vec<f32> {
        for_each_pixel_type!(self, values => values.iter().map(|&v| v as f32).collect())
    }

    /// All values in double precision.
    #[expect(clippy::unnecessary_cast, reason = "the body is written once for five types")]
    pub fn to_f64(&self) -> Vec<f64> {
        for_each_pixel_type!(self, values => values.iter().map(|&v| v as f64).collect())
    }

    /// The type's name as in numpy: `uint8`, `uint16`, `uint32`, `float32`, `float64`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::U8(_) => "uint8",
            Self::U16(_) => "uint16",
            Self::U32(_) => "uint32",
            Self::F32(_) => "float32",
            Self::F64(_) => "float64",
        }
    }
}

macro_rules! pixels_from {
    ($($variant:ident $type:ty),*) => {$(
        impl From<Vec<$type>> for Pixels {
            fn from(values: Vec<$type>) -> Self {
                Self::$variant(values)
            }
        }
    )*};
}
pixels_from!(U8 u8, U16 u16, U32 u32, F32 f32, F64 f64);

/// What was measured at each pixel, for one channel.
///
/// ```
/// use ndarray::array;
/// use polariscope::image::{IntensityImage, Pixels};
///
/// let dapi = IntensityImage::from_array(array![[0u16, 300], [20, 5]])?.named("dapi");
/// assert_eq!(dapi.shape(), [2, 2]);
/// assert!(matches!(dapi.pixels(), Pixels::U16(values) if values == &[0, 300, 20, 5]));
/// assert_eq!(dapi.name(), Some("dapi"));
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct IntensityImage {
    grid: Grid,
    pixels: Pixels,
    name: Option<String>,
}

impl IntensityImage {
    /// An image from values in (z,) y, x order.
    ///
    /// # Errors
    /// When the number of values is not that of the grid.
    pub fn new(grid: Grid, pixels: impl Into<Pixels>) -> Result<Self> {
        let pixels = pixels.into();
        grid.check_filled(pixels.len())?;
        Ok(Self { grid, pixels, name: None })
    }

    /// An image from an array of shape (y, x) or (z, y, x), with spacing 1.
    ///
    /// # Errors
    /// When the array has not two or three axes.
    pub fn from_array<T, D: Dimension>(array: Array<T, D>) -> Result<Self>
    where
        Vec<T>: Into<Pixels>,
    {
        let grid = Grid::new(array.shape())?;
        Self::new(grid, array.into_iter().collect::<Vec<T>>())
    }

    /// The same image with pixels `spacing` apart along (z,) y, x, in `unit` (pixels when `None`).
    ///
    /// # Errors
    /// When there is not one positive, finite spacing per axis.
    pub fn with_spacing(mut self, spacing: &[f64], unit: Option<&str>) -> Result<Self> {
        self.grid = self.grid.with_spacing(spacing, unit)?;
        Ok(self)
    }

    /// The same image with the name of its channel.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The raster: shape, spacing, unit.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Pixels along (z,) y, x.
    pub fn shape(&self) -> &[usize] {
        self.grid.shape()
    }

    /// The values in (z,) y, x order, x fastest.
    pub fn pixels(&self) -> &Pixels {
        &self.pixels
    }

    /// The channel's name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Fails when `other`, the image called `what`, does not cover the same pixels.
    ///
    /// # Errors
    /// When the shapes differ.
    pub fn check_same_shape(&self, what: &str, other: &Grid) -> Result<()> {
        if self.shape() == other.shape() {
            return Ok(());
        }
        let name = self.name().map_or(String::new(), |name| format!(" `{name}`"));
        Err(Error::data(format!("the image{name} is {}, {what} is {other}", self.grid)).help(
            "images that belong together cover the same pixels: give the pair from one export",
        ))
    }
}
