//! Images on the command line: `--image [NAME=]FILE`, and a label image where a table is expected.

use std::path::{Path, PathBuf};

use clap::Args;
use polariscope::image::{IntensityImage, LabelImage};
use polariscope::regions::Regions;
use polariscope::table::Table;
use polariscope::{Error, Result};

use super::args::Where;

/// Intensity images that belong to the labels.
#[derive(Debug, Args, Clone, Default)]
pub struct Images {
    /// Intensity image of the labels; NAME= names its columns (intensity_mean__NAME)
    #[arg(long = "image", value_name = "[NAME=]FILE")]
    images: Vec<Channel>,
}

#[derive(Debug, Clone)]
struct Channel {
    name: Option<String>,
    path: PathBuf,
}

impl std::str::FromStr for Channel {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text.split_once('=') {
            // A file whose own name holds `=` is still that file.
            Some((name, path)) if !Path::new(text).exists() => {
                Self { name: Some(name.to_owned()), path: path.into() }
            }
            _ => Self { name: None, path: text.into() },
        })
    }
}

impl Images {
    /// Whether none was given.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// All channels of all files, each with the name its columns carry; empty for a single nameless one.
    pub fn open(&self) -> Result<Vec<(String, IntensityImage)>> {
        let mut channels = Vec::new();
        for given in &self.images {
            let opened = IntensityImage::open_channels(&given.path)?;
            let n_opened = opened.len();
            for (number, image) in opened.into_iter().enumerate() {
                let name = match (&given.name, n_opened) {
                    (Some(name), 1) => name.clone(),
                    (Some(name), _) => format!("{name}_{number}"),
                    (None, 1) if self.images.len() == 1 => String::new(),
                    (None, _) => {
                        image.name().map_or_else(|| format!("channel_{number}"), str::to_owned)
                    }
                };
                channels.push((name, image));
            }
        }
        Ok(channels)
    }
}

/// Whether the name is that of an image rather than of a table.
pub fn is_image(path: &Path) -> bool {
    let suffix = path.extension().map(|s| s.to_string_lossy().to_lowercase());
    suffix.is_some_and(|s| ["tif", "tiff", "png", "npy"].contains(&s.as_str()))
}

/// The core properties of a label image as a table.
pub fn measured(
    path: &Path,
    labels: &LabelImage,
    images: &Images,
    backend: Where,
) -> Result<Table> {
    let channels = images.open()?;
    let mut regions = Regions::params();
    for (name, image) in &channels {
        regions = regions.channel(name, image);
    }
    let measure = |on| regions.clone().backend(on).measure(labels).map_err(|e| e.in_file(path));
    Ok(backend.run(labels.pixels().len(), measure)?.into())
}
