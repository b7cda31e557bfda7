//! The comment at the top of a model file: `key = value` lines.

use crate::apoc::Kind;
use crate::error::{Error, Result};

/// More lines than this before the `*/` are no header.
const MAX_LINES: usize = 1000;
/// What every header says first.
pub(super) const TITLE: &str = "OpenCL RandomForestClassifier";
/// The same in a shader.
pub(super) const WGSL_TITLE: &str = "WGSL RandomForestClassifier";

/// What the comment says, as far as it does: older versions of APOC say less.
#[derive(Debug, Default)]
pub(super) struct Header {
    /// Whether a shader follows, not OpenCL.
    pub is_wgsl: bool,
    pub kind: Option<Kind>,
    pub features: Option<String>,
    pub n_dims: Option<usize>,
    pub n_classes: Option<usize>,
    pub n_features: Option<usize>,
    pub max_depth: Option<usize>,
    pub n_trees: Option<usize>,
    pub importances: Vec<f64>,
    pub positive_class: Option<usize>,
    pub apoc_version: Option<String>,
}

impl Header {
    /// Reads the comment; returns it with what follows and the number of the line where that begins.
    pub fn read(text: &str) -> Result<(Self, &str, usize)> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut header = Self::default();
        let mut rest = text;
        let mut has_title = false;
        for number in 1..=MAX_LINES {
            let end = rest.find('\n').map_or(rest.len(), |end| end + 1);
            let (line, after) = rest.split_at(end);
            rest = after;
            let line = line.trim();
            if number == 1 && line != "/*" {
                return Err(not_a_model());
            }
            header.is_wgsl |= line == WGSL_TITLE;
            has_title |= line == TITLE || line == WGSL_TITLE;
            if line == "*/" {
                return if has_title { Ok((header, rest, number + 1)) } else { Err(not_a_model()) };
            }
            if rest.is_empty() {
                return Err(Error::format("the file ends inside its header")
                    .at_row(number)
                    .help("it was cut short: copy or export it again"));
            }
            if let Some((key, value)) = line.split_once('=') {
                header.take(key.trim(), value.trim()).map_err(|e| e.at_row(number))?;
            }
        }
        Err(not_a_model())
    }

    fn take(&mut self, key: &str, value: &str) -> Result<()> {
        let count = |most: usize| -> Result<Option<usize>> {
            let number = value.parse::<usize>().ok().filter(|&n| n <= most);
            number.map(Some).ok_or_else(|| {
                Error::format(format!("{key} = {value} is not a whole number up to {most}"))
            })
        };
        match key {
            "classifier_class_name" => {
                self.kind = Some(value.parse().map_err(|e: Error| {
                    Error::format(format!("classifier_class_name = {value} is unknown"))
                        .help(e.message().to_owned())
                })?);
            }
            "feature_specification" => self.features = Some(value.to_owned()),
            "num_ground_truth_dimensions" => self.n_dims = count(3)?,
            "num_classes" => self.n_classes = count(super::MAX_CLASSES)?,
            "num_features" => self.n_features = count(super::MAX_FEATURES)?,
            "max_depth" => self.max_depth = count(usize::MAX)?,
            "num_trees" => self.n_trees = count(usize::MAX)?,
            "positive_class_identifier" => self.positive_class = count(usize::MAX)?,
            "feature_importances" => {
                // Some versions leave a sign of equality and spaces behind.
                let list = value.trim_start_matches('=').trim();
                self.importances = list
                    .split(',')
                    .filter(|part| !part.trim().is_empty())
                    .map(|part| {
                        part.trim().parse().map_err(|_| {
                            Error::format(format!("{} is not a feature importance", part.trim()))
                        })
                    })
                    .collect::<Result<_>>()?;
            }
            "apoc_version" => self.apoc_version = Some(value.to_owned()),
            _ => {}
        }
        Ok(())
    }
}

fn not_a_model() -> Error {
    Error::format(
        "is no APOC model: it does not begin with a comment `OpenCL RandomForestClassifier`",
    )
    .help("models are the .cl files that APOC, or `explore apoc train`, writes, and what `apoc convert` makes of them")
}
