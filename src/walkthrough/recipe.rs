//! The recipe of an analysis: a plain struct, and the same as TOML.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::classify::{ForestParams, RandomForest};
use crate::embed::tsne::{Tsne, TsneParams};
use crate::embed::umap::{Init, Umap, UmapParams};
use crate::error::{Error, Result, cannot_open};
use crate::table::{Columns, Scale, Selection};

/// Everything that decides a result, and nothing else: no thread count, no path, no clock.
///
/// ```
/// use polariscope::walkthrough::{Groups, Recipe};
/// let recipe = Recipe::from_toml("k = 3\nexclude = ['intensity_*']")?;
/// assert_eq!(recipe.k, Groups::Number(3));
/// assert_eq!(Recipe::from_toml(&recipe.to_toml()?)?, recipe);
///
/// let error = Recipe::from_toml("n_neighbours = 5").unwrap_err();
/// assert!(error.to_string().contains("n_neighbors"));
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Columns to use, as names or globs; empty: by role.
    pub features: Vec<String>,
    /// Columns to leave out, as names or globs.
    pub exclude: Vec<String>,
    /// How columns are made comparable.
    pub scale: Scale,
    /// The maps to draw.
    pub embed: Vec<Map>,
    /// UMAP: size of the neighbourhood that is kept together.
    pub n_neighbors: usize,
    /// UMAP: how close points may be drawn.
    pub min_dist: f64,
    /// UMAP: rounds of the layout; `None` is 500, and 200 above 10,000 rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n_epochs: Option<usize>,
    /// UMAP: where the points start.
    pub init: Start,
    /// t-SNE: effective number of neighbours; `None` is 30, fewer in small tables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub perplexity: Option<f64>,
    /// What the groups are made from.
    pub cluster_on: ClusterOn,
    /// Number of groups.
    pub k: Groups,
    /// Whether the groups are classes learned from an annotation, given beside the recipe, in place of clusters;
    /// `cluster_on` and `k` then do not count.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub annotation: bool,
    /// Number of maps that differ by their seed only; `None` is 20, 10 above 20,000 rows and 5
    /// above 100,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs: Option<usize>,
    /// Number of single-start groupings that differ by their seed only.
    pub cluster_runs: usize,
    /// Number of subsamples of 80 %.
    pub subsamples: usize,
    /// Number of tables drawn from a single population for the null.
    pub null_tables: usize,
    /// Trees of the forest.
    pub n_trees: usize,
    /// Depth of its trees.
    pub max_depth: usize,
    /// Rows that a leaf keeps at least.
    pub min_samples_leaf: usize,
    /// Seed of every random choice.
    pub seed: u64,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            features: Vec::new(),
            exclude: Vec::new(),
            scale: Scale::Zscore,
            embed: vec![Map::Pca, Map::Umap, Map::Tsne],
            n_neighbors: 15,
            min_dist: 0.1,
            n_epochs: None,
            init: Start::Pca,
            perplexity: None,
            cluster_on: ClusterOn::Features,
            k: Groups::Auto,
            annotation: false,
            runs: None,
            cluster_runs: 50,
            subsamples: 50,
            null_tables: 100,
            n_trees: 100,
            max_depth: 8,
            min_samples_leaf: 1,
            seed: 0,
        }
    }
}

/// A map to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Map {
    /// Principal components: always computed, since the explained variance is always checked.
    Pca,
    /// UMAP.
    Umap,
    /// t-SNE.
    Tsne,
}

/// Where the points of a UMAP start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// On the first two principal components: islands stand alike in every run.
    Pca,
    /// On the eigenvectors of the neighbour graph, as in umap-learn.
    Spectral,
    /// Anywhere: islands stand elsewhere in every run.
    Random,
}

impl From<Start> for Init {
    fn from(start: Start) -> Self {
        match start {
            Start::Pca => Self::Pca,
            Start::Spectral => Self::Spectral,
            Start::Random => Self::Random,
        }
    }
}

/// What K-means sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClusterOn {
    /// The scaled features: the groups do not depend on a map.
    Features,
    /// The principal components above noise.
    Pca,
    /// The UMAP that agrees best with the others.
    Umap,
}

/// How many groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Word", into = "Word")]
pub enum Groups {
    /// The number with the best silhouette, 2 to 10.
    Auto,
    /// This number.
    Number(usize),
}

/// `"auto"` or a number, as TOML and JSON write it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Word {
    Number(usize),
    Text(String),
}

impl From<Groups> for Word {
    fn from(groups: Groups) -> Self {
        match groups {
            Groups::Auto => Self::Text("auto".into()),
            Groups::Number(k) => Self::Number(k),
        }
    }
}

impl TryFrom<Word> for Groups {
    type Error = Error;

    fn try_from(word: Word) -> Result<Self> {
        match word {
            Word::Number(k) => Ok(Self::Number(k)),
            Word::Text(text) => text.parse(),
        }
    }
}

impl std::str::FromStr for Groups {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        match (word, word.parse()) {
            ("auto", _) => Ok(Self::Auto),
            (_, Ok(k)) => Ok(Self::Number(k)),
            _ => Err(Error::parameter("k", word, "`auto` or a number of groups")),
        }
    }
}

macro_rules! words {
    ($type:ident, $what:literal: $($variant:ident = $word:literal),*) => {
        impl std::str::FromStr for $type {
            type Err = Error;

            fn from_str(word: &str) -> Result<Self> {
                match word {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(Error::parameter($what, word, [$($word),*].join(", "))),
                }
            }
        }
    };
}
words!(Map, "embed": Pca = "pca", Umap = "umap", Tsne = "tsne");
words!(Start, "init": Pca = "pca", Spectral = "spectral", Random = "random");
words!(ClusterOn, "cluster_on": Features = "features", Pca = "pca", Umap = "umap");

impl Recipe {
    /// Reads a recipe from a file, as every report has one.
    ///
    /// # Errors
    /// A file that cannot be read; as [`from_toml`](Self::from_toml).
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|e| cannot_open(path, &e))?;
        Self::from_toml(&text).map_err(|e| e.in_file(path))
    }

    /// Reads the text of a recipe; fields that are left out have their defaults.
    ///
    /// # Errors
    /// An unknown field or a value of the wrong kind, with its line.
    pub fn from_toml(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|e| {
            let line = e.span().map(|s| text[..s.start.min(text.len())].lines().count().max(1));
            let error = Error::format(format!("not a recipe: {}", e.message()));
            line.map_or(error.clone(), |line| error.at_row(line))
        })
    }

    /// The recipe as TOML.
    ///
    /// # Errors
    /// Never for a recipe that this crate made.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| Error::internal(e.to_string()))
    }

    /// The columns it asks for.
    pub fn selection(&self) -> Selection {
        Columns::measurements().features(&self.features).exclude(&self.exclude)
    }

    /// The UMAP it asks for, its seed aside.
    pub(super) fn umap(&self) -> UmapParams {
        let params = Umap::params(2)
            .n_neighbors(self.n_neighbors)
            .min_dist(self.min_dist)
            .init(self.init.into());
        match self.n_epochs {
            Some(n_epochs) => params.n_epochs(n_epochs),
            None => params,
        }
    }

    /// Half and twice the neighbours of its UMAP, where a table of `n_rows` has so many.
    pub(super) fn other_n_neighbors(&self, n_rows: usize) -> impl Iterator<Item = usize> {
        let others = [self.n_neighbors / 2, 2 * self.n_neighbors].into_iter();
        others.filter(move |&other| other >= 2 && other < n_rows)
    }

    /// The t-SNE it asks for.
    pub(super) fn tsne(&self) -> TsneParams {
        let params = Tsne::params(2).seed(self.seed);
        match self.perplexity {
            Some(perplexity) => params.perplexity(perplexity),
            None => params,
        }
    }

    /// The forest it asks for.
    pub(super) fn forest(&self) -> ForestParams<RandomForest> {
        RandomForest::params()
            .n_trees(self.n_trees)
            .max_depth(self.max_depth)
            .min_samples_leaf(self.min_samples_leaf)
            .seed(self.seed)
    }

    /// Number of maps for a table of `n_rows`.
    pub fn n_maps(&self, n_rows: usize) -> usize {
        self.runs.unwrap_or(match n_rows {
            0..=20_000 => 20,
            20_001..=100_000 => 10,
            _ => 5,
        })
    }

    /// Whether a map is asked for.
    pub fn draws(&self, map: Map) -> bool {
        self.embed.contains(&map) || (map == Map::Umap && self.cluster_on == ClusterOn::Umap)
    }
}
