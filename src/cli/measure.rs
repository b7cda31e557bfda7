//! `explore measure`: region properties of a label image.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use polariscope::Result;
use polariscope::image::ImageFile;
use polariscope::regions::{Names, Regions, RegionsParams, Selection};
use polars::prelude::DataFrame;
use serde_json::json;

use super::Console;
use super::args::{Globals, Output};
use super::pixels::{Images, read};

#[derive(Debug, Args)]
pub struct Measure {
    /// Label image: TIFF, OME-Zarr, PNG or npy; 0 is background
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
    /// Side of the tiles that are read and measured one by one; never changes a result
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
        let labels = ImageFile::open_labels(&self.labels)?;
        let channels = self.images.files()?;
        let names = match self.names {
            Words::Canonical => Names::Canonical,
            Words::Skimage => Names::Skimage,
            Words::Lecture => Names::Lecture,
        };
        let mut regions = Regions::params()
            .properties(self.properties.clone())
            .names(names)
            .progress(console.progress("measure"));
        if !self.spacing.is_empty() {
            regions = regions.spacing(&self.spacing);
        }
        let measure = |on| {
            let regions = regions.clone().backend(on);
            self.frame(&regions, &labels, &channels).map_err(|e| e.in_file(&self.labels))
        };
        let frame = globals.backend.run(labels.grid().n_pixels(), measure)?;
        console.print_json(json!({
            "n_objects": frame.height(),
            "columns": frame.get_column_names().iter().map(|n| n.as_str()).collect::<Vec<_>>(),
        }))?;
        console.write_measured(&frame, labels.grid().unit(), &self.output, globals)
    }

    /// By tiles, of which a few are in memory, or all at once.
    fn frame(
        &self,
        regions: &RegionsParams<'_>,
        labels: &ImageFile,
        channels: &[(String, Arc<ImageFile>, usize)],
    ) -> Result<DataFrame> {
        if let Some(tile) = self.tile {
            let channels: Vec<(String, &ImageFile, usize)> =
                channels.iter().map(|(name, file, c)| (name.clone(), file.as_ref(), *c)).collect();
            return regions.clone().tile(tile).measure_files(labels, &channels);
        }
        let images = read(channels)?;
        let regions =
            images.iter().fold(regions.clone(), |all, (name, image)| all.channel(name, image));
        regions.measure(&labels.labels()?)
    }
}
