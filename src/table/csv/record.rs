//! Where records end and how a record falls into cells, quotes and all.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memchr2};

/// What stands between two cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delimiter {
    /// This character, once.
    Byte(u8),
    /// Any run of blanks and tabs: columns aligned for the eye.
    Blanks,
}

impl Delimiter {
    fn is(self, byte: u8) -> bool {
        match self {
            Self::Byte(delimiter) => byte == delimiter,
            Self::Blanks => byte == b' ' || byte == b'\t',
        }
    }

    /// Blanks that only pad a cell.
    fn is_padding(self, byte: u8) -> bool {
        matches!(byte, b' ' | b'\t' | b'\r') && !matches!(self, Self::Byte(d) if d == byte)
    }

    /// How to call it in a sentence.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Byte(b',') => "commas",
            Self::Byte(b';') => "semicolons",
            Self::Byte(b'\t') => "tabs",
            Self::Byte(_) => "bars",
            Self::Blanks => "blanks",
        }
    }
}

/// A quote was opened at this byte and never closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unclosed(pub usize);

/// The byte after the newline that ends the record starting at `start`, or `None` when the text ends first.
///
/// A quote counts only where a cell begins: an inch mark inside a cell does not swallow the file.
pub(super) fn record_end(
    text: &[u8],
    start: usize,
    delimiter: Delimiter,
) -> Result<Option<usize>, Unclosed> {
    let mut at = start;
    while let Some(found) = memchr2(b'"', b'\n', &text[at..]) {
        let position = at + found;
        if text[position] == b'\n' {
            return Ok(Some(position + 1));
        }
        at = if opens_cell(&text[start..position], delimiter) {
            closing_quote(text, position).ok_or(Unclosed(position))?
        } else {
            position + 1
        };
    }
    Ok(None)
}

/// Whether a quote after `before` (the record so far) stands at the start of a cell.
fn opens_cell(before: &[u8], delimiter: Delimiter) -> bool {
    before.iter().rev().find(|&&b| !delimiter.is_padding(b)).is_none_or(|&b| delimiter.is(b))
}

/// The byte after the quote that closes the one at `open`; doubled quotes are characters.
fn closing_quote(text: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        let close = at + memchr(b'"', text.get(at..)?)?;
        if text.get(close + 1) != Some(&b'"') {
            return Some(close + 1);
        }
        at = close + 2;
    }
}

/// Hands each cell of a record that contains no quote to `cell`, trimmed; returns their number.
#[inline]
pub(super) fn split_plain<'a>(
    record: &'a str,
    delimiter: Delimiter,
    mut cell: impl FnMut(usize, &'a str),
) -> usize {
    let mut n = 0;
    match delimiter {
        Delimiter::Byte(byte) => {
            let mut start = 0;
            for end in memchr_iter(byte, record.as_bytes()) {
                cell(n, trimmed(&record[start..end]));
                (n, start) = (n + 1, end + 1);
            }
            cell(n, trimmed(&record[start..]));
            n + 1
        }
        Delimiter::Blanks => {
            for text in record.split_ascii_whitespace() {
                cell(n, text);
                n += 1;
            }
            n
        }
    }
}

/// Most cells have nothing to trim.
#[inline]
fn trimmed(text: &str) -> &str {
    match text.as_bytes() {
        [] => text,
        [first, .., last] if *first > b' ' && *last > b' ' && *last < 0x80 && *first < 0x80 => text,
        _ => text.trim(),
    }
}

/// Like [`split_plain`], for a record with quotes.
pub(super) fn split_quoted(
    record: &str,
    delimiter: Delimiter,
    mut cell: impl FnMut(usize, &str),
) -> usize {
    let bytes = record.as_bytes();
    let (mut at, mut n) = (0, 0);
    loop {
        while at < bytes.len() && delimiter.is_padding(bytes[at])
            || at < bytes.len() && delimiter == Delimiter::Blanks && delimiter.is(bytes[at])
        {
            at += 1;
        }
        if at == bytes.len() && delimiter == Delimiter::Blanks {
            return n;
        }
        let end = cell_end(bytes, at, delimiter);
        cell(n, unquoted(&record[at..end]).trim());
        n += 1;
        if end == bytes.len() {
            return n;
        }
        at = end + 1;
    }
}

/// The delimiter that ends the cell starting at `start`, or the end of the record.
fn cell_end(record: &[u8], start: usize, delimiter: Delimiter) -> usize {
    let after_quotes = match record.get(start) {
        Some(b'"') => closing_quote(record, start).unwrap_or(record.len()),
        _ => start,
    };
    let rest = &record[after_quotes..];
    after_quotes + rest.iter().position(|&b| delimiter.is(b)).unwrap_or(rest.len())
}

/// The content of a cell whose first character may be a quote.
fn unquoted(cell: &str) -> Cow<'_, str> {
    let Some(inner) = cell.strip_prefix('"') else { return Cow::Borrowed(cell) };
    let close = closing_quote(cell.as_bytes(), 0).map_or(inner.len(), |after| after - 2);
    let (inside, outside) = inner.split_at(close);
    let outside = outside.strip_prefix('"').unwrap_or(outside).trim_end();
    if outside.is_empty() && !inside.contains('"') {
        return Cow::Borrowed(inside);
    }
    Cow::Owned(inside.replace("\"\"", "\"") + outside)
}

/// The cells of a record as owned text; for headers and samples.
pub(super) fn cells(record: &str, delimiter: Delimiter) -> Vec<String> {
    let mut cells = Vec::new();
    split_quoted(record, delimiter, |_, text| cells.push(text.to_owned()));
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMA: Delimiter = Delimiter::Byte(b',');

    fn check(record: &str, delimiter: Delimiter, expected: &[&str]) {
        assert_eq!(cells(record, delimiter), expected, "{record:?}");
        if !record.contains('"') {
            let mut plain = Vec::new();
            split_plain(record, delimiter, |_, text| plain.push(text.to_owned()));
            assert_eq!(plain, expected, "{record:?}");
        }
    }

    #[test]
    fn records_fall_into_cells() {
        check("a,b", COMMA, &["a", "b"]);
        check("a, b ,", COMMA, &["a", "b", ""]);
        check("", COMMA, &[""]);
        check(",", COMMA, &["", ""]);
        check("\"a,b\", \"say \"\"hi\"\"\",c", COMMA, &["a,b", "say \"hi\"", "c"]);
        check("5\" tube,\"x\"y", COMMA, &["5\" tube", "xy"]);
        check("\"two\nlines\",1", COMMA, &["two\nlines", "1"]);
        check("\"open", COMMA, &["open"]);
        check("\"", COMMA, &[""]);
        check("  1   2.5 ", Delimiter::Blanks, &["1", "2.5"]);
        check("\"a b\" c", Delimiter::Blanks, &["a b", "c"]);
        check("a\t\tb", Delimiter::Byte(b'\t'), &["a", "", "b"]);
        check("µ , ñ", COMMA, &["µ", "ñ"]);
    }

    #[test]
    fn records_end_outside_quotes_only() {
        let end = |text: &str| record_end(text.as_bytes(), 0, COMMA);
        assert_eq!(end("a,b\nc"), Ok(Some(4)));
        assert_eq!(end("a,\"b\nc\"\nd"), Ok(Some(8)));
        assert_eq!(end("a, \"b\n\"\"c\"\nd"), Ok(Some(11)));
        assert_eq!(end("5\" tube\nd"), Ok(Some(8)));
        assert_eq!(end("a,b"), Ok(None));
        assert_eq!(end("a,\"b\n"), Err(Unclosed(2)));
    }
}
