//! `explore doctor`: what this program finds on this machine.

use clap::Args;
use polariscope::Result;
use serde_json::json;

use super::Console;
use super::args::Globals;

#[derive(Debug, Args)]
pub struct Doctor {}

impl Doctor {
    #[expect(clippy::disallowed_methods, reason = "the number is shown, no result depends on it")]
    pub fn run(&self, _globals: &Globals, console: &Console) -> Result<()> {
        let threads = rayon::current_num_threads();
        let version = env!("CARGO_PKG_VERSION");
        let simd = polariscope::kernels::instruction_set();
        console.print_json(json!({
            "adapters": [],
            "threads": threads,
            "version": version,
            "instruction_set": simd,
        }))?;
        console.print(&format!(
            "explore {version}\nthreads    {threads}\nSIMD       {simd}\nadapters   none: this build has no GPU backend\n"
        ))
    }
}
