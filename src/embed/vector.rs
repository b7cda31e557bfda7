//! Four f64 at a time: a register where the processor has them, an array where not, with the same bits.

#![expect(clippy::inline_always, reason = "calls would not keep sums in registers")]

/// Numbers in a vector.
pub(super) const LANES: usize = 4;

/// Sums and products of [`LANES`] numbers.
pub(super) trait Vector: Copy {
    fn splat(x: f64) -> Self;
    /// The first [`LANES`] numbers of `from`.
    fn load(from: &[f64]) -> Self;
    fn store(self, to: &mut [f64]);
    /// `self * factor + summand`, rounded once: every processor with or without the instruction agrees.
    fn mul_add(self, factor: Self, summand: Self) -> Self;
}

/// The scalar twin, for machines without AVX2 and for the tests.
impl Vector for [f64; LANES] {
    fn splat(x: f64) -> Self {
        [x; LANES]
    }
    fn load(from: &[f64]) -> Self {
        std::array::from_fn(|l| from[l])
    }
    fn store(self, to: &mut [f64]) {
        to[..LANES].copy_from_slice(&self);
    }
    fn mul_add(self, factor: Self, summand: Self) -> Self {
        std::array::from_fn(|l| self[l].mul_add(factor[l], summand[l]))
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "registers of AVX2")]
mod avx2 {
    use std::arch::x86_64::{
        __m256d, _mm256_fmadd_pd, _mm256_loadu_pd, _mm256_set1_pd, _mm256_storeu_pd,
    };

    use super::{LANES, Vector};

    /// Only used inside functions compiled for AVX2 and FMA, which are called where the processor has them.
    #[derive(Clone, Copy)]
    pub(in crate::embed) struct Avx2(__m256d);

    // SAFETY of every block below: the instructions exist (see `Avx2`), and each pointer comes from a
    // slice whose length was checked on the line before.
    impl Vector for Avx2 {
        #[inline(always)]
        fn splat(x: f64) -> Self {
            Self(unsafe { _mm256_set1_pd(x) })
        }
        #[inline(always)]
        fn load(from: &[f64]) -> Self {
            let from = &from[..LANES];
            Self(unsafe { _mm256_loadu_pd(from.as_ptr()) })
        }
        #[inline(always)]
        fn store(self, to: &mut [f64]) {
            let to = &mut to[..LANES];
            unsafe { _mm256_storeu_pd(to.as_mut_ptr(), self.0) }
        }
        #[inline(always)]
        fn mul_add(self, factor: Self, summand: Self) -> Self {
            Self(unsafe { _mm256_fmadd_pd(self.0, factor.0, summand.0) })
        }
    }
}
