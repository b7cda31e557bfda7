//! Labels become other labels: numbered anew, left out, grown, shrunk, outlined, painted with a value.

use rayon::prelude::*;

use super::objects::{Objects, Sides};
use super::runs::{Connectivity, Runs};
use crate::error::{Error, Result};
use crate::image::{Grid, IntensityImage, LabelImage};

/// Connected components of what is not background, numbered in raster order of their first pixel:
/// `skimage.measure.label(image > 0)`.
///
/// ```
/// use ndarray::array;
/// use polariscope::image::LabelImage;
/// use polariscope::segment::{Connectivity, labels};
///
/// let mask = LabelImage::from(array![[1, 0, 1], [0, 1, 0]]);
/// assert_eq!(labels::components(&mask, Connectivity::Corners)?.max_label(), 1);
/// assert_eq!(labels::components(&mask, Connectivity::Faces)?.max_label(), 3);
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # Errors
/// When there are more components than labels can count.
pub fn components(mask: &LabelImage, connectivity: Connectivity) -> Result<LabelImage> {
    numbered(
        Runs::of_mask(mask.grid().extent(), mask.pixels(), |l| l != 0),
        mask.grid(),
        connectivity,
    )
}

/// [`components`] of the pixels of an image that are not 0, in whatever type they are: four times less to
/// read when it is 8 bits.
///
/// # Errors
/// When there are more components than labels can count.
pub fn components_of(mask: &IntensityImage, connectivity: Connectivity) -> Result<LabelImage> {
    let extent = mask.grid().extent();
    let runs = crate::for_each_pixel_type!(mask.pixels(), values => {
        Runs::of_mask(extent, values, is_set)
    });
    numbered(runs, mask.grid(), connectivity)
}

fn is_set<T: Default + PartialEq>(value: T) -> bool {
    value != T::default()
}

fn numbered(runs: Runs, grid: &Grid, connectivity: Connectivity) -> Result<LabelImage> {
    let (mut labels, n) = runs.components(connectivity);
    Runs::check_count(n)?;
    labels.iter_mut().for_each(|label| *label += 1);
    Objects { runs, labels }.paint(grid)
}

/// The same objects numbered 1, 2, 3, ... in the order of their labels.
///
/// # Errors
/// Never in practice: the objects fill their grid.
pub fn relabel(labels: &LabelImage) -> Result<LabelImage> {
    Objects::of(labels).without(&[]).paint(labels.grid())
}

/// Leaves out objects that touch one of `sides`, and numbers the others 1, 2, 3, ...
///
/// # Errors
/// Never in practice: the objects fill their grid.
pub fn exclude_on_edges(labels: &LabelImage, sides: Sides) -> Result<LabelImage> {
    let objects = Objects::of(labels);
    objects.without(&objects.at(sides)).paint(labels.grid())
}

/// Leaves out objects of fewer than `least` or more than `most` pixels, and numbers the others 1, 2, 3, ...
///
/// # Errors
/// Never in practice: the objects fill their grid.
pub fn exclude_by_size(labels: &LabelImage, least: usize, most: usize) -> Result<LabelImage> {
    let objects = Objects::of(labels);
    objects.without(&objects.outside(least, most)).paint(labels.grid())
}

/// Grows objects into the background by `radius` steps, over corners in every other step; where two meet,
/// the larger label wins.
pub fn dilate(labels: &LabelImage, radius: usize) -> LabelImage {
    step_by_step(labels, radius, |label, around| {
        if label == 0 { around.copied().max().unwrap_or(0) } else { label }
    })
}

/// Takes `radius` layers of pixels away from every object, over corners in every other step. The border of
/// the image takes nothing away.
pub fn erode(labels: &LabelImage, radius: usize) -> LabelImage {
    step_by_step(
        labels,
        radius,
        |label, mut around| {
            if around.all(|&other| other == label) { label } else { 0 }
        },
    )
}

/// The pixels of every object that share a side with something else:
/// `skimage.segmentation.find_boundaries(labels, mode="inner")`, with their labels.
pub fn outlines(labels: &LabelImage) -> LabelImage {
    let inner = step(
        labels,
        false,
        |label, mut around| {
            if around.all(|&other| other == label) { label } else { 0 }
        },
    );
    let pixels = labels.pixels().iter().zip(inner.pixels());
    let outlines = pixels.map(|(&label, &inner)| if inner == 0 { label } else { 0 }).collect();
    same_grid(labels, outlines)
}

/// An image in which every object has its value: the parametric image of a table column.
///
/// Background is 0, as in clEsperanto; an object without a value is NaN.
///
/// # Errors
/// When a label is given twice.
pub fn parametric(labels: &LabelImage, values: &[(u32, f64)]) -> Result<IntensityImage> {
    let mut values = values.to_vec();
    values.sort_by_key(|(label, _)| *label);
    if let Some(twice) = values.windows(2).find(|w| w[0].0 == w[1].0) {
        return Err(Error::data(format!("label {} has two values", twice[0].0))
            .help("give one value for each label"));
    }
    let value = |label: u32| match values.binary_search_by_key(&label, |(label, _)| *label) {
        Ok(i) => values[i].1,
        Err(_) => f64::NAN,
    };
    let pixels: Vec<f64> = labels
        .pixels()
        .chunk_by(|a, b| a == b)
        .flat_map(|run| {
            let value = if run[0] == 0 { 0.0 } else { value(run[0]) };
            std::iter::repeat_n(value, run.len())
        })
        .collect();
    IntensityImage::new(labels.grid().clone(), pixels)
}

type Neighbours<'a> = Box<dyn Iterator<Item = &'a u32> + 'a>;

fn step_by_step(
    labels: &LabelImage,
    radius: usize,
    change: impl Fn(u32, Neighbours<'_>) -> u32 + Sync,
) -> LabelImage {
    (0..radius).fold(labels.clone(), |labels, i| step(&labels, i % 2 == 0, &change))
}

/// Every pixel from itself and its neighbours: all of them, or those that share a face.
fn step(
    labels: &LabelImage,
    corners: bool,
    change: impl Fn(u32, Neighbours<'_>) -> u32 + Sync,
) -> LabelImage {
    let [nz, ny, nx] = labels.grid().extent();
    let before = labels.pixels();
    let mut pixels = vec![0; before.len()];
    pixels.par_chunks_mut(nx.max(1)).enumerate().for_each(|(row, out)| {
        let (z, y) = (row / ny, row % ny);
        let mut lines = Vec::new();
        for layer in z.saturating_sub(1)..(z + 2).min(nz) {
            for line in y.saturating_sub(1)..(y + 2).min(ny) {
                let beside = layer.abs_diff(z) + line.abs_diff(y);
                if corners || beside <= 1 {
                    lines.push((corners || beside == 0, &before[(layer * ny + line) * nx..][..nx]));
                }
            }
        }
        for (x, out) in out.iter_mut().enumerate() {
            let around = lines.iter().flat_map(move |(wide, line)| {
                let reach = usize::from(*wide);
                line[x.saturating_sub(reach)..(x + 1 + reach).min(nx)].iter()
            });
            *out = change(before[row * nx + x], Box::new(around));
        }
    });
    same_grid(labels, pixels)
}

fn same_grid(labels: &LabelImage, pixels: Vec<u32>) -> LabelImage {
    let mut same = labels.clone();
    same.pixels_mut().copy_from_slice(&pixels);
    same
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn objects_grow_and_shrink() {
        let mut seed = Array2::zeros((7, 7));
        seed[[3, 3]] = 4;
        let seed = LabelImage::from(seed);
        let count = |labels: &LabelImage| labels.pixels().iter().filter(|l| **l == 4).count();
        // A square of 3 x 3, then a row more on each of its sides.
        assert_eq!([1, 2].map(|r| count(&dilate(&seed, r))), [9, 21]);
        assert_eq!(count(&erode(&dilate(&seed, 2), 1)), 5);
        assert_eq!(count(&outlines(&dilate(&seed, 1))), 8);
        let meeting = dilate(&LabelImage::from(array![[1, 0, 2]]), 1);
        assert_eq!(meeting.pixels(), [1, 2, 2]);
    }

    #[test]
    fn objects_are_left_out_and_numbered() {
        let labels = LabelImage::from(array![[9, 0, 0, 0], [0, 70_000, 70_000, 0], [0, 0, 0, 4]]);
        assert_eq!(relabel(&labels).unwrap().labels(), [1, 2, 3]);
        let inside = exclude_on_edges(&labels, Sides::ALL).unwrap();
        assert_eq!(inside.pixels(), [0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]);
        let not_top = exclude_on_edges(&labels, Sides { top: true, ..Sides::NONE }).unwrap();
        assert_eq!(not_top.labels(), [1, 2]);
        assert_eq!(exclude_by_size(&labels, 2, 9).unwrap().pixels(), inside.pixels());
    }

    #[test]
    fn values_are_painted() {
        let labels = LabelImage::from(array![[0, 3, 3, 8]]);
        let image = parametric(&labels, &[(3, 2.5), (5, 1.0)]).unwrap();
        let pixels = image.pixels().to_f64();
        assert_eq!(pixels[..3], [0.0, 2.5, 2.5]);
        assert!(pixels[3].is_nan());
        assert!(parametric(&labels, &[(3, 2.5), (3, 1.0)]).is_err());
    }
}
