//! `TreeSHAP` as an integral: the Shapley values of a tree for a few rows at a time.
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

/// Rows that go around a tree side by side; the width of an AVX2 register.
const LANES: usize = 4;
type Lanes = [f64; LANES];
/// For each row all ones, or zero.
type Mask = [u64; LANES];
/// Outputs that are explained at a time: so many sums stay in registers.
const OUTPUTS: usize = 4;

/// A tree made ready: its edges and every factor that depends on the tree alone.
pub(crate) struct Plan {
    /// The walk around the tree, left before right.
    steps: Vec<Step>,
    /// The edge into each node; the root has none and stands for itself.
    edges: Vec<Edge>,
    depth: usize,
    n_nodes: usize,
    /// Per edge: by what the product over the path changes for a row that left the feature's path further up.
    ratios_off: Vec<f64>,
    /// Per edge and quadrature node: the same for a row that follows the edge, and for one that leaves the path here.
    ratios: Vec<[f64; 2]>,
    /// Per edge and quadrature node: the weight of the sum below the edge in the feature's value, likewise.
    gains: Vec<[f64; 2]>,
    /// Per leaf: its outputs.
    values: Vec<f64>,
    n_outputs: usize,
}

#[derive(Clone, Copy)]
enum Step {
    /// Down the edge into an inner node.
    Enter { edge: usize, depth: usize },
    /// Down the edge into a leaf and back.
    Leaf { edge: usize, depth: usize, leaf: usize },
    /// Back up from an inner node.
    Leave { edge: usize, depth: usize },
}

#[derive(Clone, Copy)]
struct Edge {
    feature: usize,
    threshold: f64,
    goes_left: bool,
    /// The edge above that last asked for the same feature; 0, the root, if none did.
    above: usize,
}

/// Room for the sums of some rows.
#[derive(Default)]
pub(crate) struct Scratch {
    /// Per edge: which rows fulfil every condition on its feature down to here.
    follows: Vec<Mask>,
    /// Per depth and quadrature node: the product of the factors on the path.
    products: Vec<Lanes>,
    /// Per depth, quadrature node and output: the sum of the leaves below that were visited.
    sums: Vec<Lanes>,
    /// Per feature and output.
    phi: Vec<Lanes>,
}

impl Plan {
    /// Prepares a tree; only the first `n_outputs` of its `stride` outputs are explained, times `scale`.
    pub fn new(tree: &Tree, stride: usize, n_outputs: usize, scale: f64) -> Self {
        let n = tree.n_nodes();
        let root = Edge { feature: usize::MAX, threshold: 0.0, goes_left: true, above: 0 };
        let (mut edges, mut parents) = (vec![root; n], vec![0; n]);
        let (mut shares, mut distinct) = (vec![1.0; n], vec![0; n]);
        for (i, kind) in tree.kinds().enumerate() {
            let Kind::Split { feature, threshold, left } = kind else { continue };
            let mut above = i;
            while above != 0 && edges[above].feature != feature {
                above = parents[above];
            }
            let (l, r) = tree.shares(i, left);
            for (child, share, goes_left) in [(left, l, true), (left + 1, r, false)] {
                edges[child] = Edge { feature, threshold, goes_left, above };
                parents[child] = i;
                shares[child] = shares[above] * share;
                distinct[child] = distinct[i] + usize::from(above == 0);
            }
        }
        let values = tree.values.chunks(stride).flat_map(|leaf| &leaf[..n_outputs]);
        let mut plan = Self {
            steps: walk(tree),
            edges,
            depth: tree.depth(),
            n_nodes: 0,
            ratios_off: vec![],
            ratios: vec![],
            gains: vec![],
            values: values.map(|v| v * scale).collect(),
            n_outputs,
        };
        plan.tabulate(&shares, distinct.into_iter().max().unwrap_or(0));
        plan
    }

    /// Fills the tables of factors for paths of up to `longest` features.
    fn tabulate(&mut self, shares: &[f64], longest: usize) {
        let (nodes, weights) = gauss_legendre(longest.div_ceil(2).max(1));
        self.n_nodes = nodes.len();
        let on = |p: f64, t: f64| p + t * (1.0 - p);
        for (edge, &p) in self.edges.iter().zip(shares) {
            let q = shares[edge.above];
            self.ratios_off.push(p / q);
            for (&t, &w) in nodes.iter().zip(&weights) {
                let before = (1.0 - q) / on(q, t);
                self.ratios.push([on(p, t) / on(q, t), p * (1.0 - t) / on(q, t)]);
                let follows = (1.0 - p) / on(p, t);
                self.gains.push([w * (follows - before), w * (-1.0 / (1.0 - t) - before)]);
            }
        }
    }

    /// Adds the Shapley values of rows of `d` features to `phi`, shape `(n_rows, d, n_outputs)`.
    pub fn add_rows(&self, rows: &[f64], d: usize, scratch: &mut Scratch, phi: &mut [f64]) {
        let width = d * self.n_outputs;
        for (rows, phi) in rows.chunks(LANES * d).zip(phi.chunks_mut(LANES * width)) {
            // Where rows are missing the last one goes along again.
            let last = rows.len() / d - 1;
            let rows = std::array::from_fn(|l| &rows[l.min(last) * d..][..d]);
            for first in (0..self.n_outputs).step_by(OUTPUTS) {
                match self.n_outputs - first {
                    1 => self.add::<1>(rows, first, scratch, phi),
                    2 => self.add::<2>(rows, first, scratch, phi),
                    3 => self.add::<3>(rows, first, scratch, phi),
                    _ => self.add::<OUTPUTS>(rows, first, scratch, phi),
                }
            }
        }
    }

    /// Adds the values of the `K` outputs from the `first` on.
    fn add<const K: usize>(
        &self,
        rows: [&[f64]; LANES],
        first: usize,
        scratch: &mut Scratch,
        phi: &mut [f64],
    ) {
        self.go_around::<K>(rows, first, scratch);
        let sums = scratch.phi.as_chunks::<K>().0;
        for (l, phi) in phi.chunks_exact_mut(sums.len() * self.n_outputs).enumerate() {
            for (phi, sums) in phi.chunks_exact_mut(self.n_outputs).zip(sums) {
                phi[first..].iter_mut().zip(sums).for_each(|(phi, sum)| *phi += sum[l]);
            }
        }
    }

    fn go_around<const K: usize>(
        &self,
        rows: [&[f64]; LANES],
        first: usize,
        scratch: &mut Scratch,
    ) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            #[expect(unsafe_code, reason = "calls the same loops compiled for AVX2")]
            // SAFETY: the processor was just found to have AVX2, the only thing the function asks for.
            return unsafe { self.go_around_avx2::<K>(rows, first, scratch) };
        }
        self.go_around_plainly::<K>(rows, first, scratch);
    }

    /// The same code with registers of four numbers; no fused operations, so the same bits.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn go_around_avx2<const K: usize>(
        &self,
        rows: [&[f64]; LANES],
        first: usize,
        scratch: &mut Scratch,
    ) {
        self.go_around_plainly::<K>(rows, first, scratch);
    }

    #[expect(clippy::inline_always, reason = "must be compiled into the AVX2 function")]
    #[inline(always)]
    fn go_around_plainly<const K: usize>(
        &self,
        rows: [&[f64]; LANES],
        first: usize,
        scratch: &mut Scratch,
    ) {
        let (n, zero) = (self.n_nodes, [0.0; LANES]);
        let Scratch { follows, products, sums, phi } = scratch;
        follows.clear();
        follows.resize(self.edges.len(), [u64::MAX; LANES]);
        products.clear();
        products.resize((self.depth + 1) * n, [1.0; LANES]);
        sums.clear();
        sums.resize((self.depth + 1) * n * K, zero);
        phi.clear();
        phi.resize(rows[0].len() * K, zero);
        for &step in &self.steps {
            match step {
                Step::Enter { edge, depth } => {
                    self.go_down(edge, depth, &rows, follows, products);
                    sums[depth * n * K..(depth + 1) * n * K].fill(zero);
                }
                Step::Leaf { edge, depth, leaf } => {
                    self.go_down(edge, depth, &rows, follows, products);
                    let product = &products[depth * n..(depth + 1) * n];
                    let above = sums[(depth - 1) * n * K..depth * n * K].as_chunks_mut::<K>().0;
                    let Edge { feature, above: upper, .. } = self.edges[edge];
                    let (did, does) = (follows[upper], follows[edge]);
                    let mut total = zero;
                    for (gain, p) in self.gains[edge * n..].iter().zip(product) {
                        let gain = choose(does, *gain);
                        total = std::array::from_fn(|l| total[l] + gain[l] * p[l]);
                    }
                    let total = keep(did, total);
                    let values = &self.values[leaf * self.n_outputs + first..][..K];
                    for (o, &value) in values.iter().enumerate() {
                        // Pure leaves are worth nothing to all classes but one.
                        if value == 0.0 {
                            continue;
                        }
                        for (above, p) in above.iter_mut().zip(product) {
                            above[o] = std::array::from_fn(|l| above[o][l] + p[l] * value);
                        }
                        let slot = &mut phi[feature * K + o];
                        *slot = std::array::from_fn(|l| slot[l] + total[l] * value);
                    }
                }
                Step::Leave { edge, depth } => {
                    let (above, here) = sums.split_at_mut(depth * n * K);
                    let above = above[(depth - 1) * n * K..].as_chunks_mut::<K>().0;
                    let here = here[..n * K].as_chunks::<K>().0;
                    let Edge { feature, above: upper, .. } = self.edges[edge];
                    let (did, does) = (follows[upper], follows[edge]);
                    let mut totals = [zero; K];
                    let gains = &self.gains[edge * n..];
                    for ((gain, here), above) in gains.iter().zip(here).zip(above) {
                        let gain = choose(does, *gain);
                        for o in 0..K {
                            totals[o] =
                                std::array::from_fn(|l| totals[o][l] + gain[l] * here[o][l]);
                            above[o] = std::array::from_fn(|l| above[o][l] + here[o][l]);
                        }
                    }
                    for (slot, total) in phi[feature * K..].iter_mut().zip(totals) {
                        let total = keep(did, total);
                        *slot = std::array::from_fn(|l| slot[l] + total[l]);
                    }
                }
            }
        }
    }

    /// Multiplies the path's products by the factors of one more edge.
    #[expect(clippy::inline_always, reason = "must be compiled into the AVX2 function")]
    #[inline(always)]
    fn go_down(
        &self,
        edge: usize,
        depth: usize,
        rows: &[&[f64]; LANES],
        follows: &mut [Mask],
        products: &mut [Lanes],
    ) {
        let n = self.n_nodes;
        let Edge { feature, threshold, goes_left, above } = self.edges[edge];
        let did = follows[above];
        let does: Mask = std::array::from_fn(|l| {
            if (rows[l][feature] <= threshold) == goes_left { did[l] } else { 0 }
        });
        follows[edge] = does;
        let off = self.ratios_off[edge];
        let (above, here) = products.split_at_mut(depth * n);
        let above = &above[(depth - 1) * n..];
        for ((here, above), ratio) in here.iter_mut().zip(above).zip(&self.ratios[edge * n..][..n])
        {
            let on = choose(does, *ratio);
            *here = std::array::from_fn(|l| above[l] * if did[l] == 0 { off } else { on[l] });
        }
    }
}

/// The first of two numbers for the rows of the mask, the second for all others.
#[expect(clippy::inline_always, reason = "must be compiled into the AVX2 function")]
#[inline(always)]
fn choose(mask: Mask, [yes, no]: [f64; 2]) -> Lanes {
    std::array::from_fn(|l| if mask[l] == 0 { no } else { yes })
}

/// The numbers of the rows of the mask: what the sum below an edge adds to its feature is nothing once a row has left
/// the feature's path further up.
#[expect(clippy::inline_always, reason = "must be compiled into the AVX2 function")]
#[inline(always)]
fn keep(mask: Mask, numbers: Lanes) -> Lanes {
    std::array::from_fn(|l| if mask[l] == 0 { 0.0 } else { numbers[l] })
}

/// The steps around a tree.
fn walk(tree: &Tree) -> Vec<Step> {
    let mut steps = Vec::with_capacity(3 * tree.n_nodes() / 2);
    let mut open = vec![(0, 0, false)];
    while let Some((node, depth, is_done)) = open.pop() {
        match tree.kind(node) {
            _ if is_done => steps.push(Step::Leave { edge: node, depth }),
            // A tree of one leaf has no feature to praise.
            Kind::Leaf(_) if node == 0 => {}
            Kind::Leaf(leaf) => steps.push(Step::Leaf { edge: node, depth, leaf }),
            Kind::Split { left, .. } => {
                if node != 0 {
                    steps.push(Step::Enter { edge: node, depth });
                    open.push((node, depth, true));
                }
                open.push((left + 1, depth + 1, false));
                open.push((left, depth + 1, false));
            }
        }
    }
    steps
}
