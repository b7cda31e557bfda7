//! Numpy arrays and PNG images become numbers at regular distances.

use std::io::Cursor;
use std::ops::Range;

use super::bytes::Bytes;
use super::sample::{Format, Pixel, fill};
use crate::error::{Error, Result};

/// Numbers in rows: along (z,) y, x and, fastest, channels.
#[derive(Debug)]
pub(super) struct Dense {
    bytes: Bytes,
    start: u64,
    pub format: Format,
    pub shape: Vec<usize>,
    pub n_channels: usize,
    pub is_color: bool,
    big_endian: bool,
}

impl Dense {
    pub(super) fn is_npy(start: &[u8]) -> bool {
        start.starts_with(b"\x93NUMPY")
    }

    pub(super) fn is_png(start: &[u8]) -> bool {
        start.starts_with(b"\x89PNG\r\n\x1a\n")
    }

    /// Reads the header of a `.npy` file; the pixels stay where they are.
    pub(super) fn open_npy(bytes: Bytes) -> Result<Self> {
        let head = bytes.read(0, 12)?;
        let (length, start) = match head[6] {
            1 => (u64::from(u16::from_le_bytes([head[8], head[9]])), 10),
            _ => (u64::from(u32::from_le_bytes([head[8], head[9], head[10], head[11]])), 12),
        };
        let header = String::from_utf8_lossy(&bytes.read(start, length)?).into_owned();
        let kind = between(&header, "'descr':", '\'', '\'')
            .ok_or_else(|| bad_npy("no single number type"))?;
        let shape: Vec<usize> = between(&header, "'shape':", '(', ')')
            .ok_or_else(|| bad_npy("no shape"))?
            .split(',')
            .map(str::trim)
            .filter(|n| !n.is_empty())
            .map(|n| n.parse().map_err(|_| bad_npy("no valid shape")))
            .collect::<Result<_>>()?;
        let (format, big_endian) = npy_format(kind)?;
        if header.contains("'fortran_order': True") && shape.iter().filter(|n| **n > 1).count() > 1
        {
            return Err(Error::format("the array is stored column by column (Fortran order)")
                .help("save numpy.ascontiguousarray(image)"));
        }
        let size = format.bits() as u128 / 8;
        let n_bytes = shape.iter().try_fold(size, |n, length| n.checked_mul(*length as u128));
        let start = start + length;
        match n_bytes {
            Some(n) if n <= u128::from(bytes.len().saturating_sub(start)) => {}
            _ => return Err(bad_npy(&format!("fewer bytes than its shape {shape:?} needs"))),
        }
        Ok(Self { bytes, start, format, shape, n_channels: 1, is_color: false, big_endian })
    }

    /// Decodes a PNG image, every number as it is stored.
    pub(super) fn open_png(bytes: &Bytes) -> Result<Self> {
        let damaged = |e: png::DecodingError| {
            Error::format(format!("the PNG image cannot be read: {e}"))
                .help("the file is cut short or damaged: copy or export it again")
        };
        let file = bytes.read(0, bytes.len())?;
        let mut decoder = png::Decoder::new(Cursor::new(file));
        decoder.set_transformations(png::Transformations::IDENTITY);
        let mut reader = decoder.read_info().map_err(damaged)?;
        let info = reader.info();
        let (width, height) = (info.width as usize, info.height as usize);
        let (bits, color) = (info.bit_depth as u8, info.color_type);
        let line = (width as u128 * color.samples() as u128 * u128::from(bits)).div_ceil(8);
        bytes.check_promise(line * height as u128, 1_400)?;
        let n_bytes = reader
            .output_buffer_size()
            .ok_or_else(|| Error::format("the PNG image is too large"))?;
        let mut raw = vec![0; n_bytes];
        reader.next_frame(&mut raw).map_err(damaged)?;
        let n_samples = color.samples();
        if bits < 8 {
            raw = unpack_lines(bits, &raw, line as usize, width)?;
        }
        let is_color = n_samples >= 3 || color == png::ColorType::Indexed;
        Ok(Self {
            bytes: Bytes::Memory(raw),
            start: 0,
            format: Format::Unsigned(bits.max(8)),
            shape: vec![height, width],
            n_channels: n_samples,
            is_color,
            big_endian: true,
        })
    }

    /// Fills `pixels` with rows and columns of one layer of one channel.
    pub(super) fn read_layer<T: Pixel>(
        &self,
        channel: usize,
        layer: usize,
        rows: &Range<usize>,
        columns: &Range<usize>,
        pixels: &mut [T],
    ) -> Result<()> {
        let [n_rows, n_columns] =
            [self.shape[self.shape.len() - 2], self.shape[self.shape.len() - 1]];
        let size = self.format.bits() / 8;
        let count = columns.len() * self.n_channels;
        if count == 0 {
            return Ok(());
        }
        for (y, line) in rows.clone().zip(pixels.chunks_exact_mut(columns.len())) {
            let first = ((layer * n_rows + y) * n_columns + columns.start) * self.n_channels;
            let mut raw =
                self.bytes.read(self.start + (first * size) as u64, (count * size) as u64)?;
            if self.big_endian && size > 1 {
                raw.chunks_exact_mut(size).for_each(<[u8]>::reverse);
            }
            fill(self.format, &raw, channel, self.n_channels, line)?;
        }
        Ok(())
    }
}

/// One byte for each of the packed numbers.
fn unpack_lines(bits: u8, raw: &[u8], line_bytes: usize, width: usize) -> Result<Vec<u8>> {
    let mut unpacked = vec![0; raw.len() / line_bytes * width];
    for (line, out) in raw.chunks_exact(line_bytes).zip(unpacked.chunks_exact_mut(width)) {
        fill(Format::Unsigned(bits), line, 0, 1, out)?;
    }
    Ok(unpacked)
}

fn bad_npy(what: &str) -> Error {
    Error::format(format!("the numpy array has {what}")).help("save it again with numpy.save")
}

fn between<'a>(text: &'a str, key: &str, open: char, close: char) -> Option<&'a str> {
    let rest = text[text.find(key)? + key.len()..].trim_start().strip_prefix(open)?;
    Some(&rest[..rest.find(close)?])
}

fn npy_format(kind: &str) -> Result<(Format, bool)> {
    let unknown = || bad_npy(&format!("the number type {kind}"));
    let (order, rest) = kind.split_at_checked(1).ok_or_else(unknown)?;
    let (letter, bytes) = rest.split_at_checked(1).ok_or_else(unknown)?;
    let bits = match bytes {
        "1" => 8,
        "2" => 16,
        "4" => 32,
        "8" => 64,
        _ => return Err(unknown()),
    };
    let format = match letter {
        "u" => Format::Unsigned(bits),
        "b" if bits == 8 => Format::Unsigned(8),
        "i" => Format::Signed(bits),
        "f" if bits > 8 => Format::Float(bits),
        _ => return Err(unknown()),
    };
    Ok((format, order == ">"))
}
