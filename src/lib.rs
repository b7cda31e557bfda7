//! From label images and measurement tables to a biological hypothesis that holds when the analysis
//! is run again.
//!
//! ```text
//! IntensityImage --Segmentation--> LabelImage --Regions--> DataFrame --Columns--> Features
//!                                                                                     |
//!        +-----------------------+---------------------+-----------------------+------+
//!        |                       |                     |                       |
//! Pca, Umap, Tsne             KMeans             RandomForest, Model       Selection
//!        |                       |                     |                       |
//!  MapStability           GroupStability            TreeShap                   |
//!        +-----------------------+---------------------+-----------------------+
//!                                           |
//!                                    Verdict, Report
//! ```
//!
//! Modules in the order in which data flows, each importing only from those before it: [`image`],
//! [`segment`], [`regions`], [`table`], [`embed`], [`cluster`], [`classify`], [`explain`], [`select`],
//! [`stability`], [`report`]; [`walkthrough::Outcome::of`] does all of it, from a table to a report.
//! Every estimator is `X::params(..).setter(..).fit(&features)?` through linfa's `Fit`, so a pipeline
//! is ordinary Rust with `?`. Errors name the file, the row or column, the value and the remedy.
//!
//! ```
//! use polariscope::prelude::*;
//!
//! let table = Table::open("datasets/blobs.csv")?;
//! let features = Features::from_frame(&table.frame, Columns::measurements())?.standardized()?;
//! let groups = KMeans::params(2).seed(42).fit(&features)?;
//! assert_eq!(groups.sizes().iter().sum::<usize>(), 61);
//! # Ok::<(), polariscope::Error>(())
//! ```
//!
//! The same input, parameters, seed and version give the same bits on any number of threads. Nothing in
//! this library prints, or reads the clock, the environment or the arguments.
//!
//! The folder `book` walks through all of it; the programs in `examples` are its Rust side.

pub mod error;
pub mod output;
pub mod progress;
pub mod seed;

pub mod backend;
pub mod kernels;

pub mod image;
pub mod segment;

pub mod regions;
pub mod table;

pub mod embed;

pub mod cluster;

pub mod classify;

pub mod explain;

pub mod apoc;

pub mod select;

pub mod stability;

pub mod report;

pub mod walkthrough;

/// What a pipeline needs, in one line.
pub mod prelude {
    pub use linfa::traits::Fit;

    pub use crate::backend::Backend;
    pub use crate::classify::{Model, RandomForest};
    pub use crate::cluster::KMeans;
    pub use crate::embed::tsne::Tsne;
    pub use crate::embed::umap::Umap;
    pub use crate::embed::{ExplainedVariance, Pca};
    pub use crate::explain::TreeShap;
    pub use crate::image::{IntensityImage, LabelImage};
    pub use crate::regions::Regions;
    pub use crate::report::Report;
    pub use crate::segment::{Method, Segmentation};
    pub use crate::table::{Columns, Features, Scale, Table};
    pub use crate::walkthrough::{Outcome, Recipe};
}

pub use error::{Error, Result};

/// The README's program runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Version of the JSON that `--json`, `summary.json` and model files carry; raised when a field
/// changes its meaning or goes.
pub const SCHEMA_VERSION: u32 = 1;
