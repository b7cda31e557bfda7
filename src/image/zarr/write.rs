//! An image becomes an OME-Zarr store (OME-NGFF 0.5 on Zarr 3): one resolution, chunks packed by zstd.
//!
//! Chunks are written as they are made, so no more than one per thread is in memory, and the band they come from.

use std::fs;
use std::ops::Range;
use std::path::Path;

use rayon::prelude::*;
use serde_json::{Value, json};

use super::Zarr;
use crate::error::{Error, Result};
use crate::image::Grid;
use crate::image::write::bands;
use crate::output::{Existing, cannot_write, check_free, write_whole_folder};

/// Rows and columns of a chunk: a quarter of a megapixel opens quickly in viewers.
const CHUNK_SIDE: usize = 512;
/// zstd's own default.
const LEVEL: i32 = 3;

/// Whether the name asks for a store.
pub(in crate::image) fn is_store_name(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zarr"))
}

/// Refuses early what [`save_store`] would refuse late; a folder that is no store is never replaced.
pub(in crate::image) fn check_store(path: &Path, existing: Existing) -> Result<()> {
    if path.is_dir() && existing == Existing::Overwrite {
        return if Zarr::is(path) {
            Ok(())
        } else {
            Err(Error::io("is a folder, not a Zarr store: it is left as it is")
                .in_file(path)
                .help("choose another name with -o"))
        };
    }
    if path.is_dir() {
        return Err(Error::io("already exists")
            .in_file(path)
            .help("choose another name with -o, or replace it with --overwrite"));
    }
    check_free(path, existing)
}

/// Writes a store: for each band of layers and rows, `make` gives what `fill` then appends the little-endian values of
/// the given columns of a row (z, y) from.
///
/// `type_name` is numpy's; `is_label` marks the image as one of labels.
pub(in crate::image) fn save_store<B: Sync>(
    path: &Path,
    existing: Existing,
    grid: &Grid,
    (type_name, bytes): (&str, usize),
    is_label: bool,
    mut make: impl FnMut(&Range<usize>, &Range<usize>) -> Result<B>,
    fill: impl Fn(&B, usize, usize, &Range<usize>, &mut Vec<u8>) + Sync,
) -> Result<()> {
    check_store(path, existing)?;
    if grid.n_pixels() == 0 {
        return Err(Error::data(format!("an image of {grid} has no pixel to write")));
    }
    write_whole_folder(path, |draft| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        write_json(&draft.join("zarr.json"), &group(grid, &name, is_label))?;
        let array = draft.join("0");
        let [_, ny, nx] = grid.extent();
        let (down, across) = (ny.div_ceil(CHUNK_SIDE), nx.div_ceil(CHUNK_SIDE));
        let packed = |band: &B, i: usize| {
            let (z, row, column) = (i / across / down, i / across % down, i % across);
            let [ys, xs] = [(row, ny), (column, nx)]
                .map(|(at, length)| at * CHUNK_SIDE..((at + 1) * CHUNK_SIDE).min(length));
            let mut raw = Vec::with_capacity(CHUNK_SIDE * CHUNK_SIDE * bytes);
            for y in ys {
                fill(band, z, y, &xs, &mut raw);
                raw.resize(raw.len() + (CHUNK_SIDE - xs.len()) * bytes, 0);
            }
            // A chunk of background alone is left out: zero is the fill value.
            if raw.iter().all(|&byte| byte == 0) {
                return Ok(());
            }
            raw.resize(CHUNK_SIDE * CHUNK_SIDE * bytes, 0);
            let packed = zstd::bulk::compress(&raw, LEVEL)
                .map_err(|e| Error::internal(format!("zstd: {e}")))?;
            let layer =
                if grid.n_axes() == 3 { format!("c/{z}/{row}") } else { format!("c/{row}") };
            let folder = array.join(layer);
            fs::create_dir_all(&folder).map_err(|e| cannot_write(path, &e))?;
            fs::write(folder.join(column.to_string()), packed).map_err(|e| cannot_write(path, &e))
        };
        for band in bands(grid.extent(), [CHUNK_SIDE; 2]) {
            let made = make(&band.layers, &band.rows)?;
            band.chunks.into_par_iter().try_for_each(|i| packed(&made, i))?;
        }
        fs::create_dir_all(&array).map_err(|e| cannot_write(path, &e))?;
        write_json(&array.join("zarr.json"), &array_metadata(grid, type_name))
    })
}

fn write_json(path: &Path, value: &Value) -> Result<()> {
    fs::write(path, format!("{value:#}\n")).map_err(|e| cannot_write(path, &e))
}

fn axis_names(grid: &Grid) -> &'static [&'static str] {
    &["z", "y", "x"][3 - grid.n_axes()..]
}

fn group(grid: &Grid, name: &str, is_label: bool) -> Value {
    let axes = axis_names(grid).iter().map(|axis| match grid.unit() {
        Some(unit) => json!({ "name": axis, "type": "space", "unit": long_unit(unit) }),
        None => json!({ "name": axis, "type": "space" }),
    });
    let scale = json!([{ "type": "scale", "scale": grid.spacing() }]);
    let mut ome = json!({
        "version": "0.5",
        "multiscales": [{
            "name": name,
            "axes": axes.collect::<Vec<_>>(),
            "datasets": [{ "path": "0", "coordinateTransformations": scale }],
        }],
    });
    if is_label {
        ome["image-label"] = json!({ "version": "0.5" });
    }
    json!({ "zarr_format": 3, "node_type": "group", "attributes": { "ome": ome } })
}

fn array_metadata(grid: &Grid, type_name: &str) -> Value {
    let chunk = &[1, CHUNK_SIDE, CHUNK_SIDE][3 - grid.n_axes()..];
    json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": grid.shape(),
        "data_type": type_name,
        "chunk_grid": { "name": "regular", "configuration": { "chunk_shape": chunk } },
        "chunk_key_encoding": { "name": "default", "configuration": { "separator": "/" } },
        "fill_value": 0,
        "codecs": [
            { "name": "bytes", "configuration": { "endian": "little" } },
            { "name": "zstd", "configuration": { "level": LEVEL, "checksum": false } },
        ],
        "dimension_names": axis_names(grid),
    })
}

/// The unit as OME-Zarr spells it.
fn long_unit(unit: &str) -> &str {
    match unit {
        "pm" => "picometer",
        "Å" => "angstrom",
        "nm" => "nanometer",
        "µm" | "um" | "μm" => "micrometer",
        "mm" => "millimeter",
        "cm" => "centimeter",
        "m" => "meter",
        other => other,
    }
}
