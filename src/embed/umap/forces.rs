//! The gap between two rows on the map enters; how strongly they pull or push each other leaves.

use crate::kernels::lanes::Lanes;

/// A coordinate moves at most this far per pull, and per the pushes that follow it, before the
/// learning rate (umap-learn's clip).
const LONGEST_STEP: f32 = 4.0;
/// Rows in one place neither divide by zero nor push without limit (umap-learn's 0.001).
const SOFTENING: f32 = 1e-3;
/// Added to the squared length of a pull, which thus never divides by zero.
const TINY: f32 = 1e-12;

/// The forces between rows on the map, and how long they act.
#[derive(Debug, Clone, Copy)]
pub(super) struct Forces {
    pub a: f64,
    pub b: f64,
    pub repulsion: f64,
    pub learning_rate: f32,
    pub negative_sample_rate: usize,
    pub n_epochs: usize,
}

/// The two forces of the similarity `1 / (1 + a s^b)`, where s is a squared distance: a pull of
/// `2 a b s^(b-1) / (1 + a s^b)` and a push of `2 b / ((0.001 + s) (1 + a s^b))`, times the gap.
#[derive(Clone, Copy)]
pub(super) struct Curve<L> {
    /// The pull is `2b / (s + s^(1-b) / a)`.
    near: Power<L>,
    pull: L,
    /// The push is `2b / (s + a s^(1+b))`.
    far: Power<L>,
    push: L,
    softening: L,
    tiny: L,
    longest: L,
    longest_back: L,
}

impl Curve<f32> {
    pub(super) fn new(forces: &Forces) -> Self {
        let Forces { a, b, repulsion, .. } = *forces;
        Self {
            near: Power::new(1.0 / a, 1.0 - b),
            pull: (-2.0 * b) as f32,
            far: Power::new(a, 1.0 + b),
            push: (2.0 * b * repulsion) as f32,
            softening: SOFTENING,
            tiny: TINY,
            longest: LONGEST_STEP,
            longest_back: -LONGEST_STEP,
        }
    }

    pub(super) fn on<L: Lanes>(&self) -> Curve<L> {
        Curve {
            near: self.near.on(),
            pull: L::splat(self.pull),
            far: self.far.on(),
            push: L::splat(self.push),
            softening: L::splat(self.softening),
            tiny: L::splat(self.tiny),
            longest: L::splat(self.longest),
            longest_back: L::splat(self.longest_back),
        }
    }
}

impl<L: Lanes> Curve<L> {
    /// The step of `x` towards `y`.
    #[inline(always)]
    pub(super) fn attract<const D: usize>(&self, x: &[L; D], y: &[L; D]) -> [L; D] {
        let (gap, squared) = gap(x, y, self.tiny);
        let strength = self.pull.div(squared.add(self.near.of(squared)));
        gap.map(|gap| self.clip(strength.mul(gap)))
    }

    /// The step of `x` towards `y`, and then along their gap as the pressures on their radii and on their
    /// similarities say (see `density`).
    #[inline(always)]
    pub(super) fn attract_under<const D: usize>(
        &self,
        x: &[L; D],
        y: &[L; D],
        [radius, similarity]: [L; 2],
    ) -> [L; D] {
        let (gap, squared) = gap(x, y, self.tiny);
        let power = self.near.of(squared);
        let strength = self.pull.div(squared.add(power));
        // The similarity is q = power / (squared + power). It changes by -b q / (squared + power) with the
        // squared distance, and their product by q (1 - b squared / (squared + power)).
        let growth = strength.mul_add(squared, L::splat(2.0));
        let pressure = growth.mul(radius).add(strength.mul(similarity));
        let push = power.mul(strength).mul(pressure);
        gap.map(|gap| self.clip(strength.mul(gap)).add(self.clip(push.mul(gap))))
    }

    /// The similarity of `x` and `y` and their squared distance.
    #[inline(always)]
    pub(super) fn similarity<const D: usize>(&self, x: &[L; D], y: &[L; D]) -> (L, L) {
        let (_, squared) = gap(x, y, self.tiny);
        let power = self.near.of(squared);
        (power.div(squared.add(power)), squared)
    }

    /// Adds the step of `x` away from `y`, not yet clipped.
    #[inline(always)]
    pub(super) fn repel<const D: usize>(&self, x: &[L; D], y: &[L; D], push: &mut [L; D]) {
        let (gap, squared) = gap(x, y, self.softening);
        let strength = self.push.div(squared.add(self.far.of(squared)));
        for (push, gap) in push.iter_mut().zip(gap) {
            *push = strength.mul_add(gap, *push);
        }
    }

    #[inline(always)]
    pub(super) fn clip(&self, step: L) -> L {
        step.at_most(self.longest).at_least(self.longest_back)
    }
}

/// x - y and its squared length, with `least` added.
#[inline(always)]
fn gap<L: Lanes, const D: usize>(x: &[L; D], y: &[L; D], least: L) -> ([L; D], L) {
    let gap: [L; D] = std::array::from_fn(|d| x[d].sub(y[d]));
    let squared = gap.iter().fold(least, |squared, gap| gap.mul_add(*gap, squared));
    (gap, squared)
}

/// `factor s^exponent` for positive s, to one percent: random draws deviate by far more.
///
/// The bits of a positive float are its logarithm to base 2, but for a factor, an offset, and an error
/// between powers of two, where they are linear. So a power is a product of bits. Two parabolas in
/// the mantissa mend most of the error, on the way in and on the way out.
#[derive(Clone, Copy)]
struct Power<L> {
    exponent: L,
    log: [L; 3],
    exp: [L; 3],
    most: L,
}

/// `log2(m) - (m - 1)` and `2^(m - 1) / m` for m in [1, 2]: the parabolas of least largest error
/// (0.005 of an octave, and 0.35 %), highest power first.
const LOG: [f64; 3] = [-0.344_848_45, 1.024_665_98, -0.674_877_85];
const EXP: [f32; 3] = [0.233_7, -0.694_211_8, 1.457_067_7];
/// Bits of an octave, of 1, and of the largest number that a power may become.
const OCTAVE: f64 = 8_388_608.0;
const ONE: f64 = 127.0 * OCTAVE;
const MOST: f32 = 0x7e80_0000 as f32;

impl Power<f32> {
    fn new(factor: f64, exponent: f64) -> Self {
        let offset = (1.0 - exponent) * ONE + factor.log2() * OCTAVE;
        let mut log = LOG.map(|c| exponent * c * OCTAVE);
        log[2] += offset;
        Self { exponent: exponent as f32, log: log.map(|c| c as f32), exp: EXP, most: MOST }
    }

    fn on<L: Lanes>(&self) -> Power<L> {
        Power {
            exponent: L::splat(self.exponent),
            log: self.log.map(L::splat),
            exp: self.exp.map(L::splat),
            most: L::splat(self.most),
        }
    }
}

impl<L: Lanes> Power<L> {
    #[inline(always)]
    fn of(&self, s: L) -> L {
        let m = s.mantissa();
        let [c2, c1, c0] = self.log;
        let bits = s.bits().mul_add(self.exponent, c2.mul_add(m, c1).mul_add(m, c0));
        let near = bits.at_most(self.most).with_bits();
        let m = near.mantissa();
        let [c2, c1, c0] = self.exp;
        c2.mul_add(m, c1).mul_add(m, c0).mul(near)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::lanes::LANES;

    fn curve(a: f64, b: f64) -> Curve<[f32; LANES]> {
        let (learning_rate, negative_sample_rate, n_epochs) = (1.0, 5, 1);
        let repulsion = 1.0;
        let forces = Forces { a, b, repulsion, learning_rate, negative_sample_rate, n_epochs };
        Curve::new(&forces).on()
    }

    #[test]
    fn forces_follow_the_formula_to_a_percent() {
        // umap-learn's constants for the default, min_dist 0, min_dist 0.99, spread 0.05 and 50.
        for (a, b) in [(1.577, 0.895), (1.93, 0.79), (0.1, 1.9), (338.0, 0.895), (0.001_4, 0.895)] {
            let curve = curve(a, b);
            for i in 0..2000 {
                let d = 10f64.powf(f64::from(i) / 2000.0 * 7.0 - 4.0) as f32;
                let (x, y) = ([[d; LANES], [0.0; LANES]], [[0.0; LANES]; 2]);
                let (r, s) = (f64::from(d), f64::from(d) * f64::from(d));
                let power = a * s.powf(b);
                let pull = -2.0 * b * power / (s * (1.0 + power)) * r;
                let found = f64::from(curve.attract(&x, &y)[0][0]);
                let clipped = pull.max(-4.0);
                assert!((found / clipped - 1.0).abs() < 0.015, "{a} {b} at {d}: {found} {clipped}");
                let mut push = [[0.0; LANES]; 2];
                curve.repel(&x, &y, &mut push);
                let soft = s + 1e-3;
                let expected = 2.0 * b / (soft * (1.0 + a * soft.powf(b))) * r;
                let found = f64::from(push[0][0]);
                assert!((found / expected - 1.0).abs() < 0.015, "{a} {b} at {d}: {found}");
                assert_eq!(push[1][0], 0.0);
            }
        }
    }

    #[test]
    fn rows_in_one_place_and_far_apart_feel_finite_forces() {
        for (a, b) in [(1.577, 0.895), (1e-6, 1.93), (1e6, 0.79)] {
            let curve = curve(a, b);
            for d in [0.0, 1e-20, 1e9, 1e17] {
                let (x, y) = ([[d; LANES]; 2], [[0.0; LANES]; 2]);
                let mut push = [[0.0; LANES]; 2];
                curve.repel(&x, &y, &mut push);
                let pull = curve.attract(&x, &y);
                let forces = [pull[0][0], curve.clip(push[0])[0]];
                assert!(forces.iter().all(|f| f.is_finite() && f.abs() <= 4.0), "{d}: {forces:?}");
            }
        }
    }
}
