//! The model file: a forest with everything it takes to use it on another table.

use std::path::Path;

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::forest::{RandomForest, largest};
use super::tree::TreeRecord;
use super::trees::{Trees, check_matrix};
use crate::error::{Error, Result, closest};
use crate::output::{Existing, write_whole};
use crate::table::Features;

/// What our own files are called; every other `format` is taken for a scikit-learn dump.
const FORMAT: &str = "polariscope forest";
const SCHEMA_VERSION: u32 = 1;
/// A model file beyond this is refused before it is read.
const MAX_FILE_BYTES: u64 = 4 << 30;

/// A trained forest with its features, classes and the summary of its training.
///
/// ```
/// use linfa::traits::Fit;
/// use ndarray::array;
/// use polariscope::classify::{Model, RandomForest};
/// use polariscope::table::Features;
///
/// let features = Features::new(array![[1.0], [2.0], [8.0], [9.0]], ["area"])?;
/// let forest = RandomForest::params().min_samples_leaf(1).fit(&features.labelled(&[1, 1, 2, 2])?)?;
/// let model = Model::of(&forest);
/// let again = Model::from_json(&model.to_json())?;
///
/// assert_eq!(again, model);
/// assert_eq!(again.assign(&features)?, ["1", "1", "2", "2"]);
/// assert!(again.check_columns(&["perimeter"]).is_err());
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    trees: Trees,
    feature_names: Vec<String>,
    units: Vec<String>,
    scaler: Option<Scaling>,
    classes: Option<Vec<String>>,
    summary: TrainingSummary,
}

/// `(x - center) / scale` per feature, applied before the forest is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// What is taken away, one per feature.
    pub center: Vec<f64>,
    /// What it is divided by, one per feature.
    pub scale: Vec<f64>,
}

/// How well the training went; every accuracy was taken on rows the trees had not seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainingSummary {
    /// Column that was learned.
    pub target: Option<String>,
    /// Rows of the training.
    pub n_rows: usize,
    /// Seed of the training.
    pub seed: u64,
    /// Out-of-bag accuracy.
    pub oob_accuracy: Option<f64>,
    /// Cross-validated accuracy.
    pub cv_accuracy: Option<f64>,
    /// Cross-validated balanced accuracy.
    pub cv_balanced_accuracy: Option<f64>,
    /// Impurity importance per feature.
    pub importances: Vec<f64>,
    /// Version of the program that trained it.
    pub version: String,
}

/// The file as it is written; [`Model`] is what is left after every number in it was checked.
#[derive(Debug, Serialize, Deserialize)]
struct File {
    format: String,
    #[serde(default)]
    schema_version: Option<u32>,
    #[serde(default)]
    hash: Option<String>,
    n_features: usize,
    n_outputs: usize,
    output: String,
    classes: Option<Vec<Label>>,
    #[serde(default)]
    feature_names: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    units: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scaler: Option<Scaling>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    training: Option<TrainingSummary>,
    trees: Vec<TreeRecord>,
}

/// A class label as files hold it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Label {
    Text(String),
    Truth(bool),
    Integer(i64),
    Number(f64),
}

impl Label {
    fn into_name(self) -> String {
        match self {
            Self::Text(text) => text,
            // As Python writes it: these come from scikit-learn.
            Self::Truth(truth) => if truth { "True" } else { "False" }.to_string(),
            Self::Integer(number) => number.to_string(),
            Self::Number(number) => number.to_string(),
        }
    }
}

impl Model {
    /// The model of a forest: class labels as text, no units, no scaler.
    pub fn of(forest: &RandomForest) -> Self {
        Self {
            trees: forest.trees().clone(),
            feature_names: forest.feature_names().to_vec(),
            units: vec![String::new(); forest.feature_names().len()],
            scaler: None,
            classes: Some(forest.classes().iter().map(ToString::to_string).collect()),
            summary: TrainingSummary {
                n_rows: forest.n_rows(),
                seed: forest.seed(),
                oob_accuracy: forest.oob_score(),
                importances: forest.importances().to_vec(),
                version: env!("CARGO_PKG_VERSION").to_string(),
                ..TrainingSummary::default()
            },
        }
    }

    /// Names the classes, in the order of [`RandomForest::classes`].
    ///
    /// # Errors
    /// When there is not one name per class.
    pub fn with_classes(mut self, names: Vec<String>) -> Result<Self> {
        if names.len() != self.trees.n_outputs() {
            let message = format!("{} names for {} classes", names.len(), self.trees.n_outputs());
            return Err(Error::data(message));
        }
        self.classes = Some(names);
        Ok(self)
    }

    /// Notes the unit of each feature.
    ///
    /// # Errors
    /// When there is not one unit per feature.
    pub fn with_units(mut self, units: Vec<String>) -> Result<Self> {
        check_length("units", units.len(), self.trees.n_features())?;
        self.units = units;
        Ok(self)
    }

    /// Scales tables before the forest is asked, as the training table was scaled.
    ///
    /// # Errors
    /// When there is not one finite center and one positive scale per feature.
    pub fn with_scaling(mut self, scaling: Scaling) -> Result<Self> {
        scaling.check(self.trees.n_features())?;
        self.scaler = Some(scaling);
        Ok(self)
    }

    /// Notes how the training went.
    pub fn with_summary(mut self, summary: TrainingSummary) -> Self {
        self.summary = summary;
        self
    }

    /// The trees.
    pub fn trees(&self) -> &Trees {
        &self.trees
    }

    /// Names of the features; empty for a dump that has none.
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    /// Unit of each feature, empty where none is known.
    pub fn units(&self) -> &[String] {
        &self.units
    }

    /// How tables are scaled before the forest is asked.
    pub fn scaling(&self) -> Option<&Scaling> {
        self.scaler.as_ref()
    }

    /// Names of the classes; `None` for a regression.
    pub fn classes(&self) -> Option<&[String]> {
        self.classes.as_deref()
    }

    /// Names of the outputs: the classes, or `value` (`value_0`, ... where there are several).
    pub fn output_names(&self) -> Vec<String> {
        match (&self.classes, self.trees.n_outputs()) {
            (Some(classes), _) => classes.clone(),
            (None, 1) => vec!["value".to_string()],
            (None, n) => (0..n).map(|k| format!("value_{k}")).collect(),
        }
    }

    /// How the training went.
    pub fn summary(&self) -> &TrainingSummary {
        &self.summary
    }

    /// Which of a table's columns feed the model, as positions in `columns`.
    ///
    /// # Errors
    /// Names every feature that is missing, with the closest column where one is close.
    pub fn check_columns<S: AsRef<str>>(&self, columns: &[S]) -> Result<Vec<usize>> {
        find_columns(&self.feature_names, columns)
    }

    /// The outputs for each row, shape `(n_rows, n_outputs)`: probabilities, or predicted numbers.
    ///
    /// Columns are found by name; further columns do not matter.
    ///
    /// # Errors
    /// A feature that is missing.
    pub fn outputs(&self, features: &Features) -> Result<Array2<f64>> {
        let columns = self.check_columns(features.names())?;
        if self.feature_names.is_empty() {
            return self.outputs_of(features.matrix());
        }
        self.outputs_of(features.matrix().select(ndarray::Axis(1), &columns).view())
    }

    /// As [`outputs`](Self::outputs), for a matrix whose columns are the model's features in order.
    ///
    /// # Errors
    /// Another number of columns, or a value that is not finite, with its row and column.
    pub fn outputs_of(&self, matrix: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        check_matrix(matrix, self.trees.n_features(), &self.feature_names)?;
        Ok(match &self.scaler {
            None => self.trees.mean_outputs_unchecked(matrix),
            Some(scaling) => self.trees.mean_outputs_unchecked(scaling.apply(matrix).view()),
        })
    }

    /// The most probable class of each row; for a regression the number as text.
    ///
    /// # Errors
    /// As [`outputs`](Self::outputs).
    pub fn assign(&self, features: &Features) -> Result<Vec<String>> {
        let outputs = self.outputs(features)?;
        Ok(outputs
            .rows()
            .into_iter()
            .map(|row| match &self.classes {
                Some(classes) => classes[largest(row.iter())].clone(),
                None => row[0].to_string(),
            })
            .collect())
    }

    /// Writes the model as JSON.
    ///
    /// # Errors
    /// As [`write_whole`].
    pub fn save(&self, path: impl AsRef<Path>, existing: Existing) -> Result<()> {
        let json = self.to_json();
        write_whole(path.as_ref(), existing, |out| {
            out.write_all(json.as_bytes()).map_err(|e| Error::io(e.to_string()))
        })
    }

    /// Reads a model file, ours or a dump of a scikit-learn forest.
    ///
    /// A dump is written by these lines of Python:
    ///
    /// ```python
    /// import json
    ///
    /// def dump(forest, path):
    ///     classes = getattr(forest, "classes_", None)      # None: a regression
    ///     trees = [tree.tree_ for tree in forest.estimators_]
    ///     json.dump({
    ///         "format": "scikit-learn forest",
    ///         "n_features": int(forest.n_features_in_),
    ///         "n_outputs": 1 if classes is None else len(classes),
    ///         "output": "regression value" if classes is None else "class probability",
    ///         "classes": None if classes is None else classes.tolist(),
    ///         "feature_names": list(getattr(forest, "feature_names_in_", [])) or None,
    ///         "trees": [{
    ///             "children_left": t.children_left.tolist(),
    ///             "children_right": t.children_right.tolist(),
    ///             "feature": t.feature.tolist(),
    ///             "threshold": t.threshold.tolist(),
    ///             "cover": t.weighted_n_node_samples.tolist(),
    ///             "value": t.value[:, 0, :].tolist(),
    ///         } for t in trees],
    ///     }, open(path, "w"))
    /// ```
    ///
    /// scikit-learn rounds a value to `f32` before it compares; thresholds are moved so that doubles take
    /// the same ways.
    ///
    /// # Errors
    /// A file that cannot be read, is no model, or has a number in it that cannot be.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let cannot = |e: std::io::Error| Error::io(format!("cannot be read: {e}")).in_file(path);
        let size = std::fs::metadata(path).map_err(cannot)?.len();
        if size > MAX_FILE_BYTES {
            return Err(
                Error::format(format!("{size} bytes are too many for a model")).in_file(path)
            );
        }
        let bytes = std::fs::read(path).map_err(cannot)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Error::format("is no model file: not text").in_file(path))?;
        Self::from_json(&text).map_err(|e| e.in_file(path))
    }

    /// The model as JSON: a superset of the documented scikit-learn dump.
    ///
    /// # Panics
    /// Never: every number in a model is finite.
    pub fn to_json(&self) -> String {
        let mut file = File {
            format: FORMAT.to_string(),
            schema_version: Some(SCHEMA_VERSION),
            hash: None,
            n_features: self.trees.n_features(),
            n_outputs: self.trees.n_outputs(),
            output: self.output_kind().to_string(),
            classes: self
                .classes
                .as_ref()
                .map(|classes| classes.iter().cloned().map(Label::Text).collect()),
            feature_names: Some(self.feature_names.clone()),
            units: Some(self.units.clone()),
            scaler: self.scaler.clone(),
            training: Some(self.summary.clone()),
            trees: self.tree_records(),
        };
        file.hash = Some(content_hash(&file));
        let mut json = serde_json::to_string(&file).unwrap_or_default();
        // One line per tree: a model can be looked at, and two of them compared, with plain tools.
        json = json
            .replace(",\"trees\":[{", ",\n\"trees\":[\n{")
            .replace("},{\"children", "},\n{\"children");
        json.push('\n');
        json
    }

    fn output_kind(&self) -> &'static str {
        if self.classes.is_some() { "class probability" } else { "regression value" }
    }

    fn tree_records(&self) -> Vec<TreeRecord> {
        let k = self.trees.n_outputs();
        self.trees.as_slice().iter().map(|tree| TreeRecord::of(tree, k)).collect()
    }

    /// Reads what [`to_json`](Self::to_json) or the documented scikit-learn script wrote.
    ///
    /// # Errors
    /// Text that is no such JSON, or a number in it that cannot be: an index out of range, a tree that is
    /// none, a probability outside 0..1, a hash that does not fit the content.
    pub fn from_json(json: &str) -> Result<Self> {
        let file: File = serde_json::from_str(json).map_err(|e| {
            Error::format(format!("is no model file: {e}"))
                .help("expected the JSON that `explore train` writes, or a scikit-learn dump")
        })?;
        let ours = file.format == FORMAT;
        if ours {
            file.check_version()?;
        }
        file.into_model(ours)
    }
}

/// The position of each wanted name among the columns.
///
/// # Errors
/// Every name that is missing, with the closest column where one is close.
pub(crate) fn find_columns<S: AsRef<str>>(wanted: &[String], columns: &[S]) -> Result<Vec<usize>> {
    let position = |name: &String| columns.iter().position(|c| c.as_ref() == name);
    let missing: Vec<&String> = wanted.iter().filter(|name| position(name).is_none()).collect();
    if missing.is_empty() {
        return Ok(wanted.iter().filter_map(position).collect());
    }
    let guess = |name: &&String| {
        let names = columns.iter().map(AsRef::as_ref);
        closest(name, names).map_or(format!("`{name}`"), |c| format!("`{name}` (is it `{c}`?)"))
    };
    let listed: Vec<String> = missing.iter().map(guess).collect();
    Err(Error::data(format!(
        "the table lacks {} of the {} features of the model: {}",
        missing.len(),
        wanted.len(),
        listed.join(", ")
    ))
    .help("measure the missing features, or train a model on the columns that are there"))
}

impl File {
    fn check_version(&self) -> Result<()> {
        match self.schema_version {
            Some(SCHEMA_VERSION) => {}
            found => {
                let found = found.map_or("none".to_string(), |v| v.to_string());
                return Err(Error::format(format!(
                    "schema_version is {found}, this program reads {SCHEMA_VERSION}"
                ))
                .help("read it with the program version that wrote it, or train the model again"));
            }
        }
        let hash = content_hash(self);
        if self.hash.as_ref() == Some(&hash) {
            return Ok(());
        }
        Err(Error::format(format!(
            "its hash is {}, its content has {hash}: the file was changed after it was written",
            self.hash.as_deref().unwrap_or("missing")
        ))
        .help("take the original file, or train the model again"))
    }

    fn into_model(self, ours: bool) -> Result<Model> {
        let (d, k) = (self.n_features, self.n_outputs);
        if d == 0 || k == 0 || self.trees.is_empty() {
            let n = self.trees.len();
            let message = format!("{d} features, {k} outputs, {n} trees: each must be at least 1");
            return Err(Error::format(message));
        }
        let classes = classes_of(&self.output, self.classes, k)?;
        let feature_names = self.feature_names.unwrap_or_default();
        if !feature_names.is_empty() || ours {
            check_length("feature_names", feature_names.len(), d)?;
        }
        if let Some(twice) = duplicate(&feature_names) {
            return Err(Error::format(format!("feature_names has `{twice}` twice")));
        }
        let units = self.units.unwrap_or_else(|| vec![String::new(); d]);
        check_length("units", units.len(), d)?;
        if let Some(scaling) = &self.scaler {
            scaling.check(d)?;
        }
        let mut trees = Vec::with_capacity(self.trees.len());
        for (t, record) in self.trees.into_iter().enumerate() {
            let of_tree = |e: Error| Error::format(format!("tree {t}: {}", e.message()));
            let mut tree = record.into_tree(d, k).map_err(of_tree)?;
            if classes.is_some() {
                check_probabilities(&tree.values, k).map_err(of_tree)?;
            }
            if !ours {
                tree.map_thresholds(as_double);
            }
            trees.push(tree);
        }
        let trees = Trees::new(trees, d, k);
        let summary = self.training.unwrap_or_default();
        Ok(Model { trees, feature_names, units, scaler: self.scaler, classes, summary })
    }
}

/// The class names of a classifier, one per output; `None` for a regression.
fn classes_of(output: &str, classes: Option<Vec<Label>>, k: usize) -> Result<Option<Vec<String>>> {
    match (output, classes) {
        ("class probability", Some(labels)) => {
            check_length("classes", labels.len(), k)?;
            let names: Vec<String> = labels.into_iter().map(Label::into_name).collect();
            match duplicate(&names) {
                Some(twice) => Err(Error::format(format!("classes has `{twice}` twice"))),
                None => Ok(Some(names)),
            }
        }
        ("class probability", None) => {
            Err(Error::format("classes is missing: one label per output"))
        }
        ("regression value", None) => Ok(None),
        ("regression value", Some(_)) => {
            Err(Error::format("classes must be null for a regression"))
        }
        (other, _) => Err(Error::format(format!(
            "output is {other:?}: must be \"class probability\" or \"regression value\""
        ))),
    }
}

fn check_length(name: &str, found: usize, wanted: usize) -> Result<()> {
    if found == wanted {
        return Ok(());
    }
    Err(Error::format(format!("{name} has {found} entries: must be {wanted}")))
}

fn duplicate(names: &[String]) -> Option<&String> {
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort();
    sorted.windows(2).find(|w| w[0] == w[1]).map(|w| w[0])
}

/// Leaves must hold shares; scikit-learn before 1.3 wrote counts, which would mean something else.
fn check_probabilities(values: &[f64], k: usize) -> Result<()> {
    let fault = values.chunks(k).position(|leaf| {
        leaf.iter().any(|v| !(-1e-9..=1.0 + 1e-9).contains(v))
            || (leaf.iter().sum::<f64>() - 1.0).abs() > 1e-6
    });
    match fault {
        None => Ok(()),
        Some(leaf) => Err(Error::format(format!(
            "leaf {leaf} holds {:?}: class probabilities must lie in 0..1 and sum to 1",
            &values[leaf * k..(leaf + 1) * k]
        ))
        .help("divide each node's values by their sum (scikit-learn before 1.3 kept counts)")),
    }
}

/// The largest double that scikit-learn sends left: it rounds a value to `f32` before it compares.
///
/// `(x as f32) as f64 <= threshold` is true exactly for `x <= as_double(threshold)`.
fn as_double(threshold: f64) -> f64 {
    let below = floor_f32(threshold);
    let above = below.next_up();
    if !above.is_finite() || !below.is_finite() {
        return threshold;
    }
    let middle = f64::from(below) / 2.0 + f64::from(above) / 2.0;
    // Halfway cases round to the even neighbour.
    if middle as f32 <= below { middle } else { middle.next_down() }
}

/// The largest `f32` that is not above `x`.
fn floor_f32(x: f64) -> f32 {
    let near = x as f32;
    if f64::from(near) <= x { near } else { near.next_down() }
}

impl Scaling {
    fn check(&self, n_features: usize) -> Result<()> {
        check_length("scaler.center", self.center.len(), n_features)?;
        check_length("scaler.scale", self.scale.len(), n_features)?;
        let wrong = |(c, s): (&f64, &f64)| !(c.is_finite() && s.is_finite() && *s > 0.0);
        match self.center.iter().zip(&self.scale).position(wrong) {
            None => Ok(()),
            Some(i) => Err(Error::format(format!(
                "scaler of feature {i}: ({}, {}) must be a finite center and a positive scale",
                self.center[i], self.scale[i]
            ))),
        }
    }

    pub(crate) fn apply(&self, matrix: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut scaled = matrix.to_owned();
        for (mut column, (center, scale)) in
            scaled.columns_mut().into_iter().zip(self.center.iter().zip(&self.scale))
        {
            column.mapv_inplace(|x| (x - center) / scale);
        }
        scaled
    }
}

/// 64 bits over the file's content without the hash itself, as hexadecimal text.
///
/// FNV-1a (Fowler, Noll and Vo) finds damage and edits; it is no signature against malice.
fn content_hash(file: &File) -> String {
    struct Fnv(u64);
    impl std::io::Write for Fnv {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            for &byte in bytes {
                self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    // Writing into a hash cannot fail; were the content not JSON, `to_json` would not have it either.
    let content = (
        (&file.format, file.schema_version, file.n_features, file.n_outputs, &file.output),
        (&file.classes, &file.feature_names, &file.units, &file.scaler, &file.training),
        &file.trees,
    );
    let _: serde_json::Result<()> = serde_json::to_writer(&mut hash, &content);
    format!("{:016x}", hash.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use linfa::traits::Fit;
    use ndarray::array;

    fn features() -> Features {
        let matrix = array![[1.0, 0.3], [2.0, 0.1], [3.0, 0.7], [7.0, 0.2], [8.0, 0.9], [9.5, 0.4]];
        Features::new(matrix, ["area", "noise"]).unwrap()
    }

    fn model() -> Model {
        let labelled = features().labelled(&[1, 1, 1, 5, 5, 5]).unwrap();
        Model::of(&RandomForest::params().n_trees(7).min_samples_leaf(1).fit(&labelled).unwrap())
    }

    #[test]
    fn a_model_survives_its_file() {
        let scaling = Scaling { center: vec![0.1, 1.0 / 3.0], scale: vec![1.7, 0.3] };
        let model = model().with_scaling(scaling).unwrap();
        let again = Model::from_json(&model.to_json()).unwrap();
        assert_eq!(again, model);
        assert_eq!(again.outputs(&features()).unwrap(), model.outputs(&features()).unwrap());
        assert_eq!(again.to_json(), model.to_json());
    }

    #[test]
    fn a_changed_file_is_refused() {
        let json = model().to_json();
        for (from, to, says) in [
            ("\"schema_version\":1", "\"schema_version\":9", "schema_version is 9"),
            ("\"area\"", "\"arena\"", "hash"),
            ("\"cover\":[6.0", "\"cover\":[6.5", "hash"),
            ("{", "[", "is no model file"),
        ] {
            let error = Model::from_json(&json.replacen(from, to, 1)).unwrap_err();
            assert!(error.message().contains(says), "{from} -> {to}: {error}");
        }
    }

    /// A dump with one split: `x0 <= 0.5`.
    fn dump(replace: &[(&str, &str)]) -> Result<Model> {
        let mut json = r#"{"format": "scikit-learn forest", "n_features": 2, "n_outputs": 2,
            "output": "class probability", "classes": [1, 2], "trees": [{"children_left": [1, -1, -1],
            "children_right": [2, -1, -1], "feature": [0, -2, -2], "threshold": [0.5, -2, -2],
            "cover": [4, 1, 3], "value": [[0.5, 0.5], [1, 0], [0.25, 0.75]]}]}"#
            .to_string();
        for (from, to) in replace {
            assert!(json.contains(from), "{from}");
            json = json.replacen(from, to, 1);
        }
        Model::from_json(&json)
    }

    #[test]
    fn a_scikit_learn_dump_is_read_and_its_faults_are_named() {
        let outputs = dump(&[]).unwrap().outputs_of(array![[0.5, 0.0], [0.6, 0.0]].view()).unwrap();
        assert_eq!(outputs, array![[1.0, 0.0], [0.25, 0.75]]);
        for (from, to, says) in [
            ("[1, -1, -1]", "[0, -1, -1]", "tree 0: node 0: children 0 and 2"),
            ("[1, -1, -1]", "[2, -1, -1]", "tree 0: node 0: children 2 and 2"),
            ("[1, -1, -1]", "[7, -1, -1]", "tree 0: node 0: children 7 and 2"),
            ("[1, -1, -1]", "[-1, -1, -1]", "tree 0: node 0: children -1 and 2"),
            ("[1, -1, -1]", "[1, -1]", "tree 0: children_right has 3 entries"),
            ("[0, -2, -2]", "[2, -2, -2]", "tree 0: node 0: feature 2 is not one of 0..2"),
            ("[4, 1, 3]", "[4, 0, 3]", "cover"),
            ("[4, 1, 3]", "[9, 1, 3]", "node 0: cover 9 differs from its children's 4"),
            ("[1, 0]", "[3, 0]", "tree 0: leaf 0 holds [3.0, 0.0]"),
            ("[1, 0]", "[1]", "tree 0: node 1: value must be 2 finite numbers"),
            ("\"class probability\"", "\"votes\"", "output is \"votes\""),
            ("\"classes\": [1, 2]", "\"classes\": [1, 1]", "classes has `1` twice"),
            ("\"n_features\": 2", "\"n_features\": -2", "is no model file"),
            ("\"trees\"", "\"feature_names\": [\"a\"], \"trees\"", "feature_names has 1 entries"),
        ] {
            let error = dump(&[(from, to)]).unwrap_err();
            assert!(error.message().contains(says), "{from} -> {to}: {error}");
        }
    }

    #[test]
    fn a_loop_in_a_tree_is_refused() {
        let looped = [
            ("[1, -1, -1]", "[1, 1, -1]"),
            ("[2, -1, -1]", "[2, 2, -1]"),
            ("[4, 1, 3]", "[4, 4, 0.000001]"),
            ("[0, -2, -2]", "[0, 0, -2]"),
        ];
        assert!(dump(&looped).is_err());
    }

    #[test]
    fn thresholds_mean_for_doubles_what_they_mean_for_floats() {
        for threshold in [0.5, 0.1, 1.0 / 3.0, 555.5, -2.7, 1e-40, 0.0, 16_777_217.0, 3.4e38] {
            let double = as_double(threshold);
            let goes_left = |x: f64| f64::from(x as f32) <= threshold;
            assert!(goes_left(double) && !goes_left(double.next_up()), "{threshold} {double}");
        }
    }
}
