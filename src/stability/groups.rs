//! Enter many groupings of the same objects; leaves how well they agree and which groups dissolve.

use serde::Serialize;

use super::Interval;
use crate::cluster::agreement::{
    adjusted_rand, consensus, jaccard_per_cluster, pac, pairwise_adjusted_rand,
};
use crate::error::{Error, Result};

/// Bounds between which two objects are neither "together" nor "apart" (Senbabaoglu et al. 2014).
const AMBIGUOUS: (f64, f64) = (0.1, 0.9);

/// How far many groupings of the same objects say the same.
#[derive(Debug, Clone, Serialize)]
pub struct GroupStability {
    /// Number of runs that differ by their seed.
    pub n_runs: usize,
    /// Number of subsamples.
    pub n_subsamples: usize,
    /// Adjusted Rand index over pairs of runs, with its jackknife interval.
    pub ari: Interval,
    /// The worst pair of runs.
    pub ari_worst: f64,
    /// Proportion of ambiguous pairs: objects together in more than 10 % and fewer than 90 % of runs.
    pub ambiguous_pairs: f64,
    /// Per group 1..k: mean best Jaccard similarity over the subsamples (Hennig 2007).
    pub jaccard: Vec<f64>,
    /// Per run: adjusted Rand index with the vote.
    pub agreement: Vec<f64>,
    /// Per object: its group by the vote of all runs, 1..k.
    #[serde(skip)]
    pub labels: Vec<usize>,
    /// Per object: the share of runs that voted so.
    #[serde(skip)]
    pub confidence: Vec<f64>,
    /// Number of objects that at least one run in twenty puts elsewhere.
    pub n_changing: usize,
    /// Mean share of objects that a single run places differently from the vote.
    pub single_run_differs: f64,
}

/// What Hennig (2007, section 3) says of a group by its mean Jaccard similarity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClusterGrade {
    /// Below 0.6: do not use.
    Dissolved,
    /// 0.6 and more: a pattern, but its members are doubtful.
    Doubtful,
    /// 0.75 and more: a valid, stable group.
    Stable,
    /// 0.85 and more: highly stable.
    HighlyStable,
}

impl ClusterGrade {
    /// The grade of a mean Jaccard similarity.
    pub fn of(jaccard: f64) -> Self {
        match jaccard {
            j if j >= 0.85 => Self::HighlyStable,
            j if j >= 0.75 => Self::Stable,
            j if j >= 0.6 => Self::Doubtful,
            _ => Self::Dissolved,
        }
    }
}

impl GroupStability {
    /// Compares `runs` (labels 1..k per object) with each other, and each subsample (the rows it
    /// drew and their labels) with the vote of the runs.
    ///
    /// # Errors
    /// Fewer than two runs, or runs of differing length.
    pub fn of(runs: &[Vec<usize>], subsamples: &[(Vec<usize>, Vec<usize>)]) -> Result<Self> {
        if runs.len() < 2 {
            return Err(Error::parameter("runs", runs.len(), "at least 2 to compare"));
        }
        let n = runs[0].len();
        let mut aris = vec![0.0; runs.len() * (runs.len() - 1) / 2];
        for (a, b, ari) in pairwise_adjusted_rand(runs)? {
            aris[b * (b - 1) / 2 + a] = ari;
        }
        let vote = consensus(runs)?;
        let k = vote.labels.iter().copied().max().unwrap_or(0);
        let mut jaccard = vec![0.0; k];
        for (rows, labels) in subsamples {
            let reference: Vec<usize> = rows.iter().map(|&row| vote.labels[row]).collect();
            for (group, similarity) in jaccard_per_cluster(&reference, labels)? {
                jaccard[group - 1] += similarity;
            }
        }
        jaccard.iter_mut().for_each(|sum| *sum /= subsamples.len().max(1) as f64);
        Ok(Self {
            n_runs: runs.len(),
            n_subsamples: subsamples.len(),
            ari: Interval::over_pairs(runs.len(), |a, b| aris[b * (b - 1) / 2 + a]),
            ari_worst: aris.iter().copied().fold(f64::INFINITY, f64::min),
            ambiguous_pairs: pac(runs, AMBIGUOUS.0, AMBIGUOUS.1)?,
            jaccard,
            agreement: runs
                .iter()
                .map(|run| adjusted_rand(run, &vote.labels))
                .collect::<Result<_>>()?,
            n_changing: vote.confidence.iter().filter(|&&c| c < 0.95).count(),
            single_run_differs: 1.0 - vote.confidence.iter().sum::<f64>() / n.max(1) as f64,
            labels: vote.labels,
            confidence: vote.confidence,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_runs_are_stable_whatever_their_names() {
        let run = vec![1, 1, 1, 2, 2];
        let renamed = vec![2, 2, 2, 1, 1];
        let subsample = (vec![0, 1, 3, 4], vec![1, 1, 2, 2]);
        let stability =
            GroupStability::of(&[run.clone(), renamed, run.clone()], &[subsample]).unwrap();
        assert_eq!(stability.ari, Interval { value: 1.0, low: 1.0, high: 1.0 });
        assert_eq!(stability.labels, run);
        assert_eq!((stability.ambiguous_pairs, stability.n_changing), (0.0, 0));
        assert_eq!(stability.jaccard, [1.0, 1.0]);
        assert_eq!(ClusterGrade::of(0.8), ClusterGrade::Stable);
    }

    #[test]
    fn an_object_that_changes_sides_is_found() {
        let mut runs = vec![vec![1, 1, 1, 2, 2, 2]; 10];
        for run in &mut runs[..4] {
            run[2] = 2;
        }
        let stability = GroupStability::of(&runs, &[]).unwrap();
        assert_eq!((stability.labels[2], stability.n_changing), (1, 1));
        assert!((stability.confidence[2] - 0.6).abs() < 1e-12);
        // Object 2 is in doubt with each of the five others: 5 of 15 pairs.
        assert!((stability.ambiguous_pairs - 5.0 / 15.0).abs() < 1e-12);
    }
}
