//! Enter several maps of the same objects; leaves the scale at which they agree, and the objects that move.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use serde::Serialize;

use super::Interval;
use crate::embed::{MOST_AXES, nearest_on_map, procrustes};
use crate::error::{Error, Result};
use crate::kernels::nearest_rows::{Gap, Rows};
use crate::kernels::ranks::Columns;
use crate::seed::Seed;

/// Objects whose whole ranking of neighbours is compared; an even spread of more changes the curves
/// by less than their jackknife intervals.
const MAX_SAMPLED_OBJECTS: usize = 400;
/// Above chance, at least half of a neighbourhood must return for a scale to count as repeatable.
const REPEATABLE: f64 = 0.5;
/// Neighbourhoods for single objects are not taken larger than this, to keep the cost per object flat.
const MAX_OBJECT_SCALE: usize = 100;
/// Sampled objects are counted in blocks of this size, so that the work splits the same everywhere.
const BLOCK: usize = 8;

/// How far several maps of the same objects show the same thing.
#[derive(Debug, Clone, Serialize)]
pub struct MapStability {
    /// Number of maps compared.
    pub n_runs: usize,
    /// Repeatability and faithfulness over neighbourhood sizes, small to large.
    pub curve: Vec<ScalePoint>,
    /// The sizes of groups that keep their place; `None` when no size does.
    pub resolution: Option<Resolution>,
    /// Procrustes disparity of every run to the medoid run, 0 = same picture: the median.
    pub procrustes_median: f64,
    /// The largest of these disparities.
    pub procrustes_worst: f64,
    /// The run that agrees best with all others: the one to show.
    pub medoid: usize,
    /// Neighbourhood size at which single objects are judged.
    pub object_scale: usize,
    /// Per object, in row order: chance-corrected share of its neighbourhood that returns, at `object_scale`.
    #[serde(skip)]
    pub objects: Vec<f64>,
    /// Number of objects that do not keep their place: less than half their neighbourhood returns.
    pub n_moving: usize,
    /// Number of objects whose whole ranking was compared; all of them in small tables.
    pub n_sampled: usize,
}

/// One neighbourhood size on the curves.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ScalePoint {
    /// Neighbourhood size K.
    pub k: usize,
    /// R_NX(K) between pairs of runs: 1 = the same neighbours in every run, 0 = as by chance.
    pub repeatability: Interval,
    /// R_NX(K) between the runs and feature space.
    pub faithfulness: f64,
}

/// The band of neighbourhood sizes at which runs repeat each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Resolution {
    /// Groups of about this many objects and larger keep their place.
    pub from: usize,
    /// The largest size that was seen to repeat.
    pub to: usize,
}

impl MapStability {
    /// Compares `runs`, each of shape `(n_rows, n_components)`, with each other and with `features`,
    /// the scaled matrix they are maps of.
    ///
    /// Repeatability at K is the rescaled neighbourhood overlap R_NX(K) = ((n-1) Q(K) - K) / (n-1-K)
    /// (Lee, Peluffo-Ordonez and Verleysen, *Multi-scale similarities in stochastic neighbour
    /// embedding*, 2015, eq. 7) with Q the mean overlap of K-neighbourhoods.
    ///
    /// # Errors
    /// Fewer than two runs, fewer than four rows, runs of differing shapes or of more than 64 columns.
    ///
    /// # Determinism
    /// Counts are integers; the sampled objects depend on `seed` alone.
    pub fn of(runs: &[Array2<f64>], features: ArrayView2<f64>, seed: u64) -> Result<Self> {
        let n = features.nrows();
        if runs.len() < 2 {
            return Err(Error::parameter("runs", runs.len(), "at least 2 to compare"));
        }
        if n < 4 {
            return Err(Error::data(format!("{n} rows: comparing maps takes at least 4")));
        }
        if let Some(run) = runs.iter().find(|run| run.nrows() != n) {
            return Err(Error::data(format!("a map of {} rows, the table has {n}", run.nrows())));
        }
        if let Some(run) = runs.iter().find(|run| run.ncols() > MOST_AXES) {
            let columns = run.ncols();
            return Err(Error::data(format!("a map of {columns} columns: at most {MOST_AXES}")));
        }
        let sampled = Seed::new(seed).stream("map stability", 0).sample(n, MAX_SAMPLED_OBJECTS);
        let scales = Scales::up_to(n / 2);
        let maps: Vec<ArrayView2<f64>> = runs.iter().map(ndarray::ArrayBase::view).collect();
        let overlaps = Overlaps::count(&maps, features, &sampled, &scales);
        let n_runs = runs.len();
        let curve: Vec<ScalePoint> = (0..scales.sizes.len())
            .map(|size| ScalePoint {
                k: scales.sizes[size],
                repeatability: Interval::of_runs(&overlaps.with_others(size)),
                faithfulness: overlaps.with_features(size),
            })
            .collect();
        let medoid = overlaps.medoid();
        let disparities = disparities(runs, medoid)?;
        let object_scale = best_scale(&curve);
        let objects = object_overlaps(runs, object_scale);
        Ok(Self {
            n_runs,
            resolution: resolution(&curve),
            curve,
            procrustes_median: disparities[disparities.len() / 2],
            procrustes_worst: disparities[disparities.len() - 1],
            medoid,
            object_scale,
            n_moving: objects.iter().filter(|&&s| s < REPEATABLE).count(),
            objects,
            n_sampled: sampled.len(),
        })
    }
}

/// The chance-corrected share of the `k` nearest neighbours that two maps of the same objects have in common,
/// R_NX(k), over a fixed sample of their objects.
///
/// # Errors
/// When the maps differ in their number of rows, or k is not from 1 to n - 2.
pub fn shared_neighbors(
    a: ArrayView2<'_, f64>,
    b: ArrayView2<'_, f64>,
    k: usize,
    seed: u64,
) -> Result<f64> {
    let n = a.nrows();
    if n != b.nrows() {
        return Err(Error::data(format!("maps of {n} and {} rows", b.nrows())));
    }
    if k == 0 || k + 2 > n {
        return Err(Error::parameter("k", k, format!("1 to {}", n.saturating_sub(2))));
    }
    let sampled = Seed::new(seed).stream("map stability", 0).sample(n, MAX_SAMPLED_OBJECTS);
    let scales = Scales { sizes: vec![k] };
    Ok(Overlaps::count(&[a], b, &sampled, &scales).with_features(0))
}

/// The first repeatable size and the end of the stretch that begins there.
fn resolution(curve: &[ScalePoint]) -> Option<Resolution> {
    let repeats = |p: &&ScalePoint| p.repeatability.value >= REPEATABLE;
    let first = curve.iter().position(|p| repeats(&p))?;
    let last = curve[first..].iter().take_while(repeats).last()?;
    Some(Resolution { from: curve[first].k, to: last.k })
}

/// The most repeatable size at which single objects can be judged.
fn best_scale(curve: &[ScalePoint]) -> usize {
    curve
        .iter()
        .filter(|p| p.k <= MAX_OBJECT_SCALE)
        .max_by(|a, b| a.repeatability.value.total_cmp(&b.repeatability.value))
        .map_or(1, |p| p.k)
}

/// Procrustes disparities of all runs to the medoid run, ascending.
fn disparities(runs: &[Array2<f64>], medoid: usize) -> Result<Vec<f64>> {
    let mut disparities: Vec<f64> = (0..runs.len())
        .filter(|&run| run != medoid)
        .map(|run| Ok(procrustes(runs[medoid].view(), runs[run].view())?.disparity))
        .collect::<Result<_>>()?;
    disparities.sort_by(f64::total_cmp);
    Ok(disparities)
}

/// For each object, the chance-corrected share of its `k`-neighbourhood that two runs have in common,
/// averaged over all pairs of runs.
fn object_overlaps(runs: &[Array2<f64>], k: usize) -> Vec<f64> {
    let maps: Vec<Array2<u32>> = runs.iter().map(|run| nearest_on_map(run.view(), k)).collect();
    let n_pairs = (runs.len() * (runs.len() - 1) / 2) as f64;
    let chance = k as f64;
    let n_rows = runs[0].nrows();
    (0..n_rows)
        .into_par_iter()
        .map_init(
            || vec![0u32; n_rows],
            |holders, row| {
                let neighbors = || maps.iter().flat_map(|map| map.row(row));
                // Who comes to those who already hold a neighbour makes one more pair with each of them.
                let mut pairs_in_common = 0;
                for &neighbor in neighbors() {
                    pairs_in_common += holders[neighbor as usize];
                    holders[neighbor as usize] += 1;
                }
                neighbors().for_each(|&neighbor| holders[neighbor as usize] = 0);
                let overlap = f64::from(pairs_in_common) / (n_pairs * chance);
                ((n_rows as f64 - 1.0) * overlap - chance) / (n_rows as f64 - 1.0 - chance)
            },
        )
        .collect()
}

/// Neighbourhood sizes on a logarithmic grid.
struct Scales {
    sizes: Vec<usize>,
}

impl Scales {
    fn up_to(largest: usize) -> Self {
        let mut sizes = vec![1];
        let mut next = 1.0f64;
        while *sizes.last().unwrap_or(&1) < largest {
            next *= 1.25;
            let size = (next.round() as usize).min(largest);
            if size > *sizes.last().unwrap_or(&0) {
                sizes.push(size);
            }
        }
        Self { sizes }
    }

    /// The objects by their distance to `query`, roughly: the first of them, as many as any of the sizes, are its
    /// neighbourhood of that size. Ties go to the smaller index; the query itself comes last.
    ///
    /// Objects are counted in bins of distance; only in bins where one size ends and the next begins are they sorted.
    fn order(&self, space: &Space, query: usize, desk: &mut Desk, order: &mut Vec<u32>) {
        space.distances(query, desk);
        let most = desk.distances.iter().copied().fold(0, u32::max);
        desk.distances[query] = u32::MAX;
        let least = desk.distances.iter().copied().fold(u32::MAX, u32::min);
        let last = desk.counts.len() - 1;
        let width = u32::BITS - (most - least).leading_zeros();
        let shift = width.saturating_sub(last.ilog2());
        let bin = |distance: u32| (((distance - least) >> shift) as usize).min(last);
        desk.counts.fill(0);
        desk.distances.iter().for_each(|&distance| desk.counts[bin(distance)] += 1);
        let (mut rank, mut level) = (0, 0);
        for (count, bin_level) in desk.counts.iter_mut().zip(&mut desk.levels) {
            let end = rank + *count as usize;
            // The first size that holds the bin's first object.
            while level < self.sizes.len() && self.sizes[level] <= rank {
                level += 1;
            }
            let is_split = self.sizes.get(level).is_some_and(|&size| size < end);
            *bin_level = if is_split { SPLIT } else { level as u8 };
            *count = rank as u32;
            rank = end;
        }
        order.resize(rank, 0);
        let mut next: Vec<usize> = [0].iter().chain(&self.sizes).copied().collect();
        let mut put = |level: usize, object: u32| {
            order[next[level]] = object;
            next[level] += 1;
        };
        desk.split.clear();
        for (object, &distance) in (0..).zip(&desk.distances) {
            match desk.levels[bin(distance)] {
                SPLIT => desk.split.push((distance, object)),
                level => put(usize::from(level), object),
            }
        }
        desk.split.sort_unstable();
        for equal in desk.split.chunk_by(|a, b| bin(a.0) == bin(b.0)) {
            let first = desk.counts[bin(equal[0].0)] as usize;
            for (rank, &(_, object)) in (first..).zip(equal) {
                put(self.sizes.partition_point(|&size| size <= rank), object);
            }
        }
    }
}

/// The mark of a bin whose objects do not all enter at the same size; there are never so many sizes.
const SPLIT: u8 = u8::MAX;
/// Objects for one bin: more bins would not stay in the cache, fewer leave more objects to be sorted.
const OBJECTS_PER_BIN: usize = 4;

/// Room for the ranks of one query.
struct Desk {
    squares: Vec<f64>,
    /// Squared distances, as bits that sort as they do.
    distances: Vec<u32>,
    /// Objects in each bin, then those in the bins before it; the last bin is the query's.
    counts: Vec<u32>,
    levels: Vec<u8>,
    split: Vec<(u32, u32)>,
}

impl Desk {
    fn of(n_rows: usize) -> Self {
        let n_bins = n_rows.div_ceil(OBJECTS_PER_BIN).next_power_of_two() + 1;
        Self {
            squares: Vec::new(),
            distances: Vec::with_capacity(n_rows),
            counts: vec![0; n_bins],
            levels: vec![0; n_bins],
            split: Vec::new(),
        }
    }
}

/// The points of a map or of the features, row by row and column by column.
struct Space {
    values: Vec<f64>,
    width: usize,
    columns: Columns,
}

impl Space {
    fn of(points: &ArrayView2<'_, f64>) -> Self {
        let (values, width) = (points.iter().copied().collect::<Vec<_>>(), points.ncols());
        let columns = Columns::new(Rows { values: &values, width }, Gap::Squared);
        Self { values, width, columns }
    }

    /// Squared distances of all rows to one.
    fn distances(&self, query: usize, desk: &mut Desk) {
        self.columns.measure(&self.values[query * self.width..][..self.width], &mut desk.squares);
        desk.distances.clear();
        // Bits of a non-negative float sort as the float does.
        desk.distances.extend(desk.squares.iter().map(|&squared| (squared as f32).to_bits()));
    }
}

/// Neighbours that a run shares with other runs, and all runs with feature space, by size.
struct Overlaps {
    n_runs: usize,
    n_rows: usize,
    n_sampled: usize,
    sizes: Vec<usize>,
    /// `[size][run]`, over all other runs; last what all runs share with feature space.
    shared: Vec<Vec<u64>>,
}

impl Overlaps {
    fn count(
        runs: &[ArrayView2<'_, f64>],
        features: ArrayView2<'_, f64>,
        sampled: &[usize],
        scales: &Scales,
    ) -> Self {
        let (n_runs, n_rows, n_sizes) = (runs.len(), features.nrows(), scales.sizes.len());
        let spaces: Vec<Space> = runs.iter().map(Space::of).chain([Space::of(&features)]).collect();
        let zero = || vec![0u64; n_sizes * (n_runs + 1)];
        let counts = sampled
            .par_chunks(BLOCK)
            .map(|block| {
                let mut counts = zero();
                let mut orders = vec![Vec::new(); n_runs + 1];
                let mut desk = Desk::of(n_rows);
                for &query in block {
                    for (space, order) in spaces.iter().zip(&mut orders) {
                        scales.order(space, query, &mut desk, order);
                    }
                    count_shared(&orders, n_rows, &scales.sizes, &mut counts);
                }
                counts
            })
            .reduce(zero, |mut a, b| {
                a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
                a
            });
        Self {
            n_runs,
            n_rows,
            n_sampled: sampled.len(),
            sizes: scales.sizes.clone(),
            shared: counts.chunks(n_runs + 1).map(<[u64]>::to_vec).collect(),
        }
    }

    /// The sum of R_NX over `n_pairs` pairs of spaces that share so many neighbours.
    fn r_nx(&self, shared: u64, n_pairs: usize, size: usize) -> f64 {
        let k = self.sizes[size] as f64;
        let overlap = shared as f64 / (self.n_sampled as f64 * k);
        let others = self.n_rows as f64 - 1.0;
        (others * overlap - n_pairs as f64 * k) / (others - k)
    }

    /// For each run, the sum of R_NX over the pairs with all other runs.
    fn with_others(&self, size: usize) -> Vec<f64> {
        let shared = &self.shared[size][..self.n_runs];
        shared.iter().map(|&shared| self.r_nx(shared, self.n_runs - 1, size)).collect()
    }

    /// The mean R_NX of the runs with feature space.
    fn with_features(&self, size: usize) -> f64 {
        self.r_nx(self.shared[size][self.n_runs], self.n_runs, size) / self.n_runs as f64
    }

    /// The run with the highest mean R_NX to all others over all sizes.
    fn medoid(&self) -> usize {
        let mut scores = vec![0.0; self.n_runs];
        for size in 0..self.sizes.len() {
            scores.iter_mut().zip(self.with_others(size)).for_each(|(sum, r_nx)| *sum += r_nx);
        }
        (0..self.n_runs).fold(0, |best, run| if scores[run] > scores[best] { run } else { best })
    }
}

/// Adds, for each size and run, the neighbours that the run shares with the other runs, and what all runs share with
/// the last order, of feature space: an object that c runs hold is shared by each of them with c - 1 others.
fn count_shared(orders: &[Vec<u32>], n_rows: usize, sizes: &[usize], counts: &mut [u64]) {
    let n_runs = orders.len() - 1;
    let mut holders = vec![0u32; n_rows];
    let mut before = 0;
    for (&size, counts) in sizes.iter().zip(counts.chunks_exact_mut(n_runs + 1)) {
        for order in &orders[..n_runs] {
            order[before..size].iter().for_each(|&object| holders[object as usize] += 1);
        }
        for (order, count) in orders.iter().zip(&mut *counts) {
            let held = order[..size].iter().map(|&object| u64::from(holders[object as usize]));
            *count += held.sum::<u64>();
        }
        // Each run was counted with itself.
        counts[..n_runs].iter_mut().for_each(|count| *count -= size as u64);
        before = size;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn cloud(seed: u64, n: usize, d: usize) -> Array2<f64> {
        let mut stream = Seed::new(seed).stream("test", 0);
        Array2::from_shape_simple_fn((n, d), || stream.normal())
    }

    /// R_NX by sorting everything, pair by pair.
    fn slow_r_nx(a: &Array2<f64>, b: &Array2<f64>, k: usize) -> f64 {
        let n = a.nrows();
        let near = |m: &Array2<f64>, i: usize| {
            let mut others: Vec<(f64, usize)> = (0..n)
                .filter(|&j| j != i)
                .map(|j| ((&m.row(i) - &m.row(j)).mapv(|v| v * v).sum(), j))
                .collect();
            others.sort_by(|x, y| x.partial_cmp(y).unwrap());
            others[..k].iter().map(|o| o.1).collect::<Vec<_>>()
        };
        let common: usize = (0..n)
            .map(|i| {
                let theirs = near(b, i);
                near(a, i).iter().filter(|j| theirs.contains(j)).count()
            })
            .sum();
        let q = common as f64 / (n * k) as f64;
        ((n as f64 - 1.0) * q - k as f64) / (n as f64 - 1.0 - k as f64)
    }

    #[test]
    fn the_curve_equals_the_slow_formula() {
        let runs = [cloud(1, 60, 2), cloud(1, 60, 2) * 2.0 + &(cloud(2, 60, 2) * 0.3)];
        let features = cloud(3, 60, 5);
        let stability = MapStability::of(&runs, features.view(), 0).unwrap();
        for point in &stability.curve {
            let slow = slow_r_nx(&runs[0], &runs[1], point.k);
            assert!((point.repeatability.value - slow).abs() < 1e-12, "{point:?} {slow}");
            let faith = f64::midpoint(
                slow_r_nx(&runs[0], &features, point.k),
                slow_r_nx(&runs[1], &features, point.k),
            );
            assert!((point.faithfulness - faith).abs() < 1e-12);
        }
    }

    #[test]
    fn too_many_columns_are_refused() {
        let wide = cloud(1, 20, MOST_AXES + 1);
        let error = MapStability::of(&[wide.clone(), wide.clone()], wide.view(), 0).unwrap_err();
        assert_eq!(error.to_string(), "a map of 65 columns: at most 64");
    }

    #[test]
    fn equal_runs_repeat_and_unrelated_runs_do_not() {
        let map = cloud(1, 80, 2);
        let same =
            MapStability::of(&[map.clone(), map.clone(), map.clone()], map.view(), 0).unwrap();
        assert_eq!(same.resolution.map(|r| r.from), Some(1));
        assert_eq!((same.n_moving, same.procrustes_worst < 1e-9), (0, true));

        let unrelated: Vec<_> = (0..4).map(|seed| cloud(10 + seed, 80, 2)).collect();
        let chance = MapStability::of(&unrelated, map.view(), 0).unwrap();
        assert_eq!(chance.resolution, None);
        assert!(chance.n_moving > 70 && chance.procrustes_median > 0.5);
    }
}
