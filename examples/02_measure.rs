//! From a label image and its intensity image to a table: one row per object, one column per property.

use polariscope::prelude::*;
use polariscope::table::numbers_of;

fn main() -> polariscope::Result<()> {
    let labels = LabelImage::open("datasets/blobs_labels.tif")?;
    let image = IntensityImage::open("datasets/blobs.tif")?;

    let table = Regions::params().intensity(&image).measure(&labels)?;
    println!("{} objects, {} columns", table.height(), table.width());

    for name in ["label", "area", "aspect_ratio", "intensity_mean"] {
        let values = numbers_of(&table, name).expect("a column that is always measured");
        println!("{name:14} {:7.2} {:7.2} {:7.2}", values[0], values[1], values[2]);
    }
    Ok(())
}
