//! Which columns enter the analysis and which do not, and why one scale for all matters.

use polariscope::prelude::*;
use polariscope::table::Scaler;

fn main() -> polariscope::Result<()> {
    let table = Table::open("datasets/blobs.csv")?;

    let columns = Columns::of(&table.frame);
    println!("{} of {} columns are features", columns.features().len(), columns.iter().count());
    println!("not: {}", columns.left_out());

    // A choice of your own: shape only, no size, no brightness.
    let shape = Columns::measurements().features(["aspect_ratio", "solidity", "extent"]);
    let features = Features::from_frame(&table.frame, shape)?;

    let scaler = Scaler::fit(&features, Scale::Zscore);
    let standardized = features.standardized()?;
    for (column, name) in features.names().iter().enumerate() {
        let (mean, sd) = (scaler.center()[column], scaler.scale()[column]);
        let first = (features.matrix()[[0, column]], standardized.matrix()[[0, column]]);
        println!("{name:12} mean {mean:.3}, sd {sd:.3}: {:.3} becomes {:.3}", first.0, first.1);
    }
    Ok(())
}
