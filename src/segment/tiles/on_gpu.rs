//! Tiles whose pixels a device works on: what comes back of a tile is its range, its counts, or its runs.
//!
//! # Cost
//! An image goes to the device once for its range and once for its histogram (both for Otsu's threshold only), and
//! once for mask and spots, 4 bytes a pixel and margin each time; 4 bytes a pixel come back, and 4 more with spots.

use std::ops::Range;

use super::{Region, Tiles, inside};
use crate::backend::{Buffer, Gpu};
use crate::error::{Error, Result};
use crate::segment::field::Source;
use crate::segment::filters::gaussian_radius;
use crate::segment::on_gpu::DeviceField;
use crate::segment::runs::Runs;

/// How far a pixel's neighbours are, which a spot is compared with.
const NEIGHBOURS: usize = 1;

impl<'a> Tiles<'a> {
    /// Tiles of `side` pixels, or less where the device sees less at once; the margin is what blurs of up to `sigma` need.
    ///
    /// # Errors
    /// A device that has no room for a single pixel and its margin.
    pub(in crate::segment) fn on(
        gpu: &'a Gpu,
        source: &'a dyn Source,
        side: Option<usize>,
        sigma: f64,
    ) -> Result<Self> {
        let extent = source.extent();
        let margin = gaussian_radius(sigma) + NEIGHBOURS;
        let held = |side: usize| extent.map(|length| length.min(side + 2 * margin));
        let fits = |side: &usize| held(*side).iter().product::<usize>() <= gpu.max_words();
        let longest = extent.into_iter().max().unwrap_or(0);
        let Some(fitting) = (1..=longest).rev().find(fits) else {
            let least = held(1).map(|length| length.to_string()).join(" x ");
            let what = format!(
                "a blur of sigma {sigma} needs {least} pixels at once, and {} sees {}",
                gpu.adapter().name,
                gpu.max_words()
            );
            return Err(Error::backend(what).help("use --backend cpu, or smaller sigmas"));
        };
        let side = side.map_or(fitting, |side| side.min(fitting));
        Ok(Self { gpu: Some(gpu), ..Self::new(source, Some(side)) })
    }

    /// A region of the blurred image.
    pub(super) fn blur_on(
        &self,
        gpu: &'a Gpu,
        region: &Region,
        sigma: f64,
    ) -> Result<DeviceField<'a>> {
        let held = self.widened(region, gaussian_radius(sigma));
        let field = DeviceField::upload(gpu, &self.source.block(&held)?)?;
        field.gaussian(sigma)?.crop(&inside(region, &held))
    }

    /// The mask of a region and, where wanted, its spots.
    pub(super) fn find_on(
        &self,
        gpu: &Gpu,
        region: &Region,
        outline_sigma: f64,
        threshold: f32,
        spot_sigma: Option<f64>,
    ) -> Result<Vec<Runs>> {
        let near = self.widened(region, NEIGHBOURS);
        let widest = spot_sigma.map_or(outline_sigma, |sigma| sigma.max(outline_sigma));
        let held = self.widened(&near, gaussian_radius(widest));
        let image = DeviceField::upload(gpu, &self.source.block(&held)?)?;
        let blur = |sigma: f64| image.gaussian(sigma)?.crop(&inside(&near, &held));
        let own = inside(region, &near);
        let outline = blur(outline_sigma)?;
        let mask = outline.raster.above(&outline.values, threshold)?;
        let mut found = vec![runs(&outline, &mask, &own)?];
        if let Some(sigma) = spot_sigma {
            let blurred = blur(sigma)?;
            let spots = blurred.raster.peaks(&blurred.values, &mask)?;
            found.push(runs(&blurred, &spots, &own)?);
        }
        Ok(found)
    }
}

/// The runs of the flags beside a field, inside a region of it.
fn runs(field: &DeviceField<'_>, flags: &Buffer<u32>, region: &[Range<usize>; 3]) -> Result<Runs> {
    let (part, flags) = field.raster.crop(flags, region)?;
    Ok(Runs::of_mask(part.extent, &part.gpu.read(&flags)?, |flag| flag != 0))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::backend::{Backend, test_device};
    use crate::image::synth::Blobs;
    use crate::image::{Grid, IntensityImage, Pixels};
    use crate::regions::Regions;
    use crate::segment::{Method, Segmentation};

    /// A plane with objects larger than a tile, one without a whole tile in any direction, a stack.
    fn images() -> Vec<IntensityImage> {
        let blobs = [
            Blobs::params().shape(&[150, 190]).n_objects(9).radius(12.0, 25.0).gap(0.0),
            Blobs::params().shape(&[61, 230]).n_objects(14).radius(5.0, 8.0).gap(0.0),
            Blobs::params().shape(&[14, 41, 35]).n_objects(7).radius(4.0, 7.0).gap(0.0),
        ];
        blobs.map(|blobs| blobs.seed(5).make().unwrap().image).into()
    }

    #[test]
    fn tiles_on_a_device_give_the_labels_of_the_whole() {
        let methods =
            [Method::VoronoiOtsu, Method::GaussOtsu, Method::Otsu, Method::Threshold(90.0)];
        for (image, words) in images().iter().zip([2500, 1600, 15_000]) {
            for (i, method) in methods.into_iter().enumerate() {
                let params = Segmentation::params(method)
                    .spot_sigma(2.0)
                    .outline_sigma([1.0, 2.5][i % 2])
                    .exclude_edges(i % 2 == 0)
                    .min_area(i);
                let expected = params.segment(image).unwrap();
                assert!(expected.count().all > 0);
                // No tile asked for; less than what fits, more than that, more than the image.
                for side in [None, [Some(19), Some(64), Some(1000), Some(33)][i]] {
                    let Some(gpu) = test_device() else { return };
                    let gpu = gpu.with_binding_limit(4 * words).with_group_size(32);
                    let backend = Backend::Gpu(Arc::new(gpu));
                    let mut params = params.clone().backend(backend.clone());
                    if let Some(side) = side {
                        params = params.tile(side);
                    }
                    let found = params.segment(image).unwrap();
                    let what = format!("{method:?}, {}, tiles of {side:?}", image.grid());
                    // It is too large for the device in one piece.
                    assert!(found.on_device().is_none(), "{what}");
                    assert_eq!(found.threshold(), expected.threshold(), "{what}");
                    assert_eq!(found.count(), expected.count(), "{what}");
                    let labels = expected.labels().unwrap();
                    assert!(found.labels().unwrap() == labels, "{what}");
                    let regions = || Regions::params().channel("it", image);
                    let on_gpu = regions().backend(backend).measure_segmented(&found).unwrap();
                    assert!(regions().measure(&labels).unwrap().equals_missing(&on_gpu), "{what}");
                }
            }
        }
    }

    #[test]
    fn a_tile_is_asked_for_where_the_whole_would_fit() {
        let Some(gpu) = test_device() else { return };
        let backend = Backend::Gpu(Arc::new(gpu));
        for image in images() {
            let params = Segmentation::params(Method::VoronoiOtsu).backend(backend.clone());
            let (whole, tiled) = (params.clone(), params.tile(33));
            let (whole, tiled) = (whole.segment(&image).unwrap(), tiled.segment(&image).unwrap());
            assert!(whole.on_device().is_some() && tiled.on_device().is_none());
            assert!(whole.labels().unwrap() == tiled.labels().unwrap());
        }
    }

    #[test]
    fn margins_that_do_not_fit_are_said() {
        let Some(gpu) = test_device() else { return };
        let backend = Backend::Gpu(Arc::new(gpu.with_binding_limit(4 * 400)));
        let segment = |shape: &[usize], method, sigma| {
            let values = (0..shape.iter().product()).map(|i: usize| (i % 7) as u8).collect();
            let image = IntensityImage::new(Grid::new(shape).unwrap(), Pixels::U8(values)).unwrap();
            let params = Segmentation::params(method).outline_sigma(sigma);
            params.backend(backend.clone()).segment(&image)
        };
        assert!(segment(&[40, 50], Method::GaussOtsu, 1.8).is_ok());
        let error = segment(&[40, 50], Method::GaussOtsu, 2.3).unwrap_err();
        assert!(error.message().contains("sigma 2.3 needs 1 x 21 x 21 pixels at once"), "{error}");
        assert!(error.message().ends_with("sees 400"), "{error}");
        assert!(error.remedy().unwrap().contains("--backend cpu"));
        let error = segment(&[20, 30, 31], Method::GaussOtsu, 1.0).unwrap_err();
        assert!(error.message().contains("needs 11 x 11 x 11 pixels"), "{error}");
        // Without a blur only the neighbours are needed.
        assert!(segment(&[6, 20, 21], Method::Otsu, 50.0).is_ok());
    }
}
