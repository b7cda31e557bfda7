//! Collected objects become a table and come back, so that processes can share an image through Parquet or Arrow files.

use polars::prelude::{Column, DataFrame};

use super::accumulator::{Accumulator, Objects};
use crate::error::{Error, Result};
use crate::kernels::region_intensity::{ExactSum, Intensity};
use crate::kernels::region_runs::Span;

/// First bytes of the header, with the version of the layout.
const MAGIC: &[u8; 8] = b"regions1";

impl Accumulator {
    /// Everything collected so far, one row per object; the row of label 0 describes the image.
    ///
    /// Columns are `label` and little-endian bytes: `spans`, and per channel `sums_0`, `values_0`, ...
    /// Write it with polars as Parquet or Arrow, read it back with [`from_frame`](Self::from_frame) and
    /// [`combine`](Self::combine): the measured table has the same bits as that of the whole image.
    ///
    /// # Errors
    /// Tiles that overlap.
    pub fn to_frame(&self) -> Result<DataFrame> {
        let objects = self.clone().objects()?;
        let mut labels = vec![0];
        labels.extend(&objects.labels);
        let rows = 0..objects.labels.len();
        let mut columns = vec![Column::new("label".into(), labels)];
        let spans = rows.clone().map(|at| span_bytes(objects.spans_of(at)));
        columns.push(bytes_column("spans", std::iter::once(self.header()).chain(spans)));
        for channel in 0..self.n_channels {
            let sums = rows.clone().map(|at| sum_bytes(&objects.intensity[channel][at]));
            let first = std::iter::once(Vec::new());
            columns.push(bytes_column(&format!("sums_{channel}"), first.clone().chain(sums)));
            if self.keep_values {
                let values = rows.clone().map(|at| {
                    objects.values_of(channel, at).iter().flat_map(|v| v.to_le_bytes()).collect()
                });
                columns.push(bytes_column(&format!("values_{channel}"), first.chain(values)));
            }
        }
        let n_rows = objects.labels.len() + 1;
        DataFrame::new(n_rows, columns).map_err(|error| Error::internal(error.to_string()))
    }

    /// What [`to_frame`](Self::to_frame) wrote.
    ///
    /// # Errors
    /// A table of another origin, or one whose bytes were changed.
    pub fn from_frame(frame: &DataFrame) -> Result<Self> {
        let header = bytes_of(frame, "spans")?.first().copied().flatten().unwrap_or(&[]);
        let mut all = Self::from_header(header).ok_or_else(|| damaged("spans", 0))?;
        let labels = frame.column("label").ok().and_then(|c| c.u32().ok());
        let labels = labels.ok_or_else(|| damaged("label", 0))?;
        let mut objects = Objects {
            labels: labels.into_no_null_iter().skip(1).collect(),
            intensity: vec![Vec::new(); all.n_channels],
            values: vec![Vec::new(); all.n_channels],
            ..Objects::default()
        };
        if labels.null_count() > 0
            || labels.get(0) != Some(0)
            || !strictly_ascending(&objects.labels)
        {
            return Err(damaged("label", 0));
        }
        for (row, bytes) in bytes_of(frame, "spans")?.into_iter().enumerate().skip(1) {
            objects.begins.push(objects.spans.len());
            let spans = bytes.and_then(|bytes| all.spans_from(bytes));
            objects.spans.extend(spans.ok_or_else(|| damaged("spans", row))?);
        }
        objects.begins.push(objects.spans.len());
        for channel in 0..all.n_channels {
            let name = format!("sums_{channel}");
            for (row, bytes) in bytes_of(frame, &name)?.into_iter().enumerate().skip(1) {
                let sums = bytes.and_then(sums_from).ok_or_else(|| damaged(&name, row))?;
                objects.intensity[channel].push(sums);
            }
        }
        if all.keep_values {
            objects.count_values();
            for channel in 0..all.n_channels {
                objects.values[channel] = objects.values_from(frame, channel)?;
            }
        }
        all.parts.push(objects);
        Ok(all)
    }

    fn header(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        let [z, y, x] = self.extent;
        for number in [self.n_axes, z, y, x, self.n_channels, usize::from(self.keep_values)] {
            bytes.extend((number as u64).to_le_bytes());
        }
        bytes
    }

    fn from_header(bytes: &[u8]) -> Option<Self> {
        let numbers = words(bytes.strip_prefix(MAGIC)?)?;
        let [n_axes, z, y, x, n_channels, keep_values] = numbers[..] else { return None };
        let extent = [z, y, x].map(|e| e as usize);
        let shape = extent.get(3usize.checked_sub(n_axes as usize)?..)?;
        // More channels than there are bytes would be a lying header.
        let mut all =
            Self::new(shape, n_channels as usize).ok().filter(|_| n_channels < 1 << 16)?;
        all.keep_values = keep_values == 1;
        (all.extent == extent && keep_values <= 1).then_some(all)
    }

    /// Spans inside the image, in order and apart.
    fn spans_from(&self, bytes: &[u8]) -> Option<Vec<Span>> {
        let (triples, rest) = bytes.as_chunks::<12>();
        let number = |b: &[u8]| b.try_into().map(u32::from_le_bytes).ok();
        let spans: Option<Vec<Span>> = triples
            .iter()
            .map(|b| {
                Some(Span {
                    row: number(&b[..4])?,
                    start: number(&b[4..8])?,
                    end: number(&b[8..])?,
                })
            })
            .collect();
        let spans = spans.filter(|spans| rest.is_empty() && !spans.is_empty())?;
        let inside = |s: &Span| {
            (s.row as usize) < self.extent[0] * self.extent[1]
                && s.start < s.end
                && s.end as usize <= self.extent[2]
        };
        let apart = |pair: &[Span]| (pair[0].row, pair[0].end) < (pair[1].row, pair[1].start);
        (spans.iter().all(inside) && spans.windows(2).all(apart)).then_some(spans)
    }
}

impl Objects {
    fn values_from(&self, frame: &DataFrame, channel: usize) -> Result<Vec<f64>> {
        let name = format!("values_{channel}");
        let mut values = Vec::new();
        for (row, bytes) in bytes_of(frame, &name)?.into_iter().enumerate().skip(1) {
            let (words, rest) = bytes.unwrap_or(&[]).as_chunks::<8>();
            if !rest.is_empty() || words.len() != self.firsts[row] - self.firsts[row - 1] {
                return Err(damaged(&name, row));
            }
            values.extend(words.iter().map(|word| f64::from_le_bytes(*word)));
        }
        Ok(values)
    }
}

fn span_bytes(spans: &[Span]) -> Vec<u8> {
    spans.iter().flat_map(|s| [s.row, s.start, s.end]).flat_map(u32::to_le_bytes).collect()
}

/// Count, odd, min, max, the length of the sum, the sum, the sum of squares.
fn sum_bytes(sums: &Intensity) -> Vec<u8> {
    let (sum, squares) = (sums.sum.to_bytes(), sums.squares.to_bytes());
    let numbers = [sums.count, sums.odd, sums.min.to_bits(), sums.max.to_bits(), sum.len() as u64];
    numbers.into_iter().flat_map(u64::to_le_bytes).chain(sum).chain(squares).collect()
}

fn sums_from(bytes: &[u8]) -> Option<Intensity> {
    let (head, tail) = bytes.split_at_checked(40)?;
    let [count, odd, min, max, length] = words(head)?[..] else { return None };
    let (sum, squares) = tail.split_at_checked(usize::try_from(length).ok()?)?;
    Some(Intensity {
        count,
        odd,
        min: f64::from_bits(min),
        max: f64::from_bits(max),
        sum: ExactSum::from_bytes(sum)?,
        squares: ExactSum::from_bytes(squares)?,
    })
}

/// Little-endian numbers; `None` when bytes are left over.
fn words(bytes: &[u8]) -> Option<Vec<u64>> {
    let (words, rest) = bytes.as_chunks::<8>();
    rest.is_empty().then(|| words.iter().map(|word| u64::from_le_bytes(*word)).collect())
}

fn strictly_ascending(labels: &[u32]) -> bool {
    labels.first() != Some(&0) && labels.windows(2).all(|pair| pair[0] < pair[1])
}

fn bytes_column(name: &str, rows: impl Iterator<Item = Vec<u8>>) -> Column {
    let rows: Vec<Vec<u8>> = rows.collect();
    let slices: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
    Column::new(name.into(), slices.as_slice())
}

fn bytes_of<'a>(frame: &'a DataFrame, name: &str) -> Result<Vec<Option<&'a [u8]>>> {
    let column = frame.column(name).ok().and_then(|column| column.binary().ok());
    Ok(column.ok_or_else(|| damaged(name, 0))?.iter().collect())
}

fn damaged(column: &str, row: usize) -> Error {
    Error::format("is not what collected objects look like").at_column(column).at_row(row + 1).help(
        "give the table that `Accumulator::to_frame` made, with all its columns and rows in order",
    )
}
