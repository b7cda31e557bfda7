//! From labelled features to a random forest that gives the same answer every time it is trained or asked.

use linfa::DatasetBase;
use linfa::traits::{Fit, PredictInplace};
use ndarray::{Array1, Array2, ArrayBase, ArrayView2, Data, Ix2};

use super::bag::{Settings, Trained, canonical_order, train};
use super::params::{ForestParams, names_or_numbers};
use super::target::Classes;
use super::trees::{Trees, check_matrix};
use crate::error::{Error, Result};
use crate::table::Features;

/// A random forest that votes for classes (Breiman, *Random Forests*, 2001).
///
/// Each tree sees a bootstrap sample of the rows and, at every split, a random subset of the
/// features; a forest's probability is the mean of its trees' leaf shares.
///
/// # Determinism
/// The same rows, parameters and seed give the same trees, bit for bit, on any number of threads
/// and **in any order of the rows**: rows are put into an order of their own content first, so only
/// the contents of the table decide which rows a bootstrap draws.
///
/// ```
/// use linfa::traits::Fit;
/// use ndarray::array;
/// use polariscope::classify::RandomForest;
/// use polariscope::table::Features;
///
/// let features = Features::new(array![[1.0], [1.5], [2.0], [7.0], [7.5], [8.0]], ["area"])?;
/// let labelled = features.labelled(&[1, 1, 1, 4, 4, 4])?;
/// let forest = RandomForest::params().n_trees(20).seed(42).fit(&labelled)?;
///
/// assert_eq!(forest.classes(), [1, 4]);
/// assert_eq!(forest.assign(&features)?, [1, 1, 1, 4, 4, 4]);
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RandomForest {
    trees: Trees,
    classes: Vec<usize>,
    names: Vec<String>,
    importances: Vec<f64>,
    oob: Option<Array2<f64>>,
    oob_score: Option<f64>,
    n_rows: usize,
    seed: u64,
}

impl RandomForest {
    /// 100 trees of at most 8 splits on the way to a leaf of at least 2 rows.
    pub fn params() -> ForestParams<Self> {
        ForestParams::default()
    }

    /// The class labels, ascending; probabilities stand in this order.
    pub fn classes(&self) -> &[usize] {
        &self.classes
    }

    /// The features it was trained on, in order.
    pub fn feature_names(&self) -> &[String] {
        &self.names
    }

    /// The trees.
    pub fn trees(&self) -> &Trees {
        &self.trees
    }

    /// Rows it was trained on.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// The seed it was trained with.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The most probable class of each row; of equally probable ones the smallest.
    ///
    /// # Errors
    /// When the names of the features are not those of the training, in the same order.
    pub fn assign(&self, features: &Features) -> Result<Vec<usize>> {
        Ok(self.winners(&self.predict_proba(features)?))
    }

    /// The probability of each class for each row, shape `(n_rows, n_classes)`.
    ///
    /// # Errors
    /// As [`assign`](Self::assign).
    pub fn predict_proba(&self, features: &Features) -> Result<Array2<f64>> {
        check_names(&self.names, features.names())?;
        Ok(self.trees.mean_outputs_unchecked(features.matrix()))
    }

    /// As [`predict_proba`](Self::predict_proba), for a matrix without names.
    ///
    /// # Errors
    /// Another number of columns, or a value that is not finite, with its row and column.
    pub fn probabilities(&self, matrix: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        check_matrix(matrix, self.names.len(), &self.names)?;
        Ok(self.trees.mean_outputs_unchecked(matrix))
    }

    /// The class of the largest probability in each row of a matrix `(n_rows, n_classes)`.
    pub(crate) fn winners(&self, probabilities: &Array2<f64>) -> Vec<usize> {
        probabilities.rows().into_iter().map(|row| self.classes[largest(row.iter())]).collect()
    }

    /// How much Gini impurity each feature took away, as shares that sum to 1 (all 0 without a split).
    ///
    /// Features with many values are favoured and correlated features share their importance:
    /// [`permutation_importance`](Self::permutation_importance) and SHAP say more.
    pub fn importances(&self) -> &[f64] {
        &self.importances
    }

    /// Share of the rows that the trees which have not seen them put into the right class.
    ///
    /// `None` without bootstrap, or when no row was ever out of the bag.
    pub fn oob_score(&self) -> Option<f64> {
        self.oob_score
    }

    /// The out-of-bag probabilities, shape `(n_rows, n_classes)`; NaN for a row that every tree saw.
    pub fn oob_probabilities(&self) -> Option<&Array2<f64>> {
        self.oob.as_ref()
    }

    /// The out-of-bag class of each row; `None` for a row that every tree saw.
    pub fn oob_predictions(&self) -> Option<Vec<Option<usize>>> {
        let class = |row: ndarray::ArrayView1<'_, f64>| {
            (!row[0].is_nan()).then(|| self.classes[largest(row.iter())])
        };
        Some(self.oob_probabilities()?.rows().into_iter().map(class).collect())
    }
}

/// The position of the largest number, the first of equal ones.
pub(crate) fn largest<'a>(numbers: impl Iterator<Item = &'a f64>) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (i, &x) in numbers.enumerate() {
        if x > best.1 {
            best = (i, x);
        }
    }
    best.0
}

/// The features must be those of the training, in the same order.
pub(crate) fn check_names(trained: &[String], found: &[String]) -> Result<()> {
    if trained == found {
        return Ok(());
    }
    let without = |a: &[String], b: &[String]| -> Vec<String> {
        a.iter().filter(|name| !b.contains(name)).map(|name| format!("`{name}`")).collect()
    };
    let (missing, unknown) = (without(trained, found), without(found, trained));
    let mut parts = Vec::new();
    if !missing.is_empty() {
        parts.push(format!("missing {}", missing.join(", ")));
    }
    if !unknown.is_empty() {
        parts.push(format!("not trained on {}", unknown.join(", ")));
    }
    if parts.is_empty() {
        parts.push(format!("another order: trained on {}", trained.join(", ")));
    }
    Err(Error::data(format!("the features do not match the forest's: {}", parts.join("; ")))
        .help("give the columns the forest was trained on, in the same order"))
}

impl<D: Data<Elem = f64>> Fit<ArrayBase<D, Ix2>, Array1<usize>, Error>
    for ForestParams<RandomForest>
{
    type Object = RandomForest;

    /// Trains the forest on one class label per row; any numbers may be labels.
    ///
    /// # Errors
    /// A parameter out of range, no rows or no columns, a value that is not finite, more than
    /// 65,535 classes.
    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, Array1<usize>>) -> Result<RandomForest> {
        let (matrix, labels) = (dataset.records().view(), dataset.targets());
        let names = names_or_numbers(dataset.feature_names(), matrix.ncols());
        self.check(matrix, labels.len(), &names)?;
        let mut classes = labels.to_vec();
        classes.sort_unstable();
        classes.dedup();
        if classes.len() > usize::from(u16::MAX) {
            return Err(Error::data(format!(
                "{} classes: at most {} can be told apart",
                classes.len(),
                u16::MAX
            ))
            .help("is the target a measurement? then grow a RegressionForest"));
        }
        let of_class = |label: &usize| classes.partition_point(|c| c < label) as u16;
        let labels: Vec<u16> = labels.iter().map(of_class).collect();
        let weights = self.weights(&classes, &labels)?;
        let settings = self.settings(matrix.ncols());
        let trained = train_classes(&settings, matrix, &labels, classes.len(), weights.as_deref());
        Ok(RandomForest {
            oob_score: trained.oob.as_ref().and_then(|oob| oob_accuracy(oob, &labels)),
            oob: trained.oob,
            trees: trained.trees,
            classes,
            names,
            importances: trained.importances,
            n_rows: labels.len(),
            seed: self.seed_value(),
        })
    }
}

/// Hands the work to the code made for the number of classes.
fn train_classes(
    settings: &Settings,
    matrix: ArrayView2<'_, f64>,
    labels: &[u16],
    n_classes: usize,
    weights: Option<&[f64]>,
) -> Trained {
    let order = canonical_order(matrix, |row| u64::from(labels[row]));
    let sorted: Vec<u16> = order.iter().map(|&r| labels[r as usize]).collect();
    macro_rules! train_with {
        ($k:literal) => {
            train(settings, matrix, &order, &sorted, &Classes::<$k> { n_classes, weights })
        };
    }
    match n_classes {
        2 => train_with!(2),
        3 => train_with!(3),
        4 => train_with!(4),
        _ => train_with!(0),
    }
}

/// Share of the rows that were out of the bag and fell into the right class.
fn oob_accuracy(oob: &Array2<f64>, labels: &[u16]) -> Option<f64> {
    let judged: Vec<bool> = oob
        .rows()
        .into_iter()
        .zip(labels)
        .filter(|(row, _)| !row[0].is_nan())
        .map(|(row, &label)| largest(row.iter()) == usize::from(label))
        .collect();
    let right = judged.iter().filter(|r| **r).count();
    (!judged.is_empty()).then(|| right as f64 / judged.len() as f64)
}

impl<D: Data<Elem = f64>> PredictInplace<ArrayBase<D, Ix2>, Array1<usize>> for RandomForest {
    /// # Panics
    /// When the matrix has another number of columns than the training had;
    /// [`assign`](RandomForest::assign) returns an error instead.
    fn predict_inplace(&self, x: &ArrayBase<D, Ix2>, y: &mut Array1<usize>) {
        assert_eq!(x.ncols(), self.names.len(), "the forest was trained on other columns");
        *y = self.winners(&self.trees.mean_outputs_unchecked(x.view())).into();
    }

    fn default_target(&self, x: &ArrayBase<D, Ix2>) -> Array1<usize> {
        Array1::zeros(x.nrows())
    }
}
