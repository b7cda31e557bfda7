//! A weighted graph and starting coordinates enter; coordinates that respect the weights leave.
//!
//! Stochastic gradient descent with negative sampling as in umap-learn, made parallel and yet the
//! same for any number of threads: rows move in [`TURNS`] turns an epoch, and those whose turn it is
//! read only where all rows stood before the turn. What they do to their neighbours is written
//! down and done when the turn is over, in a fixed order. (Without this reaction, moving each row
//! twice as far instead, clusters lose their common centre and tear.) Every random number is a
//! function of (seed, epoch, row, draw).
//!
//! Sixteen rows advance side by side, one per lane. The loops over lanes are written plainly and
//! without fused multiply-add: compiled for AVX2 or not, they give the same bits.

#![expect(
    clippy::inline_always,
    reason = "only then are loops compiled for their caller's features"
)]

use rayon::prelude::*;

use super::graph::Graph;
use crate::progress::Progress;
use crate::seed::mix;

/// Rows that advance side by side.
const LANES: usize = 16;
/// Turns in an epoch: later turns see the moves of earlier ones, which keeps large steps stable.
pub(super) const TURNS: usize = 8;
/// Groups of lanes in one parallel task.
const TASK_GROUPS: usize = 64;
/// A coordinate moves at most this far per force, before the learning rate (umap-learn's clip).
const LONGEST_STEP: f32 = 4.0;

type Lane = [f32; LANES];

/// The forces between rows on the map, and how long they act.
#[derive(Debug, Clone, Copy)]
pub(super) struct Forces {
    pub a: f32,
    pub b: f32,
    pub repulsion: f32,
    pub learning_rate: f32,
    pub negative_sample_rate: usize,
    pub n_epochs: usize,
}

/// Which edges pull in which epoch, for rows sorted into groups of similar strength.
///
/// The rates of a row's edges lie end to end on a line. In each epoch a comb with teeth one apart
/// and a shifting offset is laid over it; edges hit by a tooth pull. So an edge pulls in a share of
/// the epochs equal to its rate, and a row's number of pulls varies by at most one.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Rows by strength, descending. Edges are stored in this order: they are read in it.
    rows: Vec<u32>,
    offsets: Vec<usize>,
    targets: Vec<u32>,
    /// Running sums of the rates modulo 1, as fractions of 2^32: a tooth hits where they wrap.
    line: Vec<u32>,
    most_edges: usize,
}

impl Schedule {
    /// Edges weaker than one pull in `n_epochs` are dropped, as in umap-learn.
    pub(super) fn new(graph: &Graph, n_epochs: usize) -> Self {
        let strongest = graph.weights.iter().copied().fold(0.0, f32::max);
        let least = strongest / n_epochs.max(1) as f32;
        let edges = |i: usize| graph.row(i).filter(move |(_, weight)| *weight >= least);
        let strengths: Vec<f64> =
            (0..graph.n_rows()).map(|i| edges(i).map(|(_, w)| f64::from(w)).sum()).collect();
        let strength = |i: &u32| strengths[*i as usize];
        let mut rows: Vec<u32> = (0..graph.n_rows() as u32).collect();
        rows.sort_by(|i, j| strength(j).total_cmp(&strength(i)).then(i.cmp(j)));
        let (mut offsets, mut targets, mut line) = (vec![0], Vec::new(), Vec::new());
        for &i in &rows {
            let mut sum = 0u32;
            for (j, weight) in edges(i as usize) {
                let rate = f64::from(weight / strongest);
                sum = sum.wrapping_add((rate * 4_294_967_296.0) as u32);
                targets.push(j);
                line.push(sum);
            }
            offsets.push(targets.len());
        }
        let most_edges = offsets.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
        Self { rows, offsets, targets, line, most_edges }
    }

    /// The groups whose turn it is.
    fn turn(&self, turn: usize, turns: usize) -> Vec<Group<'_>> {
        let groups = self.rows.chunks(LANES).enumerate().skip(turn).step_by(turns);
        groups.map(|(g, rows)| Group { rows, first: g * LANES }).collect()
    }
}

/// Rows that advance side by side, and the place of the first of them in the schedule.
#[derive(Clone, Copy)]
struct Group<'a> {
    rows: &'a [u32],
    first: usize,
}

/// Moves all rows of `start` for all epochs.
pub(super) fn optimize<const D: usize>(
    schedule: &Schedule,
    start: Vec<[f32; D]>,
    forces: &Forces,
    seed: u64,
    progress: &Progress,
) -> Vec<[f32; D]> {
    let mut places = start;
    let turns: Vec<Vec<Group>> = (0..TURNS).map(|turn| schedule.turn(turn, TURNS)).collect();
    for epoch in 0..forces.n_epochs {
        for groups in &turns {
            let moves = Step::new(schedule, &places, None, forces, seed, epoch).advance(groups);
            settle(&mut places, groups, &moves);
        }
        progress.report(epoch + 1, forces.n_epochs);
    }
    places
}

/// Moves only new rows, each pulled and pushed by `others`, which stay where they are.
pub(super) fn place<const D: usize>(
    schedule: &Schedule,
    start: Vec<[f32; D]>,
    others: &[[f32; D]],
    forces: &Forces,
    seed: u64,
) -> Vec<[f32; D]> {
    let mut places = start;
    let groups = schedule.turn(0, 1);
    for epoch in 0..forces.n_epochs {
        let step = Step::new(schedule, &places, Some(others), forces, seed, epoch);
        let moves = step.advance(&groups);
        settle(&mut places, &groups, &moves);
    }
    places
}

/// Puts rows where they moved, then moves the neighbours they drew, in the order of the groups.
fn settle<const D: usize>(places: &mut [[f32; D]], groups: &[Group], moves: &[Moves<D>]) {
    let moved = moves.iter().flat_map(|task| &task.places);
    for (&row, &place) in groups.iter().flat_map(|group| group.rows).zip(moved) {
        places[row as usize] = place;
    }
    for (row, step) in moves.iter().flat_map(|task| &task.reactions) {
        let place = &mut places[*row as usize];
        (0..D).for_each(|d| place[d] -= step[d]);
    }
}

/// What one task leaves: new places of its rows, and the steps towards their neighbours.
#[derive(Default)]
struct Moves<const D: usize> {
    places: Vec<[f32; D]>,
    reactions: Vec<(u32, [f32; D])>,
}

/// One turn of one epoch: everything a group of rows reads.
struct Step<'a, const D: usize> {
    schedule: &'a Schedule,
    own: &'a [[f32; D]],
    others: &'a [[f32; D]],
    /// Whether the others are the rows themselves: then they react, and none pushes itself away.
    same: bool,
    forces: &'a Forces,
    rate: f32,
    epoch: u32,
    keys: [u32; 2],
}

impl<'a, const D: usize> Step<'a, D> {
    fn new(
        schedule: &'a Schedule,
        own: &'a [[f32; D]],
        others: Option<&'a [[f32; D]]>,
        forces: &'a Forces,
        seed: u64,
        epoch: usize,
    ) -> Self {
        // The first epoch has the full rate and the last one nearly none.
        let done = epoch as f32 / forces.n_epochs as f32;
        let rate = forces.learning_rate * (1.0 - done);
        let (base, now) = (mix(seed ^ 0x756d_6170), mix(mix(seed) ^ epoch as u64));
        let keys = [base as u32, now as u32];
        let (same, others) = (others.is_none(), others.unwrap_or(own));
        Self { schedule, own, others, same, forces, rate, epoch: epoch as u32, keys }
    }

    /// The moves of the rows of `groups`, in their order.
    fn advance(&self, groups: &[Group]) -> Vec<Moves<D>> {
        // A single task is run here: waking another thread would take longer.
        if groups.len() <= TASK_GROUPS {
            return vec![self.advance_task(groups)];
        }
        groups.par_chunks(TASK_GROUPS).map(|groups| self.advance_task(groups)).collect()
    }

    fn advance_task(&self, groups: &[Group]) -> Moves<D> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            #[expect(unsafe_code, reason = "calls the same loops compiled for AVX2")]
            return unsafe { self.advance_avx2(groups) };
        }
        self.advance_plainly(groups)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn advance_avx2(&self, groups: &[Group]) -> Moves<D> {
        self.advance_plainly(groups)
    }

    #[inline(always)]
    fn advance_plainly(&self, groups: &[Group]) -> Moves<D> {
        let mut pulls = vec![0; (self.schedule.most_edges + 1) * LANES];
        let mut moves = Moves {
            places: Vec::with_capacity(groups.len() * LANES),
            reactions: Vec::with_capacity(groups.len() * LANES * 8),
        };
        for &group in groups {
            self.advance_group(group, &mut pulls, &mut moves);
        }
        moves
    }

    #[inline(always)]
    fn advance_group(&self, group: Group, pulls: &mut [u32], moves: &mut Moves<D>) {
        let mut rows = [group.rows[0]; LANES];
        rows[..group.rows.len()].copy_from_slice(group.rows);
        let mut counts = [0u32; LANES];
        for (lane, &row) in group.rows.iter().enumerate() {
            counts[lane] = self.find_pulls(row, group.first + lane, lane, pulls);
        }
        let mut x = [[0.0; LANES]; D];
        for (lane, &row) in rows.iter().enumerate() {
            (0..D).for_each(|d| x[d][lane] = self.own[row as usize][d]);
        }
        let key: [u32; LANES] = rows.map(|row| scramble(row ^ self.keys[1]));
        // Without others of the same kind no row number matches.
        let banned = if self.same { rows } else { [u32::MAX; LANES] };
        let mut draw = 0;
        for t in 0..counts.iter().copied().max().unwrap_or(0) {
            let live: Lane = counts.map(|count| if t < count { self.rate } else { 0.0 });
            let edges = &pulls[t as usize * LANES..][..LANES];
            let mut targets = [0; LANES];
            for lane in 0..LANES {
                let edge = if t < counts[lane] { edges[lane] } else { 0 };
                targets[lane] = self.schedule.targets[edge as usize];
            }
            let step = self.attract(&mut x, &targets, &live);
            if self.same {
                for lane in (0..LANES).filter(|&lane| t < counts[lane]) {
                    moves.reactions.push((targets[lane], std::array::from_fn(|d| step[d][lane])));
                }
            }
            let mut push = [[0.0; LANES]; D];
            for _ in 0..self.forces.negative_sample_rate {
                draw += 1;
                let targets = self.strangers(&key, draw);
                self.repel(&x, &targets, &banned, &mut push);
            }
            for d in 0..D {
                for lane in 0..LANES {
                    x[d][lane] += live[lane] * push[d][lane];
                }
            }
        }
        let place = |lane| std::array::from_fn(|d: usize| x[d][lane]);
        moves.places.extend((0..group.rows.len()).map(place));
    }

    /// Writes which edges of the row pull in this epoch into its lane and returns their number.
    #[inline(always)]
    fn find_pulls(&self, row: u32, place: usize, lane: usize, pulls: &mut [u32]) -> u32 {
        let range = self.schedule.offsets[place]..self.schedule.offsets[place + 1];
        // The golden ratio spreads the offsets of consecutive epochs evenly over the teeth.
        let comb = scramble(row ^ self.keys[0]).wrapping_add(self.epoch.wrapping_mul(0x9e37_79b9));
        let mut before = comb;
        let mut count = 0;
        for (edge, &sum) in (range.start as u32..).zip(&self.schedule.line[range]) {
            let after = sum.wrapping_add(comb);
            pulls[count * LANES + lane] = edge;
            count += usize::from(after < before);
            before = after;
        }
        count as u32
    }

    /// A random row for each lane.
    #[inline(always)]
    fn strangers(&self, key: &[u32; LANES], draw: u32) -> [u32; LANES] {
        let n = self.others.len() as u64;
        let step = draw.wrapping_mul(0x9e37_79b9);
        let mut rows = [0; LANES];
        for lane in 0..LANES {
            let random = scramble(key[lane].wrapping_add(step));
            rows[lane] = ((u64::from(random) * n) >> 32) as u32;
        }
        rows
    }

    #[inline(always)]
    fn gather(&self, targets: &[u32; LANES]) -> [Lane; D] {
        let mut y = [[0.0; LANES]; D];
        for lane in 0..LANES {
            let place = &self.others[targets[lane] as usize];
            for d in 0..D {
                y[d][lane] = place[d];
            }
        }
        y
    }

    #[inline(always)]
    fn attract(&self, x: &mut [Lane; D], targets: &[u32; LANES], live: &Lane) -> [Lane; D] {
        let y = self.gather(targets);
        let (gap, squared) = differences(x, &y);
        let mut strength = [0.0; LANES];
        let Forces { a, b, .. } = *self.forces;
        for lane in 0..LANES {
            let power = power(squared[lane], b);
            strength[lane] = -2.0 * a * b * power / (squared[lane] * (1.0 + a * power));
        }
        let mut step = [[0.0; LANES]; D];
        for d in 0..D {
            for lane in 0..LANES {
                step[d][lane] = live[lane] * clip(strength[lane] * gap[d][lane]);
                x[d][lane] += step[d][lane];
            }
        }
        step
    }

    #[inline(always)]
    fn repel(
        &self,
        x: &[Lane; D],
        targets: &[u32; LANES],
        banned: &[u32; LANES],
        push: &mut [Lane; D],
    ) {
        let y = self.gather(targets);
        let (gap, squared) = differences(x, &y);
        let mut strength = [0.0; LANES];
        let Forces { a, b, repulsion, .. } = *self.forces;
        for lane in 0..LANES {
            let power = power(squared[lane], b);
            let pushes = if targets[lane] == banned[lane] { 0.0 } else { 2.0 * repulsion * b };
            strength[lane] = pushes / ((0.001 + squared[lane]) * (1.0 + a * power));
        }
        for d in 0..D {
            for lane in 0..LANES {
                push[d][lane] += clip(strength[lane] * gap[d][lane]);
            }
        }
    }
}

/// x - y and its squared length, kept above zero so that powers and quotients stay finite.
#[inline(always)]
fn differences<const D: usize>(x: &[Lane; D], y: &[Lane; D]) -> ([Lane; D], Lane) {
    let mut gap = [[0.0; LANES]; D];
    let mut squared = [1e-12; LANES];
    for d in 0..D {
        for lane in 0..LANES {
            gap[d][lane] = x[d][lane] - y[d][lane];
            squared[lane] += gap[d][lane] * gap[d][lane];
        }
    }
    (gap, squared)
}

#[inline(always)]
fn clip(force: f32) -> f32 {
    // Written as comparisons because f32::clamp keeps NaN, which costs and cannot arise here.
    let force = if force > LONGEST_STEP { LONGEST_STEP } else { force };
    if force < -LONGEST_STEP { -LONGEST_STEP } else { force }
}

/// A full-period scrambler of 32 bits ("lowbias32" of Wellons' search for integer hashes, 2018).
#[inline(always)]
fn scramble(mut bits: u32) -> u32 {
    bits ^= bits >> 16;
    bits = bits.wrapping_mul(0x7feb_352d);
    bits ^= bits >> 15;
    bits = bits.wrapping_mul(0x846c_a68b);
    bits ^ (bits >> 16)
}

/// x^b for positive x to a relative 3e-6, by polynomials fitted at Chebyshev nodes for the logarithm
/// over [sqrt 0.5, sqrt 2] and for the exponential over [-0.5, 0.5], both to base 2.
#[inline(always)]
fn power(x: f32, b: f32) -> f32 {
    const HALF_ROOT: u32 = 0x3f35_04f3; // sqrt 0.5
    let shifted = x.to_bits().wrapping_sub(HALF_ROOT);
    let exponent = (shifted as i32) >> 23;
    let t = f32::from_bits((shifted & 0x007f_ffff).wrapping_add(HALF_ROOT)) - 1.0;
    let mut log = 0.172_128_74;
    log = log * t - 0.269_506_28;
    log = log * t + 0.295_633_6;
    log = log * t - 0.359_350_65;
    log = log * t + 0.480_629_15;
    log = log * t - 0.721_364;
    log = log * t + 1.442_696_5;
    let y = b * (exponent as f32 + t * log);
    let y = if y > 126.0 { 126.0 } else { y };
    let y = if y < -126.0 { -126.0 } else { y };
    // Adding 1.5 * 2^23 rounds to an integer that can be read from the lowest bits.
    let rounded = y + 12_582_912.0;
    let f = y - (rounded - 12_582_912.0);
    let mut exp = 0.001_340_043_3;
    exp = exp * f + 0.009_676_037;
    exp = exp * f + 0.055_503_27;
    exp = exp * f + 0.240_221_07;
    exp = exp * f + std::f32::consts::LN_2;
    exp = exp * f + 1.0;
    f32::from_bits(exp.to_bits().wrapping_add(rounded.to_bits() << 23))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    #[test]
    fn powers_are_precise() {
        for i in 0..4000 {
            let x = 10f32.powf(i as f32 / 4000.0 * 18.0 - 12.0);
            for b in [0.25, 0.895, 1.9] {
                let exact = f64::from(x).powf(f64::from(b));
                let found = f64::from(power(x, b));
                assert!((found / exact - 1.0).abs() < 1e-5, "{x}^{b} = {found}, not {exact}");
            }
        }
    }

    #[test]
    fn wide_and_plain_loops_give_the_same_bits() {
        let mut stream = Seed::new(8).stream("layout", 0);
        let mut row = |i: u32| {
            let mut row: Vec<(u32, f32)> =
                (0..100).filter(|&j| j != i && stream.below(9) == 0).map(|j| (j, 0.0)).collect();
            row.iter_mut().for_each(|edge| edge.1 = stream.uniform() as f32);
            row
        };
        let graph = Graph::from_rows((0..100).map(&mut row).collect()).symmetric(1.0);
        let places: Vec<[f32; 2]> =
            (0..100).map(|_| [4.0 * stream.uniform() as f32, stream.uniform() as f32]).collect();
        let forces = Forces {
            a: 1.577,
            b: 0.895,
            repulsion: 1.0,
            learning_rate: 1.0,
            negative_sample_rate: 5,
            n_epochs: 20,
        };
        let schedule = Schedule::new(&graph, 20);
        let groups = schedule.turn(0, 1);
        for epoch in 0..20 {
            let step = Step::new(&schedule, &places, None, &forces, 7, epoch);
            // `advance_task` takes the widest loops there are.
            let (wide, plain) = (step.advance_task(&groups), step.advance_plainly(&groups));
            assert_eq!(wide.places, plain.places);
            assert_eq!(wide.reactions, plain.reactions);
        }
    }
}
