//! Which features separate the groups, and whether they would without defining them.
//!
//! Enter scaled features, many groupings of them and one consensus; leaves a ranking, families of
//! correlated features, a short list that suffices, and a sentence.

pub(crate) mod suffices;
mod table;

use linfa::traits::Fit;
use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;
use serde::Serialize;

pub use table::ranking_frame;

use crate::cluster::KMeans;
use crate::error::{Error, Result};
use crate::table::{Features, families, ranks, representative, spearman};

/// One run of a grouping: the labels 1..k and the centres they belong to.
#[derive(Debug, Clone)]
pub struct Grouping {
    /// Per row, 1..k.
    pub labels: Vec<usize>,
    /// Shape `(k, n_features)`, in the space of the features.
    pub centers: Array2<f64>,
}

impl Grouping {
    /// Labels 1..k with the mean row of each group.
    ///
    /// # Panics
    /// When a label is 0, or there is not one label per row.
    pub fn of(features: &Features, labels: Vec<usize>) -> Self {
        assert_eq!(labels.len(), features.n_rows(), "one label per row");
        let k = labels.iter().copied().max().unwrap_or(1);
        let mut centers = Array2::zeros((k, features.n_features()));
        let mut counts = vec![0usize; k];
        for (row, &label) in features.matrix().outer_iter().zip(&labels) {
            let mut sum = centers.row_mut(label - 1);
            sum += &row;
            counts[label - 1] += 1;
        }
        for (mut center, count) in centers.outer_iter_mut().zip(counts) {
            center /= count.max(1) as f64;
        }
        Self { labels, centers }
    }
}

/// Features correlated this strongly (|Spearman|, average linkage) are one family.
pub const FAMILY_CUT: f64 = 0.85;

/// The families of two features and more, each called by its plainest member; `correlations` are |Spearman|.
///
/// ```
/// use ndarray::array;
/// use polariscope::select::named_families;
/// let r = array![[1.0, 0.1, 0.9], [0.1, 1.0, 0.2], [0.9, 0.2, 1.0]];
/// let families = named_families(&["perimeter", "solidity", "area"], &r);
/// assert_eq!(families, [("area and 1 more".to_string(), vec![0, 2])]);
/// ```
pub fn named_families<N: AsRef<str>>(
    names: &[N],
    correlations: &Array2<f64>,
) -> Vec<(String, Vec<usize>)> {
    let named = |members: Vec<usize>| {
        let plain = names[representative(&members, names, correlations)].as_ref();
        (format!("{plain} and {} more", members.len() - 1), members)
    };
    let families = families(correlations, FAMILY_CUT).into_iter();
    families.filter(|members| members.len() > 1).map(named).collect()
}

/// How much one feature has to do with the groups.
#[derive(Debug, Clone, Serialize)]
pub struct RankedFeature {
    /// Its name.
    pub feature: String,
    /// Its position among the features.
    #[serde(skip)]
    pub column: usize,
    /// Largest |Spearman correlation| with the distance to a group's centre: median over the runs.
    pub correlation: f64,
    /// The smallest over the runs.
    pub correlation_low: f64,
    /// The largest over the runs.
    pub correlation_high: f64,
    /// The same after grouping again without this feature's family: what is left when the feature
    /// cannot have made the groups itself. `None` when no other family is left to group by.
    pub held_out_correlation: Option<f64>,
    /// Area under the ROC curve for telling a group from the rest, best group, folded to 0.5..1.
    pub auc: f64,
    /// Share of runs on whose own short list the feature's family stands.
    pub frequency: f64,
    /// Family of correlated features, from 1.
    pub family: usize,
    /// Whether it stands for its family.
    pub representative: bool,
    /// Whether it is on the short list that suffices to tell the groups apart.
    pub chosen: bool,
}

/// The ranking of all features, strongest first.
#[derive(Debug, Clone, Serialize)]
pub struct Selection {
    /// One entry per feature.
    pub ranking: Vec<RankedFeature>,
    /// The short list, in the order it was chosen.
    pub chosen: Vec<String>,
    /// Balanced accuracy, out of bag, of a small forest on the short list alone.
    pub balanced_accuracy: f64,
    /// Number of runs (of classes: samples) whose own short list was made: all, unless more than ten differ.
    pub n_runs: usize,
    /// Features that separate the groups only when they take part in making them.
    pub circular: Vec<String>,
    /// The hypothesis in one sentence.
    pub sentence: String,
}

impl Selection {
    /// Ranks `features` (scaled, as they were grouped) by their part in `consensus` (labels 1..k)
    /// and in each of `runs`.
    ///
    /// The correlation with the distance to each centre is the lecture's; since groups made from a
    /// feature always correlate with it, every family is also left out once and the objects are
    /// grouped again without it.
    ///
    /// # Errors
    /// No runs, fewer than two groups, or lengths that differ.
    ///
    /// # Determinism
    /// `seed` decides the starts of the held-out groupings and the small forests.
    pub fn of(
        features: &Features,
        runs: &[Grouping],
        consensus: &[usize],
        seed: u64,
    ) -> Result<Self> {
        let k = consensus.iter().copied().max().unwrap_or(0);
        if runs.is_empty() || k < 2 {
            return Err(Error::data(format!(
                "{} runs and {k} groups: ranking features takes at least 1 run and 2 groups",
                runs.len()
            )));
        }
        let matrix = features.matrix();
        let family_sets = families(&spearman(matrix).mapv(f64::abs), FAMILY_CUT);
        let column_ranks = ColumnRanks::of(matrix);
        let strengths: Vec<Vec<f64>> =
            runs.iter().map(|run| column_ranks.strengths(matrix, run.centers.view())).collect();
        let held_out = held_out(features, &family_sets, k, &column_ranks, seed)?;
        let measures = Measures {
            features,
            labels: consensus,
            column_ranks,
            family_sets,
            strengths,
            held_out,
            kind: Kind { noun: "groups", repeats: "runs" },
        };
        let list = |representatives: &[usize], family_sets: &[Vec<usize>]| {
            suffices::frequencies(features, runs, representatives, family_sets, seed)
        };
        measures.rank(list, seed)
    }

    /// Ranks `features` (scaled) of objects whose `classes` 1..k are known, such as annotated ones.
    ///
    /// Nothing is circular in classes that a person gave, so nothing is held out; how far the ranking depends on the
    /// objects at hand is shown by `samples` of their rows, each with every class in it.
    ///
    /// # Errors
    /// No samples, fewer than two classes, or lengths that differ.
    ///
    /// # Determinism
    /// `seed` decides the small forests.
    pub fn of_classes(
        features: &Features,
        classes: &[usize],
        samples: &[Vec<usize>],
        seed: u64,
    ) -> Result<Self> {
        let k = classes.iter().copied().max().unwrap_or(0);
        if samples.is_empty() || k < 2 {
            return Err(Error::data(format!(
                "{} samples and {k} classes: ranking features takes at least 1 sample and 2 classes",
                samples.len()
            )));
        }
        if classes.len() != features.n_rows() || classes.contains(&0) {
            let (n, given) = (features.n_rows(), classes.len());
            return Err(Error::data(format!(
                "{given} classes for {n} rows: give one from 1 for each"
            )));
        }
        // What is constant among few objects moves with nothing.
        let moves = |r: f64| if r.is_nan() { 0.0 } else { r.abs() };
        let family_sets = families(&spearman(features.matrix()).mapv(moves), FAMILY_CUT);
        let drawn: Vec<(Features, Vec<usize>)> = samples
            .iter()
            .map(|rows| {
                let classes = rows.iter().map(|&row| classes[row]).collect();
                (features.select_rows(rows), classes)
            })
            .collect();
        let strengths: Vec<Vec<f64>> = drawn
            .iter()
            .map(|(some, classes)| {
                let centers = Grouping::of(some, classes.clone()).centers;
                ColumnRanks::of(some.matrix()).strengths(some.matrix(), centers.view())
            })
            .collect();
        let measures = Measures {
            features,
            labels: classes,
            column_ranks: ColumnRanks::of(features.matrix()),
            held_out: vec![None; family_sets.len()],
            family_sets,
            strengths,
            kind: Kind { noun: "classes", repeats: "samples of the marks" },
        };
        let list = |representatives: &[usize], family_sets: &[Vec<usize>]| {
            suffices::frequencies_in_samples(&drawn, representatives, family_sets, seed)
        };
        measures.rank(list, seed)
    }

    fn conclude(
        features: &Features,
        ranking: Vec<RankedFeature>,
        short_list: suffices::ShortList,
        n_runs: usize,
        kind: Kind,
    ) -> Self {
        let chosen: Vec<String> =
            short_list.columns.iter().map(|&c| features.names()[c].clone()).collect();
        let circular: Vec<String> = ranking
            .iter()
            .filter(|f| {
                f.chosen && f.held_out_correlation.is_some_and(|r| r < CIRCULAR * f.correlation)
            })
            .map(|f| f.feature.clone())
            .collect();
        let mut sentence = separating(&chosen, &ranking, n_runs, kind);
        if !circular.is_empty() {
            sentence += &format!(
                "; {} only because the groups were made from {}",
                listed(&circular),
                if circular.len() == 1 { "it" } else { "them" }
            );
        }
        let balanced_accuracy = short_list.balanced_accuracy;
        Self { ranking, chosen, balanced_accuracy, n_runs, circular, sentence }
    }
}

/// What a ranking is made from.
struct Measures<'a> {
    features: &'a Features,
    /// Groups or classes, 1..k.
    labels: &'a [usize],
    column_ranks: ColumnRanks,
    family_sets: Vec<Vec<usize>>,
    /// `strengths[run][feature]`.
    strengths: Vec<Vec<f64>>,
    /// Per family, the strengths without it.
    held_out: Vec<Option<Vec<f64>>>,
    kind: Kind,
}

impl Measures<'_> {
    /// `frequencies` gives the share of repeats on whose short list each family stands, and the number of repeats,
    /// for the strongest feature of every family.
    fn rank(
        self,
        frequencies: impl Fn(&[usize], &[Vec<usize>]) -> Result<(Vec<f64>, usize)>,
        seed: u64,
    ) -> Result<Selection> {
        let Self { features, labels, family_sets, strengths, held_out, .. } = &self;
        let n_features = features.n_features();
        let k = labels.iter().copied().max().unwrap_or(0);
        let aucs: Vec<f64> =
            (0..n_features).map(|c| best_auc(self.column_ranks.column(c), labels, k)).collect();
        let medians: Vec<f64> =
            (0..n_features).map(|c| median(strengths.iter().map(|s| s[c]).collect())).collect();
        let mut order: Vec<usize> = (0..n_features).collect();
        order.sort_by(|&a, &b| {
            medians[b].total_cmp(&medians[a]).then(aucs[b].total_cmp(&aucs[a])).then(a.cmp(&b))
        });
        let representatives = representatives(family_sets, &order);
        let short_list = suffices::short_list(features, labels, &representatives, seed)?;
        let (frequencies, n_judged) = frequencies(&representatives, family_sets)?;
        let family_of = |c: usize| family_sets.iter().position(|f| f.contains(&c)).unwrap_or(0);
        let ranking: Vec<RankedFeature> = order
            .iter()
            .map(|&c| RankedFeature {
                feature: features.names()[c].clone(),
                column: c,
                correlation: medians[c],
                correlation_low: strengths.iter().map(|s| s[c]).fold(f64::INFINITY, f64::min),
                correlation_high: strengths.iter().map(|s| s[c]).fold(0.0, f64::max),
                held_out_correlation: held_out[family_of(c)].as_ref().map(|s| s[c]),
                auc: aucs[c],
                frequency: frequencies[family_of(c)],
                family: family_of(c) + 1,
                representative: representatives.contains(&c),
                chosen: short_list.columns.contains(&c),
            })
            .collect();
        Ok(Selection::conclude(features, ranking, short_list, n_judged, self.kind))
    }
}

/// What is separated, and what was repeated, for the sentence.
#[derive(Clone, Copy)]
struct Kind {
    noun: &'static str,
    repeats: &'static str,
}

/// A feature that keeps less than half of its correlation when it is left out made the groups itself.
const CIRCULAR: f64 = 0.5;

/// Which features separate the groups, and how many of the runs would have chosen each.
fn separating(chosen: &[String], ranking: &[RankedFeature], n_runs: usize, kind: Kind) -> String {
    let frequency =
        |name: &String| ranking.iter().find(|f| f.feature == *name).map(|f| f.frequency);
    let n_chosen = |name| (frequency(name).unwrap_or(0.0) * n_runs as f64).round() as usize;
    let counts: Vec<usize> = chosen.iter().map(n_chosen).collect();
    let verb = if chosen.len() < 2 { "separates" } else { "separate" };
    let (separate, repeats) = (format!("{verb} the {}", kind.noun), kind.repeats);
    match counts.first() {
        Some(n) if n_runs > 1 && counts.iter().all(|count| count == n) => {
            format!("{} {separate} (chosen in {n} of {n_runs} {repeats})", listed(chosen))
        }
        Some(first) if n_runs > 1 => {
            let name = |(name, count): (&String, &usize)| format!("{name} ({count})");
            let mut names: Vec<String> = chosen.iter().zip(&counts).map(name).collect();
            names[0] = format!("{} (chosen in {first} of {n_runs} {repeats})", chosen[0]);
            format!("{} {separate}", listed(&names))
        }
        _ => format!("{} {separate}", listed(chosen)),
    }
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[String]) -> String {
    match names {
        [] => "no feature".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// Centred average ranks of every column, computed once for all runs.
struct ColumnRanks {
    ranks: Vec<Vec<f64>>,
}

impl ColumnRanks {
    fn of(matrix: ArrayView2<f64>) -> Self {
        let ranks = matrix
            .axis_iter(Axis(1))
            .into_par_iter()
            .map(|column| ranks(&column.to_vec()))
            .collect();
        Self { ranks }
    }

    fn column(&self, column: usize) -> &[f64] {
        &self.ranks[column]
    }

    /// Per column, the largest |Spearman correlation| with the distance to any of the centres.
    fn strengths(&self, matrix: ArrayView2<f64>, centers: ArrayView2<f64>) -> Vec<f64> {
        let distance_ranks: Vec<Vec<f64>> = centers
            .outer_iter()
            .into_par_iter()
            .map(|center| {
                let squared = |row: ndarray::ArrayView1<f64>| -> f64 {
                    row.iter().zip(&center).map(|(a, b)| (a - b) * (a - b)).sum()
                };
                ranks(&matrix.outer_iter().map(squared).collect::<Vec<f64>>())
            })
            .collect();
        self.ranks
            .par_iter()
            .map(|column| {
                let strength = |distance: &Vec<f64>| correlation(column, distance).abs();
                distance_ranks.iter().map(strength).fold(0.0, f64::max)
            })
            .collect()
    }
}

/// Pearson correlation of two rankings; 0 when one of them is constant.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = f64::midpoint(a.len() as f64, 1.0);
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (a - mean, b - mean);
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    if aa > 0.0 && bb > 0.0 { ab / (aa * bb).sqrt() } else { 0.0 }
}

/// The area under the ROC curve by rank sums (Mann and Whitney 1947) of the best-separated group.
fn best_auc(ranks: &[f64], labels: &[usize], k: usize) -> f64 {
    (1..=k)
        .map(|group| {
            let inside = labels.iter().filter(|&&l| l == group).count() as f64;
            let outside = labels.len() as f64 - inside;
            let sum: f64 =
                ranks.iter().zip(labels).filter(|&(_, &l)| l == group).map(|(r, _)| r).sum();
            if inside == 0.0 || outside == 0.0 {
                return 0.5;
            }
            let auc = (sum - inside * (inside + 1.0) / 2.0) / (inside * outside);
            auc.max(1.0 - auc)
        })
        .fold(0.5, f64::max)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
}

/// Per family, the strengths of all features when the objects are grouped without that family.
fn held_out(
    features: &Features,
    family_sets: &[Vec<usize>],
    k: usize,
    column_ranks: &ColumnRanks,
    seed: u64,
) -> Result<Vec<Option<Vec<f64>>>> {
    family_sets
        .par_iter()
        .map(|family| {
            let rest: Vec<usize> =
                (0..features.n_features()).filter(|c| !family.contains(c)).collect();
            if rest.is_empty() {
                return Ok(None);
            }
            let others = features.columns(&rest)?;
            let groups = KMeans::params(k).n_init(3).seed(seed).fit(&others)?;
            Ok(Some(column_ranks.strengths(others.matrix(), groups.centroids())))
        })
        .collect()
}

/// The strongest feature of every family, strongest family first.
fn representatives(family_sets: &[Vec<usize>], order: &[usize]) -> Vec<usize> {
    let first_of_family = |&&c: &&usize| {
        let family = family_sets.iter().find(|f| f.contains(&c));
        let strongest = order.iter().find(|o| family.is_some_and(|f| f.contains(o)));
        strongest == Some(&c)
    };
    order.iter().filter(first_of_family).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_counts_runs_where_there_are_several() {
        let ranked = |feature: &str, frequency| RankedFeature {
            feature: feature.into(),
            column: 0,
            correlation: 0.9,
            correlation_low: 0.9,
            correlation_high: 0.9,
            held_out_correlation: None,
            auc: 1.0,
            frequency,
            family: 1,
            representative: true,
            chosen: true,
        };
        let kind = Kind { noun: "groups", repeats: "runs" };
        let ranking = [ranked("area", 1.0), ranked("solidity", 0.0), ranked("extent", 1.0)];
        let said = |names: &[&str], n_runs| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            separating(&names, &ranking, n_runs, kind)
        };
        assert_eq!(said(&["area"], 50), "area separates the groups (chosen in 50 of 50 runs)");
        let both = "area and extent separate the groups (chosen in 50 of 50 runs)";
        assert_eq!(said(&["area", "extent"], 50), both);
        let unlike =
            "area (chosen in 50 of 50 runs), extent (50) and solidity (0) separate the groups";
        assert_eq!(said(&["area", "extent", "solidity"], 50), unlike);
        assert_eq!(said(&["area", "solidity"], 1), "area and solidity separate the groups");
        assert_eq!(said(&[], 50), "no feature separates the groups");
    }
}
