//! APOC's model files, `.cl`: program text that is parsed, never run, and written so that APOC reads it.

mod header;
mod read;
#[cfg(test)]
mod tests;
mod tokens;
mod write;

pub(super) use read::read;
pub(super) use write::{wgsl, write};

/// A file beyond this is refused before it is read.
pub(super) const MAX_BYTES: u64 = 1 << 30;
/// Conditions inside conditions; compilers give up not much later.
const MAX_NESTING: usize = 256;
/// Features that a program may read.
const MAX_FEATURES: usize = 10_000;
/// Classes that a program may count.
const MAX_CLASSES: usize = 4_096;
/// Leaves times classes, so that a small file cannot ask for all memory.
const MAX_VOTES: usize = 1 << 26;
