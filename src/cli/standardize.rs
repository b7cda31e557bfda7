//! `explore standardize`: the features on one scale, the other columns as they are.

use clap::Args;
use polariscope::Result;
use polariscope::table::with_values;
use serde_json::json;

use super::Console;
use super::args::{Globals, Input, Output, Scaled};

#[derive(Debug, Args)]
pub struct Standardize {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    scaled: Scaled,
}

impl Standardize {
    pub fn run(&self, globals: &Globals, console: &Console) -> Result<()> {
        console.check_free(&self.output, globals)?;
        let table = console.read(&self.input)?;
        let features = self.scaled.features(&table)?;
        let names = features.names();
        let frame = with_values(&table.frame, features.rows(), names, features.matrix())?;
        console.print_json(json!({ "features": names, "scale": self.scaled.scale.name() }))?;
        console.write(&frame, &self.output, globals)
    }
}
