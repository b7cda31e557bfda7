//! An image becomes a TIFF file: compressed chunks, one page per layer, spacing as OME-XML.
//!
//! Names that end in `.zarr` and `.npy` give those formats.

use std::fmt::Write as _;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;

use flate2::{Compression, write::ZlibEncoder};
use rayon::prelude::*;

use super::zarr::{check_store, is_store_name, save_store};
use super::{Grid, IntensityImage, LabelImage, Pixels};
use crate::error::{Error, Result};
use crate::output::{Existing, cannot_write, check_free, write_whole, write_whole_file};

impl LabelImage {
    /// Writes a compressed TIFF of 16 bits, or 32 where a label needs them, that opens in tifffile, Fiji,
    /// napari and QuPath; a name that ends in `.npy` gives a numpy array of 32 bits, one in `.zarr` an
    /// OME-Zarr store (0.5).
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
        save_chunked(path.as_ref(), existing, self.grid(), &pixels, Content::Labels)
    }
}

impl IntensityImage {
    /// Writes a compressed TIFF in the number type of the image; a name that ends in `.npy` gives a
    /// numpy array, one in `.zarr` an OME-Zarr store (0.5), which keeps no channel name.
    ///
    /// # Errors
    /// When the file exists and must be kept, or cannot be written.
    pub fn save(&self, path: impl AsRef<Path>, existing: Existing) -> Result<()> {
        if is_npy(path.as_ref()) {
            return save_npy(path.as_ref(), existing, self.grid(), self.pixels());
        }
        let content = Content::Intensities(self.name());
        save_chunked(path.as_ref(), existing, self.grid(), self.pixels(), content)
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
    check_output(path, existing)?;
    let is_short = u16::try_from(largest).is_ok();
    let sample = if is_short { Sample::U16 } else { Sample::U32 };
    let ny = grid.extent()[1];
    let fill = |(): &(), layer: usize, y: usize, columns: &Range<usize>, raw: &mut Vec<u8>| {
        let mut row = vec![0; columns.len()];
        paint(layer * ny + y, columns, &mut row);
        if is_short {
            raw.extend(row.iter().flat_map(|&l| (l as u16).to_le_bytes()));
        } else {
            raw.extend(row.iter().flat_map(|l| l.to_le_bytes()));
        }
    };
    save_rows(path, existing, grid, sample, Content::Labels, |_, _| Ok(()), fill)
}

/// Writes an image that is made while it is written: `make` gives the pixels of some layers and rows, asked for once
/// each and in order. No more than one answer is in memory.
///
/// A name that ends in `.npy` is not for this.
pub(crate) fn save_by_bands(
    path: &Path,
    existing: Existing,
    grid: &Grid,
    content: Content<'_>,
    mut make: impl FnMut(&Range<usize>, &Range<usize>) -> Result<Pixels>,
) -> Result<()> {
    check_output(path, existing)?;
    let nx = grid.extent()[2];
    let sample = match content {
        Content::Labels => Sample::U16,
        Content::Intensities(_) => Sample::float(4, "float", "float32"),
    };
    let make = |layers: &Range<usize>, rows: &Range<usize>| {
        Ok((make(layers, rows)?, layers.start, rows.clone()))
    };
    let fill = |(pixels, first, rows): &(Pixels, usize, Range<usize>),
                layer: usize,
                y: usize,
                columns: &Range<usize>,
                raw: &mut Vec<u8>| {
        let row = ((layer - first) * rows.len() + y - rows.start) * nx;
        raw.extend(bytes_of(pixels, row + columns.start, row + columns.end));
    };
    save_rows(path, existing, grid, sample, content, make, fill)
}

pub(crate) fn is_npy(path: &Path) -> bool {
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

/// What the pixels are, and the name of their channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    Labels,
    Intensities(Option<&'a str>),
}

fn save_chunked(
    path: &Path,
    existing: Existing,
    grid: &Grid,
    pixels: &Pixels,
    content: Content<'_>,
) -> Result<()> {
    let [_, ny, nx] = grid.extent();
    let fill = |(): &(), layer: usize, y: usize, columns: &Range<usize>, raw: &mut Vec<u8>| {
        let row = (layer * ny + y) * nx;
        raw.extend(bytes_of(pixels, row + columns.start, row + columns.end));
    };
    save_rows(path, existing, grid, sample_of(pixels), content, |_, _| Ok(()), fill)
}

/// Writes an image in the format that the name asks for: for each band of layers and rows, `make` gives what
/// `fill` then appends rows from.
fn save_rows<B: Sync>(
    path: &Path,
    existing: Existing,
    grid: &Grid,
    sample: Sample,
    content: Content<'_>,
    make: impl FnMut(&Range<usize>, &Range<usize>) -> Result<B>,
    fill: impl Fn(&B, usize, usize, &Range<usize>, &mut Vec<u8>) + Sync,
) -> Result<()> {
    if is_store_name(path) {
        let kind = (sample.numpy_name, sample.bytes);
        return save_store(path, existing, grid, kind, content == Content::Labels, make, fill);
    }
    let name = if let Content::Intensities(name) = content { name } else { None };
    save_chunks(path, existing, &Layout::new(grid, sample, name)?, make, fill)
}

/// Refuses early, before any work is done, a place where an image cannot be saved.
///
/// # Errors
/// When `path` exists and must be kept, is a folder that is no Zarr store, or its folder is missing.
pub fn check_output(path: &Path, existing: Existing) -> Result<()> {
    if is_store_name(path) { check_store(path, existing) } else { check_free(path, existing) }
}

/// Chunks that are compressed before they are written: all that is held of the file, unless one row of them is more.
const WAVE: usize = 64;

/// Layers and rows that are written together, with their chunks.
pub(super) struct Band {
    pub layers: Range<usize>,
    pub rows: Range<usize>,
    pub chunks: Range<usize>,
}

/// Divides chunks, which are numbered layer by layer and row by row: whole layers where they are small, and
/// whole rows of chunks otherwise.
pub(super) fn bands([nz, ny, nx]: [usize; 3], chunk: [usize; 2]) -> Vec<Band> {
    let (down, across) = (ny.div_ceil(chunk[0]), nx.div_ceil(chunk[1]));
    let per_layer = down * across;
    let (n_layers, n_rows) =
        if per_layer <= WAVE { (WAVE / per_layer, down) } else { (1, (WAVE / across).max(1)) };
    let mut bands = Vec::new();
    for z in (0..nz).step_by(n_layers) {
        let layers = z..(z + n_layers).min(nz);
        for row in (0..down).step_by(n_rows) {
            let end = (row + n_rows).min(down);
            let chunks = if n_rows == down {
                layers.start * per_layer..layers.end * per_layer
            } else {
                z * per_layer + row * across..z * per_layer + end * across
            };
            let rows = row * chunk[0]..(end * chunk[0]).min(ny);
            bands.push(Band { layers: layers.clone(), rows, chunks });
        }
    }
    bands
}

/// Compresses the chunks, whose rows `fill` appends, and writes the file: header, chunks, directories.
fn save_chunks<B: Sync>(
    path: &Path,
    existing: Existing,
    layout: &Layout,
    mut make: impl FnMut(&Range<usize>, &Range<usize>) -> Result<B>,
    fill: impl Fn(&B, usize, usize, &Range<usize>, &mut Vec<u8>) + Sync,
) -> Result<()> {
    let packed = |band: &B, i: usize| {
        let (layer, rows, columns) = layout.place(i);
        let mut raw = Vec::new();
        for y in rows {
            fill(band, layer, y, &columns, &mut raw);
            raw.resize(raw.len() + layout.row_padding(&columns), 0);
        }
        layout.compress(raw)
    };
    write_whole_file(path, existing, |file| {
        let mut out = BufWriter::new(&mut *file);
        let header = layout.header();
        put(&mut out, &header)?;
        let mut end = header.len() as u64;
        let (mut offsets, mut lengths) = (Vec::new(), Vec::new());
        for band in bands(layout.extent, layout.chunk) {
            let made = make(&band.layers, &band.rows)?;
            let chunks = band.chunks.into_par_iter().map(|i| packed(&made, i));
            let chunks: Vec<Vec<u8>> = chunks.collect::<Result<_>>()?;
            for chunk in chunks {
                put(&mut out, &chunk)?;
                offsets.push(end);
                lengths.push(chunk.len() as u64);
                end += chunk.len() as u64;
            }
        }
        // Directories begin at an even address.
        put(&mut out, &[0][..(end % 2) as usize])?;
        let first = end + end % 2;
        layout.write_directories(&mut out, first, &offsets, &lengths)?;
        let cannot = |e: std::io::Error| cannot_write(path, &e);
        out.flush().map_err(cannot)?;
        drop(out);
        // The address of the first directory ends the header.
        let word = layout.word();
        file.seek(SeekFrom::Start((header.len() - word) as u64)).map_err(cannot)?;
        file.write_all(&first.to_le_bytes()[..word]).map_err(cannot)
    })
}

/// Values `start..end` in little-endian order.
fn bytes_of(pixels: &Pixels, start: usize, end: usize) -> Vec<u8> {
    crate::for_each_pixel_type!(pixels, values => {
        values[start..end].iter().flat_map(|v| v.to_le_bytes()).collect()
    })
}

/// The type of a sample as TIFF, OME and numpy name it.
#[derive(Debug, Clone, Copy)]
struct Sample {
    bytes: usize,
    is_float: bool,
    ome_name: &'static str,
    numpy_name: &'static str,
}

impl Sample {
    const U16: Self = Self::whole(2, "uint16");
    const U32: Self = Self::whole(4, "uint32");

    const fn whole(bytes: usize, name: &'static str) -> Self {
        Self { bytes, is_float: false, ome_name: name, numpy_name: name }
    }

    const fn float(bytes: usize, ome_name: &'static str, numpy_name: &'static str) -> Self {
        Self { bytes, is_float: true, ome_name, numpy_name }
    }
}

fn sample_of(pixels: &Pixels) -> Sample {
    match pixels {
        Pixels::U8(_) => Sample::whole(1, "uint8"),
        Pixels::U16(_) => Sample::U16,
        Pixels::U32(_) => Sample::U32,
        Pixels::F32(_) => Sample::float(4, "float", "float32"),
        Pixels::F64(_) => Sample::float(8, "double", "float64"),
    }
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
/// Above this a file needs 64-bit offsets; a little below 4 GiB for safety.
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

    /// Whether the file may need 64-bit addresses: compression is not relied upon.
    fn is_big(&self) -> bool {
        let chunk_bytes = (self.chunk[0] * self.chunk[1] * self.sample.bytes) as u64 + 1024;
        let directories = 512 * self.extent[0] as u64 + self.description.len() as u64;
        self.n_chunks() as u64 * chunk_bytes + directories > LARGEST_CLASSIC_BYTES
    }

    /// Bytes of an address.
    fn word(&self) -> usize {
        if self.is_big() { 8 } else { 4 }
    }

    /// The first bytes of the file; the address of the first directory, which ends them, is filled in later.
    fn header(&self) -> Vec<u8> {
        let start: &[u8] = if self.is_big() { b"II\x2b\0\x08\0\0\0" } else { b"II\x2a\0" };
        [start, &[0; 8][..self.word()]].concat()
    }

    /// One directory per layer, the first at address `at`.
    fn write_directories(
        &self,
        out: &mut dyn Write,
        mut at: u64,
        offsets: &[u64],
        lengths: &[u64],
    ) -> Result<()> {
        let n = self.chunks_per_layer();
        for layer in 0..self.extent[0] {
            let here = layer * n..(layer + 1) * n;
            let directory = self.directory(layer, &offsets[here.clone()], &lengths[here]);
            let directory = directory.bytes(at, self.is_big(), layer + 1 == self.extent[0]);
            put(out, &directory)?;
            at += directory.len() as u64;
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
