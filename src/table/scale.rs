//! Columns of different units become comparable: z-scores or robust scores, and the way back.

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Features;
use crate::error::{Error, Result};

/// How the columns are made comparable before distances are taken between rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// Mean 0 and standard deviation 1 (ddof 0, as scikit-learn's `StandardScaler`).
    #[default]
    Zscore,
    /// Median 0 and median absolute deviation 1; a few wild values do not move it.
    Robust,
    /// As measured.
    None,
}

impl Scale {
    /// The word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zscore => "zscore",
            Self::Robust => "robust",
            Self::None => "none",
        }
    }
}

impl std::str::FromStr for Scale {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        [Self::Zscore, Self::Robust, Self::None]
            .into_iter()
            .find(|s| s.name() == word)
            .ok_or_else(|| Error::parameter("scale", word, "zscore, robust or none"))
    }
}

/// `(value - center) / scale` per column, and back; part of every model that was fitted on scaled features.
///
/// A column that does not vary has scale 1, so that it becomes 0 and comes back unchanged.
///
/// ```
/// use ndarray::array;
/// use polariscope::table::{Features, Scale, Scaler};
///
/// let features = Features::new(array![[1.0, 5.0], [3.0, 5.0]], ["area", "depth"])?;
/// let scaler = Scaler::fit(&features, Scale::Zscore);
/// let scaled = scaler.transform(features.matrix())?;
/// assert_eq!(scaled, array![[-1.0, 0.0], [1.0, 0.0]]);
/// assert_eq!(scaler.inverse(scaled.view())?, features.matrix());
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaler {
    names: Vec<String>,
    center: Vec<f64>,
    scale: Vec<f64>,
}

/// Rows whose sums are taken together; fixed, so that the bits do not depend on threads.
const BLOCK: usize = 1024;

impl Scaler {
    /// Learns center and scale of each column.
    pub fn fit(features: &Features, how: Scale) -> Self {
        let matrix = features.matrix();
        let (center, scale) = match how {
            Scale::Zscore => mean_and_sd(matrix),
            Scale::Robust => median_and_mad(matrix),
            Scale::None => (vec![0.0; matrix.ncols()], vec![1.0; matrix.ncols()]),
        };
        Self { names: features.names().to_vec(), center, scale }
    }

    /// The columns it was fitted on, in matrix order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What is subtracted from each column.
    pub fn center(&self) -> &[f64] {
        &self.center
    }

    /// What each column is divided by; never 0.
    pub fn scale(&self) -> &[f64] {
        &self.scale
    }

    /// Scales rows of shape `(n_rows, n_features)`.
    ///
    /// # Errors
    /// When the number of columns differs from the one it was fitted on.
    pub fn transform(&self, matrix: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        self.transformed(matrix.to_owned())
    }

    /// [`transform`](Self::transform) in place, for a matrix that is not needed as it was.
    pub(super) fn transformed(&self, matrix: Array2<f64>) -> Result<Array2<f64>> {
        self.map(matrix, |x, center, scale| (x - center) / scale)
    }

    /// Undoes [`transform`](Self::transform), for rows of shape `(n_rows, n_features)`.
    ///
    /// # Errors
    /// When the number of columns differs from the one it was fitted on.
    pub fn inverse(&self, matrix: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        self.map(matrix.to_owned(), |x, center, scale| x * scale + center)
    }

    fn map(
        &self,
        mut matrix: Array2<f64>,
        f: impl Fn(f64, f64, f64) -> f64 + Sync,
    ) -> Result<Array2<f64>> {
        let d = self.center.len();
        if matrix.ncols() != d {
            return Err(Error::data(format!(
                "{} columns were given to a scaling that was fitted on {d}",
                matrix.ncols(),
            )));
        }
        matrix.axis_chunks_iter_mut(Axis(0), BLOCK).into_par_iter().for_each(|mut block| {
            for mut row in block.rows_mut() {
                let parameters = self.center.iter().zip(&self.scale);
                // A slice lets the compiler work on several columns at a time.
                let scaled = |(x, (&c, &s)): (&mut f64, (&f64, &f64))| *x = f(*x, c, s);
                match row.as_slice_mut() {
                    Some(row) => row.iter_mut().zip(parameters).for_each(scaled),
                    None => row.iter_mut().zip(parameters).for_each(scaled),
                }
            }
        });
        Ok(matrix)
    }
}

/// Column means and population standard deviations.
///
/// Fixed blocks, each in two passes while it is in the cache, combined in order by the rule of Chan, Golub and
/// others (1979), so that nothing cancels.
fn mean_and_sd(matrix: ArrayView2<'_, f64>) -> (Vec<f64>, Vec<f64>) {
    let blocks: Vec<ArrayView2<'_, f64>> = matrix.axis_chunks_iter(Axis(0), BLOCK).collect();
    let moments: Vec<Moments> = blocks.par_iter().map(Moments::of).collect();
    let all = moments.iter().fold(Moments::none(matrix.ncols()), Moments::combine);
    let scale = all.squares.iter().zip(&all.mean);
    let scale = scale.map(|(s, &m)| usable((s / all.n).sqrt(), m)).collect();
    (all.mean, scale)
}

/// Count, means and sums of squares about them, column by column.
struct Moments {
    n: f64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    fn none(d: usize) -> Self {
        Self { n: 0.0, mean: vec![0.0; d], squares: vec![0.0; d] }
    }

    fn of(block: &ArrayView2<'_, f64>) -> Self {
        let n = block.nrows() as f64;
        let mut mean = vec![0.0; block.ncols()];
        for row in block.rows() {
            mean.iter_mut().zip(row).for_each(|(sum, &x)| *sum += x);
        }
        for sum in &mut mean {
            *sum /= n;
        }
        let mut squares = vec![0.0; block.ncols()];
        for row in block.rows() {
            let deviations = row.iter().zip(&mean).map(|(&x, &m)| x - m);
            squares.iter_mut().zip(deviations).for_each(|(sum, d)| *sum += d * d);
        }
        Self { n, mean, squares }
    }

    fn combine(mut self, other: &Self) -> Self {
        let n = self.n + other.n;
        for j in 0..self.mean.len() {
            let apart = other.mean[j] - self.mean[j];
            self.mean[j] += apart * (other.n / n);
            self.squares[j] += other.squares[j] + apart * apart * (self.n * other.n / n);
        }
        Self { n, ..self }
    }
}

/// Column medians and median absolute deviations (not rescaled to a normal's standard deviation).
fn median_and_mad(matrix: ArrayView2<'_, f64>) -> (Vec<f64>, Vec<f64>) {
    (0..matrix.ncols())
        .into_par_iter()
        .map(|j| {
            let mut column = matrix.column(j).to_vec();
            let center = median(&mut column);
            for x in &mut column {
                *x = (*x - center).abs();
            }
            (center, usable(median(&mut column), center))
        })
        .unzip()
}

/// The median, by selection; reorders `values`.
pub(super) fn median(values: &mut [f64]) -> f64 {
    let n = values.len();
    if n == 0 {
        return 0.0;
    }
    let (below, &mut upper, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 {
        return upper;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    lower + (upper - lower) / 2.0
}

/// A spread that can be divided by: below rounding error of the column's own size it is none, and 1 stands in.
fn usable(spread: f64, center: f64) -> f64 {
    if spread <= 10.0 * f64::EPSILON * center.abs() || spread == 0.0 { 1.0 } else { spread }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_wild_value_does_not_move_the_robust_scale() {
        let matrix = array![[1.0], [2.0], [3.0], [4.0], [1e9]];
        let features = Features::new(matrix, ["a"]).unwrap();
        let scaler = Scaler::fit(&features, Scale::Robust);
        assert_eq!((scaler.center()[0], scaler.scale()[0]), (3.0, 1.0));
    }

    #[test]
    fn constant_columns_become_zero_and_come_back() {
        let features = Features::new(array![[0.1], [0.1], [0.1]], ["a"]).unwrap();
        for how in [Scale::Zscore, Scale::Robust] {
            let scaler = Scaler::fit(&features, how);
            assert_eq!(scaler.scale(), [1.0]);
            let back = scaler.inverse(scaler.transform(features.matrix()).unwrap().view()).unwrap();
            assert!((back[[0, 0]] - 0.1).abs() < 1e-15);
        }
    }

    #[test]
    fn a_scaler_survives_its_file() {
        let features = Features::new(array![[1.0, 0.3], [2.5, 0.7]], ["a", "b"]).unwrap();
        let scaler = Scaler::fit(&features, Scale::Zscore);
        let text = serde_json::to_string(&scaler).unwrap();
        assert_eq!(serde_json::from_str::<Scaler>(&text).unwrap(), scaler);
    }

    #[test]
    fn medians_of_even_and_odd_counts() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
