//! `explore apoc convert`: the same model in another language.

use std::path::PathBuf;

use clap::Args;
use polariscope::Result;
use polariscope::apoc::Classifier;

use super::{Console, Globals, described};

#[derive(Debug, Args)]
pub struct Convert {
    /// Model: .cl, .wgsl, or .json of `explore apoc convert` or `explore train`
    model: PathBuf,
    /// Model to write, in the language of its ending: .cl, .json, .wgsl
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
}

impl Convert {
    pub fn run(&self, globals: &Globals, console: &Console) -> Result<()> {
        let model = Classifier::open(&self.model)?;
        model.save(&self.output, globals.existing())?;
        console.print_json(described(&model))
    }
}
