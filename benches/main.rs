//! One binary for all timings.
//!
//! `cargo bench` runs the criterion groups; `cargo bench --bench main -- peer STAGE INPUT [KEY=VALUE]...`
//! does one piece of work for `benches/peers/*.py` and prints `{"cpu":.., "wall":.., quality..}`.

mod groups;
mod peer;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if arguments.first().is_some_and(|a| a == "peer") {
        peer::run(&arguments[1..]);
    }
}
