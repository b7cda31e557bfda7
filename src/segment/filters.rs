//! A field becomes another of the same extent: blurs, edges, curvature, ranks.
//!
//! Filters follow scipy (border mirrored, Gaussians cut at four sigma) unless their text says otherwise.

use std::ops::Range;

use rayon::prelude::*;

use super::convolve::{Border, Kernel, convolve, convolve_rows};
use super::field::Field;
use crate::error::{Error, Result};

/// Wider blurs than this are a slip of the unit, and would take hours.
const LARGEST_SIGMA: f64 = 10_000.0;

/// The Gaussian of clEsperanto: kernel of `int(8 sigma)` made odd, border pixels repeated.
///
/// It is what [`Segmentation`](super::Segmentation) uses. Sigma 0 leaves the field as it is.
///
/// # Errors
/// When sigma is negative, not finite or above 10,000.
pub fn gaussian(field: &Field, sigma: f64) -> Result<Field> {
    check_sigma("sigma", sigma)?;
    Ok(gaussian_rows(field, sigma, 0..field.extent()[1]))
}

/// Only `rows` of every layer of [`gaussian`].
pub(super) fn gaussian_rows(field: &Field, sigma: f64, rows: Range<usize>) -> Field {
    let kernel = Kernel::gaussian(sigma, gaussian_radius(sigma), 0);
    convolve_rows(field, [&kernel; 3], Border::Nearest, rows)
}

/// How far the kernel of [`gaussian`] reaches.
pub(super) fn gaussian_radius(sigma: f64) -> usize {
    (8.0 * sigma) as usize / 2
}

/// `scipy.ndimage.gaussian_filter(field, sigma)`.
///
/// # Errors
/// When sigma is negative, not finite or above 10,000.
pub fn gaussian_scipy(field: &Field, sigma: f64) -> Result<Field> {
    derivative(field, sigma, [0, 0, 0])
}

/// `gaussian(sigma_small) - gaussian(sigma_large)`, with the Gaussian of clEsperanto.
///
/// # Errors
/// When a sigma is negative, not finite or above 10,000.
pub fn difference_of_gaussian(field: &Field, sigma_small: f64, sigma_large: f64) -> Result<Field> {
    Ok(gaussian(field, sigma_small)?.zip(&gaussian(field, sigma_large)?, |a, b| a - b))
}

/// `scipy.ndimage.gaussian_laplace(field, sigma)`.
///
/// # Errors
/// When sigma is not positive, not finite or above 10,000.
pub fn laplacian_of_gaussian(field: &Field, sigma: f64) -> Result<Field> {
    check_positive(sigma)?;
    let second = |axis| derivative(field, sigma, [0, 1, 2].map(|a| if a == axis { 2 } else { 0 }));
    let plane = second(1)?.zip(&second(2)?, |a, b| a + b);
    Ok(if is_plane(field) { plane } else { plane.zip(&second(0)?, |a, b| a + b) })
}

/// `skimage.filters.sobel(field)`: the root mean square of the smoothed slopes along the axes.
pub fn sobel(field: &Field) -> Field {
    let (smooth, slope) = sobel_kernels();
    let squared = |axis: usize| {
        let kernels = [0, 1, 2].map(|a| if a == axis { &slope } else { &smooth });
        let slopes = convolve(field, kernels, Border::Reflect);
        slopes.clone().zip(&slopes, |a, b| a * b)
    };
    let plane = squared(1).zip(&squared(2), |a, b| a + b);
    let (sum, n_axes) =
        if is_plane(field) { (plane, 2.0) } else { (plane.zip(&squared(0), |a, b| a + b), 3.0) };
    sum.clone().zip(&sum, |a, _| (a / n_axes).sqrt())
}

/// What smooths across and what differs along.
pub(super) fn sobel_kernels() -> (Kernel, Kernel) {
    (Kernel::even([0.5, 0.25]), Kernel { is_odd: true, ..Kernel::even([0.0, 1.0]) })
}

/// The eigenvalues of the matrix of second Gaussian derivatives, the largest first: two fields of a plane,
/// three of a stack.
///
/// # Errors
/// When sigma is not positive, not finite or above 10,000.
pub fn hessian_eigenvalues(field: &Field, sigma: f64) -> Result<Vec<Field>> {
    check_positive(sigma)?;
    let first_axis = usize::from(is_plane(field));
    let entry = |a: usize, b: usize| {
        let mut orders = [0; 3];
        orders[a] += 1;
        orders[b] += 1;
        derivative(field, sigma, orders)
    };
    let n = 3 - first_axis;
    let mut entries = Vec::new();
    for a in first_axis..3 {
        for b in first_axis..=a {
            entries.push(((a - first_axis, b - first_axis), entry(a, b)?));
        }
    }
    let n_pixels = field.values().len();
    let mut eigenvalues = vec![vec![0.0; n_pixels]; n];
    let sorted: Vec<[f32; 3]> = (0..n_pixels)
        .into_par_iter()
        .map(|i| {
            let value = |a: usize, b: usize| {
                let key = (a.max(b), a.min(b));
                let found = entries.iter().find(|(at, _)| *at == key);
                found.map_or(0.0, |(_, field)| f64::from(field.values()[i]))
            };
            let mut values = nalgebra::DMatrix::from_fn(n, n, value).symmetric_eigenvalues();
            values.as_mut_slice().sort_by(|a, b| b.total_cmp(a));
            [0, 1, 2].map(|k| values.get(k).map_or(0.0, |v| *v as f32))
        })
        .collect();
    for (k, out) in eigenvalues.iter_mut().enumerate() {
        out.iter_mut().zip(&sorted).for_each(|(out, values)| *out = values[k]);
    }
    Ok(eigenvalues.into_iter().map(|values| Field::made(field.extent(), values)).collect())
}

/// The mean of the box that reaches `radius` pixels: `scipy.ndimage.uniform_filter(field, 2 radius + 1)`.
pub fn mean(field: &Field, radius: usize) -> Field {
    let n = 2 * radius + 1;
    let kernel = Kernel::even(std::iter::repeat_n(1.0 / n as f64, radius + 1));
    convolve(field, [&kernel; 3], Border::Reflect)
}

/// The median of the box that reaches `radius` pixels: `scipy.ndimage.median_filter(field, 2 radius + 1)`.
pub fn median(field: &Field, radius: usize) -> Field {
    let [nz, ny, nx] = field.extent();
    let reach = |n: usize| if n == 1 { 0 } else { radius as isize };
    let (rz, r) = (if is_plane(field) { 0 } else { reach(nz) }, radius as isize);
    let border = |i: usize, offset: isize, n| Border::Reflect.inside(i as isize + offset, n);
    let mut values = vec![0.0; field.values().len()];
    values.par_chunks_mut(nx).enumerate().for_each(|(row, out)| {
        let (z, y) = (row / ny, row % ny);
        let mut around = Vec::new();
        for (x, out) in out.iter_mut().enumerate() {
            around.clear();
            for dz in -rz..=rz {
                for dy in -r..=r {
                    let line = (border(z, dz, nz) * ny + border(y, dy, ny)) * nx;
                    around.extend((-r..=r).map(|dx| field.values()[line + border(x, dx, nx)]));
                }
            }
            let middle = around.len() / 2;
            *out = *around.select_nth_unstable_by(middle, f32::total_cmp).1;
        }
    });
    Field::made(field.extent(), values)
}

/// What is brighter than its surroundings: the field minus its opening by a box that reaches `radius`
/// pixels, `scipy.ndimage.white_tophat(field, 2 radius + 1)`.
pub fn top_hat(field: &Field, radius: usize) -> Field {
    let opened = box_rank(&box_rank(field, radius, f32::min), radius, f32::max);
    field.clone().zip(&opened, |a, b| a - b)
}

/// The least or largest value in a box, axis by axis.
fn box_rank(field: &Field, radius: usize, pick: fn(f32, f32) -> f32) -> Field {
    let [nz, ny, nx] = field.extent();
    let mut field = field.clone();
    for (axis, length) in [(0, nz), (1, ny), (2, nx)] {
        if axis == 0 && length == 1 {
            continue;
        }
        let step = [ny * nx, nx, 1][axis];
        let values = field.values();
        let picked = (0..values.len()).into_par_iter().map(|i| {
            let at = i / step % length;
            // Mirrored pixels are in the box anyway, unless it is wider than the image.
            let (first, last) = (at.saturating_sub(radius), (at + radius).min(length - 1));
            (first..=last).map(|k| values[i + k * step - at * step]).fold(values[i], pick)
        });
        field = Field::made(field.extent(), picked.collect());
    }
    field
}

/// The Gaussian derivative of these orders along z, y, x.
fn derivative(field: &Field, sigma: f64, orders: [usize; 3]) -> Result<Field> {
    check_sigma("sigma", sigma)?;
    let radius = scipy_radius(sigma);
    let kernels = orders.map(|order| Kernel::gaussian(sigma, radius, order));
    Ok(convolve(field, kernels.each_ref(), Border::Reflect))
}

/// How far scipy's Gaussians reach.
pub(super) fn scipy_radius(sigma: f64) -> usize {
    (4.0 * sigma + 0.5) as usize
}

fn is_plane(field: &Field) -> bool {
    field.extent()[0] == 1
}

pub(super) fn check_sigma(name: &str, sigma: f64) -> Result<()> {
    if (0.0..=LARGEST_SIGMA).contains(&sigma) {
        return Ok(());
    }
    Err(Error::parameter(name, sigma, format!("from 0 to {LARGEST_SIGMA} pixels")))
}

pub(super) fn check_positive(sigma: f64) -> Result<()> {
    check_sigma("sigma", sigma)?;
    if sigma > 0.0 {
        return Ok(());
    }
    Err(Error::parameter("sigma", sigma, "above 0: a derivative needs a scale"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Grid, IntensityImage, LabelImage, Pixels};
    use crate::segment::{thresholds, watershed};
    use serde_json::Value;

    /// Single precision on values up to 200, through sums of some hundred terms.
    const TOLERANCE: f64 = 1e-5 * 200.0;

    fn reference() -> Value {
        serde_json::from_str(include_str!("../../tests/reference/segment.json")).unwrap()
    }

    fn numbers(value: &Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
    }

    fn field(record: &Value, key: &str) -> Field {
        let extent: Vec<usize> = numbers(&record["extent"]).iter().map(|n| *n as usize).collect();
        let values = numbers(&record[key]).iter().map(|v| *v as f32).collect();
        Field::new([extent[0], extent[1], extent[2]], values).unwrap()
    }

    fn check(name: &str, found: &[f32], expected: &Value) {
        let expected = numbers(expected);
        assert_eq!(found.len(), expected.len(), "{name}");
        for (i, (a, b)) in found.iter().zip(&expected).enumerate() {
            assert!((f64::from(*a) - b).abs() < TOLERANCE, "{name} at {i}: {a}, not {b}");
        }
    }

    #[test]
    fn filters_equal_scipy_and_scikit_image() {
        for record in reference()["fields"].as_array().unwrap() {
            let field = field(record, "values");
            let mut found = vec![
                ("gaussian", gaussian(&field, 1.3).unwrap()),
                ("gaussian_scipy", gaussian_scipy(&field, 1.7).unwrap()),
                ("laplacian_of_gaussian", laplacian_of_gaussian(&field, 1.3).unwrap()),
                ("sobel", sobel(&field)),
                ("mean", mean(&field, 2)),
                ("median", median(&field, 2)),
                ("top_hat", top_hat(&field, 2)),
            ];
            for (name, filtered) in found.drain(..) {
                check(name, filtered.values(), &record[name]);
            }
            let eigenvalues = hessian_eigenvalues(&field, 1.3).unwrap();
            let joined: Vec<f32> = eigenvalues.iter().flat_map(|f| f.values().to_vec()).collect();
            check("hessian_eigenvalues", &joined, &record["hessian_eigenvalues"]);
        }
    }

    #[test]
    fn the_watershed_equals_scikit_image() {
        for record in reference()["fields"].as_array().unwrap() {
            let heights = field(record, "heights");
            let whole = |key: &str| numbers(&record[key]).iter().map(|v| *v as u32).collect();
            let grid = Grid::new(&heights.extent()).unwrap();
            let markers = LabelImage::new(grid, whole("markers")).unwrap();
            let expected: Vec<u32> = whole("watershed");
            assert_eq!(watershed(&heights, &markers, None).unwrap().pixels(), expected);
        }
    }

    #[test]
    fn thresholds_equal_scikit_image() {
        for record in reference()["thresholds"].as_array().unwrap() {
            let values = numbers(&record["values"]);
            let pixels = match record["type"].as_str().unwrap() {
                "uint8" => Pixels::U8(values.iter().map(|v| *v as u8).collect()),
                "uint16" => Pixels::U16(values.iter().map(|v| *v as u16).collect()),
                _ => Pixels::F64(values),
            };
            let image = IntensityImage::new(Grid::new(&[20, 35]).unwrap(), pixels).unwrap();
            for (name, found) in [
                ("otsu", thresholds::otsu(&image)),
                ("li", thresholds::li(&image)),
                ("triangle", thresholds::triangle(&image)),
            ] {
                let (found, expected) = (found.unwrap(), record[name].as_f64().unwrap());
                assert!(
                    (found - expected).abs() < 1e-4,
                    "{name} {}: {found}, not {expected}",
                    record["type"]
                );
            }
        }
    }

    #[test]
    fn sigmas_are_checked() {
        let field = Field::new([1, 1, 3], vec![1.0, 2.0, 3.0]).unwrap();
        assert_eq!(gaussian(&field, 0.0).unwrap(), field);
        assert!(gaussian(&field, -1.0).is_err() && gaussian(&field, f64::NAN).is_err());
        assert!(laplacian_of_gaussian(&field, 0.0).is_err());
        // A kernel far wider than the image.
        assert!(gaussian(&field, 40.0).unwrap().values().iter().all(|v| (v - 2.0).abs() < 0.1));
        assert!(
            gaussian_scipy(&field, 40.0).unwrap().values().iter().all(|v| (v - 2.0).abs() < 0.1)
        );
    }
}
