//! Runs of a plane become what is counted along the border: crossings, Euler number, perimeter codes.

use super::region_runs::Span;

/// Integers from which the border measures of a plane follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Edges {
    /// Number of pixels.
    pub area: u64,
    /// Border crossings from outside to inside along x, y and the two diagonals.
    pub crossings: [u64; 4],
    /// Pieces minus holes, pixels connected over corners.
    pub euler: i64,
    /// Border pixels by scikit-image's 3 x 3 codes: weight 1, sqrt 2, and (1 + sqrt 2)/2.
    pub codes: [u64; 3],
}

impl Edges {
    /// All counts of one object; `codes` false leaves the perimeter codes out.
    pub fn of(
        spans: &[Span],
        first_x: u32,
        n_columns: u32,
        codes: bool,
        rows: &mut BitRows,
    ) -> Self {
        let mut edges = Self::default();
        let mut above: &[Span] = &[];
        let mut overlaps = [0u64; 3];
        let mut contacts = 0;
        for row in rows_of(spans) {
            let adjacent = above.first().is_some_and(|a| a.row + 1 == row[0].row);
            if adjacent {
                contacts += overlap(above, row, &mut overlaps);
            }
            edges.area += row.iter().map(|s| u64::from(s.len())).sum::<u64>();
            above = row;
        }
        edges.crossings = [
            spans.len() as u64,
            edges.area - overlaps[1],
            edges.area - overlaps[0],
            edges.area - overlaps[2],
        ];
        // Each run is one piece, each contact of runs in neighbouring rows joins two or closes a hole.
        edges.euler = spans.len() as i64 - contacts;
        if codes {
            edges.codes = rows.codes(spans, first_x, n_columns);
        }
        edges
    }

    /// scikit-image's `perimeter(image, 4)`, in pixels.
    pub fn perimeter(&self) -> f64 {
        let root = std::f64::consts::SQRT_2;
        let [straight, diagonal, mixed] = self.codes.map(|n| n as f64);
        straight + diagonal * root + mixed * f64::midpoint(1.0, root)
    }

    /// scikit-image's `perimeter_crofton(image, 4)`, in pixels.
    pub fn crofton(&self) -> f64 {
        let [x, y, down, up] = self.crossings.map(|n| n as f64);
        std::f64::consts::FRAC_PI_4 * (x + y + (down + up) / std::f64::consts::SQRT_2)
    }
}

/// The spans, row by row.
pub fn rows_of(spans: &[Span]) -> impl Iterator<Item = &[Span]> {
    spans.chunk_by(|a, b| a.row == b.row)
}

/// Adds the pixels that two neighbouring rows share when the upper one is moved by -1, 0, +1; returns how many
/// pairs of runs touch, corners included.
pub(crate) fn overlap(above: &[Span], below: &[Span], shared: &mut [u64; 3]) -> i64 {
    let (mut i, mut j, mut contacts) = (0, 0, 0);
    while i < above.len() && j < below.len() {
        let (a, b) = (above[i], below[j]);
        let (a0, a1) = (i64::from(a.start), i64::from(a.end));
        let (b0, b1) = (i64::from(b.start), i64::from(b.end));
        contacts += i64::from(a0 <= b1 && b0 <= a1);
        for (shift, total) in (-1..=1).zip(shared.iter_mut()) {
            *total += (b1.min(a1 + shift) - b0.max(a0 + shift)).max(0) as u64;
        }
        // On equal ends the next run of either row may still touch the other over a corner: not with a gap between.
        if a1 <= b1 {
            i += 1;
        } else {
            j += 1;
        }
    }
    contacts
}

/// Room for six rows of bits, kept between objects.
#[derive(Debug, Default)]
pub struct BitRows {
    mask: [Vec<u64>; 3],
    border: [Vec<u64>; 3],
}

impl BitRows {
    /// Border pixels are those that 4-connected erosion removes; each is classed by its neighbours on the border.
    fn codes(&mut self, spans: &[Span], first_x: u32, n_columns: u32) -> [u64; 3] {
        let n_words = n_columns as usize / 64 + 1;
        // One empty word on either side, so that shifts need no special case.
        for row in self.mask.iter_mut().chain(&mut self.border) {
            row.clear();
            row.resize(n_words + 2, 0);
        }
        let mut codes = [0; 3];
        let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return codes };
        let mut rest = spans;
        // Row `y` of the mask makes row `y - 1` of the border and row `y - 2` of the codes.
        let mut row = u64::from(first.row);
        while row < u64::from(last.row) + 3 {
            let in_row = rest.iter().take_while(|s| u64::from(s.row) == row).count();
            self.mask.rotate_left(1);
            fill(&mut self.mask[2], &rest[..in_row], first_x);
            rest = &rest[in_row..];
            self.border.rotate_left(1);
            border(&mut self.border[2], &self.mask);
            count_codes(&self.border, &mut codes);
            row += 1;
        }
        codes
    }
}

/// Sets the bits of the spans.
fn fill(words: &mut [u64], spans: &[Span], first_x: u32) {
    words.fill(0);
    for span in spans {
        let (start, end) = ((span.start - first_x) as usize, (span.end - first_x) as usize);
        let (first, last) = (start / 64 + 1, (end - 1) / 64 + 1);
        let (head, tail) = (u64::MAX << (start % 64), u64::MAX >> (63 - (end - 1) % 64));
        if first == last {
            words[first] |= head & tail;
        } else {
            words[first] |= head;
            words[first + 1..last].fill(u64::MAX);
            words[last] |= tail;
        }
    }
}

/// Pixels of the middle row that have a 4-neighbour outside.
fn border(out: &mut [u64], mask: &[Vec<u64>; 3]) {
    let [up, row, down] = mask;
    for i in 1..out.len() - 1 {
        let (left, right) = sides(row, i);
        out[i] = row[i] & !(left & right & up[i] & down[i]);
    }
}

/// The pixels to the left and to the right of those of word `i`.
fn sides(row: &[u64], i: usize) -> (u64, u64) {
    (row[i] << 1 | row[i - 1] >> 63, row[i] >> 1 | row[i + 1] << 63)
}

/// Classes the border pixels of the middle row by 1 + 2 (edge neighbours) + 10 (corner neighbours).
fn count_codes(border: &[Vec<u64>; 3], codes: &mut [u64; 3]) {
    let [up, row, down] = border;
    for i in 1..row.len() - 1 {
        if row[i] == 0 {
            continue;
        }
        let (left, right) = sides(row, i);
        let (up_left, up_right) = sides(up, i);
        let (down_left, down_right) = sides(down, i);
        let edge = Count::of(up[i], down[i], left, right);
        let corner = Count::of(up_left, up_right, down_left, down_right);
        // 5, 7, 15, 17, 25, 27; then 21, 33; then 13, 23.
        let straight = edge.twos & !(corner.twos & corner.ones) & !corner.four;
        let diagonal = (edge.none() & corner.two()) | (edge.one() & corner.three());
        let mixed = edge.one() & (corner.one() | corner.two());
        for (count, class) in codes.iter_mut().zip([straight, diagonal, mixed]) {
            *count += u64::from((row[i] & class).count_ones());
        }
    }
}

/// How many of four neighbours are set, for 64 pixels at once: the bits of the number.
struct Count {
    ones: u64,
    twos: u64,
    four: u64,
}

impl Count {
    fn of(a: u64, b: u64, c: u64, d: u64) -> Self {
        let (ab, cd) = (a ^ b, c ^ d);
        let (both_ab, both_cd) = (a & b, c & d);
        Self { ones: ab ^ cd, twos: both_ab ^ both_cd ^ (ab & cd), four: both_ab & both_cd }
    }
    fn none(&self) -> u64 {
        !(self.ones | self.twos | self.four)
    }
    fn one(&self) -> u64 {
        self.ones & !self.twos
    }
    fn two(&self) -> u64 {
        self.twos & !self.ones
    }
    fn three(&self) -> u64 {
        self.twos & self.ones
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `#` is inside; rows start at 3 and columns at 70 to cross a word.
    fn check(picture: &[&str], euler: i64) {
        let inside = |y: i64, x: i64| {
            y >= 0
                && x >= 0
                && picture
                    .get(y as usize)
                    .is_some_and(|r| r.as_bytes().get(x as usize) == Some(&b'#'))
        };
        let width = picture[0].len() as i64;
        let mut spans: Vec<Span> = Vec::new();
        for y in 0..picture.len() as i64 {
            for x in (0..width).filter(|&x| inside(y, x)) {
                match spans.last_mut() {
                    Some(s) if s.row == y as u32 + 3 && s.end == x as u32 + 70 => s.end += 1,
                    _ => spans.push(Span {
                        row: y as u32 + 3,
                        start: x as u32 + 70,
                        end: x as u32 + 71,
                    }),
                }
            }
        }
        let edges = Edges::of(&spans, 70, width as u32, true, &mut BitRows::default());
        let all = || (-1..=picture.len() as i64).flat_map(|y| (-1..=width).map(move |x| (y, x)));
        let count =
            |test: &dyn Fn(i64, i64) -> bool| all().filter(|&(y, x)| test(y, x)).count() as u64;
        assert_eq!(edges.area, count(&inside));
        let steps = [(0, 1), (1, 0), (1, 1), (1, -1)];
        for dir in steps {
            let expected = count(&|y, x| inside(y, x) && !inside(y + dir.0, x + dir.1));
            let found = match dir {
                (0, 1) => edges.crossings[0],
                (1, 0) => edges.crossings[1],
                _ => {
                    let i = if expected == edges.crossings[2] { 2 } else { 3 };
                    edges.crossings[i]
                }
            };
            assert_eq!(found, expected, "{dir:?} {picture:?}");
        }
        assert_eq!(edges.euler, euler, "{picture:?}");
        let n4 = [(-1, 0), (1, 0), (0, -1), (0, 1)];
        let n8 = [(-1, -1), (-1, 1), (1, -1), (1, 1)];
        let on_border =
            |y: i64, x: i64| inside(y, x) && n4.iter().any(|d| !inside(y + d.0, x + d.1));
        let code = |y: i64, x: i64| {
            let near =
                |ds: &[(i64, i64)]| ds.iter().filter(|d| on_border(y + d.0, x + d.1)).count();
            if on_border(y, x) { 1 + 2 * near(&n4) + 10 * near(&n8) } else { 0 }
        };
        let classes: [&[usize]; 3] = [&[5, 7, 15, 17, 25, 27], &[21, 33], &[13, 23]];
        let expected = classes.map(|class| count(&|y, x| class.contains(&code(y, x))));
        assert_eq!(edges.codes, expected, "{picture:?}");
    }

    #[test]
    fn equal_to_counting_pixels() {
        check(&["#"], 1);
        check(&["#####"], 1);
        check(&["#.#"], 2);
        check(&["#.", ".#"], 1);
        check(&["###", "#.#", "###"], 0);
        check(&["##.##", "#####", ".###.", "##.##"], 1);
        check(&[".#.", "#.#", ".#."], 0);
        check(&["##..", "....", "..##"], 2);
        check(&["#######", "#######", "#######", "#######", "###.###"], 1);
        let wide = "#".repeat(150);
        check(&[&wide, &wide, &wide, &wide[..150]], 1);
        let comb = "#.".repeat(75);
        check(&[&wide, &comb, &wide], -73);
    }
}
