//! Columns of different units become comparable: z-scores or robust scores, and the way back.

use ndarray::{Array2, ArrayView2, Axis};
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
const BLOCK: usize = 4096;

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
        self.map(matrix, |x, center, scale| (x - center) / scale)
    }

    /// Undoes [`transform`](Self::transform), for rows of shape `(n_rows, n_features)`.
    ///
    /// # Errors
    /// When the number of columns differs from the one it was fitted on.
    pub fn inverse(&self, matrix: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        self.map(matrix, |x, center, scale| x * scale + center)
    }

    fn map(
        &self,
        matrix: ArrayView2<'_, f64>,
        f: impl Fn(f64, f64, f64) -> f64 + Sync,
    ) -> Result<Array2<f64>> {
        if matrix.ncols() != self.center.len() {
            return Err(Error::data(format!(
                "{} columns were given to a scaling that was fitted on {}",
                matrix.ncols(),
                self.center.len()
            )));
        }
        let mut scaled = matrix.as_standard_layout().into_owned();
        scaled.axis_chunks_iter_mut(Axis(0), BLOCK).into_iter().for_each(|mut block| {
            for mut row in block.rows_mut() {
                let parameters = self.center.iter().zip(&self.scale);
                row.iter_mut().zip(parameters).for_each(|(x, (&c, &s))| *x = f(*x, c, s));
            }
        });
        Ok(scaled)
    }
}

/// Column means and population standard deviations, by two passes of block sums.
fn mean_and_sd(matrix: ArrayView2<'_, f64>) -> (Vec<f64>, Vec<f64>) {
    let n = matrix.nrows().max(1) as f64;
    let means: Vec<f64> = column_sums(matrix, |x, _| x).into_iter().map(|s| s / n).collect();
    let squares = column_sums(matrix, |x, j| (x - means[j]).powi(2));
    let scale = squares.iter().zip(&means).map(|(s, m)| usable((s / n).sqrt(), *m)).collect();
    (means, scale)
}

/// Sums of `f(value, column)` over fixed blocks of rows, combined in order.
fn column_sums(matrix: ArrayView2<'_, f64>, f: impl Fn(f64, usize) -> f64 + Sync) -> Vec<f64> {
    let mut total = vec![0.0; matrix.ncols()];
    for block in matrix.axis_chunks_iter(Axis(0), BLOCK) {
        let mut sums = vec![0.0; matrix.ncols()];
        for row in block.rows() {
            row.iter().zip(&mut sums).enumerate().for_each(|(j, (&x, s))| *s += f(x, j));
        }
        total.iter_mut().zip(sums).for_each(|(t, s)| *t += s);
    }
    total
}

/// Column medians and median absolute deviations (not rescaled to a normal's standard deviation).
fn median_and_mad(matrix: ArrayView2<'_, f64>) -> (Vec<f64>, Vec<f64>) {
    (0..matrix.ncols())
        .map(|j| {
            let mut column = matrix.column(j).to_vec();
            let center = median(&mut column);
            column.iter_mut().for_each(|x| *x = (*x - center).abs());
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
