//! Growing one tree on binned rows: integer counts in, an exact and thread-free tree out.

use std::cmp::Ordering;

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

/// What a tree learns: sums per bin, their score, and the outputs of a leaf.
///
/// Sums are integers, so that they are the same in whatever order rows are added.
pub(crate) trait Target: Sync {
    type Sum: Copy + Default + std::ops::AddAssign + std::ops::SubAssign + PartialEq;

    /// Numbers per bin.
    fn width(&self) -> usize;
    fn add(&self, sums: &mut [Self::Sum], sample: Sample);
    /// Weight of the rows in the sums.
    fn weight(&self, sums: &[Self::Sum]) -> u64;
    /// Nothing is left to separate.
    fn is_pure(&self, sums: &[Self::Sum], samples: &[Sample]) -> bool;
    /// Higher is better; the sum of this over two children minus that of the parent is the gain.
    fn purity(&self, sums: &[Self::Sum]) -> f64;
    /// Which of two splits, each a left and a right side, is better where rounded scores cannot tell.
    fn compare(&self, a: [&[Self::Sum]; 2], b: [&[Self::Sum]; 2]) -> Ordering;
    /// Cover of a node: its weight, class weights included.
    fn cover(&self, sums: &[Self::Sum]) -> f64;
    fn n_outputs(&self) -> usize;
    fn push_outputs(&self, sums: &[Self::Sum], samples: &[Sample], outputs: &mut Vec<f64>);
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
    /// Feature and last bin of the left side; `None` as long as nothing can be split.
    cut: Option<(usize, u8)>,
    /// Purity of both sides together.
    score: f64,
    left: Vec<S>,
    right: Vec<S>,
}

struct Grower<'a, T: Target> {
    bins: &'a Bins,
    target: &'a T,
    limits: Limits,
    samples: Vec<Sample>,
    moved: Vec<Sample>,
    features: Vec<u16>,
    /// All zero between scans.
    histogram: Vec<T::Sum>,
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
        moved: Vec::with_capacity(samples.len()),
        features: (0..bins.n_features() as u16).collect(),
        histogram: zeros.repeat(256),
        sums: zeros.clone(),
        left: zeros.clone(),
        right: zeros.clone(),
        best: Best { cut: None, score: 0.0, left: zeros.clone(), right: zeros },
        grown: Grown { tree: Tree::sprout(), importances: vec![0.0; bins.n_features()] },
        samples,
    };
    grower.run(seed.value());
    grower.grown
}

impl<T: Target> Grower<'_, T> {
    fn run(&mut self, path: u64) {
        let end = self.samples.len();
        let mut tasks = vec![Task { node: 0, start: 0, end, depth: 0, path }];
        while let Some(task) = tasks.pop() {
            self.sums.fill(T::Sum::default());
            for &sample in &self.samples[task.start..task.end] {
                self.target.add(&mut self.sums, sample);
            }
            self.grown.tree.cover[task.node] = self.target.cover(&self.sums);
            match self.best_cut(&task) {
                None => self.finish_leaf(&task),
                Some((feature, bin)) => {
                    let gain = self.best.score - self.target.purity(&self.sums);
                    self.grown.importances[feature] += gain.max(0.0);
                    tasks.extend(self.divide(&task, feature, bin));
                }
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
    fn best_cut(&mut self, task: &Task) -> Option<(usize, u8)> {
        let max_depth = self.limits.max_depth.unwrap_or(MAX_DEPTH).min(MAX_DEPTH);
        if task.depth >= max_depth
            || self.target.weight(&self.sums) < 2 * self.limits.min_samples_leaf as u64
            || self.target.is_pure(&self.sums, &self.samples[task.start..task.end])
        {
            return None;
        }
        let mut stream = Seed::new(task.path).stream("features", 0);
        let d = self.bins.n_features();
        (0..d as u16).zip(&mut self.features).for_each(|(f, slot)| *slot = f);
        self.best.cut = None;
        for i in 0..d {
            if i >= self.limits.max_features && self.best.cut.is_some() {
                break;
            }
            self.features.swap(i, i + stream.below(d - i));
            let feature = self.features[i] as usize;
            if self.bins.n_bins(feature) > 1 {
                self.scan(task, feature);
            }
        }
        self.best.cut
    }

    /// Tries every cut of one feature.
    fn scan(&mut self, task: &Task, feature: usize) {
        let width = self.target.width();
        let column = &self.bins.columns[feature][..];
        let samples = &self.samples[task.start..task.end];
        let mut present = [0u64; 4];
        for &sample in samples {
            let bin = column[sample.row as usize] as usize;
            self.target.add(&mut self.histogram[bin * width..(bin + 1) * width], sample);
            present[bin / 64] |= 1 << (bin % 64);
        }
        self.left.fill(T::Sum::default());
        self.right.copy_from_slice(&self.sums);
        for bin in ones(&present) {
            let counts = &mut self.histogram[bin * width..(bin + 1) * width];
            for ((l, r), c) in self.left.iter_mut().zip(&mut self.right).zip(counts) {
                *l += *c;
                *r -= *c;
                *c = T::Sum::default();
            }
            self.consider(feature, bin as u8);
        }
    }

    /// Takes the cut between `left` and `right` if it beats the best so far; of equal ones the lower feature,
    /// then the lower bin wins.
    #[inline]
    fn consider(&mut self, feature: usize, bin: u8) {
        let min_leaf = self.limits.min_samples_leaf as u64;
        if self.target.weight(&self.left) < min_leaf || self.target.weight(&self.right) < min_leaf {
            return;
        }
        let score = self.target.purity(&self.left) + self.target.purity(&self.right);
        let best = &self.best;
        // Far more than the rounding of a few sums and quotients, far less than one row's worth.
        let doubt = 1e-13 * score;
        let better = match best.cut {
            None => true,
            Some(_) if (score - best.score).abs() > doubt => score > best.score,
            Some((best_feature, _)) => {
                let sides = [&self.left[..], &self.right[..]];
                match self.target.compare(sides, [&best.left, &best.right]) {
                    Ordering::Equal => feature < best_feature,
                    order => order.is_gt(),
                }
            }
        };
        if better {
            self.best.cut = Some((feature, bin));
            self.best.score = score;
            self.best.left.copy_from_slice(&self.left);
            self.best.right.copy_from_slice(&self.right);
        }
    }

    /// Sends the rows left or right, keeping their order, and opens the two children.
    fn divide(&mut self, task: &Task, feature: usize, last_left: u8) -> [Task; 2] {
        let column = &self.bins.columns[feature];
        let samples = &mut self.samples[task.start..task.end];
        self.moved.clear();
        let mut kept = 0;
        let mut first_right = u8::MAX;
        for i in 0..samples.len() {
            let sample = samples[i];
            let bin = column[sample.row as usize];
            if bin <= last_left {
                samples[kept] = sample;
                kept += 1;
            } else {
                first_right = first_right.min(bin);
                self.moved.push(sample);
            }
        }
        samples[kept..].copy_from_slice(&self.moved);
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
