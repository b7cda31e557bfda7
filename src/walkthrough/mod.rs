//! The main job: a [`Recipe`] run from a table to an [`Outcome`], which writes itself as a folder.
//!
//! Table -> features -> explained variance -> maps -> groups -> features that separate them -> forest,
//! and at every step how far it can be trusted. With an annotation the groups are classes that a person marked, and
//! a forest learns them.

mod choices;
mod figures;
mod folder;
mod groups;
mod machine;
mod maps;
mod marks;
mod measurement;
mod page;
mod recipe;
mod screen;
mod summary;
mod tables;
mod trust;

use std::collections::BTreeMap;

use linfa::traits::Fit;
use ndarray::Array2;

use crate::apoc::annotated_objects;
use crate::classify::Model;
use crate::embed::{ExplainedVariance, Pca};
use crate::error::{Error, Result};
use crate::explain::{Shap, TreeShap};
use crate::image::{IntensityImage, LabelImage};
use crate::progress::Progress;
use crate::select::{Selection, named_families};
use crate::stability::{Interval, Verdict, classifier_agreement};
use crate::table::{ColumnSummary, Columns, Features, Scaler, Table, describe_in, spearman};

pub use choices::{Choices, GroupChoice, MapChoice};
pub use folder::check_folder;
pub use groups::Grouped;
pub use machine::Machine;
use maps::Maps;
pub use maps::{TsneMap, UmapRuns};
pub use marks::{Learning, Marks};
pub use measurement::{Measurement, Reliability, Variant};
pub use recipe::{ClusterOn, Groups, Map, Recipe, Start};

/// Rows whose SHAP values are computed; evenly spread. Enough for a picture and for means to 1 %.
const MAX_EXPLAINED_ROWS: usize = 2_000;
/// Principal components that are written to the table, at most.
const MAX_COMPONENTS: usize = 10;

/// The steps of the main job, in order, as progress reports name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Column summaries, roles, correlations.
    Table,
    /// Principal components with intervals.
    Variance,
    /// UMAP, several runs.
    Umap,
    /// t-SNE.
    Tsne,
    /// K-means, the choice of k, runs, subsamples, null.
    Groups,
    /// Features that separate the groups.
    Select,
    /// Forest, its validation and SHAP.
    Forest,
    /// Other threads, other choices.
    Doubts,
}

impl Step {
    /// A word for a progress bar.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Variance => "variance",
            Self::Umap => "UMAP",
            Self::Tsne => "t-SNE",
            Self::Groups => "groups",
            Self::Select => "features",
            Self::Forest => "forest",
            Self::Doubts => "doubts",
        }
    }
}

/// Everything the main job found.
#[derive(Debug)]
pub struct Outcome {
    /// Name of the input, without its folder.
    pub name: String,
    /// The recipe that was followed.
    pub recipe: Recipe,
    /// The table as read.
    pub table: Table,
    /// One entry per column.
    pub summaries: Vec<ColumnSummary>,
    /// Roles, units and what was left out.
    pub columns: Columns,
    /// The features as measured, rows with a missing feature left out.
    pub raw: Features,
    /// The same on one scale.
    pub features: Features,
    /// Absolute Spearman correlations between features.
    pub correlation: Array2<f64>,
    /// Principal components.
    pub pca: Pca,
    /// How much they explain, with intervals and stop rules.
    pub variance: ExplainedVariance,
    /// The UMAPs, if asked for.
    pub umap: Option<UmapRuns>,
    /// The t-SNE, if asked for.
    pub tsne: Option<TsneMap>,
    /// The groups and their stability.
    pub groups: Grouped,
    /// Which features separate them; `None` when there is one group only.
    pub selection: Option<Selection>,
    /// The classifier that repeats the grouping; `None` when there is one group only.
    pub forest: Option<Classifier>,
    /// How far classifiers trained on different runs agree (Cohen's kappa); `None` when there is one group only, and
    /// of classes.
    pub conclusion: Option<Interval>,
    /// Whether the number of threads enters the result.
    pub machine: Option<Machine>,
    /// What other choices would have given.
    pub choices: Choices,
    /// What measuring again would have given; `None` without the images, see [`with_measurement`](Self::with_measurement).
    pub measurement: Option<Measurement>,
    /// What may be reported.
    pub verdict: Verdict,
    /// The label image that belongs to the table, if one was given.
    pub labels: Option<LabelImage>,
    /// The image that was labelled, if one was given: shown under the labels.
    pub image: Option<IntensityImage>,
    /// Whether the labels were made from an intensity image, and so are written beside the report.
    pub is_segmented: bool,
}

/// The forest that was distilled from the groups.
#[derive(Debug)]
pub struct Classifier {
    /// As it is written to `model.json`.
    pub model: Model,
    /// Groups the forest assigns, 1..k, one per row of the features.
    pub predicted: Vec<usize>,
    /// Out-of-bag agreement with the groups.
    pub oob_accuracy: f64,
    /// Impurity importances, per feature.
    pub importances: Vec<f64>,
    /// SHAP values of the explained rows.
    pub shap: Shap,
    /// Positions (in the features) of the explained rows.
    pub shap_rows: Vec<usize>,
}

impl Outcome {
    /// Runs a recipe on a table; `progress` is asked for one [`Progress`] per step.
    ///
    /// # Errors
    /// A table that cannot carry the analysis (rows, features, missing values) or a recipe that
    /// does not fit it, each with the remedy.
    ///
    /// # Determinism
    /// The same table, recipe and version give the same bits on any number of threads.
    pub fn of(
        name: &str,
        table: Table,
        recipe: &Recipe,
        progress: impl Fn(Step) -> Progress,
    ) -> Result<Self> {
        if recipe.annotation {
            return Err(Error::parameter("annotation", true, "given with the annotation itself")
                .help(
                    "use Outcome::annotated, or explore TABLE --labels L.tif --annotation A.tif",
                ));
        }
        Self::run(name, table, recipe, None, progress)
    }

    /// The same with classes in place of clusters: of the objects of `labels`, whose labels are the keys of the
    /// table, those that `annotation` marks with 1, 2, .. teach a forest the class of the others. The largest mark
    /// on an object is its class; 0 says nothing.
    ///
    /// # Errors
    /// As [`of`](Self::of); images of different shape, a table without a key, no marked object, one class only, or a
    /// class with a single marked object.
    ///
    /// # Determinism
    /// As [`of`](Self::of).
    pub fn annotated(
        name: &str,
        table: Table,
        recipe: &Recipe,
        labels: &LabelImage,
        annotation: &LabelImage,
        progress: impl Fn(Step) -> Progress,
    ) -> Result<Self> {
        let marked = annotated_objects(labels, annotation)?;
        let recipe = Recipe { annotation: true, ..recipe.clone() };
        Self::run(name, table, &recipe, Some(&marked), progress)
    }

    fn run(
        name: &str,
        table: Table,
        recipe: &Recipe,
        marked: Option<&BTreeMap<u32, u32>>,
        progress: impl Fn(Step) -> Progress,
    ) -> Result<Self> {
        let length_unit = table.length_unit.as_deref();
        let columns = Columns::chosen(&table.frame, recipe.selection())?.in_lengths(length_unit);
        let raw = Features::from_columns(&table.frame, &columns)?;
        check(&raw, recipe)?;
        let marks = match marked {
            Some(marked) => {
                check_key(&columns, "--annotation")?;
                Some(Marks::of(marked, &tables::keys(&table, &columns, raw.rows()))?)
            }
            None => None,
        };
        progress(Step::Table).report(1, 1);
        let summaries = describe_in(&table.frame, length_unit);
        let scaler = Scaler::fit(&raw, recipe.scale);
        let features = raw.with_matrix(scaler.transform(raw.matrix())?)?;
        let correlation = spearman(raw.matrix()).mapv(f64::abs);

        progress(Step::Variance).report(1, 1);
        let most = features.n_features().min(features.n_rows()).min(MAX_COMPONENTS);
        let pca = Pca::params(most).fit(&features)?;
        let variance = ExplainedVariance::of(&features, recipe.seed)?;

        let Maps { umap, tsne } = Maps::draw(&features, recipe, &progress)?;
        let above_noise = components(&pca, &variance)?;
        let space = match (recipe.cluster_on, &umap) {
            (ClusterOn::Pca, _) => above_noise.clone(),
            (ClusterOn::Umap, Some(umap)) => umap.as_features()?,
            _ => features.clone(),
        };
        let grouping = progress(Step::Groups);
        let groups = match marks {
            Some(marks) => Grouped::learn(&raw, &features, marks, recipe, &grouping)?,
            None => Grouped::find(&space, &features, recipe, &grouping)?,
        };

        progress(Step::Select).report(1, 1);
        let (mut selection, mut forest, mut conclusion) = (None, None, None);
        if groups.k > 1 {
            let vote = &groups.stability.labels;
            forest = Some(Classifier::grow(&raw, &groups, recipe, progress(Step::Forest))?);
            selection = Some(if let Some(learning) = &groups.learning {
                learning.selection(&features, recipe.seed)?
            } else {
                let runs: Vec<&[usize]> =
                    groups.runs.iter().map(|run| run.labels.as_slice()).collect();
                conclusion = Some(classifier_agreement(&raw, &runs, vote, recipe.seed)?);
                Selection::of(&features, &groups.runs, vote, recipe.seed)?
            });
        }
        progress(Step::Doubts).report(1, 1);
        let machine = Machine::check(&features, recipe, groups.k);
        let others = choices::other_spaces(&raw, &features, &above_noise, recipe)?;
        let mut choices =
            Choices::try_out(&space, &others, &features, &groups, umap.as_ref(), recipe)?;
        if let (Some(learning), Some(selection)) = (&groups.learning, &selection) {
            let reported = &groups.stability.labels;
            choices.groups = learning.choices(&raw, selection, reported, recipe)?;
        }
        let verdict = trust::verdict(&groups, selection.as_ref(), forest.as_ref(), None);
        Ok(Self {
            name: name.to_owned(),
            recipe: recipe.clone(),
            table,
            summaries,
            columns,
            raw,
            features,
            correlation,
            pca,
            variance,
            umap,
            tsne,
            groups,
            selection,
            forest,
            conclusion,
            machine,
            choices,
            measurement: None,
            verdict,
            labels: None,
            image: None,
            is_segmented: false,
        })
    }

    /// Families of features that move together, each named by its plainest member, with positions of features.
    pub fn families(&self) -> Vec<(String, Vec<usize>)> {
        named_families(self.raw.names(), &self.correlation)
    }

    /// Measures the objects again on outlines a pixel larger and smaller and, with images, on images half a pixel
    /// aside, and judges how far the features and the groups depend on it. `channels` are the images with the names
    /// their columns carry. A table whose features do not come from images stays as it is.
    ///
    /// # Errors
    /// Images of another size than the labels.
    pub fn with_measurement(
        mut self,
        labels: &LabelImage,
        channels: &[(String, IntensityImage)],
    ) -> Result<Self> {
        if self.columns.key().is_some() {
            self.measurement = Measurement::repeat(&self, labels, channels)?;
            let moved = self.measurement.as_ref().and_then(Measurement::moved);
            let (selection, forest) = (self.selection.as_ref(), self.forest.as_ref());
            self.verdict = trust::verdict(&self.groups, selection, forest, moved);
        }
        Ok(self)
    }

    /// Links the label image whose labels are the keys of the table.
    ///
    /// # Errors
    /// A table without a key, or one none of whose keys is in the image.
    pub fn with_labels(mut self, labels: LabelImage) -> Result<Self> {
        let key = check_key(&self.columns, "--labels")?;
        let known = labels.labels();
        let all: Vec<usize> = (0..self.features.n_rows()).collect();
        if !self.keys(&all).iter().any(|key| known.binary_search(key).is_ok()) {
            return Err(Error::data("none of the keys is a label of the image")
                .at_column(key)
                .help("give the label image that the table was measured on"));
        }
        self.labels = Some(labels);
        Ok(self)
    }

    /// Links the label image as [`with_labels`](Self::with_labels) does, shows the first of `channels` under its labels
    /// in the report, and judges the measurement as [`with_measurement`](Self::with_measurement) does.
    ///
    /// # Errors
    /// As both of them.
    pub fn with_pixels(
        self,
        labels: LabelImage,
        channels: Vec<(String, IntensityImage)>,
    ) -> Result<Self> {
        for (_, image) in &channels {
            image.check_same_shape("the label image", labels.grid())?;
        }
        let outcome = self.with_measurement(&labels, &channels)?.with_labels(labels)?;
        Ok(Self { image: channels.into_iter().next().map(|(_, image)| image), ..outcome })
    }
}

/// The column that joins rows and labels.
fn check_key<'a>(columns: &'a Columns, flag: &str) -> Result<&'a str> {
    columns.key().ok_or_else(|| {
        Error::data("no column says which label a row belongs to")
            .help(format!("add the column `label`, or leave out {flag}"))
    })
}

/// Refuses early what no step could answer.
fn check(features: &Features, recipe: &Recipe) -> Result<()> {
    let (n_rows, n_features) = (features.n_rows(), features.n_features());
    if n_features < 2 {
        return Err(Error::data(format!(
            "{n_features} feature columns are left: the walk-through takes at least 2"
        ))
        .help(
            "`explore describe TABLE` shows each column's role; choose with --features 'GLOB,...'",
        ));
    }
    let needed = if recipe.draws(Map::Umap) { recipe.n_neighbors + 1 } else { 4 };
    if n_rows < needed {
        let error = Error::data(format!(
            "{n_rows} rows without missing features: n_neighbors = {} takes at least {needed}",
            recipe.n_neighbors
        ));
        return Err(match n_rows {
            0..4 => error.help("measure more objects"),
            _ => error.help(format!("lower --n-neighbors to at most {}", n_rows - 1)),
        });
    }
    match recipe.k {
        Groups::Number(k) if k < 1 || k > n_rows => {
            let allowed = format!("at least 1 and at most the number of rows ({n_rows})");
            Err(Error::parameter("k", k, allowed))
        }
        _ => Ok(()),
    }
}

/// The components above noise (at least one) as features to group by.
fn components(pca: &Pca, variance: &ExplainedVariance) -> Result<Features> {
    let n_kept = variance.stop_rules().parallel_analysis.clamp(1, pca.coordinates().ncols());
    let kept = pca.coordinates().slice(ndarray::s![.., ..n_kept]).to_owned();
    Features::new(kept, (0..n_kept).map(|axis| format!("pca_{axis}")))
}

impl Classifier {
    fn grow(raw: &Features, groups: &Grouped, recipe: &Recipe, progress: Progress) -> Result<Self> {
        // Objects whose group is not decided teach nothing about groups, unless there would be no groups without;
        // of classes, only the marks teach.
        let stability = &groups.stability;
        let mut labels = match &groups.learning {
            Some(learning) => learning.marks.classes.clone(),
            None => stability.assigned(),
        };
        if (1..=groups.k).any(|group| !labels.contains(&group)) {
            labels.clone_from(&stability.labels);
        }
        let decided: Vec<usize> = (0..raw.n_rows()).filter(|&row| labels[row] > 0).collect();
        labels.retain(|&label| label > 0);
        let forest = recipe
            .forest()
            .progress(progress)
            .fit(&raw.select_rows(&decided).labelled(&labels)?)?;
        let step = raw.n_rows().div_ceil(MAX_EXPLAINED_ROWS).max(1);
        let shap_rows: Vec<usize> = (0..raw.n_rows()).step_by(step).collect();
        let shap = TreeShap::of(&forest).explain(&raw.select_rows(&shap_rows))?;
        Ok(Self {
            predicted: forest.assign(raw)?,
            oob_accuracy: forest.oob_score().unwrap_or(f64::NAN),
            importances: forest.importances().to_vec(),
            model: Model::of(&forest),
            shap,
            shap_rows,
        })
    }
}
