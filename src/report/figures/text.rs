//! Lettering: measuring and drawing text in the font that is shipped with the crate.

use std::convert::Infallible;
use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use plotters_backend::text_anchor::{HPos, Pos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendTextStyle, FontFamily, FontStyle, FontTransform,
};

use super::palette::{Color, INK};

/// Inter (SIL Open Font License, see assets/Inter-LICENSE.txt), cut down to European letters, Greek,
/// digits and the signs figures need.
static REGULAR: LazyLock<Option<FontRef<'static>>> =
    LazyLock::new(|| FontRef::try_from_slice(include_bytes!("../assets/Inter-Regular.ttf")).ok());
static SEMI_BOLD: LazyLock<Option<FontRef<'static>>> =
    LazyLock::new(|| FontRef::try_from_slice(include_bytes!("../assets/Inter-SemiBold.ttf")).ok());

/// Which point of the text stands at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text looks; its place is on the baseline.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lettering {
    /// Font size in pixels per em.
    pub size: f64,
    pub bold: bool,
    pub anchor: Anchor,
    pub ink: Color,
    /// Reads from bottom to top.
    pub upwards: bool,
}

impl Lettering {
    pub fn new(size: f64) -> Self {
        Self { size, bold: false, anchor: Anchor::Start, ink: INK, upwards: false }
    }

    pub fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub fn anchor(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    pub fn ink(self, ink: Color) -> Self {
        Self { ink, ..self }
    }

    pub fn upwards(self) -> Self {
        Self { upwards: true, ..self }
    }

    pub fn scaled(self, scale: f64) -> Self {
        Self { size: self.size * scale, ..self }
    }

    /// Width of `text` in pixels.
    pub fn width(&self, text: &str) -> f64 {
        let Some(font) = self.font() else { return text.chars().count() as f64 * self.size * 0.6 };
        let scaled = font.as_scaled(self.scale(font));
        text.chars().map(|c| f64::from(scaled.h_advance(font.glyph_id(c)))).sum()
    }

    /// `text` shortened in the middle until it is at most `room` pixels wide.
    pub fn fitted(&self, text: &str, room: f64) -> String {
        let mut width = text.chars().count();
        let mut fitted = text.to_string();
        while width > 3 && self.width(&fitted) > room {
            width -= 1;
            fitted = super::super::number::shortened(text, width);
        }
        fitted
    }

    fn font(&self) -> Option<&'static FontRef<'static>> {
        if self.bold { SEMI_BOLD.as_ref() } else { REGULAR.as_ref() }
    }

    /// `ab_glyph` scales by line height, the rest of the world by em.
    fn scale(&self, font: &FontRef<'static>) -> PxScale {
        let em = font.units_per_em().unwrap_or(1000.0);
        PxScale::from(self.size as f32 * font.height_unscaled() / em)
    }
}

/// Breaks `text` between words into lines of at most `room` pixels.
pub(crate) fn wrapped(text: &str, letters: &Lettering, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line)
                if letters.width(line) + letters.width(" ") + letters.width(word) <= room =>
            {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(letters.fitted(word, room)),
        }
    }
    lines
}

/// The text box has no height: the place of a text is its baseline.
impl BackendTextStyle for Lettering {
    type FontError = Infallible;

    fn color(&self) -> BackendColor {
        BackendColor { alpha: 1.0, rgb: (self.ink.0, self.ink.1, self.ink.2) }
    }

    fn size(&self) -> f64 {
        self.size
    }

    fn transform(&self) -> FontTransform {
        if self.upwards { FontTransform::Rotate270 } else { FontTransform::None }
    }

    fn style(&self) -> FontStyle {
        if self.bold { FontStyle::Bold } else { FontStyle::Normal }
    }

    fn anchor(&self) -> Pos {
        let across = match self.anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        Pos::new(across, VPos::Top)
    }

    fn family(&self) -> FontFamily<'_> {
        FontFamily::SansSerif
    }

    fn layout_box(&self, text: &str) -> Result<((i32, i32), (i32, i32)), Infallible> {
        Ok(((0, 0), (self.width(text).round() as i32, 0)))
    }

    fn draw<E, DrawFunc: FnMut(i32, i32, BackendColor) -> Result<(), E>>(
        &self,
        text: &str,
        pos: BackendCoord,
        mut draw: DrawFunc,
    ) -> Result<Result<(), E>, Infallible> {
        let Some(font) = self.font() else { return Ok(Ok(())) };
        let scale = self.scale(font);
        let mut x = 0.0;
        for c in text.chars() {
            let id = font.glyph_id(c);
            let glyph = id.with_scale_and_position(scale, point(x, 0.0));
            x += font.as_scaled(scale).h_advance(id);
            let Some(outline) = font.outline_glyph(glyph) else { continue };
            let corner = outline.px_bounds().min;
            let mut result = Ok(());
            outline.draw(|dx, dy, coverage| {
                if result.is_ok() && coverage > 0.0 {
                    let color =
                        BackendColor { alpha: f64::from(coverage.min(1.0)), ..self.color() };
                    let (px, py) = (corner.x as i32 + dx as i32, corner.y as i32 + dy as i32);
                    result = draw(pos.0 + px, pos.1 + py, color);
                }
            });
            if result.is_err() {
                return Ok(result);
            }
        }
        Ok(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_font_measures_text() {
        let letters = Lettering::new(12.0);
        assert!(letters.font().is_some() && letters.bold().font().is_some());
        let width = letters.width("area");
        assert!((20.0..30.0).contains(&width), "{width}");
        assert!(letters.bold().width("area") > width);
        assert!(letters.width(&letters.fitted("equivalent_diameter_area", 80.0)) <= 80.0);
    }

    #[test]
    fn lines_break_between_words() {
        let letters = Lettering::new(12.0);
        let lines = wrapped("one two three four five six", &letters, 80.0);
        assert!(lines.len() > 1);
        assert_eq!(lines.join(" "), "one two three four five six");
        assert!(lines.iter().all(|l| letters.width(l) <= 80.0));
    }
}
