//! How values are spread: small histograms per feature, and the silhouette of groups.

use super::axis::{Frame, extent, medium, small};
use super::canvas::{Figure, Ink};
use super::legend::ColorBy;
use super::palette::{GRID, INK, MUTED, group};
use super::text::{Anchor, Lettering};
use crate::report::number::{count, digits};

/// More features than this are not drawn.
const MAX_FEATURES: usize = 24;
/// Bins of a small histogram.
const BINS: usize = 24;
/// Bars of a silhouette plot: as many as there are pixels.
const MAX_BARS: usize = 300;

/// Histograms, one small panel per feature.
#[derive(Debug, Clone, Default)]
pub struct Histograms {
    /// A sentence under the heading.
    pub subtitle: String,
    /// Name, unit (may be empty) and values of each feature.
    pub features: Vec<(String, String, Vec<f64>)>,
    /// Groups of the objects, drawn over each other; only [`ColorBy::Groups`] splits the histograms.
    pub color: ColorBy,
}

/// Draws [`Histograms`].
pub fn histograms(histograms: &Histograms) -> Figure {
    const COLUMNS: usize = 4;
    let title = "How the values are spread";
    let shown = histograms.features.len().min(MAX_FEATURES);
    let mut subtitle = histograms.subtitle.clone();
    if shown < histograms.features.len() {
        let (shown, all) = (count(shown), count(histograms.features.len()));
        subtitle = format!("{subtitle} The first {shown} of {all} features.");
    }
    let groups = histograms.color.groups();
    let top = Figure::new(title, 720.0, 0.0).header(&subtitle);
    let legend = if groups.len() > 1 { 32.0 } else { 0.0 };
    let rows = shown.div_ceil(COLUMNS).max(1);
    let mut figure = Figure::new(title, 720.0, top + legend + 122.0 * rows as f64 + 8.0);
    figure.header(&subtitle);
    if groups.len() > 1 {
        level_legend(&mut figure, (16.0, top + 6.0), &groups);
    }
    for (i, feature) in histograms.features.iter().take(shown).enumerate() {
        let (row, column) = (i / COLUMNS, i % COLUMNS);
        let left = 16.0 + 174.0 * column as f64;
        let top = top + legend + 122.0 * row as f64;
        let frame = Frame { left, top: top + 20.0, right: left + 162.0, bottom: top + 92.0 };
        panel(&mut figure, &frame, feature, histograms);
    }
    figure
}

/// Groups in one line, as many as fit.
fn level_legend(figure: &mut Figure, at: (f64, f64), groups: &[(usize, usize, String)]) {
    let letters = Lettering::new(12.0);
    let mut x = at.0;
    for (label, size, name) in groups {
        let text = format!("{} ({})", letters.fitted(name, 120.0), count(*size));
        let next = x + 34.0 + letters.width(&text);
        if next > 690.0 {
            figure.text((x, at.1 + 4.0), "\u{2026}", letters);
            return;
        }
        figure.rect((x, at.1 - 5.0), (x + 10.0, at.1 + 5.0), group(*label).0);
        figure.text((x + 16.0, at.1 + 4.2), text, letters);
        x = next;
    }
}

fn panel(
    figure: &mut Figure,
    frame: &Frame,
    feature: &(String, String, Vec<f64>),
    all: &Histograms,
) {
    let (name, unit, values) = feature;
    let title = if unit.is_empty() { name.clone() } else { format!("{name} [{unit}]") };
    let letters = Lettering::new(11.5).bold();
    figure.text((frame.left, frame.top - 6.0), letters.fitted(&title, frame.width()), letters);
    let (low, high) = extent(values.iter().copied());
    let x = frame.across(low, high);
    let bin = |v: f64| (((v - x.low) / (x.high - x.low) * BINS as f64) as usize).min(BINS - 1);
    let labels: &[usize] = match &all.color {
        ColorBy::Groups { labels, .. } => labels,
        _ => &[],
    };
    let groups = match all.color.groups() {
        groups if groups.is_empty() => vec![1],
        groups => groups.into_iter().map(|g| g.0).collect::<Vec<_>>(),
    };
    let counts: Vec<(usize, [usize; BINS])> = groups
        .iter()
        .map(|&g| {
            let mut counts = [0; BINS];
            for (i, &v) in values.iter().enumerate().filter(|v| v.1.is_finite()) {
                if labels.is_empty() || labels.get(i) == Some(&g) {
                    counts[bin(v)] += 1;
                }
            }
            (g, counts)
        })
        .collect();
    let highest = counts.iter().flat_map(|c| c.1).max().unwrap_or(1).max(1);
    let y = frame.up(0.0, highest as f64);
    for (label, counts) in &counts {
        let color = group(*label).0;
        let mut outline = vec![(frame.left, frame.bottom)];
        for (b, &n) in counts.iter().enumerate() {
            let edge = |b: usize| frame.left + frame.width() * b as f64 / BINS as f64;
            outline.push((edge(b), y.at(n as f64)));
            outline.push((edge(b + 1), y.at(n as f64)));
        }
        outline.push((frame.right, frame.bottom));
        figure.area(outline.clone(), Ink::from(color).alpha(0.35));
        figure.line(outline, Ink::from(color).width(1.2));
    }
    figure.line(vec![(frame.left, frame.bottom), (frame.right, frame.bottom)], MUTED);
    let bottom = frame.bottom + 14.0;
    let label = |v: f64| digits(v, 3).replace('-', "\u{2212}");
    figure.text((frame.left, bottom), label(low), small());
    figure.text((frame.right, bottom), label(high), small().anchor(Anchor::End));
}

/// Silhouettes: how much nearer each object is to its own group than to the next.
#[derive(Debug, Clone, Default)]
pub struct Silhouette {
    /// One value per object, -1..1.
    pub values: Vec<f64>,
    /// The group of each object, 1..k; 0 is left out.
    pub labels: Vec<usize>,
}

/// Draws a [`Silhouette`] plot.
pub fn silhouette(silhouette: &Silhouette) -> Figure {
    let title = "How well the objects sit in their groups";
    let mean = mean(silhouette.values.iter().copied());
    let subtitle = format!(
        "Silhouette of every object, sorted within its group; mean {}. Above 0.5 is clear, near 0 is \
         between groups, below 0 is nearer to another group.",
        digits(mean, 2).replace('-', "\u{2212}")
    );
    let highest = silhouette.labels.iter().copied().max().unwrap_or(0);
    let mut groups: Vec<(usize, Vec<f64>)> = (1..=highest)
        .map(|label| {
            let of_group = silhouette.values.iter().zip(&silhouette.labels);
            let mut values: Vec<f64> =
                of_group.filter(|v| *v.1 == label && v.0.is_finite()).map(|v| *v.0).collect();
            values.sort_by(|a, b| b.total_cmp(a));
            (label, values)
        })
        .filter(|g| !g.1.is_empty())
        .collect();
    groups.truncate(40);
    let n = groups.iter().map(|g| g.1.len()).sum::<usize>().max(1);
    let mut figure = Figure::new(title, 720.0, 460.0);
    let top = figure.header(&subtitle) + 4.0;
    let frame = Frame { left: 120.0, top, right: 690.0, bottom: 404.0 };
    let (low, _) = extent(silhouette.values.iter().copied().chain([0.0]));
    let x = frame.across((low * 1.05).max(-1.0), 1.0);
    figure.x_axis(&frame, &x, "silhouette", "");
    let gap = (40.0 / groups.len().max(1) as f64).min(8.0);
    let per_object = (frame.height() - gap * groups.len() as f64) / n as f64;
    let mut y = frame.top + gap / 2.0;
    for (label, values) in &groups {
        let height = per_object * values.len() as f64;
        let bars = values.len().min(MAX_BARS).min((height * 2.0).ceil().max(1.0) as usize);
        let color = group(*label).0;
        let mut outline = vec![(x.at(0.0), y)];
        for b in 0..bars {
            let value = values[b * values.len() / bars];
            let (upper, lower) = (b as f64 / bars as f64, (b + 1) as f64 / bars as f64);
            outline.push((x.at(value), y + height * upper));
            outline.push((x.at(value), y + height * lower));
        }
        outline.push((x.at(0.0), y + height));
        figure.area(outline, color);
        if height >= 11.0 {
            let middle = y + height / 2.0 + 4.0;
            figure.text(
                (frame.left - 8.0, middle),
                label.to_string(),
                medium().anchor(Anchor::End).bold(),
            );
            let of_group = self::mean(values.iter().copied());
            let note = format!("{}, mean {}", count(values.len()), digits(of_group, 2));
            if height >= 26.0 {
                let at = (frame.left - 8.0, middle + 14.0);
                figure.text(at, note.replace('-', "\u{2212}"), small().anchor(Anchor::End));
            }
        }
        y += height + gap;
    }
    figure.line(vec![(x.at(0.0), frame.top), (x.at(0.0), frame.bottom)], MUTED);
    figure.dashed((x.at(mean), frame.top), (x.at(mean), frame.bottom), Ink::from(INK).width(1.4));
    let (from, to) = frame.corners();
    figure.frame(from, to, GRID);
    figure
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.filter(|v| v.is_finite()).fold((0.0, 0), |(s, n), v| (s + v, n + 1));
    if n == 0 { f64::NAN } else { sum / f64::from(n) }
}
