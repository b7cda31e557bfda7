//! A TIFF file becomes pages of chunks, each of which can be decoded alone.
//!
//! The crate reads TIFF itself because general readers decide too much: they invert `MinIsWhite`, leave
//! 1- and 4-bit numbers packed, refuse palettes and the page-less stacks of ImageJ. Here every number is
//! the one that is stored, as tifffile and ImageJ give it.

use std::io::Read;
use std::ops::Range;

use rayon::prelude::*;

use super::bytes::Bytes;
use super::metadata::{self, Axes};
use super::sample::{Format, Pixel, fill};
use crate::error::{Error, Result};

/// The pages of a file, all of one shape and format.
#[derive(Debug)]
pub(super) struct Tiff {
    bytes: Bytes,
    big_endian: bool,
    pages: Vec<Page>,
    pub axes: Axes,
}

/// One directory: where the chunks lie and how they are packed.
#[derive(Debug, Clone, Default)]
pub(super) struct Page {
    pub rows: usize,
    pub columns: usize,
    bits: usize,
    sample_format: usize,
    compression: usize,
    pub photometric: Option<usize>,
    pub samples: usize,
    planar: bool,
    predictor: usize,
    fill_order: usize,
    is_tiled: bool,
    /// Rows and columns of a chunk.
    pub chunk: [usize; 2],
    offsets: Vec<u64>,
    lengths: Vec<u64>,
    subfile: usize,
    description: String,
    resolution: [f64; 2],
}

/// The most that a byte can hold: deflate reaches 1,032, LZW 1,365, a zstd block of one value 32,768.
fn largest_ratio(compression: usize) -> u64 {
    match compression {
        1 => 1,
        32773 => 64,
        50000 | 34926 => 40_000,
        _ => 1_400,
    }
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
        let mut tiff = Self { bytes, big_endian, pages, axes };
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
            let raw = self.chunk(page, position, band)?;
            let inside = columns.start.max(across * width)..columns.end.min((across + 1) * width);
            for y in rows.clone() {
                let line = &raw[(y - band * height) * page.row_bytes()..][..page.row_bytes()];
                let start = (y - rows.start) * columns.len() + inside.start - columns.start;
                let first = (inside.start - across * width) * stride + first;
                fill(format, line, first, stride, &mut out[start..start + inside.len()])?;
            }
        }
        Ok(())
    }

    /// The samples of one chunk, little-endian, without predictor.
    fn chunk(&self, page: &Page, position: usize, band: usize) -> Result<Vec<u8>> {
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

impl Page {
    pub(super) fn format(&self) -> Result<Format> {
        let bits = self.bits as u8;
        match (self.sample_format, self.bits) {
            (1 | 4, 1 | 2 | 4 | 8 | 16 | 32 | 64) => Ok(Format::Unsigned(bits)),
            (2, 8 | 16 | 32 | 64) => Ok(Format::Signed(bits)),
            (3, 16 | 32 | 64) => Ok(Format::Float(bits)),
            (format, bits) => Err(Error::format(format!(
                "pixels of {bits} bits in sample format {format} cannot be read"
            ))
            .help("save the image with 8, 16 or 32 bits")),
        }
    }

    fn across(&self) -> usize {
        self.columns.div_ceil(self.chunk[1])
    }

    fn chunks_per_plane(&self) -> usize {
        self.across() * self.rows.div_ceil(self.chunk[0])
    }

    fn row_bytes(&self) -> usize {
        let samples = if self.planar { 1 } else { self.samples };
        (self.chunk[1] * samples * self.bits).div_ceil(8)
    }

    fn check(&self) -> Result<()> {
        if self.rows == 0 || self.columns == 0 || self.samples == 0 {
            let message = format!("the image is {} x {} pixels", self.rows, self.columns);
            return Err(Error::format(message).help("export it again: there is nothing to read"));
        }
        self.format()?;
        let supported = [1, 5, 8, 32773, 32946, 50000, 34926].contains(&self.compression);
        if !supported {
            return Err(Error::format(format!(
                "its compression ({}) cannot be read",
                compression_name(self.compression)
            ))
            .help("save it uncompressed or with LZW, deflate, PackBits or zstd: lossy images must not be measured"));
        }
        if matches!(self.photometric, Some(3)) && self.samples != 1 {
            return Err(Error::format(
                "a palette image has one sample per pixel, this one has more",
            ));
        }
        if matches!(self.photometric, Some(5 | 6 | 8..)) {
            return Err(Error::format("its colours are not grey or RGB")
                .help("save single channels in grey"));
        }
        let predicts = match self.predictor {
            1 => true,
            2 => self.bits >= 8,
            3 => self.sample_format == 3,
            _ => false,
        };
        if !predicts || self.fill_order == 2 && self.bits < 8 {
            return Err(Error::format("its pixels are packed in a way that cannot be read")
                .help("save it uncompressed or with deflate"));
        }
        let row_bytes =
            self.chunk[1].checked_mul(self.samples).and_then(|n| n.checked_mul(self.bits));
        let chunk_bits = row_bytes.and_then(|n| n.checked_mul(self.chunk[0]));
        // A chunk is held whole; the promise of the page is checked against the file elsewhere.
        if self.chunk.contains(&0) || chunk_bits.is_none_or(|n| n / 8 > isize::MAX as usize / 2) {
            return Err(Error::format(format!("its chunks are {:?} pixels", self.chunk)));
        }
        let planes = if self.planar { self.samples } else { 1 };
        let n_chunks = self.chunks_per_plane().saturating_mul(planes);
        if self.offsets.len() < n_chunks || self.lengths.len() < n_chunks {
            return Err(Error::format(format!(
                "a page has {} chunks where its size needs {n_chunks}",
                self.offsets.len().min(self.lengths.len())
            ))
            .help("the file is damaged: export it again"));
        }
        Ok(())
    }
}

fn compression_name(compression: usize) -> String {
    match compression {
        2..=4 => "fax".into(),
        6 | 7 => "JPEG".into(),
        33003 | 33004 | 33005 | 34712 => "JPEG 2000".into(),
        34887 => "LERC".into(),
        34925 => "LZMA".into(),
        50001 => "WebP".into(),
        50002 => "JPEG XL".into(),
        other => format!("number {other}"),
    }
}

/// Exactly `n_bytes` out of a packed chunk.
fn decompress(compression: usize, packed: Vec<u8>, n_bytes: usize) -> Result<Vec<u8>> {
    if compression == 1 {
        return Ok(packed);
    }
    // The page as a whole was checked; this keeps a single chunk from promising it all.
    if n_bytes as u64 > (packed.len() as u64 + 16) * largest_ratio(compression) {
        return Err(damaged(n_bytes, packed.len()));
    }
    let mut raw = Vec::with_capacity(n_bytes);
    let limit = n_bytes as u64;
    let done = match compression {
        5 => unpack_lzw(&packed, n_bytes, &mut raw),
        32773 => unpack_bits(&packed, n_bytes, &mut raw),
        8 | 32946 => flate2::read::ZlibDecoder::new(packed.as_slice())
            .take(limit)
            .read_to_end(&mut raw)
            .is_ok(),
        _ => zstd::stream::read::Decoder::with_buffer(packed.as_slice())
            .and_then(|decoder| decoder.take(limit).read_to_end(&mut raw))
            .is_ok(),
    };
    if !done || raw.len() < n_bytes {
        return Err(damaged(n_bytes, packed.len()));
    }
    raw.truncate(n_bytes);
    Ok(raw)
}

fn damaged(n_bytes: usize, n_packed: usize) -> Error {
    Error::format(format!(
        "a chunk of {n_packed} compressed bytes does not give its {n_bytes} bytes"
    ))
    .help("the file is cut short or damaged: copy or export it again")
}

fn unpack_lzw(mut packed: &[u8], n_bytes: usize, raw: &mut Vec<u8>) -> bool {
    let mut decoder = weezl::decode::Decoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8);
    raw.resize(n_bytes, 0);
    let mut end = 0;
    while end < n_bytes {
        let step = decoder.decode_bytes(packed, &mut raw[end..]);
        packed = &packed[step.consumed_in..];
        end += step.consumed_out;
        let stuck = step.consumed_in == 0 && step.consumed_out == 0;
        if stuck || !matches!(step.status, Ok(weezl::LzwStatus::Ok)) {
            break;
        }
    }
    end == n_bytes
}

fn unpack_bits(packed: &[u8], n_bytes: usize, raw: &mut Vec<u8>) -> bool {
    let mut at = 0;
    while raw.len() < n_bytes {
        let Some(&head) = packed.get(at) else { return false };
        at += 1;
        match head {
            0..=127 => {
                let Some(literal) = packed.get(at..=at + head as usize) else { return false };
                raw.extend(literal);
                at += literal.len();
            }
            128 => {}
            129.. => {
                let Some(&byte) = packed.get(at) else { return false };
                raw.resize(raw.len() + 257 - head as usize, byte);
                at += 1;
            }
        }
    }
    true
}

/// Horizontal differencing: every number was stored as its difference to the one `stride` before.
fn undo_differences(line: &mut [u8], bytes: usize, stride: usize) {
    macro_rules! sum_up {
        ($type:ty) => {{
            const SIZE: usize = size_of::<$type>();
            let mut number = [0; SIZE];
            for i in stride..line.len() / SIZE {
                number.copy_from_slice(&line[(i - stride) * SIZE..][..SIZE]);
                let before = <$type>::from_le_bytes(number);
                number.copy_from_slice(&line[i * SIZE..][..SIZE]);
                let value = <$type>::from_le_bytes(number).wrapping_add(before);
                line[i * SIZE..][..SIZE].copy_from_slice(&value.to_le_bytes());
            }
        }};
    }
    match bytes {
        1 => sum_up!(u8),
        2 => sum_up!(u16),
        4 => sum_up!(u32),
        _ => sum_up!(u64),
    }
}

/// Adobe's predictor for floats: bytes are differenced, all highest bytes of a row come first.
fn undo_float_predictor(line: &mut [u8], bytes: usize, stride: usize) {
    for i in stride..line.len() {
        line[i] = line[i].wrapping_add(line[i - stride]);
    }
    let planes = line.to_vec();
    let count = line.len() / bytes;
    for (i, number) in line.chunks_exact_mut(bytes).enumerate() {
        for (b, byte) in number.iter_mut().rev().enumerate() {
            *byte = planes[b * count + i];
        }
    }
}

/// The chain of directories in a file.
struct Directories<'a> {
    bytes: &'a Bytes,
    big_endian: bool,
    /// Bytes of an address: 4, in a `BigTIFF` 8.
    word: usize,
    first: u64,
    /// What reading tags may still cost, so that overlapping directories cannot multiply the file.
    budget: u64,
}

impl<'a> Directories<'a> {
    fn new(bytes: &'a Bytes) -> Result<Self> {
        let head = bytes.read(0, 8)?;
        let big_endian = head[0] == b'M';
        let budget = 4 * bytes.len() + (1 << 20);
        let mut this = Self { bytes, big_endian, word: 4, first: 0, budget };
        if this.number(&head[2..4]) == 43 {
            this.word = 8;
            this.first = this.number(&bytes.read(8, 8)?);
        } else {
            this.first = this.number(&head[4..8]);
        }
        Ok(this)
    }

    fn number(&self, bytes: &[u8]) -> u64 {
        let join = |n: u64, b: &u8| n << 8 | u64::from(*b);
        if self.big_endian { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) }
    }

    fn pages(&mut self) -> Result<Vec<Page>> {
        let mut pages = Vec::new();
        let mut seen = Vec::new();
        let mut at = self.first;
        while at != 0 {
            if seen.contains(&at) {
                return Err(Error::format("its pages run in a circle")
                    .help("the file is damaged: export it again"));
            }
            // Looking back over a window keeps long stacks quick; a longer circle ends with the budget.
            if seen.len() == 64 {
                seen.remove(0);
            }
            seen.push(at);
            let (page, next) = self.page(at)?;
            pages.push(page);
            at = next;
        }
        Ok(pages)
    }

    fn spend(&mut self, count: u64) -> Result<()> {
        self.budget = self.budget.checked_sub(count).ok_or_else(|| {
            Error::format("its directories overlap").help("the file is damaged: export it again")
        })?;
        Ok(())
    }

    fn page(&mut self, at: u64) -> Result<(Page, u64)> {
        let word = self.word;
        let (count_bytes, entry_bytes) = if word == 8 { (8, 20) } else { (2, 12) };
        let n_entries = self.number(&self.bytes.read(at, count_bytes)?);
        let n_bytes = n_entries.checked_mul(entry_bytes).unwrap_or(u64::MAX);
        self.spend(n_bytes.saturating_add(64))?;
        let start = at.saturating_add(count_bytes);
        let entries = self.bytes.read(start, n_bytes.saturating_add(word as u64))?;
        let (entries, next) = entries.split_at(n_bytes as usize);
        let next = self.number(next);
        let mut page = Page {
            bits: 1,
            sample_format: 1,
            compression: 1,
            samples: 1,
            predictor: 1,
            resolution: [1.0; 2],
            ..Page::default()
        };
        for entry in entries.chunks_exact(entry_bytes as usize) {
            self.take(&mut page, entry)?;
        }
        if page.chunk[1] == 0 {
            page.chunk[1] = page.columns;
        }
        page.chunk[0] = if page.chunk[0] == 0 { page.rows } else { page.chunk[0] };
        if !page.is_tiled {
            page.chunk[0] = page.chunk[0].min(page.rows);
        }
        if page.lengths.is_empty() && page.compression == 1 {
            page.lengths = vec![1; page.offsets.len()];
        }
        Ok((page, next))
    }

    /// Puts one entry where it belongs; tags that do not matter are skipped.
    fn take(&mut self, page: &mut Page, entry: &[u8]) -> Result<()> {
        let tag = self.number(&entry[..2]);
        let known = [
            254, 256, 257, 258, 259, 262, 266, 270, 273, 277, 278, 279, 282, 283, 284, 317, 322,
            323, 324, 325, 339,
        ];
        if !known.contains(&tag) {
            return Ok(());
        }
        let (kind, raw) = self.value(entry)?;
        if tag == 270 {
            let text = raw.split(|b| *b == 0).next().unwrap_or_default();
            page.description = String::from_utf8_lossy(text).into_owned();
            return Ok(());
        }
        if tag == 282 || tag == 283 {
            let (top, bottom) = (
                self.number(raw.get(..4).unwrap_or(&[])),
                self.number(raw.get(4..8).unwrap_or(&[])),
            );
            page.resolution[usize::from(tag == 282)] = top as f64 / bottom as f64;
            return Ok(());
        }
        let size = number_bytes(kind).unwrap_or(1);
        let values: Vec<u64> = raw.chunks_exact(size).map(|bytes| self.number(bytes)).collect();
        let first = values.first().copied().unwrap_or(0) as usize;
        match tag {
            254 => page.subfile = first,
            256 => page.columns = first,
            257 => page.rows = first,
            258 | 339 if values.iter().any(|v| *v != values[0]) => {
                return Err(
                    Error::format("its samples differ in type").help("save single channels")
                );
            }
            258 => page.bits = first,
            259 => page.compression = first,
            262 => page.photometric = Some(first),
            266 => page.fill_order = first,
            277 => page.samples = first,
            284 => page.planar = first == 2,
            317 => page.predictor = first,
            339 => page.sample_format = first,
            278 => page.chunk[0] = first,
            322 => page.chunk[1] = first,
            323 => (page.is_tiled, page.chunk[0]) = (true, first),
            273 | 324 => page.offsets = values,
            _ => page.lengths = values,
        }
        Ok(())
    }

    /// Type and bytes of an entry's value, wherever it is kept.
    fn value(&mut self, entry: &[u8]) -> Result<(u64, Vec<u8>)> {
        let kind = self.number(&entry[2..4]);
        let count = self.number(&entry[4..4 + self.word]);
        let inline = &entry[4 + self.word..];
        let size = number_bytes(kind)
            .map_or(if kind == 5 || kind == 10 || kind == 12 { 8 } else { 1 }, |n| n as u64);
        let n_bytes = count.checked_mul(size).unwrap_or(u64::MAX);
        if n_bytes <= self.word as u64 {
            return Ok((kind, inline[..n_bytes as usize].to_vec()));
        }
        self.spend(n_bytes)?;
        Ok((kind, self.bytes.read(self.number(inline), n_bytes)?))
    }
}

/// Bytes of one whole number of a TIFF type.
fn number_bytes(kind: u64) -> Option<usize> {
    match kind {
        1 | 2 | 6 | 7 => Some(1),
        3 | 8 => Some(2),
        4 | 9 | 11 | 13 => Some(4),
        16..=18 => Some(8),
        _ => None,
    }
}
