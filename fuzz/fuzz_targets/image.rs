//! Any bytes: an image or an error. Seed it with tests/reference/image.

#![no_main]

use libfuzzer_sys::fuzz_target;
use polariscope::image::ImageFile;

/// A small file may promise this many pixels at most: a zstd block of one value holds 32,768 to the byte.
const LARGEST_RATIO: usize = 8 * 40_000;

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = ImageFile::from_bytes(bytes.to_vec()) else { return };
    assert!(file.grid().n_pixels() <= LARGEST_RATIO * bytes.len());
    for channel in 0..file.channels().len() {
        if let Ok(image) = file.intensities(channel) {
            assert_eq!(image.pixels().len(), file.grid().n_pixels());
        }
    }
    let _ = file.labels();
});
