//! Files appear whole or not at all: written beside their place under a temporary name, then renamed.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::error::{Error, Result};

/// What to do with a file that already stands where the output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// Refuse, and say so.
    #[default]
    Keep,
    /// Replace it.
    Overwrite,
}

/// Writes a file through `fill`; on any failure the place is left as it was.
///
/// # Errors
/// When the file exists and must be kept, the folder is missing or read-only, or `fill` fails.
pub fn write_whole(
    path: &Path,
    existing: Existing,
    fill: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    write_whole_file(path, existing, |file| {
        let mut writer = BufWriter::new(file);
        fill(&mut writer)?;
        writer.flush().map_err(|e| cannot_write(path, &e))
    })
}

/// As [`write_whole`], for a file that is not written from front to back.
pub(crate) fn write_whole_file(
    path: &Path,
    existing: Existing,
    fill: impl FnOnce(&mut File) -> Result<()>,
) -> Result<()> {
    check_free(path, existing)?;
    let partial = Partial::beside(path);
    let mut file = File::create(&partial.0).map_err(|e| cannot_write(path, &e))?;
    fill(&mut file).map_err(|e| e.in_file(path))?;
    drop(file);
    fs::rename(&partial.0, path).map_err(|e| cannot_write(path, &e))
}

/// Writes a folder through `fill`, which gets an empty folder of another name; on any failure the place
/// is left as it was. A folder that stands there is replaced.
pub(crate) fn write_whole_folder(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let draft = Partial::beside(path);
    remove(&draft.0);
    fs::create_dir(&draft.0).map_err(|e| cannot_write(path, &e))?;
    fill(&draft.0).map_err(|e| e.in_file(path))?;
    if !path.exists() {
        return fs::rename(&draft.0, path).map_err(|e| cannot_write(path, &e));
    }
    // The old one steps aside first, because a folder with files in it cannot be renamed over.
    let old = Partial::named(path, "old");
    fs::rename(path, &old.0).map_err(|e| cannot_write(path, &e))?;
    fs::rename(&draft.0, path).map_err(|e| {
        let _ = fs::rename(&old.0, path);
        cannot_write(path, &e)
    })
}

/// Refuses early, before any work is done, what [`write_whole`] would refuse late.
///
/// # Errors
/// When `path` exists and must be kept, is a folder, or its folder is missing.
pub fn check_free(path: &Path, existing: Existing) -> Result<()> {
    if path.is_dir() {
        return Err(Error::io("is a folder, not a file").in_file(path));
    }
    if path.exists() && existing == Existing::Keep {
        return Err(Error::io("already exists")
            .in_file(path)
            .help("choose another name with -o, or replace it with --overwrite"));
    }
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            Err(Error::io("the folder does not exist").in_file(folder).help("create it first"))
        }
        _ => Ok(()),
    }
}

/// The error for an output that the system refuses.
pub(crate) fn cannot_write(path: &Path, error: &std::io::Error) -> Error {
    Error::io(format!("cannot be written: {error}"))
        .in_file(path)
        .help("check that the folder exists, is writable and has room, or choose another with -o")
}

/// Temporary names in use, so that an interrupted program can remove them.
static PARTIALS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes what is half-written; for a program that was told to stop.
pub fn remove_partials() {
    let partials = PARTIALS.lock().map(|mut p| std::mem::take(&mut *p)).unwrap_or_default();
    partials.iter().for_each(|path| remove(path));
}

/// A temporary name for a file or folder; what still has it in the end is removed.
pub(crate) struct Partial(pub(crate) PathBuf);

impl Partial {
    /// A hidden name in the same folder, so that renaming never copies.
    pub(crate) fn beside(path: &Path) -> Self {
        Self::named(path, "partial")
    }

    fn named(path: &Path, end: &str) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let partial = path.with_file_name(format!(".{name}.{}.{end}", std::process::id()));
        if let Ok(mut partials) = PARTIALS.lock() {
            partials.push(partial.clone());
        }
        Self(partial)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        remove(&self.0);
        if let Ok(mut partials) = PARTIALS.lock() {
            partials.retain(|partial| *partial != self.0);
        }
    }
}

/// A name that is gone already, because it was moved into place, is fine.
fn remove(path: &Path) {
    let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}
