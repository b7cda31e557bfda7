//! Two folders become pairs of files that belong together.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result, cannot_open};

/// Images and their masks out of two folders: files of equal name, in the order of their names.
///
/// # Errors
/// A folder that cannot be read or is empty, a file without its partner.
pub fn folder_pairs(
    images: impl AsRef<Path>,
    masks: impl AsRef<Path>,
) -> Result<Vec<(PathBuf, PathBuf)>> {
    let (images, masks) = (images.as_ref(), masks.as_ref());
    let (image_names, mask_names) = (names(images)?, names(masks)?);
    for (these, those, folder, other) in
        [(&image_names, &mask_names, images, masks), (&mask_names, &image_names, masks, images)]
    {
        if let Some(alone) = these.iter().find(|name| those.binary_search(name).is_err()) {
            return Err(Error::data(format!(
                "has no partner of the same name in {}",
                other.display()
            ))
            .in_file(folder.join(alone))
            .help("an image and its mask have the same file name in two folders"));
        }
    }
    if image_names.is_empty() {
        return Err(Error::data("has no files").in_file(images));
    }
    Ok(image_names.into_iter().map(|name| (images.join(&name), masks.join(&name))).collect())
}

/// Names of the files in a folder, sorted; hidden ones are left out.
fn names(folder: &Path) -> Result<Vec<PathBuf>> {
    let cannot = |e: std::io::Error| cannot_open(folder, &e);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let name = entry.file_name();
        if entry.path().is_file() && !name.to_string_lossy().starts_with('.') {
            names.push(PathBuf::from(name));
        }
    }
    names.sort();
    Ok(names)
}
