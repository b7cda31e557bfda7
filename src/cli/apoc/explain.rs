//! `explore apoc explain`: which feature decided where, as a picture.

use std::path::PathBuf;

use clap::Args;
use polariscope::apoc::{Classifier, Explanation};
use polariscope::image::LabelImage;
use polariscope::output::check_free;
use polariscope::report::figures::{PlacesPicture, places};
use polariscope::{Error, Result};
use serde_json::{Map, Value, json};

use super::{Console, Globals, channels, intensity, needed, usage};

#[derive(Debug, Args)]
pub struct Explain {
    /// Model: an APOC .cl file, or .json, which also knows its training
    model: PathBuf,
    /// Image; several flags give several channels
    #[arg(long = "image", value_name = "I")]
    images: Vec<PathBuf>,
    /// Label image, for classifiers of objects
    #[arg(long, value_name = "L")]
    labels: Option<PathBuf>,
    /// Class to explain, from 1 [default: the positive class, or the last]
    #[arg(long, value_name = "C")]
    class: Option<usize>,
    /// Picture to write: .png or .svg
    #[arg(short, long, value_name = "OUT.png")]
    output: PathBuf,
}

impl Explain {
    pub fn run(&self, globals: &Globals, console: &Console) -> Result<()> {
        check_free(&self.output, globals.existing())?;
        let model = Classifier::open(&self.model)?;
        let class = self.class.or(model.positive_class()).unwrap_or(model.n_classes());
        let (explanation, brightness) = if model.kind().reads_pixels() {
            needed(self.images.first(), "--image", model.kind())?;
            let images = channels(&self.images)?;
            (model.explain_pixels(&images, class)?, images.into_iter().next())
        } else if self.labels.is_some() {
            let labels = LabelImage::open(needed(self.labels.as_ref(), "--labels", model.kind())?)?;
            let image = intensity(&self.images)?;
            (model.explain_objects(&labels, image.as_ref(), class)?, image)
        } else {
            return Err(Error::parameter("--labels", "nothing", "given").help(usage(model.kind())));
        };
        let brightness = brightness.map_or_else(Vec::new, |image| {
            let [nz, ny, nx] = image.grid().extent();
            let step = explanation.step;
            let at = |y: usize, x: usize| image.pixels().get((nz / 2 * ny + y) * nx + x) as f32;
            let rows = (0..ny).step_by(step);
            rows.flat_map(|y| (0..nx).step_by(step).map(move |x| (y, x))).map(|(y, x)| at(y, x)).collect()
        });
        for family in &explanation.together {
            console.note(&format!(
                "warning: {} move together: only the sum of their shares means something",
                family.join(", ")
            ));
        }
        places(&picture(&model, &explanation, brightness)).write_as(&self.output, globals.existing())?;
        let importances: Map<String, Value> = explanation
            .features
            .iter()
            .cloned()
            .zip(explanation.importances.iter().map(|&i| json!(i)))
            .collect();
        console.print_json(json!({
            "class": class,
            "importances": importances,
            "together": explanation.together,
        }))?;
        let mut text = format!("class {class}: mean |SHAP|\n");
        for f in explanation.ranking().into_iter().take(10) {
            text += &format!("  {:.3}  {}\n", explanation.importances[f], explanation.features[f]);
        }
        console.print(&text)
    }
}

fn picture(model: &Classifier, explanation: &Explanation, mut image: Vec<f32>) -> PlacesPicture {
    let (low, high) = image.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    image.iter_mut().for_each(|v| *v = if high > low { (*v - low) / (high - low) } else { 0.5 });
    let thinned = match explanation.step {
        1 => String::new(),
        step => format!(" One of {} pixels explained.", step * step),
    };
    let together = match explanation.together.first() {
        None => String::new(),
        Some(family) => format!(" {} move together: only their sum means something.", family.join(", ")),
    };
    PlacesPicture {
        title: format!("What decided for class {}", explanation.class),
        subtitle: format!("SHAP values of the {} with {} trees.{thinned}{together}", model.kind(), model.n_trees()),
        shape: explanation.shape,
        image,
        features: explanation
            .ranking()
            .into_iter()
            .map(|f| (explanation.features[f].clone(), explanation.values[f].clone()))
            .collect(),
    }
}
