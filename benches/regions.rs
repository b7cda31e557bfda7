//! Region properties: `regions LABELS INTENSITY [properties=core|all|NAME,..] [tile=N]`, beside benches/peers/regions.py.

use std::hint::black_box;

use polariscope::image::{ImageFile, IntensityImage, LabelImage, Pixels};
use polariscope::regions::{Regions, Selection};
use polariscope::table::numbers_of;
use rayon::prelude::*;
use serde_json::{Value, json};

/// What the peers are asked for: scikit-image's names, and what of ours belongs to them.
const LIKE_THE_PEERS: &str = "core,moments,moments_central,moments_normalized,moments_hu";

/// The figures of one stage, or `None` when it is another topic's.
pub fn run(stage: &str, arguments: &[String]) -> Option<Value> {
    if stage != "regions" {
        return None;
    }
    let [labels, intensity, rest @ ..] = arguments else { panic!("regions LABELS INTENSITY") };
    let option = |key: &str| rest.iter().find_map(|a| a.strip_prefix(&format!("{key}=")));
    let labels = ImageFile::open(labels).and_then(|file| file.labels()).expect("labels");
    let image = ImageFile::open(intensity).and_then(|file| file.intensities(0)).expect("intensity");
    let properties: Selection =
        option("properties").unwrap_or(LIKE_THE_PEERS).parse().expect("names");
    let mut params = Regions::params().intensity(&image).properties(properties);
    if let Some(tile) = option("tile") {
        params = params.tile(tile.parse().expect("a number"));
    }
    // The kernel counts CPU time in hundredths of a second: ten measurements make one.
    let repeats = 10;
    let (cpu, wall, table) = crate::peer::timed(|| {
        (1..repeats).for_each(|_| drop(params.measure(&labels)));
        params.measure(&labels).expect("a table")
    });
    let sum = |name: &str| numbers_of(&table, name).map(|v| v.iter().sum::<f64>());
    let (cpu, floor) = (cpu / f64::from(repeats), floor(&labels, &image));
    Some(json!({
        "cpu": cpu,
        "wall": wall / f64::from(repeats),
        "floor": floor,
        "times_floor": cpu / floor,
        "n": table.height(),
        "columns": table.width(),
        "area": sum("area"),
        "perimeter": sum("perimeter"),
        "convex": sum("area_convex"),
        "feret": sum("feret_diameter_max"),
    }))
}

/// CPU seconds that it takes to read every pixel of both images and add them up: no measurement is quicker.
fn floor(labels: &LabelImage, image: &IntensityImage) -> f64 {
    let passes = 40;
    let (cpu, ..) = crate::peer::timed(|| {
        for _ in 0..passes {
            black_box(added(labels.pixels(), |v| v));
            black_box(match image.pixels() {
                Pixels::U8(values) => added(values, u32::from),
                Pixels::U16(values) => added(values, u32::from),
                _ => panic!("an image of 8 or 16 bits"),
            });
        }
    });
    cpu / f64::from(passes)
}

fn added<T: Copy + Sync>(values: &[T], number: impl Fn(T) -> u32 + Sync) -> u32 {
    let part = |part: &[T]| part.iter().fold(0u32, |sum, &v| sum.wrapping_add(number(v)));
    values.par_chunks(1 << 16).map(part).reduce(|| 0, u32::wrapping_add)
}
