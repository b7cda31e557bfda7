//! Text becomes a table: sniffed, cut into blocks at record ends, read in parallel, told with line numbers.
//!
//! The file is read in segments of fixed size, each cut into blocks of fixed size; blocks are read by any
//! thread and put together in order, so that the table does not depend on the number of threads, and so that
//! never more than a segment of text is in memory beside the numbers.

mod block;
mod cell;
mod dialect;
mod join;
mod record;

use std::io::Read;

use memchr::memchr;
use polars::prelude::DataFrame;
use rayon::prelude::*;

use self::block::{Block, Layout, Plan};
use self::dialect::Dialect;
use self::record::{Delimiter, record_end};
use super::text::{Text, nul};
use crate::error::{Error, Result};

/// Text in memory at a time.
const SEGMENT: usize = 32 << 20;
/// Text read by one thread at a time.
const BLOCK: usize = 1 << 20;
/// The beginning of the file, from which the dialect is decided.
const HEAD: usize = 1 << 20;
/// A longer record is no record: some quote was never closed.
const MAX_RECORD: usize = 256 << 20;

/// What came of reading.
pub(super) enum Outcome {
    Table(DataFrame, Vec<String>),
    /// A byte in this line is no UTF-8.
    NotUtf8(usize),
}

/// Reads a whole table and what should be said about it.
///
/// # Errors
/// With the line, whenever the text is not a table; see the parent module for what is accepted.
pub(super) fn read(text: &Text, suffix: &str) -> Result<Outcome> {
    let (head, whole) = text.head(HEAD)?;
    let dialect = dialect::sniff(&head, whole, suffix)?;
    let mut layout = Layout {
        delimiter: dialect.delimiter,
        decimal: dialect.decimal,
        plan: vec![Plan::Auto; dialect.names.len()],
        names: dialect.names.clone(),
        header: dialect.header.clone(),
    };
    // A second reading knows which columns are numbers with a few bad cells; a third that commas are decimal marks.
    for _ in 0..3 {
        let blocks = match read_blocks(text, &dialect, &layout) {
            Ok(blocks) => blocks,
            Err(Trouble::NotUtf8(line)) => return Ok(Outcome::NotUtf8(line)),
            Err(Trouble::Error(error)) => return Err(error),
        };
        match join::join(blocks, &layout, dialect.lines)? {
            join::Joined::Table(frame, mut said) => {
                let mut warnings = dialect.warnings;
                warnings.append(&mut said);
                return Ok(Outcome::Table(frame, warnings));
            }
            join::Joined::Again { plan, decimal } => {
                (layout.plan, layout.decimal) = (plan, decimal);
            }
        }
    }
    Err(Error::internal("the types of the columns could not be settled"))
}

/// Why a block could not be read. Lines count from 1, within the block or the file.
enum Trouble {
    NotUtf8(usize),
    Error(Error),
}

impl Trouble {
    /// The same trouble, `lines` further down.
    fn below(self, lines: usize) -> Self {
        match self {
            Self::NotUtf8(line) => Self::NotUtf8(line + lines),
            Self::Error(error) => {
                let line = error.row().unwrap_or(1);
                Self::Error(error.at_row(line + lines))
            }
        }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// Every block of the file, in order.
fn read_blocks(
    text: &Text,
    dialect: &Dialect,
    layout: &Layout,
) -> std::result::Result<Vec<Block>, Trouble> {
    let mut reader = text.reader()?;
    let mut skipped = reader.by_ref().take(dialect.skip as u64);
    std::io::copy(&mut skipped, &mut std::io::sink()).map_err(|e| text.cannot_read(&e))?;
    let (mut blocks, mut lines, mut segment) = (Vec::new(), dialect.lines, Vec::new());
    loop {
        let more = fill(&mut *reader, &mut segment).map_err(|e| text.cannot_read(&e))?;
        let cuts = cuts(&segment, layout.delimiter, more).map_err(|unclosed| {
            Error::format("a quote is opened here and never closed")
                .at_row(1 + lines + count_lines(&segment[..unclosed]))
                .help("close the quote, or double it if it is part of the text")
        })?;
        let spans: Vec<&[u8]> = cuts.windows(2).map(|w| &segment[w[0]..w[1]]).collect();
        let read: Vec<_> = spans.into_par_iter().map(|span| read_block(span, layout)).collect();
        for block in read {
            let block = block.map_err(|trouble| trouble.below(lines))?;
            lines += block.lines;
            blocks.push(block);
        }
        if !more {
            return Ok(blocks);
        }
        segment.drain(..cuts.last().copied().unwrap_or(0));
        if segment.len() > MAX_RECORD {
            return Err(Error::format("this line has no end").at_row(lines + 1).into());
        }
    }
}

fn read_block(span: &[u8], layout: &Layout) -> std::result::Result<Block, Trouble> {
    let line_of = |at: usize| 1 + count_lines(&span[..at]);
    if let Some(at) = memchr(0, span) {
        return Err(nul().at_row(line_of(at)).into());
    }
    let text = std::str::from_utf8(span).map_err(|e| Trouble::NotUtf8(line_of(e.valid_up_to())))?;
    Ok(block::read(text, layout)?)
}

fn count_lines(text: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', text).count()
}

/// Adds text up to at least one segment more than is left over; `false` at the end of the file.
fn fill(reader: &mut dyn Read, segment: &mut Vec<u8>) -> std::io::Result<bool> {
    let wanted = SEGMENT.max(segment.len() + BLOCK) - segment.len();
    let got = reader.take(wanted as u64).read_to_end(segment)?;
    Ok(got == wanted)
}

/// Where the blocks of a segment begin and end; what stands behind the last cut is not complete yet.
fn cuts(
    segment: &[u8],
    delimiter: Delimiter,
    more: bool,
) -> std::result::Result<Vec<usize>, usize> {
    let quoted = memchr(b'"', segment).is_some();
    let (mut cuts, mut start) = (vec![0], 0);
    while start < segment.len() {
        let end = if quoted {
            match quoted_cut(segment, start, delimiter) {
                Err(_) if more => None,
                found => found?,
            }
        } else {
            plain_cut(segment, start)
        };
        let end = match end {
            Some(end) => end,
            None if more && !quoted => {
                // The rest is less than a block: what is complete of it goes along.
                let last = memchr::memrchr(b'\n', &segment[start..]);
                if let Some(at) = last {
                    cuts.push(start + at + 1);
                }
                return Ok(cuts);
            }
            None if more => return Ok(cuts),
            None => segment.len(),
        };
        cuts.push(end);
        start = end;
    }
    Ok(cuts)
}

/// The first line end a block's length after `start`.
fn plain_cut(segment: &[u8], start: usize) -> Option<usize> {
    let from = start + BLOCK;
    let at = memchr(b'\n', segment.get(from..)?)?;
    Some(from + at + 1)
}

/// The first record end a block's length after `start`, or the last record end when `segment` stops before.
fn quoted_cut(
    segment: &[u8],
    start: usize,
    delimiter: Delimiter,
) -> std::result::Result<Option<usize>, usize> {
    let mut end = start;
    while end - start < BLOCK {
        match record_end(segment, end, delimiter) {
            Ok(Some(next)) => end = next,
            Err(unclosed) if end == start => return Err(unclosed.0),
            Ok(None) | Err(_) => break,
        }
    }
    Ok((end > start).then_some(end))
}
