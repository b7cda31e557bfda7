//! A label image in which every object has the colour of its group or value.

use std::collections::BTreeMap;

use super::canvas::Figure;
use super::legend::{ColorBy, LEGEND_WIDTH};
use super::palette::{Color, GRID};
use crate::report::number::count;

/// Longer sides are thinned out.
const MAX_SIDE: usize = 1200;
const BACKGROUND: Color = Color(0xf4, 0xf5, 0xf7);
const WITHOUT_ROW: Color = Color(0xc4, 0xc9, 0xd1);

/// A label image and the rows that belong to its labels.
#[derive(Debug, Clone, Default)]
pub struct LabelPicture {
    /// The heading.
    pub title: String,
    /// A sentence under the heading.
    pub subtitle: String,
    /// Pixels per row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Labels, row by row, 0 = background.
    pub labels: Vec<u32>,
    /// The label of each object that has a row, in the order of `color`.
    pub keys: Vec<u32>,
    /// What colours the objects.
    pub color: ColorBy,
}

/// Draws a [`LabelPicture`]; objects without a row are grey, borders between objects dark.
pub fn label_image(picture: &LabelPicture) -> Figure {
    let step = picture.width.max(picture.height).div_ceil(MAX_SIDE).max(1);
    let (width, height) = (picture.width.div_ceil(step), picture.height.div_ceil(step));
    let mut subtitle = picture.subtitle.clone();
    if step > 1 {
        subtitle = format!("{subtitle} One of {} pixels drawn.", count(step * step));
    }
    let has_legend = !matches!(picture.color, ColorBy::Nothing);
    let room = if has_legend { 720.0 - LEGEND_WIDTH - 46.0 } else { 688.0 };
    let scale = (room / width.max(1) as f64).min(560.0 / height.max(1) as f64);
    let (w, h) = (width as f64 * scale, height as f64 * scale);
    let top = Figure::new(&picture.title, 720.0, 0.0).header(&subtitle);
    let mut figure = Figure::new(&picture.title, 720.0, (top + h).max(top + 200.0) + 16.0);
    figure.header(&subtitle);
    let (from, to) = ((16.0, top), (16.0 + w, top + h));
    if width > 0 && height > 0 {
        figure.picture(from, to, (width, height), pixels(picture, step, (width, height)));
    }
    figure.frame(from, to, GRID);
    if has_legend {
        figure.legend((to.0 + 20.0, top - 4.0), &picture.color);
    }
    figure
}

fn pixels(picture: &LabelPicture, step: usize, (width, height): (usize, usize)) -> Vec<u8> {
    let looks = picture.color.looks(picture.keys.len());
    let colors: BTreeMap<u32, Color> =
        picture.keys.iter().copied().zip(looks.into_iter().map(|l| l.0)).collect();
    let label = |x: usize, y: usize| {
        picture.labels.get(y * step * picture.width + x * step).copied().unwrap_or(0)
    };
    let mut out = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let here = label(x, y);
            let mut color = match here {
                0 => BACKGROUND,
                _ => colors.get(&here).copied().unwrap_or(WITHOUT_ROW),
            };
            let touches = |there: u32| there != 0 && there != here;
            let border = (x > 0 && touches(label(x - 1, y))) || (y > 0 && touches(label(x, y - 1)));
            if here != 0 && border {
                color = color.mixed(Color(0, 0, 0), 0.55);
            }
            out.extend_from_slice(&[color.0, color.1, color.2]);
        }
    }
    out
}
