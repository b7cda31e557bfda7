//! A segmentation on a device: pixels go there once, labels come back when they are wanted.
//!
//! Steps and bits are those of the CPU. The filters of [`DeviceField`] follow [`super::filters`].

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use super::bins::{Bins, Countable};
use super::convolve::{Border, Kernel};
use super::field::Field;
use super::filters::{check_positive, check_sigma, gaussian_radius, scipy_radius};
use super::segmentation::Count;
use crate::backend::{Buffer, Gpu};
use crate::error::{Error, Result};
use crate::image::{Grid, LabelImage};
use crate::kernels::raster_gpu::{Along, Join, Raster, Taps};
use crate::kernels::region_gpu::LabelBands;

/// Labels 1, 2, 3, ... on a device.
#[derive(Debug, Clone)]
pub(crate) struct DeviceLabels {
    pub gpu: Arc<Gpu>,
    pub labels: Arc<Buffer<u32>>,
    pub grid: Grid,
    pub max_label: u32,
}

impl DeviceLabels {
    /// The label image.
    pub fn download(&self) -> Result<LabelImage> {
        LabelImage::new(self.grid.clone(), self.gpu.read(&self.labels)?)
    }

    pub fn is_stack(&self) -> bool {
        self.grid.n_axes() == 3
    }

    /// Leaves out objects of fewer or more pixels than allowed and, if asked, those at the border; numbers the others
    /// 1, 2, 3, ... Counts those of the right size.
    pub fn selected(
        self,
        areas: RangeInclusive<usize>,
        exclude_edges: bool,
    ) -> Result<(Self, Count)> {
        let sums = self.bands().sums(false)?;
        let is_inside = |first: [u32; 3], extent: [u32; 3]| {
            let ends = self.grid.extent();
            // The only layer of a plane is no border.
            let axes = usize::from(ends[0] == 1)..3;
            axes.into_iter().all(|a| first[a] > 0 && ((first[a] + extent[a]) as usize) < ends[a])
        };
        // Where labels of no pixel, outside the mask, and of the wrong size go: to the background.
        let mut names = vec![0u32; sums.len() + 1];
        let (mut count, mut max_label) = (Count { all: 0, inside: 0 }, 0);
        for (name, sums) in names[1..].iter_mut().zip(&sums) {
            let area = sums.n_pixels() as usize;
            if area == 0 || !areas.contains(&area) {
                continue;
            }
            let inside = is_inside(sums.bounds.first, sums.bounds.extent);
            count.all += 1;
            count.inside += usize::from(inside);
            if inside || !exclude_edges {
                max_label += 1;
                *name = max_label;
            }
        }
        Raster::new(&self.gpu, self.grid.extent())?.rename(&self.labels, &names)?;
        Ok((Self { max_label, ..self }, count))
    }

    /// As what kernels measure.
    pub fn bands(&self) -> LabelBands<'_> {
        let (labels, extent) = (Arc::clone(&self.labels), self.grid.extent());
        LabelBands::over(&self.gpu, labels, extent, self.is_stack(), self.max_label)
    }
}

/// A plane or a stack of values on a device, and the filters that make others of it without leaving it.
///
/// Values have the bits of the same filter in [`filters`](super::filters).
///
/// ```
/// use ndarray::array;
/// use polariscope::backend::Gpu;
/// use polariscope::image::IntensityImage;
/// use polariscope::segment::{DeviceField, Field, filters};
///
/// let field = Field::of(&IntensityImage::from_array(array![[0u8, 10, 0], [20, 30, 5]])?)?;
/// // Machines without any adapter have nothing to compare.
/// if let Ok(gpu) = Gpu::open() {
///     let blurred = DeviceField::upload(&gpu, &field)?.gaussian(1.5)?.download()?;
///     assert_eq!(blurred, filters::gaussian(&field, 1.5)?);
/// }
/// # Ok::<(), polariscope::Error>(())
/// ```
pub struct DeviceField<'a> {
    pub(super) raster: Raster<'a>,
    pub(super) values: Buffer<f32>,
}

impl<'a> DeviceField<'a> {
    /// Copies a field to the device.
    ///
    /// # Errors
    /// A field that is larger than what the device sees at once; a lost device.
    pub fn upload(gpu: &'a Gpu, field: &Field) -> Result<Self> {
        let raster = Raster::new(gpu, field.extent())?;
        Ok(Self { raster, values: gpu.upload(field.values())? })
    }

    /// Copies it back.
    ///
    /// # Errors
    /// A lost device, here as below.
    pub fn download(&self) -> Result<Field> {
        Ok(Field::made(self.raster.extent, self.raster.gpu.read(&self.values)?))
    }

    fn with(&self, values: Buffer<f32>) -> Self {
        Self { raster: self.raster, values }
    }

    /// Convolved with one kernel for each of z, y and x; a plane has no z to convolve.
    fn convolved(&self, kernels: [&Kernel; 3], border: Border) -> Result<Self> {
        self.along_axes(|values, along| {
            let Kernel { weights, is_odd } = kernels[along as usize];
            let is_mirrored = border == Border::Reflect;
            self.raster.convolve(values, Taps { weights, is_odd: *is_odd, is_mirrored }, along)
        })
    }

    /// Filtered along one axis after the other.
    fn along_axes(
        &self,
        filter: impl Fn(&Buffer<f32>, Along) -> Result<Buffer<f32>>,
    ) -> Result<Self> {
        let mut filtered: Option<Buffer<f32>> = None;
        for &along in self.raster.axes() {
            filtered = Some(filter(filtered.as_ref().unwrap_or(&self.values), along)?);
        }
        let filtered = filtered.ok_or_else(|| Error::internal("an image without axes"))?;
        Ok(self.with(filtered))
    }

    fn joined(&self, other: &Self, how: Join) -> Result<Self> {
        Ok(self.with(self.raster.join(&self.values, &other.values, how)?))
    }

    fn is_plane(&self) -> bool {
        self.raster.extent[0] == 1
    }

    /// What `filter` makes of every axis, z last: the order in which the CPU sums them.
    fn each_axis(&self, filter: impl Fn(usize) -> Result<Self>) -> Result<Vec<Self>> {
        let axes: &[usize] = if self.is_plane() { &[1, 2] } else { &[1, 2, 0] };
        axes.iter().map(|&axis| filter(axis)).collect()
    }

    /// [`filters::gaussian`](super::filters::gaussian).
    ///
    /// # Errors
    /// As there, or a lost device.
    pub fn gaussian(&self, sigma: f64) -> Result<Self> {
        check_sigma("sigma", sigma)?;
        let kernel = Kernel::gaussian(sigma, gaussian_radius(sigma), 0);
        self.convolved([&kernel; 3], Border::Nearest)
    }

    /// [`filters::difference_of_gaussian`](super::filters::difference_of_gaussian).
    ///
    /// # Errors
    /// As there, or a lost device.
    pub fn difference_of_gaussian(&self, sigma_small: f64, sigma_large: f64) -> Result<Self> {
        self.gaussian(sigma_small)?.joined(&self.gaussian(sigma_large)?, Join::Difference)
    }

    /// [`filters::laplacian_of_gaussian`](super::filters::laplacian_of_gaussian).
    ///
    /// # Errors
    /// As there, or a lost device.
    pub fn laplacian_of_gaussian(&self, sigma: f64) -> Result<Self> {
        check_positive(sigma)?;
        let order = |order| Kernel::gaussian(sigma, scipy_radius(sigma), order);
        let (blur, curve) = (order(0), order(2));
        let curved = self.each_axis(|axis| {
            let kernels = [0, 1, 2].map(|a| if a == axis { &curve } else { &blur });
            self.convolved(kernels, Border::Reflect)
        })?;
        let plane = curved[0].joined(&curved[1], Join::Sum)?;
        match curved.get(2) {
            None => Ok(plane),
            Some(z) => plane.joined(z, Join::Sum),
        }
    }

    /// [`filters::sobel`](super::filters::sobel).
    ///
    /// # Errors
    /// As there, or a lost device.
    pub fn sobel(&self) -> Result<Self> {
        let (smooth, slope) = super::filters::sobel_kernels();
        let slopes = self.each_axis(|axis| {
            let kernels = [0, 1, 2].map(|a| if a == axis { &slope } else { &smooth });
            self.convolved(kernels, Border::Reflect)
        })?;
        let plane = slopes[0].joined(&slopes[1], Join::Squares)?;
        match slopes.get(2) {
            None => plane.joined(&plane, Join::RootOfHalf),
            Some(z) => {
                let sum = plane.joined(z, Join::OneMoreSquare)?;
                sum.joined(&sum, Join::RootOfThird)
            }
        }
    }

    /// [`filters::top_hat`](super::filters::top_hat).
    ///
    /// # Errors
    /// As there, or a lost device.
    pub fn top_hat(&self, radius: usize) -> Result<Self> {
        let rank = |field: &Self, is_largest| {
            field.along_axes(|values, along| self.raster.rank(values, radius, is_largest, along))
        };
        self.joined(&rank(&rank(self, false)?, true)?, Join::Difference)
    }

    /// The inner part of it.
    pub(super) fn crop(&self, region: &[Range<usize>; 3]) -> Result<Self> {
        let (raster, values) = self.raster.crop(&self.values, region)?;
        Ok(Self { raster, values })
    }

    /// Connected pixels above the threshold or, with an image of them, the spots that grow there.
    pub(super) fn objects(
        &self,
        gpu: &Arc<Gpu>,
        grid: &Grid,
        threshold: f32,
        spots: Option<&Self>,
    ) -> Result<DeviceLabels> {
        let mask = self.raster.above(&self.values, threshold)?;
        let (labels, n) = match spots {
            Some(spots) => self.raster.grown(&mask, &self.raster.peaks(&spots.values, &mask)?)?,
            None => self.raster.components(&mask)?,
        };
        Ok(DeviceLabels {
            gpu: Arc::clone(gpu),
            labels: Arc::new(labels),
            grid: grid.clone(),
            max_label: n as u32,
        })
    }
}

impl Countable for DeviceField<'_> {
    fn range(&self) -> Result<(f32, f32)> {
        self.raster.range(&self.values)
    }

    fn counts<F: Fn(f32) -> u16 + Sync>(&self, bins: &Bins<F>) -> Result<Vec<u64>> {
        self.raster.histogram(&self.values, &bins.least_values())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Backend, test_device};
    use crate::image::synth::Blobs;
    use crate::image::{IntensityImage, Pixels};
    use crate::regions::Regions;
    use crate::seed::Seed;
    use crate::segment::{Method, Segmentation, filters};

    fn fields() -> Vec<Field> {
        let noise = |extent: [usize; 3], index: u64| {
            let mut stream = Seed::new(5).stream("field", index);
            let n_pixels = extent.iter().product::<usize>();
            let values = (0..n_pixels).map(|_| (stream.uniform() * 300.0 - 40.0) as f32);
            Field::new(extent, values.collect()).unwrap()
        };
        let blobs = Blobs::params().shape(&[150, 170]).n_objects(20).make().unwrap();
        let extents = [[1, 1, 1], [1, 3, 40], [1, 61, 83], [2, 1, 9], [13, 17, 11], [5, 1, 1]];
        let noises = extents.into_iter().zip(0..).map(|(extent, index)| noise(extent, index));
        noises.chain([Field::of(&blobs.image).unwrap()]).collect()
    }

    #[test]
    fn filters_have_the_bits_of_the_cpu() {
        let Some(gpu) = test_device() else { return };
        for (i, field) in fields().iter().enumerate() {
            let device = DeviceField::upload(&gpu, field).unwrap();
            let values = |plane: DeviceField<'_>| plane.download().unwrap().into_values();
            for sigma in [0.0, 0.7, 2.0, 6.5] {
                let found = values(device.gaussian(sigma).unwrap());
                let expected = filters::gaussian(field, sigma).unwrap();
                assert_eq!(found, expected.values(), "blur of {sigma}, field {i}");
                let found = values(device.difference_of_gaussian(sigma, 3.0).unwrap());
                let expected = filters::difference_of_gaussian(field, sigma, 3.0).unwrap();
                assert_eq!(found, expected.values(), "difference of {sigma}, field {i}");
            }
            let found = values(device.laplacian_of_gaussian(1.3).unwrap());
            assert_eq!(found, filters::laplacian_of_gaussian(field, 1.3).unwrap().values());
            for radius in [0, 1, 4] {
                let found = values(device.top_hat(radius).unwrap());
                assert_eq!(found, filters::top_hat(field, radius).values(), "radius {radius}");
            }
            let found = values(device.sobel().unwrap());
            assert_eq!(found, filters::sobel(field).values(), "edges, field {i}");
        }
    }

    #[test]
    fn labels_are_those_of_the_cpu() {
        for group in [64, 1, 256] {
            let Some(gpu) = test_device() else { return };
            let backend = Backend::Gpu(Arc::new(gpu.with_group_size(group)));
            let methods =
                [Method::VoronoiOtsu, Method::GaussOtsu, Method::Otsu, Method::Threshold(90.0)];
            for index in 0..16u64 {
                let blobs = match index % 4 {
                    0 => Blobs::params().shape(&[150, 190]).n_objects(25).gap(0.0),
                    1 => Blobs::params().shape(&[230, 200]).n_objects(3).radius(30.0, 45.0),
                    2 => Blobs::params().shape(&[120, 61]).n_objects(9).radius(5.0, 8.0),
                    _ => {
                        Blobs::params().shape(&[25, 40, 31]).n_objects(9).radius(4.0, 7.0).gap(0.0)
                    }
                };
                let image = blobs.seed(index).make().unwrap().image;
                let method = methods[(index + index / 4) as usize % 4];
                let params = Segmentation::params(method)
                    .spot_sigma([0.0, 1.0, 4.0, 2.0][index as usize / 4])
                    .outline_sigma(1.5)
                    .exclude_edges(index % 2 == 0)
                    .min_area([0, 60][index as usize % 2]);
                let expected = params.segment(&image).unwrap();
                let found = params.backend(backend.clone()).segment(&image).unwrap();
                let what = format!("{method:?}, image {index}, groups of {group}");
                assert!(expected.count().all > 0, "{what}");
                assert_eq!(found.threshold(), expected.threshold(), "{what}");
                assert_eq!(found.count(), expected.count(), "{what}");
                assert!(found.labels().unwrap() == expected.labels().unwrap(), "{what}");
                // On to the table, without the labels ever leaving the device.
                let regions = || Regions::params().channel("it", &image);
                let on_cpu = regions().measure(&expected.labels().unwrap()).unwrap();
                let on_gpu = regions().backend(backend.clone()).measure_segmented(&found).unwrap();
                assert!(on_cpu.equals_missing(&on_gpu), "{what}");
            }
        }
    }

    #[test]
    fn components_wind_and_touch_over_corners() {
        let Some(gpu) = test_device() else { return };
        let backend = Backend::Gpu(Arc::new(gpu));
        for index in 0..30 {
            let mut stream = Seed::new(11).stream("mask", index);
            // Stacks come together at lower densities.
            let (shape, most) = match index % 3 {
                0 => (vec![1 + stream.below(9), 1 + stream.below(20), 1 + stream.below(40)], 0.4),
                _ => (vec![1 + stream.below(70), 1 + stream.below(90)], 1.0),
            };
            let density = most * stream.uniform();
            let n_pixels: usize = shape.iter().product();
            let pixels = (0..n_pixels).map(|_| u8::from(stream.uniform() < density)).collect();
            let grid = Grid::new(&shape).unwrap();
            let image = IntensityImage::new(grid, Pixels::U8(pixels)).unwrap();
            let params = Segmentation::params(Method::Threshold(0.5));
            let expected = params.segment(&image).unwrap().labels().unwrap();
            let found = params.backend(backend.clone()).segment(&image).unwrap();
            assert!(found.labels().unwrap() == expected, "{shape:?}, density {density}");
        }
    }

    #[test]
    fn fields_that_do_not_fit_are_said() {
        let Some(gpu) = test_device() else { return };
        let gpu = gpu.with_binding_limit(1000);
        let upload = |extent: [usize; 3]| {
            let field = Field::new(extent, vec![0.0; extent.iter().product()]).unwrap();
            DeviceField::upload(&gpu, &field).err().unwrap()
        };
        let error = upload([1, 40, 50]);
        assert!(error.message().contains("40 x 50 pixels"), "{error}");
        assert!(error.message().contains("250 pixels"), "{error}");
        let error = upload([20, 30, 31]);
        assert!(error.message().contains("20 x 30 x 31 pixels"), "{error}");
    }
}
