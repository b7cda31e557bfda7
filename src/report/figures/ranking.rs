//! Features in order of what they contribute, as bars with intervals.

use super::axis::{Frame, extent, medium, small};
use super::canvas::Figure;
use super::palette::{ACCENT, MUTED, UNASSIGNED};
use super::text::{Anchor, Lettering};
use crate::select::Selection;

/// More rows than this are not drawn.
const MAX_ROWS: usize = 20;
/// Features of a selection, of which there may be hundreds.
const MAX_RANKED: usize = 15;

/// One bar of a [`Ranking`].
#[derive(Debug, Clone, Default)]
pub struct Ranked {
    /// The feature.
    pub name: String,
    /// Length of the bar.
    pub value: f64,
    /// The interval of the value.
    pub interval: Option<(f64, f64)>,
    /// Chosen features are drawn in colour, the others in grey.
    pub chosen: bool,
    /// A few words at the right, e.g. `50 of 50 runs`.
    pub note: String,
}

/// A ranking of features.
#[derive(Debug, Clone, Default)]
pub struct Ranking {
    /// The heading.
    pub title: String,
    /// A sentence under the heading.
    pub subtitle: String,
    /// What the bars measure.
    pub measure: String,
    /// Where bars begin: 0, or what chance would give.
    pub baseline: f64,
    /// The features, best first.
    pub rows: Vec<Ranked>,
}

impl Ranking {
    /// The first features of a selection.
    pub fn of(selection: &Selection) -> Self {
        let rows = selection.ranking.iter().take(MAX_RANKED).map(|f| Ranked {
            name: f.feature.clone(),
            value: f.correlation,
            interval: Some((f.correlation_low, f.correlation_high)),
            chosen: f.chosen,
            note: format!("family {}", f.family),
        });
        Self {
            title: "How strongly each feature goes with the groups".to_owned(),
            subtitle: selection.sentence.clone(),
            baseline: 0.0,
            measure: "|Spearman correlation| with the distance to a group's centre".to_owned(),
            rows: rows.collect(),
        }
    }
}

/// Draws a [`Ranking`].
pub fn ranking(ranking: &Ranking) -> Figure {
    let shown = &ranking.rows[..ranking.rows.len().min(MAX_ROWS)];
    let letters = Lettering::new(12.5);
    let names = shown.iter().map(|r| letters.width(&r.name)).fold(40.0, f64::max).min(220.0);
    let notes = shown.iter().map(|r| small().width(&r.note)).fold(0.0, f64::max).min(150.0);
    let top = Figure::new(&ranking.title, 720.0, 0.0).header(&ranking.subtitle);
    let bottom = top + 24.0 * shown.len().max(1) as f64 + 6.0;
    let more = ranking.rows.len() - shown.len();
    let foot = if more > 0 { 22.0 } else { 0.0 };
    let mut figure = Figure::new(&ranking.title, 720.0, bottom + 50.0 + foot);
    figure.header(&ranking.subtitle);
    let note_room = if notes > 0.0 { notes + 14.0 } else { 0.0 };
    let frame = Frame { left: 30.0 + names, top, right: 690.0 - note_room, bottom };
    let ends = shown.iter().flat_map(|r| {
        let (low, high) = r.interval.unwrap_or((r.value, r.value));
        [r.value, low, high]
    });
    let (low, high) = extent(ends.chain([ranking.baseline]));
    let room = if low < ranking.baseline { (high - low) * 0.04 } else { 0.0 };
    let x = frame.across(low - room, high + (high - low) * 0.04);
    figure.x_axis(&frame, &x, &ranking.measure, "");
    let zero = x.at(ranking.baseline);
    for (i, row) in shown.iter().enumerate() {
        let y = frame.top + 24.0 * (i as f64 + 0.5) + 3.0;
        let color = if row.chosen { ACCENT } else { UNASSIGNED };
        figure.rect((zero, y - 8.0), (x.at(row.value), y + 8.0), color);
        if let Some((low, high)) = row.interval {
            figure.whisker_across(y, x.at(low), x.at(high));
        }
        let name = letters.fitted(&row.name, 220.0);
        let name_letters = if row.chosen { letters } else { letters.ink(MUTED) };
        figure.text((frame.left - 10.0, y + 4.4), name, name_letters.anchor(Anchor::End));
        let note = small().fitted(&row.note, 150.0);
        figure.text((frame.right + 14.0, y + 4.2), note, small());
    }
    figure.line(vec![(zero, frame.top), (zero, frame.bottom)], MUTED);
    if more > 0 {
        let text = format!("\u{2026} and {more} more features");
        figure.text((16.0, bottom + 62.0), text, medium().ink(MUTED));
    }
    figure
}
