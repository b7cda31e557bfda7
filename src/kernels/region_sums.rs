//! Runs become moments: sums of coordinate powers, exact integers in closed form per run, then f64 once.

use super::region_runs::Span;

/// The box around an object: first index and extent, z, y, x.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// First plane, row and column.
    pub first: [u32; 3],
    /// Number of planes, rows and columns.
    pub extent: [u32; 3],
}

impl Bounds {
    /// The box around `spans` (ordered by row) of an image with `n_rows` rows a plane.
    pub fn of(spans: &[Span], n_rows: u32) -> Self {
        let (Some(top), Some(bottom)) = (spans.first(), spans.last()) else {
            return Self::default();
        };
        let (z, z_last) = (top.row / n_rows, bottom.row / n_rows);
        let (mut y, mut y_last) = (top.row % n_rows, bottom.row % n_rows);
        let (mut x, mut x_end) = (u32::MAX, 0);
        for span in spans {
            x = x.min(span.start);
            x_end = x_end.max(span.end);
        }
        if z != z_last {
            for span in spans {
                y = y.min(span.row % n_rows);
                y_last = y_last.max(span.row % n_rows);
            }
        }
        Self { first: [z, y, x], extent: [z_last - z + 1, y_last - y + 1, x_end - x] }
    }

    /// Number of pixels in the box.
    pub fn n_pixels(&self) -> f64 {
        self.extent.iter().map(|&e| f64::from(e)).product()
    }
}

/// Powers 0 to 3 along z, y and x, x running fastest: entry `16 k + 4 j + i` belongs to `z^k y^j x^i`.
pub type Powers = [f64; 64];

/// Moments of one object, coordinates in pixels.
#[derive(Debug, Clone)]
pub struct Moments {
    /// About the corner of the bounding box; those along absent axes are 0.
    pub raw: Powers,
    /// About the centroid.
    pub central: Powers,
    /// The centroid, from the corner of the bounding box: z, y, x.
    pub center: [f64; 3],
    /// Second central moments over the number of pixels: zz, yy, xx, zy, zx, yx. Each is rounded once.
    pub covariance: [f64; 6],
}

/// Boxes below this many pixels have all sums in 127 bits: (2^29)^4 pixels and powers, times 2^9 for the binomials.
const EXACT_BOX: f64 = 536_870_912.0;

impl Moments {
    /// All moments of `spans`.
    ///
    /// Sums are exact integers for boxes below 2^29 pixels and f64 above; `cubes` false leaves out what needs a third power.
    pub fn of(spans: &[Span], n_rows: u32, bounds: &Bounds, cubes: bool) -> Self {
        let [_, rows, columns] = bounds.extent;
        if bounds.n_pixels() < EXACT_BOX && rows < 1 << 20 && columns < 1 << 20 {
            Sums::<i128>::of(spans, n_rows, bounds, cubes).moments(cubes)
        } else {
            Sums::<f64>::of(spans, n_rows, bounds, cubes).moments(cubes)
        }
    }
}

/// What sums are made of: `i128` where everything fits, `f64` for the rest.
trait Number: Copy + PartialEq + std::ops::Add<Output = Self> + std::ops::Mul<Output = Self> {
    const ZERO: Self;
    fn new(value: u64) -> Self;
    fn wide(value: u128) -> Self;
    fn less(self, other: Self) -> Self;
    fn value(self) -> f64;
}

impl Number for i128 {
    const ZERO: Self = 0;
    fn new(value: u64) -> Self {
        Self::from(value)
    }
    fn wide(value: u128) -> Self {
        value as Self
    }
    fn less(self, other: Self) -> Self {
        self - other
    }
    fn value(self) -> f64 {
        self as f64
    }
}

impl Number for f64 {
    const ZERO: Self = 0.0;
    fn new(value: u64) -> Self {
        value as Self
    }
    fn wide(value: u128) -> Self {
        value as Self
    }
    fn less(self, other: Self) -> Self {
        self - other
    }
    fn value(self) -> f64 {
        self
    }
}

/// The sums, and how many of them a plane or a stack fills.
struct Sums<T>([T; 64], usize);

impl<T: Number> Sums<T> {
    fn of(spans: &[Span], n_rows: u32, bounds: &Bounds, cubes: bool) -> Self {
        let [first_z, first_y, first_x] = bounds.first;
        let top = if cubes { 4 } else { 3 };
        let mut sums = [T::ZERO; 64];
        let mut plane = [T::ZERO; 16];
        let mut rest = spans;
        while let Some(&Span { row, .. }) = rest.first() {
            let in_row = rest.iter().take_while(|s| s.row == row).count();
            let mut line = [T::ZERO; 4];
            for span in &rest[..in_row] {
                let below = prefix::<T>(u64::from(span.start - first_x));
                let upto = prefix::<T>(u64::from(span.end - first_x));
                for i in 0..top {
                    line[i] = line[i] + upto[i].less(below[i]);
                }
            }
            let y = T::new(u64::from(row % n_rows - first_y));
            let mut power = T::new(1);
            for j in 0..top {
                for i in 0..top {
                    plane[4 * j + i] = plane[4 * j + i] + power * line[i];
                }
                power = power * y;
            }
            rest = &rest[in_row..];
            let z = row / n_rows;
            if rest.first().is_none_or(|next| next.row / n_rows != z) {
                let mut power = T::new(1);
                for k in 0..top {
                    for (sum, &part) in sums[16 * k..].iter_mut().zip(&plane) {
                        *sum = *sum + power * part;
                    }
                    power = power * T::new(u64::from(z - first_z));
                }
                plane = [T::ZERO; 16];
            }
        }
        Self(sums, if bounds.extent[0] == 1 { 16 } else { 64 })
    }

    fn moments(&self, cubes: bool) -> Moments {
        let n = self.0[0].value();
        // About the whole pixel nearest to the centroid nothing cancels any more; the rest is below half a pixel.
        let mut about = self.0;
        let (mut center, mut rest) = ([0.0; 3], [0.0; 3]);
        for (axis, stride) in [16, 4, 1].into_iter().enumerate() {
            let sum = self.0[stride];
            let whole = (sum.value() / n).round();
            rest[axis] = sum.less(T::new(whole as u64) * self.0[0]).value() / n;
            center[axis] = sum.value() / n;
            shift(&mut about[..self.1], stride, whole as u64, cubes);
        }
        let mut central = about.map(T::value);
        for (axis, stride) in [16, 4, 1].into_iter().enumerate() {
            shift_rest(&mut central[..self.1], stride, rest[axis]);
        }
        // Exact up to here: n sum(ab) - sum(a) sum(b), rounded once.
        let second = |ab: usize, a: usize, b: usize| {
            (about[ab] * about[0]).less(about[a] * about[b]).value() / (n * n)
        };
        let covariance = [
            second(32, 16, 16),
            second(8, 4, 4),
            second(2, 1, 1),
            second(20, 16, 4),
            second(17, 16, 1),
            second(5, 4, 1),
        ];
        Moments { raw: self.0.map(T::value), central, center, covariance }
    }
}

/// Sums of x^0, x^1, x^2, x^3 over 0 <= x < n.
fn prefix<T: Number>(n: u64) -> [T; 4] {
    let Some(before) = n.checked_sub(1) else { return [T::ZERO; 4] };
    let first = n * before / 2;
    let twice = 2 * n - 1;
    let second = if n < 1 << 21 {
        T::new(first * twice / 3)
    } else {
        T::wide(u128::from(first) * u128::from(twice) / 3)
    };
    [T::new(n), T::new(first), second, T::new(first) * T::new(first)]
}

/// Moves the origin of all sums along one axis by `by` pixels: (x - by)^i by the binomial formula.
fn shift<T: Number>(sums: &mut [T], stride: usize, by: u64, cubes: bool) {
    if by == 0 {
        return;
    }
    let (a, three, two) = (T::new(by), T::new(3), T::new(2));
    for start in starts(stride, sums.len()) {
        let [m0, m1, m2, m3] = [0, 1, 2, 3].map(|i| sums[start + i * stride]);
        let first = m1.less(a * m0);
        let second = m2.less(a * (two * m1).less(a * m0));
        sums[start + stride] = first;
        sums[start + 2 * stride] = second;
        if cubes {
            let inner = (three * m2).less(a * (three * m1).less(a * m0));
            sums[start + 3 * stride] = m3.less(a * inner);
        }
    }
}

/// The same for the last fraction of a pixel.
fn shift_rest(sums: &mut [f64], stride: usize, by: f64) {
    for start in starts(stride, sums.len()) {
        let [m0, m1, m2, m3] = [0, 1, 2, 3].map(|i| sums[start + i * stride]);
        sums[start + stride] = m1 - by * m0;
        sums[start + 2 * stride] = m2 - by * (2.0 * m1 - by * m0);
        sums[start + 3 * stride] = m3 - by * (3.0 * m2 - by * (3.0 * m1 - by * m0));
    }
}

/// The entries with power 0 along the axis of this stride.
fn starts(stride: usize, n: usize) -> impl Iterator<Item = usize> {
    (0..if stride < n { n } else { 0 }).filter(move |entry| entry / stride % 4 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stack with holes and gaps: 3 planes of 5 rows.
    fn spans() -> Vec<Span> {
        let span = |row, start, end| Span { row, start, end };
        vec![
            span(2, 7, 9),
            span(3, 4, 6),
            span(3, 8, 12),
            span(6, 5, 6),
            span(11, 4, 13),
            span(12, 4, 5),
        ]
    }

    #[test]
    fn equal_to_sums_over_pixels() {
        let (spans, n_rows) = (spans(), 5);
        let bounds = Bounds::of(&spans, n_rows);
        assert_eq!(bounds, Bounds { first: [0, 1, 4], extent: [3, 3, 9] });
        let moments = Moments::of(&spans, n_rows, &bounds, true);
        let in_f64 = Sums::<f64>::of(&spans, n_rows, &bounds, true).moments(true);
        let pixels: Vec<[f64; 3]> = spans
            .iter()
            .flat_map(|s| {
                (s.start..s.end).map(|x| [s.row / n_rows, s.row % n_rows - 1, x - 4].map(f64::from))
            })
            .collect();
        let power_sum = |entry: usize, origin: [f64; 3]| -> f64 {
            let powers = [entry / 16, entry / 4 % 4, entry % 4];
            let term = |p: &[f64; 3]| {
                (0..3).map(|a| (p[a] - origin[a]).powi(powers[a] as i32)).product::<f64>()
            };
            pixels.iter().map(term).sum()
        };
        let center = [16, 4, 1].map(|s| power_sum(s, [0.0; 3]) / pixels.len() as f64);
        assert_eq!(moments.center, center);
        for entry in 0..64 {
            assert_eq!(moments.raw[entry], power_sum(entry, [0.0; 3]));
            let expected = power_sum(entry, center);
            for central in [moments.central[entry], in_f64.central[entry]] {
                assert!((central - expected).abs() < 1e-9 * (1.0 + expected.abs()), "{entry}");
            }
        }
        for (i, entry) in [32, 8, 2, 20, 17, 5].into_iter().enumerate() {
            let expected = power_sum(entry, center) / pixels.len() as f64;
            assert!((moments.covariance[i] - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn wide_objects_do_not_overflow() {
        let spans = [Span { row: 0, start: 0, end: u32::MAX }];
        let bounds = Bounds::of(&spans, 1);
        let moments = Moments::of(&spans, 1, &bounds, true);
        let n = f64::from(u32::MAX);
        assert!((moments.covariance[2] / ((n * n - 1.0) / 12.0) - 1.0).abs() < 1e-9);
    }
}
