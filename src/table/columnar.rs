//! Parquet and Arrow IPC, checked before the table library is let near them.
//!
//! Both formats say how much memory they will need, and a hostile file may say anything: what a file promises is
//! compared with its size before anything is allocated.

use std::io::{Cursor, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use polars::prelude::{
    DataFrame, IntoColumn, IpcReader, IpcWriter, KeyValueMetadata, ParquetReader, ParquetWriter,
    PolarsResult, SerReader, SerWriter, Series,
};
use polars_arrow::io::ipc::read::{StreamReader, StreamState, read_stream_metadata};

use super::{messages, notes, pages};
use crate::error::{Error, Result};

/// Measurements compress to a third or so; a table that grows a thousandfold and beyond this size was made to do harm.
const MAX_GROWTH: u64 = 1000;
const ALWAYS_ALLOWED: u64 = 256 << 20;

/// Reads the flat columns of a Parquet file; says which others were left out, and the unit of its lengths.
pub(super) fn read_parquet(bytes: &[u8]) -> Result<(DataFrame, Vec<String>, Option<String>)> {
    let mut reader = ParquetReader::new(Cursor::new(bytes));
    let promise = guarded("Parquet", || Ok(Promise::of(reader.get_metadata()?, bytes)))?;
    check_promise(
        promise.cells,
        promise.uncompressed?.max(promise.cells.saturating_mul(8)),
        bytes,
    )?;
    let left_out = promise.nested.iter().map(|name| {
        format!("column `{name}`: holds lists or structures, not numbers or text: left out")
    });
    let warnings = left_out.collect();
    let frame = guarded("Parquet", || reader.with_columns(Some(promise.flat)).finish())?;
    Ok((frame, warnings, promise.length_unit))
}

/// What a Parquet file says it holds.
struct Promise {
    cells: u64,
    uncompressed: Result<u64>,
    flat: Vec<String>,
    nested: Vec<String>,
    length_unit: Option<String>,
}

impl Promise {
    fn of(metadata: &polars::prelude::FileMetadata, file: &[u8]) -> Self {
        let (mut flat, mut nested) = (Vec::new(), Vec::new());
        for column in metadata.schema().columns() {
            let path = &column.path_in_schema;
            let names = if path.len() == 1 { &mut flat } else { &mut nested };
            let root = path[0].to_string();
            if names.last() != Some(&root) {
                names.push(root);
            }
        }
        let groups = metadata.row_groups.iter();
        let cells = groups.map(|g| (g.num_rows() as u64).saturating_mul(flat.len().max(1) as u64));
        let cells = cells.fold(0, u64::saturating_add).max(metadata.num_rows as u64);
        let said = metadata.key_value_metadata().iter().flatten().find(|kv| kv.key == notes::KEY);
        let length_unit = said.and_then(|kv| notes::length_unit(kv.value.as_deref()?));
        Self { cells, uncompressed: Self::pages(metadata, file), flat, nested, length_unit }
    }

    /// Uncompressed bytes of all pages of flat columns.
    fn pages(metadata: &polars::prelude::FileMetadata, file: &[u8]) -> Result<u64> {
        let mut total = 0_u64;
        for group in &metadata.row_groups {
            for column in group.parquet_columns() {
                let path = &column.descriptor().path_in_schema;
                if path.len() > 1 {
                    continue;
                }
                let rows = group.num_rows() as u64;
                let promised = match u64::try_from(column.num_values()) {
                    Ok(values) if values == rows => {
                        pages::promised(file, column.byte_range(), rows)
                    }
                    _ => Err("a column has more or fewer values than the table has rows"),
                };
                let promised =
                    promised.map_err(|why| damaged("Parquet", why).at_column(path[0].as_str()))?;
                total = total.saturating_add(promised);
            }
        }
        Ok(total)
    }
}

/// Reads an Arrow IPC file (Feather version 2), and the unit of its lengths.
pub(super) fn read_ipc(bytes: &[u8]) -> Result<(DataFrame, Option<String>)> {
    let promised = messages::of_file(bytes).map_err(|why| damaged("Arrow IPC", why))?;
    check_promise(promised.cells, promised.bytes.max(promised.cells.saturating_mul(8)), bytes)?;
    guarded("Arrow IPC", || {
        let mut reader = IpcReader::new(Cursor::new(bytes));
        let said = reader.custom_metadata()?;
        let length_unit = said.and_then(|said| notes::length_unit(said.get(notes::KEY)?));
        Ok((reader.finish()?, length_unit))
    })
}

/// Reads an Arrow IPC stream, batch by batch.
pub(super) fn read_ipc_stream(bytes: &[u8]) -> Result<DataFrame> {
    let promised = messages::of_stream(bytes).map_err(|why| damaged("Arrow IPC", why))?;
    check_promise(promised.cells, promised.bytes.max(promised.cells.saturating_mul(8)), bytes)?;
    guarded("Arrow IPC", || {
        let mut source = Cursor::new(bytes);
        let metadata = read_stream_metadata(&mut source)?;
        let names: Vec<_> = metadata.schema.iter_names().cloned().collect();
        let mut columns = vec![Vec::new(); names.len()];
        for state in StreamReader::new(source, metadata, None) {
            let StreamState::Some(batch) = state? else { break };
            columns.iter_mut().zip(batch.into_arrays()).for_each(|(c, array)| c.push(array));
        }
        if columns.iter().any(Vec::is_empty) {
            return Ok(DataFrame::empty());
        }
        let columns = names.into_iter().zip(columns);
        let columns = columns.map(|column| Series::try_from(column).map(Series::into_column));
        DataFrame::new_infer_height(columns.collect::<PolarsResult<_>>()?)
    })
}

/// Refuses a file that promises far more than its size can hold.
fn check_promise(cells: u64, needed: u64, file: &[u8]) -> Result<()> {
    let size = file.len() as u64;
    if needed > ALWAYS_ALLOWED && needed > size.saturating_mul(MAX_GROWTH) {
        return Err(Error::format(format!(
            "promises {cells} cells in {size} bytes, which no table of measurements does"
        ))
        .help("the file is damaged or made to exhaust memory; export the table again"));
    }
    Ok(())
}

/// Calls of the table library on bytes of a file that are under way.
static GUARDED: AtomicUsize = AtomicUsize::new(0);

/// Whether a panic now would be caught and told as an error about a damaged file; a panic hook may stay silent then.
pub fn is_guarded() -> bool {
    GUARDED.load(Ordering::Relaxed) > 0
}

/// Calls the table library; its errors and, as the last resort, its panics become errors about the file.
fn guarded<T>(format: &str, work: impl FnOnce() -> PolarsResult<T>) -> Result<T> {
    GUARDED.fetch_add(1, Ordering::Relaxed);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    GUARDED.fetch_sub(1, Ordering::Relaxed);
    match outcome {
        Ok(result) => result.map_err(|e| damaged(format, &e.to_string())),
        Err(_) => Err(damaged(format, "it is damaged")),
    }
}

fn damaged(format: &str, why: &str) -> Error {
    Error::format(format!("is not a readable {format} file: {why}")).help("export the table again")
}

/// Writes a Parquet file (zstd) with notes on its columns.
pub(super) fn write_parquet(
    frame: &DataFrame,
    length_unit: Option<&str>,
    target: &mut dyn Write,
) -> Result<()> {
    let mut frame = frame.clone();
    let said = vec![(notes::KEY.to_owned(), notes::write(&frame, length_unit))];
    ParquetWriter::new(target)
        .with_key_value_metadata(Some(KeyValueMetadata::from_static(said)))
        .finish(&mut frame)
        .map(drop)
        .map_err(|e| cannot_write(&e))
}

/// Writes an uncompressed Arrow IPC file, which other programs can map into memory, with notes on its columns.
pub(super) fn write_ipc(
    frame: &DataFrame,
    length_unit: Option<&str>,
    target: &mut dyn Write,
) -> Result<()> {
    let mut frame = frame.clone();
    let said = [(notes::KEY.into(), notes::write(&frame, length_unit).into())];
    let mut writer = IpcWriter::new(target);
    writer.set_custom_schema_metadata(Arc::new(said.into()));
    writer.finish(&mut frame).map_err(|e| cannot_write(&e))
}

fn cannot_write(error: &polars::error::PolarsError) -> Error {
    Error::io(format!("cannot be written: {error}"))
}
