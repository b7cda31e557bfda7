//! One stage on one input, timed the way the Python harness times the peers: the median of three runs after a warm-up.

use std::time::Instant;

/// Each knows some stages and passes on the others.
const TOPICS: [fn(&str, &[String]) -> Option<serde_json::Value>; 7] = [
    crate::forest::run,
    crate::groups::run,
    crate::regions::run,
    crate::segment::run,
    crate::table::run,
    crate::tsne::run,
    crate::umap::run,
];

/// Runs the stage named by the first argument and prints its JSON line.
pub fn run(arguments: &[String]) {
    let Some((stage, rest)) = arguments.split_first() else {
        eprintln!("peer STAGE INPUT [KEY=VALUE]...");
        std::process::exit(2);
    };
    if let Some(figures) = TOPICS.iter().find_map(|topic| topic(stage, rest)) {
        println!("{figures}");
        return;
    }
    eprintln!("unknown stage {stage:?}");
    std::process::exit(2);
}

/// Median CPU and wall seconds of `work`, and its last result.
pub fn timed<T>(mut work: impl FnMut() -> T) -> (f64, f64, T) {
    let mut result = work();
    let mut figures = Vec::new();
    for _ in 0..std::env::var("REP").map_or(3, |r| r.parse().unwrap()) {
        let (cpu, wall) = (cpu_seconds(), Instant::now());
        result = work();
        figures.push((cpu_seconds() - cpu, wall.elapsed().as_secs_f64()));
    }
    let mut cpu: Vec<f64> = figures.iter().map(|f| f.0).collect();
    let mut wall: Vec<f64> = figures.iter().map(|f| f.1).collect();
    cpu.sort_by(f64::total_cmp);
    wall.sort_by(f64::total_cmp);
    (cpu[cpu.len() / 2], wall[wall.len() / 2], result)
}

/// User and system seconds of this process, from the kernel's own accounting (Linux; elsewhere the wall clock).
fn cpu_seconds() -> f64 {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else {
        return 0.0;
    };
    // Fields 14 and 15, counted after the command name, which may itself contain spaces; in ticks of 10 ms.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}
