//! Extent and spacing become a grid: how many pixels along (z,) y, x, and how far apart they lie.

use std::fmt;

use crate::error::{Error, Result};

/// The raster an image stands on, two- or three-dimensional.
///
/// Axes are in the order (z,) y, x, as in the shape of an array; a plane has no z axis.
///
/// ```
/// use polariscope::image::Grid;
///
/// let stack = Grid::new(&[5, 20, 30])?.with_spacing(&[2.0, 0.5, 0.5], Some("µm"))?;
/// assert_eq!(stack.shape(), [5, 20, 30]);
/// assert_eq!(stack.extent(), [5, 20, 30]);
/// assert_eq!(stack.unit(), Some("µm"));
/// assert_eq!(Grid::new(&[20, 30])?.extent(), [1, 20, 30]);
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    n_axes: usize,
    /// (z, y, x); a plane has one layer.
    extent: [usize; 3],
    spacing: [f64; 3],
    unit: Option<String>,
}

impl Grid {
    /// A grid of `shape` (y, x) or (z, y, x), with spacing 1 and no unit. An axis may be empty.
    ///
    /// # Errors
    /// When the shape has not two or three axes, or more pixels than an address can count.
    pub fn new(shape: &[usize]) -> Result<Self> {
        let extent = match *shape {
            [y, x] => [1, y, x],
            [z, y, x] => [z, y, x],
            _ => {
                return Err(Error::data(format!(
                    "an image of shape {shape:?} has {} axes",
                    shape.len()
                ))
                .help("images are (y, x) or (z, y, x): take single time points and channels"));
            }
        };
        let grid = Self { n_axes: shape.len(), extent, spacing: [1.0; 3], unit: None };
        match extent.iter().try_fold(1usize, |n, &length| n.checked_mul(length)) {
            Some(n) if n <= isize::MAX as usize / 8 => Ok(grid),
            _ => Err(Error::data(format!("an image of shape {shape:?} does not fit into memory"))),
        }
    }

    /// The same grid with pixels `spacing` apart along (z,) y, x, in `unit` (pixels when `None`).
    ///
    /// # Errors
    /// When there is not one positive, finite spacing per axis.
    pub fn with_spacing(mut self, spacing: &[f64], unit: Option<&str>) -> Result<Self> {
        if spacing.len() != self.n_axes || !spacing.iter().all(|s| s.is_finite() && *s > 0.0) {
            let axes = if self.n_axes == 2 { "y, x" } else { "z, y, x" };
            return Err(Error::parameter(
                "spacing",
                format!("{spacing:?}"),
                format!("one positive number for each of the axes {axes}"),
            ));
        }
        self.spacing[3 - self.n_axes..].copy_from_slice(spacing);
        self.unit = unit.map(str::to_owned);
        Ok(self)
    }

    /// 2 for a plane, 3 for a stack.
    pub fn n_axes(&self) -> usize {
        self.n_axes
    }

    /// Pixels along (z,) y, x.
    pub fn shape(&self) -> &[usize] {
        &self.extent[3 - self.n_axes..]
    }

    /// Pixels along z, y, x; a plane is one layer thick.
    pub fn extent(&self) -> [usize; 3] {
        self.extent
    }

    /// Distance between neighbouring pixels along (z,) y, x.
    pub fn spacing(&self) -> &[f64] {
        &self.spacing[3 - self.n_axes..]
    }

    /// The unit of the spacing; `None` when it is pixels.
    pub fn unit(&self) -> Option<&str> {
        self.unit.as_deref()
    }

    /// The number of pixels.
    pub fn n_pixels(&self) -> usize {
        self.extent.iter().product()
    }

    /// Fails when `count` pixels do not fill this grid.
    pub(super) fn check_filled(&self, count: usize) -> Result<()> {
        if count == self.n_pixels() {
            return Ok(());
        }
        Err(Error::data(format!("{count} pixels were given for an image of {self}")))
    }
}

/// `256 x 254` or `5 x 256 x 254`, in the order of the axes.
impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lengths: Vec<String> = self.shape().iter().map(usize::to_string).collect();
        f.write_str(&lengths.join(" x "))
    }
}
