//! What must not change the table: tiles, threads, order, processes; and what changes it in a known way.

use std::io::Cursor;

use ndarray::{Array2, array};
use polars::prelude::{DataFrame, ParquetReader, ParquetWriter, SerReader};

use super::{Accumulator, Names, Regions, Selection};
use crate::image::synth::Blobs;
use crate::image::{Grid, ImageFile, IntensityImage, LabelImage};

/// Touching objects, cut by the border, in two and three dimensions, with integer and float values.
fn images() -> Vec<(LabelImage, IntensityImage)> {
    let image = |shape: &[usize], cell: usize| {
        let grid = Grid::new(shape).unwrap();
        let [_, n_rows, n_columns] = grid.extent();
        let place = |i: usize| [i / n_columns / n_rows, i / n_columns % n_rows, i % n_columns];
        let label = |i: usize| {
            let [z, y, x] = place(i);
            let wave = (y as f64 / 7.0).sin() * 5.0 + (x as f64 / 5.0).cos() * 4.0;
            let (y, x) = ((y as f64 + wave) as usize / cell, (x as f64 + wave) as usize / cell);
            if (z + y + x) % 5 == 0 { 0 } else { (7 * (z / cell) + 40 * y + 3 * x) as u32 + 1 }
        };
        let n = grid.n_pixels();
        let values: Vec<f32> =
            (0..n).map(|i| (i as f32 * 0.37).sin() * 1e3 / (1 + i % 97) as f32).collect();
        let labels = LabelImage::new(grid.clone(), (0..n).map(label).collect()).unwrap();
        (labels, IntensityImage::new(grid, values).unwrap())
    };
    vec![image(&[120, 230], 23), image(&[14, 30, 41], 9)]
}

/// The bytes of every column, nulls included.
fn bytes(table: &DataFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut table.clone()).unwrap();
    bytes
}

#[test]
fn tiles_and_threads_give_the_same_bytes() {
    for (labels, image) in images() {
        let params = Regions::params().channel("a", &image).properties(Selection::All);
        let whole = bytes(&params.measure(&labels).unwrap());
        for tile in [5, 37, 100, 500] {
            let table = params.clone().tile(tile).measure(&labels).unwrap();
            assert!(bytes(&table) == whole, "tile {tile}");
        }
        for n_threads in [1, 2, 7] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            let table = pool.install(|| params.measure(&labels)).unwrap();
            assert!(bytes(&table) == whole, "{n_threads} threads");
        }
    }
}

/// The part of an image in `rows` and `columns`.
fn cut(
    labels: &LabelImage,
    image: &IntensityImage,
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
) -> (LabelImage, IntensityImage) {
    let width = labels.shape()[1];
    let places = rows.clone().flat_map(|y| columns.clone().map(move |x| y * width + x));
    let grid = Grid::new(&[rows.len(), columns.len()]).unwrap();
    let pixels = places.clone().map(|i| labels.pixels()[i]).collect();
    let values: Vec<f32> = places.map(|i| image.pixels().get(i) as f32).collect();
    (LabelImage::new(grid.clone(), pixels).unwrap(), IntensityImage::new(grid, values).unwrap())
}

#[test]
fn processes_share_an_image_through_parquet() {
    let (labels, image) = images().swap_remove(0);
    for selection in [Selection::Core, Selection::All] {
        let params = Regions::params().channel("a", &image).properties(selection.clone());
        let whole = bytes(&params.measure(&labels).unwrap());
        let mut all: Option<Accumulator> = None;
        // Later tiles first, each from a "process" of its own.
        for (y, x) in [(1, 1), (0, 1), (1, 0), (0, 0)] {
            let (tile, values) = cut(&labels, &image, 61 * y..61 + 59 * y, 99 * x..99 + 131 * x);
            let mut part = Accumulator::new(labels.shape(), 1).unwrap();
            if selection == Selection::All {
                part = part.keep_values();
            }
            part.push(&[61 * y, 99 * x], &tile, &[&values]).unwrap();
            let mut file = Vec::new();
            ParquetWriter::new(&mut file).finish(&mut part.to_frame().unwrap()).unwrap();
            let frame = ParquetReader::new(Cursor::new(file)).finish().unwrap();
            let part = Accumulator::from_frame(&frame).unwrap();
            match &mut all {
                Some(all) => all.combine(part).unwrap(),
                None => all = Some(part),
            }
        }
        assert!(bytes(&params.measure_objects(all.unwrap()).unwrap()) == whole);
    }
}

/// A numpy file in memory.
fn npy(dtype: &str, shape: &[usize], data: impl Iterator<Item = [u8; 4]>) -> ImageFile {
    let shape: Vec<String> = shape.iter().map(ToString::to_string).collect();
    let header = format!(
        "{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({}), }}",
        shape.join(", ")
    );
    let header = format!("{header:117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(header.into_bytes());
    bytes.extend(data.flatten());
    ImageFile::from_bytes(bytes).unwrap()
}

#[test]
fn files_are_measured_tile_by_tile() {
    for (labels, image) in images() {
        let label_file =
            npy("<u4", labels.shape(), labels.pixels().iter().map(|l| l.to_le_bytes()));
        let values = image.pixels().to_f32().into_iter().map(f32::to_le_bytes);
        let image_file = npy("<f4", labels.shape(), values);
        let whole =
            Regions::params().channel("a", &image).properties(Selection::All).measure(&labels);
        let params = Regions::params().properties(Selection::All).tile(50);
        let table = params.measure_files(&label_file, &[("a".to_owned(), &image_file, 0)]);
        assert!(bytes(&table.unwrap()) == bytes(&whole.unwrap()));
    }
}

#[test]
fn what_tiles_cannot_do_is_said() {
    let tile = LabelImage::from(array![[1, 1]]);
    let mut objects = Accumulator::new(&[2, 3], 0).unwrap();
    objects.push(&[0, 0], &tile, &[]).unwrap();
    assert!(objects.push(&[0, 2], &tile, &[]).is_err());
    assert!(objects.push(&[0], &tile, &[]).is_err());
    objects.push(&[0, 1], &tile, &[]).unwrap();
    let error = Regions::params().measure_objects(objects.clone()).unwrap_err();
    assert_eq!(error.message(), "tiles overlap in object 1, row 0 of the image");
    assert!(objects.combine(Accumulator::new(&[2, 4], 0).unwrap()).is_err());
    assert!(Accumulator::new(&[3], 0).is_err());
    assert!(Accumulator::from_frame(&DataFrame::empty()).is_err());
}

#[test]
fn no_object_gives_the_columns_and_no_row() {
    for (empty, some) in [
        (LabelImage::from(Array2::zeros((4, 5))), LabelImage::from(Array2::ones((4, 5)))),
        (LabelImage::from(Array2::zeros((0, 0))), LabelImage::from(Array2::ones((1, 1)))),
    ] {
        for selection in [Selection::Core, Selection::All] {
            for names in [Names::Canonical, Names::Skimage, Names::Lecture] {
                let params = Regions::params().properties(selection.clone()).names(names);
                let (none, one) = (params.measure(&empty).unwrap(), params.measure(&some).unwrap());
                assert_eq!((none.height(), one.height()), (0, 1));
                assert_eq!(none.schema(), one.schema());
            }
        }
    }
}

#[test]
fn wishes_that_cannot_be_met_are_said() {
    let labels = LabelImage::from(array![[1, 0], [0, 2]]);
    let image = IntensityImage::from_array(array![[1u8, 2], [3, 4]]).unwrap();
    let wide = IntensityImage::from_array(array![[1u8, 2, 3], [3, 4, 5]]).unwrap();
    let named = |name: &str| Regions::params().properties(name.parse().unwrap()).measure(&labels);
    let unknown = named("perimiter").unwrap_err();
    assert_eq!(unknown.remedy(), Some("did you mean `perimeter`?"));
    assert!(named("intensity_mean").is_err() && named("volume_of_sound").is_err());
    assert!("area,,perimeter".parse::<Selection>().is_err());
    let params = Regions::params();
    assert!(params.clone().intensity(&wide).measure(&labels).is_err());
    assert!(params.clone().channel("a", &image).channel("a", &image).measure(&labels).is_err());
    assert!(params.clone().tile(0).measure(&labels).is_err());
    for spacing in [&[1.0][..], &[1.0, 0.0], &[1.0, f64::NAN], &[1.0, 2.0, 3.0]] {
        assert!(params.clone().spacing(spacing).measure(&labels).is_err());
    }
}

#[test]
fn names_choose_columns() {
    let labels = LabelImage::from(array![[1, 1], [0, 2]]);
    let image = IntensityImage::from_array(array![[1u8, 2], [3, 4]]).unwrap();
    let names = |names: &str| -> Vec<String> {
        let params = Regions::params().channel("dapi", &image).properties(names.parse().unwrap());
        let table = params.measure(&labels).unwrap();
        table.get_column_names().into_iter().map(ToString::to_string).collect()
    };
    assert_eq!(names("area"), ["label", "area"]);
    assert_eq!(names("major_axis_length,label"), ["label", "axis_major_length"]);
    assert_eq!(names("moments_hu_3,centroid_x"), ["label", "moments_hu_3", "centroid_x"]);
    assert_eq!(names("centroid-0,bbox_y_max"), ["label", "centroid_y", "bbox_y_max"]);
    let quantile = ["label", "intensity_quantile_90__dapi", "intensity_mean__dapi"];
    assert_eq!(names("intensity_quantile_90,intensity_mean"), quantile);
    assert_eq!(names("area,core")[..3], ["label", "area", "num_pixels"]);
}

#[test]
fn turning_and_moving_an_image() {
    let blobs = Blobs::params().shape(&[90, 120]).n_objects(12).seed(3).make().unwrap();
    let labels = blobs.labels;
    let view = labels.array().into_dimensionality::<ndarray::Ix2>().unwrap();
    let turned = LabelImage::from(view.reversed_axes().to_owned());
    let mut moved = Array2::zeros((100, 135));
    moved
        .slice_mut(ndarray::s![4..94, 9..129])
        .assign(&labels.array().into_dimensionality::<ndarray::Ix2>().unwrap());
    let measure =
        |labels: &LabelImage| Regions::params().properties(Selection::All).measure(labels).unwrap();
    let (plain, turned, moved) =
        (measure(&labels), measure(&turned), measure(&LabelImage::from(moved)));
    let same = [
        "area",
        "perimeter",
        "perimeter_crofton",
        "area_convex",
        "area_filled",
        "euler_number",
        "feret_diameter_max",
        "feret_diameter_min",
        "axis_major_length",
        "contact_length",
        "moments_hu_0",
    ];
    for name in same {
        let column = |table: &DataFrame| {
            table
                .column(name)
                .unwrap()
                .cast(&polars::prelude::DataType::Float64)
                .unwrap()
                .f64()
                .unwrap()
                .to_vec()
        };
        for (other, what) in [(&turned, "turned"), (&moved, "moved")] {
            for (a, b) in column(&plain).into_iter().zip(column(other)) {
                let (a, b) = (a.unwrap(), b.unwrap());
                assert!((a - b).abs() <= 1e-12 * a.abs(), "{what} {name}: {a} {b}");
            }
        }
    }
}
