//! Runs of all objects become contacts; centroids become distances to the nearest ones.

use super::region_runs::{Span, group};

/// A run and the position of the object it belongs to.
pub type Owned = (Span, u32);

/// What two objects share, the smaller position first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contact {
    /// Positions of the two objects.
    pub pair: [u32; 2],
    /// Number of pixel faces shared across z, y and x.
    pub faces: [u64; 3],
}

/// All contacts of objects over pixel edges (faces), ordered by pair.
///
/// `runs` is in any order; the image has `n_rows` rows a plane.
pub fn contacts(runs: &[Owned], n_rows: u32) -> Vec<Contact> {
    let rows: Vec<u32> = runs.iter().map(|(span, _)| span.row).collect();
    let (present, begins, order) = group(&rows);
    let mut sorted: Vec<Owned> = order.iter().map(|&run| runs[run as usize]).collect();
    for ends in begins.windows(2) {
        sorted[ends[0]..ends[1]].sort_unstable_by_key(|(span, _)| span.start);
    }
    let row = |number: u32| {
        present.binary_search(&number).map_or(&[][..], |i| &sorted[begins[i]..begins[i + 1]])
    };
    let mut found = Vec::new();
    for (i, &number) in present.iter().enumerate() {
        let here = &sorted[begins[i]..begins[i + 1]];
        for pair in here.windows(2) {
            if pair[0].0.end == pair[1].0.start {
                found.push(contact(pair[0].1, pair[1].1, 2, 1));
            }
        }
        if (number + 1) % n_rows != 0 {
            shared(here, row(number + 1), 1, &mut found);
        }
        if let Some(below) = number.checked_add(n_rows) {
            shared(here, row(below), 0, &mut found);
        }
    }
    found.retain(|contact| contact.pair[0] != contact.pair[1]);
    found.sort_unstable_by_key(|contact| contact.pair);
    found.dedup_by(|next, kept| {
        let same = next.pair == kept.pair;
        if same {
            kept.faces.iter_mut().zip(next.faces).for_each(|(sum, n)| *sum += n);
        }
        same
    });
    found
}

fn contact(a: u32, b: u32, axis: usize, n_faces: u64) -> Contact {
    let mut faces = [0; 3];
    faces[axis] = n_faces;
    Contact { pair: [a.min(b), a.max(b)], faces }
}

/// The overlaps of two rows.
fn shared(above: &[Owned], below: &[Owned], axis: usize, found: &mut Vec<Contact>) {
    let (mut i, mut j) = (0, 0);
    while let (Some((a, object)), Some((b, other))) = (above.get(i), below.get(j)) {
        let (start, end) = (a.start.max(b.start), a.end.min(b.end));
        if start < end && object != other {
            found.push(contact(*object, *other, axis, u64::from(end - start)));
        }
        if a.end <= b.end {
            i += 1;
        } else {
            j += 1;
        }
    }
}

/// Distances to the `K` nearest other points, ascending; infinite where there are fewer.
///
/// Points are binned into cubes holding about two each; rings of cubes are searched until no nearer point can follow.
pub fn nearest<const K: usize>(points: &[[f64; 3]]) -> Vec<[f64; K]> {
    let bins = Bins::of(points);
    points.iter().enumerate().map(|(i, &point)| bins.nearest(points, i, point)).collect()
}

struct Bins {
    low: [f64; 3],
    side: f64,
    counts: [usize; 3],
    begins: Vec<usize>,
    order: Vec<u32>,
}

impl Bins {
    fn of(points: &[[f64; 3]]) -> Self {
        let end = |axis: usize, pick: fn(f64, f64) -> f64, start: f64| {
            points.iter().map(|p| p[axis]).fold(start, pick)
        };
        let low = [0, 1, 2].map(|a| end(a, f64::min, f64::INFINITY));
        let extent = [0, 1, 2].map(|a| (end(a, f64::max, f64::NEG_INFINITY) - low[a]).max(0.0));
        let filled: Vec<f64> = extent.into_iter().filter(|&e| e > 0.0).collect();
        let volume: f64 = filled.iter().product();
        let per_point = volume * 2.0 / points.len().max(1) as f64;
        let side = per_point.powf(1.0 / filled.len().max(1) as f64);
        // Points on a thin strip would otherwise ask for more bins along it than there are points.
        let longest = extent.into_iter().fold(0.0, f64::max);
        let side = side.max(longest / (points.len().max(1) as f64)).max(f64::MIN_POSITIVE);
        let counts = extent.map(|e| (e / side) as usize + 1);
        let mut bins = Self { low, side, counts, begins: Vec::new(), order: Vec::new() };
        let keys: Vec<u32> = points.iter().map(|&p| bins.flat(bins.bin(p)) as u32).collect();
        let (present, begins, order) = group(&keys);
        bins.begins = vec![0; counts.iter().product::<usize>() + 1];
        for (i, &bin) in present.iter().enumerate() {
            bins.begins[bin as usize + 1] = begins[i + 1] - begins[i];
        }
        for bin in 1..bins.begins.len() {
            bins.begins[bin] += bins.begins[bin - 1];
        }
        bins.order = order;
        bins
    }

    fn bin(&self, p: [f64; 3]) -> [usize; 3] {
        [0, 1, 2].map(|a| (((p[a] - self.low[a]) / self.side) as usize).min(self.counts[a] - 1))
    }

    fn flat(&self, bin: [usize; 3]) -> usize {
        (bin[0] * self.counts[1] + bin[1]) * self.counts[2] + bin[2]
    }

    fn nearest<const K: usize>(&self, points: &[[f64; 3]], own: usize, p: [f64; 3]) -> [f64; K] {
        let mut best = [f64::INFINITY; K];
        let center = self.bin(p);
        let widest = self.counts.into_iter().max().unwrap_or(1);
        for ring in 0..=widest {
            // Whatever lies in this ring is at least ring - 1 sides away.
            let reach = (ring as f64 - 1.0).max(0.0) * self.side;
            if reach * reach > best[K - 1] {
                break;
            }
            self.visit_ring(center, ring, |bin| {
                for &other in &self.order[self.begins[bin]..self.begins[bin + 1]] {
                    let q = points[other as usize];
                    let squared: f64 = (0..3).map(|a| (p[a] - q[a]).powi(2)).sum();
                    if other as usize != own && squared < best[K - 1] {
                        best[K - 1] = squared;
                        best.sort_by(f64::total_cmp);
                    }
                }
            });
        }
        best.map(f64::sqrt)
    }

    /// All bins whose largest distance along an axis is `ring`.
    fn visit_ring(&self, center: [usize; 3], ring: usize, mut visit: impl FnMut(usize)) {
        let range =
            |a: usize| center[a].saturating_sub(ring)..=(center[a] + ring).min(self.counts[a] - 1);
        for z in range(0) {
            for y in range(1) {
                let edge = z.abs_diff(center[0]) == ring || y.abs_diff(center[1]) == ring;
                if edge {
                    range(2).for_each(|x| visit(self.flat([z, y, x])));
                    continue;
                }
                let ends = [center[2].checked_sub(ring), Some(center[2] + ring)];
                for x in ends.into_iter().flatten().filter(|&x| x < self.counts[2]) {
                    visit(self.flat([z, y, x]));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_equal_to_all_pairs() {
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as f64 / f64::from(1u32 << 31)
        };
        for (n, scale) in [
            (300, [0.0, 1.0, 1.0]),
            (200, [1.0, 9.0, 0.1]),
            (40, [0.0, 0.0, 5.0]),
            (3, [1.0; 3]),
            (1, [1.0; 3]),
            (5, [0.0; 3]),
        ] {
            let points: Vec<[f64; 3]> = (0..n).map(|_| scale.map(|s| s * random())).collect();
            for (i, found) in nearest::<6>(&points).into_iter().enumerate() {
                let far = |q: &[f64; 3]| {
                    (0..3).map(|a| (points[i][a] - q[a]).powi(2)).sum::<f64>().sqrt()
                };
                let mut all: Vec<f64> =
                    (0..n).filter(|&j| j != i).map(|j| far(&points[j])).collect();
                all.sort_by(f64::total_cmp);
                all.resize(6, f64::INFINITY);
                assert_eq!(found.to_vec(), all);
            }
        }
        assert!(nearest::<6>(&[]).is_empty());
    }

    #[test]
    fn contacts_equal_to_counting_faces() {
        // Planes of 2 rows: 1122 / 1332 and 3333 / ..2.
        let image = [[1, 1, 2, 2], [1, 3, 3, 2], [3, 3, 3, 3], [0, 0, 2, 0]];
        let mut runs = Vec::new();
        for (row, line) in image.iter().enumerate() {
            for (x, &label) in line.iter().enumerate().filter(|(_, l)| **l > 0) {
                runs.push((Span { row: row as u32, start: x as u32, end: x as u32 + 1 }, label));
            }
        }
        runs.reverse();
        let found = contacts(&runs, 2);
        let expected = [([1, 2], [0, 0, 1]), ([1, 3], [2, 1, 1]), ([2, 3], [3, 2, 1])];
        assert_eq!(found, expected.map(|(pair, faces)| Contact { pair, faces }));
    }
}
