//! A group of queries and panels of references enter; the sums of the next panel that holds a candidate leave.

use super::Gap;

/// Which instructions carry the tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Path {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Path {
    /// The widest instructions that this processor has.
    pub fn fastest() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                return Self::Avx512;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Self::Avx2;
            }
        }
        Self::Portable
    }

    /// Queries and references of one tile: as many sums as the registers hold.
    pub fn shape(self) -> (usize, usize) {
        match self {
            Self::Portable => (2, 8),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => (6, 16),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => (8, 48),
        }
    }
}

/// Room for the tile of any path.
pub(super) const MOST_QUERIES: usize = 8;
pub(super) const MOST_SUMS: usize = 8 * 48;

impl Path {
    /// Passes over panels until one has a sum above its query's bar; says how many were passed over
    /// and leaves that panel's sums, query by query.
    pub fn skim(
        self,
        gap: Gap,
        query: &[f32],
        panels: &[f32],
        bars: &[f32],
        sums: &mut [f32; MOST_SUMS],
    ) -> Option<usize> {
        match self {
            Self::Portable => skim_portable(gap, query, panels, bars, sums),
            // SAFETY: `Path::fastest` chose this path after asking the processor for the features.
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "calls functions compiled for AVX2 and FMA")]
            Self::Avx2 => unsafe {
                match gap {
                    Gap::Squared => avx2::squared(query, panels, bars, sums),
                    Gap::Absolute => avx2::absolute(query, panels, bars, sums),
                }
            },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "calls functions compiled for AVX-512")]
            Self::Avx512 => unsafe {
                match gap {
                    Gap::Squared => avx512::squared(query, panels, bars, sums),
                    Gap::Absolute => avx512::absolute(query, panels, bars, sums),
                }
            },
        }
    }
}

fn skim_portable(
    gap: Gap,
    query: &[f32],
    panels: &[f32],
    bars: &[f32],
    sums: &mut [f32; MOST_SUMS],
) -> Option<usize> {
    let query = query.as_chunks::<2>().0;
    panels.chunks_exact(query.len() * 8).position(|panel| {
        let mut tile = [[0.0f32; 8]; 2];
        for (x, y) in query.iter().zip(panel.as_chunks::<8>().0) {
            for (sums, x) in tile.iter_mut().zip(x) {
                for (sum, y) in sums.iter_mut().zip(y) {
                    match gap {
                        Gap::Squared => *sum += x * y,
                        Gap::Absolute => *sum -= (x - y).abs(),
                    }
                }
            }
        }
        sums[..16].copy_from_slice(tile.as_flattened());
        tile.iter().zip(bars).any(|(sums, bar)| sums.iter().any(|sum| sum > bar))
    })
}

/// One tile in vector registers: `$height` queries by `$vectors` vectors of references.
#[cfg(target_arch = "x86_64")]
macro_rules! skim_in_registers {
    ($name:ident, $features:literal, $height:literal, $vectors:literal, $width:literal,
     $step:expr, $above:expr, $load:ident, $splat:ident, $zero:ident, $store:ident) => {
        #[target_feature(enable = $features)]
        #[expect(unsafe_code, reason = "vector loads and stores through pointers")]
        pub(super) fn $name(
            query: &[f32],
            panels: &[f32],
            bars: &[f32],
            sums: &mut [f32; super::MOST_SUMS],
        ) -> Option<usize> {
            let query = query.as_chunks::<$height>().0;
            panels.chunks_exact(query.len() * $vectors * $width).position(|panel| {
                let mut tile = [[$zero(); $vectors]; $height];
                for (x, y) in query.iter().zip(panel.as_chunks::<{ $vectors * $width }>().0) {
                    // SAFETY: `y` holds `$vectors` vectors of `$width` values.
                    let y: [_; $vectors] =
                        std::array::from_fn(|v| unsafe { $load(y.as_ptr().add(v * $width)) });
                    for q in 0..$height {
                        let x = $splat(x[q]);
                        for v in 0..$vectors {
                            tile[q][v] = $step(x, y[v], tile[q][v]);
                        }
                    }
                }
                let mut passes = 0;
                for q in 0..$height {
                    for v in 0..$vectors {
                        passes |= $above(tile[q][v], $splat(bars[q]));
                    }
                }
                if passes == 0 {
                    return false;
                }
                for q in 0..$height {
                    for v in 0..$vectors {
                        let place = &mut sums[(q * $vectors + v) * $width..][..$width];
                        // SAFETY: `place` holds one vector of `$width` values.
                        unsafe { $store(place.as_mut_ptr(), tile[q][v]) };
                    }
                }
                true
            })
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256, _CMP_GT_OQ, _mm256_andnot_ps, _mm256_cmp_ps, _mm256_fmadd_ps, _mm256_loadu_ps,
        _mm256_movemask_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps, _mm256_sub_ps,
    };

    #[target_feature(enable = "avx2,fma")]
    fn subtract_absolute(x: __m256, y: __m256, sum: __m256) -> __m256 {
        _mm256_sub_ps(sum, _mm256_andnot_ps(_mm256_set1_ps(-0.0), _mm256_sub_ps(x, y)))
    }

    #[target_feature(enable = "avx2,fma")]
    fn above(sum: __m256, bar: __m256) -> i32 {
        _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(sum, bar))
    }

    skim_in_registers!(
        squared,
        "avx2,fma",
        6,
        2,
        8,
        _mm256_fmadd_ps,
        above,
        _mm256_loadu_ps,
        _mm256_set1_ps,
        _mm256_setzero_ps,
        _mm256_storeu_ps
    );
    skim_in_registers!(
        absolute,
        "avx2,fma",
        6,
        2,
        8,
        subtract_absolute,
        above,
        _mm256_loadu_ps,
        _mm256_set1_ps,
        _mm256_setzero_ps,
        _mm256_storeu_ps
    );
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        __m512, _CMP_GT_OQ, _mm512_abs_ps, _mm512_cmp_ps_mask, _mm512_fmadd_ps, _mm512_loadu_ps,
        _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps, _mm512_sub_ps,
    };

    #[target_feature(enable = "avx512f")]
    fn subtract_absolute(x: __m512, y: __m512, sum: __m512) -> __m512 {
        _mm512_sub_ps(sum, _mm512_abs_ps(_mm512_sub_ps(x, y)))
    }

    #[target_feature(enable = "avx512f")]
    fn above(sum: __m512, bar: __m512) -> u16 {
        _mm512_cmp_ps_mask::<_CMP_GT_OQ>(sum, bar)
    }

    skim_in_registers!(
        squared,
        "avx512f",
        8,
        3,
        16,
        _mm512_fmadd_ps,
        above,
        _mm512_loadu_ps,
        _mm512_set1_ps,
        _mm512_setzero_ps,
        _mm512_storeu_ps
    );
    skim_in_registers!(
        absolute,
        "avx512f",
        8,
        3,
        16,
        subtract_absolute,
        above,
        _mm512_loadu_ps,
        _mm512_set1_ps,
        _mm512_setzero_ps,
        _mm512_storeu_ps
    );
}
