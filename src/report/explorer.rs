//! The linked view's data: columns, groups, keys, label image and runs, packed small enough for a mail.

use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde::Serialize;

use super::base64;
use super::figures;
use super::number::count;
use crate::error::{Error, Result};

/// Up to this many numbers are kept exactly (as f64).
const EXACT: usize = 60_000;
/// Up to this many are kept in 65,535 steps between smallest and largest.
const FINE: usize = 600_000;
/// Beyond it, in 4,095 steps; and objects are sampled above this many, which keeps a page below 5 MB.
const MOST: usize = 2_300_000;
/// Numbers spent on maps of other runs.
const MOST_IN_RUNS: usize = 200_000;
/// Longer sides of the label image are thinned out.
const MAX_SIDE: usize = 2048;
/// Pixels of the image under the labels, at most: noise does not compress.
const MOST_BRIGHTNESS: usize = 600_000;
/// Shares of pixels that may be drawn black and white, so that a few wild ones do not darken the rest.
const CLIPPED: f64 = 0.003;

/// Objects to look at: a scatter plot of any two columns, a table, histograms and the label image, all
/// sharing one selection.
///
/// Vectors of one entry per object must have the same length.
#[derive(Debug, Clone, Default)]
pub struct Explorer {
    /// Name of the key column; empty: objects are counted from 1.
    pub key: String,
    /// The key of each object: its label in the image.
    pub keys: Vec<u32>,
    /// The columns, in table order, embeddings among them.
    pub columns: Vec<Column>,
    /// Group of each object, 0 = not assigned; may be empty.
    pub groups: Vec<usize>,
    /// Names of the columns shown first; empty: the first two.
    pub axes: (String, String),
    /// The label image; its labels are joined to the objects by key.
    pub image: Option<LabelLayer>,
    /// The map of each run: the columns that `axes` names, for every object, aligned to each other.
    pub runs: Vec<(Vec<f64>, Vec<f64>)>,
}

/// One column.
#[derive(Debug, Clone, Default)]
pub struct Column {
    /// Its name, as in the written tables.
    pub name: String,
    /// Its unit; may be empty.
    pub unit: String,
    /// One value per object; NaN = missing.
    pub values: Vec<f64>,
}

/// A label image.
#[derive(Debug, Clone, Default)]
pub struct LabelLayer {
    /// Pixels per row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Labels, row by row, 0 = background.
    pub labels: Vec<u32>,
    /// The image that was labelled, one brightness per pixel in any unit; it is shown under the labels. May be empty.
    pub brightness: Vec<f32>,
}

/// What the page's script reads beside the packed numbers.
#[derive(Serialize)]
struct Meta {
    n: usize,
    all: usize,
    key: String,
    columns: Vec<Packed>,
    keys: Block,
    groups: Block,
    colors: Vec<String>,
    x: usize,
    y: usize,
    image: Option<ImageMeta>,
    runs: Vec<[Packed; 2]>,
    /// Objects of the runs, evenly taken: object `i * n / run_rows` each.
    run_rows: usize,
    data: String,
}

#[derive(Serialize)]
struct Packed {
    name: String,
    unit: String,
    /// `f64`, `u16` or `u12`.
    kind: &'static str,
    low: f64,
    step: f64,
    at: usize,
}

#[derive(Serialize)]
struct Block {
    at: usize,
    n: usize,
}

#[derive(Serialize)]
struct ImageMeta {
    width: usize,
    height: usize,
    thinned: usize,
    at: usize,
    brightness: Option<Brightness>,
}

/// Grey values, each for `step` x `step` pixels of the label image.
#[derive(Serialize)]
struct Brightness {
    width: usize,
    step: usize,
    at: usize,
}

/// How finely numbers are kept.
#[derive(Clone, Copy, PartialEq)]
enum Fineness {
    Exact,
    Steps(f64),
}

impl Explorer {
    /// What was left out to keep the page small; empty when nothing was.
    pub(crate) fn remark(&self) -> String {
        let (n, kept) = (self.len(), self.kept());
        if kept == n {
            return String::new();
        }
        format!(
            "The page holds {} of {} objects, evenly taken from the table; the written tables hold all.",
            count(kept),
            count(n)
        )
    }

    /// The data island: JSON that holds no `<`.
    pub(crate) fn json(&self) -> Result<String> {
        self.check()?;
        let n = self.len();
        let kept = self.kept();
        let rows: Vec<usize> = (0..kept).map(|i| i * n / kept.max(1)).collect();
        let numbers = kept * self.columns.len();
        let fineness = if numbers <= EXACT {
            Fineness::Exact
        } else if numbers <= FINE {
            Fineness::Steps(65_534.0)
        } else {
            Fineness::Steps(4094.0)
        };
        let mut bytes = Vec::new();
        let columns = self.columns.iter().map(|c| pack(c, &rows, fineness, &mut bytes)).collect();
        // Steps from key to key: most are equal, and equal numbers pack to nothing.
        let mut last = 0;
        let steps = rows.iter().map(|&r| {
            let key = self.key_of(r);
            key.wrapping_sub(std::mem::replace(&mut last, key))
        });
        let keys = block(&steps.collect::<Vec<_>>(), &mut bytes);
        let groups: Vec<u32> =
            rows.iter().map(|&r| self.groups.get(r).map_or(0, |&g| g as u32)).collect();
        let highest = groups.iter().copied().max().unwrap_or(0) as usize;
        let groups = block(&groups, &mut bytes);
        let image = self.image.as_ref().map(|image| self.pack_image(image, &rows, &mut bytes));
        let (runs, run_rows) = self.pack_runs(&rows, &mut bytes);
        let place = |name: &str, otherwise: usize| {
            let otherwise = otherwise.min(self.columns.len().saturating_sub(1));
            self.columns.iter().position(|c| c.name == name).unwrap_or(otherwise)
        };
        let meta = Meta {
            n: kept,
            all: n,
            key: if self.key.is_empty() { "object".into() } else { self.key.clone() },
            columns,
            keys,
            groups,
            colors: (0..=highest).map(|g| figures::group(g).0.hex()).collect(),
            x: place(&self.axes.0, 0),
            y: place(&self.axes.1, 1),
            image,
            runs,
            run_rows,
            data: base64::encoded(&deflated(&bytes)?),
        };
        let json = serde_json::to_string(&meta)
            .map_err(|e| Error::internal(format!("the page's data cannot be written: {e}")))?;
        Ok(json
            .replace('<', "\\u003c")
            .replace('\u{2028}', "\\u2028")
            .replace('\u{2029}', "\\u2029"))
    }

    fn len(&self) -> usize {
        self.columns.first().map_or(0, |c| c.values.len())
    }

    fn kept(&self) -> usize {
        self.len().min(MOST / self.columns.len().max(1))
    }

    fn key_of(&self, row: usize) -> u32 {
        self.keys.get(row).copied().unwrap_or(row as u32 + 1)
    }

    fn check(&self) -> Result<()> {
        let n = self.len();
        let lengths = self.columns.iter().map(|c| (c.name.as_str(), c.values.len(), false));
        let others = [("keys", self.keys.len(), true), ("groups", self.groups.len(), true)];
        let runs =
            self.runs.iter().flat_map(|r| [("run", r.0.len(), false), ("run", r.1.len(), false)]);
        for (name, length, optional) in lengths.chain(others).chain(runs) {
            if length != n && !(optional && length == 0) {
                let message = format!("`{name}` has {length} entries, the first column {n}");
                return Err(Error::data(message).help("give one entry per object"));
            }
        }
        if let Some(image) = &self.image
            && image.labels.len() != image.width * image.height
        {
            let (n, width, height) = (image.labels.len(), image.width, image.height);
            let message = format!("a label image of {width} x {height} came with {n} labels");
            return Err(Error::data(message));
        }
        if let Some(LabelLayer { labels, brightness, .. }) = &self.image
            && ![0, labels.len()].contains(&brightness.len())
        {
            let (n, wanted) = (brightness.len(), labels.len());
            return Err(Error::data(format!("{n} brightnesses came with {wanted} labels")));
        }
        Ok(())
    }

    /// Pixels hold the position of their object + 1; 0 is background, the highest number is an object
    /// without a row.
    fn pack_image(&self, image: &LabelLayer, rows: &[usize], bytes: &mut Vec<u8>) -> ImageMeta {
        let place: BTreeMap<u32, u32> =
            rows.iter().enumerate().map(|(i, &r)| (self.key_of(r), i as u32 + 1)).collect();
        let step = image.width.max(image.height).div_ceil(MAX_SIDE).max(1);
        let (width, height) = (image.width.div_ceil(step), image.height.div_ceil(step));
        let at = bytes.len();
        let mut last = (0, 0);
        for y in 0..height {
            for x in 0..width {
                let label = image.labels[y * step * image.width + x * step];
                if label != last.0 {
                    last = (label, place.get(&label).copied().unwrap_or(u32::MAX));
                }
                let pixel = if label == 0 { 0 } else { last.1 };
                bytes.extend_from_slice(&pixel.to_le_bytes());
            }
        }
        let brightness = (!image.brightness.is_empty())
            .then(|| pack_brightness(image, step, (width, height), bytes));
        ImageMeta { width, height, thinned: step, at, brightness }
    }

    fn pack_runs(&self, rows: &[usize], bytes: &mut Vec<u8>) -> (Vec<[Packed; 2]>, usize) {
        let kept = rows.len().min(MOST_IN_RUNS / (2 * self.runs.len().max(1)));
        let some: Vec<usize> = (0..kept).map(|i| rows[i * rows.len() / kept]).collect();
        let mut packed = |values: &[f64]| {
            let column = Column { values: values.to_vec(), ..Column::default() };
            pack(&column, &some, Fineness::Steps(4094.0), bytes)
        };
        let runs = self.runs.iter().map(|(x, y)| [packed(x), packed(y)]).collect();
        (runs, kept)
    }
}

/// Appends grey values from 0 to 255 for the label image as it is kept, every `thinned`-th pixel.
fn pack_brightness(
    image: &LabelLayer,
    thinned: usize,
    (width, height): (usize, usize),
    bytes: &mut Vec<u8>,
) -> Brightness {
    let mut step = 1;
    while width.div_ceil(step) * height.div_ceil(step) > MOST_BRIGHTNESS {
        step += 1;
    }
    let at = bytes.len();
    let apart = thinned * step;
    let row = |y: usize| &image.brightness[y * image.width..(y + 1) * image.width];
    let kept: Vec<f32> = (0..image.height)
        .step_by(apart)
        .flat_map(|y| row(y).iter().step_by(apart).copied())
        .collect();
    let mut sorted: Vec<f32> = kept.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    let clipped = (sorted.len() as f64 * CLIPPED) as usize;
    let ends = (sorted.get(clipped), sorted.iter().rev().nth(clipped));
    let (low, high) = (*ends.0.unwrap_or(&0.0), *ends.1.unwrap_or(&1.0));
    let grey = |v: f32| (255.0 * (v - low) / (high - low).max(f32::MIN_POSITIVE)).round() as u8;
    bytes.extend(kept.into_iter().map(grey));
    Brightness { width: width.div_ceil(step), step, at }
}

/// Appends numbers of 32 bits at a multiple of eight, where typed arrays can read them.
fn block(numbers: &[u32], bytes: &mut Vec<u8>) -> Block {
    aligned(bytes);
    let at = bytes.len();
    bytes.extend(numbers.iter().flat_map(|n| n.to_le_bytes()));
    aligned(bytes);
    Block { at, n: numbers.len() }
}

fn aligned(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
}

/// Appends one column. Steps are split into a plane of high and a plane of low bits, since only the high
/// ones compress; the highest step means missing.
fn pack(column: &Column, rows: &[usize], fineness: Fineness, bytes: &mut Vec<u8>) -> Packed {
    aligned(bytes);
    let at = bytes.len();
    let values: Vec<f64> = rows.iter().map(|&r| column.values[r]).collect();
    let finite = || values.iter().copied().filter(|v| v.is_finite());
    let low = finite().fold(f64::INFINITY, f64::min);
    let high = finite().fold(f64::NEG_INFINITY, f64::max);
    let low = if low.is_finite() { low } else { 0.0 };
    let (kind, step) = match fineness {
        Fineness::Exact => {
            let numbers = values.iter().map(|v| if v.is_finite() { *v } else { f64::NAN });
            bytes.extend(numbers.flat_map(f64::to_le_bytes));
            ("f64", 1.0)
        }
        Fineness::Steps(most) => {
            let whole = finite().all(|v| v.fract() == 0.0) && high - low <= most;
            let step = if whole { 1.0 } else { ((high - low) / most).max(f64::MIN_POSITIVE) };
            let missing = most as u16 + 1;
            let steps = values.iter().map(|v| {
                if v.is_finite() { ((v - low) / step).round().min(most) as u16 } else { missing }
            });
            let steps: Vec<u16> = steps.collect();
            if most > 4094.0 {
                bytes.extend(steps.iter().map(|s| (s >> 8) as u8));
                bytes.extend(steps.iter().map(|s| (s & 255) as u8));
                ("u16", step)
            } else {
                bytes.extend(steps.iter().map(|s| (s >> 4) as u8));
                let nibble = |s: Option<&u16>| (s.copied().unwrap_or(0) & 15) as u8;
                bytes.extend(steps.chunks(2).map(|p| nibble(p.first()) << 4 | nibble(p.get(1))));
                ("u12", step)
            }
        }
    };
    let (name, unit) = (column.name.clone(), column.unit.clone());
    Packed { name, unit, kind, low, step, at }
}

fn deflated(bytes: &[u8]) -> Result<Vec<u8>> {
    let failed =
        |e: std::io::Error| Error::internal(format!("the page's data cannot be packed: {e}"));
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(7));
    encoder.write_all(bytes).map_err(failed)?;
    encoder.finish().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(n: usize, p: usize) -> Explorer {
        let column = |c: usize| Column {
            name: format!("feature {c}"),
            values: (0..n).map(|r| ((r * 7919 + c * 104_729) % 10_007) as f64 * 0.001).collect(),
            ..Column::default()
        };
        Explorer { columns: (0..p).map(column).collect(), ..Explorer::default() }
    }

    #[test]
    fn a_hundred_thousand_objects_fit_in_a_mail() {
        let mut draw = crate::seed::Seed::new(0).stream("explorer", 0);
        let mut explorer = table(100_000, 22);
        for column in &mut explorer.columns {
            column.values.iter_mut().for_each(|v| *v = draw.uniform());
        }
        let json = explorer.json().unwrap();
        assert!(json.len() < 4_500_000, "{} bytes", json.len());
        assert!(explorer.remark().is_empty());
        assert!(table(300_000, 22).remark().starts_with("The page holds 104,545 of 300,000"));
    }

    #[test]
    fn data_cannot_leave_its_island() {
        let mut explorer = table(3, 1);
        explorer.columns[0].name = "</script><script>alert(1)</script>".into();
        let json = explorer.json().unwrap();
        assert!(!json.contains('<'));
        let back: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(back["columns"][0]["name"], explorer.columns[0].name.as_str());
    }

    #[test]
    fn lengths_that_differ_are_refused() {
        let mut explorer = table(3, 2);
        explorer.groups = vec![1, 2];
        assert!(explorer.json().unwrap_err().to_string().contains("`groups` has 2 entries"));
        explorer.groups.clear();
        let layer = |labels: usize, brightness: usize| LabelLayer {
            width: 2,
            height: 2,
            labels: vec![0; labels],
            brightness: vec![0.5; brightness],
        };
        for (labels, brightness) in [(3, 0), (4, 3)] {
            explorer.image = Some(layer(labels, brightness));
            assert!(explorer.json().is_err());
        }
        explorer.image = Some(layer(4, 4));
        assert!(explorer.json().is_ok());
    }
}
