//! Any text file becomes UTF-8 with newlines: gz, byte order marks, UTF-16, Latin-1, old Macintosh line ends.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::error::{Error, Result};

/// A text that can be read several times from its start.
pub(super) struct Text<'a> {
    source: Source<'a>,
    gzipped: bool,
}

enum Source<'a> {
    File(&'a Path),
    Bytes(Cow<'a, [u8]>),
}

/// Measurements shrink to a fifth; a text that grows a hundredfold and beyond this size was made to do harm.
const MAX_GROWTH: u64 = 100;
const ALWAYS_ALLOWED: u64 = 256 << 20;

impl<'a> Text<'a> {
    pub(super) fn file(path: &'a Path, gzipped: bool) -> Self {
        Self { source: Source::File(path), gzipped }
    }

    pub(super) fn bytes(bytes: &'a [u8], gzipped: bool) -> Self {
        Self { source: Source::Bytes(Cow::Borrowed(bytes)), gzipped }
    }

    /// The text from its start.
    pub(super) fn reader(&self) -> Result<Box<dyn Read + '_>> {
        let (raw, size): (Box<dyn Read>, u64) = match &self.source {
            Source::File(path) => {
                let file = File::open(path).map_err(|e| self.cannot_read(&e))?;
                let size = file.metadata().map_or(0, |m| m.len());
                (Box::new(file), size)
            }
            Source::Bytes(bytes) => (Box::new(Cursor::new(&bytes[..])), bytes.len() as u64),
        };
        if !self.gzipped {
            return Ok(raw);
        }
        let limit = ALWAYS_ALLOWED.max(size.saturating_mul(MAX_GROWTH));
        Ok(Box::new(Limited { inner: MultiGzDecoder::new(raw), left: limit }))
    }

    /// The error for a system or decompression failure.
    pub(super) fn cannot_read(&self, error: &std::io::Error) -> Error {
        let what = if self.gzipped { "cannot be unpacked" } else { "cannot be read" };
        let error = Error::io(format!("{what}: {error}"));
        if self.gzipped {
            error.help("unpack it with gunzip to see whether it is complete")
        } else {
            error
        }
    }

    /// The first `length` bytes as text, and whether that is all.
    pub(super) fn head(&self, length: usize) -> Result<(String, bool)> {
        let mut bytes = Vec::new();
        let mut reader = self.reader()?.take(length as u64 + 1);
        reader.read_to_end(&mut bytes).map_err(|e| self.cannot_read(&e))?;
        let whole = bytes.len() <= length;
        bytes.truncate(length);
        if !whole
            && let Err(e) = std::str::from_utf8(&bytes)
            && e.error_len().is_none()
        {
            bytes.truncate(e.valid_up_to());
        }
        if let Some(at) = memchr::memchr(0, &bytes) {
            let line = 1 + memchr::memchr_iter(b'\n', &bytes[..at]).count();
            return Err(Error::format("a NUL byte: the file is damaged, or no text")
                .at_row(line)
                .help("export the table again as text"));
        }
        let head =
            String::from_utf8(bytes).map_err(|_| Error::internal("the text is not UTF-8"))?;
        Ok((head, whole))
    }

    /// The same text in UTF-8 with newlines, and what had to be done for that.
    ///
    /// Nearly every file is that already and is not copied; the others are read into memory as a whole.
    pub(super) fn normalized(self) -> Result<(Self, Vec<String>)> {
        let Some(kind) = self.oddity()? else { return Ok((self, Vec::new())) };
        let mut bytes = Vec::new();
        self.reader()?.read_to_end(&mut bytes).map_err(|e| self.cannot_read(&e))?;
        let mut warnings = Vec::new();
        let text = match kind {
            Oddity::Utf16(order) => utf16(&bytes, order)?,
            Oddity::Mark => bytes.split_off(3),
            Oddity::Latin1(line) => {
                warnings.push(format!(
                    "line {line}: not UTF-8: the file is read as Latin-1 (Windows-1252)"
                ));
                latin1(&bytes).into_bytes()
            }
            Oddity::Returns => bytes,
        };
        let text = if memchr::memchr(b'\n', &text).is_none() {
            text.into_iter().map(|b| if b == b'\r' { b'\n' } else { b }).collect()
        } else {
            text
        };
        let next = Text { source: Source::Bytes(Cow::Owned(text)), gzipped: false };
        // A marked text may still be Latin-1 or have old line ends.
        let (next, mut later) =
            if kind == Oddity::Mark { next.normalized()? } else { (next, Vec::new()) };
        warnings.append(&mut later);
        Ok((next, warnings))
    }

    /// What keeps the text from being read as it is.
    fn oddity(&self) -> Result<Option<Oddity>> {
        let mut reader = self.reader()?;
        let (mut chunk, mut lines, mut start) = (Vec::new(), 0, true);
        let (mut returns, mut newlines) = (false, false);
        loop {
            let left = chunk.len();
            let wanted = (4 << 20) - left;
            let got = (&mut reader).take(wanted as u64).read_to_end(&mut chunk);
            let end = got.map_err(|e| self.cannot_read(&e))? < wanted;
            if start {
                match &chunk[..] {
                    [0xef, 0xbb, 0xbf, ..] => return Ok(Some(Oddity::Mark)),
                    [0xff, 0xfe, ..] => return Ok(Some(Oddity::Utf16(Order::Little))),
                    [0xfe, 0xff, ..] => return Ok(Some(Oddity::Utf16(Order::Big))),
                    // ASCII in UTF-16 without a mark: every other byte is 0.
                    [a, 0, b, 0, ..] if *a != 0 && *b != 0 => {
                        return Ok(Some(Oddity::Utf16(Order::Little)));
                    }
                    [0, a, 0, b, ..] if *a != 0 && *b != 0 => {
                        return Ok(Some(Oddity::Utf16(Order::Big)));
                    }
                    _ => start = false,
                }
            }
            let valid = match std::str::from_utf8(&chunk) {
                Ok(_) => chunk.len(),
                Err(e) if e.error_len().is_none() && !end => e.valid_up_to(),
                Err(e) => {
                    lines += memchr::memchr_iter(b'\n', &chunk[..e.valid_up_to()]).count();
                    return Ok(Some(Oddity::Latin1(lines + 1)));
                }
            };
            returns |= !newlines && memchr::memchr(b'\r', &chunk).is_some();
            newlines |= memchr::memchr(b'\n', &chunk).is_some();
            if end {
                return Ok((returns && !newlines).then_some(Oddity::Returns));
            }
            lines += memchr::memchr_iter(b'\n', &chunk[..valid]).count();
            chunk.drain(..valid);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Oddity {
    /// UTF-8 with a byte order mark.
    Mark,
    Utf16(Order),
    /// Not UTF-8 from this line on.
    Latin1(usize),
    /// Lines end with a carriage return alone.
    Returns,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

fn utf16(bytes: &[u8], order: Order) -> Result<Vec<u8>> {
    let (pairs, _) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|&pair| match order {
        Order::Little => u16::from_le_bytes(pair),
        Order::Big => u16::from_be_bytes(pair),
    });
    let mut text = String::with_capacity(bytes.len());
    let mut lines = 1;
    for c in char::decode_utf16(units) {
        let Ok(c) = c else {
            return Err(Error::format("damaged UTF-16")
                .at_row(lines)
                .help("export the table as UTF-8"));
        };
        lines += usize::from(c == '\n');
        text.push(c);
    }
    Ok(text.trim_start_matches('\u{feff}').as_bytes().to_vec())
}

/// Windows-1252, which is Latin-1 with letters and signs where Latin-1 has control characters.
fn latin1(bytes: &[u8]) -> String {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    let decode = |&b: &u8| match b {
        0x80..=0x9f => HIGH[usize::from(b - 0x80)],
        _ => char::from(b),
    };
    bytes.iter().map(decode).collect()
}

/// A reader that gives up on a text that grows out of all proportion.
struct Limited<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(n as u64).ok_or_else(|| {
            std::io::Error::other(format!("it grows more than {MAX_GROWTH} times in unpacking"))
        })?;
        Ok(n)
    }
}
