//! A stretch of whole records becomes one piece of every column.

use std::borrow::Cow;

use memchr::memchr;

use super::cell::{self, Cell, Decimal};
use super::record::{self, Delimiter};
use crate::error::{Error, Result};

/// What is known before the records are read.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub delimiter: Delimiter,
    pub decimal: Decimal,
    /// Column names; each record has one cell for each.
    pub names: Vec<String>,
    /// The header as it stands in the file: where files were glued together it comes again.
    pub header: String,
    /// What each column must become.
    pub plan: Vec<Plan>,
}

/// What a column must become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// What its cells say.
    Auto,
    /// Numbers; other cells are missing.
    Number,
    /// Text, whatever it looks like.
    Text,
}

/// The cells of one column in one block.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    /// So many missing cells.
    Missing(usize),
    Bool(Vec<Option<bool>>),
    /// Integers, and the positions of missing ones, which hold 0.
    Int(Vec<i64>, Vec<u32>),
    /// NaN is missing.
    Float(Vec<f64>),
    Text(Texts),
    /// Numbers and others stand side by side: only counted, for a second reading that knows what to make of it.
    Mixed,
}

/// Many short texts in one long one.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Texts {
    text: String,
    ends: Vec<usize>,
    missing: Vec<bool>,
}

impl Texts {
    fn push(&mut self, text: Option<&str>) {
        self.text.push_str(text.unwrap_or_default());
        self.ends.push(self.text.len());
        self.missing.push(text.is_none());
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let spans = starts.zip(&self.ends).zip(&self.missing);
        spans.map(|((start, &end), &missing)| (!missing).then(|| &self.text[start..end]))
    }
}

/// A cell worth telling about: its line (from 1 within the block) and its text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sighting {
    pub line: usize,
    pub text: String,
}

/// How often each kind of cell was seen in a column, and the first of the odd ones.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Tally {
    pub numbers: usize,
    pub bools: usize,
    pub texts: usize,
    /// Among the texts, those that are numbers with a decimal comma.
    pub commas: usize,
    /// Among the numbers, those with a fraction.
    pub fractions: usize,
    pub infinite: usize,
    pub first_text: Option<Sighting>,
    pub first_number: Option<Sighting>,
    pub first_infinite: Option<Sighting>,
}

/// One column while its block is read.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub values: Values,
    pub tally: Tally,
    plan: Plan,
}

/// What a block gave.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub pieces: Vec<Piece>,
    pub lines: usize,
    pub rows: usize,
    /// Lines (from 1 within the block) of delimiters and nothing else, and of repeated headers.
    pub hollow: Vec<usize>,
    pub headers: Vec<usize>,
}

/// Reads the records of `text`, which ends with a record's end.
///
/// # Errors
/// A record with more or fewer cells than the header has; its line counts from 1 within the block.
pub(super) fn read(text: &str, layout: &Layout) -> Result<Block> {
    let piece = |&plan: &Plan| Piece { values: Values::Missing(0), tally: Tally::default(), plan };
    let pieces = layout.plan.iter().map(piece).collect();
    let mut block = Block { pieces, lines: 0, rows: 0, hollow: Vec::new(), headers: Vec::new() };
    let quoted = memchr(b'"', text.as_bytes()).is_some();
    let mut start = 0;
    while start < text.len() {
        let end = if quoted {
            record::record_end(text.as_bytes(), start, layout.delimiter).unwrap_or(None)
        } else {
            memchr(b'\n', &text.as_bytes()[start..]).map(|at| start + at + 1)
        };
        let end = end.unwrap_or(text.len());
        let record = &text[start..end];
        block.record(record.trim_end_matches(['\n', '\r']), quoted, layout)?;
        block.lines +=
            if quoted { record.bytes().filter(|&b| b == b'\n').count().max(1) } else { 1 };
        start = end;
    }
    Ok(block)
}

impl Block {
    fn record(&mut self, record: &str, quoted: bool, layout: &Layout) -> Result<()> {
        let line = self.lines + 1;
        if is_hollow(record, layout.delimiter) {
            if !record.trim().is_empty() {
                self.hollow.push(line);
            }
            return Ok(());
        }
        if record.len() == layout.header.len() && record == layout.header {
            self.headers.push(line);
            return Ok(());
        }
        let n = self.pieces.len();
        let mut surplus = false;
        let mut put = |i: usize, text: &str| match self.pieces.get_mut(i) {
            Some(piece) => piece.push(text, line, layout),
            None => surplus |= i > n || !text.is_empty(),
        };
        let cells = if quoted && memchr(b'"', record.as_bytes()).is_some() {
            record::split_quoted(record, layout.delimiter, put)
        } else {
            record::split_plain(record, layout.delimiter, &mut put)
        };
        // A delimiter at the end of each line is a habit of some programs.
        if cells < n || surplus {
            return Err(ragged(cells, layout).at_row(line));
        }
        self.rows += 1;
        Ok(())
    }
}

/// Nothing but blanks and delimiters. The first character decides nearly always.
#[inline]
fn is_hollow(record: &str, delimiter: Delimiter) -> bool {
    record.bytes().all(|b| match delimiter {
        Delimiter::Byte(d) => b == d || b.is_ascii_whitespace(),
        Delimiter::Blanks => b.is_ascii_whitespace(),
    })
}

fn ragged(cells: usize, layout: &Layout) -> Error {
    let plural = if cells == 1 { "" } else { "s" };
    Error::format(format!(
        "{cells} cell{plural} between {}, where the header has {}",
        layout.delimiter.name(),
        layout.names.len()
    ))
    .help("mend that line; a cell that contains the delimiter must stand in double quotes")
}

impl Piece {
    /// Adds a trimmed cell.
    #[inline]
    fn push(&mut self, text: &str, line: usize, layout: &Layout) {
        // The usual case first: one more float in a column of floats.
        if let (Values::Float(values), Cell::Float(value)) =
            (&mut self.values, cell::parse(text, layout.decimal))
            && self.plan != Plan::Text
        {
            values.push(value);
            self.tally.numbers += 1;
            self.tally.fractions += 1;
            return;
        }
        self.push_any(text, line, layout.decimal);
    }

    fn push_any(&mut self, text: &str, line: usize, decimal: Decimal) {
        let cell = cell::parse(text, decimal);
        self.tally.count(cell, text, line, decimal);
        match self.plan {
            Plan::Text => {
                let missing = cell == Cell::Missing;
                self.push_text((!missing).then(|| unescaped(text)));
            }
            Plan::Number if !cell.is_number() => self.push_missing(),
            _ => match cell {
                Cell::Missing | Cell::Infinite => self.push_missing(),
                Cell::Int(value) => self.push_int(value),
                Cell::Float(value) => self.push_float(value),
                Cell::Bool(value) => self.push_bool(value),
                Cell::Text => self.push_text(Some(unescaped(text))),
            },
        }
    }

    fn push_missing(&mut self) {
        match &mut self.values {
            Values::Missing(n) => *n += 1,
            Values::Bool(values) => values.push(None),
            Values::Int(values, missing) => {
                missing.push(values.len() as u32);
                values.push(0);
            }
            Values::Float(values) => values.push(f64::NAN),
            Values::Text(texts) => texts.push(None),
            Values::Mixed => {}
        }
    }

    fn push_int(&mut self, value: i64) {
        match &mut self.values {
            Values::Missing(n) => {
                let n = *n;
                let mut values = vec![0; n];
                values.push(value);
                self.values = Values::Int(values, (0..n as u32).collect());
            }
            Values::Int(values, _) => values.push(value),
            Values::Float(values) => values.push(value as f64),
            _ => self.values = Values::Mixed,
        }
    }

    fn push_float(&mut self, value: f64) {
        match &mut self.values {
            Values::Missing(n) => {
                let mut values = vec![f64::NAN; *n];
                values.push(value);
                self.values = Values::Float(values);
            }
            Values::Int(values, missing) => {
                let mut floats: Vec<f64> = values.iter().map(|&v| v as f64).collect();
                for &at in missing.iter() {
                    floats[at as usize] = f64::NAN;
                }
                floats.push(value);
                self.values = Values::Float(floats);
            }
            Values::Float(values) => values.push(value),
            _ => self.values = Values::Mixed,
        }
    }

    fn push_bool(&mut self, value: bool) {
        match &mut self.values {
            Values::Missing(n) => {
                let mut values = vec![None; *n];
                values.push(Some(value));
                self.values = Values::Bool(values);
            }
            Values::Bool(values) => values.push(Some(value)),
            _ => self.values = Values::Mixed,
        }
    }

    fn push_text(&mut self, text: Option<&str>) {
        match &mut self.values {
            Values::Missing(n) => {
                let mut texts = Texts::default();
                (0..*n).for_each(|_| texts.push(None));
                texts.push(text);
                self.values = Values::Text(texts);
            }
            Values::Text(texts) => texts.push(text),
            _ => self.values = Values::Mixed,
        }
    }
}

impl Tally {
    fn count(&mut self, cell: Cell, text: &str, line: usize, decimal: Decimal) {
        let sighting = || Some(Sighting { line, text: text.chars().take(40).collect() });
        if cell.is_number() {
            self.numbers += 1;
            if self.first_number.is_none() {
                self.first_number = sighting();
            }
        }
        match cell {
            Cell::Float(_) => self.fractions += 1,
            Cell::Infinite => {
                self.infinite += 1;
                if self.first_infinite.is_none() {
                    self.first_infinite = sighting();
                }
            }
            Cell::Bool(_) => self.bools += 1,
            Cell::Text => {
                self.texts += 1;
                self.commas +=
                    usize::from(decimal == Decimal::Point && cell::is_comma_number(text));
            }
            Cell::Missing | Cell::Int(_) => {}
        }
        if matches!(cell, Cell::Bool(_) | Cell::Text) && self.first_text.is_none() {
            self.first_text = sighting();
        }
    }

    /// Adds the tally of a later block that starts after `lines` lines.
    pub(super) fn add(&mut self, later: &Self, lines: usize) {
        self.numbers += later.numbers;
        self.bools += later.bools;
        self.texts += later.texts;
        self.commas += later.commas;
        self.fractions += later.fractions;
        self.infinite += later.infinite;
        let first = |mine: &mut Option<Sighting>, theirs: &Option<Sighting>| {
            if mine.is_none() {
                *mine = theirs.clone().map(|s| Sighting { line: s.line + lines, ..s });
            }
        };
        first(&mut self.first_text, &later.first_text);
        first(&mut self.first_number, &later.first_number);
        first(&mut self.first_infinite, &later.first_infinite);
    }
}

/// Takes off the apostrophe that keeps a spreadsheet from running a text as a formula; written by `table::write`.
fn unescaped(text: &str) -> &str {
    match text.as_bytes() {
        [b'\'', b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r', ..] => &text[1..],
        _ => text,
    }
}

/// Names without the escape, as cells are.
pub(super) fn name_of(cell: &str) -> Cow<'_, str> {
    Cow::Borrowed(unescaped(cell.trim()))
}
