//! A lasso drawn on the page: the two columns it was drawn over, and its corners.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A polygon over two columns, as the page exports it and `explore cluster --lasso FILE` replays it.
///
/// ```
/// use polariscope::report::Lasso;
/// let lasso = Lasso::from_json(
///     r#"{"x": "umap_0", "y": "umap_1", "polygon": [[0, 0], [4, 0], [4, 4], [0, 4]]}"#,
/// )?;
/// assert!(lasso.contains(1.0, 3.0));
/// assert!(!lasso.contains(5.0, 3.0));
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lasso {
    /// The column on the horizontal axis.
    pub x: String,
    /// The column on the vertical axis.
    pub y: String,
    /// Corners in the units of the columns; the last joins the first.
    pub polygon: Vec<[f64; 2]>,
}

impl Lasso {
    /// Reads the file the page exports.
    ///
    /// # Errors
    /// When it is not such a file, or has fewer than three finite corners.
    pub fn from_json(text: &str) -> Result<Self> {
        let help = "export the lasso again with the button of the report";
        let lasso: Self = serde_json::from_str(text)
            .map_err(|e| Error::format(format!("is not a lasso: {e}")).help(help))?;
        if lasso.polygon.len() < 3 || lasso.polygon.iter().flatten().any(|v| !v.is_finite()) {
            let n = lasso.polygon.len();
            let message = format!("a lasso has at least 3 finite corners, this one {n}");
            return Err(Error::format(message).help(help));
        }
        Ok(lasso)
    }

    /// Whether a point lies inside, by the even-odd rule; the page uses the same rule.
    pub fn contains(&self, x: f64, y: f64) -> bool {
        let mut inside = false;
        let mut last = self.polygon.len().wrapping_sub(1);
        for (i, &[ax, ay]) in self.polygon.iter().enumerate() {
            let [bx, by] = self.polygon[last];
            if (ay > y) != (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax {
                inside = !inside;
            }
            last = i;
        }
        inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_has_a_hole() {
        let polygon = (0..5).map(|i| {
            let angle = f64::from(i) * 2.0 * std::f64::consts::TAU / 5.0;
            [angle.cos(), angle.sin()]
        });
        let star = Lasso { x: "a".into(), y: "b".into(), polygon: polygon.collect() };
        assert!(!star.contains(0.0, 0.0));
        assert!(star.contains(0.7, 0.0));
        assert!(!star.contains(f64::NAN, 0.0));
    }

    #[test]
    fn what_is_not_a_lasso_is_refused() {
        for text in ["", "[]", r#"{"x": "a"}"#, r#"{"x":"a","y":"b","polygon":[[0,0],[1,1]]}"#] {
            assert!(Lasso::from_json(text).is_err(), "{text}");
        }
    }
}
