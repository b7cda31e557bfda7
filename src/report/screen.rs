//! The terminal screen: what was found, as lines of at most 80 columns.

use super::number::{count, printable, shortened, significant, sparkline};
use crate::stability::Light;
use crate::table::ColumnSummary;

/// No line is wider, paths excepted.
const WIDTH: usize = 80;
/// More features than this are folded into a line that says so.
const MAX_FEATURES: usize = 24;
/// Findings begin here, behind their label.
const LABEL: usize = 11;
/// Longer names are shortened in the middle.
const NAME: usize = 20;

/// Whether lines carry terminal colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// Text only.
    #[default]
    Plain,
    /// ANSI colours.
    Color,
}

/// One feature on the screen.
#[derive(Debug, Clone, Default)]
pub struct FeatureRow {
    /// The column's name.
    pub name: String,
    /// Its unit; empty when it has none.
    pub unit: String,
    /// Number of values.
    pub n: usize,
    /// Number of missing values.
    pub missing: usize,
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub sd: f64,
    /// Counts of a histogram, usually eight.
    pub bins: Vec<usize>,
    /// Other features that say the same.
    pub moves_with: Vec<String>,
    /// Anything else worth a few words.
    pub note: String,
}

impl FeatureRow {
    /// The row of a column, without notes.
    pub fn of(summary: &ColumnSummary) -> Self {
        Self {
            name: summary.name.clone(),
            unit: summary.unit.clone(),
            n: summary.count,
            missing: summary.missing,
            mean: summary.mean.unwrap_or(f64::NAN),
            sd: summary.std.unwrap_or(f64::NAN),
            bins: summary.histogram.to_vec(),
            ..Self::default()
        }
    }
}

/// Everything the screen says.
///
/// ```
/// use polariscope::report::screen::{Screen, Style};
/// let screen = Screen {
///     title: vec!["blobs.csv".into(), "61 objects x 30 columns".into()],
///     findings: vec![("PCA".into(), "PC1 62 % [57-66]".into())],
///     report: Some("blobs.explore/report.html".into()),
///     ..Screen::default()
/// };
/// assert_eq!(
///     screen.text(Style::Plain),
///     "blobs.csv   61 objects x 30 columns\n\
///      PCA        PC1 62 % [57-66]\n\
///      report     blobs.explore/report.html\n"
/// );
/// ```
#[derive(Debug, Clone, Default)]
pub struct Screen {
    /// The file, its size, its key: parts of the first line.
    pub title: Vec<String>,
    /// Columns left out of the analysis, each with the reason: `("label", "key")`.
    pub not_features: Vec<(String, String)>,
    /// The features, in table order.
    pub features: Vec<FeatureRow>,
    /// All features, however many.
    pub unfolded: bool,
    /// The file as named in `... and N more (explore describe TABLE)`.
    pub table: String,
    /// A label of at most ten letters and a sentence each.
    pub findings: Vec<(String, String)>,
    /// The verdict and its light.
    pub verdict: Option<(Light, String)>,
    /// Warnings and notes, after everything else but the report.
    pub notes: Vec<String>,
    /// Where the report was written.
    pub report: Option<String>,
}

impl Screen {
    /// The whole screen, a line feed after each line.
    pub fn text(&self, style: Style) -> String {
        let mut text = self.lines(style).join("\n");
        if !text.is_empty() {
            text.push('\n');
        }
        text
    }

    /// The lines of the screen.
    pub fn lines(&self, style: Style) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.title.is_empty() {
            let parts: Vec<String> = self.title.iter().map(|p| printable(p)).collect();
            let title = folded(&parts, "   ", "  ");
            lines.extend(title.into_iter().map(|l| style.bold(&l)));
        }
        if !self.not_features.is_empty() {
            let mut parts: Vec<String> = self
                .not_features
                .iter()
                .map(|(names, why)| format!("{} ({why})", printable(names)))
                .collect();
            parts[0] = format!("not features: {}", parts[0]);
            lines.extend(folded(&parts, " · ", "  ").into_iter().map(|l| style.dim(&l)));
        }
        lines.extend(self.feature_lines(style));
        for (label, sentence) in &self.findings {
            lines.extend(hanging(label, sentence, style));
        }
        if let Some((light, sentence)) = &self.verdict {
            let wrapped = wrapped(&printable(sentence), WIDTH, 0);
            lines.extend(wrapped.into_iter().map(|l| style.light(*light, &l)));
        }
        for note in &self.notes {
            lines.extend(hanging("note", note, style));
        }
        if let Some(report) = &self.report {
            lines.push(format!("{}{report}", style.bold(&padded("report", LABEL))));
        }
        lines
    }

    fn feature_lines(&self, style: Style) -> Vec<String> {
        let most = if self.unfolded { usize::MAX } else { MAX_FEATURES };
        let shown = &self.features[..self.features.len().min(most)];
        if shown.is_empty() {
            return Vec::new();
        }
        let rows: Vec<[String; 7]> = shown.iter().map(FeatureRow::cells).collect();
        let head = ["feature", "unit", "n", "missing", "mean", "sd", "shape"];
        let mut widths = head.map(columns);
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(columns(cell));
            }
        }
        if shown.iter().all(|f| f.unit.is_empty()) {
            widths[1] = 0;
        }
        let line = |cells: [&str; 7], note: &str| {
            let mut line = String::from(" ");
            for (i, (cell, width)) in cells.into_iter().zip(widths).enumerate() {
                if width > 0 {
                    let gap = if i >= 6 { "  " } else { " " };
                    let left = matches!(i, 0 | 1 | 6);
                    line.push_str(gap);
                    line.push_str(&if left { padded(cell, width) } else { led(cell, width) });
                }
            }
            let room = WIDTH.saturating_sub(columns(&line) + 2);
            let note = cut(note, room);
            format!("{line}  {note}").trim_end().to_string()
        };
        let room = WIDTH.saturating_sub(13 + widths.iter().sum::<usize>());
        let long = shown.iter().all(|f| columns(&f.remark("moves with", WIDTH)) <= room);
        let (before, remark) = match long {
            _ if shown.iter().all(|f| f.remark("", 1).is_empty()) => ("", ""),
            true => ("moves with", "note"),
            false => ("≈", "≈ same as"),
        };
        let mut lines = vec![style.dim(&line(head, remark))];
        for (feature, row) in shown.iter().zip(&rows) {
            let cells = row.each_ref().map(String::as_str);
            lines.push(line(cells, &feature.remark(before, room)));
        }
        let more = self.features.len() - shown.len();
        if more > 0 {
            let table = if self.table.is_empty() { "TABLE" } else { &self.table };
            let text = format!("  ... and {more} more (explore describe {})", printable(table));
            lines.push(style.dim(&text));
        }
        lines
    }
}

impl FeatureRow {
    fn cells(&self) -> [String; 7] {
        [
            shortened(&printable(&self.name), NAME),
            shortened(&printable(&self.unit), 8),
            count(self.n),
            count(self.missing),
            significant(self.mean),
            significant(self.sd),
            sparkline(&self.bins),
        ]
    }

    /// The note in at most `room` columns.
    fn remark(&self, before: &str, room: usize) -> String {
        let note = printable(&self.note);
        let Some((first, others)) = self.moves_with.split_first() else { return cut(&note, room) };
        let others = if others.is_empty() { String::new() } else { format!(" +{}", others.len()) };
        let name_room = room.saturating_sub(columns(before) + 1 + columns(&others));
        let name = shortened(&printable(first), name_room.max(4));
        let remark = format!("{before} {name}{others}");
        if note.is_empty() { remark } else { cut(&format!("{remark}; {note}"), room) }
    }
}

impl Style {
    fn wrap(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_string(),
            Self::Color => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }

    fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    fn light(self, light: Light, text: &str) -> String {
        let code = match light {
            Light::Green => "1;32",
            Light::Amber => "1;33",
            Light::Red => "1;31",
        };
        self.wrap(code, text)
    }
}

/// Terminal columns of a text: none for combining marks, two for wide East Asian signs and pictures.
pub(crate) fn columns(text: &str) -> usize {
    text.chars()
        .map(|c| match c as u32 {
            0x0300..=0x036f | 0x200b..=0x200f | 0x20d0..=0x20ff | 0xfe00..=0xfe0f => 0,
            0x1100..=0x115f
            | 0x2e80..=0x303e
            | 0x3041..=0xa4cf
            | 0xac00..=0xd7a3
            | 0xf900..=0xfaff
            | 0xfe30..=0xfe6f
            | 0xff00..=0xff60
            | 0xffe0..=0xffe6
            | 0x1f300..=0x1f64f
            | 0x1f900..=0x1f9ff
            | 0x20000..=0x3fffd => 2,
            _ => 1,
        })
        .sum()
}

fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

fn led(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(columns(text))))
}

/// The beginning of `text` in at most `room` columns.
fn cut(text: &str, room: usize) -> String {
    if columns(text) <= room {
        return text.to_string();
    }
    let mut kept = String::new();
    for c in text.chars() {
        if columns(&kept) + columns(&c.to_string()) + 1 > room {
            break;
        }
        kept.push(c);
    }
    let kept = kept.trim_end_matches([' ', ',', ';']).to_string();
    if room == 0 { kept } else { kept + "…" }
}

/// A label, and a sentence that hangs behind it over as many lines as it needs.
fn hanging(label: &str, sentence: &str, style: Style) -> Vec<String> {
    let lines = wrapped(&printable(sentence), WIDTH - LABEL, 0);
    let label = padded(&cut(label, LABEL - 1), LABEL);
    let indent = " ".repeat(LABEL);
    lines
        .into_iter()
        .enumerate()
        .map(|(i, line)| match i {
            0 => format!("{}{line}", style.bold(&label)),
            _ => format!("{indent}{line}"),
        })
        .collect()
}

/// Words in lines of at most `width` columns; runs of spaces inside a line are kept.
fn wrapped(text: &str, width: usize, indent: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut gap = 0;
    for word in text.split(' ') {
        if word.is_empty() {
            gap += 1;
            continue;
        }
        let last = lines.len() - 1;
        let line = &mut lines[last];
        let spaces = if line.trim().is_empty() { 0 } else { gap.max(1) };
        gap = 1;
        if columns(line) + spaces + columns(word) > width && !line.trim().is_empty() {
            let room = width.saturating_sub(indent);
            lines.push(format!("{}{}", " ".repeat(indent), cut(word, room)));
        } else {
            line.push_str(&" ".repeat(spaces));
            line.push_str(&cut(word, width));
        }
    }
    lines
}

/// Parts joined by `separator`, in lines broken between parts, and inside a part only if it is too long.
fn folded(parts: &[String], separator: &str, indent: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if columns(line) + columns(separator) + columns(part) <= WIDTH => {
                line.push_str(separator);
                line.push_str(part);
            }
            _ => {
                let indent = if lines.is_empty() { "" } else { indent };
                let text = format!("{indent}{part}");
                lines.extend(wrapped_keeping(&text, indent.len()));
            }
        }
    }
    lines
}

fn wrapped_keeping(text: &str, indent: usize) -> Vec<String> {
    let lead = text.len() - text.trim_start().len();
    let mut lines = wrapped(text.trim_start(), WIDTH - lead, indent.max(2));
    if let Some(first) = lines.first_mut() {
        *first = format!("{}{first}", " ".repeat(lead));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blobs() -> Screen {
        let row = |name: &str, unit: &str, moves: &[&str]| FeatureRow {
            name: name.into(),
            unit: unit.into(),
            n: 61,
            mean: 401.885,
            sd: 202.91,
            bins: vec![2, 5, 9, 6, 3, 1, 0, 1],
            moves_with: moves.iter().map(|m| (*m).to_string()).collect(),
            ..FeatureRow::default()
        };
        let mut features = vec![
            row("area", "px²", &["area_convex", "equivalent_diameter_area"]),
            row("a_very_long_name_of_a_column_from_elsewhere", "", &[]),
        ];
        features[1].note = "skewed; a log might help to see its shape better".into();
        features.extend((0..28).map(|i| row(&format!("moments_hu_{i}"), "", &[])));
        Screen {
            title: vec![
                "blobs.csv".into(),
                "61 objects x 30 columns".into(),
                "key: label (unique)".into(),
            ],
            not_features: vec![
                ("label".into(), "key".into()),
                ("centroid_* bbox_*".into(), "position".into()),
                ("orientation".into(), "angle".into()),
                ("intensity_min".into(), "constant".into()),
            ],
            features,
            unfolded: false,
            table: "blobs.csv".into(),
            findings: vec![
                (
                    "PCA".into(),
                    "PC1 62 % [57–66]   PC2 21 % [18–25]   2 components above noise \
                                (parallel analysis)"
                        .into(),
                ),
                ("K-means".into(), "k = 2 (silhouette 0.58)".into()),
            ],
            verdict: Some((
                Light::Green,
                "2 groups, repeatable. Sizes and members can be reported; \
                 distances on the map cannot. It is a hypothesis: test it on new images."
                    .into(),
            )),
            notes: Vec::new(),
            report: Some("blobs.explore/report.html".into()),
        }
    }

    #[test]
    fn no_line_is_wider_than_80_columns() {
        let screen = blobs();
        let lines = screen.lines(Style::Plain);
        assert!(lines.iter().all(|l| columns(l) <= WIDTH), "{lines:#?}");
        let text = screen.text(Style::Plain);
        for expected in [
            "blobs.csv   61 objects x 30 columns   key: label (unique)\n",
            "not features: label (key) · centroid_* bbox_* (position)",
            "area ",
            "px²",
            "401.9",
            "▂▅█▆▃▁ ▁",
            "≈ area_convex +1",
            "a_very_lon…elsewhere",
            "... and 6 more (explore describe blobs.csv)",
            "PCA        PC1 62 % [57–66]   PC2 21 %",
            "report     blobs.explore/report.html\n",
        ] {
            assert!(text.contains(expected), "{expected} is missing in\n{text}");
        }
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let screen = blobs();
        let mut colored = screen.text(Style::Color);
        for code in ["0", "1", "2", "1;32"] {
            colored = colored.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_eq!(colored, screen.text(Style::Plain));
    }

    #[test]
    fn hostile_names_cannot_steer_the_terminal() {
        let mut screen = blobs();
        screen.features[0].name = "\u{1b}[2Jarea\nrm".into();
        screen.features[1].name = "面積の測定値".into();
        let text = screen.text(Style::Plain);
        assert!(!text.contains('\u{1b}'));
        assert!(text.lines().all(|l| columns(l) <= WIDTH));
    }
}
