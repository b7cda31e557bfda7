//! A matrix and a number of components in; a mixture of Gaussians that explains the rows out.
//!
//! linfa-clustering has one too, but (0.8.1) it adds up likelihoods without scaling: a row far from all components
//! underflows to NaN, with 20 features not rarely; and its further runs continue the first one.

use linfa::DatasetBase;
use linfa::traits::Fit;
use nalgebra::DMatrix;
use ndarray::{Array1, Array2, ArrayBase, ArrayView1, ArrayView2, Axis, Data, Ix2};
use rayon::prelude::*;

use super::agreement::largest_first;
use super::kmeans::{Init, KMeans};
use crate::embed::not_finite;
use crate::error::{Error, Result};
use crate::seed::Seed;

/// Rows summed up by one task; fixed, so that sums do not depend on the number of threads.
const BLOCK: usize = 1024;

/// A Gaussian mixture with full covariances, fitted by expectation and maximization.
///
/// Labels run from 1, the component with the most rows first; components are in the order of the labels.
///
/// ```
/// use linfa::traits::Fit;
/// use ndarray::array;
/// use polariscope::cluster::GaussianMixture;
/// use polariscope::table::Features;
///
/// let table = array![[0.0], [0.1], [0.2], [9.0], [9.3]];
/// let features = Features::new(table, ["area"])?;
/// let mixture = GaussianMixture::params(2).fit(&features)?;
/// assert_eq!(mixture.labels(), [1, 1, 1, 2, 2]);
/// assert!(mixture.probabilities()[[0, 0]] > 0.999);
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # Determinism
/// Follows from the seed alone, on any number of threads.
///
/// # References
/// A. P. Dempster, N. M. Laird and D. B. Rubin, *Maximum likelihood from incomplete data via the EM algorithm*,
/// 1977; the start from K-means, the regularization and the stopping rule are scikit-learn's.
#[derive(Debug, Clone)]
pub struct GaussianMixture {
    labels: Vec<usize>,
    weights: Vec<f64>,
    means: Array2<f64>,
    covariances: Vec<Array2<f64>>,
    probabilities: Array2<f64>,
    log_likelihood: f64,
    n_iter: usize,
    converged: bool,
}

/// What to compute; see [`GaussianMixture::params`].
#[derive(Debug, Clone, PartialEq)]
pub struct GaussianMixtureParams {
    n_components: usize,
    n_init: usize,
    max_iter: usize,
    tolerance: f64,
    regularization: f64,
    seed: u64,
}

impl GaussianMixture {
    /// `n_components` components; 1 start, at most 100 iterations, tolerance 1e-3, regularization 1e-6, seed 0.
    pub fn params(n_components: usize) -> GaussianMixtureParams {
        GaussianMixtureParams {
            n_components,
            n_init: 1,
            max_iter: 100,
            tolerance: 1e-3,
            regularization: 1e-6,
            seed: 0,
        }
    }

    /// The most probable component of each row, from 1.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Share of each component; they add up to 1.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Means, shape `(n_components, n_features)`.
    pub fn means(&self) -> ArrayView2<'_, f64> {
        self.means.view()
    }

    /// Covariances, each of shape `(n_features, n_features)`.
    pub fn covariances(&self) -> &[Array2<f64>] {
        &self.covariances
    }

    /// Probability of each component for each row, shape `(n_rows, n_components)`.
    pub fn probabilities(&self) -> ArrayView2<'_, f64> {
        self.probabilities.view()
    }

    /// Mean log-likelihood of a row.
    pub fn log_likelihood(&self) -> f64 {
        self.log_likelihood
    }

    /// Iterations of the best start.
    pub fn n_iter(&self) -> usize {
        self.n_iter
    }

    /// Whether the best start came to rest before `max_iter`.
    pub fn converged(&self) -> bool {
        self.converged
    }

    /// Bayesian information criterion: the smaller, the better the mixture for its number of parameters.
    pub fn bic(&self) -> f64 {
        let ((n, k), d) = (self.probabilities.dim(), self.means.ncols());
        let parameters = (k * (d * (d + 1) / 2 + d) + k - 1) as f64;
        parameters * (n as f64).ln() - 2.0 * n as f64 * self.log_likelihood
    }
}

impl GaussianMixtureParams {
    /// How many starts to try; the likeliest mixture is kept.
    pub fn n_init(mut self, n_init: usize) -> Self {
        self.n_init = n_init;
        self
    }

    /// The most iterations of one start.
    pub fn max_iter(mut self, max_iter: usize) -> Self {
        self.max_iter = max_iter;
        self
    }

    /// A start rests when an iteration gains less than this in mean log-likelihood.
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Added to every variance, so that no component collapses onto a row.
    pub fn regularization(mut self, regularization: f64) -> Self {
        self.regularization = regularization;
        self
    }

    /// The seed of all draws.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    fn check(&self, rows: ArrayView2<'_, f64>) -> Result<()> {
        let n = rows.nrows();
        if self.n_components == 0 || self.n_components > n {
            let allowed = format!("at least 1 and at most the number of rows ({n})");
            return Err(Error::parameter("n_components", self.n_components, allowed));
        }
        if self.n_init == 0 || self.max_iter == 0 {
            return Err(Error::parameter("n_init or max_iter", 0, "at least 1"));
        }
        for (name, value) in
            [("tolerance", self.tolerance), ("regularization", self.regularization)]
        {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::parameter(name, value, "at least 0 and finite"));
            }
        }
        Ok(())
    }

    /// One start: the first from the best clusters of K-means, others from those of random rows, to be different.
    fn start(&self, rows: ArrayView2<'_, f64>, start: u64) -> Result<(Mixture, usize, bool)> {
        let seed = Seed::new(self.seed).child("mixture", start);
        let mut kmeans = KMeans::params(self.n_components).n_init(1).seed(seed.value());
        if start > 0 {
            let picks = seed.stream("rows", 0).sample(rows.nrows(), self.n_components);
            kmeans = kmeans.init(Init::Given(rows.select(Axis(0), &picks))).max_iter(10);
        }
        let clusters = kmeans.fit(&DatasetBase::from(rows))?;
        let mut shares = Array2::zeros((rows.nrows(), self.n_components));
        for (mut row, &label) in shares.outer_iter_mut().zip(clusters.labels()) {
            row[label - 1] = 1.0;
        }
        let mut mixture = Mixture::maximize(rows, &shares, self.regularization)?;
        let mut before = f64::NEG_INFINITY;
        for iteration in 1..=self.max_iter {
            let (shares, likelihood) = mixture.expect(rows);
            mixture = Mixture::maximize(rows, &shares, self.regularization)?;
            if (likelihood - before).abs() < self.tolerance {
                return Ok((mixture, iteration, true));
            }
            before = likelihood;
        }
        Ok((mixture, self.max_iter, false))
    }
}

impl<D: Data<Elem = f64>, T> Fit<ArrayBase<D, Ix2>, T, Error> for GaussianMixtureParams {
    type Object = GaussianMixture;

    /// # Errors
    /// A parameter out of range, more components than (different) rows, a value that is not finite, or a
    /// component that collapses because the regularization is too small.
    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<GaussianMixture> {
        let rows = dataset.records().view();
        self.check(rows)?;
        if !rows.iter().all(|v| v.is_finite()) {
            return Err(not_finite(rows, dataset.feature_names()));
        }
        let mut best: Option<GaussianMixture> = None;
        for start in 0..self.n_init {
            let (mixture, n_iter, converged) = self.start(rows, start as u64)?;
            let (probabilities, log_likelihood) = mixture.expect(rows);
            if best.as_ref().is_none_or(|b| log_likelihood > b.log_likelihood) {
                let found = mixture.named(&probabilities);
                best = Some(GaussianMixture { log_likelihood, n_iter, converged, ..found });
            }
        }
        best.ok_or_else(|| Error::internal("no start was tried"))
    }
}

/// The parameters between two steps.
struct Mixture {
    weights: Vec<f64>,
    means: Array2<f64>,
    covariances: Vec<Array2<f64>>,
    /// The inverse of the Cholesky factor of each covariance, by rows, and the log of its determinant.
    roots: Vec<(Vec<f64>, f64)>,
}

impl Mixture {
    /// The likeliest parameters, given the share of each row in each component.
    fn maximize(rows: ArrayView2<'_, f64>, shares: &Array2<f64>, floor: f64) -> Result<Self> {
        let k = shares.ncols();
        let sums: Vec<f64> =
            shares.sum_axis(Axis(0)).iter().map(|s| s + 10.0 * f64::EPSILON).collect();
        let parts: Vec<(Array1<f64>, Array2<f64>)> = (0..k)
            .into_par_iter()
            .map(|c| weighted_moments(rows, shares.column(c), sums[c], floor))
            .collect();
        let means = Array2::from_shape_fn((k, rows.ncols()), |(c, j)| parts[c].0[j]);
        let covariances: Vec<Array2<f64>> = parts.into_iter().map(|p| p.1).collect();
        let roots = covariances.iter().map(inverse_root).collect::<Result<_>>()?;
        let weights = sums.iter().map(|s| s / rows.nrows() as f64).collect();
        Ok(Self { weights, means, covariances, roots })
    }

    /// The share of each row in each component, and the mean log-likelihood of a row.
    fn expect(&self, rows: ArrayView2<'_, f64>) -> (Array2<f64>, f64) {
        let (n, k) = (rows.nrows(), self.weights.len());
        let mut shares = vec![0.0; n * k];
        let sums: Vec<f64> = shares
            .par_chunks_mut(BLOCK * k)
            .enumerate()
            .map(|(block, shares)| {
                let row = |i: usize| rows.row(block * BLOCK + i);
                let rows = shares.chunks_exact_mut(k).enumerate();
                rows.map(|(i, shares)| self.expect_row(row(i), shares)).sum()
            })
            .collect();
        let shares = Array2::from_shape_vec((n, k), shares).unwrap_or_default();
        (shares, sums.iter().sum::<f64>() / n as f64)
    }

    /// The shares of one row; its log-likelihood.
    fn expect_row(&self, row: ArrayView1<'_, f64>, shares: &mut [f64]) -> f64 {
        let constant = row.len() as f64 * std::f64::consts::TAU.ln();
        let mut difference = vec![0.0; row.len()];
        for (c, share) in shares.iter_mut().enumerate() {
            for ((difference, x), mean) in difference.iter_mut().zip(row).zip(self.means.row(c)) {
                *difference = x - mean;
            }
            let (root, log_determinant) = &self.roots[c];
            let mut square = 0.0;
            for (i, weights) in root.chunks_exact(row.len()).enumerate() {
                let terms = weights[..=i].iter().zip(&difference);
                square += terms.map(|(w, d)| w * d).sum::<f64>().powi(2);
            }
            *share = self.weights[c].ln() - 0.5 * (constant + log_determinant + square);
        }
        let largest = shares.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
        let sum: f64 = shares.iter().map(|s| (s - largest).exp()).sum();
        let likelihood = largest + sum.ln();
        for share in shares {
            *share = (*share - likelihood).exp();
        }
        likelihood
    }

    /// With components in the order of their labels, largest first.
    fn named(self, probabilities: &Array2<f64>) -> GaussianMixture {
        let most_probable = |row: ArrayView1<'_, f64>| {
            1 + (1..row.len()).fold(0, |best, c| if row[c] > row[best] { c } else { best })
        };
        let raw: Vec<usize> = probabilities.outer_iter().map(most_probable).collect();
        let labels = largest_first(&raw);
        let mut order: Vec<usize> = Vec::new();
        for label in 1..=self.weights.len() {
            let with_rows = labels.iter().position(|&l| l == label).map(|row| raw[row] - 1);
            // A component that is nobody's most probable one comes last.
            let next =
                || (0..self.weights.len()).find(|c| !raw.contains(&(c + 1)) && !order.contains(c));
            order.extend(with_rows.or_else(next));
        }
        GaussianMixture {
            labels,
            weights: order.iter().map(|&c| self.weights[c]).collect(),
            means: self.means.select(Axis(0), &order),
            covariances: order.iter().map(|&c| self.covariances[c].clone()).collect(),
            probabilities: probabilities.select(Axis(1), &order),
            log_likelihood: f64::NEG_INFINITY,
            n_iter: 0,
            converged: false,
        }
    }
}

/// The weighted mean and covariance of the rows, `floor` added to the variances.
fn weighted_moments(
    rows: ArrayView2<'_, f64>,
    shares: ArrayView1<'_, f64>,
    sum: f64,
    floor: f64,
) -> (Array1<f64>, Array2<f64>) {
    let d = rows.ncols();
    let mut mean = Array1::zeros(d);
    for (row, &share) in rows.outer_iter().zip(shares).filter(|(_, share)| **share > 0.0) {
        mean.scaled_add(share, &row);
    }
    mean /= sum;
    let mut sums = vec![0.0; d * d];
    let mut difference = vec![0.0; d];
    for (row, &share) in rows.outer_iter().zip(shares).filter(|(_, share)| **share > 0.0) {
        for ((difference, x), mean) in difference.iter_mut().zip(row).zip(&mean) {
            *difference = x - mean;
        }
        for (i, sums) in sums.chunks_exact_mut(d).enumerate() {
            let scaled = share * difference[i];
            sums[..=i].iter_mut().zip(&difference).for_each(|(sum, v)| *sum += scaled * v);
        }
    }
    let mut covariance = Array2::from_shape_fn((d, d), |(i, j)| sums[i.max(j) * d + i.min(j)]);
    covariance /= sum;
    covariance.diag_mut().mapv_inplace(|v| v + floor);
    (mean, covariance)
}

/// The inverse of the Cholesky factor, by rows, and the log of the determinant.
fn inverse_root(covariance: &Array2<f64>) -> Result<(Vec<f64>, f64)> {
    let d = covariance.nrows();
    let factor = DMatrix::from_fn(d, d, |i, j| covariance[[i, j]]).cholesky().map(|c| c.l());
    let inverse = factor.as_ref().and_then(|l| l.solve_lower_triangular(&DMatrix::identity(d, d)));
    let (Some(factor), Some(inverse)) = (factor, inverse) else {
        return Err(Error::data("a component of the mixture has collapsed")
            .help("use fewer components or a larger regularization"));
    };
    let log_determinant = 2.0 * factor.diagonal().iter().map(|v| v.ln()).sum::<f64>();
    // Columns of the transpose are rows.
    Ok((inverse.transpose().as_slice().to_vec(), log_determinant))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_groups(n: usize, d: usize) -> Array2<f64> {
        let mut stream = Seed::new(4).stream("mixture", 0);
        Array2::from_shape_fn((n, d), |(i, j)| {
            let spread = if i % 3 == 0 && j == 0 { 5.0 } else { 1.0 };
            spread * stream.normal() + if i % 3 == 0 { 8.0 } else { 0.0 }
        })
    }

    fn fit(rows: &Array2<f64>, k: usize) -> Result<GaussianMixture> {
        GaussianMixture::params(k)
            .tolerance(1e-9)
            .max_iter(500)
            .fit(&DatasetBase::from(rows.view()))
    }

    #[test]
    fn parameters_are_a_fixed_point() {
        let rows = two_groups(300, 3);
        let found = fit(&rows, 2).unwrap();
        assert!(found.converged());
        let sum: f64 = found.probabilities().column(0).sum();
        assert!((sum / 300.0 - found.weights()[0]).abs() < 1e-4);
        assert!((found.weights()[0] - 2.0 / 3.0).abs() < 0.02);
        assert!((found.covariances()[1][[0, 0]] - 25.0).abs() < 7.0);
        assert!(
            found.labels().iter().enumerate().filter(|(i, l)| (i % 3 == 0) == (**l == 2)).count()
                > 295
        );
    }

    #[test]
    fn one_component_is_the_covariance() {
        let rows = two_groups(200, 4);
        let found = fit(&rows, 1).unwrap();
        let mean = rows.mean_axis(Axis(0)).unwrap();
        assert!((&found.means().row(0) - &mean).iter().all(|v| v.abs() < 1e-10));
        let centred = &rows - &mean;
        let covariance = centred.t().dot(&centred) / 200.0 + Array2::<f64>::eye(4) * 1e-6;
        assert!((&found.covariances()[0] - &covariance).iter().all(|v| v.abs() < 1e-9));
    }

    #[test]
    fn far_rows_do_not_underflow() {
        let mut rows = two_groups(300, 20);
        rows.row_mut(7).fill(1e4);
        let found = fit(&rows, 2).unwrap();
        assert!(found.probabilities().iter().all(|p| p.is_finite()));
        assert!(found.log_likelihood().is_finite() && found.bic().is_finite());
    }

    #[test]
    fn bad_input_says_what_is_allowed() {
        let rows = two_groups(5, 2);
        assert!(fit(&rows, 0).is_err() && fit(&rows, 6).is_err());
        let flat = Array2::zeros((5, 2));
        assert!(fit(&flat, 1).is_ok() && fit(&flat, 2).is_err());
        let strict = GaussianMixture::params(1).regularization(0.0);
        assert!(strict.fit(&DatasetBase::from(flat.view())).unwrap_err().remedy().is_some());
    }
}
