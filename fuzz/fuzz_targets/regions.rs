//! Any small label image: tiles give the table of the whole, and nothing panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use polariscope::image::{Grid, IntensityImage, LabelImage};
use polariscope::regions::{Regions, Selection};

fuzz_target!(|bytes: &[u8]| {
    let [layers, columns, tile, pixels @ ..] = bytes else { return };
    let (nz, nx) = (usize::from(layers % 4), usize::from(columns % 40) + 1);
    let ny = pixels.len() / (nz.max(1) * nx);
    let shape = if nz < 2 { vec![ny, nx] } else { vec![nz, ny, nx] };
    let grid = Grid::new(&shape).unwrap();
    let used = &pixels[..grid.n_pixels()];
    let labels = used.iter().map(|&p| u32::from(p % 7) * 1_000_003).collect();
    let labels = LabelImage::new(grid.clone(), labels).unwrap();
    let image = IntensityImage::new(grid, used.to_vec()).unwrap();
    let params = Regions::params().intensity(&image).properties(Selection::All);
    let whole = params.measure(&labels).unwrap();
    let tiled = params.tile(usize::from(tile % 9) + 1).measure(&labels).unwrap();
    assert!(whole.equals_missing(&tiled));
});
