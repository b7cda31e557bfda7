//! A plotters backend that writes compact SVG: a tenth of a pixel fine, one path for a cloud of equal dots,
//! and on request in the colours of the page around it.

use std::convert::Infallible;
use std::fmt::{Display, Write};

use plotters_backend::text_anchor::HPos;
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontStyle, FontTransform,
};

use super::canvas::Painter;
use super::palette::{Color, GRID, INK, MUTED, PAPER};
use crate::report::base64;

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// SVG in the making.
pub(crate) struct SvgInk {
    out: String,
    size: (u32, u32),
    themed: bool,
    /// Attributes shared by the dots of the path that is still open.
    dots: Option<String>,
}

impl SvgInk {
    /// Backends count in whole units; ten of ours are a pixel.
    pub const UNITS_PER_PX: f64 = 10.0;

    /// A document of its own, on white.
    pub fn standalone(title: &str, width: f64, height: f64) -> Self {
        let mut ink = Self::open(title, width, height, false);
        let _ = writeln!(
            ink.out,
            "<rect width=\"{width}\" height=\"{height}\" fill=\"{}\"/>",
            PAPER.hex()
        );
        ink
    }

    /// A part of a page, in the page's colours.
    pub fn themed(title: &str, width: f64, height: f64) -> Self {
        Self::open(title, width, height, true)
    }

    fn open(title: &str, width: f64, height: f64, themed: bool) -> Self {
        let title = escaped(title);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{title}\" \
             font-family=\"Inter, 'Helvetica Neue', Arial, sans-serif\">\n"
        );
        if !themed {
            let _ = writeln!(out, "<title>{title}</title>");
        }
        let units = Self::UNITS_PER_PX;
        let size = ((width * units) as u32, (height * units) as u32);
        Self { out, size, themed, dots: None }
    }

    /// The whole document.
    pub fn finish(mut self) -> String {
        self.close_dots();
        self.out.push_str("</svg>\n");
        self.out
    }

    fn close_dots(&mut self) {
        if self.dots.take().is_some() {
            self.out.push_str("\"/>\n");
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "every stroke of a backend ends in this call")]
    fn element(&mut self, element: impl Display) -> Drawn {
        self.close_dots();
        let _ = writeln!(self.out, "{element}");
        Ok(())
    }

    /// A paint: the page's variable for the colours of text, lines and background, else the colour.
    fn paint(&self, color: BackendColor) -> String {
        let (r, g, b) = color.rgb;
        let color = Color(r, g, b);
        let name = [(INK, "ink"), (MUTED, "muted"), (GRID, "grid"), (PAPER, "paper")]
            .into_iter()
            .find(|known| known.0 == color);
        match name {
            Some((_, name)) if self.themed => format!("var(--{name})"),
            _ => color.hex(),
        }
    }

    fn fill(&self, color: BackendColor) -> String {
        format!(" fill=\"{}\"{}", self.paint(color), opacity("fill-opacity", color.alpha))
    }

    fn stroke(&self, color: BackendColor, width: u32) -> String {
        format!(
            " stroke=\"{}\" stroke-width=\"{}\"{}",
            self.paint(color),
            px(width as i32),
            opacity("stroke-opacity", color.alpha)
        )
    }
}

fn opacity(name: &str, alpha: f64) -> String {
    if alpha >= 1.0 { String::new() } else { format!(" {name}=\"{:.2}\"", alpha.max(0.0)) }
}

/// Units as pixels, without a needless `.0`.
fn px(units: i32) -> String {
    let (sign, units) = (if units < 0 { "-" } else { "" }, units.unsigned_abs());
    match units % 10 {
        0 => format!("{sign}{}", units / 10),
        tenth => format!("{sign}{}.{tenth}", units / 10),
    }
}

/// `M x y L x y ...` with steps relative to the last point.
fn path(points: impl IntoIterator<Item = BackendCoord>) -> String {
    let mut out = String::new();
    let mut last: Option<BackendCoord> = None;
    for (x, y) in points {
        let _ = match last {
            None => write!(out, "M{} {}", px(x), px(y)),
            Some((_, b)) if b == y => write!(out, "h{}", px(x - last.map_or(0, |l| l.0))),
            Some((a, _)) if a == x => write!(out, "v{}", px(y - last.map_or(0, |l| l.1))),
            Some((a, b)) => write!(out, "l{} {}", px(x - a), px(y - b)),
        };
        last = Some((x, y));
    }
    out
}

/// Text as it may stand in an element or an attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

impl DrawingBackend for SvgInk {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        let fill = self.fill(color);
        self.element(format_args!(
            "<rect x=\"{}\" y=\"{}\" width=\".1\" height=\".1\"{fill}/>",
            px(x),
            px(y)
        ))
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let paint = if fill {
            self.fill(style.color())
        } else {
            format!(" fill=\"none\"{}", self.stroke(style.color(), style.stroke_width()))
        };
        let ((x, y), (right, bottom)) = (upper_left, bottom_right);
        self.element(format_args!(
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"{paint}/>",
            px(x),
            px(y),
            px(right - x),
            px(bottom - y)
        ))
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        points: I,
        style: &S,
    ) -> Drawn {
        let stroke = self.stroke(style.color(), style.stroke_width());
        self.element(format_args!(
            "<path d=\"{}\" fill=\"none\"{stroke} stroke-linejoin=\"round\"/>",
            path(points)
        ))
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        (x, y): BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        if !fill {
            let stroke = self.stroke(style.color(), style.stroke_width());
            return self.element(format_args!(
                "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"none\"{stroke}/>",
                px(x),
                px(y),
                px(radius as i32)
            ));
        }
        // A dot is a line without length and with round ends: dots of one look share a path.
        let look = self.stroke(style.color(), 2 * radius);
        if self.dots.as_ref() != Some(&look) {
            self.close_dots();
            let _ = write!(self.out, "<path fill=\"none\"{look} stroke-linecap=\"round\" d=\"");
            self.dots = Some(look);
        }
        let _ = write!(self.out, "M{} {}h0", px(x), px(y));
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        points: I,
        style: &S,
    ) -> Drawn {
        let fill = self.fill(style.color());
        self.element(format_args!("<path d=\"{}z\"{fill}/>", path(points)))
    }

    fn draw_text<T: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &T,
        (x, y): BackendCoord,
    ) -> Drawn {
        let (x, y) = (px(x), px(y));
        let anchor = match style.anchor().h_pos {
            HPos::Left => "",
            HPos::Center => " text-anchor=\"middle\"",
            HPos::Right => " text-anchor=\"end\"",
        };
        let weight = match style.style() {
            FontStyle::Bold => " font-weight=\"600\"",
            _ => "",
        };
        let turn = match style.transform() {
            FontTransform::Rotate270 => format!(" transform=\"rotate(-90 {x} {y})\""),
            _ => String::new(),
        };
        let size = px(style.size().round() as i32);
        let fill = self.fill(style.color());
        self.element(format_args!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\"{anchor}{weight}{fill}{turn}>{}</text>",
            escaped(text)
        ))
    }
}

impl Painter for SvgInk {
    fn picture(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        size: (usize, usize),
        pixels: &[u8],
    ) -> Drawn {
        let Ok(png) = super::bitmap::png(size.0, size.1, pixels) else { return Ok(()) };
        self.element(format_args!(
            "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" \
             image-rendering=\"pixelated\" href=\"data:image/png;base64,{}\"/>",
            px(from.0),
            px(from.1),
            px(to.0 - from.0),
            px(to.1 - from.1),
            base64::encoded(&png)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_short_and_exact() {
        assert_eq!([px(0), px(-5), px(123), px(120)], ["0", "-0.5", "12.3", "12"]);
        assert_eq!(path([(10, 10), (20, 10), (20, 35), (0, 0)]), "M1 1h1v2.5l-2 -3.5");
    }

    #[test]
    fn hostile_text_stays_text() {
        assert_eq!(
            escaped("</text><script>'&\"\u{7}"),
            "&lt;/text&gt;&lt;script&gt;&#39;&amp;&quot; "
        );
    }
}
