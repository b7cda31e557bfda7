//! Segmentation beside its peers: `voronoi-otsu IMAGE` and `components MASK`, both files of any readable kind.

use polariscope::image::IntensityImage;
use polariscope::segment::{Connectivity, Method, Segmentation, labels};
use serde_json::{Value, json};

use crate::peer::timed;

/// Runs one of the stages of this topic.
pub fn run(stage: &str, arguments: &[String]) -> Option<Value> {
    let path = arguments.first()?;
    match stage {
        "voronoi-otsu" => {
            let image = IntensityImage::open(path).unwrap();
            let params =
                Segmentation::params(Method::VoronoiOtsu).spot_sigma(4.0).outline_sigma(1.0);
            let (cpu, wall, labels) = timed(|| params.segment(&image).unwrap().labels().unwrap());
            Some(json!({"cpu": cpu, "wall": wall, "n": labels.max_label()}))
        }
        "components" => {
            let mask = IntensityImage::open(path).unwrap();
            // The kernel counts CPU time in hundredths of a second: twenty labellings make one.
            let repeats = 20;
            let work = || labels::components_of(&mask, Connectivity::Corners).unwrap();
            let (cpu, wall, labels) = timed(|| {
                (1..repeats).for_each(|_| drop(work()));
                work()
            });
            let each = f64::from(repeats);
            Some(json!({"cpu": cpu / each, "wall": wall / each, "n": labels.max_label()}))
        }
        _ => None,
    }
}
