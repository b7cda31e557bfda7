//! `explore TABLE`: the whole walk-through, one screen and one folder.

use std::path::{Path, PathBuf};

use clap::Args;
use polariscope::image::LabelImage;
use polariscope::walkthrough::{
    ClusterOn, Groups, Map, Outcome, Recipe, Start, Step, check_folder,
};
use polariscope::{Error, Result};

use super::Console;
use super::args::{Globals, Input, Scaled};
use super::pixels::{Images, Taken, is_image, measured, read};
use super::segment::How;

/// What a recipe decides.
const ANALYSIS: [&str; 12] = [
    "features", "exclude", "scale", "k", "runs", "embed", "cluster_on", "n_neighbors", "min_dist", "init",
    "perplexity", "seed",
];

#[derive(Debug, Args)]
pub struct Walk {
    /// Measurements: csv, tsv (also .gz), parquet, arrow; `-` is stdin. A label image is measured first, an
    /// intensity image segmented and measured
    #[arg(required = true)]
    table: Option<PathBuf>,
    /// Label image whose labels are the keys of the table: linked in the report
    #[arg(long, value_name = "LABELS.tif")]
    labels: Option<PathBuf>,
    #[command(flatten)]
    images: Images,
    /// Image whose numbers are classes of the objects they lie on, 0 where nothing is said: they are learned, in place
    /// of clusters
    #[arg(long, value_name = "A.tif", conflicts_with_all = ["k", "cluster_on"])]
    annotation: Option<PathBuf>,
    /// What an image is [default: told by its pixels]
    #[arg(long = "as", value_enum, value_name = "labels|image")]
    taken: Option<Taken>,
    /// Analyse as an earlier report did: its recipe.toml, in place of all flags below and of --seed
    #[arg(long, value_name = "RECIPE.toml", conflicts_with_all = ANALYSIS)]
    recipe: Option<PathBuf>,
    /// Folder to write [default: TABLE-stem.explore]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    #[command(flatten)]
    scaled: Scaled,
    /// Number of groups, or `auto`
    #[arg(short, default_value = "auto", value_name = "N")]
    k: Groups,
    /// Number of maps that differ by their seed [default: 20, fewer for large tables]
    #[arg(long, value_name = "N")]
    runs: Option<usize>,
    /// Maps to draw: pca, umap, tsne
    #[arg(long, value_name = "MAP,...", value_delimiter = ',')]
    embed: Vec<Map>,
    /// What the groups are made from
    #[arg(long, default_value = "features", value_name = "features|pca|umap")]
    cluster_on: ClusterOn,
    /// UMAP: size of the neighbourhood that is kept together
    #[arg(long, default_value_t = 15, value_name = "K")]
    n_neighbors: usize,
    /// UMAP: how close points may be drawn
    #[arg(long, default_value_t = 0.1, value_name = "D")]
    min_dist: f64,
    /// UMAP: where the points start
    #[arg(long, default_value = "pca", value_name = "pca|spectral|random")]
    init: Start,
    /// t-SNE: effective number of neighbours [default: 30, fewer in small tables]
    #[arg(long, value_name = "P")]
    perplexity: Option<f64>,
    #[command(flatten, next_help_heading = "Segmentation of an intensity image")]
    how: How,
}

impl Walk {
    pub fn run(&self, globals: &Globals, console: &Console) -> Result<()> {
        let folder = match &self.output {
            Some(folder) => folder.clone(),
            None => default_folder(self.path()?),
        };
        check_folder(&folder, globals.existing())?;
        let outcome = self.outcome(globals, console)?;
        outcome.write(&folder, globals.existing())?;
        if console.json() {
            return console.print_json(outcome.summary()?);
        }
        if console.quiet() {
            return Ok(());
        }
        console.print(&outcome.screen(&folder.join("report.html"), console.style()))
    }

    /// `explore stability`: the same, with only what was repeated on the screen and in the folder.
    pub fn stability(&self, globals: &Globals, console: &Console) -> Result<()> {
        if let Some(folder) = &self.output {
            check_folder(folder, globals.existing())?;
        }
        let outcome = self.outcome(globals, console)?;
        if let Some(folder) = &self.output {
            outcome.write_stability(folder, globals.existing())?;
        }
        console.print_json(outcome.stability_summary()?)?;
        console.print(&outcome.stability_screen(console.style()))
    }

    fn path(&self) -> Result<&Path> {
        self.table
            .as_deref()
            .ok_or_else(|| Error::parameter("TABLE", "nothing", "a file of measurements"))
    }

    fn outcome(&self, globals: &Globals, console: &Console) -> Result<Outcome> {
        let path = self.path()?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let progress = |step: Step| console.progress(step.name());
        let recipe = self.recipe(globals)?;
        let annotation = self.annotation.as_ref().map(LabelImage::open).transpose()?;
        let outcome = |table, labels: Option<&LabelImage>| {
            match (&annotation, labels) {
                (Some(marks), Some(labels)) => {
                    Outcome::annotated(&name, table, &recipe, labels, marks, progress)
                }
                _ => Outcome::of(&name, table, &recipe, progress),
            }
            .map_err(|e| e.in_file(path))
        };
        if is_image(path) {
            let found = measured(path, &self.images, self.taken, &self.how, console)?;
            let outcome = outcome(found.table, Some(&found.labels))?;
            let outcome = outcome.with_pixels(found.labels, found.channels)?;
            return Ok(Outcome { is_segmented: found.is_segmented, ..outcome });
        }
        let given = [("--image", !self.images.is_empty()), ("--annotation", annotation.is_some())];
        if let Some((flag, _)) = given.iter().find(|(_, is_given)| *is_given && self.labels.is_none()) {
            return Err(Error::parameter(flag, "an image", "given with a label image")
                .help("say which labels the table was measured on: --labels LABELS.tif"));
        }
        let labels = self.labels.as_ref().map(LabelImage::open).transpose()?;
        let outcome = outcome(console.read(&Input { table: path.to_owned() })?, labels.as_ref())?;
        match labels {
            Some(labels) => outcome.with_pixels(labels, read(&self.images.files()?)?),
            None => Ok(outcome),
        }
    }

    fn recipe(&self, globals: &Globals) -> Result<Recipe> {
        if let Some(path) = &self.recipe {
            return Recipe::open(path);
        }
        let default = Recipe::default();
        Ok(Recipe {
            features: self.scaled.choice.features.clone(),
            exclude: self.scaled.choice.exclude.clone(),
            scale: self.scaled.scale,
            embed: if self.embed.is_empty() { default.embed.clone() } else { self.embed.clone() },
            n_neighbors: self.n_neighbors,
            min_dist: self.min_dist,
            init: self.init,
            perplexity: self.perplexity,
            cluster_on: self.cluster_on,
            k: self.k,
            runs: self.runs,
            seed: globals.seed,
            ..default
        })
    }
}

/// `data/blobs.csv.gz` -> `blobs.explore` in the folder where the command runs.
fn default_folder(table: &Path) -> PathBuf {
    let name = table.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let stem = Path::new(name).file_stem().unwrap_or_default().to_string_lossy();
    match stem.as_ref() {
        "" | "-" => PathBuf::from("stdin.explore"),
        stem => PathBuf::from(format!("{stem}.explore")),
    }
}
