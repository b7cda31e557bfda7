//! The device that tests run kernels on.

use super::Gpu;

/// A device, or nothing and a word about it; `EXPLORE_GPU=require` makes a missing one a failure.
pub(crate) fn test_device() -> Option<Gpu> {
    match Gpu::open() {
        Ok(gpu) => Some(gpu),
        Err(error) if std::env::var("EXPLORE_GPU").is_ok_and(|v| v == "require") => {
            panic!("EXPLORE_GPU=require, but {error}")
        }
        Err(_) => {
            println!("skipped: no adapter");
            None
        }
    }
}
