//! One object's runs and values become the numbers of its row.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

use crate::kernels::region_edges::{BitRows, Edges};
use crate::kernels::region_hull::{Hull, HullSize};
use crate::kernels::region_intensity::Intensity;
use crate::kernels::region_runs::Span;
use crate::kernels::region_sums::{Bounds, Moments};

/// Which parts of an object the wanted columns read; what nobody reads is not computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    pub cubes: bool,
    pub edges: bool,
    pub perimeter: bool,
    pub hull: bool,
    pub values: bool,
    pub weighted: bool,
    pub filled: bool,
    pub texture: bool,
    pub neighbors: bool,
    pub distances: bool,
}

/// What all objects of an image share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Space {
    pub n_axes: usize,
    /// Planes, rows and columns of the image.
    pub extent: [usize; 3],
    /// Spacing along z, y and x; 1 along an absent axis.
    pub spacing: [f64; 3],
}

impl Space {
    pub fn n_rows(&self) -> u32 {
        self.extent[1].max(1) as u32
    }

    /// Area or volume of a pixel.
    pub fn pixel(&self) -> f64 {
        self.spacing.iter().product()
    }

    /// The axes that the image has, among z, y, x.
    pub fn axes(&self) -> std::ops::Range<usize> {
        3 - self.n_axes..3
    }

    /// The spacing, if it is the same along all axes.
    pub fn equal_spacing(&self) -> Option<f64> {
        let first = self.spacing[3 - self.n_axes];
        self.axes().all(|a| self.spacing[a] == first).then_some(first)
    }
}

/// Room that is kept between objects.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    bits: BitRows,
    hull: Hull,
}

/// One object, measured as far as needed.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    pub space: Space,
    pub bounds: Bounds,
    pub n_pixels: u64,
    pub moments: Moments,
    pub edges: Edges,
    pub hull: HullSize,
    /// Of the second moments with spacing.
    pub ellipse: Ellipse,
    pub channels: Vec<Channel<'a>>,
}

/// What one intensity image says about an object.
#[derive(Debug)]
pub(crate) struct Channel<'a> {
    pub sums: &'a Intensity,
}

impl<'a> Object<'a> {
    pub fn measure(
        spans: &'a [Span],
        channels: Vec<Channel<'a>>,
        space: Space,
        needs: Needs,
        desk: &mut Desk,
    ) -> Self {
        let bounds = Bounds::of(spans, space.n_rows());
        let moments = Moments::of(spans, space.n_rows(), &bounds, needs.cubes);
        let n_pixels = spans.iter().map(|span| u64::from(span.len())).sum();
        let [.., first_x] = bounds.first;
        let [.., n_columns] = bounds.extent;
        let (mut edges, mut hull) = (Edges::default(), HullSize::default());
        if space.n_axes == 2 {
            if needs.edges {
                edges = Edges::of(spans, first_x, n_columns, needs.perimeter, &mut desk.bits);
            }
            if needs.hull {
                hull = desk.hull.measure(spans, [space.spacing[1], space.spacing[2]]);
            }
        }
        let ellipse = Ellipse::of(&moments, &space);
        Self { space, bounds, n_pixels, moments, edges, hull, ellipse, channels }
    }

    /// Area or volume.
    pub fn size(&self) -> f64 {
        self.n_pixels as f64 * self.space.pixel()
    }

    /// Area or volume of the bounding box.
    pub fn box_size(&self) -> f64 {
        self.bounds.n_pixels() * self.space.pixel()
    }

    /// Area or volume of the hull.
    pub fn hull_size(&self) -> f64 {
        self.hull.area as f64 * self.space.pixel()
    }

    /// scikit-image's perimeter, with units.
    pub fn perimeter(&self) -> f64 {
        self.space.equal_spacing().map_or(f64::NAN, |spacing| self.edges.perimeter() * spacing)
    }

    /// First index along an axis.
    pub fn first(&self, axis: usize) -> f64 {
        f64::from(self.bounds.first[axis])
    }
}

/// The ellipse or ellipsoid with the object's second moments, with spacing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ellipse {
    /// scikit-image's tensor over the axes that the image has, row by row.
    pub tensor: [[f64; 3]; 3],
    /// Largest first; the third is 0 in a plane.
    pub eigenvalues: [f64; 3],
    pub major: f64,
    pub minor: f64,
    pub orientation: f64,
}

/// Eigenvalues below this share of the largest are 0: the pixels lie on a line, the rest is rounding.
const FLAT: f64 = 1e-13;

impl Ellipse {
    fn of(moments: &Moments, space: &Space) -> Self {
        let [sz, sy, sx] = space.spacing;
        let [zz, yy, xx, zy, zx, yx] = moments.covariance;
        let [zz, yy, xx] = [zz * sz * sz, yy * sy * sy, xx * sx * sx];
        let [zy, zx, yx] = [zy * sz * sy, zx * sz * sx, yx * sy * sx];
        if space.n_axes == 2 {
            let tensor = [[xx, -yx, 0.0], [-yx, yy, 0.0], [0.0; 3]];
            let (middle, half) = (f64::midpoint(xx, yy), (xx - yy) / 2.0);
            let spread = half.hypot(yx);
            let (large, small) = (middle + spread, middle - spread);
            let small = if small < FLAT * large { 0.0 } else { small };
            let orientation = orientation(xx, yx, yy);
            let (major, minor) = (4.0 * large.sqrt(), 4.0 * small.sqrt());
            return Self { tensor, eigenvalues: [large, small, 0.0], major, minor, orientation };
        }
        let tensor = [[yy + xx, -zy, -zx], [-zy, zz + xx, -yx], [-zx, -yx, zz + yy]];
        let eigenvalues = symmetric_eigenvalues(tensor);
        let [a, b, c] = eigenvalues;
        let axis = |squared: f64| {
            if squared < FLAT * 10.0 * a { 0.0 } else { (10.0 * squared).sqrt() }
        };
        let (major, minor) = (axis(a + b - c), axis(b + c - a));
        Self { tensor, eigenvalues, major, minor, orientation: f64::NAN }
    }
}

/// scikit-image's angle of the long axis against the rows' axis, its fixed choice for equal axes included.
fn orientation(xx: f64, yx: f64, yy: f64) -> f64 {
    if xx == yy {
        return if yx > 0.0 { FRAC_PI_4 } else { -FRAC_PI_4 };
    }
    if yx == 0.0 {
        // Both ends of the range name the same axis; a sign of zero decides in scikit-image.
        return if xx > yy { -FRAC_PI_2 } else { 0.0 };
    }
    0.5 * (2.0 * yx).atan2(yy - xx)
}

/// Eigenvalues of a symmetric matrix, largest first, by Jacobi rotations.
fn symmetric_eigenvalues(mut m: [[f64; 3]; 3]) -> [f64; 3] {
    for _ in 0..32 {
        let off = m[0][1].abs() + m[0][2].abs() + m[1][2].abs();
        if off == 0.0 {
            break;
        }
        for (p, q) in [(0, 1), (0, 2), (1, 2)] {
            if m[p][q] == 0.0 {
                continue;
            }
            let theta = (m[q][q] - m[p][p]) / (2.0 * m[p][q]);
            let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
            let c = 1.0 / t.hypot(1.0);
            let s = t * c;
            let r = 3 - p - q;
            let (apq, arp, arq) = (m[p][q], m[r][p], m[r][q]);
            m[p][p] -= t * apq;
            m[q][q] += t * apq;
            (m[p][q], m[q][p]) = (0.0, 0.0);
            (m[r][p], m[r][q]) = (c * arp - s * arq, s * arp + c * arq);
            (m[p][r], m[q][r]) = (m[r][p], m[r][q]);
        }
    }
    let mut values = [m[0][0], m[1][1], m[2][2]].map(|v| v.max(0.0));
    values.sort_by(|a, b| b.total_cmp(a));
    values
}

/// The diameter of the disc or ball of this size.
pub(crate) fn equivalent_diameter(size: f64, n_axes: usize) -> f64 {
    let squared = 2.0 * n_axes as f64 * size / PI;
    if n_axes == 2 { squared.sqrt() } else { squared.cbrt() }
}

/// Hu's seven from normalised moments `nu(y power, x power)` (Hu 1962).
pub(crate) fn hu(nu: impl Fn(usize, usize) -> f64) -> [f64; 7] {
    let (n20, n02, n11) = (nu(2, 0), nu(0, 2), nu(1, 1));
    let (n30, n03, n21, n12) = (nu(3, 0), nu(0, 3), nu(2, 1), nu(1, 2));
    let (a, b) = (n30 + n12, n21 + n03);
    let (c, d) = (n30 - 3.0 * n12, 3.0 * n21 - n03);
    let (aa, bb) = (a * a, b * b);
    [
        n20 + n02,
        (n20 - n02).powi(2) + 4.0 * n11 * n11,
        c * c + d * d,
        aa + bb,
        c * a * (aa - 3.0 * bb) + d * b * (3.0 * aa - bb),
        (n20 - n02) * (aa - bb) + 4.0 * n11 * a * b,
        d * a * (aa - 3.0 * bb) - c * b * (3.0 * aa - bb),
    ]
}
