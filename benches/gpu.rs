//! `cargo bench --bench main -- gpu [SIDE]`: what the adapter of this machine reaches, kernel by kernel.
//!
//! An image of synthetic nuclei goes to the device once, through blurs, threshold, spots and growth to labels and
//! their properties; then rows look for their neighbours. Bandwidth counts every bound buffer once, by the device's
//! own clock: a kernel that is limited by memory comes close to what the maker of the card promises.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use ndarray::Array2;
use polariscope::backend::{Backend, Gpu};
use polariscope::embed::neighbors::{Metric, Neighbors};
use polariscope::image::synth::Blobs;
use polariscope::regions::Regions;
use polariscope::seed::Seed;
use polariscope::segment::{DevicePlane, Field, Method, Segmentation};

pub fn run(arguments: &[String]) {
    let side: usize = arguments.first().map_or(1024, |side| side.parse().unwrap());
    let gpu = match Gpu::open() {
        Ok(gpu) => Arc::new(gpu.timed()),
        Err(error) => return println!("skipped: {error}"),
    };
    let adapter = gpu.adapter();
    println!("{} ({}, {}), {side} x {side} pixels", adapter.name, adapter.kind, adapter.driver);
    if !adapter.has_timestamps {
        println!("no timestamps on this adapter: only whole stages are timed");
    }
    let blobs = Blobs::params().shape(&[side, side]).n_objects(side * side / 2000).make().unwrap();
    let backend = Backend::Gpu(Arc::clone(&gpu));
    let on_cpu = Segmentation::params(Method::VoronoiOtsu).spot_sigma(4.0).outline_sigma(1.0);
    let on_gpu = on_cpu.clone().backend(backend.clone());
    let mut found = stage(&gpu, "segment, first time", || on_gpu.segment(&blobs.image).unwrap());
    for _ in 0..3 {
        found = stage(&gpu, "segment", || on_gpu.segment(&blobs.image).unwrap());
    }
    let regions = || Regions::params().backend(backend.clone());
    for _ in 0..3 {
        stage(&gpu, "measure, from the device", || regions().measure_segmented(&found).unwrap());
    }
    stage(&gpu, "measure, from memory", || regions().measure(&blobs.labels).unwrap());
    let field = Field::of(&blobs.image).unwrap();
    stage(&gpu, "filters", || {
        let plane = DevicePlane::upload(&gpu, &field).unwrap();
        plane.laplacian_of_gaussian(2.0).unwrap();
        plane.sobel().unwrap();
        plane.top_hat(5).unwrap().download().unwrap()
    });
    let mut stream = Seed::new(1).stream("rows", 0);
    let rows = Array2::from_shape_simple_fn((side, 30), || stream.uniform());
    stage(&gpu, "15 neighbours in 30 columns", || {
        Neighbors::exact_on(&backend, rows.view(), 15, Metric::Euclidean).unwrap()
    });
    let wall = Instant::now();
    let labels = on_cpu.segment(&blobs.image).unwrap().labels().unwrap();
    let segmented = wall.elapsed().as_secs_f64();
    Regions::params().measure(&labels).unwrap();
    let measured = wall.elapsed().as_secs_f64() - segmented;
    println!("on the CPU: segment {segmented:.4} s, measure {measured:.4} s");
}

/// Runs a piece of work; prints how long it took and what its kernels reached.
fn stage<T>(gpu: &Gpu, name: &str, work: impl FnOnce() -> T) -> T {
    gpu.timings();
    let wall = Instant::now();
    let done = work();
    println!("{name}: {:.4} s with all transfers", wall.elapsed().as_secs_f64());
    let mut kernels: BTreeMap<&str, (usize, f64, u64)> = BTreeMap::new();
    for timing in gpu.timings() {
        let sum = kernels.entry(timing.kernel).or_default();
        *sum = (sum.0 + 1, sum.1 + timing.seconds, sum.2 + timing.bytes);
    }
    for (kernel, (n, seconds, bytes)) in kernels {
        let rate = bytes as f64 / seconds.max(1e-9) / 1e9;
        println!("  {kernel:18} {n:4} launches {:10.3} ms {rate:8.2} GB/s", seconds * 1e3);
    }
    done
}
