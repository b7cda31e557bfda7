//! Grey levels of an object become Haralick's texture features 1 to 13.

use super::region_runs::Span;
use super::region_solid::DIRECTIONS;
use super::region_sums::Bounds;

/// Number of grey levels between an object's smallest and largest value.
pub const N_LEVELS: usize = 32;

type Counts = [[u32; N_LEVELS]; N_LEVELS];

/// Haralick's features 1 to 13 (Haralick 1973; formulas as in mahotas), averaged over the directions; `None` when no two
/// pixels of the object are neighbours.
///
/// Values become 32 equal levels between the object's smallest and largest value. Neighbours at distance 1 along each
/// of 4 directions (13 in a stack), both in the object, are counted both ways round. Levels count from 1; logarithms
/// are to base 2; the variance in feature 10 is over all 32 differences.
pub fn haralick(spans: &[Span], values: &[f64], n_rows: u32, bounds: &Bounds) -> Option<[f64; 13]> {
    let levels = Levels::of(spans, values, n_rows, bounds);
    let (mut sums, mut n_directions) = ([0.0; 13], 0.0);
    for direction in DIRECTIONS {
        if bounds.extent[0] == 1 && direction[0] != 0 {
            continue;
        }
        let mut counts = [[0; N_LEVELS]; N_LEVELS];
        let n_pairs = levels.count(direction, &mut counts);
        if n_pairs > 0 {
            n_directions += 1.0;
            let features = features(&counts, n_pairs as f64);
            sums.iter_mut().zip(features).for_each(|(sum, feature)| *sum += feature);
        }
    }
    (n_directions > 0.0).then(|| sums.map(|sum| sum / n_directions))
}

/// The bounding box with a margin of one pixel: 0 outside the object, else 1 to 32.
struct Levels {
    levels: Vec<u8>,
    strides: [usize; 3],
}

impl Levels {
    fn of(spans: &[Span], values: &[f64], n_rows: u32, bounds: &Bounds) -> Self {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let scale = if most > least { N_LEVELS as f64 / (most - least) } else { 0.0 };
        let [planes, rows, columns] = bounds.extent.map(|e| e as usize + 2);
        let strides = [rows * columns, columns, 1];
        let mut levels = vec![0; planes * rows * columns];
        let mut rest = values;
        for span in spans {
            let (here, behind) = rest.split_at(span.len() as usize);
            rest = behind;
            let z = (span.row / n_rows - bounds.first[0]) as usize + 1;
            let y = (span.row % n_rows - bounds.first[1]) as usize + 1;
            let begin =
                z * strides[0] + y * strides[1] + (span.start - bounds.first[2]) as usize + 1;
            for (level, &value) in levels[begin..].iter_mut().zip(here) {
                *level = (((value - least) * scale) as u8).min(N_LEVELS as u8 - 1) + 1;
            }
        }
        Self { levels, strides }
    }

    /// Counts the pairs of levels at one step, both ways round.
    fn count(&self, direction: [i32; 3], counts: &mut Counts) -> u64 {
        let step: isize = direction
            .iter()
            .zip(self.strides)
            .map(|(&d, stride)| d as isize * stride as isize)
            .sum();
        let mut n_pairs = 0;
        for (&here, &there) in self.levels.iter().zip(self.levels.iter().skip(step as usize)) {
            if here > 0 && there > 0 {
                let (a, b) = (usize::from(here) - 1, usize::from(there) - 1);
                counts[a][b] += 1;
                counts[b][a] += 1;
                n_pairs += 2;
            }
        }
        n_pairs
    }
}

fn features(counts: &Counts, n_pairs: f64) -> [f64; 13] {
    let share = |i: usize, j: usize| f64::from(counts[i][j]) / n_pairs;
    let mut marginal = [0.0; N_LEVELS];
    let (mut sums, mut differences) = ([0.0; 2 * N_LEVELS - 1], [0.0; N_LEVELS]);
    let [mut moment, mut product, mut homogeneity, mut joint_entropy] = [0.0; 4];
    for i in 0..N_LEVELS {
        for j in 0..N_LEVELS {
            let p = share(i, j);
            if p > 0.0 {
                marginal[i] += p;
                sums[i + j] += p;
                differences[i.abs_diff(j)] += p;
                moment += p * p;
                product += p * ((i + 1) * (j + 1)) as f64;
                homogeneity += p / (1.0 + i.abs_diff(j).pow(2) as f64);
                joint_entropy -= p * p.log2();
            }
        }
    }
    let level = |i: usize| (i + 1) as f64;
    let mean: f64 = (0..N_LEVELS).map(|i| level(i) * marginal[i]).sum();
    let variance: f64 = (0..N_LEVELS).map(|i| (level(i) - mean).powi(2) * marginal[i]).sum();
    let correlation = if variance > 0.0 { (product - mean * mean) / variance } else { 1.0 };
    let contrast = (0..N_LEVELS).map(|d| (d * d) as f64 * differences[d]).sum();
    let sum_mean: f64 = (0..sums.len()).map(|s| (s + 2) as f64 * sums[s]).sum();
    let sum_variance = (0..sums.len()).map(|s| ((s + 2) as f64 - sum_mean).powi(2) * sums[s]).sum();
    let spread = 1.0 / N_LEVELS as f64;
    let difference_variance =
        differences.iter().map(|p| (p - spread).powi(2)).sum::<f64>() / N_LEVELS as f64;
    let own_entropy = entropy(&marginal);
    // Both marginals are equal, so the two cross entropies of Haralick are one number.
    let independent = 2.0 * own_entropy;
    let information =
        if own_entropy > 0.0 { (joint_entropy - independent) / own_entropy } else { 0.0 };
    let dependence = (1.0 - (-2.0 * (independent - joint_entropy)).exp()).max(0.0).sqrt();
    [
        moment,
        contrast,
        correlation,
        variance,
        homogeneity,
        sum_mean,
        sum_variance,
        entropy(&sums),
        joint_entropy,
        difference_variance,
        entropy(&differences),
        information,
        dependence,
    ]
}

fn entropy(shares: &[f64]) -> f64 {
    shares.iter().filter(|&&p| p > 0.0).map(|p| -p * p.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[&[f64]]) -> Option<[f64; 13]> {
        let spans: Vec<Span> = (0..)
            .zip(rows)
            .map(|(row, v)| Span { row, start: 5, end: 5 + v.len() as u32 })
            .collect();
        let bounds = Bounds::of(&spans, 99);
        haralick(&spans, &rows.concat(), 99, &bounds)
    }

    #[test]
    fn known_textures() {
        assert_eq!(of(&[&[3.0]]), None);
        let flat = of(&[&[3.0, 3.0], &[3.0, 3.0]]).unwrap();
        assert_eq!(flat[..9], [1.0, 0.0, 1.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.0]);
        // One row 1, 32: every pair differs by 31 levels.
        let step = of(&[&[0.0, 9.0]]).unwrap();
        assert_eq!(step[..6], [0.5, 961.0, -1.0, 240.25, 1.0 / 962.0, 33.0]);
        assert_eq!((step[6], step[7], step[8]), (0.0, 0.0, 1.0));
    }
}
