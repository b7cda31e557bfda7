//! Rows of labels become runs: maximal stretches of one label. An object is the set of its runs.

/// One stretch of an object in one image row: columns `start..end`.
///
/// Rows are counted through the whole image, `z * n_rows + y`. Spans order by row, then by column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span {
    /// Row of the image, counted through all planes.
    pub row: u32,
    /// First column.
    pub start: u32,
    /// One past the last column.
    pub end: u32,
}

impl Span {
    /// Number of pixels.
    pub fn len(&self) -> u32 {
        self.end - self.start
    }

    /// Never true for a span of an object.
    pub fn is_empty(&self) -> bool {
        self.end == self.start
    }
}

/// Calls `emit(label, start, end)` for each run of a label other than 0, from left to right.
pub fn runs_of_row(row: &[u32], mut emit: impl FnMut(u32, usize, usize)) {
    let mut start = 0;
    while let Some(&label) = row.get(start) {
        let end = start + run_length(&row[start..], label);
        if label != 0 {
            emit(label, start, end);
        }
        start = end;
    }
}

/// Pixels compared in one step; wide enough for vector registers, short enough for small objects.
const LANES: usize = 16;

/// How many pixels at the front of `row` are `label`.
fn run_length(row: &[u32], label: u32) -> usize {
    let mut length = 0;
    for block in row.chunks_exact(LANES) {
        // One bit for each pixel that differs, so that the end is found without a second search.
        let mut differs = 0u32;
        for (bit, &pixel) in block.iter().enumerate() {
            differs |= u32::from(pixel != label) << bit;
        }
        if differs != 0 {
            return length + differs.trailing_zeros() as usize;
        }
        length += LANES;
    }
    length + row[length..].iter().take_while(|&&pixel| pixel == label).count()
}

/// Sorts positions by key, keeping the order of equal keys: the distinct keys ascending, where each one's
/// positions begin (with the end as the last entry), and the positions.
pub fn group(keys: &[u32]) -> (Vec<u32>, Vec<usize>, Vec<u32>) {
    let largest = keys.iter().copied().max().unwrap_or(0) as usize;
    let smallest = keys.iter().copied().min().unwrap_or(0) as usize;
    // Counting while the keys are dense; sorting when a few labels have huge numbers.
    if largest - smallest <= 4 * keys.len() + 1024 {
        return group_dense(keys, smallest, largest - smallest + 1);
    }
    let mut order: Vec<u32> = (0..keys.len() as u32).collect();
    order.sort_by_key(|&position| keys[position as usize]);
    let (mut distinct, mut begins) = (Vec::new(), Vec::new());
    for (rank, &position) in order.iter().enumerate() {
        let key = keys[position as usize];
        if distinct.last() != Some(&key) {
            distinct.push(key);
            begins.push(rank);
        }
    }
    begins.push(keys.len());
    (distinct, begins, order)
}

fn group_dense(keys: &[u32], smallest: usize, n_keys: usize) -> (Vec<u32>, Vec<usize>, Vec<u32>) {
    let mut next = vec![0u32; n_keys];
    for &key in keys {
        next[key as usize - smallest] += 1;
    }
    let (mut distinct, mut begins, mut total) = (Vec::new(), Vec::new(), 0);
    for (offset, count) in next.iter_mut().enumerate() {
        if *count > 0 {
            distinct.push((smallest + offset) as u32);
            begins.push(total as usize);
            let begin = total;
            total += *count;
            *count = begin;
        }
    }
    begins.push(keys.len());
    let mut order = vec![0; keys.len()];
    for (position, &key) in keys.iter().enumerate() {
        let place = &mut next[key as usize - smallest];
        order[*place as usize] = position as u32;
        *place += 1;
    }
    (distinct, begins, order)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(row: &[u32], expected: &[(u32, usize, usize)]) {
        let mut runs = Vec::new();
        runs_of_row(row, |label, start, end| runs.push((label, start, end)));
        assert_eq!(runs, expected);
    }

    #[test]
    fn runs() {
        check(&[], &[]);
        check(&[0, 0, 0], &[]);
        check(&[5], &[(5, 0, 1)]);
        check(&[1, 1, 2, 0, 2, 2], &[(1, 0, 2), (2, 2, 3), (2, 4, 6)]);
        check(&[[7; 19].as_slice(), &[0; 17], &[7; 8]].concat(), &[(7, 0, 19), (7, 36, 44)]);
    }

    #[test]
    fn groups_whether_dense_or_sparse() {
        for scale in [1, 400_000_000] {
            let keys = [9, 3, 9, 4, 3, 9].map(|key: u32| key * scale);
            let (distinct, begins, order) = group(&keys);
            assert_eq!(distinct, [3, 4, 9].map(|key| key * scale));
            assert_eq!(begins, [0, 2, 3, 6]);
            assert_eq!(order, [1, 4, 3, 0, 2, 5]);
        }
        assert_eq!(group(&[]), (vec![], vec![0], vec![]));
    }
}
