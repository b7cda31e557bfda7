//! How columns move together: Pearson and Spearman matrices, what is redundant, and families of features.

mod family;
mod ranks;
mod sums;

use std::borrow::Cow;

use ndarray::{Array2, ArrayView2};
use polars::prelude::DataFrame;
use rayon::prelude::*;

pub use family::{families, redundancies, representative};

use super::values::{find, numbers};
use crate::error::{Error, Result};
use ranks::Order;
pub use ranks::ranks;
use sums::{Columns, comoments};

/// Which coefficient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Correlation {
    /// Of the values: how close to a straight line.
    #[default]
    Pearson,
    /// Of the ranks, ties averaged: how close to only rising or only falling.
    Spearman,
}

impl Correlation {
    /// The word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pearson => "pearson",
            Self::Spearman => "spearman",
        }
    }
}

impl std::str::FromStr for Correlation {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        [Self::Pearson, Self::Spearman]
            .into_iter()
            .find(|c| c.name() == word)
            .ok_or_else(|| Error::parameter("method", word, "pearson or spearman"))
    }
}

/// Pearson's r between all pairs of columns of a matrix `(n_rows, n_columns)`, each over the rows that have both.
///
/// NaN is a missing value. The correlation with a column that does not vary is NaN, also its own.
///
/// ```
/// use ndarray::array;
/// use polariscope::table::pearson;
/// let r = pearson(array![[1.0, 2.0], [2.0, 4.0], [3.0, f64::NAN], [4.0, 8.0]].view());
/// assert_eq!(r, array![[1.0, 1.0], [1.0, 1.0]]);
/// ```
///
/// # Determinism
/// The same bits on any number of threads: sums are taken over fixed blocks of rows, in order.
pub fn pearson(matrix: ArrayView2<'_, f64>) -> Array2<f64> {
    coefficients(&Columns::Matrix(matrix), Correlation::Pearson)
}

/// Spearman's rho between all pairs of columns of a matrix `(n_rows, n_columns)`, each over the rows that have both.
///
/// Equal values share the mean of their ranks. Missing values and constant columns as in [`pearson`].
///
/// ```
/// use ndarray::array;
/// use polariscope::table::spearman;
/// let rho = spearman(array![[1.0, 1.0], [2.0, 10.0], [3.0, 1000.0]].view());
/// assert_eq!(rho, array![[1.0, 1.0], [1.0, 1.0]]);
/// ```
///
/// # Determinism
/// As [`pearson`].
pub fn spearman(matrix: ArrayView2<'_, f64>) -> Array2<f64> {
    coefficients(&Columns::Matrix(matrix), Correlation::Spearman)
}

/// The correlations of the named columns of a table, in the order of the names: shape `(n_names, n_names)`, from -1 to 1, over
/// the rows in which both are there; NaN with a constant column.
///
/// # Errors
/// A name that is not in the table, or not of numbers.
pub fn correlate<N: AsRef<str>>(
    frame: &DataFrame,
    names: &[N],
    how: Correlation,
) -> Result<Array2<f64>> {
    let columns = names
        .iter()
        .map(|name| {
            let name = name.as_ref();
            numbers(find(frame, name)?)
                .ok_or_else(|| Error::data("is not a column of numbers").at_column(name))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(coefficients(&Columns::Slices(&columns), how))
}

fn coefficients(columns: &Columns, how: Correlation) -> Array2<f64> {
    match how {
        Correlation::Pearson => of_values(columns),
        Correlation::Spearman => of_ranks(columns),
    }
}

fn of_values(columns: &Columns) -> Array2<f64> {
    let comoments = comoments(columns);
    let complete = |j: usize| !comoments[[j, j]].is_nan();
    let d = comoments.nrows();
    let missing = (0..d).filter(|&j| !complete(j)).map(|j| columns.column(j));
    let missing: Vec<Cow<'_, [f64]>> = missing.collect();
    // Columns are looked at in full only where a row must be left out.
    let values =
        if missing.is_empty() { Vec::new() } else { (0..d).map(|j| columns.column(j)).collect() };
    symmetric(d, |i, j| {
        if complete(i) && complete(j) {
            coefficient(comoments[[i, i]], comoments[[j, j]], comoments[[i, j]])
        } else {
            of_pair(&values[i], &values[j])
        }
    })
}

fn of_ranks(columns: &Columns) -> Array2<f64> {
    let (n, d) = columns.shape();
    let orders: Vec<Order> =
        (0..d).into_par_iter().map(|j| Order::of(&columns.column(j))).collect();
    let ranks: Vec<Cow<'_, [f64]>> =
        orders.par_iter().map(|order| Cow::Owned(order.ranks(n, None))).collect();
    if orders.iter().all(|order| order.is_complete(n)) {
        return of_values(&Columns::Slices(&ranks));
    }
    // Leaving out a row moves the ranks of all others, but not their order.
    symmetric(d, |i, j| {
        let left = orders[i].ranks(n, Some(&ranks[j]));
        let right = orders[j].ranks(n, Some(&ranks[i]));
        of_pair(&left, &right)
    })
}

/// Fills both triangles from `value(i, j)`, `j <= i`, on all threads.
fn symmetric(d: usize, value: impl Fn(usize, usize) -> f64 + Sync) -> Array2<f64> {
    let pairs: Vec<(usize, usize)> = (0..d).flat_map(|i| (0..=i).map(move |j| (i, j))).collect();
    let values: Vec<f64> = pairs.par_iter().map(|&(i, j)| value(i, j)).collect();
    let mut matrix = Array2::zeros((d, d));
    for ((i, j), value) in pairs.into_iter().zip(values) {
        (matrix[[i, j]], matrix[[j, i]]) = (value, value);
    }
    matrix
}

/// Pearson's r over the rows that have both values, in two passes.
fn of_pair(a: &[f64], b: &[f64]) -> f64 {
    let both = || a.iter().zip(b).filter(|(x, y)| !x.is_nan() && !y.is_nan());
    let (mut n, mut sum_a, mut sum_b) = (0_usize, 0.0, 0.0);
    for (x, y) in both() {
        (n, sum_a, sum_b) = (n + 1, sum_a + x, sum_b + y);
    }
    let (mean_a, mean_b) = (sum_a / n as f64, sum_b / n as f64);
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (x, y) in both() {
        let (x, y) = (x - mean_a, y - mean_b);
        (aa, bb, ab) = (aa + x * x, bb + y * y, ab + x * y);
    }
    coefficient(varying(aa, n, mean_a), varying(bb, n, mean_b), ab)
}

/// The sum of squares about the mean, 0 when it is no more than the rounding of equal values.
fn varying(squares: f64, n: usize, mean: f64) -> f64 {
    let rounding = 8.0 * f64::EPSILON * mean;
    if squares <= n as f64 * rounding * rounding { 0.0 } else { squares }
}

/// r from sums of squares and products; NaN when one of them does not vary.
fn coefficient(aa: f64, bb: f64, ab: f64) -> f64 {
    if aa == 0.0 || bb == 0.0 {
        return f64::NAN;
    }
    // The root of the product is exact for equal columns; the product of roots does not overflow.
    let product = aa * bb;
    let scale = if product.is_normal() { product.sqrt() } else { aa.sqrt() * bb.sqrt() };
    (ab / scale).clamp(-1.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use ndarray::{Axis, array};

    fn random(n: usize, d: usize) -> Array2<f64> {
        let mut stream = Seed::new(9).stream("correlation", n as u64);
        let common: Vec<f64> = (0..n).map(|_| stream.normal()).collect();
        Array2::from_shape_fn((n, d), |(i, j)| {
            1e3 * j as f64
                + (common[i] * (j % 3) as f64 + stream.normal()) * 10_f64.powi(j as i32 % 5)
        })
    }

    /// Agreement of two ways of summing 10,000 numbers.
    const ROUNDING: f64 = 1e-13;

    #[test]
    fn blocks_and_pairs_agree() {
        for (n, d) in [(2, 1), (5, 3), (129, 4), (4096, 7), (10_001, 9)] {
            let matrix = random(n, d);
            let fast = pearson(matrix.view());
            let slow = symmetric(d, |i, j| {
                of_pair(&matrix.column(i).to_vec(), &matrix.column(j).to_vec())
            });
            assert!((&fast - &slow).iter().all(|x| x.abs() < ROUNDING), "{n} x {d}: {fast} {slow}");
            assert_eq!(fast, fast.t());
        }
    }

    #[test]
    fn missing_rows_are_left_out_pair_by_pair() {
        let mut matrix = random(500, 4);
        let complete = pearson(matrix.view());
        (0..500).step_by(7).for_each(|i| matrix[[i, 1]] = f64::NAN);
        (0..500).step_by(5).for_each(|i| matrix[[i, 2]] = f64::NAN);
        let kept: Vec<usize> = (0..500).filter(|i| i % 7 != 0 && i % 5 != 0).collect();
        let (both, ranks) = (pearson(matrix.view()), spearman(matrix.view()));
        let subset = matrix.select(Axis(0), &kept);
        assert_eq!(both[[0, 3]], complete[[0, 3]]);
        assert!((both[[1, 2]] - pearson(subset.view())[[1, 2]]).abs() < ROUNDING);
        assert!((ranks[[1, 2]] - spearman(subset.view())[[1, 2]]).abs() < ROUNDING);
        assert!(
            (ranks[[0, 3]] - spearman(matrix.select(Axis(1), &[0, 3]).view())[[0, 1]]).abs()
                < ROUNDING
        );
    }

    #[test]
    fn columns_that_do_not_vary_have_none() {
        let r = pearson(
            array![
                [1.0, 2.0, 0.1],
                [2.0, 2.0, 0.1],
                [4.0, 2.0, 0.1],
                [5.0, 2.0, 0.1],
                [6.0, 2.0, 0.1],
                [7.0, 2.0, 0.1]
            ]
            .view(),
        );
        assert_eq!(r[[0, 0]], 1.0);
        assert!(
            r[[1, 1]].is_nan() && r[[0, 1]].is_nan() && r[[2, 2]].is_nan() && r[[0, 2]].is_nan()
        );
        let none = spearman(array![[1.0, f64::NAN], [2.0, f64::NAN]].view());
        assert!(none[[1, 1]].is_nan() && none[[0, 0]] == 1.0);
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let matrix = random(20_000, 6);
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| (pearson(matrix.view()), spearman(matrix.view())))
        };
        assert!(with(1) == with(2) && with(1) == with(7));
    }
}
