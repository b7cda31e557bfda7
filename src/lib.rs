//! From label images and measurement tables to a biological hypothesis that holds when the analysis
//! is run again.
//!
//! Modules stand in the order in which data flows; each imports only from those above it.

pub mod error;
pub mod output;
pub mod progress;
pub mod seed;

pub mod kernels;

pub mod image;
pub mod segment;

pub mod regions;
pub mod table;

pub mod embed;

pub mod cluster;

pub mod classify;

pub mod explain;

pub mod select;

pub mod stability;

pub mod report;

pub mod walkthrough;

pub use error::{Error, Result};

/// Version of the JSON that `--json`, `summary.json` and model files carry; raised when a field
/// changes its meaning or goes.
pub const SCHEMA_VERSION: u32 = 1;
