//! The seven classifiers by name: in model files, on the command line, in errors.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result, closest};

/// What a model classifies, and what it makes of the classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Pixels become classes.
    PixelClassifier,
    /// Pixels of one class become labels of connected objects.
    ObjectSegmenter,
    /// Pixels become the probability of one class.
    ProbabilityMapper,
    /// Objects become classes.
    ObjectClassifier,
    /// Objects of one class are kept.
    ObjectSelector,
    /// Touching objects that belong together become one.
    ObjectMerger,
    /// Rows of a table become classes.
    TableRowClassifier,
}

/// Each kind with APOC's name for the class and the word on the command line.
const NAMES: [(Kind, &str, &str); 7] = [
    (Kind::PixelClassifier, "PixelClassifier", "pixel-classifier"),
    (Kind::ObjectSegmenter, "ObjectSegmenter", "object-segmenter"),
    (Kind::ProbabilityMapper, "ProbabilityMapper", "probability-mapper"),
    (Kind::ObjectClassifier, "ObjectClassifier", "object-classifier"),
    (Kind::ObjectSelector, "ObjectSelector", "object-selector"),
    (Kind::ObjectMerger, "ObjectMerger", "object-merger"),
    (Kind::TableRowClassifier, "TableRowClassifier", "table-row-classifier"),
];

impl Kind {
    /// All seven.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.into_iter().map(|(kind, ..)| kind)
    }

    /// APOC's name: the `classifier_class_name` of a model file.
    pub fn class_name(self) -> &'static str {
        self.names().0
    }

    /// The word on the command line.
    pub fn word(self) -> &'static str {
        self.names().1
    }

    fn names(self) -> (&'static str, &'static str) {
        let found = NAMES.into_iter().find(|(kind, ..)| *kind == self);
        found.map_or(("", ""), |(_, class, word)| (class, word))
    }

    /// Whether its features are images.
    pub fn reads_pixels(self) -> bool {
        matches!(self, Self::PixelClassifier | Self::ObjectSegmenter | Self::ProbabilityMapper)
    }

    /// Whether its features are measurements of objects.
    pub fn reads_objects(self) -> bool {
        matches!(self, Self::ObjectClassifier | Self::ObjectSelector | Self::ObjectMerger)
    }

    /// Whether one class is the one it is about.
    pub(super) fn has_positive_class(self) -> bool {
        matches!(self, Self::ObjectSegmenter | Self::ObjectSelector)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// `pixel-classifier`, or `PixelClassifier` as in model files.
impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = NAMES.into_iter().find(|(_, class, word)| text == *class || text == *word);
        found.map(|(kind, ..)| kind).ok_or_else(|| {
            let words: Vec<&str> = NAMES.iter().map(|(.., word)| *word).collect();
            let error = Error::parameter("KIND", text, format!("one of {}", words.join(", ")));
            match closest(text, words) {
                Some(word) => error.help(format!("did you mean `{word}`?")),
                None => error,
            }
        })
    }
}
