//! Images on the command line: `--image [NAME=]FILE`, and an image where a table is expected.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use polariscope::backend::Backend;
use polariscope::image::{ImageFile, IntensityImage, LabelImage};
use polariscope::regions::Regions;
use polariscope::segment::{Guess, Kind, kind_of};
use polariscope::table::Table;
use polariscope::{Error, Result};

use super::Console;
use super::segment::How;

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

    /// All channels of all files: the name their columns carry (empty for a single nameless one), the file
    /// and the number in it.
    pub fn files(&self) -> Result<Vec<(String, Arc<ImageFile>, usize)>> {
        let mut channels = Vec::new();
        for given in &self.images {
            let file = Arc::new(ImageFile::open(&given.path)?);
            let n_channels = file.channels().len();
            for number in 0..n_channels {
                let name = match (&given.name, n_channels) {
                    (Some(name), 1) => name.clone(),
                    (Some(name), _) => format!("{name}_{number}"),
                    (None, 1) if self.images.len() == 1 => String::new(),
                    (None, _) => channel_name(&file, number),
                };
                channels.push((name, file.clone(), number));
            }
        }
        Ok(channels)
    }
}

/// The name the file has for a channel, or its number.
fn channel_name(file: &ImageFile, number: usize) -> String {
    file.channels()[number].clone().unwrap_or_else(|| format!("channel_{number}"))
}

/// Reads the pixels of some channels.
pub fn read(channels: &[(String, Arc<ImageFile>, usize)]) -> Result<Vec<(String, IntensityImage)>> {
    channels.iter().map(|(name, file, c)| Ok((name.clone(), file.intensities(*c)?))).collect()
}

/// Whether the name is that of an image rather than of a table.
pub fn is_image(path: &Path) -> bool {
    let suffix = path.extension().map(|s| s.to_string_lossy().to_lowercase());
    suffix.is_some_and(|s| ["tif", "tiff", "png", "npy", "zarr"].contains(&s.as_str()))
        || ImageFile::is_store(path)
}

/// What to take an image for that is given where a table is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Taken {
    Labels,
    Image,
}

/// The objects of an image and their core properties.
pub struct Measured {
    pub table: Table,
    pub labels: LabelImage,
    /// The images that were measured on them.
    pub channels: Vec<(String, IntensityImage)>,
    /// Whether the labels were made here, not read.
    pub is_segmented: bool,
}

/// Measures the objects of a label image, or of an intensity image after it was segmented.
///
/// The table's warnings say what was decided where the pixels alone had to tell.
pub fn measured(
    path: &Path,
    images: &Images,
    taken: Option<Taken>,
    how: &How,
    console: &Console,
) -> Result<Measured> {
    let mut channels = images.files()?;
    let has_labels = ImageFile::holds_labels_too(path);
    let is_labels_wanted = taken == Some(Taken::Labels) || taken.is_none() && has_labels;
    let file = Arc::new(if is_labels_wanted {
        ImageFile::open_labels(path)?
    } else {
        ImageFile::open(path)?
    });
    let guess = match taken {
        None if !has_labels => kind_of(&file).map_err(|e| e.in_file(path))?,
        None => Guess { kind: Kind::Labels, reason: "the store holds labels".into() },
        Some(Taken::Labels) => Guess { kind: Kind::Labels, reason: "you said so".into() },
        Some(Taken::Image) => Guess { kind: Kind::Intensities, reason: "you said so".into() },
    };
    let is_segmented = guess.kind != Kind::Labels;
    let (mut warnings, mut segmented) = (Vec::new(), None);
    let labels = if is_segmented {
        let how = if guess.kind == Kind::Mask { how.of_mask() } else { how.clone() };
        let params = how.params().progress(console.progress("segment"));
        let channel = how.channel_of(&file).map_err(|e| e.in_file(path))?;
        let segment = |on| {
            let params = params.clone().backend(on);
            params.segment_file(&file, channel).map_err(|e| e.in_file(path))
        };
        let found = console.backend().run(file.grid().n_pixels(), segment)?;
        warnings = assumptions(&guess, &how, found.count().all);
        segmented.insert(found).labels()?
    } else {
        if taken.is_none() {
            console.note(&format!("taken for a label image because {}", guess.reason));
        }
        file.labels().map_err(|e| e.in_file(path))?
    };
    // What was segmented is measured too, and so is the image that a store holds beside its labels.
    let own = if guess.kind == Kind::Intensities {
        Some(file)
    } else if has_labels && channels.is_empty() {
        Some(Arc::new(ImageFile::open(path)?))
    } else {
        None
    };
    if let Some(own) = own {
        let is_only = own.channels().len() == 1 && channels.is_empty();
        let name = |c| if is_only { String::new() } else { channel_name(&own, c) };
        let here = (0..own.channels().len()).map(|c| (name(c), own.clone(), c));
        channels = here.chain(channels).collect();
    }
    let channels = read(&channels)?;
    let mut regions = Regions::params().progress(console.progress("measure"));
    for (name, image) in &channels {
        regions = regions.channel(name, image);
    }
    let measure = |on: Backend| {
        let regions = regions.clone().backend(on.clone());
        let frame = match (&on, &segmented) {
            // What was found on a device is there already.
            (Backend::Gpu(_), Some(found)) => regions.measure_segmented(found),
            _ => regions.measure(&labels),
        };
        frame.map_err(|e| e.in_file(path))
    };
    let frame = console.backend().run(labels.pixels().len(), measure)?;
    let mut table = Table::from(frame);
    table.warnings.extend(warnings);
    table.length_unit = labels.grid().unit().map(str::to_owned);
    Ok(Measured { table, labels, channels, is_segmented })
}

/// What was assumed about an image that is no label image, and how to change it.
fn assumptions(guess: &Guess, how: &How, n_objects: usize) -> Vec<String> {
    let what = if guess.kind == Kind::Mask { "a mask" } else { "an intensity image" };
    vec![
        format!("taken for {what} because {}", guess.reason),
        format!("segmented by {}: {n_objects} objects", how.words()),
        "to change it: --method, --spot-sigma, --outline-sigma, --as labels".to_owned(),
    ]
}
