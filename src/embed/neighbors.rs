//! A matrix enters; for each row its nearest other rows and their distances leave.

use ndarray::{Array2, ArrayView2};

use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::kernels::nearest_rows::{Gap, Hit, Rows, nearest_rows, nearest_rows_on};

/// How far apart two rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Metric {
    /// The root of the summed squared differences.
    #[default]
    Euclidean,
    /// One minus the cosine of the angle between the rows; 1 between a zero row and any other.
    Cosine,
    /// One minus Pearson's correlation of the rows; 1 between a constant row and any other.
    Correlation,
    /// The sum of absolute differences.
    Manhattan,
}

impl Metric {
    /// All metrics, in the order in which they are documented.
    pub const ALL: [Self; 4] = [Self::Euclidean, Self::Cosine, Self::Correlation, Self::Manhattan];

    /// The name used on the command line and in recipes, as in scikit-learn.
    pub fn name(self) -> &'static str {
        match self {
            Self::Euclidean => "euclidean",
            Self::Cosine => "cosine",
            Self::Correlation => "correlation",
            Self::Manhattan => "manhattan",
        }
    }

    pub(super) fn gap(self) -> Gap {
        if self == Self::Manhattan { Gap::Absolute } else { Gap::Squared }
    }

    /// The distance of a gap between prepared rows.
    fn distance(self, gap: f64) -> f32 {
        match self {
            Self::Euclidean => gap.sqrt() as f32,
            Self::Cosine | Self::Correlation => (0.5 * gap) as f32,
            Self::Manhattan => gap as f32,
        }
    }

    /// Rows between which the gap orders as the metric does: directions for cosine and correlation.
    pub(super) fn prepare(self, matrix: ArrayView2<'_, f64>) -> Array2<f64> {
        if matrix.ncols() == 0 {
            // All rows are equal.
            return Array2::zeros((matrix.nrows(), 1));
        }
        let mut rows = matrix.as_standard_layout().into_owned();
        if matches!(self, Self::Euclidean | Self::Manhattan) {
            return rows;
        }
        // One more axis for rows without a direction: at a right angle to all others.
        let mut directions = Array2::zeros((rows.nrows(), rows.ncols() + 1));
        for (mut row, mut direction) in rows.rows_mut().into_iter().zip(directions.rows_mut()) {
            if self == Self::Correlation {
                let mean = row.mean().unwrap_or(0.0);
                row -= mean;
            }
            // Scaled first, so that the squares neither overflow nor vanish.
            let largest = row.fold(0.0, |largest: f64, x| largest.max(x.abs()));
            if largest > 0.0 {
                row /= largest;
                let norm = row.dot(&row).sqrt();
                row /= norm;
            } else {
                direction[row.len()] = 1.0;
            }
            direction.slice_mut(ndarray::s![..row.len()]).assign(&row);
        }
        directions
    }
}

impl std::fmt::Display for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Metric {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let known = Self::ALL.map(Self::name);
        Self::ALL
            .into_iter()
            .find(|metric| metric.name() == name)
            .ok_or_else(|| Error::parameter("metric", name, format!("one of {}", known.join(", "))))
    }
}

/// The `k` nearest rows of each row, nearest first, ties to the smaller index.
///
/// ```
/// use ndarray::array;
/// use polariscope::embed::neighbors::{Metric, Neighbors};
///
/// let line = array![[0.0], [1.0], [3.0], [7.0]];
/// let near = Neighbors::exact(line.view(), 2, Metric::Euclidean)?;
/// assert_eq!(near.indices, array![[1, 2], [0, 2], [1, 0], [2, 1]]);
/// assert_eq!(near.distances, array![[1.0, 3.0], [1.0, 2.0], [2.0, 3.0], [4.0, 6.0]]);
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbors {
    /// Positions of the neighbours, shape `(n_rows, k)`; a row is not its own neighbour.
    pub indices: Array2<u32>,
    /// Their distances, ascending in each row, shape `(n_rows, k)`.
    pub distances: Array2<f32>,
}

impl Neighbors {
    /// The exact neighbours, whatever the size of the table: a tree of boxes passes over what is provably too far.
    ///
    /// Distances are computed in f64 and rounded once; the same on every processor and for any
    /// number of threads. Time grows with the number of rows and with that of the directions in which they really
    /// vary: for 200,000 rows of 20 correlated columns far less than all pairs take, for 20 independent ones about
    /// as long.
    ///
    /// # Errors
    /// A value that is not finite; `k` not in 1 to `n_rows - 1`.
    pub fn exact(matrix: ArrayView2<'_, f64>, k: usize, metric: Metric) -> Result<Self> {
        Self::exact_on(&Backend::Cpu, matrix, k, metric)
    }

    /// As [`exact`](Self::exact), with the same bits, where `backend` says: a device proposes, the CPU measures.
    ///
    /// # Errors
    /// As [`exact`](Self::exact); on a device more than about 2,000 columns, or a lost device.
    pub fn exact_on(
        backend: &Backend,
        matrix: ArrayView2<'_, f64>,
        k: usize,
        metric: Metric,
    ) -> Result<Self> {
        check_finite(matrix)?;
        check_k(k, matrix.nrows().saturating_sub(1), "the number of other rows")?;
        let prepared = metric.prepare(matrix);
        let rows = rows_of(&prepared);
        let hits = match backend {
            Backend::Cpu => nearest_rows(rows, rows, k, metric.gap(), true),
            Backend::Gpu(gpu) => nearest_rows_on(gpu, rows, rows, k, metric.gap(), true)?,
        };
        Ok(Self::from_hits(&hits, k, metric))
    }

    /// For each row of `queries` the exact `k` nearest rows of `reference`, shape `(n_queries, k)`.
    ///
    /// # Errors
    /// A value that is not finite; different numbers of columns; `k` not in 1 to the number of
    /// reference rows.
    pub fn query(
        reference: ArrayView2<'_, f64>,
        queries: ArrayView2<'_, f64>,
        k: usize,
        metric: Metric,
    ) -> Result<Self> {
        if reference.ncols() != queries.ncols() {
            return Err(Error::data(format!(
                "{} columns to look up in a table of {}: give the same columns in the same order",
                queries.ncols(),
                reference.ncols()
            )));
        }
        check_finite(reference)?;
        check_finite(queries)?;
        check_k(k, reference.nrows(), "the number of reference rows")?;
        let (reference, queries) = (metric.prepare(reference), metric.prepare(queries));
        let hits = nearest_rows(rows_of(&reference), rows_of(&queries), k, metric.gap(), false);
        Ok(Self::from_hits(&hits, k, metric))
    }

    /// Number of rows that have neighbours.
    pub fn n_rows(&self) -> usize {
        self.indices.nrows()
    }

    /// Number of neighbours of each row.
    pub fn k(&self) -> usize {
        self.indices.ncols()
    }

    /// Only the nearest `k` of each row.
    ///
    /// # Errors
    /// When there are fewer than `k`.
    pub fn nearest(&self, k: usize) -> Result<Self> {
        check_k(k, self.k(), "the number of neighbours that were found")?;
        let first = ndarray::s![.., ..k];
        Ok(Self {
            indices: self.indices.slice(first).to_owned(),
            distances: self.distances.slice(first).to_owned(),
        })
    }

    /// The nearest `k` of each row of `matrix`, which these must be the neighbours of.
    pub(super) fn nearest_of(&self, matrix: ArrayView2<'_, f64>, k: usize) -> Result<Self> {
        if self.n_rows() != matrix.nrows() {
            let (found, wanted) = (self.n_rows(), matrix.nrows());
            return Err(Error::data(format!("neighbours of {found} rows, the table has {wanted}")));
        }
        let near = self.nearest(k)?;
        let stranger = near.indices.indexed_iter().find(|(_, i)| **i as usize >= matrix.nrows());
        if let Some(((row, _), index)) = stranger {
            let (rows, row) = (matrix.nrows(), row + 1);
            let message = format!("neighbour {index}, counted from 0, of a table of {rows} rows");
            return Err(Error::data(message).at_row(row));
        }
        Ok(near)
    }

    fn from_hits(hits: &[Vec<Hit>], k: usize, metric: Metric) -> Self {
        let mut indices = Array2::zeros((hits.len(), k));
        let mut distances = Array2::zeros((hits.len(), k));
        for (i, row) in hits.iter().enumerate() {
            for (j, &(gap, index)) in row.iter().enumerate() {
                indices[[i, j]] = index;
                distances[[i, j]] = metric.distance(gap);
            }
        }
        Self { indices, distances }
    }
}

/// A prepared matrix as contiguous rows.
pub(super) fn rows_of(matrix: &Array2<f64>) -> Rows<'_> {
    let values = matrix.as_slice().unwrap_or_default();
    Rows { values, width: matrix.ncols() }
}

fn check_k(k: usize, most: usize, what: &str) -> Result<()> {
    if (1..=most).contains(&k) {
        return Ok(());
    }
    Err(Error::parameter("k", k, format!("at least 1 and at most {what} ({most})")))
}

/// An error that names the first value that is not finite.
pub(crate) fn check_finite(matrix: ArrayView2<'_, f64>) -> Result<()> {
    match matrix.indexed_iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some(((row, column), value)) => Err(Error::data(format!("{value} is not a finite number"))
            .at_row(row + 1)
            .at_column((column + 1).to_string())
            .help("fill or drop the value, or leave the column out")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    fn normals(n: usize, width: usize) -> Array2<f64> {
        let mut stream = Seed::new(11).stream("rows", 0);
        Array2::from_shape_fn((n, width), |_| stream.normal())
    }

    /// The distance by its definition, without preparing rows.
    fn distance(metric: Metric, a: &[f64], b: &[f64]) -> f64 {
        let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
        let cosine = |a: &[f64], b: &[f64]| {
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            1.0 - dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
        };
        let gaps = a.iter().zip(b).map(|(a, b)| (a - b).abs());
        match metric {
            Metric::Euclidean => gaps.map(|gap| gap * gap).sum::<f64>().sqrt(),
            Metric::Manhattan => gaps.sum(),
            Metric::Cosine => cosine(a, b),
            Metric::Correlation => {
                let centred = |x: &[f64]| x.iter().map(|v| v - mean(x)).collect::<Vec<_>>();
                cosine(&centred(a), &centred(b))
            }
        }
    }

    #[test]
    fn every_metric_is_its_definition() {
        let rows = normals(150, 6);
        for metric in Metric::ALL {
            let near = Neighbors::exact(rows.view(), 7, metric).unwrap();
            for (i, found) in near.distances.rows().into_iter().enumerate() {
                let row = |i: usize| rows.row(i).to_vec();
                let others = (0..150).filter(|&j| j != i);
                let mut all: Vec<f64> =
                    others.map(|j| distance(metric, &row(i), &row(j))).collect();
                all.sort_by(f64::total_cmp);
                for (found, expected) in found.iter().zip(&all) {
                    assert!((f64::from(*found) - expected).abs() < 1e-6, "{metric} {i}");
                }
            }
        }
    }

    #[test]
    fn the_same_for_any_number_of_threads() {
        let rows = normals(2500, 8);
        let find = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Neighbors::exact(rows.view(), 15, Metric::Euclidean).unwrap())
        };
        assert_eq!(find(1), find(2));
        assert_eq!(find(1), find(7));
    }

    #[test]
    fn equal_rows_and_constant_columns_are_no_special_case() {
        let equal = Array2::from_elem((400, 3), -1.5);
        let near = Neighbors::exact(equal.view(), 3, Metric::Euclidean).unwrap();
        assert_eq!(near.indices.row(0).to_vec(), [1, 2, 3]);
        assert_eq!(near.indices.row(2).to_vec(), [0, 1, 3]);
        assert_eq!(near.indices.row(399).to_vec(), [0, 1, 2]);
        assert!(near.distances.iter().all(|&d| d == 0.0));

        let mut rows = normals(400, 3);
        let without = Neighbors::exact(rows.slice(ndarray::s![.., ..2]), 9, Metric::Euclidean);
        rows.column_mut(2).fill(1e6);
        assert_eq!(Neighbors::exact(rows.view(), 9, Metric::Euclidean).unwrap(), without.unwrap());

        let none = Array2::zeros((5, 0));
        let near = Neighbors::exact(none.view(), 2, Metric::Euclidean).unwrap();
        assert_eq!(near.indices.row(4).to_vec(), [0, 1]);
    }

    #[test]
    fn bad_input_is_named() {
        let mut rows = normals(10, 3);
        let message = |rows: &Array2<f64>, k| {
            Neighbors::exact(rows.view(), k, Metric::Euclidean).unwrap_err().to_string()
        };
        let allowed = "at least 1 and at most the number of other rows (9)";
        assert_eq!(message(&rows, 10), format!("k = 10 is invalid: must be {allowed}"));
        assert_eq!(message(&rows, 0), format!("k = 0 is invalid: must be {allowed}"));
        let one = Array2::zeros((1, 3));
        assert!(message(&one, 1).contains("(0)"));
        rows[[6, 2]] = f64::NAN;
        assert_eq!(message(&rows, 3), "row 7: column `3`: NaN is not a finite number");
        let wide = Array2::zeros((4, 4));
        let error = Neighbors::query(rows.view(), wide.view(), 1, Metric::Euclidean).unwrap_err();
        assert!(error.to_string().contains("4 columns to look up in a table of 3"), "{error}");
    }
}
