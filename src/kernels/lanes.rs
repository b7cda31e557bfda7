//! Eight numbers side by side: a register of AVX2, or an array whose loops give the same bits.

/// Numbers that are worked on side by side.
pub(crate) const LANES: usize = 8;

/// Arithmetic on [`LANES`] numbers. Every operation rounds once, as the same operation on one number does, so that all
/// implementations agree in every bit.
pub(crate) trait Lanes: Copy {
    fn splat(x: f32) -> Self;
    /// The first [`LANES`] numbers of `from`.
    fn load(from: &[f32]) -> Self;
    /// Replaces the first [`LANES`] numbers of `to`.
    fn store(self, to: &mut [f32]);
    /// The coordinates, one by one, of the first [`LANES`] of `points`.
    fn columns<const D: usize>(points: &[[f32; D]]) -> [Self; D];
    /// The coordinates, one by one, of the points at `positions`.
    fn gather<const D: usize>(points: &[[f32; D]], positions: &[u32; LANES]) -> [Self; D];
    /// The points with these coordinates.
    fn rows<const D: usize>(columns: &[Self; D]) -> [[f32; D]; LANES];
    /// The numbers themselves, or 0 where `positions` are at `idle`.
    fn unless(self, positions: &[u32; LANES], idle: u32) -> Self;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    fn mul_add(self, factor: Self, summand: Self) -> Self;
    fn at_least(self, other: Self) -> Self;
    fn at_most(self, other: Self) -> Self;
    /// The number divided by the power of two below it: in [1, 2).
    fn mantissa(self) -> Self;
    /// The bits, read as a whole number.
    fn bits(self) -> Self;
    /// The number with these bits.
    fn with_bits(self) -> Self;
    /// The sum of the numbers, in a fixed tree.
    #[inline(always)]
    fn total(self) -> f32 {
        let mut l = [0.0; LANES];
        self.store(&mut l);
        ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
    }
}

/// Work that is written once for all kinds of lanes.
pub(crate) trait Work {
    type Output;
    fn on<L: Lanes>(self) -> Self::Output;
}

/// Does the work on the widest registers there are.
pub(crate) fn on_widest<W: Work>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        #[expect(unsafe_code, reason = "the function needs instructions found on this machine")]
        // SAFETY: AVX2 and FMA were detected on the line above; the function asks for nothing else.
        return unsafe { on_avx2(work) };
    }
    work.on::<[f32; LANES]>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn on_avx2<W: Work>(work: W) -> W::Output {
    work.on::<Register>()
}

const MANTISSA: u32 = 0x007f_ffff;

/// The plain twin, for machines without AVX2 and for the tests.
impl Lanes for [f32; LANES] {
    fn splat(x: f32) -> Self {
        [x; LANES]
    }
    fn load(from: &[f32]) -> Self {
        std::array::from_fn(|l| from[l])
    }
    fn store(self, to: &mut [f32]) {
        to[..LANES].copy_from_slice(&self);
    }
    fn columns<const D: usize>(points: &[[f32; D]]) -> [Self; D] {
        std::array::from_fn(|d| std::array::from_fn(|l| points[l][d]))
    }
    fn gather<const D: usize>(points: &[[f32; D]], positions: &[u32; LANES]) -> [Self; D] {
        std::array::from_fn(|d| positions.map(|position| points[position as usize][d]))
    }
    fn rows<const D: usize>(columns: &[Self; D]) -> [[f32; D]; LANES] {
        std::array::from_fn(|l| std::array::from_fn(|d| columns[d][l]))
    }
    fn unless(self, positions: &[u32; LANES], idle: u32) -> Self {
        std::array::from_fn(|l| if positions[l] == idle { 0.0 } else { self[l] })
    }
    fn add(self, other: Self) -> Self {
        std::array::from_fn(|l| self[l] + other[l])
    }
    fn sub(self, other: Self) -> Self {
        std::array::from_fn(|l| self[l] - other[l])
    }
    fn mul(self, other: Self) -> Self {
        std::array::from_fn(|l| self[l] * other[l])
    }
    fn div(self, other: Self) -> Self {
        std::array::from_fn(|l| self[l] / other[l])
    }
    fn mul_add(self, factor: Self, summand: Self) -> Self {
        std::array::from_fn(|l| self[l].mul_add(factor[l], summand[l]))
    }
    fn at_least(self, other: Self) -> Self {
        std::array::from_fn(|l| if self[l] > other[l] { self[l] } else { other[l] })
    }
    fn at_most(self, other: Self) -> Self {
        std::array::from_fn(|l| if self[l] < other[l] { self[l] } else { other[l] })
    }
    fn mantissa(self) -> Self {
        self.map(|x| f32::from_bits(x.to_bits() & MANTISSA | 1f32.to_bits()))
    }
    fn bits(self) -> Self {
        self.map(|x| x.to_bits() as i32 as f32)
    }
    fn with_bits(self) -> Self {
        self.map(|x| f32::from_bits(x as i32 as u32))
    }
}

#[cfg(target_arch = "x86_64")]
use avx2::Register;

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "registers of AVX2, only reached after AVX2 and FMA were detected")]
mod avx2 {
    #[allow(clippy::wildcard_imports, reason = "two dozen instructions")]
    use std::arch::x86_64::*;

    use super::{LANES, Lanes, MANTISSA};

    /// Only used in functions that are only called when AVX2 and FMA are there.
    #[derive(Clone, Copy)]
    pub(super) struct Register(__m256);

    impl Register {
        /// Points 0, 1, 4, 5 and 2, 3, 6, 7, two numbers each, become their first and second numbers.
        #[inline(always)]
        fn unzip<const D: usize>(low: [__m128; 2], high: [__m128; 2]) -> [Self; D] {
            let xy = unsafe {
                let low = _mm256_set_m128(low[1], low[0]);
                let high = _mm256_set_m128(high[1], high[0]);
                [_mm256_shuffle_ps::<0x88>(low, high), _mm256_shuffle_ps::<0xdd>(low, high)]
            };
            std::array::from_fn(|d| Self(xy[d]))
        }
    }

    // SAFETY of every block: the instructions exist (see `Register`), and each pointer comes from an array or
    // from a slice whose length is checked first.
    impl Lanes for Register {
        #[inline(always)]
        fn splat(x: f32) -> Self {
            Self(unsafe { _mm256_set1_ps(x) })
        }
        #[inline(always)]
        fn load(from: &[f32]) -> Self {
            let from = &from[..LANES];
            Self(unsafe { _mm256_loadu_ps(from.as_ptr()) })
        }
        #[inline(always)]
        fn store(self, to: &mut [f32]) {
            let to = &mut to[..LANES];
            unsafe { _mm256_storeu_ps(to.as_mut_ptr(), self.0) }
        }
        #[inline(always)]
        fn columns<const D: usize>(points: &[[f32; D]]) -> [Self; D] {
            let points = &points[..LANES];
            if D != 2 {
                return <[f32; LANES]>::columns(points).map(|column| Self::load(&column));
            }
            let four = |l: usize| unsafe { _mm_loadu_ps(points.as_ptr().add(l).cast()) };
            Self::unzip([four(0), four(4)], [four(2), four(6)])
        }
        #[inline(always)]
        fn gather<const D: usize>(points: &[[f32; D]], positions: &[u32; LANES]) -> [Self; D] {
            if D != 2 {
                return <[f32; LANES]>::gather(points, positions).map(|column| Self::load(&column));
            }
            // Pairs are loaded as one number of 64 bits each: faster than gather instructions.
            let pair = |l: usize| (&raw const points[positions[l] as usize]).cast::<f64>();
            let [a, b, c, d, e, f, g, h] = std::array::from_fn(pair);
            let two = |i, j| unsafe { _mm_castpd_ps(_mm_loadh_pd(_mm_load_sd(i), j)) };
            Self::unzip([two(a, b), two(e, f)], [two(c, d), two(g, h)])
        }
        #[inline(always)]
        fn rows<const D: usize>(columns: &[Self; D]) -> [[f32; D]; LANES] {
            if D != 2 {
                let columns = columns.map(|column| {
                    let mut numbers = [0.0; LANES];
                    column.store(&mut numbers);
                    numbers
                });
                return Lanes::rows(&columns);
            }
            let mut rows = [[0.0; D]; LANES];
            let (x, y) = (columns[0].0, columns[1].0);
            let to = |l: usize| unsafe { rows.as_mut_ptr().add(l).cast::<f32>() };
            let [to0, to2, to4, to6] = [0, 2, 4, 6].map(to);
            unsafe {
                let (low, high) = (_mm256_unpacklo_ps(x, y), _mm256_unpackhi_ps(x, y));
                _mm_storeu_ps(to0, _mm256_castps256_ps128(low));
                _mm_storeu_ps(to2, _mm256_castps256_ps128(high));
                _mm_storeu_ps(to4, _mm256_extractf128_ps::<1>(low));
                _mm_storeu_ps(to6, _mm256_extractf128_ps::<1>(high));
            }
            rows
        }
        #[inline(always)]
        fn unless(self, positions: &[u32; LANES], idle: u32) -> Self {
            unsafe {
                let positions = _mm256_loadu_si256(positions.as_ptr().cast());
                let idle = _mm256_cmpeq_epi32(positions, _mm256_set1_epi32(idle as i32));
                Self(_mm256_andnot_ps(_mm256_castsi256_ps(idle), self.0))
            }
        }
        #[inline(always)]
        fn add(self, other: Self) -> Self {
            Self(unsafe { _mm256_add_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            Self(unsafe { _mm256_sub_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn mul(self, other: Self) -> Self {
            Self(unsafe { _mm256_mul_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn div(self, other: Self) -> Self {
            Self(unsafe { _mm256_div_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn mul_add(self, factor: Self, summand: Self) -> Self {
            Self(unsafe { _mm256_fmadd_ps(self.0, factor.0, summand.0) })
        }
        #[inline(always)]
        fn at_least(self, other: Self) -> Self {
            Self(unsafe { _mm256_max_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn at_most(self, other: Self) -> Self {
            Self(unsafe { _mm256_min_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn mantissa(self) -> Self {
            unsafe {
                let mask = _mm256_castsi256_ps(_mm256_set1_epi32(MANTISSA as i32));
                Self(_mm256_or_ps(_mm256_and_ps(self.0, mask), _mm256_set1_ps(1.0)))
            }
        }
        #[inline(always)]
        fn bits(self) -> Self {
            Self(unsafe { _mm256_cvtepi32_ps(_mm256_castps_si256(self.0)) })
        }
        #[inline(always)]
        fn with_bits(self) -> Self {
            Self(unsafe { _mm256_castsi256_ps(_mm256_cvttps_epi32(self.0)) })
        }
    }
}
