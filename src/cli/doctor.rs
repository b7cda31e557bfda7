//! `explore doctor`: what this program finds on this machine.

use clap::Args;
use polariscope::Result;
use polariscope::backend::{Adapter, Backend, adapters};
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
        let adapters = adapters();
        let auto = Backend::auto().name();
        let records: Vec<_> = adapters.iter().map(record).collect();
        console.print_json(json!({
            "adapters": records,
            "auto": auto,
            "threads": threads,
            "version": version,
            "instruction_set": simd,
        }))?;
        let mut text = format!("explore {version}\nthreads    {threads}\nSIMD       {simd}\n");
        for adapter in &adapters {
            text += &format!("adapter    {}\n", sentence(adapter));
        }
        if adapters.is_empty() {
            text += "adapter    none found: --backend gpu needs a driver for Vulkan, Metal or DirectX 12\n";
        }
        text += &format!("auto       {auto}: where large images are measured without --backend\n");
        console.print(&text)
    }
}

fn record(adapter: &Adapter) -> serde_json::Value {
    json!({
        "name": adapter.name,
        "kind": adapter.kind,
        "api": adapter.api,
        "driver": adapter.driver,
        "max_binding_bytes": adapter.max_binding_bytes,
        "timestamps": adapter.has_timestamps,
    })
}

fn sentence(adapter: &Adapter) -> String {
    let Adapter { name, kind, api, driver, max_binding_bytes, .. } = adapter;
    format!("{name}\n           {kind}, {api}, {driver}, {} MiB at once", max_binding_bytes >> 20)
}
