//! TreeSHAP as an integral: the Shapley values of a tree for one row after another.
//!
//! With the shares of cover `p` and the row's decisions `x` (1 where it follows the path), a leaf
//! is worth `v * prod(x_i or p_i)`, and its Shapley value for feature `j` is the integral over
//! `t` in 0..1 of `v * (x_j - p_j) * prod_{i != j} (p_i + t (x_i - p_i))` (Owen, *Multilinear
//! extensions of games*, 1972). The integrand is a polynomial whose degree is the number of other
//! features on the path, so a few Gauss-Legendre nodes are exact. The sums over the leaves below an edge are shared
//! by all its leaves, so a tree costs time proportional to its edges.

use super::legendre::gauss_legendre;
use crate::classify::Tree;
use crate::classify::tree::Kind;

/// Quadrature nodes that are computed together; the width of an AVX2 register.
const LANES: usize = 4;
type Lanes = [f64; LANES];

/// A tree made ready: one entry per edge, that is per node but the root, parents first.
pub(crate) struct Plan {
    edges: Vec<Edge>,
    /// Groups of `LANES` quadrature nodes.
    n_groups: usize,
    /// Per edge, state and group: by what the product over the path changes.
    ratios: Vec<Lanes>,
    /// Per edge, state (of the two where the row still followed the feature) and group: the weight
    /// of the edge's sum in the feature's value.
    gains: Vec<Lanes>,
    /// Per leaf: its outputs.
    values: Vec<f64>,
    n_outputs: usize,
}

struct Edge {
    parent: usize,
    feature: usize,
    threshold: f64,
    goes_left: bool,
    /// The edge above that last asked for the same feature; 0, the root, if none did.
    above: usize,
    leaf: Option<usize>,
}

/// Room for the sums of one row.
#[derive(Default)]
pub(crate) struct Scratch {
    follows: Vec<bool>,
    products: Vec<Lanes>,
    sums: Vec<Lanes>,
}

const OFF: usize = 0;
const FOLLOWS: usize = 1;
const LEAVES: usize = 2;

impl Plan {
    /// Prepares a tree; only the first `n_outputs` of its `stride` outputs are explained, times `scale`.
    pub fn new(tree: &Tree, stride: usize, n_outputs: usize, scale: f64) -> Self {
        let mut edges = vec![Edge {
            parent: 0,
            feature: 0,
            threshold: 0.0,
            goes_left: true,
            above: 0,
            leaf: None,
        }];
        let n = tree.n_nodes();
        edges.reserve(n);
        let mut shares = vec![1.0; n];
        let mut distinct = vec![0usize; n];
        let mut places: Vec<Option<Edge>> = (0..n).map(|_| None).collect();
        for (i, node) in tree.nodes.iter().enumerate() {
            match node.kind() {
                Kind::Leaf(leaf) => {
                    if let Some(edge) = &mut places[i] {
                        edge.leaf = Some(leaf);
                    } else {
                        edges[0].leaf = Some(leaf);
                    }
                }
                Kind::Split { feature, threshold, left } => {
                    let mut above = i;
                    while let Some(edge) = &places[above] {
                        if edge.feature == feature {
                            break;
                        }
                        above = edge.parent;
                    }
                    let (l, r) = tree.shares(i, left);
                    for (child, share, goes_left) in [(left, l, true), (left + 1, r, false)] {
                        shares[child] = shares[above] * share;
                        distinct[child] = distinct[i] + usize::from(above == 0);
                        places[child] = Some(Edge {
                            parent: i,
                            feature,
                            threshold,
                            goes_left,
                            above,
                            leaf: None,
                        });
                    }
                }
            }
        }
        edges.extend(places.into_iter().skip(1).flatten());
        let most = distinct.into_iter().max().unwrap_or(0);
        let mut values = Vec::with_capacity(tree.n_leaves() * n_outputs);
        for leaf in tree.values.chunks(stride) {
            values.extend(leaf[..n_outputs].iter().map(|v| v * scale));
        }
        let mut plan =
            Self { edges, n_groups: 0, ratios: vec![], gains: vec![], values, n_outputs };
        plan.tabulate(&shares, most);
        plan
    }

    /// Fills the tables: everything that depends on the tree alone.
    fn tabulate(&mut self, shares: &[f64], most: usize) {
        let (mut nodes, mut weights) = gauss_legendre(most.div_ceil(2).max(1));
        let padded = nodes.len().next_multiple_of(LANES);
        nodes.resize(padded, 0.5);
        weights.resize(padded, 0.0);
        self.n_groups = padded / LANES;
        let lanes = |f: &dyn Fn(usize) -> f64| -> Vec<Lanes> {
            (0..padded / LANES).map(|g| std::array::from_fn(|l| f(g * LANES + l))).collect()
        };
        for (i, edge) in self.edges.iter().enumerate() {
            let (p, q) = (shares[i], shares[edge.above]);
            let on = |p: f64, t: f64| p + t * (1.0 - p);
            self.ratios.extend(lanes(&|_| p / q));
            self.ratios.extend(lanes(&|t| on(p, nodes[t]) / on(q, nodes[t])));
            self.ratios.extend(lanes(&|t| p * (1.0 - nodes[t]) / on(q, nodes[t])));
            let before = |t: f64| (1.0 - q) / on(q, t);
            self.gains
                .extend(lanes(&|t| weights[t] * ((1.0 - p) / on(p, nodes[t]) - before(nodes[t]))));
            self.gains
                .extend(lanes(&|t| weights[t] * (-1.0 / (1.0 - nodes[t]) - before(nodes[t]))));
        }
    }

    /// Adds the Shapley values of one row to `phi`, shape `(n_features, n_outputs)`.
    pub fn add_row(&self, row: &[f64], scratch: &mut Scratch, phi: &mut [f64]) {
        let (g, k, n) = (self.n_groups, self.n_outputs, self.edges.len());
        scratch.follows.clear();
        scratch.follows.resize(n, true);
        scratch.products.clear();
        scratch.products.resize(n * g, [1.0; LANES]);
        scratch.sums.clear();
        scratch.sums.resize(n * g * k, [0.0; LANES]);
        for (i, edge) in self.edges.iter().enumerate() {
            if i > 0 {
                let state = self.state(i, row, &mut scratch.follows);
                for j in 0..g {
                    let ratio = self.ratios[(i * 3 + state) * g + j];
                    let product = scratch.products[edge.parent * g + j];
                    scratch.products[i * g + j] = std::array::from_fn(|l| product[l] * ratio[l]);
                }
            }
            if let Some(leaf) = edge.leaf {
                for (o, value) in self.values[leaf * k..(leaf + 1) * k].iter().enumerate() {
                    for j in 0..g {
                        scratch.sums[(i * k + o) * g + j] =
                            scratch.products[i * g + j].map(|p| p * value);
                    }
                }
            }
        }
        for (i, edge) in self.edges.iter().enumerate().skip(1).rev() {
            let gain = match (scratch.follows[edge.above], scratch.follows[i]) {
                (false, _) => None,
                (true, true) => Some(0),
                (true, false) => Some(1),
            };
            for o in 0..k {
                let mut total = 0.0;
                for j in 0..g {
                    let sum = scratch.sums[(i * k + o) * g + j];
                    if let Some(gain) = gain {
                        let gain = self.gains[(i * 2 + gain) * g + j];
                        total += (0..LANES).map(|l| gain[l] * sum[l]).sum::<f64>();
                    }
                    let parent = &mut scratch.sums[(edge.parent * k + o) * g + j];
                    parent.iter_mut().zip(sum).for_each(|(p, s)| *p += s);
                }
                phi[edge.feature * k + o] += total;
            }
        }
    }

    /// Whether the row followed the feature so far and still does.
    fn state(&self, i: usize, row: &[f64], follows: &mut [bool]) -> usize {
        let edge = &self.edges[i];
        let goes_left = row[edge.feature] <= edge.threshold;
        follows[i] = follows[edge.above] && goes_left == edge.goes_left;
        match (follows[edge.above], follows[i]) {
            (false, _) => OFF,
            (true, true) => FOLLOWS,
            (true, false) => LEAVES,
        }
    }
}
