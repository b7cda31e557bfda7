//! Affinities and a start become a map: gradient descent with momentum and gains.

use super::affinity::Affinities;
use super::mesh::Mesh;
use crate::backend::Backend;
use crate::error::Result;
use crate::kernels::tsne_forces::{PaddedRows, attraction, repulsion, repulsion_on};
use crate::progress::Progress;

/// Share of the last step that is kept.
const MOMENTUM: f32 = 0.8;
/// A coordinate whose gradient keeps its sign is sped up, one that swings is damped (Jacobs 1988).
const GAIN_UP: f32 = 0.2;
const GAIN_DOWN: f32 = 0.8;
const MIN_GAIN: f32 = 0.01;
/// Longest step of a point, so that none leaves the map for good (openTSNE's `max_step_norm`).
const MAX_STEP: f32 = 5.0;

/// Up to so many points all pairs are visited; for more the mesh is faster. Measured; maps of 3 axes have no mesh, and
/// devices need none.
const EXACT_ROWS: usize = 2000;

/// One stretch of the descent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Phase {
    pub n_iter: usize,
    pub exaggeration: f32,
    pub learning_rate: f32,
}

/// Moves `points` down the gradient, phase by phase; returns the divergence that is left. They are worked on in `order`,
/// which decides over the time it takes and the last bits.
///
/// # Errors
/// A lost device.
pub(super) fn descend<const D: usize>(
    affinities: &Affinities,
    points: &mut [[f32; D]],
    order: &[u32],
    phases: &[Phase],
    backend: &Backend,
    progress: &Progress,
) -> Result<f64> {
    let mut place_of = vec![0; order.len()];
    (0..).zip(order).for_each(|(place, &row)| place_of[row as usize] = place);
    let row =
        |row: &u32| affinities.row(*row as usize).map(|(j, p)| (place_of[j as usize], p as f32));
    let rows = PaddedRows::new(order.iter().map(row));
    let mut places: Vec<[f32; D]> = order.iter().map(|&row| points[row as usize]).collect();
    let total: usize = phases.iter().map(|phase| phase.n_iter).sum();
    let mut forces = Forces::new(points.len(), backend);
    let mut done = 0;
    for phase in phases {
        // Gains and momentum start afresh: the surface is another one.
        let mut steps = Steps::new(points.len(), Some(MAX_STEP));
        for _ in 0..phase.n_iter {
            forces.gradient(&rows, &places, phase.exaggeration)?;
            steps.take(&mut places, &forces.gradient, phase.learning_rate);
            center(&mut places);
            done += 1;
            progress.report(done, total);
        }
    }
    order.iter().zip(&places).for_each(|(&row, place)| points[row as usize] = *place);
    Ok(affinities.divergence(points, forces.push(&places)?))
}

/// The gradient of a map, with its buffers.
pub(super) struct Forces<'a, const D: usize> {
    pub(super) gradient: Vec<[f32; D]>,
    push: Vec<[f32; D]>,
    mesh: Mesh,
    backend: &'a Backend,
}

impl<'a, const D: usize> Forces<'a, D> {
    pub(super) fn new(n: usize, backend: &'a Backend) -> Self {
        let (gradient, push) = (vec![[0.0; D]; n], vec![[0.0; D]; n]);
        Self { gradient, push, mesh: Mesh::default(), backend }
    }

    /// A quarter of the gradient of the divergence, for affinities times `exaggeration`.
    pub(super) fn gradient(
        &mut self,
        rows: &PaddedRows,
        points: &[[f32; D]],
        exaggeration: f32,
    ) -> Result<()> {
        let z = self.push(points)?;
        attraction(rows, points, points, &mut self.gradient);
        let share = (1.0 / z) as f32;
        for (gradient, push) in self.gradient.iter_mut().zip(&self.push) {
            for d in 0..D {
                gradient[d] = exaggeration * gradient[d] - share * push[d];
            }
        }
        Ok(())
    }

    /// Finds the repulsion and returns its norm Z.
    pub(super) fn push(&mut self, points: &[[f32; D]]) -> Result<f64> {
        let z = match self.backend {
            Backend::Gpu(gpu) => repulsion_on(gpu, points, &mut self.push)?,
            Backend::Cpu if D <= 2 && points.len() > EXACT_ROWS => {
                self.mesh.push(points, &mut self.push)
            }
            Backend::Cpu => repulsion(points, &mut self.push),
        };
        Ok(z.max(f64::MIN_POSITIVE))
    }
}

/// Momentum and gains of every coordinate.
pub(super) struct Steps<const D: usize> {
    step: Vec<[f32; D]>,
    gain: Vec<[f32; D]>,
    longest: f32,
}

impl<const D: usize> Steps<D> {
    /// No step is longer than `longest`, if that is given.
    pub(super) fn new(n: usize, longest: Option<f32>) -> Self {
        let longest = longest.unwrap_or(f32::INFINITY);
        Self { step: vec![[0.0; D]; n], gain: vec![[1.0; D]; n], longest }
    }

    pub(super) fn take(
        &mut self,
        points: &mut [[f32; D]],
        gradient: &[[f32; D]],
        learning_rate: f32,
    ) {
        let state = self.step.iter_mut().zip(&mut self.gain);
        for ((point, gradient), (step, gain)) in points.iter_mut().zip(gradient).zip(state) {
            for d in 0..D {
                // Downhill is against the gradient: equal signs mean that the last step went uphill.
                let onward = (step[d] > 0.0) != (gradient[d] > 0.0);
                gain[d] = if onward { gain[d] + GAIN_UP } else { gain[d] * GAIN_DOWN + MIN_GAIN };
                step[d] = MOMENTUM * step[d] - learning_rate * gain[d] * gradient[d];
            }
            let length = step.iter().map(|s| s * s).sum::<f32>().sqrt();
            let shorten = if length > self.longest { self.longest / length } else { 1.0 };
            for d in 0..D {
                step[d] *= shorten;
                point[d] += step[d];
            }
        }
    }
}

/// Moves the mean of the points to the origin.
pub(super) fn center<const D: usize>(points: &mut [[f32; D]]) {
    let n = points.len().max(1) as f64;
    for d in 0..D {
        let mean = points.iter().map(|p| f64::from(p[d])).sum::<f64>() / n;
        for point in points.iter_mut() {
            point[d] -= mean as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::neighbors::{Metric, Neighbors};
    use crate::embed::tsne::affinity::Conditional;
    use crate::seed::Seed;
    use ndarray::Array2;

    /// The divergence by f64 sums over all pairs.
    fn divergence<const D: usize>(affinities: &Affinities, points: &[[f32; D]]) -> f64 {
        let square = |a: &[f32; D], b: &[f32; D]| -> f64 {
            a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
        };
        let pairs = points.iter().flat_map(|a| points.iter().map(move |b| (a, b)));
        let z = pairs.map(|(a, b)| 1.0 / (1.0 + square(a, b))).sum::<f64>() - points.len() as f64;
        affinities.divergence(points, z)
    }

    fn check_gradient<const D: usize>(n: usize) {
        let mut stream = Seed::new(4).stream("gradient", 0);
        let matrix = Array2::from_shape_fn((n, 5), |_| stream.normal());
        let near = Neighbors::exact(matrix.view(), 30, Metric::Euclidean).unwrap();
        let affinities = Affinities::symmetric(&Conditional::calibrate(&near, 10.0), 10.0);
        let rows = PaddedRows::new(
            (0..n).map(|i| affinities.row(i).map(|(j, p)| (j, p as f32)).collect::<Vec<_>>()),
        );
        // A spread at which attraction and repulsion do not cancel, on binary fractions so that steps are exact.
        let mut points: Vec<[f32; D]> = (0..n)
            .map(|_| [0; D].map(|_| (stream.normal() * 1024.0).round() as f32 / 256.0))
            .collect();
        let mut forces = Forces::new(n, &Backend::Cpu);
        forces.gradient(&rows, &points, 1.0).unwrap();
        let largest = forces.gradient.iter().flatten().fold(0.0, |a: f32, b| a.max(b.abs()));
        for i in [0, 1, n / 2, n - 1] {
            for d in 0..D {
                let (x, step) = (points[i][d], 1.0 / 64.0);
                points[i][d] = x + step;
                let above = divergence(&affinities, &points);
                points[i][d] = x - step;
                let below = divergence(&affinities, &points);
                points[i][d] = x;
                let slope = (above - below) / f64::from(2.0 * step) / 4.0;
                let error = (f64::from(forces.gradient[i][d]) - slope).abs() / f64::from(largest);
                assert!(error < 2e-3, "{n} points, point {i}, axis {d}: {error}");
            }
        }
    }

    #[test]
    fn the_gradient_is_a_quarter_of_the_divergences_slope() {
        check_gradient::<1>(60);
        check_gradient::<2>(60);
        check_gradient::<3>(60);
    }

    #[test]
    fn so_it_is_on_the_mesh() {
        check_gradient::<2>(EXACT_ROWS + 1);
    }
}
