//! Queries and a panel of references enter; the sums of the next queries that find a candidate leave.

use super::Gap;
use crate::kernels::leaves::{LANES, Lanes};

/// Which instructions carry the tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Path {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// Queries of a tile: with a leaf, as many sums as the registers hold.
pub(super) const HEIGHT: usize = 4;

/// The sums of a tile, and which of them reach the bar of their query, one bit each.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub sums: [[f32; LANES]; HEIGHT],
    pub masks: [u32; HEIGHT],
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

    /// Passes over groups of queries until one has a sum that reaches its bar; says how many were passed over.
    ///
    /// Queries are given by their positions in `places` and `bars`.
    pub fn skim(
        self,
        gap: Gap,
        panel: &[Lanes],
        places: &[f32],
        bars: &[f32],
        groups: &[[u16; HEIGHT]],
        found: &mut Found,
    ) -> Option<usize> {
        match self {
            Self::Portable => skim_portable(gap, panel, places, bars, groups, found),
            // SAFETY: `Path::fastest` chose this path after asking the processor for the features.
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "calls functions compiled for AVX2 and FMA")]
            Self::Avx2 => unsafe {
                match gap {
                    Gap::Squared => avx2::skim_squared(panel, places, bars, groups, found),
                    Gap::Absolute => avx2::skim_absolute(panel, places, bars, groups, found),
                }
            },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "calls functions compiled for AVX-512")]
            Self::Avx512 => unsafe {
                match gap {
                    Gap::Squared => avx512::skim_squared(panel, places, bars, groups, found),
                    Gap::Absolute => avx512::skim_absolute(panel, places, bars, groups, found),
                }
            },
        }
    }

    /// The gap between a query and each box, and which of them are within reach.
    pub fn box_gaps(
        self,
        gap: Gap,
        boxes: &[Lanes],
        place: &[f32],
        reach: f32,
    ) -> ([f32; LANES], u32) {
        match self {
            Self::Portable => box_gaps_portable(gap, boxes, place, reach),
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "calls functions compiled for AVX2 and FMA")]
            Self::Avx2 => unsafe {
                match gap {
                    Gap::Squared => avx2::box_gaps_squared(boxes, place, reach),
                    Gap::Absolute => avx2::box_gaps_absolute(boxes, place, reach),
                }
            },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "calls functions compiled for AVX-512")]
            Self::Avx512 => unsafe {
                match gap {
                    Gap::Squared => avx512::box_gaps_squared(boxes, place, reach),
                    Gap::Absolute => avx512::box_gaps_absolute(boxes, place, reach),
                }
            },
        }
    }
}

/// Asks for what will soon be read, while there is other work.
#[inline]
#[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, reason = "nothing to ask for"))]
pub(super) fn fetch<T>(values: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for value in values.iter().step_by((64 / size_of::<T>()).max(1)) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        #[expect(unsafe_code, reason = "takes a pointer")]
        // SAFETY: the pointer comes from a reference, and is not even read.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast());
        }
    }
}

/// The definition of the tiles.
fn skim_portable(
    gap: Gap,
    panel: &[Lanes],
    places: &[f32],
    bars: &[f32],
    groups: &[[u16; HEIGHT]],
    found: &mut Found,
) -> Option<usize> {
    let width = panel.len() - 1;
    groups.iter().position(|group| {
        for (h, query) in group.map(usize::from).into_iter().enumerate() {
            let mut sums = panel[0].0;
            for (x, y) in places[query * width..][..width].iter().zip(&panel[1..]) {
                for (sum, y) in sums.iter_mut().zip(y.0) {
                    match gap {
                        Gap::Squared => *sum += x * y,
                        Gap::Absolute => *sum -= (x - y).abs(),
                    }
                }
            }
            found.sums[h] = sums;
            found.masks[h] = mask_of(sums.map(|sum| sum >= bars[query]));
        }
        found.masks != [0; HEIGHT]
    })
}

fn box_gaps_portable(gap: Gap, boxes: &[Lanes], place: &[f32], reach: f32) -> ([f32; LANES], u32) {
    let mut gaps = [0.0; LANES];
    for (x, [low, high]) in place.iter().zip(boxes.as_chunks().0) {
        for ((gap_, low), high) in gaps.iter_mut().zip(low.0).zip(high.0) {
            let apart = (low - x).max(x - high).max(0.0);
            *gap_ += if gap == Gap::Squared { apart * apart } else { apart };
        }
    }
    (gaps, mask_of(gaps.map(|gap| gap <= reach)))
}

fn mask_of(bits: [bool; LANES]) -> u32 {
    bits.into_iter().rev().fold(0, |mask, bit| mask << 1 | u32::from(bit))
}

/// Both functions for one kind of gap, on `$vectors` vectors that make [`LANES`].
///
/// `$multiply` adds what a column brings to the sums; `$widen` what an axis brings to the gap of a box.
#[cfg(target_arch = "x86_64")]
macro_rules! in_registers {
    ($skim:ident, $box_gaps:ident, $features:literal, $vectors:literal, $multiply:expr, $widen:expr) => {
        #[target_feature(enable = $features)]
        pub(super) fn $skim(
            panel: &[Lanes],
            places: &[f32],
            bars: &[f32],
            groups: &[[u16; HEIGHT]],
            found: &mut Found,
        ) -> Option<usize> {
            let (start, columns) = panel.split_first()?;
            let width = columns.len();
            groups.iter().position(|group| {
                let place = |h: usize| &places[usize::from(group[h]) * width..][..width];
                let rows = [place(0), place(1), place(2), place(3)];
                let mut tile = [load(start); HEIGHT];
                for (c, y) in columns.iter().enumerate() {
                    let y = load(y);
                    for h in 0..HEIGHT {
                        let x = splat(rows[h][c]);
                        for v in 0..$vectors {
                            tile[h][v] = $multiply(x, y[v], tile[h][v]);
                        }
                    }
                }
                for h in 0..HEIGHT {
                    found.masks[h] = at_least(tile[h], bars[usize::from(group[h])]);
                }
                if found.masks == [0; HEIGHT] {
                    return false;
                }
                for h in 0..HEIGHT {
                    found.sums[h] = store(tile[h]);
                }
                true
            })
        }

        #[target_feature(enable = $features)]
        pub(super) fn $box_gaps(boxes: &[Lanes], place: &[f32], reach: f32) -> ([f32; LANES], u32) {
            let mut gaps = load(&Lanes([0.0; LANES]));
            for (&x, [low, high]) in place.iter().zip(boxes.as_chunks().0) {
                let (x, low, high) = (splat(x), load(low), load(high));
                for v in 0..$vectors {
                    gaps[v] = $widen(outside(x, low[v], high[v]), gaps[v]);
                }
            }
            (store(gaps), at_most(gaps, reach))
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256, _CMP_GE_OQ, _mm256_add_ps, _mm256_andnot_ps, _mm256_cmp_ps, _mm256_fmadd_ps,
        _mm256_load_ps, _mm256_max_ps, _mm256_movemask_ps, _mm256_set1_ps, _mm256_setzero_ps,
        _mm256_storeu_ps, _mm256_sub_ps,
    };

    use super::{Found, HEIGHT, LANES, Lanes};

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    #[expect(unsafe_code, reason = "vector loads through pointers")]
    fn load(from: &Lanes) -> [__m256; 2] {
        let [low, high] = [from.0.as_ptr(), from.0[8..].as_ptr()];
        // SAFETY: each points to 8 values, and `Lanes` are aligned for vectors.
        unsafe { [_mm256_load_ps(low), _mm256_load_ps(high)] }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    #[expect(unsafe_code, reason = "vector stores through pointers")]
    fn store(vectors: [__m256; 2]) -> [f32; LANES] {
        let mut values = [0.0; LANES];
        let (low, high) = values.split_at_mut(8);
        // SAFETY: each half holds 8 values.
        unsafe {
            _mm256_storeu_ps(low.as_mut_ptr(), vectors[0]);
            _mm256_storeu_ps(high.as_mut_ptr(), vectors[1]);
        }
        values
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn splat(x: f32) -> __m256 {
        _mm256_set1_ps(x)
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn at_least(sums: [__m256; 2], bar: f32) -> u32 {
        let low = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(sums[0], splat(bar)));
        let high = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(sums[1], splat(bar)));
        (low | high << 8).cast_unsigned()
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn at_most(gaps: [__m256; 2], reach: f32) -> u32 {
        let low = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(splat(reach), gaps[0]));
        let high = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(splat(reach), gaps[1]));
        (low | high << 8).cast_unsigned()
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn outside(x: __m256, low: __m256, high: __m256) -> __m256 {
        let apart = _mm256_max_ps(_mm256_sub_ps(low, x), _mm256_sub_ps(x, high));
        _mm256_max_ps(apart, _mm256_setzero_ps())
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn subtract_absolute(x: __m256, y: __m256, sum: __m256) -> __m256 {
        _mm256_sub_ps(sum, _mm256_andnot_ps(_mm256_set1_ps(-0.0), _mm256_sub_ps(x, y)))
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn add_square(apart: __m256, gap: __m256) -> __m256 {
        _mm256_fmadd_ps(apart, apart, gap)
    }

    in_registers!(skim_squared, box_gaps_squared, "avx2,fma", 2, _mm256_fmadd_ps, add_square);
    in_registers!(
        skim_absolute,
        box_gaps_absolute,
        "avx2,fma",
        2,
        subtract_absolute,
        _mm256_add_ps
    );
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        __m512, _CMP_GE_OQ, _mm512_abs_ps, _mm512_add_ps, _mm512_cmp_ps_mask, _mm512_fmadd_ps,
        _mm512_load_ps, _mm512_max_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
        _mm512_sub_ps,
    };

    use super::{Found, HEIGHT, LANES, Lanes};

    #[inline]
    #[target_feature(enable = "avx512f")]
    #[expect(unsafe_code, reason = "vector loads through pointers")]
    fn load(from: &Lanes) -> [__m512; 1] {
        // SAFETY: `Lanes` hold 16 values and are aligned for vectors.
        unsafe { [_mm512_load_ps(from.0.as_ptr())] }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    #[expect(unsafe_code, reason = "vector stores through pointers")]
    fn store(vectors: [__m512; 1]) -> [f32; LANES] {
        let mut values = [0.0; LANES];
        // SAFETY: there is room for 16 values.
        unsafe { _mm512_storeu_ps(values.as_mut_ptr(), vectors[0]) };
        values
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn splat(x: f32) -> __m512 {
        _mm512_set1_ps(x)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn at_least(sums: [__m512; 1], bar: f32) -> u32 {
        u32::from(_mm512_cmp_ps_mask::<_CMP_GE_OQ>(sums[0], splat(bar)))
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn at_most(gaps: [__m512; 1], reach: f32) -> u32 {
        u32::from(_mm512_cmp_ps_mask::<_CMP_GE_OQ>(splat(reach), gaps[0]))
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn outside(x: __m512, low: __m512, high: __m512) -> __m512 {
        let apart = _mm512_max_ps(_mm512_sub_ps(low, x), _mm512_sub_ps(x, high));
        _mm512_max_ps(apart, _mm512_setzero_ps())
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn subtract_absolute(x: __m512, y: __m512, sum: __m512) -> __m512 {
        _mm512_sub_ps(sum, _mm512_abs_ps(_mm512_sub_ps(x, y)))
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn add_square(apart: __m512, gap: __m512) -> __m512 {
        _mm512_fmadd_ps(apart, apart, gap)
    }

    in_registers!(skim_squared, box_gaps_squared, "avx512f", 1, _mm512_fmadd_ps, add_square);
    in_registers!(skim_absolute, box_gaps_absolute, "avx512f", 1, subtract_absolute, _mm512_add_ps);
}
