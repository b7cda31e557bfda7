//! A matrix and labels in; how much closer each row is to its own cluster than to the next one out.

#![expect(
    clippy::inline_always,
    reason = "the same code is compiled twice, for two widths of vectors"
)]

use linfa::DatasetBase;
use ndarray::{ArrayBase, ArrayView2, Data, Ix2};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::seed::Seed;

/// Rows whose distances are computed together, one in each lane.
const LANES: usize = 16;
/// Above this many labelled rows the silhouette is that of a random sample of this many.
pub const SILHOUETTE_ROWS: usize = 20_000;

/// The silhouette of a clustering, from -1 (all misplaced) to 1 (far apart).
///
/// For a row, a is its mean distance to the other rows of its cluster and b the least mean distance to the rows
/// of another one: s = (b - a) / max(a, b); 0 for a cluster of one row (Rousseeuw, *Silhouettes*, 1987).
///
/// ```
/// use ndarray::array;
/// use polariscope::cluster::silhouette;
/// use polariscope::table::Features;
/// let features = Features::new(array![[0.0], [1.0], [10.0], [11.0]], ["area"])?;
/// let s = silhouette(&features, &[1, 1, 2, 2])?;
/// assert!((s.mean - 0.899_749).abs() < 1e-6);
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Silhouette {
    /// Mean over the scored rows.
    pub mean: f64,
    /// One value for each scored row.
    pub per_object: Vec<f64>,
    /// The scored rows, ascending: all labelled ones, or a random sample of [`SILHOUETTE_ROWS`] of them.
    pub rows: Vec<usize>,
}

/// The silhouette of labels from 1 (0 = not assigned, left out).
///
/// # Errors
/// When labels and rows differ in number, or there are not between 2 and n - 1 clusters.
///
/// # Determinism
/// The sample of a large table is drawn with a fixed seed; the same bits on any number of threads.
pub fn silhouette<D: Data<Elem = f64>, T>(
    dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
    labels: &[usize],
) -> Result<Silhouette> {
    let labelled: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] > 0).collect();
    let scored = sample(&labelled, SILHOUETTE_ROWS);
    let mut found = silhouettes(dataset.records().view(), &[labels], &scored)?;
    found.pop().ok_or_else(|| Error::internal("no silhouette"))
}

/// The silhouettes of several clusterings over the same sample of at most `most` rows: the distances, which
/// are the work, are computed once. All labels must be from 1.
pub(super) fn silhouettes_of(
    rows: ArrayView2<'_, f64>,
    labelings: &[&[usize]],
    most: usize,
) -> Result<Vec<Silhouette>> {
    let all: Vec<usize> = (0..rows.nrows()).collect();
    silhouettes(rows, labelings, &sample(&all, most))
}

fn sample(rows: &[usize], most: usize) -> Vec<usize> {
    let mut stream = Seed::default().stream("silhouette", 0);
    stream.sample(rows.len(), most).into_iter().map(|i| rows[i]).collect()
}

fn silhouettes(
    rows: ArrayView2<'_, f64>,
    labelings: &[&[usize]],
    scored: &[usize],
) -> Result<Vec<Silhouette>> {
    let (n, d) = (scored.len(), rows.ncols());
    let mut groupings = Vec::with_capacity(labelings.len());
    for labels in labelings {
        if labels.len() != rows.nrows() {
            let (found, wanted) = (labels.len(), rows.nrows());
            return Err(Error::data(format!("found {found} labels for {wanted} rows")));
        }
        groupings.push(Grouping::new(labels, scored)?);
    }
    let values: Vec<f64> = scored.iter().flat_map(|&i| rows.row(i).to_vec()).collect();
    let parts: Vec<Vec<[f64; LANES]>> = (0..n.div_ceil(LANES))
        .into_par_iter()
        .map(|tile| {
            let sums = distance_sums(&values, d, tile * LANES, &groupings);
            groupings
                .iter()
                .zip(&sums)
                .map(|(grouping, sums)| grouping.silhouettes(tile * LANES, sums))
                .collect()
        })
        .collect();
    Ok((0..groupings.len())
        .map(|g| {
            let mut per_object: Vec<f64> = parts.iter().flat_map(|part| part[g]).collect();
            per_object.truncate(n);
            let mean = per_object.iter().sum::<f64>() / n as f64;
            Silhouette { mean, per_object, rows: scored.to_vec() }
        })
        .collect())
}

/// One clustering of the scored rows, clusters numbered from 0 without gaps.
struct Grouping {
    of_row: Vec<usize>,
    sizes: Vec<usize>,
}

impl Grouping {
    fn new(labels: &[usize], scored: &[usize]) -> Result<Self> {
        let mut present: Vec<usize> = scored.iter().map(|&i| labels[i]).collect();
        present.sort_unstable();
        present.dedup();
        if present.len() < 2 || present.len() >= scored.len() {
            return Err(Error::data(format!(
                "a silhouette needs at least 2 clusters and fewer clusters than rows; found {} clusters of {} rows",
                present.len(),
                scored.len()
            )));
        }
        let mut sizes = vec![0; present.len()];
        let of_row = scored
            .iter()
            .map(|&i| {
                let group = present.partition_point(|&p| p < labels[i]);
                sizes[group] += 1;
                group
            })
            .collect();
        Ok(Self { of_row, sizes })
    }

    /// The values of the rows from `first` on, given their summed distances to each cluster.
    fn silhouettes(&self, first: usize, sums: &[[f64; LANES]]) -> [f64; LANES] {
        let mut values = [0.0; LANES];
        for (lane, value) in values.iter_mut().enumerate() {
            let Some(&own) = self.of_row.get(first + lane) else { break };
            if self.sizes[own] == 1 {
                continue;
            }
            let within = sums[own][lane] / (self.sizes[own] - 1) as f64;
            let between = (0..self.sizes.len())
                .filter(|&g| g != own)
                .map(|g| sums[g][lane] / self.sizes[g] as f64)
                .fold(f64::INFINITY, f64::min);
            let larger = within.max(between);
            *value = if larger > 0.0 { (between - within) / larger } else { 0.0 };
        }
        values
    }
}

/// For each clustering and each of its clusters, the summed distances of 16 rows to the rows of the cluster.
fn distance_sums(
    values: &[f64],
    d: usize,
    first: usize,
    groupings: &[Grouping],
) -> Vec<Vec<[f64; LANES]>> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "the same Rust code compiled for wider vectors")]
        // SAFETY: the processor has AVX2, checked on the line above.
        return unsafe { distance_sums_avx2(values, d, first, groupings) };
    }
    distance_sums_plain(values, d, first, groupings)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn distance_sums_avx2(
    values: &[f64],
    d: usize,
    first: usize,
    groupings: &[Grouping],
) -> Vec<Vec<[f64; LANES]>> {
    distance_sums_plain(values, d, first, groupings)
}

#[inline(always)]
fn distance_sums_plain(
    values: &[f64],
    d: usize,
    first: usize,
    groupings: &[Grouping],
) -> Vec<Vec<[f64; LANES]>> {
    let mut tile = vec![[0.0; LANES]; d];
    for (lane, row) in values[first * d..].chunks_exact(d).take(LANES).enumerate() {
        row.iter().zip(&mut tile).for_each(|(&value, column)| column[lane] = value);
    }
    let mut sums: Vec<Vec<[f64; LANES]>> =
        groupings.iter().map(|g| vec![[0.0; LANES]; g.sizes.len()]).collect();
    for (i, row) in values.chunks_exact(d).enumerate() {
        let mut squares = [0.0; LANES];
        for (&value, column) in row.iter().zip(&tile) {
            for l in 0..LANES {
                let difference = column[l] - value;
                squares[l] += difference * difference;
            }
        }
        let mut distances = [0.0; LANES];
        for l in 0..LANES {
            distances[l] = squares[l].sqrt();
        }
        for (sums, grouping) in sums.iter_mut().zip(groupings) {
            let sum = &mut sums[grouping.of_row[i]];
            for l in 0..LANES {
                sum[l] += distances[l];
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    /// The definition, written down.
    fn slow(rows: &Array2<f64>, labels: &[usize]) -> Vec<f64> {
        let distance =
            |i: usize, j: usize| (&rows.row(i) - &rows.row(j)).mapv(|v| v * v).sum().sqrt();
        let mean_to = |i: usize, label: usize| {
            let others: Vec<f64> = (0..labels.len())
                .filter(|&j| j != i && labels[j] == label)
                .map(|j| distance(i, j))
                .collect();
            others.iter().sum::<f64>() / others.len() as f64
        };
        (0..labels.len())
            .map(|i| {
                let a = mean_to(i, labels[i]);
                let b = (1..=*labels.iter().max().unwrap())
                    .filter(|&l| l != labels[i])
                    .map(|l| mean_to(i, l))
                    .fold(f64::INFINITY, f64::min);
                if a.is_nan() { 0.0 } else { (b - a) / a.max(b) }
            })
            .collect()
    }

    #[test]
    fn agrees_with_the_definition() {
        let mut stream = Seed::new(1).stream("silhouette", 0);
        let rows = Array2::from_shape_fn((83, 5), |(i, _)| (i % 3) as f64 * 2.0 + stream.normal());
        let mut labels: Vec<usize> = (0..83).map(|i| i % 3 + 1).collect();
        labels[40] = 4;
        let found = silhouette(&DatasetBase::from(rows.view()), &labels).unwrap();
        for (fast, slow) in found.per_object.iter().zip(slow(&rows, &labels)) {
            assert!((fast - slow).abs() < 1e-12, "{fast} {slow}");
        }
        assert_eq!(found.per_object[40], 0.0);
    }

    #[test]
    fn unassigned_rows_are_left_out() {
        let rows = ndarray::array![[0.0], [1.0], [5.0], [10.0], [11.0]];
        let found = silhouette(&DatasetBase::from(rows.view()), &[1, 1, 0, 2, 2]).unwrap();
        assert_eq!(found.rows, [0, 1, 3, 4]);
        assert!((found.mean - 0.899_749).abs() < 1e-6);
    }

    #[test]
    fn too_few_or_too_many_clusters_are_refused() {
        let rows = ndarray::array![[0.0], [1.0], [5.0]];
        for labels in [vec![1, 1, 1], vec![1, 2, 3], vec![0, 0, 0], vec![1, 2]] {
            assert!(silhouette(&DatasetBase::from(rows.view()), &labels).is_err());
        }
    }
}
