//! Pixel values become sums that do not depend on order: exact integers, whatever the number type.

use std::cmp::Ordering;

/// What one channel says about one object; a commutative monoid, so that any split gives the same bits.
#[derive(Debug, Clone, PartialEq)]
pub struct Intensity {
    /// Number of values that are numbers.
    pub count: u64,
    /// Number of values that are not: NaN and infinities.
    pub odd: u64,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Sum of the values.
    pub sum: ExactSum,
    /// Sum of their squares.
    pub squares: ExactSum,
}

impl Default for Intensity {
    fn default() -> Self {
        let (sum, squares) = (ExactSum::default(), ExactSum::default());
        Self { count: 0, odd: 0, min: f64::INFINITY, max: f64::NEG_INFINITY, sum, squares }
    }
}

impl Intensity {
    /// Joins what was seen of the same object elsewhere.
    pub fn combine(&mut self, other: &Self) {
        self.count += other.count;
        self.odd += other.odd;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum.combine(&other.sum);
        self.squares.combine(&other.squares);
    }

    /// Mean and standard deviation (divided by n); `None` without a value or with one that is not a number.
    pub fn mean_std(&self) -> Option<(f64, f64)> {
        if self.count == 0 || self.odd > 0 {
            return None;
        }
        let n = self.count as f64;
        let (sum, squares) = (self.sum.wide(), self.squares.wide());
        let spread = squares.times(n).less(sum.square());
        Some((sum.high / n, spread.high.max(0.0).sqrt() / n))
    }
}

/// A number type of pixels.
pub trait Sample: Copy + Send + Sync {
    /// Adds a stretch of pixels of one object.
    fn push(values: &[Self], into: &mut Intensity);
    /// The value as f64, exactly.
    fn value(self) -> f64;
}

macro_rules! integer_sample {
    ($($type:ty, $sum:ty, $square:ty);*) => {$(
        impl Sample for $type {
            fn push(values: &[Self], into: &mut Intensity) {
                let (mut min, mut max, mut sum, mut squares) = (Self::MAX, Self::MIN, 0u64, 0u128);
                // Blocks short enough for the narrow sums, which vectorise.
                for block in values.chunks(1 << 12) {
                    let (mut part, mut part2): ($sum, $square) = (0, 0);
                    for &value in block {
                        min = min.min(value);
                        max = max.max(value);
                        part += <$sum>::from(value);
                        part2 += <$square>::from(value) * <$square>::from(value);
                    }
                    sum += u64::from(part);
                    squares += u128::from(part2);
                }
                into.count += values.len() as u64;
                into.min = into.min.min(f64::from(min));
                into.max = into.max.max(f64::from(max));
                into.sum.add_whole(i128::from(sum));
                into.squares.add_whole(squares as i128);
            }
            fn value(self) -> f64 {
                f64::from(self)
            }
        }
    )*};
}
integer_sample!(u8, u32, u32; u16, u32, u64; u32, u64, u128);

macro_rules! float_sample {
    ($($type:ty),*) => {$(
        impl Sample for $type {
            fn push(values: &[Self], into: &mut Intensity) {
                for &value in values {
                    push_float(f64::from(value), into);
                }
            }
            fn value(self) -> f64 {
                f64::from(self)
            }
        }
    )*};
}
float_sample!(f32, f64);

fn push_float(value: f64, into: &mut Intensity) {
    if !value.is_finite() {
        into.odd += 1;
        return;
    }
    into.count += 1;
    into.min = into.min.min(value);
    into.max = into.max.max(value);
    let (mantissa, exponent) = decode(value);
    into.sum.add(mantissa, exponent);
    let square = i128::from(mantissa) * i128::from(mantissa);
    into.squares.add((square & LOW) as i64, 2 * exponent);
    into.squares.add((square >> HALF) as i64, 2 * exponent + HALF as i32);
}

/// A square of a 53-bit mantissa is added in two halves of this many bits.
const HALF: u32 = 53;
const LOW: i128 = (1 << HALF) - 1;

/// `value = mantissa * 2^exponent`, with as few mantissa bits as the value needs not to matter: any pair is exact.
fn decode(value: f64) -> (i64, i32) {
    let bits = value.to_bits();
    let (biased, fraction) = ((bits >> 52 & 0x7ff) as i32, (bits & ((1 << 52) - 1)) as i64);
    let (mantissa, exponent) =
        if biased == 0 { (fraction, -1074) } else { (fraction | 1 << 52, biased - 1075) };
    (if value < 0.0 { -mantissa } else { mantissa }, exponent)
}

/// A sum without rounding: whole numbers in one word, fractions in words 2^32 apart.
///
/// Each word keeps 42 bits for carries, enough for 4e12 pixels.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExactSum {
    whole: i128,
    /// (k, n) stands for n 2^(32 k); ascending, each k once.
    parts: Vec<(i16, i128)>,
}

impl ExactSum {
    /// Adds a whole number.
    pub fn add_whole(&mut self, value: i128) {
        self.whole += value;
    }

    fn add(&mut self, mantissa: i64, exponent: i32) {
        let shifted = i128::from(mantissa) << exponent.rem_euclid(32);
        self.add_part(exponent.div_euclid(32) as i16, shifted);
    }

    /// Adds `value 2^(32 place)`.
    pub(super) fn add_part(&mut self, place: i16, value: i128) {
        if value == 0 {
            return;
        }
        for (i, part) in self.parts.iter_mut().enumerate() {
            match part.0.cmp(&place) {
                Ordering::Less => {}
                Ordering::Equal => return part.1 += value,
                Ordering::Greater => return self.parts.insert(i, (place, value)),
            }
        }
        self.parts.push((place, value));
    }

    /// Adds another sum.
    pub fn combine(&mut self, other: &Self) {
        self.whole += other.whole;
        for &(place, value) in &other.parts {
            self.add_part(place, value);
        }
    }

    /// The sum, rounded.
    pub fn value(&self) -> f64 {
        self.wide().high
    }

    /// The sum to about 106 bits.
    pub fn wide(&self) -> Wide {
        let mut total = Wide::of(self.whole);
        for &(place, value) in self.parts.iter().rev() {
            let (part, exponent) = (Wide::of(value), 32 * i32::from(place));
            let (high, low) = (scaled(part.high, exponent), scaled(part.low, exponent));
            total = total.plus(Wide { high, low });
        }
        total
    }

    /// The sum as little-endian bytes, for partial results on disk.
    pub fn to_bytes(&self) -> Vec<u8> {
        let parts = self
            .parts
            .iter()
            .flat_map(|(place, value)| place.to_le_bytes().into_iter().chain(value.to_le_bytes()));
        self.whole.to_le_bytes().into_iter().chain(parts).collect()
    }

    /// Back from [`to_bytes`](Self::to_bytes); `None` when they are not such bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (whole, parts) = bytes.split_first_chunk::<16>()?;
        let mut sum = Self { whole: i128::from_le_bytes(*whole), parts: Vec::new() };
        for part in parts.chunks(18) {
            let (place, value) = part.split_first_chunk::<2>()?;
            sum.add_part(i16::from_le_bytes(*place), i128::from_le_bytes(value.try_into().ok()?));
        }
        Some(sum)
    }
}

/// value * 2^exponent; in two steps, because 2^exponent alone may be out of range.
fn scaled(value: f64, exponent: i32) -> f64 {
    value * 2f64.powi(exponent / 2) * 2f64.powi(exponent - exponent / 2)
}

/// An unevaluated sum of two f64: about 106 bits (Dekker 1971).
#[derive(Debug, Clone, Copy)]
pub struct Wide {
    /// The value, rounded.
    pub high: f64,
    /// What rounding left over.
    pub low: f64,
}

impl Wide {
    fn of(value: i128) -> Self {
        let high = value as f64;
        // A value at the end of the range rounds to 2^127, which is not an i128.
        let rest = if high.abs() < 1.7e38 { value - high as i128 } else { 0 };
        Self { high, low: rest as f64 }
    }

    fn two_sum(a: f64, b: f64) -> Self {
        let high = a + b;
        let back = high - a;
        Self { high, low: (a - (high - back)) + (b - back) }
    }

    fn two_product(a: f64, b: f64) -> Self {
        let high = a * b;
        let (a1, a2) = halves(a);
        let (b1, b2) = halves(b);
        Self { high, low: ((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b2 }
    }

    fn plus(self, other: Self) -> Self {
        let sum = Self::two_sum(self.high, other.high);
        Self::two_sum(sum.high, sum.low + self.low + other.low)
    }

    fn less(self, other: Self) -> Self {
        self.plus(Self { high: -other.high, low: -other.low })
    }

    fn times(self, factor: f64) -> Self {
        let product = Self::two_product(self.high, factor);
        Self::two_sum(product.high, product.low + self.low * factor)
    }

    fn square(self) -> Self {
        let product = Self::two_product(self.high, self.high);
        Self::two_sum(product.high, product.low + 2.0 * self.high * self.low)
    }
}

/// Splits the 53 bits of a mantissa in two (Veltkamp).
fn halves(value: f64) -> (f64, f64) {
    let spread = 134_217_729.0 * value;
    let high = spread - (spread - value);
    (high, value - high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<T: Sample>(values: &[T]) -> Intensity {
        let mut all = Intensity::default();
        T::push(values, &mut all);
        all
    }

    #[test]
    fn any_split_gives_the_same_bits() {
        let values: Vec<f32> =
            (0..200).map(|i| (i as f32 * 0.7).sin() * 10f32.powi(i % 31 - 15)).collect();
        let whole = of(&values);
        for cut in [1, 7, 100, 199] {
            let mut back = of(&values[cut..]);
            back.combine(&of(&values[..cut]));
            assert_eq!(back, whole);
        }
        let mut reversed = values.clone();
        reversed.reverse();
        assert_eq!(of(&reversed), whole);
    }

    #[test]
    fn mean_and_std() {
        let (mean, std) = of(&[1u16, 2, 3, 4]).mean_std().unwrap();
        assert_eq!((mean, std), (2.5, 1.25f64.sqrt()));
        assert_eq!(of(&[7u8; 5]).mean_std(), Some((7.0, 0.0)));
        assert_eq!(of(&vec![u32::MAX; 5000]).mean_std(), Some((f64::from(u32::MAX), 0.0)));
        assert_eq!(of(&[0.1f64; 1000]).mean_std(), Some((0.1, 0.0)));
        assert_eq!(of(&[1.0f64, f64::NAN]).mean_std(), None);
        let (mean, std) = of(&[1e9f64 + 0.25, 1e9 - 0.25]).mean_std().unwrap();
        assert_eq!((mean, std), (1e9, 0.25));
        assert_eq!(of(&[1e300f64, 1.0, -1e300]).sum.value(), 1.0);
        assert_eq!(of(&[5e-324f64, 5e-324]).sum.value(), 1e-323);
    }

    #[test]
    fn bytes_and_back() {
        let sum = of(&[1.5f64, -3e-200, 7e12]).sum;
        assert_eq!(ExactSum::from_bytes(&sum.to_bytes()), Some(sum));
        assert!(ExactSum::from_bytes(&[0; 17]).is_none());
    }
}
