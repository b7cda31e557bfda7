//! A Zarr store on disk (version 2 or 3, OME-Zarr or a bare array) becomes regions of numbers.
//!
//! The metadata decides which array holds the image ([`ome`]); `zarrs` decodes the chunks a region touches.

mod ome;
mod write;

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use zarrs::array::chunk_cache::{ChunkCache, ChunkCacheDecodedLruSizeLimit};
use zarrs::array::{Array, ArrayBytes, ArrayShardedExt, ArraySubset, CodecOptions};
use zarrs::filesystem::FilesystemStore;
use zarrs::plugin::ExtensionName;
use zarrs::storage::ReadableStorageTraits;

use super::sample::{Format, Pixel, fill};
use crate::error::{Error, Result};
use ome::{Axes, Axis};
pub(super) use write::{check_store, is_store_name, save_store};

/// What a store that holds both is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Intensities,
    Labels,
}

/// One image of a store at full resolution.
pub(super) struct Zarr {
    array: Arc<Array<dyn ReadableStorageTraits>>,
    /// Chunks decoded last; tiles with a margin touch those of their neighbours.
    cache: Option<ChunkCacheDecodedLruSizeLimit>,
    pub axes: Axes,
    pub format: Format,
    /// Rows and columns that are decoded at once.
    pub chunk: [usize; 2],
}

impl std::fmt::Debug for Zarr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Zarr").field("axes", &self.axes).finish_non_exhaustive()
    }
}

/// As in a TIFF file: three rows of chunks across a plane of 16-bit pixels 10,000 wide.
const CACHED_BYTES: u64 = 1 << 25;
/// A chunk is held whole while it is decoded; larger ones are shards, which are read in parts.
const LARGEST_CHUNK_BYTES: u128 = 1 << 31;
/// The most that a compressed byte can stand for: a zstd block of one value holds 32,768.
const LARGEST_RATIO: u128 = 40_000;
/// Chunks that hold only the fill value need not exist, so an empty image may promise this much.
const LARGEST_EMPTY_BYTES: u128 = 1 << 30;

impl Zarr {
    /// Whether a folder is a store, a group or an array of one.
    pub(super) fn is(folder: &Path) -> bool {
        ["zarr.json", ".zgroup", ".zarray", ".zattrs"]
            .iter()
            .any(|name| folder.join(name).is_file())
    }

    /// Whether the store holds an image and, apart from it, labels.
    pub(super) fn holds_both(folder: &Path) -> bool {
        let array = |wanted| ome::find(folder, wanted).map(|found| found.array);
        match (array(Wanted::Intensities), array(Wanted::Labels)) {
            (Ok(image), Ok(labels)) => image != labels,
            _ => false,
        }
    }

    pub(super) fn open(folder: &Path, wanted: Wanted) -> Result<Self> {
        let found = ome::find(folder, wanted)?;
        let store = FilesystemStore::new(&found.array).map_err(unreadable)?;
        let store: Arc<dyn ReadableStorageTraits> = Arc::new(store);
        let array = Arc::new(Array::open(store, "/").map_err(unreadable)?);
        let shape = array.shape().to_vec();
        let lengths: Vec<usize> = shape
            .iter()
            .map(|&n| usize::try_from(n).map_err(|_| too_large(&shape)))
            .collect::<Result<_>>()?;
        let names = array.dimension_names().clone().unwrap_or_default();
        let names: Vec<String> = names.into_iter().flatten().collect();
        let axes = Axes::new(&found.description, &names, &lengths)?;
        let format = format_of(array.data_type().name_v3().as_deref())?;
        let first = vec![0; lengths.len()];
        let chunk = match array.subchunk_shape().filter(|_| array.is_exclusively_sharded()) {
            Some(chunk) => chunk,
            None => array.chunk_shape(&first).map_err(unreadable)?,
        };
        let is_whole = !array.is_sharded();
        let chunk: Vec<u64> = chunk.iter().map(|n| n.get()).collect();
        let size = format.bits() as u128 / 8;
        let bytes = |lengths: &[u64]| {
            lengths.iter().try_fold(size, |n, &length| n.checked_mul(u128::from(length)))
        };
        if bytes(&chunk).is_none_or(|n| n > LARGEST_CHUNK_BYTES) {
            return Err(Error::format(format!("its chunks of {chunk:?} pixels are too large"))
                .help("store it in chunks of about 1024 x 1024 pixels"));
        }
        let promised = bytes(&shape).ok_or_else(|| too_large(&shape))?;
        check_promise(&found.array, promised)?;
        let side = |axis: usize| axes.at(axis).map_or(1, |i| chunk[i].min(shape[i]) as usize);
        let is_small = bytes(&chunk).is_some_and(|n| n <= u128::from(CACHED_BYTES) / 4);
        let chunk = [side(1), side(2)];
        // Shards are read in parts, which the cache would not do.
        let cache = (is_whole && is_small)
            .then(|| ChunkCacheDecodedLruSizeLimit::new(array.clone(), CACHED_BYTES));
        Ok(Self { array, cache, axes, format, chunk })
    }

    /// Fills `pixels` with a region of one channel, ranges along z, y, x.
    pub(super) fn read<T: Pixel>(
        &self,
        channel: usize,
        region: &[Range<usize>; 3],
        pixels: &mut [T],
    ) -> Result<()> {
        let ranges: Vec<Range<u64>> = self
            .axes
            .order
            .iter()
            .map(|axis| match axis {
                Axis::Time => 0..1,
                Axis::Channel => channel as u64..channel as u64 + 1,
                Axis::Space(i) => region[*i].start as u64..region[*i].end as u64,
            })
            .collect();
        let subset = ArraySubset::new_with_ranges(&ranges);
        let read: std::result::Result<ArrayBytes<'static>, _> = match &self.cache {
            Some(cache) => cache.retrieve_array_subset(&subset, &CodecOptions::default()),
            None => self.array.retrieve_array_subset(&subset),
        };
        let bytes = read.map_err(unreadable)?;
        let mut bytes = bytes.into_fixed().map_err(unreadable)?.into_owned();
        if cfg!(target_endian = "big") {
            bytes.chunks_exact_mut(self.format.bits() / 8).for_each(<[u8]>::reverse);
        }
        fill(self.format, &bytes, 0, 1, pixels)
    }
}

/// Refuses metadata that promise far more pixels than the files can hold.
fn check_promise(folder: &Path, promised: u128) -> Result<()> {
    let mut most = LARGEST_EMPTY_BYTES;
    let mut folders = vec![folder.to_path_buf()];
    while promised > most {
        let Some(folder) = folders.pop() else {
            return Err(Error::format(format!(
                "its metadata promise {promised} bytes of pixels, far more than its files can hold"
            ))
            .help("the store is incomplete or damaged: copy or export it again"));
        };
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let found = entry.metadata().map_err(unreadable)?;
            if found.is_dir() {
                folders.push(entry.path());
            } else {
                most += LARGEST_RATIO * u128::from(found.len());
            }
        }
    }
    Ok(())
}

fn too_large(shape: &[u64]) -> Error {
    Error::format(format!("an image of shape {shape:?} does not fit into memory"))
        .help("the store is damaged: export it again")
}

fn unreadable(error: impl std::fmt::Display) -> Error {
    Error::format(format!("the Zarr store cannot be read: {error}"))
        .help("the store is incomplete, damaged or of a kind unknown here: export it again")
}

fn format_of(name: Option<&str>) -> Result<Format> {
    Ok(match name {
        Some("bool" | "uint8") => Format::Unsigned(8),
        Some("uint16") => Format::Unsigned(16),
        Some("uint32") => Format::Unsigned(32),
        Some("uint64") => Format::Unsigned(64),
        Some("int8") => Format::Signed(8),
        Some("int16") => Format::Signed(16),
        Some("int32") => Format::Signed(32),
        Some("int64") => Format::Signed(64),
        Some("float16") => Format::Float(16),
        Some("float32") => Format::Float(32),
        Some("float64") => Format::Float(64),
        other => {
            let name = other.unwrap_or("without a name");
            return Err(Error::format(format!("pixels of the type {name} cannot be read"))
                .help("save the image with 8, 16 or 32 bits"));
        }
    })
}

/// The attributes of a group or array, and whether it is an array.
struct Node {
    attributes: Value,
    is_array: bool,
}

/// Reads the metadata of a node; `None` where there is no node.
fn node(folder: &Path) -> Result<Option<Node>> {
    if let Some(metadata) = json(&folder.join("zarr.json"))? {
        let is_array = metadata["node_type"] == "array";
        return Ok(Some(Node { attributes: metadata["attributes"].clone(), is_array }));
    }
    let is_array = folder.join(".zarray").is_file();
    if !is_array && !folder.join(".zgroup").is_file() && !folder.join(".zattrs").is_file() {
        return Ok(None);
    }
    let attributes = json(&folder.join(".zattrs"))?.unwrap_or_default();
    Ok(Some(Node { attributes, is_array }))
}

fn json(path: &Path) -> Result<Option<Value>> {
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    serde_json::from_slice(&bytes).map(Some).map_err(|e| unreadable(e).in_file(path))
}

/// A path inside the store, which must not lead out of it.
fn inside(folder: &Path, name: &str) -> Result<PathBuf> {
    let is_plain =
        |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\\');
    if name.trim_matches('/').split('/').all(is_plain) {
        return Ok(folder.join(name.trim_matches('/')));
    }
    Err(Error::format(format!(
        "its metadata name the path {name:?}, which is not inside the store"
    ))
    .help("the store is damaged: export it again"))
}
