//! The same shapes as pixels, through plotters' bitmap backend: drawn finer than asked, then averaged, so that
//! edges are smooth.

use plotters::prelude::BitMapBackend;
use plotters_backend::{BackendCoord, DrawingBackend, DrawingErrorKind};

use super::canvas::{Painter, Shape, paint};
use crate::error::{Error, Result};

/// Pixels of a PNG per pixel of the figure: sharp on today's screens and at 150 dpi in print.
const FINENESS: usize = 2;
/// Drawn pixels, per axis, that are averaged into one.
const SAMPLES: usize = 3;

/// RGB pixels, row by row, with their width and height.
pub(crate) fn pixels(shapes: &[Shape], width: f64, height: f64) -> Result<(usize, usize, Vec<u8>)> {
    let (width, height) =
        ((width.round() as usize) * FINENESS, (height.round() as usize) * FINENESS);
    let fine = (width * SAMPLES, height * SAMPLES);
    let mut drawn = vec![255; fine.0 * fine.1 * 3];
    {
        let size = (fine.0 as u32, fine.1 as u32);
        let mut backend = BitMapBackend::with_buffer(&mut drawn, size);
        paint(shapes, &mut backend, (FINENESS * SAMPLES) as f64)
            .and_then(|()| backend.present())
            .map_err(|e| Error::internal(format!("the figure cannot be drawn: {e}")))?;
    }
    Ok((width, height, averaged(&drawn, width, height)))
}

fn averaged(drawn: &[u8], width: usize, height: usize) -> Vec<u8> {
    let row = width * SAMPLES * 3;
    let mut out = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            for channel in 0..3 {
                let mut sum = 0;
                for dy in 0..SAMPLES {
                    for dx in 0..SAMPLES {
                        let at = (y * SAMPLES + dy) * row + (x * SAMPLES + dx) * 3 + channel;
                        sum += usize::from(drawn[at]);
                    }
                }
                out.push(((sum + SAMPLES * SAMPLES / 2) / (SAMPLES * SAMPLES)) as u8);
            }
        }
    }
    out
}

/// RGB pixels as the bytes of a PNG file.
pub(crate) fn png(width: usize, height: usize, pixels: &[u8]) -> Result<Vec<u8>> {
    let failed = |e: png::EncodingError| Error::internal(format!("the PNG cannot be written: {e}"));
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Balanced);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(pixels).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(out)
}

impl Painter for BitMapBackend<'_> {
    fn picture(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        size: (usize, usize),
        pixels: &[u8],
    ) -> std::result::Result<(), DrawingErrorKind<Self::ErrorType>> {
        let (width, height) = ((to.0 - from.0).max(1) as usize, (to.1 - from.1).max(1) as usize);
        let mut stretched = Vec::with_capacity(width * height * 3);
        for y in 0..height {
            for x in 0..width {
                let at = (y * size.1 / height) * size.0 + x * size.0 / width;
                stretched.extend_from_slice(&pixels[3 * at..3 * at + 3]);
            }
        }
        self.blit_bitmap(from, (width as u32, height as u32), &stretched)
    }
}
