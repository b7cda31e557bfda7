//! Growing one tree on binned rows: integer counts in, an exact and thread-free tree out.

use std::cmp::Ordering;
use std::ops::{AddAssign, Sub, SubAssign};

use super::bins::Bins;
use super::tree::{MAX_DEPTH, Tree};
use crate::seed::{Seed, mix};

/// A training row in a node: where it is, its class, how often the bootstrap drew it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub row: u32,
    pub class: u16,
    pub weight: u16,
}

/// What a tree learns: sums per bin, the worth of a split, and the outputs of a leaf.
///
/// Sums are integers, so that they are the same in whatever order rows are added.
pub(crate) trait Target: Sync {
    type Sum: Copy + Default + AddAssign + SubAssign + Sub<Output = Self::Sum>;

    /// Numbers per bin.
    fn width(&self) -> usize;
    /// Adds a row to a bin of a histogram, `width` numbers each.
    fn add(&self, histogram: &mut [Self::Sum], bin: usize, sample: Sample);
    /// Weight of the rows in the sums.
    fn weight(&self, sums: &[Self::Sum]) -> u64;
    /// Nothing is left to separate.
    fn is_pure(&self, sums: &[Self::Sum], samples: &[Sample]) -> bool;
    /// A bit for each class that occurs; all bits where classes are too many or the target is no class.
    fn occurring(&self, sums: &[Self::Sum]) -> u64;
    /// Higher is better; the sum of this over two children minus that of the parent is the gain.
    fn purity(&self, sums: &[Self::Sum]) -> f64;
    /// The purity of two children of these weights together.
    fn worth(&self, [left, right]: [&[Self::Sum]; 2], _weights: [u64; 2]) -> Worth {
        Worth::rounded(self.purity(left) + self.purity(right))
    }
    /// Cover of a node: its weight, class weights included.
    fn cover(&self, sums: &[Self::Sum]) -> f64;
    fn n_outputs(&self) -> usize;
    fn push_outputs(&self, sums: &[Self::Sum], samples: &[Sample], outputs: &mut Vec<f64>);
}

/// The worth of a split as a fraction, so that equal ones are found equal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Worth {
    pub top: u64,
    pub bottom: u64,
}

impl Worth {
    /// Less than any split's.
    const NONE: Self = Self { top: 0, bottom: 1 };

    /// A non-negative number that is no exact fraction; its bits sort as it does.
    pub fn rounded(worth: f64) -> Self {
        Self { top: worth.to_bits(), bottom: 1 }
    }

    fn compare(self, other: Self) -> Ordering {
        let cross = |a: Self, b: Self| u128::from(a.top) * u128::from(b.bottom);
        cross(self, other).cmp(&cross(other, self))
    }
}

/// How large a tree may grow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub max_depth: Option<usize>,
    pub min_samples_leaf: usize,
    pub max_features: usize,
}

/// A tree with the impurity, times weight, that each feature took away.
pub(crate) struct Grown {
    pub tree: Tree,
    pub importances: Vec<f64>,
}

/// Features whose histograms are filled side by side.
const ABREAST: usize = 4;
/// Bins of a histogram: all that a byte tells apart.
const N_BINS: usize = 256;
/// Rows below which a bit is set for the bin of each; for more, bytes are set and made bits in the end.
const FEW: usize = 64;

/// A node that waits to be split.
struct Task {
    node: usize,
    start: usize,
    end: usize,
    depth: usize,
    /// Identifies the way from the root; random draws depend on it and on nothing else.
    path: u64,
}

/// The best split found so far in a node.
struct Best<S> {
    feature: usize,
    /// The last bin of the left side and the first of the right that have rows.
    bins: (u8, u8),
    worth: Worth,
    left: Vec<S>,
}

impl<S> Best<S> {
    fn is_some(&self) -> bool {
        self.feature < usize::MAX
    }
}

impl<S: Copy> Best<S> {
    /// Takes a cut if it beats the best so far; of equal ones the lower feature, then the lower bin wins.
    #[inline]
    fn consider<T: Target<Sum = S>>(
        &mut self,
        target: &T,
        feature: usize,
        bins: (u8, u8),
        sides: [&[S]; 2],
        weights: [u64; 2],
    ) {
        let worth = target.worth(sides, weights);
        let order = worth.compare(self.worth);
        if order.is_gt() || (order.is_eq() && feature < self.feature) {
            self.feature = feature;
            self.bins = bins;
            self.worth = worth;
            self.left.copy_from_slice(sides[0]);
        }
    }
}

struct Grower<'a, T: Target> {
    bins: &'a Bins,
    target: &'a T,
    limits: Limits,
    samples: Vec<Sample>,
    /// Room for the rows that go right.
    moved: Vec<Sample>,
    features: Vec<u16>,
    /// Histograms of features that are tried together; all zero between scans.
    histogram: Vec<T::Sum>,
    /// Sums of the nodes that wait, `width` each, in the order of the tasks.
    waiting: Vec<T::Sum>,
    /// Sums of the node at work, and of both sides of a cut.
    sums: Vec<T::Sum>,
    left: Vec<T::Sum>,
    right: Vec<T::Sum>,
    best: Best<T::Sum>,
    grown: Grown,
}

/// Grows a tree on `samples`, drawing candidate features from the streams of `seed`.
pub(crate) fn grow<T: Target>(
    bins: &Bins,
    target: &T,
    limits: Limits,
    samples: Vec<Sample>,
    seed: Seed,
) -> Grown {
    let zeros = vec![T::Sum::default(); target.width()];
    let mut grower = Grower {
        bins,
        target,
        limits,
        moved: samples.clone(),
        features: vec![0; bins.n_features()],
        histogram: zeros.repeat(N_BINS * ABREAST),
        waiting: zeros.clone(),
        sums: zeros.clone(),
        left: zeros.clone(),
        right: zeros.clone(),
        best: Best { feature: usize::MAX, bins: (0, 0), worth: Worth::NONE, left: zeros },
        grown: Grown { tree: Tree::sprout(), importances: vec![0.0; bins.n_features()] },
        samples,
    };
    grower.run(seed.value());
    grower.grown
}

impl<T: Target> Grower<'_, T> {
    fn run(&mut self, path: u64) {
        for &sample in &self.samples {
            self.target.add(&mut self.waiting, 0, sample);
        }
        let end = self.samples.len();
        let mut tasks = vec![Task { node: 0, start: 0, end, depth: 0, path }];
        while let Some(task) = tasks.pop() {
            let others = self.waiting.len() - self.target.width();
            self.sums.copy_from_slice(&self.waiting[others..]);
            self.waiting.truncate(others);
            self.grown.tree.cover[task.node] = self.target.cover(&self.sums);
            self.find_best(&task);
            if self.best.is_some() {
                tasks.extend(self.divide(&task));
            } else {
                self.finish_leaf(&task);
            }
        }
    }

    fn finish_leaf(&mut self, task: &Task) {
        let tree = &mut self.grown.tree;
        tree.end(task.node, self.target.n_outputs());
        let samples = &self.samples[task.start..task.end];
        self.target.push_outputs(&self.sums, samples, &mut tree.values);
    }

    /// The best cut over a random subset of the features, going on until one can be cut at all.
    fn find_best(&mut self, task: &Task) {
        self.best.feature = usize::MAX;
        self.best.worth = Worth::NONE;
        let max_depth = self.limits.max_depth.unwrap_or(MAX_DEPTH).min(MAX_DEPTH);
        if task.depth >= max_depth
            || self.target.weight(&self.sums) < 2 * self.limits.min_samples_leaf as u64
            || self.target.is_pure(&self.sums, &self.samples[task.start..task.end])
        {
            return;
        }
        let mut stream = Seed::new(task.path).stream("features", 0);
        let d = self.bins.n_features();
        (0..d as u16).zip(&mut self.features).for_each(|(f, slot)| *slot = f);
        let mut n_drawn = 0;
        while n_drawn < d && !(n_drawn >= self.limits.max_features && self.best.is_some()) {
            let last = n_drawn + self.limits.max_features.saturating_sub(n_drawn).clamp(1, ABREAST);
            let (mut drawn, mut n) = ([0; ABREAST], 0);
            while n_drawn < last {
                self.features.swap(n_drawn, n_drawn + stream.below(d - n_drawn));
                let feature = self.features[n_drawn] as usize;
                n_drawn += 1;
                if self.bins.n_bins(feature) > 1 {
                    drawn[n] = feature;
                    n += 1;
                }
            }
            self.scan(task, &drawn[..n]);
        }
    }

    /// Tries every cut of some features.
    fn scan(&mut self, task: &Task, features: &[usize]) {
        let mut present = [[0; 4]; ABREAST];
        match *features {
            [a, b, c, d] => self.count(task, [a, b, c, d], &mut present),
            [a, b, c] => self.count(task, [a, b, c], &mut present),
            [a, b] => self.count(task, [a, b], &mut present),
            _ => features.iter().for_each(|&a| self.count(task, [a], &mut present)),
        }
        for (i, &feature) in features.iter().enumerate() {
            self.sweep(feature, i, &present[i]);
        }
    }

    /// Counts rows by bin, features side by side, and notes the bins that have rows.
    fn count<const N: usize>(
        &mut self,
        task: &Task,
        features: [usize; N],
        present: &mut [[u64; 4]; ABREAST],
    ) {
        let columns = features.map(|feature| &self.bins.columns[feature][..]);
        let mut histograms = self.histogram.chunks_exact_mut(N_BINS * self.target.width());
        let mut histograms: [_; N] = std::array::from_fn(|_| histograms.next().unwrap_or_default());
        let samples = &self.samples[task.start..task.end];
        if samples.len() < FEW {
            for &sample in samples {
                let slots = histograms.iter_mut().zip(&mut *present);
                for (column, (histogram, present)) in columns.iter().zip(slots) {
                    let bin = usize::from(column[sample.row as usize]);
                    self.target.add(histogram, bin, sample);
                    present[bin / 64] |= 1 << (bin % 64);
                }
            }
            return;
        }
        let mut flags = [[0u8; N_BINS]; N];
        for &sample in samples {
            let slots = histograms.iter_mut().zip(&mut flags);
            for (column, (histogram, flags)) in columns.iter().zip(slots) {
                let bin = usize::from(column[sample.row as usize]);
                self.target.add(histogram, bin, sample);
                flags[bin] = 1;
            }
        }
        for (words, flags) in present.iter_mut().zip(&flags) {
            for (word, flags) in words.iter_mut().zip(flags.chunks_exact(64)) {
                for (byte, flags) in flags.as_chunks::<8>().0.iter().enumerate() {
                    // The eight low bits, gathered in the top byte.
                    let bits = u64::from_le_bytes(*flags).wrapping_mul(0x0102_0408_1020_4080) >> 56;
                    *word |= bits << (8 * byte);
                }
            }
        }
    }

    /// Tries every cut of one feature, between bins that have rows.
    fn sweep(&mut self, feature: usize, slot: usize, present: &[u64; 4]) {
        let width = self.target.width();
        let histogram = &mut self.histogram[slot * N_BINS * width..(slot + 1) * N_BINS * width];
        let (left, right) = (&mut self.left[..width], &mut self.right[..width]);
        left.fill(T::Sum::default());
        right.copy_from_slice(&self.sums[..width]);
        let min_leaf = self.limits.min_samples_leaf as u64;
        let (mut last, mut occurred) = (0, 0);
        // Kept beside the sums: to add those up anew would wait for each of them to be stored.
        let mut weights = [0, self.target.weight(right)];
        for bin in ones(present) {
            let sums = &mut histogram[bin * width..(bin + 1) * width];
            let occur = self.target.occurring(sums);
            // Within a run of rows of one class worth is convex: one of the run's ends is better.
            let may_be_best = !(occur | occurred).is_power_of_two() || min_leaf > 1;
            if may_be_best && weights[0] >= min_leaf && weights[1] >= min_leaf {
                self.best.consider(self.target, feature, (last, bin as u8), [left, right], weights);
            }
            let weight = self.target.weight(sums);
            weights = [weights[0] + weight, weights[1] - weight];
            for ((l, r), c) in left.iter_mut().zip(&mut *right).zip(sums) {
                *l += *c;
                *r -= *c;
                *c = T::Sum::default();
            }
            last = bin as u8;
            occurred = occur;
        }
    }

    /// Sends the rows left or right of the best cut, keeping their order, and opens the two children.
    fn divide(&mut self, task: &Task) -> [Task; 2] {
        let Best { feature, bins: (last_left, first_right), ref left, .. } = self.best;
        for ((right, left), sum) in self.right.iter_mut().zip(left).zip(&self.sums) {
            *right = *sum - *left;
        }
        let purity = self.target.purity(left) + self.target.purity(&self.right);
        let gain = purity - self.target.purity(&self.sums);
        self.grown.importances[feature] += gain.max(0.0);
        self.waiting.extend_from_slice(&self.right);
        self.waiting.extend_from_slice(left);

        let column = &self.bins.columns[feature][..];
        let samples = &mut self.samples[task.start..task.end];
        let moved = &mut self.moved[..samples.len()];
        let (mut kept, mut n_moved) = (0, 0);
        for i in 0..samples.len() {
            // Both ways are written, one of them for good: a branch would be guessed wrong half the time.
            let sample = samples[i];
            let goes_right = usize::from(column[sample.row as usize] > last_left);
            samples[kept] = sample;
            moved[n_moved] = sample;
            kept += 1 - goes_right;
            n_moved += goes_right;
        }
        samples[kept..].copy_from_slice(&moved[..n_moved]);
        let threshold = self.bins.threshold(feature, last_left, first_right);
        let left = self.grown.tree.split(task.node, feature, threshold);
        let (middle, depth) = (task.start + kept, task.depth + 1);
        // The left child is taken first: the stack is read from its end.
        [
            Task { node: left + 1, start: middle, depth, path: child(task.path, 1), ..*task },
            Task { node: left, end: middle, depth, path: child(task.path, 0), ..*task },
        ]
    }
}

/// Positions of the ones, ascending.
pub(crate) fn ones(words: &[u64]) -> impl Iterator<Item = usize> {
    words.iter().enumerate().flat_map(|(w, &word)| {
        let mut word = word;
        std::iter::from_fn(move || {
            let one = (word != 0).then(|| w * 64 + word.trailing_zeros() as usize);
            word &= word.wrapping_sub(1);
            one
        })
    })
}

/// The path key of a child, out of its parent's and its side.
fn child(path: u64, side: u64) -> u64 {
    mix(path.rotate_left(1) ^ side.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}
