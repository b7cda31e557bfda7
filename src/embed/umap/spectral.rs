//! A weighted graph enters; smooth coordinates over its vertices leave.

use nalgebra::{DMatrix, SymmetricEigen};
use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use super::graph::Graph;
use super::start::principal_components;
use crate::seed::Seed;

/// Vectors carried beside the wanted ones, so that these converge quickly.
const SPARE: usize = 4;
/// Degree of the polynomial between two orthogonalisations, and the most rounds of it.
const DEGREE: usize = 24;
const MOST_ROUNDS: usize = 20;
/// Vectors are taken when |Mv - theta v| is this small: a start needs no more.
const RESIDUAL: f64 = 1e-3;
/// Rows of a block in one parallel task.
const TASK: usize = 4096;

/// The eigenvectors of the smallest nonzero eigenvalues of the normalised Laplacian
/// `I - D^(-1/2) W D^(-1/2)`, shape `(n_vertices, n_vectors)`, each of length 1 and of fixed sign.
///
/// Subspace iteration with a Chebyshev filter (Zhou, Saad, Tiago and Chelikowsky 2006), with the
/// known first vector taken out. The graph must be connected; vectors that do not exist are 0.
pub(super) fn laplacian_eigenvectors(graph: &Graph, n_vectors: usize) -> Array2<f64> {
    let n = graph.n_rows();
    let walk = Walk::new(graph);
    let width = (n_vectors + SPARE).min(n - 1);
    let mut stream = Seed::default().stream("spectral", 0);
    let mut block = Array2::from_shape_simple_fn((n, width), || stream.normal());
    walk.orthonormalize(&mut block);
    let mut floor = 0.0;
    for _ in 0..MOST_ROUNDS {
        block = walk.filter(&block, floor);
        walk.orthonormalize(&mut block);
        let (values, error) = walk.rotate_to_eigenvectors(&mut block, n_vectors.min(width));
        if error < RESIDUAL {
            break;
        }
        // The least wanted of the carried vectors marks the end of the interval to be damped.
        floor = values[width - 1].min(0.999);
    }
    let mut vectors = Array2::zeros((n, n_vectors));
    let found = n_vectors.min(width);
    vectors.slice_mut(s![.., ..found]).assign(&block.slice(s![.., ..found]));
    for mut vector in vectors.columns_mut() {
        let largest = vector.iter().fold(0.0, |l: f64, &x| if x.abs() > l.abs() { x } else { l });
        vector *= largest.signum();
    }
    vectors
}

/// The symmetric walk matrix `M = D^(-1/2) W D^(-1/2)`, whose largest eigenvalue is 1.
struct Walk<'a> {
    graph: &'a Graph,
    /// 1 / root of each vertex' summed weights.
    inverse_roots: Vec<f64>,
    /// The eigenvector of eigenvalue 1: the roots themselves, at length 1.
    first: Array1<f64>,
}

impl<'a> Walk<'a> {
    fn new(graph: &'a Graph) -> Self {
        let degree = |i| graph.row(i).map(|(_, w)| f64::from(w)).sum::<f64>();
        let roots: Array1<f64> = (0..graph.n_rows()).map(|i| degree(i).sqrt()).collect();
        let inverse_roots = roots.iter().map(|r| if *r > 0.0 { 1.0 / r } else { 0.0 }).collect();
        let length = roots.dot(&roots).sqrt();
        Self { graph, inverse_roots, first: roots / length.max(f64::MIN_POSITIVE) }
    }

    /// `scale * (M - centre) block - less * minus`.
    fn apply(
        &self,
        block: &Array2<f64>,
        minus: &Array2<f64>,
        [scale, centre, less]: [f64; 3],
    ) -> Array2<f64> {
        let width = block.ncols();
        let (values, minus) =
            (block.as_slice().unwrap_or_default(), minus.as_slice().unwrap_or_default());
        let mut result = vec![0.0; values.len()];
        result.par_chunks_mut(TASK * width).enumerate().for_each(|(task, rows)| {
            for (slot, row) in rows.chunks_exact_mut(width).enumerate() {
                let i = task * TASK + slot;
                for (j, weight) in self.graph.row(i) {
                    let weight = f64::from(weight) * self.inverse_roots[j as usize];
                    let other = &values[j as usize * width..][..width];
                    row.iter_mut().zip(other).for_each(|(sum, x)| *sum += weight * x);
                }
                let own = i * width..(i + 1) * width;
                let places = values[own.clone()].iter().zip(&minus[own]);
                for (sum, (x, old)) in row.iter_mut().zip(places) {
                    *sum = scale * (*sum * self.inverse_roots[i] - centre * x) - less * old;
                }
            }
        });
        Array2::from_shape_vec(block.dim(), result).unwrap_or_else(|_| block.clone())
    }

    /// The Chebyshev polynomial that stays within 1 over eigenvalues from -1 to `floor` and grows
    /// fast above, applied to the block.
    fn filter(&self, block: &Array2<f64>, floor: f64) -> Array2<f64> {
        let (centre, half) = ((floor - 1.0) / 2.0, f64::midpoint(floor, 1.0));
        let mut before = block.clone();
        let mut now = self.apply(block, block, [1.0 / half, centre, 0.0]);
        for _ in 1..DEGREE {
            let next = self.apply(&now, &before, [2.0 / half, centre, 1.0]);
            before = now;
            now = next;
        }
        now
    }

    /// Makes the columns orthonormal and orthogonal to the first eigenvector, by Gram-Schmidt, twice.
    fn orthonormalize(&self, block: &mut Array2<f64>) {
        for c in 0..block.ncols() {
            let (done, mut rest) = block.view_mut().split_at(Axis(1), c);
            let mut column = rest.column_mut(0);
            // The polynomial may have grown far: back to length 1 first.
            let length = column.dot(&column).sqrt();
            column /= if length > 0.0 && length.is_finite() { length } else { 1.0 };
            for _ in 0..2 {
                column.scaled_add(-self.first.dot(&column), &self.first);
                for other in done.columns() {
                    let share = other.dot(&column);
                    column.scaled_add(-share, &other);
                }
            }
            let length = column.dot(&column).sqrt();
            column /= if length > 0.0 { length } else { 1.0 };
        }
    }

    /// Rayleigh-Ritz: turns the block to approximate eigenvectors, largest eigenvalue first; returns
    /// the eigenvalues and the largest residual among the first `n_wanted`.
    fn rotate_to_eigenvectors(&self, block: &mut Array2<f64>, n_wanted: usize) -> (Vec<f64>, f64) {
        let image = self.apply(block, block, [1.0, 0.0, 0.0]);
        let small = block.t().dot(&image);
        let width = block.ncols();
        let eigen = SymmetricEigen::new(DMatrix::from_fn(width, width, |i, j| {
            f64::midpoint(small[[i, j]], small[[j, i]])
        }));
        let mut order: Vec<usize> = (0..width).collect();
        let value = |i: &usize| eigen.eigenvalues[*i];
        order.sort_by(|i, j| value(j).total_cmp(&value(i)).then(i.cmp(j)));
        let turn =
            Array2::from_shape_fn((width, width), |(i, j)| eigen.eigenvectors[(i, order[j])]);
        *block = block.dot(&turn);
        let image = image.dot(&turn);
        let values: Vec<f64> = order.iter().map(value).collect();
        let residual = |c: usize| {
            let pairs = image.column(c).into_iter().zip(block.column(c));
            pairs.map(|(m, v)| (m - values[c] * v).powi(2)).sum::<f64>().sqrt()
        };
        let error = (0..n_wanted).map(residual).fold(0.0, f64::max);
        (values, error)
    }
}

/// Coordinates from the Laplacian's eigenvectors, shape `(n_vertices, n_components)`; the parts of a
/// disconnected graph are laid out apart, placed by the centres of their rows in `matrix`.
pub(super) fn spectral_coordinates(
    graph: &Graph,
    matrix: ArrayView2<f64>,
    n_components: usize,
) -> Array2<f64> {
    let parts = connected_parts(graph);
    if parts.len() == 1 {
        return laplacian_eigenvectors(graph, n_components);
    }
    let centres = centres_of(&parts, matrix, n_components);
    let mut coordinates = Array2::zeros((graph.n_rows(), n_components));
    for (p, part) in parts.iter().enumerate() {
        let gap = |q: usize| {
            let difference = &centres.row(p) - &centres.row(q);
            difference.dot(&difference).sqrt()
        };
        let room = (0..parts.len()).map(gap).filter(|gap| *gap > 0.0).fold(f64::INFINITY, f64::min);
        let room = if room.is_finite() { room / 2.0 } else { 1.0 };
        let mut inside = part_coordinates(graph, part, n_components, p as u64);
        let largest = inside.fold(0.0, |largest: f64, x| largest.max(x.abs()));
        inside *= if largest > 0.0 { room / largest } else { 0.0 };
        for (row, &vertex) in inside.rows().into_iter().zip(part) {
            coordinates.row_mut(vertex as usize).assign(&(&row + &centres.row(p)));
        }
    }
    coordinates
}

/// Spectral coordinates of one part, or random ones when it has too few vertices for them.
fn part_coordinates(graph: &Graph, part: &[u32], n_components: usize, index: u64) -> Array2<f64> {
    if part.len() < 2 * n_components || part.len() <= n_components + 1 {
        let mut stream = Seed::default().stream("small part", index);
        let draw = || 2.0 * stream.uniform() - 1.0;
        return Array2::from_shape_simple_fn((part.len(), n_components), draw);
    }
    let local = |j: u32| part.partition_point(|&vertex| vertex < j) as u32;
    let rows = part.iter().map(|&i| graph.row(i as usize).map(|(j, w)| (local(j), w)).collect());
    laplacian_eigenvectors(&Graph::from_rows(rows.collect()), n_components)
}

/// Where the parts go: on the corners of a cross while it has enough, else on the principal
/// components of the parts' centres.
fn centres_of(parts: &[Vec<u32>], matrix: ArrayView2<f64>, n_components: usize) -> Array2<f64> {
    let half = parts.len().div_ceil(2);
    if half <= n_components {
        return Array2::from_shape_fn((parts.len(), n_components), |(p, d)| {
            let sign = if p < half { 1.0 } else { -1.0 };
            if p % half == d { sign } else { 0.0 }
        });
    }
    let mut means = Array2::zeros((parts.len(), matrix.ncols()));
    for (mut mean, part) in means.rows_mut().into_iter().zip(parts) {
        for &i in part {
            mean += &matrix.row(i as usize);
        }
        mean /= part.len() as f64;
    }
    let mut centres = principal_components(means.view(), n_components);
    let largest = centres.fold(0.0, |largest: f64, x| largest.max(x.abs()));
    centres /= if largest > 0.0 { largest } else { 1.0 };
    centres
}

/// The vertices of each connected part, ascending; parts by their first vertex.
fn connected_parts(graph: &Graph) -> Vec<Vec<u32>> {
    let mut seen = vec![false; graph.n_rows()];
    let mut parts = Vec::new();
    for first in 0..graph.n_rows() {
        if seen[first] {
            continue;
        }
        seen[first] = true;
        let (mut part, mut next) = (vec![first as u32], 0);
        while next < part.len() {
            for (j, _) in graph.row(part[next] as usize) {
                if !std::mem::replace(&mut seen[j as usize], true) {
                    part.push(j);
                }
            }
            next += 1;
        }
        part.sort_unstable();
        parts.push(part);
    }
    parts
}
