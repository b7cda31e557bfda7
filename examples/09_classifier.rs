//! A random forest that learns the kind of a cell, judged on cells that it has not seen.

use polariscope::classify::validate::{cross_validate, stratified_k_fold};
use polariscope::output::Existing;
use polariscope::prelude::*;
use polariscope::table::Classes;

fn main() -> polariscope::Result<()> {
    let table = Table::open("datasets/cells.csv")?;
    let features = Features::from_frame(&table.frame, Columns::measurements())?;
    let kinds = Classes::of(&table.frame, "truth")?;
    let labels: Vec<usize> = kinds.labels.iter().flatten().copied().collect();

    let params = RandomForest::params().n_trees(100).max_depth(8).seed(0);
    let found = cross_validate(&params, &features, &labels, &stratified_k_fold(&labels, 5, 0)?)?;
    println!("accuracy on unseen cells {:.3}", found.accuracy());
    for (name, recall) in kinds.names.iter().zip(found.confusion.recall()) {
        println!("{name:10} {:5.1} % found", 100.0 * recall);
    }

    let forest = params.fit(&features.labelled(&labels)?)?;
    let model = Model::of(&forest).with_classes(kinds.names)?;
    model.save(std::env::temp_dir().join("kinds.json"), Existing::Overwrite)?;
    Ok(())
}
