//! A feature matrix enters; a map of its rows leaves, on which neighbours stay neighbours.
//!
//! Uniform manifold approximation and projection (arXiv:1802.03426, 2018). The fuzzy graph equals umap-learn's on the same neighbours; the layout is
//! its own, parallel and the same for any number of threads, or that of a device.

mod curve;
mod density;
mod forces;
mod graph;
mod layout;
mod on_gpu;
mod schedule;
mod spectral;
mod start;
mod target;

use std::sync::Arc;

use linfa::{DatasetBase, traits::Fit};
use ndarray::{Array1, Array2, ArrayBase, ArrayView2, Data, Ix2};
use rayon::prelude::*;

pub use density::map_radii;
pub use graph::Graph;

use self::density::{Density, DensityParams, log_radii};
use self::forces::Forces;
use self::graph::{Scales, local_scales, memberships};
use self::schedule::Schedule;
use super::near_order::near_order;
use super::neighbors::{Metric, Neighbors, check_finite};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::kernels::umap_layout::MOST_AXES;
use crate::progress::Progress;
use crate::seed::Seed;

/// Where the rows stand before the layout.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Init {
    /// On the first principal components.
    #[default]
    Pca,
    /// On the leading eigenvectors of the graph's normalised Laplacian.
    Spectral,
    /// Anywhere in a square.
    Random,
    /// On these coordinates, shape `(n_rows, n_components)`.
    Given(Array2<f64>),
}

/// How a map is made; see [`Umap::params`].
#[derive(Debug, Clone)]
pub struct UmapParams {
    n_components: usize,
    n_neighbors: usize,
    min_dist: f64,
    spread: f64,
    n_epochs: Option<usize>,
    metric: Metric,
    init: Init,
    negative_sample_rate: usize,
    learning_rate: f64,
    repulsion_strength: f64,
    set_op_mix_ratio: f64,
    local_connectivity: f64,
    target: Option<Vec<Option<usize>>>,
    target_weight: f64,
    density: DensityParams,
    neighbors: Option<Arc<Neighbors>>,
    seed: u64,
    backend: Backend,
    layout_on: Backend,
    progress: Progress,
}

/// A map of the rows of a table.
///
/// ```
/// use linfa::traits::Fit;
/// use ndarray::Array2;
/// use polariscope::embed::umap::Umap;
/// use polariscope::table::Features;
///
/// let waves = Array2::from_shape_fn((60, 3), |(i, j)| ((i * (j + 1)) as f64 / 9.0).sin());
/// let features = Features::new(waves, ["a", "b", "c"])?;
/// let umap = Umap::params(2).n_neighbors(10).seed(42).fit(&features)?;
/// assert_eq!(umap.coordinates().dim(), (60, 2));
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Umap {
    params: UmapParams,
    matrix: Array2<f64>,
    foundation: Foundation,
    coordinates: Array2<f64>,
}

/// What all runs on the same rows share.
#[derive(Debug, Clone)]
struct Foundation {
    near: Neighbors,
    scales: Scales,
    graph: Graph,
    a: f64,
    b: f64,
}

impl Umap {
    /// Parameters of a map with `n_components` coordinates, with the defaults of umap-learn.
    pub fn params(n_components: usize) -> UmapParams {
        UmapParams {
            n_components,
            n_neighbors: 15,
            min_dist: 0.1,
            spread: 1.0,
            n_epochs: None,
            metric: Metric::Euclidean,
            init: Init::default(),
            negative_sample_rate: 5,
            learning_rate: 1.0,
            repulsion_strength: 1.0,
            set_op_mix_ratio: 1.0,
            local_connectivity: 1.0,
            target: None,
            target_weight: 0.5,
            density: DensityParams::default(),
            neighbors: None,
            seed: 0,
            backend: Backend::Cpu,
            layout_on: Backend::Cpu,
            progress: Progress::default(),
        }
    }

    /// Where the rows are on the map, shape `(n_rows, n_components)`.
    pub fn coordinates(&self) -> &Array2<f64> {
        &self.coordinates
    }

    /// How strongly each pair of rows belongs together.
    pub fn graph(&self) -> &Graph {
        &self.foundation.graph
    }

    /// How fast membership fades around each row.
    pub fn sigmas(&self) -> &[f32] {
        &self.foundation.scales.sigmas
    }

    /// The distance of each row to its nearest neighbour that is not a duplicate.
    pub fn rhos(&self) -> &[f32] {
        &self.foundation.scales.rhos
    }

    /// Places new rows on the map, shape `(n_new, n_components)`: each begins at the weighted mean of
    /// its neighbours and is then moved while the map stays as it is.
    ///
    /// # Errors
    /// A value that is not finite; other columns than those of the map's rows; on a densMAP, whose densities are those of
    /// the whole table.
    pub fn transform(&self, rows: ArrayView2<f64>) -> Result<Array2<f64>> {
        let params = &self.params;
        if params.density.on {
            let error =
                Error::data("a densMAP takes no new rows: it shows how dense all of them are");
            return Err(error.help("fit it to all rows, or leave densmap out"));
        }
        let near = Neighbors::query(self.matrix.view(), rows, params.n_neighbors, params.metric)?;
        let scales = local_scales(&near, 0, (params.local_connectivity - 1.0).max(0.0));
        let graph = Graph::from_rows(memberships(&near, &scales));
        // A third of the epochs, as in umap-learn.
        let n_epochs = match params.n_epochs {
            Some(n_epochs) => n_epochs / 3,
            None => {
                if rows.nrows() <= 10_000 {
                    100
                } else {
                    30
                }
            }
        };
        let forces = params.forces(&self.foundation, n_epochs);
        Ok(match params.n_components {
            ..=2 => self.place::<2>(&graph, &forces),
            3..=4 => self.place::<4>(&graph, &forces),
            5..=8 => self.place::<8>(&graph, &forces),
            9..=16 => self.place::<16>(&graph, &forces),
            _ => self.place::<64>(&graph, &forces),
        })
    }

    fn place<const D: usize>(&self, graph: &Graph, forces: &Forces) -> Array2<f64> {
        let width = self.coordinates.ncols();
        let map: Vec<[f32; D]> = start::padded(&self.coordinates);
        let start: Vec<[f32; D]> = start::padded(&start::weighted_means(graph, &self.coordinates));
        let forces = Forces { learning_rate: forces.learning_rate / 4.0, ..*forces };
        let seed = Seed::new(self.params.seed).stream("umap transform", 0).bits();
        let schedule = Schedule::towards(map.len(), graph, forces.n_epochs);
        let places = layout::place(&schedule, &start, &map, &forces, seed);
        Array2::from_shape_fn((places.len(), width), |(i, d)| f64::from(places[i][d]))
    }

    /// The constant a of the similarity 1 / (1 + a d^(2b)) on the map.
    pub fn a(&self) -> f64 {
        self.foundation.a
    }

    /// The constant b of the similarity 1 / (1 + a d^(2b)) on the map.
    pub fn b(&self) -> f64 {
        self.foundation.b
    }
}

impl UmapParams {
    /// Number of neighbours of each row, itself included as in umap-learn: 2 or more. Default 15.
    pub fn n_neighbors(mut self, n_neighbors: usize) -> Self {
        self.n_neighbors = n_neighbors;
        self
    }

    /// The nearest other rows of each row by the [`metric`](Self::metric), where they are known already, at least
    /// `n_neighbors - 1` of them: the map is the one that a search gives.
    ///
    /// ```
    /// # use linfa::{DatasetBase, traits::Fit};
    /// # use ndarray::Array2;
    /// use polariscope::embed::neighbors::{Metric, Neighbors};
    /// use polariscope::embed::umap::Umap;
    ///
    /// let waves = Array2::from_shape_fn((60, 3), |(i, j)| ((i * (j + 1)) as f64 / 9.0).sin());
    /// let near = Neighbors::exact(waves.view(), 20, Metric::Euclidean)?;
    /// let (data, params) = (DatasetBase::from(waves), Umap::params(2).n_neighbors(10));
    /// let (searched, known) = (params.fit(&data)?, params.neighbors(near).fit(&data)?);
    /// assert_eq!(searched.coordinates(), known.coordinates());
    /// # Ok::<(), polariscope::Error>(())
    /// ```
    pub fn neighbors(mut self, neighbors: impl Into<Arc<Neighbors>>) -> Self {
        self.neighbors = Some(neighbors.into());
        self
    }

    /// Where neighbours are searched for; [`Backend::Cpu`] by default. The map is the same.
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// Where rows are laid out; [`Backend::Cpu`] by default.
    ///
    /// A device moves all rows at once and draws other random numbers: its map is as good as the CPU's and the same on
    /// every run on the same machine, but another one, as that of another seed is. It has up to 4 coordinates.
    pub fn layout_on(mut self, backend: Backend) -> Self {
        self.layout_on = backend;
        self
    }

    /// The distance on the map at which rows that belong together are kept. Default 0.1.
    pub fn min_dist(mut self, min_dist: f64) -> Self {
        self.min_dist = min_dist;
        self
    }

    /// The scale of the map, 0.001 to 1000. Default 1.
    pub fn spread(mut self, spread: f64) -> Self {
        self.spread = spread;
        self
    }

    /// Number of rounds of the layout. Default 500 up to 10,000 rows, else 200; on a densMAP 200 more.
    pub fn n_epochs(mut self, n_epochs: usize) -> Self {
        self.n_epochs = Some(n_epochs);
        self
    }

    /// How far apart two rows are. Default [`Metric::Euclidean`].
    pub fn metric(mut self, metric: Metric) -> Self {
        self.metric = metric;
        self
    }

    /// Where the rows stand before the layout.
    pub fn init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// Random rows that push for each one that pulls. Default 5.
    pub fn negative_sample_rate(mut self, negative_sample_rate: usize) -> Self {
        self.negative_sample_rate = negative_sample_rate;
        self
    }

    /// The step length of the first epoch; it falls to 0. Default 1.
    pub fn learning_rate(mut self, learning_rate: f64) -> Self {
        self.learning_rate = learning_rate;
        self
    }

    /// The weight of pushes against pulls. Default 1.
    pub fn repulsion_strength(mut self, repulsion_strength: f64) -> Self {
        self.repulsion_strength = repulsion_strength;
        self
    }

    /// 1 joins the two directions of an edge by fuzzy union, 0 by intersection. Default 1.
    pub fn set_op_mix_ratio(mut self, set_op_mix_ratio: f64) -> Self {
        self.set_op_mix_ratio = set_op_mix_ratio;
        self
    }

    /// Number of neighbours that belong to a row fully. Default 1.
    pub fn local_connectivity(mut self, local_connectivity: f64) -> Self {
        self.local_connectivity = local_connectivity;
        self
    }

    /// One class per row, which draws the rows of a class together; `None` where it is not known.
    pub fn target(mut self, labels: impl IntoIterator<Item = Option<usize>>) -> Self {
        self.target = Some(labels.into_iter().collect());
        self
    }

    /// How much the classes of [`target`](Self::target) count, from 0 to 1. Default 0.5.
    pub fn target_weight(mut self, target_weight: f64) -> Self {
        self.target_weight = target_weight;
        self
    }

    /// The seed of everything random. Default 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Called with the share of the layout that is done.
    pub fn progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// One map per seed, in order, over a single graph; maps are made in parallel.
    ///
    /// Each, of shape `(n_rows, n_components)`, equals the coordinates of `self.seed(seed).fit(data)`.
    ///
    /// # Errors
    /// As `fit`.
    pub fn fit_many<S: Data<Elem = f64>, T>(
        &self,
        data: &DatasetBase<ArrayBase<S, Ix2>, T>,
        seeds: &[u64],
    ) -> Result<Vec<Array2<f64>>> {
        let matrix = data.records.view();
        let foundation = self.foundation(matrix)?;
        self.layouts(matrix, &foundation, seeds)
    }

    fn check(&self, matrix: ArrayView2<f64>) -> Result<()> {
        check_finite(matrix)?;
        let n = matrix.nrows();
        check_n_neighbors(self.n_neighbors, n)?;
        if !(1..=64).contains(&self.n_components) {
            return Err(Error::parameter("n_components", self.n_components, "1 to 64"));
        }
        if matches!(self.layout_on, Backend::Gpu(_)) && self.n_components > MOST_AXES {
            let allowed = format!("1 to {MOST_AXES} on a GPU");
            return Err(Error::parameter("n_components", self.n_components, allowed));
        }
        if matches!(self.layout_on, Backend::Gpu(_)) && self.density.on {
            let error = Error::backend("a densMAP is laid out by the CPU alone");
            return Err(error.help("use --backend cpu"));
        }
        let real = [
            (
                "spread",
                self.spread,
                (0.001..=1000.0).contains(&self.spread),
                "at least 0.001 and at most 1000",
            ),
            (
                "min_dist",
                self.min_dist,
                self.min_dist >= 0.0 && self.min_dist <= self.spread,
                "at least 0 and at most spread",
            ),
            ("learning_rate", self.learning_rate, self.learning_rate > 0.0, "above 0"),
            (
                "repulsion_strength",
                self.repulsion_strength,
                self.repulsion_strength >= 0.0,
                "at least 0",
            ),
            (
                "set_op_mix_ratio",
                self.set_op_mix_ratio,
                (0.0..=1.0).contains(&self.set_op_mix_ratio),
                "0 to 1",
            ),
            (
                "local_connectivity",
                self.local_connectivity,
                self.local_connectivity >= 0.0,
                "at least 0",
            ),
        ];
        for (name, value, is_fine, allowed) in real.into_iter().chain(self.density.bounds()) {
            if !is_fine || !value.is_finite() {
                return Err(Error::parameter(name, value, allowed));
            }
        }
        if let Some(labels) = self.target.as_ref().filter(|labels| labels.len() != n) {
            let message = format!("{} labels for {n} rows: give one label per row", labels.len());
            return Err(Error::data(message));
        }
        match &self.init {
            Init::Given(start) if start.dim() != (n, self.n_components) => {
                let allowed = format!("of shape ({n}, {})", self.n_components);
                Err(Error::parameter("init", format!("{:?}", start.dim()), allowed))
            }
            Init::Given(start) => check_finite(start.view()),
            _ => Ok(()),
        }
    }

    fn foundation(&self, matrix: ArrayView2<f64>) -> Result<Foundation> {
        self.check(matrix)?;
        let k = self.n_neighbors - 1;
        let near = match &self.neighbors {
            Some(known) => known.nearest_of(matrix, k)?,
            None => Neighbors::exact_on(&self.backend, matrix, k, self.metric)?,
        };
        let scales = local_scales(&near, 1, self.local_connectivity);
        let directed = Graph::from_rows(memberships(&near, &scales));
        let graph = directed.symmetric(self.set_op_mix_ratio as f32);
        let graph = match &self.target {
            Some(labels) => target::intersect(&graph, labels, self.target_weight),
            None => graph,
        };
        let (a, b) = curve::find_ab(self.spread, self.min_dist);
        Ok(Foundation { near, scales, graph, a, b })
    }

    fn layouts(
        &self,
        matrix: ArrayView2<f64>,
        base: &Foundation,
        seeds: &[u64],
    ) -> Result<Vec<Array2<f64>>> {
        // Coordinates come padded to the next width that is compiled; a padded one stays 0.
        match self.n_components {
            ..=2 => self.layouts_in::<2>(matrix, base, seeds),
            3..=4 => self.layouts_in::<4>(matrix, base, seeds),
            5..=8 => self.layouts_in::<8>(matrix, base, seeds),
            9..=16 => self.layouts_in::<16>(matrix, base, seeds),
            _ => self.layouts_in::<64>(matrix, base, seeds),
        }
    }

    fn layouts_in<const D: usize>(
        &self,
        matrix: ArrayView2<f64>,
        base: &Foundation,
        seeds: &[u64],
    ) -> Result<Vec<Array2<f64>>> {
        let n = matrix.nrows();
        let start = match &self.init {
            Init::Pca => Some(start::principal_components(matrix, self.n_components)),
            Init::Spectral => {
                Some(spectral::spectral_coordinates(&base.graph, matrix, self.n_components))
            }
            Init::Random => None,
            Init::Given(start) => Some(start.clone()),
        };
        let forces = self.forces(base, self.n_epochs_for(n));
        let starts = seeds.par_iter().map(|&seed| {
            let seed = Seed::new(seed);
            match &start {
                Some(start) => start::spread(start, seed),
                None => start::spread(&start::random(n, self.n_components, seed), seed),
            }
        });
        let starts: Vec<Vec<[f32; D]>> = starts.collect();
        let keys: Vec<u64> =
            seeds.iter().map(|&seed| Seed::new(seed).stream("umap layout", 0).bits()).collect();
        let maps = match &self.layout_on {
            Backend::Cpu => {
                let schedule = Schedule::new(&base.graph, near_order(matrix), forces.n_epochs);
                let density = self.density.on.then(|| {
                    let radii = self.data_radii(base);
                    Density::new(&self.density, &radii, &base.graph, &schedule, &forces)
                });
                let (density, progress) = (density.as_ref(), &self.progress);
                layout::optimize(&schedule, starts, &forces, &keys, density, progress)
            }
            device @ Backend::Gpu(_) => {
                on_gpu::optimize(device, &base.graph, starts, &forces, &keys, &self.progress)?
            }
        };
        let shape = (n, self.n_components);
        let map = |map: &Vec<[f32; D]>| Array2::from_shape_fn(shape, |(i, d)| map[i][d].into());
        Ok(maps.par_iter().map(map).collect())
    }

    fn n_epochs_for(&self, n_rows: usize) -> usize {
        let plain = if n_rows <= 10_000 { 500 } else { 200 };
        self.n_epochs.unwrap_or(if self.density.on { plain + 200 } else { plain })
    }

    fn data_radii(&self, base: &Foundation) -> Vec<f64> {
        let least = base.graph.least(self.n_epochs_for(base.graph.n_rows()));
        log_radii(&base.near, &base.graph, least)
    }

    fn forces(&self, base: &Foundation, n_epochs: usize) -> Forces {
        Forces {
            a: base.a,
            b: base.b,
            repulsion: self.repulsion_strength,
            learning_rate: self.learning_rate as f32,
            negative_sample_rate: self.negative_sample_rate,
            n_epochs,
        }
    }

    fn fit_rows(&self, matrix: ArrayView2<f64>) -> Result<Umap> {
        let foundation = self.foundation(matrix)?;
        let coordinates = self.layouts(matrix, &foundation, &[self.seed])?.swap_remove(0);
        Ok(Umap { params: self.clone(), matrix: matrix.to_owned(), foundation, coordinates })
    }
}

fn check_n_neighbors(n_neighbors: usize, n_rows: usize) -> Result<()> {
    let most = n_rows.saturating_sub(1);
    if n_neighbors < 2 || n_neighbors > most {
        let allowed = format!("at least 2 and at most the number of rows - 1 ({most})");
        return Err(Error::parameter("n_neighbors", n_neighbors, allowed));
    }
    Ok(())
}

impl<S: Data<Elem = f64>> Fit<ArrayBase<S, Ix2>, (), Error> for UmapParams {
    type Object = Umap;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<S, Ix2>, ()>) -> Result<Umap> {
        self.fit_rows(dataset.records.view())
    }
}

impl<S: Data<Elem = f64>> Fit<ArrayBase<S, Ix2>, Array1<usize>, Error> for UmapParams {
    type Object = Umap;

    /// A supervised map: the labels of the dataset are the [`target`](UmapParams::target).
    fn fit(&self, dataset: &DatasetBase<ArrayBase<S, Ix2>, Array1<usize>>) -> Result<Umap> {
        let labels = dataset.targets.iter().copied().map(Some);
        self.clone().target(labels).fit_rows(dataset.records.view())
    }
}

impl<S: Data<Elem = f64>> Fit<ArrayBase<S, Ix2>, Array1<()>, Error> for UmapParams {
    type Object = Umap;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<S, Ix2>, Array1<()>>) -> Result<Umap> {
        self.fit_rows(dataset.records.view())
    }
}

#[cfg(test)]
mod tests;
