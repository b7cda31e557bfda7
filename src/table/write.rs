//! A table becomes a file: CSV, TSV, gzip'd CSV, Parquet or Arrow IPC, by its suffix.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use polars::prelude::{
    BooleanChunked, Column, DataFrame, DataType, Float64Chunked, Int64Chunked, StringChunked,
};
use rayon::prelude::*;

use super::columnar;
use super::values::names;
use crate::error::{Error, Result};
use crate::output::{Existing, write_whole};

/// Writes a table whole or not at all; the suffix decides: .csv .tsv .csv.gz .tsv.gz .parquet .arrow .feather .ipc
///
/// In text, floats are the shortest that read back to the same bits, missing is empty, and text that a
/// spreadsheet would run as a formula gets an apostrophe in front, which reading takes off again.
///
/// # Errors
/// An unknown suffix, a file that must be kept, a folder that is missing or read-only, a column that is no
/// number, text or truth value.
pub fn write(frame: &DataFrame, path: impl AsRef<Path>, existing: Existing) -> Result<()> {
    write_measured(frame, None, path, existing)
}

/// As [`write()`], for a table whose lengths are in `length_unit` (pixels when `None`).
///
/// Parquet and Arrow files hold role, unit and definition of every column as JSON under the key
/// `polariscope` of their schema's metadata; [`Table::open`](super::Table::open) finds the unit there again.
///
/// # Errors
/// As [`write()`].
pub fn write_measured(
    frame: &DataFrame,
    length_unit: Option<&str>,
    path: impl AsRef<Path>,
    existing: Existing,
) -> Result<()> {
    let path = path.as_ref();
    let form = Form::of(path)?;
    write_whole(path, existing, |target| match form {
        Form::Delimited { delimiter, gzipped: false } => write_text(frame, delimiter, target),
        Form::Delimited { delimiter, gzipped: true } => {
            // The header of gzip carries no time, so that the same table gives the same bytes.
            let mut packed = GzEncoder::new(target, Compression::default());
            write_text(frame, delimiter, &mut packed)?;
            packed.finish().map(drop).map_err(|e| failed(&e))
        }
        Form::Parquet => columnar::write_parquet(frame, length_unit, target),
        Form::Ipc => columnar::write_ipc(frame, length_unit, target),
    })
}

/// Writes CSV as [`write()`] does, to standard output for instance.
///
/// ```
/// use polariscope::table::{Table, write_csv};
/// let table = Table::from_bytes("t.csv", b"name,area\n=1+1,2.50\nb,\n")?;
/// let mut text = Vec::new();
/// write_csv(&table.frame, &mut text)?;
/// assert_eq!(String::from_utf8_lossy(&text), "name,area\n'=1+1,2.5\nb,\n");
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # Errors
/// When the target refuses, or a column is no number, text or truth value.
pub fn write_csv(frame: &DataFrame, target: &mut dyn Write) -> Result<()> {
    write_text(frame, b',', target)
}

/// Whether [`write()`] knows the suffix; to refuse before hours of work and not after.
///
/// # Errors
/// Names the suffixes there are.
pub fn check_suffix(path: impl AsRef<Path>) -> Result<()> {
    Form::of(path.as_ref()).map(drop)
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Delimited { delimiter: u8, gzipped: bool },
    Parquet,
    Ipc,
}

impl Form {
    fn of(path: &Path) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let (gzipped, name) = match name.strip_suffix(".gz") {
            Some(inner) => (true, inner),
            None => (false, name.as_str()),
        };
        let suffix = name.rsplit_once('.').map_or("", |(_, suffix)| suffix);
        match (suffix, gzipped) {
            ("csv", _) => Ok(Self::Delimited { delimiter: b',', gzipped }),
            ("tsv", _) => Ok(Self::Delimited { delimiter: b'\t', gzipped }),
            ("parquet", false) => Ok(Self::Parquet),
            ("arrow" | "feather" | "ipc", false) => Ok(Self::Ipc),
            _ => Err(Error::io("tables are not written in a format of this name")
                .in_file(path)
                .help("end the name in .csv, .tsv, .csv.gz, .parquet or .arrow")),
        }
    }
}

/// Rows formatted by one thread at a time, and such blocks in memory at a time.
const BLOCK: usize = 8192;
const WAVE: usize = 64;

fn write_text(frame: &DataFrame, delimiter: u8, target: &mut dyn Write) -> Result<()> {
    let columns = frame.columns().iter().map(plain).collect::<Result<Vec<_>>>()?;
    let cells = columns.iter().map(Cells::of).collect::<Result<Vec<_>>>()?;
    let mut header = Vec::new();
    for (i, name) in names(frame).enumerate() {
        if i > 0 {
            header.push(delimiter);
        }
        push_text(name, delimiter, &mut header);
    }
    header.push(b'\n');
    target.write_all(&header).map_err(|e| failed(&e))?;
    let starts: Vec<usize> = (0..frame.height()).step_by(BLOCK).collect();
    for wave in starts.chunks(WAVE) {
        let block = |&start: &usize| {
            let rows = start..(start + BLOCK).min(frame.height());
            format_rows(&cells, rows, delimiter)
        };
        let texts: Vec<Vec<u8>> = wave.par_iter().map(block).collect();
        for text in texts {
            target.write_all(&text).map_err(|e| failed(&e))?;
        }
    }
    Ok(())
}

fn format_rows(cells: &[Cells], rows: std::ops::Range<usize>, delimiter: u8) -> Vec<u8> {
    let mut text = Vec::with_capacity(rows.len() * cells.len() * 12);
    for row in rows {
        for (i, column) in cells.iter().enumerate() {
            if i > 0 {
                text.push(delimiter);
            }
            column.push(row, cells.len() == 1, delimiter, &mut text);
        }
        text.push(b'\n');
    }
    text
}

/// A column in the types that can be written, in one piece.
fn plain(column: &Column) -> Result<Column> {
    let target = match column.dtype() {
        DataType::Boolean => DataType::Boolean,
        // As digits: the upper half of them is no Int64.
        DataType::UInt64 => DataType::String,
        d if d.is_integer() => DataType::Int64,
        d if d.is_primitive_numeric() => DataType::Float64,
        _ => DataType::String,
    };
    let cast = column.cast(&target).map_err(|_| {
        Error::data(format!("holds {}, which cannot be written as text", column.dtype()))
            .at_column(column.name().as_str())
    })?;
    Ok(cast.rechunk())
}

/// A column ready for being written cell by cell.
enum Cells<'a> {
    Bool(&'a BooleanChunked),
    Int(&'a Int64Chunked),
    Float(&'a Float64Chunked),
    Text(&'a StringChunked),
}

impl<'a> Cells<'a> {
    fn of(column: &'a Column) -> Result<Self> {
        let cells = match column.dtype() {
            DataType::Boolean => column.bool().map(Self::Bool),
            DataType::Int64 => column.i64().map(Self::Int),
            DataType::Float64 => column.f64().map(Self::Float),
            _ => column.str().map(Self::Text),
        };
        cells.map_err(|e| Error::internal(e.to_string()))
    }

    /// Appends one cell. A missing value alone in its row is written as `NA`: an empty line would be no row.
    fn push(&self, row: usize, alone: bool, delimiter: u8, text: &mut Vec<u8>) {
        let start = text.len();
        match self {
            Self::Bool(values) => {
                let word = |v| if v { "true" } else { "false" };
                text.extend_from_slice(values.get(row).map_or("", word).as_bytes());
            }
            Self::Int(values) => {
                if let Some(value) = values.get(row) {
                    let _ = write!(text, "{value}");
                }
            }
            Self::Float(values) => {
                if let Some(value) = values.get(row).filter(|v| v.is_finite()) {
                    push_float(value, text);
                }
            }
            Self::Text(values) => push_text(values.get(row).unwrap_or_default(), delimiter, text),
        }
        if alone && text.len() == start {
            text.extend_from_slice(b"NA");
        }
    }
}

/// The shortest digits that read back to the same bits; `1.0` keeps its point and stays a float.
pub(super) fn push_float(value: f64, text: &mut Vec<u8>) {
    // The JSON writer uses the fastest known algorithm; finite numbers cannot fail.
    let _ = serde_json::to_writer(text, &value);
}

/// Quoted where the text would otherwise not come back, with an apostrophe where it would be run.
fn push_text(cell: &str, delimiter: u8, text: &mut Vec<u8>) {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let padded = cell.trim().len() < cell.len();
    let special = |b: u8| b == delimiter || matches!(b, b'"' | b'\n' | b'\r');
    let quote = padded || cell.bytes().any(special);
    if quote {
        text.push(b'"');
    }
    if formula {
        text.push(b'\'');
    }
    for &b in cell.as_bytes() {
        if b == b'"' {
            text.push(b'"');
        }
        text.push(b);
    }
    if quote {
        text.push(b'"');
    }
}

fn failed(error: &std::io::Error) -> Error {
    Error::io(format!("cannot be written: {error}")).help("check that the disk has room")
}
