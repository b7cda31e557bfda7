//! Principal components, and the question that comes before looking at them: how much do they explain?

use polariscope::prelude::*;

fn main() -> polariscope::Result<()> {
    let table = Table::open("datasets/cells.csv")?;
    let features = Features::from_frame(&table.frame, Columns::measurements())?.standardized()?;

    let explained = ExplainedVariance::of(&features, 0)?;
    for (component, number) in explained.components().iter().take(4).zip(1..) {
        let (low, high) = component.interval;
        let [share, low, high] = [component.share, low, high].map(|share| 100.0 * share);
        println!("PC{number}  {share:4.1} % of the variance, 95 % interval {low:.1} to {high:.1}");
    }
    let rules = explained.stop_rules();
    println!("{} components above noise (parallel analysis)", rules.parallel_analysis);
    println!("{} components for 90 % of the variance", rules.ninety_percent);

    let pca = Pca::params(2).fit(&features)?;
    let heaviest = |component: usize| {
        let loadings = pca.components();
        let size = |feature: &usize| loadings[[component, *feature]].abs();
        (0..features.n_features()).max_by(|a, b| size(a).total_cmp(&size(b))).unwrap_or(0)
    };
    for component in 0..2 {
        println!("PC{} is mostly {}", component + 1, features.names()[heaviest(component)]);
    }
    Ok(())
}
