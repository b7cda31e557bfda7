//! A hypothesis is tested on new images: a classifier from one image, applied to another.

use polariscope::classify::metrics::Confusion;
use polariscope::image::synth::{Blob, Blobs};
use polariscope::prelude::*;

/// An image of blobs: its features as measured, and which of its blobs were drawn elongated.
fn image(seed: u64) -> polariscope::Result<(Features, Vec<usize>)> {
    let blobs = Blobs::params().radius(8.0, 12.0).seed(seed).make()?;
    let table = Regions::params().intensity(&blobs.image).measure(&blobs.labels)?;
    let drawn = |blob: &Blob| if blob.elongated { 2 } else { 1 };
    let truth = blobs.truth.iter().map(drawn).collect();
    Ok((Features::from_frame(&table, Columns::measurements())?, truth))
}

fn main() -> polariscope::Result<()> {
    let (first, _) = image(2026)?;
    let scaled = first.standardized()?;
    let groups = KMeans::params(2).fit(&scaled)?;
    let forest = RandomForest::params().fit(&first.labelled(groups.labels())?)?;

    for seed in [2027, 2028, 2029] {
        let (new, truth) = image(seed)?;
        let confusion = Confusion::of(&truth, &forest.assign(&new)?)?;
        println!("image {seed}: {} blobs, accuracy {:.2}", truth.len(), confusion.accuracy());
    }
    Ok(())
}
