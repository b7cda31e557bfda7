//! The stability card: how much of the result survives another run, in one picture.

use super::axis::{Frame, medium, small};
use super::canvas::{Figure, Ink};
use super::palette::{ACCENT, CONTRAST, Color, GRID, INK, MUTED, group};
use super::text::{Anchor, Lettering, wrapped};
use crate::report::number::{count, digits};
use crate::stability::Light;

impl Light {
    pub(crate) fn color(self) -> Color {
        match self {
            Self::Green => Color(0x1f, 0x8a, 0x5b),
            Self::Amber => Color(0xe0, 0x96, 0x00),
            Self::Red => Color(0xc6, 0x38, 0x2c),
        }
    }
}

/// What repeated runs say about the map and the groups.
#[derive(Debug, Clone, Default)]
pub struct StabilityCard {
    /// The verdict.
    pub light: Light,
    /// The verdict in a sentence.
    pub sentence: String,
    /// Neighbourhood size K and chance-corrected overlap between runs, `R_NX(K)`.
    pub between_runs: Vec<(usize, f64)>,
    /// The same curve between map and data.
    pub with_data: Vec<(usize, f64)>,
    /// The K from and to which runs agree on at least half.
    pub band: Option<(usize, usize)>,
    /// Adjusted Rand index of each run with the consensus.
    pub agreement: Vec<f64>,
    /// Size and Jaccard stability (over subsamples) of each group 1..k.
    pub groups: Vec<(usize, f64)>,
    /// Sources of doubt, and the share of objects that change group with each; `None` where it is not known.
    pub sources: Vec<(String, Option<f64>)>,
}

/// Draws a [`StabilityCard`].
pub fn stability(card: &StabilityCard) -> Figure {
    let title = "How far this can be trusted";
    let letters = Lettering::new(15.0).bold();
    let lines = wrapped(&card.sentence, &letters, 590.0);
    let head = 58.0 + 20.0 * lines.len().max(1) as f64;
    let foot = if card.sources.is_empty() { 0.0 } else { 52.0 + 20.0 * card.sources.len() as f64 };
    let mut figure = Figure::new(title, 720.0, head + 330.0 + foot);
    figure.header("");
    for (i, light) in [Light::Green, Light::Amber, Light::Red].into_iter().enumerate() {
        let at = (28.0 + 24.0 * i as f64, 62.0);
        if light == card.light {
            figure.dot(at, 10.0, light.color());
        } else {
            figure.mark(super::palette::Mark::Circle, at, 9.0, Ink::from(MUTED).width(1.2), false);
        }
    }
    for (i, line) in lines.iter().enumerate() {
        figure.text((104.0, 67.0 + 20.0 * i as f64), line, letters);
    }
    let top = head + 46.0;
    let frame = Frame { left: 66.0, top, right: 400.0, bottom: head + 274.0 };
    neighbourhoods(&mut figure, card, &frame);
    let right = Frame { left: 476.0, top, right: 704.0, bottom: head + 274.0 };
    groups(&mut figure, card, &right);
    let below = Frame { left: 126.0, top: head + 368.0, right: 704.0, bottom: head + 310.0 + foot };
    sources(&mut figure, card, &below);
    figure
}

/// The share of objects that change group, one bar for each source of doubt.
fn sources(figure: &mut Figure, card: &StabilityCard, frame: &Frame) {
    if card.sources.is_empty() {
        return;
    }
    let heading = "Objects that change group, by what is changed";
    figure.text((16.0, frame.top - 14.0), heading, medium().bold());
    let largest = card.sources.iter().filter_map(|s| s.1).fold(0.1, f64::max);
    let x = frame.across(0.0, largest * 1.12);
    let step = frame.height() / card.sources.len() as f64;
    for (i, (name, share)) in card.sources.iter().enumerate() {
        let y = frame.top + step * (i as f64 + 0.5);
        let end = Anchor::End;
        figure.text((frame.left - 8.0, y + 4.0), name, small().anchor(end).ink(INK));
        let bar = x.at(share.unwrap_or(0.0));
        if share.is_some_and(|share| share > 0.0) {
            figure.rect((frame.left, y - 6.0), (bar, y + 6.0), ACCENT);
        }
        let value = match share {
            None => "not known".to_owned(),
            Some(0.0) => "none".to_owned(),
            Some(share) => format!("{} %", digits(100.0 * share, 1)),
        };
        figure.text((bar + 6.0, y + 4.0), value, small().ink(INK));
    }
    let line = vec![(frame.left, frame.top), (frame.left, frame.bottom)];
    figure.line(line, GRID);
}

/// Overlap over neighbourhood size, on a logarithmic axis.
fn neighbourhoods(figure: &mut Figure, card: &StabilityCard, frame: &Frame) {
    let bold = medium().bold();
    figure.text((16.0, frame.top - 30.0), "The map: do neighbours stay neighbours?", bold);
    let largest = card.between_runs.iter().chain(&card.with_data).map(|p| p.0).max().unwrap_or(1);
    let x = frame.across(0.0, (largest.max(2) as f64).log10());
    let y = frame.up(0.0, 1.0);
    figure.y_axis(frame, &y, "shared neighbours", "");
    let at = |k: usize| x.at((k.max(1) as f64).log10());
    if let Some((low, high)) = card.band {
        let from = (at(low), frame.top);
        figure.rect(from, (at(high), frame.bottom), Ink::from(ACCENT).alpha(0.1));
    }
    for k in [1, 10, 100, 1000, 10_000, 100_000].into_iter().filter(|&k| k <= largest) {
        figure.line(vec![(at(k), frame.top), (at(k), frame.bottom)], GRID);
        let label = small().anchor(Anchor::Middle);
        figure.text((at(k), frame.bottom + 17.0), count(k), label);
    }
    let middle = f64::midpoint(frame.left, frame.right);
    let title = "size of the neighbourhood, objects";
    figure.text((middle, frame.bottom + 37.0), title, medium().anchor(Anchor::Middle));
    figure.dashed((frame.left, y.at(0.5)), (frame.right, y.at(0.5)), Ink::from(MUTED));
    let curves =
        [(&card.between_runs, ACCENT, "between runs"), (&card.with_data, CONTRAST, "map and data")];
    for (i, (points, color, name)) in curves.into_iter().enumerate() {
        let line: Vec<_> = points.iter().map(|p| (at(p.0), y.at(p.1.clamp(0.0, 1.0)))).collect();
        if line.is_empty() {
            continue;
        }
        figure.line(line, Ink::from(color).width(2.2));
        let x = frame.left + 110.0 * i as f64;
        let y = frame.top - 10.0;
        figure.line(vec![(x, y - 4.0), (x + 16.0, y - 4.0)], Ink::from(color).width(2.2));
        figure.text((x + 22.0, y), name, small().ink(INK));
    }
    let (from, to) = frame.corners();
    figure.frame(from, to, GRID);
}

/// Agreement of the runs as dots, stability of the groups as bars.
fn groups(figure: &mut Figure, card: &StabilityCard, frame: &Frame) {
    let bold = medium().bold();
    let left = frame.left - 30.0;
    figure.text((left, frame.top - 30.0), "The groups: same again?", bold);
    let x = frame.across(0.0, 1.0);
    for tick in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let at = x.at(tick);
        figure.line(vec![(at, frame.top), (at, frame.bottom)], GRID);
        let label = digits(tick, 2);
        figure.text((at, frame.bottom + 17.0), label, small().anchor(Anchor::Middle));
    }
    let middle = f64::midpoint(frame.left, frame.right);
    let title = "agreement (1 = the same)";
    figure.text((middle, frame.bottom + 37.0), title, medium().anchor(Anchor::Middle));
    let y = frame.top + 14.0;
    figure.text((frame.left - 8.0, y + 4.0), "runs", small().anchor(Anchor::End).ink(INK));
    let mut runs = card.agreement.clone();
    runs.sort_by(f64::total_cmp);
    for (i, value) in runs.iter().enumerate() {
        let spread = ((i * 7) % 13) as f64 - 6.0;
        let at = (x.at(value.clamp(0.0, 1.0)), y + spread);
        figure.dot(at, 2.6, Ink::from(INK).alpha(0.55));
    }
    let room = frame.bottom - y - 26.0;
    let shown = card.groups.len().min(14);
    let step = (room / shown.max(1) as f64).min(26.0);
    for (i, (size, jaccard)) in card.groups.iter().take(shown).enumerate() {
        let y = y + 26.0 + step * (i as f64 + 0.5);
        let half = (step * 0.36).min(8.0);
        let end = x.at(jaccard.clamp(0.0, 1.0));
        figure.rect((x.at(0.0), y - half), (end, y + half), group(i + 1).0);
        let name = (i + 1).to_string();
        figure.text((frame.left - 8.0, y + 4.0), name, small().anchor(Anchor::End).ink(INK));
        let label = format!("{}  ({})", digits(*jaccard, 2), count(*size));
        let inside = end - small().width(&label) - 6.0 > frame.left;
        if inside && half >= 6.0 {
            let ink = group(i + 1).0.contrast();
            figure.text((end - 6.0, y + 4.0), label, small().anchor(Anchor::End).ink(ink));
        }
    }
}
