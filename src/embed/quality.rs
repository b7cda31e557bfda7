//! Rows and their map enter; how far the map can be trusted leaves.

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use super::neighbors::{Metric, check_finite, rows_of};
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
        let n = data.nrows();
        if n != map.nrows() {
            let message = format!("{n} rows but {} on the map: compare the same rows", map.nrows());
            return Err(Error::data(message));
        }
        check_finite(data)?;
        check_finite(map)?;
        // Only then is the worst possible penalty the one it is divided by.
        if k == 0 || 2 * k >= n {
            let allowed = format!("at least 1 and less than half the number of rows ({n})");
            return Err(Error::parameter("n_neighbors", k, allowed));
        }
        let sample = (n > MOST_ROWS)
            .then(|| Seed::default().stream("quality sample", 0).sample(n, SAMPLED_ROWS));
        let data = Space::new(data, sample.as_deref(), k, metric);
        let map = Space::new(map, sample.as_deref(), k, Metric::Euclidean);
        let judged = sample.as_ref().map_or(n, Vec::len);
        let row_of = |slot: usize| sample.as_ref().map_or(slot, |rows| rows[slot]);
        // Whole numbers, so that the order of addition does not matter.
        let [strangers, lost, kept] = (0..judged)
            .into_par_iter()
            .map(|slot| {
                let (row, here, there) = (row_of(slot), &data.hits[slot], &map.hits[slot]);
                let kept = here.iter().filter(|hit| there.iter().any(|h| h.1 == hit.1)).count();
                [data.penalty(row, here, there), map.penalty(row, there, here), kept]
            })
            .reduce(|| [0; 3], |a, b| [a[0] + b[0], a[1] + b[1], a[2] + b[2]]);
        let worst = (judged * k * (2 * n - 3 * k - 1)) as f64 / 2.0;
        Ok(Self {
            trustworthiness: 1.0 - strangers as f64 / worst,
            continuity: 1.0 - lost as f64 / worst,
            neighbor_preservation: kept as f64 / (judged * k) as f64,
            n_neighbors: k,
            sampled_rows: sample.map(|rows| rows.len()),
        })
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

/// The rows as one side sees them.
struct Space {
    prepared: Array2<f64>,
    columns: Columns,
    metric: Metric,
    k: usize,
    /// The nearest others of each judged row.
    hits: Vec<Vec<Hit>>,
}

impl Space {
    fn new(matrix: ArrayView2<f64>, sample: Option<&[usize]>, k: usize, metric: Metric) -> Self {
        let prepared = metric.prepare(matrix);
        let rows = rows_of(&prepared);
        let columns = Columns::new(rows, metric.gap());
        let hits = match sample {
            None => nearest_rows(rows, rows, k, metric.gap(), true),
            Some(sample) => {
                let queries = prepared.select(Axis(0), sample);
                let hits = nearest_rows(rows, rows_of(&queries), k + 1, metric.gap(), false);
                hits.into_iter().zip(sample).map(|(hits, &me)| without(hits, me, k)).collect()
            }
        };
        Self { prepared, columns, metric, k, hits }
    }

    /// How far beyond the `k` nearest of this side the other side's neighbours are, in ranks.
    fn penalty(&self, row: usize, here: &[Hit], there: &[Hit]) -> usize {
        let rows = rows_of(&self.prepared);
        let query = rows.row(row);
        let strangers: Vec<Hit> = there
            .iter()
            .filter(|hit| here.iter().all(|h| h.1 != hit.1))
            .map(|&(_, j)| (self.metric.gap().between(query, rows.row(j as usize)), j))
            .collect();
        if strangers.is_empty() {
            return 0;
        }
        let counts = self.columns.count_nearer(query, &strangers);
        let me = (0.0, row as u32);
        let rank = |(count, hit): (usize, &Hit)| {
            // The row itself was counted where it is nearer than the hit.
            count + 1 - usize::from(me.0 < hit.0 || (me.0 == hit.0 && me.1 < hit.1))
        };
        counts.into_iter().zip(&strangers).map(rank).map(|rank| rank - self.k).sum()
    }
}

/// The first `k` hits that are not the row itself.
fn without(mut hits: Vec<Hit>, me: usize, k: usize) -> Vec<Hit> {
    hits.retain(|hit| hit.1 as usize != me);
    hits.truncate(k);
    hits
}
