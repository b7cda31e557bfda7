//! Colours that colour-blind readers can tell apart, on screen and in print.

/// An RGB colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color(pub u8, pub u8, pub u8);

/// Text and axes.
pub(crate) const INK: Color = Color(0x1f, 0x24, 0x30);
/// Secondary text.
pub(crate) const MUTED: Color = Color(0x5b, 0x63, 0x72);
/// Grid lines and frames.
pub(crate) const GRID: Color = Color(0xe1, 0xe5, 0xea);
/// The background.
pub(crate) const PAPER: Color = Color(0xff, 0xff, 0xff);
/// Text on a light colour. Not `INK`, which a dark page makes light.
const ON_LIGHT: Color = Color(0x1a, 0x1d, 0x24);
/// Text on a dark colour. Not `PAPER`, which a dark page makes dark.
const ON_DARK: Color = Color(0xfd, 0xfd, 0xfd);
/// The main hue of figures that need only one.
pub(crate) const ACCENT: Color = Color(0x00, 0x72, 0xb2);
/// The second hue.
pub(crate) const CONTRAST: Color = Color(0xd5, 0x5e, 0x00);
/// Objects that belong to no group.
pub(crate) const UNASSIGNED: Color = Color(0x9a, 0xa1, 0xab);

/// Okabe & Ito (2008), "Color Universal Design", without black (the ink) and with the yellow darkened
/// until it reads on white.
const GROUPS: [Color; 7] = [
    Color(0x00, 0x72, 0xb2),
    Color(0xd5, 0x5e, 0x00),
    Color(0x00, 0x9e, 0x73),
    Color(0xcc, 0x79, 0xa7),
    Color(0xe6, 0x9f, 0x00),
    Color(0x56, 0xb4, 0xe9),
    Color(0xb3, 0xa1, 0x1a),
];

/// The outline of a point; a second means beside colour of telling groups apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// ●
    Circle,
    /// ■
    Square,
    /// ▲
    Triangle,
    /// ◆
    Diamond,
}

/// The colour and mark of group `label` (1..k; 0 = not assigned). Seven colours in four marks: 28 groups
/// differ, then they repeat.
pub fn group(label: usize) -> (Color, Mark) {
    const MARKS: [Mark; 4] = [Mark::Circle, Mark::Square, Mark::Triangle, Mark::Diamond];
    match label.checked_sub(1) {
        None => (UNASSIGNED, Mark::Circle),
        Some(i) => (GROUPS[i % GROUPS.len()], MARKS[i / GROUPS.len() % MARKS.len()]),
    }
}

/// Viridis (Smith & van der Walt 2015) at nine equal steps; `share` in 0..=1 from low to high.
pub fn sequential(share: f64) -> Color {
    const STOPS: [Color; 9] = [
        Color(68, 1, 84),
        Color(72, 40, 120),
        Color(62, 74, 137),
        Color(49, 104, 142),
        Color(38, 130, 142),
        Color(31, 158, 137),
        Color(53, 183, 121),
        Color(109, 205, 89),
        Color(223, 211, 40),
    ];
    along(&STOPS, share)
}

/// Blue - pale - orange for values in -1..=1.
pub fn diverging(value: f64) -> Color {
    const STOPS: [Color; 5] = [
        Color(0x08, 0x4f, 0x8c),
        Color(0x6f, 0xae, 0xd6),
        Color(0xf5, 0xf5, 0xf2),
        Color(0xf2, 0xa4, 0x5c),
        Color(0xa8, 0x42, 0x00),
    ];
    along(&STOPS, f64::midpoint(value, 1.0))
}

fn along(stops: &[Color], share: f64) -> Color {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.5 };
    let place = share * (stops.len() - 1) as f64;
    let i = (place as usize).min(stops.len() - 2);
    stops[i].mixed(stops[i + 1], place - i as f64)
}

impl Color {
    /// This colour with a `share` (0..=1) of `other`.
    pub fn mixed(self, other: Self, share: f64) -> Self {
        let mix =
            |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * share).round() as u8;
        Self(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }

    /// Whether black text reads better on it than white text (relative luminance, WCAG 2).
    pub fn is_light(self) -> bool {
        let linear = |c: u8| (f64::from(c) / 255.0).powf(2.2);
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2) > 0.22
    }

    /// Text that reads on this colour, in a light and in a dark page alike.
    pub(crate) fn contrast(self) -> Self {
        if self.is_light() { ON_LIGHT } else { ON_DARK }
    }

    /// `#rrggbb`.
    pub fn hex(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_eight_groups_differ() {
        let all: Vec<_> = (1..=28).map(group).collect();
        for (i, a) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|b| a != b), "group {} repeats", i + 1);
        }
        assert_eq!(group(0).0, UNASSIGNED);
    }

    #[test]
    fn scales_start_and_end_where_they_should() {
        assert_eq!(sequential(0.0), Color(68, 1, 84));
        assert_eq!(sequential(2.0), Color(223, 211, 40));
        assert_eq!(diverging(0.0), Color(0xf5, 0xf5, 0xf2));
        assert_eq!(diverging(-1.0), Color(0x08, 0x4f, 0x8c));
        assert!(diverging(f64::NAN).is_light());
    }
}
