//! `explore cluster METHOD TABLE`: groups of objects, as the column `cluster`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use linfa::traits::Fit;
use polariscope::cluster::{
    Candidate, Dbscan, GaussianMixture, Hdbscan, KMeans, Lasso, Optics, Rule, choose_k, silhouette,
};
use polariscope::table::{
    Features, Table, label_column, numbers_of, optional_column, with_columns,
};
use polariscope::walkthrough::Groups;
use polariscope::{Error, Result};
use serde_json::{Value, json};

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
    /// kmeans, gmm: number of groups; `auto` may answer 1: no groups
    #[arg(short, default_value = "auto", value_name = "auto|N")]
    k: Groups,
    /// kmeans, gmm: starts, of which the best is kept
    #[arg(long, default_value_t = 10, value_name = "N")]
    n_init: usize,
    /// dbscan, optics: rows within this distance are neighbours
    #[arg(long, value_name = "D", required_if_eq_any([("method", "dbscan"), ("method", "optics")]))]
    max_distance: Option<f64>,
    /// dbscan, optics: neighbours that make a row a core, itself included
    #[arg(long, default_value_t = 5, value_name = "N")]
    min_points: usize,
    /// hdbscan: fewer objects are no group
    #[arg(long, default_value_t = 5, value_name = "N")]
    min_cluster_size: usize,
    /// hdbscan: objects that an object must have around it, itself included; more make more objects noise [default: --min-cluster-size]
    #[arg(long, value_name = "N")]
    min_samples: Option<usize>,
    /// where: a rule such as 'area > 100 and solidity <= 0.9'; the first --where is group 1, and so on
    #[arg(long = "where", value_name = "RULE", required_if_eq("method", "where"))]
    rules: Vec<Rule>,
    /// lasso: the file that the report page exports
    #[arg(long, value_name = "FILE", required_if_eq("method", "lasso"))]
    lasso: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Method {
    /// Round groups of like size; k is chosen by silhouette, against a single population
    Kmeans,
    /// Overlapping ellipses
    Gmm,
    /// Dense regions; sparse rows belong to no group
    Dbscan,
    /// As dbscan, from the reachability of all distances
    Optics,
    /// Dense regions of different densities; sparse rows belong to no group, and there may be none
    Hdbscan,
    /// Groups by rules over columns
    Where,
    /// Groups drawn by hand on the report page
    Lasso,
}

/// Labels of the rows at `rows`, 0 = no group, and what else is worth a number.
struct Found {
    rows: Vec<usize>,
    labels: Vec<usize>,
    /// How sure each label is, where the method says so.
    confidence: Option<Vec<f64>>,
    more: Value,
}

impl Found {
    /// Groups of all rows of the table, as somebody drew or wrote them.
    fn by_hand(labels: Vec<usize>) -> Self {
        Self { rows: (0..labels.len()).collect(), labels, confidence: None, more: json!({}) }
    }
}

impl Cluster {
    pub fn run(&self, globals: &Globals, console: &Console) -> Result<()> {
        console.check_free(&self.output, globals)?;
        let table = console.read(&self.input)?;
        let found = match (self.method, &self.lasso) {
            (Method::Lasso, Some(file)) => replayed(&Lasso::open(file)?, &table)?,
            (Method::Where, _) => ruled(&self.rules, &table)
                .map_err(|e| e.in_file(&self.input.table))?,
            _ => self.computed(&self.scaled.features(&table)?, globals, console)?,
        };
        let k = found.labels.iter().copied().max().unwrap_or(0);
        let sizes: Vec<usize> =
            (1..=k).map(|group| found.labels.iter().filter(|&&l| l == group).count()).collect();
        let mut summary = json!({ "k": k, "sizes": sizes });
        if let (Value::Object(summary), Value::Object(more)) = (&mut summary, found.more) {
            summary.extend(more);
        }
        console.print_json(summary)?;
        let (n_rows, rows) = (table.frame.height(), found.rows);
        let mut columns = vec![label_column("cluster", n_rows, &rows, &found.labels)];
        columns.extend(found.confidence.map(|values| {
            optional_column("cluster_confidence", n_rows, &rows, values.into_iter().map(Some))
        }));
        console.write(&with_columns(&table.frame, columns)?, &self.output, globals)
    }

    fn computed(&self, features: &Features, globals: &Globals, console: &Console) -> Result<Found> {
        let mut confidence = None;
        let (labels, mut more) = match self.method {
            Method::Kmeans => self.kmeans(features, globals, console)?,
            Method::Gmm => self.mixture(features, globals)?,
            Method::Dbscan => {
                let distance = self.max_distance.unwrap_or(1.0);
                let found = Dbscan::params(distance, self.min_points).fit(features)?;
                (found.labels().to_vec(), json!({}))
            }
            Method::Hdbscan => {
                let mut params = Hdbscan::params(self.min_cluster_size);
                if let Some(samples) = self.min_samples {
                    params = params.min_samples(samples);
                }
                let found = params.fit(features)?;
                if found.n_clusters() == 0 {
                    console.note("no group: the objects are one population, or too few are dense");
                }
                confidence = Some(found.probabilities().to_vec());
                (found.labels().to_vec(), json!({}))
            }
            Method::Optics | Method::Lasso | Method::Where => {
                let distance = self.max_distance.unwrap_or(1.0);
                let found =
                    Optics::params(self.min_points).max_distance(distance).fit(features)?;
                (found.labels_at(distance), json!({}))
            }
        };
        let grouped: Vec<usize> = (0..labels.len()).filter(|&row| labels[row] > 0).collect();
        let of_grouped: Vec<usize> = grouped.iter().map(|&row| labels[row]).collect();
        // A silhouette compares groups, and rows within them.
        let k = of_grouped.iter().copied().max().unwrap_or(0);
        more["silhouette"] = if (2..grouped.len()).contains(&k) {
            json!(silhouette(&features.select_rows(&grouped), &of_grouped)?.mean)
        } else {
            Value::Null
        };
        more["features"] = json!(features.names());
        more["not_assigned"] = json!(labels.len() - grouped.len());
        Ok(Found { rows: features.rows().to_vec(), labels, confidence, more })
    }

    fn kmeans(
        &self,
        features: &Features,
        globals: &Globals,
        console: &Console,
    ) -> Result<(Vec<usize>, Value)> {
        let (k, null_p, candidates) = self.k(features, globals, console)?;
        let groups = KMeans::params(k)
            .n_init(self.n_init)
            .seed(globals.seed)
            .progress(console.progress("K-means"))
            .fit(features)?;
        let more = json!({
            "inertia": groups.inertia(),
            "null_p_value": null_p,
            "candidates": candidates,
        });
        Ok((groups.labels().to_vec(), more))
    }

    fn mixture(&self, features: &Features, globals: &Globals) -> Result<(Vec<usize>, Value)> {
        let fit = |k: usize| {
            GaussianMixture::params(k).n_init(self.n_init).seed(globals.seed).fit(features)
        };
        let mixture = match self.k {
            Groups::Number(k) => fit(k)?,
            Groups::Auto => {
                // The Bayesian information criterion weighs one population among the others.
                let mut best = fit(1)?;
                for k in 2..=MAX_K.min(features.n_rows()) {
                    match fit(k) {
                        Ok(mixture) if mixture.bic() < best.bic() => best = mixture,
                        Ok(_) => {}
                        Err(_) => break,
                    }
                }
                best
            }
        };
        let more = json!({
            "bic": mixture.bic(),
            "log_likelihood": mixture.log_likelihood(),
            "weights": mixture.weights(),
        });
        Ok((mixture.labels().to_vec(), more))
    }

    /// The number of groups and, if it was asked, the p-value of the single population and what speaks for each k.
    fn k(
        &self,
        features: &Features,
        globals: &Globals,
        console: &Console,
    ) -> Result<(usize, Option<f64>, Option<Vec<Candidate>>)> {
        if let Groups::Number(k) = self.k {
            return Ok((k, None, None));
        }
        let n_rows = features.n_rows();
        if n_rows < 3 {
            return Err(Error::data(format!("{n_rows} rows are too few to choose a number of groups"))
                .help("give it with -k"));
        }
        let most = MAX_K.min(n_rows - 1);
        let choice = choose_k(features, 2..=most, globals.seed)?;
        let p = choice.null.p_value;
        if choice.k == 1 {
            console.note(&format!(
                "one group: a single population explains the table as well (p = {p:.2})"
            ));
        }
        Ok((choice.k, Some(p), Some(choice.candidates)))
    }
}

/// The groups that rules make: a row belongs to the first rule that it meets.
fn ruled(rules: &[Rule], table: &Table) -> Result<Found> {
    let mut labels = vec![0; table.frame.height()];
    for (group, rule) in rules.iter().enumerate() {
        for (label, met) in labels.iter_mut().zip(rule.rows(&table.frame)?) {
            if *label == 0 && met {
                *label = group + 1;
            }
        }
    }
    Ok(Found::by_hand(labels))
}

/// The groups that a lasso draws on a table.
fn replayed(lasso: &Lasso, table: &Table) -> Result<Found> {
    let column = |name: &str| {
        numbers_of(&table.frame, name).ok_or_else(|| {
            Error::data("the lasso was drawn on a column that the table does not have")
                .at_column(name)
                .help("use objects.csv or objects.parquet of the report's folder")
        })
    };
    let labels = lasso.labels(&column(&lasso.x)?, &column(&lasso.y)?)?;
    Ok(Found::by_hand(labels))
}
