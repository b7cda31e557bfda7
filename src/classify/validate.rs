//! Judging a forest on rows it has not seen: splits of a table, and cross-validation over them.

use linfa::traits::Fit;

use super::forest::RandomForest;
use super::metrics::Confusion;
use super::params::ForestParams;
use crate::error::{Error, Result};
use crate::seed::Seed;
use crate::table::Features;

/// Rows to train on and rows to judge on, as ascending positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Rows to train on.
    pub train: Vec<usize>,
    /// Rows to judge on.
    pub test: Vec<usize>,
}

impl Split {
    fn of(in_test: &[bool]) -> Self {
        let rows = |wanted: bool| (0..in_test.len()).filter(|&r| in_test[r] == wanted).collect();
        Self { train: rows(false), test: rows(true) }
    }
}

/// `k` parts of the rows, each judged once, with every class spread evenly over them.
///
/// ```
/// use polariscope::classify::validate::stratified_k_fold;
/// let splits = stratified_k_fold(&[1, 1, 1, 1, 2, 2], 2, 0)?;
/// assert_eq!(splits.len(), 2);
/// assert!(splits.iter().all(|s| s.test.len() == 3));
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # Determinism
/// `seed` decides which rows share a part.
///
/// # Errors
/// `k` below 2 or above the number of rows.
pub fn stratified_k_fold(labels: &[usize], k: usize, seed: u64) -> Result<Vec<Split>> {
    check_k(k, labels.len(), "rows")?;
    let folds = deal(&labels_in_order(labels), k, Seed::new(seed));
    Ok(splits_of(&folds, k))
}

/// `k` parts of the rows such that rows of one group (one image, one animal) are never on both sides.
///
/// Groups are dealt out, the largest first, to the part that then spreads the classes most evenly.
///
/// # Determinism
/// `seed` decides between groups of equal size.
///
/// # Errors
/// `k` below 2 or above the number of groups, or not one group per row.
pub fn grouped_k_fold(
    labels: &[usize],
    groups: &[usize],
    k: usize,
    seed: u64,
) -> Result<Vec<Split>> {
    if labels.len() != groups.len() {
        let message =
            format!("{} groups for {} rows: give one per row", groups.len(), labels.len());
        return Err(Error::data(message));
    }
    let names = distinct(groups);
    check_k(k, names.len(), "groups")?;
    let classes = distinct(labels);
    let position = |all: &[usize], one: usize| all.partition_point(|x| *x < one);
    let mut counts = vec![vec![0usize; classes.len()]; names.len()];
    for (&label, &group) in labels.iter().zip(groups) {
        counts[position(&names, group)][position(&classes, label)] += 1;
    }
    let mut order: Vec<usize> = (0..names.len()).collect();
    Seed::new(seed).stream("groups", 0).shuffle(&mut order);
    order.sort_by_key(|&g| std::cmp::Reverse(counts[g].iter().sum::<usize>()));
    let mut load = vec![vec![0usize; classes.len()]; k];
    let mut fold_of = vec![0; names.len()];
    for group in order {
        // The sum of squares is least when every class is spread evenly; equal ones go to the first part.
        let cost = |fold: &usize| {
            let add = |(l, c): (&usize, &usize)| (l + c) * (l + c) - l * l;
            load[*fold].iter().zip(&counts[group]).map(add).sum::<usize>()
        };
        let fold = (0..k).min_by_key(cost).unwrap_or(0);
        fold_of[group] = fold;
        load[fold].iter_mut().zip(&counts[group]).for_each(|(l, c)| *l += c);
    }
    let folds: Vec<usize> = groups.iter().map(|&g| fold_of[position(&names, g)]).collect();
    Ok(splits_of(&folds, k))
}

/// One split that keeps the share `test_share` of every class for judging.
///
/// # Determinism
/// `seed` decides which rows of a class are kept.
///
/// # Errors
/// A share outside 0..1, or one that leaves a side without rows.
pub fn train_test_split(labels: &[usize], test_share: f64, seed: u64) -> Result<Split> {
    if !(test_share > 0.0 && test_share < 1.0) {
        return Err(Error::parameter("test_share", test_share, "between 0 and 1"));
    }
    let mut in_test = vec![false; labels.len()];
    // Dealing positions in class order makes every class's share right to within one row.
    let mut taken = 0;
    for (i, row) in
        shuffled_by_class(&labels_in_order(labels), Seed::new(seed)).into_iter().enumerate()
    {
        let due = ((i + 1) as f64 * test_share).round() as usize;
        in_test[row] = due > taken;
        taken = due;
    }
    let split = Split::of(&in_test);
    if split.train.is_empty() || split.test.is_empty() {
        return Err(Error::data(format!(
            "a test share of {test_share} of {} rows leaves one side empty",
            labels.len()
        )));
    }
    Ok(split)
}

/// What cross-validation found.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossValidation {
    /// Every row's class, predicted by a forest that has not seen it.
    pub predictions: Vec<usize>,
    /// All rows together.
    pub confusion: Confusion,
    /// Accuracy of each part.
    pub fold_accuracies: Vec<f64>,
}

impl CrossValidation {
    /// Share of all rows that were put into the right class.
    pub fn accuracy(&self) -> f64 {
        self.confusion.accuracy()
    }

    /// Mean share over the classes.
    pub fn balanced_accuracy(&self) -> f64 {
        self.confusion.balanced_accuracy()
    }
}

/// Trains on each split's training rows and judges on its test rows.
///
/// ```
/// use ndarray::Array2;
/// use polariscope::classify::{RandomForest, validate};
/// use polariscope::table::Features;
///
/// let features = Features::new(Array2::from_shape_fn((20, 1), |(i, _)| i as f64), ["area"])?;
/// let labels: Vec<usize> = (0..20).map(|i| i / 10).collect();
/// let splits = validate::stratified_k_fold(&labels, 5, 0)?;
/// let found = validate::cross_validate(&RandomForest::params(), &features, &labels, &splits)?;
/// assert!(found.accuracy() >= 0.9);
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # Errors
/// As the training, and when the splits do not judge every row exactly once.
pub fn cross_validate(
    params: &ForestParams<RandomForest>,
    features: &Features,
    labels: &[usize],
    splits: &[Split],
) -> Result<CrossValidation> {
    let mut judged = vec![0usize; labels.len()];
    for &row in splits.iter().flat_map(|s| &s.test) {
        match judged.get_mut(row) {
            Some(times) => *times += 1,
            None => return Err(Error::data(format!("row {row} of a split is not in the table"))),
        }
    }
    if let Some(row) = judged.iter().position(|&times| times != 1) {
        let message = format!("the splits judge it {} times: must be once", judged[row]);
        return Err(Error::data(message).at_row(row + 1));
    }
    let params = params.clone().oob_score(false);
    let mut predictions = vec![0; labels.len()];
    let mut fold_accuracies = Vec::with_capacity(splits.len());
    for split in splits {
        let of = |rows: &[usize]| rows.iter().map(|&r| labels[r]).collect::<Vec<_>>();
        let train = features.select_rows(&split.train).labelled(&of(&split.train))?;
        let found = params.fit(&train)?.assign(&features.select_rows(&split.test))?;
        fold_accuracies.push(Confusion::of(&of(&split.test), &found)?.accuracy());
        split.test.iter().zip(found).for_each(|(&row, class)| predictions[row] = class);
    }
    let confusion = Confusion::of(labels, &predictions)?;
    Ok(CrossValidation { predictions, confusion, fold_accuracies })
}

fn check_k(k: usize, n: usize, what: &str) -> Result<()> {
    if (2..=n).contains(&k) {
        return Ok(());
    }
    Err(Error::parameter("k", k, format!("at least 2 and at most the number of {what} ({n})")))
}

fn distinct(numbers: &[usize]) -> Vec<usize> {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted
}

/// Rows of each class, classes ascending.
fn labels_in_order(labels: &[usize]) -> Vec<Vec<usize>> {
    let of_class = |class| (0..labels.len()).filter(|&r| labels[r] == class).collect();
    distinct(labels).into_iter().map(of_class).collect()
}

/// All rows, class after class, shuffled inside each.
fn shuffled_by_class(classes: &[Vec<usize>], seed: Seed) -> Vec<usize> {
    let shuffled = |(c, rows): (usize, &Vec<usize>)| {
        let mut rows = rows.clone();
        seed.stream("folds", c as u64).shuffle(&mut rows);
        rows
    };
    classes.iter().enumerate().flat_map(shuffled).collect()
}

/// The part of each row: rows are dealt out like cards, so parts and classes differ by one at most.
fn deal(classes: &[Vec<usize>], k: usize, seed: Seed) -> Vec<usize> {
    let order = shuffled_by_class(classes, seed);
    let mut folds = vec![0; order.len()];
    order.into_iter().enumerate().for_each(|(i, row)| folds[row] = i % k);
    folds
}

fn splits_of(folds: &[usize], k: usize) -> Vec<Split> {
    let split = |fold| Split::of(&folds.iter().map(|f| *f == fold).collect::<Vec<_>>());
    (0..k).map(split).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_spread_the_classes() {
        let labels: Vec<usize> = (0..103).map(|i| [7, 7, 7, 2][i % 4]).collect();
        let splits = stratified_k_fold(&labels, 5, 3).unwrap();
        let mut all: Vec<usize> = splits.iter().flat_map(|s| s.test.clone()).collect();
        all.sort_unstable();
        assert_eq!(all, (0..103).collect::<Vec<_>>());
        for split in &splits {
            let twos = split.test.iter().filter(|&&r| labels[r] == 2).count();
            assert!((20..=21).contains(&split.test.len()) && (5..=6).contains(&twos));
            assert_eq!(split.train.len() + split.test.len(), 103);
        }
        assert_ne!(splits, stratified_k_fold(&labels, 5, 4).unwrap());
        assert!(stratified_k_fold(&labels, 1, 0).is_err());
        assert!(stratified_k_fold(&labels, 104, 0).is_err());
    }

    #[test]
    fn groups_stay_together() {
        let groups: Vec<usize> = (0..90).map(|i| i / 10).collect();
        let labels: Vec<usize> = (0..90).map(|i| usize::from(i % 3 == 0)).collect();
        let splits = grouped_k_fold(&labels, &groups, 3, 0).unwrap();
        for split in &splits {
            assert_eq!(split.test.len(), 30);
            assert!(
                split.test.iter().all(|&r| !split.train.iter().any(|&t| groups[t] == groups[r]))
            );
        }
        assert!(grouped_k_fold(&labels, &groups, 10, 0).is_err());
    }

    #[test]
    fn a_share_of_every_class_is_kept() {
        let labels: Vec<usize> = (0..100).map(|i| usize::from(i < 20)).collect();
        let split = train_test_split(&labels, 0.25, 1).unwrap();
        assert_eq!(split.test.len(), 25);
        assert_eq!(split.test.iter().filter(|&&r| labels[r] == 1).count(), 5);
        assert!(train_test_split(&labels, 1.0, 1).is_err());
        assert!(train_test_split(&[1], 0.5, 1).is_err());
    }
}
