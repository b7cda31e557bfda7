//! From a table to a verdict on each column: its role, its unit, and whether it enters the analysis or why not.

use std::borrow::{Borrow, Cow};

use polars::prelude::{Column as PolarsColumn, DataFrame};

use super::glob::{matches, no_match};
use super::values::{is_number, names, numbers};
use crate::error::Result;
use crate::regions::{Known, Role, recognize};

/// Columns with a larger share of missing values are not used unless asked for.
pub const MISSING_ALLOWED: f64 = 0.05;

/// One column and what is known about it. The user's name is kept; [`canonical`](Self::canonical) is ours.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// As in the table.
    pub name: String,
    /// The same property in this crate's words (`axis_major_length`), when the name is known.
    pub canonical: Option<String>,
    /// What the column is for.
    pub role: Role,
    /// The unit (`px²`, `rad`), empty when there is none or it is not known.
    pub unit: String,
    /// Why it does not enter the analysis, in words; `None` for a feature that is used.
    pub left_out: Option<String>,
}

/// Which columns the caller wants: by role, or by name.
///
/// Globs: `*` is any run of characters and `?` any one. A name that matches nothing is an error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    features: Vec<String>,
    exclude: Vec<String>,
}

impl Selection {
    /// Uses exactly the columns that match one of these globs, whatever their roles.
    pub fn features<G: Into<String>>(mut self, globs: impl IntoIterator<Item = G>) -> Self {
        self.features.extend(globs.into_iter().map(Into::into));
        self
    }

    /// Leaves out the columns that match one of these globs.
    pub fn exclude<G: Into<String>>(mut self, globs: impl IntoIterator<Item = G>) -> Self {
        self.exclude.extend(globs.into_iter().map(Into::into));
        self
    }
}

/// Every column of a table with its role, in table order.
///
/// ```
/// use polariscope::table::{Columns, Table};
/// let table = Table::from_bytes("t.csv", b"label,area,orientation\n1,5.5,0.1\n2,7.5,0.2\n3,6.0,-1\n")?;
/// let columns = Columns::of(&table.frame);
/// assert_eq!(columns.features(), ["area"]);
/// assert_eq!(columns.left_out(), "label (key) · orientation (angle)");
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Columns(Vec<Column>);

impl Columns {
    /// The selection by role: all measurements, no keys, positions, angles, constants.
    pub fn measurements() -> Selection {
        Selection::default()
    }

    /// Judges the columns by their names and values, with the default selection.
    pub fn of(frame: &DataFrame) -> Self {
        let known: Vec<Option<Known>> = names(frame).map(recognize).collect();
        // `x`, `id` or `group` mean something special only beside columns that some tool has named.
        let measured = known.iter().flatten().any(|k| k.property.role == Role::Feature);
        let judge =
            |(column, known): (&PolarsColumn, Option<Known>)| judged(column, known, measured);
        Self(frame.columns().iter().zip(known).map(judge).collect())
    }

    /// Judges the columns and applies a selection.
    ///
    /// # Errors
    /// A glob that matches no column, with the name that was perhaps meant; a text column asked for by
    /// its very name.
    pub fn chosen(frame: &DataFrame, selection: impl Borrow<Selection>) -> Result<Self> {
        let Selection { features, exclude } = selection.borrow();
        let mut columns = Self::of(frame);
        for glob in features.iter().chain(exclude) {
            if !columns.0.iter().any(|c| matches(glob, &c.name)) {
                return Err(no_match(glob, frame));
            }
        }
        for (column, values) in columns.0.iter_mut().zip(frame.columns()) {
            let asked = |globs: &[String]| globs.iter().any(|g| matches(g, &column.name));
            if asked(exclude) {
                column.left_out = Some("excluded".into());
            } else if asked(features) {
                column.left_out = impossible(values);
            } else if !features.is_empty() {
                column.left_out.get_or_insert_with(|| "not asked for".into());
            }
        }
        for name in features {
            if let Some(column) = columns.0.iter().find(|c| c.name == *name)
                && let Some(reason) = &column.left_out
                && !exclude.iter().any(|g| matches(g, name))
            {
                return Err(crate::Error::data(format!("cannot be a feature: {reason}"))
                    .at_column(name)
                    .help("leave it out of --features"));
            }
        }
        Ok(columns)
    }

    /// The same with lengths in `unit` (pixels when `None`), where no name says otherwise.
    pub fn in_lengths(mut self, unit: Option<&str>) -> Self {
        if let Some(unit) = unit {
            for column in self.0.iter_mut().filter(|column| column.canonical.is_some()) {
                column.unit = recognize(&column.name).map_or_else(String::new, |k| k.unit(unit));
            }
        }
        self
    }

    /// All columns, in table order.
    pub fn iter(&self) -> std::slice::Iter<'_, Column> {
        self.0.iter()
    }

    /// The column of that name.
    pub fn get(&self, name: &str) -> Option<&Column> {
        self.0.iter().find(|c| c.name == name)
    }

    /// The names that enter the analysis, in table order.
    pub fn features(&self) -> Vec<&str> {
        self.0.iter().filter(|c| c.left_out.is_none()).map(|c| c.name.as_str()).collect()
    }

    /// The column that tells the rows apart, if one was recognised: `label` before others.
    pub fn key(&self) -> Option<&str> {
        let keys = || self.0.iter().filter(|c| c.role == Role::Key);
        let label = keys().find(|c| c.canonical.as_deref() == Some("label"));
        label.or_else(|| keys().next()).map(|c| c.name.as_str())
    }

    /// What was left out and why, in one line: `label (key) · bbox_* centroid_* (position)`.
    ///
    /// Columns of one reason stand together, and names that differ only after their first part share a `*`.
    pub fn left_out(&self) -> String {
        let parts = self.reasons().into_iter().map(|(names, reason)| format!("{names} ({reason})"));
        parts.collect::<Vec<_>>().join(" · ")
    }

    /// The same in parts: names, and the reason they share.
    pub fn reasons(&self) -> Vec<(String, String)> {
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for column in &self.0 {
            let Some(reason) = column.left_out.as_deref() else { continue };
            match reasons.iter_mut().find(|(r, _)| *r == reason) {
                Some((_, names)) => names.push(&column.name),
                None => reasons.push((reason, vec![&column.name])),
            }
        }
        let part =
            |(reason, names): (&str, Vec<&str>)| (collapsed(&names).join(" "), reason.to_owned());
        reasons.into_iter().map(part).collect()
    }
}

impl<'a> IntoIterator for &'a Columns {
    type Item = &'a Column;
    type IntoIter = std::slice::Iter<'a, Column>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Role, unit and verdict of one column.
fn judged(column: &PolarsColumn, known: Option<Known>, measured: bool) -> Column {
    let values = if is_number(column) { numbers(column) } else { None };
    let facts = values.as_deref().map(Facts::of);
    let name = column.name().to_string();
    let known = known.filter(|k| trusted(k, &name, facts.as_ref(), measured));
    let role =
        known.as_ref().map_or_else(|| role_of_values(column, facts.as_ref()), |k| k.property.role);
    let left_out = match role {
        Role::Feature | Role::Metadata if impossible(column).is_some() => impossible(column),
        Role::Feature => facts.and_then(|f| f.unfit()),
        _ => Some(role.name().into()),
    };
    let unit = known.as_ref().map(|k| k.unit("px")).unwrap_or_default();
    Column { name, canonical: known.map(|k| k.name), role, unit, left_out }
}

/// Whether the values agree with what the name promises.
fn trusted(known: &Known, name: &str, facts: Option<&Facts>, measured: bool) -> bool {
    match (known.property.role, facts) {
        // A text column is no measurement, whatever it is called.
        (Role::Feature | Role::Position | Role::Angle | Role::Embedding, facts) => {
            facts.is_some() && (measured || known.property.name != "position")
        }
        // Class labels are called `label` too; those repeat. CellProfiler numbers the objects of each image anew.
        (Role::Key, Some(facts)) => facts.unique || name.to_lowercase().contains("number"),
        // A number called `sample` or `group` beside nothing known is a number.
        (Role::Metadata | Role::Annotation, Some(facts)) => measured || facts.whole,
        _ => true,
    }
}

/// The role of a column whose name nobody knows.
fn role_of_values(column: &PolarsColumn, facts: Option<&Facts>) -> Role {
    match facts {
        Some(facts) if facts.counts_up && !column.dtype().is_float() => Role::Key,
        Some(facts)
            if !facts.unique && column.name().eq_ignore_ascii_case("label") && facts.whole =>
        {
            Role::Annotation
        }
        Some(_) => Role::Feature,
        None => Role::Metadata,
    }
}

/// Why a column cannot be a feature even when asked for.
fn impossible(column: &PolarsColumn) -> Option<String> {
    if column.null_count() == column.len() {
        return Some("empty".into());
    }
    (!is_number(column) && !column.dtype().is_bool()).then(|| "text".into())
}

/// What the values alone say, from one pass.
#[expect(clippy::struct_excessive_bools, reason = "four independent facts, not a state")]
struct Facts {
    n: usize,
    missing: usize,
    constant: bool,
    whole: bool,
    /// No value stands twice. Decided exactly for whole numbers only; others do not matter as keys.
    unique: bool,
    /// Each value is the one before plus 1.
    counts_up: bool,
}

impl Facts {
    fn of(values: &[f64]) -> Self {
        let mut present = values.iter().copied().filter(|v| !v.is_nan());
        let first = present.next();
        let missing = values.iter().filter(|v| v.is_nan()).count();
        let whole = first.is_some() && values.iter().all(|v| v.is_nan() || v.fract() == 0.0);
        let ascending = missing == 0 && values.windows(2).all(|w| w[0] < w[1]);
        Self {
            n: values.len(),
            missing,
            constant: first.is_some_and(|first| present.all(|v| v == first)),
            whole,
            unique: whole && missing == 0 && (ascending || all_differ(values)),
            counts_up: whole && values.len() > 2 && values.windows(2).all(|w| w[1] - w[0] == 1.0),
        }
    }

    /// Why a number column is no good as a feature.
    fn unfit(&self) -> Option<String> {
        if self.missing == self.n {
            Some("empty".into())
        } else if self.missing as f64 > MISSING_ALLOWED * self.n as f64 {
            Some(format!("{} % missing", (100.0 * self.missing as f64 / self.n as f64).round()))
        } else {
            (self.constant && self.n > 1).then(|| "constant".into())
        }
    }
}

fn all_differ(values: &[f64]) -> bool {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.windows(2).all(|w| w[0] != w[1])
}

/// `bbox_x_min bbox_x_max area` becomes `bbox_* area`.
fn collapsed<'a>(names: &[&'a str]) -> Vec<Cow<'a, str>> {
    let mut short: Vec<Cow<'a, str>> = Vec::new();
    for &name in names {
        let family = family(name);
        let alike = names.iter().filter(|other| self::family(other) == family).count();
        let shown = match family {
            Some(family) if alike > 1 => Cow::Owned(format!("{family}*")),
            _ => Cow::Borrowed(name),
        };
        if !short.contains(&shown) {
            short.push(shown);
        }
    }
    short
}

/// A name without the axis, number or end at its end: `bbox_` of `bbox_y_min`.
fn family(name: &str) -> Option<&str> {
    let is_index = |part: &str| part.chars().count() <= 1 || matches!(part, "min" | "max");
    let mut end = name.len();
    while let Some(mark) = name[..end].rfind(['_', '-']) {
        if !is_index(&name[mark + 1..end]) {
            break;
        }
        end = mark;
    }
    (end < name.len() && end > 0).then(|| &name[..=end])
}
