//! A matrix and a density in; groups of any shape, and the rows between them, out.
//!
//! DBSCAN is linfa-clustering's. Its OPTICS (0.8.1) is not used: it gives the first row of each group a reachability
//! and leaves ties to the order of a search tree, so that groups run into each other; ours is the paper's.

use linfa::traits::{Fit, Transformer};
use linfa::{DatasetBase, ParamGuard};
use ndarray::{ArrayBase, ArrayView2, Data, Ix2};
use rayon::prelude::*;

use super::agreement::largest_first;
use crate::embed::not_finite;
use crate::error::{Error, Result};

/// Groups of rows that are connected by dense neighbourhoods.
///
/// A row with at least `min_points` rows (itself included) within `max_distance` is a core; cores within reach of
/// each other, and the rows within reach of a core, form a group. Labels run from 1, largest group first; 0 is noise.
///
/// ```
/// use linfa::traits::Fit;
/// use ndarray::array;
/// use polariscope::cluster::Dbscan;
/// use polariscope::table::Features;
/// let table = array![[0.0], [0.1], [0.2], [5.0], [9.0], [9.1]];
/// let features = Features::new(table, ["area"])?;
/// let groups = Dbscan::params(0.5, 2).fit(&features)?;
/// assert_eq!(groups.labels(), [1, 1, 1, 0, 2, 2]);
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # References
/// M. Ester, H.-P. Kriegel, J. Sander and X. Xu, *A density-based algorithm for discovering clusters*, 1996.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dbscan {
    labels: Vec<usize>,
}

/// What to compute; see [`Dbscan::params`].
#[derive(Debug, Clone, PartialEq)]
pub struct DbscanParams {
    max_distance: f64,
    min_points: usize,
}

impl Dbscan {
    /// Rows within `max_distance` of each other are neighbours; a core has `min_points` of them, itself included.
    pub fn params(max_distance: f64, min_points: usize) -> DbscanParams {
        DbscanParams { max_distance, min_points }
    }

    /// The group of each row, from 1; 0 for noise.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Number of groups.
    pub fn n_clusters(&self) -> usize {
        self.labels.iter().copied().max().unwrap_or(0)
    }
}

impl<D: Data<Elem = f64>, T> Fit<ArrayBase<D, Ix2>, T, Error> for DbscanParams {
    type Object = Dbscan;

    /// # Errors
    /// A parameter out of range, or a value that is not finite.
    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Dbscan> {
        let rows = dataset.records().view();
        check(rows, dataset.feature_names(), self.min_points)?;
        if !(self.max_distance > 0.0 && self.max_distance.is_finite()) {
            return Err(Error::parameter("max_distance", self.max_distance, "above 0 and finite"));
        }
        let params = linfa_clustering::Dbscan::params(self.min_points).tolerance(self.max_distance);
        let params = params.check().map_err(|e| Error::internal(e.to_string()))?;
        // linfa's search tree wants rows that lie in one piece.
        let rows = rows.as_standard_layout().into_owned();
        let labels: Vec<usize> =
            params.transform(&rows).iter().map(|l| l.map_or(0, |l| l + 1)).collect();
        Ok(Dbscan { labels: largest_first(&labels) })
    }
}

fn check(rows: ArrayView2<'_, f64>, names: &[String], min_points: usize) -> Result<()> {
    let (n, d) = rows.dim();
    if n == 0 || d == 0 {
        let message = format!("groups need rows and features; found {n} rows, {d} features");
        return Err(Error::data(message));
    }
    if min_points < 2 || min_points > n {
        let allowed = format!("at least 2 and at most the number of rows ({n})");
        return Err(Error::parameter("min_points", min_points, allowed));
    }
    if rows.iter().all(|v| v.is_finite()) { Ok(()) } else { Err(not_finite(rows, names)) }
}

/// The rows in an order in which dense groups are valleys of the reachability: DBSCAN for all distances at once.
///
/// Every pair of rows is looked at once: 20,000 rows take seconds, 100,000 minutes.
///
/// # References
/// M. Ankerst, M. M. Breunig, H.-P. Kriegel and J. Sander, *OPTICS: ordering points to identify the clustering
/// structure*, 1999.
#[derive(Debug, Clone, PartialEq)]
pub struct Optics {
    ordering: Vec<usize>,
    reachability: Vec<f64>,
    core_distances: Vec<f64>,
}

/// What to compute; see [`Optics::params`].
#[derive(Debug, Clone, PartialEq)]
pub struct OpticsParams {
    min_points: usize,
    max_distance: f64,
}

impl Optics {
    /// A core has `min_points` rows within reach, itself included; no limit to the reach.
    pub fn params(min_points: usize) -> OpticsParams {
        OpticsParams { min_points, max_distance: f64::INFINITY }
    }

    /// The rows in the order in which they were reached.
    pub fn ordering(&self) -> &[usize] {
        &self.ordering
    }

    /// For each row (in table order) the distance at which the rows before it reach it; infinite for the first of a group.
    pub fn reachability(&self) -> &[f64] {
        &self.reachability
    }

    /// For each row (in table order) the distance at which it becomes a core; infinite beyond `max_distance`.
    pub fn core_distances(&self) -> &[f64] {
        &self.core_distances
    }

    /// The groups at one distance, as DBSCAN finds them (up to border rows): labels from 1, largest first; 0 is noise.
    pub fn labels_at(&self, distance: f64) -> Vec<usize> {
        let mut labels = vec![0; self.ordering.len()];
        let mut current = 0;
        let mut groups = 0;
        for &row in &self.ordering {
            if self.reachability[row] > distance {
                groups += usize::from(self.core_distances[row] <= distance);
                current = if self.core_distances[row] <= distance { groups } else { 0 };
            }
            labels[row] = current;
        }
        largest_first(&labels)
    }
}

impl OpticsParams {
    /// Rows farther apart than this are never neighbours.
    pub fn max_distance(mut self, max_distance: f64) -> Self {
        self.max_distance = max_distance;
        self
    }
}

impl<D: Data<Elem = f64>, T> Fit<ArrayBase<D, Ix2>, T, Error> for OpticsParams {
    type Object = Optics;

    /// # Errors
    /// A parameter out of range, or a value that is not finite.
    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Optics> {
        let rows = dataset.records().view();
        check(rows, dataset.feature_names(), self.min_points)?;
        if self.max_distance.is_nan() || self.max_distance <= 0.0 {
            return Err(Error::parameter("max_distance", self.max_distance, "above 0"));
        }
        let n = rows.nrows();
        let core_distances: Vec<f64> = (0..n)
            .into_par_iter()
            .map(|i| {
                let mut distances = distances(rows, i);
                let nth = distances.select_nth_unstable_by(self.min_points - 1, f64::total_cmp);
                if *nth.1 <= self.max_distance { *nth.1 } else { f64::INFINITY }
            })
            .collect();
        let mut reachability = vec![f64::INFINITY; n];
        let mut ordering = Vec::with_capacity(n);
        let mut left: Vec<usize> = (0..n).collect();
        while !left.is_empty() {
            // The row that is reached soonest, the first one among equals.
            let next = (1..left.len()).fold(0, |best, i| {
                if reachability[left[i]] < reachability[left[best]] { i } else { best }
            });
            let row = left.remove(next);
            ordering.push(row);
            if core_distances[row].is_infinite() {
                continue;
            }
            let from_row = distances(rows, row);
            for &other in left.iter().filter(|&&other| from_row[other] <= self.max_distance) {
                let reach = from_row[other].max(core_distances[row]);
                reachability[other] = reachability[other].min(reach);
            }
        }
        Ok(Optics { ordering, reachability, core_distances })
    }
}

/// Euclidean distances from one row to all.
fn distances(rows: ArrayView2<'_, f64>, from: usize) -> Vec<f64> {
    let own = rows.row(from);
    rows.outer_iter()
        .map(|row| row.iter().zip(&own).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt())
        .collect()
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::cluster::agreement::adjusted_rand;
    use crate::seed::Seed;

    /// Two rings, one inside the other, and a few rows far away.
    fn rings() -> Array2<f64> {
        let mut stream = Seed::new(1).stream("rings", 0);
        Array2::from_shape_fn((205, 2), |(i, j)| {
            if i >= 200 {
                return 20.0 * (i as f64 - 190.0) * (j as f64 + 1.0);
            }
            let angle = i as f64 * 0.7;
            let radius = if i % 2 == 0 { 1.0 } else { 4.0 };
            radius * (if j == 0 { angle.sin() } else { angle.cos() }) + 0.05 * stream.normal()
        })
    }

    /// Connected components of cores, the definition; border rows are left at 0.
    fn core_groups(rows: &Array2<f64>, reach: f64, min_points: usize) -> Vec<usize> {
        let near: Vec<Vec<usize>> = (0..rows.nrows())
            .map(|i| {
                let d = distances(rows.view(), i);
                (0..rows.nrows()).filter(|&j| d[j] <= reach).collect()
            })
            .collect();
        let mut labels = vec![0; rows.nrows()];
        for i in 0..rows.nrows() {
            if labels[i] > 0 || near[i].len() < min_points {
                continue;
            }
            let mut queue = vec![i];
            while let Some(row) = queue.pop() {
                labels[row] = i + 1;
                let cores =
                    near[row].iter().filter(|&&j| labels[j] == 0 && near[j].len() >= min_points);
                queue.extend(cores);
            }
        }
        labels
    }

    #[test]
    fn both_follow_the_definition() {
        let rows = rings();
        let data = DatasetBase::from(rows.view());
        let optics = Optics::params(4).fit(&data).unwrap();
        for reach in [0.3, 0.5, 0.8, 2.0] {
            let slow = core_groups(&rows, reach, 4);
            let dbscan = Dbscan::params(reach, 4).fit(&data).unwrap();
            let at = optics.labels_at(reach);
            for labels in [dbscan.labels(), &at] {
                let cores: Vec<usize> = (0..205).filter(|&i| slow[i] > 0).collect();
                let (a, b): (Vec<usize>, Vec<usize>) =
                    cores.iter().map(|&i| (slow[i], labels[i])).unzip();
                assert_eq!(adjusted_rand(&a, &b).unwrap(), 1.0, "{reach}");
                assert!(b.iter().all(|&l| l > 0));
                assert_eq!(labels[204], 0);
            }
        }
        assert_eq!(Dbscan::params(2.0, 4).fit(&data).unwrap().n_clusters(), 2);
    }

    #[test]
    fn bad_input_says_what_is_allowed() {
        let rows = rings();
        let data = DatasetBase::from(rows.view());
        assert!(Dbscan::params(0.0, 3).fit(&data).is_err());
        assert!(Dbscan::params(1.0, 1).fit(&data).is_err());
        assert!(Optics::params(206).fit(&data).is_err());
        assert!(Optics::params(3).max_distance(f64::NAN).fit(&data).is_err());
        let nan = ndarray::array![[0.0], [f64::NAN]];
        assert!(Dbscan::params(1.0, 2).fit(&DatasetBase::from(nan.view())).is_err());
    }
}
