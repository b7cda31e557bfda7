//! One decision tree: flat nodes in, leaves and texts out. Checked when it is made, so that no walk can go astray.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// No tree may be deeper; deeper ones come only from damaged files.
pub(crate) const MAX_DEPTH: usize = 10_000;

/// A binary tree over `f64` features: a row goes left when `x[feature] <= threshold`.
///
/// Node 0 is the root, the two children of a split stand beside each other and after their parent.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    nodes: Vec<Node>,
    /// Number of the leaf, from left to right, that a node is; 0 for a split.
    leaf_numbers: Vec<u32>,
    /// Weight of the training rows that reached each node.
    pub(crate) cover: Vec<f64>,
    /// One row of outputs per leaf, shape `(n_leaves, n_outputs)` in row-major order.
    pub(crate) values: Vec<f64>,
}

/// A split, or a leaf, whose threshold is infinity, which no split has.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Node {
    threshold: f64,
    feature: u32,
    /// The left child; the right one stands after it. A leaf has itself.
    child: u32,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Split { feature: usize, threshold: f64, left: usize },
    Leaf(usize),
}

impl Tree {
    /// A tree of one node that is nothing yet.
    pub(crate) fn sprout() -> Self {
        let mut tree = Self { nodes: vec![], leaf_numbers: vec![], cover: vec![], values: vec![] };
        tree.push_node();
        tree
    }

    fn push_node(&mut self) {
        let child = self.nodes.len() as u32;
        self.nodes.push(Node { threshold: f64::INFINITY, feature: 0, child });
        self.leaf_numbers.push(0);
        self.cover.push(0.0);
    }

    /// Makes a node a split and returns its left child; the right one stands after it.
    pub(crate) fn split(&mut self, node: usize, feature: usize, threshold: f64) -> usize {
        let left = self.nodes.len();
        self.nodes[node] = Node { threshold, feature: feature as u32, child: left as u32 };
        self.push_node();
        self.push_node();
        left
    }

    /// Makes a node the next leaf; its outputs are pushed to `values` by the caller.
    pub(crate) fn end(&mut self, node: usize, n_outputs: usize) {
        self.leaf_numbers[node] = (self.values.len() / n_outputs) as u32;
    }

    /// Replaces every threshold.
    pub(crate) fn map_thresholds(&mut self, map: impl Fn(f64) -> f64) {
        for node in self.nodes.iter_mut().filter(|node| node.threshold < f64::INFINITY) {
            node.threshold = map(node.threshold);
        }
    }

    /// What a node is.
    #[inline]
    pub(crate) fn kind(&self, node: usize) -> Kind {
        let Node { threshold, feature, child } = self.nodes[node];
        if threshold < f64::INFINITY {
            Kind::Split { feature: feature as usize, threshold, left: child as usize }
        } else {
            Kind::Leaf(self.leaf_numbers[node] as usize)
        }
    }

    /// What every node is, parents first.
    pub(crate) fn kinds(&self) -> impl DoubleEndedIterator<Item = Kind> + ExactSizeIterator {
        (0..self.nodes.len()).map(|node| self.kind(node))
    }

    /// Writes the number of the leaf that each row falls into.
    pub(crate) fn find_leaves(&self, rows: &[&[f64]], leaves: &mut [u32]) {
        for (row, leaf) in rows.iter().zip(leaves) {
            let mut at = 0;
            while self.nodes[at].threshold < f64::INFINITY {
                let Node { threshold, feature, child } = self.nodes[at];
                at = child as usize + usize::from(row[feature as usize] > threshold);
            }
            *leaf = self.leaf_numbers[at];
        }
    }

    /// Number of nodes, leaves included.
    pub fn n_nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Number of leaves.
    pub fn n_leaves(&self) -> usize {
        self.nodes.len().div_ceil(2)
    }

    /// Longest way from the root to a leaf, in splits.
    pub fn depth(&self) -> usize {
        self.depths().into_iter().max().unwrap_or(0)
    }

    /// Splits above each node.
    pub(crate) fn depths(&self) -> Vec<usize> {
        let mut depths = vec![0; self.nodes.len()];
        for (i, kind) in self.kinds().enumerate() {
            if let Kind::Split { left, .. } = kind {
                depths[left] = depths[i] + 1;
                depths[left + 1] = depths[i] + 1;
            }
        }
        depths
    }

    /// The outputs of a leaf.
    #[inline]
    pub(crate) fn leaf_values(&self, leaf: usize, n_outputs: usize) -> &[f64] {
        &self.values[leaf * n_outputs..(leaf + 1) * n_outputs]
    }

    /// The cover-weighted mean of the outputs below each node, shape `(n_nodes, n_outputs)`.
    pub(crate) fn expected_values(&self, n_outputs: usize) -> Vec<f64> {
        let mut expected = vec![0.0; self.nodes.len() * n_outputs];
        for (i, kind) in self.kinds().enumerate().rev() {
            match kind {
                Kind::Leaf(leaf) => expected[i * n_outputs..(i + 1) * n_outputs]
                    .copy_from_slice(self.leaf_values(leaf, n_outputs)),
                Kind::Split { left, .. } => {
                    let (share_left, share_right) = self.shares(i, left);
                    for k in 0..n_outputs {
                        expected[i * n_outputs + k] = share_left * expected[left * n_outputs + k]
                            + share_right * expected[(left + 1) * n_outputs + k];
                    }
                }
            }
        }
        expected
    }

    /// Shares of a split's cover that went left and right.
    pub(crate) fn shares(&self, node: usize, left: usize) -> (f64, f64) {
        (self.cover[left] / self.cover[node], self.cover[left + 1] / self.cover[node])
    }

    /// The rules as indented text, one line per split side and leaf.
    ///
    /// `names` are the features, `outputs` what the values of a leaf are called.
    pub fn to_text(&self, names: &[String], outputs: &[String]) -> String {
        let mut text = String::new();
        // (node, depth, the condition that led here)
        let mut open = vec![(0, 0, String::new())];
        while let Some((i, depth, condition)) = open.pop() {
            if !condition.is_empty() {
                let _ = writeln!(text, "{}{condition}", "|   ".repeat(depth - 1));
            }
            match self.kind(i) {
                Kind::Split { feature, threshold, left } => {
                    let name = names.get(feature).cloned().unwrap_or_else(|| format!("x{feature}"));
                    open.push((left + 1, depth + 1, format!("{name} > {threshold}")));
                    open.push((left, depth + 1, format!("{name} <= {threshold}")));
                }
                Kind::Leaf(leaf) => {
                    let values = self.leaf_values(leaf, outputs.len());
                    let parts: Vec<String> = outputs
                        .iter()
                        .zip(values)
                        .filter(|(_, v)| **v != 0.0 || outputs.len() == 1)
                        .map(|(name, v)| format!("{name} {v:.3}"))
                        .collect();
                    let indent = "|   ".repeat(depth);
                    let outputs = parts.join(", ");
                    let _ = writeln!(text, "{indent}{outputs}  (n = {})", self.cover[i]);
                }
            }
        }
        text
    }
}

/// A tree as it stands in files: scikit-learn's arrays, `-1` for the children of a leaf.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TreeRecord {
    pub children_left: Vec<i64>,
    pub children_right: Vec<i64>,
    pub feature: Vec<i64>,
    pub threshold: Vec<f64>,
    pub cover: Vec<f64>,
    pub value: Vec<NodeValue>,
}

/// The outputs of one node: a list, or a bare number where there is one output.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum NodeValue {
    Many(Vec<f64>),
    One(f64),
}

impl NodeValue {
    pub fn as_slice(&self) -> &[f64] {
        match self {
            Self::Many(values) => values,
            Self::One(value) => std::slice::from_ref(value),
        }
    }
}

impl TreeRecord {
    /// The record of a tree; inner nodes get the mean of what is below them.
    pub fn of(tree: &Tree, n_outputs: usize) -> Self {
        let expected = tree.expected_values(n_outputs);
        let split = |kind| match kind {
            Kind::Split { feature, threshold, left } => {
                Some((feature as i64, threshold, left as i64))
            }
            Kind::Leaf(_) => None,
        };
        let splits: Vec<_> = tree.kinds().map(split).collect();
        Self {
            children_left: splits.iter().map(|s| s.map_or(-1, |s| s.2)).collect(),
            children_right: splits.iter().map(|s| s.map_or(-1, |s| s.2 + 1)).collect(),
            feature: splits.iter().map(|s| s.map_or(-2, |s| s.0)).collect(),
            threshold: splits.iter().map(|s| s.map_or(-2.0, |s| s.1)).collect(),
            cover: tree.cover.clone(),
            value: expected.chunks(n_outputs).map(|v| NodeValue::Many(v.to_vec())).collect(),
        }
    }

    /// The tree, its nodes put in order, after every index and number has been checked.
    pub fn into_tree(self, n_features: usize, n_outputs: usize) -> Result<Tree> {
        let n = self.children_left.len();
        let lengths = [
            ("children_right", self.children_right.len()),
            ("feature", self.feature.len()),
            ("threshold", self.threshold.len()),
            ("cover", self.cover.len()),
            ("value", self.value.len()),
        ];
        if let Some((name, length)) = lengths.into_iter().find(|&(_, length)| length != n) {
            return Err(Error::format(format!(
                "{name} has {length} entries, children_left has {n}"
            )));
        }
        if n == 0 {
            return Err(Error::format("it has no nodes"));
        }
        let mut tree = Tree::sprout();
        let mut seen = vec![false; n];
        // (position in the file, position in the tree, splits above), the left child taken first.
        let mut open = vec![(0, 0, 0)];
        while let Some((old, new, depth)) = open.pop() {
            if std::mem::replace(&mut seen[old], true) {
                return Err(Error::format(format!("node {old} is the child of two nodes")));
            }
            if depth > MAX_DEPTH {
                return Err(Error::format(format!("node {old} is deeper than {MAX_DEPTH}")));
            }
            tree.cover[new] = positive(self.cover[old], old)?;
            if let Some((left, right)) = self.children(old)? {
                self.check_cover(old, left, right)?;
                let (feature, threshold) = self.rule(old, n_features)?;
                let below = tree.split(new, feature, threshold);
                open.extend([(right, below + 1, depth + 1), (left, below, depth + 1)]);
            } else {
                tree.end(new, n_outputs);
                tree.values.extend_from_slice(self.leaf(old, n_outputs)?);
            }
        }
        match seen.iter().position(|s| !s) {
            Some(lost) => {
                Err(Error::format(format!("node {lost} cannot be reached from the root")))
            }
            None => Ok(tree),
        }
    }

    /// Both children of a split, `None` for a leaf.
    fn children(&self, node: usize) -> Result<Option<(usize, usize)>> {
        let (left, right) = (self.children_left[node], self.children_right[node]);
        let n = self.children_left.len();
        let inside = |child: i64| usize::try_from(child).ok().filter(|&c| c > 0 && c < n);
        match (left, right) {
            (-1, -1) => Ok(None),
            _ => match (inside(left), inside(right)) {
                (Some(l), Some(r)) if l != r => Ok(Some((l, r))),
                _ => Err(Error::format(format!(
                    "node {node}: children {left} and {right} are not two nodes out of 1..{n} (or -1 and -1 for a leaf)"
                ))),
            },
        }
    }

    fn rule(&self, node: usize, n_features: usize) -> Result<(usize, f64)> {
        let (feature, threshold) = (self.feature[node], self.threshold[node]);
        let known = usize::try_from(feature).ok().filter(|&f| f < n_features);
        match known {
            Some(feature) if threshold.is_finite() => Ok((feature, threshold)),
            Some(_) => Err(Error::format(format!(
                "node {node}: threshold {threshold} is not a finite number"
            ))),
            None => Err(Error::format(format!(
                "node {node}: feature {feature} is not one of 0..{n_features}"
            ))),
        }
    }

    fn leaf(&self, node: usize, n_outputs: usize) -> Result<&[f64]> {
        let values = self.value[node].as_slice();
        if values.len() == n_outputs && values.iter().all(|v| v.is_finite()) {
            return Ok(values);
        }
        Err(Error::format(format!(
            "node {node}: value must be {n_outputs} finite numbers, found {values:?}"
        )))
    }

    /// A split passes on its whole cover; SHAP values would not add up otherwise.
    fn check_cover(&self, node: usize, left: usize, right: usize) -> Result<()> {
        let (whole, parts) = (self.cover[node], self.cover[left] + self.cover[right]);
        // Sums of weights are rounded on the way; a wrong tree is off by a whole row.
        if (whole - parts).abs() <= 1e-6 * whole.abs() {
            return Ok(());
        }
        Err(Error::format(format!(
            "node {node}: cover {whole} differs from its children's {parts}"
        )))
    }
}

fn positive(cover: f64, node: usize) -> Result<f64> {
    if cover.is_finite() && cover > 0.0 {
        return Ok(cover);
    }
    Err(Error::format(format!("node {node}: cover {cover} must be a positive number")))
}
