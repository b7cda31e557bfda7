//! The whole walk-through on a table, as `explore TABLE` does it: what may be reported, and the folder.

use polariscope::output::Existing;
use polariscope::prelude::*;
use polariscope::progress::Progress;

fn main() -> polariscope::Result<()> {
    let table = Table::open("datasets/blobs.csv")?;
    let outcome = Outcome::of("blobs.csv", table, &Recipe::default(), |_| Progress::default())?;
    println!("{}", outcome.verdict.sentence);
    for (group, size) in outcome.groups.sizes().iter().enumerate() {
        println!("group {}: {size} objects", group + 1);
    }
    let folder = std::env::temp_dir().join("blobs.explore");
    outcome.write(&folder, Existing::Overwrite)?;
    Ok(())
}
