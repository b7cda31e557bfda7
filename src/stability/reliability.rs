//! Enter the same objects measured several times; leaves how much of what differs between them is the objects.

use ndarray::ArrayView2;

/// Below this a feature says more about the measurement than is good for it (Koo and Li 2016: 0.75 and above is
/// good, 0.5 and below poor).
pub const RELIABLE: f64 = 0.75;

/// The intraclass correlation ICC(2,1) of `measurements`, shape `(n_objects, n_repeats)`: the share of the variance
/// that is due to the objects, with shifts between the repeats counted as error. 1 = every repeat gives the same
/// numbers; 0 or below = objects cannot be told apart. Rows with a value that is not finite are left out; `None` with
/// fewer than two objects or repeats, or where nothing varies.
///
/// ```
/// use ndarray::array;
/// use polariscope::stability::intraclass_correlation;
/// let twice = array![[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]];
/// assert_eq!(intraclass_correlation(twice.view()), Some(1.0));
/// ```
///
/// # References
/// P. E. Shrout and J. L. Fleiss, *Intraclass correlations: uses in assessing rater reliability*, 1979, two-way
/// random effects, single measurement.
pub fn intraclass_correlation(measurements: ArrayView2<'_, f64>) -> Option<f64> {
    let complete = measurements.outer_iter().filter(|row| row.iter().all(|v| v.is_finite()));
    let rows: Vec<Vec<f64>> = complete.map(|row| row.to_vec()).collect();
    let (n, m) = (rows.len() as f64, measurements.ncols() as f64);
    if n < 2.0 || m < 2.0 {
        return None;
    }
    let mean = rows.iter().flatten().sum::<f64>() / (n * m);
    let object = |row: &Vec<f64>| row.iter().sum::<f64>() / m;
    let objects: f64 = rows.iter().map(|row| (object(row) - mean).powi(2)).sum::<f64>() * m;
    let repeat = |j: usize| rows.iter().map(|row| row[j]).sum::<f64>() / n;
    let shifts: Vec<f64> = (0..measurements.ncols()).map(|j| repeat(j) - mean).collect();
    let repeats: f64 = shifts.iter().map(|shift| shift * shift).sum::<f64>() * n;
    let residual = |row: &Vec<f64>| -> f64 {
        let own = object(row);
        row.iter().zip(&shifts).map(|(v, shift)| (v - own - shift).powi(2)).sum()
    };
    let error = rows.iter().map(residual).sum::<f64>() / ((n - 1.0) * (m - 1.0));
    let (objects, repeats) = (objects / (n - 1.0), repeats / (m - 1.0));
    let whole = objects + (m - 1.0) * error + m * (repeats - error) / n;
    (whole > 0.0).then(|| (objects - error) / whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    /// Table 2 of Shrout and Fleiss: six targets, four judges; ICC(2,1) = 0.29 in their table 4.
    fn published() -> Array2<f64> {
        array![
            [9.0, 2.0, 5.0, 8.0],
            [6.0, 1.0, 3.0, 2.0],
            [8.0, 4.0, 6.0, 8.0],
            [7.0, 1.0, 2.0, 6.0],
            [10.0, 5.0, 6.0, 9.0],
            [6.0, 2.0, 4.0, 7.0]
        ]
    }

    #[test]
    fn the_published_example_comes_out() {
        // 0.289764 by pingouin 0.7.0.
        let found = intraclass_correlation(published().view()).unwrap();
        assert!((found - 0.289_763_779_5).abs() < 1e-9, "{found}");
    }

    #[test]
    fn lost_objects_are_left_out_and_a_shift_counts_as_error() {
        let mut lossy = Array2::from_elem((7, 4), f64::NAN);
        lossy.slice_mut(ndarray::s![..6, ..]).assign(&published());
        lossy[[6, 0]] = 3.0;
        let both =
            (intraclass_correlation(lossy.view()), intraclass_correlation(published().view()));
        assert_eq!(both.0, both.1);
        let shifted = array![[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]];
        assert!((intraclass_correlation(shifted.view()).unwrap() - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(intraclass_correlation(array![[1.0, 2.0]].view()), None);
        assert_eq!(intraclass_correlation(array![[1.0, 1.0], [1.0, 1.0]].view()), None);
    }
}
