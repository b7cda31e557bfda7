//! Axes: a linear scale, round ticks, grid lines, labels.

use super::canvas::{At, Figure};
use super::palette::{GRID, INK, MUTED};
use super::text::{Anchor, Lettering};

/// A rectangle in pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Frame {
    pub fn width(&self) -> f64 {
        self.right - self.left
    }

    pub fn height(&self) -> f64 {
        self.bottom - self.top
    }

    pub fn across(&self, low: f64, high: f64) -> Scale {
        Scale::new(low, high, self.left, self.right)
    }

    pub fn up(&self, low: f64, high: f64) -> Scale {
        Scale::new(low, high, self.bottom, self.top)
    }

    pub fn corners(&self) -> (At, At) {
        ((self.left, self.top), (self.right, self.bottom))
    }
}

/// Numbers to pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    pub low: f64,
    pub high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    pub fn new(low: f64, high: f64, from: f64, to: f64) -> Self {
        let sound = low.is_finite() && high.is_finite();
        let (low, high) = match (sound, low == high) {
            (false, _) => (0.0, 1.0),
            (true, true) => {
                let room = (low.abs() * 0.5).max(0.5);
                (low - room, high + room)
            }
            (true, false) => (low, high),
        };
        Self { low, high, from, to }
    }

    pub fn at(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Round values inside the scale, about `wanted` of them.
    pub fn ticks(&self, wanted: usize) -> Vec<f64> {
        let step = round_step((self.high - self.low) / wanted.max(1) as f64);
        let first = (self.low / step - 1e-9).ceil() as i64;
        let last = (self.high / step + 1e-9).floor() as i64;
        (first..=last.min(first + 50)).map(|i| i as f64 * step).collect()
    }
}

/// 1, 2 or 5 times a power of ten, at least `raw`.
fn round_step(raw: f64) -> f64 {
    if !(raw.is_finite() && raw > 0.0) {
        return 1.0;
    }
    let power = 10_f64.powf(raw.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|f| f * power >= raw * 0.999);
    factor.unwrap_or(10.0) * power
}

/// Labels for ticks: all with the decimals the step needs, and a real minus.
pub(crate) fn tick_labels(ticks: &[f64]) -> Vec<String> {
    let step = ticks.windows(2).map(|w| w[1] - w[0]).fold(f64::INFINITY, f64::min);
    let largest = ticks.iter().fold(0.0_f64, |a, t| a.max(t.abs()));
    let plain = (1e-3..1e6).contains(&largest) || largest == 0.0;
    ticks
        .iter()
        .map(|&tick| {
            let tick = if tick.abs() < step * 1e-6 { 0.0 } else { tick };
            let label = if plain && step.is_finite() {
                let decimals = (-step.log10()).ceil().max(0.0) as usize;
                format!("{tick:.decimals$}")
            } else {
                super::super::number::digits(tick, 3)
            };
            label.replace('-', "\u{2212}")
        })
        .collect()
}

/// Smallest and largest finite value; nothing at all gives 0..1.
pub(crate) fn extent(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .into_iter()
        .filter(|v| v.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if low <= high { (low, high) } else { (0.0, 1.0) }
}

/// [`extent`] with a margin of `share` of itself on both sides.
pub(crate) fn roomy_extent(values: impl IntoIterator<Item = f64>, share: f64) -> (f64, f64) {
    let (low, high) = extent(values);
    let room = (high - low) * share;
    (low - room, high + room)
}

/// Tick labels of a figure.
pub(crate) fn small() -> Lettering {
    Lettering::new(11.5).ink(MUTED)
}

/// Axis titles.
pub(crate) fn medium() -> Lettering {
    Lettering::new(12.5).ink(INK)
}

impl Figure {
    /// Grid lines, ticks and title of a horizontal axis at the bottom of `frame`.
    pub(crate) fn x_axis(&mut self, frame: &Frame, scale: &Scale, title: &str, unit: &str) {
        let ticks = scale.ticks((frame.width() / 75.0).max(2.0) as usize);
        for (tick, label) in ticks.iter().zip(tick_labels(&ticks)) {
            let x = scale.at(*tick);
            self.line(vec![(x, frame.top), (x, frame.bottom)], GRID);
            let label = format!("{label}{unit}");
            self.text((x, frame.bottom + 17.0), label, small().anchor(Anchor::Middle));
        }
        let title = medium().fitted(title, frame.width() + 60.0);
        let middle = f64::midpoint(frame.left, frame.right);
        self.text((middle, frame.bottom + 37.0), title, medium().anchor(Anchor::Middle));
    }

    /// Grid lines, ticks and title of a vertical axis at the left of `frame`.
    pub(crate) fn y_axis(&mut self, frame: &Frame, scale: &Scale, title: &str, unit: &str) {
        let ticks = scale.ticks((frame.height() / 50.0).max(2.0) as usize);
        let mut widest: f64 = 0.0;
        for (tick, label) in ticks.iter().zip(tick_labels(&ticks)) {
            let y = scale.at(*tick);
            self.line(vec![(frame.left, y), (frame.right, y)], GRID);
            let label = format!("{label}{unit}");
            widest = widest.max(small().width(&label));
            self.text((frame.left - 8.0, y + 4.0), label, small().anchor(Anchor::End));
        }
        let title = medium().fitted(title, frame.height() + 40.0);
        let at = (frame.left - widest - 18.0, f64::midpoint(frame.top, frame.bottom));
        self.text(at, title, medium().anchor(Anchor::Middle).upwards());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let ticks = Scale::new(0.0, 1.0, 0.0, 100.0).ticks(5);
        assert_eq!(tick_labels(&ticks), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        let ticks = Scale::new(-37.0, 112.0, 0.0, 100.0).ticks(4);
        assert_eq!(tick_labels(&ticks), ["0", "50", "100"]);
        let ticks = Scale::new(-2.5e-7, 2.5e-7, 0.0, 100.0).ticks(3);
        assert_eq!(tick_labels(&ticks), ["\u{2212}2e\u{2212}7", "0", "2e\u{2212}7"]);
    }

    #[test]
    fn odd_ranges_still_make_a_scale() {
        for (low, high) in [(3.0, 3.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
            let scale = Scale::new(low, high, 0.0, 10.0);
            assert!(scale.at(scale.low) == 0.0 && scale.at(scale.high) == 10.0);
            assert!(!scale.ticks(3).is_empty());
        }
        assert_eq!(extent([f64::NAN]), (0.0, 1.0));
    }
}
