//! The pieces of each column become one column of one type, or a request to read again with better knowledge.

use polars::prelude::{
    BooleanChunked, Column, DataFrame, Float64Chunked, Int64Chunked, IntoColumn, NewChunkedArray,
    StringChunked,
};
use rayon::prelude::*;

use super::block::{Block, Layout, Plan, Sighting, Tally, Values};
use super::cell::Decimal;
use crate::error::{Error, Result};

/// What came of joining.
pub(super) enum Joined {
    Table(DataFrame, Vec<String>),
    /// Read once more, with this plan.
    Again {
        plan: Vec<Plan>,
        decimal: Decimal,
    },
}

/// Joins the blocks of a file whose data begin after `lines` lines.
///
/// # Errors
/// When there is no row, or the columns are refused by the table library.
pub(super) fn join(blocks: Vec<Block>, layout: &Layout, lines: usize) -> Result<Joined> {
    let rows: usize = blocks.iter().map(|b| b.rows).sum();
    if rows == 0 {
        return Err(Error::format(format!(
            "has a header of {} columns and no rows",
            layout.names.len()
        ))
        .help("export the table again, with its measurements"));
    }
    let mut tallies = vec![Tally::default(); layout.names.len()];
    let mut warnings = Vec::new();
    let (mut before, mut hollow, mut headers) = (lines, Vec::new(), Vec::new());
    for block in &blocks {
        tallies.iter_mut().zip(&block.pieces).for_each(|(all, p)| all.add(&p.tally, before));
        hollow.extend(block.hollow.iter().map(|l| l + before));
        headers.extend(block.headers.iter().map(|l| l + before));
        before += block.lines;
    }
    if let Some(decimal) = comma_after_all(&tallies, layout) {
        return Ok(Joined::Again { plan: vec![Plan::Auto; layout.plan.len()], decimal });
    }
    warnings.extend(lines_left_out(&hollow, "without any value"));
    warnings.extend(lines_left_out(&headers, "that repeats the header"));
    let mut plan = layout.plan.clone();
    let mut columns: Vec<Vec<Values>> = vec![Vec::with_capacity(blocks.len()); plan.len()];
    for block in blocks {
        columns.iter_mut().zip(block.pieces).for_each(|(c, p)| c.push(p.values));
    }
    let mut again = false;
    for (i, tally) in tallies.iter().enumerate() {
        let kind = Kind::of(tally, plan[i]);
        warnings.extend(kind.warning(&layout.names[i], tally));
        if !columns[i].iter().all(|values| kind.holds(values)) {
            (plan[i], again) = (kind.plan(), true);
        }
    }
    if again {
        return Ok(Joined::Again { plan, decimal: layout.decimal });
    }
    let joined: Vec<Column> = columns
        .into_par_iter()
        .zip(&layout.names)
        .map(|(pieces, name)| column(name, pieces, rows))
        .collect();
    let frame = DataFrame::new(rows, joined).map_err(|e| Error::internal(e.to_string()))?;
    Ok(Joined::Table(frame, warnings))
}

/// Numbers with a decimal comma that first come after the part from which the dialect was decided.
fn comma_after_all(tallies: &[Tally], layout: &Layout) -> Option<Decimal> {
    let found = tallies.iter().any(|t| t.commas > 0 && t.commas == t.texts && t.bools == 0);
    let points = tallies.iter().any(|t| t.fractions > 0);
    let possible =
        layout.decimal == Decimal::Point && layout.delimiter != super::Delimiter::Byte(b',');
    (found && !points && possible).then_some(Decimal::Comma)
}

fn lines_left_out(lines: &[usize], what: &str) -> Option<String> {
    let more = match lines.len() {
        0 => return None,
        1 => String::new(),
        n => format!(" ({n} such lines)"),
    };
    Some(format!("line {}: a line {what} is left out{more}", lines[0]))
}

/// What a column is, all blocks together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Missing,
    Bool,
    Number,
    Text,
}

impl Kind {
    /// A few cells that are no numbers do not turn a measurement into text.
    fn of(tally: &Tally, plan: Plan) -> Self {
        let others = tally.texts + tally.bools;
        match (tally.numbers, others) {
            _ if plan == Plan::Number => Self::Number,
            _ if plan == Plan::Text => Self::Text,
            (0, 0) => Self::Missing,
            (_, 0) => Self::Number,
            (0, _) if tally.texts == 0 => Self::Bool,
            (numbers, 1) if numbers > 1 => Self::Number,
            (numbers, others) if numbers >= 9 * others => Self::Number,
            _ => Self::Text,
        }
    }

    fn plan(self) -> Plan {
        if self == Self::Number { Plan::Number } else { Plan::Text }
    }

    fn holds(self, values: &Values) -> bool {
        match values {
            Values::Missing(_) => true,
            Values::Bool(_) => self == Self::Bool,
            Values::Int(..) | Values::Float(_) => self == Self::Number,
            Values::Text(_) => self == Self::Text,
            Values::Mixed => false,
        }
    }

    /// What the user must know about the column.
    fn warning(self, name: &str, tally: &Tally) -> Option<String> {
        let others = tally.texts + tally.bools;
        let times = |n: usize| if n == 1 { String::new() } else { format!(" ({n} such cells)") };
        let at = |s: &Sighting| format!("line {}, column `{name}`: `{}`", s.line, s.text);
        match self {
            Self::Number if others > 0 => {
                let first = tally.first_text.as_ref()?;
                Some(format!("{} is not a number: read as missing{}", at(first), times(others)))
            }
            Self::Number if tally.infinite > 0 => {
                let first = tally.first_infinite.as_ref()?;
                Some(format!("{} is infinite: read as missing{}", at(first), times(tally.infinite)))
            }
            Self::Text if tally.numbers > 0 && tally.numbers >= others => {
                let first = tally.first_text.as_ref()?;
                Some(format!(
                    "{} is not a number, and so are {others} of {} cells: the column is read as text",
                    at(first),
                    others + tally.numbers
                ))
            }
            _ => None,
        }
    }
}

/// One column from its pieces, which agree on a type by now.
fn column(name: &str, pieces: Vec<Values>, rows: usize) -> Column {
    let name = name.into();
    let any = |kind: fn(&Values) -> bool| pieces.iter().any(kind);
    if any(|v| matches!(v, Values::Text(_))) {
        return StringChunked::from_iter_options(name, pieces.iter().flat_map(texts)).into_column();
    }
    if any(|v| matches!(v, Values::Bool(_))) {
        return BooleanChunked::from_iter_options(name, pieces.iter().flat_map(bools))
            .into_column();
    }
    let whole = any(|v| matches!(v, Values::Int(..))) && !any(|v| matches!(v, Values::Float(_)));
    if !whole {
        let values = floats(pieces, rows);
        return if values.iter().any(|v| v.is_nan()) {
            let present = values.into_iter().map(|v| (!v.is_nan()).then_some(v));
            Float64Chunked::from_iter_options(name, present).into_column()
        } else {
            Float64Chunked::from_vec(name, values).into_column()
        };
    }
    let complete =
        pieces.iter().all(|v| matches!(v, Values::Int(_, missing) if missing.is_empty()));
    if complete {
        let mut values = Vec::with_capacity(rows);
        for piece in pieces {
            if let Values::Int(integers, _) = piece {
                values.extend(integers);
            }
        }
        return Int64Chunked::from_vec(name, values).into_column();
    }
    Int64Chunked::from_iter_options(name, pieces.into_iter().flat_map(integers)).into_column()
}

fn floats(pieces: Vec<Values>, rows: usize) -> Vec<f64> {
    let mut all = Vec::with_capacity(rows);
    for piece in pieces {
        match piece {
            Values::Float(values) => all.extend(values),
            Values::Int(values, missing) => {
                let start = all.len();
                all.extend(values.iter().map(|&v| v as f64));
                for at in missing {
                    all[start + at as usize] = f64::NAN;
                }
            }
            Values::Missing(n) => all.extend(std::iter::repeat_n(f64::NAN, n)),
            Values::Bool(_) | Values::Text(_) | Values::Mixed => {}
        }
    }
    all
}

fn integers(piece: Values) -> Box<dyn Iterator<Item = Option<i64>>> {
    match piece {
        Values::Int(values, missing) => {
            let mut missing = missing.into_iter().peekable();
            let values = values.into_iter().enumerate();
            Box::new(
                values.map(move |(at, v)| missing.next_if_eq(&(at as u32)).is_none().then_some(v)),
            )
        }
        Values::Missing(n) => Box::new(std::iter::repeat_n(None, n)),
        _ => Box::new(std::iter::empty()),
    }
}

fn texts(piece: &Values) -> Box<dyn Iterator<Item = Option<&str>> + '_> {
    match piece {
        Values::Text(texts) => Box::new(texts.iter()),
        Values::Missing(n) => Box::new(std::iter::repeat_n(None, *n)),
        _ => Box::new(std::iter::empty()),
    }
}

fn bools(piece: &Values) -> Box<dyn Iterator<Item = Option<bool>> + '_> {
    match piece {
        Values::Bool(values) => Box::new(values.iter().copied()),
        Values::Missing(n) => Box::new(std::iter::repeat_n(None, *n)),
        _ => Box::new(std::iter::empty()),
    }
}
