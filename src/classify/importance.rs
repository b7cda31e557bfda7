//! Permutation importance: what is lost when one feature is shuffled.

use ndarray::Array2;
use rayon::prelude::*;

use super::forest::{RandomForest, check_names};
use crate::error::{Error, Result};
use crate::seed::Seed;
use crate::table::Features;

/// By how much the accuracy falls when a feature is shuffled, over several shuffles.
#[derive(Debug, Clone, PartialEq)]
pub struct PermutationImportance {
    /// Mean fall of the accuracy, one per feature; about 0 where a feature does not matter.
    pub mean: Vec<f64>,
    /// Standard deviation (ddof 1) over the shuffles, one per feature; 0 for a single shuffle.
    pub std: Vec<f64>,
    /// Accuracy with every feature in place.
    pub accuracy: f64,
}

impl RandomForest {
    /// How much accuracy each feature carries (Breiman 2001, section 10): its column is shuffled
    /// `n_repeats` times and the forest asked again.
    ///
    /// Give rows that the forest has not seen; on its own training rows it flatters every feature.
    /// Features that are correlated stand in for each other and look less important than they are.
    ///
    /// # Determinism
    /// `seed` decides the shuffles; the same bits on any number of threads.
    ///
    /// # Errors
    /// Other features than those of the training, not one label per row, `n_repeats` of 0.
    pub fn permutation_importance(
        &self,
        features: &Features,
        labels: &[usize],
        n_repeats: usize,
        seed: u64,
    ) -> Result<PermutationImportance> {
        check_names(self.feature_names(), features.names())?;
        if n_repeats == 0 {
            return Err(Error::parameter("n_repeats", 0, "at least 1"));
        }
        if labels.len() != features.n_rows() || labels.is_empty() {
            let message = format!("{} labels for {} rows", labels.len(), features.n_rows());
            return Err(Error::data(message).help("give one label per row, at least one"));
        }
        let accuracy = |matrix: &Array2<f64>| {
            let found = self.winners(&self.trees().mean_outputs_unchecked(matrix.view()));
            let right = found.iter().zip(labels).filter(|(a, b)| a == b).count();
            right as f64 / labels.len() as f64
        };
        let matrix = features.matrix().to_owned();
        let whole = accuracy(&matrix);
        let (mean, std) = (0..features.n_features())
            .into_par_iter()
            .map(|feature| {
                let mut shuffled = matrix.clone();
                let mut column = matrix.column(feature).to_vec();
                let falls: Vec<f64> = (0..n_repeats)
                    .map(|repeat| {
                        let index = (feature * n_repeats + repeat) as u64;
                        Seed::new(seed).stream("permutation", index).shuffle(&mut column);
                        shuffled
                            .column_mut(feature)
                            .iter_mut()
                            .zip(&column)
                            .for_each(|(s, c)| *s = *c);
                        whole - accuracy(&shuffled)
                    })
                    .collect();
                mean_and_std(&falls)
            })
            .unzip();
        Ok(PermutationImportance { mean, std, accuracy: whole })
    }
}

fn mean_and_std(numbers: &[f64]) -> (f64, f64) {
    let n = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / n;
    let squares: f64 = numbers.iter().map(|x| (x - mean).powi(2)).sum();
    (mean, if numbers.len() > 1 { (squares / (n - 1.0)).sqrt() } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use linfa::traits::Fit;

    #[test]
    fn only_the_feature_that_decides_matters() {
        let mut stream = Seed::new(1).stream("table", 0);
        let matrix = Array2::from_shape_simple_fn((200, 2), || stream.uniform());
        let labels: Vec<usize> =
            matrix.rows().into_iter().map(|r| usize::from(r[0] > 0.5)).collect();
        let features = Features::new(matrix, ["area", "noise"]).unwrap();
        let forest = RandomForest::params().fit(&features.labelled(&labels).unwrap()).unwrap();
        let found = forest.permutation_importance(&features, &labels, 5, 0).unwrap();
        assert!(found.accuracy > 0.98);
        assert!(found.mean[0] > 0.3 && found.mean[1].abs() < 0.05, "{found:?}");
        assert_eq!(found, forest.permutation_importance(&features, &labels, 5, 0).unwrap());
    }
}
