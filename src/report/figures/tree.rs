//! A decision tree, drawn so that it can be read aloud.

use super::canvas::{Figure, Ink};
use super::palette::{GRID, INK, MUTED, PAPER, group};
use super::text::{Anchor, Lettering};
use crate::classify::tree::TreeRecord;
use crate::report::number::{count, significant};

/// A node of a decision tree: a question with two answers, or a leaf.
#[derive(Debug, Clone, Default)]
pub struct TreeNode {
    /// Feature, threshold, and the positions of the nodes for `<=` and `>`; `None` for a leaf.
    pub split: Option<(String, f64, usize, usize)>,
    /// Objects of each class 1..k that come here.
    pub counts: Vec<f64>,
}

/// A decision tree; node 0 is the root.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// The heading.
    pub title: String,
    /// A sentence under the heading.
    pub subtitle: String,
    /// The nodes.
    pub nodes: Vec<TreeNode>,
    /// Names of the classes; empty: their numbers.
    pub classes: Vec<String>,
}

impl Tree {
    /// A tree of a forest; `features` and `classes` are the names of the forest's columns and outputs.
    ///
    /// The forest keeps shares of the classes at each node; times the rows that came there they are objects again.
    pub fn of(tree: &crate::classify::Tree, features: &[String], classes: Vec<String>) -> Self {
        let record = TreeRecord::of(tree, classes.len());
        let name = |f: usize| features.get(f).cloned().unwrap_or_else(|| format!("x{f}"));
        let nodes = (0..record.cover.len())
            .map(|i| {
                let left = record.children_left[i];
                let split = (left >= 0).then(|| {
                    let feature = name(record.feature[i] as usize);
                    (feature, record.threshold[i], left as usize, record.children_right[i] as usize)
                });
                let shares = record.value[i].as_slice().iter();
                TreeNode { split, counts: shares.map(|v| v * record.cover[i]).collect() }
            })
            .collect();
        Self { nodes, classes, ..Self::default() }
    }
}

/// Deeper nodes are not drawn.
const MAX_DEPTH: usize = 4;
/// A node is as wide as its longest line, within these bounds; what is longer still is shortened.
const NARROW: f64 = 158.0;
const WIDE: f64 = 300.0;
/// Free room between nodes, and beside the lines within one.
const GAP: f64 = 14.0;
const HEIGHT: f64 = 46.0;
const LEVEL: f64 = 92.0;

/// Draws a [`Tree`] to its fourth level.
pub fn tree(tree: &Tree) -> Figure {
    let mut places = Vec::new();
    let mut next_leaf = 0.0;
    if !tree.nodes.is_empty() {
        place(tree, 0, 0, &mut next_leaf, &mut places);
    }
    let depth = places.iter().map(|p| p.1).max().unwrap_or(0);
    let longest = places.iter().flat_map(|p| lines(tree, &tree.nodes[p.0])).map(|l| l.width());
    let node_width = (longest.fold(0.0, f64::max) + GAP).clamp(NARROW, WIDE);
    let width = (next_leaf * (node_width + GAP) + 32.0).max(480.0);
    let top = Figure::new(&tree.title, width, 0.0).header(&tree.subtitle) + 6.0;
    let mut figure = Figure::new(&tree.title, width, top + LEVEL * depth as f64 + HEIGHT + 20.0);
    figure.header(&tree.subtitle);
    let shift = (width - next_leaf * (node_width + GAP)) / 2.0;
    let at = |x: f64, depth: usize| (shift + x * (node_width + GAP), top + LEVEL * depth as f64);
    for &(node, level, x) in &places {
        let Some((_, _, left, right)) = &tree.nodes[node].split else { continue };
        let from = at(x, level);
        for (child, answer) in [(*left, "yes"), (*right, "no")] {
            let Some(&(_, _, cx)) = places.iter().find(|p| p.0 == child && p.1 == level + 1) else {
                continue;
            };
            let to = at(cx, level + 1);
            let ink = Ink::from(MUTED).width(1.3);
            figure.line(vec![(from.0, from.1 + HEIGHT), to], ink);
            let middle = (f64::midpoint(from.0, to.0), f64::midpoint(from.1 + HEIGHT, to.1) + 4.0);
            let letters = Lettering::new(11.0).anchor(Anchor::Middle).ink(MUTED);
            figure.rect(
                (middle.0 - 13.0, middle.1 - 11.0),
                (middle.0 + 13.0, middle.1 + 4.0),
                PAPER,
            );
            figure.text(middle, answer, letters);
        }
    }
    for &(node, level, x) in &places {
        draw_node(&mut figure, tree, &tree.nodes[node], at(x, level), node_width);
    }
    figure
}

/// Gives leaves the next free column and parents the middle of their children; returns the column.
fn place(
    tree: &Tree,
    node: usize,
    depth: usize,
    next_leaf: &mut f64,
    places: &mut Vec<(usize, usize, f64)>,
) -> f64 {
    let split = tree.nodes[node].split.as_ref().filter(|s| {
        depth < MAX_DEPTH && s.2 > node && s.3 > node && s.2.max(s.3) < tree.nodes.len()
    });
    let x = if let Some(&(_, _, left, right)) = split {
        let a = place(tree, left, depth + 1, next_leaf, places);
        let b = place(tree, right, depth + 1, next_leaf, places);
        f64::midpoint(a, b)
    } else {
        *next_leaf += 1.0;
        *next_leaf - 0.5
    };
    places.push((node, depth, x));
    x
}

/// A line of a node: what may be shortened, and what may not.
struct Line {
    letters: Lettering,
    text: String,
    end: String,
}

impl Line {
    fn width(&self) -> f64 {
        self.letters.width(&self.text) + self.letters.width(&self.end)
    }

    fn fitted(&self, room: f64) -> String {
        let room = room - self.letters.width(&self.end);
        format!("{}{}", self.letters.fitted(&self.text, room), self.end)
    }
}

/// The class that is most frequent at a node, and its share.
fn majority(node: &TreeNode) -> (usize, f64) {
    let total: f64 = node.counts.iter().sum();
    let best = (0..node.counts.len())
        .max_by(|&a, &b| node.counts[a].total_cmp(&node.counts[b]).then(b.cmp(&a)));
    best.map_or((0, 0.0), |b| (b, node.counts[b] / total.max(1e-300)))
}

/// The question of a split or the class of a leaf; below it who came here.
fn lines(tree: &Tree, node: &TreeNode) -> [Line; 2] {
    let bold = Lettering::new(11.5).bold().anchor(Anchor::Middle).ink(INK);
    let plain = Lettering::new(11.0).anchor(Anchor::Middle).ink(MUTED);
    let line = |letters, text, end| Line { letters, text, end };
    let (best, share) = majority(node);
    let name = tree.classes.get(best).cloned().unwrap_or_else(|| format!("group {}", best + 1));
    let share = format!("{:.0} %", 100.0 * share);
    let size = format!(", {} objects", count(node.counts.iter().sum::<f64>().round() as usize));
    match &node.split {
        Some((feature, threshold, _, _)) => {
            let threshold = significant(*threshold).replace('-', "\u{2212}");
            let question = line(bold, feature.clone(), format!(" \u{2264} {threshold}?"));
            [question, line(plain, format!("{share} {name}"), size)]
        }
        None => [line(bold, name, String::new()), line(plain, share, size)],
    }
}

fn draw_node(figure: &mut Figure, tree: &Tree, node: &TreeNode, (x, y): (f64, f64), width: f64) {
    let color = group(majority(node).0 + 1).0;
    let (from, to) = ((x - width / 2.0, y), (x + width / 2.0, y + HEIGHT));
    figure.rect(from, to, PAPER);
    figure.rect(from, (from.0 + 5.0, to.1), color);
    figure.frame(from, to, Ink::from(if node.split.is_some() { GRID } else { color }).width(1.4));
    for (line, baseline) in lines(tree, node).iter().zip([19.0, 36.0]) {
        figure.text((x + 2.5, y + baseline), line.fitted(width - GAP), line.letters);
    }
}
