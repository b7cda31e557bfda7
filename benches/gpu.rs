//! `cargo bench --bench main -- gpu [SIDE]`: what the adapter of this machine reaches, kernel by kernel.
//!
//! An image of synthetic nuclei goes to the device once, through blurs, threshold, spots and growth to labels and
//! their properties, a stack likewise; a classifier of pixels sees it; then rows look for their neighbours and
//! centres, and points lay themselves out. Every kernel is among them. Bandwidth counts every bound buffer once, by the device's
//! own clock: a kernel that is limited by memory comes close to what the maker of the card promises.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::Array2;
use polariscope::apoc::{PixelClassifier, PixelPrediction};
use polariscope::backend::{Backend, Gpu};
use polariscope::cluster::KMeans;
use polariscope::embed::neighbors::{Metric, Neighbors};
use polariscope::embed::tsne::Tsne;
use polariscope::image::synth::Blobs;
use polariscope::image::{IntensityImage, LabelImage, Pixels};
use polariscope::kernels::umap_layout::{Forces, Pulls, layout};
use polariscope::regions::Regions;
use polariscope::seed::Seed;
use polariscope::segment::{DeviceField, Field, Method, Segmentation};

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
    stage(&gpu, "segment in tiles", || {
        on_gpu.clone().tile(side / 2).segment(&blobs.image).unwrap()
    });
    let regions = || Regions::params().backend(backend.clone());
    for _ in 0..3 {
        stage(&gpu, "measure, from the device", || regions().measure_segmented(&found).unwrap());
    }
    stage(&gpu, "measure, from memory", || {
        regions().intensity(&blobs.image).measure(&blobs.labels).unwrap()
    });
    let field = Field::of(&blobs.image).unwrap();
    stage(&gpu, "filters", || {
        let plane = DeviceField::upload(&gpu, &field).unwrap();
        plane.laplacian_of_gaussian(2.0).unwrap();
        plane.sobel().unwrap();
        plane.top_hat(5).unwrap().download().unwrap()
    });
    stage(&gpu, "measure floats", || {
        regions().intensity(&floats(&blobs.image)).measure(&blobs.labels).unwrap()
    });
    let deep = Blobs::params().shape(&[side / 16, side / 4, side / 4]).n_objects(side / 32);
    let deep = deep.make().unwrap();
    stage(&gpu, "segment a stack", || on_gpu.segment(&deep.image).unwrap());
    stage(&gpu, "measure a stack", || regions().measure(&deep.labels).unwrap());
    let model = classifier(&blobs);
    let images = [blobs.image.clone()];
    let classify = |backend: &Backend| {
        let prediction = PixelPrediction::in_memory(&model, &images).unwrap();
        prediction.backend(backend.clone()).labels().unwrap()
    };
    stage(&gpu, "classify pixels: 16 features, 100 trees", || classify(&backend));
    let mut stream = Seed::new(1).stream("rows", 0);
    let rows = Array2::from_shape_simple_fn((side, 30), || stream.uniform());
    stage(&gpu, "15 neighbours in 30 columns", || {
        Neighbors::exact_on(&backend, rows.view(), 15, Metric::Euclidean).unwrap()
    });
    let features = DatasetBase::from(rows.clone());
    let groups = KMeans::params(8).n_init(1).fit(&features).unwrap();
    stage(&gpu, "nearest of 8 centres in 30 columns", || {
        groups.assign_on(&backend, rows.view()).unwrap()
    });
    stage(&gpu, "t-SNE, 50 iterations", || {
        Tsne::params(2).n_iter(50).backend(backend.clone()).fit(&features).unwrap()
    });
    let (pulls, forces, start) = ring(side);
    stage(&gpu, "UMAP layout, 50 epochs of 20 neighbours", || {
        layout(&backend, &pulls, &forces, start).unwrap()
    });
    let wall = Instant::now();
    classify(&Backend::Cpu);
    println!("on the CPU: classify pixels {:.4} s", wall.elapsed().as_secs_f64());
    let wall = Instant::now();
    let labels = on_cpu.segment(&blobs.image).unwrap().labels().unwrap();
    let segmented = wall.elapsed().as_secs_f64();
    Regions::params().measure(&labels).unwrap();
    let measured = wall.elapsed().as_secs_f64() - segmented;
    println!("on the CPU: segment {segmented:.4} s, measure {measured:.4} s");
}

/// The image in single precision.
fn floats(image: &IntensityImage) -> IntensityImage {
    let values = image.pixels().to_f64().into_iter().map(|v| v as f32 / 7.0).collect();
    IntensityImage::new(image.grid().clone(), Pixels::F32(values)).unwrap()
}

/// A classifier of background and objects, trained on some rows of the image.
fn classifier(blobs: &Blobs) -> PixelClassifier {
    let width = blobs.labels.grid().shape()[1];
    let mark =
        |(i, label): (usize, &u32)| if i < 40 * width { 1 + u32::from(*label > 0) } else { 0 };
    let marks = blobs.labels.pixels().iter().enumerate().map(mark).collect();
    let marks = LabelImage::new(blobs.labels.grid().clone(), marks).unwrap();
    let mut trainer = PixelClassifier::params("object_size_1_to_5_px").unwrap();
    trainer.add(std::slice::from_ref(&blobs.image), &marks).unwrap();
    trainer.fit().unwrap()
}

/// Rows on a ring, each tied to the ten before and after it.
fn ring(n: usize) -> (Pulls, Forces, Vec<[f32; 2]>) {
    let others = |i: usize| (1..=10).flat_map(move |step| [(i + step) % n, (i + n - step) % n]);
    let gap = |i: usize, j: usize| i.abs_diff(j).min(n - i.abs_diff(j));
    let edges = |i: usize| others(i).map(|j| (j as u32, 1.0 / gap(i, j) as f32)).collect();
    let pulls = Pulls::of(&(0..n).map(edges).collect::<Vec<_>>()).unwrap();
    let mut stream = Seed::new(2).stream("start", 0);
    let mut draw = || 10.0 * stream.uniform() as f32;
    let start = (0..n).map(|_| [draw(), draw()]).collect();
    let (a, b) = (1.577, 0.895);
    let forces =
        Forces { a, b, repulsion: 1.0, learning_rate: 1.0, n_strangers: 5, n_epochs: 50, seed: 0 };
    (pulls, forces, start)
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
