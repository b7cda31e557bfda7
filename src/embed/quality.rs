//! Rows and their map enter; how far the map can be trusted leaves.

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use super::neighbors::{Metric, Neighbors, check_finite, rows_of};
use crate::error::{Error, Result};
use crate::kernels::nearest_rows::{Hit, nearest_rows};
use crate::kernels::ranks::Columns;
use crate::seed::Seed;

/// Up to this many rows every row is judged; above, a sample of [`SAMPLED_ROWS`].
const MOST_ROWS: usize = 20_000;
const SAMPLED_ROWS: usize = 2_000;

/// How well a map keeps neighbourhoods: three numbers from 0 to 1, where 1 is perfect.
///
/// Venna and Kaski, *Neighborhood preservation in nonlinear projection methods*, 2001, equations 1
/// and 2; the third is the share of neighbours that are neighbours in both spaces.
///
/// ```
/// use ndarray::{Array2, s};
/// use polariscope::embed::neighbors::Metric;
/// use polariscope::embed::quality::Quality;
///
/// let rows = Array2::from_shape_fn((50, 3), |(i, j)| ((i * i * (j + 2)) % 47) as f64);
/// let itself = Quality::measure(rows.view(), rows.view(), 5, Metric::Euclidean)?;
/// assert_eq!((itself.trustworthiness, itself.continuity), (1.0, 1.0));
/// let flat = Quality::measure(rows.view(), rows.slice(s![.., ..2]), 5, Metric::Euclidean)?;
/// assert!(flat.neighbor_preservation < 1.0);
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// 1 minus a penalty for rows that are neighbours on the map but not in the data.
    pub trustworthiness: f64,
    /// 1 minus a penalty for rows that are neighbours in the data but not on the map.
    pub continuity: f64,
    /// The share of neighbours in the data that are neighbours on the map.
    pub neighbor_preservation: f64,
    /// Number of neighbours that were compared.
    pub n_neighbors: usize,
    /// How many rows were judged, when not all of them were.
    pub sampled_rows: Option<usize>,
}

impl Quality {
    /// Compares the `k` nearest rows of each row in the data, by `metric`, with those on the map.
    ///
    /// Above 20,000 rows 2,000 rows drawn with seed 0 are judged, each against all rows.
    ///
    /// # Errors
    /// A value that is not finite; different numbers of rows; `k` not in 1 to less than half the rows.
    pub fn measure(
        data: ArrayView2<f64>,
        map: ArrayView2<f64>,
        k: usize,
        metric: Metric,
    ) -> Result<Self> {
        Ok(Self::of_each(data, &[map], k, metric, None)?.swap_remove(0))
    }

    /// [`measure`](Self::measure) for several maps of the same data, whose side is looked at once for all of them;
    /// `known` are the nearest rows in the data, at least `k` of each, where a search has found them already.
    ///
    /// # Errors
    /// As `measure`; fewer than `k` neighbours known.
    pub(crate) fn of_each(
        data: ArrayView2<f64>,
        maps: &[ArrayView2<f64>],
        k: usize,
        metric: Metric,
        known: Option<&Neighbors>,
    ) -> Result<Vec<Self>> {
        let n = data.nrows();
        check_finite(data)?;
        for map in maps {
            if n != map.nrows() {
                let rows = map.nrows();
                let message = format!("{n} rows but {rows} on the map: compare the same rows");
                return Err(Error::data(message));
            }
            check_finite(*map)?;
        }
        // Only then is the worst possible penalty the one it is divided by.
        if k == 0 || 2 * k >= n {
            let allowed = format!("at least 1 and less than half the number of rows ({n})");
            return Err(Error::parameter("n_neighbors", k, allowed));
        }
        let sample = (n > MOST_ROWS)
            .then(|| Seed::default().stream("quality sample", 0).sample(n, SAMPLED_ROWS));
        let judged: Vec<usize> = sample.clone().unwrap_or_else(|| (0..n).collect());
        let sides = |points: &ArrayView2<f64>, metric| Side::new(*points, &judged, k, metric);
        let data = match known {
            Some(known) => Side::known(data, &judged, &known.nearest_of(data, k)?, metric),
            None => sides(&data, metric),
        };
        let maps: Vec<Side> = maps.iter().map(|map| sides(map, Metric::Euclidean)).collect();
        // Whole numbers, so that the order of addition does not matter.
        let zero = || vec![[0; 3]; maps.len()];
        let sums = (0..judged.len())
            .into_par_iter()
            .map(|slot| {
                let here = &data.near[slot];
                let strangers: Vec<_> =
                    maps.iter().map(|map| without(&map.near[slot], here)).collect();
                let penalties = data.penalties(judged[slot], &strangers);
                let of_map = |((map, strangers), penalty): ((&Side, &Vec<u32>), usize)| {
                    let lost = without(here, &map.near[slot]);
                    let penalty_there = map.penalties(judged[slot], &[lost])[0];
                    [penalty, penalty_there, k - strangers.len()]
                };
                maps.iter().zip(&strangers).zip(penalties).map(of_map).collect()
            })
            .reduce(zero, |mut a: Vec<[usize; 3]>, b| {
                a.iter_mut().flatten().zip(b.iter().flatten()).for_each(|(a, b)| *a += b);
                a
            });
        let worst = (judged.len() * k * (2 * n - 3 * k - 1)) as f64 / 2.0;
        let quality = |[strangers, lost, kept]: [usize; 3]| Self {
            trustworthiness: 1.0 - strangers as f64 / worst,
            continuity: 1.0 - lost as f64 / worst,
            neighbor_preservation: kept as f64 / (judged.len() * k) as f64,
            n_neighbors: k,
            sampled_rows: sample.as_ref().map(Vec::len),
        };
        Ok(sums.into_iter().map(quality).collect())
    }
}

/// [`Quality::trustworthiness`] of a map of Euclidean rows, as `sklearn.manifold.trustworthiness`.
///
/// # Errors
/// As [`Quality::measure`].
pub fn trustworthiness(data: ArrayView2<f64>, map: ArrayView2<f64>, k: usize) -> Result<f64> {
    Ok(Quality::measure(data, map, k, Metric::Euclidean)?.trustworthiness)
}

/// [`Quality::continuity`] of a map of Euclidean rows.
///
/// # Errors
/// As [`Quality::measure`].
pub fn continuity(data: ArrayView2<f64>, map: ArrayView2<f64>, k: usize) -> Result<f64> {
    Ok(Quality::measure(data, map, k, Metric::Euclidean)?.continuity)
}

/// [`Quality::neighbor_preservation`] of a map of Euclidean rows.
///
/// # Errors
/// As [`Quality::measure`].
pub fn neighbor_preservation(data: ArrayView2<f64>, map: ArrayView2<f64>, k: usize) -> Result<f64> {
    Ok(Quality::measure(data, map, k, Metric::Euclidean)?.neighbor_preservation)
}

/// The rows as one side, the data or a map, sees them.
struct Side {
    prepared: Array2<f64>,
    columns: Columns,
    metric: Metric,
    k: usize,
    /// The nearest others of each judged row.
    near: Vec<Vec<u32>>,
}

impl Side {
    fn new(matrix: ArrayView2<f64>, judged: &[usize], k: usize, metric: Metric) -> Self {
        let prepared = metric.prepare(matrix);
        let rows = rows_of(&prepared);
        let indices = |hits: Vec<Hit>| hits.into_iter().map(|hit| hit.1);
        let near = if judged.len() == matrix.nrows() {
            let hits = nearest_rows(rows, rows, k, metric.gap(), true);
            hits.into_iter().map(|hits| indices(hits).collect()).collect()
        } else {
            let queries = prepared.select(Axis(0), judged);
            let hits = nearest_rows(rows, rows_of(&queries), k + 1, metric.gap(), false);
            let others = |(hits, &me): (Vec<Hit>, &usize)| {
                indices(hits).filter(|&other| other as usize != me).take(k).collect()
            };
            hits.into_iter().zip(judged).map(others).collect()
        };
        let columns = Columns::new(rows, metric.gap());
        Self { prepared, columns, metric, k, near }
    }

    fn known(matrix: ArrayView2<f64>, judged: &[usize], near: &Neighbors, metric: Metric) -> Self {
        let prepared = metric.prepare(matrix);
        let columns = Columns::new(rows_of(&prepared), metric.gap());
        let near_row = |&row: &usize| near.indices.row(row).to_vec();
        let near_rows = judged.iter().map(near_row).collect();
        Self { prepared, columns, metric, k: near.k(), near: near_rows }
    }

    /// For each list of rows that are not among the `k` nearest: how far beyond these they are, in ranks.
    fn penalties(&self, row: usize, lists: &[Vec<u32>]) -> Vec<usize> {
        let rows = rows_of(&self.prepared);
        let query = rows.row(row);
        let gap = |j: u32| self.metric.gap().between(query, rows.row(j as usize));
        let strangers: Vec<Hit> = lists.iter().flatten().map(|&j| (gap(j), j)).collect();
        if strangers.is_empty() {
            return vec![0; lists.len()];
        }
        let me = (0.0, row as u32);
        let counts = self.columns.count_nearer(query, &strangers).into_iter().zip(&strangers);
        let mut beyond = counts.map(|(count, hit)| {
            // The row itself was counted where it is nearer than the hit.
            let nearer = count - usize::from(me.0 < hit.0 || (me.0 == hit.0 && me.1 < hit.1));
            nearer + 1 - self.k
        });
        lists.iter().map(|list| beyond.by_ref().take(list.len()).sum()).collect()
    }
}

/// Those that are not among the others.
fn without(rows: &[u32], others: &[u32]) -> Vec<u32> {
    rows.iter().copied().filter(|row| !others.contains(row)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_maps_and_known_neighbours_change_nothing() {
        let mut stream = Seed::new(2).stream("quality", 0);
        let data = Array2::from_shape_simple_fn((300, 6), || stream.normal());
        let maps = [data.select(Axis(1), &[0, 1]), data.select(Axis(1), &[2, 5])];
        for metric in Metric::ALL {
            let near = Neighbors::exact(data.view(), 20, metric).unwrap();
            let views = [maps[0].view(), maps[1].view()];
            let each = Quality::of_each(data.view(), &views, 12, metric, Some(&near)).unwrap();
            let alone = maps
                .iter()
                .map(|map| Quality::measure(data.view(), map.view(), 12, metric).unwrap());
            assert_eq!(each, alone.collect::<Vec<_>>());
        }
        assert!(
            Quality::of_each(data.view(), &[], 12, Metric::Euclidean, None).unwrap().is_empty()
        );
    }
}
