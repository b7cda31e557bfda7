//! Parquet and Arrow IPC, checked before the table library is let near them.
//!
//! Both formats say how much memory they will need, and a hostile file may say anything: what a file promises is
//! compared with its size before anything is allocated.

use std::io::{Cursor, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use polars::prelude::{
    DataFrame, IpcReader, IpcWriter, ParquetReader, ParquetWriter, PolarsResult, SerReader,
    SerWriter,
};

use crate::error::{Error, Result};

/// Measurements compress to a third or so; a table that grows a thousandfold and beyond this size was made to do harm.
const MAX_GROWTH: u64 = 1000;
const ALWAYS_ALLOWED: u64 = 256 << 20;

/// Reads a Parquet file.
pub(super) fn read_parquet(bytes: &[u8]) -> Result<DataFrame> {
    let size = bytes.len() as u64;
    let mut reader = ParquetReader::new(Cursor::new(bytes));
    guarded("Parquet", || {
        let metadata = reader.get_metadata()?;
        let groups = metadata.row_groups.iter();
        let cells = groups.map(|g| g.num_rows() as u64 * g.n_columns().max(1) as u64);
        Ok(cells.fold(0, u64::saturating_add).max(metadata.num_rows as u64))
    })
    .and_then(|cells| check_promise(cells, size))?;
    guarded("Parquet", || reader.finish())
}

/// Reads an Arrow IPC file (Feather version 2).
pub(super) fn read_ipc(bytes: &[u8]) -> Result<DataFrame> {
    guarded("Arrow IPC", || IpcReader::new(Cursor::new(bytes)).finish())
}

/// Refuses a file of `size` bytes that promises `cells` numbers.
fn check_promise(cells: u64, size: u64) -> Result<()> {
    let needed = cells.saturating_mul(8);
    if needed > ALWAYS_ALLOWED && needed > size.saturating_mul(MAX_GROWTH) {
        return Err(Error::format(format!(
            "promises {cells} cells in {size} bytes, which no table of measurements does"
        ))
        .help("the file is damaged or made to exhaust memory; export the table again"));
    }
    Ok(())
}

/// Calls the table library; its errors and its panics become errors about the file.
fn guarded<T>(format: &str, work: impl FnOnce() -> PolarsResult<T>) -> Result<T> {
    let damaged = |why: String| {
        Error::format(format!("is not a readable {format} file: {why}"))
            .help("export the table again")
    };
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|e| damaged(e.to_string())),
        Err(_) => Err(damaged("it is damaged".into())),
    }
}

/// Writes a Parquet file (zstd).
pub(super) fn write_parquet(frame: &DataFrame, target: &mut dyn Write) -> Result<()> {
    let mut frame = frame.clone();
    ParquetWriter::new(target).finish(&mut frame).map(drop).map_err(|e| cannot_write(&e))
}

/// Writes an uncompressed Arrow IPC file, which other programs can map into memory.
pub(super) fn write_ipc(frame: &DataFrame, target: &mut dyn Write) -> Result<()> {
    let mut frame = frame.clone();
    IpcWriter::new(target).finish(&mut frame).map_err(|e| cannot_write(&e))
}

fn cannot_write(error: &polars::error::PolarsError) -> Error {
    Error::io(format!("cannot be written: {error}"))
}
