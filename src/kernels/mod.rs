//! Numeric kernels: they know numbers, not images or tables.
