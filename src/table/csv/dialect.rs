//! From the first lines of a file to how it is written: delimiter, decimal mark, header, where the data begin.

use super::block::name_of;
use super::cell::{self, Cell, Decimal};
use super::record::{self, Delimiter, cells};
use crate::error::{Error, Result};

/// How the file is written.
#[derive(Debug, Clone)]
pub(super) struct Dialect {
    pub delimiter: Delimiter,
    pub decimal: Decimal,
    pub names: Vec<String>,
    /// The header as it stands in the file, without its line end.
    pub header: String,
    /// Bytes and lines before the first record of data.
    pub skip: usize,
    pub lines: usize,
    pub warnings: Vec<String>,
}

/// More columns than any table of measurements has; a text with more is something else.
const MAX_COLUMNS: usize = 65_536;
/// Records that are looked at before the dialect is decided.
const SAMPLE: usize = 60;

/// A record of the head: its text, and where it stands.
struct Line<'a> {
    text: &'a str,
    number: usize,
    start: usize,
    end: usize,
}

/// Decides from the beginning of a file. `whole` says that `head` is all of it; `suffix` breaks ties.
///
/// # Errors
/// A file without a header or without rows, more columns than allowed, or a name that stands twice.
pub(super) fn sniff(head: &str, whole: bool, suffix: &str) -> Result<Dialect> {
    let (named, body) = spreadsheet_hint(head);
    let delimiter = named.unwrap_or_else(|| best_delimiter(&head[body..], suffix));
    let lines = lines(head, body, delimiter, whole);
    let Some(first) = lines.first() else {
        return Err(Error::format("holds no table: there is no text in it")
            .help("the first line must name the columns"));
    };
    let decimal = decimal(&lines, delimiter);
    let mut header = Header::of(first, delimiter)?;
    let mut data = 1;
    if header.is_numbers() {
        header.number_columns();
        data = 0;
    } else {
        data += header.absorb_second(&lines, delimiter, decimal);
    }
    header.fit_to(lines.get(data..).unwrap_or_default(), delimiter);
    if data >= lines.len() && whole {
        return Err(Error::format(format!(
            "has a header of {} columns and no rows",
            header.names.len()
        ))
        .at_row(first.number)
        .help("export the table again, with its measurements"));
    }
    let names = header.unique_names()?;
    let (skip, before) = match data {
        0 => (first.start, first.number - 1),
        _ => (lines[data - 1].end, lines[data - 1].number + newlines(lines[data - 1].text)),
    };
    Ok(Dialect {
        delimiter,
        decimal,
        names,
        header: if data == 0 { String::from("\n") } else { first.text.to_owned() },
        skip,
        lines: before,
        warnings: header.warnings,
    })
}

fn newlines(record: &str) -> usize {
    record.bytes().filter(|&b| b == b'\n').count()
}

/// Spreadsheets write `sep=;` above the header; the byte after that line, and the delimiter it names.
fn spreadsheet_hint(head: &str) -> (Option<Delimiter>, usize) {
    let end = head.find('\n').map_or(head.len(), |at| at + 1);
    let line = head[..end].trim_matches(['"', '\r', '\n']);
    match line.as_bytes() {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter] if delimiter.is_ascii() => {
            (Some(Delimiter::Byte(*delimiter)), end)
        }
        _ => (None, 0),
    }
}

/// The first records that are neither empty nor comments.
fn lines(head: &str, from: usize, delimiter: Delimiter, whole: bool) -> Vec<Line<'_>> {
    let (mut found, mut comments): (Vec<Line>, Vec<Line>) = (Vec::new(), Vec::new());
    let (mut start, mut number) = (from, 1 + newlines(&head[..from]));
    while start < head.len() && found.len() < SAMPLE {
        let end = match record::record_end(head.as_bytes(), start, delimiter) {
            Ok(Some(end)) => end,
            // The last record of the head may go on beyond it.
            _ if whole || found.is_empty() => head.len(),
            _ => break,
        };
        let text = head[start..end].trim_end_matches(['\n', '\r']);
        let line = Line { text, number, start, end };
        if text.trim_start().starts_with('#') && found.is_empty() {
            comments.push(line);
        } else if !text.trim().is_empty() {
            found.push(line);
        }
        number += newlines(&head[start..end]);
        start = end;
    }
    // `#label,area`: the header itself may start with the mark of a comment.
    if let (Some(last), Some(first)) = (comments.pop(), found.first()) {
        let count = |line: &Line| cells(line.text, delimiter).len();
        let numbers = cells(first.text, delimiter).iter().any(|c| number_in(c, Decimal::Point));
        if count(&last) == count(first) && count(first) > 1 && numbers || found.is_empty() {
            found.insert(0, last);
        }
    }
    found
}

fn number_in(cell: &str, decimal: Decimal) -> bool {
    cell::parse(cell, decimal).is_number()
}

/// The delimiter under which the most records have as many cells as the first; then the most numbers, then columns.
fn best_delimiter(head: &str, suffix: &str) -> Delimiter {
    let expected = if matches!(suffix, "tsv" | "tab") { b'\t' } else { b',' };
    let bytes = [expected, b',', b';', b'\t', b'|'];
    let candidates = bytes.map(Delimiter::Byte).into_iter().chain([Delimiter::Blanks]);
    let mut best = (Delimiter::Byte(expected), (0.0, 0.0, 0));
    for delimiter in candidates {
        let score = score(head, delimiter);
        // Aligned columns only when they fit and nothing else does: names and texts contain blanks too.
        let unlikely = delimiter == Delimiter::Blanks && (best.1.0 >= 0.5 || score.0 < 0.5);
        if score > best.1 && !unlikely {
            best = (delimiter, score);
        }
    }
    best.0
}

/// Share of records that agree with the first, share of numbers among their cells, number of columns.
fn score(head: &str, delimiter: Delimiter) -> (f64, f64, usize) {
    let rows: Vec<Vec<String>> =
        lines(head, 0, delimiter, false).iter().map(|l| cells(l.text, delimiter)).collect();
    let Some((header, rows)) = rows.split_first() else { return (0.0, 0.0, 0) };
    if header.len() < 2 {
        return (0.0, 0.0, 0);
    }
    // One more cell than the header: row names, or a delimiter at the end.
    let fits = |row: &&Vec<String>| row.len() == header.len() || row.len() == header.len() + 1;
    let fitting = rows.iter().filter(fits).count();
    let comma = delimiter != Delimiter::Byte(b',');
    let is_number = |c: &&String| number_in(c, Decimal::Point) || comma && cell::is_comma_number(c);
    let all = rows.iter().map(Vec::len).sum::<usize>().max(1);
    let numbers = rows.iter().flatten().filter(is_number).count();
    // A header alone is some evidence.
    let share = if rows.is_empty() { 0.5 } else { fitting as f64 / rows.len() as f64 };
    (share, numbers as f64 / all as f64, header.len())
}

/// A comma is the decimal mark when cells are numbers with it and none has a point.
fn decimal(lines: &[Line], delimiter: Delimiter) -> Decimal {
    if delimiter == Delimiter::Byte(b',') {
        return Decimal::Point;
    }
    let (mut commas, mut points) = (0, 0);
    for text in lines.iter().skip(1).flat_map(|line| cells(line.text, delimiter)) {
        commas += usize::from(cell::is_comma_number(&text));
        points += usize::from(matches!(cell::parse(&text, Decimal::Point), Cell::Float(_)));
    }
    if commas > 0 && points == 0 { Decimal::Comma } else { Decimal::Point }
}

/// The names while they are worked out.
struct Header {
    names: Vec<String>,
    line: usize,
    warnings: Vec<String>,
}

impl Header {
    fn of(first: &Line, delimiter: Delimiter) -> Result<Self> {
        let text = first.text.trim_start();
        let text = text.strip_prefix('#').unwrap_or(text);
        let names: Vec<String> =
            cells(text, delimiter).iter().map(|c| name_of(c).into_owned()).collect();
        if names.len() > MAX_COLUMNS {
            return Err(Error::format(format!(
                "{} columns are more than {MAX_COLUMNS}",
                names.len()
            ))
            .at_row(first.number)
            .help("the first line must name the columns"));
        }
        Ok(Self { names, line: first.number, warnings: Vec::new() })
    }

    /// Numbers only, and not simply counted: there is no header. pandas names unnamed columns 0, 1, 2, ...
    fn is_numbers(&self) -> bool {
        let counted =
            |from: usize| self.names.iter().enumerate().all(|(i, n)| n.parse() == Ok(i + from));
        let numbers =
            self.names.iter().all(|n| number_in(n, Decimal::Point) || cell::is_comma_number(n));
        numbers && !(self.names.len() > 1 && (counted(0) || counted(1)))
    }

    fn number_columns(&mut self) {
        self.names = (1..=self.names.len()).map(|i| format!("column_{i}")).collect();
        self.warnings.push(format!(
            "line {}: there is no header, only numbers: the columns are called column_1, column_2, ...",
            self.line
        ));
    }

    /// A second line of names or units above the numbers; returns how many lines it takes (0 or 1).
    fn absorb_second(&mut self, lines: &[Line], delimiter: Delimiter, decimal: Decimal) -> usize {
        let (Some(second), Some(data)) = (lines.get(1), lines.get(2..)) else { return 0 };
        let second_cells = cells(second.text, delimiter);
        let rows: Vec<Vec<String>> = data.iter().map(|l| cells(l.text, delimiter)).collect();
        let of_numbers = |i: usize| {
            let kinds = rows.iter().filter_map(|r| r.get(i)).map(|c| cell::parse(c, decimal));
            let mut kinds = kinds.filter(|&c| c != Cell::Missing).peekable();
            kinds.peek().is_some() && kinds.all(Cell::is_number)
        };
        let above: Vec<&String> = second_cells
            .iter()
            .enumerate()
            .filter(|(i, _)| of_numbers(*i))
            .map(|(_, c)| c)
            .collect();
        let is_text = |c: &&&String| cell::parse(c, decimal) == Cell::Text;
        let texts = above.iter().filter(is_text).count();
        let units = above.iter().filter(|c| looks_like_unit(c)).count();
        let numbers = above.iter().filter(|c| number_in(c, decimal)).count();
        if second_cells.len() != self.names.len() || numbers > 0 || texts == 0 {
            return 0;
        }
        // One odd cell above numbers is a bad cell, not a header; all of them odd is no accident.
        if units == 0 && (texts < 2 || 2 * texts < above.len()) {
            return 0;
        }
        let twice = (1..self.names.len()).any(|i| self.names[..i].contains(&self.names[i]));
        if twice {
            // CellProfiler writes the object above the measurement.
            let joined = self.names.iter().zip(&second_cells);
            self.names =
                joined.map(|(a, b)| format!("{a}_{b}").trim_matches('_').to_owned()).collect();
        } else {
            let what = if 2 * units >= texts { "units" } else { "a second header" };
            self.warnings.push(format!("line {}: {what}, not data: left out", second.number));
        }
        1
    }

    /// One name less than there are cells: the first column has row names, as R writes them.
    fn fit_to(&mut self, data: &[Line], delimiter: Delimiter) {
        let rows: Vec<Vec<String>> = data.iter().map(|l| cells(l.text, delimiter)).collect();
        let longer = !rows.is_empty() && rows.iter().all(|r| r.len() == self.names.len() + 1);
        if longer && rows.iter().any(|r| r.last().is_some_and(|c| !c.is_empty())) {
            self.names.insert(0, "row".into());
        }
    }

    fn unique_names(&self) -> Result<Vec<String>> {
        let mut names = self.names.clone();
        for (i, name) in names.iter_mut().enumerate() {
            if name.is_empty() {
                *name = format!("column_{}", i + 1);
            }
        }
        let mut sorted: Vec<(&str, usize)> =
            names.iter().enumerate().map(|(i, n)| (n.as_str(), i + 1)).collect();
        sorted.sort_unstable();
        if let Some(w) = sorted.windows(2).find(|w| w[0].0 == w[1].0) {
            return Err(Error::format(format!(
                "two columns have this name, the {}. and the {}.",
                w[0].1, w[1].1
            ))
            .at_row(self.line)
            .at_column(w[0].0)
            .help("rename one of them"));
        }
        Ok(names)
    }
}

/// `µm²`, `(px)`, `a.u.`: short, and made of the signs that units are made of.
fn looks_like_unit(cell: &str) -> bool {
    let bare = cell.trim_matches(['(', ')', '[', ']']).to_lowercase();
    let words = [
        "px",
        "pixel",
        "pixels",
        "px2",
        "px^2",
        "px²",
        "um",
        "µm",
        "μm",
        "um2",
        "µm2",
        "um^2",
        "µm^2",
        "μm^2",
        "µm²",
        "μm²",
        "micron",
        "microns",
        "nm",
        "mm",
        "cm",
        "m",
        "rad",
        "radians",
        "deg",
        "degree",
        "degrees",
        "°",
        "%",
        "a.u.",
        "au",
        "arb. units",
        "counts",
        "count",
        "s",
        "sec",
        "ms",
        "min",
        "h",
        "unit",
        "units",
        "µm^3",
        "um^3",
        "µm³",
        "px³",
        "px^3",
        "1",
        "none",
        "intensity",
    ];
    bare.len() < cell.len() && !bare.is_empty() || words.contains(&bare.as_str())
}
