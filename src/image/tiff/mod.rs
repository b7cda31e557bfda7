//! A TIFF file becomes pages of chunks, each of which can be decoded alone.
//!
//! The crate reads TIFF itself because general readers decide too much: they invert `MinIsWhite`, leave
//! 1- and 4-bit numbers packed, refuse palettes and the page-less stacks of ImageJ. Here every number is
//! the one that is stored, as tifffile and ImageJ give it.

mod cache;
mod page;
mod unpack;

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::bytes::Bytes;
use super::metadata::{self, Axes};
use super::sample::{Pixel, fill};
use crate::error::{Error, Result};
use cache::Cache;
use page::{Directories, Page};
use unpack::{decompress, largest_ratio, undo_differences, undo_float_predictor};

/// The pages of a file, all of one shape and format.
#[derive(Debug)]
pub(super) struct Tiff {
    bytes: Bytes,
    big_endian: bool,
    pages: Vec<Page>,
    pub axes: Axes,
    cache: Cache,
}

const RGB: usize = 2;

impl Tiff {
    pub(super) fn is(start: &[u8]) -> bool {
        matches!(start, [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..])
    }

    pub(super) fn open(bytes: Bytes) -> Result<Self> {
        let mut pages = Directories::new(&bytes)?.pages()?;
        // Reduced copies and masks of another page are no pages of the image.
        if pages.iter().any(|page| page.subfile & 5 == 0) {
            pages.retain(|page| page.subfile & 5 == 0);
        }
        let big_endian = bytes.read(0, 1)? == b"M";
        let Some(first) = pages.first().cloned() else {
            return Err(Error::format("the file has no page"));
        };
        let axes = metadata::axes(&first.description, pages.len(), first.resolution)?;
        let mut tiff = Self { bytes, big_endian, pages, axes, cache: Cache::default() };
        tiff.unfold_imagej_stack(&first);
        tiff.check(&first)?;
        Ok(tiff)
    }

    /// Any page stands for all.
    pub(super) fn page(&self) -> &Page {
        &self.pages[0]
    }

    pub(super) fn is_color(&self) -> bool {
        self.page().photometric == Some(RGB) && self.page().samples >= 3
    }

    /// Channels, with those that lie side by side in one page.
    pub(super) fn n_channels(&self) -> usize {
        if self.page().samples > 1 { self.page().samples } else { self.axes.n_channels }
    }

    pub(super) fn n_layers(&self) -> usize {
        self.axes.n_layers
    }

    /// ImageJ writes a stack above 4 GiB (and tifffile any, on request) as one page and raw data behind it.
    fn unfold_imagej_stack(&mut self, first: &Page) {
        let n_wanted = self.axes.n_layers * self.axes.n_channels;
        let is_imagej = first.description.starts_with("ImageJ=");
        let in_a_row = first.offsets.windows(2).zip(&first.lengths).all(|(o, l)| o[0] + l == o[1]);
        if !is_imagej || self.pages.len() != 1 || first.compression != 1 || !in_a_row {
            return;
        }
        let page_bytes = (first.rows * first.columns * first.samples * first.bits / 8) as u64;
        // More pages than the file can hold are left to `check`.
        let fits = (n_wanted as u64).checked_mul(page_bytes).is_some_and(|n| n <= self.bytes.len());
        for i in 1..if fits { n_wanted as u64 } else { 1 } {
            let mut page = first.clone();
            page.offsets.iter_mut().for_each(|offset| *offset += i * page_bytes);
            self.pages.push(page);
        }
    }

    fn check(&mut self, first: &Page) -> Result<()> {
        first.check()?;
        let same = |page: &Page| {
            let key = |p: &Page| (p.rows, p.columns, p.samples, p.format().ok());
            key(page) == key(first)
        };
        if let Some(i) = self.pages.iter().position(|page| !same(page)) {
            let page = &self.pages[i];
            return Err(Error::format(format!(
                "page {} is {} x {} with {} samples, page 1 is {} x {} with {}",
                i + 1,
                page.rows,
                page.columns,
                page.samples,
                first.rows,
                first.columns,
                first.samples
            ))
            .help("save the pages that belong together as a file of their own"));
        }
        self.pages.iter().try_for_each(Page::check)?;
        if first.samples > 1 {
            // The description counts samples as channels; pages are layers.
            self.axes.n_channels = 1;
        }
        let n_wanted = self.axes.n_layers.saturating_mul(self.axes.n_channels);
        let n_pages = self.pages.len();
        if n_wanted != n_pages && (n_wanted > n_pages || self.axes.n_images == 1) {
            return Err(Error::format(format!(
                "its description promises {} layers of {} channels, the file has {n_pages} pages",
                self.axes.n_layers, self.axes.n_channels
            ))
            .help(
                "the file is cut short, or its other pages are in other files: export it again",
            ));
        }
        let n_pixels = first.rows as u128 * first.columns as u128 * first.samples as u128;
        let promised = n_pixels * n_wanted as u128 * first.bits as u128 / 8;
        self.bytes.check_promise(promised, largest_ratio(first.compression))
    }

    /// Fills `pixels` with rows and columns of one layer of one channel, decoding only the chunks it needs.
    pub(super) fn read_layer<T: Pixel>(
        &self,
        channel: usize,
        layer: usize,
        rows: &Range<usize>,
        columns: &Range<usize>,
        pixels: &mut [T],
    ) -> Result<()> {
        let sampled = self.page().samples > 1;
        let (page, sample) =
            if sampled { (layer, channel) } else { (self.axes.page(channel, layer), 0) };
        let page = self.pages.get(page).ok_or_else(|| Error::internal("a page is missing"))?;
        let height = page.chunk[0];
        // One band of chunks after the other, so that each writes rows of its own.
        let mut bands = Vec::new();
        let mut rest = pixels;
        for band in rows.start / height..rows.end.div_ceil(height) {
            let inside = rows.start.max(band * height)..rows.end.min((band + 1) * height);
            let (here, later) = rest.split_at_mut(inside.len() * columns.len());
            bands.push((band, inside, here));
            rest = later;
        }
        bands.into_par_iter().try_for_each(|(band, rows, out)| {
            self.read_band(page, sample, band, &rows, columns, out)
        })
    }

    fn read_band<T: Pixel>(
        &self,
        page: &Page,
        sample: usize,
        band: usize,
        rows: &Range<usize>,
        columns: &Range<usize>,
        out: &mut [T],
    ) -> Result<()> {
        let [height, width] = page.chunk;
        let format = page.format()?;
        // Planar files keep every sample in chunks of its own.
        let (stride, first, plane) =
            if page.planar { (1, 0, sample) } else { (page.samples, sample, 0) };
        for across in columns.start / width..columns.end.div_ceil(width) {
            let position = plane * page.chunks_per_plane() + band * page.across() + across;
            let inside = columns.start.max(across * width)..columns.end.min((across + 1) * width);
            // Whoever wants a part only will soon ask for the rest.
            let is_part = inside.len() < width.min(page.columns - across * width)
                || rows.len() < height.min(page.rows - band * height);
            let raw = self.chunk(page, position, band, is_part)?;
            for y in rows.clone() {
                let line = &raw[(y - band * height) * page.row_bytes()..][..page.row_bytes()];
                let start = (y - rows.start) * columns.len() + inside.start - columns.start;
                let first = (inside.start - across * width) * stride + first;
                fill(format, line, first, stride, &mut out[start..start + inside.len()])?;
            }
        }
        Ok(())
    }

    /// The samples of one chunk, from the cache where they are in it; a part is kept there.
    fn chunk(
        &self,
        page: &Page,
        position: usize,
        band: usize,
        is_part: bool,
    ) -> Result<Arc<Vec<u8>>> {
        let address = page.offsets.get(position).copied().filter(|&at| at > 0);
        if let Some(held) = address.and_then(|at| self.cache.get(at)) {
            return Ok(held);
        }
        let decoded = Arc::new(self.decode(page, position, band)?);
        if let Some(at) = address.filter(|_| is_part && page.compression != 1) {
            self.cache.keep(at, &decoded);
        }
        Ok(decoded)
    }

    /// The samples of one chunk, little-endian, without predictor.
    fn decode(&self, page: &Page, position: usize, band: usize) -> Result<Vec<u8>> {
        let n_rows = if page.is_tiled {
            page.chunk[0]
        } else {
            page.chunk[0].min(page.rows - band * page.chunk[0])
        };
        let n_bytes = n_rows * page.row_bytes();
        let missing = || Error::format(format!("chunk {position} of a page is missing"));
        let (offset, length) =
            page.offsets.get(position).zip(page.lengths.get(position)).ok_or_else(missing)?;
        if *length == 0 && *offset == 0 {
            return Ok(vec![0; n_bytes]);
        }
        let length = if page.compression == 1 { n_bytes as u64 } else { *length };
        let packed = self.bytes.read(*offset, length)?;
        let mut raw = decompress(page.compression, packed, n_bytes)?;
        for line in raw.chunks_exact_mut(page.row_bytes()) {
            let stride = if page.planar { 1 } else { page.samples };
            let bytes = page.bits / 8;
            if page.predictor == 3 {
                undo_float_predictor(line, bytes, stride);
                continue;
            }
            if self.big_endian && bytes > 1 {
                line.chunks_exact_mut(bytes).for_each(<[u8]>::reverse);
            }
            if page.predictor == 2 {
                undo_differences(line, bytes, stride);
            }
        }
        Ok(raw)
    }
}
