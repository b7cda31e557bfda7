//! What the principal components explain: the scree plot, and the loadings as a heat map.

use super::axis::{Frame, extent, medium, small};
use super::canvas::{Figure, Ink};
use super::heat::{HeatMap, draw_heat_map};
use super::palette::{ACCENT, CONTRAST, GRID, INK, MUTED, PAPER, UNASSIGNED};
use super::text::Anchor;
use crate::embed::ExplainedVariance;

/// More components than this are not drawn.
const MAX_COMPONENTS: usize = 12;

/// The explained variance of principal components; all numbers are shares of the total, 0..1.
#[derive(Debug, Clone, Default)]
pub struct Scree {
    /// Share of each component, largest first.
    pub shares: Vec<f64>,
    /// 95 % interval of each share; may be empty.
    pub intervals: Vec<(f64, f64)>,
    /// What each component of pure noise would explain (parallel analysis); may be empty.
    pub noise: Vec<f64>,
    /// Number of components above noise.
    pub n_above_noise: usize,
    /// A sentence under the heading.
    pub subtitle: String,
}

impl Scree {
    /// What was found about the components of a table.
    pub fn of(variance: &ExplainedVariance) -> Self {
        let components = variance.components();
        // Noise comes as variances; every component's variance is the same share of the total.
        let total = components.first().map_or(1.0, |c| c.eigenvalue / c.share);
        Self {
            shares: components.iter().map(|c| c.share).collect(),
            intervals: components.iter().map(|c| c.interval).collect(),
            noise: components.iter().map(|c| c.noise / total).collect(),
            n_above_noise: variance.stop_rules().parallel_analysis,
            subtitle: String::new(),
        }
    }
}

/// Draws a [`Scree`] plot.
pub fn scree(scree: &Scree) -> Figure {
    let mut figure = Figure::new("How much the components explain", 720.0, 420.0);
    let n = scree.shares.len().min(MAX_COMPONENTS);
    let top = figure.header(&scree.subtitle) + 14.0;
    let frame = Frame { left: 78.0, top, right: 704.0, bottom: 352.0 };
    let highest = extent(
        scree.shares.iter().copied().chain(scree.intervals.iter().map(|i| i.1)).chain([0.02]),
    );
    let y = frame.up(0.0, 100.0 * (highest.1 * 1.1).min(1.0));
    figure.y_axis(&frame, &y, "share of the total variance", " %");
    let slot = frame.width() / n.max(1) as f64;
    let middle = |i: usize| frame.left + slot * (i as f64 + 0.5);
    let half = (slot * 0.34).min(36.0);
    let (mut cumulative, mut labels) = (0.0, Vec::new());
    for (i, share) in scree.shares.iter().take(n).enumerate() {
        let x = middle(i);
        let color = if i < scree.n_above_noise { ACCENT } else { UNASSIGNED };
        let bar = y.at(100.0 * share);
        figure.rect((x - half, bar), (x + half, frame.bottom), color);
        let mut above = bar;
        if let Some(&(low, high)) = scree.intervals.get(i) {
            above = figure.whisker_up(x, y.at(100.0 * low), y.at(100.0 * high));
        }
        let centered = small().anchor(Anchor::Middle);
        labels.push((x, above.min(bar) - 7.0, percent(*share)));
        cumulative += share;
        figure.text((x, frame.bottom + 18.0), format!("PC{}", i + 1), centered.ink(INK));
        let total = format!("\u{3a3} {}", percent(cumulative));
        figure.text((x, frame.bottom + 35.0), total, centered);
    }
    figure.line(vec![(frame.left, frame.bottom), (frame.right, frame.bottom)], MUTED);
    let noise = scree.noise.iter().take(n).enumerate();
    let noise: Vec<_> = noise.map(|(i, v)| (middle(i), y.at(100.0 * v))).collect();
    noise_line(&mut figure, &frame, &noise);
    // Above the noise line, which would strike some of them through.
    for (x, y, label) in labels {
        let letters = small().ink(INK).bold().anchor(Anchor::Middle);
        let half = letters.width(&label) / 2.0 + 2.0;
        figure.rect((x - half, y - 10.0), (x + half, y + 3.0), Ink::from(PAPER).alpha(0.85));
        figure.text((x, y), label, letters);
    }
    let note = "\u{3a3}: this component and those before it. Whiskers: 95 % intervals.";
    figure.text((16.0, 410.0), note, small());
    figure
}

/// What noise would explain, and its name in the free corner.
fn noise_line(figure: &mut Figure, frame: &Frame, noise: &[(f64, f64)]) {
    if noise.is_empty() {
        return;
    }
    let ink = Ink::from(CONTRAST).width(2.0);
    figure.line(noise.to_vec(), ink);
    for at in noise {
        figure.dot(*at, 3.2, CONTRAST);
    }
    let (left, y) = (frame.right - 186.0, frame.top + 10.0);
    figure.line(vec![(left, y - 4.0), (left + 24.0, y - 4.0)], ink);
    figure.dot((left + 12.0, y - 4.0), 3.2, CONTRAST);
    figure.text((left + 32.0, y), "noise (parallel analysis)", small().ink(INK));
}

fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent < 1.0 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

impl Figure {
    /// An upright interval; returns its upper end.
    fn whisker_up(&mut self, x: f64, low: f64, high: f64) -> f64 {
        let ink = Ink::from(INK).width(1.3);
        self.line(vec![(x, low), (x, high)], ink);
        self.line(vec![(x - 4.0, low), (x + 4.0, low)], ink);
        self.line(vec![(x - 4.0, high), (x + 4.0, high)], ink);
        high
    }

    /// A level interval.
    pub(crate) fn whisker_across(&mut self, y: f64, low: f64, high: f64) {
        let ink = Ink::from(INK).width(1.3);
        self.line(vec![(low, y), (high, y)], ink);
        self.line(vec![(low, y - 3.5), (low, y + 3.5)], ink);
        self.line(vec![(high, y - 3.5), (high, y + 3.5)], ink);
    }
}

/// The weights of the features in the components.
#[derive(Debug, Clone, Default)]
pub struct Loadings {
    /// Names of the features.
    pub features: Vec<String>,
    /// Per component, one weight per feature.
    pub components: Vec<Vec<f64>>,
    /// Share of the total variance of each component.
    pub shares: Vec<f64>,
}

impl Loadings {
    /// The weights in the first components of a table.
    pub fn of(variance: &ExplainedVariance) -> Self {
        Self {
            features: variance.feature_names().to_vec(),
            components: variance.loadings().outer_iter().take(4).map(|c| c.to_vec()).collect(),
            shares: variance.components().iter().take(4).map(|c| c.share).collect(),
        }
    }
}

/// Draws [`Loadings`] as a heat map, features down and components across.
pub fn loadings(loadings: &Loadings) -> Figure {
    let shown = loadings.components.len().min(6);
    let columns = (0..shown)
        .map(|c| match loadings.shares.get(c) {
            Some(share) => format!("PC{} ({})", c + 1, percent(*share)),
            None => format!("PC{}", c + 1),
        })
        .collect();
    let values = (0..loadings.features.len())
        .map(|f| {
            (0..shown).map(|c| loadings.components[c].get(f).copied().unwrap_or(f64::NAN)).collect()
        })
        .collect();
    draw_heat_map(&HeatMap {
        title: "What the components are made of".into(),
        subtitle:
            "Weight of each feature in each component; the sign of a whole column is arbitrary."
                .into(),
        rows: loadings.features.clone(),
        columns,
        values,
        cell: (84.0, 20.0),
        breaks: Vec::new(),
    })
}

/// A line plot: curves over a common x axis.
#[derive(Debug, Clone, Default)]
pub struct Curves {
    /// The heading.
    pub title: String,
    /// A sentence under the heading.
    pub subtitle: String,
    /// Titles of the axes.
    pub axes: (String, String),
    /// Name and points of each curve.
    pub curves: Vec<(String, Vec<(f64, f64)>)>,
    /// A vertical line with its name.
    pub marker: Option<(f64, String)>,
}

/// Draws [`Curves`], e.g. silhouette or gap over the number of clusters.
pub fn curves(curves: &Curves) -> Figure {
    let mut figure = Figure::new(&curves.title, 720.0, 400.0);
    let top = figure.header(&curves.subtitle) + 6.0;
    let frame = Frame { left: 78.0, top, right: 560.0, bottom: 340.0 };
    let points = || curves.curves.iter().flat_map(|c| c.1.iter());
    let (x0, x1) = extent(points().map(|p| p.0));
    let (y0, y1) = super::axis::roomy_extent(points().map(|p| p.1), 0.08);
    let (x, y) = (frame.across(x0, x1), frame.up(y0, y1));
    figure.x_axis(&frame, &x, &curves.axes.0, "");
    figure.y_axis(&frame, &y, &curves.axes.1, "");
    let (from, to) = frame.corners();
    figure.frame(from, to, GRID);
    if let Some((value, name)) = &curves.marker {
        let at = x.at(*value);
        figure.dashed((at, frame.top), (at, frame.bottom), Ink::from(MUTED).width(1.4));
        let near_right = at > frame.right - 80.0;
        let anchor = if near_right { Anchor::End } else { Anchor::Start };
        let shift = if near_right { -6.0 } else { 6.0 };
        figure.text((at + shift, frame.top + 14.0), name, small().anchor(anchor));
    }
    for (i, (name, points)) in curves.curves.iter().enumerate() {
        let (color, mark) = super::palette::group(i + 1);
        let placed: Vec<_> = points.iter().map(|p| (x.at(p.0), y.at(p.1))).collect();
        for at in &placed {
            figure.mark(mark, *at, 3.2, color, true);
        }
        figure.line(placed, Ink::from(color).width(2.0));
        let at = (frame.right + 22.0, frame.top + 10.0 + 20.0 * i as f64);
        figure.mark(mark, at, 4.5, color, true);
        figure.text((at.0 + 12.0, at.1 + 4.2), medium().fitted(name, 115.0), medium());
    }
    figure
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::seed::Seed;

    #[test]
    fn noise_is_a_share_as_the_bars_are() {
        let mut draw = Seed::new(1).stream("scree", 0);
        let noise = Array2::from_shape_simple_fn((200, 8), || 30.0 * draw.normal());
        let scree = Scree::of(&ExplainedVariance::of(&linfa::DatasetBase::from(noise), 0).unwrap());
        for (share, noise) in scree.shares.iter().zip(&scree.noise) {
            assert!((noise / share - 1.0).abs() < 0.4, "{share} {noise}");
        }
    }
}
