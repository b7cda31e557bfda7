//! Pixel values along runs become weighted moments and order statistics, summed in the order of the runs.

use super::region_runs::Span;
use super::region_sums::{Bounds, Powers};

/// Moments of one object with the pixel values as weights, coordinates in pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighted {
    /// About the corner of the bounding box; entries as in [`Powers`].
    pub raw: Powers,
    /// About the weighted centroid.
    pub central: Powers,
    /// The weighted centroid, from the corner of the bounding box: z, y, x.
    pub center: [f64; 3],
}

impl Weighted {
    /// Moments of `spans` with one value per pixel, in the order of the spans.
    pub fn of(spans: &[Span], values: &[f64], n_rows: u32, bounds: &Bounds) -> Self {
        let raw = about(spans, values, n_rows, bounds, [0.0; 3]);
        let center = [16, 4, 1].map(|stride: usize| raw[stride] / raw[0]);
        let central = about(spans, values, n_rows, bounds, center);
        Self { raw, central, center }
    }
}

/// Sums of value times coordinate powers about an origin.
fn about(spans: &[Span], values: &[f64], n_rows: u32, bounds: &Bounds, origin: [f64; 3]) -> Powers {
    let [first_z, first_y, first_x] = bounds.first;
    let mut sums = [0.0; 64];
    let mut rest = values;
    for span in spans {
        let (here, behind) = rest.split_at(span.len() as usize);
        rest = behind;
        let mut line = [0.0; 4];
        for (x, &value) in (span.start - first_x..).zip(here) {
            let x = f64::from(x) - origin[2];
            let mut power = value;
            for sum in &mut line {
                *sum += power;
                power *= x;
            }
        }
        let powers = |at: u32, first: u32, origin: f64| {
            let x = f64::from(at - first) - origin;
            [1.0, x, x * x, x * x * x]
        };
        let y = powers(span.row % n_rows, first_y, origin[1]);
        let z = powers(span.row / n_rows, first_z, origin[0]);
        let n_planes = if bounds.extent[0] == 1 { 1 } else { 4 };
        for (k, z) in z.iter().enumerate().take(n_planes) {
            for (j, y) in y.iter().enumerate() {
                for (i, &x) in line.iter().enumerate() {
                    sums[16 * k + 4 * j + i] += z * y * x;
                }
            }
        }
    }
    sums
}

/// The quantile of sorted values at `share` from 0 to 1, linear between order statistics (numpy's default).
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = share * last as f64;
    let below = (place.floor() as usize).min(last);
    let (a, b) = (sorted[below], sorted[(below + 1).min(last)]);
    let part = place - below as f64;
    // From the nearer side, so that equal neighbours and the ends come out exactly.
    if part < 0.5 { a + (b - a) * part } else { b - (b - a) * (1.0 - part) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_weights_give_plain_moments() {
        let span = |row, start, end| Span { row, start, end };
        let spans = [span(1, 4, 7), span(2, 3, 4), span(6, 5, 7)];
        let bounds = Bounds::of(&spans, 4);
        let weighted = Weighted::of(&spans, &[2.0; 6], 4, &bounds);
        let plain = super::super::region_sums::Moments::of(&spans, 4, &bounds, true);
        assert_eq!(weighted.center, plain.center);
        for entry in 0..64 {
            assert!((weighted.raw[entry] - 2.0 * plain.raw[entry]).abs() < 1e-9);
            assert!((weighted.central[entry] - 2.0 * plain.central[entry]).abs() < 1e-9);
        }
    }

    #[test]
    fn quantiles_as_numpy() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0, 8.0], 0.5), 3.0);
        assert_eq!(quantile(&[1.0, 2.0, 4.0, 8.0], 0.75), 5.0);
        assert_eq!(quantile(&[5.0], 0.25), 5.0);
        assert_eq!(quantile(&[1.0, 3.0], 1.0), 3.0);
        assert!(quantile(&[], 0.5).is_nan());
    }
}
