//! One t-SNE and ten UMAPs of the same cells: what the maps keep, and what of them survives another seed.

use polariscope::embed::neighbors::Metric;
use polariscope::embed::quality::Quality;
use polariscope::prelude::*;
use polariscope::stability::MapStability;

fn main() -> polariscope::Result<()> {
    let table = Table::open("datasets/cells.csv")?;
    let features = Features::from_frame(&table.frame, Columns::measurements())?.standardized()?;

    let tsne = Tsne::params(2).perplexity(30.0).fit(&features)?;
    let seeds: Vec<u64> = (0..10).collect();
    let umaps = Umap::params(2).n_neighbors(15).fit_many(&features, &seeds)?;

    for (name, map) in [("t-SNE", tsne.coordinates()), ("UMAP", &umaps[0])] {
        let quality = Quality::measure(features.matrix(), map.view(), 15, Metric::Euclidean)?;
        println!("{name:5}  trustworthiness {:.3}", quality.trustworthiness);
    }

    let stability = MapStability::of(&umaps, features.matrix(), 0)?;
    if let Some(resolution) = stability.resolution {
        println!("groups of {} cells and larger keep their place", resolution.from);
    }
    println!("{} of {} cells do not", stability.n_moving, features.n_rows());
    Ok(())
}
