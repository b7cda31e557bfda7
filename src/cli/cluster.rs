//! `explore cluster kmeans TABLE`: groups of objects, as the column `cluster`.

use clap::{Args, ValueEnum};
use linfa::traits::Fit;
use polariscope::cluster::{KMeans, choose_k, silhouette};
use polariscope::table::{label_column, with_columns};
use polariscope::walkthrough::Groups;
use polariscope::Result;
use serde_json::json;

use super::Console;
use super::args::{Globals, Input, Output, Scaled};

/// The largest number of groups that `-k auto` tries.
const MAX_K: usize = 10;

#[derive(Debug, Args)]
pub struct Cluster {
    /// How to group
    #[arg(value_enum)]
    method: Method,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    scaled: Scaled,
    /// Number of groups; `auto` may answer 1: no groups
    #[arg(short, default_value = "auto", value_name = "auto|N")]
    k: Groups,
    /// Starts, of which the best is kept
    #[arg(long, default_value_t = 10, value_name = "N")]
    n_init: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Method {
    Kmeans,
}

impl Cluster {
    pub fn run(&self, globals: &Globals, console: &Console) -> Result<()> {
        console.check_free(&self.output, globals)?;
        let table = console.read(&self.input)?;
        let features = self.scaled.features(&table)?;
        let (k, null_p) = match self.k {
            Groups::Number(k) => (k, None),
            Groups::Auto => {
                let most = MAX_K.min(features.n_rows().saturating_sub(1));
                let choice = choose_k(&features, 2..=most, globals.seed)?;
                (choice.k, Some(choice.null.p_value))
            }
        };
        let Method::Kmeans = self.method;
        let groups = KMeans::params(k)
            .n_init(self.n_init)
            .seed(globals.seed)
            .progress(console.progress("K-means"))
            .fit(&features)?;
        let silhouette = match k {
            1 => None,
            _ => Some(silhouette(&features, groups.labels())?.mean),
        };
        console.print_json(json!({
            "method": "kmeans",
            "k": k,
            "inertia": groups.inertia(),
            "silhouette": silhouette,
            "sizes": groups.sizes(),
            "null_p_value": null_p,
            "features": features.names(),
        }))?;
        if let (1, Some(p)) = (k, null_p) {
            console.note(&format!("one group: a single population explains the table as well (p = {p:.2})"));
        }
        let column =
            label_column("cluster", table.frame.height(), features.rows(), groups.labels());
        console.write(&with_columns(&table.frame, vec![column])?, &self.output, globals)
    }
}
