//! Runs become the number of pixels in holes: gaps between runs that no path of gaps joins to the outside.

use super::region_runs::Span;
use super::region_sums::Bounds;

/// Rows of one object by plane and row of its bounding box.
#[derive(Debug)]
pub struct Rows<'a> {
    spans: &'a [Span],
    begins: Vec<usize>,
    extent: [usize; 2],
}

impl<'a> Rows<'a> {
    /// Indexes spans, ordered by row, of an image with `n_rows` rows a plane.
    pub fn of(spans: &'a [Span], n_rows: u32, bounds: &Bounds) -> Self {
        let extent = [bounds.extent[0] as usize, bounds.extent[1] as usize];
        let mut counts = vec![0; extent[0] * extent[1] + 1];
        for span in spans {
            let (z, y) = (span.row / n_rows - bounds.first[0], span.row % n_rows - bounds.first[1]);
            counts[z as usize * extent[1] + y as usize + 1] += 1;
        }
        for i in 1..counts.len() {
            counts[i] += counts[i - 1];
        }
        Self { spans, begins: counts, extent }
    }

    /// Number of planes and of rows a plane.
    pub fn extent(&self) -> [usize; 2] {
        self.extent
    }

    /// The spans of a row; none outside the box.
    pub fn get(&self, z: isize, y: isize) -> &'a [Span] {
        let [planes, rows] = self.extent.map(|e| e as isize);
        if !(0..planes).contains(&z) || !(0..rows).contains(&y) {
            return &[];
        }
        let at = (z * rows + y) as usize;
        &self.spans[self.begins[at]..self.begins[at + 1]]
    }
}

/// A stretch of background in a row.
#[derive(Debug, Clone, Copy)]
struct Gap {
    start: u32,
    end: u32,
}

/// Number of pixels in holes; background is connected over corners, in 3D too, as in scikit-image's `area_filled`.
///
/// In a stack, even a flat object is open above and below.
pub fn hole_pixels(spans: &[Span], n_rows: u32, bounds: &Bounds, in_stack: bool) -> u64 {
    let [planes, rows, columns] = bounds.extent;
    // A plane with one run in every row has no gap between runs.
    if planes == 1 && (in_stack || spans.len() == rows as usize) {
        return 0;
    }
    let index = Rows::of(spans, n_rows, bounds);
    let (first, end) = (bounds.first[2], bounds.first[2] + columns);
    let mut gaps = vec![Gap { start: 0, end: 0 }];
    let mut begins = vec![1];
    // Every gap starts as its own set; set 0 is the outside.
    let mut sets = vec![0u32];
    for z in 0..planes {
        for y in 0..rows {
            let outer = y == 0 || y + 1 == rows || (in_stack && (z == 0 || z + 1 == planes));
            let mut start = first;
            let row = index.get(z as isize, y as isize);
            for stop in row.iter().map(|s| (s.start, s.end)).chain([(end, end)]) {
                if start < stop.0 {
                    let open = outer || start == first || stop.0 == end;
                    sets.push(if open { 0 } else { gaps.len() as u32 });
                    gaps.push(Gap { start, end: stop.0 });
                }
                start = stop.1;
            }
            begins.push(gaps.len());
        }
    }
    let row_gaps = |z: u32, y: u32| {
        let at = (z * rows + y) as usize;
        begins[at]..begins[at + 1]
    };
    for z in 0..planes {
        for y in 0..rows {
            for (back, side) in [(0, -1), (1, -1), (1, 0), (1, 1)] {
                let (Some(other_z), Some(other_y)) =
                    (z.checked_sub(back), y.checked_add_signed(side))
                else {
                    continue;
                };
                if other_y < rows {
                    join(&gaps, &mut sets, row_gaps(z, y), row_gaps(other_z, other_y));
                }
            }
        }
    }
    let mut closed = |&i: &usize| root(&mut sets, i as u32) != 0;
    (1..gaps.len()).filter(|i| closed(i)).map(|i| u64::from(gaps[i].end - gaps[i].start)).sum()
}

/// Joins the sets of gaps of two rows that touch, corners included.
fn join(
    gaps: &[Gap],
    sets: &mut [u32],
    mut a: std::ops::Range<usize>,
    mut b: std::ops::Range<usize>,
) {
    while !a.is_empty() && !b.is_empty() {
        let (one, other) = (gaps[a.start], gaps[b.start]);
        if one.start <= other.end && other.start <= one.end {
            let (i, j) = (root(sets, a.start as u32), root(sets, b.start as u32));
            sets[i.max(j) as usize] = i.min(j);
        }
        if one.end <= other.end {
            a.start += 1;
        } else {
            b.start += 1;
        }
    }
}

/// The smallest gap of the set; halves the way there for the next call.
fn root(sets: &mut [u32], mut gap: u32) -> u32 {
    while sets[gap as usize] != gap {
        sets[gap as usize] = sets[sets[gap as usize] as usize];
        gap = sets[gap as usize];
    }
    gap
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &[&[(u32, u32)]], n_rows: u32, holes: u64) {
        let spans: Vec<Span> = (0..)
            .zip(rows)
            .flat_map(|(row, spans)| {
                spans.iter().map(move |&(start, end)| Span { row, start, end })
            })
            .collect();
        assert_eq!(
            hole_pixels(&spans, n_rows, &Bounds::of(&spans, n_rows), n_rows < 9),
            holes,
            "{rows:?}"
        );
    }

    #[test]
    fn holes_are_closed_over_corners() {
        check(&[&[(0, 4)], &[(0, 1), (3, 4)], &[(0, 4)]], 9, 2);
        check(&[&[(0, 4)], &[(0, 1), (3, 4)], &[(0, 2), (3, 4)]], 9, 0);
        // Open over a corner only.
        check(&[&[(0, 3)], &[(0, 1), (2, 3)], &[(0, 2)]], 9, 0);
        check(&[&[(0, 1)], &[(0, 5)], &[(0, 1), (4, 5)], &[(0, 5)]], 9, 3);
        check(&[&[(5, 6)], &[(5, 6)]], 9, 0);
        let (full, ring): (&[_], &[_]) = (&[(0, 3)], &[(0, 1), (2, 3)]);
        check(&[full, full, full, full, ring, full, full, full, full], 3, 1);
        check(&[full, full, full, full, ring, full, full, ring, full], 3, 0);
    }
}
