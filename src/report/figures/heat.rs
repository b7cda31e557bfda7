//! Heat maps: correlations ordered by families, loadings, the confusion of a classifier.

use ndarray::Array2;

use super::axis::small;
use super::canvas::{Figure, Ink};
use super::palette::{ACCENT, Color, GRID, MUTED, PAPER, diverging};
use super::text::{Anchor, Lettering};
use crate::report::number::{count, digits};
use crate::table::{self, Features};

/// Rows by columns of values in -1..1.
pub(crate) struct HeatMap {
    pub title: String,
    pub subtitle: String,
    pub rows: Vec<String>,
    pub columns: Vec<String>,
    pub values: Vec<Vec<f64>>,
    /// Width and height of a cell in pixels.
    pub cell: (f64, f64),
    /// Rows (and, when square, columns) before which a new family begins.
    pub breaks: Vec<usize>,
}

const NO_VALUE: Color = Color(0xc4, 0xc9, 0xd1);

pub(crate) fn draw_heat_map(map: &HeatMap) -> Figure {
    let letters = Lettering::new(if map.cell.1 < 13.0 { 9.5 } else { 11.5 });
    let family_letters = Lettering::new(11.5);
    let named = map.cell.1 >= 9.0;
    let widest = |names: &[String], room: f64| {
        names.iter().map(|n| letters.width(n)).fold(0.0, f64::max).min(room)
    };
    let (rows, columns) = (map.rows.len(), map.columns.len());
    let families = if named { Vec::new() } else { families(map) };
    let widest_family = families.iter().map(|f| family_letters.width(&f.1)).fold(0.0, f64::max);
    let left = if named { 24.0 + widest(&map.rows, 190.0) } else { 30.0 + widest_family };
    let upright = map.cell.0 < 60.0;
    let head = match (named, upright) {
        (false, _) => 8.0,
        (true, false) => 26.0,
        (true, true) => 14.0 + widest(&map.columns, 150.0),
    };
    let (width, height) = (map.cell.0 * columns as f64, map.cell.1 * rows as f64);
    let total = (left + width + 96.0).max(480.0);
    let measured = Figure::new(&map.title, total, 0.0).header(&map.subtitle);
    let (x0, y0) = (left, measured + head);
    let mut figure = Figure::new(&map.title, total, (y0 + height).max(y0 + 190.0) + 22.0);
    figure.header(&map.subtitle);
    draw_cells(&mut figure, map, (x0, y0));
    if named {
        for (r, name) in map.rows.iter().enumerate() {
            let at = (x0 - 6.0, y0 + map.cell.1 * (r as f64 + 0.5) + letters.size * 0.35);
            figure.text(at, letters.fitted(name, 190.0), letters.anchor(Anchor::End));
        }
        for (c, name) in map.columns.iter().enumerate() {
            let x = x0 + map.cell.0 * (c as f64 + 0.5);
            if upright {
                let at = (x + letters.size * 0.35, y0 - 6.0);
                figure.text(at, letters.fitted(name, 150.0), letters.upwards());
            } else {
                figure.text((x, y0 - 8.0), name, letters.anchor(Anchor::Middle));
            }
        }
    }
    for (middle, name) in families {
        let at = (x0 - 6.0, y0 + map.cell.1 * middle + letters.size * 0.35);
        figure.text(at, name, family_letters.anchor(Anchor::End));
    }
    let (low, high) = range(map);
    let bar = (x0 + width + 22.0, y0 - 4.0);
    let scale: fn(f64) -> Color =
        if low < 0.0 { |share| diverging(2.0 * share - 1.0) } else { diverging };
    figure.color_bar(bar, (low, high), scale);
    figure
}

/// Where rows are too thin for names: the middle of each family that has room, and its first name.
fn families(map: &HeatMap) -> Vec<(f64, String)> {
    let starts = [0].into_iter().chain(map.breaks.iter().copied());
    let ends = map.breaks.iter().copied().chain([map.rows.len()]);
    starts
        .zip(ends)
        .filter(|(start, end)| end > start && (end - start) as f64 * map.cell.1 >= 12.0)
        .map(|(start, end)| {
            let name = crate::report::number::shortened(&map.rows[start], 24);
            let more =
                if end - start > 1 { format!(" +{}", end - start - 1) } else { String::new() };
            ((start + end) as f64 / 2.0, name + &more)
        })
        .collect()
}

/// Symmetric around zero, or from zero where nothing is below it; never beyond 1.
fn range(map: &HeatMap) -> (f64, f64) {
    let high =
        map.values.iter().flatten().filter(|v| v.is_finite()).fold(0.0, |a: f64, v| a.max(v.abs()));
    let high = if high > 0.6 || high == 0.0 { 1.0 } else { high };
    let is_signed = map.values.iter().flatten().any(|&v| v < 0.0);
    (if is_signed { -high } else { 0.0 }, high)
}

fn draw_cells(figure: &mut Figure, map: &HeatMap, (x0, y0): (f64, f64)) {
    let (rows, columns) = (map.rows.len(), map.columns.len());
    if rows == 0 || columns == 0 {
        return;
    }
    let (_, high) = range(map);
    let color = |v: f64| if v.is_finite() { diverging(v / high) } else { NO_VALUE };
    let (width, height) = (map.cell.0 * columns as f64, map.cell.1 * rows as f64);
    let pixels: Vec<u8> = map
        .values
        .iter()
        .flat_map(|row| (0..columns).map(|c| row.get(c).copied().unwrap_or(f64::NAN)))
        .flat_map(|v| {
            let Color(r, g, b) = color(v);
            [r, g, b]
        })
        .collect();
    figure.picture((x0, y0), (x0 + width, y0 + height), (columns, rows), pixels);
    if map.cell.0 >= 27.0 && map.cell.1 >= 15.0 {
        let letters = Lettering::new(10.0).anchor(Anchor::Middle);
        for (r, row) in map.values.iter().enumerate() {
            for (c, &v) in row.iter().enumerate().filter(|v| v.1.is_finite()) {
                let at =
                    (x0 + map.cell.0 * (c as f64 + 0.5), y0 + map.cell.1 * (r as f64 + 0.5) + 3.6);
                let label = short(v);
                figure.text(at, label, letters.ink(color(v).contrast()));
            }
        }
    }
    let square = rows == columns;
    for &row in &map.breaks {
        let ink = Ink::from(PAPER).width(2.0);
        let y = y0 + map.cell.1 * row as f64;
        figure.line(vec![(x0, y), (x0 + width, y)], ink);
        if square {
            let x = x0 + map.cell.0 * row as f64;
            figure.line(vec![(x, y0), (x, y0 + height)], ink);
        }
    }
    figure.frame((x0, y0), (x0 + width, y0 + height), GRID);
}

/// `.97`, `−.4`, `1`: as much as a small cell holds.
fn short(value: f64) -> String {
    let text = format!("{:.2}", value.abs());
    let text = match text.strip_prefix('0') {
        Some(rest) => rest.to_string(),
        None => "1".into(),
    };
    let zero = text == ".00";
    match (zero, value < 0.0) {
        (true, _) => "0".into(),
        (false, true) => format!("\u{2212}{text}"),
        (false, false) => text,
    }
}

/// Correlations between features.
#[derive(Debug, Clone, Default)]
pub struct Correlation {
    /// Names of the features.
    pub features: Vec<String>,
    /// Square, -1..1; NaN where there is no value.
    pub matrix: Array2<f64>,
    /// The family of each feature, any numbers; features of one family are drawn together, in ascending
    /// order of the numbers. Empty: the order given.
    pub families: Vec<usize>,
    /// `Pearson` or `Spearman`.
    pub method: String,
}

impl Correlation {
    /// Absolute Spearman correlations of features, as [`spearman`](crate::table::spearman) gives them, ordered by
    /// the families that the feature selection works with.
    pub fn of(features: &Features, correlations: &Array2<f64>) -> Self {
        let mut family_of = vec![0; features.n_features()];
        let sets = table::families(correlations, crate::select::FAMILY_CUT);
        for (family, members) in sets.iter().enumerate() {
            members.iter().for_each(|&member| family_of[member] = family);
        }
        Self {
            features: features.names().to_vec(),
            matrix: correlations.clone(),
            families: family_of,
            method: "Absolute Spearman".to_owned(),
        }
    }
}

/// Draws a [`Correlation`] heat map.
pub fn correlation(correlation: &Correlation) -> Figure {
    let n = correlation.features.len();
    let family = |i: usize| correlation.families.get(i).copied().unwrap_or(0);
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_key(|&i| family(i));
    let breaks = (1..n).filter(|&i| family(order[i]) != family(order[i - 1])).collect::<Vec<_>>();
    let n_families = if n == 0 { 0 } else { breaks.len() + 1 };
    let value = |r: usize, c: usize| correlation.matrix.get((r, c)).copied().unwrap_or(f64::NAN);
    let cell = (640.0 / n.max(1) as f64).clamp(3.0, 28.0);
    let cell = if (9.0..11.0).contains(&cell) { 11.0 } else { cell };
    let names: Vec<String> = order.iter().map(|&i| correlation.features[i].clone()).collect();
    let mut subtitle = format!("{} correlation.", correlation.method).trim_start().to_string();
    if !correlation.families.is_empty() {
        let families = count(n_families);
        subtitle += " White lines part ";
        subtitle += &format!("{families} families of features that measure nearly the same.");
    }
    draw_heat_map(&HeatMap {
        title: "Which features move together".into(),
        subtitle,
        rows: names.clone(),
        columns: names,
        values: order.iter().map(|&r| order.iter().map(|&c| value(r, c)).collect()).collect(),
        cell: (cell, cell),
        breaks,
    })
}

/// How a classifier confuses classes.
#[derive(Debug, Clone, Default)]
pub struct Confusion {
    /// The heading.
    pub title: String,
    /// A sentence under the heading: how the counts were obtained.
    pub subtitle: String,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// `counts[truth][predicted]`.
    pub counts: Vec<Vec<usize>>,
}

/// Draws a [`Confusion`] matrix; colours are shares of each row.
pub fn confusion(confusion: &Confusion) -> Figure {
    let k = confusion.classes.len();
    let cell = (420.0 / k.max(1) as f64).clamp(26.0, 96.0);
    let letters = Lettering::new(12.0);
    let names = confusion.classes.iter().map(|n| letters.width(n)).fold(0.0, f64::max).min(140.0);
    let (left, side) = (62.0 + names, cell * k as f64);
    let total = (left + side + 40.0).max(480.0);
    let top = Figure::new(&confusion.title, total, 0.0).header(&confusion.subtitle);
    let upright = confusion.classes.iter().any(|n| letters.width(n) > cell - 6.0);
    let foot = if upright { names + 34.0 } else { 48.0 };
    let (x0, y0) = (left, top + 4.0);
    let mut figure = Figure::new(&confusion.title, total, y0 + side + foot + 12.0);
    figure.header(&confusion.subtitle);
    for r in 0..k {
        let row = confusion.counts.get(r).cloned().unwrap_or_default();
        let sum = row.iter().sum::<usize>().max(1) as f64;
        let y = y0 + cell * r as f64;
        for c in 0..k {
            let n = row.get(c).copied().unwrap_or(0);
            let share = n as f64 / sum;
            let color = Color(0xf4, 0xf6, 0xf8).mixed(ACCENT, share);
            let x = x0 + cell * c as f64;
            figure.rect((x + 1.0, y + 1.0), (x + cell - 1.0, y + cell - 1.0), color);
            let middle = (x + cell / 2.0, y + cell / 2.0);
            let ink = color.contrast();
            let text = |size: f64| Lettering::new(size).anchor(Anchor::Middle).ink(ink);
            if cell >= 44.0 {
                figure.text((middle.0, middle.1 - 1.0), count(n), text(14.0).bold());
                let percent = format!("{} %", digits((100.0 * share).round(), 3));
                figure.text((middle.0, middle.1 + 15.0), percent, text(11.0));
            } else if n > 0 {
                figure.text((middle.0, middle.1 + 4.0), n.to_string(), text(10.0));
            }
        }
        let name = letters.fitted(&confusion.classes[r], 140.0);
        figure.text((x0 - 8.0, y + cell / 2.0 + 4.0), &name, letters.anchor(Anchor::End));
        let x = x0 + cell * (r as f64 + 0.5);
        if upright {
            let at = (x + 4.0, y0 + side + 8.0);
            figure.text(at, &name, letters.upwards().anchor(Anchor::End));
        } else {
            figure.text((x, y0 + side + 18.0), &name, letters.anchor(Anchor::Middle));
        }
    }
    let title = small().ink(MUTED).anchor(Anchor::Middle);
    figure.text((x0 + side / 2.0, y0 + side + foot - 4.0), "what the forest says", title);
    figure.text((26.0, y0 + side / 2.0), "what the object is", title.upwards());
    figure
}

#[cfg(test)]
mod tests {
    #[test]
    fn cells_hold_short_numbers() {
        let cases = [(0.97, ".97"), (-0.4, "\u{2212}.40"), (1.0, "1"), (-0.001, "0")];
        for (value, expected) in cases {
            assert_eq!(super::short(value), expected);
        }
    }
}
