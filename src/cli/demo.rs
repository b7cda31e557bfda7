//! `explore demo`: a small image, its labels and measurements, to try things on.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use polariscope::output::{check_free, write_whole};
use polariscope::{Error, Result};
use serde_json::json;

use super::Console;
use super::args::Globals;

/// The data set of the repository, as its generator wrote it.
const FILES: [(&str, &[u8]); 4] = [
    ("blobs.csv", include_bytes!("../../datasets/blobs.csv")),
    ("blobs.tif", include_bytes!("../../datasets/blobs.tif")),
    ("blobs_labels.tif", include_bytes!("../../datasets/blobs_labels.tif")),
    ("blobs_truth.csv", include_bytes!("../../datasets/blobs_truth.csv")),
];

#[derive(Debug, Args)]
pub struct Demo {
    /// Folder to write into; made if it is not there
    #[arg(default_value = ".")]
    folder: PathBuf,
}

impl Demo {
    pub fn run(&self, globals: &Globals, console: &Console) -> Result<()> {
        let folder = &self.folder;
        fs::create_dir_all(folder).map_err(|e| {
            Error::io(format!("the folder cannot be made: {e}")).in_file(folder)
        })?;
        for (name, _) in FILES {
            check_free(&folder.join(name), globals.existing())?;
        }
        for (name, bytes) in FILES {
            let path = folder.join(name);
            write_whole(&path, globals.existing(), |file| {
                file.write_all(bytes).map_err(|e| Error::io(e.to_string()))
            })?;
        }
        let table = folder.join("blobs.csv");
        let next = format!("explore {}", table.display());
        console.print_json(json!({ "files": FILES.map(|f| folder.join(f.0)), "next": next }))?;
        console.print(&format!("{next}\n"))
    }
}
