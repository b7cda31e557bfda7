//! One stage on one input, timed the way the Python harness times the peers: the median of three runs after a warm-up.

use std::path::Path;
use std::time::Instant;

use ndarray::Array2;

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
    for _ in 0..3 {
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

/// A .npy file of f64 in row order: magic, version, header length, header text, values.
pub fn read_npy(path: impl AsRef<Path>) -> Array2<f64> {
    let bytes = std::fs::read(path).expect("an .npy file");
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = String::from_utf8_lossy(&bytes[10..start]).into_owned();
    assert!(header.contains("'<f8'") && header.contains("False"), "f64 in row order: {header}");
    let shape = header.split(['(', ')']).nth(1).expect("a shape");
    let shape: Vec<usize> = shape.split(',').filter_map(|n| n.trim().parse().ok()).collect();
    let values = bytes[start..].as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b));
    Array2::from_shape_vec((shape[0], shape[1]), values.collect()).expect("a full matrix")
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
