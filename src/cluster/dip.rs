//! Numbers in; how far their distribution is from having a single peak, out.

/// Hartigan's dip: the largest gap between the distribution of `values` and the closest one with a single peak,
/// from 1 / (2 n), where no valley shows, to 1/4, where there are two heaps and nothing between. Order does not
/// matter; 0 for no values.
///
/// ```
/// use polariscope::cluster::dip;
/// assert_eq!(dip(&[1.0, 2.0, 3.0, 4.0]), 1.0 / 8.0);
/// assert!(dip(&[1.0, 1.0, 1.0, 9.0, 9.0, 9.0]) > 0.2);
/// ```
///
/// # References
/// J. A. Hartigan and P. M. Hartigan, *The dip test of unimodality*, 1985, section 3.
pub fn dip(values: &[f64]) -> f64 {
    let Steps { x, below, above } = Steps::of(values);
    let n = values.len() as f64;
    let (mut low, mut high) = (0, x.len().saturating_sub(1));
    // A step of one value alone is this far from any distribution without steps.
    let mut gap = if values.is_empty() { 0.0 } else { 1.0 / n };
    loop {
        // The best single peak lies in low..=high: convex before it, concave after it.
        let convex = hull(&x, &below, low, high, 1.0);
        let concave = hull(&x, &above, low, high, -1.0);
        let (mut widest, mut peak) = (0.0, (low, high));
        for &i in &convex {
            let distance = line(&x, &above, &concave, i) - below[i];
            if distance > widest {
                (widest, peak) = (distance, (i, next(&concave, i)));
            }
        }
        for &i in &concave {
            let distance = above[i] - line(&x, &below, &convex, i);
            if distance > widest {
                (widest, peak) = (distance, (before(&convex, i), i));
            }
        }
        if widest <= gap {
            return gap / 2.0;
        }
        // The ends of the peak do not count: the distribution with one peak may jump there.
        let left = (low..peak.0).map(|i| above[i] - line(&x, &below, &convex, i));
        let right = (peak.1 + 1..=high).map(|i| line(&x, &above, &concave, i) - below[i]);
        gap = left.chain(right).fold(gap, f64::max);
        if peak == (low, high) || peak.0 >= peak.1 {
            return gap / 2.0;
        }
        (low, high) = peak;
    }
}

/// The distribution function: different values, ascending, with the shares below and up to each.
struct Steps {
    x: Vec<f64>,
    below: Vec<f64>,
    above: Vec<f64>,
}

impl Steps {
    fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let mut steps = Self { x: Vec::new(), below: Vec::new(), above: Vec::new() };
        let mut done = 0;
        for equal in sorted.chunk_by(|a, b| a == b) {
            steps.x.push(equal[0]);
            steps.below.push(done as f64 / values.len() as f64);
            done += equal.len();
            steps.above.push(done as f64 / values.len() as f64);
        }
        steps
    }
}

/// Corners from `low` to `high` of the curve under the points (sign 1) or over them (sign -1).
fn hull(x: &[f64], y: &[f64], low: usize, high: usize, sign: f64) -> Vec<usize> {
    let mut corners: Vec<usize> = Vec::new();
    for i in low..=high.min(x.len().saturating_sub(1)) {
        while let [.., a, b] = corners[..] {
            let turn = (x[b] - x[a]) * (y[i] - y[a]) - (y[b] - y[a]) * (x[i] - x[a]);
            if sign * turn > 0.0 {
                break;
            }
            corners.pop();
        }
        corners.push(i);
    }
    corners
}

/// The height at point `i` of the line through `corners`.
fn line(x: &[f64], y: &[f64], corners: &[usize], i: usize) -> f64 {
    let (a, b) = (before(corners, i), next(corners, i));
    if a == b { y[i] } else { y[a] + (y[b] - y[a]) * (x[i] - x[a]) / (x[b] - x[a]) }
}

/// The last corner at or before `i`.
fn before(corners: &[usize], i: usize) -> usize {
    corners[corners.partition_point(|&c| c <= i) - 1]
}

/// The first corner at or after `i`.
fn next(corners: &[usize], i: usize) -> usize {
    corners[corners.partition_point(|&c| c < i)]
}
