//! What colours a figure, and the column at its right that explains it.

use super::axis::{Scale, extent, small, tick_labels};
use super::canvas::{At, Figure, Ink};
use super::palette::{Color, INK, MUTED, Mark, UNASSIGNED, group, sequential};
use super::text::{Lettering, wrapped};
use crate::report::number::count;

/// More lines than this make a legend unreadable.
const MAX_GROUPS: usize = 18;
/// Width of the legend's column in pixels.
pub(crate) const LEGEND_WIDTH: f64 = 150.0;

/// What gives each object its colour.
#[derive(Debug, Clone, Default)]
pub enum ColorBy {
    /// One colour for all.
    #[default]
    Nothing,
    /// Groups, one label per object: 0 = not assigned, then 1..k.
    Groups {
        /// What the groups are, e.g. `cluster`.
        name: String,
        /// One label per object.
        labels: Vec<usize>,
        /// Names of the groups 1..k; empty: their numbers.
        names: Vec<String>,
    },
    /// A number per object; NaN is grey.
    Values {
        /// The column, with its unit if it has one.
        name: String,
        /// One value per object.
        values: Vec<f64>,
    },
}

impl ColorBy {
    /// Clusters 1..k, 0 = not assigned.
    pub fn clusters(labels: impl Into<Vec<usize>>) -> Self {
        Self::Groups { name: "cluster".into(), labels: labels.into(), names: Vec::new() }
    }

    /// A column of numbers.
    pub fn values(name: impl Into<String>, values: impl Into<Vec<f64>>) -> Self {
        Self::Values { name: name.into(), values: values.into() }
    }

    /// Colours and marks of all `n` objects.
    pub(crate) fn looks(&self, n: usize) -> Vec<(Color, Mark)> {
        match self {
            Self::Nothing => vec![group(1); n],
            Self::Groups { labels, .. } => {
                (0..n).map(|i| group(labels.get(i).copied().unwrap_or(0))).collect()
            }
            Self::Values { values, .. } => {
                let (low, high) = extent(values.iter().copied());
                (0..n)
                    .map(|i| match values.get(i) {
                        // 64 steps look continuous and let points of one step share a path.
                        Some(v) if v.is_finite() => {
                            let share = if high > low { (v - low) / (high - low) } else { 0.5 };
                            (sequential((share * 63.0).round() / 63.0), Mark::Circle)
                        }
                        _ => (UNASSIGNED, Mark::Circle),
                    })
                    .collect()
            }
        }
    }

    /// Groups present, ascending, with their size and name.
    pub(crate) fn groups(&self) -> Vec<(usize, usize, String)> {
        let Self::Groups { labels, names, .. } = self else { return Vec::new() };
        let highest = labels.iter().copied().max().unwrap_or(0);
        let mut sizes = vec![0_usize; highest + 1];
        for &label in labels {
            sizes[label] += 1;
        }
        let name = |label: usize| match names.get(label.wrapping_sub(1)) {
            Some(name) => name.clone(),
            None if label == 0 => "not assigned".into(),
            None => label.to_string(),
        };
        let order = (1..=highest).chain([0]);
        order.filter(|&l| sizes[l] > 0).map(|l| (l, sizes[l], name(l))).collect()
    }
}

impl Figure {
    /// The legend of `color` at `at` (its top left); returns the y below it.
    pub(crate) fn legend(&mut self, at: At, color: &ColorBy) -> f64 {
        match color {
            ColorBy::Nothing => at.1,
            ColorBy::Groups { name, .. } => {
                let y = self.legend_title(at, name);
                self.group_legend((at.0, y), &color.groups())
            }
            ColorBy::Values { name, values } => {
                let y = self.legend_title(at, name);
                let (low, high) = extent(values.iter().copied());
                self.color_bar((at.0, y), (low, high), sequential)
            }
        }
    }

    fn legend_title(&mut self, at: At, name: &str) -> f64 {
        let letters = Lettering::new(12.0).bold();
        let mut y = at.1;
        for line in wrapped(name, &letters, LEGEND_WIDTH - 10.0) {
            y += 15.0;
            self.text((at.0, y), line, letters);
        }
        y + 8.0
    }

    fn group_legend(&mut self, at: At, groups: &[(usize, usize, String)]) -> f64 {
        let letters = Lettering::new(12.0);
        let mut y = at.1 + 8.0;
        for (label, size, name) in groups.iter().take(MAX_GROUPS) {
            let (color, mark) = group(*label);
            self.mark(mark, (at.0 + 6.0, y), 5.0, color, true);
            let size = count(*size);
            let room = LEGEND_WIDTH - 40.0 - letters.width(&size);
            let name = letters.fitted(name, room);
            self.text((at.0 + 18.0, y + 4.2), &name, letters);
            let after = at.0 + 18.0 + letters.width(&name) + 8.0;
            self.text((after, y + 4.2), size, letters.ink(MUTED));
            y += 19.0;
        }
        if groups.len() > MAX_GROUPS {
            let more = format!("\u{2026} and {} more", groups.len() - MAX_GROUPS);
            self.text((at.0 + 18.0, y + 4.2), more, letters.ink(MUTED));
            y += 19.0;
        }
        y
    }

    /// A bar from low (bottom) to high (top) with ticks; returns the y below it.
    pub(crate) fn color_bar(&mut self, at: At, range: (f64, f64), color: fn(f64) -> Color) -> f64 {
        const HEIGHT: f64 = 150.0;
        let (x, top) = (at.0, at.1 + 4.0);
        let steps = 50;
        for i in 0..steps {
            let share = (f64::from(i) + 0.5) / f64::from(steps);
            let bottom = top + HEIGHT - HEIGHT * f64::from(i) / f64::from(steps);
            let next = bottom - HEIGHT / f64::from(steps) - if i + 1 < steps { 0.4 } else { 0.0 };
            self.rect((x, next), (x + 14.0, bottom), color(share));
        }
        let scale = Scale::new(range.0, range.1, top + HEIGHT, top);
        let ticks = scale.ticks(5);
        for (tick, label) in ticks.iter().zip(tick_labels(&ticks)) {
            let y = scale.at(*tick);
            self.line(vec![(x + 14.0, y), (x + 18.0, y)], MUTED);
            self.text((x + 22.0, y + 4.0), label, small());
        }
        top + HEIGHT + 14.0
    }

    /// How stability is drawn: full, pale, hollow.
    pub(crate) fn stability_legend(&mut self, at: At) -> f64 {
        let y = self.legend_title(at, "stability over runs");
        let letters = Lettering::new(12.0);
        let rows = [(1.0, true, "keeps its place"), (0.45, true, "less so"), (1.0, false, "moves")];
        let mut y = y + 8.0;
        for (alpha, filled, text) in rows {
            let ink = Ink::from(INK).alpha(alpha).width(1.3);
            self.mark(Mark::Circle, (at.0 + 6.0, y), 4.5, ink, filled);
            self.text((at.0 + 18.0, y + 4.2), text, letters);
            y += 19.0;
        }
        y
    }
}
