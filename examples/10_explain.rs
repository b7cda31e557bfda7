//! Why does the forest say so? SHAP values for all objects, and for one.

use polariscope::prelude::*;

fn main() -> polariscope::Result<()> {
    let table = Table::open("datasets/blobs.csv")?;
    let wanted = ["aspect_ratio", "area", "solidity", "intensity_mean"];
    let features = Features::from_frame(&table.frame, Columns::measurements().features(wanted))?;
    let scaled = features.standardized()?;
    let groups = KMeans::params(2).fit(&scaled)?;

    let forest = RandomForest::params().fit(&features.labelled(groups.labels())?)?;
    let shap = TreeShap::of(&forest).explain(&features)?;

    let importances = shap.importances();
    for feature in shap.ranking() {
        println!("{:15} {:.3}", shap.features[feature], importances[feature]);
    }

    // The probability that object 1 belongs to group 2, taken apart.
    let mut probability = shap.base[1];
    println!("\nany object      {probability:.3}");
    for (feature, name) in shap.features.iter().enumerate() {
        let part = shap.values[[0, feature, 1]];
        probability += part;
        println!("{name:15} {part:+.3}");
    }
    println!("object 1        {probability:.3}");
    Ok(())
}
