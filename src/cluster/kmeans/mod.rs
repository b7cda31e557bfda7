//! K-means: a matrix and a number of clusters in; labels, centres and inertia out.

mod lloyd;
mod nearest;
mod points;
mod starts;
#[cfg(target_arch = "x86_64")]
mod wide;

use std::cmp::{Ordering, Reverse};

use linfa::DatasetBase;
use linfa::traits::{Fit, PredictInplace};
use ndarray::{Array1, Array2, ArrayBase, ArrayView2, Data, Ix2};
use rayon::prelude::*;

use crate::backend::Backend;
use crate::embed::{Moments, first_component, not_finite};
use crate::error::{Error, Result};
use crate::kernels::nearest_centroid::{nearest_centroid, nearest_centroid_on};
use crate::kernels::nearest_rows::Rows;
use crate::progress::Progress;
use crate::seed::{Seed, Stream};
use lloyd::{Limits, Run};
use nearest::Centres;
use points::Points;
pub(crate) use points::SortedTable;

/// Starts of a large and of a small table, and the rows up to which it is small.
const STARTS: (usize, usize) = (10, 50);
const SMALL: usize = 2000;
/// Single-precision distances that k-means++ may hold at a time: 64 MB.
const DISTANCES_AT_ONCE: usize = 1 << 24;

/// Where the centres start.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Init {
    /// Greedy k-means++.
    #[default]
    PlusPlus,
    /// These centres, shape `(k, n_features)`, in the units of the features; one start only.
    Given(Array2<f64>),
}

/// A K-means clustering: the best of several starts.
///
/// Labels run from 1 to k, the largest cluster first (equal sizes: by the place of the centre along the first
/// principal component, highest first).
///
/// ```
/// use linfa::traits::Fit;
/// use ndarray::array;
/// use polariscope::cluster::KMeans;
/// use polariscope::table::Features;
///
/// let table = array![[0.0], [0.2], [9.9], [10.0], [10.1]];
/// let features = Features::new(table, ["area"])?;
/// let clusters = KMeans::params(2).seed(42).fit(&features)?;
/// assert_eq!(clusters.labels(), [2, 2, 1, 1, 1]);
/// assert_eq!(clusters.sizes(), [3, 2]);
/// assert!((clusters.inertia() - 0.04).abs() < 1e-12);
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # Determinism
/// The same rows, parameters and seed give the same bits on any number of threads and on any processor of
/// the same kind, and permuting the rows permutes the labels and changes nothing else: rows are visited in an
/// order that follows from their values.
///
/// # Small tables
/// Up to 2,000 rows, the best start from k-means++ is polished after Lloyd's iteration by moving single rows
/// (Hartigan), which finds better optima. A given start is Lloyd's iteration and nothing else.
///
/// # Empty clusters
/// A cluster that loses its last row takes the row that is farthest from its own centre, as in scikit-learn.
/// With fewer than k different rows, fitting is refused.
///
/// # References
/// S. P. Lloyd, *Least squares quantization in PCM*, 1982; D. Arthur and S. Vassilvitskii, *k-means++: the
/// advantages of careful seeding*, 2007.
#[derive(Debug, Clone)]
pub struct KMeans {
    labels: Vec<usize>,
    centroids: Array2<f64>,
    inertia: f64,
    n_iter: usize,
    converged: bool,
    sizes: Vec<usize>,
}

/// What to compute; see [`KMeans::params`].
#[derive(Debug, Clone)]
pub struct KMeansParams {
    n_clusters: usize,
    n_init: Option<usize>,
    max_iter: usize,
    tolerance: f64,
    seed: u64,
    init: Init,
    is_polished: bool,
    progress: Progress,
}

impl KMeans {
    /// `n_clusters` clusters; the best of 10 starts (50 up to 2,000 rows, where they cost little), at most 300
    /// iterations, tolerance 1e-4, seed 0.
    pub fn params(n_clusters: usize) -> KMeansParams {
        KMeansParams {
            n_clusters,
            n_init: None,
            max_iter: 300,
            tolerance: 1e-4,
            seed: 0,
            init: Init::PlusPlus,
            is_polished: true,
            progress: Progress::default(),
        }
    }

    /// The cluster of each row, from 1 to k.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Centres, shape `(k, n_features)`, in the order of the labels.
    pub fn centroids(&self) -> ArrayView2<'_, f64> {
        self.centroids.view()
    }

    /// Sum over rows of the squared distance to the nearest centre.
    pub fn inertia(&self) -> f64 {
        self.inertia
    }

    /// Iterations of the best start.
    pub fn n_iter(&self) -> usize {
        self.n_iter
    }

    /// Whether the best start came to rest before `max_iter`.
    pub fn converged(&self) -> bool {
        self.converged
    }

    /// Rows in each cluster, in the order of the labels.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// Number of clusters.
    pub fn n_clusters(&self) -> usize {
        self.sizes.len()
    }

    /// Euclidean distance of each row to each centre, shape `(n_rows, k)`.
    ///
    /// # Errors
    /// When the number of columns is not the number of features.
    pub fn distances(&self, rows: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        self.check_columns(rows)?;
        let k = self.n_clusters();
        let mut distances = vec![0.0; rows.nrows() * k];
        distances.par_chunks_mut(k * points::BLOCK).enumerate().for_each(|(block, out)| {
            for (i, out) in out.chunks_exact_mut(k).enumerate() {
                let row = rows.row(block * points::BLOCK + i);
                for (out, centre) in out.iter_mut().zip(self.centroids.outer_iter()) {
                    let square: f64 = row.iter().zip(&centre).map(|(x, c)| (x - c) * (x - c)).sum();
                    *out = square.sqrt();
                }
            }
        });
        Ok(Array2::from_shape_vec((rows.nrows(), k), distances).unwrap_or_default())
    }

    /// The label, from 1 to k, of the nearest centre for each new row; the smaller label among equals.
    ///
    /// # Errors
    /// When the number of columns is not the number of features, or a value is not finite.
    pub fn assign(&self, rows: ArrayView2<'_, f64>) -> Result<Vec<usize>> {
        self.assign_on(&Backend::Cpu, rows)
    }

    /// As [`assign`](Self::assign), with the same labels, where `backend` says: a device proposes, and the CPU decides
    /// where single precision leaves a doubt.
    ///
    /// # Errors
    /// As [`assign`](Self::assign); on a device more than 2,047 columns, or a lost device.
    pub fn assign_on(&self, backend: &Backend, rows: ArrayView2<'_, f64>) -> Result<Vec<usize>> {
        if !rows.iter().all(|v| v.is_finite()) {
            return Err(not_finite(rows, &[]));
        }
        self.check_columns(rows)?;
        let (rows, centres) = (rows.as_standard_layout(), self.centroids.as_standard_layout());
        let width = centres.ncols();
        let (Some(rows), Some(centres)) = (rows.as_slice(), centres.as_slice()) else {
            return Err(Error::internal("rows in an odd order"));
        };
        let (rows, centres) = (Rows { values: rows, width }, Rows { values: centres, width });
        let nearest = match backend {
            Backend::Cpu => nearest_centroid(rows, centres),
            Backend::Gpu(gpu) => nearest_centroid_on(gpu, rows, centres)?,
        };
        Ok(nearest.into_iter().map(|c| c as usize + 1).collect())
    }

    fn check_columns(&self, rows: ArrayView2<'_, f64>) -> Result<()> {
        let (found, wanted) = (rows.ncols(), self.centroids.ncols());
        if found == wanted {
            return Ok(());
        }
        Err(Error::data(format!("found {found} columns, but {wanted} were fitted")))
    }
}

impl<D: Data<Elem = f64>> PredictInplace<ArrayBase<D, Ix2>, Array1<usize>> for KMeans {
    /// linfa's infallible form of [`KMeans::assign`].
    ///
    /// # Panics
    /// When the rows do not have the fitted columns or are not finite.
    fn predict_inplace(&self, rows: &ArrayBase<D, Ix2>, labels: &mut Array1<usize>) {
        match self.assign(rows.view()) {
            Ok(found) => *labels = Array1::from(found),
            Err(error) => panic!("{error}"),
        }
    }

    fn default_target(&self, rows: &ArrayBase<D, Ix2>) -> Array1<usize> {
        Array1::zeros(rows.nrows())
    }
}

impl KMeansParams {
    /// How many starts to try; the one of least inertia is kept.
    pub fn n_init(mut self, n_init: usize) -> Self {
        self.n_init = Some(n_init);
        self
    }

    /// The most iterations of one start.
    pub fn max_iter(mut self, max_iter: usize) -> Self {
        self.max_iter = max_iter;
        self
    }

    /// A start rests when its centres together move less than this share of the mean variance of the
    /// features (squared movement, as in scikit-learn). With 0 it rests when no label changes.
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// The seed of all draws.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Where the centres start.
    pub fn init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// Called with the share of the starts that have come to rest.
    pub fn progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// One clustering of a single start for each seed, computed together: each is what
    /// `.n_init(1).seed(seed).fit(..)` gives, at a fraction of the time.
    ///
    /// # Errors
    /// As [`fit`](Fit::fit).
    pub fn fit_many<D: Data<Elem = f64>, T>(
        &self,
        dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
        seeds: &[u64],
    ) -> Result<Vec<KMeans>> {
        let rows = dataset.records().view();
        self.check(rows)?;
        let points = self.points(rows, dataset.feature_names())?;
        let streams: Vec<Stream> = seeds.iter().map(|&seed| start_stream(seed, 0)).collect();
        let runs = self.runs(&points, &streams);
        Ok(runs.into_par_iter().map(|run| self.finish(&points, run)).collect())
    }

    /// Leaves out the last passes over small tables, which gain less than a thousandth: for nulls, where many
    /// tables are compared that were all treated alike.
    pub(crate) fn unpolished(mut self) -> Self {
        self.is_polished = false;
        self
    }

    /// One grouping for each number of clusters, each as `fit` gives it, with the rows prepared once. Ends before a
    /// number that exceeds the number of different rows, unless it is the first.
    pub(crate) fn fit_each<D: Data<Elem = f64>, T>(
        &self,
        dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
        ks: &[usize],
    ) -> Result<Vec<KMeans>> {
        let Some(&first) = ks.first() else { return Ok(Vec::new()) };
        let rows = dataset.records().view();
        let with = |n_clusters| Self { n_clusters, ..self.clone() };
        with(first).check(rows)?;
        let points = with(first).points(rows, dataset.feature_names())?;
        let mut fits = Vec::with_capacity(ks.len());
        for params in ks.iter().map(|&k| with(k)) {
            if params.check(rows).and_then(|()| params.check_distinct(&points)).is_err() {
                break;
            }
            fits.push(params.best(&points)?);
        }
        Ok(fits)
    }

    /// What `fit` gives for some rows of a table alone, ascending and not fewer than clusters, without copying them.
    pub(crate) fn fit_sample(&self, table: &SortedTable<'_>, rows: &[usize]) -> Result<KMeans> {
        self.check(table.matrix)?;
        let points = Points::of_sample(table, rows)?;
        self.check_distinct(&points)?;
        self.best(&points)
    }

    fn check(&self, rows: ArrayView2<'_, f64>) -> Result<()> {
        let (n, d) = rows.dim();
        if n == 0 || d == 0 {
            let message = format!("clusters need rows and features; found {n} rows, {d} features");
            return Err(Error::data(message));
        }
        if self.n_clusters == 0 || self.n_clusters > n {
            let allowed = format!("at least 1 and at most the number of rows ({n})");
            return Err(Error::parameter("n_clusters", self.n_clusters, allowed));
        }
        if self.n_init == Some(0) {
            return Err(Error::parameter("n_init", 0, "at least 1"));
        }
        if self.max_iter == 0 {
            return Err(Error::parameter("max_iter", 0, "at least 1"));
        }
        if !(self.tolerance >= 0.0 && self.tolerance.is_finite()) {
            return Err(Error::parameter("tolerance", self.tolerance, "at least 0 and finite"));
        }
        match &self.init {
            Init::Given(centres) if centres.dim() != (self.n_clusters, d) => {
                let (found, columns) = centres.dim();
                let allowed = format!("{} x {d} (n_clusters x n_features)", self.n_clusters);
                Err(Error::parameter("init", format!("{found} x {columns} centres"), allowed))
            }
            Init::Given(centres) if centres.iter().any(|v| !v.is_finite()) => {
                Err(Error::parameter("init", "centres with NaN or infinity", "finite numbers"))
            }
            _ => Ok(()),
        }
    }

    /// The rows as the iteration reads them; refused when too few differ.
    fn points(&self, rows: ArrayView2<'_, f64>, names: &[String]) -> Result<Points> {
        let points = Points::new(rows, names)?;
        self.check_distinct(&points)?;
        Ok(points)
    }

    fn check_distinct(&self, points: &Points) -> Result<()> {
        let distinct = points.n_distinct_up_to(self.n_clusters);
        if distinct < self.n_clusters {
            let allowed = format!("at most the number of different rows ({distinct})");
            return Err(Error::parameter("n_clusters", self.n_clusters, allowed)
                .help("ask for fewer clusters, or for features in which the rows differ"));
        }
        Ok(())
    }

    /// The best of all starts.
    fn best(&self, points: &Points) -> Result<KMeans> {
        let usual = if points.n <= SMALL { STARTS.1 } else { STARTS.0 };
        let n_init =
            if matches!(self.init, Init::Given(_)) { 1 } else { self.n_init.unwrap_or(usual) };
        let streams: Vec<Stream> = (0..n_init).map(|i| start_stream(self.seed, i as u64)).collect();
        let mut best: Option<(Run, f64)> = None;
        for mut run in self.runs(points, &streams) {
            let (_, inertia) = lloyd::assign(points, &mut run.centres);
            if best.as_ref().is_none_or(|b| inertia < b.1) {
                best = Some((run, inertia));
            }
        }
        let (run, ..) = best.ok_or_else(|| Error::internal("no start was tried"))?;
        Ok(self.finish(points, run))
    }

    /// The clustering of one converged start.
    fn finish(&self, points: &Points, mut run: Run) -> KMeans {
        if self.is_polished && points.n <= SMALL && self.init == Init::PlusPlus {
            lloyd::polish(points, &mut run.centres);
        }
        let (labels, inertia) = lloyd::assign(points, &mut run.centres);
        named(points, &run, &labels, inertia)
    }

    /// Converged centres for every stream, or for the given start.
    fn runs(&self, points: &Points, streams: &[Stream]) -> Vec<Run> {
        let limits = Limits {
            max_iter: self.max_iter,
            tolerance: self.tolerance * points.variance / points.d as f64,
        };
        let total = streams.len();
        if let Init::Given(centres) = &self.init {
            let start = vec![scaled(points, centres); total];
            return lloyd::iterate(points, start, limits, &|n| self.progress.report(n, total));
        }
        let at_once = (DISTANCES_AT_ONCE / points.n).max(1);
        let mut runs = Vec::with_capacity(total);
        for streams in streams.chunks(at_once) {
            let starts = starts::plus_plus(points, self.n_clusters, streams.to_vec())
                .into_iter()
                .map(|picks| {
                    let rows = picks.into_iter().flat_map(|p| points.row(p).to_vec()).collect();
                    Centres::new(rows, points.d, points.stride)
                })
                .collect();
            let before = runs.len();
            let report = |n| self.progress.report(before + n, total);
            runs.extend(lloyd::iterate(points, starts, limits, &report));
        }
        runs
    }
}

impl<D: Data<Elem = f64>, T> Fit<ArrayBase<D, Ix2>, T, Error> for KMeansParams {
    type Object = KMeans;

    /// # Errors
    /// A parameter out of range, more clusters than (different) rows, or a value that is not finite.
    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<KMeans> {
        let rows = dataset.records().view();
        self.check(rows)?;
        let points = self.points(rows, dataset.feature_names())?;
        self.best(&points)
    }
}

fn start_stream(seed: u64, start: u64) -> Stream {
    Seed::new(seed).stream("k-means", start)
}

/// Centres in the units of the features, as the iteration wants them.
fn scaled(points: &Points, centres: &Array2<f64>) -> Centres {
    let mut rows = vec![0.0; centres.nrows() * points.stride];
    for (target, centre) in rows.chunks_exact_mut(points.stride).zip(centres.outer_iter()) {
        for ((target, &value), &mean) in target.iter_mut().zip(&centre).zip(&points.mean) {
            *target = (value - mean) * points.scale;
        }
    }
    Centres::new(rows, points.d, points.stride)
}

/// Back to the order of the table and the units of the features, with clusters in canonical order.
fn named(points: &Points, run: &Run, labels: &[u32], inertia: f64) -> KMeans {
    let k = run.centres.k;
    let mut sizes = vec![0; k];
    for &c in labels {
        sizes[c as usize] += 1;
    }
    let order = canonical_order(points, &run.centres, &sizes);
    let mut name = vec![0; k];
    order.iter().enumerate().for_each(|(position, &c)| name[c] = position + 1);
    let mut by_row = vec![0; points.n];
    for (&row, &c) in points.order.iter().zip(labels) {
        by_row[row as usize] = name[c as usize];
    }
    let centroids = Array2::from_shape_fn((k, points.d), |(c, j)| {
        points.mean[j] + run.centres.row(order[c])[j] / points.scale
    });
    KMeans {
        labels: by_row,
        centroids,
        inertia: inertia / points.scale / points.scale,
        n_iter: run.n_iter,
        converged: run.converged,
        sizes: order.iter().map(|&c| sizes[c]).collect(),
    }
}

/// Largest cluster first; equal sizes by the centre's place along the first principal component of the rows.
fn canonical_order(points: &Points, centres: &Centres, sizes: &[usize]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..centres.k).collect();
    order.sort_by_key(|&c| Reverse(sizes[c]));
    if order.windows(2).all(|pair| sizes[pair[0]] > sizes[pair[1]]) {
        return order;
    }
    let all = ArrayView2::from_shape((points.n, points.stride), &points.rows);
    let axis =
        all.map(|rows| first_component(Moments::of(rows).scatter.view())).unwrap_or_default();
    let place = |c: usize| centres.row(c).iter().zip(&axis).map(|(a, b)| a * b).sum::<f64>();
    order.sort_by(|&a, &b| {
        let by_value = || centres.row(a).iter().partial_cmp(centres.row(b));
        sizes[b]
            .cmp(&sizes[a])
            .then_with(|| place(b).total_cmp(&place(a)))
            .then_with(|| by_value().unwrap_or(Ordering::Equal))
    });
    order
}

#[cfg(test)]
mod tests;
