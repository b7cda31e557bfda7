//! Two maps of the same objects in; the second laid over the first, and how much they still differ, out.

use nalgebra::DMatrix;
use ndarray::{Array2, ArrayView2, Axis};

use crate::error::{Error, Result};

/// One map laid over another by moving, turning, mirroring and one change of scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Procrustes {
    /// What is left of the squared distances when both maps have size 1: 0 for the same picture, at most 1.
    pub disparity: f64,
    /// The second map in the frame and units of the first, shape `(n_rows, n_axes)`.
    pub aligned: Array2<f64>,
}

/// Lays `other` over `reference`, both of shape `(n_rows, n_axes)`.
///
/// ```
/// use ndarray::array;
/// use polariscope::embed::procrustes;
/// let map = array![[0.0, 0.0], [2.0, 0.0], [0.0, 1.0]];
/// let turned = array![[5.0, 5.0], [5.0, 9.0], [3.0, 5.0]];
/// let found = procrustes(map.view(), turned.view())?;
/// assert!(found.disparity < 1e-12);
/// assert!((found.aligned - map).iter().all(|d| d.abs() < 1e-12));
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # Errors
/// When the shapes differ, a value is not finite, or all rows of a map are equal.
///
/// # References
/// J. C. Gower, *Generalized Procrustes analysis*, 1975; the disparity is that of `scipy.spatial.procrustes`.
pub fn procrustes(
    reference: ArrayView2<'_, f64>,
    other: ArrayView2<'_, f64>,
) -> Result<Procrustes> {
    if reference.dim() != other.dim() {
        let ((n, d), (m, e)) = (reference.dim(), other.dim());
        return Err(Error::data(format!("the maps have shapes {n} x {d} and {m} x {e}")));
    }
    let (a, a_mean, a_size) = unit(reference)?;
    let (b, _, _) = unit(other)?;
    let d = a.ncols();
    let cross = b.t().dot(&a);
    let svd = DMatrix::from_fn(d, d, |i, j| cross[[i, j]]).svd(true, true);
    let (Some(u), Some(v)) = (svd.u, svd.v_t) else {
        return Err(Error::internal("no singular vectors"));
    };
    let turn = u * v;
    let scale = svd.singular_values.sum();
    let turn = Array2::from_shape_fn((d, d), |(i, j)| turn[(i, j)]);
    let aligned = b.dot(&turn) * (scale * a_size) + &a_mean;
    Ok(Procrustes { disparity: (1.0 - scale * scale).max(0.0), aligned })
}

/// Centred, with sum of squares 1; the mean and the size that were taken out.
fn unit(map: ArrayView2<'_, f64>) -> Result<(Array2<f64>, ndarray::Array1<f64>, f64)> {
    let mean = map.mean_axis(Axis(0)).ok_or_else(|| Error::data("a map has no rows"))?;
    let centred = &map - &mean;
    let size = centred.iter().map(|v| v * v).sum::<f64>().sqrt();
    if !size.is_finite() || size <= 0.0 {
        return Err(Error::data("a map needs finite coordinates that are not all equal"));
    }
    Ok((centred / size, mean, size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    fn map(seed: u64) -> Array2<f64> {
        let mut stream = Seed::new(seed).stream("procrustes", 0);
        Array2::from_shape_fn((50, 2), |_| stream.normal())
    }

    #[test]
    fn no_turn_does_better() {
        let (a, b) = (map(1), map(2));
        let found = procrustes(a.view(), b.view()).unwrap();
        let (unit_a, _, size) = unit(a.view()).unwrap();
        let (unit_b, _, _) = unit(b.view()).unwrap();
        let left = (&found.aligned - &a).mapv(|v| v * v).sum() / (size * size);
        assert!((left - found.disparity).abs() < 1e-12);
        for step in 0..360 {
            let (sin, cos) = f64::from(step).to_radians().sin_cos();
            for mirror in [1.0, -1.0] {
                let turn = ndarray::array![[cos, sin], [-sin * mirror, cos * mirror]];
                let turned = unit_b.dot(&turn);
                let scale = (&turned * &unit_a).sum().max(0.0);
                let left = (turned * scale - &unit_a).mapv(|v| v * v).sum();
                assert!(left >= found.disparity - 1e-12);
            }
        }
    }

    #[test]
    fn maps_without_extent_are_refused() {
        let flat = Array2::<f64>::zeros((50, 2));
        assert!(procrustes(map(1).view(), flat.view()).is_err());
        assert!(procrustes(map(1).view(), Array2::zeros((3, 2)).view()).is_err());
    }
}
