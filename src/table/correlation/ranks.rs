//! Ranks of a column, ties averaged: sorted once, walked as often as other columns leave rows out.

/// The rank of each value, from 1; equal values share the mean of their ranks. NaN has none: NaN.
///
/// ```
/// use polariscope::table::ranks;
/// assert_eq!(ranks(&[30.0, 10.0, 30.0]), [2.5, 1.0, 2.5]);
/// ```
pub fn ranks(values: &[f64]) -> Vec<f64> {
    Order::of(values).ranks(values.len(), None)
}

/// The rows that have a value, ascending by value.
pub(super) struct Order {
    rows: Vec<u32>,
    /// Whether the row has the same value as the one before it in `rows`.
    tied: Vec<bool>,
}

/// Bits sorted by in one pass; six passes make 64.
const DIGIT: u32 = 11;
const PASSES: usize = 6;

impl Order {
    /// Sorts the rows; NaN is missing. The two zeros are equal.
    pub(super) fn of(values: &[f64]) -> Self {
        let mut pairs: Vec<(u64, u32)> = Vec::with_capacity(values.len());
        let present = values.iter().enumerate().filter(|(_, v)| !v.is_nan());
        pairs.extend(present.map(|(row, &v)| (ascending_bits(v), row as u32)));
        sort(&mut pairs);
        let tied = (0..pairs.len()).map(|i| i > 0 && pairs[i].0 == pairs[i - 1].0).collect();
        Self { rows: pairs.into_iter().map(|(_, row)| row).collect(), tied }
    }

    /// Whether any row has no value.
    pub(super) fn is_complete(&self, n_rows: usize) -> bool {
        self.rows.len() == n_rows
    }

    /// Ranks among the rows that `other` has too, from 1, equal values sharing their mean rank; NaN elsewhere.
    ///
    /// `other` is the other column's values, or `None` when no row is to be left out.
    pub(super) fn ranks(&self, n_rows: usize, other: Option<&[f64]>) -> Vec<f64> {
        let mut ranks = vec![f64::NAN; n_rows];
        let kept = |row: u32| other.is_none_or(|values| !values[row as usize].is_nan());
        let (mut at, mut before) = (0, 0);
        while at < self.rows.len() {
            let mut end = at + 1;
            while end < self.rows.len() && self.tied[end] {
                end += 1;
            }
            let group = || self.rows[at..end].iter().filter(|&&row| kept(row));
            let n = group().count();
            let rank = before as f64 + f64::midpoint(n as f64, 1.0);
            group().for_each(|&row| ranks[row as usize] = rank);
            (at, before) = (end, before + n);
        }
        ranks
    }
}

/// Bits that ascend as the numbers do.
#[inline]
fn ascending_bits(value: f64) -> u64 {
    // Adding 0 makes -0 and 0 one.
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// Radix sort by the first member, lowest digits first; stable.
fn sort(pairs: &mut Vec<(u64, u32)>) {
    const BUCKETS: usize = 1 << DIGIT;
    let digit = |key: u64, pass: usize| (key >> (pass as u32 * DIGIT)) as usize & (BUCKETS - 1);
    let mut counts = vec![[0_u32; BUCKETS]; PASSES];
    for &(key, _) in pairs.iter() {
        counts.iter_mut().enumerate().for_each(|(pass, counts)| counts[digit(key, pass)] += 1);
    }
    let mut target = vec![(0, 0); pairs.len()];
    for (pass, counts) in counts.iter_mut().enumerate() {
        // A digit that all share has nothing to sort.
        if counts.iter().any(|&c| c as usize == pairs.len()) {
            continue;
        }
        let mut start = 0;
        for count in counts.iter_mut() {
            (*count, start) = (start, start + *count);
        }
        for &pair in pairs.iter() {
            let place = &mut counts[digit(pair.0, pass)];
            target[*place as usize] = pair;
            *place += 1;
        }
        std::mem::swap(pairs, &mut target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    #[test]
    fn ties_share_their_mean_rank() {
        let values = [3.0, 1.0, 3.0, -0.0, f64::NAN, 0.0];
        let order = Order::of(&values);
        assert!(!order.is_complete(6));
        let ranks = order.ranks(6, None);
        assert_eq!(ranks[..4], [4.5, 3.0, 4.5, 1.5]);
        assert!(ranks[4].is_nan());
        let other = [1.0, f64::NAN, f64::NAN, 1.0, 1.0, 1.0];
        let ranks = order.ranks(6, Some(&other));
        assert_eq!((ranks[0], ranks[3], ranks[5]), (3.0, 1.5, 1.5));
        assert!(ranks[1].is_nan() && ranks[2].is_nan());
    }

    #[test]
    fn ranks_are_those_of_a_sort() {
        let mut stream = Seed::new(3).stream("ranks", 0);
        let values: Vec<f64> =
            (0..5000).map(|i| stream.normal() * 10_f64.powi(i % 40 - 20)).collect();
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let ranks = Order::of(&values).ranks(values.len(), None);
        for (value, rank) in values.iter().zip(ranks) {
            assert_eq!(sorted[rank as usize - 1], *value);
        }
    }
}
