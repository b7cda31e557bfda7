//! Rows and centres enter; the number of the centre nearest to each row leaves: the assignment of K-means.
//!
//! The definition measures in double precision and takes the first of equal centres. A device compares in single
//! precision with a bound on its rounding; the rows for which that leaves a doubt are decided by the definition. So the
//! numbers are the same.
//!
//! # Cost
//! For n rows of d columns and k centres: 2 n k d operations, 4 n d bytes in and 4 n out; the centres pass through the
//! memory of a group of rows. A card of B bytes and F operations a second takes the larger of 4 n (d + 1) / B and
//! 2 n k d / F: a million rows of 20 columns and 8 centres, at 500 GB/s and 10 T/s, 0.17 ms on the card, and the
//! transfer of 80 MB before it.

use rayon::prelude::*;

use super::nearest_rows::{Centred, Gap, Rows};
use crate::backend::{Gpu, Launch, Shader};
use crate::error::{Error, Result};

pub(super) static NEAREST_CENTROID: Shader = Shader {
    name: "nearest_centroid",
    source: concat!(include_str!("words.wgsl"), include_str!("nearest_centroid.wgsl")),
};

/// Words of the memory of a group: what one centre may take.
const TILE: usize = 2048;
/// Set where a device is in doubt.
const DOUBT: u32 = 1 << 31;

/// The nearest centre of each row.
pub(crate) fn nearest_centroid(rows: Rows, centres: Rows) -> Vec<u32> {
    (0..rows.len()).into_par_iter().map(|i| nearest(rows.row(i), centres)).collect()
}

fn nearest(row: &[f64], centres: Rows) -> u32 {
    let gap = |c: usize| Gap::Squared.between(row, centres.row(c));
    let gaps = (0..centres.len()).map(|c| (gap(c), c));
    gaps.reduce(|best, next| if next.0 < best.0 { next } else { best })
        .map_or(0, |best| best.1 as u32)
}

/// As [`nearest_centroid`].
///
/// # Errors
/// More than 2,047 columns, centres that are more than the device sees at once, a lost device.
pub(crate) fn nearest_centroid_on(gpu: &Gpu, rows: Rows, centres: Rows) -> Result<Vec<u32>> {
    Ok(proposed(gpu, rows, centres)?
        .into_par_iter()
        .enumerate()
        .map(|(i, word)| if word & DOUBT == 0 { word } else { nearest(rows.row(i), centres) })
        .collect())
}

/// What the device finds; [`DOUBT`] is set where it is not sure.
fn proposed(gpu: &Gpu, rows: Rows, centres: Rows) -> Result<Vec<u32>> {
    let width = centres.width;
    if width >= TILE {
        let what = format!("rows of {width} columns are too wide for the GPU's search");
        return Err(Error::backend(what).help("use --backend cpu"));
    }
    let Some(frame) = Centred::of(centres, rows) else {
        return Ok(vec![DOUBT; rows.len()]);
    };
    // Each centre with minus half its squared length: a score is x c - |c|² / 2, the largest is the nearest.
    let (mut packed, mut longest) = (Vec::with_capacity(centres.len() * (width + 1)), 0.0f64);
    for c in 0..centres.len() {
        packed.extend(frame.place(centres.row(c)));
        let square: f64 = packed[c * (width + 1)..].iter().map(|x| f64::from(x * x)).sum();
        packed.push((-0.5 * square) as f32);
        longest = longest.max(square.sqrt());
    }
    // A score of d + 1 rounded terms is off by at most (d + 4) u (|x| |c| + |c|² / 2), u = 2^-24 (Higham 2002, section
    // 3.1, and the rounding of x and c). Two scores are compared; the rest of the factor pays for the bound's own rounding.
    let unit = 1.1 * 2.0 * (width as f64 + 4.0) * f64::from(f32::EPSILON) / 2.0;
    let slack =
        [(unit * longest) as f32, (unit * 0.5 * longest * longest) as f32 + f32::MIN_POSITIVE];
    let packed = gpu.upload(&packed)?;
    let mut found = Vec::with_capacity(rows.len());
    let at_once = (gpu.max_words() / width.max(1)).max(1);
    for block in rows.values.chunks(at_once * width) {
        let placed: Vec<f32> = block.chunks(width).flat_map(|row| frame.place(row)).collect();
        let n_rows = placed.len() / width;
        let (placed, nearest) = (gpu.upload(&placed)?, gpu.zeros::<u32>(n_rows)?);
        gpu.launch(&Launch {
            shader: &NEAREST_CENTROID,
            entry: "main",
            constants: &[],
            parameters: &[
                ("width", width as u32),
                ("n_rows", n_rows as u32),
                ("n_centres", centres.len() as u32),
                ("slack_by_length", slack[0].to_bits()),
                ("slack", slack[1].to_bits()),
            ],
            buffers: &[("rows", &placed), ("centres", &packed), ("nearest", &nearest)],
            n_items: n_rows,
        })?;
        found.extend(gpu.read(&nearest)?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::test_device;
    use crate::seed::Seed;

    #[test]
    fn numbers_are_those_of_the_cpu() {
        let Some(gpu) = test_device() else { return };
        let small = test_device().unwrap().with_binding_limit(3000).with_group_size(17);
        let mut stream = Seed::new(6).stream("centroids", 0);
        for (n, width, k) in [(1, 1, 1), (500, 2, 7), (900, 20, 8), (300, 3, 100), (70, 700, 1)] {
            // Two columns of few different values: many rows are as near to one centre as to another.
            let n_values = if width == 2 { 4 } else { 1 << 40 };
            let mut draw = |n: usize| -> Vec<f64> {
                (0..n * width).map(|_| 1e6 + stream.below(n_values) as f64 * 1e-9).collect()
            };
            let (values, centres) = (draw(n), draw(k));
            let (rows, centres) =
                (Rows { values: &values, width }, Rows { values: &centres, width });
            let expected = nearest_centroid(rows, centres);
            for (i, &found) in expected.iter().enumerate() {
                let gap = |c: usize| Gap::Squared.between(rows.row(i), centres.row(c));
                let (first, others) = (gap(found as usize), 0..found as usize);
                assert!(
                    (0..k).all(|c| gap(c) >= first) && others.into_iter().all(|c| gap(c) > first)
                );
            }
            for gpu in [&gpu, &small] {
                assert_eq!(
                    nearest_centroid_on(gpu, rows, centres).unwrap(),
                    expected,
                    "{n} {width} {k}"
                );
                let n_doubts = proposed(gpu, rows, centres)
                    .unwrap()
                    .iter()
                    .filter(|w| **w & DOUBT != 0)
                    .count();
                // Ties are doubts, and nearly nothing else is: the device does the work.
                assert!(
                    if width == 2 { n_doubts > n / 10 } else { n_doubts <= n / 50 },
                    "{n_doubts} of {n}"
                );
            }
        }
    }

    #[test]
    fn rows_that_are_too_wide_are_refused() {
        let Some(gpu) = test_device() else { return };
        let values = vec![1.0; 2048];
        let rows = Rows { values: &values, width: 2048 };
        let error = nearest_centroid_on(&gpu, rows, rows).unwrap_err();
        assert!(error.message().contains("2048 columns"), "{error}");
    }
}
