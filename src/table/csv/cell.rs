//! One cell of text becomes a number, a truth value, text, or nothing.

/// What a cell says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell {
    Missing,
    Int(i64),
    Float(f64),
    /// Written as infinity, or a number beyond the largest `f64`.
    Infinite,
    Bool(bool),
    Text,
}

impl Cell {
    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::Int(_) | Self::Float(_) | Self::Infinite)
    }
}

/// How numbers are written in this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Decimal {
    #[default]
    Point,
    Comma,
}

/// Words that stand for "no value": of R, pandas, Excel, C and Java programs.
const MISSING: [&str; 16] = [
    "na",
    "n/a",
    "#n/a",
    "nan",
    "-nan",
    "nan(ind)",
    "-nan(ind)",
    "null",
    "none",
    "<na>",
    "#div/0!",
    "#value!",
    "#num!",
    "#ref!",
    "1.#qnan",
    "-1.#ind",
];
const INFINITE: [&str; 8] =
    ["inf", "+inf", "-inf", "infinity", "+infinity", "-infinity", "1.#inf", "-1.#inf"];

/// Reads a trimmed cell.
#[inline]
pub(super) fn parse(text: &str, decimal: Decimal) -> Cell {
    match text.as_bytes() {
        [] => Cell::Missing,
        [b'0'..=b'9' | b'-' | b'+' | b'.' | b',', ..] => {
            number(text, decimal).unwrap_or_else(|| word(text))
        }
        _ => word(text),
    }
}

/// A number, or `None` when the cell is something else.
#[inline]
fn number(text: &str, decimal: Decimal) -> Option<Cell> {
    match integer(text.as_bytes()) {
        Some(value) => Some(Cell::Int(value)),
        None if decimal == Decimal::Comma => with_comma(text),
        None => float(text),
    }
}

/// An integer that fits; `None` for everything else, larger integers included.
#[inline]
fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    // 18 digits cannot overflow; longer ones are rare enough for the slow way.
    if digits.is_empty() || digits.len() > 18 {
        return std::str::from_utf8(text).ok()?.parse().ok();
    }
    let mut value = 0;
    for &b in digits {
        let digit = b.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(if negative { -value } else { value })
}

#[inline]
fn float(text: &str) -> Option<Cell> {
    // Words that Rust takes for floats (`inf`, `nan`) start with a letter or a sign and a letter.
    if text.as_bytes().get(1).is_some_and(u8::is_ascii_alphabetic)
        && !text.starts_with(|c: char| c.is_ascii_digit())
    {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    Some(if value.is_finite() { Cell::Float(value) } else { Cell::Infinite })
}

/// `3,14`; a point in the same cell would be a separator of thousands or a mistake, so it is no number.
fn with_comma(text: &str) -> Option<Cell> {
    if text.contains('.') || text.len() > 64 {
        return None;
    }
    float(&text.replacen(',', ".", 1))
}

/// Whether the cell is a number when its one comma is the decimal mark.
pub(super) fn is_comma_number(text: &str) -> bool {
    text.contains(',') && with_comma(text).is_some()
}

/// The words; anything unknown is text.
#[cold]
fn word(text: &str) -> Cell {
    // The longest known word has ten characters.
    if text.len() > 10 {
        return Cell::Text;
    }
    let any = |words: &[&str]| words.iter().any(|w| text.eq_ignore_ascii_case(w));
    if any(&MISSING) {
        Cell::Missing
    } else if any(&INFINITE) {
        Cell::Infinite
    } else if text.eq_ignore_ascii_case("true") {
        Cell::Bool(true)
    } else if text.eq_ignore_ascii_case("false") {
        Cell::Bool(false)
    } else {
        Cell::Text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells() {
        let cases = [
            ("", Cell::Missing),
            ("NA", Cell::Missing),
            ("n/a", Cell::Missing),
            ("NaN", Cell::Missing),
            ("-nan", Cell::Missing),
            ("7", Cell::Int(7)),
            ("-7", Cell::Int(-7)),
            ("+7", Cell::Int(7)),
            ("9223372036854775807", Cell::Int(i64::MAX)),
            ("9223372036854775808", Cell::Float(9_223_372_036_854_775_808.0)),
            ("7.", Cell::Float(7.0)),
            (".5", Cell::Float(0.5)),
            ("-.5e-3", Cell::Float(-0.0005)),
            ("1E5", Cell::Float(1e5)),
            ("1e999", Cell::Infinite),
            ("-Infinity", Cell::Infinite),
            ("inf", Cell::Infinite),
            ("-inf", Cell::Infinite),
            ("True", Cell::Bool(true)),
            ("FALSE", Cell::Bool(false)),
            ("3,14", Cell::Text),
            ("12 px", Cell::Text),
            ("-", Cell::Text),
            (".", Cell::Text),
            ("1-2", Cell::Text),
            ("0x10", Cell::Text),
            ("infra", Cell::Text),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text, Decimal::Point), expected, "{text}");
        }
    }

    #[test]
    fn decimal_commas() {
        assert_eq!(parse("3,25", Decimal::Comma), Cell::Float(3.25));
        assert_eq!(parse("-,5", Decimal::Comma), Cell::Float(-0.5));
        assert_eq!(parse("3", Decimal::Comma), Cell::Int(3));
        for text in ["3.14", "1.234,5", "1,2,3", ","] {
            assert_eq!(parse(text, Decimal::Comma), Cell::Text, "{text}");
        }
        assert!(is_comma_number("3,5e3") && !is_comma_number("a,b") && !is_comma_number("3"));
    }
}
