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

    /// The first bytes, and whether that is all.
    fn start(&self, length: usize) -> Result<(Vec<u8>, bool)> {
        let mut bytes = Vec::new();
        let mut reader = self.reader()?.take(length as u64 + 1);
        reader.read_to_end(&mut bytes).map_err(|e| self.cannot_read(&e))?;
        let whole = bytes.len() <= length;
        bytes.truncate(length);
        Ok((bytes, whole))
    }

    /// The first `length` bytes as text, and whether that is all.
    pub(super) fn head(&self, length: usize) -> Result<(String, bool)> {
        let (mut bytes, whole) = self.start(length)?;
        if let Err(e) = std::str::from_utf8(&bytes)
            && e.error_len().is_none()
        {
            // Cut in the middle of a character.
            bytes.truncate(e.valid_up_to());
        }
        if let Some(at) = memchr::memchr(0, &bytes) {
            return Err(nul().at_row(1 + memchr::memchr_iter(b'\n', &bytes[..at]).count()));
        }
        let head =
            String::from_utf8(bytes).map_err(|_| Error::internal("the text is not UTF-8"))?;
        Ok((head, whole))
    }

    /// The same text in UTF-8 with newlines, as far as its beginning tells.
    ///
    /// Nearly every file is that already and is not copied; the others are read into memory as a whole.
    pub(super) fn normalized(self) -> Result<(Self, Vec<String>)> {
        let (start, whole) = self.start(1 << 20)?;
        let text = match &start[..] {
            [0xff, 0xfe, ..] => utf16(&self.all()?[2..], u16::from_le_bytes)?,
            [0xfe, 0xff, ..] => utf16(&self.all()?[2..], u16::from_be_bytes)?,
            // ASCII in UTF-16 without a mark: every other byte is 0.
            [1..=255, 0, 1..=255, 0, ..] => utf16(&self.all()?, u16::from_le_bytes)?,
            [0, 1..=255, 0, 1..=255, ..] => utf16(&self.all()?, u16::from_be_bytes)?,
            [0xef, 0xbb, 0xbf, ..] => {
                let (text, warnings) = Self::replaced(self.all()?.split_off(3)).normalized()?;
                return Ok((text, warnings));
            }
            start => match std::str::from_utf8(start) {
                Err(e) if e.error_len().is_some() || whole => {
                    let line = 1 + memchr::memchr_iter(b'\n', &start[..e.valid_up_to()]).count();
                    let (text, warning) = self.as_latin1(line)?;
                    return Ok((text, vec![warning]));
                }
                _ if old_macintosh(start) => self.all()?,
                _ => return Ok((self, Vec::new())),
            },
        };
        Ok((Self::replaced(text), Vec::new()))
    }

    /// The same text read as Latin-1, because a byte in this line is no UTF-8.
    pub(super) fn as_latin1(&self, line: usize) -> Result<(Text<'static>, String)> {
        let text = Self::replaced(latin1(&self.all()?).into_bytes());
        Ok((text, format!("line {line}: not UTF-8: the file is read as Latin-1 (Windows-1252)")))
    }

    fn all(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader()?.read_to_end(&mut bytes).map_err(|e| self.cannot_read(&e))?;
        Ok(bytes)
    }

    /// Another text in memory, with newlines.
    fn replaced(mut text: Vec<u8>) -> Text<'static> {
        if old_macintosh(&text) {
            text.iter_mut().filter(|b| **b == b'\r').for_each(|b| *b = b'\n');
        }
        Text { source: Source::Bytes(Cow::Owned(text)), gzipped: false }
    }
}

/// Whether lines end with a carriage return alone.
fn old_macintosh(text: &[u8]) -> bool {
    memchr::memchr(b'\n', text).is_none() && memchr::memchr(b'\r', text).is_some()
}

/// The error for a byte that no text has.
pub(super) fn nul() -> Error {
    Error::format("a NUL byte: the file is damaged, or no text")
        .help("export the table again as text")
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Vec<u8>> {
    let (pairs, _) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len());
    for c in char::decode_utf16(pairs.iter().map(|&pair| unit(pair))) {
        let Ok(c) = c else {
            let line = 1 + memchr::memchr_iter(b'\n', text.as_bytes()).count();
            return Err(Error::format("damaged UTF-16")
                .at_row(line)
                .help("export the table as UTF-8"));
        };
        text.push(c);
    }
    Ok(text.into_bytes())
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
