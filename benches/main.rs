//! One binary for all timings.
//!
//! `cargo bench --bench main -- peer STAGE INPUT [KEY=VALUE]...` does one piece of work for
//! `benches/peers/*.py` and prints `{"cpu":.., "wall":.., quality..}`; `-- gpu [SIDE]` times the kernels of a device.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

mod forest;
mod gpu;
mod groups;
mod peer;
mod regions;
mod segment;
mod table;
mod tsne;
mod umap;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match arguments.first().map(String::as_str) {
        Some("peer") => peer::run(&arguments[1..]),
        Some("gpu") => gpu::run(&arguments[1..]),
        _ => {}
    }
}
