//! Trees as a model file holds them: single precision, left on `x < threshold`, leaves that add up.

use crate::classify::tree::Kind as Step;
use crate::classify::trees::Trees;

/// A node: a split, or a leaf whose children are [`LEAF`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Node {
    pub threshold: f32,
    pub feature: u32,
    /// The node for values below the threshold, [`LEAF`] where there is none.
    pub left: u32,
    /// The node for the others; the number of the leaf where there is none.
    pub right: u32,
}

/// In place of a left child: this node is a leaf.
pub(super) const LEAF: u32 = u32::MAX;

impl Node {
    pub fn leaf(number: usize) -> Self {
        Self { threshold: 0.0, feature: 0, left: LEAF, right: number as u32 }
    }

    pub fn is_leaf(self) -> bool {
        self.left == LEAF
    }
}

/// The trees, one after the other; a tree's parents stand before their children.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Forest {
    pub nodes: Vec<Node>,
    /// The first node of each tree.
    pub roots: Vec<u32>,
    /// What each leaf adds to each class, shape `(n_leaves, n_classes)`.
    pub votes: Vec<f64>,
    pub n_features: usize,
    pub n_classes: usize,
}

impl Forest {
    pub fn n_leaves(&self) -> usize {
        self.votes.len() / self.n_classes
    }

    /// What a leaf adds to each class.
    pub fn votes_of(&self, leaf: usize) -> &[f64] {
        &self.votes[leaf * self.n_classes..(leaf + 1) * self.n_classes]
    }

    /// The nodes of each tree.
    pub fn trees(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let ends = self.roots.iter().skip(1).map(|&r| r as usize).chain([self.nodes.len()]);
        self.roots.iter().map(|&r| r as usize).zip(ends).map(|(start, end)| start..end)
    }

    /// Splits above each node.
    pub fn depths(&self) -> Vec<usize> {
        let mut depths = vec![0; self.nodes.len()];
        for (i, node) in self.nodes.iter().enumerate() {
            if node.left != LEAF {
                depths[node.left as usize] = depths[i] + 1;
                depths[node.right as usize] = depths[i] + 1;
            }
        }
        depths
    }

    /// The trees of a training; thresholds become those of single precision.
    pub fn of(trees: &Trees) -> Self {
        let n_classes = trees.n_outputs();
        let mut forest = Self { n_features: trees.n_features(), n_classes, ..Self::default() };
        for tree in trees.as_slice() {
            let start = forest.nodes.len() as u32;
            forest.roots.push(start);
            for step in tree.kinds() {
                forest.nodes.push(match step {
                    Step::Split { feature, threshold, left } => Node {
                        threshold: below_is_at_most(threshold),
                        feature: feature as u32,
                        left: start + left as u32,
                        right: start + left as u32 + 1,
                    },
                    Step::Leaf(leaf) => {
                        forest.votes.extend_from_slice(tree.leaf_values(leaf, n_classes));
                        Node::leaf(forest.votes.len() / n_classes - 1)
                    }
                });
            }
        }
        forest
    }
}

/// The `f32` for which `x < t` says of an `f32` what `x <= threshold` says.
pub(super) fn below_is_at_most(threshold: f64) -> f32 {
    let near = threshold as f32;
    let above = if f64::from(near) > threshold { near } else { near.next_up() };
    above.clamp(f32::MIN, f32::MAX)
}

/// The `f32` for which `x < t` says of an `f32` what it says for this double: a literal in a model file is
/// a double, as the language has it, and comparing widens the value.
pub(super) fn single(threshold: f64) -> f32 {
    let near = threshold as f32;
    if f64::from(near) < threshold { near.next_up() } else { near }
}
