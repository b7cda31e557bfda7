//! What the pages of a Parquet column promise, read from their headers alone.
//!
//! The table library trusts these numbers when it allocates; here they are compared with the file first.
//! Page headers are Thrift structs in the compact protocol (parquet.thrift: `PageHeader`).

use std::ops::Range;

/// What one page says about itself.
#[derive(Debug, Default, PartialEq)]
struct Page {
    kind: i64,
    uncompressed: i64,
    compressed: i64,
    values: i64,
}

/// Values of `PageType`.
const DATA: i64 = 0;
const DICTIONARY: i64 = 2;
const DATA_V2: i64 = 3;

/// The uncompressed bytes of a column chunk of `rows` values at `range` of the file, or what is wrong with it.
pub(super) fn promised(file: &[u8], range: Range<u64>, rows: u64) -> Result<u64, &'static str> {
    let chunk = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
    let chunk =
        chunk.filter(|(start, end)| start <= end).and_then(|(start, end)| file.get(start..end));
    let mut rest = chunk.ok_or("a column lies outside the file")?;
    let (mut seen, mut bytes) = (0, 0);
    while seen < rows {
        let page = Page::read(&mut rest).ok_or("a page header is damaged")?;
        let size = usize::try_from(page.compressed).map_err(|_| "a page has a negative size")?;
        rest = rest.get(size..).ok_or("a page is larger than its column")?;
        let values =
            u64::try_from(page.values).map_err(|_| "a page has a negative number of values")?;
        bytes += u64::try_from(page.uncompressed).map_err(|_| "a page has a negative size")?;
        match page.kind {
            DATA | DATA_V2 => seen += values,
            // A dictionary of more values than rows is possible, but never by much more than the page can hold.
            DICTIONARY if values <= rows.max(8 * bytes) => {}
            DICTIONARY => return Err("a dictionary promises more values than it holds"),
            _ => return Err("a page is of an unknown kind"),
        }
    }
    if seen > rows { Err("a page promises more values than the table has rows") } else { Ok(bytes) }
}

impl Page {
    /// Takes a header off the front of `bytes`.
    fn read(bytes: &mut &[u8]) -> Option<Self> {
        let mut page = Self::default();
        let mut field = 0;
        while let Some(kind) = next_field(bytes, &mut field)? {
            match (field, kind) {
                (1, Kind::Integer) => page.kind = integer(bytes)?,
                (2, Kind::Integer) => page.uncompressed = integer(bytes)?,
                (3, Kind::Integer) => page.compressed = integer(bytes)?,
                // The headers of the three kinds of pages all begin with the number of values.
                (5 | 7 | 8, Kind::Struct) => {
                    let mut inner = 0;
                    while let Some(kind) = next_field(bytes, &mut inner)? {
                        match (inner, kind) {
                            (1, Kind::Integer) => page.values = integer(bytes)?,
                            _ => skip(bytes, kind, 0)?,
                        }
                    }
                }
                _ => skip(bytes, kind, 0)?,
            }
        }
        Some(page)
    }
}

/// Types of the compact protocol, as far as their lengths differ.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Bool,
    Byte,
    Integer,
    Double,
    Binary,
    List,
    Struct,
}

impl Kind {
    fn of(code: u8) -> Option<Self> {
        Some(match code {
            1 | 2 => Self::Bool,
            3 => Self::Byte,
            4..=6 => Self::Integer,
            7 => Self::Double,
            8 => Self::Binary,
            9 | 10 => Self::List,
            12 => Self::Struct,
            _ => return None,
        })
    }
}

/// The type of the next field, whose number is left in `field`; the inner `None` ends the struct.
#[expect(
    clippy::option_option,
    reason = "damaged, the end, and a field are three different things"
)]
fn next_field(bytes: &mut &[u8], field: &mut i64) -> Option<Option<Kind>> {
    let head = byte(bytes)?;
    if head == 0 {
        return Some(None);
    }
    *field = match head >> 4 {
        0 => integer(bytes)?,
        step => *field + i64::from(step),
    };
    Some(Some(Kind::of(head & 15)?))
}

fn byte(bytes: &mut &[u8]) -> Option<u8> {
    let (first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*first)
}

/// A number in zigzag and seven bits a byte.
fn integer(bytes: &mut &[u8]) -> Option<i64> {
    let value = length(bytes)?;
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}

/// An unsigned number in seven bits a byte.
fn length(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let next = byte(bytes)?;
        value |= u64::from(next & 0x7f) << shift;
        if next < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Steps over a value of a struct; lists and structs only nest so deep in a page header.
fn skip(bytes: &mut &[u8], kind: Kind, depth: usize) -> Option<()> {
    let take = |bytes: &mut &[u8], n: u64| {
        *bytes = bytes.get(usize::try_from(n).ok()?..)?;
        Some(())
    };
    match kind {
        _ if depth > 8 => None,
        Kind::Bool => Some(()),
        Kind::Byte => take(bytes, 1),
        Kind::Integer => length(bytes).map(drop),
        Kind::Double => take(bytes, 8),
        Kind::Binary => {
            let n = length(bytes)?;
            take(bytes, n)
        }
        Kind::List => {
            let head = byte(bytes)?;
            let n = if head >> 4 == 15 { length(bytes)? } else { u64::from(head >> 4) };
            let kind = Kind::of(head & 15)?;
            // Truth values take a byte each in a list.
            let kind = if kind == Kind::Bool { Kind::Byte } else { kind };
            (0..n).try_for_each(|_| skip(bytes, kind, depth + 1))
        }
        Kind::Struct => {
            let mut field = 0;
            while let Some(kind) = next_field(bytes, &mut field)? {
                skip(bytes, kind, depth + 1)?;
            }
            Some(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A v1 data page of 3 values, 4 bytes: fields 1, 2, 3 and the struct 5.
    const HEADER: [u8; 12] = [0x15, 0, 0x15, 8, 0x15, 8, 0x2c, 0x15, 6, 0x15, 0, 0];

    #[test]
    fn pages_add_up() {
        let mut file = HEADER.to_vec();
        file.extend([0, 9, 9, 9, 9]);
        assert_eq!(promised(&file, 0..17, 3), Ok(4));
        assert!(promised(&file, 0..17, 2).is_err_and(|e| e.contains("more values")));
        assert!(promised(&file, 0..17, 4).is_err_and(|e| e.contains("damaged")));
        assert!(promised(&file, 0..18, 3).is_err_and(|e| e.contains("outside")));
        assert!(promised(&file, 0..16, 3).is_err_and(|e| e.contains("larger")));
    }

    #[test]
    fn damage_is_never_followed_far() {
        for nested in
            [vec![0x1c; 4000], vec![0x19; 4000], vec![0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x7f, 1]]
        {
            assert!(Page::read(&mut &nested[..]).is_none());
        }
    }
}
