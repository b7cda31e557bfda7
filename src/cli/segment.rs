//! `explore segment`: from an image to labels.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use polariscope::{Error, Result};
use polariscope::image::{ImageFile, check_output};
use polariscope::segment::{Method, Segmentation};
use serde_json::json;

use super::Console;
use super::args::Globals;

#[derive(Debug, Args)]
pub struct Segment {
    /// Image with bright objects: TIFF, OME-Zarr, PNG or npy
    image: PathBuf,
    /// Label image to write: .tif, .zarr or .npy
    #[arg(short, long, value_name = "LABELS", required_unless_present = "count")]
    output: Option<PathBuf>,
    #[command(flatten)]
    how: How,
    /// Side of the tiles that are read and worked on one by one; never changes a label
    #[arg(long, value_name = "N")]
    tile: Option<usize>,
    /// Count the objects, with and without those at the border
    #[arg(long)]
    count: bool,
}

/// How objects are found in an intensity image.
#[derive(Debug, Args, Clone)]
pub struct How {
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
    /// Channel to segment, from 0; needed where there are several
    #[arg(long, value_name = "N")]
    channel: Option<usize>,
}

impl Default for How {
    fn default() -> Self {
        Self {
            method: Way::VoronoiOtsu,
            spot_sigma: 2.0,
            outline_sigma: 2.0,
            threshold: None,
            exclude_edges: false,
            min_area: 0,
            max_area: usize::MAX,
            channel: None,
        }
    }
}

impl How {
    /// The library's form of it.
    pub fn params(&self) -> Segmentation {
        let method = match self.method {
            Way::VoronoiOtsu => Method::VoronoiOtsu,
            Way::GaussOtsu => Method::GaussOtsu,
            Way::Otsu => Method::Otsu,
            Way::Threshold => Method::Threshold(self.threshold.unwrap_or(0.0)),
        };
        Segmentation::params(method)
            .spot_sigma(self.spot_sigma)
            .outline_sigma(self.outline_sigma)
            .exclude_edges(self.exclude_edges)
            .min_area(self.min_area)
            .max_area(self.max_area)
    }

    /// The channel of `file` to segment; which of several is not for us to guess.
    pub fn channel_of(&self, file: &ImageFile) -> Result<usize> {
        match (self.channel, file.channels()) {
            (Some(channel), _) => Ok(channel),
            (None, [_]) => Ok(0),
            (None, several) => {
                let name = |(i, name): (usize, &Option<String>)| match name {
                    Some(name) => format!("{i} ({name})"),
                    None => i.to_string(),
                };
                let names: Vec<String> = several.iter().enumerate().map(name).collect();
                Err(Error::data(format!("the image has {} channels", several.len()))
                    .help(format!("choose one with --channel: {}", names.join(", "))))
            }
        }
    }

    /// The connected pieces of a mask, each an object.
    pub fn of_mask(&self) -> Self {
        Self { method: Way::Threshold, threshold: Some(0.0), ..self.clone() }
    }

    /// The method with those of its parameters that matter, for people.
    pub fn words(&self) -> String {
        let (spot, outline) = (self.spot_sigma, self.outline_sigma);
        match self.method {
            Way::VoronoiOtsu => format!("voronoi-otsu, spot_sigma {spot}, outline_sigma {outline}"),
            Way::GaussOtsu => format!("gauss-otsu, outline_sigma {outline}"),
            Way::Otsu => "Otsu's threshold".to_owned(),
            Way::Threshold => format!("connected pixels above {}", self.threshold.unwrap_or(0.0)),
        }
    }
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
            check_output(output, globals.existing())?;
        }
        let file = ImageFile::open(&self.image)?;
        let mut params = self.how.params().progress(console.progress("segment"));
        if let Some(tile) = self.tile {
            params = params.tile(tile);
        }
        let channel = self.how.channel_of(&file).map_err(|e| e.in_file(&self.image))?;
        let segment = |on| {
            let params = params.clone().backend(on);
            params.segment_file(&file, channel).map_err(|e| e.in_file(&self.image))
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
