//! Labels on a device become objects: kernels count what runs count on the processor.

use std::collections::BTreeMap;
use std::ops::Range;

use super::accumulator::Objects;
use super::object::Needs;
use crate::backend::Gpu;
use crate::error::{Error, Result};
use crate::image::{LabelImage, Pixels};
use crate::kernels::region_edges::Edges;
use crate::kernels::region_gpu::{LabelBands, RegionSums};
use crate::kernels::region_intensity::Intensity;
use crate::kernels::region_runs::Span;
use crate::kernels::region_solid::Solid;
use crate::kernels::region_sums::{Bounds, Moments, fits_64_bits};
use crate::segment::on_gpu::DeviceLabels;

/// What was counted of every object, in their order; lists of what nobody needs are empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Counted {
    sums: Vec<RegionSums>,
    edges: Vec<Edges>,
    solids: Vec<Solid>,
    /// Every row of every object, from its first pixel to its last.
    rows: Vec<Span>,
    /// Where each object's rows begin, with the end as the last entry.
    begins: Vec<usize>,
}

impl Counted {
    /// Box, moments and number of pixels.
    pub fn sums(&self, at: usize, needs: Needs) -> (Bounds, Moments, u64) {
        let RegionSums { powers, bounds } = &self.sums[at];
        (*bounds, Moments::of_image_sums(powers, bounds, needs.cubes), self.sums[at].n_pixels())
    }

    /// What was counted along the border of a plane, and of a stack.
    pub fn border(&self, at: usize) -> (Edges, Solid) {
        (
            self.edges.get(at).copied().unwrap_or_default(),
            self.solids.get(at).copied().unwrap_or_default(),
        )
    }

    /// An object's rows, each in one piece.
    pub fn rows_of(&self, at: usize) -> &[Span] {
        match self.begins.get(at..at + 2) {
            Some(ends) => &self.rows[ends[0]..ends[1]],
            None => &[],
        }
    }
}

/// Measures all objects of a label image.
pub(super) fn objects(
    gpu: &Gpu,
    labels: &LabelImage,
    channels: &[&Pixels],
    needs: Needs,
) -> Result<Objects> {
    let is_stack = labels.shape().len() == 3;
    check(is_stack, channels, needs)?;
    let (dense, names) = dense(labels.pixels());
    let pixels = dense.as_deref().unwrap_or(labels.pixels());
    let bands = LabelBands::upload(gpu, pixels, labels.grid().extent(), is_stack)?;
    measured(&bands, is_stack, names.as_deref(), channels, needs)
}

/// Measures all objects of labels that a segmentation left on its device.
pub(super) fn objects_on_device(
    labels: &DeviceLabels,
    channels: &[&Pixels],
    needs: Needs,
) -> Result<Objects> {
    check(labels.is_stack(), channels, needs)?;
    measured(&labels.bands(), labels.is_stack(), None, channels, needs)
}

/// `names` are those of the labels 1, 2, 3, if they have others.
fn measured(
    bands: &LabelBands<'_>,
    is_stack: bool,
    names: Option<&[u32]>,
    channels: &[&Pixels],
    needs: Needs,
) -> Result<Objects> {
    let mut sums = bands.sums(needs.cubes)?;
    let mut counted = Counted::default();
    match (needs.edges, is_stack) {
        (false, _) => {}
        (true, false) => counted.edges = bands.edges(&sums)?,
        (true, true) => counted.solids = bands.solids()?,
    }
    if needs.hull {
        (counted.rows, counted.begins) = bands.rows(&sums)?;
    }
    let mut objects = Objects::default();
    for pixels in channels {
        objects.intensity.push(intensity(bands, &sums, pixels)?);
    }
    // Numbers that no pixel has.
    let exists: Vec<bool> = sums.iter().map(|sums| sums.n_pixels() > 0).collect();
    keep(&mut sums, &exists);
    keep(&mut counted.edges, &exists);
    keep(&mut counted.solids, &exists);
    objects.intensity.iter_mut().for_each(|sums| keep(sums, &exists));
    if needs.hull {
        // An object without a pixel has no rows: its begin is the next one's.
        let end = counted.begins.pop();
        keep(&mut counted.begins, &exists);
        counted.begins.extend(end);
    }
    let numbers = (1u32..).zip(&exists).filter(|(_, exists)| **exists).map(|(number, _)| number);
    objects.labels = match names {
        Some(names) => numbers.map(|number| names[number as usize - 1]).collect(),
        None => numbers.collect(),
    };
    counted.sums = sums;
    check_size(&objects.labels, &counted.sums, needs)?;
    objects.begins = vec![0; objects.labels.len() + 1];
    objects.counted = Some(counted);
    Ok(objects)
}

fn keep<T>(all: &mut Vec<T>, which: &[bool]) {
    let mut which = which.iter();
    all.retain(|_| which.next().copied().unwrap_or(false));
}

fn check(is_stack: bool, channels: &[&Pixels], needs: Needs) -> Result<()> {
    let refused = |what: &str| {
        let error = Error::backend(format!("the GPU does not measure {what}"));
        Err(error.help("use --backend cpu, which measures everything"))
    };
    if channels.iter().any(|pixels| matches!(pixels, Pixels::F64(_))) {
        return refused("intensities of type float64");
    }
    for (is_needed, what) in [
        (is_stack && needs.cubes, "third moments of stacks"),
        (needs.filled, "filled areas"),
        (needs.distances, "distances to the centroid"),
        (needs.values, "quantiles, textures and weighted moments"),
        (needs.contacts || needs.nearest, "neighbours"),
    ] {
        if is_needed {
            return refused(what);
        }
    }
    Ok(())
}

/// Sums of 64 bits hold the moments of all but huge objects.
fn check_size(labels: &[u32], sums: &[RegionSums], needs: Needs) -> Result<()> {
    match sums.iter().position(|sums| !fits_64_bits(&sums.bounds, needs.cubes)) {
        None => Ok(()),
        Some(at) => {
            let [planes, rows, columns] = sums[at].bounds.extent;
            Err(Error::backend(format!(
                    "object {} spreads over {planes} x {rows} x {columns} pixels: its moments exceed the 64 bits of the GPU",
                    labels[at]
                ),
            )
            .help("use --backend cpu, which has room for them"))
        }
    }
}

/// Room for numbers that no pixel has, beside one for each pixel.
const SPARE: usize = 1 << 16;

/// Labels numbered 1, 2, 3 in their order, and their names, if the largest is far above their number.
fn dense(labels: &[u32]) -> (Option<Vec<u32>>, Option<Vec<u32>>) {
    let largest = labels.iter().copied().max().unwrap_or(0);
    if largest as usize <= labels.len() + SPARE {
        return (None, None);
    }
    let mut numbers: BTreeMap<u32, u32> = labels.iter().map(|&label| (label, 0)).collect();
    numbers.remove(&0);
    numbers.values_mut().zip(1..).for_each(|(number, n)| *number = n);
    let dense = labels.iter().map(|label| numbers.get(label).copied().unwrap_or(0)).collect();
    (Some(dense), Some(numbers.into_keys().collect()))
}

/// Sums of a channel's values.
fn intensity(bands: &LabelBands, sums: &[RegionSums], pixels: &Pixels) -> Result<Vec<Intensity>> {
    let width = bands.width();
    let at = |rows: Range<usize>| rows.start * width..rows.end * width;
    match pixels {
        Pixels::U8(values) => bands.intensity(sums, 8, &|rows| packed(&values[at(rows)], 8)),
        Pixels::U16(values) => bands.intensity(sums, 16, &|rows| packed(&values[at(rows)], 16)),
        Pixels::U32(values) => bands.intensity(sums, 32, &|rows| values[at(rows)].to_vec()),
        Pixels::F32(values) => bands.float_intensity(sums, &|rows| {
            values[at(rows)].iter().map(|value| value.to_bits()).collect()
        }),
        Pixels::F64(_) => Err(Error::internal("double precision reached the device")),
    }
}

/// Values beside each other in words, the first in the lowest bits.
fn packed<T: Copy + Into<u32>>(values: &[T], bits: usize) -> Vec<u32> {
    let join = |word: &[T]| {
        word.iter().enumerate().fold(0, |joined, (i, &value)| joined | value.into() << (i * bits))
    };
    values.chunks(32 / bits).map(join).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::backend::{Backend, test_device};
    use crate::error::ErrorKind;
    use crate::image::synth::Blobs;
    use crate::image::{Grid, IntensityImage};
    use crate::regions::{Regions, RegionsParams, Selection};
    use crate::seed::Seed;

    /// Objects that touch, noise, rings and combs, one object over everything, gaps in the numbers, huge numbers.
    fn images() -> Vec<LabelImage> {
        let image = |rows: usize, columns: usize, label: &dyn Fn(usize, usize) -> u32| {
            let pixels = (0..rows * columns).map(|i| label(i / columns, i % columns)).collect();
            LabelImage::new(Grid::new(&[rows, columns]).unwrap(), pixels).unwrap()
        };
        let noise = |n_labels: usize, index: u64| {
            let mut stream = Seed::new(7).stream("noise", index);
            let values: Vec<u32> = (0..90 * 131).map(|_| stream.below(n_labels) as u32).collect();
            image(90, 131, &|y, x| values[y * 131 + x])
        };
        let blobs = |shape: &[usize], n| {
            Blobs::params().shape(shape).n_objects(n).gap(0.0).make().unwrap().labels
        };
        let stack = |shape: [usize; 3], n_labels: usize| {
            let mut stream = Seed::new(9).stream("stack", n_labels as u64);
            let pixels = (0..shape.iter().product()).map(|_| stream.below(n_labels) as u32);
            LabelImage::new(Grid::new(&shape).unwrap(), pixels.collect()).unwrap()
        };
        vec![
            blobs(&[300, 400], 60),
            stack([4, 9, 70], 3),
            blobs(&[30, 60, 70], 9),
            stack([1, 6, 5], 40),
            stack([5, 1, 6], 2),
            noise(2, 0),
            noise(4, 1),
            noise(900, 2),
            image(70, 200, &|y, x| u32::from(y % 7 != 3 || x % 5 != 2)),
            image(64, 129, &|_, _| 9),
            image(1, 1, &|_, _| 1),
            image(3, 300, &|y, x| {
                if (y, x) == (1, 299) { 4_000_000_000 } else { 5 * u32::from(x < 64) }
            }),
            image(40, 40, &|y, x| ((y / 3 + x / 4) as u32 % 5) * 800_000_000),
            image(5, 7, &|_, _| 0),
        ]
    }

    fn channels(grid: &Grid) -> Vec<IntensityImage> {
        let mut stream = Seed::new(3).stream("values", 0);
        let values: Vec<u32> = (0..grid.n_pixels()).map(|_| stream.below(1 << 32) as u32).collect();
        let u8s = Pixels::U8(values.iter().map(|v| *v as u8).collect());
        let u16s = Pixels::U16(values.iter().map(|v| (v >> 16) as u16).collect());
        // The largest values carry the furthest.
        let u32s = Pixels::U32(values.iter().map(|v| v | 0xffff_0000).collect());
        // Of all scales, of both signs, some too small to be normal; one object in ten has something odd.
        let single = |v: &u32| f32::from_bits(if v % 1000 == 7 { *v } else { v & 0xbfff_ffff });
        let f32s = Pixels::F32(values.iter().map(single).collect());
        // And such as microscopes make.
        let plain = Pixels::F32(values.iter().map(|v| (v % 4096) as f32 / 7.0).collect());
        [u8s, u16s, u32s, f32s, plain].map(|p| IntensityImage::new(grid.clone(), p).unwrap()).into()
    }

    fn check(backend: &Backend, what: &str) {
        for (i, labels) in images().iter().enumerate() {
            let channels = channels(labels.grid());
            let is_plane = labels.shape().len() == 2;
            let spacing: &[f64] = if is_plane { &[0.5, 0.25] } else { &[2.0, 0.5, 0.25] };
            let mut regions = Regions::params().spacing(spacing);
            if i % 2 == 1 && is_plane {
                // Moments to the third power of each axis are 64 bits for boxes up to 2^16 pixels.
                let names = ["core", "moments", "moments_central", "moments_hu", "intensity_sum"];
                let names = names.map(str::to_owned).to_vec();
                regions = Regions::params().properties(Selection::Names(names));
            }
            for (name, image) in ["a", "b", "c", "d", "e"].into_iter().zip(&channels) {
                regions = regions.channel(name, image);
            }
            let expected = regions.measure(labels).unwrap();
            let found = regions.backend(backend.clone()).measure(labels).unwrap();
            assert!(found.equals_missing(&expected), "{what}, image {i}:\n{found:?}\n{expected:?}");
        }
    }

    #[test]
    fn tables_have_the_bytes_of_the_cpu() {
        let Some(gpu) = test_device() else { return };
        check(&Backend::Gpu(Arc::new(gpu)), "as it is");
        for group in [1, 32, 256] {
            let gpu = test_device().unwrap().with_group_size(group);
            check(&Backend::Gpu(Arc::new(gpu)), &format!("groups of {group}"));
        }
        // Bands of a few rows and batches of a few labels.
        for bytes in [36_000, 60_000] {
            let gpu = test_device().unwrap().with_binding_limit(bytes);
            check(&Backend::Gpu(Arc::new(gpu)), &format!("bindings of {bytes} bytes"));
        }
    }

    #[test]
    fn what_is_not_measured_is_said() {
        let Some(gpu) = test_device() else { return };
        let backend = Backend::Gpu(Arc::new(gpu.with_binding_limit(1 << 20)));
        let refused = |regions: RegionsParams<'_>, labels: &LabelImage, words: &str| {
            let error = regions.backend(backend.clone()).measure(labels).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Backend);
            assert!(error.message().contains(words), "{error}");
            assert!(error.remedy().is_some_and(|r| r.contains("--backend cpu")));
        };
        let plane = LabelImage::from(ndarray::array![[1u32, 0], [1, 2]]);
        let stack = LabelImage::new(Grid::new(&[2, 1, 1]).unwrap(), vec![1, 1]).unwrap();
        let hu = Selection::Names(vec!["moments".to_owned()]);
        let floats = IntensityImage::from_array(ndarray::array![[1f64, 0.0], [1.0, 2.0]]).unwrap();
        let all = || Regions::params().properties(Selection::All);
        refused(
            Regions::params().properties(hu),
            &stack,
            "does not measure third moments of stacks",
        );
        refused(Regions::params().intensity(&floats), &plane, "type float64");
        refused(all(), &plane, "does not measure filled areas");
        let long = LabelImage::new(Grid::new(&[1, 300_000]).unwrap(), vec![1; 300_000]).unwrap();
        refused(Regions::params(), &long, "too large");
        let wide = LabelImage::new(Grid::new(&[2, 40_000]).unwrap(), vec![1; 80_000]).unwrap();
        refused(Regions::params(), &wide, "object 1 spreads over 1 x 2 x 40000 pixels");
    }
}
