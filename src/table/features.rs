//! The hand-over from tables to numbers: a finite matrix, its column names, and the table rows it came from.

use std::ops::Deref;

use linfa::DatasetBase;
use ndarray::{Array1, Array2, ArrayView2, Axis};

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
