//! Groups by hand and by K-means, and whether there are groups at all.

use polariscope::cluster::agreement::adjusted_rand;
use polariscope::cluster::choose_k;
use polariscope::prelude::*;
use polariscope::table::numbers_of;

fn main() -> polariscope::Result<()> {
    let table = Table::open("datasets/blobs.csv")?;
    let features = Features::from_frame(&table.frame, Columns::measurements())?.standardized()?;

    // By hand: a rule that can be written into a method section.
    let aspect_ratio = numbers_of(&table.frame, "aspect_ratio").expect("a measured column");
    let by_hand: Vec<usize> =
        aspect_ratio.iter().map(|&ratio| if ratio > 1.5 { 2 } else { 1 }).collect();

    let choice = choose_k(&features, 2..=6, 0)?;
    for candidate in &choice.candidates {
        println!("k = {}  silhouette {:.2}", candidate.k, candidate.silhouette);
    }
    println!("k = {}; a single population: p = {:.2}", choice.k, choice.null.p_value);

    let groups = KMeans::params(choice.best_k).fit(&features)?;
    println!("sizes {:?}", groups.sizes());
    println!("agrees with the rule: ARI {:.2}", adjusted_rand(groups.labels(), &by_hand)?);
    Ok(())
}
