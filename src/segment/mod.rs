//! Images become labels: filters, thresholds, connected components, spots that grow, and their validation.
//!
//! [`Segmentation`] goes from an image to labels, in one piece or by tiles with the same result;
//! [`compare`] tells how well labels match a truth.

mod bins;
mod compare;
mod convolve;
mod error_map;
mod field;
pub mod filters;
mod grow;
mod kind;
pub mod labels;
mod objects;
pub(crate) mod on_gpu;
mod runs;
mod segmentation;
pub mod thresholds;
mod tiles;
mod watershed;

pub use compare::{Comparison, Match, compare};
pub use error_map::{ErrorMap, Finding};
pub use field::Field;
pub use kind::{Guess, Kind, kind_of};
pub(crate) use objects::Objects;
pub use objects::Sides;
pub use on_gpu::DeviceField;
pub use runs::Connectivity;
pub(crate) use runs::Runs;
pub use segmentation::{Count, Method, Segmentation, Segmented};
pub use watershed::watershed;
