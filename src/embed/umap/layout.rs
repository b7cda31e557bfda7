//! A schedule of pulls and starting coordinates enter; coordinates that respect the graph leave.
//!
//! Stochastic gradient descent with negative sampling as in umap-learn, made parallel and yet the
//! same for any number of threads: rows move in turns, and those whose turn it is read only where all
//! rows stood before the turn. What they do to the neighbours that pull them is written down and
//! done when the turn is over, in a fixed order. (Without this reaction, moving each row twice as far
//! instead, clusters lose their common centre and tear.)
//!
//! Eight rows advance side by side, one per lane. Random rows push them: a run of neighbours in the
//! order of the schedule, one for each lane, from a random position. So one draw and one load serve
//! all lanes, while each row meets every other one equally often. Every draw is a function of (seed,
//! epoch, group, number); the seed does nothing else.

use std::ops::Range;

use rayon::prelude::*;

use super::density::Density;
use super::forces::{Curve, Forces};
use super::schedule::{GOLDEN, Pulls, Schedule, scramble};
use crate::kernels::lanes::{LANES, Lanes, Work, on_widest};
use crate::progress::Progress;
use crate::seed::mix;

/// Moves all rows of each of `starts` for all epochs, with the seed of the same place.
pub(super) fn optimize<const D: usize>(
    schedule: &Schedule,
    starts: Vec<Vec<[f32; D]>>,
    forces: &Forces,
    seeds: &[u64],
    density: Option<&Density>,
    progress: &Progress,
) -> Vec<Vec<[f32; D]>> {
    let mut maps: Vec<Vec<[f32; D]>> =
        starts.into_iter().map(|start| in_positions(schedule, &start)).collect();
    let curve = Curve::new(forces);
    // Inside the pool of threads: entering it anew in every turn would take longer than the turn.
    rayon::scope(|_| {
        for epoch in 0..forces.n_epochs {
            let density = density.filter(|density| density.acts(epoch));
            let turns = schedule.pulls(epoch, density.is_some());
            maps.par_iter_mut().zip(seeds).for_each(|(places, &seed)| {
                let crowd = Crowd::of(&places[..schedule.rows.len()]);
                let pressures = density
                    .map(|density| density.pressures(schedule, places, &curve))
                    .unwrap_or_default();
                for tasks in &turns {
                    let step = Step::new(schedule, places, None, &crowd, &curve, forces);
                    let step = step.under(&pressures).at(seed, epoch);
                    let moves = step.advance(tasks);
                    settle(places, tasks, &moves);
                }
            });
            progress.report(epoch + 1, forces.n_epochs);
        }
    });
    maps.iter().map(|places| in_rows(schedule, places)).collect()
}

/// Moves only new rows, each pulled and pushed by `others`, which stay where they are.
pub(super) fn place<const D: usize>(
    schedule: &Schedule,
    start: &[[f32; D]],
    others: &[[f32; D]],
    forces: &Forces,
    seed: u64,
) -> Vec<[f32; D]> {
    let mut places = in_positions(schedule, start);
    let crowd = Crowd::of(others);
    // The last one is where idle lanes look.
    let others = [others, &[[0.0; D]][..]].concat();
    let curve = Curve::new(forces);
    for epoch in 0..forces.n_epochs {
        for tasks in schedule.pulls(epoch, false) {
            let step = Step::new(schedule, &places, Some(&others), &crowd, &curve, forces);
            let moves = step.at(seed, epoch).advance(&tasks);
            settle(&mut places, &tasks, &moves);
        }
    }
    in_rows(schedule, &places)
}

/// The rows in the order of the schedule, then at least one that nothing moves, to full lanes.
fn in_positions<const D: usize>(schedule: &Schedule, rows: &[[f32; D]]) -> Vec<[f32; D]> {
    let mut places: Vec<[f32; D]> = schedule.rows.iter().map(|&row| rows[row as usize]).collect();
    places.resize((rows.len() / LANES + 1) * LANES, [0.0; D]);
    places
}

fn in_rows<const D: usize>(schedule: &Schedule, places: &[[f32; D]]) -> Vec<[f32; D]> {
    let mut rows = vec![[0.0; D]; schedule.rows.len()];
    for (&row, &place) in schedule.rows.iter().zip(places) {
        rows[row as usize] = place;
    }
    rows
}

/// Puts rows where they moved, then moves the neighbours that pulled them, in order.
fn settle<const D: usize>(places: &mut [[f32; D]], tasks: &[Pulls], moves: &[Moves<D>]) {
    for (pulls, moves) in tasks.iter().zip(moves) {
        places[pulls.groups.start * LANES..][..moves.places.len()].copy_from_slice(&moves.places);
    }
    for (pulls, moves) in tasks.iter().zip(moves) {
        // Lane by lane in two loops: flattened iterators take several times as long.
        for (targets, steps) in pulls.targets.iter().zip(&moves.reactions) {
            for (&target, step) in targets.iter().zip(steps) {
                let place = &mut places[target as usize];
                (0..D).for_each(|d| place[d] -= step[d]);
            }
        }
    }
}

/// What one task leaves: new places of its rows, and their steps towards the targets of its pulls.
struct Moves<const D: usize> {
    places: Vec<[f32; D]>,
    reactions: Vec<[[f32; D]; LANES]>,
}

/// Where all rows stood when the epoch began, each coordinate for itself: those who push.
struct Crowd<const D: usize> {
    n_rows: usize,
    /// The first rows follow the last ones once more, so that any row begins a run of [`LANES`].
    columns: [Vec<f32>; D],
}

impl<const D: usize> Crowd<D> {
    fn of(places: &[[f32; D]]) -> Self {
        let column = |d: usize| {
            let mut column: Vec<f32> = places.iter().map(|place| place[d]).collect();
            (0..LANES).for_each(|i| column.push(column[i]));
            column
        };
        Self { n_rows: places.len(), columns: std::array::from_fn(column) }
    }

    /// A run of rows from a random one, but not from `own`.
    #[inline(always)]
    fn draw<L: Lanes>(&self, random: u32, own: Option<usize>) -> [L; D] {
        let choices = self.n_rows - usize::from(own.is_some());
        let from = ((u64::from(random) * choices as u64) >> 32) as usize;
        let from = from + usize::from(own.is_some_and(|own| from >= own));
        std::array::from_fn(|d| L::load(&self.columns[d][from..]))
    }
}

/// One turn of one epoch: everything a group of rows reads.
struct Step<'a, const D: usize> {
    own: &'a [[f32; D]],
    others: &'a [[f32; D]],
    /// Whether the others are the rows themselves: then they react, and none pushes itself away.
    same: bool,
    crowd: &'a Crowd<D>,
    curve: &'a Curve<f32>,
    forces: &'a Forces,
    idle: u32,
    /// Those of densities on the edges of each row; empty while densities do not count.
    pressures: &'a [[f32; 2]],
    rate: f32,
    key: u32,
}

impl<'a, const D: usize> Step<'a, D> {
    fn new(
        schedule: &Schedule,
        own: &'a [[f32; D]],
        others: Option<&'a [[f32; D]]>,
        crowd: &'a Crowd<D>,
        curve: &'a Curve<f32>,
        forces: &'a Forces,
    ) -> Self {
        let (same, others) = (others.is_none(), others.unwrap_or(own));
        let (idle, pressures) = (schedule.idle, &[][..]);
        Self { own, others, same, crowd, curve, forces, idle, pressures, rate: 0.0, key: 0 }
    }

    fn under(self, pressures: &'a [[f32; 2]]) -> Self {
        Self { pressures, ..self }
    }

    fn at(self, seed: u64, epoch: usize) -> Self {
        // The first epoch has the full rate and the last one nearly none.
        let done = epoch as f32 / self.forces.n_epochs as f32;
        let rate = self.forces.learning_rate * (1.0 - done);
        Self { rate, key: mix(mix(seed) ^ epoch as u64) as u32, ..self }
    }

    /// The moves of the rows of each task.
    fn advance(&self, tasks: &[Pulls]) -> Vec<Moves<D>> {
        match tasks {
            // Another thread would take longer to wake.
            [task] => vec![on_widest((self, task))],
            _ => tasks.par_iter().map(|task| on_widest((self, task))).collect(),
        }
    }

    #[inline(always)]
    fn advance_on<L: Lanes, const DENSE: bool>(&self, task: &Pulls) -> Moves<D> {
        let curve = self.curve.on::<L>();
        let mut moves = Moves {
            places: Vec::with_capacity(task.groups.len() * LANES),
            reactions: Vec::with_capacity(task.targets.len()),
        };
        let mut end = 0;
        for (group, &count) in task.groups.clone().zip(&task.counts) {
            let pulls = end..end + count;
            end = pulls.end;
            self.advance_group::<L, DENSE>(group, task, pulls, &curve, &mut moves);
        }
        moves
    }

    #[inline(always)]
    fn advance_group<L: Lanes, const DENSE: bool>(
        &self,
        group: usize,
        task: &Pulls,
        pulls: Range<usize>,
        curve: &Curve<L>,
        moves: &mut Moves<D>,
    ) {
        let first = group * LANES;
        let own = self.same.then_some(first);
        let mut x: [L; D] = L::columns(&self.own[first..]);
        let mut random = scramble(group as u32 ^ self.key);
        let own_pressures = DENSE.then(|| L::columns(&self.pressures[first..]));
        for (pull, targets) in pulls.clone().zip(&task.targets[pulls]) {
            let rate = L::splat(self.rate).unless(targets, self.idle);
            let neighbour = L::gather(self.others, targets);
            let pull = match own_pressures {
                None => curve.attract(&x, &neighbour),
                Some([radius, similarity]) => {
                    let [r, s] = L::gather(self.pressures, targets);
                    let rarity = L::load(&task.rarities[pull]);
                    let pressures = [radius.add(r), similarity.add(s)].map(|p| rarity.mul(p));
                    curve.attract_under(&x, &neighbour, pressures)
                }
            };
            let pull = pull.map(|pull| rate.mul(pull));
            // From where the row stood before the pull: so neither force waits for the other.
            let mut push = [L::splat(0.0); D];
            for _ in 0..self.forces.negative_sample_rate {
                random = random.wrapping_add(GOLDEN);
                curve.repel(&x, &self.crowd.draw(random, own), &mut push);
            }
            if self.same {
                moves.reactions.push(L::rows(&pull));
            }
            x = std::array::from_fn(|d| rate.mul_add(curve.clip(push[d]), x[d].add(pull[d])));
        }
        moves.places.extend_from_slice(&L::rows(&x));
    }
}

impl<const D: usize> Work for (&Step<'_, D>, &Pulls) {
    type Output = Moves<D>;

    #[inline(always)]
    fn on<L: Lanes>(self) -> Moves<D> {
        let (step, task) = self;
        // Compiled for each: epochs without pressures do not wait for the question.
        if step.pressures.is_empty() {
            step.advance_on::<L, false>(task)
        } else {
            step.advance_on::<L, true>(task)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::umap::density::DensityParams;
    use crate::embed::umap::graph::Graph;
    use crate::seed::Seed;

    fn wide_and_plain_agree<const D: usize>() {
        let mut stream = Seed::new(8).stream("layout", 0);
        let mut row = |i: u32| {
            let mut row: Vec<(u32, f32)> =
                (0..101).filter(|&j| j != i && stream.below(9) == 0).map(|j| (j, 0.0)).collect();
            row.iter_mut().for_each(|edge| edge.1 = stream.uniform() as f32);
            row
        };
        let graph = Graph::from_rows((0..101).map(&mut row).collect()).symmetric(1.0);
        let start: Vec<[f32; D]> =
            (0..101).map(|_| std::array::from_fn(|_| 4.0 * stream.uniform() as f32)).collect();
        let (a, b, repulsion, learning_rate) = (1.577, 0.895, 1.0, 1.0);
        let (negative_sample_rate, n_epochs) = (5, 30);
        let forces = Forces { a, b, repulsion, learning_rate, negative_sample_rate, n_epochs };
        let curve = Curve::new(&forces);
        let schedule = Schedule::new(&graph, (0..101).collect(), n_epochs);
        let radii: Vec<f64> = (0..101).map(|_| stream.normal()).collect();
        let params = DensityParams::default();
        let density = Density::new(&params, &radii, &graph, &schedule, &forces);
        let mut places = in_positions(&schedule, &start);
        for epoch in 0..n_epochs {
            let crowd = Crowd::of(&places[..101]);
            let pressures = if density.acts(epoch) {
                density.pressures(&schedule, &places, &curve)
            } else {
                Vec::new()
            };
            for tasks in schedule.pulls(epoch, density.acts(epoch)) {
                let step = Step::new(&schedule, &places, None, &crowd, &curve, &forces);
                let step = step.under(&pressures).at(7, epoch);
                // `advance` takes the widest registers there are.
                let wide = step.advance(&tasks);
                for (task, wide) in tasks.iter().zip(&wide) {
                    let plain = (&step, task).on::<[f32; LANES]>();
                    assert_eq!(wide.places, plain.places);
                    assert_eq!(wide.reactions, plain.reactions);
                }
                settle(&mut places, &tasks, &wide);
            }
        }
        assert_ne!(in_rows(&schedule, &places), start);
    }

    #[test]
    fn wide_and_plain_lanes_give_the_same_bits() {
        wide_and_plain_agree::<2>();
        wide_and_plain_agree::<4>();
    }

    #[test]
    fn every_row_meets_every_other_one_and_never_itself() {
        // One coordinate that names the row.
        let places: Vec<[f32; 1]> = (0..19).map(|i| [i as f32]).collect();
        let crowd = Crowd::of(&places);
        for own in [0, 8, 16] {
            let mut met = [[0; 19]; LANES];
            for k in 0..18_000u32 {
                let [run] = crowd.draw::<[f32; LANES]>(k.wrapping_mul(GOLDEN), Some(own));
                (0..LANES).for_each(|lane| met[lane][run[lane] as usize] += 1);
            }
            for (lane, met) in met.iter().enumerate() {
                for (row, &times) in met.iter().enumerate() {
                    let expected = if row == (own + lane) % 19 { 0..1 } else { 990..1011 };
                    assert!(expected.contains(&times), "lane {lane} met {row} {times} times");
                }
            }
        }
    }
}
