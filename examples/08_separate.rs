//! Which features separate the groups, and whether they would if they had not made them.

use polariscope::prelude::*;
use polariscope::select::{Grouping, Selection};

fn main() -> polariscope::Result<()> {
    let table = Table::open("datasets/blobs.csv")?;
    let features = Features::from_frame(&table.frame, Columns::measurements())?.standardized()?;

    // Ten runs that differ by their seed; the first is what we ask about.
    let runs: Vec<Grouping> = (0..10)
        .map(|seed| {
            let groups = KMeans::params(2).n_init(1).seed(seed).fit(&features)?;
            Ok(Grouping::of(&features, groups.labels().to_vec()))
        })
        .collect::<polariscope::Result<_>>()?;
    let selection = Selection::of(&features, &runs, &runs[0].labels, 0)?;

    println!("feature               with groups   grouped without its family");
    for feature in selection.ranking.iter().filter(|f| f.representative).take(5) {
        let held_out = feature.held_out_correlation.unwrap_or(f64::NAN);
        println!("{:21} {:11.2} {held_out:28.2}", feature.feature, feature.correlation);
    }
    println!("{}", selection.sentence);
    Ok(())
}
