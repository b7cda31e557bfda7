//! Zarr stores that zarr-python and ome-zarr-py wrote are read as they are meant, damaged ones are refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use polariscope::image::synth::Blobs;
use polariscope::image::{Grid, ImageFile, IntensityImage, LabelImage, check_output};
use polariscope::output::Existing;
use polariscope::seed::Seed;
use polariscope::segment::{Method, Segmentation};
use serde_json::{Value, json};

fn stored(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/zarr").join(name)
}

/// A folder of this test's own, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("stores-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// What `make_zarr.py` put into every store.
fn expected(channel: usize, n_layers: usize, modulus: usize) -> Vec<f64> {
    let value = |z: usize, y: usize, x: usize| {
        ((97 * channel + 31 * z + 7 * (y / 2) + 3 * (x / 3)) % modulus) as f64
    };
    (0..n_layers)
        .flat_map(|z| (0..19).flat_map(move |y| (0..27).map(move |x| value(z, y, x))))
        .collect()
}

fn check(name: &str, n_layers: usize, n_channels: usize, modulus: usize) {
    let channels = IntensityImage::open_channels(stored(name)).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(channels.len(), n_channels, "{name}");
    for (c, channel) in channels.iter().enumerate() {
        let shape = [&[n_layers][..usize::from(n_layers > 1)], &[19, 27]].concat();
        assert_eq!(channel.shape(), shape, "{name}");
        assert_eq!(channel.pixels().to_f64(), expected(c, n_layers, modulus), "{name}, {c}");
    }
}

fn refused(result: polariscope::Result<impl std::fmt::Debug>, words: &str) {
    let error = result.unwrap_err();
    assert!(error.to_string().contains(words), "{error}");
    assert!(error.remedy().is_some(), "no remedy for: {error}");
}

#[test]
fn bare_arrays_of_every_type_and_packing() {
    for kind in "u1 u2 u4 u8 i1 i2 i4 i8 f2 f4 f8".split(' ') {
        check(&format!("type_{kind}_v2.zarr"), 1, 1, 100);
        check(&format!("type_{kind}_v3.zarr"), 1, 1, 100);
    }
    check("bool.zarr", 1, 1, 2);
    let packed = "v2_gzip v2_zlib v2_zstd v2_blosc_lz4 v2_blosc_zstd v2_blosc_bits v2_big_endian v2_nested \
                  v3_gzip v3_zstd v3_blosc v3_big_endian";
    for name in packed.split_whitespace() {
        check(&format!("{name}.zarr"), 1, 1, 200);
    }
    for name in ["v2_fortran", "v3_transposed", "v3_sharded"] {
        check(&format!("{name}.zarr"), 3, 1, 200);
    }
    check("v3_named.zarr", 1, 2, 200);
    check("five.zarr", 3, 2, 200);
    // Chunks that were never written hold the fill value.
    let empty = IntensityImage::open(stored("empty.zarr")).unwrap();
    assert!(empty.pixels().to_f64().iter().all(|v| *v == 7.0));
}

#[test]
fn ome_zarr_tells_axes_names_spacing_and_labels() {
    for name in ["ome_04.ome.zarr", "ome_05.ome.zarr"] {
        check(name, 3, 2, 200);
        let file = ImageFile::open(stored(name)).unwrap();
        assert_eq!(file.channels(), [Some("DAPI".to_owned()), Some("GFP".to_owned())], "{name}");
        assert!(ImageFile::holds_labels_too(stored(name)));
        // Labels are found from the image, from their list and by name.
        for place in [name.to_owned(), format!("{name}/labels"), format!("{name}/labels/cells")] {
            let labels = LabelImage::open(stored(&place)).unwrap();
            assert_eq!(labels.grid().spacing(), [2.5, 0.25, 0.25]);
            assert_eq!(labels.grid().unit(), Some("µm"));
            let numbers = expected(0, 3, 200);
            let same =
                labels.pixels().iter().zip(&numbers).all(|(l, v)| f64::from(*l) == v % 100.0);
            assert!(same, "{place}");
        }
    }
    assert_eq!(ImageFile::open(stored("ome_05.ome.zarr")).unwrap().chunk(), [10, 9]);
    refused(LabelImage::open(stored("two_labels.ome.zarr")), "holds 2 label images");
    assert!(LabelImage::open(stored("two_labels.ome.zarr/labels/nuclei")).is_ok());
    assert!(IntensityImage::open(stored("two_labels.ome.zarr")).is_ok());
}

#[test]
fn what_cannot_be_read_is_said() {
    refused(ImageFile::open(stored("time.zarr")), "2 time points");
    refused(ImageFile::open(stored("")), "is a folder");
    refused(LabelImage::open(stored("type_f4_v3.zarr")), "float32");
    refused(IntensityImage::open(stored("v3_named.zarr")), "2 channels");
    let here = folder("malformed");
    let group = |ome: Value| {
        let store = here.join("x.zarr");
        let _ = fs::remove_dir_all(&store);
        fs::create_dir_all(&store).unwrap();
        let attributes =
            json!({ "zarr_format": 3, "node_type": "group", "attributes": { "ome": ome } });
        fs::write(store.join("zarr.json"), attributes.to_string()).unwrap();
        ImageFile::open(store)
    };
    refused(group(json!({})), "without an image");
    refused(group(json!({ "multiscales": [{}] })), "no dataset");
    let outside = json!({ "multiscales": [{ "datasets": [{ "path": "../../secret" }] }] });
    refused(group(outside), "not inside the store");
    refused(group(json!({ "multiscales": [{ "datasets": [{ "path": "0" }] }] })), "cannot be read");
    let plate = json!({ "plate": { "wells": [{ "path": "A/1" }, { "path": "A/2" }] } });
    refused(group(plate), "2 wells of a plate");
    fs::write(here.join("x.zarr/zarr.json"), "{ not json").unwrap();
    refused(ImageFile::open(here.join("x.zarr")), "cannot be read");
    // Terabytes are promised, nothing is there.
    let array = fs::read_to_string(stored("v3_zstd.zarr/zarr.json")).unwrap();
    let mut array: Value = serde_json::from_str(&array).unwrap();
    array["shape"] = json!([2_000_000, 2_000_000]);
    fs::write(here.join("x.zarr/zarr.json"), array.to_string()).unwrap();
    refused(ImageFile::open(here.join("x.zarr")), "far more than its files can hold");
    array["chunk_grid"]["configuration"]["chunk_shape"] = json!([1_000_000, 1_000_000]);
    array["shape"] = json!([19, 27]);
    fs::write(here.join("x.zarr/zarr.json"), array.to_string()).unwrap();
    refused(ImageFile::open(here.join("x.zarr")), "chunks");
}

#[test]
fn any_region_is_a_part_of_the_whole() {
    let mut stream = Seed::new(7).stream("regions", 0);
    for name in [
        "ome_04.ome.zarr",
        "ome_05.ome.zarr",
        "v2_fortran.zarr",
        "v3_transposed.zarr",
        "v3_sharded.zarr",
    ] {
        let file = ImageFile::open(stored(name)).unwrap();
        let last = file.channels().len() - 1;
        let whole = file.intensities(last).unwrap();
        let [_, ny, nx] = file.grid().extent();
        for _ in 0..40 {
            let region = file.grid().extent().map(|length| {
                let start = stream.below(length);
                start..start + stream.below(length - start + 1)
            });
            let part = file.read(last, &region).unwrap();
            let [layers, rows, columns] = region;
            let places = layers.flat_map(|z| {
                let columns = columns.clone();
                rows.clone().flat_map(move |y| columns.clone().map(move |x| (z * ny + y) * nx + x))
            });
            let wanted: Vec<f64> = places.map(|i| whole.pixels().get(i)).collect();
            assert_eq!(part.to_f64(), wanted, "{name}");
        }
    }
}

#[test]
fn what_is_written_is_read_again() {
    let here = folder("written");
    let grid =
        Grid::new(&[3, 40, 600]).unwrap().with_spacing(&[2.0, 0.5, 0.25], Some("µm")).unwrap();
    let pixels: Vec<u32> = (0..3 * 40 * 600).map(|i| i / 7000 * 70_001).collect();
    let stack = LabelImage::new(grid, pixels).unwrap();
    let plane = Blobs::params().shape(&[530, 700]).n_objects(40).seed(1).make().unwrap();
    for (name, labels) in [("stack.ome.zarr", &stack), ("plane.zarr", &plane.labels)] {
        labels.save(here.join(name), Existing::Keep).unwrap();
        assert_eq!(&LabelImage::open(here.join(name)).unwrap(), labels, "{name}");
        refused(labels.save(here.join(name), Existing::Keep), "already exists");
        labels.save(here.join(name), Existing::Overwrite).unwrap();
    }
    plane.image.save(here.join("image.zarr"), Existing::Keep).unwrap();
    let image = IntensityImage::open(here.join("image.zarr")).unwrap();
    assert_eq!((image.pixels(), image.grid()), (plane.image.pixels(), plane.image.grid()));
    // What is no store is never replaced, and nothing is left beside the stores.
    fs::create_dir(here.join("precious.zarr")).unwrap();
    fs::write(here.join("precious.zarr/thesis.txt"), "years").unwrap();
    refused(check_output(&here.join("precious.zarr"), Existing::Overwrite), "not a Zarr store");
    refused(stack.save(here.join("precious.zarr"), Existing::Overwrite), "not a Zarr store");
    refused(stack.save(here.join("nowhere/a.zarr"), Existing::Keep), "does not exist");
    assert_eq!(fs::read_dir(&here).unwrap().count(), 4);
    other_readers_agree(&here.join("stack.ome.zarr"));
}

/// zarr-python reads the same numbers, where it is installed.
fn other_readers_agree(store: &Path) {
    let script = "import sys, zarr; g = zarr.open_group(sys.argv[1]); a = g['0'][...]; \
                  print(a.shape, int(a.astype('u8').sum()), g.attrs['ome']['version'])";
    match Command::new("python3").args(["-c", script]).arg(store).output() {
        Ok(output) if output.status.success() => {
            let sum: u64 = (0..3 * 40 * 600u64).map(|i| i / 7000 * 70_001).sum();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(said.trim(), format!("(3, 40, 600) {sum} 0.5"));
        }
        _ => println!("skipped: no zarr-python"),
    }
}

#[test]
fn stores_are_segmented_by_tiles_into_stores() {
    let here = folder("segmented");
    let image =
        Blobs::params().shape(&[300, 1100]).n_objects(60).gap(0.0).seed(3).make().unwrap().image;
    image.save(here.join("image.ome.zarr"), Existing::Keep).unwrap();
    let file = ImageFile::open(here.join("image.ome.zarr")).unwrap();
    let params = Segmentation::params(Method::VoronoiOtsu).spot_sigma(3.0).outline_sigma(1.0);
    let whole = params.segment(&image).unwrap().labels().unwrap();
    params
        .tile(257)
        .segment_file(&file, 0)
        .unwrap()
        .save(here.join("labels.ome.zarr"), Existing::Keep)
        .unwrap();
    assert_eq!(LabelImage::open(here.join("labels.ome.zarr")).unwrap().pixels(), whole.pixels());
}

/// Numbers and words that nobody expects, in the place of any value of the metadata.
fn spoil(value: &mut Value, stream: &mut polariscope::seed::Stream, left: &mut usize) {
    if *left == 0 {
        let wrong = [
            json!(null),
            json!(0),
            json!(-1),
            json!(1u64 << 33),
            json!(u64::MAX),
            json!(1e300),
            json!("uint16"),
            json!("../.."),
            json!([]),
            json!({}),
            json!([1, 2, 3, 4, 5, 6, 7]),
            json!(true),
        ];
        *value = wrong[stream.below(wrong.len())].clone();
    }
    *left = left.wrapping_sub(1);
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| spoil(item, stream, left)),
        Value::Object(fields) => fields.values_mut().for_each(|field| spoil(field, stream, left)),
        _ => {}
    }
}

fn n_values(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(n_values).sum(),
        Value::Object(fields) => fields.values().map(n_values).sum::<usize>(),
        _ => 0,
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let place = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), place).unwrap();
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if entry.is_dir() { found.extend(files(&entry)) } else { found.push(entry) }
    }
    found.sort();
    found
}

#[test]
fn thousands_of_damaged_stores_are_read_or_refused() {
    let here = folder("damaged");
    let names = [
        "ome_04.ome.zarr",
        "ome_05.ome.zarr",
        "v2_blosc_lz4.zarr",
        "v2_fortran.zarr",
        "v3_sharded.zarr",
        "v3_transposed.zarr",
        "v3_gzip.zarr",
    ];
    let mut n_refused = 0;
    for (number, name) in names.into_iter().enumerate() {
        let store = here.join(name);
        copy(&stored(name), &store);
        for file in files(&store) {
            let valid = fs::read(&file).unwrap();
            let parsed: Option<Value> = serde_json::from_slice(&valid).ok();
            let mut stream =
                Seed::new(13).stream(&file.file_name().unwrap().to_string_lossy(), number as u64);
            for index in 0..60 {
                let spoiled = match &parsed {
                    Some(parsed) if index % 2 == 0 => {
                        let mut copy = parsed.clone();
                        let mut left = stream.below(n_values(parsed));
                        spoil(&mut copy, &mut stream, &mut left);
                        copy.to_string().into_bytes()
                    }
                    _ => {
                        let mut bytes = valid.clone();
                        for _ in 0..=stream.below(3) {
                            let at = stream.below(bytes.len());
                            bytes[at] ^= 1 << stream.below(8);
                        }
                        bytes.truncate(bytes.len() - stream.below(2) * stream.below(bytes.len()));
                        bytes
                    }
                };
                fs::write(&file, spoiled).unwrap();
                for opened in [ImageFile::open(&store), ImageFile::open_labels(&store)] {
                    let Ok(image) = opened else {
                        n_refused += 1;
                        continue;
                    };
                    if image.grid().n_pixels() > 1 << 24 {
                        continue;
                    }
                    let all = (0..image.channels().len().min(4)).map(|c| image.intensities(c));
                    n_refused += i32::from(all.into_iter().any(|channel| channel.is_err()));
                    let _ = image.labels();
                }
            }
            fs::write(&file, valid).unwrap();
        }
    }
    println!("{n_refused} times a damaged store was refused");
    assert!(n_refused > 500);
}
