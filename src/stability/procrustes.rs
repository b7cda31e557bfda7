//! Two maps of the same objects in; one laid over the other, and what is left between them, out.

use nalgebra::DMatrix;
use ndarray::{Array2, ArrayView2, Axis};

use crate::error::{Error, Result};

/// One map laid over another by moving, turning, mirroring and scaling it.
#[derive(Debug, Clone)]
pub struct Procrustes {
    /// Sum of squared differences that is left when the first map has size 1: 0 = same picture, 1 = unrelated.
    pub disparity: f64,
    /// The second map in the place and units of the first, shape `(n_rows, n_components)`.
    pub aligned: Array2<f64>,
}

/// Lays `other` over `reference`, both of shape `(n_rows, n_components)`.
///
/// The disparity equals `scipy.spatial.procrustes` (Gower, *Generalized Procrustes analysis*, 1975).
///
/// ```
/// use ndarray::array;
/// use polariscope::stability::procrustes;
/// let map = array![[0.0, 0.0], [2.0, 0.0], [0.0, 1.0]];
/// let turned = array![[5.0, 5.0], [5.0, 9.0], [3.0, 5.0]];
/// let fit = procrustes(map.view(), turned.view())?;
/// assert!(fit.disparity < 1e-12);
/// assert!((&fit.aligned - &map).iter().all(|d| d.abs() < 1e-12));
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # Errors
/// Maps of differing shapes, or a map whose objects all lie on one point.
pub fn procrustes(reference: ArrayView2<f64>, other: ArrayView2<f64>) -> Result<Procrustes> {
    if reference.dim() != other.dim() || reference.is_empty() {
        return Err(Error::data(format!(
            "maps of {:?} and {:?} (rows, coordinates) cannot be laid over each other",
            reference.dim(),
            other.dim()
        )));
    }
    let (center, size, a) = normalized(reference)?;
    let (_, _, b) = normalized(other)?;
    let cross = a.t().dot(&b);
    let d = cross.nrows();
    let svd = DMatrix::from_fn(d, d, |i, j| cross[[i, j]]).svd(true, true);
    let (Some(u), Some(v_t)) = (svd.u, svd.v_t) else {
        return Err(Error::internal("the singular vectors were not computed"));
    };
    let turn = (&u * &v_t).transpose();
    let turn = Array2::from_shape_fn((d, d), |(i, j)| turn[(i, j)]);
    let scale: f64 = svd.singular_values.iter().sum();
    Ok(Procrustes {
        disparity: (1.0 - scale * scale).max(0.0),
        aligned: b.dot(&turn) * (scale * size) + &center,
    })
}

/// Mean row, Frobenius norm, and the map moved to mean 0 and scaled to norm 1.
fn normalized(map: ArrayView2<f64>) -> Result<(ndarray::Array1<f64>, f64, Array2<f64>)> {
    let center = map.mean_axis(Axis(0)).ok_or_else(|| Error::data("a map without objects"))?;
    let centered = &map - &center;
    let size = centered.iter().map(|v| v * v).sum::<f64>().sqrt();
    if size == 0.0 {
        return Err(Error::data("all objects of a map lie on one point"));
    }
    Ok((center, size, centered / size))
}
