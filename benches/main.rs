//! One binary for all timings.
//!
//! `cargo bench --bench main -- peer STAGE INPUT [KEY=VALUE]...` does one piece of work for
//! `benches/peers/*.py` and prints `{"cpu":.., "wall":.., quality..}`.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

mod forest;
mod groups;
mod peer;
mod regions;
mod segment;
mod table;
mod tsne;
mod umap;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if arguments.first().is_some_and(|a| a == "peer") {
        peer::run(&arguments[1..]);
    }
}
