//! Scatter plots: objects on a map or over two columns, coloured by group or value, with their stability.

use super::axis::{Frame, Scale, extent, medium, roomy_extent};
use super::canvas::{Figure, Ink};
use super::legend::{ColorBy, LEGEND_WIDTH};
use super::palette::{Color, GRID, INK, MUTED, PAPER, group};
use super::text::{Anchor, Lettering};
use crate::embed::Pca;
use crate::report::number::count;

/// Width of the figure in pixels.
const WIDTH: f64 = 720.0;
/// A static figure shows at most this many points: more only print over each other.
const MAX_POINTS: usize = 5000;
/// Objects less stable than this are drawn hollow.
const UNSTABLE: f64 = 0.5;
/// Points are drawn in this many layers, so that no group covers the others.
const LAYERS: usize = 8;

/// A scatter plot of objects.
///
/// ```
/// use polariscope::report::figures::{ColorBy, Map, map};
/// let figure = map(&Map {
///     title: "UMAP".into(),
///     x: vec![0.0, 1.0, 5.0],
///     y: vec![0.0, 1.0, 5.0],
///     color: ColorBy::clusters([1, 1, 2]),
///     ..Map::default()
/// });
/// assert!(figure.svg().starts_with("<svg"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Map {
    /// The heading.
    pub title: String,
    /// A sentence under the heading; may be empty.
    pub subtitle: String,
    /// One position per object, left to right; objects without a finite position are left out.
    pub x: Vec<f64>,
    /// One position per object, bottom to top.
    pub y: Vec<f64>,
    /// What colours the objects.
    pub color: ColorBy,
    /// Per object, 0 (elsewhere in every run) to 1 (keeps its neighbours): drawn as opacity, hollow
    /// below 0.5.
    pub stability: Option<Vec<f64>>,
    /// What the axes mean.
    pub axes: MapAxes,
    /// Centres of the groups 1..k, drawn as crosses; empty: the group's number stands at its median.
    pub centers: Vec<(f64, f64)>,
}

/// What the axes of a [`Map`] mean.
#[derive(Debug, Clone, Default)]
pub enum MapAxes {
    /// Nothing, as in UMAP and t-SNE: no ticks; one unit is as long in both directions.
    #[default]
    Arbitrary,
    /// Two quantities in the same unit, as principal components: ticks, equal lengths.
    Alike(String, String),
    /// Two columns, each with a scale of its own.
    Own(String, String),
}

/// Draws a [`Map`].
pub fn map(map: &Map) -> Figure {
    let layout = Layout::of(map);
    let mut figure = layout.figure(map);
    draw_points(&mut figure, map, &layout);
    draw_groups(&mut figure, map, &layout);
    figure
}

/// Where everything goes.
struct Layout {
    subtitle: String,
    /// Indices of the objects drawn.
    shown: Vec<usize>,
    frame: Frame,
    x: Scale,
    y: Scale,
}

impl Layout {
    fn of(map: &Map) -> Self {
        let shown = shown(map);
        let mut subtitle = map.subtitle.clone();
        let there = map.x.len().min(map.y.len());
        if shown.len() < there {
            let note = format!("{} of {} objects drawn.", count(shown.len()), count(there));
            subtitle = format!("{subtitle} {note}");
        }
        let top = Figure::new(&map.title, WIDTH, 0.0).header(&subtitle);
        let left = if matches!(map.axes, MapAxes::Arbitrary) { 16.0 } else { 78.0 };
        let right = if has_legend(map) { WIDTH - LEGEND_WIDTH - 26.0 } else { WIDTH - 16.0 };
        let (x, y) = ranges(map, &shown);
        let own = matches!(map.axes, MapAxes::Own(..));
        let aspect = if own { 0.75 } else { (y.1 - y.0) / (x.1 - x.0).max(f64::MIN_POSITIVE) };
        let height = ((right - left) * aspect).clamp(300.0, 460.0);
        let frame = Frame { left, top, right, bottom: top + height };
        let (x, y) = if own { (x, y) } else { alike(x, y, &frame) };
        let (x, y) = (frame.across(x.0, x.1), frame.up(y.0, y.1));
        Self { subtitle, shown, frame, x, y }
    }

    /// The figure without its objects.
    fn figure(&self, map: &Map) -> Figure {
        let foot = if matches!(map.axes, MapAxes::Arbitrary) { 34.0 } else { 50.0 };
        let frame = &self.frame;
        let mut figure = Figure::new(&map.title, WIDTH, frame.bottom + foot);
        figure.header(&self.subtitle);
        match &map.axes {
            MapAxes::Alike(x_title, y_title) | MapAxes::Own(x_title, y_title) => {
                figure.x_axis(frame, &self.x, x_title, "");
                figure.y_axis(frame, &self.y, y_title, "");
            }
            MapAxes::Arbitrary => {
                let note =
                    "Directions and distances on this map have no unit; neighbourhoods do count.";
                let at = (frame.left, frame.bottom + 20.0);
                figure.text(at, note, medium().ink(MUTED));
            }
        }
        let (from, to) = frame.corners();
        figure.frame(from, to, GRID);
        if has_legend(map) {
            let mut at = (frame.right + 20.0, frame.top - 4.0);
            at.1 = figure.legend(at, &map.color) + 14.0;
            if map.stability.is_some() {
                figure.stability_legend(at);
            }
        }
        figure
    }
}

fn has_legend(map: &Map) -> bool {
    !matches!(map.color, ColorBy::Nothing) || map.stability.is_some()
}

/// Indices of the objects drawn, in an order that mixes the groups.
fn shown(map: &Map) -> Vec<usize> {
    let finite: Vec<usize> = (0..map.x.len().min(map.y.len()))
        .filter(|&i| map.x[i].is_finite() && map.y[i].is_finite())
        .collect();
    let n = finite.len();
    let kept = n.min(MAX_POINTS);
    (0..kept).map(|i| finite[i * n / kept.max(1)]).collect()
}

fn ranges(map: &Map, shown: &[usize]) -> ((f64, f64), (f64, f64)) {
    let xs = shown.iter().map(|&i| map.x[i]).chain(map.centers.iter().map(|c| c.0));
    let ys = shown.iter().map(|&i| map.y[i]).chain(map.centers.iter().map(|c| c.1));
    (roomy_extent(xs, 0.05), roomy_extent(ys, 0.05))
}

/// Widens one of the ranges until a unit is as long across as upwards.
fn alike(x: (f64, f64), y: (f64, f64), frame: &Frame) -> ((f64, f64), (f64, f64)) {
    let units_per_px = ((x.1 - x.0) / frame.width()).max((y.1 - y.0) / frame.height());
    let units_per_px = if units_per_px > 0.0 { units_per_px } else { 0.01 };
    let around = |(low, high): (f64, f64), px: f64| {
        let (middle, half) = (f64::midpoint(low, high), units_per_px * px / 2.0);
        (middle - half, middle + half)
    };
    (around(x, frame.width()), around(y, frame.height()))
}

/// Big points for few objects, small ones for many.
pub(crate) fn radius(n: usize) -> f64 {
    match n {
        0..200 => 4.4,
        200..800 => 3.4,
        800..2500 => 2.6,
        2500..6000 => 1.9,
        _ => 1.5,
    }
}

fn draw_points(figure: &mut Figure, map: &Map, layout: &Layout) {
    let Layout { shown, x, y, .. } = layout;
    let looks = map.color.looks(map.x.len());
    let radius = radius(shown.len());
    let layers = if shown.len() > 1000 { LAYERS } else { shown.len().max(1) };
    // Opacity in five steps: enough to see, few enough for points to share a path.
    let level = |i: usize| match &map.stability {
        None => 4,
        Some(s) => (s.get(i).copied().unwrap_or(1.0).clamp(0.0, 1.0) * 4.0).round() as usize,
    };
    let hollow = |i: usize| match &map.stability {
        Some(s) => s.get(i).is_some_and(|&s| s < UNSTABLE),
        None => false,
    };
    let mut order: Vec<(usize, usize)> =
        shown.iter().enumerate().map(|(place, &i)| (place % layers, i)).collect();
    let key = |i: usize| (looks[i].0, looks[i].1 as u8, level(i));
    order.sort_by_key(|&(layer, i)| {
        let (Color(r, g, b), mark, level) = key(i);
        (layer, [r, g, b], mark, level, i)
    });
    for (_, i) in order {
        let at = (x.at(map.x[i]), y.at(map.y[i]));
        let (color, mark) = looks[i];
        if hollow(i) {
            figure.mark(mark, at, radius, Ink::from(color).width(1.2), false);
        } else {
            let alpha = if map.stability.is_some() { 0.3 + 0.15 * level(i) as f64 } else { 0.85 };
            figure.mark(mark, at, radius, Ink::from(color).alpha(alpha), true);
        }
    }
}

/// The name of each group, or its number, at its centre or median.
fn draw_groups(figure: &mut Figure, map: &Map, layout: &Layout) {
    let Layout { shown, x, y, .. } = layout;
    let ColorBy::Groups { labels, .. } = &map.color else { return };
    let groups = map.color.groups();
    if groups.len() > 28 || groups.len() < 2 {
        return;
    }
    for (label, _, name) in groups.iter().filter(|g| g.0 > 0) {
        let at = if let Some(center) = map.centers.get(label - 1) {
            let at = (x.at(center.0), y.at(center.1));
            for (ink, width) in [(PAPER, 5.0), (INK, 2.2)] {
                let ink = Ink::from(ink).width(width);
                figure.line(vec![(at.0 - 7.0, at.1), (at.0 + 7.0, at.1)], ink);
                figure.line(vec![(at.0, at.1 - 7.0), (at.0, at.1 + 7.0)], ink);
            }
            (at.0 + 15.0, at.1 - 13.0)
        } else {
            let members = || shown.iter().filter(|&&i| labels.get(i) == Some(label));
            let middle = |value: &dyn Fn(usize) -> f64| {
                let mut values: Vec<f64> = members().map(|&i| value(i)).collect();
                values.sort_by(f64::total_cmp);
                values.get(values.len() / 2).copied()
            };
            let (Some(mx), Some(my)) = (middle(&|i| map.x[i]), middle(&|i| map.y[i])) else {
                continue;
            };
            (x.at(mx), y.at(my))
        };
        figure.badge(at, name, group(*label).0);
    }
}

/// A principal component plane: the objects, and the features as arrows.
#[derive(Debug, Clone, Default)]
pub struct Biplot {
    /// Scores on the two components, one per object.
    pub x: Vec<f64>,
    /// As `x`, for the second component.
    pub y: Vec<f64>,
    /// What colours the objects.
    pub color: ColorBy,
    /// Features with their loadings on the two components.
    pub arrows: Vec<(String, f64, f64)>,
    /// Titles of the axes, e.g. `PC1 (62 %)`.
    pub axes: (String, String),
}

impl Biplot {
    /// The plane of the first two components.
    ///
    /// # Panics
    /// When fewer than two components were kept.
    pub fn of(pca: &Pca, color: ColorBy) -> Self {
        let (shares, values) = (pca.explained_variance_ratio(), pca.explained_variance());
        let (scores, weights) = (pca.coordinates(), pca.components());
        // For features on one scale: their correlations with the components.
        let along = |axis: usize, feature: usize| weights[[axis, feature]] * values[axis].sqrt();
        let names = pca.feature_names().iter().enumerate();
        Self {
            x: scores.column(0).to_vec(),
            y: scores.column(1).to_vec(),
            color,
            arrows: names.map(|(f, name)| (name.clone(), along(0, f), along(1, f))).collect(),
            axes: (component_title(0, shares[0]), component_title(1, shares[1])),
        }
    }
}

/// `PC1 (62 % of the variance)`.
pub fn component_title(axis: usize, share: f64) -> String {
    format!("PC{} ({:.0} % of the variance)", axis + 1, 100.0 * share)
}

/// Draws a [`Biplot`]; the twelve longest arrows are named where there is room.
pub fn biplot(biplot: &Biplot) -> Figure {
    let objects = Map {
        title: "Which features make the components".into(),
        subtitle: "Points are objects, arrows are features: along an arrow its feature grows; \
                   arrows in one direction belong to features that move together."
            .into(),
        x: biplot.x.clone(),
        y: biplot.y.clone(),
        color: biplot.color.clone(),
        axes: MapAxes::Alike(biplot.axes.0.clone(), biplot.axes.1.clone()),
        ..Map::default()
    };
    let layout = Layout::of(&objects);
    let mut figure = layout.figure(&objects);
    draw_points(&mut figure, &objects, &layout);
    let origin = (layout.x.at(0.0), layout.y.at(0.0));
    draw_arrows(&mut figure, biplot, &layout.frame, origin);
    figure
}

fn draw_arrows(figure: &mut Figure, biplot: &Biplot, frame: &Frame, origin: (f64, f64)) {
    let mut arrows: Vec<_> =
        biplot.arrows.iter().filter(|a| a.1.is_finite() && a.2.is_finite()).collect();
    arrows.sort_by(|a, b| b.1.hypot(b.2).total_cmp(&a.1.hypot(a.2)));
    let (_, longest) = extent(arrows.iter().map(|a| a.1.hypot(a.2)));
    let length = 0.42 * frame.width().min(frame.height()) / longest.max(1e-12);
    let inside =
        |at: (f64, f64)| (at.0.clamp(frame.left, frame.right), at.1.clamp(frame.top, frame.bottom));
    let letters = Lettering::new(11.5).bold();
    let mut taken: Vec<[f64; 4]> = Vec::new();
    for (i, (name, dx, dy)) in arrows.iter().enumerate() {
        let tip = inside((origin.0 + dx * length, origin.1 - dy * length));
        let ink = Ink::from(INK).alpha(0.75).width(1.4);
        figure.line(vec![origin, tip], ink);
        let angle = (tip.1 - origin.1).atan2(tip.0 - origin.0);
        let barb =
            |turn: f64| (tip.0 - 8.0 * (angle + turn).cos(), tip.1 - 8.0 * (angle + turn).sin());
        figure.area(vec![tip, barb(0.4), barb(-0.4)], ink);
        if i >= 12 {
            continue;
        }
        let name = letters.fitted(name, 150.0);
        let width = letters.width(&name);
        let right = tip.0 >= origin.0;
        let room = |shift: f64| {
            let left = if right { tip.0 + 5.0 } else { tip.0 - 5.0 - width };
            let left = left.clamp(frame.left + 2.0, frame.right - width - 2.0);
            let base = (tip.1 + 4.0 + shift).clamp(frame.top + 12.0, frame.bottom - 4.0);
            [left, base - 11.0, left + width, base + 3.0]
        };
        let free = |b: &[f64; 4]| {
            taken.iter().all(|t| b[2] < t[0] || t[2] < b[0] || b[3] < t[1] || t[3] < b[1])
        };
        let place = [0.0, 9.0, -9.0, 17.0, -17.0].into_iter().map(room).find(free);
        if let Some(place) = place {
            taken.push(place);
            figure.rect(
                (place[0] - 2.0, place[1]),
                (place[2] + 2.0, place[3]),
                Ink::from(PAPER).alpha(0.8),
            );
            figure.text((place[0], place[3] - 3.0), name, letters.anchor(Anchor::Start));
        }
    }
}
