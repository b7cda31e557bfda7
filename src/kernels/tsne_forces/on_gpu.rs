//! The repulsion between all pairs on a device, which rounds as it likes.
//!
//! # Tolerance
//! A force is within 2e-6 of the largest force of what [`super::repulsion`] finds, and so is `Z`, relative to itself plus
//! one for each point.
//!
//! # Cost
//! For n points: n² pairs of 16 operations, one of them a quotient; 16 n bytes in and as many out, and the others once
//! for every group of points, from cache. A card of F operations a second takes 16 n² / F: 50,000 points at 10 T/s
//! 4 ms, and of the transfers of 0.8 MB each way less than 1 ms.

use crate::backend::{Gpu, Launch, Shader};
use crate::error::Result;

pub(in crate::kernels) static TSNE_FORCES: Shader = Shader {
    name: "tsne_forces",
    source: concat!(include_str!("../words.wgsl"), include_str!("../tsne_forces.wgsl")),
};

/// Pairs of one launch: systems take away a card that does not answer for seconds.
const AT_ONCE: usize = 1 << 32;
/// Words of a point.
const WORDS: usize = 4;

/// As [`super::repulsion`], within 2e-6 of the largest force; the same bits each time on the same device.
///
/// # Errors
/// A lost device, or one without memory.
pub(crate) fn repulsion_on<const D: usize>(
    gpu: &Gpu,
    points: &[[f32; D]],
    forces: &mut [[f32; D]],
) -> Result<f64> {
    let words: Vec<f32> = points
        .iter()
        .flat_map(|point| {
            std::array::from_fn::<f32, WORDS, _>(|d| point.get(d).map_or(0.0, |x| *x))
        })
        .collect();
    let fitting = (gpu.max_words() / WORDS).max(1);
    let others = words.chunks(fitting * WORDS).map(|part| gpu.upload(part));
    let others = others.collect::<Result<Vec<_>>>()?;
    let at_once = fitting.min(AT_ONCE / points.len().max(1)).max(1);
    let mut z = 0.0;
    for (block, part) in words.chunks(at_once * WORDS).enumerate() {
        let n_points = part.len() / WORDS;
        let (part, pushes) = (gpu.upload(part)?, gpu.zeros::<f32>(n_points * WORDS)?);
        for (other_block, others) in others.iter().enumerate() {
            gpu.launch(&Launch {
                shader: &TSNE_FORCES,
                entry: "main",
                constants: &[],
                parameters: &[
                    ("n_points", n_points as u32),
                    ("n_others", (others.len() / WORDS) as u32),
                    ("first_point", (block * at_once) as u32),
                    ("first_other", (other_block * fitting) as u32),
                ],
                buffers: &[("points", &part), ("others", others), ("pushes", &pushes)],
                n_items: n_points,
            })?;
        }
        let pushes = gpu.read(&pushes)?;
        for (force, push) in forces[block * at_once..].iter_mut().zip(pushes.as_chunks::<WORDS>().0)
        {
            force.copy_from_slice(&push[..D]);
            z += f64::from(push[WORDS - 1]);
        }
    }
    Ok(z)
}

#[cfg(test)]
mod tests {
    use super::super::repulsion;
    use super::*;
    use crate::backend::test_device;
    use crate::seed::Seed;

    /// How far forces may be from the CPU's: single precision of sums in tiles of 256, quotients two units off.
    const TOLERANCE: f64 = 2e-6;

    /// Whether forces and their norm are those of the CPU for `points`, within the tolerance.
    fn is_equal<const D: usize>(found: (&[[f32; D]], f64), points: &[[f32; D]]) -> bool {
        let mut forces = vec![[0.0; D]; points.len()];
        let z = repulsion(points, &mut forces);
        let largest = forces.iter().flatten().fold(0.0f32, |most, force| most.max(force.abs()));
        let bar = TOLERANCE * f64::from(largest);
        let mut pairs = found.0.iter().flatten().zip(forces.iter().flatten());
        pairs.all(|(a, b)| (f64::from(*a) - f64::from(*b)).abs() <= bar)
            && (found.1 - z).abs() <= TOLERANCE * (z + points.len() as f64)
    }

    fn check<const D: usize>(gpu: &Gpu, n: usize) {
        let mut stream = Seed::new(8).stream("map", n as u64);
        let mut points: Vec<[f32; D]> =
            (0..n).map(|_| std::array::from_fn(|_| (5.0 * stream.normal()) as f32)).collect();
        let mut forces = vec![[0.0; D]; n];
        let z = repulsion_on(gpu, &points, &mut forces).unwrap();
        assert!(is_equal((&forces, z), &points), "{n} points, {D} axes");
        if n > 1 {
            // A tolerance that does not see a point that stands a hundredth of the spread elsewhere is too loose.
            points[n / 2][0] += 0.05;
            assert!(!is_equal((&forces, z), &points), "{n} points, {D} axes: too loose");
        }
    }

    #[test]
    fn forces_are_those_of_the_cpu() {
        let Some(gpu) = test_device() else { return };
        let small = test_device().unwrap().with_binding_limit(4000).with_group_size(13);
        for gpu in [&gpu, &small] {
            for n in [1, 2, 65, 700, 1500] {
                check::<1>(gpu, n);
                check::<2>(gpu, n);
                check::<3>(gpu, n);
            }
        }
    }
}
