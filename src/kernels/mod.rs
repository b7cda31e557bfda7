//! Numeric kernels: they know numbers, not images or tables.

pub(crate) mod nearest_rows;
pub(crate) mod ranks;
