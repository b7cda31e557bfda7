//! `explore plot KIND TABLE`: any single figure of the report.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use linfa::traits::Fit;
use ndarray::Axis;
use polariscope::classify::{Model, RandomForest, validate};
use polariscope::cluster::{KMeans, choose_k, silhouette};
use polariscope::embed::tsne::Tsne;
use polariscope::embed::umap::Umap;
use polariscope::embed::{ExplainedVariance, Pca};
use polariscope::explain::TreeShap;
use polariscope::image::LabelImage;
use polariscope::report::figures::{self, Biplot, ColorBy, Confusion, Correlation, Figure};
use polariscope::report::figures::{Histograms, LabelPicture, Loadings, Map, MapAxes, Ranking, Scree, Shap};
use polariscope::report::figures::{ShapFamilies, Silhouette, Tree, component_title};
use polariscope::select::named_families;
use polariscope::table::{Columns, Features, Table, column_of_numbers, numbers_of, spearman};
use polariscope::walkthrough::{Groups, Outcome, Recipe};
use polariscope::{Error, Result};

use super::Console;
use super::args::{Globals, Input, Scaled};
use super::select::selected;
use super::target::{Target, color_by};

/// Groups that are tried when `-k auto` is asked for.
const MAX_K: usize = 10;
/// Rows that SHAP figures explain, at most; evenly spread.
const MAX_EXPLAINED: usize = 2_000;
/// Parts of the cross-validation behind a confusion matrix.
const FOLDS: usize = 5;

#[derive(Debug, Args)]
pub struct Plot {
    /// What to draw
    #[arg(value_enum)]
    kind: Kind,
    #[command(flatten)]
    input: Input,
    /// Picture to write: .svg or .png
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    #[command(flatten)]
    scaled: Scaled,
    /// Column that colours the objects, `cluster` if the table has it; few whole numbers are groups, others a scale
    #[arg(long, value_name = "COLUMN")]
    color_by: Option<String>,
    /// scatter: column to the right
    #[arg(long, value_name = "COLUMN", required_if_eq("kind", "scatter"))]
    x: Option<String>,
    /// scatter: column upwards
    #[arg(long, value_name = "COLUMN", required_if_eq("kind", "scatter"))]
    y: Option<String>,
    /// clusters, silhouette: number of groups, where the table has no column `cluster`
    #[arg(short, default_value = "auto", value_name = "auto|N")]
    k: Groups,
    /// confusion, tree, shap-*: column with the classes
    #[arg(long, default_value = "cluster", value_name = "COLUMN")]
    target: String,
    /// tree, shap-*: a model file in place of a forest trained on the target
    #[arg(long, value_name = "MODEL.json")]
    model: Option<PathBuf>,
    /// shap-*: class (or output) that is explained; the first one if not given
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// shap-dependence: feature to the right; the most important one if not given
    #[arg(long, value_name = "COLUMN")]
    feature: Option<String>,
    /// shap-waterfall: row of the table, from 1
    #[arg(long, default_value_t = 1, value_name = "N")]
    row: usize,
    /// tree: which tree of the forest, from 1
    #[arg(long, default_value_t = 1, value_name = "N")]
    tree: usize,
    /// labels: the label image that the table was measured on
    #[arg(long, value_name = "L.tif", required_if_eq("kind", "labels"))]
    labels: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Distribution of every feature
    Histograms,
    /// Which features move together, ordered by families
    Correlation,
    /// What the components explain, with intervals and what noise would explain
    Scree,
    /// What the components are made of
    Loadings,
    /// Objects and features on the first two components
    Biplot,
    /// Objects over any two columns
    Scatter,
    /// Objects on the first two components
    Pca,
    /// One UMAP; umap_0 and umap_1 of the table if it has them
    Umap,
    /// One t-SNE; tsne_0 and tsne_1 of the table if it has them
    Tsne,
    /// K-means groups with their centres on the first two components
    Clusters,
    /// How well each object fits its group
    Silhouette,
    /// Which features separate the groups
    Ranking,
    /// Which classes a cross-validated forest confuses
    Confusion,
    /// One decision tree of the forest
    Tree,
    /// Mean absolute SHAP values
    ShapBar,
    /// The same by families of correlated features, beside the strongest of each alone
    ShapFamilies,
    /// SHAP values of all objects
    ShapSummary,
    /// SHAP value of one feature over its value
    ShapDependence,
    /// SHAP values of one object
    ShapWaterfall,
    /// What survives another run: the whole walk-through, and its card
    Stability,
    /// The label image, objects coloured by a column
    Labels,
}

impl Plot {
    pub fn run(&self, globals: &Globals, console: &Console) -> Result<()> {
        polariscope::output::check_free(&self.output, globals.existing())?;
        let table = console.read(&self.input)?;
        let figure =
            self.figure(&table, globals, console).map_err(|e| e.in_file(&self.input.table))?;
        figure.write_as(&self.output, globals.existing())
    }

    fn figure(&self, table: &Table, globals: &Globals, console: &Console) -> Result<Figure> {
        let features = || self.scaled.features(table);
        let variance = || features().and_then(|f| ExplainedVariance::of(&f, globals.seed));
        Ok(match self.kind {
            Kind::Histograms => self.histograms(table)?,
            Kind::Correlation => {
                let raw = self.scaled.choice.raw(table)?;
                let correlations = spearman(raw.matrix()).mapv(f64::abs);
                figures::correlation(&Correlation::of(&raw, &correlations))
            }
            Kind::Scree => figures::scree(&Scree::of(&variance()?)),
            Kind::Loadings => figures::loadings(&Loadings::of(&variance()?)),
            Kind::Biplot => {
                let features = features()?;
                let color = self.colored(table, features.rows())?;
                figures::biplot(&Biplot::of(&plane(&features)?, color))
            }
            Kind::Scatter => self.scatter(table)?,
            Kind::Pca | Kind::Umap | Kind::Tsne => self.map(table, globals, console)?,
            Kind::Clusters | Kind::Silhouette => self.groups(table, &features()?, globals)?,
            Kind::Ranking => {
                let (found, _) = selected(table, &self.scaled, &self.target, globals)?;
                figures::ranking(&Ranking::of(&found))
            }
            Kind::Stability => {
                let recipe = Recipe {
                    features: self.scaled.choice.features.clone(),
                    exclude: self.scaled.choice.exclude.clone(),
                    scale: self.scaled.scale,
                    k: self.k,
                    seed: globals.seed,
                    ..Recipe::default()
                };
                let steps = |step: polariscope::walkthrough::Step| console.progress(step.name());
                Outcome::of("table", table.clone(), &recipe, steps)?.stability_card()
            }
            Kind::Labels => self.label_image(table)?,
            Kind::Confusion => self.confusion(table, globals)?,
            Kind::Tree => {
                let model = self.model(table, globals)?;
                let trees = model.trees().as_slice();
                let Some(tree) = self.tree.checked_sub(1).and_then(|i| trees.get(i)) else {
                    let allowed = format!("at least 1 and at most the number of trees ({})", trees.len());
                    return Err(Error::parameter("tree", self.tree, allowed));
                };
                figures::tree(&Tree {
                    title: format!("Tree {} of {}", self.tree, trees.len()),
                    subtitle: "Each tree saw another sample of the rows; the forest is the mean of all.".into(),
                    ..Tree::of(tree, model.feature_names(), model.output_names())
                })
            }
            Kind::ShapBar
            | Kind::ShapFamilies
            | Kind::ShapSummary
            | Kind::ShapDependence
            | Kind::ShapWaterfall => self.shap(table, globals, console)?,
        })
    }

    /// What colours the rows of a figure: a column of classes or of numbers.
    fn colored(&self, table: &Table, rows: &[usize]) -> Result<ColorBy> {
        let name = match &self.color_by {
            Some(name) => name,
            None if table.frame.column("cluster").is_ok() => "cluster",
            None => return Ok(ColorBy::Nothing),
        };
        color_by(table, name, rows)
    }

    fn histograms(&self, table: &Table) -> Result<Figure> {
        let columns = Columns::chosen(&table.frame, self.scaled.choice.selection())?;
        let raw = Features::from_columns(&table.frame, &columns)?;
        let unit = |name: &str| columns.get(name).map_or(String::new(), |c| c.unit.clone());
        let matrix = raw.matrix();
        let features = raw.names().iter().zip(matrix.columns());
        Ok(figures::histograms(&Histograms {
            subtitle: format!("{} objects.", raw.n_rows()),
            features: features.map(|(n, column)| (n.clone(), unit(n), column.to_vec())).collect(),
            color: self.colored(table, raw.rows())?,
        }))
    }

    fn scatter(&self, table: &Table) -> Result<Figure> {
        let names = (self.x.clone().unwrap_or_default(), self.y.clone().unwrap_or_default());
        let x = column_of_numbers(&table.frame, &names.0)?.into_owned();
        let y = column_of_numbers(&table.frame, &names.1)?.into_owned();
        let rows: Vec<usize> = (0..table.frame.height()).collect();
        Ok(figures::map(&Map {
            title: format!("{} and {}", names.1, names.0),
            x,
            y,
            color: self.colored(table, &rows)?,
            axes: MapAxes::Own(names.0, names.1),
            ..Map::default()
        }))
    }

    /// The rows on two coordinates, those of the table if it has them already.
    fn map(&self, table: &Table, globals: &Globals, console: &Console) -> Result<Figure> {
        let (stem, title) = match self.kind {
            Kind::Pca => ("pca", "PCA"),
            Kind::Umap => ("umap", "UMAP"),
            _ => ("tsne", "t-SNE"),
        };
        let axis = |axis: usize| numbers_of(&table.frame, &format!("{stem}_{axis}"));
        if let (Some(x), Some(y), true) = (axis(0), axis(1), self.kind != Kind::Pca) {
            let rows: Vec<usize> =
                (0..x.len()).filter(|&row| x[row].is_finite() && y[row].is_finite()).collect();
            let at = |v: &[f64]| rows.iter().map(|&row| v[row]).collect();
            return Ok(figures::map(&Map {
                title: title.into(),
                subtitle: "As the table has it. Sizes and distances of islands mean nothing.".into(),
                x: at(&x),
                y: at(&y),
                color: self.colored(table, &rows)?,
                ..Map::default()
            }));
        }
        let features = self.scaled.features(table)?;
        let mut axes = MapAxes::Arbitrary;
        let mut subtitle = "One run: another seed, another map. Sizes and distances of islands mean nothing.";
        let map = match self.kind {
            Kind::Pca => {
                let pca = plane(&features)?;
                let shares = pca.explained_variance_ratio();
                axes = MapAxes::Alike(component_title(0, shares[0]), component_title(1, shares[1]));
                subtitle = "Both axes have one scale: distances are distances.";
                pca.coordinates().to_owned()
            }
            Kind::Umap => {
                let params = Umap::params(2).seed(globals.seed).progress(console.progress(title));
                params.fit(&features)?.coordinates().clone()
            }
            _ => {
                let params = Tsne::params(2).seed(globals.seed).progress(console.progress(title));
                params.fit(&features)?.coordinates().clone()
            }
        };
        Ok(figures::map(&Map {
            title: title.into(),
            subtitle: subtitle.into(),
            x: map.column(0).to_vec(),
            y: map.column(1).to_vec(),
            color: self.colored(table, features.rows())?,
            axes,
            ..Map::default()
        }))
    }

    fn groups(&self, table: &Table, features: &Features, globals: &Globals) -> Result<Figure> {
        let k = match self.k {
            Groups::Number(k) => k,
            Groups::Auto => {
                let most = MAX_K.min(features.n_rows().saturating_sub(1));
                choose_k(features, 2..=most, globals.seed)?.k
            }
        };
        let groups = KMeans::params(k).seed(globals.seed).fit(features)?;
        if self.kind == Kind::Silhouette {
            if k < 2 {
                return Err(Error::data("a single population explains the table as well: there are no groups")
                    .help("ask for a number of groups with -k"));
            }
            let found = silhouette(features, groups.labels())?;
            let labels = found.rows.iter().map(|&row| groups.labels()[row]).collect();
            return Ok(figures::silhouette(&Silhouette { values: found.per_object, labels }));
        }
        let pca = plane(features)?;
        let shares = pca.explained_variance_ratio();
        let centers = pca.transform(groups.centroids())?;
        let color = match &self.color_by {
            Some(name) => color_by(table, name, features.rows())?,
            None => ColorBy::clusters(groups.labels()),
        };
        Ok(figures::map(&Map {
            title: format!("K-means, k = {k}"),
            subtitle: "Groups were made from all features; the plane shows their first two components.".into(),
            x: pca.coordinates().column(0).to_vec(),
            y: pca.coordinates().column(1).to_vec(),
            color,
            axes: MapAxes::Alike(component_title(0, shares[0]), component_title(1, shares[1])),
            centers: centers.outer_iter().map(|c| (c[0], c[1])).collect(),
            ..Map::default()
        }))
    }

    fn confusion(&self, table: &Table, globals: &Globals) -> Result<Figure> {
        let target = Target::of(table, &self.target, &self.scaled.choice)?;
        let folds = FOLDS.min(target.labels.len());
        let found = validate::cross_validate(
            &RandomForest::params().seed(globals.seed),
            &target.features,
            &target.labels,
            &validate::stratified_k_fold(&target.labels, folds, globals.seed)?,
        )?;
        let counts = found.confusion.counts.outer_iter();
        Ok(figures::confusion(&Confusion {
            title: format!("Which values of {} are confused", self.target),
            subtitle: format!(
                "{folds}-fold cross-validation: accuracy {:.1} %, balanced {:.1} %.",
                100.0 * found.accuracy(),
                100.0 * found.balanced_accuracy()
            ),
            classes: target.names_of(&found.confusion.labels),
            counts: counts.map(|row| row.iter().map(|&n| n as usize).collect()).collect(),
        }))
    }

    /// The model of `--model`, or a forest trained on the target column.
    fn model(&self, table: &Table, globals: &Globals) -> Result<Model> {
        if let Some(path) = &self.model {
            return Model::open(path);
        }
        let target = Target::of(table, &self.target, &self.scaled.choice)?;
        let forest = RandomForest::params()
            .seed(globals.seed)
            .fit(&target.features.labelled(&target.labels)?)?;
        Model::of(&forest).with_classes(target.names_of(forest.classes()))
    }

    fn shap(&self, table: &Table, globals: &Globals, console: &Console) -> Result<Figure> {
        let model = self.model(table, globals)?;
        let complete = super::predict::features_of(&model, table)?;
        let chosen: Vec<usize> = if self.kind == Kind::ShapWaterfall {
            let wanted = self.row.checked_sub(1);
            let Some(at) = complete.rows().iter().position(|&row| Some(row) == wanted) else {
                return Err(Error::data("there is no such row, or a feature is missing in it")
                    .at_row(self.row)
                    .help(format!("choose --row from 1 to {}", table.frame.height())));
            };
            vec![at]
        } else {
            let step = complete.n_rows().div_ceil(MAX_EXPLAINED).max(1);
            (0..complete.n_rows()).step_by(step).collect()
        };
        let features = complete.select_rows(&chosen);
        let found = TreeShap::of(&model).progress(console.progress("SHAP")).explain(&features)?;
        let output = match &self.class {
            None => 0,
            Some(class) => found.outputs.iter().position(|o| o == class).ok_or_else(|| {
                Error::parameter("class", class, found.outputs.join(", "))
            })?,
        };
        let mut shap = Shap::of(&found, features.matrix(), output);
        if model.classes().is_some() {
            shap.output = format!("probability of {}", shap.output);
        }
        Ok(match self.kind {
            Kind::ShapBar => figures::shap_bar(&shap),
            Kind::ShapFamilies => {
                let correlations = spearman(complete.matrix()).mapv(f64::abs);
                let families = named_families(complete.names(), &correlations);
                figures::shap_families(&ShapFamilies::of(&shap, &families))
            }
            Kind::ShapSummary => figures::shap_summary(&shap),
            Kind::ShapWaterfall => figures::shap_waterfall(&shap, 0, &format!("row {}", self.row)),
            _ => {
                let first = found.ranking()[0];
                let feature = match &self.feature {
                    None => first,
                    Some(name) => shap.features.iter().position(|f| f == name).ok_or_else(|| {
                        Error::parameter("feature", name, shap.features.join(", "))
                    })?,
                };
                let colored = found.ranking().into_iter().find(|&f| f != feature);
                figures::shap_dependence(&shap, feature, colored)
            }
        })
    }

    fn label_image(&self, table: &Table) -> Result<Figure> {
        let path = self.labels.as_deref().unwrap_or(&self.input.table);
        let labels = LabelImage::open(path)?;
        let columns = Columns::of(&table.frame);
        let Some(key) = columns.key() else {
            return Err(Error::data("no column says which label a row belongs to")
                .help("add the column `label`"));
        };
        let values = column_of_numbers(&table.frame, key)?;
        let rows: Vec<usize> = (0..values.len()).filter(|&row| values[row].is_finite()).collect();
        let volume = labels.volume();
        let n_planes = volume.len_of(Axis(0));
        let plane = volume.index_axis(Axis(0), n_planes / 2);
        let color = self.colored(table, &rows)?;
        Ok(figures::label_image(&LabelPicture {
            title: match &color {
                ColorBy::Nothing => "Objects".into(),
                ColorBy::Groups { name, .. } | ColorBy::Values { name, .. } => format!("Objects by {name}"),
            },
            subtitle: match n_planes {
                1 => String::new(),
                n => format!("Plane {} of {n}.", n / 2 + 1),
            },
            width: plane.ncols(),
            height: plane.nrows(),
            labels: plane.iter().copied().collect(),
            keys: rows.iter().map(|&row| values[row] as u32).collect(),
            color,
        }))
    }
}

/// The first two components.
fn plane(features: &Features) -> Result<Pca> {
    if features.n_features() < 2 {
        return Err(Error::data("a plane takes at least 2 features"));
    }
    Pca::params(2).fit(features)
}
