//! Principal components: a matrix in; directions, how much of the total variance each explains, and
//! coordinates out.

use linfa::DatasetBase;
use linfa::traits::{Fit, Transformer};
use nalgebra::{DMatrix, SymmetricEigen};
use ndarray::{Array1, Array2, ArrayBase, ArrayView1, ArrayView2, Axis, Data, Ix2};

use super::moments::{Moments, project};
use crate::error::{Error, Result};

/// A variance below this share of the largest is rounding error, not a direction of the data.
const NEGLIGIBLE: f64 = 1e-14;

/// A fitted principal component analysis.
///
/// Components are sorted by variance; the sign of each is such that its largest absolute loading is
/// positive. Shares are shares of the **total** variance, whether or not all components were kept.
///
/// ```
/// use linfa::traits::Fit;
/// use ndarray::array;
/// use polariscope::embed::Pca;
/// use polariscope::table::Features;
///
/// let table = array![[1.0, 2.0], [2.0, 4.1], [3.0, 5.9], [4.0, 8.0]];
/// let features = Features::new(table, ["length", "width"])?;
/// let pca = Pca::params(1).fit(&features)?;
/// assert_eq!(pca.coordinates().dim(), (4, 1));
/// assert!(pca.explained_variance_ratio()[0] > 0.999);
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # Determinism
/// Nothing is drawn at random, and the result has the same bits on any number of threads.
///
/// # References
/// I. T. Jolliffe, *Principal Component Analysis*, 2nd edition, 2002, sections 1.1 and 3.5.
#[derive(Debug, Clone)]
pub struct Pca {
    mean: Array1<f64>,
    components: Array2<f64>,
    eigenvalues: Array1<f64>,
    total_variance: f64,
    coordinates: Array2<f64>,
    names: Vec<String>,
}

/// What to compute; see [`Pca::params`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PcaParams {
    n_components: usize,
}

impl Pca {
    /// Keeps `n_components`: at least 1, at most the smaller side of the matrix.
    pub fn params(n_components: usize) -> PcaParams {
        PcaParams { n_components }
    }

    /// Mean of each feature, length `n_features`.
    pub fn mean(&self) -> ArrayView1<'_, f64> {
        self.mean.view()
    }

    /// Loadings of unit length, shape `(n_components, n_features)`.
    pub fn components(&self) -> ArrayView2<'_, f64> {
        self.components.view()
    }

    /// Variance along each kept component (divided by n - 1), in squared units of the features.
    pub fn explained_variance(&self) -> ArrayView1<'_, f64> {
        self.eigenvalues.slice(ndarray::s![..self.components.nrows()])
    }

    /// Share of the total variance along each kept component, from 0 to 1; zeros for constant data.
    pub fn explained_variance_ratio(&self) -> Array1<f64> {
        let total = if self.total_variance > 0.0 { self.total_variance } else { 1.0 };
        &self.explained_variance() / total
    }

    /// Variances along all `min(n_rows, n_features)` components, descending.
    pub fn eigenvalues(&self) -> ArrayView1<'_, f64> {
        self.eigenvalues.view()
    }

    /// Sum of the variances of all features.
    pub fn total_variance(&self) -> f64 {
        self.total_variance
    }

    /// The fitted rows along the components, shape `(n_rows, n_components)`.
    pub fn coordinates(&self) -> ArrayView2<'_, f64> {
        self.coordinates.view()
    }

    /// Names of the features, in the order of the loadings.
    pub fn feature_names(&self) -> &[String] {
        &self.names
    }

    /// Places new rows, shape `(m, n_features)`, along the components: shape `(m, n_components)`.
    ///
    /// # Errors
    /// When the number of columns is not the number of features, or a value is not finite.
    pub fn transform(&self, rows: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        if rows.ncols() != self.mean.len() {
            let (found, wanted) = (rows.ncols(), self.mean.len());
            return Err(Error::data(format!("found {found} columns, but {wanted} were fitted")));
        }
        let coordinates = project(rows, self.mean.view(), self.components.t());
        if coordinates.iter().all(|v| v.is_finite()) {
            return Ok(coordinates);
        }
        Err(not_finite(rows, &self.names))
    }
}

impl<D: Data<Elem = f64>, T> Fit<ArrayBase<D, Ix2>, T, Error> for PcaParams {
    type Object = Pca;

    /// # Errors
    /// A number of components out of range, fewer than 2 rows, or a value that is not finite.
    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Pca> {
        let rows = dataset.records().view();
        self.check(rows)?;
        let (mean, scatter) = if rows.nrows() < rows.ncols() {
            let mean = rows.mean_axis(Axis(0)).unwrap_or_default();
            let centred = &rows - &mean;
            let gram = centred.dot(&centred.t());
            (mean, Scatter { of_rows: Some(centred), products: gram })
        } else {
            let Moments { mean, scatter, .. } = Moments::of(rows);
            (mean, Scatter { of_rows: None, products: scatter })
        };
        let total = scatter.products.diag().sum();
        if !total.is_finite() {
            return Err(not_finite(rows, dataset.feature_names()));
        }
        let (sums, components) = scatter.principal(self.n_components);
        let divisor = rows.nrows() as f64 - 1.0;
        let coordinates = project(rows, mean.view(), components.t());
        Ok(Pca {
            mean,
            components,
            eigenvalues: sums / divisor,
            total_variance: total / divisor,
            coordinates,
            names: dataset.feature_names().to_vec(),
        })
    }
}

impl<D: Data<Elem = f64>> Transformer<&ArrayBase<D, Ix2>, Array2<f64>> for Pca {
    /// linfa's infallible form of [`Pca::transform`].
    ///
    /// # Panics
    /// When the number of columns is not the number of features.
    fn transform(&self, rows: &ArrayBase<D, Ix2>) -> Array2<f64> {
        assert_eq!(rows.ncols(), self.mean.len(), "columns differ from the fitted features");
        project(rows.view(), self.mean.view(), self.components.t())
    }
}

impl PcaParams {
    fn check(&self, rows: ArrayView2<'_, f64>) -> Result<()> {
        let (n, d) = rows.dim();
        if n < 2 || d == 0 {
            return Err(Error::data(format!(
                "components need at least 2 rows and 1 feature; found {n} rows and {d} features"
            )));
        }
        if self.n_components == 0 || self.n_components > n.min(d) {
            let allowed = format!(
                "at least 1 and at most the smaller of rows and features (min({n}, {d}) = {})",
                n.min(d)
            );
            return Err(Error::parameter("n_components", self.n_components, allowed));
        }
        Ok(())
    }
}

/// The products of centred data with itself, over columns or, for wide tables, over rows.
struct Scatter {
    of_rows: Option<Array2<f64>>,
    products: Array2<f64>,
}

impl Scatter {
    /// All sums of squares, descending, and the first `k` directions in feature space.
    fn principal(&self, k: usize) -> (Array1<f64>, Array2<f64>) {
        let (sums, vectors) = symmetric_eigen(self.products.view());
        let mut directions = match &self.of_rows {
            None => vectors.slice(ndarray::s![..k, ..]).to_owned(),
            Some(centred) => {
                let mut directions = vectors.slice(ndarray::s![..k, ..]).dot(centred);
                let floor = sums[0] * NEGLIGIBLE;
                for (mut row, &sum) in directions.outer_iter_mut().zip(&sums) {
                    row /= if sum > floor { sum.sqrt() } else { f64::INFINITY };
                }
                complete_basis(&mut directions);
                directions
            }
        };
        directions.outer_iter_mut().for_each(|mut row| {
            if largest_loading(row.view()) < 0.0 {
                row.mapv_inplace(|v| -v);
            }
        });
        (sums, directions)
    }
}

/// Eigenvalues, descending and not below 0, and eigenvectors as rows, of a symmetric matrix.
pub(crate) fn symmetric_eigen(matrix: ArrayView2<'_, f64>) -> (Array1<f64>, Array2<f64>) {
    let n = matrix.nrows();
    // The solver's stopping rule is absolute: give it numbers around 1.
    let scale = matrix.iter().fold(0.0f64, |s, v| s.max(v.abs()));
    let unit = if scale > 0.0 { scale } else { 1.0 };
    let eigen = SymmetricEigen::new(DMatrix::from_fn(n, n, |i, j| matrix[[i, j]] / unit));
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let values = order.iter().map(|&i| eigen.eigenvalues[i].max(0.0) * unit).collect();
    let vectors = Array2::from_shape_fn((n, n), |(i, j)| eigen.eigenvectors[(j, order[i])]);
    (values, vectors)
}

/// The direction of largest variance of a scatter matrix, with the sign every component here has.
pub(crate) fn first_component(scatter: ArrayView2<'_, f64>) -> Array1<f64> {
    let (_, vectors) = symmetric_eigen(scatter);
    let first = vectors.row(0);
    if largest_loading(first) < 0.0 { -&first } else { first.to_owned() }
}

/// Makes the rows orthonormal in order; rows of zeros become directions orthogonal to all others.
fn complete_basis(directions: &mut Array2<f64>) {
    let (k, d) = directions.dim();
    // Of all axes, at least one keeps 1 / d of its squared length.
    let enough = 0.5 / (d as f64).sqrt();
    let mut unit = 0;
    for i in 0..k {
        loop {
            let (before, mut rest) = directions.view_mut().split_at(Axis(0), i);
            let mut row = rest.row_mut(0);
            // Twice is enough (Giraud et al. 2005).
            for _ in 0..2 {
                for earlier in before.outer_iter() {
                    let dot = earlier.dot(&row);
                    row.scaled_add(-dot, &earlier);
                }
            }
            let length = row.dot(&row).sqrt();
            if length > enough || unit == d {
                row /= length.max(f64::MIN_POSITIVE);
                break;
            }
            // No direction of the data is left: take the next axis that the others do not span.
            row.fill(0.0);
            row[unit] = 1.0;
            unit += 1;
        }
    }
}

/// The loading of largest magnitude; among near ties (within rounding) the first.
fn largest_loading(row: ArrayView1<'_, f64>) -> f64 {
    let largest = row.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    row.iter().copied().find(|v| v.abs() >= largest * (1.0 - 1e-9)).unwrap_or(0.0)
}

/// The error that names the first value that is not finite, or says that sums of squares overflow.
pub(crate) fn not_finite(rows: ArrayView2<'_, f64>, names: &[String]) -> Error {
    match rows.indexed_iter().find(|(_, v)| !v.is_finite()) {
        Some(((row, column), value)) => {
            let name = names.get(column).cloned().unwrap_or_else(|| (column + 1).to_string());
            Error::data(format!("{value} is not a finite number")).at_row(row + 1).at_column(name)
        }
        None => {
            Error::data("the values are too large to add up").help("standardize the columns first")
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::seed::Seed;

    fn table(n: usize, d: usize) -> Array2<f64> {
        let mut stream = Seed::new(2).stream("pca", (n * d) as u64);
        Array2::from_shape_fn((n, d), |(_, j)| (j + 1) as f64 * stream.normal() + 100.0)
    }

    fn fit(rows: &Array2<f64>, k: usize) -> Result<Pca> {
        Pca::params(k).fit(&DatasetBase::from(rows.view()))
    }

    fn assert_close(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>, tolerance: f64) {
        assert_eq!(a.dim(), b.dim());
        let worst = (&a - &b).iter().fold(0.0f64, |w, v| w.max(v.abs()));
        assert!(worst <= tolerance, "{worst}");
    }

    #[test]
    fn all_components_rebuild_the_table_tall_or_wide() {
        for (n, d) in [(50, 6), (6, 50), (2, 3), (3, 2), (2, 2), (5, 5), (40, 1), (300, 70)] {
            let rows = table(n, d);
            let k = n.min(d);
            let pca = fit(&rows, k).unwrap();
            let unit = pca.components().dot(&pca.components().t());
            assert_close(unit.view(), Array2::eye(k).view(), 1e-10);
            let rebuilt = pca.coordinates().dot(&pca.components()) + pca.mean();
            assert_close(rebuilt.view(), rows.view(), 1e-9);
            let variances = pca.coordinates().var_axis(Axis(0), 1.0);
            for (found, wanted) in pca.explained_variance().iter().zip(&variances) {
                assert!((found - wanted).abs() < 1e-9 * pca.total_variance());
            }
            assert!((pca.explained_variance_ratio().sum() - 1.0).abs() < 1e-12);
            assert_eq!(pca.transform(rows.view()).unwrap(), pca.coordinates());
        }
    }

    #[test]
    fn shares_are_of_the_total_however_many_are_kept() {
        let rows = table(60, 8);
        let (few, all) = (fit(&rows, 2).unwrap(), fit(&rows, 8).unwrap());
        assert_eq!(few.explained_variance_ratio()[1], all.explained_variance_ratio()[1]);
        assert_eq!(few.eigenvalues(), all.eigenvalues());
        assert_eq!(few.components(), all.components().slice(ndarray::s![..2, ..]));
    }

    #[test]
    fn constant_columns_and_duplicates_are_harmless() {
        let pca = fit(&array![[1.0, 7.0], [2.0, 7.0], [2.0, 7.0], [4.0, 7.0]], 2).unwrap();
        assert_eq!(pca.components(), array![[1.0, 0.0], [0.0, 1.0]]);
        assert_eq!(pca.explained_variance_ratio(), array![1.0, 0.0]);
        for (n, d) in [(4, 3), (3, 9)] {
            let pca = fit(&Array2::from_elem((n, d), 5.0), 3).unwrap();
            assert_eq!(pca.explained_variance_ratio(), array![0.0, 0.0, 0.0]);
            assert!(pca.components().iter().all(|v| v.is_finite()));
        }
    }

    #[test]
    fn bad_input_says_what_is_allowed() {
        let rows = table(4, 3);
        let message = |k| fit(&rows, k).unwrap_err().to_string();
        let allowed =
            "must be at least 1 and at most the smaller of rows and features (min(4, 3) = 3)";
        assert_eq!(message(0), format!("n_components = 0 is invalid: {allowed}"));
        assert_eq!(message(4), format!("n_components = 4 is invalid: {allowed}"));
        assert!(fit(&table(1, 3), 1).is_err());
        for (n, d) in [(4, 3), (3, 4)] {
            let mut rows = table(n, d);
            rows[[2, 1]] = f64::NAN;
            let error = fit(&rows, 1).unwrap_err();
            assert_eq!(error.to_string(), "row 3: column `2`: NaN is not a finite number");
        }
        assert!(fit(&array![[1e200], [-1e200]], 1).unwrap_err().remedy().is_some());
        let pca = fit(&rows, 1).unwrap();
        assert!(pca.transform(table(2, 2).view()).is_err());
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let rows = table(30_000, 11);
        let fit_on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let pca = pool.install(|| fit(&rows, 4)).unwrap();
            (pca.components().to_owned(), pca.coordinates().to_owned())
        };
        assert_eq!(fit_on(1), fit_on(2));
        assert_eq!(fit_on(1), fit_on(7));
    }

    #[test]
    fn the_lectures_table_gives_the_expected_numbers() {
        let folder = std::env::var("POLARISCOPE_SHARED")
            .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data").to_string());
        let read = |name: &str| -> Option<Array2<f64>> {
            let text = std::fs::read_to_string(format!("{folder}/expected/ml/{name}")).ok()?;
            let rows: Vec<Vec<f64>> = text
                .lines()
                .skip(1)
                .map(|line| line.split(',').map(|v| v.parse().unwrap()).collect())
                .collect();
            let width = rows[0].len();
            Some(Array2::from_shape_vec((rows.len(), width), rows.concat()).unwrap())
        };
        let Some(rows) = read("standard_scaled_44x16.csv") else {
            println!("skipped: no ../shared/data");
            return;
        };
        let expected = read("pca_scaled_components.csv").unwrap();
        let mut scores = read("pca_scaled_scores.csv").unwrap();
        let pca = fit(&rows, 16).unwrap();
        // The 16th column is constant: its component is rounding noise on both sides.
        for i in 0..15 {
            let sign =
                expected.row(i).slice(ndarray::s![..16]).dot(&pca.components().row(i)).signum();
            scores.column_mut(i).mapv_inplace(|v| v * sign);
            let loadings = &expected.row(i).slice(ndarray::s![..16]) * sign;
            let worst =
                (&loadings - &pca.components().row(i)).iter().fold(0.0f64, |w, v| w.max(v.abs()));
            assert!(worst < 1e-9, "component {i}: {worst}");
            assert!((expected[[i, 16]] - pca.explained_variance()[i]).abs() < 1e-9);
            assert!((expected[[i, 17]] - pca.explained_variance_ratio()[i]).abs() < 1e-9);
        }
        let kept = ndarray::s![.., ..15];
        assert_close(scores.slice(kept), pca.coordinates().slice(kept), 1e-9);
    }
}
