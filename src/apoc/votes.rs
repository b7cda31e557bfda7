//! Blocks of feature values become sums of votes: every tree, in order, for many pixels at once.
//!
//! A sum is an `f32`. A vote is a double, as an unsuffixed number in a model file is, so that adding one
//! rounds once: the bits are those of the file run by a compiler.

use super::forest::{Forest, LEAF, Node};

/// Pixels whose ways through a tree are kept in one word.
const LANES: usize = 64;
/// Fewer pixels than this on one way are cheaper one by one.
const CROWD: u32 = 6;
/// Pixels that one tree sees before the next has its turn: their features stay in the nearest caches.
pub(super) const BLOCK: usize = 1024;

/// A forest laid out for blocks.
#[derive(Debug)]
pub(super) struct Voters<'a> {
    forest: &'a Forest,
    small: Vec<Option<Small>>,
}

/// A tree of at most two levels as three questions and four answers.
#[derive(Debug)]
struct Small {
    features: [usize; 3],
    thresholds: [f32; 3],
    /// Per class that gets any: what the leaves add, and whether `f32` holds all four.
    answers: Vec<(usize, [f64; 4], bool)>,
}

impl<'a> Voters<'a> {
    pub fn of(forest: &'a Forest) -> Self {
        let small = forest.roots.iter().map(|&root| Small::of(forest, root)).collect();
        Self { forest, small }
    }

    /// Sums of votes for a block: `features[f][i]` in, `sums[class * n + i]` out.
    pub fn sum(&self, features: &[&[f32]], sums: &mut [f32]) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            #[expect(unsafe_code, reason = "wider registers are chosen at run time")]
            // SAFETY: the processor was just found to have AVX2.
            unsafe {
                self.sum_avx2(features, sums);
            }
            return;
        }
        self.sum_with::<Plain>(features, sums);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn sum_avx2(&self, features: &[&[f32]], sums: &mut [f32]) {
        self.sum_with::<Avx2>(features, sums);
    }

    #[inline(always)]
    fn sum_with<L: Lanes>(&self, features: &[&[f32]], sums: &mut [f32]) {
        sums.fill(0.0);
        let n = sums.len() / self.forest.n_classes;
        for start in (0..n).step_by(BLOCK) {
            let block = start..(start + BLOCK).min(n);
            for (&root, small) in self.forest.roots.iter().zip(&self.small) {
                match small {
                    Some(small) => small.vote(features, block.clone(), n, sums),
                    None => self.walk::<L>(root, features, block.clone(), n, sums),
                }
            }
        }
    }

    /// Takes 64 pixels at a time down a tree: together as long as they are many.
    #[inline(always)]
    fn walk<L: Lanes>(
        &self,
        root: u32,
        features: &[&[f32]],
        block: std::ops::Range<usize>,
        n: usize,
        sums: &mut [f32],
    ) {
        let mut open = Vec::with_capacity(64);
        for at in block.clone().step_by(LANES) {
            let count = LANES.min(block.end - at);
            let all = u64::MAX >> (LANES - count);
            open.push((root, all));
            while let Some((mut at_node, mut pixels)) = open.pop() {
                loop {
                    let node = self.forest.nodes[at_node as usize];
                    if node.left == LEAF {
                        self.add(node, pixels, at, n, sums);
                        break;
                    }
                    if pixels.count_ones() < CROWD {
                        each(pixels, |lane| self.alone(at_node, features, at + lane, n, sums));
                        break;
                    }
                    let below =
                        L::below(&features[node.feature as usize][at..at + count], node.threshold);
                    let (left, right) = (pixels & below, pixels & !below);
                    if left == 0 {
                        at_node = node.right;
                    } else {
                        if right != 0 {
                            open.push((node.right, right));
                        }
                        (at_node, pixels) = (node.left, left);
                    }
                }
            }
        }
    }

    /// Takes one pixel from a node to its leaf.
    #[inline(always)]
    fn alone(&self, from: u32, features: &[&[f32]], pixel: usize, n: usize, sums: &mut [f32]) {
        let mut node = self.forest.nodes[from as usize];
        while node.left != LEAF {
            let below = features[node.feature as usize][pixel] < node.threshold;
            node = self.forest.nodes[if below { node.left } else { node.right } as usize];
        }
        self.add(node, 1, pixel, n, sums);
    }

    /// Adds a leaf's votes to its pixels.
    #[inline(always)]
    fn add(&self, leaf: Node, pixels: u64, at: usize, n: usize, sums: &mut [f32]) {
        for (class, &vote) in self.forest.votes_of(leaf.right as usize).iter().enumerate() {
            if vote == 0.0 {
                continue;
            }
            let sums = &mut sums[class * n + at..(class + 1) * n];
            if pixels == u64::MAX {
                sums[..LANES].iter_mut().for_each(|sum| *sum = plus(*sum, vote));
            } else {
                each(pixels, |lane| sums[lane] = plus(sums[lane], vote));
            }
        }
    }
}

#[inline(always)]
fn plus(sum: f32, vote: f64) -> f32 {
    (f64::from(sum) + vote) as f32
}

#[inline(always)]
fn each(mut pixels: u64, mut act: impl FnMut(usize)) {
    while pixels != 0 {
        act(pixels.trailing_zeros() as usize);
        pixels &= pixels - 1;
    }
}

impl Small {
    /// `None` for a deeper tree.
    fn of(forest: &Forest, root: u32) -> Option<Self> {
        let node = |i: u32| forest.nodes[i as usize];
        // A leaf above the second level answers whatever is asked.
        let ask = |i: u32| {
            let n = node(i);
            if n.left == LEAF {
                (0, 0.0, i, i)
            } else {
                (n.feature as usize, n.threshold, n.left, n.right)
            }
        };
        let (feature, threshold, left, right) = ask(root);
        let (l, r) = (ask(left), ask(right));
        let leaves = [l.2, l.3, r.2, r.3].map(node);
        if leaves.iter().any(|leaf| leaf.left != LEAF) {
            return None;
        }
        let answers = (0..forest.n_classes).filter_map(|class| {
            let votes = leaves.map(|leaf| forest.votes_of(leaf.right as usize)[class]);
            let is_single = votes.iter().all(|&v| f64::from(v as f32) == v);
            votes.iter().any(|&v| v != 0.0).then_some((class, votes, is_single))
        });
        Some(Self {
            features: [feature, l.0, r.0],
            thresholds: [threshold, l.1, r.1],
            answers: answers.collect(),
        })
    }

    #[inline(always)]
    fn vote(&self, features: &[&[f32]], block: std::ops::Range<usize>, n: usize, sums: &mut [f32]) {
        let [a, b, c] = self.features.map(|f| &features[f][block.clone()]);
        let [t, u, v] = self.thresholds;
        for &(class, votes, is_single) in &self.answers {
            let sums = &mut sums[class * n + block.start..class * n + block.end];
            let rows = sums.iter_mut().zip(a).zip(b).zip(c);
            if is_single {
                // The sum of two singles, rounded, is the same however wide it was taken.
                let [w, x, y, z] = votes.map(|vote| vote as f32);
                rows.for_each(|(((sum, a), b), c)| {
                    let (left, right) = (if *b < u { w } else { x }, if *c < v { y } else { z });
                    *sum += if *a < t { left } else { right };
                });
            } else {
                let [w, x, y, z] = votes;
                rows.for_each(|(((sum, a), b), c)| {
                    let (left, right) = (if *b < u { w } else { x }, if *c < v { y } else { z });
                    *sum = plus(*sum, if *a < t { left } else { right });
                });
            }
        }
    }
}

/// How up to 64 values are compared at once.
trait Lanes {
    /// A bit for each value below the threshold.
    fn below(values: &[f32], threshold: f32) -> u64;
}

struct Plain;

impl Lanes for Plain {
    #[inline(always)]
    fn below(values: &[f32], threshold: f32) -> u64 {
        let bits = values.iter().enumerate().map(|(lane, &x)| u64::from(x < threshold) << lane);
        bits.fold(0, |all, bit| all | bit)
    }
}

#[cfg(target_arch = "x86_64")]
struct Avx2;

#[cfg(target_arch = "x86_64")]
impl Lanes for Avx2 {
    #[inline(always)]
    fn below(values: &[f32], threshold: f32) -> u64 {
        use std::arch::x86_64::{
            _CMP_LT_OQ, _mm256_cmp_ps, _mm256_loadu_ps, _mm256_movemask_ps, _mm256_set1_ps,
        };
        if values.len() < LANES {
            return Plain::below(values, threshold);
        }
        let mut bits = 0;
        for (i, eight) in values[..LANES].chunks_exact(8).enumerate() {
            #[expect(unsafe_code, reason = "no safe comparison of eight numbers gives eight bits")]
            // SAFETY: eight numbers are read where eight stand, and only `sum_avx2` comes here.
            let mask = unsafe {
                let eight = _mm256_loadu_ps(eight.as_ptr());
                _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LT_OQ>(eight, _mm256_set1_ps(threshold)))
            };
            bits |= u64::from(mask as u8) << (8 * i);
        }
        bits
    }
}

/// The class of the largest sum for each pixel, counted from 1; of equal ones the lowest.
pub(super) fn winners(sums: &[f32], n_classes: usize) -> Vec<u32> {
    let n = sums.len() / n_classes;
    let mut best = sums[..n].to_vec();
    let mut winners = vec![1; n];
    for class in 1..n_classes {
        for ((best, winner), &sum) in best.iter_mut().zip(&mut winners).zip(&sums[class * n..]) {
            if *best < sum {
                (*best, *winner) = (sum, class as u32 + 1);
            }
        }
    }
    winners
}

/// The share of a class (from 1) in the votes of each pixel.
pub(super) fn shares(sums: &[f32], n_classes: usize, class: usize) -> Vec<f32> {
    let n = sums.len() / n_classes;
    (0..n)
        .map(|i| {
            let total = (1..n_classes).fold(sums[i], |total, k| total + sums[k * n + i]);
            sums[(class - 1) * n + i] / total
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    /// A random tree of a given depth; some of its branches end early.
    fn grow(forest: &mut Forest, depth: usize, draw: &mut impl FnMut() -> f64) -> u32 {
        let here = forest.nodes.len();
        if depth == 0 || draw() < 0.1 {
            let p = (draw() * 7.0).round() / 7.0;
            forest.votes.extend([p, 1.0 - p]);
            forest.nodes.push(Node::leaf(forest.n_leaves() - 1));
            return here as u32;
        }
        forest.nodes.push(Node::leaf(0));
        let (feature, threshold) = ((draw() * 3.0) as u32, (draw() * 16.0).round() as f32 / 16.0);
        let left = grow(forest, depth - 1, draw);
        let right = grow(forest, depth - 1, draw);
        forest.nodes[here] = Node { threshold, feature, left, right };
        here as u32
    }

    #[test]
    fn blocks_equal_one_pixel_at_a_time() {
        let mut stream = Seed::new(4).stream("votes", 0);
        let mut draw = || stream.uniform();
        for depth in [0, 1, 2, 3, 7] {
            let mut forest = Forest { n_features: 3, n_classes: 2, ..Forest::default() };
            for _ in 0..20 {
                let root = grow(&mut forest, depth, &mut draw);
                forest.roots.push(root);
            }
            let n = 1500;
            let planes: Vec<Vec<f32>> = (0..3)
                .map(|_| (0..n).map(|_| (draw() * 16.0).round() as f32 / 16.0).collect())
                .collect();
            let features: Vec<&[f32]> = planes.iter().map(Vec::as_slice).collect();
            let voters = Voters::of(&forest);
            let (mut wide, mut plain) = (vec![0.0; 2 * n], vec![0.0; 2 * n]);
            voters.sum(&features, &mut wide);
            voters.sum_with::<Plain>(&features, &mut plain);
            assert_eq!(wide, plain);
            let mut slow = vec![0.0; 2 * n];
            for &root in &forest.roots {
                for i in 0..n {
                    let mut node = forest.nodes[root as usize];
                    while node.left != LEAF {
                        let goes_left = planes[node.feature as usize][i] < node.threshold;
                        node =
                            forest.nodes[if goes_left { node.left } else { node.right } as usize];
                    }
                    for class in 0..2 {
                        let vote = forest.votes_of(node.right as usize)[class];
                        slow[class * n + i] = (f64::from(slow[class * n + i]) + vote) as f32;
                    }
                }
            }
            assert_eq!(wide, slow, "depth {depth}");
        }
    }

    #[test]
    fn the_lowest_class_wins_a_tie() {
        assert_eq!(winners(&[2.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0, 3.0, 0.0], 3), [1, 2, 2]);
        assert_eq!(shares(&[1.0, 3.0, 3.0, 1.0], 2, 2), [0.75, 0.25]);
    }
}
