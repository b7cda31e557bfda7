//! `explore apoc train`: from annotations to a model file.

use std::path::{Path, PathBuf};

use clap::Args;
use polariscope::apoc::{
    Classifier, Kind, MergeTrainer, ObjectClassifier, ObjectMerger, ObjectSegmenter, ObjectSelector,
    ObjectTrainer, PixelClassifier, PixelTrainer, ProbabilityMapper, TableRowClassifier, Typed,
    folder_pairs,
};
use polariscope::image::LabelImage;
use polariscope::output::check_free;
use polariscope::table::{Classes, Columns, numbers_of};
use polariscope::{Error, Result};
use serde_json::{Map, Value, json};

use super::super::args::Input;
use super::{Console, Globals, channels, described, intensity, needed, usage};

/// Features where none are named: what APOC takes by default for pixels.
const PIXELS: &str = "original gaussian_blur=2 sobel_of_gaussian_blur=2";
const OBJECTS: &str = "area mean_max_distance_to_centroid_ratio";
const BORDERS: &str = "touch_portion touch_count area_difference";

#[derive(Debug, Args)]
pub struct Train {
    /// pixel-classifier, object-segmenter, probability-mapper, object-classifier, object-selector,
    /// object-merger, table-row-classifier
    kind: Kind,
    /// Image; several flags give several channels
    #[arg(long = "image", value_name = "I")]
    images: Vec<PathBuf>,
    /// Image whose numbers are classes, 0 where nothing is said
    #[arg(long, value_name = "A")]
    annotation: Option<PathBuf>,
    /// Label image, for classifiers of objects
    #[arg(long, value_name = "L")]
    labels: Option<PathBuf>,
    /// Pairs of equal file name out of two folders; classifiers of objects take a third with labels
    #[arg(long, num_args = 2..=3, value_names = ["IMAGES", "MASKS"], conflicts_with_all = ["images", "annotation", "labels", "table"])]
    folder: Vec<PathBuf>,
    /// Table, for classifiers of rows
    #[arg(long, value_name = "T")]
    table: Option<PathBuf>,
    /// Column of the table with the class of each row, 0 or empty where none is known
    #[arg(long, default_value = "annotation", value_name = "COLUMN")]
    target: String,
    /// Feature specification, or the name of a predefined set such as object_size_1_to_5_px
    #[arg(long, value_name = "FEATURES")]
    features: Option<String>,
    /// Depth of the trees
    #[arg(long, default_value_t = 2, value_name = "D")]
    max_depth: usize,
    /// Number of trees
    #[arg(long, default_value_t = 100, value_name = "N")]
    n_trees: usize,
    /// Class that an object segmenter or selector is about
    #[arg(long, default_value_t = 2, value_name = "C")]
    positive_class_identifier: usize,
    /// Class whose probability a probability mapper gives
    #[arg(long, default_value_t = 2, value_name = "C")]
    output_probability_of_class: usize,
    /// Model file to write
    #[arg(short, long, value_name = "MODEL.cl")]
    output: PathBuf,
}

/// Sets what all trainers have in common.
macro_rules! grown {
    ($trainer:expr, $train:expr, $globals:expr, $console:expr) => {
        $trainer
            .max_depth($train.max_depth)
            .n_trees($train.n_trees)
            .seed($globals.seed)
            .positive_class_identifier($train.positive_class_identifier)
            .output_probability_of_class($train.output_probability_of_class)
            .progress($console.progress("forest"))
    };
}

/// A model, the classes of its annotation, and how its features compare with chance.
struct Trained {
    model: Classifier,
    classes: Vec<u32>,
    against_chance: Vec<(String, f64)>,
}

impl Trained {
    fn of(model: &Classifier, classes: Vec<u32>, against_chance: Vec<(String, f64)>) -> Self {
        Self { model: model.clone(), classes, against_chance }
    }
}

/// Files of one training step.
struct Sample {
    images: Vec<PathBuf>,
    annotation: PathBuf,
    labels: Option<PathBuf>,
}

impl Train {
    pub fn run(&self, globals: &Globals, console: &Console) -> Result<()> {
        check_free(&self.output, globals.existing())?;
        let Trained { model, classes, against_chance } = match self.kind {
            Kind::PixelClassifier => self.pixels::<PixelClassifier>(globals, console)?,
            Kind::ObjectSegmenter => self.pixels::<ObjectSegmenter>(globals, console)?,
            Kind::ProbabilityMapper => self.pixels::<ProbabilityMapper>(globals, console)?,
            Kind::ObjectClassifier => self.objects::<ObjectClassifier>(globals, console)?,
            Kind::ObjectSelector => self.objects::<ObjectSelector>(globals, console)?,
            Kind::ObjectMerger => self.borders(globals, console)?,
            Kind::TableRowClassifier => self.rows(globals, console)?,
        };
        model.save(&self.output, globals.existing())?;
        let has_gaps = classes.iter().enumerate().any(|(i, &class)| class != i as u32 + 1);
        if has_gaps {
            let found: Vec<String> = classes.iter().map(u32::to_string).collect();
            console.note(&format!(
                "warning: the annotation has the classes {}; the model calls them 1 to {}",
                found.join(", "),
                classes.len()
            ));
        }
        if classes.len() == 1 {
            console.note("warning: the annotation has one class only: everything will be of it");
        }
        let chance = against_chance.last().map_or(0.0, |(_, value)| *value);
        let idle: Vec<&str> = against_chance
            .iter()
            .rev()
            .skip(1)
            .rev()
            .filter(|(_, value)| *value <= chance)
            .map(|(name, _)| name.as_str())
            .collect();
        let mut description = described(&model);
        description["classes"] = json!(classes);
        description["mean_abs_shap"] = against_chance.iter().map(|(n, v)| (n.clone(), json!(v))).collect::<Map<String, Value>>().into();
        description["no_better_than_chance"] = json!(idle);
        console.print_json(description)?;
        console.print(&self.summary(&model, &idle))
    }

    fn summary(&self, model: &Classifier, idle: &[&str]) -> String {
        let mut text = format!(
            "{}: {} classes, {} trees, {} features\nimportance\n",
            model.kind(),
            model.n_classes(),
            model.n_trees(),
            model.n_features()
        );
        let mut ranked: Vec<(String, f64)> = model.feature_importances().into_iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        for (name, importance) in ranked.iter().take(10) {
            text += &format!("  {importance:.3}  {name}\n");
        }
        if !idle.is_empty() {
            text += &format!("no better than chance: {}\n", idle.join(", "));
        }
        text + &format!("model      {}\n", self.output.display())
    }

    fn specification(&self, default: &str) -> String {
        self.features.clone().unwrap_or_else(|| default.to_owned())
    }

    /// What to train on, from the flags or from folders.
    fn samples(&self) -> Result<Vec<Sample>> {
        if let [images, masks, labels @ ..] = self.folder.as_slice() {
            let mut samples = Vec::new();
            for (image, annotation) in folder_pairs(images, masks)? {
                let name = image.file_name().unwrap_or_default().to_owned();
                let labels = labels.first().map(|folder| folder.join(name));
                samples.push(Sample { images: vec![image], annotation, labels });
            }
            return Ok(samples);
        }
        if self.table.is_some() {
            return Err(Error::parameter("--table", "given", format!("left out: {}", usage(self.kind))));
        }
        Ok(vec![Sample {
            images: self.images.clone(),
            annotation: needed(self.annotation.as_ref(), "--annotation", self.kind)?.clone(),
            labels: self.labels.clone(),
        }])
    }

    fn pixels<C: Typed>(&self, globals: &Globals, console: &Console) -> Result<Trained> {
        let trainer = PixelTrainer::<C>::new(&self.specification(PIXELS))?;
        for word in trainer.features().ignored() {
            console.note(&format!(
                "warning: `{word}` is no feature and is ignored: write `original`, or `name=number`"
            ));
        }
        let mut trainer = grown!(trainer, self, globals, console);
        for sample in self.samples()? {
            if sample.labels.is_some() {
                return Err(Error::parameter("--labels", "given", format!("left out: {}", usage(self.kind))));
            }
            needed(sample.images.first(), "--image", self.kind)?;
            let images = channels(&sample.images)?;
            let annotation = LabelImage::open(&sample.annotation)?;
            trainer.add(&images, &annotation).map_err(|e| e.in_file(&sample.annotation))?;
        }
        let model = trainer.fit()?;
        Ok(Trained::of(&model, trainer.classes(), trainer.against_chance()?))
    }

    fn objects<C: Typed>(&self, globals: &Globals, console: &Console) -> Result<Trained> {
        let trainer = ObjectTrainer::<C>::new(&self.specification(OBJECTS))?;
        let mut trainer = grown!(trainer, self, globals, console);
        self.each_labelled(|labels, annotation, image, path| {
            trainer.add(labels, annotation, image).map_err(|e| e.in_file(path))
        })?;
        let model = trainer.fit()?;
        Ok(Trained::of(&model, trainer.classes(), trainer.against_chance()?))
    }

    fn borders(&self, globals: &Globals, console: &Console) -> Result<Trained> {
        let trainer = ObjectMerger::params(&self.specification(BORDERS))?;
        let mut trainer: MergeTrainer = grown!(trainer, self, globals, console);
        self.each_labelled(|labels, annotation, image, path| {
            trainer.add(labels, annotation, image).map_err(|e| e.in_file(path))
        })?;
        let model = trainer.fit()?;
        Ok(Trained::of(&model, trainer.classes(), trainer.against_chance()?))
    }

    /// Every label image with its annotation and, where there is one, its intensity image.
    fn each_labelled(
        &self,
        mut add: impl FnMut(
            &LabelImage,
            &LabelImage,
            Option<&polariscope::image::IntensityImage>,
            &Path,
        ) -> Result<()>,
    ) -> Result<()> {
        for sample in self.samples()? {
            let labels = LabelImage::open(needed(sample.labels.as_ref(), "--labels", self.kind)?)?;
            let annotation = LabelImage::open(&sample.annotation)?;
            let image = intensity(&sample.images)?;
            add(&labels, &annotation, image.as_ref(), &sample.annotation)?;
        }
        Ok(())
    }

    fn rows(&self, globals: &Globals, console: &Console) -> Result<Trained> {
        let path = needed(self.table.as_ref(), "--table", self.kind)?;
        let table = console.read(&Input { table: path.clone() })?;
        let at_file = |e: Error| e.in_file(path);
        let classes = Classes::of(&table.frame, &self.target).map_err(at_file)?;
        // Classes that are numbers keep them, 0 for none; names are counted from 1.
        let numbers: Vec<Option<u32>> = classes.names.iter().map(|n| n.parse().ok()).collect();
        let are_numbers = numbers.iter().all(Option::is_some);
        let number = |i: usize| if are_numbers { numbers[i].unwrap_or(0) } else { i as u32 + 1 };
        let labels: Vec<u32> = classes.labels.iter().map(|l| l.map_or(0, number)).collect();
        let names: Vec<String> = if let Some(features) = &self.features {
            features.split([',', ' ']).filter(|n| !n.is_empty()).map(str::to_owned).collect()
        } else {
            let selection = Columns::measurements().exclude([&self.target]);
            let columns = Columns::chosen(&table.frame, selection).map_err(at_file)?;
            columns.features().iter().map(ToString::to_string).collect()
        };
        let columns = names
            .iter()
            .map(|name| {
                let values = numbers_of(&table.frame, name).ok_or_else(|| {
                    let names: Vec<String> = table.frame.get_column_names().iter().map(ToString::to_string).collect();
                    let error = Error::data("is not a column of numbers").in_file(path).at_column(name);
                    match polariscope::error::closest(name, names.iter().map(String::as_str)) {
                        Some(near) => error.help(format!("did you mean `{near}`?")),
                        None => error,
                    }
                })?;
                Ok(values.iter().map(|&x| x as f32).collect())
            })
            .collect::<Result<Vec<Vec<f32>>>>()?;
        let words: Vec<String> = names.iter().map(|n| n.replace(char::is_whitespace, "_")).collect();
        let mut trainer = grown!(TableRowClassifier::params(&words.join(" "))?, self, globals, console);
        trainer.add(&columns, &labels).map_err(at_file)?;
        let model = trainer.fit()?;
        Ok(Trained::of(&model, trainer.classes(), trainer.against_chance()?))
    }
}
