//! Where the points of a map begin: along the first principal components, at random, or where the caller says.

use nalgebra::{DMatrix, SymmetricEigen};
use ndarray::{Array2, ArrayView2, Axis};

use crate::error::{Error, Result};
use crate::seed::Seed;

/// Standard deviation of the start, so small that the first gradients are nearly linear
/// (Kobak and Berens 2019, *The art of using t-SNE for single-cell transcriptomics*).
const START_SD: f64 = 1e-4;
/// Jitter, as a share of the start's deviation: it parts equal rows (openTSNE's value).
const JITTER: f64 = 0.01;

/// Where the points of the map begin.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub enum Init {
    /// Along the first principal components, scaled down, with 1 % of jitter from the seed. Keeps the
    /// large-scale arrangement of the data, and repeats it from run to run.
    #[default]
    Pca,
    /// Normal with a standard deviation of 1e-4, from the seed. Islands land anywhere.
    Random,
    /// At the given coordinates, shape `(n_rows, n_components)`, taken as they are.
    Given(Array2<f64>),
}

impl Init {
    /// The start of `D` coordinates for each row of `matrix`.
    pub(super) fn points<const D: usize>(
        &self,
        matrix: &ArrayView2<'_, f64>,
        seed: Seed,
    ) -> Result<Vec<[f32; D]>> {
        let n = matrix.nrows();
        match self {
            Self::Given(start) => given(start, n),
            Self::Random => Ok(random(n, START_SD, seed)),
            Self::Pca => {
                let scores = principal_scores(matrix, D);
                let sd = column_sd(&scores);
                if sd == 0.0 {
                    return Ok(random(n, START_SD, seed));
                }
                let mut points = random(n, START_SD * JITTER, seed);
                for (point, scores) in points.iter_mut().zip(scores.rows()) {
                    for (x, score) in point.iter_mut().zip(scores) {
                        *x += (score / sd * START_SD) as f32;
                    }
                }
                Ok(points)
            }
        }
    }
}

fn given<const D: usize>(start: &Array2<f64>, n: usize) -> Result<Vec<[f32; D]>> {
    if start.dim() != (n, D) {
        let (rows, columns) = start.dim();
        return Err(Error::parameter(
            "init",
            format!("{rows} x {columns} coordinates"),
            format!("one row of {D} coordinates for each of the {n} rows"),
        ));
    }
    if let Some(((row, column), value)) = start.indexed_iter().find(|(_, v)| !v.is_finite()) {
        return Err(Error::data(format!("the start {value} is not a finite number"))
            .at_row(row + 1)
            .at_column(column.to_string()));
    }
    Ok(start.rows().into_iter().map(|row| std::array::from_fn(|d| row[d] as f32)).collect())
}

fn random<const D: usize>(n: usize, sd: f64, seed: Seed) -> Vec<[f32; D]> {
    let point = |i| {
        let mut stream = seed.stream("tsne start", i as u64);
        std::array::from_fn(|_| (sd * stream.normal()) as f32)
    };
    (0..n).map(point).collect()
}

/// Standard deviation of the first column.
fn column_sd(scores: &Array2<f64>) -> f64 {
    if scores.ncols() == 0 { 0.0 } else { scores.column(0).std(0.0) }
}

/// Scores on the first components (fewer columns where the data has fewer), the largest |loading| positive.
fn principal_scores(matrix: &ArrayView2<'_, f64>, n_components: usize) -> Array2<f64> {
    let Some(mean) = matrix.mean_axis(Axis(0)) else {
        return Array2::zeros((0, 0));
    };
    let centered = matrix - &mean;
    let covariance = centered.t().dot(&centered);
    let p = covariance.nrows();
    let eigen = SymmetricEigen::new(DMatrix::from_fn(p, p, |i, j| covariance[[i, j]]));
    let mut order: Vec<usize> = (0..p).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    order.truncate(n_components);
    let mut loadings =
        Array2::from_shape_fn((p, order.len()), |(i, c)| eigen.eigenvectors[(i, order[c])]);
    for mut loading in loadings.columns_mut() {
        let largest =
            loading.iter().copied().fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a });
        if largest < 0.0 {
            loading.mapv_inplace(|v| -v);
        }
    }
    centered.dot(&loadings)
}
