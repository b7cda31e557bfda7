//! A model as JSON: writing, reading, and checking every number that was read.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Model, Scaling, TrainingSummary, check_length};
use crate::SCHEMA_VERSION;
use crate::classify::tree::TreeRecord;
use crate::classify::trees::Trees;
use crate::error::{Error, Result, cannot_open};
use crate::output::{Existing, write_whole};

/// What our own files are called; every other `format` is taken for a scikit-learn dump.
const FORMAT: &str = "polariscope forest";
/// A model file beyond this is refused before it is read.
const MAX_FILE_BYTES: u64 = 4 << 30;

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
        let cannot = |e: std::io::Error| cannot_open(path, &e);
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
pub(super) fn as_double(threshold: f64) -> f64 {
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
