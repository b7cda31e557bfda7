//! Gauss-Legendre quadrature on 0..1: exact for polynomials up to degree `2 n - 1`.

/// Nodes, ascending, and weights of the rule with `n >= 1` nodes.
///
/// Roots of the Legendre polynomial by Newton's method from Tricomi's approximation.
pub(crate) fn gauss_legendre(n: usize) -> (Vec<f64>, Vec<f64>) {
    let rule = |i: usize| {
        let mut x = -((i as f64 + 0.75) / (n as f64 + 0.5) * std::f64::consts::PI).cos();
        let mut slope = 0.0;
        // Convergence is quadratic: five steps reach the last bit, the rest are cheap.
        for _ in 0..12 {
            let (value, derivative) = legendre(n, x);
            slope = derivative;
            x -= value / derivative;
        }
        (0.5 + 0.5 * x, 1.0 / ((1.0 - x * x) * slope * slope))
    };
    (0..n).map(rule).unzip()
}

/// The Legendre polynomial of degree `n` at `x`, and its derivative.
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (1.0, x);
    for k in 2..=n {
        let k = k as f64;
        (before, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k);
    }
    (value, n as f64 * (x * value - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integrates_polynomials_exactly() {
        for n in 1..=40 {
            let (nodes, weights) = gauss_legendre(n);
            assert!(nodes.windows(2).all(|w| w[0] < w[1]) && nodes[0] > 0.0 && nodes[n - 1] < 1.0);
            for degree in 0..2 * n {
                let sum: f64 =
                    nodes.iter().zip(&weights).map(|(x, w)| w * x.powi(degree as i32)).sum();
                let exact = 1.0 / (degree as f64 + 1.0);
                assert!((sum - exact).abs() < 2e-15, "{n} nodes, degree {degree}: {sum} {exact}");
            }
        }
    }
}
