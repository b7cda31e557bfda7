//! Runs of a stack become what is counted over its planes: crossings in 13 directions and the Euler number.

use super::region_edges::overlap;
use super::region_fill::Rows;
use super::region_runs::Span;
use super::region_sums::Bounds;

/// The 13 directions to neighbours, one of each opposite pair: z, y, x.
///
/// x first, then for each neighbouring row the steps -1, 0, +1 along x.
pub const DIRECTIONS: [[i32; 3]; 13] = [
    [0, 0, 1],
    [0, 1, -1],
    [0, 1, 0],
    [0, 1, 1],
    [1, -1, -1],
    [1, -1, 0],
    [1, -1, 1],
    [1, 0, -1],
    [1, 0, 0],
    [1, 0, 1],
    [1, 1, -1],
    [1, 1, 0],
    [1, 1, 1],
];

/// Integers from which the border measures of a stack follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Solid {
    /// Crossings from outside to inside along [`DIRECTIONS`].
    pub crossings: [u64; 13],
    /// Pieces minus tunnels plus cavities, voxels connected over corners.
    pub euler: i64,
}

impl Solid {
    /// All counts of one object.
    pub fn of(spans: &[Span], n_rows: u32, bounds: &Bounds) -> Self {
        let rows = Rows::of(spans, n_rows, bounds);
        let [n_planes, n_lines] = rows.extent().map(|e| e as isize);
        let volume: u64 = spans.iter().map(|span| u64::from(span.len())).sum();
        let mut shared = [[0u64; 3]; 4];
        // Inclusion and exclusion over closed voxel rows: rows, minus what two share, plus what four share.
        let mut pieces = spans.len() as i64;
        let mut edge = Vec::new();
        for z in -1..n_planes {
            for y in -1..n_lines {
                let row = rows.get(z, y);
                let (next, below, beyond) =
                    (rows.get(z, y + 1), rows.get(z + 1, y), rows.get(z + 1, y + 1));
                overlap(row, next, &mut shared[0]);
                overlap(row, rows.get(z + 1, y - 1), &mut shared[1]);
                overlap(row, below, &mut shared[2]);
                overlap(row, beyond, &mut shared[3]);
                pieces += n_pieces(&[row, next, below, beyond], &mut edge)
                    - n_pieces(&[row, next], &mut edge)
                    - n_pieces(&[row, below], &mut edge);
            }
        }
        let mut crossings = [spans.len() as u64; 13];
        for (crossing, shared) in crossings[1..].iter_mut().zip(shared.as_flattened()) {
            *crossing = volume - shared;
        }
        Self { crossings, euler: pieces }
    }

    /// Surface by the Crofton formula: 4 times the mean area of the shadow, each direction weighted with `shares`.
    pub fn surface(&self, spacing: [f64; 3], shares: &[f64; 13]) -> f64 {
        let voxel: f64 = spacing.iter().product();
        let shadow = |k: usize| self.crossings[k] as f64 * voxel / length(step(k, spacing));
        4.0 * (0..13).map(|k| shares[k] * shadow(k)).sum::<f64>()
    }
}

/// How many stretches the union of closed rows has; touching ones are one.
fn n_pieces(rows: &[&[Span]], spans: &mut Vec<(u32, u32)>) -> i64 {
    spans.clear();
    spans.extend(rows.iter().flat_map(|row| row.iter().map(|s| (s.start, s.end))));
    spans.sort_unstable();
    let (mut pieces, mut end) = (0, None);
    for &(start, stop) in &*spans {
        pieces += i64::from(end.is_none_or(|end| start > end));
        end = end.max(Some(stop));
    }
    pieces
}

type Vector = [f64; 3];

fn step(k: usize, spacing: Vector) -> Vector {
    [0, 1, 2].map(|a| f64::from(DIRECTIONS[k][a]) * spacing[a])
}

fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn length(a: Vector) -> f64 {
    dot(a, a).sqrt()
}

fn unit(a: Vector) -> Vector {
    a.map(|v| v / length(a))
}

/// The share of all directions that lies nearest to each of [`DIRECTIONS`], for this spacing; the sum is 1.
///
/// The cell of a direction on the sphere is cut out of its tangent plane by the bisectors to all others.
pub fn direction_shares(spacing: [f64; 3]) -> [f64; 13] {
    let units: Vec<Vector> = (0..13).map(|k| unit(step(k, spacing))).collect();
    let mut shares = [0.0; 13];
    for (k, share) in shares.iter_mut().enumerate() {
        let center = units[k];
        let across = unit(cross(
            center,
            if center[0].abs() < 0.5 { [1.0, 0.0, 0.0] } else { [0.0, 1.0, 0.0] },
        ));
        let up = cross(center, across);
        // A square of the tangent plane wide enough to hold nearly a half sphere.
        let corner =
            |a: f64, b: f64| [0, 1, 2].map(|i| center[i] + 1e6 * (a * across[i] + b * up[i]));
        let mut cell =
            vec![corner(-1.0, -1.0), corner(1.0, -1.0), corner(1.0, 1.0), corner(-1.0, 1.0)];
        for (other, &there) in units.iter().enumerate().filter(|(other, _)| *other != k) {
            debug_assert_ne!(other, k);
            for sign in [1.0, -1.0] {
                let normal = [0, 1, 2].map(|i| center[i] - sign * there[i]);
                cell = clip(&cell, normal);
            }
        }
        cell = clip(&cell, center.map(|v| 2.0 * v));
        *share = solid_angle(&cell) / (2.0 * std::f64::consts::PI);
    }
    shares
}

/// The part of a convex polygon on the positive side of a plane through the origin.
fn clip(cell: &[Vector], normal: Vector) -> Vec<Vector> {
    let mut kept = Vec::with_capacity(cell.len() + 1);
    for (i, &a) in cell.iter().enumerate() {
        let b = cell[(i + 1) % cell.len()];
        let (side_a, side_b) = (dot(a, normal), dot(b, normal));
        if side_a >= 0.0 {
            kept.push(a);
        }
        if (side_a > 0.0 && side_b < 0.0) || (side_a < 0.0 && side_b > 0.0) {
            let t = side_a / (side_a - side_b);
            kept.push([0, 1, 2].map(|i| a[i] + t * (b[i] - a[i])));
        }
    }
    kept
}

/// The solid angle of a convex polygon seen from the origin (Van Oosterom and Strackee 1983).
fn solid_angle(cell: &[Vector]) -> f64 {
    let corners: Vec<Vector> = cell.iter().map(|&c| unit(c)).collect();
    let triangle = |pair: &[Vector]| {
        let (a, b, c) = (corners[0], pair[0], pair[1]);
        let volume = dot(a, cross(b, c)).abs();
        2.0 * volume.atan2(1.0 + dot(a, b) + dot(b, c) + dot(c, a))
    };
    corners.get(1..).unwrap_or(&[]).windows(2).map(triangle).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_directions() {
        // Lehmann and Legland 2012, for 26 directions.
        let shares = direction_shares([1.0; 3]);
        assert!((shares[0] - 2.0 * 0.045_777_891_204).abs() < 1e-9, "{shares:?}");
        assert!((shares[1] - 2.0 * 0.036_980_627_876).abs() < 1e-9);
        assert!((shares[12] - 2.0 * 0.035_195_639_782).abs() < 1e-9);
        for spacing in [[1.0; 3], [5.0, 1.0, 1.0], [0.3, 1.0, 0.2]] {
            assert!((direction_shares(spacing).iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }

    /// Voxels of a box of `n` rows a plane for which `inside(z, y, x)`.
    fn solid(n: u32, inside: impl Fn(u32, u32, u32) -> bool) -> Solid {
        let mut spans: Vec<Span> = Vec::new();
        for row in 0..n * n {
            for x in (0..n).filter(|&x| inside(row / n, row % n, x)) {
                match spans.last_mut() {
                    Some(s) if s.row == row && s.end == x => s.end += 1,
                    _ => spans.push(Span { row, start: x, end: x + 1 }),
                }
            }
        }
        let bounds = Bounds::of(&spans, n);
        let solid = Solid::of(&spans, n, &bounds);
        let range = || -1..=n as i32;
        let at = |z: i32, y: i32, x: i32| {
            [z, y, x].iter().all(|v| (0..n as i32).contains(v))
                && inside(z as u32, y as u32, x as u32)
        };
        for (k, [dz, dy, dx]) in DIRECTIONS.into_iter().enumerate() {
            let voxels =
                range().flat_map(|z| range().flat_map(move |y| range().map(move |x| [z, y, x])));
            let expected =
                voxels.filter(|&[z, y, x]| at(z, y, x) && !at(z + dz, y + dy, x + dx)).count();
            assert_eq!(solid.crossings[k], expected as u64, "{k}");
        }
        solid
    }

    #[test]
    fn euler_numbers() {
        assert_eq!(solid(3, |z, y, x| (z, y, x) == (1, 1, 1)).euler, 1);
        assert_eq!(solid(3, |z, y, x| (z, y, x) != (1, 1, 1)).euler, 2);
        assert_eq!(solid(3, |z, y, x| z == 1 && (y, x) != (1, 1)).euler, 0);
        assert_eq!(solid(2, |z, y, x| z == y && y == x).euler, 1);
        assert_eq!(solid(5, |z, y, x| z % 2 == 0 && y % 2 == 0 && x % 2 == 0).euler, 27);
        assert_eq!(
            solid(4, |z, y, x| (z + y + x) % 3 == 0 || x == 1).euler,
            solid(4, |z, y, x| (x + y + z) % 3 == 0 || z == 1).euler
        );
    }

    #[test]
    fn surface_of_a_ball() {
        let ball = |r: f64| {
            move |z: u32, y: u32, x: u32| {
                [z, y, x].iter().map(|&v| (f64::from(v) - 20.0).powi(2)).sum::<f64>() < r * r
            }
        };
        let surface = solid(41, ball(18.5)).surface([1.0; 3], &direction_shares([1.0; 3]));
        assert!(
            (surface / (4.0 * std::f64::consts::PI * 18.5 * 18.5) - 1.0).abs() < 0.01,
            "{surface}"
        );
        let flat = solid(41, move |z, y, x| ball(18.5)(20 + 3 * (z.max(20) - z.min(20)), y, x));
        let surface = flat.surface([3.0, 1.0, 1.0], &direction_shares([3.0, 1.0, 1.0]));
        assert!(
            (surface / (4.0 * std::f64::consts::PI * 18.5 * 18.5) - 1.0).abs() < 0.03,
            "{surface}"
        );
    }
}
