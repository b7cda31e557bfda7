//! How a forest is grown: one set of knobs for classes and for numbers.

use std::marker::PhantomData;

use ndarray::ArrayView2;

use super::bag::Settings;
use super::forest::RandomForest;
use super::grow::Limits;
use super::trees::check_matrix;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::seed::Seed;

/// How many features a split may choose from.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum MaxFeatures {
    /// The square root of their number, rounded down: the default for classes.
    Sqrt,
    /// All of them: the default for numbers.
    All,
    /// So many, at most all.
    Count(usize),
    /// This share of them, at least one.
    Share(f64),
}

impl From<usize> for MaxFeatures {
    fn from(count: usize) -> Self {
        Self::Count(count)
    }
}

impl MaxFeatures {
    fn of(self, n_features: usize) -> usize {
        let wanted = match self {
            Self::Sqrt => n_features.isqrt(),
            Self::All => n_features,
            Self::Count(count) => count,
            Self::Share(share) => (share * n_features as f64) as usize,
        };
        wanted.clamp(1, n_features.max(1))
    }
}

/// What a row of each class weighs while the trees grow.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub enum ClassWeight {
    /// Every row weighs one.
    #[default]
    Uniform,
    /// Every class weighs the same: `n_rows / (n_classes * rows of the class)`.
    Balanced,
    /// Weights by label; a label that is not listed weighs one.
    Given(Vec<(usize, f64)>),
}

/// The parameters of a [`RandomForest`] or a [`RegressionForest`](super::RegressionForest).
#[derive(Debug, Clone)]
pub struct ForestParams<Forest> {
    n_trees: usize,
    max_depth: Option<usize>,
    min_samples_leaf: usize,
    max_features: MaxFeatures,
    class_weight: ClassWeight,
    bootstrap: bool,
    oob: bool,
    seed: u64,
    progress: Progress,
    forest: PhantomData<Forest>,
}

impl<Forest> ForestParams<Forest> {
    pub(crate) fn with(max_features: MaxFeatures) -> Self {
        Self {
            n_trees: 100,
            max_depth: Some(8),
            min_samples_leaf: 1,
            max_features,
            class_weight: ClassWeight::Uniform,
            bootstrap: true,
            oob: true,
            seed: 0,
            progress: Progress::default(),
            forest: PhantomData,
        }
    }

    /// Number of trees, 100 by default.
    pub fn n_trees(mut self, n_trees: usize) -> Self {
        self.n_trees = n_trees;
        self
    }

    /// Most splits between the root and a leaf, 8 by default so that a tree can be read; `None`
    /// grows until the leaves are pure.
    pub fn max_depth(mut self, max_depth: impl Into<Option<usize>>) -> Self {
        self.max_depth = max_depth.into();
        self
    }

    /// Fewest rows in a leaf, counted as often as the bootstrap drew them; 1 by default, as in scikit-learn.
    pub fn min_samples_leaf(mut self, min_samples_leaf: usize) -> Self {
        self.min_samples_leaf = min_samples_leaf;
        self
    }

    /// How many features a split may choose from: a number or a [`MaxFeatures`].
    pub fn max_features(mut self, max_features: impl Into<MaxFeatures>) -> Self {
        self.max_features = max_features.into();
        self
    }

    /// Whether each tree sees a sample drawn with replacement (the default) or all rows.
    pub fn bootstrap(mut self, bootstrap: bool) -> Self {
        self.bootstrap = bootstrap;
        self
    }

    /// Whether rows are judged by the trees that have not seen them (the default); off saves time.
    pub fn oob_score(mut self, oob_score: bool) -> Self {
        self.oob = oob_score;
        self
    }

    /// The seed of every random choice, 0 by default.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Called as trees are finished.
    pub fn progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    pub(crate) fn seed_value(&self) -> u64 {
        self.seed
    }

    pub(crate) fn check(
        &self,
        matrix: ArrayView2<'_, f64>,
        n_targets: usize,
        names: &[String],
    ) -> Result<()> {
        if self.n_trees == 0 {
            return Err(Error::parameter("n_trees", 0, "at least 1"));
        }
        if self.max_depth == Some(0) {
            return Err(Error::parameter("max_depth", 0, "at least 1, or None for no bound"));
        }
        if self.min_samples_leaf == 0 {
            return Err(Error::parameter("min_samples_leaf", 0, "at least 1"));
        }
        match self.max_features {
            MaxFeatures::Count(0) => {
                return Err(Error::parameter("max_features", 0, "at least 1"));
            }
            MaxFeatures::Share(share) if !(share > 0.0 && share <= 1.0) => {
                return Err(Error::parameter("max_features", share, "a share in (0, 1]"));
            }
            _ => {}
        }
        if matrix.is_empty() {
            let (rows, columns) = matrix.dim();
            return Err(Error::data(format!(
                "a forest cannot grow on {rows} rows x {columns} columns"
            )));
        }
        if matrix.nrows() > MAX_ROWS || matrix.ncols() > usize::from(u16::MAX) {
            let (rows, columns) = matrix.dim();
            return Err(Error::data(format!(
                "{rows} rows x {columns} columns are more than the {MAX_ROWS} x {} a forest can index",
                u16::MAX
            )));
        }
        if n_targets != matrix.nrows() {
            return Err(Error::data(format!(
                "{n_targets} targets for {} rows: give one per row",
                matrix.nrows()
            )));
        }
        check_matrix(matrix, matrix.ncols(), names)
    }

    pub(crate) fn settings(&self, n_features: usize) -> Settings {
        Settings {
            n_trees: self.n_trees,
            limits: Limits {
                max_depth: self.max_depth,
                min_samples_leaf: self.min_samples_leaf,
                max_features: self.max_features.of(n_features),
            },
            bootstrap: self.bootstrap,
            oob: self.oob,
            seed: Seed::new(self.seed),
            progress: self.progress.clone(),
        }
    }
}

/// Counts of rows stay in 32 bits.
const MAX_ROWS: usize = 1 << 31;

impl Default for ForestParams<RandomForest> {
    fn default() -> Self {
        Self::with(MaxFeatures::Sqrt)
    }
}

impl ForestParams<RandomForest> {
    /// What a row of each class weighs; uniform by default.
    pub fn class_weight(mut self, class_weight: ClassWeight) -> Self {
        self.class_weight = class_weight;
        self
    }

    /// The weight of each class, or `None` where all are one.
    pub(crate) fn weights(&self, classes: &[usize], labels: &[u16]) -> Result<Option<Vec<f64>>> {
        match &self.class_weight {
            ClassWeight::Uniform => Ok(None),
            ClassWeight::Balanced => {
                let mut counts = vec![0usize; classes.len()];
                for &label in labels {
                    counts[usize::from(label)] += 1;
                }
                let even = labels.len() as f64 / classes.len() as f64;
                Ok(Some(counts.into_iter().map(|c| even / c as f64).collect()))
            }
            ClassWeight::Given(given) => {
                if let Some((label, weight)) =
                    given.iter().find(|(_, w)| !(w.is_finite() && *w > 0.0))
                {
                    let name = format!("class_weight of {label}");
                    return Err(Error::parameter(&name, weight, "a positive number"));
                }
                let weight = |class| given.iter().find(|(label, _)| label == class);
                Ok(Some(classes.iter().map(|c| weight(c).map_or(1.0, |(_, w)| *w)).collect()))
            }
        }
    }
}

/// The dataset's names, or `feature_0`, `feature_1`, ... where it has none.
pub(crate) fn names_or_numbers(names: &[String], n_features: usize) -> Vec<String> {
    if names.len() == n_features {
        return names.to_vec();
    }
    (0..n_features).map(|i| format!("feature_{i}")).collect()
}
