//! An image becomes a TIFF file: compressed chunks, one page per layer, spacing as OME-XML.

use std::fmt::Write as _;
use std::io::Write;
use std::ops::Range;
use std::path::Path;

use flate2::{Compression, write::ZlibEncoder};
use rayon::prelude::*;

use super::{Grid, IntensityImage, LabelImage, Pixels};
use crate::error::{Error, Result};
use crate::output::{Existing, check_free, write_whole};

impl LabelImage {
    /// Writes a compressed TIFF of 16 bits, or 32 where a label needs them, that opens in tifffile, Fiji,
    /// napari and QuPath; a name that ends in `.npy` gives a numpy array of 32 bits.
    ///
    /// Images with a side above 4,096 pixels are tiled; above 4 GiB the file is a `BigTIFF`.
    ///
    /// # Errors
    /// When the file exists and must be kept, or cannot be written.
    pub fn save(&self, path: impl AsRef<Path>, existing: Existing) -> Result<()> {
        let pixels = self.pixels();
        if is_npy(path.as_ref()) {
            return save_npy(path.as_ref(), existing, self.grid(), &Pixels::U32(pixels.to_vec()));
        }
        let short: Option<Vec<u16>> = pixels.iter().map(|&l| u16::try_from(l).ok()).collect();
        let pixels = short.map_or_else(|| Pixels::U32(pixels.to_vec()), Pixels::U16);
        save_tiff(path.as_ref(), existing, self.grid(), &pixels, None)
    }
}

impl IntensityImage {
    /// Writes a compressed TIFF in the number type of the image; a name that ends in `.npy` gives a
    /// numpy array.
    ///
    /// # Errors
    /// When the file exists and must be kept, or cannot be written.
    pub fn save(&self, path: impl AsRef<Path>, existing: Existing) -> Result<()> {
        if is_npy(path.as_ref()) {
            return save_npy(path.as_ref(), existing, self.grid(), self.pixels());
        }
        save_tiff(path.as_ref(), existing, self.grid(), self.pixels(), self.name())
    }
}

/// Writes labels that are painted row by row: `paint` fills zeros of the given columns of a row (z, y).
pub(crate) fn save_labels_by_rows(
    path: &Path,
    existing: Existing,
    grid: &Grid,
    largest: u32,
    paint: impl Fn(usize, &Range<usize>, &mut [u32]) + Sync,
) -> Result<()> {
    check_free(path, existing)?;
    let is_short = u16::try_from(largest).is_ok();
    let layout = Layout::new(grid, if is_short { Sample::U16 } else { Sample::U32 }, None)?;
    let ny = grid.extent()[1];
    save_chunks(path, existing, &layout, |layer, y, columns, raw| {
        let mut row = vec![0; columns.len()];
        paint(layer * ny + y, columns, &mut row);
        if is_short {
            raw.extend(row.iter().flat_map(|&l| (l as u16).to_le_bytes()));
        } else {
            raw.extend(row.iter().flat_map(|l| l.to_le_bytes()));
        }
    })
}

fn is_npy(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy"))
}

fn save_npy(path: &Path, existing: Existing, grid: &Grid, pixels: &Pixels) -> Result<()> {
    let kind = match pixels {
        Pixels::U8(_) => "|u1",
        Pixels::U16(_) => "<u2",
        Pixels::U32(_) => "<u4",
        Pixels::F32(_) => "<f4",
        Pixels::F64(_) => "<f8",
    };
    let shape: Vec<String> = grid.shape().iter().map(usize::to_string).collect();
    let shape = shape.join(", ");
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
    // Magic, version and length take 10 bytes; the data begins at a multiple of 64.
    let padding = 63 - (10 + header.len()) % 64;
    header.push_str(&" ".repeat(padding));
    header.push('\n');
    write_whole(path, existing, |out| {
        put(out, b"\x93NUMPY\x01\x00")?;
        put(out, &(header.len() as u16).to_le_bytes())?;
        put(out, header.as_bytes())?;
        let every = 0..pixels.len();
        every.clone().step_by(1 << 16).try_for_each(|start| {
            put(out, &bytes_of(pixels, start, (start + (1 << 16)).min(every.end)))
        })
    })
}

fn save_tiff(
    path: &Path,
    existing: Existing,
    grid: &Grid,
    pixels: &Pixels,
    name: Option<&str>,
) -> Result<()> {
    let layout = Layout::new(grid, sample_of(pixels), name)?;
    let [_, ny, nx] = grid.extent();
    save_chunks(path, existing, &layout, |layer, y, columns, raw| {
        let row = (layer * ny + y) * nx;
        raw.extend(bytes_of(pixels, row + columns.start, row + columns.end));
    })
}

/// Compresses all chunks, whose rows `fill` appends, and writes the file. Only compressed chunks are held.
fn save_chunks(
    path: &Path,
    existing: Existing,
    layout: &Layout,
    fill: impl Fn(usize, usize, &Range<usize>, &mut Vec<u8>) + Sync,
) -> Result<()> {
    let chunks: Vec<Vec<u8>> = (0..layout.n_chunks())
        .into_par_iter()
        .map(|i| {
            let (layer, rows, columns) = layout.place(i);
            let mut raw = Vec::new();
            for y in rows {
                fill(layer, y, &columns, &mut raw);
                raw.resize(raw.len() + layout.row_padding(&columns), 0);
            }
            layout.compress(raw)
        })
        .collect::<Result<_>>()?;
    write_whole(path, existing, |out| layout.write(out, &chunks))
}

/// Values `start..end` in little-endian order.
fn bytes_of(pixels: &Pixels, start: usize, end: usize) -> Vec<u8> {
    crate::for_each_pixel_type!(pixels, values => {
        values[start..end].iter().flat_map(|v| v.to_le_bytes()).collect()
    })
}

/// The type of a sample as TIFF and OME name it.
#[derive(Debug, Clone, Copy)]
struct Sample {
    bytes: usize,
    is_float: bool,
    ome_name: &'static str,
}

impl Sample {
    const U16: Self = Self { bytes: 2, is_float: false, ome_name: "uint16" };
    const U32: Self = Self { bytes: 4, is_float: false, ome_name: "uint32" };
}

fn sample_of(pixels: &Pixels) -> Sample {
    let (bytes, is_float, ome_name) = match pixels {
        Pixels::U8(_) => (1, false, "uint8"),
        Pixels::U16(_) => return Sample::U16,
        Pixels::U32(_) => return Sample::U32,
        Pixels::F32(_) => (4, true, "float"),
        Pixels::F64(_) => (8, true, "double"),
    };
    Sample { bytes, is_float, ome_name }
}

/// Where every pixel goes in a TIFF file: strips in small images, because ImageJ reads nothing else, and
/// tiles in large ones.
#[derive(Debug, Clone)]
struct Layout {
    extent: [usize; 3],
    sample: Sample,
    /// Rows and columns of a chunk.
    chunk: [usize; 2],
    is_tiled: bool,
    description: String,
}

const LARGEST_STRIPPED_SIDE: usize = 4096;
const TILE_SIDE: usize = 512;
const STRIP_BYTES: usize = 1 << 18;
/// Above this a file needs 64-bit offsets; a little below 4 GiB leaves room for the directories.
const LARGEST_CLASSIC_BYTES: u64 = 0xffff_0000;

impl Layout {
    fn new(grid: &Grid, sample: Sample, name: Option<&str>) -> Result<Self> {
        let extent = grid.extent();
        let [_, ny, nx] = extent;
        if grid.n_pixels() == 0 {
            return Err(Error::data(format!("an image of {grid} has no pixel to write")));
        }
        if ny.max(nx) > u32::MAX as usize {
            return Err(Error::data(format!("a TIFF file cannot hold an image of {grid}")));
        }
        let is_tiled = ny.max(nx) > LARGEST_STRIPPED_SIDE;
        let strip_rows = (STRIP_BYTES / (nx * sample.bytes)).clamp(1, ny);
        let chunk = if is_tiled { [TILE_SIDE; 2] } else { [strip_rows, nx] };
        let description = ome_xml(grid, sample.ome_name, name);
        Ok(Self { extent, sample, chunk, is_tiled, description })
    }

    fn across(&self) -> usize {
        self.extent[2].div_ceil(self.chunk[1])
    }

    fn chunks_per_layer(&self) -> usize {
        self.across() * self.extent[1].div_ceil(self.chunk[0])
    }

    fn n_chunks(&self) -> usize {
        self.extent[0] * self.chunks_per_layer()
    }

    /// Layer, rows and columns of chunk `i`, without the padding of the last ones.
    fn place(&self, i: usize) -> (usize, Range<usize>, Range<usize>) {
        let (layer, i) = (i / self.chunks_per_layer(), i % self.chunks_per_layer());
        let (y, x) = (i / self.across() * self.chunk[0], i % self.across() * self.chunk[1]);
        let [_, ny, nx] = self.extent;
        (layer, y..(y + self.chunk[0]).min(ny), x..(x + self.chunk[1]).min(nx))
    }

    /// Bytes that fill up a row of a chunk with these columns.
    fn row_padding(&self, columns: &Range<usize>) -> usize {
        (self.chunk[1] - columns.len()) * self.sample.bytes
    }

    /// Fills up the last tile and compresses it.
    fn compress(&self, mut raw: Vec<u8>) -> Result<Vec<u8>> {
        if self.is_tiled {
            raw.resize(self.chunk[0] * self.chunk[1] * self.sample.bytes, 0);
        }
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(4));
        encoder
            .write_all(&raw)
            .and_then(|()| encoder.finish())
            .map_err(|e| Error::internal(e.to_string()))
    }

    /// Header, chunks, then one directory per layer.
    fn write(&self, out: &mut dyn Write, chunks: &[Vec<u8>]) -> Result<()> {
        let n_bytes: u64 = chunks.iter().map(|c| c.len() as u64 + 16).sum();
        let big = n_bytes + self.description.len() as u64 + 512 * self.extent[0] as u64
            > LARGEST_CLASSIC_BYTES;
        let header_bytes = if big { 16 } else { 8 };
        let mut offsets = Vec::with_capacity(chunks.len());
        let mut end = header_bytes;
        for chunk in chunks {
            offsets.push(end);
            end += chunk.len() as u64;
        }
        // Directories begin at an even address.
        let first = end + end % 2;
        put(out, if big { b"II\x2b\0\x08\0\0\0" } else { b"II\x2a\0" })?;
        put(out, &first.to_le_bytes()[..if big { 8 } else { 4 }])?;
        chunks.iter().try_for_each(|chunk| put(out, chunk))?;
        put(out, &[0][..(end % 2) as usize])?;
        let mut at = first;
        let mut rest = (offsets.as_slice(), chunks);
        for layer in 0..self.extent[0] {
            let (here, later) = rest.0.split_at(self.chunks_per_layer());
            let (chunks, later_chunks) = rest.1.split_at(self.chunks_per_layer());
            let lengths: Vec<u64> = chunks.iter().map(|c| c.len() as u64).collect();
            let is_last = layer + 1 == self.extent[0];
            let directory = self.directory(layer, here, &lengths).bytes(at, big, is_last);
            put(out, &directory)?;
            at += directory.len() as u64;
            rest = (later, later_chunks);
        }
        Ok(())
    }

    fn directory(&self, layer: usize, offsets: &[u64], lengths: &[u64]) -> Directory {
        let [_, ny, nx] = self.extent;
        let mut tags = Directory::default();
        tags.number(256, nx as u64);
        tags.number(257, ny as u64);
        tags.short(258, 8 * self.sample.bytes as u16);
        tags.short(259, 8); // deflate
        tags.short(262, 1); // black is zero
        if layer == 0 {
            tags.text(270, &self.description);
        }
        if !self.is_tiled {
            tags.offsets(273, offsets);
        }
        tags.short(277, 1);
        if self.is_tiled {
            tags.number(322, self.chunk[1] as u64);
            tags.number(323, self.chunk[0] as u64);
            tags.offsets(324, offsets);
            tags.offsets(325, lengths);
        } else {
            tags.number(278, self.chunk[0] as u64);
            tags.offsets(279, lengths);
        }
        tags.short(339, if self.sample.is_float { 3 } else { 1 });
        tags
    }
}

/// The tags of one page, ascending.
#[derive(Default)]
struct Directory(Vec<Entry>);

struct Entry {
    tag: u16,
    value: Value,
}

enum Value {
    Short(u16),
    Text(Vec<u8>),
    /// 32 bits, in a big file 64.
    Words(Vec<u64>),
}

impl Directory {
    fn short(&mut self, tag: u16, value: u16) {
        self.0.push(Entry { tag, value: Value::Short(value) });
    }

    fn number(&mut self, tag: u16, value: u64) {
        self.0.push(Entry { tag, value: Value::Words(vec![value]) });
    }

    fn offsets(&mut self, tag: u16, values: &[u64]) {
        self.0.push(Entry { tag, value: Value::Words(values.to_vec()) });
    }

    fn text(&mut self, tag: u16, value: &str) {
        let bytes = value.bytes().chain([0]).collect();
        self.0.push(Entry { tag, value: Value::Text(bytes) });
    }

    /// The directory as it stands at address `at`, values that do not fit into their entry behind it.
    fn bytes(&self, at: u64, big: bool, is_last: bool) -> Vec<u8> {
        let word = if big { 8 } else { 4 };
        let n_entries = self.0.len() as u64;
        let (count_bytes, entry_bytes) = if big { (8, 20) } else { (2, 12) };
        let size = count_bytes + n_entries * entry_bytes + word as u64;
        let mut directory = n_entries.to_le_bytes()[..count_bytes as usize].to_vec();
        let mut behind: Vec<u8> = Vec::new();
        for Entry { tag, value } in &self.0 {
            let (kind, count, mut bytes) = match value {
                Value::Short(v) => (3u16, 1, v.to_le_bytes().to_vec()),
                Value::Text(text) => (2, text.len(), text.clone()),
                Value::Words(words) => {
                    let kind = if big { 16 } else { 4 };
                    let bytes = words.iter().flat_map(|w| w.to_le_bytes().into_iter().take(word));
                    (kind, words.len(), bytes.collect())
                }
            };
            directory.extend(tag.to_le_bytes());
            directory.extend(kind.to_le_bytes());
            directory.extend(&(count as u64).to_le_bytes()[..word]);
            if bytes.len() <= word {
                bytes.resize(word, 0);
                directory.extend(bytes);
            } else {
                directory.extend(&(at + size + behind.len() as u64).to_le_bytes()[..word]);
                behind.extend(bytes);
                behind.resize(behind.len().next_multiple_of(2), 0);
            }
        }
        let next = if is_last { 0 } else { at + size + behind.len() as u64 };
        directory.extend(&next.to_le_bytes()[..word]);
        directory.extend(behind);
        directory
    }
}

/// The least OME-XML that tells axes, type and spacing.
fn ome_xml(grid: &Grid, sample_type: &str, name: Option<&str>) -> String {
    let [nz, ny, nx] = grid.extent();
    let mut sizes = String::new();
    for (axis, spacing) in ["X", "Y", "Z"].iter().zip(grid.spacing().iter().rev()) {
        let unit = grid.unit().unwrap_or("pixel");
        let unit = escape(unit);
        let _ =
            write!(sizes, " PhysicalSize{axis}=\"{spacing}\" PhysicalSize{axis}Unit=\"{unit}\"");
    }
    let name = name.map_or(String::new(), |name| format!(" Name=\"{}\"", escape(name)));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <OME xmlns=\"http://www.openmicroscopy.org/Schemas/OME/2016-06\"><Image ID=\"Image:0\">\
         <Pixels ID=\"Pixels:0\" DimensionOrder=\"XYZCT\" Type=\"{sample_type}\" SizeX=\"{nx}\" \
         SizeY=\"{ny}\" SizeZ=\"{nz}\" SizeC=\"1\" SizeT=\"1\"{sizes}>\
         <Channel ID=\"Channel:0:0\" SamplesPerPixel=\"1\"{name}/><TiffData/></Pixels></Image></OME>"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn put(out: &mut dyn Write, bytes: &[u8]) -> Result<()> {
    out.write_all(bytes).map_err(|e| Error::io(format!("cannot be written: {e}")))
}
