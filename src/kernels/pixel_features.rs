//! Pixels on a device become the features that classifiers of pixels see.
//!
//! Definitions are `apoc/blur.rs` and `apoc/filters.rs`: blurs sum by fused multiply-add and divide once, filters of the
//! nearest neighbours sum doubles. Cards have no doubles, and neither their quotients and roots nor their `fma` need to
//! be rounded once; so all of it is done in whole numbers (`exact.wgsl`). Where a probe on the device finds its `fma`
//! to be rounded once, blurs use that.
//!
//! # Cost
//! Per pixel: a blur along one axis moves 8 bytes and does 1 operation for each of 2 r + 1 weights (about 80 on whole
//! numbers where `fma` does not serve) and about 150 for the quotient; a difference 12 bytes and 40; a filter of the
//! neighbours 8 bytes, its reads from cache, and about 500 (planes) or 1,500 (stacks). A card of B bytes and F operations a second
//! takes the larger of bytes / B and operations / F: for a blur of sigma 5 (two axes, 41 weights) 16 / B or 400 / F, at
//! 500 GB/s and 10 T/s 0.4 ms for 10 million pixels.

use super::raster_gpu::{Along, Ask, Raster, raster_shader};
use crate::backend::{Bound, Buffer, Gpu, Shader};
use crate::error::Result;

pub(super) static PIXEL_FEATURES: Shader = raster_shader!("pixel_features", "exact.wgsl");

/// What the nearest neighbours of a pixel say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nearby {
    Sobel,
    LaplaceBox,
    LaplaceDiamond,
}

/// Triples of numbers that a device is probed with.
const PROBES: usize = 1 << 16;

/// Whether multiplying and adding rounds once on this device.
pub(crate) fn is_fused(gpu: &Gpu) -> Result<bool> {
    let wrong = gpu.zeros::<u32>(1)?;
    let raster = Raster::new(gpu, [1; 3])?;
    raster.launch(&PIXEL_FEATURES, "probe", &Ask::default(), &[("wrong", &wrong)], PROBES)?;
    Ok(gpu.read(&wrong)? == [0])
}

impl Raster<'_> {
    /// The weighted mean along one axis: `weights` from the first pixel to the last, then their sum.
    pub fn mean(
        &self,
        values: &Buffer<f32>,
        weights: &[f32],
        along: Along,
        is_fused: bool,
    ) -> Result<Buffer<f32>> {
        let means = self.gpu.zeros(self.n_pixels())?;
        let constants = [("FUSED", f64::from(u8::from(is_fused)))];
        let ask = Ask { constants: &constants, reach: weights.len() / 2 - 1, axis: along as usize };
        let weights = self.gpu.upload(weights)?;
        let buffers: [(_, &dyn Bound); 3] =
            [("weights", &weights), ("values", values), ("filtered", &means)];
        self.each(&PIXEL_FEATURES, "mean", &ask, &buffers)?;
        Ok(means)
    }

    /// `values - others`.
    pub fn difference(&self, values: &Buffer<f32>, others: &Buffer<f32>) -> Result<Buffer<f32>> {
        let differences = self.gpu.zeros(self.n_pixels())?;
        let buffers: [(_, &dyn Bound); 3] =
            [("values", values), ("others", others), ("filtered", &differences)];
        self.each(&PIXEL_FEATURES, "difference", &Ask::default(), &buffers)?;
        Ok(differences)
    }

    /// A filter of the nearest neighbours, those in other layers too in a stack.
    pub fn nearby(
        &self,
        values: &Buffer<f32>,
        what: Nearby,
        is_stack: bool,
    ) -> Result<Buffer<f32>> {
        let filtered = self.gpu.zeros(self.n_pixels())?;
        let constants = [("IS_STACK", f64::from(u8::from(is_stack)))];
        let ask = Ask { constants: &constants, ..Ask::default() };
        let entry = match what {
            Nearby::Sobel => "sobel",
            Nearby::LaplaceBox => "laplace_box",
            Nearby::LaplaceDiamond => "laplace_diamond",
        };
        let buffers: [(_, &dyn Bound); 2] = [("values", values), ("filtered", &filtered)];
        self.each(&PIXEL_FEATURES, entry, &ask, &buffers)?;
        Ok(filtered)
    }
}
