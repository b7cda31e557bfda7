//! `TreeSHAP` by looking up: many rows decide alike, so what a decision is worth is computed once.
//!
//! The leaves below a node depend on few conditions. All their outcomes are numbered, the Shapley
//! values of every outcome are put into a table, and a row adds one line of the table for the whole
//! group of leaves (after Nadel and Wettenstein, *From decision trees to Boolean logic: a fast and
//! unified SHAP algorithm*, 2025, which does so leaf by leaf). Numbering is arithmetic on whole columns of small integers.

use rayon::prelude::*;

use super::legendre::gauss_legendre;
use crate::classify::Tree;
use crate::classify::tree::Kind;
use crate::classify::trees::Trees;
use crate::classify::walk::thresholds;

/// Outcomes per group of leaves: tables of this many lines stay in the second-level cache.
const MAX_STATES: usize = 1024;
/// A single leaf may have more; the outcomes of this many features on one path fit `u16`.
const MAX_PATH: usize = 12;
/// Numbers in all tables together; larger forests go another way.
const MAX_TABLE: usize = 32 << 20;
/// Rows that are numbered together, so that numbers and sums stay in the first-level cache.
const BLOCK: usize = 128;

/// Trees whose tables are there at the same time: those of the next take their place in memory.
const TREES_AT_ONCE: usize = 16;

/// A forest that can be written as tables.
pub(crate) struct Tables<'a> {
    trees: &'a [Tree],
    /// Per feature: the thresholds of all trees, ascending.
    thresholds: Vec<Vec<f64>>,
    /// Per tree: its groups of leaves.
    plans: Vec<Vec<Plan>>,
    /// Outputs in a leaf; only the first `n_outputs` are explained.
    stride: usize,
    n_outputs: usize,
}

/// Leaves that are looked up together.
struct Group<'a> {
    cells: &'a [Cell],
    /// Where the values of a line of the table belong in a row of `phi`.
    targets: Vec<usize>,
    /// One line per outcome, shape `(n_states, n_cells * n_outputs)`.
    table: Vec<f64>,
}

/// How one feature enters the number of an outcome.
///
/// Features are seen through codes: how many of the forest's thresholds they exceed.
struct Cell {
    feature: usize,
    stride: usize,
    /// The way to the group asks for `low < code <= high`; missing it is one outcome, the last.
    path: Option<(i16, i16)>,
    /// Cuts inside the group, ascending: the outcome is how many the code exceeds.
    cuts: Vec<i16>,
}

/// What the way to a node asks of one feature.
#[derive(Clone, Copy)]
struct Condition {
    feature: usize,
    low: i16,
    high: i16,
    /// Share of the cover that followed, over all splits on the feature.
    share: f64,
}

impl<'a> Tables<'a> {
    /// The tables of a forest whose first `n_outputs` outputs are explained; `None` where they would be too large.
    pub fn of(trees: &'a Trees, n_outputs: usize) -> Option<Self> {
        let thresholds = thresholds(trees.as_slice(), trees.n_features());
        if thresholds.iter().any(|t| t.len() >= i16::MAX as usize) {
            return None;
        }
        let planner = Planner { thresholds: &thresholds };
        let plans: Vec<Vec<Plan>> =
            trees.as_slice().iter().map(|t| planner.plan(t)).collect::<Option<_>>()?;
        let numbers = |plan: &Plan| plan.n_states * plan.cells.len() * n_outputs;
        if plans.iter().flatten().map(numbers).sum::<usize>() > MAX_TABLE {
            return None;
        }
        let (stride, trees) = (trees.n_outputs(), trees.as_slice());
        Some(Self { trees, thresholds, plans, stride, n_outputs })
    }

    /// Adds the Shapley values of rows (each of `thresholds.len()` features) to `phi`, shape
    /// `(n_rows, n_features * n_outputs)`, in tasks of `block_rows`; `report` is told the share that is done.
    pub fn add_rows(
        &self,
        rows: &[f64],
        phi: &mut [f64],
        block_rows: usize,
        report: &(dyn Fn(f64) + Sync),
    ) {
        let d = self.thresholds.len();
        let codes: Vec<Vec<i16>> =
            rows.par_chunks(block_rows * d).map(|rows| self.codes(rows)).collect();
        let width = d * self.n_outputs;
        let planned: Vec<(&Tree, &Vec<Plan>)> = self.trees.iter().zip(&self.plans).collect();
        for (chunk, trees) in planned.chunks(TREES_AT_ONCE).enumerate() {
            let groups: Vec<Vec<Group>> =
                trees.par_iter().map(|(tree, plans)| self.groups(tree, plans)).collect();
            phi.par_chunks_mut(block_rows * width).zip(&codes).for_each(|(phi, codes)| {
                groups.iter().for_each(|groups| add_groups(groups, codes, phi, width));
            });
            report(((chunk + 1) * TREES_AT_ONCE) as f64 / planned.len() as f64);
        }
    }

    /// The codes of rows, feature by feature, each filled up with zeros to whole `BLOCK`s.
    fn codes(&self, rows: &[f64]) -> Vec<i16> {
        let d = self.thresholds.len();
        let padded = (rows.len() / d).next_multiple_of(BLOCK);
        let mut codes = vec![0i16; padded * d];
        for (i, row) in rows.chunks_exact(d).enumerate() {
            for (f, (x, thresholds)) in row.iter().zip(&self.thresholds).enumerate() {
                codes[f * padded + i] = thresholds.partition_point(|t| t < x) as i16;
            }
        }
        codes
    }

    /// The filled tables of one tree.
    fn groups<'p>(&self, tree: &Tree, plans: &'p [Plan]) -> Vec<Group<'p>> {
        plans.iter().map(|plan| self.fill(tree, plan)).collect()
    }

    /// Adds the leaves' values for every outcome into the group's table.
    fn fill<'p>(&self, tree: &Tree, plan: &'p Plan) -> Group<'p> {
        let (m, k, scale) = (plan.cells.len(), self.n_outputs, 1.0 / self.trees.len() as f64);
        let planner = Planner { thresholds: &self.thresholds };
        let mut table = vec![0.0; plan.n_states * m * k];
        let mut open = vec![(plan.root, plan.path.clone())];
        while let Some((node, path)) = open.pop() {
            match tree.kind(node) {
                Kind::Split { left, .. } => {
                    open.push((left + 1, planner.extend(tree, node, &path, false)));
                    open.push((left, planner.extend(tree, node, &path, true)));
                }
                Kind::Leaf(leaf) => {
                    let values: Vec<f64> = tree.leaf_values(leaf, self.stride)[..k]
                        .iter()
                        .map(|v| v * scale)
                        .collect();
                    add_leaf(&mut table, plan, &path, &values);
                }
            }
        }
        let targets =
            plan.cells.iter().flat_map(|c| (0..k).map(move |o| c.feature * k + o)).collect();
        Group { cells: &plan.cells, targets, table }
    }
}

/// Adds what the groups of one tree give to rows with these codes.
fn add_groups(groups: &[Group<'_>], codes: &[i16], phi: &mut [f64], width: usize) {
    let padded = (phi.len() / width).next_multiple_of(BLOCK);
    for (b, phi) in phi.chunks_mut(BLOCK * width).enumerate() {
        for group in groups {
            let mut states = [0u16; BLOCK];
            for cell in group.cells {
                let start = cell.feature * padded + b * BLOCK;
                if let Ok(codes) = (&codes[start..start + BLOCK]).try_into() {
                    cell.add(codes, &mut states);
                }
            }
            group.add_lines(&states, phi, width);
        }
    }
}

impl Cell {
    /// Outcomes of this feature.
    fn n_states(&self) -> usize {
        self.cuts.len() + 1 + usize::from(self.path.is_some())
    }

    /// Adds this feature's part to the numbers of the outcomes.
    #[inline]
    fn add(&self, codes: &[i16; BLOCK], states: &mut [u16; BLOCK]) {
        let stride = self.stride as u16;
        let mut inside = [0u16; BLOCK];
        for &cut in &self.cuts {
            for (part, &code) in inside.iter_mut().zip(codes) {
                *part += if code > cut { stride } else { 0 };
            }
        }
        let Some((low, high)) = self.path else {
            states.iter_mut().zip(inside).for_each(|(s, part)| *s += part);
            return;
        };
        let outside = stride * (self.cuts.len() + 1) as u16;
        for ((state, part), &code) in states.iter_mut().zip(inside).zip(codes) {
            *state += if code > low && code <= high { part } else { outside };
        }
    }

    /// A code that has this outcome; `None` for the outcome of missing the group's path.
    fn code_of(&self, state: usize) -> Option<i16> {
        match self.cuts.get(state) {
            Some(&cut) => Some(cut),
            None if state > self.cuts.len() => None,
            None => {
                let low = self.path.map_or(-1, |(low, _)| low);
                Some(self.cuts.last().map_or(low, |&cut| cut.max(low)) + 1)
            }
        }
    }
}

impl Group<'_> {
    fn add_lines(&self, states: &[u16; BLOCK], phi: &mut [f64], width: usize) {
        match self.targets.len() {
            1 => self.add_fixed::<1>(states, phi, width),
            2 => self.add_fixed::<2>(states, phi, width),
            3 => self.add_fixed::<3>(states, phi, width),
            4 => self.add_fixed::<4>(states, phi, width),
            5 => self.add_fixed::<5>(states, phi, width),
            6 => self.add_fixed::<6>(states, phi, width),
            7 => self.add_fixed::<7>(states, phi, width),
            8 => self.add_fixed::<8>(states, phi, width),
            9 => self.add_fixed::<9>(states, phi, width),
            10 => self.add_fixed::<10>(states, phi, width),
            m => {
                for (row, &state) in phi.chunks_exact_mut(width).zip(states) {
                    let line = &self.table[usize::from(state) * m..][..m];
                    for (&target, value) in self.targets.iter().zip(line) {
                        row[target] += value;
                    }
                }
            }
        }
    }

    /// The same with the length of a line known, so that its additions stand one after the other.
    fn add_fixed<const M: usize>(&self, states: &[u16; BLOCK], phi: &mut [f64], width: usize) {
        let Ok(targets) = <&[usize; M]>::try_from(&self.targets[..]) else { return };
        for (row, &state) in phi.chunks_exact_mut(width).zip(states) {
            let start = usize::from(state) * M;
            let line = &self.table[start..start + M];
            for i in 0..M {
                row[targets[i]] += line[i];
            }
        }
    }
}

/// A group before its table is filled.
struct Plan {
    root: usize,
    path: Vec<Condition>,
    cells: Vec<Cell>,
    n_states: usize,
}

/// Finds the groups of leaves.
struct Planner<'a> {
    thresholds: &'a [Vec<f64>],
}

impl Planner<'_> {
    /// Parts a tree into subtrees of few outcomes; `None` when even a leaf has too many.
    fn plan(&self, tree: &Tree) -> Option<Vec<Plan>> {
        let mut plans = Vec::new();
        let mut open = vec![(0, Vec::new())];
        while let Some((root, path)) = open.pop() {
            if path.len() > MAX_PATH {
                return None;
            }
            let cells = self.cells(tree, root, &path);
            let n_states: usize = cells.iter().map(Cell::n_states).product();
            match tree.kind(root) {
                Kind::Split { left, .. } if n_states > MAX_STATES => {
                    open.push((left + 1, self.extend(tree, root, &path, false)));
                    open.push((left, self.extend(tree, root, &path, true)));
                }
                _ if cells.is_empty() => {}
                _ => plans.push(Plan { root, path, cells, n_states }),
            }
        }
        Some(plans)
    }

    /// The position of a split's threshold among the feature's.
    fn rank(&self, feature: usize, threshold: f64) -> i16 {
        self.thresholds[feature].partition_point(|&t| t < threshold) as i16
    }

    /// The conditions of a child out of those of its parent.
    fn extend(
        &self,
        tree: &Tree,
        node: usize,
        path: &[Condition],
        goes_left: bool,
    ) -> Vec<Condition> {
        let Kind::Split { feature, threshold, left } = tree.kind(node) else {
            return path.to_vec();
        };
        let mut path = path.to_vec();
        let at = path.iter().position(|c| c.feature == feature).unwrap_or_else(|| {
            path.push(Condition { feature, low: -1, high: i16::MAX, share: 1.0 });
            path.len() - 1
        });
        let (condition, rank) = (&mut path[at], self.rank(feature, threshold));
        let (share_left, share_right) = tree.shares(node, left);
        if goes_left {
            condition.high = condition.high.min(rank);
            condition.share *= share_left;
        } else {
            condition.low = condition.low.max(rank);
            condition.share *= share_right;
        }
        path
    }

    /// The features that decide among the leaves below `root`, with their cuts.
    fn cells(&self, tree: &Tree, root: usize, path: &[Condition]) -> Vec<Cell> {
        let mut cells: Vec<Cell> = path
            .iter()
            .map(|c| Cell {
                feature: c.feature,
                stride: 0,
                path: Some((c.low, c.high)),
                cuts: vec![],
            })
            .collect();
        let mut open = vec![root];
        while let Some(node) = open.pop() {
            if let Kind::Split { feature, threshold, left } = tree.kind(node) {
                let at = cells.iter().position(|c| c.feature == feature).unwrap_or_else(|| {
                    cells.push(Cell { feature, stride: 0, path: None, cuts: vec![] });
                    cells.len() - 1
                });
                cells[at].cuts.push(self.rank(feature, threshold));
                open.extend([left, left + 1]);
            }
        }
        let mut stride = 1;
        for cell in &mut cells {
            let (low, high) = cell.path.unwrap_or((-1, i16::MAX));
            // A cut outside the path's interval (no trained tree has one) tells nothing apart.
            cell.cuts.retain(|&cut| low < cut && cut < high);
            cell.cuts.sort_unstable();
            cell.cuts.dedup();
            cell.stride = stride;
            stride = stride.saturating_mul(cell.n_states());
        }
        cells
    }
}

/// Adds one leaf's Shapley values to the table, for every outcome of the group.
fn add_leaf(table: &mut [f64], plan: &Plan, path: &[Condition], values: &[f64]) {
    let d = path.len();
    let worth = worth_by_pattern(path);
    // For each outcome of the group: which of the leaf's conditions hold, as bits.
    let mut patterns = vec![0usize];
    for cell in &plan.cells {
        let at = path.iter().position(|c| c.feature == cell.feature);
        let bit = |state: usize| match (at, cell.code_of(state)) {
            (Some(i), Some(code)) if path[i].low < code && code <= path[i].high => 1 << i,
            _ => 0,
        };
        let mut longer = Vec::with_capacity(patterns.len() * cell.n_states());
        for state in 0..cell.n_states() {
            let bit = bit(state);
            longer.extend(patterns.iter().map(|p| p | bit));
        }
        patterns = longer;
    }
    let places: Vec<usize> = path
        .iter()
        .filter_map(|c| plan.cells.iter().position(|cell| cell.feature == c.feature))
        .collect();
    let k = values.len();
    for (line, pattern) in table.chunks_exact_mut(plan.cells.len() * k).zip(patterns) {
        for (&place, worth) in places.iter().zip(&worth[pattern * d..(pattern + 1) * d]) {
            for (slot, value) in line[place * k..(place + 1) * k].iter_mut().zip(values) {
                *slot += worth * value;
            }
        }
    }
}

/// The Shapley values of a leaf worth 1, for every pattern of conditions that hold:
/// shape `(2^n_conditions, n_conditions)`, by the integral that [`super::quadrature`] explains.
fn worth_by_pattern(path: &[Condition]) -> Vec<f64> {
    let d = path.len();
    let (nodes, weights) = gauss_legendre(d.div_ceil(2).max(1));
    let mut worth = vec![0.0; d << d];
    for (t, w) in nodes.into_iter().zip(weights) {
        let mut products = vec![w];
        for condition in path {
            let (p, n) = (condition.share, products.len());
            products.extend_from_within(..);
            let (fails, holds) = products.split_at_mut(n);
            for (fails, holds) in fails.iter_mut().zip(holds) {
                *fails *= p * (1.0 - t);
                *holds *= p + t * (1.0 - p);
            }
        }
        let fails = -1.0 / (1.0 - t);
        let holds: Vec<f64> =
            path.iter().map(|c| (1.0 - c.share) / (c.share + t * (1.0 - c.share))).collect();
        for (pattern, (line, product)) in worth.chunks_exact_mut(d.max(1)).zip(products).enumerate()
        {
            for (i, (slot, holds)) in line.iter_mut().zip(&holds).enumerate() {
                *slot += product * if pattern >> i & 1 == 1 { *holds } else { fails };
            }
        }
    }
    worth
}
