//! Two sets of rows enter; for each query row the reference rows nearest to it leave, exactly.
//!
//! A register tile of packed f32 values finds candidates at the speed of the multiply-add units; the
//! candidates are measured again in f64, in one fixed order of summation. A rounding bound proves
//! that no nearer row was passed over; a row for which the proof fails is scanned again in f64. So
//! the result is the same on every processor, whatever tile it used.

use rayon::prelude::*;

/// What is small between near rows. Both are sums over the columns; roots are taken by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gap {
    /// The sum of squared differences.
    Squared,
    /// The sum of absolute differences.
    Absolute,
}

impl Gap {
    /// The definition: differences in f64, summed in column order.
    #[inline]
    pub(crate) fn between(self, a: &[f64], b: &[f64]) -> f64 {
        let pairs = a.iter().zip(b);
        match self {
            Self::Squared => pairs.fold(0.0, |sum, (a, b)| sum + (a - b) * (a - b)),
            Self::Absolute => pairs.fold(0.0, |sum, (a, b)| sum + (a - b).abs()),
        }
    }
}

/// Rows of equal width, one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub values: &'a [f64],
    pub width: usize,
}

impl<'a> Rows<'a> {
    pub(crate) fn len(self) -> usize {
        self.values.len() / self.width
    }

    #[inline]
    pub(crate) fn row(self, i: usize) -> &'a [f64] {
        &self.values[i * self.width..(i + 1) * self.width]
    }
}

/// A reference row and its gap to the query.
pub(crate) type Hit = (f64, u32);

/// Queries that one task works on; they share each block of references while it is in the cache.
const TASK: usize = 128;
/// Bytes of packed references per block: most of a small second-level cache.
const BLOCK_BYTES: usize = 128 << 10;

/// The `k` references nearest to each query, ascending by gap, ties to the smaller index.
///
/// With `skip_self` the queries are the references, and a row is not its own neighbour.
/// `k` must not exceed the number of references there are to choose from.
pub(crate) fn nearest_rows(
    references: Rows,
    queries: Rows,
    k: usize,
    gap: Gap,
    skip_self: bool,
) -> Vec<Vec<Hit>> {
    Path::fastest().run(references, queries, k, gap, skip_self)
}

/// Which instructions carry the tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Path {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Path {
    fn fastest() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                return Self::Avx512;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Self::Avx2;
            }
        }
        Self::Portable
    }

    fn run(self, refs: Rows, queries: Rows, k: usize, gap: Gap, skip_self: bool) -> Vec<Vec<Hit>> {
        match self {
            Self::Portable => search::<2, 8>(self, refs, queries, k, gap, skip_self),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => search::<4, 24>(self, refs, queries, k, gap, skip_self),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => search::<8, 48>(self, refs, queries, k, gap, skip_self),
        }
    }
}

fn search<const Q: usize, const R: usize>(
    path: Path,
    references: Rows,
    queries: Rows,
    k: usize,
    gap: Gap,
    skip_self: bool,
) -> Vec<Vec<Hit>> {
    let frame = Frame::of(references, queries);
    let panels = pack::<R>(references, &frame, gap);
    let starts: Vec<usize> = (0..queries.len()).step_by(TASK).collect();
    let blocks: Vec<Vec<Vec<Hit>>> = starts
        .par_iter()
        .map(|&start| {
            let end = (start + TASK).min(queries.len());
            let mut found =
                scan::<Q, R>(path, &panels, queries, start..end, &frame, k, gap, skip_self);
            found
                .iter_mut()
                .enumerate()
                .map(|(i, list)| {
                    let me = skip_self.then_some(start + i);
                    list.finish(references, queries.row(start + i), k, gap, &frame, me)
                })
                .collect()
        })
        .collect();
    blocks.into_iter().flatten().collect()
}

/// Values are centred and scaled to at most 1, so that f32 neither cancels nor overflows.
struct Frame {
    centre: Vec<f64>,
    scale: f64,
}

impl Frame {
    fn of(references: Rows, queries: Rows) -> Self {
        let mut centre = vec![0.0; references.width];
        for row in references.values.chunks_exact(references.width) {
            centre.iter_mut().zip(row).for_each(|(c, x)| *c += x);
        }
        centre.iter_mut().for_each(|c| *c /= references.len().max(1) as f64);
        let largest = [references, queries]
            .iter()
            .flat_map(|rows| rows.values.chunks_exact(rows.width))
            .flat_map(|row| row.iter().zip(&centre).map(|(x, c)| (x - c).abs()))
            .fold(0.0, f64::max);
        let scale = if largest > 0.0 && largest.is_finite() { 1.0 / largest } else { 1.0 };
        Self { centre, scale }
    }

    fn place(&self, row: &[f64]) -> impl Iterator<Item = f32> {
        row.iter().zip(&self.centre).map(|(x, c)| ((x - c) * self.scale) as f32)
    }
}

/// References in panels of `R` rows, column by column.
///
/// Squared gaps get one more column, minus half the squared norm: with a query column of ones the
/// tile's sums become x.y - |y|^2 / 2, which is largest where the gap is smallest.
fn pack<const R: usize>(rows: Rows, frame: &Frame, gap: Gap) -> Vec<[f32; R]> {
    let depth = depth(rows.width, gap);
    let (blank, tail) = match gap {
        Gap::Squared => (0.0, f32::NEG_INFINITY),
        Gap::Absolute => (f32::INFINITY, f32::INFINITY),
    };
    let mut panels = vec![[blank; R]; rows.len().div_ceil(R) * depth];
    panels.par_chunks_exact_mut(depth).enumerate().for_each(|(p, panel)| {
        panel[depth - 1] = [tail; R];
        for (lane, i) in (p * R..rows.len().min((p + 1) * R)).enumerate() {
            let mut norm = 0.0;
            for (column, x) in frame.place(rows.row(i)).enumerate() {
                panel[column][lane] = x;
                norm += f64::from(x) * f64::from(x);
            }
            if gap == Gap::Squared {
                panel[depth - 1][lane] = (-0.5 * norm) as f32;
            }
        }
    });
    panels
}

fn depth(width: usize, gap: Gap) -> usize {
    width + usize::from(gap == Gap::Squared)
}

/// The candidates of `range` of the queries, over all panels.
#[expect(clippy::too_many_arguments, reason = "the two sides of a search and what is searched for")]
fn scan<const Q: usize, const R: usize>(
    path: Path,
    panels: &[[f32; R]],
    queries: Rows,
    range: std::ops::Range<usize>,
    frame: &Frame,
    k: usize,
    gap: Gap,
    skip_self: bool,
) -> Vec<Candidates> {
    let depth = depth(queries.width, gap);
    let mut lists: Vec<Candidates> = range.clone().map(|_| Candidates::new(k)).collect();
    let mut groups = vec![[1.0; Q]; range.len().div_ceil(Q) * depth];
    for (slot, i) in range.clone().enumerate() {
        let group = &mut groups[slot / Q * depth..][..depth];
        frame.place(queries.row(i)).zip(group).for_each(|(x, column)| column[slot % Q] = x);
    }
    let per_block = (BLOCK_BYTES / (depth * R * size_of::<f32>())).max(1);
    for (block, block_panels) in panels.chunks(per_block * depth).enumerate() {
        for (group, (query, lists)) in
            groups.chunks_exact(depth).zip(lists.chunks_mut(Q)).enumerate()
        {
            let mut bar = [f32::INFINITY; Q];
            bar.iter_mut().zip(lists.iter()).for_each(|(bar, list)| *bar = list.bar);
            for (p, panel) in block_panels.chunks_exact(depth).enumerate() {
                let (sums, passes) = tile::<Q, R>(path, query, panel, &bar, gap);
                if !passes {
                    continue;
                }
                let first = (block * per_block + p) * R;
                for (q, list) in lists.iter_mut().enumerate() {
                    let me = range.start + group * Q + q;
                    for (lane, &sum) in sums[q].iter().enumerate() {
                        if sum > list.bar && !(skip_self && first + lane == me) {
                            list.push(sum, (first + lane) as u32);
                        }
                    }
                    bar[q] = list.bar;
                }
            }
        }
    }
    lists
}

/// The sums of one tile, and whether any of them is above its query's bar.
#[inline(always)]
fn tile<const Q: usize, const R: usize>(
    path: Path,
    query: &[[f32; Q]],
    panel: &[[f32; R]],
    bar: &[f32; Q],
    gap: Gap,
) -> ([[f32; R]; Q], bool) {
    match path {
        Path::Portable => tile_portable(query, panel, bar, gap),
        // SAFETY: `Path::fastest` chose this path after asking the processor for the features.
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "calls a function compiled for AVX2 and FMA")]
        Path::Avx2 => unsafe { tile_avx2(query, panel, bar, gap) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "calls a function compiled for AVX-512")]
        Path::Avx512 => unsafe { tile_avx512(query, panel, bar, gap) },
    }
}

fn tile_portable<const Q: usize, const R: usize>(
    query: &[[f32; Q]],
    panel: &[[f32; R]],
    bar: &[f32; Q],
    gap: Gap,
) -> ([[f32; R]; Q], bool) {
    tile_body(query, panel, bar, gap, |a, b, sum| sum + a * b)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn tile_avx2<const Q: usize, const R: usize>(
    query: &[[f32; Q]],
    panel: &[[f32; R]],
    bar: &[f32; Q],
    gap: Gap,
) -> ([[f32; R]; Q], bool) {
    tile_body(query, panel, bar, gap, f32::mul_add)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn tile_avx512<const Q: usize, const R: usize>(
    query: &[[f32; Q]],
    panel: &[[f32; R]],
    bar: &[f32; Q],
    gap: Gap,
) -> ([[f32; R]; Q], bool) {
    tile_body(query, panel, bar, gap, f32::mul_add)
}

#[inline(always)]
fn tile_body<const Q: usize, const R: usize>(
    query: &[[f32; Q]],
    panel: &[[f32; R]],
    bar: &[f32; Q],
    gap: Gap,
    multiply_add: impl Fn(f32, f32, f32) -> f32,
) -> ([[f32; R]; Q], bool) {
    let mut sums = [[0.0f32; R]; Q];
    for (x, y) in query.iter().zip(panel) {
        for q in 0..Q {
            for r in 0..R {
                sums[q][r] = match gap {
                    Gap::Squared => multiply_add(x[q], y[r], sums[q][r]),
                    Gap::Absolute => sums[q][r] - (x[q] - y[r]).abs(),
                };
            }
        }
    }
    let mut passes = false;
    for q in 0..Q {
        for r in 0..R {
            passes |= sums[q][r] > bar[q];
        }
    }
    (sums, passes)
}

/// The best candidates of one query so far, unordered; the larger the sum, the nearer.
struct Candidates {
    keep: usize,
    /// Everything that was passed over has a sum of at most this.
    bar: f32,
    list: Vec<(f32, u32)>,
}

impl Candidates {
    /// A few more than `k` are kept, so that rounding rarely leaves a doubt.
    fn new(k: usize) -> Self {
        let keep = k + k / 4 + 4;
        Self { keep, bar: f32::NEG_INFINITY, list: Vec::with_capacity(2 * keep) }
    }

    fn push(&mut self, sum: f32, index: u32) {
        self.list.push((sum, index));
        if self.list.len() == 2 * self.keep {
            self.list.select_nth_unstable_by(self.keep, |a, b| b.0.total_cmp(&a.0));
            self.bar = self.list[self.keep].0;
            self.list.truncate(self.keep);
        }
    }

    /// Measures the candidates, and scans again where rounding may have hidden a nearer row.
    fn finish(
        &mut self,
        references: Rows,
        query: &[f64],
        k: usize,
        gap: Gap,
        frame: &Frame,
        me: Option<usize>,
    ) -> Vec<Hit> {
        let measure = |&(_, j): &(f32, u32)| (gap.between(query, references.row(j as usize)), j);
        let mut hits: Vec<Hit> = self.list.iter().map(measure).collect();
        sort_hits(&mut hits);
        hits.truncate(k);
        if hits.len() == k
            && self.is_proven(hits.last().map_or(0.0, |hit| hit.0), query, gap, frame)
        {
            return hits;
        }
        rescan(references, query, k, gap, me)
    }

    /// Whether every row that was passed over is farther than `kth`, the gap of the k-th hit.
    ///
    /// Standard bounds on rounded sums (Higham 2002, section 3.1), in the frame's scale: a row y within
    /// `kth` of the query x has |y| <= |x| + root of kth, which bounds the error of its sum.
    fn is_proven(&self, kth: f64, query: &[f64], gap: Gap, frame: &Frame) -> bool {
        if self.bar == f32::NEG_INFINITY {
            return true;
        }
        let unit = f64::from(f32::EPSILON) / 2.0;
        let width = query.len() as f64;
        let bar = f64::from(self.bar);
        let placed = frame.place(query).map(f64::from);
        match gap {
            Gap::Squared => {
                let kth = kth * frame.scale * frame.scale;
                let norm: f64 = placed.map(|x| x * x).sum();
                let reach = norm.sqrt() + kth.sqrt();
                let doubt = unit * (2.0 * width + 16.0) * reach * (norm.sqrt() + reach) + 1e-36;
                norm - 2.0 * bar > kth + doubt
            }
            Gap::Absolute => {
                let kth = kth * frame.scale;
                let norm: f64 = placed.map(f64::abs).sum();
                let doubt = unit * (width + 8.0) * (2.0 * norm + kth) + 1e-36;
                -bar > kth + doubt
            }
        }
    }
}

fn sort_hits(hits: &mut [Hit]) {
    hits.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
}

/// The definition itself: every reference measured in f64.
fn rescan(references: Rows, query: &[f64], k: usize, gap: Gap, me: Option<usize>) -> Vec<Hit> {
    let mut hits: Vec<Hit> = Vec::with_capacity(2 * k);
    let mut bar = f64::INFINITY;
    for j in (0..references.len()).filter(|&j| Some(j) != me) {
        let distance = gap.between(query, references.row(j));
        // Rows come in ascending order, so a later row that ties with the bar has no claim.
        if distance < bar || hits.len() < k {
            hits.push((distance, j as u32));
            if hits.len() == 2 * k {
                sort_hits(&mut hits);
                hits.truncate(k);
                bar = hits[k - 1].0;
            }
        }
    }
    sort_hits(&mut hits);
    hits.truncate(k);
    hits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    fn paths() -> Vec<Path> {
        let mut paths = vec![Path::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                paths.push(Path::Avx2);
            }
            if is_x86_feature_detected!("avx512f") {
                paths.push(Path::Avx512);
            }
        }
        paths
    }

    fn check(values: &[f64], width: usize, k: usize) {
        let rows = Rows { values, width };
        for gap in [Gap::Squared, Gap::Absolute] {
            let expected: Vec<Vec<Hit>> =
                (0..rows.len()).map(|i| rescan(rows, rows.row(i), k, gap, Some(i))).collect();
            for path in paths() {
                assert_eq!(path.run(rows, rows, k, gap, true), expected, "{path:?} {gap:?}");
            }
        }
    }

    fn normals(n: usize, seed: u64) -> Vec<f64> {
        let mut stream = Seed::new(seed).stream("rows", 0);
        (0..n).map(|_| stream.normal()).collect()
    }

    #[test]
    fn every_path_finds_what_the_definition_finds() {
        for (n, width) in [(2, 1), (65, 3), (300, 7), (401, 20)] {
            check(&normals(n * width, n as u64), width, 15.min(n - 1));
        }
    }

    #[test]
    fn ties_and_duplicates_go_to_the_smaller_index() {
        let grid: Vec<f64> =
            (0..400).flat_map(|i| [f64::from(i % 20), f64::from(i / 20)]).collect();
        check(&grid, 2, 12);
        check(&vec![3.5; 600], 2, 10);
        let thrice: Vec<f64> = (0..300).flat_map(|i| [f64::from(i % 100), 0.5]).collect();
        check(&thrice, 2, 9);
    }

    #[test]
    fn far_groups_and_extreme_scales_do_not_hide_neighbours() {
        let mut values = normals(900, 4);
        values.iter_mut().skip(450).for_each(|x| *x = *x * 1e-7 + 1e6);
        check(&values, 3, 8);
        check(&normals(600, 5).iter().map(|x| x * 1e200).collect::<Vec<_>>(), 3, 5);
        check(&normals(600, 6).iter().map(|x| x * 1e-150).collect::<Vec<_>>(), 3, 5);
    }
}
