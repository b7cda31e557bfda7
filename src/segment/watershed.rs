//! Markers flood a height map, lowest first, until they meet.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::field::Field;
use crate::error::{Error, Result};
use crate::image::LabelImage;

/// Floods `height` from `markers`, inside `mask` if there is one:
/// `skimage.segmentation.watershed(height, markers, mask=mask)`, over faces, without lines between.
///
/// Among pixels of equal height the one reached first goes first.
///
/// ```
/// use ndarray::array;
/// use polariscope::image::{IntensityImage, LabelImage};
/// use polariscope::segment::{Field, watershed};
///
/// let height = Field::of(&IntensityImage::from_array(array![[0u8, 1, 5, 1, 0]])?)?;
/// let markers = LabelImage::from(array![[1, 0, 0, 0, 2]]);
/// assert_eq!(watershed(&height, &markers, None)?.pixels(), [1, 1, 1, 2, 2]);
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # Errors
/// When the images differ in shape.
///
/// # References
/// Beucher and Meyer, The morphological approach to segmentation: the watershed transformation, 1993.
pub fn watershed(
    height: &Field,
    markers: &LabelImage,
    mask: Option<&LabelImage>,
) -> Result<LabelImage> {
    let extent = height.extent();
    for image in [Some(markers), mask].into_iter().flatten() {
        if image.grid().extent() != extent {
            let message =
                format!("the heights are {extent:?} pixels, a label image is {}", image.grid());
            return Err(
                Error::data(message).help("images that belong together cover the same pixels")
            );
        }
    }
    let allowed = |i: usize| mask.is_none_or(|mask| mask.pixels()[i] != 0);
    let mut labels = markers.clone();
    let pixels = labels.pixels_mut();
    let mut front = BinaryHeap::new();
    for (i, label) in pixels.iter_mut().enumerate() {
        if !allowed(i) {
            *label = 0;
        } else if *label != 0 {
            front.push(Reverse((rank(height.values()[i]), 0u64, i)));
        }
    }
    let [nz, ny, nx] = extent;
    let mut age = 0;
    while let Some(Reverse((_, _, i))) = front.pop() {
        let (z, y, x) = (i / (ny * nx), i / nx % ny, i % nx);
        let neighbours = [
            (z > 0).then(|| i - ny * nx),
            (y > 0).then(|| i - nx),
            (x > 0).then(|| i - 1),
            (x + 1 < nx).then_some(i + 1),
            (y + 1 < ny).then_some(i + nx),
            (z + 1 < nz).then_some(i + ny * nx),
        ];
        for j in neighbours.into_iter().flatten() {
            if pixels[j] == 0 && allowed(j) {
                age += 1;
                pixels[j] = pixels[i];
                front.push(Reverse((rank(height.values()[j]), age, j)));
            }
        }
    }
    Ok(labels)
}

/// A whole number that orders as the finite value does.
fn rank(value: f32) -> u32 {
    // -0 and 0 are one height.
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 0 { bits | 1 << 31 } else { !bits }
}
