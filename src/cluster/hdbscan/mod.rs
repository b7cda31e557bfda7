//! A matrix in; the groups of rows that stay dense over a range of densities, and the rows between them, out.
//!
//! Our own, because the crate `hdbscan` (0.12) joins rows of equal reach one after the other, so that shuffling the
//! rows changes its groups, and `petal-clustering` (0.14) has no probabilities.

mod density_tree;
mod spanning_walk;

use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::{ArrayBase, ArrayView2, Data, Ix2};

use self::density_tree::DensityTree;
use self::spanning_walk::{Walk, walk};
use super::agreement::largest_first;
use crate::embed::not_finite;
use crate::error::{Error, Result};
use crate::kernels::nearest_rows::{Gap, Rows, nearest_rows};

/// Groups of any shape and of different densities; rows that are in no group are noise.
///
/// The reach of two rows is their distance, or where that is larger the distance at which one of them has
/// `min_samples` rows around it. As the reach that connects rows shrinks, groups break apart; of a group and the groups
/// it breaks into those are reported that hold more rows over a longer range of densities ("excess of mass").
/// Labels run from 1, largest group first; 0 is noise. There may be no group at all.
///
/// ```
/// use linfa::traits::Fit;
/// use ndarray::array;
/// use polariscope::cluster::Hdbscan;
/// use polariscope::table::Features;
/// let table = array![[0.0], [0.1], [0.2], [0.4], [30.0], [8.0], [8.5], [9.0]];
/// let features = Features::new(table, ["area"])?;
/// let groups = Hdbscan::params(3).min_samples(2).fit(&features)?;
/// assert_eq!(groups.labels(), [1, 1, 1, 1, 0, 2, 2, 2]);
/// assert_eq!(groups.probabilities()[4], 0.0);
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// Every pair of rows is looked at once: 20,000 rows of 20 features take a second, 100,000 most of a minute.
///
/// # Determinism
/// Nothing is drawn at random; the same bits on any number of threads. Rows and groups that meet at the same reach are
/// joined at once, so that the order of the rows changes nothing but names. (In scikit-learn a row whose own reach is
/// what links two groups belongs to one of them, as the order has it; here it is noise. All other rows agree.)
///
/// # References
/// R. J. G. B. Campello, D. Moulavi and J. Sander, *Density-based clustering based on hierarchical density
/// estimates*, 2013; L. `McInnes` and J. Healy, *Accelerated hierarchical density based clustering*, 2017, for the
/// probabilities.
#[derive(Debug, Clone, PartialEq)]
pub struct Hdbscan {
    labels: Vec<usize>,
    probabilities: Vec<f64>,
}

/// What to compute; see [`Hdbscan::params`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HdbscanParams {
    min_cluster_size: usize,
    min_samples: Option<usize>,
}

impl Hdbscan {
    /// Fewer than `min_cluster_size` rows are no group; `min_samples` is the same number.
    pub fn params(min_cluster_size: usize) -> HdbscanParams {
        HdbscanParams { min_cluster_size, min_samples: None }
    }

    /// The group of each row, from 1; 0 for noise.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// How deep in its group each row is: its density, as a share of the one at which the group ends; 0 for noise.
    pub fn probabilities(&self) -> &[f64] {
        &self.probabilities
    }

    /// Number of groups; may be 0.
    pub fn n_clusters(&self) -> usize {
        self.labels.iter().copied().max().unwrap_or(0)
    }
}

impl HdbscanParams {
    /// The rows, itself included, that a row must have around it to be reached; more of them make more rows noise.
    pub fn min_samples(mut self, min_samples: usize) -> Self {
        self.min_samples = Some(min_samples);
        self
    }

    fn check(&self, rows: ArrayView2<'_, f64>, names: &[String]) -> Result<()> {
        let (n, d) = rows.dim();
        if n == 0 || d == 0 {
            let message = format!("groups need rows and features; found {n} rows, {d} features");
            return Err(Error::data(message));
        }
        let (size, samples) = (self.min_cluster_size, self.samples());
        for (name, value, least) in [("min_cluster_size", size, 2), ("min_samples", samples, 1)] {
            if value < least || value > n {
                let allowed = format!("at least {least} and at most the number of rows ({n})");
                return Err(Error::parameter(name, value, allowed));
            }
        }
        if rows.iter().all(|v| v.is_finite()) { Ok(()) } else { Err(not_finite(rows, names)) }
    }

    fn samples(&self) -> usize {
        self.min_samples.unwrap_or(self.min_cluster_size)
    }
}

impl<D: Data<Elem = f64>, T> Fit<ArrayBase<D, Ix2>, T, Error> for HdbscanParams {
    type Object = Hdbscan;

    /// # Errors
    /// A parameter out of range, a value that is not finite, or distances that overflow.
    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Hdbscan> {
        let rows = dataset.records().view();
        self.check(rows, dataset.feature_names())?;
        let values: Vec<f64> = rows.iter().copied().collect();
        let rows = Rows { values: &values, width: rows.ncols() };
        let Some(Walk { order, reach }) = walk(rows, &core_gaps(rows, self.samples())) else {
            return Err(not_finite(dataset.records().view(), dataset.feature_names()));
        };
        let tree = DensityTree::of(&reach, self.min_cluster_size);
        let mut labels = vec![0; order.len()];
        let mut probabilities = vec![0.0; order.len()];
        for (&row, (group, probability)) in order.iter().zip(tree.members()) {
            labels[row as usize] = group;
            probabilities[row as usize] = probability;
        }
        Ok(Hdbscan { labels: largest_first(&labels), probabilities })
    }
}

/// For each row the squared distance within which it has `samples` rows, itself included.
fn core_gaps(rows: Rows, samples: usize) -> Vec<f64> {
    match samples - 1 {
        0 => vec![0.0; rows.len()],
        others => nearest_rows(rows, rows, others, Gap::Squared, true)
            .iter()
            .map(|hits| hits[others - 1].0)
            .collect(),
    }
}

#[cfg(test)]
mod tests;
