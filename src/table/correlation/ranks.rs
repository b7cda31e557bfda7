//! Ranks of a column, ties averaged.

/// The rank of each value, from 1; equal values share the mean of their ranks. No value may be NaN.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    order.sort_by(|&a, &b| values[a as usize].total_cmp(&values[b as usize]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let value = values[order[start] as usize];
        let tied = order[start..].iter().take_while(|&&i| values[i as usize] == value).count();
        let rank = start as f64 + (tied as f64 + 1.0) / 2.0;
        order[start..start + tied].iter().for_each(|&i| ranks[i as usize] = rank);
        start += tied;
    }
    ranks
}
