//! Enter groupings by many runs; leaves how far classifiers that learned from different runs agree.

use linfa::traits::Fit;
use rayon::prelude::*;

use super::Interval;
use crate::classify::RandomForest;
use crate::classify::metrics::Confusion;
use crate::cluster::agreement::match_labels;
use crate::error::Result;
use crate::table::Features;

/// Runs that train a classifier, evenly spread.
const RUNS: usize = 10;
/// Rows each classifier learns from, and as many others on which it is asked.
const ROWS: usize = 1_000;
/// Small forests: what is compared is their conclusions, not their finish.
const TREES: usize = 25;
const DEPTH: usize = 8;

/// Cohen's kappa between classifiers trained on the groupings of different `runs`, each with a seed of its own, on
/// objects that none of them has seen: the mean over pairs, with its jackknife interval over runs. 1 = whichever run
/// had been taken, the classifier would say the same; 0 = as by chance. Ten runs at most are taken.
///
/// # Errors
/// When a run does not have one label per row.
pub fn classifier_agreement(
    features: &Features,
    runs: &[&[usize]],
    vote: &[usize],
    seed: u64,
) -> Result<Interval> {
    let step = features.n_rows().div_ceil(2 * ROWS).max(1);
    let drawn: Vec<usize> = (0..features.n_rows()).step_by(step).collect();
    let every_other = |first: usize| drawn.iter().skip(first).step_by(2).copied().collect();
    let (learned, asked): (Vec<usize>, Vec<usize>) = (every_other(0), every_other(1));
    let (lesson, question) = (features.select_rows(&learned), features.select_rows(&asked));
    let chosen: Vec<&&[usize]> = runs.iter().step_by(runs.len().div_ceil(RUNS).max(1)).collect();
    let answers: Vec<Vec<usize>> = chosen
        .par_iter()
        .enumerate()
        .map(|(number, run)| {
            let matched = match_labels(vote, run)?;
            let labels: Vec<usize> = learned.iter().map(|&row| matched[row]).collect();
            RandomForest::params()
                .n_trees(TREES)
                .max_depth(DEPTH)
                .min_samples_leaf(2)
                .seed(seed.wrapping_add(number as u64))
                .fit(&lesson.labelled(&labels)?)?
                .assign(&question)
        })
        .collect::<Result<_>>()?;
    Ok(Interval::over_pairs(answers.len(), |a, b| kappa(&answers[a], &answers[b])))
}

/// Kappa, and 1 where both say the same one thing of all objects.
fn kappa(a: &[usize], b: &[usize]) -> f64 {
    let kappa = Confusion::of(a, b).map_or(f64::NAN, |confusion| confusion.kappa());
    if kappa.is_nan() { 1.0 } else { kappa }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use ndarray::Array2;

    #[test]
    fn equal_runs_conclude_the_same_and_unrelated_runs_do_not() {
        let mut stream = Seed::new(2).stream("conclusion", 0);
        let matrix = Array2::from_shape_fn((200, 3), |(i, _)| {
            stream.normal() + if i % 3 == 0 { 8.0 } else { 0.0 }
        });
        let features = Features::new(matrix, ["a", "b", "c"]).unwrap();
        let truth: Vec<usize> = (0..200).map(|i| 1 + usize::from(i % 3 == 0)).collect();
        let renamed: Vec<usize> = truth.iter().map(|l| 3 - l).collect();
        let same = classifier_agreement(&features, &[&truth, &renamed, &truth], &truth, 0).unwrap();
        assert_eq!(same, Interval { value: 1.0, low: 1.0, high: 1.0 });

        let random: Vec<Vec<usize>> =
            (0..8).map(|_| (0..200).map(|_| 1 + stream.below(2)).collect()).collect();
        let runs: Vec<&[usize]> = random.iter().map(Vec::as_slice).collect();
        let chance = classifier_agreement(&features, &runs, &truth, 0).unwrap();
        assert!(chance.value < 0.3, "{chance:?}");
    }
}
