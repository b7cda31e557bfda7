//! A few marked pixels become a forest, the forest finds objects, and SHAP says by what it knows them.

use polariscope::apoc::ObjectSegmenter;
use polariscope::prelude::*;
use polariscope::segment::compare;

fn main() -> polariscope::Result<()> {
    let image = [IntensityImage::open("datasets/blobs.tif")?];
    // 1 is ground, 2 is blob, 0 says nothing.
    let marks = LabelImage::open("datasets/blobs_pixel_annotation.tif")?;
    let truth = LabelImage::open("datasets/blobs_labels.tif")?;

    let mut trainer = ObjectSegmenter::params("object_size_1_to_5_px")?;
    trainer.add(&image, &marks)?;
    let segmenter = trainer.fit()?;

    let found = compare(&truth, &segmenter.predict(&image)?, 0.5)?;
    println!("{} of {} true objects found, {} false", found.tp, found.n_truth, found.fp);

    let why = segmenter.explain_pixels(&image, 2)?;
    for &feature in &why.ranking()[..3] {
        println!("{:.3} {}", why.importances[feature], why.features[feature]);
    }
    // Features that move together share what they explain.
    println!("{} families of features that move together", why.together.len());
    Ok(())
}
