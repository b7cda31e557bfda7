//! The repulsion of many points by a mesh: points enter, their pushes and the norm Z leave, in O(n + m log m).
//!
//! The push on a point is minus half the gradient of the potential `φ(y) = Σ_j 1 / (1 + |y - y_j|²)`, and `Z = Σ φ - n`.
//! The far, smooth part of the potential is found on a mesh: each point is spread over 4 x 4 nodes by cubic B-splines,
//! one convolution by FFT gives the potential on the nodes, the same splines and their derivatives read it back.
//! What the mesh does not resolve, the part within 3 nodes, is summed over the pairs in neighbouring cells.
//!
//! Linderman et al. 2019 (*Fast interpolation-based t-SNE*) interpolate the whole kernel by three-point polynomials; that
//! takes finer nodes, four charges and eight transforms for forces that are off by 4 %, where this takes one
//! charge and two transforms for less than 1 %. The split is that of Hockney and Eastwood 1988 (*Computer simulation using
//! particles*, P³M), the splines are those of Essmann et al. 1995 (*A smooth particle mesh Ewald method*).

use rayon::prelude::*;
use realfft::num_complex::Complex;

use super::convolution::Convolution;
use crate::kernels::tsne_forces::NearPart;

/// Distances of nodes to choose from; the kernel is 1 wide. Finer than the last is for maps that are still small.
const SPACINGS: [f32; 4] = [0.125, 0.25, 0.5, 0.75];
/// Spacings up to this one resolve the whole potential, so that no pairs need to be summed.
const FINE: f32 = 0.25;
/// Nodes per side and root of the number of points: so many cost about as much as the work on the points.
const NODES: f32 = 1.8;
/// Nodes along a side at most: beyond, the spacing doubles, so that no start can ask for endless memory.
const MAX_NODES: f32 = 4096.0;
/// Nodes a point is spread over along each axis.
const SPLINE: usize = 4;
/// Nodes along the side of a cell; as far reaches the near part.
const CELL: usize = 3;
/// Rows of cells that one task spreads or reads.
const STRIP: usize = 3;

/// Buffers and plans, kept from one iteration to the next.
#[derive(Default)]
pub(super) struct Mesh {
    convolution: Option<Convolution>,
    /// Charges on the nodes, then the potential; one padded row after the other.
    nodes: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    columns: Vec<Complex<f32>>,
    cells: Cells,
}

impl Mesh {
    /// Writes `forces[i] = Σ_j q_ij² (points[i] - points[j])` and returns `Z = Σ_{i≠j} q_ij`, both nearly.
    ///
    /// # Determinism
    /// Points are taken cell by cell, in an order that depends on their places alone: the same bits for any number of
    /// threads.
    pub(super) fn push<const D: usize>(
        &mut self,
        points: &[[f32; D]],
        forces: &mut [[f32; D]],
    ) -> f64 {
        let grid = Grid::around(points);
        let convolution = match self.convolution.take() {
            Some(convolution) if convolution.fits(&grid) => convolution,
            _ => Convolution::new(&grid),
        };
        let stride = convolution.size[0];
        self.cells.sort(&grid, points);
        self.spread(&grid, stride);
        convolution.run(grid.n_nodes[1], &mut self.nodes, &mut self.spectrum, &mut self.columns);
        let (pushes, potential) = self.read(&grid, stride);
        for (&i, push) in self.cells.order.iter().zip(&pushes) {
            forces[i as usize] = std::array::from_fn(|d| push[d]);
        }
        let own = convolution.own_potential + grid.near().map_or(0.0, NearPart::at_zero);
        self.convolution = Some(convolution);
        potential - own * points.len() as f64
    }

    /// Spreads the points over the nodes. Strips overlap by less than a strip, so even ones go first, then odd ones.
    fn spread(&mut self, grid: &Grid, stride: usize) {
        let strip_len = STRIP * CELL * stride;
        let n_strips = self.cells.n_rows.div_ceil(STRIP);
        self.nodes.clear();
        self.nodes.resize((n_strips + 1) * strip_len, 0.0);
        let cells = &self.cells;
        for odd in 0..2 {
            let strips = self.nodes[odd * strip_len..].par_chunks_mut(2 * strip_len);
            strips.enumerate().for_each(|(pair, rows)| {
                let strip = 2 * pair + odd;
                let first_node = strip * STRIP * CELL;
                for point in &cells.points[cells.rows(strip * STRIP, (strip + 1) * STRIP)] {
                    let [x, y] = grid.place(*point);
                    let (wx, wy) = (x.weights(), y.weights());
                    let at = (y.node - first_node) * stride + x.node;
                    for (k, weight) in wy.iter().enumerate() {
                        let row = &mut rows[at + k * stride..][..SPLINE];
                        for (node, w) in row.iter_mut().zip(&wx) {
                            *node += weight * w;
                        }
                    }
                }
            });
        }
    }

    /// The push on each point, in the order of the cells, and the summed potential.
    fn read(&self, grid: &Grid, stride: usize) -> (Vec<[f32; 2]>, f64) {
        let mut pushes = vec![[0.0; 2]; self.cells.points.len()];
        let mut strips = Vec::new();
        let mut rest = &mut pushes[..];
        for first in (0..self.cells.n_rows).step_by(STRIP) {
            let here;
            (here, rest) = rest.split_at_mut(self.cells.rows(first, first + STRIP).len());
            strips.push((first, here));
        }
        let read_strip = |(first, pushes): (usize, &mut [[f32; 2]])| {
            let points = &self.cells.points[self.cells.rows(first, first + STRIP)];
            let far: f64 = points
                .iter()
                .zip(&mut *pushes)
                .map(|(&point, push)| f64::from(self.read_point(grid, stride, point, push)))
                .sum();
            far + grid.near().map_or(0.0, |near| self.cells.push_near(near, first, pushes))
        };
        let potentials: Vec<f64> = strips.into_par_iter().map(read_strip).collect();
        (pushes, potentials.iter().sum())
    }

    /// Writes half the slope of the mesh's potential at a point; returns the potential.
    #[inline]
    fn read_point(&self, grid: &Grid, stride: usize, point: [f32; 2], push: &mut [f32; 2]) -> f32 {
        let [x, y] = grid.place(point);
        let (wx, wy, sx, sy) = (x.weights(), y.weights(), x.slopes(), y.slopes());
        let (mut value, mut along_x, mut along_y) = (0.0, 0.0, 0.0);
        for k in 0..SPLINE {
            let row = &self.nodes[(y.node + k) * stride + x.node..][..SPLINE];
            let across: f32 = row.iter().zip(&wx).map(|(n, w)| n * w).sum();
            value += wy[k] * across;
            along_y += sy[k] * across;
            along_x += wy[k] * row.iter().zip(&sx).map(|(n, s)| n * s).sum::<f32>();
        }
        let scale = -0.5 / grid.spacing;
        *push = [scale * along_x, scale * along_y];
        value
    }
}

/// The points in the order of the cells they are in.
#[derive(Default)]
struct Cells {
    /// Cells along a row and rows of cells, each with an empty cell after the last.
    n_columns: usize,
    n_rows: usize,
    /// Where each cell starts, row by row.
    starts: Vec<usize>,
    order: Vec<u32>,
    points: Vec<[f32; 2]>,
}

impl Cells {
    fn sort<const D: usize>(&mut self, grid: &Grid, points: &[[f32; D]]) {
        [self.n_columns, self.n_rows] = grid.n_nodes.map(|n| n.div_ceil(CELL) + 1);
        let flat = |point: &[f32; D]| -> [f32; 2] {
            std::array::from_fn(|d| if d < D { point[d] } else { 0.0 })
        };
        let cell = |point: &[f32; D]| {
            let [x, y] = grid.place(flat(point)).map(|place| place.node / CELL);
            y * self.n_columns + x
        };
        self.starts.clear();
        self.starts.resize(self.n_columns * self.n_rows + 2, 0);
        for point in points {
            self.starts[cell(point) + 2] += 1;
        }
        for c in 2..self.starts.len() {
            self.starts[c] += self.starts[c - 1];
        }
        self.order.resize(points.len(), 0);
        self.points.resize(points.len(), [0.0; 2]);
        for (i, point) in points.iter().enumerate() {
            let next = &mut self.starts[cell(point) + 1];
            self.order[*next] = i as u32;
            self.points[*next] = flat(point);
            *next += 1;
        }
    }

    /// The points in the rows of cells from `first` to before `end`.
    fn rows(&self, first: usize, end: usize) -> std::ops::Range<usize> {
        let start = |row: usize| self.starts[row.min(self.n_rows) * self.n_columns];
        start(first)..start(end)
    }

    /// Adds the near part to the pushes on the points of a strip; returns the summed potential.
    fn push_near(&self, near: NearPart, first: usize, pushes: &mut [[f32; 2]]) -> f64 {
        let before = self.rows(0, first).end;
        let mut potential = 0.0;
        let mut around = [Vec::new(), Vec::new()];
        for row in first..(first + STRIP).min(self.n_rows) {
            for column in 0..self.n_columns {
                let cell = row * self.n_columns + column;
                let own = self.starts[cell]..self.starts[cell + 1];
                if own.is_empty() {
                    continue;
                }
                around.iter_mut().for_each(Vec::clear);
                for row in row.saturating_sub(1)..(row + 2).min(self.n_rows) {
                    let left = row * self.n_columns + column.saturating_sub(1);
                    let right = row * self.n_columns + (column + 2).min(self.n_columns);
                    for &[x, y] in &self.points[self.starts[left]..self.starts[right]] {
                        around[0].push(x);
                        around[1].push(y);
                    }
                }
                NearPart::pad(&mut around);
                let here = &mut pushes[own.start - before..own.end - before];
                potential += near.push(&around, &self.points[own], here);
            }
        }
        potential
    }
}

/// Where the nodes stand: node `k` of an axis is at `(first + k) * spacing`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    pub(super) spacing: f32,
    first: [f32; 2],
    pub(super) n_nodes: [usize; 2],
}

impl Grid {
    fn around<const D: usize>(points: &[[f32; D]]) -> Self {
        // A map of one axis lies on a line of the plane.
        let (mut low, mut high) = ([0.0; 2], [0.0; 2]);
        for d in 0..D.min(2) {
            low[d] = points.iter().map(|p| p[d]).fold(f32::INFINITY, f32::min);
            high[d] = points.iter().map(|p| p[d]).fold(f32::NEG_INFINITY, f32::max);
        }
        let span = (high[0] - low[0]).max(high[1] - low[1]);
        let affordable = NODES * (points.len() as f32).sqrt();
        let enough = SPACINGS.into_iter().find(|spacing| span <= affordable * spacing);
        let mut spacing = enough.unwrap_or(SPACINGS[SPACINGS.len() - 1]);
        while span > MAX_NODES * spacing {
            spacing *= 2.0;
        }
        // A point between nodes k and k + 1 is spread over k - 1 to k + 2.
        let first = low.map(|l| (l / spacing).floor() - 1.0);
        let n_nodes = [0, 1].map(|d| ((high[d] / spacing).floor() - first[d]) as usize + 3);
        Self { spacing, first, n_nodes }
    }

    /// The part that the mesh leaves to the pairs.
    pub(super) fn near(&self) -> Option<NearPart> {
        (self.spacing > FINE).then(|| NearPart::within(CELL as f32 * self.spacing))
    }

    #[inline]
    fn place(&self, point: [f32; 2]) -> [Place; 2] {
        [0, 1].map(|d| {
            let position = point[d] / self.spacing - self.first[d];
            let node = position as usize;
            Place { node: node - 1, t: position - node as f32 }
        })
    }
}

/// A coordinate among the nodes of its axis: `t` of the way from the second to the third node from `node` on.
#[derive(Debug, Clone, Copy)]
struct Place {
    node: usize,
    t: f32,
}

impl Place {
    /// The cubic B-spline at the four nodes.
    #[inline]
    fn weights(self) -> [f32; SPLINE] {
        let (t, r) = (self.t, 1.0 - self.t);
        let sixth = 1.0 / 6.0;
        [
            sixth * r * r * r,
            sixth * (4.0 + t * t * (3.0 * t - 6.0)),
            sixth * (4.0 + r * r * (3.0 * r - 6.0)),
            sixth * t * t * t,
        ]
    }

    /// Its derivative at the four nodes.
    #[inline]
    fn slopes(self) -> [f32; SPLINE] {
        let (t, r) = (self.t, 1.0 - self.t);
        [-0.5 * r * r, t * (1.5 * t - 2.0), -r * (1.5 * r - 2.0), 0.5 * t * t]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::tsne_forces::repulsion;
    use crate::seed::Seed;

    /// Points in islands on a map of the given span.
    fn islands(n: usize, span: f64) -> Vec<[f32; 2]> {
        let mut stream = Seed::new(3).stream("islands", 0);
        let centers: Vec<[f64; 2]> =
            (0..8).map(|_| [0, 1].map(|_| span * (stream.uniform() - 0.5))).collect();
        (0..n).map(|i| centers[i % 8].map(|c| (c + 0.08 * span * stream.normal()) as f32)).collect()
    }

    fn relative_error(points: &[[f32; 2]]) -> (f64, f64) {
        let (mut exact, mut near) = (vec![[0.0; 2]; points.len()], vec![[0.0; 2]; points.len()]);
        let z = repulsion(points, &mut exact);
        let z_near = Mesh::default().push(points, &mut near);
        let norm = |f: &mut dyn Iterator<Item = f32>| f.map(|v| f64::from(v).powi(2)).sum::<f64>();
        let errors = &mut near.iter().zip(&exact).flat_map(|(a, b)| [a[0] - b[0], a[1] - b[1]]);
        let error = norm(errors) / norm(&mut exact.iter().flatten().copied());
        (error.sqrt(), (z_near / z - 1.0).abs())
    }

    #[test]
    fn forces_and_norm_are_near_the_exact_ones_at_every_stage_of_a_map() {
        for (span, force, norm) in
            [(1e-3, 0.05, 1e-5), (1.0, 0.02, 1e-4), (10.0, 0.01, 1e-4), (80.0, 0.05, 1e-3)]
        {
            let (force_error, norm_error) = relative_error(&islands(2000, span));
            println!("span {span}: force {force_error:.1e}, norm {norm_error:.1e}");
            assert!(
                force_error < force && norm_error < norm,
                "span {span}: {force_error} {norm_error}"
            );
        }
    }

    #[test]
    fn the_same_bits_for_any_number_of_threads_and_whatever_was_before() {
        let (points, other) = (islands(3000, 90.0), islands(3000, 120.0));
        let push = |threads: usize, before: &[[f32; 2]]| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut mesh = Mesh::default();
            let mut forces = vec![[0.0; 2]; points.len()];
            pool.install(|| mesh.push(before, &mut forces));
            let z = pool.install(|| mesh.push(&points, &mut forces));
            (forces, z.to_bits())
        };
        assert_eq!(push(1, &points), push(2, &points));
        assert_eq!(push(1, &points), push(7, &points));
        assert_eq!(push(1, &other), push(7, &other));
    }

    #[test]
    fn a_line_is_a_map_of_the_plane_without_height() {
        let points: Vec<[f32; 1]> = islands(2500, 400.0).iter().map(|p| [p[0]]).collect();
        let (mut exact, mut near) = (vec![[0.0]; 2500], vec![[0.0]; 2500]);
        let z = repulsion(&points, &mut exact);
        let z_near = Mesh::default().push(&points, &mut near);
        assert!((z_near / z - 1.0).abs() < 1e-3);
        let largest = exact.iter().fold(0.0, |a: f32, b| a.max(b[0].abs()));
        assert!(near.iter().zip(&exact).all(|(a, b)| (a[0] - b[0]).abs() < 0.02 * largest));
    }
}
