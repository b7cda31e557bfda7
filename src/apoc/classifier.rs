//! What all seven classifiers are: a forest, what it reads, and what is made of its classes.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::Kind;
use super::forest::{Forest, LEAF};
use super::{cl, merger, objects};
use crate::classify::Model;
use crate::error::{Error, Result};
use crate::image::{IntensityImage, LabelImage};
use crate::output::{Existing, write_whole};

/// A trained model as APOC's `.cl` files hold it.
///
/// The typed classifiers ([`PixelClassifier`](super::PixelClassifier) and the others) are made of it and
/// lend its methods; use it directly where the kind is known only from the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Classifier {
    pub(super) kind: Kind,
    /// The feature specification, names separated by spaces.
    pub(super) features: String,
    /// Axes of the annotation: 2 for planes, 3 for stacks, 1 for tables.
    pub(super) n_dims: usize,
    pub(super) max_depth: usize,
    pub(super) importances: Vec<f64>,
    pub(super) positive_class: Option<usize>,
    /// The class (from 1) whose share is the result; 0 where the winning class is.
    pub(super) probability_of: usize,
    /// Training rows that reached each node; not known of a `.cl` file.
    pub(super) covers: Option<Vec<f64>>,
    pub(super) forest: Forest,
}

/// Levels of statistics, beyond those that are there.
const MAX_LEVELS: usize = 100;

/// How often each feature is asked on each level of the trees.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// Names of the features.
    pub features: Vec<String>,
    /// `counts[feature][depth]`: splits on the feature with `depth` splits above.
    pub counts: Vec<Vec<usize>>,
}

impl Statistics {
    /// `shares[feature][depth]`: the counts as shares of all splits of that depth; 0 where there is none.
    pub fn shares(&self) -> Vec<Vec<f64>> {
        let depths = self.counts.first().map_or(0, Vec::len);
        let total = |depth: usize| self.counts.iter().map(|c| c[depth]).sum::<usize>().max(1);
        let totals: Vec<usize> = (0..depths).map(total).collect();
        let share = |(&n, &total): (&usize, &usize)| n as f64 / total as f64;
        self.counts.iter().map(|c| c.iter().zip(&totals).map(share).collect()).collect()
    }
}

impl Classifier {
    /// Reads a model file: `.cl`, `.wgsl` as [`to_wgsl`](Self::to_wgsl) writes it, or `.json` as [`to_json`](Self::to_json) or `explore train` writes it.
    ///
    /// # Errors
    /// When it cannot be read or is no model, with the line.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let cannot = |e: std::io::Error| Error::io(format!("cannot be read: {e}")).in_file(path);
        let size = std::fs::metadata(path).map_err(cannot)?.len();
        if size > cl::MAX_BYTES {
            return Err(
                Error::format(format!("{size} bytes are too many for a model")).in_file(path)
            );
        }
        let text = String::from_utf8(std::fs::read(path).map_err(cannot)?)
            .map_err(|_| Error::format("is no model file: not text").in_file(path))?;
        let is_json = text.trim_start().starts_with('{');
        if is_json { Self::from_json(&text) } else { Self::from_cl(&text) }
            .map_err(|e| e.in_file(path))
    }

    /// Reads the text of a `.cl` file, or of the `.wgsl` file of a model; it is parsed, never run.
    ///
    /// # Errors
    /// When it is not what APOC, or [`to_wgsl`](Self::to_wgsl), writes, with the line.
    pub fn from_cl(text: &str) -> Result<Self> {
        cl::read(text)
    }

    /// Writes the model in the language its name asks for: `.cl`, `.json` or `.wgsl`.
    ///
    /// # Errors
    /// Another ending, or as [`write_whole`].
    pub fn save(&self, path: impl AsRef<Path>, existing: Existing) -> Result<()> {
        let path = path.as_ref();
        let text = match path.extension().and_then(|e| e.to_str()) {
            Some("cl") => self.to_cl(),
            Some("json") => self.to_json(),
            Some("wgsl") => self.to_wgsl(),
            _ => {
                return Err(Error::parameter(
                    "the name of a model",
                    path.display(),
                    "a name that ends in .cl, .json or .wgsl",
                )
                .help("APOC reads .cl files"));
            }
        };
        write_whole(path, existing, |out| {
            out.write_all(text.as_bytes()).map_err(|e| Error::io(e.to_string()))
        })
    }

    /// The model as APOC writes and reads it.
    pub fn to_cl(&self) -> String {
        cl::write(self)
    }

    /// The model as a WGSL compute shader, entry point `predict`: planes of features in (binding 0), a
    /// class or a share per pixel out (binding 1). All that a `.cl` file says stands in it too.
    pub fn to_wgsl(&self) -> String {
        cl::wgsl(self)
    }

    /// The model as JSON: the documented dump of a scikit-learn forest with what is APOC's under `apoc`.
    pub fn to_json(&self) -> String {
        self.dump(self.covers.clone().unwrap_or_else(|| self.even_covers())).to_string()
    }

    /// Reads what [`to_json`](Self::to_json) wrote, or any forest that [`Model::from_json`] reads.
    ///
    /// A forest without the part `apoc` is taken for a table row classifier.
    ///
    /// # Errors
    /// As [`Model::from_json`]; a regression; a part `apoc` that says something impossible.
    pub fn from_json(text: &str) -> Result<Self> {
        let model = Model::from_json(text)?;
        let damaged = |what: &str| Error::format(format!("apoc.{what} is missing or impossible"));
        if model.classes().is_none() {
            return Err(Error::format("a regression has no classes")
                .help("APOC's models are classifiers: train one on classes"));
        }
        if model.scaling().is_some() {
            return Err(Error::format("the model scales its features, which a .cl file cannot")
                .help("train on the features as measured (--scale none)"));
        }
        let value: Value = serde_json::from_str(text).map_err(|e| Error::format(e.to_string()))?;
        let apoc = &value["apoc"];
        let whole = |key: &str| apoc[key].as_u64().map(|n| n as usize);
        let covers = model.trees().as_slice().iter().flat_map(|t| t.cover.iter().copied());
        let forest = Forest::of(model.trees());
        let mut classifier = Self {
            kind: Kind::TableRowClassifier,
            features: model
                .feature_names()
                .iter()
                .map(|n| n.replace(char::is_whitespace, "_"))
                .collect::<Vec<_>>()
                .join(" "),
            n_dims: 1,
            max_depth: model.trees().depth(),
            importances: model.summary().importances.clone(),
            positive_class: None,
            probability_of: 0,
            covers: Some(covers.collect()),
            forest,
        };
        if apoc.is_object() {
            let text = |key: &str| apoc[key].as_str().ok_or_else(|| damaged(key));
            classifier.kind = text("classifier_class_name")?.parse()?;
            text("feature_specification")?.clone_into(&mut classifier.features);
            classifier.n_dims = whole("num_ground_truth_dimensions")
                .ok_or_else(|| damaged("num_ground_truth_dimensions"))?;
            classifier.max_depth = whole("max_depth").ok_or_else(|| damaged("max_depth"))?;
            classifier.positive_class = whole("positive_class_identifier");
            classifier.probability_of = whole("output_probability_of_class")
                .filter(|&class| class <= classifier.forest.n_classes)
                .ok_or_else(|| damaged("output_probability_of_class"))?;
            let importances = apoc["feature_importances"]
                .as_array()
                .ok_or_else(|| damaged("feature_importances"))?;
            classifier.importances = importances.iter().filter_map(Value::as_f64).collect();
        }
        Ok(classifier)
    }

    /// The forest as a [`Model`], for SHAP and for tables; `covers` are rows per node.
    pub(super) fn model(&self, covers: Vec<f64>) -> Result<Model> {
        Model::from_json(&self.dump(covers).to_string())
    }

    fn dump(&self, covers: Vec<f64>) -> Value {
        let forest = &self.forest;
        let trees: Vec<Value> = forest
            .trees()
            .map(|nodes| {
                let start = nodes.start as i64;
                let (nodes, covers) = (&forest.nodes[nodes.clone()], &covers[nodes]);
                let split = |i: usize| nodes[i].left != LEAF;
                let each = |f: &dyn Fn(usize) -> Value| (0..nodes.len()).map(f).collect::<Vec<_>>();
                let child = |i: usize, node: u32| json!(if split(i) { i64::from(node) - start } else { -1 });
                json!({
                    "children_left": each(&|i| child(i, nodes[i].left)),
                    "children_right": each(&|i| child(i, nodes[i].right)),
                    "feature": each(&|i| json!(if split(i) { i64::from(nodes[i].feature) } else { -2 })),
                    // `x < t` of a single is `x <= t'` for the single before `t`.
                    "threshold": each(&|i| json!(if split(i) { f64::from(nodes[i].threshold.next_down()) } else { -2.0 })),
                    "cover": covers,
                    "value": each(&|i| if split(i) { json!(vec![0.0; forest.n_classes]) } else { json!(forest.votes_of(nodes[i].right as usize)) }),
                })
            })
            .collect();
        json!({
            "format": "scikit-learn forest",
            "n_features": forest.n_features,
            "n_outputs": forest.n_classes,
            "output": "class probability",
            "classes": (1..=forest.n_classes).collect::<Vec<_>>(),
            "feature_names": self.feature_names(),
            "apoc": {
                "classifier_class_name": self.kind.class_name(),
                "feature_specification": self.features,
                "num_ground_truth_dimensions": self.n_dims,
                "max_depth": self.max_depth,
                "feature_importances": self.importances,
                "positive_class_identifier": self.positive_class,
                "output_probability_of_class": self.probability_of,
            },
            "trees": trees,
        })
    }

    /// Where nothing is known of the training: half of the rows on each side of a split.
    pub(super) fn even_covers(&self) -> Vec<f64> {
        self.forest.depths().into_iter().map(|depth| 0.5f64.powi(depth as i32)).collect()
    }

    /// Which of the seven it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The feature specification, names separated by spaces.
    pub fn feature_specification(&self) -> &str {
        &self.features
    }

    /// Number of classes; they are 1, 2, ... up to it.
    pub fn n_classes(&self) -> usize {
        self.forest.n_classes
    }

    /// Number of features, those of all channels.
    pub fn n_features(&self) -> usize {
        self.forest.n_features
    }

    /// Number of trees.
    pub fn n_trees(&self) -> usize {
        self.forest.roots.len()
    }

    /// Axes of the annotation it was trained on: 2 for planes, 3 for stacks, 1 for tables; 0 if unknown.
    pub fn n_dims(&self) -> usize {
        self.n_dims
    }

    /// The class an object segmenter or selector is about.
    pub fn positive_class(&self) -> Option<usize> {
        self.positive_class
    }

    /// Names of the specification; those that are no feature are left out.
    fn specified(&self) -> Vec<String> {
        if self.kind.reads_pixels() {
            let parsed = super::FeatureSpec::parse(&self.features);
            return parsed.map_or_else(|_| Vec::new(), |spec| spec.names());
        }
        objects::names_of(&self.features)
    }

    /// A name per feature: those of the specification, with `_1`, `_2`, .. for further channels.
    pub fn feature_names(&self) -> Vec<String> {
        let names = self.specified();
        (0..self.n_features())
            .map(|i| match (names.get(i % names.len().max(1)), i / names.len().max(1)) {
                (Some(name), 0) => name.clone(),
                (Some(name), channel) => format!("{name}_{channel}"),
                (None, _) => format!("feature_{i}"),
            })
            .collect()
    }

    /// How much impurity each feature took away in training, by name; they sum to 1. Empty where the file
    /// does not say.
    pub fn feature_importances(&self) -> BTreeMap<String, f64> {
        self.feature_names().into_iter().zip(self.importances.iter().copied()).collect()
    }

    /// How often each feature is asked on each level of the trees.
    pub fn statistics(&self) -> Statistics {
        let deepest = self.forest.depths().into_iter().max().unwrap_or(0);
        // As many levels as the training allowed, were it not for files that promise millions.
        let n_levels = self.max_depth.min(MAX_LEVELS).max(deepest);
        let mut counts = vec![vec![0; n_levels]; self.n_features()];
        for (node, depth) in self.forest.nodes.iter().zip(self.forest.depths()) {
            if node.left != LEAF {
                counts[node.feature as usize][depth] += 1;
            }
        }
        Statistics { features: self.feature_names(), counts }
    }

    /// What an object classifier, selector or merger makes of labels: classes, the chosen objects, or
    /// merged ones.
    ///
    /// # Errors
    /// A model of another kind, or as [`ObjectClassifier::predict`](super::ObjectClassifier::predict).
    pub fn predict_objects(
        &self,
        labels: &LabelImage,
        intensity: Option<&IntensityImage>,
    ) -> Result<LabelImage> {
        match self.kind {
            Kind::ObjectClassifier => objects::object_classes(self, labels, intensity),
            Kind::ObjectSelector => objects::selected_objects(self, labels, intensity),
            Kind::ObjectMerger => merger::merged_objects(self, labels, intensity),
            kind => Err(Error::format(format!("is a {kind}: it does not classify objects"))),
        }
    }

    /// Refuses a model of another kind.
    pub(super) fn of_kind(self, wanted: Kind) -> Result<Self> {
        if self.kind == wanted {
            return Ok(self);
        }
        Err(Error::format(format!("is a {}, not a {wanted}", self.kind))
            .help(format!("use it as a {}, or train a {wanted}", self.kind)))
    }
}
