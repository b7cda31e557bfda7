//! Images become labels: filters, thresholds, connected components, spots that grow, and their validation.
//!
//! [`Segmentation`] goes from an image to labels, in one piece or by tiles with the same result;
//! [`compare`] tells how well labels match a truth.

mod convolve;
mod field;
pub mod filters;
mod grow;
mod objects;
mod runs;
mod segmentation;
pub mod thresholds;

pub use field::Field;
pub use objects::Sides;
pub use runs::Connectivity;
pub use segmentation::{Count, Method, Segmentation, Segmented};
