//! Every flavour of image file is read as its program meant it, damaged ones are refused, and nothing panics.

use std::path::{Path, PathBuf};

use polariscope::image::synth::Blobs;
use polariscope::image::{Grid, ImageFile, IntensityImage, LabelImage};
use polariscope::output::Existing;
use polariscope::seed::Seed;

const PLANE: [usize; 2] = [19, 27];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/image")
}

/// What `make_image.py` put into every file.
fn expected(channel: usize, n_layers: usize, modulus: usize) -> Vec<f64> {
    let [ny, nx] = PLANE;
    let mut values = Vec::new();
    for z in 0..n_layers {
        for y in 0..ny {
            values.extend(
                (0..nx).map(|x| {
                    ((97 * channel + 31 * z + 7 * (y / 2) + 3 * (x / 3)) % modulus) as f64
                }),
            );
        }
    }
    values
}

fn check(name: &str, n_layers: usize, n_channels: usize, modulus: usize) {
    let channels =
        IntensityImage::open_channels(folder().join(name)).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(channels.len(), n_channels, "{name}");
    for (c, channel) in channels.iter().enumerate() {
        let shape = [&[n_layers][..usize::from(n_layers > 1)], &PLANE].concat();
        assert_eq!(channel.shape(), shape, "{name}");
        assert_eq!(
            channel.pixels().to_f64(),
            expected(c, n_layers, modulus),
            "{name}, channel {c}"
        );
    }
}

fn refused(result: polariscope::Result<impl std::fmt::Debug>, words: &str) {
    let error = result.unwrap_err();
    assert!(error.to_string().contains(words), "{error}");
    assert!(error.remedy().is_some(), "no remedy for: {error}");
}

#[test]
fn tiff_of_every_type_and_compression() {
    for kind in "u1 u2 u4 u8 i1 i2 i4 i8 f2 f4 f8".split(' ') {
        check(&format!("type_{kind}.tif"), 1, 1, 100);
        check(&format!("big_endian_{kind}.tif"), 1, 1, 100);
    }
    for packing in ["packbits", "lzw", "deflate", "zstd"] {
        check(&format!("strips_{packing}.tif"), 1, 1, 200);
        check(&format!("tiles_{packing}.tif"), 1, 1, 200);
        if packing != "packbits" {
            check(&format!("predictor_{packing}.tif"), 1, 1, 200);
        }
    }
    for name in
        ["predictor_big_endian", "predictor_float", "predictor_float_big_endian", "big_tiff"]
    {
        check(&format!("{name}.tif"), 1, 1, 200);
    }
    for bits in [1, 2, 4] {
        check(&format!("bits_{bits}.tif"), 1, 1, 1 << bits);
    }
    // The numbers that are stored, as tifffile and ImageJ give them.
    check("min_is_white.tif", 1, 1, 200);
    check("palette.tif", 1, 1, 200);
}

#[test]
fn pages_are_layers_or_channels_as_the_description_says() {
    check("pages.tif", 5, 1, 200);
    check("pages_tiles.tif", 5, 1, 200);
    check("rgb.tif", 1, 3, 200);
    check("rgb_planar.tif", 1, 3, 200);
    check("rgba.tif", 1, 3, 200);
    check("samples.tif", 1, 2, 200);
    check("imagej_stack.tif", 4, 1, 200);
    check("imagej_hyperstack.tif", 3, 2, 200);
    check("imagej_single_page.tif", 4, 1, 200);
    check("shaped_stack.tif", 4, 1, 200);
    check("shaped_channels.tif", 1, 4, 200);
    check("ome_czyx.tif", 3, 2, 200);
    check("ome_zcyx.tif", 3, 2, 200);
    refused(ImageFile::open(folder().join("imagej_time.tif")), "3 time points");
}

#[test]
fn png_and_numpy_keep_their_numbers() {
    for bits in [1, 2, 4] {
        check(&format!("bits_{bits}.png"), 1, 1, 1 << bits);
    }
    check("grey_8.png", 1, 1, 200);
    check("grey_16.png", 1, 1, 200);
    check("grey_alpha.png", 1, 1, 200);
    check("rgb.png", 1, 3, 200);
    for name in ["u1", "u2", "u2_big", "u4", "i8", "f4", "f8_big"] {
        check(&format!("plane_{name}.npy"), 1, 1, 200);
    }
    check("plane_b1.npy", 1, 1, 2);
    check("stack.npy", 3, 1, 200);
    refused(ImageFile::open(folder().join("fortran.npy")), "Fortran order");
    // A palette index is a label, but no intensity.
    let labels = LabelImage::open(folder().join("palette.png")).unwrap();
    assert_eq!(labels.pixels()[27 * 2 + 3], 10);
    refused(IntensityImage::open(folder().join("palette.png")), "palette");
}

#[test]
fn spacing_unit_and_channel_names_are_read() {
    for name in ["ome_czyx.tif", "ome_zcyx.tif", "imagej_hyperstack.tif"] {
        let file = ImageFile::open(folder().join(name)).unwrap();
        assert_eq!(file.grid().spacing(), [2.5, 0.25, 0.25], "{name}");
        assert_eq!(file.grid().unit(), Some("µm"), "{name}");
    }
    let file = ImageFile::open(folder().join("ome_czyx.tif")).unwrap();
    assert_eq!(file.channels(), [Some("DAPI".to_owned()), Some("GFP".to_owned())]);
    assert_eq!(
        ImageFile::open(folder().join("ome_plane.tif")).unwrap().grid().spacing(),
        [0.25, 0.25]
    );
}

#[test]
fn what_is_no_label_image_is_refused() {
    let open = |name: &str| LabelImage::open(folder().join(name));
    for name in ["rgb.tif", "rgb_planar.tif", "rgba.tif", "rgb.png"] {
        refused(open(name), "colour image");
    }
    refused(open("samples.tif"), "2-channel image");
    refused(open("ome_czyx.tif"), "2-channel image");
    refused(open("type_f4.tif"), "float32");
    refused(open("plane_f8_big.npy"), "float64");
    refused(IntensityImage::open(folder().join("rgb.tif")), "3 channels");
    refused(open("nowhere.tif"), "does not exist");
    refused(ImageFile::from_bytes(Vec::new()), "empty");
    refused(ImageFile::from_bytes(b"label,area\n1,20\n".to_vec()), "not an image");
    for kind in ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8"] {
        assert_eq!(open(&format!("type_{kind}.tif")).unwrap().max_label(), 87);
    }
}

#[test]
fn any_region_is_a_part_of_the_whole() {
    let mut stream = Seed::new(5).stream("regions", 0);
    for name in [
        "tiles_lzw.tif",
        "strips_zstd.tif",
        "rgb_planar.tif",
        "samples.tif",
        "pages_tiles.tif",
        "stack.npy",
        "grey_16.png",
    ] {
        let file = ImageFile::open(folder().join(name)).unwrap();
        let whole = file.intensities(file.channels().len() - 1).unwrap();
        let [_, ny, nx] = file.grid().extent();
        for _ in 0..50 {
            let region = file.grid().extent().map(|length| {
                let start = stream.below(length);
                start..start + stream.below(length - start + 1)
            });
            let part = file.read(file.channels().len() - 1, &region).unwrap();
            let [layers, rows, columns] = region;
            let mut i = 0;
            for z in layers {
                for y in rows.clone() {
                    for x in columns.clone() {
                        assert_eq!(
                            part.get(i),
                            whole.pixels().get((z * ny + y) * nx + x),
                            "{name}"
                        );
                        i += 1;
                    }
                }
            }
            assert_eq!(part.len(), i);
        }
    }
}

#[test]
fn what_is_written_is_read_again() {
    let folder = std::env::temp_dir().join(format!("polariscope-images-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let blobs = Blobs::params().shape(&[3, 80, 90]).n_objects(2).radius(4.0, 5.0);
    let flat = Blobs::params().shape(&[70, 4200]).n_objects(60).seed(1).make().unwrap();
    // A stack cannot hold balls thicker than itself; its labels are made by hand.
    assert!(blobs.make().is_err());
    let pixels: Vec<u32> = (0..3 * 40 * 50).map(|i| i / 700 * 70_001).collect();
    let grid =
        Grid::new(&[3, 40, 50]).unwrap().with_spacing(&[2.0, 0.5, 0.25], Some("µm")).unwrap();
    let stack = LabelImage::new(grid, pixels).unwrap();
    for (name, labels) in
        [("flat.tif", &flat.labels), ("stack.tif", &stack), ("flat.npy", &flat.labels)]
    {
        labels.save(folder.join(name), Existing::Keep).unwrap();
        assert_eq!(&LabelImage::open(folder.join(name)).unwrap(), labels, "{name}");
    }
    assert_eq!(ImageFile::open(folder.join("flat.tif")).unwrap().chunk(), [512, 512]);
    flat.image.save(folder.join("image.tif"), Existing::Keep).unwrap();
    assert_eq!(IntensityImage::open(folder.join("image.tif")).unwrap(), flat.image);
    refused(flat.image.save(folder.join("image.tif"), Existing::Keep), "already exists");
    std::fs::remove_dir_all(folder).unwrap();
}

/// Flips, cuts and overwrites: whatever a disk or a network may do to a file.
fn mutate(valid: &[u8], index: u64) -> Vec<u8> {
    let mut stream = Seed::new(11).stream("mutate", index);
    let mut bytes = valid.to_vec();
    for _ in 0..=stream.below(6) {
        // Most damage goes where the headers are: TIFF keeps them at either end.
        let near = bytes.len().min(400);
        let at = match stream.below(4) {
            0 => stream.below(near),
            1 | 2 => bytes.len() - 1 - stream.below(near),
            _ => stream.below(bytes.len()),
        };
        let extreme = [0, 1, 0x7f, 0x80, 0xff][stream.below(5)];
        match stream.below(6) {
            0 => bytes[at] ^= 1 << stream.below(8),
            1 => bytes[at] = extreme,
            2 => bytes[at] = stream.bits() as u8,
            3 => {
                let end = (at + 1 + stream.below(8)).min(bytes.len());
                bytes[at..end].fill(extreme);
            }
            4 if bytes.len() > 8 => bytes.truncate(bytes.len() - stream.below(bytes.len() / 2)),
            _ => bytes.insert(at, extreme),
        }
    }
    bytes
}

#[test]
fn ten_thousand_damaged_images_are_read_or_refused() {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let valid: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let mut n_refused = 0;
    for index in 0..10_000 {
        let bytes = mutate(&valid[index as usize % valid.len()], index);
        let largest = 40_000 * bytes.len() as u64;
        let Ok(file) = ImageFile::from_bytes(bytes) else {
            n_refused += 1;
            continue;
        };
        assert!(file.grid().n_pixels() as u64 <= largest * 8, "an allocation bomb");
        let channels = 0..file.channels().len();
        n_refused += i32::from(channels.map(|c| file.intensities(c)).any(|image| image.is_err()));
        let _ = file.labels();
    }
    println!("{n_refused} of 10000 damaged images were refused");
    assert!(n_refused > 1000);
}
