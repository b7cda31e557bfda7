//! A matrix enters; a map on which near rows stand together leaves, with its divergence.

mod affinity;
mod convolution;
mod mesh;
mod optimize;
mod start;
mod transform;

use std::sync::Arc;

use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::{Array2, ArrayBase, ArrayView2, Data, Ix2};

pub use self::affinity::Affinities;
use self::affinity::Conditional;
use self::optimize::Phase;
pub use self::start::Init;
use crate::backend::Backend;
use crate::embed::near_order::near_order;
use crate::embed::neighbors::{Metric, Neighbors};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::seed::Seed;

/// Iterations with exaggerated attraction, in which the islands form (openTSNE's number).
const EXAGGERATED_ITER: usize = 250;

/// A t-SNE map: rows that are near in the data stand together, distances between islands mean little.
///
/// t-distributed stochastic neighbour embedding minimises the Kullback-Leibler divergence between affinities
/// in the data and on the map.
///
/// ```
/// use linfa::traits::Fit;
/// use ndarray::Array2;
/// use polariscope::embed::tsne::Tsne;
/// use polariscope::table::Features;
///
/// // Two groups of 20 rows, far apart.
/// let matrix = Array2::from_shape_fn((40, 2), |(i, j)| ((i * (j + 3)) % 7) as f64 + (i / 20 * 50) as f64);
/// let features = Features::new(matrix, ["area", "perimeter"])?;
/// let tsne = Tsne::params(2).perplexity(8.0).fit(&features)?;
/// assert_eq!(tsne.coordinates().dim(), (40, 2));
/// let gap = tsne.coordinates().row(0).to_owned() - tsne.coordinates().row(39);
/// assert!(gap.dot(&gap).sqrt() > 5.0);
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # Determinism
/// The same data, parameters and seed give the same bits for any number of threads, on a device the same each time.
///
/// # References
/// * van der Maaten and Hinton 2008, *Visualizing data using t-SNE*: the objective.
/// * Kobak and Berens 2019, *The art of using t-SNE for single-cell transcriptomics*: the start.
/// * Belkina et al. 2019, *Automated optimized parameters for t-SNE*: the learning rate.
/// * Poličar, Stražar and Zupan 2024, *openTSNE*: the descent and [`transform`](Self::transform).
#[derive(Debug, Clone)]
pub struct Tsne {
    coordinates: Array2<f64>,
    kl_divergence: f64,
    affinities: Affinities,
    matrix: Array2<f64>,
    metric: Metric,
}

/// How to make a [`Tsne`] map.
#[derive(Debug, Clone)]
pub struct TsneParams {
    n_components: usize,
    perplexity: Option<f64>,
    n_iter: usize,
    early_exaggeration: f64,
    learning_rate: Option<f64>,
    init: Init,
    metric: Metric,
    neighbors: Option<Arc<Neighbors>>,
    seed: Seed,
    backend: Backend,
    progress: Progress,
}

impl Tsne {
    /// A map of `n_components` axes: 1, 2 or 3.
    pub fn params(n_components: usize) -> TsneParams {
        TsneParams {
            n_components,
            perplexity: None,
            n_iter: 750,
            early_exaggeration: 12.0,
            learning_rate: None,
            init: Init::Pca,
            metric: Metric::Euclidean,
            neighbors: None,
            seed: Seed::default(),
            backend: Backend::Cpu,
            progress: Progress::default(),
        }
    }

    /// Where each row stands, shape `(n_rows, n_components)`; the mean of each column is 0.
    pub fn coordinates(&self) -> &Array2<f64> {
        &self.coordinates
    }

    /// The Kullback-Leibler divergence that is left, in nats: 0 would be a perfect map.
    pub fn kl_divergence(&self) -> f64 {
        self.kl_divergence
    }

    /// The affinities that the map was made from.
    pub fn affinities(&self) -> &Affinities {
        &self.affinities
    }

    /// Places new rows, shape `(m, n_features)`, on the map: shape `(m, n_components)`.
    ///
    /// Each row starts at the median of its 25 nearest rows and then moves alone; the map stays as it is, and new
    /// rows do not see each other. Parameters are openTSNE's: perplexity 5, exaggeration 1.5, 250 iterations.
    /// Every new row meets every old one in each of them: seconds for a thousand new rows on a map of 50,000.
    ///
    /// # Errors
    /// A number of columns other than the fitted one, or a value that is not finite.
    pub fn transform(&self, rows: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        transform::place(self, rows)
    }
}

impl TsneParams {
    /// Roughly how many neighbours each row cares for. Without a call: 30, or a third of the other rows in a
    /// table of fewer than 91. Three times as many neighbours carry the affinities.
    pub fn perplexity(mut self, perplexity: f64) -> Self {
        self.perplexity = Some(perplexity);
        self
    }

    /// The nearest other rows of each row by the [`metric`](Self::metric), where they are known already, at least
    /// [`n_neighbors`](Self::n_neighbors) of them: the map is the one that a search gives.
    ///
    /// ```
    /// # use linfa::{DatasetBase, traits::Fit};
    /// # use ndarray::Array2;
    /// use polariscope::embed::neighbors::{Metric, Neighbors};
    /// use polariscope::embed::tsne::Tsne;
    ///
    /// let waves = Array2::from_shape_fn((60, 3), |(i, j)| ((i * (j + 1)) as f64 / 9.0).sin());
    /// let params = Tsne::params(2).perplexity(5.0);
    /// let near = Neighbors::exact(waves.view(), params.n_neighbors(60)?, Metric::Euclidean)?;
    /// let data = DatasetBase::from(waves);
    /// let (searched, known) = (params.fit(&data)?, params.clone().neighbors(near).fit(&data)?);
    /// assert_eq!(searched.coordinates(), known.coordinates());
    /// # Ok::<(), polariscope::Error>(())
    /// ```
    pub fn neighbors(mut self, neighbors: impl Into<Arc<Neighbors>>) -> Self {
        self.neighbors = Some(neighbors.into());
        self
    }

    /// How many neighbours carry the affinities of each row in a table of `n_rows`.
    ///
    /// # Errors
    /// A perplexity that such a table does not allow.
    pub fn n_neighbors(&self, n_rows: usize) -> Result<usize> {
        let perplexity = affinity::perplexity(self.perplexity, n_rows)?;
        Ok(affinity::n_neighbors(perplexity, n_rows - 1))
    }

    /// Where neighbours are searched for and points push each other; [`Backend::Cpu`] by default.
    ///
    /// Neighbours are the same. A device visits all pairs of points and rounds in its own way: its map is as good as
    /// the CPU's and the same on every run, but another one, as that of another seed is.
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// Iterations in all, 750 by default; the first 250 (or as many as there are) are exaggerated.
    pub fn n_iter(mut self, n_iter: usize) -> Self {
        self.n_iter = n_iter;
        self
    }

    /// The factor on the attraction while the islands form; 12 by default.
    pub fn early_exaggeration(mut self, factor: f64) -> Self {
        self.early_exaggeration = factor;
        self
    }

    /// The step size. Without a call: the number of rows over the exaggeration, as in openTSNE.
    ///
    /// scikit-learn's number is a quarter of this one. Its lower bound of 200 (50 there) is left out: below some
    /// hundred rows it tears the islands apart again and makes the result depend on the seed.
    pub fn learning_rate(mut self, rate: f64) -> Self {
        self.learning_rate = Some(rate);
        self
    }

    /// Where the points begin; along the principal components by default.
    pub fn init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// How the distance between rows is measured; Euclidean by default.
    pub fn metric(mut self, metric: Metric) -> Self {
        self.metric = metric;
        self
    }

    /// The seed, 0 by default. With [`Init::Pca`] it only moves the start by 1 %.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Seed::new(seed);
        self
    }

    /// Reports the share of iterations that are done.
    pub fn progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// One map, shape `(n_rows, n_components)`, for each of `seeds` from the same affinities, which are found once.
    ///
    /// # Errors
    /// As [`fit`](Fit::fit).
    pub fn fit_many<D: Data<Elem = f64>, T>(
        &self,
        dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
        seeds: &[u64],
    ) -> Result<Vec<Tsne>> {
        let matrix = dataset.records().view();
        let affinities = self.affinities(matrix, dataset.feature_names())?;
        seeds
            .iter()
            .enumerate()
            .map(|(run, &seed)| {
                let params =
                    self.clone().seed(seed).progress(part(&self.progress, run, seeds.len()));
                params.map(matrix, affinities.clone())
            })
            .collect()
    }

    fn check(&self, matrix: ArrayView2<'_, f64>, names: &[String]) -> Result<()> {
        if !(1..=3).contains(&self.n_components) {
            return Err(Error::parameter("n_components", self.n_components, "1, 2 or 3"));
        }
        let positive = |name: &str, value: f64| {
            let fine = value.is_finite() && value > 0.0;
            if fine { Ok(()) } else { Err(Error::parameter(name, value, "a positive number")) }
        };
        positive("early_exaggeration", self.early_exaggeration)?;
        positive("learning_rate", self.learning_rate.unwrap_or(1.0))?;
        if matrix.nrows() < 2 {
            let rows = matrix.nrows();
            return Err(Error::data(format!("t-SNE needs at least 2 rows, but there are {rows}")));
        }
        if matrix.ncols() == 0 {
            return Err(Error::data("t-SNE needs at least 1 column, but there are none"));
        }
        check_finite(matrix, names)
    }

    /// Checks everything, then finds neighbours and affinities.
    fn affinities(&self, matrix: ArrayView2<'_, f64>, names: &[String]) -> Result<Affinities> {
        self.check(matrix, names)?;
        let n = matrix.nrows();
        let perplexity = affinity::perplexity(self.perplexity, n)?;
        let k = self.n_neighbors(n)?;
        let near = match &self.neighbors {
            Some(known) => known.nearest_of(matrix, k)?,
            None => Neighbors::exact_on(&self.backend, matrix, k, self.metric)?,
        };
        if near.distances.iter().any(|d| !d.is_finite()) {
            return Err(Error::data("distances between rows exceed single precision")
                .help("standardize the features first"));
        }
        Ok(Affinities::symmetric(&Conditional::calibrate(&near, perplexity), perplexity))
    }

    fn map(&self, matrix: ArrayView2<'_, f64>, affinities: Affinities) -> Result<Tsne> {
        let (coordinates, kl_divergence) = match self.n_components {
            1 => self.descend::<1>(matrix, &affinities)?,
            2 => self.descend::<2>(matrix, &affinities)?,
            _ => self.descend::<3>(matrix, &affinities)?,
        };
        let (matrix, metric) = (matrix.to_owned(), self.metric);
        Ok(Tsne { coordinates, kl_divergence, affinities, matrix, metric })
    }

    fn descend<const D: usize>(
        &self,
        matrix: ArrayView2<'_, f64>,
        affinities: &Affinities,
    ) -> Result<(Array2<f64>, f64)> {
        let mut points = self.init.points::<D>(&matrix, self.seed)?;
        let (order, phases) = (near_order(matrix), self.phases(matrix.nrows()));
        let (backend, progress) = (&self.backend, &self.progress);
        let descent =
            || optimize::descend(affinities, &mut points, &order, &phases, backend, progress);
        // One entry into the thread pool instead of several an iteration.
        let (divergence, ()) = rayon::join(descent, || ());
        let divergence = divergence?;
        let coordinates =
            Array2::from_shape_fn((points.len(), D), |(i, d)| f64::from(points[i][d]));
        Ok((coordinates, divergence))
    }

    /// The exaggerated iterations and the rest.
    fn phases(&self, n_rows: usize) -> [Phase; 2] {
        let exaggerated = self.n_iter.min(EXAGGERATED_ITER);
        let phase = |n_iter, exaggeration: f64| {
            let rate = self.learning_rate.unwrap_or(n_rows as f64 / exaggeration);
            let learning_rate = rate as f32;
            Phase { n_iter, exaggeration: exaggeration as f32, learning_rate }
        };
        [phase(exaggerated, self.early_exaggeration), phase(self.n_iter - exaggerated, 1.0)]
    }
}

impl<D: Data<Elem = f64>, T> Fit<ArrayBase<D, Ix2>, T, Error> for TsneParams {
    type Object = Tsne;

    /// # Errors
    /// A parameter out of range, fewer than 2 rows, no column, or a value that is not finite (with its row and
    /// column); a lost device.
    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Tsne> {
        let matrix = dataset.records().view();
        let affinities = self.affinities(matrix, dataset.feature_names())?;
        self.map(matrix, affinities)
    }
}

/// The progress of one of several runs.
fn part(whole: &Progress, run: usize, n_runs: usize) -> Progress {
    let whole = whole.clone();
    Progress::new(move |share| whole.report(run * 1000 + (share * 1000.0) as usize, n_runs * 1000))
}

/// An error naming the first value that is not finite.
fn check_finite(matrix: ArrayView2<'_, f64>, names: &[String]) -> Result<()> {
    let Some(((row, column), value)) = matrix.indexed_iter().find(|(_, v)| !v.is_finite()) else {
        return Ok(());
    };
    let name = names.get(column).cloned().unwrap_or_else(|| (column + 1).to_string());
    Err(Error::data(format!("{value} is not a finite number"))
        .at_row(row + 1)
        .at_column(name)
        .help("fill or drop the value, or leave the column out"))
}

#[cfg(test)]
mod tests;
