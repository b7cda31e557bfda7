//! Features and a range of k in; how well each k fits, which to take, and whether there are groups at all, out.

use std::ops::RangeInclusive;

use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::{Array2, ArrayBase, Axis, Data, Ix2};
use serde::Serialize;

use super::kmeans::KMeans;
use super::silhouette::silhouettes_of;
use super::single_population::{Null, Simulated, judged_valleys, simulate};
use super::valley::Valley;
use crate::embed::{Moments, Pca};
use crate::error::{Error, Result};
use crate::seed::Seed;

/// Rows over which the silhouettes that choose k are taken: their error is a few thousandths.
const SILHOUETTE_SAMPLE: usize = 5000;
/// Rows of the tables behind the gap statistic.
const GAP_ROWS: usize = 2000;
/// Reference tables of the gap statistic (the paper's examples use 10 to 20).
const GAP_TABLES: u64 = 10;
/// Simulated single populations, and the rows of each.
const NULL_TABLES: usize = 100;
const NULL_ROWS: usize = 1000;
/// Above this p-value one population explains the groups well enough.
const SIGNIFICANT: f64 = 0.05;

/// What is known about one number of clusters.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// Number of clusters.
    pub k: usize,
    /// Sum of squared distances to the nearest centre.
    pub inertia: f64,
    /// Mean silhouette (over a sample of 5,000 rows when there are more).
    pub silhouette: f64,
    /// Gap statistic: how much lower the log of the inertia is than in structureless tables.
    pub gap: f64,
    /// Standard error of the gap, for the rule `gap(k) >= gap(k + 1) - error(k + 1)`.
    pub gap_error: f64,
    /// How often one Gaussian population looks as clustered at *some* k of the range as the table does at this one:
    /// the p-value, adjusted for the number of k that were tried (Westfall and Young 1993).
    pub p_value: f64,
    /// The same for the shallowest valley between a group and its neighbour: small when every group lies apart.
    #[serde(rename = "valley_p_value")]
    pub valley_p: f64,
}

/// A choice of k, with everything that speaks for and against it.
#[derive(Debug, Clone)]
pub struct ChoiceOfK {
    /// The number of groups to report; 1 means that one population explains the table as well.
    pub k: usize,
    /// The k that `clusters` has: `k`, or where that is 1 the k of the best silhouette.
    pub best_k: usize,
    /// The k that the gap statistic alone would take (may be 1).
    pub gap_k: usize,
    /// One entry for each k that was tried, ascending.
    pub candidates: Vec<Candidate>,
    /// How one Gaussian population compares at `best_k`, with the adjusted p-value.
    pub null: Null,
    /// The clustering at `best_k`.
    pub clusters: KMeans,
}

/// Tries every k of the range, and takes the one of best silhouette among those at which the table is more
/// clustered than a single Gaussian population would be; those at which valleys lie between all groups come first.
/// When there is none, there are no groups, and k is 1.
///
/// # Errors
/// When the range has no k from 2 to the number of different rows - 1, or a value is not finite.
///
/// # Determinism
/// Follows from `seed` alone.
///
/// # References
/// P. J. Rousseeuw, *Silhouettes*, 1987; R. Tibshirani, G. Walther and T. Hastie, *Estimating the number of
/// clusters in a data set via the gap statistic*, 2001; and see
/// [`single_population`](super::single_population()).
pub fn choose_k<D: Data<Elem = f64>, T>(
    dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
    range: RangeInclusive<usize>,
    seed: u64,
) -> Result<ChoiceOfK> {
    let rows = dataset.records().view();
    let most = rows.nrows().saturating_sub(1).min(*range.end());
    // Fewer different rows than some k: larger k are impossible too.
    let wanted: Vec<usize> = ((*range.start()).max(2)..=most).collect();
    let mut fits = KMeans::params(2).seed(seed).fit_each(dataset, &wanted)?;
    if fits.is_empty() {
        let found = format!("{}..={}", range.start(), range.end());
        let allowed = format!("a range with a k from 2 to the number of rows - 1 ({most})");
        return Err(Error::parameter("k", found, allowed));
    }
    let labelings: Vec<&[usize]> = fits.iter().map(KMeans::labels).collect();
    let silhouettes = silhouettes_of(rows, &labelings, SILHOUETTE_SAMPLE)?;
    let ks: Vec<usize> = fits.iter().map(KMeans::n_clusters).collect();
    let gaps = gap(dataset, &ks, seed)?;
    let moments = Moments::of(rows);
    let total = moments.scatter.diag().sum();
    let observed: Vec<f64> = fits.iter().map(|fit| fit.inertia() / total).collect();
    let n_rows = rows.nrows().min(NULL_ROWS);
    let simulated = simulate(&moments, &ks, n_rows, NULL_TABLES, seed)?;
    // Tight groups have a small share of the squares, deep valleys a large dip.
    let tightness = Extremes::of(&simulated, |table| -table.index);
    let depth = Extremes::of(&simulated, |table| table.valley);
    let valleys: Vec<Vec<Valley>> = fits
        .iter()
        .enumerate()
        .map(|(i, fit)| {
            let p_value = |found: f64| depth.p_value(i, found);
            judged_valleys(rows, fit.labels(), n_rows, p_value, seed)
        })
        .collect();
    let candidates: Vec<Candidate> = fits
        .iter()
        .enumerate()
        .map(|(i, fit)| Candidate {
            k: fit.n_clusters(),
            inertia: fit.inertia(),
            silhouette: silhouettes[i].mean,
            gap: gaps[i + 1].gap,
            gap_error: gaps[i + 1].error,
            p_value: tightness.p_value(i, -observed[i]),
            valley_p: valleys[i].iter().map(|valley| valley.p_value).fold(0.0, f64::max),
        })
        .collect();
    let significant = |i: &usize| candidates[*i].p_value <= SIGNIFICANT;
    let best_of = |positions: &mut dyn Iterator<Item = usize>| {
        let silhouette = |i: usize| candidates[i].silhouette;
        positions.reduce(|best, i| if silhouette(i) > silhouette(best) { i } else { best })
    };
    let apart = |i: &usize| significant(i) && candidates[*i].valley_p <= SIGNIFICANT;
    let groups = best_of(&mut (0..fits.len()).filter(apart))
        .or_else(|| best_of(&mut (0..fits.len()).filter(significant)));
    let best = groups.or_else(|| best_of(&mut (0..fits.len()))).unwrap_or(0);
    let mut indices: Vec<f64> = simulated.iter().map(|table| table[best].index).collect();
    indices.sort_by(f64::total_cmp);
    let null = Null {
        observed: observed[best],
        simulated: indices,
        p_value: candidates[best].p_value,
        n_rows,
        valleys: valleys[best].clone(),
    };
    let best_k = candidates[best].k;
    Ok(ChoiceOfK {
        k: if groups.is_some() { best_k } else { 1 },
        best_k,
        gap_k: gap_choice(&gaps),
        candidates,
        null,
        clusters: fits.swap_remove(best),
    })
}

/// How far single populations come at the k that suits each of them best, in units of what is usual at that k.
struct Extremes {
    /// Mean and standard deviation over the populations, by k.
    usual: Vec<(f64, f64)>,
    /// The largest of each population.
    most: Vec<f64>,
}

impl Extremes {
    /// Of a `measure` that is large where there are groups; `simulated` by tables, then by k.
    fn of(simulated: &[Vec<Simulated>], measure: impl Fn(&Simulated) -> f64) -> Self {
        let count = simulated.len() as f64;
        let n_ks = simulated.first().map_or(0, Vec::len);
        let usual: Vec<(f64, f64)> = (0..n_ks)
            .map(|i| {
                let mean = simulated.iter().map(|t| measure(&t[i])).sum::<f64>() / count;
                let squares = simulated.iter().map(|t| (measure(&t[i]) - mean).powi(2));
                (mean, (squares.sum::<f64>() / count).sqrt().max(f64::MIN_POSITIVE))
            })
            .collect();
        let standing = |i: usize, value: f64| (value - usual[i].0) / usual[i].1;
        let most = simulated
            .iter()
            .map(|t| {
                (0..n_ks).map(|i| standing(i, measure(&t[i]))).fold(f64::NEG_INFINITY, f64::max)
            })
            .collect();
        Self { usual, most }
    }

    /// The share of single populations that come as far at some k as `value` at the k of this position.
    fn p_value(&self, i: usize, value: f64) -> f64 {
        let standing = (value - self.usual[i].0) / self.usual[i].1;
        let as_far = self.most.iter().filter(|&&most| most >= standing).count();
        (1 + as_far) as f64 / (1 + self.most.len()) as f64
    }
}

/// The gap statistic of one k.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    /// Number of clusters.
    pub k: usize,
    /// Mean log inertia of the reference tables minus the table's own.
    pub gap: f64,
    /// Its standard error, simulation error included: s(k) of the paper.
    pub error: f64,
}

/// The gap statistic for k = 1 and every k of `ks`: reference tables are uniform over the box of the principal
/// axes (Tibshirani et al. 2001, choice b). Over a random sample of 2,000 rows when there are more.
///
/// # Determinism
/// `seed` decides the reference tables and the starts.
///
/// # Errors
/// When there are fewer than 2 rows, or more clusters than different rows.
pub fn gap<D: Data<Elem = f64>, T>(
    dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
    ks: &[usize],
    seed: u64,
) -> Result<Vec<Gap>> {
    let rows = dataset.records();
    let mut stream = Seed::new(seed).stream("gap", 0);
    let sample = stream.sample(rows.nrows(), GAP_ROWS);
    let rows = rows.select(Axis(0), &sample);
    let n_components = rows.nrows().min(rows.ncols());
    let table =
        Pca::params(n_components).fit(&DatasetBase::from(rows.view()))?.coordinates().to_owned();
    let bounds: Vec<(f64, f64)> = table
        .columns()
        .into_iter()
        .map(|c| {
            c.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |b, &v| (b.0.min(v), b.1.max(v)))
        })
        .collect();
    let all: Vec<usize> = std::iter::once(1).chain(ks.iter().copied().filter(|&k| k > 1)).collect();
    let own = log_inertias(&table, &all, seed)?;
    let references: Vec<Vec<f64>> = (0..GAP_TABLES)
        .map(|b| {
            let mut stream = Seed::new(seed).stream("gap table", b);
            let reference = Array2::from_shape_fn(table.dim(), |(_, j)| {
                bounds[j].0 + stream.uniform() * (bounds[j].1 - bounds[j].0)
            });
            log_inertias(&reference, &all, seed)
        })
        .collect::<Result<_>>()?;
    let count = GAP_TABLES as f64;
    Ok(all
        .iter()
        .enumerate()
        .map(|(i, &k)| {
            let mean = references.iter().map(|r| r[i]).sum::<f64>() / count;
            let variance = references.iter().map(|r| (r[i] - mean).powi(2)).sum::<f64>() / count;
            Gap { k, gap: mean - own[i], error: (variance * (1.0 + 1.0 / count)).sqrt() }
        })
        .collect())
}

fn log_inertias(table: &Array2<f64>, ks: &[usize], seed: u64) -> Result<Vec<f64>> {
    let params = KMeans::params(1).n_init(3).seed(seed).unpolished();
    let fits = params.fit_each(&DatasetBase::from(table.view()), ks)?;
    let mut logs: Vec<f64> =
        fits.iter().map(|fit| fit.inertia().max(f64::MIN_POSITIVE).ln()).collect();
    // With as many clusters as different rows nothing is left within them.
    logs.resize(ks.len(), f64::MIN_POSITIVE.ln());
    Ok(logs)
}

/// The smallest k whose gap is within one error of the next k's.
fn gap_choice(gaps: &[Gap]) -> usize {
    gaps.windows(2)
        .find(|pair| pair[0].gap >= pair[1].gap - pair[1].error)
        .map_or(gaps[gaps.len() - 1].k, |pair| pair[0].k)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(n: usize, k: usize, apart: f64, seed: u64) -> Array2<f64> {
        let mut stream = Seed::new(seed).stream("choose", 0);
        let centres = Array2::from_shape_fn((k, 4), |_| apart * stream.normal());
        Array2::from_shape_fn((n, 4), |(i, j)| centres[[i % k, j]] + stream.normal())
    }

    #[test]
    fn finds_the_groups_that_are_there() {
        let choice = choose_k(&DatasetBase::from(groups(300, 4, 12.0, 1)), 2..=8, 0).unwrap();
        assert_eq!((choice.k, choice.best_k, choice.gap_k), (4, 4, 4));
        assert_eq!(choice.candidates.len(), 7);
        assert_eq!(choice.clusters.n_clusters(), 4);
    }

    #[test]
    fn groups_that_lie_apart_come_before_a_better_silhouette() {
        // Two groups in one of three columns: cut into many, their silhouettes differ by chance only.
        for seed in 0..5 {
            let mut stream = Seed::new(seed).stream("alone", 0);
            let rows = Array2::from_shape_fn((180, 3), |(i, j)| {
                stream.normal() + if j > 0 { 0.0 } else { 10.0 * (i % 2) as f64 }
            });
            let scaled = Array2::from_shape_fn((180, 3), |(i, j)| {
                if j > 0 { rows[[i, j]] } else { rows[[i, j]] / 5.1 }
            });
            let choice = choose_k(&DatasetBase::from(scaled), 2..=10, seed).unwrap();
            assert_eq!(choice.k, 2, "{:?}", choice.candidates);
            assert!(choice.candidates[0].valley_p <= 0.05);
        }
    }

    #[test]
    fn single_populations_are_seldom_called_groups() {
        let mut wrong = 0;
        for seed in 0..10 {
            let mut rows = groups(150, 1, 0.0, 100 + seed);
            rows.column_mut(0).mapv_inplace(|v| 4.0 * v);
            wrong += usize::from(choose_k(&DatasetBase::from(rows), 2..=6, 0).unwrap().k > 1);
        }
        assert!(wrong <= 2, "{wrong} of 10");
    }

    #[test]
    fn says_that_there_are_none() {
        let choice = choose_k(&DatasetBase::from(groups(300, 1, 0.0, 2)), 2..=6, 0).unwrap();
        assert_eq!((choice.k, choice.gap_k), (1, 1));
        assert!(choice.null.p_value > 0.05);
    }

    #[test]
    fn impossible_ranges_are_refused() {
        let rows = ndarray::array![[0.0], [1.0]];
        let error = choose_k(&DatasetBase::from(rows), 2..=5, 0).unwrap_err();
        assert!(error.to_string().starts_with("k = 2..=5 is invalid"), "{error}");
        let same = Array2::<f64>::zeros((9, 2));
        assert!(choose_k(&DatasetBase::from(same), 2..=5, 0).is_err());
        let two = Array2::from_shape_fn((9, 1), |(i, _)| (i % 2) as f64);
        assert_eq!(choose_k(&DatasetBase::from(two), 2..=5, 0).unwrap().best_k, 2);
    }
}
