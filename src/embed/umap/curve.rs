//! The minimum distance and the spread enter; the two constants of the map's similarity curve leave.

/// Samples of the wanted curve, as in umap-learn's `find_ab_params`.
const N_SAMPLES: usize = 300;

/// `a` and `b` for which `1 / (1 + a x^(2b))` comes closest to 1 below `min_dist` and to
/// `exp(-(x - min_dist) / spread)` above, in least squares over 0 to 3 `spread`.
///
/// Levenberg-Marquardt from (1, 1), the start of umap-learn, to the limit of f64.
pub(super) fn find_ab(spread: f64, min_dist: f64) -> (f64, f64) {
    let samples: Vec<(f64, f64)> = (0..N_SAMPLES)
        .map(|i| {
            let x = 3.0 * spread * i as f64 / (N_SAMPLES - 1) as f64;
            (x, if x < min_dist { 1.0 } else { (-(x - min_dist) / spread).exp() })
        })
        .collect();
    let (mut a, mut b, mut damping) = (1.0, 1.0, 1e-3);
    let mut error = squared_error(&samples, a, b);
    for _ in 0..500 {
        let [aa, ab, bb, ga, gb] = normal_equations(&samples, a, b);
        let (daa, dbb) = (aa * (1.0 + damping), bb * (1.0 + damping));
        let determinant = daa * dbb - ab * ab;
        let (step_a, step_b) =
            ((dbb * ga - ab * gb) / determinant, (daa * gb - ab * ga) / determinant);
        let tried = squared_error(&samples, a + step_a, b + step_b);
        if tried <= error {
            (a, b, error, damping) = (a + step_a, b + step_b, tried, damping / 10.0);
            if step_a.abs() < 1e-13 * a.abs() && step_b.abs() < 1e-13 * b.abs() {
                break;
            }
        } else {
            damping *= 10.0;
            if damping > 1e12 {
                break;
            }
        }
    }
    (a, b)
}

fn squared_error(samples: &[(f64, f64)], a: f64, b: f64) -> f64 {
    let error = |&(x, y): &(f64, f64)| y - 1.0 / (1.0 + a * x.powf(2.0 * b));
    let sum: f64 = samples.iter().map(error).map(|e| e * e).sum();
    if sum.is_finite() { sum } else { f64::INFINITY }
}

/// The upper triangle of J'J and J'r for the residuals r of the curve.
fn normal_equations(samples: &[(f64, f64)], a: f64, b: f64) -> [f64; 5] {
    let mut sums = [0.0; 5];
    // At x = 0 the curve is 1 for every a and b.
    for &(x, y) in samples.iter().filter(|(x, _)| *x > 0.0) {
        let power = x.powf(2.0 * b);
        let curve = 1.0 / (1.0 + a * power);
        let by_a = -power * curve * curve;
        let by_b = 2.0 * a * x.ln() * by_a;
        let residual = y - curve;
        let terms = [by_a * by_a, by_a * by_b, by_b * by_b, by_a * residual, by_b * residual];
        sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::find_ab;

    #[test]
    fn constants_equal_scipy_curve_fit() {
        // umap.umap_.find_ab_params(spread, min_dist) of umap-learn 0.5.12.
        let (a, b) = find_ab(1.0, 0.1);
        assert!((a - 1.576_943_460_196_2).abs() < 1e-6 && (b - 0.895_060_877_991_5).abs() < 1e-6);
    }
}
