//! A weighted graph enters; which edges pull in which epoch leaves.

use std::ops::Range;

use rayon::prelude::*;

use super::graph::Graph;
use crate::embed::near_order::FEW_ROWS;
use crate::kernels::lanes::LANES;

/// Turns in an epoch: later turns see the moves of earlier ones, which keeps large steps stable.
const TURNS: usize = 8;
/// At most so many groups of rows in one parallel task: with less to do, waking another thread takes longer than it helps.
const TASK_GROUPS: usize = 256;
/// Rows among which those of similar strength are put into groups, where the table is large: enough to find them, few
/// enough that what they read stays in the cache.
const WINDOW: usize = 1024;
/// 2^32 over the golden ratio: its multiples spread evenly over the numbers of 32 bits.
pub(super) const GOLDEN: u32 = 0x9e37_79b9;

/// Rows in groups of [`LANES`] of similar strength, which advance side by side.
///
/// The rates of a row's edges lie end to end on a line. In each epoch a comb with teeth one apart
/// and a shifting offset is laid over it; edges hit by a tooth pull. So an edge pulls in a share of
/// the epochs equal to its rate, and a row's number of pulls varies by at most one. As in umap-learn
/// no seed takes part: all maps over one graph share the schedule.
#[derive(Debug)]
pub(super) struct Schedule {
    /// The row at each position. Positions run turn by turn, group by group.
    pub rows: Vec<u32>,
    /// The groups of each turn, divided into tasks.
    turns: Vec<Vec<Range<usize>>>,
    /// The edges of each position: where they lead, and the running sums of their rates modulo 1, as
    /// fractions of 2^32. A tooth hits where these wrap.
    offsets: Vec<usize>,
    targets: Vec<u32>,
    line: Vec<u32>,
    most_edges: usize,
    /// One more than the last target, where lanes are sent that nothing pulls.
    pub idle: u32,
}

/// What pulls the rows of one task in one epoch, group by group.
#[derive(Debug)]
pub(super) struct Pulls {
    pub groups: Range<usize>,
    /// Number of entries of each group in `targets`.
    pub counts: Vec<usize>,
    /// One target for each row of a group; [`Schedule::idle`] where a row has fewer than others.
    pub targets: Vec<[u32; LANES]>,
    /// The mean number of epochs from one pull of each edge to its next, if asked for.
    pub rarities: Vec<[f32; LANES]>,
}

impl Schedule {
    /// For rows that pull each other, given in an order in which those near each other stand together; targets are
    /// positions.
    pub(super) fn new(graph: &Graph, order: Vec<u32>, n_epochs: usize) -> Self {
        let (rows, turns) = positions(graph, order, TURNS);
        let mut position_of = vec![0; rows.len()];
        for (position, &row) in (0..).zip(&rows) {
            position_of[row as usize] = position;
        }
        let idle = rows.len() as u32;
        Self::over(graph, n_epochs, rows, turns, idle, |row| position_of[row as usize])
    }

    /// For new rows that are pulled by `n_targets` others; targets are the columns of the graph.
    pub(super) fn towards(n_targets: usize, graph: &Graph, n_epochs: usize) -> Self {
        let (rows, turns) = positions(graph, (0..graph.n_rows() as u32).collect(), 1);
        Self::over(graph, n_epochs, rows, turns, n_targets as u32, |column| column)
    }

    fn over(
        graph: &Graph,
        n_epochs: usize,
        rows: Vec<u32>,
        turns: Vec<Vec<Range<usize>>>,
        idle: u32,
        target_of: impl Fn(u32) -> u32,
    ) -> Self {
        let (strongest, least) = (graph.strongest(), graph.least(n_epochs));
        let (mut offsets, mut targets, mut line) = (vec![0], Vec::new(), Vec::new());
        for &row in &rows {
            let mut sum = 0u32;
            for (column, weight) in graph.row(row as usize).filter(|edge| edge.1 >= least) {
                let rate = f64::from(weight / strongest);
                sum = sum.wrapping_add((rate * 4_294_967_296.0) as u32);
                targets.push(target_of(column));
                line.push(sum);
            }
            offsets.push(targets.len());
        }
        let most_edges = offsets.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
        Self { rows, turns, offsets, targets, line, most_edges, idle }
    }

    /// The targets of the edges of the row at `position`.
    pub(super) fn edges(&self, position: usize) -> &[u32] {
        &self.targets[self.offsets[position]..self.offsets[position + 1]]
    }

    /// The pulls of an epoch, turn by turn and task by task; if so asked, with their rarities.
    pub(super) fn pulls(&self, epoch: usize, with_rarities: bool) -> Vec<Vec<Pulls>> {
        let epoch = epoch as u32;
        let of_task = |groups: &Range<usize>| {
            let (counts, targets) = self.find(groups, epoch, self.idle, |target, _| target);
            let rarity = |_: u32, rate: u32| u32::MAX as f32 / rate as f32;
            let rarities =
                if with_rarities { self.find(groups, epoch, 0.0, rarity).1 } else { Vec::new() };
            Pulls { groups: groups.clone(), counts, targets, rarities }
        };
        // Where every turn is one task, all of them together are hardly more than one.
        let is_small = self.turns.iter().all(|turn| turn.len() == 1);
        let turns_at_once = if is_small { self.turns.len() } else { 1 };
        let of_turn = |turn: &Vec<Range<usize>>| turn.par_iter().map(of_task).collect();
        self.turns.par_iter().with_min_len(turns_at_once).map(of_turn).collect()
    }

    /// The number of pulls of each group, and for each of them what `of` makes of its target and rate;
    /// `idle` where there is none.
    #[inline(always)]
    fn find<T: Copy>(
        &self,
        groups: &Range<usize>,
        epoch: u32,
        idle: T,
        of: impl Fn(u32, u32) -> T,
    ) -> (Vec<usize>, Vec<[T; LANES]>) {
        let (mut most_of, mut pulls) = (Vec::new(), Vec::new());
        let mut found = vec![[idle; LANES]; self.most_edges + 1];
        for group in groups.clone() {
            // The golden ratio spreads the offsets of consecutive epochs evenly over the teeth. Rows of
            // a group share them: so few lanes wait for others.
            let comb = scramble(group as u32).wrapping_add(epoch.wrapping_mul(GOLDEN));
            let counts: [usize; LANES] =
                std::array::from_fn(|lane| self.find_in_lane(group, lane, comb, &of, &mut found));
            let most = counts.into_iter().max().unwrap_or(0);
            for (lane, count) in counts.into_iter().enumerate() {
                found[count..most].iter_mut().for_each(|row| row[lane] = idle);
            }
            most_of.push(most);
            pulls.extend_from_slice(&found[..most]);
        }
        (most_of, pulls)
    }

    /// Writes what pulls one row into its lane and returns the number of pulls.
    #[inline(always)]
    fn find_in_lane<T>(
        &self,
        group: usize,
        lane: usize,
        comb: u32,
        of: &impl Fn(u32, u32) -> T,
        found: &mut [[T; LANES]],
    ) -> usize {
        let position = group * LANES + lane;
        if position >= self.rows.len() {
            return 0;
        }
        let edges = self.offsets[position]..self.offsets[position + 1];
        let (mut before, mut count) = (comb, 0);
        for (&sum, &target) in self.line[edges.clone()].iter().zip(&self.targets[edges]) {
            let after = sum.wrapping_add(comb);
            // Written in any case and kept if it counts: a branch would be guessed wrongly too often.
            found[count][lane] = of(target, after.wrapping_sub(before));
            count += usize::from(after < before);
            before = after;
        }
        count
    }
}

/// The row at each position and the groups of each turn: rows by strength within each window of `order`, in groups, which
/// are dealt to the turns in such a way that a group that lacks rows comes last.
fn positions(graph: &Graph, order: Vec<u32>, n_turns: usize) -> (Vec<u32>, Vec<Vec<Range<usize>>>) {
    let strength = |i| graph.row(i).map(|(_, weight)| f64::from(weight)).sum::<f64>();
    let strengths: Vec<f64> = (0..graph.n_rows()).into_par_iter().map(strength).collect();
    let of = |row: u32| strengths[row as usize];
    let window = if order.len() > FEW_ROWS { WINDOW } else { FEW_ROWS };
    let mut sorted = order;
    sorted.par_chunks_mut(window).for_each(|window| {
        window.sort_unstable_by(|&i, &j| of(j).total_cmp(&of(i)).then(i.cmp(&j)));
    });
    let groups: Vec<&[u32]> = sorted.chunks(LANES).collect();
    let (mut rows, mut turns, mut end) = (Vec::with_capacity(sorted.len()), Vec::new(), 0);
    for turn in 0..n_turns {
        let first = (groups.len() + turn) % n_turns;
        let mine = groups.iter().skip(first).step_by(n_turns);
        mine.clone().for_each(|group| rows.extend_from_slice(group));
        let start = end;
        end += mine.count();
        let n_tasks = (end - start).div_ceil(TASK_GROUPS).max(1);
        let edge = |task: usize| start + (end - start) * task / n_tasks;
        turns.push((0..n_tasks).map(|task| edge(task)..edge(task + 1)).collect());
    }
    (rows, turns)
}

/// A full-period scrambler of 32 bits ("lowbias32" of Wellons' search for integer hashes, 2018).
pub(super) fn scramble(mut bits: u32) -> u32 {
    bits ^= bits >> 16;
    bits = bits.wrapping_mul(0x7feb_352d);
    bits ^= bits >> 15;
    bits = bits.wrapping_mul(0x846c_a68b);
    bits ^ (bits >> 16)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::seed::Seed;

    #[test]
    fn edges_pull_as_often_as_their_weights_say() {
        let mut stream = Seed::new(3).stream("schedule", 0);
        let mut row = |i: u32| -> Vec<(u32, f32)> {
            let others = (0..203).filter(|&j| j != i && stream.below(12) == 0);
            others.collect::<Vec<_>>().into_iter().map(|j| (j, stream.uniform() as f32)).collect()
        };
        let graph = Graph::from_rows((0..203).map(&mut row).collect());
        let strongest = graph.weights.iter().copied().fold(0.0, f32::max);
        let n_epochs = 300;
        let schedule = Schedule::new(&graph, (0..203).collect(), n_epochs);
        let mut sorted = schedule.rows.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..203));

        let mut seen: BTreeMap<(u32, u32), usize> = BTreeMap::new();
        for epoch in 0..n_epochs {
            let mut next_group = 0;
            for pulls in schedule.pulls(epoch, true).iter().flatten() {
                assert_eq!(pulls.groups.start, next_group);
                next_group = pulls.groups.end;
                let mut targets = pulls.targets.iter().zip(&pulls.rarities);
                for (group, &count) in pulls.groups.clone().zip(&pulls.counts) {
                    for (lane, &target, rarity) in targets
                        .by_ref()
                        .take(count)
                        .flat_map(|(t, rarity)| (0..LANES).map(move |l| (l, &t[l], rarity)))
                    {
                        if target != schedule.idle {
                            let row = schedule.rows[group * LANES + lane];
                            let other = schedule.rows[target as usize];
                            *seen.entry((row, other)).or_default() += 1;
                            let (_, weight) =
                                graph.row(row as usize).find(|edge| edge.0 == other).unwrap();
                            let expected = strongest / weight;
                            assert!((rarity[lane] / expected - 1.0).abs() < 1e-4);
                        }
                    }
                }
                assert_eq!(targets.next(), None);
            }
            assert_eq!(next_group, 203usize.div_ceil(LANES));
        }
        for i in 0..203 {
            for (j, weight) in graph.row(i) {
                let wanted = f64::from(weight / strongest) * n_epochs as f64;
                let wanted = if wanted < 1.0 { 0.0 } else { wanted };
                let found = *seen.get(&(i as u32, j)).unwrap_or(&0) as f64;
                // Multiples of the golden ratio leave gaps of a few epochs.
                assert!((found - wanted).abs() <= 3.0, "{i} {j}: {found} pulls, not {wanted}");
            }
        }
    }
}
