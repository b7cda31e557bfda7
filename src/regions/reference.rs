//! The tables of scikit-image, clEsperanto and `SimpleITK`, and invariances that no reference is needed for.

use std::path::PathBuf;

use polars::prelude::{AnyValue, DataFrame};
use serde_json::Value;

use super::{Names, Regions, Selection};
use crate::image::{Grid, IntensityImage, LabelImage};

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
                let allowed = if exact { 0.0 } else { RELATIVE * e.abs().max(1e-3).max(size[row]) };
                if (f - e).abs() > allowed {
                    wrong.push(format!("{} row {row} {name}: {f}, not {e}", case.name));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(60)].join("\n")
    );
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
