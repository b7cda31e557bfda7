//! Pixels become features and votes on a device, without a way back between: only classes leave it.
//!
//! Features have the bits of [`super::filters`] and votes those of [`super::votes`].

use std::ops::Range;

use super::blur::Taps;
use super::filters::around;
use super::forest::Forest;
use super::spec::{Inner, Outer};
use super::stack::{Stack, Strip};
use crate::backend::{Buffer, Gpu};
use crate::error::{Error, Result};
use crate::kernels::forest_votes::{DeviceForest, Node, Voters};
use crate::kernels::pixel_features::{Nearby, is_fused};
use crate::kernels::raster_gpu::{Along, Raster};
use crate::progress::Progress;

/// Words of features on the device at a time: 512 MB.
const AT_ONCE: usize = 1 << 27;
/// Pixels beyond this could leave single precision when slopes are squared.
const LARGEST: f32 = 1e17;
/// Devices may take very small numbers for 0 when they multiply and add; pixels that come near them are summed in whole
/// numbers.
const SMALLEST: f32 = 1e-12;

/// The class of every pixel of some layers and rows.
pub(super) fn classes(
    gpu: &Gpu,
    stack: &Stack<'_>,
    forest: &Forest,
    layers: &Range<usize>,
    rows: &Range<usize>,
    progress: &Progress,
) -> Result<Vec<u16>> {
    vote(gpu, stack, forest, (layers, rows), progress, |trees, features| {
        Ok(trees.classes(gpu, features)?.into_iter().map(|class| class as u16).collect())
    })
}

/// The share of a class, from 1, in the votes of every pixel of some layers and rows, or for class 0 the class of the
/// pixel.
pub(super) fn shares(
    gpu: &Gpu,
    stack: &Stack<'_>,
    forest: &Forest,
    class: usize,
    part: (&Range<usize>, &Range<usize>),
    progress: &Progress,
) -> Result<Vec<f32>> {
    vote(gpu, stack, forest, part, progress, |trees, features| match class {
        0 => Ok(trees.classes(gpu, features)?.into_iter().map(|class| class as f32).collect()),
        class => trees.shares(gpu, features, class),
    })
}

/// The class of each row of a table, 0 where a number is missing: `columns[f][row]`.
pub(super) fn row_classes(gpu: &Gpu, forest: &Forest, columns: &[&[f32]]) -> Result<Vec<u32>> {
    voters(forest, &nodes(forest)).classes_on(gpu, columns)
}

fn nodes(forest: &Forest) -> Vec<Node> {
    let nodes = forest.nodes.iter();
    nodes
        .map(|n| Node { threshold: n.threshold, feature: n.feature, left: n.left, right: n.right })
        .collect()
}

fn voters<'a>(forest: &'a Forest, nodes: &'a [Node]) -> Voters<'a> {
    let Forest { roots, votes, n_features, n_classes, .. } = forest;
    Voters { nodes, roots, votes, n_features: *n_features, n_classes: *n_classes }
}

fn vote<T: Copy + Default>(
    gpu: &Gpu,
    stack: &Stack<'_>,
    forest: &Forest,
    part: (&Range<usize>, &Range<usize>),
    progress: &Progress,
    finish: impl Fn(&DeviceForest, &Buffer<f32>) -> Result<Vec<T>>,
) -> Result<Vec<T>> {
    let trees = voters(forest, &nodes(forest)).upload(gpu)?;
    let is_fused = is_fused(gpu)?;
    let strips = strips(gpu, stack, forest.n_classes, part)?;
    let mut found = Vec::with_capacity(strips.len());
    for (done, strip) in strips.iter().enumerate() {
        let held = held(stack, strip);
        let values = finish(&trees, &features(gpu, stack, &held, is_fused)?)?;
        found.push(inside(&values, strip, &held, stack.extent()[2]));
        progress.report(done + 1, strips.len());
    }
    Ok(stack.joined(&strips, &found, part))
}

/// Layers and rows, as many as the device has room for with what features reach around them.
fn strips(
    gpu: &Gpu,
    stack: &Stack<'_>,
    n_classes: usize,
    (layers, rows): (&Range<usize>, &Range<usize>),
) -> Result<Vec<Strip>> {
    let ([nz, ny, width], reach) = (stack.extent(), stack.spec().reach());
    let deep = if stack.is_stack() { reach } else { 0 };
    // Those of a strip in the middle, which features reach out of on both sides.
    let held = |side: usize| {
        let [layers, rows] = [layers, rows].map(|all| all.len().min(side));
        [(layers + 2 * deep).min(nz), (rows + 2 * reach).min(ny)]
    };
    let per_row = width * stack.n_features().max(n_classes);
    let fitting = gpu.max_words().min(AT_ONCE);
    let fits = |side: &usize| held(*side).iter().product::<usize>() * per_row <= fitting;
    let longest = layers.len().max(rows.len()).max(1);
    let Some(side) = (1..=longest).rev().find(fits) else {
        let [layers, rows] = held(1);
        return Err(Error::backend(format!(
            "{} features of {layers} x {rows} rows of {width} pixels, which those of one row reach, are more than {} sees at once",
            stack.n_features(),
            gpu.adapter().name
        ))
        .help("use --backend cpu, with --tile if memory is short"));
    };
    let mut strips = Vec::new();
    for z in layers.clone().step_by(side) {
        for y in rows.clone().step_by(side) {
            strips.push((z..(z + side).min(layers.end), y..(y + side).min(rows.end)));
        }
    }
    Ok(strips)
}

/// The strip with the pixels around it that features reach.
fn held(stack: &Stack<'_>, (layers, rows): &Strip) -> Strip {
    let ([nz, ny, _], reach) = (stack.extent(), stack.spec().reach());
    let deep = if stack.is_stack() { reach } else { 0 };
    (around(layers, deep, nz), around(rows, reach, ny))
}

/// The part of what is held that belongs to the strip.
fn inside<T: Copy>(values: &[T], strip: &Strip, held: &Strip, width: usize) -> Vec<T> {
    let mut inside = Vec::with_capacity(strip.0.len() * strip.1.len() * width);
    for z in strip.0.clone() {
        let first = (z - held.0.start) * held.1.len() + strip.1.start - held.1.start;
        inside.extend_from_slice(&values[first * width..][..strip.1.len() * width]);
    }
    inside
}

/// All features of what is held, those of the first channel first.
fn features(gpu: &Gpu, stack: &Stack<'_>, held: &Strip, is_fused: bool) -> Result<Buffer<f32>> {
    let raster = Raster::new(gpu, [held.0.len(), held.1.len(), stack.extent()[2]])?;
    let n = raster.n_pixels();
    let all = gpu.zeros(stack.n_features() * n)?;
    let features = &stack.spec().features;
    for (channel, source) in stack.sources(held).enumerate() {
        let values = source?.values;
        check(&values)?;
        let is_tiny = |v: &f32| *v != 0.0 && v.abs() < SMALLEST;
        let is_fused = is_fused && !values.iter().any(is_tiny);
        let image = gpu.upload(&values)?;
        let filters = Filters { raster, is_stack: stack.is_stack(), is_fused };
        for (first, feature) in features.iter().enumerate() {
            // Filters that start alike share their start.
            if features[..first].iter().any(|earlier| earlier.inner == feature.inner) {
                continue;
            }
            let start = filters.inner(&image, feature.inner)?;
            let start = start.as_ref().unwrap_or(&image);
            for (f, sharing) in features.iter().enumerate().skip(first) {
                if sharing.inner != feature.inner {
                    continue;
                }
                let at = (channel * features.len() + f) * n;
                match sharing.outer {
                    None => gpu.place(start, &all, at)?,
                    Some(outer) => gpu.place(&filters.outer(start, outer)?, &all, at)?,
                }
            }
        }
    }
    Ok(all)
}

fn check(values: &[f32]) -> Result<()> {
    match values.iter().find(|v| v.abs() > LARGEST) {
        None => Ok(()),
        Some(value) => Err(Error::backend(format!(
            "a pixel of {value:e} is beyond {LARGEST:e}, up to which the GPU filters images"
        ))
        .help("use --backend cpu, or scale the image")),
    }
}

/// How one image is filtered.
struct Filters<'a> {
    raster: Raster<'a>,
    is_stack: bool,
    is_fused: bool,
}

impl Filters<'_> {
    /// A feature's first filter; `None` where it leaves everything as it is.
    fn inner(&self, image: &Buffer<f32>, filter: Inner) -> Result<Option<Buffer<f32>>> {
        match filter {
            Inner::Original => Ok(None),
            Inner::GaussianBlur(sigma) => self.gaussian(image, sigma),
            Inner::DifferenceOfGaussian(sigma) => {
                let (narrow, wide) =
                    (self.gaussian(image, sigma * 0.9)?, self.gaussian(image, sigma * 1.1)?);
                let [narrow, wide] = [&narrow, &wide].map(|blur| blur.as_ref().unwrap_or(image));
                self.raster.difference(narrow, wide).map(Some)
            }
        }
    }

    fn gaussian(&self, image: &Buffer<f32>, sigma: f64) -> Result<Option<Buffer<f32>>> {
        let Some(Taps { mut weights, sum }) = Taps::of(sigma) else { return Ok(None) };
        weights.push(sum);
        let blur =
            |values: &Buffer<f32>, along| self.raster.mean(values, &weights, along, self.is_fused);
        let over_x = blur(image, Along::X)?;
        let over_y = blur(&over_x, Along::Y)?;
        if self.is_stack { blur(&over_y, Along::Z).map(Some) } else { Ok(Some(over_y)) }
    }

    /// A feature's second filter.
    fn outer(&self, start: &Buffer<f32>, filter: Outer) -> Result<Buffer<f32>> {
        let nearby = match filter {
            Outer::Sobel => Nearby::Sobel,
            Outer::LaplaceBox => Nearby::LaplaceBox,
            Outer::LaplaceDiamond => Nearby::LaplaceDiamond,
        };
        self.raster.nearby(start, nearby, self.is_stack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apoc::FeatureSpec;
    use crate::apoc::stack::{Pages, channels};
    use crate::apoc::votes;
    use crate::backend::test_device;
    use crate::image::{Grid, IntensityImage, Pixels};
    use crate::seed::{Seed, Stream};

    /// Everything there is, sigmas that reach nowhere and beyond the image, one of them twice.
    const SPECIFICATION: &str = "original gaussian_blur=0 gaussian_blur=0.1 gaussian_blur=1 gaussian_blur=2.7 \
        difference_of_gaussian=0 difference_of_gaussian=1.5 sobel=0 sobel_of_gaussian_blur=1 \
        laplace_box=0 laplace_box_of_gaussian_blur=1 laplace_diamond=0 laplace_diamond_of_difference_of_gaussian=1.5 \
        sobel_of_gaussian_blur=1";

    /// Whole numbers, noise of both signs, all scales, and numbers too small to be normal.
    fn image(shape: &[usize], kind: usize, stream: &mut Stream) -> IntensityImage {
        let value = |stream: &mut Stream| match kind {
            0 => stream.below(4096) as f32,
            1 => (stream.uniform() * 300.0 - 40.0) as f32,
            2 => (stream.normal() * 10f64.powi(stream.below(33) as i32 - 17)) as f32,
            _ => f32::from_bits((stream.below(1 << 25) | stream.below(2) << 31) as u32),
        };
        let values = (0..shape.iter().product::<usize>()).map(|_| value(stream)).collect();
        IntensityImage::new(Grid::new(shape).unwrap(), Pixels::F32(values)).unwrap()
    }

    /// A forest that asks about values that the features have, so that a last bit decides.
    fn forest(planes: &[Vec<f32>], n_classes: usize, stream: &mut Stream) -> Forest {
        use crate::apoc::forest::Node;
        let mut forest = Forest { n_features: planes.len(), n_classes, ..Forest::default() };
        for _ in 0..30 {
            let root = forest.nodes.len() as u32;
            forest.roots.push(root);
            for i in 0..7 {
                let feature = stream.below(planes.len());
                let threshold = planes[feature][stream.below(planes[feature].len())];
                forest.nodes.push(if i < 3 {
                    let left = root + 2 * i + 1;
                    Node { threshold, feature: feature as u32, left, right: left + 1 }
                } else {
                    forest.votes.extend((0..n_classes).map(|_| stream.below(11) as f64 / 10.0));
                    Node::leaf(forest.n_leaves() - 1)
                });
            }
        }
        forest
    }

    /// Features and votes of images of two channels, found by both.
    fn compare(gpu: &Gpu, shapes: &[&[usize]], what: &str) {
        let spec = FeatureSpec::parse(SPECIFICATION).unwrap();
        for (index, shape) in shapes.iter().enumerate() {
            for kind in 0..4 {
                let mut stream = Seed::new(3).stream(what, (index * 4 + kind) as u64);
                let images = [image(shape, kind, &mut stream), image(shape, kind, &mut stream)];
                let pages: Vec<Pages<'_>> = images.iter().map(Pages::Memory).collect();
                let stack = Stack::new(&spec, channels(&pages, shape.len()).unwrap());
                let [nz, ny, _] = stack.extent();
                let whole = (0..nz, 0..ny);
                let planes = stack.features(&whole).unwrap();
                let forest = forest(&planes, 2 + kind, &mut stream);
                let what = format!("{what}, {shape:?}, image {kind}");
                if gpu.max_words() >= planes.concat().len() {
                    for is_fused in [false, is_fused(gpu).unwrap()] {
                        let found = features(gpu, &stack, &whole, is_fused).unwrap();
                        let found: Vec<f32> = gpu.read(&found).unwrap();
                        for (f, plane) in planes.iter().enumerate() {
                            let found = &found[f * plane.len()..][..plane.len()];
                            assert_eq!(found, plane, "{what}, feature {f}, fused {is_fused}");
                        }
                    }
                }
                // All of it, and a part in the middle that features reach out of.
                let inner = (nz / 3..nz - nz / 3, ny / 4..ny - ny / 3);
                for (layers, rows) in [&whole, &inner] {
                    let progress = Progress::default();
                    let classes_of = |sums: &[f32]| votes::winners(sums, 2 + kind);
                    let shares_of = |sums: &[f32]| votes::shares(sums, 2 + kind, 2);
                    let expected = stack.vote(&forest, layers, rows, &progress, classes_of);
                    let expected: Vec<u16> =
                        expected.unwrap().into_iter().map(|class| class as u16).collect();
                    let found = classes(gpu, &stack, &forest, layers, rows, &progress).unwrap();
                    assert_eq!(found, expected, "{what}, {layers:?} {rows:?}");
                    let expected = stack.vote(&forest, layers, rows, &progress, shares_of).unwrap();
                    let found = shares(gpu, &stack, &forest, 2, (layers, rows), &progress).unwrap();
                    let bits =
                        |shares: &[f32]| shares.iter().map(|s| s.to_bits()).collect::<Vec<u32>>();
                    assert_eq!(bits(&found), bits(&expected), "{what}, {layers:?} {rows:?}");
                }
            }
        }
    }

    #[test]
    fn classes_have_the_bytes_of_the_cpu() {
        let Some(gpu) = test_device() else { return };
        let shapes: [&[usize]; 5] = [&[1, 1], &[23, 40], &[57, 9], &[1, 7, 5], &[13, 11, 17]];
        compare(&gpu, &shapes, "as it is");
        compare(&test_device().unwrap().with_group_size(13), &shapes[1..2], "groups of 13");
        // Room for strips of three rows, three layers, or eleven of both, with ten around them, of 14 features of 2
        // channels.
        for (shape, held) in
            [(&[57, 9][..], 23 * 9), (&[27, 4, 5], 23 * 4 * 5), (&[32, 32, 1], 31 * 31)]
        {
            let gpu = test_device().unwrap().with_binding_limit(28 * held * 4);
            compare(&gpu, &[shape], "small bindings");
        }
    }

    #[test]
    fn what_a_device_does_not_filter_is_said() {
        let Some(gpu) = test_device() else { return };
        let gpu = gpu.with_binding_limit(10_000);
        let refused = |specification: &str, values: Vec<f32>, words: &str| {
            let spec = FeatureSpec::parse(specification).unwrap();
            let grid = Grid::new(&[values.len() / 50, 50]).unwrap();
            let image = IntensityImage::new(grid, Pixels::F32(values)).unwrap();
            let stack = Stack::new(&spec, channels(&[Pages::Memory(&image)], 2).unwrap());
            let votes = [vec![0.0]];
            let forest = forest(&votes, 2, &mut Seed::new(0).stream("forest", 0));
            let (rows, progress) = (0..stack.extent()[1], Progress::default());
            let error = classes(&gpu, &stack, &forest, &(0..1), &rows, &progress).unwrap_err();
            assert!(error.message().contains(words), "{error}");
            assert!(error.remedy().unwrap().contains("--backend cpu"));
        };
        refused("original", vec![2e17; 100], "a pixel of 2e17");
        refused("gaussian_blur=8", vec![1.0; 100_000], "features of 1 x 65 rows of 50 pixels");
    }
}
