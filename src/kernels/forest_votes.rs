//! Rows of single precision go down the trees of a forest; their classes leave: what a model file of APOC does, and
//! the WGSL that a forest is exported to.
//!
//! A row goes left where its value is below the threshold. Leaves add votes, doubles, to sums of single precision; the
//! first class of the largest sum wins, counted from 1; a row with a NaN is 0.
//!
//! # Cost
//! Per row and tree of depth h: h steps of 16 bytes for the node and 4 for the value, and 8 bytes and about 60 integer
//! operations for every class; nodes stay in the cache. Trees of depth 2 in front of 8 features read 32 bytes a pixel
//! once: 32 / B seconds a pixel on a card that moves B bytes a second.

use crate::backend::{Buffer, Gpu, Launch, Shader};
use crate::error::{Error, Result};

pub(super) static VOTES: Shader = Shader {
    name: "forest_votes",
    source: concat!(
        include_str!("words.wgsl"),
        include_str!("exact.wgsl"),
        include_str!("forest_votes.wgsl")
    ),
};

/// A node: a split, or a leaf whose left child is [`LEAF`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Node {
    pub threshold: f32,
    pub feature: u32,
    /// The node for values below the threshold.
    pub left: u32,
    /// The node for the others; the number of the leaf where there is none.
    pub right: u32,
}

/// In place of a left child: this node is a leaf.
pub(crate) const LEAF: u32 = u32::MAX;

/// Votes on a device are 0 or within these, so that no sum leaves the range of single precision.
const VOTES_FROM_TO: std::ops::Range<f64> = 1e-20..1e20;

/// Trees, one after the other, that vote for classes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Voters<'a> {
    pub nodes: &'a [Node],
    /// The first node of each tree.
    pub roots: &'a [u32],
    /// What each leaf adds to each class, shape `(n_leaves, n_classes)`.
    pub votes: &'a [f64],
    pub n_features: usize,
    pub n_classes: usize,
}

impl Voters<'_> {
    /// The definition: `features[f][row]` in, a class per row out.
    pub fn classes(&self, features: &[&[f32]]) -> Vec<u32> {
        let n_rows = features.first().map_or(0, |column| column.len());
        (0..n_rows).map(|row| self.class(|f| features[f][row])).collect()
    }

    fn class(&self, value: impl Fn(usize) -> f32) -> u32 {
        if (0..self.n_features).any(|f| value(f).is_nan()) {
            return 0;
        }
        let sums = self.sums(value);
        let mut best = 0;
        for (k, sum) in sums.iter().enumerate() {
            if sums[best] < *sum {
                best = k;
            }
        }
        best as u32 + 1
    }

    fn sums(&self, value: impl Fn(usize) -> f32) -> Vec<f32> {
        let mut sums = vec![0.0f32; self.n_classes];
        for &root in self.roots {
            let mut node = self.nodes[root as usize];
            while node.left != LEAF {
                let is_below = value(node.feature as usize) < node.threshold;
                node = self.nodes[if is_below { node.left } else { node.right } as usize];
            }
            let votes = &self.votes[node.right as usize * self.n_classes..][..self.n_classes];
            sums.iter_mut().zip(votes).for_each(|(s, v)| *s = (f64::from(*s) + v) as f32);
        }
        sums
    }

    /// The same on a device.
    ///
    /// # Errors
    /// As [`upload`](Self::upload).
    pub fn classes_on(&self, gpu: &Gpu, features: &[&[f32]]) -> Result<Vec<u32>> {
        let forest = self.upload(gpu)?;
        let n_rows = features.first().map_or(0, |column| column.len());
        let at_once = (gpu.max_words() / self.n_features.max(self.n_classes)).max(1);
        let mut classes = Vec::with_capacity(n_rows);
        for first in (0..n_rows).step_by(at_once) {
            let rows = first..(first + at_once).min(n_rows);
            let block: Vec<f32> = features.iter().flat_map(|c| &c[rows.clone()]).copied().collect();
            classes.extend(forest.classes(gpu, &gpu.upload(&block)?)?);
        }
        Ok(classes)
    }

    /// Copies the trees to a device.
    ///
    /// # Errors
    /// Votes that are negative or out of all proportion, a forest larger than the device sees at
    /// once, a lost device.
    pub fn upload(&self, gpu: &Gpu) -> Result<DeviceForest> {
        self.check()?;
        let words = self
            .nodes
            .iter()
            .flat_map(|node| [node.threshold.to_bits(), node.feature, node.left, node.right]);
        let nodes = gpu.upload(&words.collect::<Vec<u32>>())?;
        let roots = gpu.upload(self.roots)?;
        let words = self.votes.iter().map(|vote| vote.to_bits());
        let votes: Vec<u32> = words.flat_map(|bits| [bits as u32, (bits >> 32) as u32]).collect();
        let votes = gpu.upload(&votes)?;
        let (n_features, n_classes, depth) = (self.n_features, self.n_classes, self.depth());
        Ok(DeviceForest { nodes, roots, votes, n_features, n_classes, depth })
    }

    /// Splits above the lowest leaf.
    fn depth(&self) -> usize {
        let mut open: Vec<(u32, usize)> = self.roots.iter().map(|&root| (root, 0)).collect();
        let mut depth = 0;
        while let Some((at, level)) = open.pop() {
            let node = self.nodes[at as usize];
            depth = depth.max(level);
            if node.left != LEAF {
                open.extend([(node.left, level + 1), (node.right, level + 1)]);
            }
        }
        depth
    }

    fn check(&self) -> Result<()> {
        match self.votes.iter().find(|vote| **vote != 0.0 && !VOTES_FROM_TO.contains(vote)) {
            None => Ok(()),
            Some(vote) => Err(Error::backend(format!("the GPU counts no vote of {vote}"))
                .help("use --backend cpu, which counts all")),
        }
    }
}

/// Trees on a device; rows are there too, as `features[feature * n_rows + row]`.
pub(crate) struct DeviceForest {
    nodes: Buffer<u32>,
    roots: Buffer<u32>,
    votes: Buffer<u32>,
    n_features: usize,
    n_classes: usize,
    depth: usize,
}

impl DeviceForest {
    /// The class of each row, as [`Voters::classes`] has it.
    pub fn classes(&self, gpu: &Gpu, features: &Buffer<f32>) -> Result<Vec<u32>> {
        self.vote(gpu, "main", features, 0)
    }

    /// The share of a class, from 1, in the votes of each row: its sum over that of all, added in order.
    pub fn shares(&self, gpu: &Gpu, features: &Buffer<f32>, class: usize) -> Result<Vec<f32>> {
        let shares = self.vote(gpu, "share", features, class - 1)?;
        Ok(shares.into_iter().map(f32::from_bits).collect())
    }

    fn vote(
        &self,
        gpu: &Gpu,
        entry: &'static str,
        features: &Buffer<f32>,
        class_of_share: usize,
    ) -> Result<Vec<u32>> {
        let n_rows = features.len() / self.n_features.max(1);
        let found = gpu.zeros::<u32>(n_rows)?;
        let sums = gpu.zeros::<f32>(n_rows * self.n_classes)?;
        gpu.launch(&Launch {
            shader: &VOTES,
            entry,
            constants: &[],
            parameters: &[
                ("n_rows", n_rows as u32),
                ("n_features", self.n_features as u32),
                ("n_classes", self.n_classes as u32),
                ("n_trees", self.roots.len() as u32),
                ("depth", self.depth as u32),
                ("class_of_share", class_of_share as u32),
            ],
            buffers: &[
                ("features", features),
                ("nodes", &self.nodes),
                ("roots", &self.roots),
                ("votes", &self.votes),
                ("classes", &found),
                ("sums", &sums),
            ],
            n_items: n_rows,
        })?;
        gpu.read(&found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::test_device;
    use crate::seed::Seed;

    #[test]
    fn classes_are_those_of_the_cpu() {
        let Some(gpu) = test_device() else { return };
        let small = test_device().unwrap().with_binding_limit(6000).with_group_size(13);
        for index in 0..8 {
            let mut stream = Seed::new(2).stream("votes", index);
            let (n_features, n_classes) = (1 + stream.below(9), 1 + stream.below(6));
            let (mut nodes, mut roots, mut votes) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..=stream.below(30) {
                let depth = stream.below(4);
                let first = nodes.len();
                roots.push(first as u32);
                // A full tree: node i of a level has the children 2 i + 1 and 2 i + 2.
                for i in 0..(2 << depth) - 1 {
                    let is_leaf = i >= (1 << depth) - 1;
                    nodes.push(if is_leaf {
                        // Fractions that no single holds, counts, and nothing: sums near each other.
                        votes.extend((0..n_classes).map(|_| match index % 3 {
                            0 => stream.below(11) as f64 / 10.0,
                            1 => stream.below(100) as f64,
                            _ => stream.uniform(),
                        }));
                        let leaf = (votes.len() / n_classes - 1) as u32;
                        Node { threshold: 0.0, feature: 0, left: LEAF, right: leaf }
                    } else {
                        let left = (first + 2 * i + 1) as u32;
                        let feature = stream.below(n_features) as u32;
                        Node { threshold: stream.below(8) as f32, feature, left, right: left + 1 }
                    });
                }
            }
            let voters =
                Voters { nodes: &nodes, roots: &roots, votes: &votes, n_features, n_classes };
            // Values often equal thresholds.
            let mut columns: Vec<Vec<f32>> = (0..n_features)
                .map(|_| (0..1000).map(|_| stream.below(17) as f32 / 2.0).collect())
                .collect();
            columns[0][7] = f32::NAN;
            columns[n_features - 1][9] = f32::NEG_INFINITY;
            let columns: Vec<&[f32]> = columns.iter().map(Vec::as_slice).collect();
            let expected = voters.classes(&columns);
            assert_eq!(expected[7], 0);
            assert!(n_classes == 1 || expected.iter().any(|class| *class > 1));
            for gpu in [&gpu, &small] {
                assert_eq!(voters.classes_on(gpu, &columns).unwrap(), expected, "forest {index}");
            }
            let block = gpu.upload(&columns.concat()).unwrap();
            let device = voters.upload(&gpu).unwrap();
            for class in 1..=n_classes {
                let shares = device.shares(&gpu, &block, class).unwrap();
                for row in (0..1000).filter(|row| ![7, 9].contains(row)) {
                    let sums = voters.sums(|f| columns[f][row]);
                    let total = sums[1..].iter().fold(sums[0], |total, sum| total + sum);
                    let share = sums[class - 1] / total;
                    assert!(shares[row] == share || shares[row].is_nan() && share.is_nan());
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let Some(gpu) = test_device() else { return };
        let leaf = Node { threshold: 0.0, feature: 0, left: LEAF, right: 0 };
        let refused = |votes: &[f64], words: &str| {
            let (nodes, roots, n_classes) = (&[leaf], &[0], votes.len());
            let voters = Voters { nodes, roots, votes, n_features: 1, n_classes };
            let error = voters.classes_on(&gpu, &[&[1.0]]).unwrap_err();
            assert!(error.message().contains(words), "{error}");
        };
        refused(&[-1.0, 1.0], "no vote of -1");
        refused(&[f64::NAN, 1.0], "no vote of NaN");
    }
}
