//! Raw bytes of a file become pixel values: the number formats that files use, and their checks.

use super::Pixels;
use crate::error::{Error, Result};
use crate::kernels::large_pages::zeros;

/// How a file stores one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Unsigned, 1, 2, 4, 8, 16, 32 or 64 bits.
    Unsigned(u8),
    /// Two's complement, 8 to 64 bits.
    Signed(u8),
    /// IEEE 754, 16, 32 or 64 bits.
    Float(u8),
}

impl Format {
    pub(super) fn bits(self) -> usize {
        match self {
            Self::Unsigned(bits) | Self::Signed(bits) | Self::Float(bits) => bits as usize,
        }
    }

    /// The name numpy gives it.
    pub(super) fn name(self) -> String {
        match self {
            Self::Unsigned(bits) if bits < 8 => format!("{bits}-bit"),
            Self::Unsigned(bits) => format!("uint{bits}"),
            Self::Signed(bits) => format!("int{bits}"),
            Self::Float(bits) => format!("float{bits}"),
        }
    }

    /// Room for `count` pixels in the smallest type that holds every value of this format.
    pub(super) fn zeros(self, count: usize) -> Result<Pixels> {
        Ok(match self {
            Self::Unsigned(1..=8) => Pixels::U8(room(count)?),
            Self::Unsigned(16) => Pixels::U16(room(count)?),
            Self::Unsigned(32) => Pixels::U32(room(count)?),
            Self::Signed(8 | 16) | Self::Float(16 | 32) => Pixels::F32(room(count)?),
            _ => Pixels::F64(room(count)?),
        })
    }

    /// Refuses what cannot be an object number.
    pub(super) fn check_label(self) -> Result<()> {
        match self {
            Self::Float(_) => Err(Error::format(format!(
                "labels are whole numbers, this image holds {}",
                self.name()
            ))
            .help("save the labels as 16- or 32-bit integers; intensities belong to --image")),
            _ => Ok(()),
        }
    }
}

/// Zeros that are only touched when used; an error where the system has not that much memory.
pub(super) fn room<T: Clone + Default>(count: usize) -> Result<Vec<T>> {
    // Asked for first, because zeros that cannot be had end the program.
    Vec::<T>::new().try_reserve_exact(count).map_err(|_| {
        Error::data(format!("an image of {count} pixels does not fit into memory"))
            .help("read it by tiles (--tile)")
    })?;
    Ok(zeros(count))
}

/// A pixel type that values of a file are turned into.
pub(super) trait Pixel: Copy + Default + Send + Sync {
    fn from_unsigned(value: u64) -> Result<Self>;
    fn from_signed(value: i64) -> Result<Self>;
    fn from_float(value: f64) -> Result<Self>;
}

macro_rules! whole_pixel {
    ($($type:ty),*) => {$(
        impl Pixel for $type {
            #[inline]
            fn from_unsigned(value: u64) -> Result<Self> {
                Self::try_from(value).map_err(|_| out_of_range(value as f64, Self::MAX as f64))
            }
            #[inline]
            fn from_signed(value: i64) -> Result<Self> {
                Self::try_from(value).map_err(|_| out_of_range(value as f64, Self::MAX as f64))
            }
            fn from_float(value: f64) -> Result<Self> {
                Err(Error::format(format!("{value} is not a whole number")))
            }
        }
    )*};
}
whole_pixel!(u8, u16, u32);

macro_rules! real_pixel {
    ($($type:ty),*) => {$(
        impl Pixel for $type {
            #[inline]
            fn from_unsigned(value: u64) -> Result<Self> {
                if value > 1 << 53 {
                    return Err(out_of_range(value as f64, (1u64 << 53) as f64));
                }
                Ok(value as $type)
            }
            #[inline]
            fn from_signed(value: i64) -> Result<Self> {
                if value.unsigned_abs() > 1 << 53 {
                    return Err(out_of_range(value as f64, (1u64 << 53) as f64));
                }
                Ok(value as $type)
            }
            #[inline]
            fn from_float(value: f64) -> Result<Self> {
                Ok(value as $type)
            }
        }
    )*};
}
real_pixel!(f32, f64);

#[cold]
fn out_of_range(value: f64, largest: f64) -> Error {
    Error::format(format!("the pixel value {value} is outside 0 to {largest}"))
        .help("labels are 0 for background and 1, 2, 3, ... for objects")
}

/// Fills `pixels` with the little-endian numbers of `raw`, taking every `stride`-th from number `first`.
pub(super) fn fill<T: Pixel>(
    format: Format,
    raw: &[u8],
    first: usize,
    stride: usize,
    pixels: &mut [T],
) -> Result<()> {
    macro_rules! whole {
        ($type:ty, $from:ident) => {{
            const SIZE: usize = size_of::<$type>();
            let numbers = raw[first * SIZE..].chunks_exact(SIZE).step_by(stride);
            pixels.iter_mut().zip(numbers).try_for_each(|(pixel, bytes)| {
                let mut number = [0; SIZE];
                number.copy_from_slice(bytes);
                *pixel = T::$from(<$type>::from_le_bytes(number).into())?;
                Ok(())
            })
        }};
    }
    match format {
        Format::Unsigned(8) => whole!(u8, from_unsigned),
        Format::Unsigned(16) => whole!(u16, from_unsigned),
        Format::Unsigned(32) => whole!(u32, from_unsigned),
        Format::Unsigned(64) => whole!(u64, from_unsigned),
        Format::Unsigned(bits) => fill_packed(usize::from(bits), raw, first, stride, pixels),
        Format::Signed(8) => whole!(i8, from_signed),
        Format::Signed(16) => whole!(i16, from_signed),
        Format::Signed(32) => whole!(i32, from_signed),
        Format::Signed(_) => whole!(i64, from_signed),
        Format::Float(16) => {
            let numbers = raw[2 * first..].chunks_exact(2).step_by(stride);
            pixels.iter_mut().zip(numbers).try_for_each(|(pixel, b)| {
                *pixel = T::from_float(half_to_f64(u16::from_le_bytes([b[0], b[1]])))?;
                Ok(())
            })
        }
        Format::Float(32) => whole!(f32, from_float),
        Format::Float(_) => whole!(f64, from_float),
    }
}

/// Numbers of 1, 2 or 4 bits, the first in the highest bits of a byte.
fn fill_packed<T: Pixel>(
    bits: usize,
    raw: &[u8],
    first: usize,
    stride: usize,
    pixels: &mut [T],
) -> Result<()> {
    let mask = (1u8 << bits) - 1;
    for (i, pixel) in pixels.iter_mut().enumerate() {
        let bit = (first + i * stride) * bits;
        let value = raw.get(bit / 8).map_or(0, |byte| (byte >> (8 - bits - bit % 8)) & mask);
        *pixel = T::from_unsigned(u64::from(value))?;
    }
    Ok(())
}

/// Half precision: 5 bits of exponent, 10 of fraction.
fn half_to_f64(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let fraction = f64::from(bits & 0x3ff);
    match (bits >> 10) & 0x1f {
        0 => sign * fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => sign * f64::INFINITY,
        31 => f64::NAN,
        exponent => sign * (1024.0 + fraction) * 2f64.powi(i32::from(exponent) - 25),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Pixel>(format: Format, raw: &[u8], count: usize) -> Result<Vec<T>> {
        let mut pixels = vec![T::default(); count];
        fill(format, raw, 0, 1, &mut pixels).map(|()| pixels)
    }

    #[test]
    fn numbers_of_every_size() {
        assert_eq!(read::<u8>(Format::Unsigned(1), &[0b1010_0000], 4).unwrap(), [1, 0, 1, 0]);
        assert_eq!(read::<u8>(Format::Unsigned(4), &[0x2f, 0x10], 3).unwrap(), [2, 15, 1]);
        assert_eq!(read::<f32>(Format::Signed(8), &[0xff, 3], 2).unwrap(), [-1.0, 3.0]);
        assert_eq!(
            read::<f32>(Format::Float(16), &[0, 0x3c, 1, 0, 0, 0xc0], 3).unwrap(),
            [1.0, 2f32.powi(-24), -2.0]
        );
        assert!(half_to_f64(0x7e00).is_nan() && half_to_f64(0xfc00) == f64::NEG_INFINITY);
    }

    #[test]
    fn labels_must_be_whole_and_not_negative() {
        assert_eq!(read::<u32>(Format::Signed(16), &[7, 0], 1).unwrap(), [7]);
        let error = read::<u32>(Format::Signed(16), &[0xff, 0xff], 1).unwrap_err();
        assert_eq!(error.message(), "the pixel value -1 is outside 0 to 4294967295");
        assert!(read::<u32>(Format::Unsigned(64), &[0, 0, 0, 0, 1, 0, 0, 0], 1).is_err());
        assert!(Format::Float(32).check_label().is_err());
    }
}
