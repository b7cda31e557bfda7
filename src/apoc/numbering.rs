//! Numbers of objects as clEsperanto gives them: by their first pixel, columns before rows before layers.

use crate::error::Result;
use crate::image::LabelImage;
use crate::segment::{Connectivity, labels};

/// Labels of the connected pixels (sides or faces) of one class, numbered column by column.
pub(super) fn components_by_column(classes: &LabelImage, class: u32) -> Result<LabelImage> {
    let mask = classes.pixels().iter().map(|&c| u32::from(c == class)).collect();
    let mask = LabelImage::new(classes.grid().clone(), mask)?;
    let mut found = labels::components(&mask, Connectivity::Faces)?;
    let [nz, ny, nx] = found.grid().extent();
    let mut numbers = vec![0u32; found.max_label() as usize + 1];
    let mut count = 0;
    for x in 0..nx {
        for y in 0..ny {
            for z in 0..nz {
                let label = found.pixels()[(z * ny + y) * nx + x] as usize;
                if label > 0 && numbers[label] == 0 {
                    count += 1;
                    numbers[label] = count;
                }
            }
        }
    }
    found.pixels_mut().iter_mut().for_each(|label| *label = numbers[*label as usize]);
    Ok(found)
}
