//! Enter many groupings of the same objects; leaves how well they agree and which groups dissolve.

use rayon::prelude::*;
use serde::Serialize;

use super::Interval;
use crate::cluster::agreement::{
    Consensus, adjusted_rand, consensus, jaccard_per_cluster, match_labels, pac,
    pairwise_adjusted_rand, share_differing, vote_on_classes,
};
use crate::error::{Error, Result};
use crate::seed::Seed;

/// Bounds between which two objects are neither "together" nor "apart" (Senbabaoglu et al. 2014).
const AMBIGUOUS: (f64, f64) = (0.1, 0.9);

/// Ways in which the runs are cut into two halves.
const HALVINGS: u64 = 10;

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
    /// Adjusted Rand index between the votes of two halves of the runs, mean over ten halvings: whether as many runs
    /// with other seeds would report the same groups, even where single runs go astray.
    pub vote_ari: f64,
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
    /// Per object: whether the vote is so close that another draw of as many runs could turn it (a sign test of
    /// the first group against the second does not reach 5 %).
    #[serde(skip)]
    pub undecided: Vec<bool>,
    /// Number of such objects.
    pub n_undecided: usize,
    /// Number of objects that at least one run in twenty puts elsewhere.
    pub n_changing: usize,
    /// Mean share of objects that a single run places differently from the vote.
    pub single_run_differs: f64,
    /// Mean share of objects that a subsample places differently from the vote.
    pub subsample_differs: f64,
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

/// Mean and worst adjusted Rand index for "the runs agree" (Steinley 2004 calls 0.9 excellent, 0.8 good, 0.65
/// moderate).
pub(super) const EXCELLENT: f64 = 0.9;
pub(super) const MODERATE: f64 = 0.65;

impl GroupStability {
    /// Whether the runs find the same groups: excellent agreement on average, and no run far off.
    pub fn agree(&self) -> bool {
        self.ari.value >= EXCELLENT && self.ari_worst >= MODERATE
    }

    /// The groups to report: the vote, and 0 (not assigned) where it is too close to call.
    pub fn assigned(&self) -> Vec<usize> {
        let open = self.undecided.iter();
        self.labels.iter().zip(open).map(|(&label, open)| if *open { 0 } else { label }).collect()
    }

    /// Compares `runs` (labels 1..k per object) with each other, and each subsample (the rows it
    /// drew and their labels) with the vote of the runs.
    ///
    /// # Errors
    /// Fewer than two runs, or runs of differing length.
    pub fn of(runs: &[Vec<usize>], subsamples: &[(Vec<usize>, Vec<usize>)]) -> Result<Self> {
        check(runs)?;
        Self::compare(runs, subsamples, consensus(runs)?, match_labels)
    }

    /// The same of runs whose labels are classes 1..k with a meaning of their own: what another run calls otherwise
    /// is otherwise, and the classes keep their numbers.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn of_classes(
        runs: &[Vec<usize>],
        subsamples: &[(Vec<usize>, Vec<usize>)],
    ) -> Result<Self> {
        check(runs)?;
        Self::compare(runs, subsamples, vote_on_classes(runs)?, |_, run| Ok(run.to_vec()))
    }

    /// `named` gives the groups of a run (second) the names of the vote (first).
    fn compare(
        runs: &[Vec<usize>],
        subsamples: &[(Vec<usize>, Vec<usize>)],
        vote: Consensus,
        named: impl Fn(&[usize], &[usize]) -> Result<Vec<usize>> + Sync,
    ) -> Result<Self> {
        let n = runs[0].len();
        let mut aris = vec![0.0; runs.len() * (runs.len() - 1) / 2];
        for (a, b, ari) in pairwise_adjusted_rand(runs)? {
            aris[b * (b - 1) / 2 + a] = ari;
        }
        let k = vote.labels.iter().copied().max().unwrap_or(0);
        let mut jaccard = vec![0.0; k];
        let mut moved = 0.0;
        for (rows, labels) in subsamples {
            let reference: Vec<usize> = rows.iter().map(|&row| vote.labels[row]).collect();
            for (group, similarity) in jaccard_per_cluster(&reference, labels)? {
                jaccard[group - 1] += similarity;
            }
            moved += share_differing(&reference, &named(&reference, labels)?);
        }
        let n_subsamples = subsamples.len().max(1) as f64;
        jaccard.iter_mut().for_each(|sum| *sum /= n_subsamples);
        let undecided: Vec<bool> = vote
            .confidence
            .iter()
            .zip(&vote.margin)
            .map(|(&share, &margin)| {
                let first = (share * runs.len() as f64).round() as usize;
                is_open(first, first - margin)
            })
            .collect();
        Ok(Self {
            n_runs: runs.len(),
            n_subsamples: subsamples.len(),
            ari: Interval::over_pairs(runs.len(), |a, b| aris[b * (b - 1) / 2 + a]),
            vote_ari: vote_repeats(runs, &vote.labels, named)?,
            ari_worst: aris.iter().copied().fold(f64::INFINITY, f64::min),
            ambiguous_pairs: pac(runs, AMBIGUOUS.0, AMBIGUOUS.1)?,
            jaccard,
            agreement: runs
                .iter()
                .map(|run| adjusted_rand(run, &vote.labels))
                .collect::<Result<_>>()?,
            n_changing: vote.confidence.iter().filter(|&&c| c < 0.95).count(),
            n_undecided: undecided.iter().filter(|open| **open).count(),
            undecided,
            subsample_differs: moved / n_subsamples,
            single_run_differs: 1.0 - vote.confidence.iter().sum::<f64>() / n.max(1) as f64,
            labels: vote.labels,
            confidence: vote.confidence,
        })
    }
}

fn check(runs: &[Vec<usize>]) -> Result<()> {
    match runs.len() {
        0 | 1 => Err(Error::parameter("runs", runs.len(), "at least 2 to compare")),
        _ => Ok(()),
    }
}

/// How well the votes of two halves of the runs agree, over [`HALVINGS`] fixed halvings.
fn vote_repeats(
    runs: &[Vec<usize>],
    vote: &[usize],
    named: impl Fn(&[usize], &[usize]) -> Result<Vec<usize>> + Sync,
) -> Result<f64> {
    let matched: Vec<Vec<usize>> =
        runs.par_iter().map(|run| named(vote, run)).collect::<Result<_>>()?;
    let most = matched.iter().flatten().copied().max().unwrap_or(0);
    let voted = |half: &[usize]| -> Vec<usize> {
        let mut counts = vec![0u32; most + 1];
        let mut row_vote = |row: usize| {
            counts.fill(0);
            half.iter().for_each(|&run| counts[matched[run][row]] += 1);
            (0..=most)
                .fold(0, |best, label| if counts[label] > counts[best] { label } else { best })
        };
        (0..vote.len()).map(&mut row_vote).collect()
    };
    let halves: Vec<f64> = (0..HALVINGS)
        .into_par_iter()
        .map(|number| {
            let mut order: Vec<usize> = (0..runs.len()).collect();
            Seed::default().stream("halves", number).shuffle(&mut order);
            let (first, second) = order.split_at(runs.len() / 2);
            adjusted_rand(&voted(first), &voted(second))
        })
        .collect::<Result<_>>()?;
    Ok(halves.iter().sum::<f64>() / halves.len() as f64)
}

/// Whether a vote of `first` against `second` could as well have been tossed with a coin: the sign test at 5 %.
/// Where all runs agree there is nothing to test.
fn is_open(first: usize, second: usize) -> bool {
    let n = first + second;
    let mut chance = 0.5f64.powi(n as i32);
    let mut tail = 0.0;
    // P(at least `first` of n) = P(at most `second` of n).
    for i in 0..=second {
        tail += chance;
        chance *= (n - i) as f64 / (i + 1) as f64;
    }
    second > 0 && tail > 0.05
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
        assert_eq!((stability.vote_ari, stability.subsample_differs), (1.0, 0.0));
        assert_eq!(stability.jaccard, [1.0, 1.0]);
        assert_eq!(ClusterGrade::of(0.8), ClusterGrade::Stable);
    }

    #[test]
    fn classes_keep_their_names() {
        let run = vec![2, 2, 2, 1];
        let renamed = vec![1, 1, 1, 2];
        let subsample = (vec![0, 1, 2, 3], renamed.clone());
        let runs = [run.clone(), run.clone(), renamed];
        let stability = GroupStability::of_classes(&runs, &[subsample]).unwrap();
        assert_eq!(stability.labels, run);
        assert!((stability.single_run_differs - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(stability.subsample_differs, 1.0);
    }

    #[test]
    fn a_vote_that_a_coin_could_give_is_open() {
        // scipy.stats.binomtest(32, 50, alternative="greater").pvalue = 0.0325, of 31: 0.0595.
        assert!(!is_open(32, 18) && is_open(31, 19) && is_open(25, 25));
        assert!(!is_open(3, 0) && is_open(4, 1) && !is_open(5, 0) && is_open(1, 1));
        let mut runs = vec![vec![1, 1, 1, 2, 2, 2]; 50];
        runs[..22].iter_mut().for_each(|run| run[2] = 2);
        let stability = GroupStability::of(&runs, &[]).unwrap();
        assert_eq!(stability.assigned(), [1, 1, 0, 2, 2, 2]);
        assert_eq!(stability.n_undecided, 1);
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
