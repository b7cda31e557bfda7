//! How good a classification is: true and predicted labels in, the usual figures out.

use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::error::{Error, Result};

/// How often each true class was given each predicted class.
///
/// Ratios without a denominator (a class that never occurs, or is never predicted) are NaN.
///
/// ```
/// use polariscope::classify::metrics::Confusion;
/// let confusion = Confusion::of(&[1, 1, 1, 4], &[1, 1, 4, 4])?;
/// assert_eq!(confusion.accuracy(), 0.75);
/// assert_eq!(confusion.recall(), [2.0 / 3.0, 1.0]);
/// assert_eq!(confusion.precision(), [1.0, 0.5]);
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    /// The labels that occur, ascending.
    pub labels: Vec<usize>,
    /// Rows: true labels, columns: predicted labels, shape `(n_labels, n_labels)`.
    pub counts: Array2<u64>,
}

impl Confusion {
    /// Counts pairs of labels.
    ///
    /// # Errors
    /// No labels, or lists of unequal length.
    pub fn of(truth: &[usize], predicted: &[usize]) -> Result<Self> {
        check_pairs(truth.len(), predicted.len())?;
        let mut labels = [truth, predicted].concat();
        labels.sort_unstable();
        labels.dedup();
        let at = |label: &usize| labels.partition_point(|l| l < label);
        let mut counts = Array2::zeros((labels.len(), labels.len()));
        for (t, p) in truth.iter().zip(predicted) {
            counts[[at(t), at(p)]] += 1;
        }
        Ok(Self { labels, counts })
    }

    fn diagonal(&self) -> impl Iterator<Item = f64> {
        self.counts.diag().into_iter().map(|&c| c as f64)
    }

    fn sums(&self, axis: usize) -> Vec<f64> {
        self.counts.sum_axis(ndarray::Axis(axis)).into_iter().map(|c| c as f64).collect()
    }

    /// Share of the rows whose label is right.
    pub fn accuracy(&self) -> f64 {
        self.diagonal().sum::<f64>() / self.counts.sum() as f64
    }

    /// Per label: share of the predicted rows that are right.
    pub fn precision(&self) -> Vec<f64> {
        self.diagonal().zip(self.sums(0)).map(|(right, all)| right / all).collect()
    }

    /// Per label: share of the true rows that are found.
    pub fn recall(&self) -> Vec<f64> {
        self.diagonal().zip(self.sums(1)).map(|(right, all)| right / all).collect()
    }

    /// Per label: the harmonic mean of precision and recall, `2 tp / (2 tp + fp + fn)`.
    pub fn f1(&self) -> Vec<f64> {
        let both = self.sums(0).into_iter().zip(self.sums(1));
        self.diagonal().zip(both).map(|(right, (p, t))| 2.0 * right / (p + t)).collect()
    }

    /// The mean recall over the labels that truly occur: no class counts more for being large.
    pub fn balanced_accuracy(&self) -> f64 {
        let recalls: Vec<f64> = self.recall().into_iter().filter(|r| !r.is_nan()).collect();
        recalls.iter().sum::<f64>() / recalls.len() as f64
    }

    /// Cohen's kappa: agreement beyond what the label frequencies give by chance; NaN when chance agrees fully.
    pub fn kappa(&self) -> f64 {
        let n = self.counts.sum() as f64;
        let chance: f64 =
            self.sums(0).iter().zip(self.sums(1)).map(|(p, t)| p * t).sum::<f64>() / (n * n);
        (self.accuracy() - chance) / (1.0 - chance)
    }
}

/// Area under the ROC curve: the chance that a positive row scores above a negative one, ties half.
///
/// ```
/// use polariscope::classify::metrics::roc_auc;
/// assert_eq!(roc_auc(&[false, false, true, true], &[0.1, 0.4, 0.35, 0.8])?, 0.75);
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # Errors
/// Lists of unequal length, only one kind of row, or a score that is NaN.
pub fn roc_auc(positive: &[bool], scores: &[f64]) -> Result<f64> {
    check_pairs(positive.len(), scores.len())?;
    if let Some(row) = scores.iter().position(|s| s.is_nan()) {
        return Err(Error::data("the score is NaN").at_row(row + 1));
    }
    let n_positive = positive.iter().filter(|p| **p).count();
    let n_negative = positive.len() - n_positive;
    if n_positive == 0 || n_negative == 0 {
        return Err(Error::data(format!(
            "{n_positive} positive and {n_negative} negative rows: an ROC curve needs both"
        )));
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    // Twice the number of (positive, negative) pairs in the right order, a tie counting one.
    let (mut twice, mut below) = (0u128, 0u128);
    for tied in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let up = tied.iter().filter(|&&i| positive[i]).count() as u128;
        let down = tied.len() as u128 - up;
        twice += up * (2 * below + down);
        below += down;
    }
    Ok(twice as f64 / 2.0 / (n_positive as f64 * n_negative as f64))
}

/// One class against the rest: the ROC AUC of each class's probability, in the order of `classes`.
///
/// `probabilities` has the shape `(n_rows, n_classes)`. The mean of the result is the macro average.
///
/// # Errors
/// As [`roc_auc`], and when the columns are not one per class.
pub fn roc_auc_one_vs_rest(
    truth: &[usize],
    probabilities: ArrayView2<'_, f64>,
    classes: &[usize],
) -> Result<Vec<f64>> {
    if probabilities.ncols() != classes.len() {
        let (found, wanted) = (probabilities.ncols(), classes.len());
        return Err(Error::data(format!("{found} columns of probabilities for {wanted} classes")));
    }
    let of_class = |(column, class): (ArrayView1<'_, f64>, &usize)| {
        let positive: Vec<bool> = truth.iter().map(|t| t == class).collect();
        roc_auc(&positive, &column.to_vec())
    };
    probabilities.columns().into_iter().zip(classes).map(of_class).collect()
}

fn check_pairs(a: usize, b: usize) -> Result<()> {
    if a == b && a > 0 {
        return Ok(());
    }
    Err(Error::data(format!(
        "{a} true and {b} predicted values: give one of each per row, at least one"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn figures_of_a_small_table() {
        // scikit-learn 1.9 on the same labels.
        let truth = [0, 0, 0, 0, 1, 1, 2, 2, 2, 2];
        let predicted = [0, 0, 1, 2, 1, 1, 2, 2, 0, 2];
        let confusion = Confusion::of(&truth, &predicted).unwrap();
        assert_eq!(confusion.counts, array![[2, 1, 1], [0, 2, 0], [1, 0, 3]]);
        assert_eq!(confusion.accuracy(), 0.7);
        assert_eq!(confusion.balanced_accuracy(), 0.75);
        assert!((confusion.kappa() - 0.545_454_545_454_545_4).abs() < 1e-15);
        assert_eq!(confusion.f1(), [4.0 / 7.0, 0.8, 0.75]);
    }

    #[test]
    fn a_class_that_is_never_predicted_has_no_precision() {
        let confusion = Confusion::of(&[3, 9], &[3, 3]).unwrap();
        assert_eq!(confusion.labels, [3, 9]);
        assert!(confusion.precision()[1].is_nan());
        assert_eq!(confusion.recall(), [1.0, 0.0]);
        assert!(Confusion::of(&[], &[]).is_err());
        assert!(Confusion::of(&[1], &[1, 2]).is_err());
    }

    #[test]
    fn auc_counts_pairs() {
        let positive = [true, false, true, false, true, false];
        let scores = [0.3_f64, 0.3, 0.9, 0.1, 0.3, 0.9];
        let mut wins = 0.0;
        for (i, &p) in positive.iter().enumerate() {
            for (j, &q) in positive.iter().enumerate() {
                if p && !q {
                    wins += match scores[i].total_cmp(&scores[j]) {
                        std::cmp::Ordering::Greater => 1.0,
                        std::cmp::Ordering::Equal => 0.5,
                        std::cmp::Ordering::Less => 0.0,
                    };
                }
            }
        }
        assert_eq!(roc_auc(&positive, &scores).unwrap(), wins / 9.0);
        assert!(roc_auc(&[true], &[0.1]).is_err());
    }
}
