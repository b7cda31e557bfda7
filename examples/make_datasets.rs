//! Makes the files of `datasets/`: run `cargo run --release --example make_datasets` in the repository.
//!
//! `blobs*` is an image of round and elongated blobs, `cells.csv` a table of simulated cells whose groups
//! are known. Both are drawn from fixed seeds.

use std::fmt::Write as _;
use std::path::Path;

use ndarray::Array2;
use polariscope::image::LabelImage;
use polariscope::image::synth::Blobs;
use polariscope::output::Existing;
use polariscope::regions::Regions;
use polariscope::seed::{Seed, Stream};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new("datasets");
    std::fs::create_dir_all(folder)?;
    let blobs = Blobs::params().radius(8.0, 12.0).seed(2026).make()?;
    blobs.image.save(folder.join("blobs.tif"), Existing::Overwrite)?;
    blobs.labels.save(folder.join("blobs_labels.tif"), Existing::Overwrite)?;
    let measured = Regions::params().intensity(&blobs.image).measure(&blobs.labels)?;
    polariscope::table::write(&measured, folder.join("blobs.csv"), Existing::Overwrite)?;
    std::fs::write(folder.join("blobs_truth.csv"), truth(&blobs))?;
    pixel_marks(&blobs).save(folder.join("blobs_pixel_annotation.tif"), Existing::Overwrite)?;
    object_marks(&blobs).save(folder.join("blobs_object_annotation.tif"), Existing::Overwrite)?;
    std::fs::write(folder.join("cells.csv"), cells(Seed::new(2026)))?;
    Ok(())
}

/// How every blob was made: what an analysis of `blobs.csv` should find.
fn truth(blobs: &Blobs) -> String {
    let mut table = String::from("label,truth,radius,aspect_ratio,brightness\n");
    for blob in &blobs.truth {
        let group = if blob.elongated { "elongated" } else { "round" };
        let (radius, aspect_ratio) = (blob.radius, blob.aspect_ratio);
        let _ = writeln!(
            table,
            "{},{group},{radius:.3},{aspect_ratio:.3},{:.1}",
            blob.label, blob.brightness
        );
    }
    table
}

/// Five strokes across the image: 1 on the ground, 2 on blobs, nothing near an edge.
fn pixel_marks(blobs: &Blobs) -> LabelImage {
    let labels = &blobs.labels;
    let (n, near) = (labels.shape()[1], 2);
    let at = |y: usize, x: usize| labels.pixels()[y * n + x];
    let mut marks = Array2::zeros((labels.shape()[0], n));
    for y in [30, 90, 150, 210, 270] {
        for x in near..n - near {
            let mut around =
                (y - near..=y + near).flat_map(|y| (x - near..=x + near).map(move |x| (y, x)));
            if around.all(|(v, w)| at(v, w) == at(y, x)) {
                marks[[y, x]] = 1 + u32::from(at(y, x) > 0);
            }
        }
    }
    LabelImage::from(marks)
}

/// The kind of the first twenty blobs: 1 round, 2 elongated.
fn object_marks(blobs: &Blobs) -> LabelImage {
    let kind = |label: u32| {
        let blob = blobs.truth.iter().find(|blob| blob.label == label && label <= 20);
        blob.map_or(0, |blob| 1 + u32::from(blob.elongated))
    };
    let shape = (blobs.labels.shape()[0], blobs.labels.shape()[1]);
    LabelImage::from(Array2::from_shape_fn(shape, |(y, x)| {
        kind(blobs.labels.pixels()[y * shape.1 + x])
    }))
}

/// One kind of simulated cell: its share, and the mean (and spread on the logarithm) of what differs.
struct Kind {
    name: &'static str,
    share: f64,
    area: f64,
    aspect_ratio: f64,
    roughness: f64,
    dapi: f64,
    gfp: f64,
    rfp: f64,
}

const KINDS: [Kind; 4] = [
    Kind {
        name: "resting",
        share: 0.45,
        area: 900.0,
        aspect_ratio: 1.2,
        roughness: 0.02,
        dapi: 120.0,
        gfp: 60.0,
        rfp: 80.0,
    },
    Kind {
        name: "migrating",
        share: 0.28,
        area: 1100.0,
        aspect_ratio: 2.3,
        roughness: 0.10,
        dapi: 115.0,
        gfp: 150.0,
        rfp: 85.0,
    },
    Kind {
        name: "dividing",
        share: 0.17,
        area: 640.0,
        aspect_ratio: 1.5,
        roughness: 0.04,
        dapi: 260.0,
        gfp: 70.0,
        rfp: 75.0,
    },
    Kind {
        name: "dying",
        share: 0.10,
        area: 330.0,
        aspect_ratio: 1.15,
        roughness: 0.16,
        dapi: 210.0,
        gfp: 35.0,
        rfp: 190.0,
    },
];

/// 3,000 cells of four kinds, 15 features each, in random order.
fn cells(seed: Seed) -> String {
    let mut table = String::from(
        "label,area,perimeter,axis_major_length,axis_minor_length,aspect_ratio,eccentricity,circularity,\
         solidity,extent,feret_diameter_max,intensity_mean__dapi,intensity_std__dapi,intensity_mean__gfp,\
         intensity_mean__rfp,intensity_std__rfp,truth\n",
    );
    for label in 1..=3000 {
        let mut stream = Seed::stream(seed, "cells", label);
        cell(&mut table, label, &mut stream);
    }
    table
}

fn cell(table: &mut String, label: u64, stream: &mut Stream) {
    let mut choice = stream.uniform();
    let kind = KINDS
        .iter()
        .find(|kind| {
            choice -= kind.share;
            choice < 0.0
        })
        .unwrap_or(&KINDS[0]);
    let mut spread = |mean: f64, sd: f64| mean * (sd * stream.normal()).exp();
    let area = spread(kind.area, 0.22).round();
    let aspect_ratio = 1.0 + spread(kind.aspect_ratio - 1.0 + 0.05, 0.35);
    let roughness = spread(kind.roughness, 0.4);
    // An ellipse of this area and aspect ratio, its outline lengthened by the roughness.
    let minor = (4.0 * area / (std::f64::consts::PI * aspect_ratio)).sqrt();
    let major = aspect_ratio * minor;
    let h = ((major - minor) / (major + minor)).powi(2);
    let ellipse = std::f64::consts::PI / 2.0
        * (major + minor)
        * (1.0 + 3.0 * h / (10.0 + (4.0 - 3.0 * h).sqrt()));
    let perimeter = ellipse * (1.0 + 0.5 * roughness) * spread(1.0, 0.01);
    let circularity = 4.0 * std::f64::consts::PI * area / (perimeter * perimeter);
    let eccentricity = (1.0 - 1.0 / (aspect_ratio * aspect_ratio)).sqrt();
    let solidity = (1.0 - 0.6 * roughness * spread(1.0, 0.15)).clamp(0.3, 1.0);
    let extent = (std::f64::consts::PI / 4.0 * solidity * spread(1.0, 0.05)).min(1.0);
    let feret = major * spread(1.03, 0.01);
    let (dapi, gfp, rfp) =
        (spread(kind.dapi, 0.18), spread(kind.gfp, 0.30), spread(kind.rfp, 0.25));
    let (dapi_sd, rfp_sd) = (dapi * spread(0.15 + 0.5 * roughness, 0.15), rfp * spread(0.2, 0.15));
    let _ = writeln!(
        table,
        "{label},{area},{perimeter:.3},{major:.3},{minor:.3},{aspect_ratio:.4},{eccentricity:.4},\
         {circularity:.4},{solidity:.4},{extent:.4},{feret:.3},{dapi:.2},{dapi_sd:.2},{gfp:.2},{rfp:.2},\
         {rfp_sd:.2},{}",
        kind.name
    );
}
