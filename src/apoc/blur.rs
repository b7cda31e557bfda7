//! The Gaussian of clEsperanto to the last bit: its weights, and sums of weighted rows.
//!
//! What decides a bit: weights are singles, summed from the first to the last; products enter the sum with
//! one rounding (fused multiply-add, as OpenCL compilers contract them); the sum is divided by that of
//! the weights at the end.

/// Wider blurs than this are a slip of the unit.
pub(super) const LARGEST_SIGMA: f64 = 1_000.0;
/// Values that are summed at once; they stay in registers while the rows pass by.
const LANES: usize = 64;

/// How many pixels the blur reaches to each side: half of `int(8 sigma)` made odd.
pub(super) fn radius(sigma: f64) -> usize {
    (8.0 * sigma) as usize / 2
}

/// The weights of a blur, from the first pixel to the last, and their sum.
#[derive(Debug)]
pub(super) struct Taps {
    pub weights: Vec<f32>,
    pub sum: f32,
}

impl Taps {
    /// `None` where sigma leaves everything as it is.
    pub fn of(sigma: f64) -> Option<Self> {
        let radius = radius(sigma) as i32;
        let single = sigma as f32;
        if single <= 0.0 {
            return None;
        }
        let scale = -2.0 * single * single;
        let weights: Vec<f32> = (-radius..=radius).map(|v| exp((v * v) as f32 / scale)).collect();
        let sum = weights.iter().fold(0.0, |sum, w| sum + w);
        Some(Self { weights, sum })
    }

    pub fn radius(&self) -> usize {
        self.weights.len() / 2
    }

    /// The weighted mean of rows, one per weight and as long as `out`.
    pub fn mean(&self, rows: &[&[f32]], out: &mut [f32]) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            #[expect(unsafe_code, reason = "wider registers are chosen at run time")]
            // SAFETY: the processor was just found to have AVX2 and FMA.
            unsafe {
                self.mean_avx2(rows, out);
            }
            return;
        }
        self.mean_scalar(rows, out);
    }

    /// The same code compiled for AVX2 with its fused multiply-add; elsewhere a slow one has the same bits.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn mean_avx2(&self, rows: &[&[f32]], out: &mut [f32]) {
        self.mean_scalar(rows, out);
    }

    #[inline(always)]
    fn mean_scalar(&self, rows: &[&[f32]], out: &mut [f32]) {
        for (block, out) in out.chunks_mut(LANES).enumerate() {
            let start = block * LANES;
            let mut sums = [0.0f32; LANES];
            if out.len() == LANES {
                for (weight, row) in self.weights.iter().zip(rows) {
                    let row = &row[start..start + LANES];
                    for lane in 0..LANES {
                        sums[lane] = weight.mul_add(row[lane], sums[lane]);
                    }
                }
            } else {
                for (weight, row) in self.weights.iter().zip(rows) {
                    for (sum, value) in sums.iter_mut().zip(&row[start..start + out.len()]) {
                        *sum = weight.mul_add(*value, *sum);
                    }
                }
            }
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum / self.sum);
        }
    }
}

/// `exp` of a number that is not positive, as OpenCL on a processor takes it (SLEEF's polynomial, error
/// below one step): the exponent in halves and quarters, then six terms.
fn exp(x: f32) -> f32 {
    // ln 2 in two parts, the first short enough for exact products.
    const LN_2: [f32; 2] = [0.693_145_75, 1.428_606_8e-6];
    const TERMS: [f32; 6] =
        [1.985_276_2e-4, 1.393_043_6e-3, 8.333_361e-3, 4.166_648_5e-2, 1.666_666_7e-1, 0.5];
    let whole = (x * std::f32::consts::LOG2_E).round_ties_even();
    let rest = (x - whole * LN_2[0]) - whole * LN_2[1];
    let series = TERMS.iter().skip(1).fold(TERMS[0], |sum, term| sum * rest + term);
    let value = 1.0 + (rest * rest * series + rest);
    // Two steps, so that the smallest results are reached through normal numbers.
    let half = (whole as i32) >> 1;
    let power = |n: i32| f32::from_bits(((n.clamp(-126, 127) + 127) as u32) << 23);
    value * power(half) * power(whole as i32 - half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_right_to_a_step() {
        for i in 0..2000 {
            let x = -(i as f32) * 0.0173;
            let right = f64::from(x).exp() as f32;
            assert!((exp(x) - right).abs() <= right * f32::EPSILON, "{x}: {} {right}", exp(x));
        }
        assert_eq!(exp(0.0), 1.0);
    }

    #[test]
    fn wide_and_plain_sums_are_equal() {
        let rows: Vec<Vec<f32>> = (0..17)
            .map(|t| (0..150).map(|x| ((x * 37 + t * 101) % 251) as f32).collect())
            .collect();
        let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
        let taps = Taps::of(2.0).unwrap();
        let (mut wide, mut plain) = (vec![0.0; 150], vec![0.0; 150]);
        taps.mean(&rows, &mut wide);
        taps.mean_scalar(&rows, &mut plain);
        assert_eq!(wide, plain);
        assert_eq!((radius(1.1), radius(0.9), radius(0.1)), (4, 3, 0));
        assert!(Taps::of(0.0).is_none());
    }
}
