//! The hand-over from tables to numbers: a finite matrix, its column names, and the table rows it came from.

use std::borrow::{Borrow, Cow};
use std::ops::Deref;

use linfa::DatasetBase;
use ndarray::{Array1, Array2, ArrayView2, Axis};
use polars::prelude::DataFrame;
use rayon::prelude::*;

use super::values::column_of_numbers;
use super::{Columns, Scale, Scaler, Selection};
use crate::error::{Error, Result};

/// A finite matrix of shape `(n_rows, n_features)` with named columns.
///
/// It lends itself as a linfa [`DatasetBase`], so every linfa estimator accepts `&features`.
/// Rows keep the order of the table; [`rows`](Self::rows) says which table row each one was.
///
/// ```
/// use ndarray::array;
/// use polariscope::table::Features;
///
/// let features = Features::new(array![[1.0, 10.0], [3.0, 30.0]], ["area", "perimeter"])?;
/// assert_eq!((features.n_rows(), features.n_features()), (2, 2));
/// assert_eq!(features.names(), ["area", "perimeter"]);
///
/// let error = Features::new(array![[1.0, f64::NAN]], ["area", "perimeter"]).unwrap_err();
/// assert_eq!(error.to_string(), "row 1: column `perimeter`: NaN is not a finite number");
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Features {
    dataset: DatasetBase<Array2<f64>, Array1<()>>,
    rows: Vec<usize>,
}

impl Features {
    /// Names the columns of a matrix; row `i` of the matrix is row `i` of the table.
    ///
    /// # Errors
    /// A value that is not finite (with its row, from 1, and column), a number of names that differs
    /// from the number of columns, or a name given twice.
    pub fn new<N: Into<String>>(
        matrix: Array2<f64>,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Self> {
        let rows = (0..matrix.nrows()).collect();
        Self::from_rows(matrix, names, rows)
    }

    /// Like [`new`](Self::new), for a matrix that holds only some rows of a table.
    ///
    /// # Errors
    /// As [`new`](Self::new), and when `rows` is not one position per row of the matrix.
    pub fn from_rows<N: Into<String>>(
        matrix: Array2<f64>,
        names: impl IntoIterator<Item = N>,
        rows: Vec<usize>,
    ) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.len() != matrix.ncols() || rows.len() != matrix.nrows() {
            return Err(Error::data(format!(
                "a matrix of {} x {} came with {} row positions and {} column names",
                matrix.nrows(),
                matrix.ncols(),
                rows.len(),
                names.len()
            )));
        }
        if let Some(twice) = names.iter().enumerate().find(|(i, n)| names[..*i].contains(n)) {
            return Err(Error::data("the name is given twice").at_column(twice.1));
        }
        if let Some(((row, column), value)) = matrix.indexed_iter().find(|(_, v)| !v.is_finite()) {
            return Err(Error::data(format!("{value} is not a finite number"))
                .at_row(rows[row] + 1)
                .at_column(&names[column])
                .help("fill or drop the value, or leave the column out with --exclude"));
        }
        let dataset = DatasetBase::from(matrix).with_feature_names(names);
        Ok(Self { dataset, rows })
    }

    /// The selected columns of a table; rows with a missing value in one of them are left out.
    ///
    /// ```
    /// use polariscope::table::{Columns, Features, Table};
    /// let table = Table::from_bytes("t.csv", b"label,area,extent\n1,5,0.1\n2,7,\n3,6,0.3\n")?;
    /// let wanted = Columns::measurements().features(["area", "extent"]);
    /// let features = Features::from_frame(&table.frame, wanted)?;
    /// assert_eq!(features.names(), ["area", "extent"]);
    /// assert_eq!(features.rows(), [0, 2]);
    /// # Ok::<(), polariscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// A glob that matches no column, no column or no complete row left, or an infinite value.
    pub fn from_frame(frame: &DataFrame, selection: impl Borrow<Selection>) -> Result<Self> {
        Self::from_columns(frame, &Columns::chosen(frame, selection)?)
    }

    /// Like [`from_frame`](Self::from_frame), for columns that were judged before.
    ///
    /// # Errors
    /// As [`from_frame`](Self::from_frame).
    pub fn from_columns(frame: &DataFrame, columns: &Columns) -> Result<Self> {
        let names = columns.features();
        if names.is_empty() {
            let error = Error::data("no column is left to analyse")
                .help("choose columns with --features 'GLOB,...'");
            return Err(match columns.left_out() {
                reasons if reasons.is_empty() => error,
                reasons => Error::data(format!("{}: {reasons}", error.message()))
                    .help("choose columns with --features 'GLOB,...'"),
            });
        }
        Self::from_names(frame, &names)
    }

    /// The columns of exactly these names, in this order.
    ///
    /// # Errors
    /// A name that is not in the table or not of numbers, no complete row, or an infinite value.
    pub fn from_names<N: AsRef<str>>(frame: &DataFrame, names: &[N]) -> Result<Self> {
        let values = names
            .iter()
            .map(|name| column_of_numbers(frame, name.as_ref()))
            .collect::<Result<Vec<_>>>()?;
        let complete = |&row: &usize| values.iter().all(|column| !column[row].is_nan());
        let rows: Vec<usize> = (0..frame.height()).into_par_iter().filter(complete).collect();
        if rows.is_empty() {
            return Err(no_complete_row(frame.height(), names, &values));
        }
        let mut matrix = Array2::zeros((rows.len(), names.len()));
        matrix
            .axis_chunks_iter_mut(Axis(0), 1024)
            .into_par_iter()
            .zip(rows.par_chunks(1024))
            .for_each(|(mut block, rows)| {
                for (mut target, column) in block.columns_mut().into_iter().zip(&values) {
                    target.iter_mut().zip(rows).for_each(|(x, &row)| *x = column[row]);
                }
            });
        Self::from_rows(matrix, names.iter().map(AsRef::as_ref), rows)
    }

    /// Mean 0 and standard deviation 1 in every column (ddof 0, as scikit-learn's `StandardScaler`).
    ///
    /// # Errors
    /// When a value is so large that its square overflows.
    pub fn standardized(&self) -> Result<Self> {
        self.scaled(Scale::Zscore)
    }

    /// Columns made comparable; [`Scaler`] also remembers how and undoes it.
    ///
    /// # Errors
    /// As [`standardized`](Self::standardized).
    pub fn scaled(&self, how: Scale) -> Result<Self> {
        self.clone().into_scaled(how)
    }

    /// [`scaled`](Self::scaled) in place, where a second matrix would be too much.
    ///
    /// # Errors
    /// As [`standardized`](Self::standardized).
    pub fn into_scaled(self, how: Scale) -> Result<Self> {
        let scaler = Scaler::fit(&self, how);
        let names = self.names().to_vec();
        let Self { dataset, rows } = self;
        let matrix = scaler.transformed(dataset.records)?;
        // Finite moments leave no room for a value that overflows; medians do.
        if how == Scale::Robust || scaler.scale().iter().any(|s| !s.is_finite()) {
            return Self::from_rows(matrix, names, rows);
        }
        Ok(Self { dataset: DatasetBase::from(matrix).with_feature_names(names), rows })
    }

    /// The values, shape `(n_rows, n_features)`.
    pub fn matrix(&self) -> ArrayView2<'_, f64> {
        self.dataset.records().view()
    }

    /// Column names, in matrix order.
    pub fn names(&self) -> &[String] {
        self.dataset.feature_names()
    }

    /// For each row of the matrix, its position in the table, from 0, ascending.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.rows.len()
    }

    /// Number of columns.
    pub fn n_features(&self) -> usize {
        self.names().len()
    }

    /// The same rows and names with other values, e.g. after scaling.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_matrix(&self, matrix: Array2<f64>) -> Result<Self> {
        Self::from_rows(matrix, self.names().to_vec(), self.rows.clone())
    }

    /// Only the columns at `positions`, in that order.
    ///
    /// # Errors
    /// A position given twice.
    ///
    /// # Panics
    /// When a position is not a column.
    pub fn columns(&self, positions: &[usize]) -> Result<Self> {
        let names: Vec<&str> = positions.iter().map(|&p| self.names()[p].as_str()).collect();
        Self::from_rows(self.matrix().select(Axis(1), positions), names, self.rows.clone())
    }

    /// The rows at `positions` (positions in this matrix, not in the table).
    ///
    /// # Panics
    /// When a position is not a row.
    pub fn select_rows(&self, positions: &[usize]) -> Self {
        let dataset = DatasetBase::from(self.matrix().select(Axis(0), positions))
            .with_feature_names(self.names().to_vec());
        Self { dataset, rows: positions.iter().map(|&p| self.rows[p]).collect() }
    }

    /// A supervised linfa dataset: these features with one label per row.
    ///
    /// ```
    /// use ndarray::array;
    /// use polariscope::table::Features;
    /// let features = Features::new(array![[1.0], [2.0]], ["area"])?;
    /// let labelled = features.labelled(&[1, 2])?;
    /// assert_eq!(labelled.targets(), &array![1, 2]);
    /// # Ok::<(), polariscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there is not exactly one label per row.
    pub fn labelled(&self, labels: &[usize]) -> Result<DatasetBase<Array2<f64>, Array1<usize>>> {
        if labels.len() != self.n_rows() {
            return Err(Error::data(format!(
                "{} labels for {} rows: give one label per row",
                labels.len(),
                self.n_rows()
            )));
        }
        Ok(DatasetBase::new(self.matrix().to_owned(), Array1::from(labels.to_vec()))
            .with_feature_names(self.names().to_vec()))
    }
}

impl Deref for Features {
    type Target = DatasetBase<Array2<f64>, Array1<()>>;

    fn deref(&self) -> &Self::Target {
        &self.dataset
    }
}

/// Says which column empties the table.
fn no_complete_row<N: AsRef<str>>(height: usize, names: &[N], values: &[Cow<'_, [f64]>]) -> Error {
    if height == 0 {
        return Error::data("the table has no rows");
    }
    let missing = values.iter().map(|column| column.iter().filter(|v| v.is_nan()).count());
    let worst = missing.zip(names).max_by_key(|(count, _)| *count);
    let error = Error::data(format!("none of the {height} rows has a value in every feature"));
    match worst {
        Some((count, name)) => error.help(format!(
            "`{0}` misses {count} values: leave it out with --exclude '{0}'",
            name.as_ref()
        )),
        None => error,
    }
}
