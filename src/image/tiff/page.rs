//! Directories of a TIFF file become pages: where their chunks lie and how they are packed.

use crate::error::{Error, Result};
use crate::image::bytes::Bytes;
use crate::image::sample::Format;

/// One directory: where the chunks lie and how they are packed.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub rows: usize,
    pub columns: usize,
    pub bits: usize,
    pub sample_format: usize,
    pub compression: usize,
    pub photometric: Option<usize>,
    pub samples: usize,
    pub planar: bool,
    pub predictor: usize,
    fill_order: usize,
    pub is_tiled: bool,
    /// Rows and columns of a chunk.
    pub chunk: [usize; 2],
    pub offsets: Vec<u64>,
    pub lengths: Vec<u64>,
    pub subfile: usize,
    pub description: String,
    pub resolution: [f64; 2],
}
impl Page {
    pub fn format(&self) -> Result<Format> {
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

    pub(super) fn across(&self) -> usize {
        self.columns.div_ceil(self.chunk[1])
    }

    pub(super) fn chunks_per_plane(&self) -> usize {
        self.across() * self.rows.div_ceil(self.chunk[0])
    }

    pub(super) fn row_bytes(&self) -> usize {
        let samples = if self.planar { 1 } else { self.samples };
        (self.chunk[1] * samples * self.bits).div_ceil(8)
    }

    pub(super) fn check(&self) -> Result<()> {
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
/// The chain of directories in a file.
pub(super) struct Directories<'a> {
    bytes: &'a Bytes,
    big_endian: bool,
    /// Bytes of an address: 4, in a `BigTIFF` 8.
    word: usize,
    first: u64,
    /// What reading tags may still cost, so that overlapping directories cannot multiply the file.
    budget: u64,
}

impl<'a> Directories<'a> {
    pub(super) fn new(bytes: &'a Bytes) -> Result<Self> {
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

    pub(super) fn pages(&mut self) -> Result<Vec<Page>> {
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
        let n_bytes = n_entries.saturating_mul(entry_bytes);
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
        let n_bytes = count.saturating_mul(size);
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
