//! Two or more groupings of the same rows in; how far they agree, and what they agree on, out.
//!
//! Labels are any numbers; 0 means "not assigned" where that is said.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::error::{Error, Result};

/// How often each pair of labels meets.
struct Contingency {
    counts: Vec<Vec<usize>>,
    row_sums: Vec<usize>,
    column_sums: Vec<usize>,
    n: usize,
    /// The labels that stand for the rows and columns, ascending.
    row_labels: Vec<usize>,
    column_labels: Vec<usize>,
}

impl Contingency {
    fn new(a: &[usize], b: &[usize]) -> Result<Self> {
        check_lengths(a, b)?;
        let (a, row_labels) = dense(a);
        let (b, column_labels) = dense(b);
        let mut counts = vec![vec![0; column_labels.len()]; row_labels.len()];
        a.iter().zip(&b).for_each(|(&i, &j)| counts[i][j] += 1);
        let row_sums = counts.iter().map(|row| row.iter().sum()).collect();
        let column_sums =
            (0..column_labels.len()).map(|j| counts.iter().map(|row| row[j]).sum()).collect();
        Ok(Self { counts, row_sums, column_sums, n: a.len(), row_labels, column_labels })
    }
}

fn check_lengths(a: &[usize], b: &[usize]) -> Result<()> {
    if a.len() == b.len() {
        return Ok(());
    }
    Err(Error::data(format!("the groupings have {} and {} rows", a.len(), b.len())))
}

/// Labels renumbered from 0 without gaps, and the labels they stand for, ascending.
fn dense(labels: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let largest = labels.iter().copied().max().unwrap_or(0);
    if largest > 2 * labels.len() + 1024 {
        let mut present = labels.to_vec();
        present.sort_unstable();
        present.dedup();
        let numbered = labels.iter().map(|l| present.partition_point(|p| p < l)).collect();
        return (numbered, present);
    }
    let mut number = vec![usize::MAX; largest + 1];
    labels.iter().for_each(|&label| number[label] = 0);
    let present: Vec<usize> = (0..=largest).filter(|&label| number[label] == 0).collect();
    present.iter().enumerate().for_each(|(i, &label)| number[label] = i);
    (labels.iter().map(|&label| number[label]).collect(), present)
}

/// The adjusted Rand index: 1 for the same partition, 0 on average for independent ones.
///
/// ```
/// use polariscope::cluster::agreement::adjusted_rand;
/// assert_eq!(adjusted_rand(&[1, 1, 2, 2], &[7, 7, 3, 3])?, 1.0);
/// let worse_than_chance = adjusted_rand(&[1, 1, 2, 2], &[1, 2, 1, 2])?;
/// assert!((worse_than_chance + 0.5).abs() < 1e-12);
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # Errors
/// When the groupings have different numbers of rows.
///
/// # References
/// L. Hubert and P. Arabie, *Comparing partitions*, 1985, equation 5.
pub fn adjusted_rand(a: &[usize], b: &[usize]) -> Result<f64> {
    let table = Contingency::new(a, b)?;
    let pairs = |n: usize| n as f64 * (n as f64 - 1.0) / 2.0;
    let of = |sums: &[usize]| sums.iter().map(|&s| pairs(s)).sum::<f64>();
    let together: f64 = table.counts.iter().map(|row| of(row)).sum();
    let (in_a, in_b) = (of(&table.row_sums), of(&table.column_sums));
    if in_a + in_b == 2.0 * together {
        // The same partition, all in one group or each alone included.
        return Ok(1.0);
    }
    let expected = in_a * in_b / pairs(table.n);
    Ok((together - expected) / (f64::midpoint(in_a, in_b) - expected))
}

/// The adjusted mutual information: 1 for the same partition, 0 on average for independent ones.
///
/// Normalised by the arithmetic mean of the entropies, as in scikit-learn.
///
/// # Errors
/// When the groupings have different numbers of rows.
///
/// # References
/// N. X. Vinh, J. Epps and J. Bailey, *Information theoretic measures for clusterings comparison*, 2010,
/// equation 24 for the expectation.
pub fn adjusted_mutual_information(a: &[usize], b: &[usize]) -> Result<f64> {
    let table = Contingency::new(a, b)?;
    let (rows, columns) = (table.row_sums.len(), table.column_sums.len());
    if (rows <= 1 && columns <= 1) || (rows == table.n && columns == table.n) {
        return Ok(1.0);
    }
    let n = table.n as f64;
    let entropy =
        |sums: &[usize]| -sums.iter().map(|&s| s as f64 / n * (s as f64 / n).ln()).sum::<f64>();
    let mut information = 0.0;
    for (row, &r) in table.counts.iter().zip(&table.row_sums) {
        for (&count, &c) in row.iter().zip(&table.column_sums).filter(|(count, _)| **count > 0) {
            let count = count as f64;
            information += count / n * (n * count / (r as f64 * c as f64)).ln();
        }
    }
    let expected = expected_information(&table);
    let largest = f64::midpoint(entropy(&table.row_sums), entropy(&table.column_sums));
    let room = largest - expected;
    let room = if room < 0.0 { room.min(-f64::EPSILON) } else { room.max(f64::EPSILON) };
    Ok((information - expected) / room)
}

/// The mutual information of two random groupings with these sizes (hypergeometric model).
fn expected_information(table: &Contingency) -> f64 {
    let n = table.n;
    let mut log_factorial = vec![0.0; n + 1];
    for i in 1..=n {
        log_factorial[i] = log_factorial[i - 1] + (i as f64).ln();
    }
    let lf = |i: usize| log_factorial[i];
    let mut expected = 0.0;
    for &a in &table.row_sums {
        for &b in &table.column_sums {
            let fixed = lf(a) + lf(b) + lf(n - a) + lf(n - b) - lf(n);
            for both in (a + b).saturating_sub(n).max(1)..=a.min(b) {
                let chance = fixed - lf(both) - lf(a - both) - lf(b - both) - lf(n + both - a - b);
                let share = both as f64 / n as f64;
                let gain = (n as f64 * both as f64 / (a as f64 * b as f64)).ln();
                expected += share * gain * chance.exp();
            }
        }
    }
    expected
}

/// For each cluster of `reference`, by label: its size and its best Jaccard overlap with a cluster of `other`.
///
/// Rows with label 0 in either grouping are left out, so a subsample compares over the rows it holds.
/// Hennig (*Cluster-wise assessment of cluster stability*, 2007): 0.85 and above is highly stable.
///
/// # Errors
/// When the groupings have different numbers of rows.
pub fn jaccard_per_cluster(reference: &[usize], other: &[usize]) -> Result<BTreeMap<usize, f64>> {
    check_lengths(reference, other)?;
    let (a, b): (Vec<usize>, Vec<usize>) =
        reference.iter().zip(other).filter(|(a, b)| **a > 0 && **b > 0).unzip();
    let table = Contingency::new(&a, &b)?;
    let best = |i: usize| {
        let overlap = |j: usize| {
            let both = table.counts[i][j];
            both as f64 / (table.row_sums[i] + table.column_sums[j] - both) as f64
        };
        (0..table.column_sums.len()).map(overlap).fold(0.0, f64::max)
    };
    Ok(table.row_labels.iter().enumerate().map(|(i, &label)| (label, best(i))).collect())
}

/// Renames the clusters of `other` so that as many rows as possible carry their `reference` label.
///
/// A one-to-one match by the Hungarian method; clusters of `other` that stay without a partner get new labels
/// after the largest of `reference`, in ascending order of their own. 0 stays 0 and matches nothing.
///
/// ```
/// use polariscope::cluster::agreement::match_labels;
/// assert_eq!(match_labels(&[1, 1, 2, 2, 2], &[2, 2, 1, 1, 3])?, [1, 1, 2, 2, 3]);
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # Errors
/// When the groupings have different numbers of rows.
pub fn match_labels(reference: &[usize], other: &[usize]) -> Result<Vec<usize>> {
    let table = Contingency::new(reference, other)?;
    let (rows, columns) = (table.row_sums.len(), table.column_sums.len());
    // One column more for every row keeps clusters apart that share no row.
    let size = rows.max(columns);
    let gain = |i: usize, j: usize| {
        let known =
            i < rows && j < columns && table.row_labels[i] > 0 && table.column_labels[j] > 0;
        if known { table.counts[i][j] as f64 } else { 0.0 }
    };
    let partner = assignment(size, |i, j| -gain(i, j));
    let mut names = vec![0; columns];
    let mut next = reference.iter().copied().max().unwrap_or(0) + 1;
    let mut of_column = vec![None; columns];
    for (i, &j) in partner.iter().enumerate() {
        if gain(i, j) > 0.0 {
            of_column[j] = Some(table.row_labels[i]);
        }
    }
    for j in (0..columns).filter(|&j| table.column_labels[j] > 0) {
        names[j] = of_column[j].unwrap_or_else(|| {
            next += 1;
            next - 1
        });
    }
    let (numbered, _) = dense(other);
    Ok(numbered.into_iter().map(|j| names[j]).collect())
}

/// The column given to each row so that the summed cost is least (Kuhn 1955; the O(n³) form with potentials).
fn assignment(n: usize, cost: impl Fn(usize, usize) -> f64) -> Vec<usize> {
    // Row and column 0 are a sentinel; `row_of[j]` is the row that holds column j.
    let (mut u, mut v) = (vec![0.0; n + 1], vec![0.0; n + 1]);
    let mut row_of = vec![0usize; n + 1];
    for row in 1..=n {
        row_of[0] = row;
        let mut column = 0;
        let mut least = vec![f64::INFINITY; n + 1];
        let mut came_from = vec![0usize; n + 1];
        let mut used = vec![false; n + 1];
        while row_of[column] != 0 {
            used[column] = true;
            let i = row_of[column];
            let (mut delta, mut next) = (f64::INFINITY, 0);
            for j in (1..=n).filter(|&j| !used[j]) {
                let reduced = cost(i - 1, j - 1) - u[i] - v[j];
                if reduced < least[j] {
                    least[j] = reduced;
                    came_from[j] = column;
                }
                if least[j] < delta {
                    (delta, next) = (least[j], j);
                }
            }
            for j in 0..=n {
                if used[j] {
                    u[row_of[j]] += delta;
                    v[j] -= delta;
                } else {
                    least[j] -= delta;
                }
            }
            column = next;
        }
        while column != 0 {
            row_of[column] = row_of[came_from[column]];
            column = came_from[column];
        }
    }
    let mut partner = vec![0; n];
    (1..=n).for_each(|j| partner[row_of[j] - 1] = j - 1);
    partner
}

/// What several clusterings agree on.
#[derive(Debug, Clone, PartialEq)]
pub struct Consensus {
    /// One label per row, from 1, largest cluster first; 0 where a row was in no run.
    pub labels: Vec<usize>,
    /// Share of the runs that hold a row and give it its consensus label, from 0 to 1.
    pub confidence: Vec<f64>,
    /// How many more runs voted for the label than for the next one.
    pub margin: Vec<usize>,
    /// Position of the run most like all others (greatest mean adjusted Rand index).
    pub medoid: usize,
}

/// A vote: every run is matched to the consensus so far (at first the medoid run), and each row takes the label
/// that most runs give it, the smaller label among equals, until nothing changes.
///
/// Runs may hold different numbers of clusters; label 0 in a run means that it did not see the row.
///
/// # Errors
/// When there are no runs, or they have different numbers of rows.
///
/// # Determinism
/// Nothing is drawn at random.
pub fn consensus(runs: &[Vec<usize>]) -> Result<Consensus> {
    let medoid = medoid(runs)?;
    let mut labels = runs[medoid].clone();
    let mut confidence = vec![0.0; labels.len()];
    let mut margin = vec![0; labels.len()];
    // The vote settles within a few rounds; a cycle is cut, at the same place every time.
    for _ in 0..20 {
        let matched: Vec<Vec<usize>> =
            runs.par_iter().map(|run| match_seen(&labels, run)).collect::<Result<_>>()?;
        let voted: Vec<(usize, f64, usize)> =
            (0..labels.len()).into_par_iter().map(|row| vote(&matched, row)).collect();
        let before = labels;
        labels = voted.iter().map(|v| v.0).collect();
        confidence = voted.iter().map(|v| v.1).collect();
        margin = voted.iter().map(|v| v.2).collect();
        if labels == before {
            break;
        }
    }
    Ok(Consensus { labels: largest_first(&labels), confidence, margin, medoid })
}

/// A vote among runs whose labels have the same meaning in all of them, such as classes: nothing is renamed.
///
/// # Errors
/// When there are no runs, or they have different numbers of rows.
pub fn vote_on_classes(runs: &[Vec<usize>]) -> Result<Consensus> {
    let medoid = medoid(runs)?;
    let voted = (0..runs[medoid].len()).into_par_iter().map(|row| vote(runs, row));
    let voted: Vec<(usize, f64, usize)> = voted.collect();
    Ok(Consensus {
        labels: voted.iter().map(|v| v.0).collect(),
        confidence: voted.iter().map(|v| v.1).collect(),
        margin: voted.iter().map(|v| v.2).collect(),
        medoid,
    })
}

/// [`match_labels`] over the rows that both have seen, applied to all rows of the run.
fn match_seen(reference: &[usize], run: &[usize]) -> Result<Vec<usize>> {
    match_labels(reference, run)
}

/// The label most runs give to a row, its share of the runs that saw it, and its lead over the next label.
fn vote(runs: &[Vec<usize>], row: usize) -> (usize, f64, usize) {
    let mut votes: BTreeMap<usize, usize> = BTreeMap::new();
    for run in runs.iter().filter(|run| run[row] > 0) {
        *votes.entry(run[row]).or_default() += 1;
    }
    let seen: usize = votes.values().sum();
    let best = votes.iter().fold((0, 0), |best, (&l, &n)| if n > best.1 { (l, n) } else { best });
    let next = votes.iter().filter(|(l, _)| **l != best.0).map(|(_, &n)| n).max().unwrap_or(0);
    (best.0, if seen > 0 { best.1 as f64 / seen as f64 } else { 0.0 }, best.1 - next)
}

/// The share of rows that `other` puts into another cluster than `reference`, once its clusters are renamed to agree
/// as far as they can. Rows with label 0 in either are left out.
///
/// ```
/// use polariscope::cluster::agreement::share_moved;
/// assert_eq!(share_moved(&[1, 1, 2, 2], &[2, 2, 1, 2])?, 0.25);
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # Errors
/// When the groupings have different numbers of rows.
pub fn share_moved(reference: &[usize], other: &[usize]) -> Result<f64> {
    Ok(share_differing(reference, &match_labels(reference, other)?))
}

/// The share of rows whose labels differ, names and all. Rows with label 0 in either are left out.
pub fn share_differing(reference: &[usize], other: &[usize]) -> f64 {
    let seen = || reference.iter().zip(other).filter(|(a, b)| **a > 0 && **b > 0);
    seen().filter(|(a, b)| a != b).count() as f64 / seen().count().max(1) as f64
}

/// Clusters renumbered from 1, the largest first, equal sizes in the order of their labels; 0 stays 0.
pub fn largest_first(labels: &[usize]) -> Vec<usize> {
    let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
    labels.iter().filter(|&&l| l > 0).for_each(|&l| *sizes.entry(l).or_default() += 1);
    let mut order: Vec<(usize, usize)> = sizes.into_iter().collect();
    order.sort_by_key(|&(label, size)| (std::cmp::Reverse(size), label));
    let names: BTreeMap<usize, usize> =
        order.iter().enumerate().map(|(i, &(label, _))| (label, i + 1)).collect();
    labels.iter().map(|l| names.get(l).copied().unwrap_or(0)).collect()
}

/// The run with the greatest mean adjusted Rand index to all others, the first among equals.
///
/// # Errors
/// When there are no runs, or they have different numbers of rows.
pub fn medoid(runs: &[Vec<usize>]) -> Result<usize> {
    let means = mean_agreement(runs)?;
    Ok((1..runs.len()).fold(0, |best, i| if means[i] > means[best] { i } else { best }))
}

/// For each run its mean adjusted Rand index to the others, over the rows that both saw (1 for a single run).
///
/// # Errors
/// When there are no runs, or they have different numbers of rows.
pub fn mean_agreement(runs: &[Vec<usize>]) -> Result<Vec<f64>> {
    let pairs = pairwise_adjusted_rand(runs)?;
    let mut sums = vec![0.0; runs.len()];
    for &(i, j, rand) in &pairs {
        sums[i] += rand;
        sums[j] += rand;
    }
    let others = (runs.len() - 1) as f64;
    Ok(sums.into_iter().map(|sum| if others > 0.0 { sum / others } else { 1.0 }).collect())
}

/// The adjusted Rand index of every pair (i, j, index) of runs, i < j, over the rows that both saw.
///
/// # Errors
/// When there are no runs, or they have different numbers of rows.
pub fn pairwise_adjusted_rand(runs: &[Vec<usize>]) -> Result<Vec<(usize, usize, f64)>> {
    let Some(first) = runs.first() else {
        return Err(Error::data("there are no runs to compare"));
    };
    runs.iter().try_for_each(|run| check_lengths(first, run))?;
    let (different, which) = different(runs);
    let pairs = |n: usize| (0..n).flat_map(move |i| (i + 1..n).map(move |j| (i, j)));
    let rand: BTreeMap<(usize, usize), f64> = pairs(different.len())
        .collect::<Vec<_>>()
        .into_par_iter()
        .map(|(i, j)| {
            let seen = |(a, b): &(&usize, &usize)| **a > 0 && **b > 0;
            let (a, b): (Vec<usize>, Vec<usize>) =
                different[i].iter().zip(different[j]).filter(seen).unzip();
            Ok(((i, j), adjusted_rand(&a, &b)?))
        })
        .collect::<Result<_>>()?;
    let between = |i: usize, j: usize| {
        let (a, b) = (which[i].min(which[j]), which[i].max(which[j]));
        rand.get(&(a, b)).copied().unwrap_or(1.0)
    };
    Ok(pairs(runs.len()).map(|(i, j)| (i, j, between(i, j))).collect())
}

/// The runs without repeats, and for each run which of them it is: runs often find the very same groups.
fn different(runs: &[Vec<usize>]) -> (Vec<&[usize]>, Vec<usize>) {
    let mut number: BTreeMap<&[usize], usize> = BTreeMap::new();
    let mut different: Vec<&[usize]> = Vec::new();
    let which = runs
        .iter()
        .map(|run| {
            *number.entry(run).or_insert_with(|| {
                different.push(run);
                different.len() - 1
            })
        })
        .collect();
    (different, which)
}

/// Rows that enter the proportion of ambiguous clustering: evenly spaced when there are more.
const PAC_ROWS: usize = 4000;

/// The proportion of ambiguous clustering: the share of pairs of rows that are together in more than `low` and
/// less than `high` of the runs that hold both (0.1 and 0.9 are usual); 0 is best.
///
/// Above 4,000 rows, over 4,000 evenly spaced ones.
///
/// # Errors
/// When there are no runs, they have different numbers of rows, or not `0 <= low < high <= 1`.
///
/// # References
/// Y. Șenbabaoğlu, G. Michailidis and J. Z. Li, *Critical limitations of consensus clustering in class
/// discovery*, 2014.
pub fn pac(runs: &[Vec<usize>], low: f64, high: f64) -> Result<f64> {
    let Some(first) = runs.first() else {
        return Err(Error::data("there are no runs to compare"));
    };
    runs.iter().try_for_each(|run| check_lengths(first, run))?;
    if !(0.0 <= low && low < high && high <= 1.0) {
        return Err(Error::parameter(
            "(low, high)",
            format!("({low}, {high})"),
            "0 <= low < high <= 1",
        ));
    }
    let n = first.len();
    let rows: Vec<usize> = if n > PAC_ROWS {
        (0..PAC_ROWS).map(|i| i * n / PAC_ROWS).collect()
    } else {
        (0..n).collect()
    };
    let columns: Vec<Vec<u32>> =
        runs.iter().map(|run| rows.iter().map(|&i| run[i] as u32).collect()).collect();
    let counts: Vec<(usize, usize)> =
        (0..rows.len()).into_par_iter().map(|i| ambiguous_pairs(&columns, i, low, high)).collect();
    let (ambiguous, all) = counts.iter().fold((0, 0), |sum, c| (sum.0 + c.0, sum.1 + c.1));
    Ok(if all > 0 { ambiguous as f64 / all as f64 } else { 0.0 })
}

/// Of the pairs of row `i` with later rows that were seen together: how many are ambiguous, and how many there are.
fn ambiguous_pairs(runs: &[Vec<u32>], i: usize, low: f64, high: f64) -> (usize, usize) {
    let later = runs[0].len() - i - 1;
    let (mut together, mut seen) = (vec![0u32; later], vec![0u32; later]);
    for run in runs.iter().filter(|run| run[i] > 0) {
        let own = run[i];
        for ((together, seen), &other) in together.iter_mut().zip(&mut seen).zip(&run[i + 1..]) {
            *together += u32::from(other == own);
            *seen += u32::from(other > 0);
        }
    }
    let mut counts = (0, 0);
    for (&together, &seen) in together.iter().zip(&seen).filter(|(_, seen)| **seen > 0) {
        let share = f64::from(together) / f64::from(seen);
        counts.0 += usize::from(low < share && share < high);
        counts.1 += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    fn random(n: usize, k: usize, seed: u64) -> Vec<usize> {
        let mut stream = Seed::new(seed).stream("agreement", 0);
        (0..n).map(|_| 1 + stream.below(k)).collect()
    }

    /// Counted over all pairs of rows.
    fn slow_rand(a: &[usize], b: &[usize]) -> f64 {
        let (mut both, mut in_a, mut in_b, mut all) = (0.0, 0.0, 0.0, 0.0);
        for i in 0..a.len() {
            for j in 0..i {
                let (same_a, same_b) = (f64::from(a[i] == a[j]), f64::from(b[i] == b[j]));
                both += same_a * same_b;
                in_a += same_a;
                in_b += same_b;
                all += 1.0;
            }
        }
        let expected = in_a * in_b / all;
        (both - expected) / (f64::midpoint(in_a, in_b) - expected)
    }

    #[test]
    fn rand_index_agrees_with_the_count_over_pairs() {
        for seed in 0..5 {
            let (a, b) = (random(60, 4, seed), random(60, 3, seed + 100));
            assert!((adjusted_rand(&a, &b).unwrap() - slow_rand(&a, &b)).abs() < 1e-12);
        }
        assert_eq!(adjusted_rand(&[1, 1], &[1, 1]).unwrap(), 1.0);
        assert_eq!(adjusted_rand(&[1, 1, 1], &[1, 2, 3]).unwrap(), 0.0);
    }

    #[test]
    fn expected_information_is_the_mean_over_permutations() {
        let (a, mut b) = (random(12, 3, 1), random(12, 3, 2));
        let table = Contingency::new(&a, &b).unwrap();
        let mut stream = Seed::new(3).stream("agreement", 0);
        let mut sum = 0.0;
        for _ in 0..20_000 {
            stream.shuffle(&mut b);
            let table = Contingency::new(&a, &b).unwrap();
            for (row, &r) in table.counts.iter().zip(&table.row_sums) {
                for (&count, &c) in row.iter().zip(&table.column_sums).filter(|(n, _)| **n > 0) {
                    sum += count as f64 / 12.0 * (12.0 * count as f64 / (r * c) as f64).ln();
                }
            }
        }
        assert!((sum / 20_000.0 - expected_information(&table)).abs() < 2e-3);
    }

    #[test]
    fn matching_is_the_best_of_all_permutations() {
        let permutations: [[usize; 3]; 6] =
            [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]];
        for seed in 0..20 {
            let (a, b) = (random(30, 3, seed), random(30, 3, seed + 50));
            let agreeing = |b: &[usize]| a.iter().zip(b).filter(|(x, y)| x == y).count();
            let best = permutations
                .iter()
                .map(|p| agreeing(&b.iter().map(|&l| p[l - 1]).collect::<Vec<_>>()))
                .max();
            assert_eq!(Some(agreeing(&match_labels(&a, &b).unwrap())), best);
        }
        assert_eq!(match_labels(&[1, 1, 2], &[0, 5, 4]).unwrap(), [0, 1, 2]);
        assert_eq!(match_labels(&[1, 1, 1], &[3, 2, 2]).unwrap(), [2, 1, 1]);
    }

    #[test]
    fn jaccard_takes_the_best_partner() {
        let found = jaccard_per_cluster(&[1, 1, 1, 2, 2, 0], &[5, 5, 6, 6, 6, 6]).unwrap();
        assert_eq!(found, BTreeMap::from([(1, 2.0 / 3.0), (2, 2.0 / 3.0)]));
        let subsample = jaccard_per_cluster(&[1, 1, 2, 2], &[1, 0, 2, 2]).unwrap();
        assert_eq!(subsample, BTreeMap::from([(1, 1.0), (2, 1.0)]));
    }

    #[test]
    fn consensus_outvotes_a_stray_run() {
        let truth = vec![1, 1, 1, 2, 2];
        let swapped = vec![2, 2, 2, 1, 1];
        let stray = vec![1, 2, 1, 2, 1];
        let unseen = vec![1, 1, 0, 2, 2];
        let found = consensus(&[stray, truth.clone(), swapped, unseen]).unwrap();
        assert_eq!(found.labels, truth);
        assert_eq!(found.confidence[0], 1.0);
        assert_eq!(found.confidence[1], 0.75);
        assert_eq!(found.margin, [4, 2, 3, 4, 2]);
        assert_eq!(found.confidence[2], 1.0);
        assert_ne!(found.medoid, 0);
    }

    #[test]
    fn ambiguity_counts_the_pairs_in_between() {
        let sure = vec![vec![1, 1, 2], vec![2, 2, 1]];
        assert_eq!(pac(&sure, 0.1, 0.9).unwrap(), 0.0);
        // Rows 0 and 1 always together; row 2 with them in one run of two.
        let unsure = vec![vec![1, 1, 2], vec![1, 1, 1]];
        assert_eq!(pac(&unsure, 0.1, 0.9).unwrap(), 2.0 / 3.0);
        assert!(pac(&unsure, 0.9, 0.1).is_err() && pac(&[], 0.1, 0.9).is_err());
    }
}
