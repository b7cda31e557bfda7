//! From features with one number per row to a forest that predicts the number.

use linfa::DatasetBase;
use linfa::traits::{Fit, PredictInplace};
use ndarray::{Array1, ArrayBase, ArrayView2, Data, Ix2};

use super::bag::{canonical_order, train};
use super::forest::check_names;
use super::params::{ForestParams, MaxFeatures, names_or_numbers};
use super::target::Numbers;
use super::trees::{Trees, check_matrix};
use crate::error::{Error, Result};
use crate::table::Features;

/// A random forest that predicts a number: the mean of its leaves' means.
///
/// Splits lower the variance of the target, held to one part in 2^31 of its range so that sums are
/// exact; leaves hold the mean of the targets themselves. Deterministic as
/// [`RandomForest`](super::RandomForest) is.
///
/// ```
/// use linfa::{DatasetBase, traits::Fit};
/// use ndarray::array;
/// use polariscope::classify::RegressionForest;
///
/// let data = DatasetBase::new(array![[1.0], [2.0], [8.0], [9.0]], array![10.0, 10.0, 20.0, 20.0]);
/// let forest = RegressionForest::params().bootstrap(false).fit(&data)?;
/// assert_eq!(forest.values(array![[0.0], [10.0]].view())?.to_vec(), [10.0, 20.0]);
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RegressionForest {
    trees: Trees,
    names: Vec<String>,
    importances: Vec<f64>,
    oob: Option<Array1<f64>>,
    oob_r2: Option<f64>,
}

impl Default for ForestParams<RegressionForest> {
    fn default() -> Self {
        Self::with(MaxFeatures::All)
    }
}

impl RegressionForest {
    /// 100 trees of at most 8 splits on the way to a leaf.
    pub fn params() -> ForestParams<Self> {
        ForestParams::default()
    }

    /// The features it was trained on, in order.
    pub fn feature_names(&self) -> &[String] {
        &self.names
    }

    /// The trees.
    pub fn trees(&self) -> &Trees {
        &self.trees
    }

    /// The predicted number of each row.
    ///
    /// # Errors
    /// When the names of the features are not those of the training, in the same order.
    pub fn assign(&self, features: &Features) -> Result<Array1<f64>> {
        check_names(&self.names, features.names())?;
        self.values(features.matrix())
    }

    /// As [`assign`](Self::assign), for a matrix without names.
    ///
    /// # Errors
    /// Another number of columns, or a value that is not finite, with its row and column.
    pub fn values(&self, matrix: ArrayView2<'_, f64>) -> Result<Array1<f64>> {
        check_matrix(matrix, self.names.len(), &self.names)?;
        Ok(self.trees.mean_outputs_unchecked(matrix).column(0).to_owned())
    }

    /// How much variance each feature took away, as shares that sum to 1 (all 0 without a split).
    pub fn importances(&self) -> &[f64] {
        &self.importances
    }

    /// Out-of-bag predictions, NaN for a row that every tree saw; `None` without bootstrap.
    pub fn oob_predictions(&self) -> Option<&Array1<f64>> {
        self.oob.as_ref()
    }

    /// R² of the out-of-bag predictions; `None` without bootstrap or where the target is constant.
    pub fn oob_score(&self) -> Option<f64> {
        self.oob_r2
    }
}

impl<D: Data<Elem = f64>> Fit<ArrayBase<D, Ix2>, Array1<f64>, Error>
    for ForestParams<RegressionForest>
{
    type Object = RegressionForest;

    /// Trains the forest on one number per row.
    ///
    /// # Errors
    /// A parameter out of range, no rows or no columns, a feature or target that is not finite.
    fn fit(
        &self,
        dataset: &DatasetBase<ArrayBase<D, Ix2>, Array1<f64>>,
    ) -> Result<RegressionForest> {
        let (matrix, targets) = (dataset.records().view(), dataset.targets());
        let names = names_or_numbers(dataset.feature_names(), matrix.ncols());
        self.check(matrix, targets.len(), &names)?;
        if let Some((row, value)) = targets.iter().enumerate().find(|(_, v)| !v.is_finite()) {
            let error = Error::data(format!("the target {value} is not a finite number"));
            return Err(error.at_row(row + 1).help("drop the row"));
        }
        let order = canonical_order(matrix, |row| targets[row].to_bits());
        let numbers = Numbers::new(order.iter().map(|&r| targets[r as usize]).collect());
        let classes = vec![0; order.len()];
        let trained = train(&self.settings(matrix.ncols()), matrix, &order, &classes, &numbers);
        let oob = trained.oob.map(|oob| oob.column(0).to_owned());
        Ok(RegressionForest {
            oob_r2: oob.as_ref().and_then(|oob| r2(targets, oob)),
            oob,
            trees: trained.trees,
            names,
            importances: trained.importances,
        })
    }
}

/// Share of the variance explained, over the rows that have a prediction.
pub(crate) fn r2(targets: &Array1<f64>, predicted: &Array1<f64>) -> Option<f64> {
    let pairs: Vec<(f64, f64)> =
        targets.iter().copied().zip(predicted.iter().copied()).filter(|p| !p.1.is_nan()).collect();
    let mean = pairs.iter().map(|p| p.0).sum::<f64>() / pairs.len() as f64;
    let total: f64 = pairs.iter().map(|p| (p.0 - mean).powi(2)).sum();
    let left: f64 = pairs.iter().map(|p| (p.0 - p.1).powi(2)).sum();
    (total > 0.0).then(|| 1.0 - left / total)
}

impl<D: Data<Elem = f64>> PredictInplace<ArrayBase<D, Ix2>, Array1<f64>> for RegressionForest {
    /// # Panics
    /// When the matrix has another number of columns than the training had;
    /// [`values`](RegressionForest::values) returns an error instead.
    fn predict_inplace(&self, x: &ArrayBase<D, Ix2>, y: &mut Array1<f64>) {
        assert_eq!(x.ncols(), self.names.len(), "the forest was trained on other columns");
        *y = self.trees.mean_outputs_unchecked(x.view()).column(0).to_owned();
    }

    fn default_target(&self, x: &ArrayBase<D, Ix2>) -> Array1<f64> {
        Array1::zeros(x.nrows())
    }
}
