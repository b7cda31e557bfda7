//! Features and labels in; how often one single population would look as clustered out.

use std::collections::BTreeSet;

use linfa::DatasetBase;
use ndarray::{Array2, ArrayBase, ArrayView2, Axis, Data, Ix2};
use rayon::prelude::*;

use super::kmeans::KMeans;
use super::valley::{Valley, valleys};
use crate::embed::{Moments, symmetric_eigen};
use crate::error::{Error, Result};
use crate::seed::Seed;

/// Rows of a simulated table at most. A larger table is judged beside simulations of this size, which is on the
/// careful side: smaller tables look a little tighter.
pub const SIMULATED_ROWS: usize = 2000;
/// Starts of K-means on each simulated table.
const STARTS: usize = 3;

/// How well one Gaussian population of the same covariance explains a grouping.
#[derive(Debug, Clone, PartialEq)]
pub struct Null {
    /// Within-cluster over total sum of squares of the grouping: small when the clusters are tight.
    pub observed: f64,
    /// The same for K-means on each simulated table, ascending.
    pub simulated: Vec<f64>,
    /// `(1 + simulated <= observed) / (1 + tables)`: small when one population would hardly do as well.
    pub p_value: f64,
    /// Rows of each simulated table.
    pub n_rows: usize,
    /// What lies between each group and its nearest one.
    pub valleys: Vec<Valley>,
}

impl Null {
    /// The p-value of the deepest valley: small when at least two groups are apart.
    pub fn valley_p(&self) -> f64 {
        self.valleys.iter().map(|valley| valley.p_value).fold(1.0, f64::min)
    }
}

/// K-means with one k on one simulated population.
#[derive(Debug, Clone, Copy)]
pub(super) struct Simulated {
    /// Within-cluster over total sum of squares.
    pub index: f64,
    /// The depth of its deepest valley.
    pub valley: f64,
}

/// Compares a grouping with groupings of a single Gaussian population of the same size and covariance.
///
/// K-means cuts any cloud into k parts. Only when the parts are tighter than those of nearly all simulated single
/// populations (p < 0.05, say) is there a reason to speak of groups, and since a population may also be other than
/// Gaussian, only when a valley lies between them ([`Null::valleys`]). Rows with label 0 are left out.
/// Tables of more than [`SIMULATED_ROWS`] rows are judged beside simulations of that many rows.
///
/// # Errors
/// When rows and labels differ in number, fewer than 2 clusters are labelled, `n_tables` is 0, or no feature varies.
///
/// # Determinism
/// Follows from `seed` alone.
///
/// # References
/// Y. Liu, D. N. Hayes, A. Nobel and J. S. Marron, *Statistical significance of clustering for high-dimension,
/// low-sample size data*, 2008 (the cluster index, section 2.1), here for k clusters and with the sample covariance.
pub fn single_population<D: Data<Elem = f64>, T>(
    dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
    labels: &[usize],
    n_tables: usize,
    seed: u64,
) -> Result<Null> {
    let (rows, labels) = labelled_rows(dataset.records().view(), labels)?;
    if n_tables == 0 {
        return Err(Error::parameter("n_tables", 0, "at least 1"));
    }
    let clusters = labels.iter().copied().collect::<BTreeSet<_>>();
    let k = clusters.len();
    let moments = Moments::of(rows.view());
    let total = moments.scatter.diag().sum();
    if k < 2 || total <= 0.0 {
        return Err(Error::data(format!(
            "a grouping to judge needs at least 2 clusters and a feature that varies; found {k} clusters"
        )));
    }
    let within: f64 = clusters
        .iter()
        .map(|&c| {
            let members: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] == c).collect();
            let members = rows.select(Axis(0), &members);
            let mean = members.mean_axis(Axis(0)).unwrap_or_default();
            (&members - &mean).mapv(|v| v * v).sum()
        })
        .sum();
    let observed = within / total;
    let n_rows = rows.nrows().min(SIMULATED_ROWS);
    let tables = simulate(&moments, &[k], n_rows, n_tables, seed)?.concat();
    let as_deep = |depth: f64| tables.iter().filter(|table| table.valley >= depth).count();
    let p_value = |depth: f64| (1 + as_deep(depth)) as f64 / (1 + n_tables) as f64;
    let valleys = judged_valleys(rows.view(), &labels, n_rows, p_value, seed);
    let mut simulated: Vec<f64> = tables.iter().map(|table| table.index).collect();
    simulated.sort_by(f64::total_cmp);
    let as_tight = simulated.partition_point(|&s| s <= observed);
    let p_value = (1 + as_tight) as f64 / (1 + n_tables) as f64;
    Ok(Null { observed, simulated, p_value, n_rows, valleys })
}

/// The valleys between the groups, over as many rows as a simulated table has; `p_value` judges a depth.
pub(super) fn judged_valleys(
    rows: ArrayView2<'_, f64>,
    labels: &[usize],
    n_rows: usize,
    p_value: impl Fn(f64) -> f64,
    seed: u64,
) -> Vec<Valley> {
    let drawn = Seed::new(seed).stream("valley", 0).sample(rows.nrows(), n_rows);
    let labels: Vec<usize> = drawn.iter().map(|&row| labels[row]).collect();
    valleys(rows.select(Axis(0), &drawn).view(), &labels)
        .into_iter()
        .map(|(group, neighbor, depth)| Valley { group, neighbor, depth, p_value: p_value(depth) })
        .collect()
}

/// For each simulated single population with the covariance of `moments`, what K-means finds for every k.
pub(super) fn simulate(
    moments: &Moments,
    ks: &[usize],
    n_rows: usize,
    n_tables: usize,
    seed: u64,
) -> Result<Vec<Vec<Simulated>>> {
    // Rotating a table changes no distance, so it is drawn along its principal axes.
    let spread = symmetric_eigen(moments.scatter.view()).0.mapv(f64::sqrt);
    let spread: Vec<f64> = spread.iter().map(|s| s / spread[0]).filter(|&s| s > 1e-9).collect();
    (0..n_tables)
        .into_par_iter()
        .map(|table| {
            let seed = Seed::new(seed).child("single population", table as u64);
            let mut stream = seed.stream("table", 0);
            let rows =
                Array2::from_shape_fn((n_rows, spread.len()), |(_, j)| spread[j] * stream.normal());
            let total = Moments::of(rows.view()).scatter.diag().sum();
            let data = DatasetBase::from(rows.view());
            let params = KMeans::params(1).n_init(STARTS).seed(seed.value()).unpolished();
            let simulated = |groups: KMeans| {
                let depths = valleys(rows.view(), groups.labels()).into_iter().map(|v| v.2);
                let valley = depths.fold(0.0, f64::max);
                Simulated { index: groups.inertia() / total, valley }
            };
            Ok(params.fit_each(&data, ks)?.into_iter().map(simulated).collect())
        })
        .collect()
}

fn labelled_rows(rows: ArrayView2<'_, f64>, labels: &[usize]) -> Result<(Array2<f64>, Vec<usize>)> {
    if rows.nrows() != labels.len() {
        let (found, wanted) = (labels.len(), rows.nrows());
        return Err(Error::data(format!("found {found} labels for {wanted} rows")));
    }
    let labelled: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] > 0).collect();
    Ok((rows.select(Axis(0), &labelled), labelled.iter().map(|&i| labels[i]).collect()))
}

#[cfg(test)]
mod tests {
    use linfa::traits::Fit;

    use super::*;

    fn p_value(table: &Array2<f64>, k: usize) -> f64 {
        let labels = KMeans::params(k).fit(&DatasetBase::from(table.view())).unwrap();
        single_population(&DatasetBase::from(table.view()), labels.labels(), 99, 1).unwrap().p_value
    }

    #[test]
    fn one_long_cloud_is_not_two_groups() {
        let mut rejected = 0;
        for seed in 0..10 {
            let mut stream = Seed::new(seed).stream("cloud", 0);
            let table =
                Array2::from_shape_fn((200, 3), |(_, j)| [9.0, 1.0, 1.0][j] * stream.normal());
            rejected += usize::from(p_value(&table, 2) <= 0.05);
        }
        assert!(rejected <= 2, "{rejected} of 10 single clouds were called groups");
    }

    #[test]
    fn two_groups_are_not_one_population() {
        let mut stream = Seed::new(3).stream("groups", 0);
        let table = Array2::from_shape_fn((200, 3), |(i, j)| {
            if j == 0 && i % 2 == 0 { 6.0 + stream.normal() } else { stream.normal() }
        });
        assert_eq!(p_value(&table, 2), 0.01);
    }

    #[test]
    fn what_cannot_be_judged_is_refused() {
        let rows = Array2::<f64>::zeros((4, 2));
        assert!(single_population(&DatasetBase::from(rows.view()), &[1, 1, 2, 2], 9, 0).is_err());
        let rows = ndarray::array![[0.0], [1.0], [2.0]];
        assert!(single_population(&DatasetBase::from(rows.view()), &[1, 1, 1], 9, 0).is_err());
        assert!(single_population(&DatasetBase::from(rows.view()), &[1, 2], 9, 0).is_err());
        assert!(single_population(&DatasetBase::from(rows.view()), &[1, 2, 2], 0, 0).is_err());
    }
}
