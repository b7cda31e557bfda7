//! The tables of scikit-image, clEsperanto and `SimpleITK`, and invariances that no reference is needed for.

use std::f64::consts::PI;
use std::path::PathBuf;

use polars::prelude::{AnyValue, DataFrame};
use serde_json::Value;

use super::{Names, Regions, Selection};
use crate::image::{Grid, ImageFile, IntensityImage, LabelImage};

/// A few roundings of f64; scikit-image's own are of this size.
const RELATIVE: f64 = 1e-9;

/// What integers decide must be equal to the last bit of the final formula.
const EXACT: [&str; 11] = [
    "label",
    "num_pixels",
    "area",
    "area_bbox",
    "area_convex",
    "area_filled",
    "bbox",
    "euler_number",
    "intensity_max",
    "intensity_min",
    "moments-",
];

struct Case {
    name: String,
    labels: LabelImage,
    intensity: IntensityImage,
    table: Vec<(String, Vec<Option<f64>>)>,
}

fn cases() -> Vec<Case> {
    let text = include_str!("../../tests/reference/regions.json");
    let file: Value = serde_json::from_str(text).unwrap();
    let number = |v: &Value| v.as_f64();
    let list =
        |v: &Value| -> Vec<f64> { v.as_array().unwrap().iter().filter_map(number).collect() };
    file["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| {
            let shape: Vec<usize> = list(&case["shape"]).iter().map(|&s| s as usize).collect();
            let grid =
                Grid::new(&shape).unwrap().with_spacing(&list(&case["spacing"]), None).unwrap();
            let labels = list(&case["labels"]).iter().map(|&l| l as u32).collect();
            let pixels: Vec<u8> = list(&case["intensity"]).iter().map(|&i| i as u8).collect();
            let columns = case["table"].as_object().unwrap().iter();
            Case {
                name: case["name"].as_str().unwrap().to_owned(),
                labels: LabelImage::new(grid.clone(), labels).unwrap(),
                intensity: IntensityImage::new(grid, pixels).unwrap(),
                table: columns
                    .map(|(name, values)| {
                        (name.clone(), values.as_array().unwrap().iter().map(number).collect())
                    })
                    .collect(),
            }
        })
        .collect()
}

#[test]
fn textures_equal_mahotas() {
    let text = include_str!("../../tests/reference/texture.json");
    let file: Value = serde_json::from_str(text).unwrap();
    let list = |v: &Value| -> Vec<f64> {
        v.as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect()
    };
    for case in file["cases"].as_array().unwrap() {
        let shape: Vec<usize> = list(&case["shape"]).iter().map(|&s| s as usize).collect();
        let grid = Grid::new(&shape).unwrap();
        let labels = list(&case["labels"]).iter().map(|&l| l as u32).collect();
        let labels = LabelImage::new(grid.clone(), labels).unwrap();
        let pixels: Vec<u8> = list(&case["intensity"]).iter().map(|&i| i as u8).collect();
        let image = IntensityImage::new(grid, pixels).unwrap();
        let textures = Regions::params().intensity(&image).properties("haralick".parse().unwrap());
        let table = textures.measure(&labels).unwrap();
        for (row, expected) in case["table"].as_array().unwrap().iter().enumerate() {
            for (feature, e) in list(expected).into_iter().enumerate() {
                let f = numbers(&table, &format!("haralick_{feature}"))[row].unwrap();
                assert!((f - e).abs() <= RELATIVE * e.abs(), "{shape:?} {feature}: {f}, not {e}");
            }
        }
    }
}

fn numbers(table: &DataFrame, column: &str) -> Vec<Option<f64>> {
    let column = table.column(column).unwrap_or_else(|_| panic!("no column {column}"));
    (0..table.height())
        .map(|row| match column.get(row).unwrap() {
            AnyValue::Null => None,
            value => Some(value.try_extract::<f64>().unwrap()),
        })
        .collect()
}

fn scale(values: &[Option<f64>]) -> f64 {
    values.iter().flatten().fold(0.0, |largest: f64, v| largest.max(v.abs()))
}

#[test]
fn equal_to_scikit_image() {
    let mut wrong = Vec::new();
    for case in cases() {
        let all = Regions::params()
            .intensity(&case.intensity)
            .properties(Selection::All)
            .names(Names::Skimage);
        let table = all.measure(&case.labels).unwrap();
        for (name, expected) in &case.table {
            if table.column(name).is_err() {
                wrong.push(format!("{}: no column {name}", case.name));
                continue;
            }
            let found = numbers(&table, name);
            // Central moments that vanish by symmetry are rounding in scikit-image: measured by the family's size.
            let family = name.split_once('-').map_or(name.as_str(), |(stem, _)| stem);
            let size = match family {
                "moments_central"
                | "moments_weighted_central"
                | "inertia_tensor"
                | "inertia_tensor_eigvals"
                | "moments_normalized"
                | "moments_weighted_normalized" => (0..expected.len())
                    .map(|row| {
                        let family_of = |c: &&(String, Vec<Option<f64>>)| {
                            c.0.starts_with(&format!("{family}-"))
                        };
                        scale(
                            &case
                                .table
                                .iter()
                                .filter(family_of)
                                .map(|c| c.1[row])
                                .collect::<Vec<_>>(),
                        )
                    })
                    .collect(),
                _ => vec![0.0; expected.len()],
            };
            for (row, (f, e)) in found.iter().zip(expected).enumerate() {
                let (Some(e), Some(f)) = (e, f) else {
                    if let (Some(e), None) = (e, f) {
                        wrong.push(format!("{} row {row} {name}: null, not {e}", case.name));
                    }
                    continue;
                };
                let exact = EXACT.iter().any(|p| name == p || name.starts_with(&format!("{p}-")));
                // A ratio of spacings costs a rounding.
                let allowed = if exact {
                    2.0 * f64::EPSILON * e.abs()
                } else {
                    RELATIVE * e.abs().max(1e-3).max(size[row])
                };
                // Both ends of the range of angles name the same axis.
                let opposite = name == "orientation" && ((f - e).abs() - PI).abs() < RELATIVE;
                if (f - e).abs() > allowed && !opposite {
                    wrong.push(format!("{} row {row} {name}: {f}, not {e}", case.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn shared(path: &str) -> Option<PathBuf> {
    let folder = std::env::var("POLARISCOPE_SHARED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").to_owned());
    let path = PathBuf::from(folder).join("data/expected").join(path);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: no ../shared/data");
    None
}

/// One of the shared label images with its image, and a function that reads its tables.
fn blobs(
    folder: &str,
) -> Option<(LabelImage, IntensityImage, impl Fn(&str) -> Vec<(String, Vec<f64>)>)> {
    let path = shared(folder)?;
    let labels = ImageFile::open(path.join("labels.tif")).unwrap().labels().unwrap();
    let image = ImageFile::open(path.join("image.tif")).unwrap().intensities(0).unwrap();
    let read = move |name: &str| {
        let text = std::fs::read_to_string(path.join(name)).unwrap();
        let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let header = lines.next().unwrap();
        let rows: Vec<Vec<&str>> = lines.collect();
        let column = |i: usize| rows.iter().map(|row| row[i].parse().unwrap_or(f64::NAN)).collect();
        header.iter().enumerate().map(|(i, name)| ((*name).to_owned(), column(i))).collect()
    };
    Some((labels, image, read))
}

const FOLDERS: [&str; 3] = ["blobs_gt120_44", "blobs_gt120_64", "blobs_voronoi_otsu_3.5_1"];

/// Every column of `expected` that `ours` knows under the name that `rename` gives, within `relative`.
fn check_shared(
    ours: &DataFrame,
    expected: &[(String, Vec<f64>)],
    rename: impl Fn(&str) -> Option<String>,
    relative: f64,
) -> usize {
    let mut n_columns = 0;
    for (name, values) in expected {
        let Some(column) = rename(name) else { continue };
        n_columns += 1;
        let found = numbers(ours, &column);
        assert_eq!(found.len(), values.len(), "{name}");
        // What vanishes by symmetry is rounding there: measured by the family's largest.
        let stem =
            name.split('-').next().filter(|s| s.starts_with("moments") || s.starts_with("inertia"));
        let family = expected
            .iter()
            .filter(|(other, _)| stem.is_some_and(|stem| other.starts_with(&format!("{stem}-"))));
        let family: Vec<&Vec<f64>> = family.map(|(_, values)| values).collect();
        for (row, (f, e)) in found.iter().zip(values).enumerate() {
            let Some(f) = f.filter(|_| !e.is_nan()) else { continue };
            let size = family.iter().fold(e.abs(), |size, values| size.max(values[row].abs()));
            let allowed = relative * size;
            let opposite = name == "orientation" && ((f - e).abs() - PI).abs() < relative;
            assert!((f - e).abs() <= allowed || opposite, "row {row} {name}: {f}, not {e}");
        }
    }
    n_columns
}

#[test]
fn equal_to_the_shared_tables_of_scikit_image() {
    for folder in FOLDERS {
        let Some((labels, image, read)) = blobs(folder) else { return };
        let params = Regions::params().intensity(&image).properties(Selection::All);
        let table = params.clone().names(Names::Skimage).measure(&labels).unwrap();
        let rename = |name: &str| match name {
            "standard_deviation_intensity" => Some("intensity_std".to_owned()),
            name => Some(name.to_owned()),
        };
        assert!(check_shared(&table, &read("skimage_regionprops.csv"), rename, RELATIVE) > 100);
        // The lecture's own columns, from napari-skimage-regionprops: every printed digit.
        let table = params.names(Names::Lecture).measure(&labels).unwrap();
        let expected = read("nsr_regionprops.csv");
        let n_columns = check_shared(&table, &expected, |name| Some(name.to_owned()), 1e-12);
        assert_eq!(n_columns, 31);
    }
}

#[test]
fn equal_to_the_shared_tables_of_simpleitk_and_clesperanto() {
    for folder in FOLDERS {
        let Some((labels, image, read)) = blobs(folder) else { return };
        let table = Regions::params()
            .intensity(&image)
            .properties(Selection::All)
            .measure(&labels)
            .unwrap();
        let itk = |name: &str| match name {
            "number_of_pixels" => Some("num_pixels".to_owned()),
            "minimum" => Some("intensity_min".to_owned()),
            "maximum" => Some("intensity_max".to_owned()),
            "mean" => Some("intensity_mean".to_owned()),
            "sum" => Some("intensity_sum".to_owned()),
            "perimeter" => Some("perimeter_crofton".to_owned()),
            "centroid_0" => Some("centroid_x".to_owned()),
            "centroid_1" => Some("centroid_y".to_owned()),
            _ => None,
        };
        assert_eq!(check_shared(&table, &read("sitk_label_statistics.csv"), itk, 1e-12), 8);
        let cle = |name: &str| match name {
            "area" => Some("area".to_owned()),
            "min_intensity" => Some("intensity_min".to_owned()),
            "max_intensity" => Some("intensity_max".to_owned()),
            "mean_intensity" => Some("intensity_mean".to_owned()),
            "standard_deviation_intensity" => Some("intensity_std".to_owned()),
            "mass_center_x" => Some("centroid_weighted_x".to_owned()),
            "mean_distance_to_centroid" => Some("distance_to_centroid_mean".to_owned()),
            "max_distance_to_centroid" => Some("distance_to_centroid_max".to_owned()),
            "mean_max_distance_to_centroid_ratio" => {
                Some("distance_to_centroid_max_mean_ratio".to_owned())
            }
            "average_distance_of_n1_nearest_neighbors" => {
                Some("nearest_neighbor_distance_0".to_owned())
            }
            "average_distance_of_n6_nearest_neighbors" => {
                Some("nearest_neighbor_distance_5".to_owned())
            }
            _ => None,
        };
        // clEsperanto computes in f32.
        let single = 2e-4;
        assert_eq!(
            check_shared(&table, &read("cle_statistics_of_labelled_pixels.csv"), cle, single),
            9
        );
        assert_eq!(
            check_shared(&table, &read("cle_statistics_of_labelled_neighbors.csv"), cle, single),
            2
        );
    }
}
