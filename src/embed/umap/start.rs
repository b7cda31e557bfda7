//! Rows and their graph enter; the coordinates from which the layout sets out leave.

use nalgebra::{DMatrix, SymmetricEigen};
use ndarray::{Array2, ArrayView2, Axis};

use super::graph::Graph;
use crate::seed::Seed;

/// The map's side before the layout (umap-learn's range of starting coordinates).
const SIDE: f32 = 10.0;
/// Standard deviation of the noise that parts equal rows.
const NOISE: f32 = 1e-4;

/// The first principal components of the rows, shape `(n_rows, n_components)`; missing ones are 0.
pub(super) fn principal_components(matrix: ArrayView2<f64>, n_components: usize) -> Array2<f64> {
    let mut coordinates = Array2::zeros((matrix.nrows(), n_components));
    let Some(mean) = matrix.mean_axis(Axis(0)) else { return coordinates };
    let centred = &matrix - &mean;
    let largest = centred.fold(0.0, |largest: f64, x| largest.max(x.abs()));
    if largest == 0.0 {
        return coordinates;
    }
    let centred = centred / largest;
    let products = centred.t().dot(&centred);
    let n = products.nrows();
    let eigen = SymmetricEigen::new(DMatrix::from_fn(n, n, |i, j| products[[i, j]]));
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| eigen.eigenvalues[j].total_cmp(&eigen.eigenvalues[i]).then(i.cmp(&j)));
    for (component, &which) in order.iter().take(n_components).enumerate() {
        let axis = eigen.eigenvectors.column(which);
        // The sign of an axis is arbitrary: its largest entry is made positive.
        let largest =
            axis.iter().copied().fold(0.0, |l: f64, x| if x.abs() > l.abs() { x } else { l });
        let axis: ndarray::Array1<f64> = axis.iter().map(|x| x * largest.signum()).collect();
        coordinates.column_mut(component).assign(&centred.dot(&axis));
    }
    coordinates
}

/// Coordinates drawn evenly from the starting square.
pub(super) fn random(n_rows: usize, n_components: usize, seed: Seed) -> Array2<f64> {
    let mut stream = seed.stream("umap start", 0);
    Array2::from_shape_simple_fn((n_rows, n_components), || stream.uniform())
}

/// Coordinates with a little noise, each axis stretched to 0 to 10; as umap-learn prepares a start.
pub(super) fn spread<const D: usize>(start: &Array2<f64>, seed: Seed) -> Vec<[f32; D]> {
    let largest = start.fold(0.0, |largest: f64, x| largest.max(x.abs()));
    let scale = if largest > 0.0 { f64::from(SIDE) / largest } else { 0.0 };
    let mut stream = seed.stream("umap noise", 0);
    let mut places = vec![[0.0; D]; start.nrows()];
    for (place, row) in places.iter_mut().zip(start.rows()) {
        for (x, value) in place.iter_mut().zip(row) {
            *x = (value * scale) as f32 + NOISE * stream.normal() as f32;
        }
    }
    for d in 0..start.ncols().min(D) {
        let low = places.iter().fold(f32::INFINITY, |low, place| low.min(place[d]));
        let high = places.iter().fold(f32::NEG_INFINITY, |high, place| high.max(place[d]));
        let stretch = if high > low { SIDE / (high - low) } else { 0.0 };
        for place in &mut places {
            place[d] = (place[d] - low) * stretch;
        }
    }
    places
}

/// Coordinates in f32, with zeros up to the compiled width.
pub(super) fn padded<const D: usize>(coordinates: &Array2<f64>) -> Vec<[f32; D]> {
    let mut places = vec![[0.0; D]; coordinates.nrows()];
    for (place, row) in places.iter_mut().zip(coordinates.rows()) {
        place.iter_mut().zip(row).for_each(|(x, value)| *x = *value as f32);
    }
    places
}

/// For each row of `graph` the weighted mean of its columns' coordinates; a weight of 1 says that the
/// row is a copy, which goes where the original is.
pub(super) fn weighted_means(graph: &Graph, coordinates: &Array2<f64>) -> Array2<f64> {
    let mut means = Array2::zeros((graph.n_rows(), coordinates.ncols()));
    for (i, mut mean) in means.rows_mut().into_iter().enumerate() {
        if let Some((original, _)) = graph.row(i).find(|(_, weight)| *weight == 1.0) {
            mean.assign(&coordinates.row(original as usize));
            continue;
        }
        let sum: f64 = graph.row(i).map(|(_, weight)| f64::from(weight)).sum();
        for (j, weight) in graph.row(i) {
            mean.scaled_add(f64::from(weight) / sum, &coordinates.row(j as usize));
        }
    }
    means
}
