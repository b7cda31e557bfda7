//! Pixels of any type become single precision values at (z, y, x): what filters work on.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::image::{Grid, ImageFile, IntensityImage, Pixels};

/// Finite single precision values in z, y, x order, x fastest.
///
/// ```
/// use ndarray::array;
/// use polariscope::image::IntensityImage;
/// use polariscope::segment::Field;
///
/// let image = IntensityImage::from_array(array![[0u8, 10], [20, 30]])?;
/// let field = Field::of(&image)?;
/// assert_eq!(field.extent(), [1, 2, 2]);
/// assert_eq!(field.values(), [0.0, 10.0, 20.0, 30.0]);
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    extent: [usize; 3],
    values: Vec<f32>,
}

impl Field {
    /// The values of an image.
    ///
    /// # Errors
    /// When the image has no pixel, or one that is not finite.
    pub fn of(image: &IntensityImage) -> Result<Self> {
        Self::new(image.grid().extent(), image.pixels().to_f32())
    }

    /// Values that fill `extent`, pixels along z, y, x.
    ///
    /// # Errors
    /// When their number is not that of the extent, there is none, or one is not finite.
    pub fn new(extent: [usize; 3], values: Vec<f32>) -> Result<Self> {
        let n_pixels: usize = extent.iter().product();
        if n_pixels == 0 {
            return Err(Error::data("the image has no pixel").help("export it again"));
        }
        if values.len() != n_pixels {
            let message = format!("{} values do not make an image of {extent:?}", values.len());
            return Err(Error::data(message));
        }
        check_finite(&values, extent, [0; 3])?;
        Ok(Self { extent, values })
    }

    /// Values computed from finite ones.
    pub(super) fn made(extent: [usize; 3], values: Vec<f32>) -> Self {
        Self { extent, values }
    }

    /// Pixels along z, y, x.
    pub fn extent(&self) -> [usize; 3] {
        self.extent
    }

    /// The values, x fastest.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The values, x fastest.
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }

    /// An image of these values on `grid`.
    ///
    /// # Errors
    /// When the grid has another size.
    pub fn into_image(self, grid: &Grid) -> Result<IntensityImage> {
        IntensityImage::new(grid.clone(), Pixels::F32(self.values))
    }

    /// Each value changed on its own, or with its partner in `other`.
    pub(super) fn zip(mut self, other: &Self, combine: impl Fn(f32, f32) -> f32) -> Self {
        self.values.iter_mut().zip(&other.values).for_each(|(a, b)| *a = combine(*a, *b));
        self
    }

    /// The part inside `region`, in order.
    pub(super) fn copy(&self, region: &[Range<usize>; 3], out: &mut [f32]) {
        let width = region[2].len();
        if width > 0 {
            let rows = rows_of(self.extent, region);
            out.chunks_exact_mut(width)
                .zip(rows)
                .for_each(|(out, row)| out.copy_from_slice(&self.values[row]));
        }
    }
}

/// The stretches of pixels that make up a region of an image.
fn rows_of(extent: [usize; 3], region: &[Range<usize>; 3]) -> impl Iterator<Item = Range<usize>> {
    let [_, ny, nx] = extent;
    let [layers, rows, columns] = region.clone();
    layers.flat_map(move |z| {
        let columns = columns.clone();
        rows.clone().map(move |y| {
            let row = (z * ny + y) * nx;
            row + columns.start..row + columns.end
        })
    })
}

/// Where blocks of an image come from.
pub(super) trait Source: Sync {
    fn extent(&self) -> [usize; 3];
    /// Whether a block costs no more than its copy.
    fn is_in_memory(&self) -> bool;
    fn block(&self, region: &[Range<usize>; 3]) -> Result<Field>;
}

/// An image in memory, its pixels in the type they were recorded in.
impl Source for IntensityImage {
    fn extent(&self) -> [usize; 3] {
        self.grid().extent()
    }

    fn is_in_memory(&self) -> bool {
        true
    }

    #[expect(clippy::unnecessary_cast, reason = "the body is written once for five types")]
    fn block(&self, region: &[Range<usize>; 3]) -> Result<Field> {
        let extent = region.clone().map(|range| range.len());
        let mut values = Vec::with_capacity(extent.iter().product());
        crate::for_each_pixel_type!(self.pixels(), pixels => {
            for row in rows_of(self.grid().extent(), region) {
                values.extend(pixels[row].iter().map(|v| *v as f32));
            }
        });
        if matches!(self.pixels(), Pixels::F32(_) | Pixels::F64(_)) {
            check_finite(&values, extent, region.clone().map(|range| range.start))?;
        }
        Ok(Field { extent, values })
    }
}

/// One channel of a file.
pub(super) struct Channel<'a> {
    pub file: &'a ImageFile,
    pub channel: usize,
}

impl Source for Channel<'_> {
    fn extent(&self) -> [usize; 3] {
        self.file.grid().extent()
    }

    fn is_in_memory(&self) -> bool {
        false
    }

    fn block(&self, region: &[Range<usize>; 3]) -> Result<Field> {
        let values = self.file.read(self.channel, region)?.to_f32();
        let extent = region.clone().map(|range| range.len());
        check_finite(&values, extent, region.clone().map(|range| range.start))?;
        Ok(Field { extent, values })
    }
}

fn check_finite(values: &[f32], extent: [usize; 3], start: [usize; 3]) -> Result<()> {
    let Some(i) = values.iter().position(|v| !v.is_finite()) else {
        return Ok(());
    };
    let [_, ny, nx] = extent;
    let (z, y, x) = (start[0] + i / (ny * nx), start[1] + i / nx % ny, start[2] + i % nx);
    let at = if extent[0] == 1 {
        format!("y = {y}, x = {x}")
    } else {
        format!("z = {z}, y = {y}, x = {x}")
    };
    Err(Error::data(format!("the pixel at {at} is {}, not a finite number", values[i]))
        .help("replace it, for instance by 0, before segmentation"))
}
