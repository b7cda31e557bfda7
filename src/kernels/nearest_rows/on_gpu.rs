//! The candidates of a search, found on a device; what is measured and proven stays on the CPU, and so do the bits.
//!
//! # Cost
//! For n queries and m references of d columns: 2 n m d operations, and 4 m d bytes for every group of 64 queries,
//! which a card reads from its cache. A card of F operations a second takes 2 n m d / F seconds and more; lists of
//! `k + k / 4 + 4` sums and places (8 bytes each) come back per query.

use rayon::prelude::*;

use super::frame::Frame;
use super::nearest::Nearest;
use super::{Gap, Hit, Rows, Search};
use crate::backend::{Buffer, Gpu, Launch, Shader};
use crate::error::{Error, Result};

pub(in crate::kernels) static NEAREST: Shader = Shader {
    name: "nearest_rows",
    source: concat!(include_str!("../words.wgsl"), include_str!("../nearest_rows.wgsl")),
};

/// The most columns of a reference that fit into the memory of a group, one of ours included.
const MOST_COLUMNS: usize = 2048;
/// Products of one launch: systems take away a card that does not answer for seconds.
const AT_ONCE: usize = 1 << 33;

/// As [`super::nearest_rows`], with the same bits.
pub(crate) fn nearest_rows_on(
    gpu: &Gpu,
    references: Rows,
    queries: Rows,
    k: usize,
    gap: Gap,
    skip_self: bool,
) -> Result<Vec<Vec<Hit>>> {
    let search = Search { refs: references, queries, k, gap, skip_self };
    let Some(frame) = Frame::of(&search) else {
        return Ok(search.scan_all());
    };
    // Squared gaps have one more column, where their sums start, beside a one.
    let depth = references.width + usize::from(gap == Gap::Squared);
    if depth > MOST_COLUMNS {
        let what =
            format!("rows of {} columns are too wide for the GPU's search", references.width);
        return Err(Error::backend(what).help("use --backend cpu"));
    }
    // A few more than `k`, so that rounding rarely leaves a doubt.
    let keep = k + k / 4 + 4;
    let n_choices = references.len() - usize::from(skip_self);
    let references_at_once = (gpu.max_words() / depth).max(1);
    let placed = with_column(&frame.places(references), references.width, depth, |y| gap.start(y));
    let parts: Vec<(usize, Buffer<f32>)> = placed
        .chunks(references_at_once * depth)
        .enumerate()
        .map(|(i, part)| Ok((i * references_at_once, gpu.upload(part)?)))
        .collect::<Result<_>>()?;
    let at_once = (gpu.max_words() / keep.max(depth))
        .min((AT_ONCE / (depth * references.len().max(1))).max(64))
        .max(1);
    let places = frame.places(queries);
    let placed = with_column(&places, queries.width, depth, |_| 1.0);
    let mut hits = Vec::with_capacity(queries.len());
    for (block, rows) in placed.chunks(at_once * depth).enumerate() {
        let (first, n) = (block * at_once, rows.len() / depth);
        let batch = Batch::new(gpu, rows, n, keep)?;
        for (first_reference, part) in &parts {
            batch.search(gpu, part, [depth, *first_reference, first], gap, skip_self)?;
        }
        let lists = batch.lists(gpu)?;
        hits.par_extend(lists.into_par_iter().enumerate().map(|(i, list)| {
            let query = first + i;
            let place = &places[query * queries.width..][..queries.width];
            let mut nearest = Nearest::new(&search, query as u32, place);
            list.iter().for_each(|&(sum, row)| nearest.offer(&search, sum, row));
            // What is not in the list has at most its least sum; where all are kept, nothing is missing.
            let least = list.iter().map(|(sum, _)| *sum).fold(f32::INFINITY, f32::min);
            let is_proven = list.len() == n_choices || least < nearest.bar;
            if is_proven { nearest.finish(&search) } else { search.scan(query) }
        }));
    }
    Ok(hits)
}

/// Places with one more column where `depth` asks for it.
fn with_column(
    places: &[f32],
    width: usize,
    depth: usize,
    last: impl Fn(&[f32]) -> f32,
) -> Vec<f32> {
    let rows = places.chunks_exact(width);
    rows.flat_map(|place| {
        let more = (depth > width).then(|| last(place));
        place.iter().copied().chain(more)
    })
    .collect()
}

/// Some queries and the best of them so far.
struct Batch {
    n: usize,
    keep: usize,
    queries: Buffer<f32>,
    sums: Buffer<f32>,
    places: Buffer<u32>,
    counts: Buffer<u32>,
}

impl Batch {
    fn new(gpu: &Gpu, rows: &[f32], n: usize, keep: usize) -> Result<Self> {
        let (queries, sums) = (gpu.upload(rows)?, gpu.zeros(n * keep)?);
        Ok(Self { n, keep, queries, sums, places: gpu.zeros(n * keep)?, counts: gpu.zeros(n)? })
    }

    fn search(
        &self,
        gpu: &Gpu,
        references: &Buffer<f32>,
        [depth, first_reference, first_query]: [usize; 3],
        gap: Gap,
        skip_self: bool,
    ) -> Result<()> {
        gpu.launch(&Launch {
            shader: &NEAREST,
            entry: "main",
            constants: &[("IS_ABSOLUTE", f64::from(u8::from(gap == Gap::Absolute)))],
            parameters: &[
                ("depth", depth as u32),
                ("n_references", (references.len() / depth) as u32),
                ("n_queries", self.n as u32),
                ("first_reference", first_reference as u32),
                ("first_query", first_query as u32),
                ("keep", self.keep as u32),
                ("skip_self", u32::from(skip_self)),
            ],
            buffers: &[
                ("references", references),
                ("queries", &self.queries),
                ("sums", &self.sums),
                ("places", &self.places),
                ("counts", &self.counts),
            ],
            n_items: self.n,
        })
    }

    fn lists(&self, gpu: &Gpu) -> Result<Vec<Vec<(f32, u32)>>> {
        let (sums, places) = (gpu.read(&self.sums)?, gpu.read(&self.places)?);
        let lists = sums.chunks(self.keep).zip(places.chunks(self.keep));
        let kept = lists.zip(gpu.read(&self.counts)?).map(|((sums, places), n)| {
            sums.iter().copied().zip(places.iter().copied()).take(n as usize).collect()
        });
        Ok(kept.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::nearest_rows;
    use super::*;
    use crate::backend::test_device;
    use crate::seed::Seed;

    #[test]
    fn hits_have_the_bits_of_the_cpu() {
        let Some(gpu) = test_device() else { return };
        let small = test_device().unwrap().with_binding_limit(3000).with_group_size(32);
        let mut stream = Seed::new(4).stream("rows", 0);
        for (n, width, k) in [(2, 1, 1), (40, 3, 39), (300, 7, 15), (700, 40, 5), (150, 2, 30)] {
            // Few different values, so that many gaps tie.
            let mut value = || stream.below(if width == 2 { 4 } else { 1 << 40 }) as f64 * 1e-9;
            let values: Vec<f64> = (0..n * width).map(|_| value()).collect();
            let others: Vec<f64> = (0..37 * width).map(|_| value()).collect();
            let (rows, others) = (Rows { values: &values, width }, Rows { values: &others, width });
            for gap in [Gap::Squared, Gap::Absolute] {
                for gpu in [&gpu, &small] {
                    let found = nearest_rows_on(gpu, rows, rows, k, gap, true).unwrap();
                    assert_eq!(found, nearest_rows(rows, rows, k, gap, true), "{n} {width} {k}");
                    let found = nearest_rows_on(gpu, rows, others, k, gap, false).unwrap();
                    assert_eq!(found, nearest_rows(rows, others, k, gap, false));
                }
            }
        }
    }

    #[test]
    fn rows_that_are_too_wide_are_refused() {
        let Some(gpu) = test_device() else { return };
        let values = vec![1.0; 2 * 2048];
        let rows = Rows { values: &values, width: 2048 };
        let error = nearest_rows_on(&gpu, rows, rows, 1, Gap::Squared, true).unwrap_err();
        assert!(error.message().contains("2048 columns"), "{error}");
    }
}
