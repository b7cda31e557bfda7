//! One object number per pixel.

use ndarray::{Array2, Array3, ArrayView3, ArrayViewD};

use super::Grid;
use crate::error::Result;

/// Which object each pixel belongs to; 0 is background.
///
/// Labels are `u32`, may have gaps, and are stored in (z,) y, x order, x fastest.
///
/// ```
/// use ndarray::array;
/// use polariscope::image::LabelImage;
///
/// let labels = LabelImage::from(array![[0, 1, 1], [7, 0, 1]]);
/// assert_eq!(labels.shape(), [2, 3]);
/// assert_eq!(labels.labels(), [1, 7]);
/// assert_eq!(labels.max_label(), 7);
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LabelImage {
    grid: Grid,
    pixels: Vec<u32>,
}

impl LabelImage {
    /// Labels from pixels in (z,) y, x order.
    ///
    /// # Errors
    /// When the number of pixels is not that of the grid.
    pub fn new(grid: Grid, pixels: Vec<u32>) -> Result<Self> {
        grid.check_filled(pixels.len())?;
        Ok(Self { grid, pixels })
    }

    /// The same labels with pixels `spacing` apart along (z,) y, x, in `unit` (pixels when `None`).
    ///
    /// # Errors
    /// When there is not one positive, finite spacing per axis.
    pub fn with_spacing(mut self, spacing: &[f64], unit: Option<&str>) -> Result<Self> {
        self.grid = self.grid.with_spacing(spacing, unit)?;
        Ok(self)
    }

    /// The raster: shape, spacing, unit.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Pixels along (z,) y, x.
    pub fn shape(&self) -> &[usize] {
        self.grid.shape()
    }

    /// All labels in (z,) y, x order, x fastest.
    pub fn pixels(&self) -> &[u32] {
        &self.pixels
    }

    /// All labels, to be changed in place.
    pub fn pixels_mut(&mut self) -> &mut [u32] {
        &mut self.pixels
    }

    /// The grid and the pixels.
    pub fn into_parts(self) -> (Grid, Vec<u32>) {
        (self.grid, self.pixels)
    }

    /// The labels as an array of shape (y, x) or (z, y, x).
    ///
    /// # Panics
    /// Never: the pixels always fill the grid.
    pub fn array(&self) -> ArrayViewD<'_, u32> {
        ArrayViewD::from_shape(self.shape(), &self.pixels).expect("the pixels fill the grid")
    }

    /// The labels as layers, shape (z, y, x); a plane is one layer.
    ///
    /// # Panics
    /// Never: the pixels always fill the grid.
    pub fn volume(&self) -> ArrayView3<'_, u32> {
        ArrayView3::from_shape(self.grid.extent(), &self.pixels).expect("the pixels fill the grid")
    }

    /// The largest label, 0 when there is no object.
    pub fn max_label(&self) -> u32 {
        self.pixels.iter().copied().max().unwrap_or(0)
    }

    /// The labels that occur, ascending, without the background.
    pub fn labels(&self) -> Vec<u32> {
        let largest = self.max_label() as usize;
        // A table of flags while labels are dense, sorting when a few labels have huge numbers.
        if largest <= 4 * self.pixels.len() + 1024 {
            let mut seen = vec![false; largest + 1];
            self.pixels.iter().for_each(|&l| seen[l as usize] = true);
            return (1..=largest as u32).filter(|&l| seen[l as usize]).collect();
        }
        let mut labels: Vec<u32> = Vec::new();
        let mut last = 0;
        for &label in &self.pixels {
            if label != last && label != 0 {
                labels.push(label);
            }
            last = label;
        }
        labels.sort_unstable();
        labels.dedup();
        labels
    }
}

/// A plane with spacing 1.
impl From<Array2<u32>> for LabelImage {
    fn from(array: Array2<u32>) -> Self {
        let (n_rows, n_columns) = array.dim();
        Self::from_array(&[n_rows, n_columns], array.into_iter().collect())
    }
}

/// A stack with spacing 1.
impl From<Array3<u32>> for LabelImage {
    fn from(array: Array3<u32>) -> Self {
        let (n_layers, n_rows, n_columns) = array.dim();
        Self::from_array(&[n_layers, n_rows, n_columns], array.into_iter().collect())
    }
}

impl LabelImage {
    fn from_array(shape: &[usize], pixels: Vec<u32>) -> Self {
        let grid = Grid::new(shape).expect("an array that exists fits into memory");
        Self { grid, pixels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn labels_are_found_whether_dense_or_huge() {
        let labels = LabelImage::from(array![[0, u32::MAX, 3], [3, 0, 9]]);
        assert_eq!(labels.labels(), [3, 9, u32::MAX]);
        assert_eq!(LabelImage::from(array![[0, 0]]).labels(), [0u32; 0]);
        assert_eq!(LabelImage::from(Array2::zeros((0, 4))).labels(), [0u32; 0]);
    }

    #[test]
    fn transposed_arrays_keep_their_meaning() {
        let array = array![[1, 2, 3], [4, 5, 6]];
        assert_eq!(LabelImage::from(array.reversed_axes()).pixels(), [1, 4, 2, 5, 3, 6]);
    }

    #[test]
    fn pixels_must_fill_the_grid() {
        let grid = Grid::new(&[2, 3]).unwrap();
        let error = LabelImage::new(grid, vec![0; 5]).unwrap_err();
        assert_eq!(error.to_string(), "5 pixels were given for an image of 2 x 3");
        assert!(Grid::new(&[2, 3, 4, 5]).is_err() && Grid::new(&[usize::MAX, 2]).is_err());
        assert!(Grid::new(&[2, 3]).unwrap().with_spacing(&[1.0, 0.0], None).is_err());
    }
}
