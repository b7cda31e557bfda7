//! Files and arrays become label and intensity images: pixels in (z,) y, x order with their spacing.
//!
//! A [`LabelImage`] says which object every pixel belongs to, an [`IntensityImage`] what was measured
//! there. Both stand on a [`Grid`]. [`synth`] makes images whose truth is known.

mod bytes;
mod dense;
mod file;
mod grid;
mod intensity;
mod label;
mod metadata;
mod sample;
pub mod synth;
mod tiff;
mod write;
mod zarr;

pub use file::ImageFile;
pub use grid::Grid;
pub use intensity::{IntensityImage, Pixels};
pub use label::LabelImage;
pub use write::check_output;
pub(crate) use write::{Content, is_npy, save_by_bands, save_labels_by_rows};
