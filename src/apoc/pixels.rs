//! The three classifiers of pixels: classes, labels of objects, probabilities.

use std::marker::PhantomData;
use std::ops::{Deref, Range};
use std::path::Path;

use super::Kind;
use super::classifier::Classifier;
use super::numbering::components_by_column;
use super::on_gpu;
use super::spec::FeatureSpec;
use super::stack::{Pages, STRIP_LAYERS, Stack, channels};
use super::train::{Growth, Rows, growth_setters};
use super::votes::{shares, winners};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::image::{
    Content, Grid, ImageFile, IntensityImage, LabelImage, Pixels, check_output, is_npy,
    save_by_bands,
};
use crate::output::Existing;
use crate::progress::Progress;
use crate::segment::{Objects, Runs};

/// A kind of classifier, made of a trained model.
pub trait Typed: Sized + Deref<Target = Classifier> {
    /// Which of the seven.
    const KIND: Kind;

    /// A model of this kind.
    ///
    /// # Errors
    /// When the model is of another kind.
    fn of(model: Classifier) -> Result<Self>;

    /// Reads a model file of this kind.
    ///
    /// # Errors
    /// As [`Classifier::open`], and when the model is of another kind.
    fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::of(Classifier::open(path)?).map_err(|e| e.in_file(path))
    }
}

/// A classifier that is a model and nothing more.
macro_rules! typed {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name(Classifier);

        impl $crate::apoc::Typed for $name {
            const KIND: Kind = Kind::$name;

            fn of(model: Classifier) -> Result<Self> {
                Ok(Self(model.of_kind(Kind::$name)?))
            }
        }

        impl std::ops::Deref for $name {
            type Target = Classifier;

            fn deref(&self) -> &Classifier {
                &self.0
            }
        }
    };
}
pub(super) use typed;

typed! {
    /// Gives every pixel a class.
    ///
    /// ```
    /// use ndarray::array;
    /// use polariscope::apoc::PixelClassifier;
    /// use polariscope::image::{IntensityImage, LabelImage};
    ///
    /// let image = IntensityImage::from_array(array![[1u8, 2, 9, 8], [2, 1, 8, 9]])?;
    /// let annotation = LabelImage::from(array![[1, 0, 2, 0], [0, 1, 0, 2]]);
    /// let image = [image];
    /// let mut trainer = PixelClassifier::params("original")?;
    /// trainer.add(&image, &annotation)?;
    /// let classifier = trainer.fit()?;
    ///
    /// let classes = classifier.predict(&image)?;
    /// assert_eq!(classes.pixels(), [1, 1, 2, 2, 1, 1, 2, 2]);
    /// # Ok::<(), polariscope::Error>(())
    /// ```
    PixelClassifier
}
typed! {
    /// Finds objects: connected pixels of the positive class.
    ObjectSegmenter
}
typed! {
    /// Gives every pixel the probability of one class.
    ProbabilityMapper
}

/// Collects annotated pixels and trains on them; adding more and training again continues the training.
#[derive(Debug, Clone)]
pub struct PixelTrainer<C> {
    spec: FeatureSpec,
    growth: Growth,
    rows: Rows,
    kind: PhantomData<C>,
}

impl<C: Typed> PixelTrainer<C> {
    /// A trainer for these features.
    ///
    /// # Errors
    /// As [`FeatureSpec::parse`].
    pub fn new(features: &str) -> Result<Self> {
        let spec = FeatureSpec::parse(features)?;
        Ok(Self { spec, growth: Growth::default(), rows: Rows::default(), kind: PhantomData })
    }

    growth_setters!();

    /// The features that are used, and the words that are ignored.
    pub fn features(&self) -> &FeatureSpec {
        &self.spec
    }

    /// Adds the pixels that an annotation marks: its number is the class, 0 says nothing.
    ///
    /// Several images are channels of one; a stack annotated in a plane has a channel per layer.
    ///
    /// # Errors
    /// An annotation without a mark or of another shape, other channels than before, a pixel that is
    /// not finite.
    pub fn add(&mut self, images: &[IntensityImage], annotation: &LabelImage) -> Result<()> {
        let pages: Vec<Pages<'_>> = images.iter().map(Pages::Memory).collect();
        let n_dims = annotation.grid().n_axes();
        let stack = Stack::new(&self.spec, channels(&pages, n_dims)?);
        let [nz, ny, nx] = stack.extent();
        if annotation.grid().extent() != [nz, ny, nx] {
            return Err(Error::data(format!(
                "the annotation is {} pixels, the image {}",
                annotation.grid(),
                images[0].grid()
            ))
            .help("annotate the image itself"));
        }
        // In the order of the pixels, whatever the strips: the bags of the trees are drawn from it.
        let pixels = annotation.pixels();
        let marks: Vec<usize> = (0..pixels.len()).filter(|&i| pixels[i] > 0).collect();
        let classes = marks.iter().map(|&i| pixels[i]).collect();
        let n_features = stack.n_features();
        let mut values = vec![0.0; marks.len() * n_features];
        for strip in stack.strips() {
            let (layers, rows) = &strip;
            let lines = layers.clone().flat_map(|z| rows.clone().map(move |y| (z * ny + y) * nx));
            let marks_of = |start: usize| {
                let before = |end: usize| marks.partition_point(|&mark| mark < end);
                before(start)..before(start + nx)
            };
            if lines.clone().all(|start| marks_of(start).is_empty()) {
                continue;
            }
            let planes = stack.features(&strip)?;
            for (line, start) in lines.enumerate() {
                for mark in marks_of(start) {
                    let at = line * nx + marks[mark] - start;
                    let row = &mut values[mark * n_features..][..n_features];
                    row.iter_mut().zip(&planes).for_each(|(value, plane)| *value = plane[at]);
                }
            }
        }
        self.rows.add(values, classes, n_features, n_dims)
    }

    /// Trains on everything added so far.
    ///
    /// # Errors
    /// When nothing was added, or a parameter is out of range.
    pub fn fit(&self) -> Result<C> {
        C::of(self.rows.fit(C::KIND, self.spec.written(), &self.growth)?)
    }
}

macro_rules! pixel_params {
    ($($name:ident),*) => {$(
        impl $name {
            /// A trainer for these features: a specification, or the name of a predefined set.
            ///
            /// # Errors
            /// As [`FeatureSpec::parse`].
            pub fn params(features: &str) -> Result<PixelTrainer<Self>> {
                PixelTrainer::new(features)
            }
        }
    )*};
}
pixel_params!(PixelClassifier, ObjectSegmenter, ProbabilityMapper);

impl PixelClassifier {
    /// The class of each pixel, from 1.
    ///
    /// # Errors
    /// Another number of channels or axes than in training, or a pixel that is not finite.
    pub fn predict(&self, images: &[IntensityImage]) -> Result<LabelImage> {
        PixelPrediction::in_memory(self, images)?.labels()
    }
}

impl ObjectSegmenter {
    /// Labels of the connected pixels (sides, not corners) of the positive class.
    ///
    /// They are numbered column by column, as APOC numbers them.
    ///
    /// # Errors
    /// As [`PixelClassifier::predict`].
    pub fn predict(&self, images: &[IntensityImage]) -> Result<LabelImage> {
        PixelPrediction::in_memory(self, images)?.labels()
    }
}

impl ProbabilityMapper {
    /// The share of the class in the votes for each pixel, from 0 to 1.
    ///
    /// # Errors
    /// As [`PixelClassifier::predict`].
    pub fn predict(&self, images: &[IntensityImage]) -> Result<IntensityImage> {
        PixelPrediction::in_memory(self, images)?.probabilities()
    }
}

/// A classifier of pixels applied to an image in memory or in a file, strip by strip.
#[derive(Debug, Clone)]
pub struct PixelPrediction<'a> {
    model: &'a Classifier,
    spec: FeatureSpec,
    pages: Vec<Pages<'a>>,
    strip_rows: Option<usize>,
    backend: Backend,
    progress: Progress,
}

impl<'a> PixelPrediction<'a> {
    /// Of images in memory, the channels of one.
    ///
    /// # Errors
    /// When the model does not classify pixels, or names features that are not known.
    pub fn in_memory(model: &'a Classifier, images: &'a [IntensityImage]) -> Result<Self> {
        Self::of(model, images.iter().map(Pages::Memory).collect())
    }

    /// Of all channels of image files, which are read strip by strip.
    ///
    /// # Errors
    /// As [`in_memory`](Self::in_memory).
    pub fn of_files(model: &'a Classifier, files: &'a [ImageFile]) -> Result<Self> {
        let channels =
            |file: &'a ImageFile| (0..file.channels().len()).map(|c| Pages::File(file, c));
        Self::of(model, files.iter().flat_map(channels).collect())
    }

    fn of(model: &'a Classifier, pages: Vec<Pages<'a>>) -> Result<Self> {
        if !model.kind().reads_pixels() {
            return Err(Error::format(format!(
                "is a {}: it does not classify pixels",
                model.kind()
            )));
        }
        let spec = FeatureSpec::parse(model.feature_specification())?;
        let (backend, progress) = (Backend::Cpu, Progress::default());
        Ok(Self { model, spec, pages, strip_rows: None, backend, progress })
    }

    /// Works on so many rows at a time; the result is the same, less memory is in use.
    pub fn tile(mut self, rows: usize) -> Self {
        self.strip_rows = Some(rows.max(1));
        self
    }

    /// Where features and votes are found; [`Backend::Cpu`] by default. The result is the same.
    ///
    /// A device takes as many rows at a time as it has room for, whatever [`tile`](Self::tile) says.
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// Called as strips are finished.
    pub fn progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    pub(super) fn stack(&self) -> Result<Stack<'_>> {
        // Files without the entry are of planes, as long as the image is one.
        let n_dims = match (self.model.n_dims(), self.pages.first()) {
            (0, Some(page)) => page.grid().n_axes(),
            (n, _) => n,
        };
        let stack =
            Stack::new(&self.spec, channels(&self.pages, n_dims)?).strip_rows(self.strip_rows);
        let (found, trained) = (stack.n_features(), self.model.n_features());
        if found == trained {
            return Ok(stack);
        }
        let each = self.spec.names().len();
        Err(Error::data(format!(
            "the image has {} channels, the model was trained on {}",
            found / each,
            trained as f64 / each as f64
        ))
        .help(format!(
            "the model reads {trained} features, {each} of each channel: {}",
            self.model.feature_specification()
        )))
    }

    /// The grid of the result.
    fn grid(&self, extent: [usize; 3]) -> Result<Grid> {
        let grid = self.pages[0].grid();
        if grid.extent() == extent {
            return Ok(grid.clone());
        }
        // Layers were channels: what is left is a plane.
        Grid::new(&extent[1..])?.with_spacing(&grid.spacing()[1..], grid.unit())
    }

    /// Classes, or labels of objects where the model is an object segmenter.
    ///
    /// # Errors
    /// Another number of channels or axes than in training, or a pixel that is not finite; on a device pixels beyond
    /// 1e17, and features that reach further than the device has room for.
    pub fn labels(&self) -> Result<LabelImage> {
        let stack = self.stack()?;
        let [nz, ny, _] = stack.extent();
        let grid = self.grid(stack.extent())?;
        if self.model.kind() == Kind::ObjectSegmenter {
            return self.objects(&stack)?.paint(&grid);
        }
        let classes = self.classes(&stack, &(0..nz), &(0..ny), &self.progress)?;
        LabelImage::new(grid, classes.into_iter().map(u32::from).collect())
    }

    /// The probability of the class of a probability mapper (its class number, where it was trained so).
    ///
    /// # Errors
    /// As [`labels`](Self::labels).
    pub fn probabilities(&self) -> Result<IntensityImage> {
        let stack = self.stack()?;
        let [nz, ny, _] = stack.extent();
        let values = self.shares(&stack, &(0..nz), &(0..ny), &self.progress)?;
        IntensityImage::new(self.grid(stack.extent())?, Pixels::F32(values))
    }

    /// Writes [`labels`](Self::labels), or the [`probabilities`](Self::probabilities) of a probability mapper, while
    /// they are found: of pixels, only a band of rows is in memory, of objects their runs. A name that ends in `.npy`
    /// needs them whole.
    ///
    /// # Errors
    /// As [`labels`](Self::labels), and when the file exists and must be kept, or cannot be written.
    pub fn save(&self, path: impl AsRef<Path>, existing: Existing) -> Result<Written> {
        let path = path.as_ref();
        check_output(path, existing)?;
        let stack = self.stack()?;
        let grid = self.grid(stack.extent())?;
        let mut written = Written::default();
        if self.model.kind() == Kind::ObjectSegmenter {
            let objects = self.objects(&stack)?;
            written.count_runs(&objects, grid.n_pixels());
            if is_npy(path) {
                objects.paint(&grid)?.save(path, existing)?;
            } else {
                objects.save(path, existing, &grid)?;
            }
            return Ok(written);
        }
        let is_share = self.model.kind() == Kind::ProbabilityMapper;
        let (mut n_done, n_rows) = (0, grid.extent()[0] * grid.extent()[1]);
        let make = |layers: &Range<usize>, rows: &Range<usize>| {
            n_done += layers.len() * rows.len();
            let pixels = if is_share {
                Pixels::F32(self.shares(&stack, layers, rows, &Progress::default())?)
            } else {
                Pixels::U16(self.classes(&stack, layers, rows, &Progress::default())?)
            };
            written.count(&pixels);
            self.progress.report(n_done, n_rows);
            Ok(pixels)
        };
        if is_npy(path) {
            if is_share {
                let image = self.probabilities()?;
                written.count(image.pixels());
                image.save(path, existing)?;
            } else {
                let labels = self.labels()?;
                written.count(&Pixels::U32(labels.pixels().to_vec()));
                labels.save(path, existing)?;
            }
        } else {
            let content = if is_share { Content::Intensities(None) } else { Content::Labels };
            save_by_bands(path, existing, &grid, content, make)?;
        }
        Ok(written)
    }

    /// The class of each pixel of some layers and rows.
    fn classes(
        &self,
        stack: &Stack<'_>,
        layers: &Range<usize>,
        rows: &Range<usize>,
        progress: &Progress,
    ) -> Result<Vec<u16>> {
        let (forest, n_classes) = (&self.model.forest, self.model.n_classes());
        match &self.backend {
            Backend::Cpu => stack.vote(forest, layers, rows, progress, |sums| {
                winners(sums, n_classes).into_iter().map(|class| class as u16).collect()
            }),
            Backend::Gpu(gpu) => on_gpu::classes(gpu, stack, forest, layers, rows, progress),
        }
    }

    /// The share of the class in the votes for each pixel of some layers and rows.
    fn shares(
        &self,
        stack: &Stack<'_>,
        layers: &Range<usize>,
        rows: &Range<usize>,
        progress: &Progress,
    ) -> Result<Vec<f32>> {
        let (n_classes, class) = (self.model.n_classes(), self.model.probability_of);
        let forest = &self.model.forest;
        match &self.backend {
            Backend::Cpu => stack.vote(forest, layers, rows, progress, |sums| match class {
                0 => winners(sums, n_classes).into_iter().map(|c| c as f32).collect(),
                class => shares(sums, n_classes, class),
            }),
            Backend::Gpu(gpu) => {
                on_gpu::shares(gpu, stack, forest, class, (layers, rows), progress)
            }
        }
    }

    /// The connected pixels of the positive class, as runs.
    fn objects(&self, stack: &Stack<'_>) -> Result<Objects> {
        let [nz, ny, nx] = stack.extent();
        let positive = self.model.positive_class().unwrap_or(2) as u16;
        let (n_layers, n_rows) = if stack.is_stack() {
            (STRIP_LAYERS, ny)
        } else {
            (1, (BAND_PIXELS / nx.max(1)).max(1))
        };
        let mut runs = Runs::empty([nz, ny, nx]);
        for z in (0..nz).step_by(n_layers) {
            let layers = z..(z + n_layers).min(nz);
            for y in (0..ny).step_by(n_rows) {
                let rows = y..(y + n_rows).min(ny);
                let classes = self.classes(stack, &layers, &rows, &Progress::default())?;
                let extent = [layers.len(), rows.len(), nx];
                let found = Runs::of_mask(extent, &classes, |class| class == positive);
                for row in 0..layers.len() * rows.len() {
                    runs.push_row(found.runs[found.of_row(row)].iter().copied());
                }
                self.progress.report(layers.start * ny + layers.len() * rows.end, nz * ny);
            }
        }
        Ok(components_by_column(runs))
    }
}

/// Pixels whose classes are found before they become runs.
const BAND_PIXELS: usize = 1 << 24;

/// What [`PixelPrediction::save`] wrote.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Written {
    /// Number of pixels of each class or label, those of 0 first; empty for probabilities.
    pub pixels: Vec<u64>,
    /// Number of pixels.
    pub n_pixels: usize,
    /// Sum of all probabilities; 0 for labels.
    pub sum: f64,
}

impl Written {
    fn count(&mut self, pixels: &Pixels) {
        self.n_pixels += pixels.len();
        match pixels {
            Pixels::U16(labels) => labels.iter().for_each(|&l| self.add(l as usize, 1)),
            Pixels::U32(labels) => labels.iter().for_each(|&l| self.add(l as usize, 1)),
            // In the order of the pixels, whatever the bands.
            probabilities => {
                self.sum = probabilities.to_f64().iter().fold(self.sum, |sum, p| sum + p);
            }
        }
    }

    fn count_runs(&mut self, objects: &Objects, n_pixels: usize) {
        for (&label, run) in objects.labels.iter().zip(&objects.runs.runs) {
            self.add(label as usize, run.len() as u64);
        }
        self.n_pixels = n_pixels;
        let inside: u64 = self.pixels.iter().sum();
        self.add(0, n_pixels as u64 - inside);
    }

    fn add(&mut self, label: usize, n: u64) {
        if label >= self.pixels.len() {
            self.pixels.resize(label + 1, 0);
        }
        self.pixels[label] += n;
    }
}
