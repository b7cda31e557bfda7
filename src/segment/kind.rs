//! The pixels of an image tell whether they are names of objects or measured values.

use std::ops::Range;

use crate::error::Result;
use crate::image::ImageFile;

/// What the pixels of an image stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Each object has a number of its own.
    Labels,
    /// One value for all objects, 0 for the background.
    Mask,
    /// Measured values.
    Intensities,
}

/// What the pixels stand for, and why: words that continue "because".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    /// The decision.
    pub kind: Kind,
    /// What it rests on.
    pub reason: String,
}

impl Guess {
    fn new(kind: Kind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into() }
    }
}

/// Pixels a side of the part in the middle that is looked at.
const SAMPLE_SIDE: usize = 2048;
/// Pieces that an object may fall into on average; in a photograph a value is found all over the image.
const PIECES_PER_LABEL: usize = 3;
/// Pixels that a piece has at least on average, unless most of the image is background.
const PIXELS_PER_PIECE: usize = 4;
/// Fewer values say nothing about how they follow each other.
const LEAST_VALUES: usize = 8;

/// Decides whether a file holds labels, a mask or intensities.
///
/// Labels are whole numbers that each fill one piece of the image, or a few; neighbouring values of a
/// smooth picture follow each other in size, those of labels do not. A middle part of 2,048 pixels a side
/// is looked at, all of the image where that part is empty.
///
/// ```
/// use polariscope::image::{ImageFile, synth::Blobs};
/// use polariscope::output::Existing;
/// use polariscope::segment::{Kind, kind_of};
///
/// let path = std::env::temp_dir().join(format!("kind-{}.tif", std::process::id()));
/// let blobs = Blobs::params().make()?;
/// blobs.labels.save(&path, Existing::Overwrite)?;
/// assert_eq!(kind_of(&ImageFile::open(&path)?)?.kind, Kind::Labels);
/// blobs.image.save(&path, Existing::Overwrite)?;
/// assert_eq!(kind_of(&ImageFile::open(&path)?)?.kind, Kind::Intensities);
/// # std::fs::remove_file(path).unwrap();
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # Errors
/// When the file is damaged.
pub fn kind_of(file: &ImageFile) -> Result<Guess> {
    if file.channels().len() > 1 {
        let n_channels = file.channels().len();
        return Ok(Guess::new(Kind::Intensities, format!("it has {n_channels} channels")));
    }
    if file.check_labels().is_err() {
        return Ok(Guess::new(Kind::Intensities, format!("its pixels are {}", file.type_name())));
    }
    let [layers, rows, columns] = file.everything();
    let middle = |range: Range<usize>, side: usize| {
        let start = (range.len() - side.min(range.len())) / 2;
        start..start + side.min(range.len())
    };
    let part = [
        middle(layers.clone(), 1),
        middle(rows.clone(), SAMPLE_SIDE),
        middle(columns.clone(), SAMPLE_SIDE),
    ];
    for region in [part, [layers, rows, columns]] {
        let Ok(pixels) = file.read_labels(&region) else {
            // A damaged file fails here too, and says so with its place.
            file.read(0, &region)?;
            return Ok(Guess::new(Kind::Intensities, "not all of its values are labels"));
        };
        if pixels.iter().any(|&value| value != 0) {
            return Ok(guess(&pixels, region[2].len()));
        }
    }
    Ok(Guess::new(Kind::Labels, "all of its pixels are background"))
}

fn guess(pixels: &[u32], n_columns: usize) -> Guess {
    let mut values = pixels.to_vec();
    values.sort_unstable();
    let n_background = values.iter().take_while(|&&value| value == 0).count();
    let n_inside = pixels.len() - n_background;
    values.dedup();
    let n_labels = values.len() - usize::from(n_background > 0);
    if n_labels == 1 {
        return Guess::new(Kind::Mask, "all pixels that are not 0 have one value");
    }
    let rows: Vec<&[u32]> = pixels.chunks_exact(n_columns).collect();
    let n_pieces = n_tops(&rows);
    if n_pieces > PIECES_PER_LABEL * n_labels {
        let reason = format!("its {n_labels} values are scattered over {n_pieces} places");
        return Guess::new(Kind::Intensities, reason);
    }
    if n_inside < PIXELS_PER_PIECE * n_pieces && n_inside > n_background {
        return Guess::new(Kind::Intensities, "neighbouring pixels hardly ever have one value");
    }
    if n_labels >= LEAST_VALUES && is_smooth(&rows, &values) {
        return Guess::new(Kind::Intensities, "neighbouring values follow each other in size");
    }
    let reason = format!("each of its {n_labels} numbers fills a place of its own");
    Guess::new(Kind::Labels, reason)
}

/// Runs of one value with none of the same value above them: the number of pieces, if those are convex.
fn n_tops(rows: &[&[u32]]) -> usize {
    let mut n_tops = 0;
    let empty: &[u32] = &[];
    for (y, row) in rows.iter().enumerate() {
        let above = if y == 0 { empty } else { rows[y - 1] };
        let mut start = 0;
        for run in row.chunk_by(|a, b| a == b) {
            let end = start + run.len();
            // Over corners too.
            let near = start.saturating_sub(1).min(above.len())..(end + 1).min(above.len());
            n_tops += usize::from(run[0] != 0 && !above[near].contains(&run[0]));
            start = end;
        }
    }
    n_tops
}

/// Whether most steps along the rows lead to the next larger or smaller of the values that occur.
fn is_smooth(rows: &[&[u32]], values: &[u32]) -> bool {
    let rank = |value: &u32| values.binary_search(value).unwrap_or(0);
    let (mut n_steps, mut n_small) = (0, 0);
    for row in rows {
        for pair in row.windows(2).filter(|pair| pair[0] != pair[1]) {
            n_steps += 1;
            n_small += usize::from(rank(&pair[0]).abs_diff(rank(&pair[1])) == 1);
        }
    }
    5 * n_small >= 4 * n_steps && n_steps > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::synth::Blobs;
    use crate::seed::Seed;

    fn of(n_columns: usize, pixels: impl Iterator<Item = u32>) -> Kind {
        guess(&pixels.collect::<Vec<_>>(), n_columns).kind
    }

    #[test]
    fn labels_are_told_from_pictures() {
        let blobs =
            Blobs::params().shape(&[150, 190]).n_objects(25).gap(0.0).seed(3).make().unwrap();
        let labels = blobs.labels.pixels();
        let values = blobs.image.pixels().to_f64();
        assert_eq!(of(190, labels.iter().copied()), Kind::Labels);
        // Gaps, and numbers far beyond their count.
        assert_eq!(of(190, labels.iter().map(|l| l * 70_001)), Kind::Labels);
        assert_eq!(of(190, labels.iter().map(|l| u32::from(*l > 0) * 255)), Kind::Mask);
        assert_eq!(of(190, values.iter().map(|v| *v as u32)), Kind::Intensities);
        assert_eq!(of(190, values.iter().map(|v| (*v * 200.0) as u32)), Kind::Intensities);
        // Every pixel another value, as in a small 16-bit photograph.
        let mut noise = Seed::new(1).stream("noise", 0);
        assert_eq!(of(30, (0..900).map(|_| noise.below(60_000) as u32 + 1)), Kind::Intensities);
        // A ramp, and one smooth spot without noise in steps of 8.
        assert_eq!(of(64, (0..4096).map(|i| i % 64 * 4)), Kind::Intensities);
        let spot = |i: u32| {
            let (y, x) = (f64::from(i / 64) - 32.0, f64::from(i % 64) - 32.0);
            (200.0 * (-(x * x + y * y) / 300.0).exp()) as u32 / 8 * 8
        };
        assert_eq!(of(64, (0..4096).map(spot)), Kind::Intensities);
        // A tessellation without background.
        assert_eq!(
            of(64, (0..4096).map(|i| i / 64 / 8 * 7 % 8 * 8 + i % 64 / 8 * 5 % 8 + 1)),
            Kind::Labels
        );
    }
}
