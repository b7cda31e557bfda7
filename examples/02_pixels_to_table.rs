//! From an image to labels to a table: segment, measure, and compare with what is known of the image.

use polariscope::prelude::*;
use polariscope::segment::compare;

fn main() -> polariscope::Result<()> {
    let image = IntensityImage::open("datasets/blobs.tif")?;
    let truth = LabelImage::open("datasets/blobs_labels.tif")?;

    let segmentation = Segmentation::params(Method::VoronoiOtsu).spot_sigma(4.0).outline_sigma(1.0);
    let labels = segmentation.segment(&image)?.labels()?;
    let table = Regions::params().intensity(&image).measure(&labels)?;

    let found = compare(&truth, &labels, 0.5)?;
    println!("{} objects, {} columns", table.height(), table.width());
    println!("{} of {} true objects found, {} false", found.tp, found.n_truth, found.fp);
    Ok(())
}
