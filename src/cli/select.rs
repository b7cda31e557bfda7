//! `explore select`: which features separate the groups.

use clap::Args;
use polariscope::select::{Grouping, Selection};
use polariscope::table::{Features, Table, group_labels};
use polariscope::walkthrough::feature_frame;
use polariscope::{Error, Result};
use serde_json::json;

use super::Console;
use super::args::{Globals, Input, Output, Scaled};

#[derive(Debug, Args)]
pub struct Select {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    scaled: Scaled,
    /// Column that says which group a row belongs to
    #[arg(long, default_value = "cluster", value_name = "COLUMN")]
    by: String,
}
