//! A drawing as a list of shapes in pixels, painted through any plotters backend.

use std::path::Path;

use plotters_backend::{BackendColor, BackendStyle, DrawingBackend, DrawingErrorKind};

use super::palette::{Color, MUTED, Mark, PAPER};
use super::svg::SvgInk;
use super::text::{Anchor, Lettering, wrapped};
use crate::error::{Error, Result};
use crate::output::{Existing, write_whole};

/// A point on the canvas: pixels from the left and from the top.
pub(crate) type At = (f64, f64);

/// A finished figure: a title, and a drawing that becomes SVG or PNG by the same strokes.
#[derive(Debug, Clone)]
pub struct Figure {
    title: String,
    width: f64,
    height: f64,
    shapes: Vec<Shape>,
}

/// What a figure is drawn with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ink {
    pub color: Color,
    pub alpha: f64,
    pub width: f64,
}

#[derive(Debug, Clone)]
pub(crate) enum Shape {
    Line(Vec<At>, Ink),
    Area(Vec<At>, Ink),
    /// Two opposite corners.
    Rect(At, At, Ink),
    /// Filled, or an outline of the ink's width.
    Dot {
        at: At,
        radius: f64,
        ink: Ink,
        filled: bool,
    },
    Text {
        at: At,
        text: String,
        letters: Lettering,
    },
    /// RGB pixels of `size`, stretched over the corners.
    Picture {
        from: At,
        to: At,
        size: (usize, usize),
        pixels: Vec<u8>,
    },
}

impl From<Color> for Ink {
    fn from(color: Color) -> Self {
        Self { color, alpha: 1.0, width: 1.0 }
    }
}

impl Ink {
    pub fn alpha(self, alpha: f64) -> Self {
        Self { alpha, ..self }
    }

    pub fn width(self, width: f64) -> Self {
        Self { width, ..self }
    }
}

impl Figure {
    /// An empty figure of `width` x `height` pixels; `title` is also what a screen reader says.
    pub(crate) fn new(title: &str, width: f64, height: f64) -> Self {
        Self { title: title.to_string(), width, height, shapes: Vec::new() }
    }

    /// What the figure shows, in a few words.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (f64, f64) {
        (self.width, self.height)
    }

    /// The figure as a stand-alone SVG document.
    pub fn svg(&self) -> String {
        self.drawn(SvgInk::standalone(&self.title, self.width, self.height))
    }

    /// The figure for a page: text and lines take the page's `--ink`, `--muted`, `--grid`, `--paper`.
    pub(crate) fn inline_svg(&self) -> String {
        self.drawn(SvgInk::themed(&self.title, self.width, self.height))
    }

    fn drawn(&self, mut backend: SvgInk) -> String {
        // Writing to a string cannot fail; text that cannot be laid out is left out by the backend.
        let _ = paint(&self.shapes, &mut backend, SvgInk::UNITS_PER_PX);
        backend.finish()
    }

    /// The figure as RGB pixels, twice as fine as its size in SVG pixels.
    ///
    /// # Errors
    /// When the drawing backend fails.
    pub fn pixels(&self) -> Result<(usize, usize, Vec<u8>)> {
        super::bitmap::pixels(&self.shapes, self.width, self.height)
    }

    /// The figure as the bytes of a PNG file, twice as fine as its size in SVG pixels.
    ///
    /// # Errors
    /// When the drawing backend fails.
    pub fn png(&self) -> Result<Vec<u8>> {
        let (width, height, pixels) = self.pixels()?;
        super::bitmap::png(width, height, &pixels)
    }

    /// Writes the figure as its suffix says: `.svg` or `.png`.
    ///
    /// # Errors
    /// Another suffix, or a place that cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        self.write_as(path, Existing::Overwrite)
    }

    /// Like [`write`](Self::write), deciding what happens to a file that is there already.
    ///
    /// # Errors
    /// Another suffix, an existing file that must be kept, or a place that cannot be written.
    pub fn write_as(&self, path: impl AsRef<Path>, existing: Existing) -> Result<()> {
        let path = path.as_ref();
        let suffix = path.extension().map(|s| s.to_string_lossy().to_lowercase());
        let bytes = match suffix.as_deref() {
            Some("svg") => self.svg().into_bytes(),
            Some("png") => self.png()?,
            _ => {
                return Err(Error::parameter("suffix", path.display(), ".svg or .png")
                    .help("name the figure FILE.svg or FILE.png"));
            }
        };
        write_whole(path, existing, |file| {
            file.write_all(&bytes).map_err(|e| Error::io(format!("cannot be written: {e}")))
        })
    }
}

/// The strokes.
impl Figure {
    pub(crate) fn line(&mut self, points: Vec<At>, ink: impl Into<Ink>) {
        if points.len() > 1 && points.iter().all(|p| p.0.is_finite() && p.1.is_finite()) {
            self.shapes.push(Shape::Line(points, ink.into()));
        }
    }

    /// A straight line in short strokes.
    pub(crate) fn dashed(&mut self, from: At, to: At, ink: impl Into<Ink>) {
        let ink = ink.into();
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let along = |d: f64| {
            let share = (d / length).min(1.0);
            (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share)
        };
        for i in 0..(length / 7.0).ceil() as usize {
            let start = i as f64 * 7.0;
            self.line(vec![along(start), along(start + 4.0)], ink);
        }
    }

    pub(crate) fn area(&mut self, points: Vec<At>, ink: impl Into<Ink>) {
        if points.len() > 2 && points.iter().all(|p| p.0.is_finite() && p.1.is_finite()) {
            self.shapes.push(Shape::Area(points, ink.into()));
        }
    }

    pub(crate) fn rect(&mut self, from: At, to: At, ink: impl Into<Ink>) {
        if [from.0, from.1, to.0, to.1].iter().all(|v| v.is_finite()) {
            let (low, high) =
                ((from.0.min(to.0), from.1.min(to.1)), (from.0.max(to.0), from.1.max(to.1)));
            self.shapes.push(Shape::Rect(low, high, ink.into()));
        }
    }

    /// The outline of a rectangle.
    pub(crate) fn frame(&mut self, from: At, to: At, ink: impl Into<Ink>) {
        self.line(vec![from, (to.0, from.1), to, (from.0, to.1), from], ink);
    }

    pub(crate) fn dot(&mut self, at: At, radius: f64, ink: impl Into<Ink>) {
        self.mark(Mark::Circle, at, radius, ink, true);
    }

    /// A point of the given outline; a hollow one is drawn as a line of the ink's width.
    pub(crate) fn mark(
        &mut self,
        mark: Mark,
        at: At,
        radius: f64,
        ink: impl Into<Ink>,
        filled: bool,
    ) {
        let ink = ink.into();
        if !(at.0.is_finite() && at.1.is_finite()) {
            return;
        }
        let (x, y) = at;
        let r = radius;
        let mut corners = match mark {
            Mark::Circle => return self.shapes.push(Shape::Dot { at, radius, ink, filled }),
            Mark::Square => {
                let r = 0.89 * r;
                vec![(x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r)]
            }
            Mark::Triangle => {
                vec![(x, y - 1.3 * r), (x + 1.13 * r, y + 0.75 * r), (x - 1.13 * r, y + 0.75 * r)]
            }
            Mark::Diamond => {
                let r = 1.25 * r;
                vec![(x, y - r), (x + r, y), (x, y + r), (x - r, y)]
            }
        };
        if filled {
            self.area(corners, ink);
        } else {
            corners.push(corners[0]);
            self.line(corners, ink);
        }
    }

    pub(crate) fn text(&mut self, at: At, text: impl Into<String>, letters: Lettering) {
        let text = super::super::number::printable(&text.into());
        if at.0.is_finite() && at.1.is_finite() && !text.is_empty() {
            self.shapes.push(Shape::Text { at, text, letters });
        }
    }

    pub(crate) fn picture(&mut self, from: At, to: At, size: (usize, usize), pixels: Vec<u8>) {
        self.shapes.push(Shape::Picture { from, to, size, pixels });
    }

    /// Title and subtitle at the top left; returns the y below them.
    pub(crate) fn header(&mut self, subtitle: &str) -> f64 {
        let title = Lettering::new(16.0).bold();
        let mut y = 10.0;
        let room = self.width - 32.0;
        for line in wrapped(&self.title.clone(), &title, room) {
            y += 19.0;
            self.text((16.0, y), line, title);
        }
        let small = Lettering::new(12.5).ink(MUTED);
        y += 2.0;
        for line in wrapped(subtitle, &small, room) {
            y += 17.0;
            self.text((16.0, y), line, small);
        }
        y + 14.0
    }

    /// A number or a name on a pill of its group's colour; a long name is shortened.
    pub(crate) fn badge(&mut self, at: At, text: &str, color: Color) {
        let letters = Lettering::new(11.5).bold().anchor(Anchor::Middle);
        let text = letters.fitted(text, 90.0);
        let half = (letters.width(&text) / 2.0 + 4.5).max(9.0);
        self.area(pill(at, half + 1.5, 10.5), PAPER);
        self.area(pill(at, half, 9.0), color);
        self.text((at.0, at.1 + 4.1), text, letters.ink(color.contrast()));
    }
}

/// A rectangle with half-round ends.
fn pill(at: At, half: f64, radius: f64) -> Vec<At> {
    let inset = half - radius;
    (0..32)
        .map(|i| {
            let angle = (f64::from(i) + 0.5) / 32.0 * std::f64::consts::TAU;
            let side = inset.copysign(angle.cos());
            (at.0 + side + radius * angle.cos(), at.1 + radius * angle.sin())
        })
        .collect()
}

struct Style {
    color: BackendColor,
    width: u32,
}

impl BackendStyle for Style {
    fn color(&self) -> BackendColor {
        self.color
    }

    fn stroke_width(&self) -> u32 {
        self.width
    }
}

/// A plotters backend that can also stretch RGB pixels over a rectangle.
pub(crate) trait Painter: DrawingBackend {
    fn picture(
        &mut self,
        from: (i32, i32),
        to: (i32, i32),
        size: (usize, usize),
        pixels: &[u8],
    ) -> std::result::Result<(), DrawingErrorKind<Self::ErrorType>>;
}

/// Draws the shapes at `scale` backend units per pixel.
pub(crate) fn paint<B: Painter>(
    shapes: &[Shape],
    backend: &mut B,
    scale: f64,
) -> std::result::Result<(), DrawingErrorKind<B::ErrorType>> {
    let at = |p: &At| ((p.0 * scale).round() as i32, (p.1 * scale).round() as i32);
    let style = |ink: &Ink| Style {
        color: BackendColor { alpha: ink.alpha, rgb: (ink.color.0, ink.color.1, ink.color.2) },
        width: (ink.width * scale).round().max(1.0) as u32,
    };
    for shape in shapes {
        match shape {
            Shape::Line(points, ink) => backend.draw_path(points.iter().map(at), &style(ink))?,
            Shape::Area(points, ink) => backend.fill_polygon(points.iter().map(at), &style(ink))?,
            Shape::Rect(from, to, ink) => backend.draw_rect(at(from), at(to), &style(ink), true)?,
            Shape::Dot { at: center, radius, ink, filled } => {
                let radius = (radius * scale).round().max(1.0) as u32;
                backend.draw_circle(at(center), radius, &style(ink), *filled)?;
            }
            Shape::Text { at: place, text, letters } => {
                backend.draw_text(text, &letters.scaled(scale), at(place))?;
            }
            Shape::Picture { from, to, size, pixels } => {
                backend.picture(at(from), at(to), *size, pixels)?;
            }
        }
    }
    Ok(())
}
