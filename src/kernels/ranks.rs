//! Rows, a query and some of its gaps enter; how many rows are nearer than each gap leaves; or the gaps of all rows.

use super::nearest_rows::{Gap, Hit, Rows};

/// Rows measured together; their gaps stay in the first-level cache.
const BLOCK: usize = 512;

/// Rows stored column by column, so that many gaps are measured at once.
#[derive(Debug)]
pub(crate) struct Columns {
    values: Vec<f64>,
    n_rows: usize,
    gap: Gap,
}

impl Columns {
    pub(crate) fn new(rows: Rows, gap: Gap) -> Self {
        let n_rows = rows.len();
        let mut values = vec![0.0; rows.values.len()];
        for (i, row) in rows.values.chunks_exact(rows.width).enumerate() {
            row.iter().enumerate().for_each(|(c, x)| values[c * n_rows + i] = *x);
        }
        Self { values, n_rows, gap }
    }

    /// For each hit of `query`, the number of rows nearer to it than the hit is; of two rows as near,
    /// the one with the smaller index counts as nearer. The query itself is among the rows.
    pub(crate) fn count_nearer(&self, query: &[f64], hits: &[Hit]) -> Vec<usize> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            #[expect(unsafe_code, reason = "calls the same loops compiled for AVX2")]
            return unsafe { self.count_nearer_avx2(query, hits) };
        }
        self.count_nearer_plainly(query, hits)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn count_nearer_avx2(&self, query: &[f64], hits: &[Hit]) -> Vec<usize> {
        self.count_nearer_plainly(query, hits)
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "only then is it compiled for its caller's features")]
    fn count_nearer_plainly(&self, query: &[f64], hits: &[Hit]) -> Vec<usize> {
        let mut counts = vec![0; hits.len()];
        let mut gaps = [0.0; BLOCK];
        for start in (0..self.n_rows).step_by(BLOCK) {
            let gaps = &mut gaps[..BLOCK.min(self.n_rows - start)];
            self.measure_block(query, start, gaps);
            for (count, &(bar, index)) in counts.iter_mut().zip(hits) {
                let before = (index as usize).clamp(start, start + gaps.len()) - start;
                let (smaller, larger) = gaps.split_at(before);
                *count += smaller.iter().map(|gap| usize::from(*gap <= bar)).sum::<usize>();
                *count += larger.iter().map(|gap| usize::from(*gap < bar)).sum::<usize>();
            }
        }
        counts
    }

    /// The gaps between a query and all rows, in their order.
    pub(crate) fn measure(&self, query: &[f64], gaps: &mut Vec<f64>) {
        gaps.resize(self.n_rows, 0.0);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            #[expect(unsafe_code, reason = "calls the same loops compiled for AVX2")]
            return unsafe { self.measure_avx2(query, gaps) };
        }
        self.measure_plainly(query, gaps);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn measure_avx2(&self, query: &[f64], gaps: &mut [f64]) {
        self.measure_plainly(query, gaps);
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "only then is it compiled for its caller's features")]
    fn measure_plainly(&self, query: &[f64], gaps: &mut [f64]) {
        for (block, gaps) in gaps.chunks_mut(BLOCK).enumerate() {
            self.measure_block(query, block * BLOCK, gaps);
        }
    }

    /// The gaps of the rows from `start` on. The order of summation is that of `Gap::between`: equal gaps stay equal.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "only then is it compiled for its caller's features")]
    fn measure_block(&self, query: &[f64], start: usize, gaps: &mut [f64]) {
        gaps.fill(0.0);
        for (&x, column) in query.iter().zip(self.values.chunks_exact(self.n_rows)) {
            let column = &column[start..start + gaps.len()];
            match self.gap {
                Gap::Squared => {
                    gaps.iter_mut().zip(column).for_each(|(sum, y)| *sum += (x - y) * (x - y));
                }
                Gap::Absolute => {
                    gaps.iter_mut().zip(column).for_each(|(sum, y)| *sum += (x - y).abs());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    #[test]
    fn counts_equal_positions_in_the_sorted_order() {
        let mut stream = Seed::new(3).stream("rows", 0);
        // Few distinct values, so that ties are common.
        let values: Vec<f64> = (0..1400).map(|_| stream.below(4) as f64).collect();
        let rows = Rows { values: &values, width: 2 };
        for gap in [Gap::Squared, Gap::Absolute] {
            let columns = Columns::new(rows, gap);
            let query = rows.row(5);
            let mut all: Vec<Hit> =
                (0..700).map(|j| (gap.between(query, rows.row(j)), j as u32)).collect();
            all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let expected: Vec<usize> = (0..all.len()).collect();
            assert_eq!(columns.count_nearer(query, &all), expected);
            assert_eq!(columns.count_nearer_plainly(query, &all), expected);
            let (mut gaps, mut plain) = (Vec::new(), vec![0.0; 700]);
            columns.measure(query, &mut gaps);
            columns.measure_plainly(query, &mut plain);
            assert_eq!(gaps, plain);
            assert!(all.iter().all(|&(gap, j)| gaps[j as usize] == gap));
        }
    }
}
