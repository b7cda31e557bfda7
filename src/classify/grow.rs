//! Growing one tree on binned rows: integer counts in, an exact and thread-free tree out.

use std::cmp::Ordering;

use super::bins::Bins;
use super::tree::{MAX_DEPTH, Node, Tree};
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

    /// Numbers per bin; the first `width - 1` or so are the target's, see [`Target::weight`].
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

/// A tree with the impurity that each feature took away, as a share of the root's weight.
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

struct Split<S> {
    feature: usize,
    bin: u8,
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
    histogram: Vec<T::Sum>,
    features: Vec<u16>,
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
    let width = target.width();
    let tree = Tree { nodes: vec![Node::leaf(0)], cover: vec![0.0], values: Vec::new() };
    let mut grower = Grower {
        bins,
        target,
        limits,
        moved: Vec::with_capacity(samples.len()),
        histogram: vec![T::Sum::default(); 256 * width],
        features: (0..bins.n_features() as u16).collect(),
        grown: Grown { tree, importances: vec![0.0; bins.n_features()] },
        samples,
    };
    grower.run(seed.value());
    grower.grown
}

impl<T: Target> Grower<'_, T> {
    fn run(&mut self, path: u64) {
        let end = self.samples.len();
        let mut tasks = vec![Task { node: 0, start: 0, end, depth: 0, path }];
        let mut root_weight = 0.0;
        while let Some(task) = tasks.pop() {
            let sums = self.sums(&task);
            let cover = self.target.cover(&sums);
            self.grown.tree.cover[task.node] = cover;
            if task.node == 0 {
                root_weight = cover;
            }
            match self.best_split(&task, &sums) {
                None => self.finish_leaf(&task, &sums),
                Some(split) => {
                    let gain = (split.score - self.target.purity(&sums)).max(0.0);
                    self.grown.importances[split.feature] += gain / root_weight;
                    tasks.extend(self.divide(&task, &split));
                }
            }
        }
    }

    fn sums(&self, task: &Task) -> Vec<T::Sum> {
        let mut sums = vec![T::Sum::default(); self.target.width()];
        for &sample in &self.samples[task.start..task.end] {
            self.target.add(&mut sums, sample);
        }
        sums
    }

    fn finish_leaf(&mut self, task: &Task, sums: &[T::Sum]) {
        let tree = &mut self.grown.tree;
        tree.nodes[task.node] = Node::leaf(tree.values.len() / self.target.n_outputs());
        let samples = &self.samples[task.start..task.end];
        self.target.push_outputs(sums, samples, &mut tree.values);
    }

    /// The best split over a random subset of the features, going on until one can be split at all.
    fn best_split(&mut self, task: &Task, sums: &[T::Sum]) -> Option<Split<T::Sum>> {
        let min_leaf = self.limits.min_samples_leaf as u64;
        let max_depth = self.limits.max_depth.unwrap_or(MAX_DEPTH).min(MAX_DEPTH);
        if task.depth >= max_depth
            || self.target.weight(sums) < 2 * min_leaf
            || self.target.is_pure(sums, &self.samples[task.start..task.end])
        {
            return None;
        }
        let mut stream = Seed::new(task.path).stream("features", 0);
        let d = self.bins.n_features();
        (0..d as u16).zip(&mut self.features).for_each(|(f, slot)| *slot = f);
        let mut best: Option<Split<T::Sum>> = None;
        for i in 0..d {
            if i >= self.limits.max_features && best.is_some() {
                break;
            }
            self.features.swap(i, i + stream.below(d - i));
            let feature = self.features[i] as usize;
            self.scan_feature(task, sums, feature, &mut best);
        }
        best
    }

    /// Tries every cut of one feature.
    fn scan_feature(
        &mut self,
        task: &Task,
        sums: &[T::Sum],
        feature: usize,
        best: &mut Option<Split<T::Sum>>,
    ) {
        let (n_bins, width) = (self.bins.n_bins(feature), self.target.width());
        if n_bins < 2 {
            return;
        }
        let column = &self.bins.columns[feature];
        let mut whole = std::mem::take(&mut self.histogram);
        let histogram = &mut whole[..n_bins * width];
        histogram.fill(T::Sum::default());
        for &sample in &self.samples[task.start..task.end] {
            let bin = column[sample.row as usize] as usize;
            self.target.add(&mut histogram[bin * width..(bin + 1) * width], sample);
        }
        let mut left = vec![T::Sum::default(); width];
        let mut right = sums.to_vec();
        let min_leaf = self.limits.min_samples_leaf as u64;
        for (bin, counts) in histogram.chunks_exact(width).enumerate().take(n_bins - 1) {
            if counts.iter().all(|c| *c == T::Sum::default()) {
                continue;
            }
            for ((l, r), &c) in left.iter_mut().zip(&mut right).zip(counts) {
                *l += c;
                *r -= c;
            }
            if self.target.weight(&left) < min_leaf {
                continue;
            }
            if self.target.weight(&right) < min_leaf {
                break;
            }
            let score = self.target.purity(&left) + self.target.purity(&right);
            if best.as_ref().is_none_or(|b| self.is_better(score, [&left, &right], feature, b)) {
                let (left, right) = (left.clone(), right.clone());
                *best = Some(Split { feature, bin: bin as u8, score, left, right });
            }
        }
        self.histogram = whole;
    }

    /// Whether a split beats the best so far; of equal ones the lower feature, then the lower bin wins.
    fn is_better(
        &self,
        score: f64,
        sides: [&[T::Sum]; 2],
        feature: usize,
        best: &Split<T::Sum>,
    ) -> bool {
        // Far more than the rounding of a few sums and quotients, far less than one row's worth.
        let doubt = 1e-13 * score;
        if (score - best.score).abs() > doubt {
            return score > best.score;
        }
        match self.target.compare(sides, [&best.left, &best.right]) {
            Ordering::Equal => feature < best.feature,
            order => order.is_gt(),
        }
    }

    /// Sends the rows left or right, keeping their order, and opens the two children.
    fn divide(&mut self, task: &Task, split: &Split<T::Sum>) -> [Task; 2] {
        let column = &self.bins.columns[split.feature];
        let samples = &mut self.samples[task.start..task.end];
        self.moved.clear();
        let mut kept = 0;
        for i in 0..samples.len() {
            let sample = samples[i];
            if column[sample.row as usize] <= split.bin {
                samples[kept] = sample;
                kept += 1;
            } else {
                self.moved.push(sample);
            }
        }
        samples[kept..].copy_from_slice(&self.moved);
        let tree = &mut self.grown.tree;
        let threshold = self.bins.thresholds[split.feature][split.bin as usize];
        let left = tree.nodes.len();
        tree.nodes[task.node] = Node::split(split.feature, threshold, left);
        tree.nodes.extend([Node::leaf(0); 2]);
        tree.cover.extend([0.0; 2]);
        let (middle, depth) = (task.start + kept, task.depth + 1);
        // The left child is taken first: the stack is read from its end.
        [
            Task { node: left + 1, start: middle, depth, path: child(task.path, 1), ..*task },
            Task { node: left, end: middle, depth, path: child(task.path, 0), ..*task },
        ]
    }
}

/// The path key of a child, out of its parent's and its side.
fn child(path: u64, side: u64) -> u64 {
    mix(path.rotate_left(1) ^ side.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}
