//! From a label image to a table of region properties.

mod names;
mod property;

pub use names::{Known, Names, normalized, property, recognize};
pub use property::{Dims, Index, Offer, PROPERTIES, Property, Role, Unit};
