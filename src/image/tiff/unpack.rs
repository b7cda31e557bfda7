//! Compressed chunks become the bytes they were made from.

use std::io::Read;

use crate::error::{Error, Result};

/// The most that a byte can hold: deflate reaches 1,032, LZW 1,365, a zstd block of one value 32,768.
pub(super) fn largest_ratio(compression: usize) -> u64 {
    match compression {
        1 => 1,
        32773 => 64,
        50000 | 34926 => 40_000,
        _ => 1_400,
    }
}
/// Exactly `n_bytes` out of a packed chunk.
pub(super) fn decompress(compression: usize, packed: Vec<u8>, n_bytes: usize) -> Result<Vec<u8>> {
    if compression == 1 {
        return Ok(packed);
    }
    // The page as a whole was checked; this keeps a single chunk from promising it all.
    if n_bytes as u64 > (packed.len() as u64 + 16) * largest_ratio(compression) {
        return Err(damaged(n_bytes, packed.len()));
    }
    let mut raw = Vec::with_capacity(n_bytes);
    let limit = n_bytes as u64;
    let done = match compression {
        5 => unpack_lzw(&packed, n_bytes, &mut raw),
        32773 => unpack_bits(&packed, n_bytes, &mut raw),
        8 | 32946 => flate2::read::ZlibDecoder::new(packed.as_slice())
            .take(limit)
            .read_to_end(&mut raw)
            .is_ok(),
        _ => zstd::stream::read::Decoder::with_buffer(packed.as_slice())
            .and_then(|decoder| decoder.take(limit).read_to_end(&mut raw))
            .is_ok(),
    };
    if !done || raw.len() < n_bytes {
        return Err(damaged(n_bytes, packed.len()));
    }
    raw.truncate(n_bytes);
    Ok(raw)
}

fn damaged(n_bytes: usize, n_packed: usize) -> Error {
    Error::format(format!(
        "a chunk of {n_packed} compressed bytes does not give its {n_bytes} bytes"
    ))
    .help("the file is cut short or damaged: copy or export it again")
}

fn unpack_lzw(mut packed: &[u8], n_bytes: usize, raw: &mut Vec<u8>) -> bool {
    let mut decoder = weezl::decode::Decoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8);
    raw.resize(n_bytes, 0);
    let mut end = 0;
    while end < n_bytes {
        let step = decoder.decode_bytes(packed, &mut raw[end..]);
        packed = &packed[step.consumed_in..];
        end += step.consumed_out;
        let stuck = step.consumed_in == 0 && step.consumed_out == 0;
        if stuck || !matches!(step.status, Ok(weezl::LzwStatus::Ok)) {
            break;
        }
    }
    end == n_bytes
}

fn unpack_bits(packed: &[u8], n_bytes: usize, raw: &mut Vec<u8>) -> bool {
    let mut at = 0;
    while raw.len() < n_bytes {
        let Some(&head) = packed.get(at) else { return false };
        at += 1;
        match head {
            0..=127 => {
                let Some(literal) = packed.get(at..=at + head as usize) else { return false };
                raw.extend(literal);
                at += literal.len();
            }
            128 => {}
            129.. => {
                let Some(&byte) = packed.get(at) else { return false };
                raw.resize(raw.len() + 257 - head as usize, byte);
                at += 1;
            }
        }
    }
    true
}

/// Horizontal differencing: every number was stored as its difference to the one `stride` before.
pub(super) fn undo_differences(line: &mut [u8], bytes: usize, stride: usize) {
    macro_rules! sum_up {
        ($type:ty) => {{
            const SIZE: usize = size_of::<$type>();
            let mut number = [0; SIZE];
            for i in stride..line.len() / SIZE {
                number.copy_from_slice(&line[(i - stride) * SIZE..][..SIZE]);
                let before = <$type>::from_le_bytes(number);
                number.copy_from_slice(&line[i * SIZE..][..SIZE]);
                let value = <$type>::from_le_bytes(number).wrapping_add(before);
                line[i * SIZE..][..SIZE].copy_from_slice(&value.to_le_bytes());
            }
        }};
    }
    match bytes {
        1 => sum_up!(u8),
        2 => sum_up!(u16),
        4 => sum_up!(u32),
        _ => sum_up!(u64),
    }
}

/// Adobe's predictor for floats: bytes are differenced, all highest bytes of a row come first.
pub(super) fn undo_float_predictor(line: &mut [u8], bytes: usize, stride: usize) {
    for i in stride..line.len() {
        line[i] = line[i].wrapping_add(line[i - stride]);
    }
    let planes = line.to_vec();
    let count = line.len() / bytes;
    for (i, number) in line.chunks_exact_mut(bytes).enumerate() {
        for (b, byte) in number.iter_mut().rev().enumerate() {
            *byte = planes[b * count + i];
        }
    }
}
