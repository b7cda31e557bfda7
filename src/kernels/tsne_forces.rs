//! The two forces of t-SNE: map points (and affinities) go in, the summed pull or push on each point comes out.
//!
//! With `q = 1 / (1 + |y_i - y_j|²)` the gradient of the Kullback-Leibler divergence is, up to a factor of 4,
//! `attraction - repulsion / Z` (van der Maaten 2014, *Accelerating t-SNE using tree-based algorithms*, eq. 5).
//!
//! Each kernel is written once, over eight numbers side by side ([`Lanes`]), and gives the same bits on any machine.
#![expect(clippy::inline_always, reason = "only what is inlined is compiled for AVX2")]

mod on_gpu;

use rayon::prelude::*;

use super::lanes::{LANES, Lanes, Work, on_widest};

#[cfg(test)]
pub(super) use on_gpu::TSNE_FORCES;
pub(crate) use on_gpu::repulsion_on;

/// Points per task: fixed, so that the order of summation does not depend on the number of threads.
const BLOCK: usize = 128;
/// Where padding points stand: so far away that they neither push nor count.
const FAR: f32 = 1e15;

/// Affinities as rows of equal stride-free lists: row `i` holds `starts[i]..starts[i + 1]`.
///
/// Every row is padded to a multiple of [`LANES`] with its own index and weight 0.
#[derive(Debug, Clone, Default)]
pub struct PaddedRows {
    starts: Vec<usize>,
    others: Vec<u32>,
    weights: Vec<f32>,
}

impl PaddedRows {
    /// Pads rows given as (other point, weight) lists.
    pub fn new<R: IntoIterator<Item = (u32, f32)>>(rows: impl IntoIterator<Item = R>) -> Self {
        let mut padded = Self { starts: vec![0], ..Self::default() };
        for (i, row) in rows.into_iter().enumerate() {
            for (other, weight) in row {
                padded.others.push(other);
                padded.weights.push(weight);
            }
            let end = padded.others.len().next_multiple_of(LANES);
            padded.others.resize(end, i as u32);
            padded.weights.resize(end, 0.0);
            padded.starts.push(end);
        }
        padded
    }

    fn row(&self, i: usize) -> (&[u32], &[f32]) {
        let range = self.starts[i]..self.starts[i + 1];
        (&self.others[range.clone()], &self.weights[range])
    }
}

/// Writes `forces[i] = Σ_j w_ij q_ij (points[i] - targets[j])` for every row of `affinities`.
///
/// In a fit `targets` are the points themselves; when new rows are placed they are the old map.
///
/// # Determinism
/// Each point's sum runs over its row in order: the same bits for any number of threads and on
/// any machine.
///
/// # Panics
/// When `affinities` has fewer rows than there are points, or names a target that is not there.
pub fn attraction<const D: usize>(
    affinities: &PaddedRows,
    points: &[[f32; D]],
    targets: &[[f32; D]],
    forces: &mut [[f32; D]],
) {
    forces.par_chunks_mut(BLOCK).enumerate().for_each(|(block, forces)| {
        let first = block * BLOCK;
        on_widest(Pull { affinities, points, targets, first, forces });
    });
}

/// Writes `forces[i] = Σ_j q_ij² (points[i] - points[j])` and returns `Z = Σ_{i≠j} q_ij`.
///
/// Exact: every pair of points is visited once, O(n²).
///
/// # Determinism
/// Sums run over fixed blocks, combined in order: the same bits for any number of threads and on any machine.
pub fn repulsion<const D: usize>(points: &[[f32; D]], forces: &mut [[f32; D]]) -> f64 {
    repulsion_by(points, forces, |block, columns| on_widest(Push { block, columns }))
}

/// Writes `forces[i] = Σ_j q_ij² (points[i] - others[j])` and returns `Z_i = Σ_j q_ij` of each point.
///
/// # Determinism
/// As [`repulsion`].
pub fn repulsion_from<const D: usize>(
    others: &[[f32; D]],
    points: &[[f32; D]],
    forces: &mut [[f32; D]],
) -> Vec<f32> {
    let columns = columns_of(others);
    let mut z = vec![0.0; points.len()];
    let tasks = points.par_chunks(BLOCK).zip(forces.par_chunks_mut(BLOCK));
    tasks.zip(z.par_chunks_mut(BLOCK)).for_each(|((points, forces), z)| {
        on_widest(PushFrom { columns: &columns, points, forces, z });
    });
    z
}

/// What a mesh cannot resolve of the potential `q = 1 / (1 + s)`, `s` the squared distance: the part within reach.
///
/// With `v = (c - s) / (1 + c)` the potential is the geometric series `Σ v^k / (1 + c)`. Its first four terms, a
/// polynomial in `s`, are the far part for `s < c`, and join `q` smoothly at the reach; the rest, `v⁴ q`, is near.
#[derive(Debug, Clone, Copy)]
pub struct NearPart {
    square_reach: f32,
}

impl NearPart {
    /// The near part up to the distance `reach`.
    pub fn within(reach: f32) -> Self {
        Self { square_reach: reach * reach }
    }

    /// The far part at a squared distance.
    pub fn far(self, square: f32) -> f32 {
        let c = self.square_reach;
        if square >= c {
            return 1.0 / (1.0 + square);
        }
        let v = (c - square) / (1.0 + c);
        (1.0 + v * (1.0 + v * (1.0 + v))) / (1.0 + c)
    }

    /// The near part at distance 0.
    pub fn at_zero(self) -> f64 {
        f64::from(self.square_reach / (1.0 + self.square_reach)).powi(4)
    }

    /// Adds the near part of the push of all `others` to the force on each of `points`; returns the summed potential.
    ///
    /// `others` are two columns padded by [`pad`](Self::pad).
    pub fn push(self, others: &[Vec<f32>; 2], points: &[[f32; 2]], forces: &mut [[f32; 2]]) -> f64 {
        on_widest(PushNear { near: self, others, points, forces })
    }

    /// Pads columns with points that are too far away to count.
    pub fn pad(columns: &mut [Vec<f32>; 2]) {
        for column in columns {
            column.resize(column.len().next_multiple_of(LANES), FAR);
        }
    }
}

/// One column per axis, padded by points that are too far away to count.
fn columns_of<const D: usize>(points: &[[f32; D]]) -> [Vec<f32>; D] {
    let padded = points.len().next_multiple_of(LANES);
    std::array::from_fn(|d| {
        let mut column: Vec<f32> = points.iter().map(|p| p[d]).collect();
        column.resize(padded, FAR);
        column
    })
}

/// The pushes found by one task: on the points from `block * BLOCK` on, column by column.
struct Pushes<const D: usize> {
    forces: [Vec<f32>; D],
    z: f64,
}

fn repulsion_by<const D: usize>(
    points: &[[f32; D]],
    forces: &mut [[f32; D]],
    push: impl Fn(usize, &[Vec<f32>; D]) -> Pushes<D> + Sync,
) -> f64 {
    let columns = columns_of(points);
    let tasks: Vec<Pushes<D>> = (0..points.len().div_ceil(BLOCK))
        .into_par_iter()
        .with_max_len(1)
        .map(|block| push(block, &columns))
        .collect();
    forces.fill([0.0; D]);
    for (block, task) in tasks.iter().enumerate() {
        for (i, force) in forces[block * BLOCK..].iter_mut().enumerate() {
            for (force, column) in force.iter_mut().zip(&task.forces) {
                *force += column[i];
            }
        }
    }
    // Padding points are pushed too, but by nothing that counts: 1 / (1 + FAR²) is 1e-30.
    tasks.iter().map(|task| task.z).sum()
}

/// One task of the repulsion: the points of a block push each other and all points after the block.
struct Push<'a, const D: usize> {
    block: usize,
    columns: &'a [Vec<f32>; D],
}

impl<const D: usize> Work for Push<'_, D> {
    type Output = Pushes<D>;

    #[inline(always)]
    fn on<V: Lanes>(self) -> Pushes<D> {
        let Self { block, columns } = self;
        let first = block * BLOCK;
        let n = columns[0].len();
        let end = (first + BLOCK).min(n);
        let mut forces: [Vec<f32>; D] = std::array::from_fn(|_| vec![0.0; n - first]);
        let mut z = 0.0;
        // `end` is even, because both BLOCK and LANES are.
        for i in (first..end).step_by(2) {
            let rows = [0, 1].map(|r| columns.each_ref().map(|column| column[i + r]));
            let near = columns.each_ref().map(|c| &c[first..end]);
            let (sums, z_near) =
                push_rows::<V, D, false>(rows, near, forces.each_mut().map(|f| &mut f[..0]));
            let far = columns.each_ref().map(|c| &c[end..]);
            let reactions = forces.each_mut().map(|f| &mut f[end - first..]);
            let (more, z_far) = push_rows::<V, D, true>(rows, far, reactions);
            for r in 0..2 {
                // A point meets itself once, with q = 1. Padding points do not count.
                if rows[r][0] < FAR {
                    z += f64::from(z_near[r]) - 1.0 + 2.0 * f64::from(z_far[r]);
                }
                for d in 0..D {
                    forces[d][i - first + r] += sums[r][d] + more[r][d];
                }
            }
        }
        Pushes { forces, z }
    }
}

/// The pushes of all others on some points.
struct PushFrom<'a, const D: usize> {
    columns: &'a [Vec<f32>; D],
    points: &'a [[f32; D]],
    forces: &'a mut [[f32; D]],
    z: &'a mut [f32],
}

impl<const D: usize> Work for PushFrom<'_, D> {
    type Output = ();

    #[inline(always)]
    fn on<V: Lanes>(self) {
        let Self { columns, points, forces, z } = self;
        for i in (0..points.len()).step_by(2) {
            let second = (i + 1).min(points.len() - 1);
            let others = columns.each_ref().map(|c| &c[..]);
            let none: [&mut [f32]; D] = std::array::from_fn(|_| &mut [][..]);
            let (sums, zs) = push_rows::<V, D, false>([points[i], points[second]], others, none);
            (forces[i], z[i]) = (sums[0], zs[0]);
            (forces[second], z[second]) = (sums[1], zs[1]);
        }
    }
}

/// The near part of the pushes of all others on some points.
struct PushNear<'a> {
    near: NearPart,
    others: &'a [Vec<f32>; 2],
    points: &'a [[f32; 2]],
    forces: &'a mut [[f32; 2]],
}

impl Work for PushNear<'_> {
    /// The summed potential.
    type Output = f64;

    #[inline(always)]
    fn on<V: Lanes>(self) -> f64 {
        let Self { near, others, points, forces } = self;
        let scale = 1.0 / (1.0 + near.square_reach);
        let (slope, start) = (V::splat(-scale), V::splat(near.square_reach * scale));
        let (zero, one, four) = (V::splat(0.0), V::splat(1.0), V::splat(4.0 * scale));
        let mut potential = 0.0;
        for (point, force) in points.iter().zip(forces) {
            let point = point.map(V::splat);
            let mut sums = [zero; 3];
            for (x, y) in others[0].chunks_exact(LANES).zip(others[1].chunks_exact(LANES)) {
                let delta = [point[0].sub(V::load(x)), point[1].sub(V::load(y))];
                let square = delta[0].mul_add(delta[0], delta[1].mul(delta[1]));
                let q = one.div(square.add(one));
                let v = square.mul_add(slope, start).at_least(zero);
                let vq = v.mul(q);
                let v2 = v.mul(v);
                let push = v2.mul(vq).mul(vq.add(four));
                sums[0] = push.mul_add(delta[0], sums[0]);
                sums[1] = push.mul_add(delta[1], sums[1]);
                sums[2] = v2.mul_add(v.mul(vq), sums[2]);
            }
            force[0] += sums[0].total();
            force[1] += sums[1].total();
            potential += f64::from(sums[2].total());
        }
        potential
    }
}

/// Pushes of all `others` on two points, and with `REACT` the reactions on the others.
#[inline(always)]
fn push_rows<V: Lanes, const D: usize, const REACT: bool>(
    rows: [[f32; D]; 2],
    others: [&[f32]; D],
    mut reactions: [&mut [f32]; D],
) -> ([[f32; D]; 2], [f32; 2]) {
    let one = V::splat(1.0);
    let rows = rows.map(|row| row.map(V::splat));
    let mut sums = [[V::splat(0.0); D]; 2];
    let mut z = [V::splat(0.0); 2];
    for at in (0..others[0].len()).step_by(LANES) {
        let other = others.map(|o| V::load(&o[at..at + LANES]));
        let mut back = [V::splat(0.0); D];
        for r in 0..2 {
            let mut delta = [one; D];
            let mut square = one;
            for d in 0..D {
                delta[d] = rows[r][d].sub(other[d]);
                square = delta[d].mul_add(delta[d], square);
            }
            let q = one.div(square);
            let q2 = q.mul(q);
            z[r] = z[r].add(q);
            for d in 0..D {
                sums[r][d] = q2.mul_add(delta[d], sums[r][d]);
                if REACT {
                    back[d] = q2.mul_add(delta[d], back[d]);
                }
            }
        }
        if REACT {
            for (reaction, back) in reactions.iter_mut().zip(back) {
                let reaction = &mut reaction[at..at + LANES];
                V::load(reaction).sub(back).store(reaction);
            }
        }
    }
    (sums.map(|row| row.map(V::total)), z.map(V::total))
}

/// The attraction on the points from `first` on.
struct Pull<'a, const D: usize> {
    affinities: &'a PaddedRows,
    points: &'a [[f32; D]],
    targets: &'a [[f32; D]],
    first: usize,
    forces: &'a mut [[f32; D]],
}

impl<const D: usize> Work for Pull<'_, D> {
    type Output = ();

    #[inline(always)]
    fn on<V: Lanes>(self) {
        let Self { affinities, points, targets, first, forces } = self;
        for (k, force) in forces.iter_mut().enumerate() {
            let point = points[first + k].map(V::splat);
            let (others, weights) = affinities.row(first + k);
            let mut sums = [V::splat(0.0); D];
            for (others, weights) in others.as_chunks().0.iter().zip(weights.chunks_exact(LANES)) {
                let target = V::gather(targets, others);
                let mut square = V::splat(1.0);
                let mut delta = [square; D];
                for d in 0..D {
                    delta[d] = point[d].sub(target[d]);
                    square = delta[d].mul_add(delta[d], square);
                }
                let pull = V::load(weights).div(square);
                for d in 0..D {
                    sums[d] = pull.mul_add(delta[d], sums[d]);
                }
            }
            *force = sums.map(V::total);
        }
    }
}

#[cfg(test)]
mod tests;
