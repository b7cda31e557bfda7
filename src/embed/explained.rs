//! A standardized matrix in; how much each component explains, how sure that is, and how many components stand
//! above noise, out.

use linfa::DatasetBase;
use ndarray::{Array2, ArrayBase, ArrayView1, ArrayView2, Axis, Data, Ix2, s};
use rayon::prelude::*;

use super::pca::{Pca, not_finite, symmetric_eigen};
use crate::error::{Error, Result};
use crate::seed::{Seed, Stream};

/// Bootstrap resamples behind every interval.
const RESAMPLES: u64 = 200;
/// Larger tables are resampled in this many random groups of rows: the spread of smooth statistics is the same,
/// the work does not grow with the table.
const GROUPS: usize = 2000;
/// Components that are followed through the resamples; the rest of a wide table only enters its total.
const FOLLOWED: usize = 64;
/// Components whose loadings get intervals.
const LOADINGS: usize = 10;
/// Neighbours that swap places in more than this share of the resamples are called interchangeable ...
const SWAPS: f64 = 0.05;
/// ... and so are those whose variances may be equal: the 95th percentile of chi-squared with 2 degrees of freedom.
const EQUAL_VARIANCES: f64 = 5.991;
/// Random tables of the parallel analysis, fewer for wide tables (their eigenvalues vary less).
const PARALLEL_TABLES: std::ops::RangeInclusive<usize> = 20..=100;

/// One component: what it explains, and how sure that is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Explained {
    /// Variance along the component, divided by n - 1.
    pub eigenvalue: f64,
    /// Share of the total variance, from 0 to 1.
    pub share: f64,
    /// Share of this and all earlier components together.
    pub cumulative: f64,
    /// The 95 % bootstrap interval of the share.
    pub interval: (f64, f64),
    /// What the 95th percentile of tables without any structure reaches (parallel analysis), as a variance.
    pub noise: f64,
    /// Whether this component and the next one may have equal variances (likelihood ratio test at 5 %, Anderson
    /// 1963), or change places in more than 5 % of the resamples: then only the plane they span means
    /// something, not the single axes.
    pub interchangeable_with_next: bool,
}

/// The number of components to look at, by four rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopRules {
    /// Larger than the 95th percentile of random tables of the same size (Horn 1965): the default.
    pub parallel_analysis: usize,
    /// Larger than the pieces of a stick broken at random (Frontier 1976).
    pub broken_stick: usize,
    /// Above the largest eigenvalue that pure noise can have (Marchenko and Pastur 1967).
    pub marchenko_pastur: usize,
    /// The fewest that explain 80 % of the variance together.
    pub eighty_percent: usize,
    /// The fewest that explain 90 %.
    pub ninety_percent: usize,
}

/// How much the components of a table explain, with intervals from 200 bootstrap resamples of its rows.
///
/// ```
/// use ndarray::Array2;
/// use polariscope::embed::ExplainedVariance;
/// use polariscope::seed::Seed;
/// use polariscope::table::Features;
///
/// // Three columns that say the same thing, and one that does not.
/// let mut stream = Seed::new(1).stream("example", 0);
/// let mut table = Array2::zeros((100, 4));
/// for mut row in table.rows_mut() {
///     let size = stream.normal();
///     (0..3).for_each(|j| row[j] = size + 0.1 * stream.normal());
///     row[3] = stream.normal();
/// }
/// let features = Features::new(table, ["a", "b", "c", "d"])?;
/// let explained = ExplainedVariance::of(&features, 0)?;
/// let first = explained.components()[0];
/// assert!(first.interval.0 < 0.75 && 0.75 < first.interval.1);
/// assert_eq!(explained.stop_rules().parallel_analysis, 1);
/// assert!(explained.effective_features() < 2.1);
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # Determinism
/// Follows from the seed alone, on any number of threads.
#[derive(Debug, Clone)]
pub struct ExplainedVariance {
    components: Vec<Explained>,
    rules: StopRules,
    effective_features: f64,
    loadings: Array2<f64>,
    loadings_low: Array2<f64>,
    loadings_high: Array2<f64>,
    names: Vec<String>,
}

impl ExplainedVariance {
    /// Analyses `dataset`, shape `(n_rows, n_features)`, whose columns should be standardized. `seed` decides the resamples and
    /// the random tables.
    ///
    /// # Errors
    /// With fewer than 3 rows, no feature that varies, or a value that is not finite.
    ///
    /// # References
    /// J. L. Horn, *A rationale and test for the number of factors in factor analysis*, 1965; B. Efron and
    /// R. Tibshirani, *An Introduction to the Bootstrap*, 1993, section 7.2 (eigenvalues).
    pub fn of<D: Data<Elem = f64>, T>(
        dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
        seed: u64,
    ) -> Result<Self> {
        let rows = dataset.records().view();
        let (n, d) = rows.dim();
        if n < 3 || d == 0 {
            return Err(Error::data(format!(
                "explained variance needs at least 3 rows and 1 feature; found {n} and {d}"
            )));
        }
        let n_components = d.min(n - 1);
        let params = Pca::params(n_components.min(FOLLOWED));
        let pca = linfa::traits::Fit::fit(&params, dataset)?;
        if pca.total_variance() <= 0.0 {
            return Err(Error::data("no feature varies: there is no variance to explain"));
        }
        let deviations: Vec<f64> =
            rows.columns().into_iter().map(|c| deviation(c, n as f64)).collect();
        if deviations.iter().any(|v| !v.is_finite()) {
            return Err(not_finite(rows, dataset.feature_names()));
        }
        let seed = Seed::new(seed);
        let noise = parallel_analysis(n, &deviations, seed);
        let resamples = Resamples::draw(rows, &pca, seed);
        let eigenvalues = pca.eigenvalues().slice_move(s![..n_components]);
        let components = describe(eigenvalues, (n, pca.total_variance()), &noise, &resamples);
        let (loadings_low, loadings_high) = resamples.loadings_interval(&pca);
        Ok(Self {
            rules: stop_rules(&components, n, &deviations),
            effective_features: effective(&components),
            loadings: pca.components().slice(s![..loadings_low.nrows(), ..]).to_owned(),
            components,
            loadings_low,
            loadings_high,
            names: dataset.feature_names().to_vec(),
        })
    }

    /// All components, by falling variance.
    pub fn components(&self) -> &[Explained] {
        &self.components
    }

    /// How many components to look at.
    pub fn stop_rules(&self) -> StopRules {
        self.rules
    }

    /// How many independent features of equal weight would spread their variance like this: the exponential
    /// of the entropy of the shares, from 1 to the number of features.
    pub fn effective_features(&self) -> f64 {
        self.effective_features
    }

    /// Loadings of the first components (at most 10), shape `(n, n_features)`.
    pub fn loadings(&self) -> ArrayView2<'_, f64> {
        self.loadings.view()
    }

    /// Lower and upper ends of the 95 % intervals of [`loadings`](Self::loadings).
    pub fn loadings_interval(&self) -> (ArrayView2<'_, f64>, ArrayView2<'_, f64>) {
        (self.loadings_low.view(), self.loadings_high.view())
    }

    /// Names of the features, in the order of the loadings.
    pub fn feature_names(&self) -> &[String] {
        &self.names
    }
}

/// How well the axes of a map can be read as features: for each feature, the share of its variance that a linear
/// function of the map's coordinates explains, from 0 to 1 (0 for a constant feature).
///
/// The axes of UMAP and t-SNE have no explained variance; this is what can be said instead.
///
/// # Errors
/// When the map does not have one row per row of the features.
pub fn r_squared_on_map<D: Data<Elem = f64>, T>(
    dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
    coordinates: ArrayView2<'_, f64>,
) -> Result<Vec<f64>> {
    let rows = dataset.records();
    if rows.nrows() != coordinates.nrows() || rows.nrows() == 0 {
        let (found, wanted) = (coordinates.nrows(), rows.nrows());
        return Err(Error::data(format!("the map has {found} rows, the features have {wanted}")));
    }
    let n = rows.nrows() as f64;
    // The axes, made orthonormal; an axis that the others determine drops out.
    let mut axes: Vec<ndarray::Array1<f64>> = Vec::new();
    for column in coordinates.columns() {
        let mut axis = &column - column.sum() / n;
        let before = axis.dot(&axis);
        for earlier in &axes {
            let dot = earlier.dot(&axis);
            axis.scaled_add(-dot, earlier);
        }
        let left = axis.dot(&axis);
        if left > 1e-12 * before && left > 0.0 {
            axes.push(axis / left.sqrt());
        }
    }
    Ok(rows
        .columns()
        .into_iter()
        .map(|column| {
            let centred = &column - column.sum() / n;
            let total = centred.dot(&centred);
            let explained: f64 = axes.iter().map(|axis| axis.dot(&centred).powi(2)).sum();
            if total > 0.0 { (explained / total).min(1.0) } else { 0.0 }
        })
        .collect())
}

/// Standard deviation (n - 1), in two passes.
fn deviation(column: ArrayView1<'_, f64>, n: f64) -> f64 {
    let mean = column.sum() / n;
    (column.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0)).sqrt()
}

fn describe(
    eigenvalues: ArrayView1<'_, f64>,
    (n, total): (usize, f64),
    noise: &[f64],
    resamples: &Resamples,
) -> Vec<Explained> {
    let mut cumulative = 0.0;
    let may_be_equal = |i: usize| {
        i + 1 < eigenvalues.len() && {
            let (a, b) = (eigenvalues[i], eigenvalues[i + 1]);
            n as f64 * ((a + b).powi(2) / (4.0 * a * b)).ln() < EQUAL_VARIANCES
        }
    };
    eigenvalues
        .iter()
        .enumerate()
        .map(|(i, &eigenvalue)| {
            let share = eigenvalue / total;
            cumulative += share;
            Explained {
                eigenvalue,
                share,
                cumulative: cumulative.min(1.0),
                interval: resamples.share_interval(i, share),
                noise: noise.get(i).copied().unwrap_or(0.0),
                interchangeable_with_next: may_be_equal(i) || resamples.swap_share(i) > SWAPS,
            }
        })
        .collect()
}

fn stop_rules(components: &[Explained], n: usize, deviations: &[f64]) -> StopRules {
    let varying = deviations.iter().filter(|&&v| v > 0.0).count();
    let pieces = varying.min(n - 1);
    let leading = |keep: &dyn Fn(usize, &Explained) -> bool| {
        components.iter().enumerate().take_while(|&(i, c)| keep(i, c)).count()
    };
    let stick = |i: usize| (i + 1..=pieces).map(|j| 1.0 / j as f64).sum::<f64>() / pieces as f64;
    let mean = deviations.iter().map(|v| v * v).sum::<f64>() / varying as f64;
    let edge = mean * (1.0 + (varying as f64 / (n as f64 - 1.0)).sqrt()).powi(2);
    // Rounding may leave the last cumulative share just below 1.
    let reach =
        |share: f64| 1 + components.iter().take_while(|c| c.cumulative < share - 1e-12).count();
    StopRules {
        parallel_analysis: leading(&|_, c| c.eigenvalue > c.noise),
        broken_stick: leading(&|i, c| c.share > stick(i)),
        marchenko_pastur: leading(&|_, c| c.eigenvalue > edge),
        eighty_percent: reach(0.8).min(components.len()),
        ninety_percent: reach(0.9).min(components.len()),
    }
}

fn effective(components: &[Explained]) -> f64 {
    let shares = components.iter().map(|c| c.share).filter(|&s| s > 0.0);
    (-shares.map(|s| s * s.ln()).sum::<f64>()).exp()
}

/// The 95th percentiles of the eigenvalues of random tables with independent normal columns of these deviations.
///
/// The tables themselves are never drawn: their scatter is, from its Bartlett decomposition.
fn parallel_analysis(n: usize, deviations: &[f64], seed: Seed) -> Vec<f64> {
    let varying: Vec<f64> = deviations.iter().copied().filter(|&v| v > 0.0).collect();
    let side = varying.len().min(n - 1);
    // 1e8 / side³ tables take about a second.
    let tables =
        (100_000_000 / side.pow(3)).clamp(*PARALLEL_TABLES.start(), *PARALLEL_TABLES.end());
    let spectra: Vec<Vec<f64>> = (0..tables)
        .into_par_iter()
        .map(|table| {
            let mut stream = seed.stream("parallel analysis", table as u64);
            let root = random_root(n - 1, &varying, &mut stream);
            let products =
                if varying.len() <= side { root.dot(&root.t()) } else { root.t().dot(&root) };
            symmetric_eigen(products.view()).0.to_vec()
        })
        .collect();
    (0..side).map(|i| quantile(spectra.iter().map(|s| s[i]).collect(), 0.95)).collect()
}

/// A matrix `A`, shape `(columns, min(columns, freedom))`, such that `A Aᵀ` is distributed as the covariance of a random table
/// whose columns have exactly these deviations (Bartlett 1933).
fn random_root(freedom: usize, deviations: &[f64], stream: &mut Stream) -> Array2<f64> {
    let mut root = Array2::zeros((deviations.len(), deviations.len().min(freedom)));
    for (i, (mut row, &deviation)) in root.outer_iter_mut().zip(deviations).enumerate() {
        for (j, value) in row.iter_mut().enumerate().take(i + 1) {
            *value = if i == j { chi(freedom - i, stream) } else { stream.normal() };
        }
        let length = row.dot(&row).sqrt();
        row *= deviation / length.max(f64::MIN_POSITIVE);
    }
    root
}

/// The length of a vector of `freedom` standard normal numbers (Marsaglia and Tsang 2000 for its square).
fn chi(freedom: usize, stream: &mut Stream) -> f64 {
    if freedom < 4 {
        return (0..freedom).map(|_| stream.normal().powi(2)).sum::<f64>().sqrt();
    }
    let d = freedom as f64 / 2.0 - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = stream.normal();
        let v = (1.0 + c * x).powi(3);
        let u = stream.uniform();
        if v > 0.0 && u.ln() < 0.5 * x * x + d * (1.0 - v + v.ln()) {
            return (2.0 * d * v).sqrt();
        }
    }
}

/// The components of bootstrap resamples, seen from the components of the table.
struct Resamples {
    /// For each resample the shares of its components.
    shares: Vec<Vec<f64>>,
    /// For each resample its components as rows, in the basis of the table's components.
    turns: Vec<Array2<f64>>,
}

impl Resamples {
    fn draw(rows: ArrayView2<'_, f64>, pca: &Pca, seed: Seed) -> Self {
        let groups = Groups::new(rows, pca, seed);
        let drawn: Vec<(Vec<f64>, Array2<f64>)> = (0..RESAMPLES)
            .into_par_iter()
            .map(|b| groups.resample(&mut seed.stream("bootstrap", b)))
            .collect();
        let (shares, turns) = drawn.into_iter().unzip();
        Self { shares, turns }
    }

    /// The percentile interval of the share of component `i`, stretched to hold the share itself.
    fn share_interval(&self, i: usize, share: f64) -> (f64, f64) {
        if i >= self.turns[0].nrows() {
            return (
                0.0,
                share.max(self.shares.iter().map(|s| s[s.len() - 1]).fold(0.0, f64::max)),
            );
        }
        let values: Vec<f64> = self.shares.iter().map(|s| s[i]).collect();
        (quantile(values.clone(), 0.025).min(share), quantile(values, 0.975).max(share))
    }

    /// In which share of the resamples component `i` points more along the table's component `i + 1`.
    fn swap_share(&self, i: usize) -> f64 {
        if i + 1 >= self.turns[0].nrows() {
            return 0.0;
        }
        let swapped = |turn: &&Array2<f64>| turn[[i, i + 1]].abs() > turn[[i, i]].abs();
        self.turns.iter().filter(swapped).count() as f64 / self.turns.len() as f64
    }

    /// Percentile intervals of the loadings of the first components, signs aligned with the table's.
    fn loadings_interval(&self, pca: &Pca) -> (Array2<f64>, Array2<f64>) {
        let components = pca.components();
        let count = components.nrows().min(LOADINGS);
        let (mut low, mut high) = (
            Array2::zeros((count, components.ncols())),
            Array2::zeros((count, components.ncols())),
        );
        for i in 0..count {
            let resampled: Vec<ndarray::Array1<f64>> = self
                .turns
                .iter()
                .map(|turn| turn.row(i).dot(&components) * turn[[i, i]].signum())
                .collect();
            for j in 0..components.ncols() {
                let values: Vec<f64> = resampled.iter().map(|r| r[j]).collect();
                low[[i, j]] = quantile(values.clone(), 0.025);
                high[[i, j]] = quantile(values, 0.975);
            }
        }
        (low, high)
    }
}

/// The rows along the followed components, summed up by groups: what a resample adds with weights.
struct Groups {
    n_followed: usize,
    /// For each group: rows, sums of the coordinates, upper triangle of their products, sum of squares.
    sums: Array2<f64>,
}

impl Groups {
    fn new(rows: ArrayView2<'_, f64>, pca: &Pca, seed: Seed) -> Self {
        let r = pca.components().nrows();
        let width = 2 + r + r * (r + 1) / 2;
        let n = rows.nrows();
        let mut order: Vec<usize> = (0..n).collect();
        if n > GROUPS {
            seed.stream("groups of rows", 0).shuffle(&mut order);
        }
        let size = n.div_ceil(GROUPS);
        let coordinates = pca.coordinates();
        let coordinates = coordinates.as_slice().unwrap_or_default();
        let mean = pca.mean();
        let sums: Vec<Vec<f64>> = order
            .par_chunks(size)
            .map(|members| {
                let mut sums = vec![0.0; width];
                for &row in members {
                    let place = &coordinates[row * r..][..r];
                    sums[0] += 1.0;
                    let mut at = 1 + r;
                    for i in 0..r {
                        sums[1 + i] += place[i];
                        let products = sums[at..at + r - i].iter_mut().zip(&place[i..]);
                        products.for_each(|(sum, v)| *sum += place[i] * v);
                        at += r - i;
                    }
                    for (x, m) in rows.row(row).iter().zip(mean) {
                        sums[at] += (x - m) * (x - m);
                    }
                }
                sums
            })
            .collect();
        let count = sums.len();
        let sums = Array2::from_shape_vec((count, width), sums.concat()).unwrap_or_default();
        Self { n_followed: r, sums }
    }

    /// The shares and components of as many groups as there are, drawn with replacement.
    fn resample(&self, stream: &mut Stream) -> (Vec<f64>, Array2<f64>) {
        let count = self.sums.nrows();
        let mut weights = vec![0u32; count];
        (0..count).for_each(|_| weights[stream.below(count)] += 1);
        let mut total = vec![0.0; self.sums.ncols()];
        for (&weight, sums) in weights.iter().zip(self.sums.axis_iter(Axis(0))) {
            if let (true, Some(sums)) = (weight > 0, sums.as_slice()) {
                let weight = f64::from(weight);
                total.iter_mut().zip(sums).for_each(|(t, s)| *t += weight * s);
            }
        }
        let (n, r) = (total[0], self.n_followed);
        let mean: Vec<f64> = total[1..=r].iter().map(|s| s / n).collect();
        let triangle = &total[1 + r..];
        let scatter = Array2::from_shape_fn((r, r), |(i, j)| {
            let (i, j) = (i.min(j), i.max(j));
            triangle[i * (2 * r - i + 1) / 2 + j - i] - n * mean[i] * mean[j]
        });
        // The mean moves only within the followed components as far as shares can show it.
        let all = total[total.len() - 1] - n * mean.iter().map(|m| m * m).sum::<f64>();
        let (values, vectors) = symmetric_eigen(scatter.view());
        let shares = values.iter().map(|v| if all > 0.0 { (v / all).min(1.0) } else { 0.0 });
        (shares.collect(), vectors)
    }
}

/// The quantile by linear interpolation (numpy's default).
fn quantile(mut values: Vec<f64>, q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = q * (values.len() - 1) as f64;
    let (low, share) = (place.floor() as usize, place.fract());
    let high = values[(low + 1).min(values.len() - 1)];
    values[low] + share * (high - values[low])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::Moments;

    /// Independent columns with these deviations, then mixed by nothing: the components are the columns.
    fn table(n: usize, deviations: &[f64], seed: u64) -> Array2<f64> {
        let mut stream = Seed::new(seed).stream("explained", 0);
        Array2::from_shape_fn((n, deviations.len()), |(_, j)| deviations[j] * stream.normal())
    }

    fn of(rows: &Array2<f64>) -> Result<ExplainedVariance> {
        ExplainedVariance::of(&DatasetBase::from(rows.view()), 0)
    }

    #[test]
    fn noise_has_no_component_above_noise() {
        let mut above = 0;
        for seed in 0..20 {
            let found = of(&table(150, &[1.0; 8], seed)).unwrap();
            above += usize::from(found.stop_rules().parallel_analysis > 0);
            assert!(found.effective_features() > 7.0);
        }
        // 5 % are expected; four of twenty has a chance of 1 in 60.
        assert!(above <= 4, "{above}");
    }

    #[test]
    fn parallel_analysis_agrees_with_drawn_tables() {
        let (n, d) = (60, 6);
        let fast = parallel_analysis(n, &[1.0; 6], Seed::new(1));
        let mut spectra = vec![Vec::new(); d];
        for seed in 0..300 {
            let rows = table(n, &[1.0; 6], seed);
            let moments = Moments::of(rows.view());
            let correlation = Array2::from_shape_fn((d, d), |(i, j)| {
                let s = &moments.scatter;
                s[[i, j]] / (s[[i, i]] * s[[j, j]]).sqrt()
            });
            let values = symmetric_eigen(correlation.view()).0;
            spectra.iter_mut().zip(&values).for_each(|(s, &v)| s.push(v));
        }
        for (fast, drawn) in fast.iter().zip(spectra) {
            assert!((fast - quantile(drawn, 0.95)).abs() < 0.06);
        }
    }

    #[test]
    fn intervals_hold_the_truth_and_narrow_with_rows() {
        let deviations = [3.0, 2.0, 1.0, 1.0, 0.5];
        let truth = 9.0 / 15.25;
        let width = |n: usize| {
            let mut hits = 0;
            let mut width = 0.0;
            for seed in 0..20 {
                let found = of(&table(n, &deviations, seed)).unwrap().components()[0];
                hits += usize::from(found.interval.0 <= truth && truth <= found.interval.1);
                width += found.interval.1 - found.interval.0;
            }
            assert!(hits >= 16, "{n} rows: {hits} of 20");
            width / 20.0
        };
        let (few, many, grouped) = (width(100), width(1600), width(6400));
        assert!((few / many - 4.0).abs() < 0.8, "{few} {many}");
        assert!((many / grouped - 2.0).abs() < 0.4, "{many} {grouped}");
    }

    #[test]
    fn equal_components_are_interchangeable_and_distinct_ones_are_not() {
        let found = of(&table(400, &[3.0, 1.0, 1.0], 3)).unwrap();
        let flags: Vec<bool> =
            found.components().iter().map(|c| c.interchangeable_with_next).collect();
        assert_eq!(flags, [false, true, false]);
        let (low, high) = found.loadings_interval();
        assert!(low[[0, 0]] > 0.9 && high[[0, 0]] <= 1.0 + 1e-12);
        assert!(high[[1, 1]] - low[[1, 1]] > 0.3);
    }

    #[test]
    fn wide_tables_and_constant_columns() {
        let mut rows = table(12, &[1.0; 100], 5);
        rows.column_mut(7).fill(3.0);
        let found = of(&rows).unwrap();
        assert_eq!(found.components().len(), 11);
        assert!((found.components()[10].cumulative - 1.0).abs() < 1e-9);
        assert!(found.components().iter().all(|c| c.share.is_finite() && c.noise.is_finite()));
        let found = of(&table(300, &[1.0; 80], 6)).unwrap();
        assert_eq!((found.components().len(), found.loadings().dim()), (80, (10, 80)));
        assert!(of(&Array2::zeros((5, 2))).is_err() && of(&table(2, &[1.0], 1)).is_err());
    }

    #[test]
    fn features_on_a_map() {
        let map = table(200, &[1.0, 1.0], 8);
        let mut rows = Array2::zeros((200, 3));
        rows.column_mut(0).assign(&(&map.column(0) * 2.0 - map.column(1)));
        rows.column_mut(1).assign(&table(200, &[1.0], 9).column(0));
        let data = DatasetBase::from(rows.view());
        let found = r_squared_on_map(&data, map.view()).unwrap();
        assert!((found[0] - 1.0).abs() < 1e-12 && found[1] < 0.05 && found[2] == 0.0, "{found:?}");
        assert!(r_squared_on_map(&data, map.slice(s![..3, ..])).is_err());
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let rows = table(5000, &[2.0, 1.0, 1.0, 0.3], 10);
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let found = pool.install(|| of(&rows)).unwrap();
            (found.components().to_vec(), found.loadings_low)
        };
        assert_eq!(on(1), on(7));
    }
}
