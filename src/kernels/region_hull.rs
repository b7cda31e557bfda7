//! Row extremes of a plane become the convex hull, its pixels and its Feret diameters, exactly in integers.
//!
//! Coordinates are doubled, so that the midpoints of pixel edges are whole numbers: pixel (y, x) is at (2y, 2x).

use super::region_edges::rows_of;
use super::region_runs::Span;

/// What the hull of one object measures, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HullSize {
    /// Number of pixels (voxels) whose centre lies in the hull of all pixel edge (face) midpoints, border included.
    pub area: u64,
    /// Largest distance between points of the half-level contour of that hull image, in units of length.
    pub feret_max: f64,
    /// Smallest distance between parallel lines (planes) around it, in units of length.
    pub feret_min: f64,
}

/// Room for the chains, kept between objects.
#[derive(Debug, Default)]
pub struct Hull {
    rows: Vec<RowEnds>,
    left: Vec<Point>,
    right: Vec<Point>,
    polygon: Vec<Point>,
}

/// First and last pixel of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
struct RowEnds {
    row: i64,
    first: i64,
    last: i64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    y: i64,
    x: i64,
}

impl Point {
    fn to(self, other: Self) -> Self {
        Self { y: other.y - self.y, x: other.x - self.x }
    }
    /// Positive when `other` turns from the way down to the right.
    ///
    /// Fits 63 bits for images below 2^29 rows and columns.
    fn cross(self, other: Self) -> i64 {
        self.y * other.x - self.x * other.y
    }
}

impl Hull {
    /// Measures the hull of the spans of a plane with this pixel spacing along y and x.
    pub fn measure(&mut self, spans: &[Span], spacing: [f64; 2]) -> HullSize {
        self.rows.clear();
        self.rows.extend(rows_of(spans).map(|row| RowEnds {
            row: i64::from(row[0].row),
            first: i64::from(row[0].start),
            last: i64::from(row[row.len() - 1].end) - 1,
        }));
        self.chains();
        let area = self.fill_rows();
        // The contour of the hull image runs through the edge midpoints of its own border pixels.
        self.chains();
        let (feret_max, feret_min) = self.calipers(spacing);
        HullSize { area, feret_max, feret_min }
    }

    /// The left and the right side of the hull of all edge midpoints, from top to bottom.
    fn chains(&mut self) {
        self.left.clear();
        self.right.clear();
        for (i, &RowEnds { row, first, last }) in self.rows.iter().enumerate() {
            let above = i.checked_sub(1).map(|i| self.rows[i]).filter(|a| a.row + 1 == row);
            // Between two rows the midpoint further out counts.
            let (above_first, above_last) =
                above.map_or((first, last), |a| (first.min(a.first), last.max(a.last)));
            let (y, left, right) = (2 * row, 2 * first, 2 * last);
            extend(&mut self.left, Point { y: y - 1, x: 2 * above_first }, 1);
            extend(&mut self.right, Point { y: y - 1, x: 2 * above_last }, -1);
            extend(&mut self.left, Point { y, x: left - 1 }, 1);
            extend(&mut self.right, Point { y, x: right + 1 }, -1);
            if self.rows.get(i + 1).is_none_or(|below| below.row != row + 1) {
                extend(&mut self.left, Point { y: y + 1, x: left }, 1);
                extend(&mut self.right, Point { y: y + 1, x: right }, -1);
            }
        }
    }

    /// Replaces the rows by those of the hull image; returns its number of pixels.
    fn fill_rows(&mut self) -> u64 {
        let (Some(&top), Some(&bottom)) = (self.rows.first(), self.rows.last()) else { return 0 };
        self.rows.clear();
        let (mut left, mut right, mut area) = (0, 0, 0);
        for row in top.row..=bottom.row {
            let first = -half_floor(&self.left, &mut left, 2 * row, -1);
            let last = half_floor(&self.right, &mut right, 2 * row, 1);
            // Between pieces far apart a hull can be too thin to hold a pixel.
            if first <= last {
                area += (last - first + 1) as u64;
                self.rows.push(RowEnds { row, first, last });
            }
        }
        area
    }

    /// Largest and smallest width of the polygon: pairs of parallel supporting lines survive any scaling of the axes.
    fn calipers(&mut self, spacing: [f64; 2]) -> (f64, f64) {
        self.polygon.clear();
        self.polygon.extend(self.left.iter().chain(self.right.iter().rev()));
        self.polygon.dedup();
        if self.polygon.len() > 1 && self.polygon.first() == self.polygon.last() {
            self.polygon.pop();
        }
        let corners = &self.polygon;
        let next = |i: usize| if i + 1 == corners.len() { 0 } else { i + 1 };
        let length2 = |p: Point| {
            let (y, x) = (p.y as f64 * spacing[0], p.x as f64 * spacing[1]);
            y * y + x * x
        };
        let (mut longest, mut narrowest, mut far) = (0.0f64, f64::INFINITY, 1);
        for near in 0..corners.len() {
            let edge = corners[near].to(corners[next(near)]);
            loop {
                for end in [near, next(near)] {
                    longest = longest.max(length2(corners[end].to(corners[far])));
                }
                let ahead = edge.cross(corners[far].to(corners[next(far)]));
                if ahead < 0 {
                    break;
                }
                if ahead == 0 {
                    for end in [near, next(near)] {
                        longest = longest.max(length2(corners[end].to(corners[next(far)])));
                    }
                    break;
                }
                far = next(far);
            }
            let height = edge.cross(corners[near].to(corners[far])) as f64;
            narrowest = narrowest.min(height / length2(edge).sqrt());
        }
        (longest.sqrt() / 2.0, narrowest * spacing[0] * spacing[1] / 2.0)
    }
}

/// Adds the next point of a chain that turns one way only; of two points in one row the later one counts.
fn extend(chain: &mut Vec<Point>, point: Point, turn: i64) {
    while let [.., a, b] = chain[..] {
        if a.to(b).cross(b.to(point)) * turn > 0 {
            break;
        }
        chain.pop();
    }
    chain.push(point);
}

/// The pixel column at or before the chain in row `y` (doubled), for the mirrored chain if `sign` is -1.
fn half_floor(chain: &[Point], at: &mut usize, y: i64, sign: i64) -> i64 {
    while chain[*at + 1].y < y {
        *at += 1;
    }
    let (a, b) = (chain[*at], chain[*at + 1]);
    let (rise, run) = (b.y - a.y, sign * (b.x - a.x));
    // (a.x + run (y - a.y) / rise) / 2, rounded down.
    (sign * a.x * rise + run * (y - a.y)).div_euclid(2 * rise)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hull pixels by testing every pixel against every half-plane through two edge midpoints.
    fn slow(spans: &[Span], spacing: [f64; 2]) -> HullSize {
        let pixels: Vec<Point> = spans
            .iter()
            .flat_map(|s| {
                (s.start..s.end).map(|x| Point { y: 2 * i64::from(s.row), x: 2 * i64::from(x) })
            })
            .collect();
        let inside = |points: &[Point], p: Point| {
            !points.iter().any(|&a| {
                points.iter().any(|&b| {
                    let side = |q: Point| a.to(b).cross(a.to(q));
                    a != b && side(p) < 0 && points.iter().all(|&q| side(q) >= 0)
                })
            })
        };
        let around = |p: &Point| {
            [(1, 0), (-1, 0), (0, 1), (0, -1)].map(|(y, x)| Point { y: p.y + y, x: p.x + x })
        };
        let midpoints: Vec<Point> = pixels.iter().flat_map(around).collect();
        let end = pixels.iter().map(|p| p.x.max(p.y)).max().unwrap();
        let hull: Vec<Point> = (0..=end / 2)
            .flat_map(|y| (0..=end / 2).map(move |x| Point { y: 2 * y, x: 2 * x }))
            .filter(|&p| inside(&midpoints, p))
            .collect();
        let contour: Vec<Point> = hull.iter().flat_map(around).collect();
        let scaled = |p: Point| [p.y as f64 * spacing[0] / 2.0, p.x as f64 * spacing[1] / 2.0];
        let far = |a: Point, b: Point| {
            let d = scaled(a.to(b));
            d[0].hypot(d[1])
        };
        let feret_max = contour
            .iter()
            .flat_map(|&a| contour.iter().map(move |&b| far(a, b)))
            .fold(0.0, f64::max);
        let mut feret_min = f64::INFINITY;
        for &a in &contour {
            for &b in contour.iter().filter(|&&b| b != a) {
                let heights: Vec<i64> = contour.iter().map(|&q| a.to(b).cross(a.to(q))).collect();
                if heights.iter().all(|&h| h >= 0) {
                    let height =
                        *heights.iter().max().unwrap() as f64 / 4.0 * spacing[0] * spacing[1];
                    feret_min = feret_min.min(height / far(a, b));
                }
            }
        }
        HullSize { area: hull.len() as u64, feret_max, feret_min }
    }

    fn check(rows: &[(u32, u32, u32)]) {
        let spans: Vec<Span> =
            rows.iter().map(|&(row, start, end)| Span { row, start, end }).collect();
        for spacing in [[1.0, 1.0], [0.5, 2.0]] {
            let (fast, slow) = (Hull::default().measure(&spans, spacing), slow(&spans, spacing));
            assert_eq!(fast.area, slow.area, "{rows:?}");
            assert!((fast.feret_max - slow.feret_max).abs() < 1e-12, "{fast:?} {slow:?} {rows:?}");
            assert!((fast.feret_min - slow.feret_min).abs() < 1e-12, "{fast:?} {slow:?} {rows:?}");
        }
    }

    #[test]
    fn equal_to_testing_every_pixel() {
        check(&[(2, 3, 4)]);
        check(&[(2, 3, 9)]);
        check(&[(1, 4, 5), (2, 4, 5), (3, 4, 5)]);
        check(&[(0, 0, 1), (1, 1, 2), (2, 2, 3)]);
        check(&[(0, 0, 1), (5, 9, 10)]);
        check(&[(0, 4, 6), (1, 0, 3), (1, 8, 9), (2, 3, 4), (4, 3, 5), (7, 2, 3)]);
        check(&[(0, 2, 5), (1, 1, 6), (2, 0, 7), (3, 1, 6), (4, 2, 5)]);
    }
}
