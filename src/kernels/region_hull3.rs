//! Row extremes of a stack become the convex hull, its voxels and its Feret diameters, exactly in integers.
//!
//! Coordinates are doubled, so that the midpoints of voxel faces are whole numbers: voxel (z, y, x) is at (2z, 2y, 2x).

use super::region_edges::rows_of;
use super::region_hull::HullSize;
use super::region_runs::Span;
use super::region_sums::Bounds;

/// Longest side of a box whose plane equations fit 63 bits.
const LONGEST: u32 = 60_000;

/// First and last voxel of a row.
#[derive(Debug, Clone, Copy)]
struct RowEnds {
    z: i64,
    y: i64,
    first: i64,
    last: i64,
}

type Point = [i64; 3];

/// Measures the hull of the spans of a stack; `None` for objects longer than 60,000 voxels.
pub fn solid_hull(
    spans: &[Span],
    n_rows: u32,
    bounds: &Bounds,
    spacing: [f64; 3],
) -> Option<HullSize> {
    if bounds.extent.iter().any(|&e| e > LONGEST) {
        return None;
    }
    let [first_z, first_y, first_x] = bounds.first.map(i64::from);
    let rows: Vec<RowEnds> = rows_of(spans)
        .map(|row| RowEnds {
            z: i64::from(row[0].row / n_rows) - first_z,
            y: i64::from(row[0].row % n_rows) - first_y,
            first: i64::from(row[0].start) - first_x,
            last: i64::from(row[row.len() - 1].end) - 1 - first_x,
        })
        .collect();
    let hull = Polyhedron::around(face_midpoints(&rows, bounds.extent[0]));
    let filled = hull.rows(bounds);
    let area = filled.iter().map(|row| (row.last - row.first + 1) as u64).sum();
    let surface = Polyhedron::around(face_midpoints(&filled, bounds.extent[0]));
    let feret_max = diameter(&surface.corners(), spacing);
    Some(HullSize { area, feret_max, feret_min: surface.width(spacing) })
}

/// The largest distance between two points.
fn diameter(points: &[Point], spacing: [f64; 3]) -> f64 {
    let places: Vec<[f64; 3]> =
        points.iter().map(|p| [0, 1, 2].map(|a| p[a] as f64 * spacing[a])).collect();
    let squared = |a: &[f64; 3], b: &[f64; 3]| (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f64>();
    let farthest = |(i, a)| {
        let ahead: &[[f64; 3]] = &places[i + 1..];
        ahead.iter().map(|b| squared(a, b)).fold(0.0, |far: f64, d| if d > far { d } else { far })
    };
    places.iter().enumerate().map(farthest).fold(0.0, f64::max).sqrt() / 2.0
}

/// The midpoints that can be corners of the hull: in each layer, whole or half, those on its own hull.
fn face_midpoints(rows: &[RowEnds], n_planes: u32) -> Vec<Point> {
    let mut layers = vec![Vec::new(); 2 * n_planes as usize + 1];
    for &RowEnds { z, y, first, last } in rows {
        let (y, left, right) = (2 * y, 2 * first, 2 * last);
        let layer = (2 * z + 1) as usize;
        for half in [layer - 1, layer + 1] {
            layers[half].extend([[y, left], [y, right]]);
        }
        let around = [
            [y, left - 1],
            [y, right + 1],
            [y - 1, left],
            [y - 1, right],
            [y + 1, left],
            [y + 1, right],
        ];
        layers[layer].extend(around);
    }
    let mut points: Vec<Point> = Vec::new();
    for (z, layer) in (-1..).zip(&mut layers) {
        layer.sort_unstable();
        layer.dedup();
        for sign in [1, -1] {
            let begin = points.len();
            for &[y, x] in &*layer {
                while let [.., a, b] = points[begin..] {
                    let turn = (b[1] - a[1]) * (x - a[2]) - (b[2] - a[2]) * (y - a[1]);
                    if turn * sign > 0 {
                        break;
                    }
                    points.pop();
                }
                points.push([z, y, x]);
            }
        }
    }
    points.sort_unstable();
    points.dedup();
    points
}

fn minus(a: Point, b: Point) -> Point {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn cross(a: Point, b: Point) -> Point {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn dot(a: Point, b: Point) -> i64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// A triangle with its outward normal; `next[i]` is the face across the side from corner i to corner i + 1.
#[derive(Debug, Clone)]
struct Face {
    corners: [usize; 3],
    next: [usize; 3],
    normal: Point,
    offset: i64,
    /// Points above this face that no earlier face took.
    above: Vec<usize>,
    alive: bool,
}

/// A convex hull, by quickhull (Barber, Dobkin and Huhdanpaa 1996) in exact arithmetic: no tolerance anywhere.
struct Polyhedron {
    points: Vec<Point>,
    faces: Vec<Face>,
}

impl Polyhedron {
    /// The hull of points that do not lie in a plane.
    fn around(points: Vec<Point>) -> Self {
        let mut hull = Self { points, faces: Vec::new() };
        if !hull.start() {
            return hull;
        }
        let mut waiting: Vec<usize> = (0..hull.faces.len()).collect();
        while let Some(face) = waiting.pop() {
            if hull.faces[face].alive && !hull.faces[face].above.is_empty() {
                waiting.push(face);
                waiting.extend(hull.grow(face));
            }
        }
        hull.faces.retain(|face| face.alive);
        hull
    }

    fn height(&self, face: usize, point: usize) -> i64 {
        dot(self.faces[face].normal, self.points[point]) - self.faces[face].offset
    }

    fn add(&mut self, corners: [usize; 3], next: [usize; 3]) -> usize {
        let [a, b, c] = corners.map(|i| self.points[i]);
        let normal = cross(minus(b, a), minus(c, a));
        let offset = dot(normal, a);
        self.faces.push(Face { corners, next, normal, offset, above: Vec::new(), alive: true });
        self.faces.len() - 1
    }

    /// A first tetrahedron from far points.
    fn start(&mut self) -> bool {
        let n = self.points.len();
        let far =
            |size: &dyn Fn(usize) -> i64| (0..n).max_by_key(|&i| (size(i), std::cmp::Reverse(i)));
        let p = &self.points;
        let a = 0;
        let Some(b) = far(&|i| dot(minus(p[i], p[a]), minus(p[i], p[a]))) else { return false };
        let area = |i: usize| cross(minus(p[b], p[a]), minus(p[i], p[a]));
        let Some(c) = far(&|i| area(i).iter().map(|v| v.abs()).sum()) else { return false };
        let normal = area(c);
        let Some(d) = far(&|i| dot(normal, minus(p[i], p[a])).abs()) else { return false };
        let volume = dot(normal, minus(p[d], p[a]));
        if volume == 0 {
            return false;
        }
        let (b, c) = if volume > 0 { (c, b) } else { (b, c) };
        self.add([a, b, c], [1, 2, 3]);
        self.add([b, a, d], [0, 3, 2]);
        self.add([c, b, d], [0, 1, 3]);
        self.add([a, c, d], [0, 2, 1]);
        self.share((0..n).collect(), 0);
        true
    }

    /// Gives each point to the first face from `begin` on that it lies above.
    fn share(&mut self, points: Vec<usize>, begin: usize) {
        for point in points {
            if let Some(face) = (begin..self.faces.len()).find(|&face| self.height(face, point) > 0)
            {
                self.faces[face].above.push(point);
            }
        }
    }

    /// Replaces all faces seen from the highest point above `face` by a cone to their border; the new faces.
    fn grow(&mut self, face: usize) -> std::ops::Range<usize> {
        let highest = self.faces[face].above.iter().copied();
        let highest = highest.max_by_key(|&p| (self.height(face, p), std::cmp::Reverse(p)));
        let begin = self.faces.len();
        let Some(eye) = highest else { return begin..begin };
        let (mut seen, mut border, mut orphans) = (vec![face], Vec::new(), Vec::new());
        self.faces[face].alive = false;
        while let Some(face) = seen.pop() {
            orphans.append(&mut self.faces[face].above);
            for side in 0..3 {
                let beyond = self.faces[face].next[side];
                let corners = self.faces[face].corners;
                if !self.faces[beyond].alive {
                    continue;
                }
                if self.height(beyond, eye) > 0 {
                    self.faces[beyond].alive = false;
                    seen.push(beyond);
                } else {
                    border.push((corners[side], corners[(side + 1) % 3], beyond));
                }
            }
        }
        let at = |corner: usize| border.iter().position(|&(from, ..)| from == corner).unwrap_or(0);
        let before =
            |corner: usize| border.iter().position(|&(_, to, _)| to == corner).unwrap_or(0);
        for &(from, to, beyond) in &border {
            let new = self.add([from, to, eye], [beyond, begin + at(to), begin + before(from)]);
            let back = (0..3).find(|&side| self.faces[beyond].corners[side] == to);
            if let Some(side) = back {
                self.faces[beyond].next[side] = new;
            }
        }
        self.share(orphans, begin);
        begin..self.faces.len()
    }

    /// The rows of voxels inside, border included, of a box.
    fn rows(&self, bounds: &Bounds) -> Vec<RowEnds> {
        let [n_planes, n_rows, n_columns] = bounds.extent.map(i64::from);
        let mut faces: Vec<&Face> = self.faces.iter().collect();
        // Those that bound x from the right, from the left, and not at all.
        faces.sort_by_key(|face| match face.normal[2].signum() {
            1 => 0,
            -1 => 1,
            _ => 2,
        });
        let n_right = faces.partition_point(|face| face.normal[2] > 0);
        let n_sides = faces.partition_point(|face| face.normal[2] != 0);
        let slopes: Vec<i64> = faces.iter().map(|face| face.normal[2]).collect();
        let mut rows = Vec::new();
        for z in 0..n_planes {
            // How far x times its slope may go under each face, in the row at hand.
            let mut rooms: Vec<i64> =
                faces.iter().map(|face| face.offset - face.normal[0] * 2 * z).collect();
            for y in 0..n_rows {
                let (mut low, mut high) = (0, 2 * (n_columns - 1));
                for (slope, room) in slopes[..n_right].iter().zip(&rooms) {
                    if slope * high > *room {
                        high = room.div_euclid(*slope);
                    }
                }
                for (slope, room) in slopes[n_right..n_sides].iter().zip(&rooms[n_right..]) {
                    if slope * low > *room {
                        low = -room.div_euclid(-slope);
                    }
                }
                if rooms[n_sides..].iter().any(|room| *room < 0) {
                    high = low - 1;
                }
                let (first, last) = (-(-low).div_euclid(2), high.div_euclid(2));
                if first <= last {
                    rows.push(RowEnds { z, y, first, last });
                }
                rooms.iter_mut().zip(&faces).for_each(|(room, face)| *room -= 2 * face.normal[1]);
            }
        }
        rows
    }

    fn corners(&self) -> Vec<Point> {
        let mut corners: Vec<usize> = self.faces.iter().flat_map(|face| face.corners).collect();
        corners.sort_unstable();
        corners.dedup();
        corners.into_iter().map(|i| self.points[i]).collect()
    }

    /// The smallest distance between two parallel planes around the hull: one of them holds a face, or each
    /// holds an edge (Houle and Toussaint 1988, "Computing the width of a set", section 3).
    fn width(&self, spacing: [f64; 3]) -> f64 {
        // Stretching space by the spacing shrinks normals by it; heights along them stay whole numbers.
        let length = |n: Point| {
            [0, 1, 2].map(|i| (n[i] as f64 / spacing[i]).powi(2)).iter().sum::<f64>().sqrt()
        };
        let corners = self.corners();
        let depth = |face: &Face| {
            let heights = corners.iter().map(|&p| face.offset - dot(face.normal, p));
            heights.max().unwrap_or(0) as f64 / length(face.normal)
        };
        let mut least = self.faces.iter().map(depth).fold(f64::INFINITY, f64::min);
        let edges = self.edges();
        for (i, a) in edges.iter().enumerate() {
            for b in edges[i + 1..].iter().filter(|b| a.may_face(b)) {
                let normal = cross(a.along, b.along);
                let opposite = normal.map(|v| -v);
                for (up, down) in [(normal, opposite), (opposite, normal)] {
                    if normal != [0; 3] && a.lies_below(up) && b.lies_below(down) {
                        let gap = dot(up, minus(a.from, b.from)) as f64;
                        least = least.min(gap / length(normal));
                    }
                }
            }
        }
        // Coordinates are doubled.
        least / 2.0
    }

    /// Each edge once, without those inside a flat side.
    fn edges(&self) -> Vec<Edge> {
        let side = |(f, face): (usize, &Face)| {
            let [a, b, c] = face.corners;
            [(a, b, c), (b, c, a), (c, a, b)].map(|(p, q, rest)| (p.min(q), p.max(q), rest, f))
        };
        let mut sides: Vec<_> = self.faces.iter().enumerate().flat_map(side).collect();
        sides.sort_unstable();
        let pairs = sides.as_chunks::<2>().0;
        let edge = |&[(p, q, one, f), (.., other, g)]: &[(usize, usize, usize, usize); 2]| {
            let [from, to, one, other] = [p, q, one, other].map(|i| self.points[i]);
            let normals = [f, g].map(|face| self.faces[face].normal);
            (dot(normals[0], minus(other, from)) != 0)
                .then(|| Edge::new(from, minus(to, from), [one, other], normals))
        };
        pairs.iter().filter_map(edge).collect()
    }
}

/// An edge of a hull, between two faces that do not lie in one plane.
struct Edge {
    from: Point,
    along: Point,
    /// The third corners of the two faces.
    beside: [Point; 2],
    /// A box around the unit normals of all planes that touch the hull along this edge.
    normals: [(f64, f64); 3],
}

impl Edge {
    fn new(from: Point, along: Point, beside: [Point; 2], normals: [Point; 2]) -> Self {
        let [p, q] = normals.map(|n| {
            let n = n.map(|v| v as f64);
            let length = (n[0] * n[0] + n[1] * n[1] + n[2] * n[2]).sqrt();
            n.map(|v| v / length)
        });
        // The normals lie on an arc from p to q, which leaves the chord by at most its sagitta.
        let middle =
            [0, 1, 2].map(|i| f64::midpoint(p[i], q[i]).powi(2)).iter().sum::<f64>().sqrt();
        let slack = 1.0 - middle + 1e-9;
        let normals = [0, 1, 2].map(|i| (p[i].min(q[i]) - slack, p[i].max(q[i]) + slack));
        Self { from, along, beside, normals }
    }

    /// Whether a plane along this edge can be parallel to one along the other, with the hull between them.
    fn may_face(&self, other: &Self) -> bool {
        self.normals.iter().zip(&other.normals).all(|(a, b)| a.0 <= -b.0 && -b.1 <= a.1)
    }

    /// Whether the plane through this edge with the outward normal `up` touches the hull from above: that
    /// it does so for the faces beside the edge is enough, as the hull is convex.
    fn lies_below(&self, up: Point) -> bool {
        self.beside.iter().all(|&p| dot(up, minus(p, self.from)) <= 0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::kernels::region_runs::Span;

    /// Voxels that no half-space through three midpoints excludes.
    fn slow(voxels: &[Point], end: i64, spacing: [f64; 3]) -> (u64, f64, f64) {
        let around = |p: &Point| {
            let p = *p;
            (0..3).flat_map(move |a| {
                [-1, 1].map(|d| {
                    let mut q = p.map(|v| 2 * v);
                    q[a] += d;
                    q
                })
            })
        };
        let points: Vec<Point> = voxels.iter().flat_map(around).collect();
        let mut planes = Vec::new();
        for &a in &points {
            for &b in &points {
                for &c in &points {
                    let normal = cross(minus(b, a), minus(c, a));
                    if normal != [0; 3] && points.iter().all(|&p| dot(normal, minus(p, a)) <= 0) {
                        planes.push((normal, dot(normal, a)));
                    }
                }
            }
        }
        let grid =
            (0..end).flat_map(|z| (0..end).flat_map(move |y| (0..end).map(move |x| [z, y, x])));
        let inside: Vec<Point> =
            grid.filter(|p| planes.iter().all(|(n, o)| dot(*n, p.map(|v| 2 * v)) <= *o)).collect();
        let surface: Vec<Point> = inside.iter().flat_map(around).collect();
        let size = |v: [f64; 3]| (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt();
        let gaps: Vec<Point> =
            surface.iter().flat_map(|&a| surface.iter().map(move |&b| minus(b, a))).collect();
        let gaps: BTreeSet<Point> = gaps.into_iter().collect();
        let far = gaps.iter().map(|g| size([0, 1, 2].map(|i| g[i] as f64 * spacing[i])));
        // Every plane along two gaps between points is a candidate, and none is nearer than the width.
        let directions = gaps.iter().flat_map(|&a| gaps.iter().map(move |&b| cross(a, b)));
        let directions: BTreeSet<Point> = directions.filter(|&n| n > [0; 3]).collect();
        let width = |n: &Point| {
            let heights = surface.iter().map(|&p| dot(*n, p));
            let (low, high) = heights.fold((i64::MAX, i64::MIN), |(l, h), v| (l.min(v), h.max(v)));
            (high - low) as f64 / size([0, 1, 2].map(|i| n[i] as f64 / spacing[i]))
        };
        let (far, near) = (far.fold(0.0, f64::max), directions.iter().map(width));
        (inside.len() as u64, far / 2.0, near.fold(f64::INFINITY, f64::min) / 2.0)
    }

    fn check(voxels: &[Point]) {
        let n_rows = 9;
        let mut spans: Vec<Span> = voxels
            .iter()
            .map(|&[z, y, x]| Span { row: (z * 9 + y) as u32, start: x as u32, end: x as u32 + 1 })
            .collect();
        spans.sort_unstable();
        let bounds = Bounds::of(&spans, n_rows);
        for spacing in [[1.0; 3], [2.5, 1.0, 0.3]] {
            let hull = solid_hull(&spans, n_rows, &bounds, spacing).unwrap();
            let (volume, feret_max, feret_min) = slow(voxels, 9, spacing);
            assert_eq!(hull.area, volume, "{voxels:?}");
            assert!((hull.feret_max - feret_max).abs() < 1e-12, "{voxels:?}");
            assert!((hull.feret_min - feret_min).abs() < 1e-12, "{voxels:?} {spacing:?}");
        }
    }

    #[test]
    fn equal_to_testing_every_half_space() {
        check(&[[1, 2, 3]]);
        check(&[[0, 0, 0], [0, 0, 1], [0, 0, 4]]);
        check(&[[0, 0, 0], [3, 4, 5]]);
        check(&[[0, 0, 0], [0, 3, 1], [2, 1, 4], [4, 4, 2]]);
        check(&[[1, 1, 1], [1, 1, 5], [1, 5, 1], [5, 1, 1], [4, 4, 4]]);
    }
}
