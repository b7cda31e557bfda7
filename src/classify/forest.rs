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
    /// 100 trees of at most 8 splits on the way to a leaf.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::{ClassWeight, MaxFeatures, RegressionForest};
    use crate::seed::Seed;

    fn data(n: usize, d: usize) -> (Array2<f64>, Array1<usize>) {
        let mut stream = Seed::new(3).stream("table", 0);
        let matrix = Array2::from_shape_simple_fn((n, d), || stream.normal());
        let labels = matrix.rows().into_iter().map(|r| 5 * ((r[0] + r[1]).abs() as usize).min(2));
        let labels = labels.collect();
        (matrix, labels)
    }

    fn fit(
        params: &ForestParams<RandomForest>,
        x: &Array2<f64>,
        y: &Array1<usize>,
    ) -> RandomForest {
        params.fit(&DatasetBase::new(x.clone(), y.clone())).unwrap()
    }

    #[test]
    fn threads_and_row_order_change_nothing() {
        let (x, y) = data(700, 6);
        let params = RandomForest::params().n_trees(30).max_depth(None).min_samples_leaf(1).seed(9);
        let forest = fit(&params, &x, &y);
        for threads in [1, 2, 7] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let again = pool.install(|| fit(&params, &x, &y));
            assert_eq!(again.trees(), forest.trees());
            assert_eq!(again.oob_probabilities(), forest.oob_probabilities());
            assert_eq!(again.importances(), forest.importances());
        }
        let mut order: Vec<usize> = (0..700).collect();
        Seed::new(1).stream("order", 0).shuffle(&mut order);
        let shuffled = x.select(ndarray::Axis(0), &order);
        let permuted = fit(&params, &shuffled, &order.iter().map(|&r| y[r]).collect());
        assert_eq!(permuted.trees(), forest.trees());
        let oob = forest.oob_probabilities().unwrap().select(ndarray::Axis(0), &order);
        assert_eq!(permuted.oob_probabilities().unwrap(), oob);
        assert_ne!(fit(&params.clone().seed(10), &x, &y).trees(), forest.trees());
    }

    #[test]
    fn one_full_tree_without_bootstrap_knows_its_rows() {
        let (x, y) = data(300, 3);
        let params = RandomForest::params().n_trees(1).bootstrap(false).min_samples_leaf(1);
        let forest = fit(&params.max_depth(None).max_features(MaxFeatures::All), &x, &y);
        let probabilities = forest.probabilities(x.view()).unwrap();
        assert_eq!(forest.winners(&probabilities), y.to_vec());
        assert!(probabilities.iter().all(|p| *p == 0.0 || *p == 1.0));
        assert!(forest.oob_score().is_none() && forest.oob_predictions().is_none());
        assert!((forest.importances().iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    /// The best cut of some rows by trying every threshold with the Gini impurity in f64.
    fn best_cut(
        x: &Array2<f64>,
        y: &Array1<usize>,
        rows: &[usize],
        min_leaf: usize,
    ) -> Option<(usize, f64)> {
        let gini = |rows: &[usize]| {
            let n = rows.len() as f64;
            let share = |c: usize| rows.iter().filter(|&&r| y[r] == c).count() as f64 / n;
            n * (1.0 - [0, 5, 10].map(|c| share(c).powi(2)).iter().sum::<f64>())
        };
        let mut best = (f64::INFINITY, None);
        if gini(rows) < 1e-9 {
            return None;
        }
        for f in 0..x.ncols() {
            let mut values: Vec<f64> = rows.iter().map(|&r| x[[r, f]]).collect();
            values.sort_by(f64::total_cmp);
            for pair in values.windows(2).filter(|pair| pair[0] < pair[1]) {
                let t = f64::midpoint(pair[0], pair[1]);
                let (l, r): (Vec<usize>, Vec<usize>) = rows.iter().partition(|&&r| x[[r, f]] <= t);
                let cost = gini(&l) + gini(&r);
                if l.len().min(r.len()) >= min_leaf && cost < best.0 - 1e-9 {
                    best = (cost, Some((f, t)));
                }
            }
        }
        best.1
    }

    #[test]
    fn every_split_is_the_best_one() {
        use crate::classify::tree::Kind;

        let (mut x, y) = data(150, 4);
        // A feature of few values: bins with rows of several classes.
        x.column_mut(2).mapv_inplace(f64::round);
        for min_leaf in [1, 6] {
            let params = RandomForest::params().n_trees(1).bootstrap(false).max_depth(None);
            let params = params.min_samples_leaf(min_leaf).max_features(MaxFeatures::All);
            let forest = fit(&params, &x, &y);
            let tree = &forest.trees().as_slice()[0];
            assert!(tree.n_leaves() > 12);
            let mut open = vec![(0, (0..150).collect::<Vec<usize>>())];
            while let Some((node, rows)) = open.pop() {
                let best = best_cut(&x, &y, &rows, min_leaf);
                let Kind::Split { feature, threshold, left } = tree.kind(node) else {
                    assert_eq!(best, None, "leaf {node}");
                    continue;
                };
                assert_eq!(best, Some((feature, threshold)), "node {node}");
                let (l, r) = rows.into_iter().partition(|&r| x[[r, feature]] <= threshold);
                open.extend([(left, l), (left + 1, r)]);
            }
        }
    }

    #[test]
    fn limits_are_kept() {
        let (x, y) = data(500, 5);
        let forest = fit(&RandomForest::params().max_depth(3).min_samples_leaf(20), &x, &y);
        assert!(forest.trees().depth() <= 3);
        assert!(forest.trees().as_slice().iter().flat_map(|t| &t.cover).all(|c| *c >= 20.0));
        assert!(forest.oob_score().unwrap() > 0.5, "{:?}", forest.oob_score());
    }

    #[test]
    fn odd_tables_have_clear_answers() {
        let one = fit(&RandomForest::params(), &Array2::zeros((1, 1)), &Array1::from(vec![8]));
        assert_eq!((one.classes(), one.oob_score()), (&[8][..], None));
        let constant =
            fit(&RandomForest::params(), &Array2::ones((6, 2)), &array_of(&[1, 1, 1, 1, 9, 9]));
        let shares = constant.probabilities(Array2::ones((1, 2)).view()).unwrap();
        assert!((shares[[0, 0]] - 2.0 / 3.0).abs() < 0.1 && constant.importances() == [0.0, 0.0]);
        let many = Array2::from_shape_fn((600, 1), |(i, _)| i as f64);
        let labels: Array1<usize> = (0..600).map(|i| 1000 * (i / 2)).collect();
        let forest =
            fit(&RandomForest::params().max_depth(None).min_samples_leaf(1), &many, &labels);
        assert_eq!(forest.classes().len(), 300);
        assert!(forest.winners(&forest.probabilities(many.view()).unwrap()).len() == 600);
        assert!(
            RandomForest::params().fit(&DatasetBase::new(many.clone(), array_of(&[1]))).is_err()
        );
        let empty = DatasetBase::new(Array2::<f64>::zeros((0, 2)), array_of(&[]));
        assert!(RandomForest::params().fit(&empty).is_err());
        let mut holes = many.clone();
        holes[[4, 0]] = f64::INFINITY;
        let error =
            RandomForest::params().fit(&DatasetBase::new(holes.clone(), labels)).unwrap_err();
        assert_eq!((error.row(), error.column()), (Some(5), Some("feature_0")));
        assert_eq!(forest.probabilities(holes.view()).unwrap_err().row(), Some(5));
        for wrong in [
            RandomForest::params().n_trees(0),
            RandomForest::params().max_depth(0),
            RandomForest::params().min_samples_leaf(0),
            RandomForest::params().max_features(0),
            RandomForest::params().max_features(MaxFeatures::Share(1.5)),
            RandomForest::params().class_weight(ClassWeight::Given(vec![(0, -1.0)])),
        ] {
            let (x, y) = data(10, 2);
            assert!(wrong.fit(&DatasetBase::new(x, y)).is_err());
        }
    }

    fn array_of(labels: &[usize]) -> Array1<usize> {
        Array1::from(labels.to_vec())
    }

    #[test]
    fn names_are_checked() {
        let (x, y) = data(20, 2);
        let features = Features::new(x.clone(), ["area", "extent"]).unwrap();
        let forest = RandomForest::params().fit(&features.labelled(&y.to_vec()).unwrap()).unwrap();
        assert!(forest.assign(&features).is_ok());
        for (names, says) in [
            (["area", "extend"], "missing `extent`; not trained on `extend`"),
            (["extent", "area"], "another order"),
        ] {
            let error = forest.assign(&Features::new(x.clone(), names).unwrap()).unwrap_err();
            assert!(error.message().contains(says), "{error}");
        }
    }

    #[test]
    fn balanced_weights_lift_the_rare_class() {
        let x = Array2::from_shape_fn((100, 1), |(i, _)| (i % 10) as f64);
        let y: Array1<usize> = (0..100).map(|i| usize::from(i % 10 == 0 && i % 20 == 0)).collect();
        let share = |params: ForestParams<RandomForest>| {
            fit(&params, &x, &y).probabilities(Array2::zeros((1, 1)).view()).unwrap()[[0, 1]]
        };
        let plain = share(RandomForest::params());
        let balanced = share(RandomForest::params().class_weight(ClassWeight::Balanced));
        assert!(plain < 0.65 && balanced > 0.9, "{plain} {balanced}");
    }

    #[test]
    fn a_regression_follows_its_target() {
        let (x, _) = data(400, 3);
        let y: Array1<f64> = x.rows().into_iter().map(|r| 1e6 + 3.0 * r[0] + r[1] * r[1]).collect();
        let params = RegressionForest::params().max_depth(None);
        let forest = params.fit(&DatasetBase::new(x.clone(), y.clone())).unwrap();
        assert!(forest.oob_score().unwrap() > 0.85, "{:?}", forest.oob_score());
        let found = forest.values(x.view()).unwrap();
        assert!(found.iter().zip(&y).all(|(a, b)| (a - b).abs() < 6.0));
        assert!(forest.importances()[0] > forest.importances()[2]);
    }
}
