//! From an image to labels, tile by tile, and a comparison with what is known of the image.

use polariscope::prelude::*;
use polariscope::segment::compare;

fn main() -> polariscope::Result<()> {
    let image = IntensityImage::open("datasets/blobs.tif")?;
    let truth = LabelImage::open("datasets/blobs_labels.tif")?;

    let segmentation = Segmentation::params(Method::VoronoiOtsu).spot_sigma(4.0).outline_sigma(1.0);
    let labels = segmentation.segment(&image)?.labels()?;
    let tiled = segmentation.tile(64).segment(&image)?.labels()?;
    println!("the same labels by tiles of 64 pixels: {}", labels.pixels() == tiled.pixels());

    let found = compare(&truth, &labels, 0.5)?;
    println!("{} of {} true objects found, {} false", found.tp, found.n_truth, found.fp);
    if let Some(iou) = found.mean_matched_iou {
        println!("matched objects overlap by {:.0} %", 100.0 * iou);
    }
    Ok(())
}
