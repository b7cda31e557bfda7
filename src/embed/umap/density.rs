//! Neighbours and their graph enter; how wide the surroundings of each row are leaves, and the pressure
//! that makes those on the map as wide in proportion.
//!
//! densMAP (Narayan, Berger and Cho, *Assessing single-cell transcriptomic variability through
//! density-preserving data visualization*, Nature Biotechnology 39, 2021). The local radius of a row is
//! the mean squared distance to its neighbours, weighted by how much they belong together. The last
//! epochs also climb the correlation between its logarithms in the data, `R`, and on the map, `r`:
//! `C = mean(R r) / sqrt(var(r) + shift)`, where R has mean 0 and variance 1, and
//! `r = ln(sum(q s) / sum(q))` over the edges of a row with the squared lengths `s` and similarities `q`.

use std::ops::Range;

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::forces::{Curve, Forces};
use super::graph::{Graph, local_scales, memberships};
use super::schedule::Schedule;
use super::{Umap, UmapParams, check_n_neighbors};
use crate::embed::neighbors::{Metric, Neighbors, check_finite};
use crate::error::Result;
use crate::kernels::lanes::{LANES, Lanes, Work, on_widest};

/// Added to each radius: rows among their duplicates have a logarithm too (umap-learn's 1e-8).
const LEAST_RADIUS: f64 = 1e-8;
/// Log radii that vary by less are equal but for rounding.
const LEAST_VARIANCE: f64 = 1e-12;
/// So many rows are looked at in one parallel task.
const BLOCK: usize = 512;

/// Whether and how much densities count, with the defaults of umap-learn.
#[derive(Debug, Clone, Copy)]
pub(super) struct DensityParams {
    pub on: bool,
    pub lambda: f64,
    pub frac: f64,
    pub var_shift: f64,
}

impl Default for DensityParams {
    fn default() -> Self {
        Self { on: false, lambda: 2.0, frac: 0.3, var_shift: 0.1 }
    }
}

impl DensityParams {
    /// Each number with its name, whether it is allowed, and what is.
    pub(super) fn bounds(&self) -> [(&'static str, f64, bool, &'static str); 3] {
        let Self { lambda, frac, var_shift, .. } = *self;
        [
            ("dens_lambda", lambda, lambda >= 0.0, "at least 0"),
            ("dens_frac", frac, (0.0..=1.0).contains(&frac), "0 to 1"),
            ("dens_var_shift", var_shift, var_shift >= 0.0, "at least 0"),
        ]
    }
}

impl UmapParams {
    /// Whether dense groups of the data are to be dense on the map, and sparse ones wide (densMAP; Narayan,
    /// Berger and Cho 2021). Without it all groups look about as dense. Default no.
    ///
    /// ```
    /// use linfa::traits::Fit;
    /// use ndarray::Array2;
    /// use polariscope::{embed::umap::Umap, seed::Seed, table::Features};
    ///
    /// // Two groups, the second ten times as wide as the first.
    /// let mut stream = Seed::new(1).stream("two groups", 0);
    /// let rows = Array2::from_shape_fn((120, 4), |(i, _)| {
    ///     if i < 60 { stream.normal() } else { 200.0 + 10.0 * stream.normal() }
    /// });
    /// let features = Features::new(rows, ["a", "b", "c", "d"])?;
    /// let wider = |umap: &Umap| -> polariscope::Result<f64> {
    ///     let radii = umap.map_radii()?;
    ///     Ok((radii[60..].iter().sum::<f64>() - radii[..60].iter().sum::<f64>()) / 60.0)
    /// };
    /// let plain = wider(&Umap::params(2).fit(&features)?)?;
    /// let dense = wider(&Umap::params(2).densmap(true).fit(&features)?)?;
    /// assert!(plain < 0.5 && dense > 1.0);
    /// # Ok::<(), polariscope::Error>(())
    /// ```
    pub fn densmap(mut self, densmap: bool) -> Self {
        self.density.on = densmap;
        self
    }

    /// How much densities count on a densMAP against neighbourhoods. Default 2.
    pub fn dens_lambda(mut self, dens_lambda: f64) -> Self {
        self.density.lambda = dens_lambda;
        self
    }

    /// The share of the epochs, the last ones, in which densities count, from 0 to 1. Default 0.3.
    pub fn dens_frac(mut self, dens_frac: f64) -> Self {
        self.density.frac = dens_frac;
        self
    }

    /// Added to the variance of the log radii on the map, which steadies their correlation. Default 0.1.
    pub fn dens_var_shift(mut self, dens_var_shift: f64) -> Self {
        self.density.var_shift = dens_var_shift;
        self
    }
}

impl Umap {
    /// The natural logarithm of each row's local radius in the data (umap-learn's `rad_orig_`): of its mean
    /// squared distance to its neighbours, weighted by the [`graph`](Self::graph). NaN for a row without an edge,
    /// which only a [`set_op_mix_ratio`](UmapParams::set_op_mix_ratio) below 1 can leave.
    pub fn data_radii(&self) -> Vec<f64> {
        self.params.data_radii(&self.foundation)
    }

    /// The same on the map: [`map_radii`] of the coordinates.
    ///
    /// # Errors
    /// None that a map can have.
    pub fn map_radii(&self) -> Result<Vec<f64>> {
        map_radii(self.coordinates.view(), self.params.n_neighbors)
    }
}

/// The natural logarithm of each row's local radius on any map, shape `(n_rows, n_components)`: of its mean
/// squared distance to its neighbours there, weighted by the fuzzy graph of the map.
///
/// umap-learn's `rad_emb_` takes the mean distance instead, although it squares those of the data; so its
/// numbers vary about half as much.
///
/// ```
/// use ndarray::array;
/// use polariscope::embed::umap::map_radii;
///
/// // The middle of a line is crowded.
/// let line = array![[0.0], [4.0], [5.0], [5.5], [6.5], [10.5]];
/// let radii = map_radii(line.view(), 3)?;
/// assert!(radii[0] > radii[1] && radii[1] > radii[2]);
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # Errors
/// A coordinate that is not finite; `n_neighbors` below 2 or above the number of rows - 1.
pub fn map_radii(map: ArrayView2<f64>, n_neighbors: usize) -> Result<Vec<f64>> {
    check_finite(map)?;
    check_n_neighbors(n_neighbors, map.nrows())?;
    let near = Neighbors::exact(map, n_neighbors - 1, Metric::Euclidean)?;
    let graph = Graph::from_rows(memberships(&near, &local_scales(&near, 1, 1.0))).symmetric(1.0);
    Ok(log_radii(&near, &graph, 0.0))
}

/// Of each row, over its edges of weight `least` or more.
pub(super) fn log_radii(near: &Neighbors, graph: &Graph, least: f32) -> Vec<f64> {
    let distance = |i: usize, j: usize| {
        let at = near.indices.row(i).iter().position(|&k| k as usize == j)?;
        Some(f64::from(near.distances[[i, at]]))
    };
    let log_radius = |i: usize| {
        let (mut sum, mut weights) = (0.0, 0.0);
        for (j, weight) in graph.row(i).filter(|edge| edge.1 >= least) {
            let (j, weight) = (j as usize, f64::from(weight));
            // Rows with an edge are neighbours: of each other, or one of the other.
            let distance = distance(i, j).or_else(|| distance(j, i)).unwrap_or(0.0);
            sum += weight * distance * distance;
            weights += weight;
        }
        (LEAST_RADIUS + sum / weights).ln()
    };
    (0..graph.n_rows()).into_par_iter().map(log_radius).collect()
}

/// The values less their mean, and their variance. Missing ones do not count and become 0.
fn centred(values: impl Iterator<Item = f64> + Clone) -> (Vec<f64>, f64) {
    let known = values.clone().filter(|value| !value.is_nan());
    let n = known.clone().count().max(1) as f64;
    let mean = known.sum::<f64>() / n;
    let centred: Vec<f64> =
        values.map(|value| if value.is_nan() { 0.0 } else { value - mean }).collect();
    let variance = centred.iter().map(|x| x * x).sum::<f64>() / n;
    (centred, variance)
}

/// The pressures on the rows of every map of one graph.
#[derive(Debug)]
pub(super) struct Density {
    /// R, in the order of the schedule.
    wanted: Vec<f64>,
    strength: f64,
    var_shift: f64,
    frac: f64,
    n_epochs: usize,
}

impl Density {
    pub(super) fn new(
        params: &DensityParams,
        log_radii: &[f64],
        graph: &Graph,
        schedule: &Schedule,
        forces: &Forces,
    ) -> Self {
        let (centred, variance) = centred(schedule.rows.iter().map(|&row| log_radii[row as usize]));
        let scale = if variance > LEAST_VARIANCE { 1.0 / variance.sqrt() } else { 0.0 };
        let (strongest, least) = (graph.strongest(), graph.least(forces.n_epochs));
        let kept = graph.weights.iter().filter(|weight| **weight >= least);
        // umap-learn's sum of weights over that of the pulled edge, which is in each pull as its rarity.
        let weights = kept.map(|&weight| f64::from(weight / strongest)).sum::<f64>();
        Self {
            wanted: centred.into_iter().map(|x| x * scale).collect(),
            // The forces of the curve come with the factor -2 b.
            strength: params.lambda * weights / log_radii.len() as f64 / (-2.0 * forces.b),
            var_shift: params.var_shift,
            frac: params.frac,
            n_epochs: forces.n_epochs,
        }
    }

    /// Whether densities count in this epoch.
    pub(super) fn acts(&self, epoch: usize) -> bool {
        (epoch + 1) as f64 / self.n_epochs as f64 > 1.0 - self.frac && self.strength != 0.0
    }

    /// How C grows with the squared length of an edge, for each of its ends at `places`: the two factors
    /// of [`Curve::attract_under`], but for the rarity. Followed by zeros for idle lanes.
    pub(super) fn pressures<const D: usize>(
        &self,
        schedule: &Schedule,
        places: &[[f32; D]],
        curve: &Curve<f32>,
    ) -> Vec<[f32; 2]> {
        let n = self.wanted.len();
        let sums: Vec<[f64; 3]> = (0..n.div_ceil(BLOCK))
            .into_par_iter()
            .flat_map_iter(|block| {
                let positions = block * BLOCK..n.min((block + 1) * BLOCK);
                let sums = on_widest(Surroundings { schedule, places, curve, positions });
                sums.into_iter().map(|[similarity, squared]| {
                    let radius = LEAST_RADIUS + f64::from(squared) / f64::from(similarity);
                    [f64::from(similarity), radius, radius.ln()]
                })
            })
            .collect();
        let (centred, variance) = centred(sums.iter().map(|sums| sums[2]));
        let variance = (variance + self.var_shift).max(LEAST_VARIANCE);
        let products =
            self.wanted.iter().zip(&centred).map(|(wanted, log_radius)| wanted * log_radius);
        let slope = products.sum::<f64>() / n as f64 / variance;
        let strength = self.strength / variance.sqrt();
        let mut pressures = vec![[0.0; 2]; places.len()];
        for (i, &[similarity, radius, _]) in sums.iter().enumerate().filter(|(_, s)| s[0] > 0.0) {
            // umap-learn sums the similarities over both directions of an edge.
            let pressure = strength * (self.wanted[i] - slope * centred[i]) / (2.0 * similarity);
            pressures[i] = [(pressure / radius) as f32, -pressure as f32];
        }
        pressures
    }
}

/// The rows at some positions and those they have edges with.
#[derive(Clone)]
struct Surroundings<'a, const D: usize> {
    schedule: &'a Schedule,
    places: &'a [[f32; D]],
    curve: &'a Curve<f32>,
    positions: Range<usize>,
}

impl<const D: usize> Work for Surroundings<'_, D> {
    /// For each row its summed similarities, and these times squared distances.
    type Output = Vec<[f32; 2]>;

    #[inline(always)]
    fn on<L: Lanes>(self) -> Vec<[f32; 2]> {
        let (curve, idle) = (self.curve.on::<L>(), self.schedule.idle);
        let mut rows = Vec::with_capacity(self.positions.len());
        for position in self.positions {
            let x = self.places[position].map(L::splat);
            let mut sums = [L::splat(0.0); 2];
            for edges in self.schedule.edges(position).chunks(LANES) {
                let mut targets = [idle; LANES];
                targets[..edges.len()].copy_from_slice(edges);
                let (similarity, squared) = curve.similarity(&x, &L::gather(self.places, &targets));
                let similarity = similarity.unless(&targets, idle);
                sums = [sums[0].add(similarity), similarity.mul_add(squared, sums[1])];
            }
            rows.push(
                L::rows(&sums).into_iter().fold([0.0; 2], |[q, qs], [r, rs]| [q + r, qs + rs]),
            );
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    const N: usize = 67;

    fn forces() -> Forces {
        let (a, b, repulsion, learning_rate) = (1.577, 0.895, 1.0, 1.0);
        Forces { a, b, repulsion, learning_rate, negative_sample_rate: 5, n_epochs: 100 }
    }

    /// Rows with edges at random, their log radii in the data, and places on a map.
    fn example() -> (Graph, Vec<f64>, Vec<[f32; 2]>) {
        let mut stream = Seed::new(5).stream("density", 0);
        let mut row = |i: u32| {
            let others = (0..N as u32).filter(|&j| j != i && stream.below(7) == 0);
            let others: Vec<u32> = others.collect();
            others.into_iter().map(|j| (j, 0.1 + 0.9 * stream.uniform() as f32)).collect()
        };
        let graph = Graph::from_rows((0..N as u32).map(&mut row).collect()).symmetric(1.0);
        let radii = (0..N).map(|_| stream.normal()).collect();
        let place = |_| std::array::from_fn(|_| 3.0 * stream.normal() as f32);
        (graph, radii, (0..N).map(place).collect())
    }

    /// C of the module's documentation, by its formula.
    fn correlation(graph: &Graph, radii: &[f64], places: &[[f64; 2]], shift: f64) -> f64 {
        let Forces { a, b, .. } = forces();
        let on_map: Vec<f64> = (0..N)
            .map(|i| {
                let terms = graph.row(i).map(|(j, _)| {
                    let [dx, dy] = [0, 1].map(|d| places[i][d] - places[j as usize][d]);
                    let s = dx * dx + dy * dy;
                    (1.0 / (1.0 + a * s.powf(b)), s)
                });
                let sums = terms.fold((0.0, 0.0), |(q, qs), (r, s)| (q + r, qs + r * s));
                (1e-8 + sums.1 / sums.0).ln()
            })
            .collect();
        let mean = |x: &[f64]| x.iter().sum::<f64>() / N as f64;
        let variance = |x: &[f64]| x.iter().map(|v| (v - mean(x)).powi(2)).sum::<f64>() / N as f64;
        let products = radii.iter().zip(&on_map).map(|(x, y)| (x - mean(radii)) * y).sum::<f64>();
        products / N as f64 / variance(radii).sqrt() / (variance(&on_map) + shift).sqrt()
    }

    #[test]
    fn pressures_climb_the_correlation() {
        let (graph, radii, start) = example();
        let forces = forces();
        let schedule = Schedule::new(&graph, (0..N as u32).collect(), forces.n_epochs);
        let params = DensityParams { on: true, lambda: 0.5, frac: 1.0, var_shift: 0.1 };
        let density = Density::new(&params, &radii, &graph, &schedule, &forces);
        let mut places: Vec<[f32; 2]> =
            schedule.rows.iter().map(|&row| start[row as usize]).collect();
        places.resize(N + LANES, [0.0; 2]);
        let curve = Curve::new(&forces);
        let pressures = density.pressures(&schedule, &places, &curve);

        let strongest = graph.strongest();
        let weights = graph.weights.iter().map(|w| f64::from(w / strongest)).sum::<f64>();
        let exact: Vec<[f64; 2]> = start.iter().map(|place| place.map(f64::from)).collect();
        let (mut error, mut length) = (0.0, 0.0);
        for (i, &row) in schedule.rows.iter().enumerate() {
            let lanes = |x: [f32; 2]| x.map(|x| [x; LANES]);
            // What the row's edges do to it in an epoch, but for the plain pulls.
            let mut step = [0.0; 2];
            for &j in schedule.edges(i) {
                let (x, y) = (lanes(places[i]), lanes(places[j as usize]));
                let pressure = [0, 1].map(|p| [pressures[i][p] + pressures[j as usize][p]; LANES]);
                let curve = curve.on::<[f32; LANES]>();
                let both = curve.attract_under(&x, &y, pressure);
                let pull = curve.attract(&x, &y);
                (0..2).for_each(|d| step[d] += f64::from(both[d][0] - pull[d][0]));
            }
            for d in 0..2 {
                let moved = |h: f64| {
                    let mut places = exact.clone();
                    places[row as usize][d] += h;
                    correlation(&graph, &radii, &places, params.var_shift)
                };
                let slope = (moved(1e-4) - moved(-1e-4)) / 2e-4;
                // An epoch climbs half of lambda times the summed rates.
                let expected = params.lambda * weights / 2.0 * slope;
                error += (step[d] - expected).powi(2);
                length += expected.powi(2);
            }
        }
        assert!(error < (0.03 * 0.03) * length, "{error} of {length}");
    }

    #[test]
    fn wide_and_plain_lanes_look_around_alike() {
        let (graph, _, places) = example();
        let schedule = Schedule::new(&graph, (0..N as u32).collect(), 100);
        let places = [places, vec![[0.0; 2]; LANES]].concat();
        let curve = Curve::new(&forces());
        let positions = 0..N;
        let work = Surroundings { schedule: &schedule, places: &places, curve: &curve, positions };
        assert_eq!(on_widest(work.clone()), work.on::<[f32; LANES]>());
    }

    #[test]
    fn radii_follow_the_formula_and_leave_out_weak_edges() {
        let points = [0.0, 1.0, 3.0, 7.0f64];
        let map = ndarray::Array2::from_shape_fn((4, 1), |(i, _)| points[i]);
        let near = Neighbors::exact(map.view(), 2, Metric::Euclidean).unwrap();
        let edges = [(0, 1, 1.0), (0, 2, 0.5), (1, 2, 0.05), (2, 3, 0.25)];
        let of = |i: usize| {
            let here = edges.iter().filter(move |edge| edge.0 == i || edge.1 == i);
            here.map(move |&(j, k, weight)| ((j + k - i) as u32, weight)).collect()
        };
        let graph = Graph::from_rows((0..4).map(of).collect());
        let found = log_radii(&near, &graph, 0.1);
        for (i, found) in found.into_iter().enumerate() {
            let kept = edges.iter().filter(|e| (e.0 == i || e.1 == i) && e.2 >= 0.1);
            let sums = kept.fold((0.0, 0.0), |(sum, weights), &(j, k, weight)| {
                let weight = f64::from(weight);
                (sum + weight * (points[j] - points[k]).powi(2), weights + weight)
            });
            let expected = (1e-8 + sums.0 / sums.1).ln();
            assert!((found - expected).abs() < 1e-6, "{i}: {found} is not {expected}");
        }
        assert!(log_radii(&near, &Graph::from_rows(vec![Vec::new(); 4]), 0.0)[0].is_nan());
    }

    #[test]
    fn rows_without_an_edge_take_no_part() {
        let (values, variance) = centred([1.0, f64::NAN, 3.0].into_iter());
        assert_eq!((values, variance), (vec![-1.0, 0.0, 1.0], 1.0));
    }
}
