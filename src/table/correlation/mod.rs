//! How columns move together: Pearson and Spearman matrices, what is redundant, and families of features.

mod family;
mod ranks;

use std::borrow::Cow;

use ndarray::{Array2, ArrayView2};
use polars::prelude::DataFrame;
use rayon::prelude::*;

pub use family::{families, redundancies, representative};

use super::values::{find, numbers};
use crate::error::{Error, Result};
pub use ranks::ranks;

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
    of_columns(&columns_of(matrix), Correlation::Pearson)
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
    of_columns(&columns_of(matrix), Correlation::Spearman)
}

/// The correlations of the named columns of a table, in the order of the names.
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
    Ok(of_columns(&columns, how))
}

fn columns_of(matrix: ArrayView2<'_, f64>) -> Vec<Cow<'static, [f64]>> {
    matrix.columns().into_iter().map(|c| Cow::Owned(c.to_vec())).collect()
}

fn of_columns(columns: &[Cow<'_, [f64]>], how: Correlation) -> Array2<f64> {
    let d = columns.len();
    let mut r = Array2::from_elem((d, d), f64::NAN);
    let pairs: Vec<(usize, usize)> = (0..d).flat_map(|i| (0..=i).map(move |j| (i, j))).collect();
    let values: Vec<f64> =
        pairs.par_iter().map(|&(i, j)| pair(&columns[i], &columns[j], how)).collect();
    for ((i, j), value) in pairs.into_iter().zip(values) {
        (r[[i, j]], r[[j, i]]) = (value, value);
    }
    r
}

/// One coefficient over the rows that have both values.
fn pair(a: &[f64], b: &[f64], how: Correlation) -> f64 {
    let both = a.iter().zip(b).filter(|(x, y)| !x.is_nan() && !y.is_nan());
    let (a, b): (Vec<f64>, Vec<f64>) = both.unzip();
    match how {
        Correlation::Pearson => pair_complete(&a, &b),
        Correlation::Spearman => pair_complete(&ranks(&a), &ranks(&b)),
    }
}

fn pair_complete(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len() as f64;
    let (ma, mb) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x - ma, y - mb);
        (aa, bb, ab) = (aa + x * x, bb + y * y, ab + x * y);
    }
    finish(aa, bb, ab)
}

/// r from the sums of squares and products; a constant has none.
fn finish(aa: f64, bb: f64, ab: f64) -> f64 {
    // The root of the product is exact for equal columns; the product of roots does not overflow.
    let product = aa * bb;
    let scale = if product.is_normal() { product.sqrt() } else { aa.sqrt() * bb.sqrt() };
    (ab / scale).clamp(-1.0, 1.0)
}
