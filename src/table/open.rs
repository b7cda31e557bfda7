//! A file or bytes of any known kind become a table, or an error that says what to do.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use polars::prelude::{Column, DataFrame, DataType, Float64Chunked, IntoColumn, NewChunkedArray};

use super::text::Text;
use super::{columnar, csv};
use crate::error::{Error, Result, cannot_open};

/// A table as it was read, in file order, and what the reader had to decide.
///
/// Numbers are `i64` or `f64`, text `String`, truth values `bool`. Missing is null: an empty cell, `NA`, `N/A`, `nan`,
/// `null` and the like, and also an infinite number, which no measurement is (a warning says where).
///
/// ```
/// use polariscope::table::Table;
/// let table = Table::from_bytes("cells.csv", b"label;area\n1;10,5\n2;NA\n")?;
/// assert_eq!(table.frame.shape(), (2, 2));
/// assert_eq!(table.frame.column("area")?.f64()?.get(0), Some(10.5));
/// assert_eq!(table.frame.column("area")?.null_count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Table {
    /// Rows and columns in file order.
    pub frame: DataFrame,
    /// Sentences about what was repaired, skipped or read as missing, with line and column.
    pub warnings: Vec<String>,
    /// The unit of lengths (`µm`), where the file or the measured image tells it; pixels otherwise.
    pub length_unit: Option<String>,
}

impl From<DataFrame> for Table {
    /// A table that was made, not read: nothing to warn of.
    fn from(frame: DataFrame) -> Self {
        Self { frame, warnings: Vec::new(), length_unit: None }
    }
}

impl Table {
    /// Reads CSV, TSV, other delimited or aligned text, the same gzip'd, Parquet, and Arrow IPC.
    ///
    /// The content decides; the suffix only breaks ties. Text may be UTF-8, UTF-16 or Latin-1, with points or commas
    /// as decimal marks, with a row of units under the header.
    ///
    /// # Errors
    /// A file that is missing, empty, a folder, of an unknown kind or damaged; a line with too many or too
    /// few cells; a column name that stands twice; no rows. The error names file, line and column.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        open_file(path).map_err(|e| e.in_file(path))
    }

    /// Reads a table from memory (standard input, an archive); `name` stands in for the path.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self> {
        let path = Path::new(name);
        let kind = Kind::of(&bytes[..bytes.len().min(HEAD)]);
        let read = match kind {
            Kind::Text { gzipped } => read_text(Text::bytes(bytes, gzipped), path),
            kind => read_columnar(kind, bytes),
        };
        read.map_err(|e| e.in_file(path))
    }
}

/// Enough of a file to know its kind.
const HEAD: usize = 4096;

fn open_file(path: &Path) -> Result<Table> {
    if path.is_dir() {
        return Err(Error::io("is a folder, not a table").help("name one file in it"));
    }
    let mut file = File::open(path).map_err(|e| cannot_open(path, &e))?;
    let mut head = Vec::new();
    let cannot_read = |e: &std::io::Error| Error::io(format!("cannot be read: {e}"));
    file.by_ref().take(HEAD as u64).read_to_end(&mut head).map_err(|e| cannot_read(&e))?;
    match Kind::of(&head) {
        Kind::Text { gzipped } if file.metadata().is_ok_and(|m| m.is_file()) => {
            read_text(Text::file(path, gzipped), path)
        }
        // A pipe cannot be read twice.
        kind => {
            file.read_to_end(&mut head).map_err(|e| cannot_read(&e))?;
            match kind {
                Kind::Text { gzipped } => read_text(Text::bytes(&head, gzipped), path),
                kind => read_columnar(kind, &head),
            }
        }
    }
}

/// What a file is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text {
        gzipped: bool,
    },
    Parquet,
    Ipc,
    IpcStream,
    Empty,
    /// Something else, and what to do about it.
    Foreign(&'static str, &'static str),
}

impl Kind {
    fn of(head: &[u8]) -> Self {
        const TABLE: &str = "save the table as CSV or Parquet";
        const UNPACK: &str = "unpack it first";
        const IMAGE: &str = "measure it first: explore measure LABELS.tif -o TABLE.csv";
        match head {
            [] => Self::Empty,
            [0x1f, 0x8b, ..] => Self::Text { gzipped: true },
            [b'P', b'A', b'R', b'1', ..] => Self::Parquet,
            [b'A', b'R', b'R', b'O', b'W', b'1', ..] => Self::Ipc,
            [0xff, 0xff, 0xff, 0xff, _, _, _, 0, ..] => Self::IpcStream,
            [b'P', b'K', 3, 4, ..] => Self::Foreign("a zip archive or an Excel workbook", TABLE),
            [0xd0, 0xcf, 0x11, 0xe0, ..] => Self::Foreign("an old Excel workbook", TABLE),
            [0x89, b'H', b'D', b'F', ..] => Self::Foreign("an HDF5 file", TABLE),
            [b'S', b'Q', b'L', b'i', b't', b'e', ..] => Self::Foreign("an SQLite database", TABLE),
            [b'%', b'P', b'D', b'F', ..] => Self::Foreign("a PDF", TABLE),
            [b'F', b'E', b'A', b'1', ..] => Self::Foreign("an old Feather file (version 1)", TABLE),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Foreign("compressed with zstd", UNPACK),
            [b'B', b'Z', b'h', ..] => Self::Foreign("compressed with bzip2", UNPACK),
            [0xfd, b'7', b'z', b'X', b'Z', ..] => Self::Foreign("compressed with xz", UNPACK),
            [b'I', b'I', b'*' | b'+', 0, ..] | [b'M', b'M', 0, b'*' | b'+', ..] => {
                Self::Foreign("a TIFF image", IMAGE)
            }
            [0x89, b'P', b'N', b'G', ..] => Self::Foreign("a PNG image", IMAGE),
            [0xff, 0xd8, 0xff, ..] => Self::Foreign("a JPEG image", IMAGE),
            _ if is_markup(head) => {
                Self::Foreign("a web page, not a table", "download the file itself")
            }
            _ => Self::Text { gzipped: false },
        }
    }
}

fn is_markup(head: &[u8]) -> bool {
    let start: Vec<u8> =
        head.trim_ascii_start().iter().take(9).map(u8::to_ascii_lowercase).collect();
    start.starts_with(b"<!doctype") || start.starts_with(b"<html") || start.starts_with(b"<?xml")
}

fn read_text(text: Text, path: &Path) -> Result<Table> {
    let stem = match path.extension().and_then(|s| s.to_str()) {
        Some(suffix) if suffix.eq_ignore_ascii_case("gz") => path.with_extension(""),
        _ => path.to_path_buf(),
    };
    let suffix = stem.extension().and_then(|s| s.to_str()).unwrap_or_default().to_lowercase();
    let (text, mut warnings) = text.normalized()?;
    let mut outcome = csv::read(&text, &suffix)?;
    if let csv::Outcome::NotUtf8(line) = outcome {
        let (text, warning) = text.as_latin1(line)?;
        warnings.push(warning);
        outcome = csv::read(&text, &suffix)?;
    }
    let csv::Outcome::Table(frame, mut said) = outcome else {
        return Err(Error::internal("Latin-1 became a text that is not UTF-8"));
    };
    warnings.append(&mut said);
    Ok(Table { frame, warnings, length_unit: None })
}

fn read_columnar(kind: Kind, bytes: &[u8]) -> Result<Table> {
    let (frame, warnings, length_unit) = match kind {
        Kind::Parquet => columnar::read_parquet(bytes)?,
        Kind::Ipc => {
            let (frame, length_unit) = columnar::read_ipc(bytes)?;
            (frame, Vec::new(), length_unit)
        }
        Kind::IpcStream => (columnar::read_ipc_stream(bytes)?, Vec::new(), None),
        Kind::Foreign(what, remedy) => return Err(Error::format(format!("is {what}")).help(remedy)),
        Kind::Empty | Kind::Text { .. } => {
            return Err(Error::format("is empty").help("export the table again"));
        }
    };
    if frame.width() == 0 || frame.height() == 0 {
        return Err(Error::format(format!("has {} columns and no rows", frame.width()))
            .help("export the table again, with its measurements"));
    }
    Ok(Table { length_unit, ..plain_types(&frame, warnings)? })
}

/// The few types that the rest of the house works with, missing as null.
fn plain_types(frame: &DataFrame, mut warnings: Vec<String>) -> Result<Table> {
    let mut columns = Vec::with_capacity(frame.width());
    for column in frame.columns() {
        match plain_type(column, &mut warnings) {
            Some(plain) => columns.push(plain),
            None => warnings.push(format!(
                "column `{}`: holds {}, not numbers or text: left out",
                column.name(),
                column.dtype()
            )),
        }
    }
    let frame =
        DataFrame::new(frame.height(), columns).map_err(|e| Error::internal(e.to_string()))?;
    Ok(Table { frame, warnings, length_unit: None })
}

/// `None` for a column of anything but numbers, text and truth values.
fn plain_type(column: &Column, warnings: &mut Vec<String>) -> Option<Column> {
    let target = match column.dtype() {
        DataType::Boolean => DataType::Boolean,
        DataType::UInt64 | DataType::Null => DataType::Float64,
        d if d.is_integer() => DataType::Int64,
        d if d.is_float() || d.is_decimal() => DataType::Float64,
        d if d.is_nested() || d.is_object() || *d == DataType::Binary => return None,
        _ => DataType::String,
    };
    let column = column.cast(&target).ok()?;
    let Ok(values) = column.f64() else { return Some(column.rechunk()) };
    let infinite = values.iter().enumerate().filter(|(_, v)| v.is_some_and(f64::is_infinite));
    let (first, count) =
        infinite.fold((None, 0), |(first, n), (row, _)| (first.or(Some(row)), n + 1));
    if let Some(row) = first {
        let more = if count == 1 { String::new() } else { format!(" ({count} such cells)") };
        let name = column.name();
        warnings.push(format!("row {}, column `{name}`: infinite: read as missing{more}", row + 1));
    }
    if !values.iter().any(|v| v.is_some_and(|v| !v.is_finite())) {
        return Some(column.rechunk());
    }
    let present = values.iter().map(|v| v.filter(|v| v.is_finite()));
    Some(Float64Chunked::from_iter_options(column.name().clone(), present).into_column())
}
