//! A linfa user's pipeline with our estimators inside: linfa's dataset, split and confusion matrix.

use linfa::dataset::DatasetBase;
use linfa::prelude::*;
use ndarray::{Array1, Array2};
use polariscope::prelude::{KMeans, Pca, RandomForest};
use polariscope::seed::Seed;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Two populations in five dimensions, as an ordinary linfa dataset without names.
    let mut stream = Seed::new(3).stream("populations", 0);
    let shift = |row: usize| if row % 5 < 2 { 0.0 } else { 2.0 };
    let records = Array2::from_shape_fn((300, 5), |(row, _)| stream.normal() + shift(row));
    let data = DatasetBase::from(records);

    let pca = Pca::params(2).fit(&data)?;
    println!("2 components: {:.0} % of the variance", 100.0 * pca.explained_variance_ratio().sum());

    let groups = KMeans::params(2).fit(&data)?;
    let labelled = data.with_targets(Array1::from(groups.labels().to_vec()));

    let (train, valid) = labelled.split_with_ratio(0.7);
    let forest = RandomForest::params().n_trees(50).fit(&train)?;
    let confusion = forest.predict(&valid).confusion_matrix(&valid)?;
    println!("accuracy on the {} rows held back: {:.2}", valid.nsamples(), confusion.accuracy());
    Ok(())
}
