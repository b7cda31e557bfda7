//! `explore measure`: region properties of a label image.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use polariscope::Result;
use polariscope::image::LabelImage;
use polariscope::regions::{Names, Regions, Selection};
use serde_json::json;

use super::Console;
use super::args::{Globals, Output};
use super::pixels::Images;

#[derive(Debug, Args)]
pub struct Measure {
    /// Label image: TIFF, PNG or npy; 0 is background
    labels: PathBuf,
    #[command(flatten)]
    images: Images,
    #[command(flatten)]
    output: Output,
    /// core, all, or names as `explore columns` lists them
    #[arg(long, default_value = "core", value_name = "core|all|NAME,...")]
    properties: Selection,
    /// Length of a pixel along each axis [default: the file's own, else 1]
    #[arg(long, value_delimiter = ',', value_name = "[Z,]Y,X")]
    spacing: Vec<f64>,
    /// Side of the tiles that are measured one by one; never changes a result
    #[arg(long, value_name = "N")]
    tile: Option<usize>,
    /// Whose words the columns use
    #[arg(long, value_enum, default_value_t = Words::Canonical)]
    names: Words,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Words {
    Canonical,
    Skimage,
    Lecture,
}

impl Measure {
    pub fn run(&self, globals: &Globals, console: &Console) -> Result<()> {
        console.check_free(&self.output, globals)?;
        let labels = LabelImage::open(&self.labels)?;
        let channels = self.images.open()?;
        let names = match self.names {
            Words::Canonical => Names::Canonical,
            Words::Skimage => Names::Skimage,
            Words::Lecture => Names::Lecture,
        };
        let mut regions = Regions::params()
            .properties(self.properties.clone())
            .names(names)
            .progress(console.progress("measure"));
        for (name, image) in &channels {
            regions = regions.channel(name, image);
        }
        if !self.spacing.is_empty() {
            regions = regions.spacing(&self.spacing);
        }
        if let Some(tile) = self.tile {
            regions = regions.tile(tile);
        }
        let measure = |on| {
            regions.clone().backend(on).measure(&labels).map_err(|e| e.in_file(&self.labels))
        };
        let frame = globals.backend.run(labels.pixels().len(), measure)?;
        console.print_json(json!({
            "n_objects": frame.height(),
            "columns": frame.get_column_names().iter().map(|n| n.as_str()).collect::<Vec<_>>(),
        }))?;
        console.write(&frame, &self.output, globals)
    }
}
