//! Rows enter; an order leaves in which rows near each other stand together, so that what is read for one is still in
//! the cache for the next.

use ndarray::ArrayView2;

/// So few rows fit into the cache in any order and keep theirs.
pub(super) const FEW_ROWS: usize = 10_000;
/// Parts of this size are not divided further.
const SMALLEST: usize = 32;
/// Rows of a part from which the column of largest variance is told.
const SAMPLE: usize = 256;

/// The rows by halves, quarters, ... of the table, apart along the column that varies most; up to [`FEW_ROWS`] as they
/// are. It follows from the table alone.
pub(super) fn near_order(matrix: ArrayView2<'_, f64>) -> Vec<u32> {
    let mut order: Vec<u32> = (0..matrix.nrows() as u32).collect();
    if matrix.nrows() > FEW_ROWS {
        halve(matrix, &mut order);
    }
    order
}

fn halve(matrix: ArrayView2<'_, f64>, part: &mut [u32]) {
    if part.len() <= SMALLEST {
        return part.sort_unstable();
    }
    let column = matrix.column(widest(matrix, part));
    let value = |row: u32| column[row as usize];
    let middle = part.len() / 2;
    part.select_nth_unstable_by(middle, |&a, &b| value(a).total_cmp(&value(b)).then(a.cmp(&b)));
    let (left, right) = part.split_at_mut(middle);
    rayon::join(|| halve(matrix, left), || halve(matrix, right));
}

/// The column of largest variance over some rows of a part.
fn widest(matrix: ArrayView2<'_, f64>, part: &[u32]) -> usize {
    let origin = matrix.row(part[0] as usize);
    let mut sums = vec![(0.0, 0.0); matrix.ncols()];
    for &row in part.iter().step_by(part.len().div_ceil(SAMPLE)) {
        for ((sum, x), origin) in sums.iter_mut().zip(matrix.row(row as usize)).zip(origin) {
            let x = x - origin;
            *sum = (sum.0 + x, sum.1 + x * x);
        }
    }
    let n = part.len().div_ceil(part.len().div_ceil(SAMPLE)) as f64;
    let spread = |c: usize| sums[c].1 - sums[c].0 * sums[c].0 / n;
    (1..sums.len()).fold(0, |best, c| if spread(c) > spread(best) { c } else { best })
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::seed::Seed;

    #[test]
    fn every_row_stands_once_and_near_its_like() {
        let mut stream = Seed::new(5).stream("rows", 0);
        let matrix = Array2::from_shape_simple_fn((FEW_ROWS + 1, 3), || stream.normal());
        let order = near_order(matrix.view());
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..=FEW_ROWS as u32));
        let apart = |order: &[u32]| -> f64 {
            let gap = |a: u32, b: u32| {
                let gap = &matrix.row(a as usize) - &matrix.row(b as usize);
                gap.mapv(|x| x * x).sum().sqrt()
            };
            order.windows(2).map(|pair| gap(pair[0], pair[1])).sum::<f64>() / order.len() as f64
        };
        let as_given: Vec<u32> = (0..=FEW_ROWS as u32).collect();
        assert!(apart(&order) < apart(&as_given) / 4.0, "{}", apart(&order));
        let few = matrix.slice(ndarray::s![..FEW_ROWS, ..]);
        assert!(near_order(few).into_iter().eq(0..FEW_ROWS as u32));
        // Rows that are all the same, or hold what is beyond any sum, have an order too.
        for x in [1.0, 1e300] {
            let same = Array2::from_elem((FEW_ROWS + 1, 1), x);
            assert!(near_order(same.view()).into_iter().eq(0..=FEW_ROWS as u32));
        }
    }
}
