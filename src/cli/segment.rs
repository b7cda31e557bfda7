//! `explore segment`: from an image to labels.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use polariscope::Result;
use polariscope::image::ImageFile;
use polariscope::output::check_free;
use polariscope::segment::{Method, Segmentation};
use serde_json::json;

use super::Console;
use super::args::Globals;

#[derive(Debug, Args)]
pub struct Segment {
    /// Image with bright objects: TIFF, PNG or npy
    image: PathBuf,
    /// Label image to write
    #[arg(short, long, value_name = "LABELS.tif", required_unless_present = "count")]
    output: Option<PathBuf>,
    /// How objects are found
    #[arg(long, value_enum, default_value_t = Way::VoronoiOtsu)]
    method: Way,
    /// Blur before spots are searched: about a third of the distance between objects
    #[arg(long, default_value_t = 2.0, value_name = "S")]
    spot_sigma: f64,
    /// Blur before the outline is cut
    #[arg(long, default_value_t = 2.0, value_name = "S")]
    outline_sigma: f64,
    /// Value above which pixels belong to objects, for `--method threshold`
    #[arg(long, value_name = "T", required_if_eq("method", "threshold"))]
    threshold: Option<f64>,
    /// Leave out objects that touch the border
    #[arg(long)]
    exclude_edges: bool,
    /// Smallest object that is kept, in pixels
    #[arg(long, default_value_t = 0, value_name = "A")]
    min_area: usize,
    /// Largest object that is kept, in pixels
    #[arg(long, default_value_t = usize::MAX, value_name = "A", hide_default_value = true)]
    max_area: usize,
    /// Side of the tiles that are read and worked on one by one; never changes a label
    #[arg(long, value_name = "N")]
    tile: Option<usize>,
    /// Count the objects, with and without those at the border
    #[arg(long)]
    count: bool,
    /// Channel to segment, from 0
    #[arg(long, default_value_t = 0, value_name = "N")]
    channel: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Way {
    VoronoiOtsu,
    GaussOtsu,
    Otsu,
    Threshold,
}

impl Segment {
    pub fn run(&self, globals: &Globals, console: &Console) -> Result<()> {
        if let Some(output) = &self.output {
            check_free(output, globals.existing())?;
        }
        let file = ImageFile::open(&self.image)?;
        let method = match (self.method, self.threshold) {
            (Way::VoronoiOtsu, _) => Method::VoronoiOtsu,
            (Way::GaussOtsu, _) => Method::GaussOtsu,
            (Way::Otsu, _) => Method::Otsu,
            (Way::Threshold, value) => Method::Threshold(value.unwrap_or(0.0)),
        };
        let mut params = Segmentation::params(method)
            .spot_sigma(self.spot_sigma)
            .outline_sigma(self.outline_sigma)
            .exclude_edges(self.exclude_edges)
            .min_area(self.min_area)
            .max_area(self.max_area)
            .progress(console.progress("segment"));
        if let Some(tile) = self.tile {
            params = params.tile(tile);
        }
        let segment = |on| {
            let params = params.clone().backend(on);
            params.segment_file(&file, self.channel).map_err(|e| e.in_file(&self.image))
        };
        let found = globals.backend.run(file.grid().n_pixels(), segment)?;
        if let Some(output) = &self.output {
            found.save(output, globals.existing())?;
        }
        let count = found.count();
        console.print_json(json!({
            "n_objects": count.all,
            "n_inside": count.inside,
            "half_border_estimate": count.half_border(),
            "threshold": found.threshold(),
        }))?;
        if !self.count {
            return Ok(());
        }
        console.print(&format!(
            "{} objects\n{} do not touch the border\n{} by the half-border estimate: every second object at the border\n",
            count.all,
            count.inside,
            count.half_border(),
        ))
    }
}
