//! Our features in linfa's estimator, and linfa's result in ours: a random projection before K-means.

use linfa::traits::Transformer;
use linfa_reduction::random_projection::GaussianRandomProjection;
use polariscope::cluster::agreement::adjusted_rand;
use polariscope::prelude::*;
use polariscope::seed::Seed;

fn main() -> polariscope::Result<()> {
    let table = Table::open("datasets/blobs.csv")?;
    let features = Features::from_frame(&table.frame, Columns::measurements())?.standardized()?;

    // Any linfa estimator takes `&features`; randomness comes from a stream of ours.
    let projection = GaussianRandomProjection::<f64>::params()
        .with_rng(Seed::new(7).stream("projection", 0))
        .target_dim(6)
        .fit(&features)
        .map_err(|e| polariscope::Error::data(e.to_string()))?;
    let projected = projection.transform(features.matrix());

    let before = KMeans::params(2).fit(&features)?;
    let after = KMeans::params(2).fit(&linfa::DatasetBase::from(projected))?;
    let agreement = adjusted_rand(before.labels(), after.labels())?;
    println!("{} features projected to 6: ARI {agreement:.2}", features.n_features());
    Ok(())
}
