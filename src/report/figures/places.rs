//! Panels of one image, each coloured by how much a feature moved the decision there.

use super::canvas::Figure;
use super::palette::{Color, GRID, diverging, group};
use super::text::{Anchor, Lettering};
use crate::report::number::{digits, shortened};

/// Features with a panel of their own.
const MAX_PANELS: usize = 5;
const COLUMNS: usize = 3;
const MARGIN: f64 = 16.0;
const GAP: f64 = 14.0;
const WIDTH: f64 = 760.0;
const BACKGROUND: Color = Color(0xf4, 0xf5, 0xf7);

/// An image, and values of features at its places.
#[derive(Debug, Clone, Default)]
pub struct PlacesPicture {
    /// The heading.
    pub title: String,
    /// A sentence under the heading.
    pub subtitle: String,
    /// Rows and columns of places.
    pub shape: [usize; 2],
    /// Brightness of each place, 0 to 1; empty for none.
    pub image: Vec<f32>,
    /// Names of features, the most important first, and their value at each place (NaN: none).
    pub features: Vec<(String, Vec<f32>)>,
}

/// Draws a [`PlacesPicture`]: which feature decided where, then the most important features one by one.
pub fn places(picture: &PlacesPicture) -> Figure {
    let [rows, columns] = picture.shape;
    let shown = picture.features.len().min(MAX_PANELS);
    let width = (WIDTH - 2.0 * MARGIN - GAP * (COLUMNS - 1) as f64) / COLUMNS as f64;
    let height = width * rows.max(1) as f64 / columns.max(1) as f64;
    let top = Figure::new(&picture.title, WIDTH, 0.0).header(&picture.subtitle);
    let n_lines = (shown + 1).div_ceil(COLUMNS);
    let total = top + n_lines as f64 * (height + 34.0) + 40.0;
    let mut figure = Figure::new(&picture.title, WIDTH, total);
    figure.header(&picture.subtitle);
    let limit = picture.features[..shown]
        .iter()
        .flat_map(|(_, values)| values)
        .filter(|v| v.is_finite())
        .fold(0.0, |most: f32, v| most.max(v.abs()));
    for panel in 0..=shown {
        let from = (
            MARGIN + (panel % COLUMNS) as f64 * (width + GAP),
            top + (panel / COLUMNS) as f64 * (height + 34.0) + 22.0,
        );
        let to = (from.0 + width, from.1 + height);
        let (name, pixels) = match panel.checked_sub(1) {
            None => ("the feature that decided".to_owned(), decisive(picture, shown)),
            Some(f) => (picture.features[f].0.clone(), moved(picture, f, limit)),
        };
        let letters = Lettering::new(11.5);
        let mut left = from.0;
        if let Some(f) = panel.checked_sub(1) {
            figure.rect((left, from.1 - 15.0), (left + 9.0, from.1 - 6.0), group(f + 1).0);
            left += 14.0;
        }
        figure.text(
            (left, from.1 - 6.0),
            letters.fitted(&shortened(&name, 44), width - 14.0),
            letters,
        );
        if rows > 0 && columns > 0 {
            figure.picture(from, to, (columns, rows), pixels);
        }
        figure.frame(from, to, GRID);
    }
    let letters = Lettering::new(10.5).anchor(Anchor::Start);
    let limit = digits(f64::from(limit), 2);
    let legend = format!(
        "orange: raises the probability, up to +{limit}; blue: lowers it, down to −{limit}"
    );
    figure.text((MARGIN, total - 14.0), legend, letters);
    figure
}

/// The colour of the feature with the largest value; grey for features without a panel.
fn decisive(picture: &PlacesPicture, shown: usize) -> Vec<u8> {
    let n = picture.shape[0] * picture.shape[1];
    let color = |place: usize| {
        let size = |f: &usize| picture.features[*f].1[place].abs();
        let known = (0..picture.features.len()).filter(|f| size(f) > 0.0);
        match known.reduce(|a, b| if size(&b) > size(&a) { b } else { a }) {
            Some(f) if f < shown => group(f + 1).0,
            Some(_) => Color(0x9a, 0xa1, 0xab),
            None => BACKGROUND,
        }
    };
    (0..n).flat_map(|place| over(picture, place, color(place), 0.75)).collect()
}

fn moved(picture: &PlacesPicture, feature: usize, limit: f32) -> Vec<u8> {
    let values = &picture.features[feature].1;
    let pixel = |(place, value): (usize, &f32)| {
        if !value.is_finite() {
            return over(picture, place, BACKGROUND, 0.75);
        }
        let share = f64::from(if limit > 0.0 { value / limit } else { 0.0 });
        over(picture, place, diverging(share), 0.25 + 0.6 * share.abs().sqrt())
    };
    values.iter().enumerate().flat_map(pixel).collect()
}

/// A colour laid over the image.
fn over(picture: &PlacesPicture, place: usize, color: Color, share: f64) -> [u8; 3] {
    let Some(grey) = picture.image.get(place) else {
        return [color.0, color.1, color.2];
    };
    let grey = (grey.clamp(0.0, 1.0) * 255.0) as u8;
    let mixed = Color(grey, grey, grey).mixed(color, share);
    [mixed.0, mixed.1, mixed.2]
}
