//! From files to a finite, named matrix: reading, column roles, summary, correlation, scaling.

mod features;

pub use features::Features;
