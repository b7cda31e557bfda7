//! `TreeSHAP` as an integral: the Shapley values of a tree for one row after another.
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

/// A tree made ready: its edges and every factor that depends on the tree alone.
pub(crate) struct Plan {
    /// The walk around the tree, left before right.
    steps: Vec<Step>,
    /// The edge into each node; the root has none and stands for itself.
    edges: Vec<Edge>,
    depth: usize,
    /// Groups of `LANES` quadrature nodes.
    n_groups: usize,
    /// Per edge, state (off, follows, leaves) and group: by what the product over the path changes.
    ratios: Vec<Lanes>,
    /// Per edge, state (follows, leaves) and group: the weight of the sum below the edge in the feature's value.
    gains: Vec<Lanes>,
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

/// Room for the sums of one row.
#[derive(Default)]
pub(crate) struct Scratch {
    /// Per edge: whether the row fulfils every condition on its feature down to here.
    follows: Vec<bool>,
    /// Per depth and group: the product of the factors on the path.
    products: Vec<Lanes>,
    /// Per depth, output and group: the sum of the leaves below that were visited.
    sums: Vec<Lanes>,
    /// Per feature and output, still to be added over the lanes.
    phi: Vec<Lanes>,
}

const OFF: usize = 0;
const FOLLOWS: usize = 1;
const LEAVES: usize = 2;

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
            n_groups: 0,
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
        let (mut nodes, mut weights) = gauss_legendre(longest.div_ceil(2).max(1));
        let padded = nodes.len().next_multiple_of(LANES);
        nodes.resize(padded, 0.5);
        weights.resize(padded, 0.0);
        self.n_groups = padded / LANES;
        let extend = |table: &mut Vec<Lanes>, f: &dyn Fn(f64, f64) -> f64| {
            for group in 0..padded / LANES {
                let at = group * LANES;
                table.push(std::array::from_fn(|l| f(nodes[at + l], weights[at + l])));
            }
        };
        let on = |p: f64, t: f64| p + t * (1.0 - p);
        for (edge, &p) in self.edges.iter().zip(shares) {
            let q = shares[edge.above];
            extend(&mut self.ratios, &|_, _| p / q);
            extend(&mut self.ratios, &|t, _| on(p, t) / on(q, t));
            extend(&mut self.ratios, &|t, _| p * (1.0 - t) / on(q, t));
            let before = |t| (1.0 - q) / on(q, t);
            extend(&mut self.gains, &|t, w| w * ((1.0 - p) / on(p, t) - before(t)));
            extend(&mut self.gains, &|t, w| w * (-1.0 / (1.0 - t) - before(t)));
        }
    }

    /// Adds the Shapley values of one row to `phi`, shape `(n_features, n_outputs)`.
    pub fn add_row(&self, row: &[f64], scratch: &mut Scratch, phi: &mut [f64]) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            #[expect(unsafe_code, reason = "SIMD kernel")]
            // SAFETY: the processor was just found to have AVX2, the only thing the function asks for.
            return unsafe { self.add_row_avx2(row, scratch, phi) };
        }
        self.add_row_portable(row, scratch, phi);
    }

    /// The same code with registers of four numbers; no fused operations, so the same bits.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn add_row_avx2(&self, row: &[f64], scratch: &mut Scratch, phi: &mut [f64]) {
        self.add_row_portable(row, scratch, phi);
    }

    #[expect(clippy::inline_always, reason = "must be compiled into the AVX2 function")]
    #[inline(always)]
    fn add_row_portable(&self, row: &[f64], scratch: &mut Scratch, phi: &mut [f64]) {
        match self.n_groups {
            1 => self.add_row_of::<1>(row, scratch, phi),
            2 => self.add_row_of::<2>(row, scratch, phi),
            3 => self.add_row_of::<3>(row, scratch, phi),
            _ => self.add_row_of::<0>(row, scratch, phi),
        }
    }

    /// `G` groups of quadrature nodes; 0 where only the plan knows how many.
    #[expect(clippy::inline_always, reason = "must be compiled into the AVX2 function")]
    #[inline(always)]
    fn add_row_of<const G: usize>(&self, row: &[f64], scratch: &mut Scratch, phi: &mut [f64]) {
        let g = if G == 0 { self.n_groups } else { G };
        let k = self.n_outputs;
        let zero = [0.0; LANES];
        let Scratch { follows, products, sums, phi: lanes } = scratch;
        follows.clear();
        follows.resize(self.edges.len(), true);
        products.clear();
        products.resize((self.depth + 1) * g, [1.0; LANES]);
        sums.clear();
        sums.resize((self.depth + 1) * g * k, zero);
        lanes.clear();
        lanes.resize(phi.len(), zero);
        for &step in &self.steps {
            match step {
                Step::Enter { edge, depth } => {
                    self.go_down(edge, depth, g, row, follows, products);
                    sums[depth * g * k..(depth + 1) * g * k].fill(zero);
                }
                Step::Leaf { edge, depth, leaf } => {
                    self.go_down(edge, depth, g, row, follows, products);
                    let product = &products[depth * g..(depth + 1) * g];
                    let gain = self.gain(edge, g, follows).map(|gain| dot(gain, product));
                    let above = &mut sums[(depth - 1) * g * k..depth * g * k];
                    for (o, &value) in self.values[leaf * k..(leaf + 1) * k].iter().enumerate() {
                        // Pure leaves are worth nothing to all classes but one.
                        if value == 0.0 {
                            continue;
                        }
                        for (a, p) in above[o * g..(o + 1) * g].iter_mut().zip(product) {
                            *a = std::array::from_fn(|l| a[l] + p[l] * value);
                        }
                        if let Some(gain) = gain {
                            let slot = &mut lanes[self.edges[edge].feature * k + o];
                            *slot = std::array::from_fn(|l| slot[l] + gain[l] * value);
                        }
                    }
                }
                Step::Leave { edge, depth } => {
                    let (above, here) = sums.split_at_mut(depth * g * k);
                    let (above, here) = (&mut above[(depth - 1) * g * k..], &here[..g * k]);
                    if let Some(gain) = self.gain(edge, g, follows) {
                        let slots = &mut lanes[self.edges[edge].feature * k..][..k];
                        for (slot, sum) in slots.iter_mut().zip(here.chunks_exact(g)) {
                            let total = dot(gain, sum);
                            *slot = std::array::from_fn(|l| slot[l] + total[l]);
                        }
                    }
                    for (a, h) in above.iter_mut().zip(here) {
                        *a = std::array::from_fn(|l| a[l] + h[l]);
                    }
                }
            }
        }
        for (phi, lanes) in phi.iter_mut().zip(lanes) {
            *phi += lanes[0] + lanes[1] + (lanes[2] + lanes[3]);
        }
    }

    /// Multiplies the path's product by the factor of one more edge.
    #[expect(clippy::inline_always, reason = "must be compiled into the AVX2 function")]
    #[inline(always)]
    fn go_down(
        &self,
        edge: usize,
        depth: usize,
        g: usize,
        row: &[f64],
        follows: &mut [bool],
        products: &mut [Lanes],
    ) {
        let Edge { feature, threshold, goes_left, above } = self.edges[edge];
        let did = follows[above];
        let does = did && (row[feature] <= threshold) == goes_left;
        follows[edge] = does;
        let state = if !did {
            OFF
        } else if does {
            FOLLOWS
        } else {
            LEAVES
        };
        let ratio = &self.ratios[(edge * 3 + state) * g..][..g];
        let (above, here) = products.split_at_mut(depth * g);
        let above = &above[(depth - 1) * g..];
        for ((h, a), r) in here[..g].iter_mut().zip(above).zip(ratio) {
            *h = std::array::from_fn(|l| a[l] * r[l]);
        }
    }

    /// What the sum below an edge adds to its feature; nothing once the row has left the feature's path.
    #[expect(clippy::inline_always, reason = "must be compiled into the AVX2 function")]
    #[inline(always)]
    fn gain(&self, edge: usize, g: usize, follows: &[bool]) -> Option<&[Lanes]> {
        let state = usize::from(!follows[edge]);
        follows[self.edges[edge].above].then(|| &self.gains[(edge * 2 + state) * g..][..g])
    }
}

/// Lane by lane.
#[expect(clippy::inline_always, reason = "must be compiled into the AVX2 function")]
#[inline(always)]
fn dot(a: &[Lanes], b: &[Lanes]) -> Lanes {
    let mut sum = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        sum = std::array::from_fn(|l| sum[l] + a[l] * b[l]);
    }
    sum
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
