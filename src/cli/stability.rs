//! `explore stability`: the non-determinism report alone.

use clap::Args;
use polariscope::Result;

use super::Console;
use super::args::Globals;
use super::walk::Walk;

/// The same analysis as the main job; only what was repeated, and what of it held, is shown.
#[derive(Debug, Args)]
pub struct Stability {
    #[command(flatten)]
    walk: Walk,
}

impl Stability {
    pub fn run(&self, globals: &Globals, console: &Console) -> Result<()> {
        self.walk.stability(globals, console)
    }
}
