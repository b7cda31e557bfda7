//! Features and labels in; how often one single population would look as clustered out.

use std::collections::BTreeSet;

use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::{Array1, Array2, ArrayBase, ArrayView2, Axis, Data, Ix2};
use rayon::prelude::*;

use super::kmeans::KMeans;
use crate::embed::{Moments, symmetric_eigen};
use crate::error::{Error, Result};
use crate::seed::Seed;

/// Rows of a simulated table at most; a larger table is judged beside simulations of this size.
pub const SIMULATED_ROWS: usize = 4000;
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
}

/// Compares a grouping with groupings of a single Gaussian population of the same size and covariance.
///
/// K-means cuts any cloud into k parts. Only when the parts are tighter than those of nearly all simulated single
/// populations (p < 0.05, say) is there a reason to speak of groups. Rows with label 0 are left out.
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
    let spread = symmetric_eigen(moments.scatter.view()).0.mapv(f64::sqrt);
    let mut simulated: Vec<f64> = (0..n_tables)
        .into_par_iter()
        .map(|table| {
            simulate(n_rows, &spread, k, Seed::new(seed).child("single population", table as u64))
        })
        .collect::<Result<_>>()?;
    simulated.sort_by(f64::total_cmp);
    let as_tight = simulated.partition_point(|&s| s <= observed);
    let p_value = (1 + as_tight) as f64 / (1 + n_tables) as f64;
    Ok(Null { observed, simulated, p_value, n_rows })
}

/// The cluster index of K-means on one simulated table. Rotating a table changes no distance, so it is drawn
/// along the principal axes.
fn simulate(n: usize, spread: &Array1<f64>, k: usize, seed: Seed) -> Result<f64> {
    let mut stream = seed.stream("table", 0);
    let floor = spread[0] * 1e-9;
    let spread: Vec<f64> =
        spread.iter().map(|s| s / spread[0]).filter(|&s| s > floor / spread[0]).collect();
    let table = Array2::from_shape_fn((n, spread.len()), |(_, j)| spread[j] * stream.normal());
    let clusters = KMeans::params(k)
        .n_init(STARTS)
        .seed(seed.value())
        .fit(&DatasetBase::from(table.view()))?;
    let mean = table.mean_axis(Axis(0)).unwrap_or_default();
    let total: f64 = table.outer_iter().map(|row| (&row - &mean).mapv(|v| v * v).sum()).sum();
    Ok(clusters.inertia() / total)
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
