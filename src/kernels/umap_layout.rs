//! A weighted graph and places enter; places that respect the weights leave: UMAP's layout for devices.
//!
//! Every row reads where all rows stood before the epoch and writes where it goes: no row waits for another, and nothing
//! is added up by several. An edge pulls both of its rows in the same epochs, because each knows the comb of the other,
//! without anyone writing into a neighbour's place. Every random number is
//! a function of seed, epoch, row and draw. [`Umap`](crate::embed::umap::Umap) lays out in turns on the CPU, so that its
//! maps do not depend on the machine; asked for a device it takes this kernel, whose maps do.
//!
//! # Tolerance
//! After an epoch of small steps (learning rates up to 0.05) a coordinate is within [`TOLERANCE`] times the learning rate
//! of the CPU's, unless two rows met in it. Larger steps jump over near rows, which amplifies rounding in any such descent: maps agree in
//! what they show, not in coordinates.
//!
//! # Cost
//! Per edge and epoch 8 bytes and about 25 operations on whole numbers; per pull 4 bytes a coordinate and about 30
//! operations, as many for every stranger. A graph of n rows with 20 edges each, of which a sixth pull, with 5 strangers: about
//! 360 n bytes, most of them scattered, and 1,500 n operations: at 500 GB/s and 10 T/s 0.07 ms for 100,000 rows if the
//! places stay in the cache.

use std::ops::Range;

use rayon::prelude::*;

use crate::backend::{Backend, Buffer, Gpu, Launch, Shader};
use crate::error::{Error, Result};
use crate::seed::mix;

pub(super) static UMAP_LAYOUT: Shader = Shader {
    name: "umap_layout",
    source: concat!(include_str!("words.wgsl"), include_str!("umap_layout.wgsl")),
};

/// How far a coordinate may be from the CPU's after an epoch of small steps, in learning rates: a hundred forces of at
/// most 4, each rounded to about 1e-6 of itself by a device's powers.
pub const TOLERANCE: f32 = 2e-4;

/// A coordinate moves at most this far per force, before the learning rate (umap-learn's clip).
const LONGEST_STEP: f32 = 4.0;
const GOLDEN: u32 = 0x9e37_79b9;

/// A symmetric graph: for each row its other rows, and how strongly they pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulls {
    /// Where each row's edges begin, and the end of the last.
    starts: Vec<u32>,
    /// The other row, and the share of the epochs in which it pulls as a fraction of 2^32.
    edges: Vec<[u32; 2]>,
}

impl Pulls {
    /// Rows of (other row, weight); the strongest edge pulls in every epoch, from both of its ends.
    ///
    /// # Errors
    /// An edge to a row that is not there, or without its mirror of the same weight.
    pub fn of(rows: &[Vec<(u32, f32)>]) -> Result<Self> {
        let wrong = |i: usize, j: u32, w: f32| {
            let mirror =
                rows.get(j as usize).and_then(|row| row.iter().find(|e| e.0 as usize == i));
            mirror.is_none_or(|mirror| mirror.1 != w)
        };
        let strongest = rows.iter().flatten().map(|edge| edge.1).fold(0.0, f32::max);
        let mut pulls = Self { starts: vec![0], edges: Vec::new() };
        for (i, row) in rows.iter().enumerate() {
            for &(j, weight) in row {
                if wrong(i, j, weight) {
                    return Err(Error::data(format!("the edge from {i} to {j} has no mirror")));
                }
                let share = f64::from(weight / strongest) * 4_294_967_296.0;
                pulls.edges.push([j, share as u32]);
            }
            pulls.starts.push(pulls.edges.len() as u32);
        }
        Ok(pulls)
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.starts.len() - 1
    }
}

/// The forces between rows on the map, and how long they act.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forces {
    /// The curve `1 / (1 + a x^(2 b))` between distance and weight.
    pub a: f32,
    /// Its exponent.
    pub b: f32,
    /// How strongly strangers push.
    pub repulsion: f32,
    /// The share of a force that a row moves by in the first epoch; it falls to nearly 0 in the last.
    pub learning_rate: f32,
    /// Strangers for every pull.
    pub n_strangers: u32,
    /// Epochs in all.
    pub n_epochs: u32,
    /// Of all random numbers.
    pub seed: u64,
}

impl Forces {
    fn rate(&self, epoch: u32) -> f32 {
        self.learning_rate * (1.0 - epoch as f32 / self.n_epochs as f32)
    }

    /// Of the combs, and of the strangers of an epoch.
    fn keys(&self, epoch: u32) -> [u32; 2] {
        [mix(self.seed ^ 0x756d_6170) as u32, mix(mix(self.seed) ^ u64::from(epoch)) as u32]
    }
}

/// The most coordinates on a device.
pub const MOST_AXES: usize = 4;

/// Moves all rows for all epochs.
///
/// ```
/// use polariscope::backend::Backend;
/// use polariscope::kernels::umap_layout::{Forces, Pulls, layout};
///
/// // Two pairs of rows.
/// let pulls = Pulls::of(&[vec![(1, 1.0)], vec![(0, 1.0)], vec![(3, 1.0)], vec![(2, 1.0)]])?;
/// let forces = Forces {
///     a: 1.577, b: 0.895, repulsion: 1.0, learning_rate: 1.0, n_strangers: 5, n_epochs: 200, seed: 0,
/// };
/// let start = vec![[0.0, 0.0], [6.0, 1.0], [1.0, 5.0], [5.0, 5.0]];
/// let map = layout(&Backend::Cpu, &pulls, &forces, start)?;
/// let gap = |a: [f32; 2], b: [f32; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
/// assert!(gap(map[0], map[1]) < gap(map[0], map[2]) && gap(map[2], map[3]) < gap(map[1], map[3]));
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # Errors
/// Places for another number of rows; on a device more than [`MOST_AXES`] coordinates, places (or the edges of one row)
/// that are more than it sees at once, a lost device.
pub fn layout<const D: usize>(
    backend: &Backend,
    pulls: &Pulls,
    forces: &Forces,
    start: Vec<[f32; D]>,
) -> Result<Vec<[f32; D]>> {
    if start.len() != pulls.n_rows() {
        let message = format!("{} places for {} rows", start.len(), pulls.n_rows());
        return Err(Error::data(message));
    }
    match backend {
        Backend::Cpu => {
            Ok((0..forces.n_epochs)
                .fold(start, |places, epoch| step(pulls, forces, epoch, &places)))
        }
        Backend::Gpu(gpu) => layout_on(gpu, pulls, forces, &start, 0..forces.n_epochs),
    }
}

/// The definition: where all rows go in one epoch.
fn step<const D: usize>(
    pulls: &Pulls,
    forces: &Forces,
    epoch: u32,
    places: &[[f32; D]],
) -> Vec<[f32; D]> {
    let Forces { a, b, repulsion, n_strangers, .. } = *forces;
    let (rate, [comb_key, epoch_key]) = (forces.rate(epoch), forces.keys(epoch));
    let pulls_by = |from: u32, to: u32, share: u32| {
        let comb = scramble(from ^ scramble(to ^ comb_key)).wrapping_add(epoch.wrapping_mul(share));
        u32::from(comb.checked_add(share).is_none())
    };
    let moved = |row: u32| {
        let key = scramble(row ^ epoch_key);
        let mut draw = 0u32;
        let mut place = places[row as usize];
        let edges = pulls.starts[row as usize] as usize..pulls.starts[row as usize + 1] as usize;
        for &[other, share] in &pulls.edges[edges] {
            let own = pulls_by(row, other, share);
            for _ in 0..own + pulls_by(other, row, share) {
                let (gap, square) = difference(&place, &places[other as usize]);
                let near = square.powf(b);
                let strength = -2.0 * a * b * near / (square * (1.0 + a * near));
                (0..D).for_each(|d| place[d] += rate * clipped(strength * gap[d]));
            }
            if own == 0 {
                continue;
            }
            let mut push = [0.0; D];
            for _ in 0..n_strangers {
                draw += 1;
                let random = scramble(key.wrapping_add(draw.wrapping_mul(GOLDEN)));
                let stranger = ((u64::from(random) * places.len() as u64) >> 32) as u32;
                if stranger != row {
                    let (gap, square) = difference(&place, &places[stranger as usize]);
                    let strength =
                        2.0 * repulsion * b / ((0.001 + square) * (1.0 + a * square.powf(b)));
                    (0..D).for_each(|d| push[d] += clipped(strength * gap[d]));
                }
            }
            (0..D).for_each(|d| place[d] += rate * push[d]);
        }
        place
    };
    (0..places.len() as u32).into_par_iter().map(moved).collect()
}

/// x - y and its squared length, kept above zero so that powers and quotients stay finite.
fn difference<const D: usize>(x: &[f32; D], y: &[f32; D]) -> ([f32; D], f32) {
    let gap: [f32; D] = std::array::from_fn(|d| x[d] - y[d]);
    (gap, gap.iter().fold(1e-12, |sum, g| sum + g * g))
}

fn clipped(force: f32) -> f32 {
    force.clamp(-LONGEST_STEP, LONGEST_STEP)
}

/// A full-period scrambler of 32 bits ("lowbias32" of Wellons' search for integer hashes, 2018).
fn scramble(mut bits: u32) -> u32 {
    bits ^= bits >> 16;
    bits = bits.wrapping_mul(0x7feb_352d);
    bits ^= bits >> 15;
    bits = bits.wrapping_mul(0x846c_a68b);
    bits ^ (bits >> 16)
}

fn layout_on<const D: usize>(
    gpu: &Gpu,
    pulls: &Pulls,
    forces: &Forces,
    start: &[[f32; D]],
    epochs: Range<u32>,
) -> Result<Vec<[f32; D]>> {
    if !(1..=MOST_AXES).contains(&D) {
        let what = format!("the GPU lays out 1 to {MOST_AXES} coordinates, not {D}");
        return Err(Error::backend(what).help("use --backend cpu"));
    }
    let blocks = Block::all(gpu, pulls)?;
    let (mut older, mut newer) =
        (gpu.upload(start.as_flattened())?, gpu.zeros::<f32>(start.len() * D)?);
    for epoch in epochs {
        let [comb_key, epoch_key] = forces.keys(epoch);
        for Block { rows, starts, edges } in &blocks {
            gpu.launch(&Launch {
                shader: &UMAP_LAYOUT,
                entry: "main",
                constants: &[("AXES", D as f64)],
                parameters: &[
                    ("n_rows", start.len() as u32),
                    ("first_row", rows.start as u32),
                    ("n_here", rows.len() as u32),
                    ("epoch", epoch),
                    ("n_strangers", forces.n_strangers),
                    ("comb_key", comb_key),
                    ("epoch_key", epoch_key),
                    ("a", forces.a.to_bits()),
                    ("b", forces.b.to_bits()),
                    ("repulsion", forces.repulsion.to_bits()),
                    ("rate", forces.rate(epoch).to_bits()),
                ],
                buffers: &[
                    ("starts", starts),
                    ("edges", edges),
                    ("older", &older),
                    ("newer", &newer),
                ],
                n_items: rows.len(),
            })?;
        }
        std::mem::swap(&mut older, &mut newer);
    }
    Ok(gpu.read(&older)?.as_chunks::<D>().0.to_vec())
}

/// Rows whose edges a device sees at once.
struct Block {
    rows: Range<usize>,
    starts: Buffer<u32>,
    edges: Buffer<u32>,
}

impl Block {
    fn all(gpu: &Gpu, pulls: &Pulls) -> Result<Vec<Self>> {
        let mut blocks = Vec::new();
        let mut first = 0;
        while first < pulls.n_rows() {
            let n_words = |end: usize| 2 * (pulls.starts[end] - pulls.starts[first]) as usize;
            let fits = |end: &usize| n_words(*end).max(end - first + 1) <= gpu.max_words();
            let end = (first + 1..=pulls.n_rows()).take_while(fits).last().unwrap_or(first + 1);
            let starts: Vec<u32> =
                pulls.starts[first..=end].iter().map(|start| start - pulls.starts[first]).collect();
            let edges = pulls.starts[first] as usize..pulls.starts[end] as usize;
            // A shader sees at least one edge; none of a row's own is never asked for.
            let edges = if edges.is_empty() { &[[0, 0]] } else { &pulls.edges[edges] };
            let (starts, edges) = (gpu.upload(&starts)?, gpu.upload(edges.as_flattened())?);
            blocks.push(Self { rows: first..end, starts, edges });
            first = end;
        }
        Ok(blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::test_device;
    use crate::seed::Seed;

    const FORCES: Forces = Forces {
        a: 1.577,
        b: 0.895,
        repulsion: 1.0,
        learning_rate: 1.0,
        n_strangers: 5,
        n_epochs: 200,
        seed: 7,
    };
    const SMALL_STEPS: Forces = Forces { learning_rate: 0.05, ..FORCES };
    const N_GROUPS: usize = 3;

    /// Rows `i` and `i + N_GROUPS` are near each other: as many islands.
    fn graph(n: usize) -> Pulls {
        let mut stream = Seed::new(2).stream("graph", n as u64);
        let mut rows = vec![Vec::new(); n];
        for i in 0..n {
            for step in 1..=7 {
                let j = i + step * N_GROUPS;
                if j < n {
                    let weight = stream.uniform() as f32;
                    rows[i].push((j as u32, weight));
                    rows[j].push((i as u32, weight));
                }
            }
        }
        Pulls::of(&rows).unwrap()
    }

    /// No two rows in one place: what is left of the difference of near coordinates is no measure of a kernel.
    fn places<const D: usize>(n: usize) -> Vec<[f32; D]> {
        let mut stream = Seed::new(3).stream("places", n as u64);
        let mut order: Vec<usize> = (0..n).collect();
        stream.shuffle(&mut order);
        let width = 10.0 / n as f64;
        let mut place = |i: usize| {
            std::array::from_fn(|d| match d {
                0 => (width * (i as f64 + 0.5 * stream.uniform())) as f32,
                _ => (10.0 * stream.uniform()) as f32,
            })
        };
        order.into_iter().map(&mut place).collect()
    }

    /// Whether all but a hundredth of the coordinates are within the tolerance: what is left of the difference of two
    /// rows that happen to meet is as inexact as they are.
    fn is_equal<const D: usize>(found: &[[f32; D]], expected: &[[f32; D]]) -> bool {
        let pairs = found.iter().flatten().zip(expected.iter().flatten());
        let bar = TOLERANCE * SMALL_STEPS.learning_rate;
        pairs.filter(|(a, b)| (*a - *b).abs() > bar).count() <= found.len() * D / 100
    }

    fn check<const D: usize>(gpu: &Gpu, n: usize) {
        let (pulls, start) = (graph(n), places::<D>(n));
        for epoch in [0, 1, 57, 150] {
            let found = layout_on(gpu, &pulls, &SMALL_STEPS, &start, epoch..epoch + 1).unwrap();
            let expected = step(&pulls, &SMALL_STEPS, epoch, &start);
            assert!(is_equal(&found, &expected), "{n} rows, {D} axes, epoch {epoch}");
            if n > 100 {
                assert!(!is_equal(&found, &start), "nothing moved");
                // A tolerance that does not see a hundredth more of one parameter is too loose.
                let other = Forces { a: 1.01 * FORCES.a, ..SMALL_STEPS };
                let other = step(&pulls, &other, epoch, &start);
                assert!(!is_equal(&found, &other), "{n} rows, {D} axes, {epoch}: too loose");
            }
        }
    }

    #[test]
    fn an_epoch_is_that_of_the_cpu() {
        let Some(gpu) = test_device() else { return };
        // Some 75 rows with their 14 edges, or all places.
        let small = test_device().unwrap().with_group_size(13).with_binding_limit(600 * 4 * 4);
        for gpu in [&gpu, &small] {
            for n in [1, 5, 130, 600] {
                check::<1>(gpu, n);
                check::<2>(gpu, n);
                check::<4>(gpu, n);
            }
        }
        let error = layout_on(&gpu, &graph(5), &FORCES, &places::<5>(5), 0..1).unwrap_err();
        assert!(error.message().contains("1 to 4 coordinates, not 5"), "{error}");
        let tight = small.with_binding_limit(400);
        let error = layout_on(&tight, &graph(600), &FORCES, &places::<2>(600), 0..1).unwrap_err();
        assert!(error.message().contains("in one piece"), "{error}");
    }

    /// Mean distance within groups over that between them.
    fn mixing(map: &[[f32; 2]]) -> f64 {
        let (mut sums, mut counts) = ([0.0; 2], [0.0; 2]);
        for (i, x) in map.iter().enumerate() {
            for (j, y) in map.iter().enumerate().take(i) {
                let same = usize::from(i % N_GROUPS == j % N_GROUPS);
                sums[same] += f64::from((x[0] - y[0]).hypot(x[1] - y[1]));
                counts[same] += 1.0;
            }
        }
        sums[1] / counts[1] * counts[0] / sums[0]
    }

    #[test]
    fn islands_come_apart() {
        let (pulls, start) = (graph(150), places::<2>(150));
        assert!(mixing(&start) > 0.9);
        let mut backends = vec![Backend::Cpu];
        backends.extend(test_device().map(|gpu| Backend::Gpu(gpu.into())));
        for backend in backends {
            let map = layout(&backend, &pulls, &FORCES, start.clone()).unwrap();
            assert!(mixing(&map) < 0.5, "{}: {}", backend.name(), mixing(&map));
        }
    }

    #[test]
    fn edges_need_their_mirrors() {
        for rows in [
            vec![vec![(1, 1.0)], vec![]],
            vec![vec![(1, 1.0)], vec![(0, 0.5)]],
            vec![vec![(9, 1.0)]],
        ] {
            assert!(Pulls::of(&rows).unwrap_err().message().contains("has no mirror"));
        }
        let one = vec![[0.0f32; 2]];
        assert!(layout(&Backend::Cpu, &graph(2), &FORCES, one).is_err());
    }
}
