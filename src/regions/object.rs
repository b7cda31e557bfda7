//! One object's runs and values become the numbers of its row.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

use super::accumulator::Objects;
use crate::kernels::region_edges::{BitRows, Edges};
use crate::kernels::region_fill::hole_pixels;
use crate::kernels::region_hull::{Hull, HullSize};
use crate::kernels::region_hull3::solid_hull;
use crate::kernels::region_intensity::Intensity;
use crate::kernels::region_runs::Span;
use crate::kernels::region_solid::Solid;
use crate::kernels::region_sums::{Bounds, Moments};
use crate::kernels::region_texture::haralick;
use crate::kernels::region_weights::Weighted;

/// Which parts of an object the wanted columns read; what nobody reads is not computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of independent wishes")]
pub(crate) struct Needs {
    pub cubes: bool,
    pub edges: bool,
    pub perimeter: bool,
    pub hull: bool,
    pub filled: bool,
    pub distances: bool,
    /// Every pixel value, for the next three.
    pub values: bool,
    pub weighted: bool,
    pub sorted: bool,
    pub texture: bool,
    pub contacts: bool,
    pub nearest: bool,
}

/// What all objects of an image share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Space {
    pub n_axes: usize,
    /// Planes, rows and columns of the image.
    pub extent: [usize; 3],
    /// Spacing along z, y and x; 1 along an absent axis.
    pub spacing: [f64; 3],
    /// The share of all directions that each of 13 stands for; 0 in a plane.
    pub shares: [f64; 13],
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
    /// In a plane.
    pub edges: Edges,
    /// In a stack.
    pub solid: Solid,
    /// Of a plane or a stack: `area` counts pixels or voxels.
    pub hull: HullSize,
    pub hole_pixels: u64,
    /// Of the second moments with spacing.
    pub ellipse: Ellipse,
    /// Mean and largest distance of pixel centres from the centroid.
    pub distances: [f64; 2],
    pub channels: Vec<Channel<'a>>,
}

/// What one intensity image says about an object.
#[derive(Debug)]
pub(crate) struct Channel<'a> {
    pub sums: &'a Intensity,
    /// Ascending.
    pub sorted: Vec<f64>,
    pub weighted: Option<Box<Weighted>>,
    pub texture: Option<[f64; 13]>,
}

impl<'a> Object<'a> {
    /// Measures object `at` with the values of each channel, if they were kept.
    pub fn measure(
        objects: &'a Objects,
        at: usize,
        space: Space,
        needs: Needs,
        desk: &mut Desk,
    ) -> Self {
        let spans = match &objects.counted {
            // A hull needs no more.
            Some(counted) => counted.rows_of(at),
            None => objects.spans_of(at),
        };
        let n_rows = space.n_rows();
        let (bounds, moments, n_pixels) = if let Some(counted) = &objects.counted {
            counted.sums(at, needs)
        } else {
            let bounds = Bounds::of(spans, n_rows);
            let moments = Moments::of(spans, n_rows, &bounds, needs.cubes);
            (bounds, moments, spans.iter().map(|span| u64::from(span.len())).sum())
        };
        let mut object = Self {
            space,
            bounds,
            n_pixels,
            ellipse: Ellipse::of(&moments, &space),
            moments,
            edges: Edges::default(),
            solid: Solid::default(),
            hull: HullSize::default(),
            hole_pixels: 0,
            distances: [0.0; 2],
            channels: Vec::with_capacity(objects.intensity.len()),
        };
        if let Some(counted) = &objects.counted {
            (object.edges, object.solid) = counted.border(at);
            object.measure_border(spans, Needs { edges: false, ..needs }, desk);
        } else {
            object.measure_border(spans, needs, desk);
        }
        if needs.filled {
            object.hole_pixels = hole_pixels(spans, n_rows, &bounds, space.n_axes == 3);
        }
        if needs.distances {
            object.distances = object.distances_to_centroid(spans);
        }
        for channel in 0..objects.intensity.len() {
            let sums = &objects.intensity[channel][at];
            let values = objects.values_of(channel, at);
            object.channels.push(Channel::measure(sums, spans, values, n_rows, &bounds, needs));
        }
        object
    }

    fn measure_border(&mut self, spans: &[Span], needs: Needs, desk: &mut Desk) {
        let (n_rows, bounds, spacing) = (self.space.n_rows(), self.bounds, self.space.spacing);
        if self.space.n_axes == 2 {
            if needs.edges {
                let (first_x, n_columns) = (bounds.first[2], bounds.extent[2]);
                let bits = &mut desk.bits;
                self.edges = Edges::of(spans, first_x, n_columns, needs.perimeter, bits);
            }
            if needs.hull {
                self.hull = desk.hull.measure(spans, [spacing[1], spacing[2]]);
            }
            return;
        }
        if needs.edges {
            self.solid = Solid::of(spans, n_rows, &bounds);
        }
        if needs.hull {
            let unknown = HullSize { area: 0, feret_max: f64::NAN, feret_min: f64::NAN };
            self.hull = solid_hull(spans, n_rows, &bounds, spacing).unwrap_or(unknown);
        }
    }

    fn distances_to_centroid(&self, spans: &[Span]) -> [f64; 2] {
        let center = [0, 1, 2].map(|a| self.moments.center[a] + self.first(a));
        let (mut sum, mut largest) = (0.0, 0.0f64);
        for span in spans {
            let along =
                |at: u32, axis: usize| (f64::from(at) - center[axis]) * self.space.spacing[axis];
            let n_rows = self.space.n_rows();
            let (z, y) = (along(span.row / n_rows, 0), along(span.row % n_rows, 1));
            for column in span.start..span.end {
                let x = along(column, 2);
                let distance = (z * z + y * y + x * x).sqrt();
                sum += distance;
                largest = largest.max(distance);
            }
        }
        [sum / self.n_pixels as f64, largest]
    }

    /// Pieces minus holes (tunnels, plus cavities).
    pub fn euler(&self) -> i64 {
        if self.space.n_axes == 2 { self.edges.euler } else { self.solid.euler }
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
        match self.hull.area {
            0 => f64::NAN,
            area => area as f64 * self.space.pixel(),
        }
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

impl<'a> Channel<'a> {
    fn measure(
        sums: &'a Intensity,
        spans: &[Span],
        values: &[f64],
        n_rows: u32,
        bounds: &Bounds,
        needs: Needs,
    ) -> Self {
        let mut channel = Self { sums, sorted: Vec::new(), weighted: None, texture: None };
        // With a value that is not a number nothing is defined.
        if sums.odd > 0 || values.is_empty() {
            return channel;
        }
        if needs.sorted {
            channel.sorted = values.to_vec();
            channel.sorted.sort_unstable_by(f64::total_cmp);
        }
        if needs.weighted {
            channel.weighted = Some(Box::new(Weighted::of(spans, values, n_rows, bounds)));
        }
        if needs.texture {
            channel.texture = haralick(spans, values, n_rows, bounds);
        }
        channel
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
        // Both ends of the range name the same axis; in scikit-image the sign of a zero or a rounding decides.
        return if xx > yy { FRAC_PI_2 } else { 0.0 };
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
