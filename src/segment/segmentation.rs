//! An image, in memory or on disk, becomes objects; tiles give the labels of the whole image.

use std::path::Path;
use std::sync::Arc;

use super::bins::{Bins, Countable};
use super::field::{Channel, Source};
use super::filters::check_sigma;
use super::grow::grow;
use super::objects::{Objects, Sides};
use super::on_gpu::{DeviceField, DeviceLabels};
use super::runs::{Connectivity, Runs};
use super::tiles::Tiles;
use crate::backend::{Backend, Gpu};
use crate::error::{Error, Result};
use crate::image::{Grid, ImageFile, IntensityImage, LabelImage};
use crate::output::Existing;
use crate::progress::Progress;

/// How objects are told from background and from each other.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Method {
    /// Spots are local maxima after a blur of `spot_sigma`; they grow inside what is above Otsu's
    /// threshold after a blur of `outline_sigma`: clEsperanto's `voronoi_otsu_labeling`.
    VoronoiOtsu,
    /// Connected pixels above Otsu's threshold after a blur of `outline_sigma`: clEsperanto's
    /// `gauss_otsu_labeling`.
    GaussOtsu,
    /// Connected pixels above Otsu's threshold.
    Otsu,
    /// Connected pixels above this value.
    Threshold(f64),
}

/// Parameters of a segmentation.
///
/// # Determinism
/// Labels do not depend on the tile size nor on the number of threads.
///
/// ```
/// use polariscope::image::synth::Blobs;
/// use polariscope::segment::{Method, Segmentation};
///
/// let blobs = Blobs::params().make()?;
/// let segmentation = Segmentation::params(Method::VoronoiOtsu).spot_sigma(4.0).outline_sigma(1.0);
/// let whole = segmentation.segment(&blobs.image)?;
/// let tiled = segmentation.tile(100).segment(&blobs.image)?;
/// assert_eq!(whole.labels()?, tiled.labels()?);
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # References
/// Haase et al., CLIJ: GPU-accelerated image processing for everyone, 2020 (Voronoi-Otsu-Labeling).
#[derive(Debug, Clone)]
pub struct Segmentation {
    method: Method,
    spot_sigma: f64,
    outline_sigma: f64,
    exclude_edges: bool,
    min_area: usize,
    max_area: usize,
    tile: Option<usize>,
    backend: Backend,
    progress: Progress,
}

impl Segmentation {
    /// A segmentation with both sigmas 2, all objects kept, of the whole image at once.
    pub fn params(method: Method) -> Self {
        Self {
            method,
            spot_sigma: 2.0,
            outline_sigma: 2.0,
            exclude_edges: false,
            min_area: 0,
            max_area: usize::MAX,
            tile: None,
            backend: Backend::Cpu,
            progress: Progress::default(),
        }
    }

    /// Blur, in pixels, before objects are told apart: about as large as the smallest distance of centres.
    pub fn spot_sigma(mut self, sigma: f64) -> Self {
        self.spot_sigma = sigma;
        self
    }

    /// Blur, in pixels, before objects are told from background.
    pub fn outline_sigma(mut self, sigma: f64) -> Self {
        self.outline_sigma = sigma;
        self
    }

    /// Leaves out objects that touch a border of the image.
    pub fn exclude_edges(mut self, exclude: bool) -> Self {
        self.exclude_edges = exclude;
        self
    }

    /// Leaves out objects of fewer pixels.
    pub fn min_area(mut self, n_pixels: usize) -> Self {
        self.min_area = n_pixels;
        self
    }

    /// Leaves out objects of more pixels.
    pub fn max_area(mut self, n_pixels: usize) -> Self {
        self.max_area = n_pixels;
        self
    }

    /// Works through tiles of `side` pixels: less memory, the same labels.
    pub fn tile(mut self, side: usize) -> Self {
        self.tile = Some(side);
        self
    }

    /// Where pixels are worked on; [`Backend::Cpu`] by default. The labels are the same.
    ///
    /// A device works on the whole image and keeps the labels until they are wanted. With a [`tile`](Self::tile), or where
    /// it does not see the image at once, it works through tiles, and their runs come back.
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// Where to report how far the work is.
    pub fn progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// Segments an image in memory.
    ///
    /// # Errors
    /// When a parameter is out of range, a pixel is not finite, or all are equal (no threshold); when the
    /// [`backend`](Self::backend) has no room for a pixel and all that the blurs need around it.
    pub fn segment(&self, image: &IntensityImage) -> Result<Segmented> {
        self.check()?;
        let is_whole = matches!(image.pixels().type_name(), "uint8" | "uint16");
        self.run(image, is_whole, image.grid())
    }

    /// Segments one channel of a file; with [`tile`](Self::tile), no more than a few tiles are in memory
    /// at a time, beside the runs of the objects.
    ///
    /// # Errors
    /// As [`segment`](Self::segment), and when the file cannot be read.
    pub fn segment_file(&self, file: &ImageFile, channel: usize) -> Result<Segmented> {
        self.check()?;
        let is_whole = matches!(file.type_name().as_str(), "uint8" | "uint16");
        self.run(&Channel { file, channel }, is_whole, file.grid())
    }

    fn check(&self) -> Result<()> {
        check_sigma("spot_sigma", self.spot_sigma)?;
        check_sigma("outline_sigma", self.outline_sigma)?;
        if self.tile == Some(0) {
            return Err(Error::parameter("tile", 0, "at least 1 pixel"));
        }
        if self.min_area > self.max_area {
            let allowed = format!("at most max_area ({})", self.max_area);
            return Err(Error::parameter("min_area", self.min_area, allowed));
        }
        match self.method {
            Method::Threshold(t) if !t.is_finite() => {
                Err(Error::parameter("threshold", t, "a finite number"))
            }
            _ => Ok(()),
        }
    }

    fn run(&self, source: &dyn Source, is_whole: bool, grid: &Grid) -> Result<Segmented> {
        if grid.n_pixels() == 0 {
            return Err(Error::data("the image has no pixel").help("export it again"));
        }
        let outline_sigma = match self.method {
            Method::VoronoiOtsu | Method::GaussOtsu => self.outline_sigma,
            Method::Otsu | Method::Threshold(_) => 0.0,
        };
        let spot_sigma = (self.method == Method::VoronoiOtsu).then_some(self.spot_sigma);
        let tiles = match &self.backend {
            Backend::Cpu => Tiles::new(source, self.tile),
            Backend::Gpu(gpu) => {
                let widest = outline_sigma.max(spot_sigma.unwrap_or(0.0));
                let tiles = Tiles::on(gpu, source, self.tile, widest)?;
                if tiles.is_one() {
                    return self.run_on(gpu, source, is_whole, grid, outline_sigma, spot_sigma);
                }
                tiles
            }
        };
        let outline = tiles.blurred(outline_sigma)?;
        let threshold = self.threshold_of(&outline, is_whole)?;
        let [mask, spots] = tiles.find(&outline, threshold, spot_sigma, &self.progress)?;
        drop(outline);
        let all = if spot_sigma.is_some() {
            grow(&mask, &spots)?
        } else {
            let (ids, n) = mask.components(Connectivity::Corners);
            Runs::check_count(n)?;
            Objects { runs: mask, labels: ids.iter().map(|id| id + 1).collect() }
        };
        let all = all.without(&all.outside(self.min_area, self.max_area));
        let at_border = all.at(Sides::ALL);
        let n_all = all.labels.iter().copied().max().unwrap_or(0) as usize;
        let count = Count { all: n_all, inside: n_all - at_border.len() };
        let objects = if self.exclude_edges { all.without(&at_border) } else { all };
        let found = Found::Runs(objects);
        Ok(Segmented { found, grid: grid.clone(), count, threshold: f64::from(threshold) })
    }

    /// The value that objects are above.
    fn threshold_of(&self, outline: &impl Countable, is_whole: bool) -> Result<f32> {
        match self.method {
            Method::VoronoiOtsu | Method::GaussOtsu => outline.otsu(Bins::clesperanto),
            Method::Otsu if is_whole => outline.otsu(Bins::whole),
            Method::Otsu => outline.otsu(Bins::even),
            Method::Threshold(t) => Ok(t as f32),
        }
    }

    /// An image that the device sees at once: its labels stay there.
    fn run_on(
        &self,
        gpu: &Arc<Gpu>,
        source: &dyn Source,
        is_whole: bool,
        grid: &Grid,
        outline_sigma: f64,
        spot_sigma: Option<f64>,
    ) -> Result<Segmented> {
        let field = source.block(&grid.extent().map(|length| 0..length))?;
        let image = DeviceField::upload(gpu, &field)?;
        let outline = image.gaussian(outline_sigma)?;
        let threshold = self.threshold_of(&outline, is_whole)?;
        let spots = spot_sigma.map(|sigma| image.gaussian(sigma)).transpose()?;
        let all = outline.objects(gpu, grid, threshold, spots.as_ref())?;
        let (labels, count) = all.selected(self.min_area..=self.max_area, self.exclude_edges)?;
        let found = Found::OnDevice(labels);
        Ok(Segmented { found, grid: grid.clone(), count, threshold: f64::from(threshold) })
    }
}

/// What a segmentation found.
#[derive(Debug, Clone)]
pub struct Segmented {
    found: Found,
    grid: Grid,
    count: Count,
    threshold: f64,
}

/// The objects, where they were found.
#[derive(Debug, Clone)]
enum Found {
    Runs(Objects),
    OnDevice(DeviceLabels),
}

/// How many objects there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// All of them, those at the border included.
    pub all: usize,
    /// Those that do not touch the border of the image.
    pub inside: usize,
}

impl Count {
    /// The usual estimate for a field of view: every second object at the border belongs to it.
    pub fn half_border(self) -> f64 {
        (self.all + self.inside) as f64 / 2.0
    }
}

impl Segmented {
    /// The objects counted before those at the border were left out.
    pub fn count(&self) -> Count {
        self.count
    }

    /// The value above which a pixel belongs to an object.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// The label image.
    ///
    /// # Errors
    /// When a device that holds them was lost.
    pub fn labels(&self) -> Result<LabelImage> {
        match &self.found {
            Found::Runs(objects) => objects.paint(&self.grid),
            Found::OnDevice(labels) => labels.download(),
        }
    }

    /// The labels as they are on the device that found them.
    pub(crate) fn on_device(&self) -> Option<&DeviceLabels> {
        match &self.found {
            Found::Runs(_) => None,
            Found::OnDevice(labels) => Some(labels),
        }
    }

    /// Writes the labels as TIFF without ever holding them as pixels.
    ///
    /// # Errors
    /// When the file exists and must be kept, or cannot be written.
    pub fn save(&self, path: impl AsRef<Path>, existing: Existing) -> Result<()> {
        let objects = match &self.found {
            Found::Runs(objects) => objects,
            Found::OnDevice(labels) => return labels.download()?.save(path, existing),
        };
        objects.save(path.as_ref(), existing, &self.grid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::synth::Blobs;
    use crate::seed::Seed;

    /// The same objects, whatever their numbers.
    fn same_partition(a: &[u32], b: &[u32]) -> bool {
        let mut pairs: Vec<(u32, u32)> = a.iter().copied().zip(b.iter().copied()).collect();
        pairs.sort_unstable();
        pairs.dedup();
        let mut others: Vec<u32> = pairs.iter().map(|pair| pair.1).collect();
        others.sort_unstable();
        others.dedup();
        pairs.windows(2).all(|w| w[0].0 != w[1].0) && others.len() == pairs.len()
    }

    #[test]
    fn clesperanto_finds_the_same_66_objects() {
        let shared = std::env::var("POLARISCOPE_SHARED")
            .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data").into());
        let folder = Path::new(&shared).join("expected/blobs_voronoi_otsu_3.5_1");
        if !folder.exists() {
            println!("skipped: no ../shared/data");
            return;
        }
        let image = IntensityImage::open(folder.join("image.tif")).unwrap();
        let expected = LabelImage::open(folder.join("labels.tif")).unwrap();
        let params = Segmentation::params(Method::VoronoiOtsu).spot_sigma(3.5).outline_sigma(1.0);
        let labels = params.segment(&image).unwrap().labels().unwrap();
        assert_eq!(labels.max_label(), 66);
        assert!(same_partition(labels.pixels(), expected.pixels()));
    }

    #[test]
    fn tiles_give_the_labels_of_the_whole() {
        let methods =
            [Method::VoronoiOtsu, Method::GaussOtsu, Method::Otsu, Method::Threshold(90.0)];
        for index in 0..12 {
            let seed = Seed::new(index).stream("tiles", 0).below(1000) as u64;
            let blobs = match index % 3 {
                0 => Blobs::params().shape(&[150, 190]).n_objects(25).gap(0.0),
                // Some objects are larger than a tile.
                1 => Blobs::params().shape(&[230, 200]).n_objects(4).radius(30.0, 45.0).gap(0.0),
                _ => Blobs::params().shape(&[40, 60, 70]).n_objects(9).radius(5.0, 8.0).gap(0.0),
            };
            let image = blobs.seed(seed).make().unwrap().image;
            let method = methods[index as usize % 4];
            let params = Segmentation::params(method)
                .spot_sigma(3.0)
                .outline_sigma(1.5)
                .exclude_edges(index % 2 == 0);
            let whole = params.segment(&image).unwrap();
            assert!(whole.count().all > 0);
            for side in [37, 64, 100, 257] {
                let tiled = params.clone().tile(side).segment(&image).unwrap();
                assert_eq!(
                    tiled.labels().unwrap(),
                    whole.labels().unwrap(),
                    "{method:?}, tiles of {side}"
                );
                assert_eq!(tiled.count(), whole.count());
            }
        }
    }

    /// Planes and stacks of random shape, with objects of any size, among them larger ones than a tile.
    #[test]
    fn tiles_give_the_labels_of_the_whole_for_random_images() {
        for index in 0..60 {
            let mut stream = Seed::new(21).stream("random images", index);
            let mut between = |low: usize, high: usize| low + stream.below(high - low + 1);
            let is_stack = index % 5 == 0;
            let extent = if is_stack {
                [between(2, 9), between(5, 40), between(5, 40)]
            } else {
                [1, between(1, 150), between(1, 150)]
            };
            let smooth = between(0, 6) as f64;
            let sides = [64, 100, between(1, 30), between(20, 140)];
            let sigmas = [between(0, 4) as f64, between(0, 3) as f64];
            let noise = (0..extent.iter().product()).map(|_| stream.uniform() as f32 * 1000.0);
            let noise = super::super::field::Field::new(extent, noise.collect()).unwrap();
            let values = super::super::filters::gaussian(&noise, smooth).unwrap().into_values();
            let shape = &extent[usize::from(!is_stack)..];
            let image = IntensityImage::new(Grid::new(shape).unwrap(), values).unwrap();
            let method = [Method::VoronoiOtsu, Method::GaussOtsu, Method::Otsu][index as usize % 3];
            let params =
                Segmentation::params(method).spot_sigma(sigmas[0]).outline_sigma(sigmas[1]);
            let Ok(whole) = params.segment(&image) else {
                continue; // A single pixel has no threshold.
            };
            for side in sides {
                // Tiles of a pixel or two are right but slow.
                if side * side * 40 < extent[1] * extent[2] {
                    continue;
                }
                let tiled = params.clone().tile(side).segment(&image).unwrap();
                let equal = tiled.labels().unwrap() == whole.labels().unwrap();
                assert!(equal, "{method:?} {extent:?} {sigmas:?}, tiles of {side}");
            }
        }
    }

    #[test]
    fn files_are_segmented_and_written_by_tiles() {
        let folder = std::env::temp_dir().join(format!("polariscope-tiles-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        // A side above 4,096 makes the file tiled.
        let image = Blobs::params().shape(&[130, 4200]).n_objects(90).seed(3).make().unwrap().image;
        image.save(folder.join("image.tif"), Existing::Keep).unwrap();
        let file = ImageFile::open(folder.join("image.tif")).unwrap();
        let params = Segmentation::params(Method::VoronoiOtsu).spot_sigma(3.0).outline_sigma(1.0);
        let expected = params.segment(&image).unwrap().labels().unwrap();
        let found = params.clone().tile(100).segment_file(&file, 0).unwrap();
        found.save(folder.join("labels.tif"), Existing::Keep).unwrap();
        assert_eq!(LabelImage::open(folder.join("labels.tif")).unwrap(), expected);
        assert!(found.save(folder.join("labels.tif"), Existing::Keep).is_err());
        assert_eq!(params.segment_file(&file, 0).unwrap().labels().unwrap(), expected);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_cannot_be_segmented_is_said() {
        let refused = |params: Segmentation, values: Vec<f32>, words: &str| {
            let grid = Grid::new(&[2, values.len() / 2]).unwrap();
            let error = params.segment(&IntensityImage::new(grid, values).unwrap()).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        };
        let params = || Segmentation::params(Method::VoronoiOtsu);
        refused(params(), vec![3.0; 8], "every pixel is 3");
        refused(params(), vec![0.0, 1.0, 2.0, f32::NAN], "y = 1, x = 1 is NaN");
        refused(params(), Vec::new(), "has no pixel");
        refused(params().spot_sigma(-1.0), vec![0.0, 1.0], "spot_sigma = -1");
        refused(params().outline_sigma(f64::NAN), vec![0.0, 1.0], "outline_sigma = NaN");
        refused(params().outline_sigma(1e9), vec![0.0, 1.0], "outline_sigma");
        refused(params().tile(0), vec![0.0, 1.0], "tile = 0");
        let none = Segmentation::params(Method::Threshold(1e6))
            .segment(&Blobs::params().make().unwrap().image);
        assert_eq!(none.unwrap().labels().unwrap().max_label(), 0);
    }
}
