//! `explore embed pca|umap|tsne`: few coordinates for many features.

use clap::{Args, ValueEnum};
use linfa::traits::Fit;
use ndarray::{Array1, ArrayView2, Axis, concatenate, stack};
use polariscope::Result;
use polariscope::backend::Backend;
use polariscope::embed::neighbors::Metric;
use polariscope::embed::quality::Quality;
use polariscope::embed::tsne::Tsne;
use polariscope::embed::umap::Umap;
use polariscope::embed::Pca;
use polariscope::table::{Features, Table, pearson, with_values};
use serde_json::{Value, json};

use super::Console;
use super::args::{Globals, Input, Output, Scaled, Where};

/// Neighbourhood size that the qualities in `--json` are for.
const QUALITY_NEIGHBORS: usize = 15;
/// Components of a PCA when none are asked for.
const PCA_COMPONENTS: usize = 10;

#[derive(Debug, Args)]
pub struct Embed {
    /// What to make
    #[arg(value_enum)]
    method: Method,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    scaled: Scaled,
    /// Number of coordinates: up to 10 for pca, 2 for umap and tsne
    #[arg(long, value_name = "N")]
    n_components: Option<usize>,
    /// umap: size of the neighbourhood that is kept together
    #[arg(long, value_name = "K", default_value_t = 15)]
    n_neighbors: usize,
    /// umap: how close points may be drawn
    #[arg(long, value_name = "D", default_value_t = 0.1)]
    min_dist: f64,
    /// umap: rounds of the layout [default: 500 up to 10,000 rows, else 200; 200 more with --densmap]
    #[arg(long, value_name = "N")]
    n_epochs: Option<usize>,
    /// umap: what is dense in the data is dense on the map, too; adds the logarithms of the local radii
    #[arg(long)]
    densmap: bool,
    /// umap: how much densities count against neighbourhoods
    #[arg(long, value_name = "L", default_value_t = 2.0, requires = "densmap")]
    dens_lambda: f64,
    /// umap: share of the rounds, the last ones, in which densities count
    #[arg(long, value_name = "SHARE", default_value_t = 0.3, requires = "densmap")]
    dens_frac: f64,
    /// umap: added to the variance of the log radii on the map
    #[arg(long, value_name = "V", default_value_t = 0.1, requires = "densmap")]
    dens_var_shift: f64,
    /// tsne: effective number of neighbours; 30, fewer in small tables
    #[arg(long, value_name = "P")]
    perplexity: Option<f64>,
    /// Distance between rows
    #[arg(long, default_value = "euclidean", value_name = "euclidean|cosine|correlation|manhattan")]
    metric: Metric,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Method {
    Pca,
    Umap,
    Tsne,
}

/// A search for neighbours compares all pairs of rows; about so many differences take the time of a pixel.
const DIFFERENCES_A_PIXEL: usize = 128;

/// As how many measured pixels a search for neighbours counts.
fn pixels_worth(features: &Features) -> usize {
    features.n_rows().pow(2) / DIFFERENCES_A_PIXEL * features.n_features()
}

impl Embed {
    /// Whether a GPU has a part in it.
    pub fn has_kernels(&self) -> bool {
        self.method != Method::Pca
    }

    pub fn run(&self, globals: &Globals, console: &Console) -> Result<()> {
        console.check_free(&self.output, globals)?;
        let table = console.read(&self.input)?;
        let features = self.scaled.features(&table)?;
        match self.method {
            Method::Pca => self.pca(&features, &table, globals, console),
            Method::Umap => self.umap(&features, &table, globals, console),
            Method::Tsne => {
                let mut params = Tsne::params(self.n_components.unwrap_or(2))
                    .metric(self.metric)
                    .seed(globals.seed)
                    .progress(console.progress("t-SNE"));
                if let Some(perplexity) = self.perplexity {
                    params = params.perplexity(perplexity);
                }
                let fit = |on| params.clone().backend(on).fit(&features);
                let tsne = match globals.backend {
                    Where::Gpu => fit(Backend::gpu()?),
                    Where::Auto | Where::Cpu => fit(Backend::Cpu),
                }?;
                let map = tsne.coordinates().view();
                let mut quality = self.quality(&features, map)?;
                quality["kl_divergence"] = json!(tsne.kl_divergence());
                console.print_json(quality)?;
                self.write(&axes("tsne", map), map, &features, &table, globals, console)
            }
        }
    }

    fn pca(
        &self,
        features: &Features,
        table: &Table,
        globals: &Globals,
        console: &Console,
    ) -> Result<()> {
        let most = features.n_features().min(features.n_rows());
        let pca = Pca::params(self.n_components.unwrap_or(most.min(PCA_COMPONENTS))).fit(features)?;
        let components: Vec<Vec<f64>> =
            pca.components().outer_iter().map(|row| row.to_vec()).collect();
        console.print_json(json!({
            "explained_variance": pca.explained_variance().to_vec(),
            "explained_variance_ratio": pca.explained_variance_ratio().to_vec(),
            "components": components,
            "mean": pca.mean().to_vec(),
            "features": features.names(),
        }))?;
        let map = pca.coordinates();
        self.write(&axes("pca", map), map, features, table, globals, console)
    }

    fn umap(
        &self,
        features: &Features,
        table: &Table,
        globals: &Globals,
        console: &Console,
    ) -> Result<()> {
        let mut params = Umap::params(self.n_components.unwrap_or(2))
            .n_neighbors(self.n_neighbors)
            .min_dist(self.min_dist)
            .metric(self.metric)
            .densmap(self.densmap)
            .dens_lambda(self.dens_lambda)
            .dens_frac(self.dens_frac)
            .dens_var_shift(self.dens_var_shift)
            .seed(globals.seed)
            .progress(console.progress("UMAP"));
        if let Some(n_epochs) = self.n_epochs {
            params = params.n_epochs(n_epochs);
        }
        let fit = |on: Backend| {
            let params = params.clone().backend(on.clone());
            // Left to itself the map is the CPU's, which does not depend on the machine.
            let is_asked = globals.backend == Where::Gpu;
            if is_asked { params.layout_on(on) } else { params }.fit(features)
        };
        let umap = globals.backend.run(pixels_worth(features), fit)?;
        let mut map = umap.coordinates().clone();
        let mut names = axes("umap", map.view());
        let mut quality = self.quality(features, map.view())?;
        if self.densmap {
            let radii = [Array1::from_vec(umap.data_radii()), Array1::from_vec(umap.map_radii()?)];
            let radii = stack![Axis(1), radii[0], radii[1]];
            quality["density_correlation"] = json!(pearson(radii.view())[[0, 1]]);
            map = concatenate![Axis(1), map, radii];
            names.extend(["umap_radius_data", "umap_radius_map"].map(str::to_owned));
        }
        console.print_json(quality)?;
        self.write(&names, map.view(), features, table, globals, console)
    }

    fn quality(&self, features: &Features, map: ArrayView2<f64>) -> Result<Value> {
        let k = QUALITY_NEIGHBORS.min(features.n_rows().saturating_sub(1) / 2).max(1);
        let quality = Quality::measure(features.matrix(), map, k, self.metric)?;
        Ok(json!({
            "trustworthiness": quality.trustworthiness,
            "continuity": quality.continuity,
            "neighbor_preservation": quality.neighbor_preservation,
            "quality_neighbors": quality.n_neighbors,
            "quality_rows": quality.sampled_rows.unwrap_or(features.n_rows()),
            "features": features.names(),
        }))
    }

    fn write(
        &self,
        names: &[String],
        values: ArrayView2<f64>,
        features: &Features,
        table: &Table,
        globals: &Globals,
        console: &Console,
    ) -> Result<()> {
        let frame = with_values(&table.frame, features.rows(), names, values)?;
        console.write(&frame, &self.output, globals)
    }
}

/// `umap_0`, `umap_1`, ...
fn axes(stem: &str, map: ArrayView2<f64>) -> Vec<String> {
    (0..map.ncols()).map(|axis| format!("{stem}_{axis}")).collect()
}
