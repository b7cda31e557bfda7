//! A feature specification becomes a list of filters: `original gaussian_blur=1 sobel_of_gaussian_blur=1`.

use super::blur;
use crate::error::{Error, Result, closest};

/// The features of pixels, in order, as APOC's specification strings name them.
///
/// `original` is the image; `operation=number` filters it, with the number as sigma in pixels; a filter of
/// a filter is `outer_of_inner=number`. Numbers may be followed by spaces, tabs or commas. The name of a
/// predefined set such as `object_size_1_to_5_px` stands for its specification.
///
/// ```
/// use polariscope::apoc::FeatureSpec;
///
/// let spec = FeatureSpec::parse("original gaussian_blur=1 sobel_of_gaussian_blur=1")?;
/// assert_eq!(spec.names().len(), 3);
/// assert_eq!(FeatureSpec::parse("object_size_1_to_5_px")?.names().len(), 16);
///
/// // A word that is no feature is ignored, as APOC does, but not silently.
/// assert_eq!(FeatureSpec::parse("original gaussian_blur")?.ignored(), ["gaussian_blur"]);
/// assert!(FeatureSpec::parse("gaussian_blurr=1").is_err());
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureSpec {
    pub(super) features: Vec<Feature>,
    ignored: Vec<String>,
}

/// One feature: a filter of the image, and maybe another on top.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Feature {
    pub name: String,
    pub inner: Inner,
    pub outer: Option<Outer>,
}

/// What is done to the image first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Inner {
    Original,
    /// With this sigma.
    GaussianBlur(f64),
    /// The blur with 0.9 times this sigma minus that with 1.1 times.
    DifferenceOfGaussian(f64),
}

/// What is done to the result, with the nearest neighbours of each pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outer {
    Sobel,
    LaplaceBox,
    LaplaceDiamond,
}

const INNER: [&str; 2] = ["gaussian_blur", "difference_of_gaussian"];
const OUTER: [(&str, Outer); 3] = [
    ("sobel", Outer::Sobel),
    ("laplace_box", Outer::LaplaceBox),
    ("laplace_diamond", Outer::LaplaceDiamond),
];
/// The three filters of the large predefined sets.
const DOG_LOG: [&str; 3] =
    ["gaussian_blur", "difference_of_gaussian", "laplace_box_of_gaussian_blur"];
/// The two filters of the quick sets.
const QUICK: [&str; 2] = ["gaussian_blur", "sobel_of_gaussian_blur"];

/// Name, whether the image itself is in it, filters, their numbers.
const SETS: [(&str, bool, &[&str], &[u32]); 15] = [
    ("small_quick", true, &QUICK, &[1]),
    ("medium_quick", false, &QUICK, &[5]),
    ("large_quick", false, &QUICK, &[25]),
    ("small_dog_log", true, &DOG_LOG, &[1]),
    ("medium_dog_log", false, &DOG_LOG, &[5]),
    ("large_dog_log", false, &DOG_LOG, &[25]),
    ("object_size_1_to_2_px", false, &DOG_LOG, &[1, 2]),
    ("object_size_1_to_5_px", true, &DOG_LOG, &[1, 2, 3, 4, 5]),
    ("object_size_3_to_8_px", false, &DOG_LOG, &[3, 4, 5, 6, 7, 8]),
    ("object_size_5_to_10_px", false, &DOG_LOG, &[5, 6, 7, 8, 9, 10]),
    ("object_size_10_to_15_px", false, &DOG_LOG, &[10, 11, 12, 13, 14, 15]),
    ("object_size_15_to_20_px", false, &DOG_LOG, &[15, 16, 17, 18, 19, 20]),
    ("object_size_20_to_25_px", false, &DOG_LOG, &[20, 21, 22, 23, 24, 25]),
    ("object_size_25_to_50_px", false, &DOG_LOG, &[25, 30, 35, 40, 45]),
    ("object_size_50_to_100_px", false, &DOG_LOG, &[50, 60, 70, 80, 90]),
];

impl FeatureSpec {
    /// Names and specifications of the predefined sets.
    pub fn predefined() -> Vec<(&'static str, String)> {
        let written = |(name, original, filters, numbers): (_, bool, &[&str], &[u32])| {
            let each = filters.iter().flat_map(|f| numbers.iter().map(move |n| format!("{f}={n}")));
            let words: Vec<String> =
                original.then(|| "original".to_owned()).into_iter().chain(each).collect();
            (name, words.join(" "))
        };
        SETS.into_iter().map(written).collect()
    }

    /// Reads a specification, or the name of a predefined set.
    ///
    /// # Errors
    /// An operation that is not known, a number that is none, or no feature at all.
    pub fn parse(text: &str) -> Result<Self> {
        let sets = Self::predefined();
        let set = sets.iter().find(|(name, _)| *name == text.trim());
        let text = set.map_or(text, |(_, specification)| specification);
        let mut spec = Self { features: Vec::new(), ignored: Vec::new() };
        for word in text.split(|c: char| c.is_whitespace() || c == ',').filter(|w| !w.is_empty()) {
            match Feature::parse(word)? {
                Some(feature) => spec.features.push(feature),
                None => spec.ignored.push(word.to_owned()),
            }
        }
        if spec.features.is_empty() {
            let error = Error::parameter(
                "features",
                format!("`{}`", text.trim()),
                "at least one feature, such as gaussian_blur=1",
            );
            let names = sets.iter().map(|(name, _)| *name);
            return Err(match closest(text.trim(), names) {
                Some(name) => error.help(format!("did you mean `{name}`?")),
                None => error.help("or the name of a set, such as object_size_1_to_5_px"),
            });
        }
        Ok(spec)
    }

    /// The features by name, in order.
    pub fn names(&self) -> Vec<String> {
        self.features.iter().map(|feature| feature.name.clone()).collect()
    }

    /// Words that are no feature, and that nothing was made of.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// The specification as a model file holds it, without what is ignored.
    pub(super) fn written(&self) -> String {
        self.names().join(" ")
    }

    /// How many pixels away a pixel still changes a feature.
    pub(super) fn reach(&self) -> usize {
        self.features.iter().map(Feature::reach).max().unwrap_or(0)
    }
}

impl Feature {
    /// `None` for a word that APOC ignores.
    fn parse(word: &str) -> Result<Option<Self>> {
        if word.eq_ignore_ascii_case("original") {
            return Ok(Some(Self { name: "original".into(), inner: Inner::Original, outer: None }));
        }
        let Some((operation, number)) = word.split_once('=') else {
            return Ok(None);
        };
        let bad = |value: &str, allowed: String| Error::parameter(operation, value, allowed);
        let sigma: f64 = number
            .parse()
            .ok()
            .filter(|sigma| (0.0..=blur::LARGEST_SIGMA).contains(sigma))
            .ok_or_else(|| bad(number, format!("a number from 0 to {}", blur::LARGEST_SIGMA)))?;
        let (outer, inner) = match OUTER.iter().find_map(|(name, outer)| {
            let rest = operation.strip_prefix(name)?;
            Some((*outer, if rest.is_empty() { rest } else { rest.strip_prefix("_of_")? }))
        }) {
            Some((outer, inner)) => (Some(outer), inner),
            None => (None, operation),
        };
        let inner = match inner {
            "" if outer.is_some() => Inner::Original,
            "gaussian_blur" => Inner::GaussianBlur(sigma),
            "difference_of_gaussian" => Inner::DifferenceOfGaussian(sigma),
            _ => {
                let known = INNER.iter().copied().chain(OUTER.iter().map(|(name, _)| *name));
                let composed = OUTER
                    .iter()
                    .flat_map(|(outer, _)| INNER.map(|inner| format!("{outer}_of_{inner}")));
                let composed: Vec<String> = composed.collect();
                let error = Error::parameter(
                    "feature",
                    word,
                    "original, or gaussian_blur, difference_of_gaussian, sobel, laplace_box, laplace_diamond or one of the last three `_of_` one of the first two, with `=` and a number",
                );
                return Err(
                    match closest(operation, known.chain(composed.iter().map(String::as_str))) {
                        Some(name) => error.help(format!("did you mean `{name}={number}`?")),
                        None => error,
                    },
                );
            }
        };
        Ok(Some(Self { name: word.to_owned(), inner, outer }))
    }

    fn reach(&self) -> usize {
        self.inner.reach() + usize::from(self.outer.is_some())
    }
}

impl Inner {
    fn reach(self) -> usize {
        match self {
            Self::Original => 0,
            Self::GaussianBlur(sigma) => blur::radius(sigma),
            Self::DifferenceOfGaussian(sigma) => blur::radius(sigma * 1.1),
        }
    }
}
