//! Runs become moments: sums of coordinate powers, exact integers in closed form per run, then f64 once.

use std::num::Wrapping;

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
/// Boxes below this many pixels have them in 63 bits; what is larger on the way wraps around and comes back.
const SMALL_BOX: f64 = 65_536.0;
/// Rows below this many columns have their sums of cubes in 64 bits.
const EXACT_ROW: u32 = 1 << 15;

impl Moments {
    /// All moments of `spans`.
    ///
    /// Sums are exact integers for boxes below 2^29 pixels and 2^15 columns, f64 above; `cubes` false leaves out what
    /// needs a third power.
    pub fn of(spans: &[Span], n_rows: u32, bounds: &Bounds, cubes: bool) -> Self {
        if bounds.n_pixels() < SMALL_BOX {
            Sums::<Small>::of(spans, n_rows, bounds, cubes).moments(cubes)
        } else if is_exact(bounds) {
            Sums::<i128>::of(spans, n_rows, bounds, cubes).moments(cubes)
        } else {
            Sums::<f64>::of(spans, n_rows, bounds, cubes).moments(cubes)
        }
    }

    /// The same from sums about the first pixel of the image, modulo 2^64; right where [`fits_64_bits`].
    ///
    /// Entry `9 k + 3 j + i` is the sum of `z^k y^j x^i`; with cubes, in a plane only, entry `4 j + i` that of `y^j x^i`.
    pub(crate) fn of_image_sums(powers: &[u64; 27], bounds: &Bounds, cubes: bool) -> Self {
        let mut sums = [Wrapping(0); 64];
        for (entry, &power) in powers.iter().enumerate() {
            let place =
                if cubes { entry } else { 16 * (entry / 9) + 4 * (entry / 3 % 3) + entry % 3 };
            sums[place] = Wrapping(power as i64);
        }
        let used = if bounds.extent[0] == 1 { 16 } else { 64 };
        for (axis, stride) in [16, 4, 1].into_iter().enumerate() {
            shift(&mut sums, stride, u64::from(bounds.first[axis]), cubes);
        }
        Sums::<Small>(sums, used).moments(cubes)
    }
}

/// Whether all sums about the corner of a box need no more than 63 bits, and are whole on the CPU too.
pub(crate) fn fits_64_bits(bounds: &Bounds, cubes: bool) -> bool {
    let sides = bounds.extent.map(f64::from);
    let longest = sides.into_iter().fold(1.0, f64::max);
    // The sums over the whole box, as integrals, bound those over the object.
    let largest = if cubes {
        sides.iter().map(|side| (side.powi(4) / 4.0).max(1.0)).product()
    } else {
        bounds.n_pixels() * longest * longest / 3.0
    };
    largest < 2f64.powi(63) && is_exact(bounds)
}

/// Whether the sums of a box are made of integers.
fn is_exact(bounds: &Bounds) -> bool {
    let [_, rows, columns] = bounds.extent;
    bounds.n_pixels() < SMALL_BOX
        || (bounds.n_pixels() < EXACT_BOX && columns < EXACT_ROW && rows < 1 << 20)
}

type Small = Wrapping<i64>;

/// What sums are made of: 64 bits for most objects, `i128` where everything fits, `f64` for the rest.
trait Number: Copy + std::ops::Add<Output = Self> + std::ops::Mul<Output = Self> {
    /// What fits the sums of one row.
    type Row: Copy + std::ops::Add<Output = Self::Row> + std::ops::Sub<Output = Self::Row>;
    const ZERO: Self;
    const EMPTY: Self::Row;
    fn new(value: u64) -> Self;
    /// Sums of x^0, x^1, x^2, x^3 over 0 <= x < n.
    fn prefix(n: u64) -> [Self::Row; 4];
    /// A row's sum times a power of its coordinate.
    fn product(power: u64, row: Self::Row) -> Self;
    fn less(self, other: Self) -> Self;
    fn value(self) -> f64;
    /// ab cd - ef gh, rounded once if the numbers are integers.
    fn minor(ab: Self, cd: Self, ef: Self, gh: Self) -> f64;
}

impl Number for Small {
    type Row = u64;
    const ZERO: Self = Wrapping(0);
    const EMPTY: u64 = 0;
    fn new(value: u64) -> Self {
        Wrapping(value as i64)
    }
    fn prefix(n: u64) -> [u64; 4] {
        <i128 as Number>::prefix(n)
    }
    fn product(power: u64, row: u64) -> Self {
        Wrapping(power.wrapping_mul(row) as i64)
    }
    fn less(self, other: Self) -> Self {
        self - other
    }
    fn value(self) -> f64 {
        self.0 as f64
    }
    fn minor(ab: Self, cd: Self, ef: Self, gh: Self) -> f64 {
        let [ab, cd, ef, gh] = [ab, cd, ef, gh].map(|v| i128::from(v.0));
        i128::minor(ab, cd, ef, gh)
    }
}

impl Number for i128 {
    type Row = u64;
    const ZERO: Self = 0;
    const EMPTY: u64 = 0;
    fn new(value: u64) -> Self {
        Self::from(value)
    }
    fn prefix(n: u64) -> [u64; 4] {
        let first = n * n.saturating_sub(1) / 2;
        [n, first, first * (2 * n).saturating_sub(1) / 3, first * first]
    }
    fn product(power: u64, row: u64) -> Self {
        Self::from(power) * Self::from(row)
    }
    fn less(self, other: Self) -> Self {
        self - other
    }
    fn value(self) -> f64 {
        // The conversion from 64 bits is an instruction, that from 128 a routine.
        i64::try_from(self).map_or(self as f64, |small| small as f64)
    }
    fn minor(ab: Self, cd: Self, ef: Self, gh: Self) -> f64 {
        (ab * cd - ef * gh).value()
    }
}

impl Number for f64 {
    type Row = Self;
    const ZERO: Self = 0.0;
    const EMPTY: Self = 0.0;
    fn new(value: u64) -> Self {
        value as Self
    }
    fn prefix(n: u64) -> [Self; 4] {
        let n = n as Self;
        let first = n * (n - 1.0) / 2.0;
        [n, first, first * (2.0 * n - 1.0) / 3.0, first * first]
    }
    fn product(power: u64, row: Self) -> Self {
        power as Self * row
    }
    fn less(self, other: Self) -> Self {
        self - other
    }
    fn value(self) -> f64 {
        self
    }
    fn minor(ab: Self, cd: Self, ef: Self, gh: Self) -> f64 {
        ab * cd - ef * gh
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
            let mut line = [T::EMPTY; 4];
            for span in &rest[..in_row] {
                let below = T::prefix(u64::from(span.start - first_x));
                let upto = T::prefix(u64::from(span.end - first_x));
                for i in 0..4 {
                    line[i] = line[i] + (upto[i] - below[i]);
                }
            }
            let (z, y) = if bounds.extent[0] == 1 {
                (first_z, row - first_z * n_rows - first_y)
            } else {
                (row / n_rows, row % n_rows - first_y)
            };
            let mut power = 1;
            for sums in plane.chunks_exact_mut(4).take(top) {
                for (sum, &part) in sums.iter_mut().zip(&line) {
                    *sum = *sum + T::product(power, part);
                }
                // The power after the last may not fit, and is not used.
                power = power.wrapping_mul(u64::from(y));
            }
            rest = &rest[in_row..];
            if rest.first().is_none_or(|next| next.row >= (z + 1) * n_rows) {
                let mut power = T::new(1);
                let n_powers = if bounds.extent[0] == 1 { 1 } else { top };
                for sums in sums.chunks_exact_mut(16).take(n_powers) {
                    for (sum, &part) in sums.iter_mut().zip(&plane) {
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
        let values = |sums: &[T; 64]| {
            let mut values = [0.0; 64];
            values.iter_mut().zip(&sums[..self.1]).for_each(|(value, sum)| *value = sum.value());
            values
        };
        let mut central = values(&about);
        for (axis, stride) in [16, 4, 1].into_iter().enumerate() {
            shift_rest(&mut central[..self.1], stride, rest[axis]);
        }
        // Exact up to here: n sum(ab) - sum(a) sum(b), rounded once.
        let second = |ab: usize, a: usize, b: usize| {
            T::minor(about[ab], about[0], about[a], about[b]) / (n * n)
        };
        let covariance = [
            second(32, 16, 16),
            second(8, 4, 4),
            second(2, 1, 1),
            second(20, 16, 4),
            second(17, 16, 1),
            second(5, 4, 1),
        ];
        Moments { raw: values(&self.0), central, center, covariance }
    }
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
    (0..if stride < n { n } else { 0 }).filter(move |entry| (entry / stride).is_multiple_of(4))
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
        let wide = Sums::<i128>::of(&spans, n_rows, &bounds, true).moments(true);
        assert_eq!(format!("{moments:?}"), format!("{wide:?}"));
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
    fn small_boxes_at_their_limit_equal_wide_sums() {
        for (n_rows, n_columns) in [(1, 65_535), (255, 257), (65_535, 1)] {
            let spans: Vec<Span> = (0..n_rows)
                .map(|row| Span { row, start: row % 2, end: n_columns })
                .filter(|s| s.start < s.end)
                .collect();
            let bounds = Bounds::of(&spans, n_rows);
            let small = Sums::<Small>::of(&spans, n_rows, &bounds, true).moments(true);
            let wide = Sums::<i128>::of(&spans, n_rows, &bounds, true).moments(true);
            if n_columns < EXACT_ROW {
                assert_eq!(format!("{small:?}"), format!("{wide:?}"));
            }
            assert_eq!(small.covariance, wide.covariance);
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
