//! The folder of the walk-through: made beside its place, then moved in file by file, the summary last.

use std::fs;
use std::path::{Path, PathBuf};

use super::Outcome;
use crate::error::{Error, Result};
use crate::output::{Existing, Partial, cannot_write, write_whole};
use crate::table;

/// The file that marks a folder as ours.
const MARK: &str = "summary.json";

impl Outcome {
    /// Writes report, summary, tables, model and figures into `folder` and returns what was written,
    /// relative to it.
    ///
    /// # Errors
    /// A folder that exists and was not written by this crate (unless it may be overwritten), or a
    /// place that cannot be written. Then nothing in it has changed.
    pub fn write(&self, folder: &Path, existing: Existing) -> Result<Vec<PathBuf>> {
        check_folder(folder, existing)?;
        let draft = Draft::beside(folder)?;
        self.fill(draft.path())?;
        draft.move_to(folder)
    }

    /// Writes the non-determinism report alone: its summary and its card.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_stability(&self, folder: &Path, existing: Existing) -> Result<Vec<PathBuf>> {
        check_folder(folder, existing)?;
        let draft = Draft::beside(folder)?;
        text(draft.path(), "stability.svg", &self.stability_card().svg())?;
        text(draft.path(), MARK, &format!("{:#}\n", self.stability_summary()?))?;
        draft.move_to(folder)
    }

    fn fill(&self, draft: &Path) -> Result<()> {
        let objects = self.objects()?;
        let length_unit = self.table.length_unit.as_deref();
        let parquet = draft.join("objects.parquet");
        table::write_measured(&objects, length_unit, parquet, Existing::Overwrite)?;
        table::write(&objects, draft.join("objects.csv"), Existing::Overwrite)?;
        table::write(&self.feature_table()?, draft.join("features.csv"), Existing::Overwrite)?;
        text(draft, "recipe.toml", &self.recipe.to_toml()?)?;
        if let Some(forest) = &self.forest {
            forest.model.save(draft.join("model.json"), Existing::Overwrite)?;
            text(draft, "model.cl", &forest.model.to_cl("TableRowClassifier")?)?;
            text(draft, "model.wgsl", &forest.model.to_wgsl()?)?;
        }
        if let Some(labels) = self.labels.as_ref().filter(|_| self.is_segmented) {
            labels.save(draft.join("labels.tif"), Existing::Overwrite)?;
        }
        let figures = draft.join("figures");
        fs::create_dir(&figures).map_err(|e| cannot_write(&figures, &e))?;
        let drawn = self.figures()?;
        for (name, figure) in &drawn {
            text(&figures, &format!("{name}.svg"), &figure.svg())?;
        }
        text(draft, "report.html", &self.page(&drawn)?)?;
        text(draft, MARK, &format!("{:#}\n", self.summary()?))
    }
}

fn text(folder: &Path, name: &str, text: &str) -> Result<()> {
    write_whole(&folder.join(name), Existing::Overwrite, |file| {
        file.write_all(text.as_bytes()).map_err(|e| cannot_write(&folder.join(name), &e))
    })
}

/// Refuses, before any work, a place that [`Outcome::write`] would refuse.
///
/// # Errors
/// As [`Outcome::write`].
pub fn check_folder(folder: &Path, existing: Existing) -> Result<()> {
    let refuse = |what: &str| {
        Err(Error::io(what)
            .in_file(folder)
            .help("choose another folder with -o, or use --overwrite"))
    };
    if !folder.exists() {
        let parent = folder.parent().filter(|p| !p.as_os_str().is_empty());
        return match parent.filter(|p| !p.is_dir()) {
            Some(parent) => Err(Error::io("the folder does not exist").in_file(parent)),
            None => Ok(()),
        };
    }
    if !folder.is_dir() {
        return refuse("is a file, a folder is wanted");
    }
    let empty = fs::read_dir(folder).map_err(|e| cannot_write(folder, &e))?.next().is_none();
    if existing == Existing::Overwrite || empty || is_ours(folder) {
        return Ok(());
    }
    refuse("exists and was not written by explore: it is left as it is")
}

/// Whether an earlier run wrote this folder.
fn is_ours(folder: &Path) -> bool {
    fs::read(folder.join(MARK))
        .ok()
        .and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok())
        .is_some_and(|summary| summary["generator"] == "polariscope")
}

/// A folder under a temporary name; removed with all its files unless it was moved into place.
struct Draft(Partial);

impl Draft {
    fn beside(folder: &Path) -> Result<Self> {
        let draft = Partial::beside(folder);
        let _ = fs::remove_dir_all(&draft.0);
        fs::create_dir(&draft.0).map_err(|e| cannot_write(folder, &e))?;
        Ok(Self(draft))
    }

    fn path(&self) -> &Path {
        &self.0.0
    }

    /// Moves every file to its place, the mark last. Files of others in the folder stay.
    fn move_to(self, folder: &Path) -> Result<Vec<PathBuf>> {
        if !folder.exists() {
            fs::rename(self.path(), folder).map_err(|e| cannot_write(folder, &e))?;
            return files(folder);
        }
        let written = files(self.path())?;
        let drawn = |file: &PathBuf| file.extension().is_some_and(|s| s == "svg" || s == "png");
        let figures = files(&folder.join("figures")).unwrap_or_default();
        for stale in figures.into_iter().filter(drawn) {
            let place = folder.join("figures").join(stale);
            fs::remove_file(&place).map_err(|e| cannot_write(&place, &e))?;
        }
        for file in &written {
            let place = folder.join(file);
            if let Some(parent) = place.parent() {
                fs::create_dir_all(parent).map_err(|e| cannot_write(parent, &e))?;
            }
            fs::rename(self.path().join(file), &place).map_err(|e| cannot_write(&place, &e))?;
        }
        Ok(written)
    }
}

/// All files below `folder`, relative to it, sorted, the mark last.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inside) = folders.pop() {
        let here = folder.join(&inside);
        for entry in fs::read_dir(&here).map_err(|e| cannot_write(&here, &e))? {
            let entry = entry.map_err(|e| cannot_write(&here, &e))?;
            let path = inside.join(entry.file_name());
            if entry.path().is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort_by_key(|file| (file == Path::new(MARK), file.clone()));
    Ok(files)
}
