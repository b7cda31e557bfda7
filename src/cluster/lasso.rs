//! Polygons drawn over two columns, and the columns, in; the group of each row out.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, cannot_open};

/// Groups drawn by hand on a scatter plot, as the lecture does with a lasso.
///
/// The file is JSON:
/// `{"x": "umap_0", "y": "umap_1", "polygons": [[[0, 0], [4, 0], [4, 3]], [[5, 5], [9, 5], [7, 8]]]}`.
///
/// ```
/// use polariscope::cluster::Lasso;
/// let lasso = Lasso::parse(r#"{"x": "area", "y": "solidity", "polygons": [[[0, 0], [9, 0], [9, 1], [0, 1]]]}"#)?;
/// assert_eq!(lasso.labels(&[5.0, 10.0], &[0.5, 0.5])?, [1, 0]);
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lasso {
    /// Name of the column on the horizontal axis.
    pub x: String,
    /// Name of the column on the vertical axis.
    pub y: String,
    /// The first polygon is group 1, and so on; closed by themselves.
    pub polygons: Vec<Polygon>,
}

/// The corners of one closed line; it may cross itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Polygon(pub Vec<[f64; 2]>);

impl Lasso {
    /// Reads a lasso file.
    ///
    /// # Errors
    /// A file that cannot be read, or is not a lasso.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|e| cannot_open(path, &e))?;
        Self::parse(&text).map_err(|e| e.in_file(path))
    }

    /// Reads the text of a lasso file.
    ///
    /// # Errors
    /// Text that is not JSON of the form above, no polygon, or one with fewer than 3 corners.
    pub fn parse(text: &str) -> Result<Self> {
        let lasso: Self = serde_json::from_str(text).map_err(|e| {
            Error::format(format!("not a lasso: {e}")).help(
                r#"a lasso looks like {"x": "umap_0", "y": "umap_1", "polygons": [[[0, 0], [4, 0], [4, 3]]]}"#,
            )
        })?;
        if lasso.polygons.is_empty() {
            return Err(Error::format("a lasso needs at least one polygon"));
        }
        if let Some(i) = lasso.polygons.iter().position(|p| p.0.len() < 3) {
            let found = lasso.polygons[i].0.len();
            return Err(Error::format(format!(
                "polygon {} has {found} corners: a polygon needs at least 3",
                i + 1
            )));
        }
        Ok(lasso)
    }

    /// The group of each row, from 1: the first polygon that holds it; 0 outside all of them.
    ///
    /// # Errors
    /// When the columns differ in length.
    pub fn labels(&self, x: &[f64], y: &[f64]) -> Result<Vec<usize>> {
        if x.len() != y.len() {
            return Err(Error::data(format!("the columns have {} and {} rows", x.len(), y.len())));
        }
        let group =
            |point| self.polygons.iter().position(|p| p.contains(point)).map_or(0, |i| i + 1);
        Ok(x.iter().zip(y).map(|(&x, &y)| group([x, y])).collect())
    }
}

impl Polygon {
    /// Whether a point is inside or exactly on the line. Where the line crosses itself, a point is inside when a ray
    /// from it crosses the line an odd number of times (the even-odd rule). NaN is never inside.
    pub fn contains(&self, [x, y]: [f64; 2]) -> bool {
        if x.is_nan() || y.is_nan() {
            return false;
        }
        let mut inside = false;
        let corners = &self.0;
        for (i, &[x1, y1]) in corners.iter().enumerate() {
            let [x0, y0] = corners[(i + corners.len() - 1) % corners.len()];
            // Twice the signed area of the triangle of the edge and the point.
            let side = (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0);
            let within = |v: f64, a: f64, b: f64| a.min(b) <= v && v <= a.max(b);
            if side == 0.0 && within(x, x0, x1) && within(y, y0, y1) {
                return true;
            }
            if (y0 > y) != (y1 > y) && (side > 0.0) == (y1 > y0) {
                inside = !inside;
            }
        }
        inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(corners: &[[f64; 2]], inside: &[[f64; 2]], outside: &[[f64; 2]]) {
        let polygon = Polygon(corners.to_vec());
        inside.iter().for_each(|&p| assert!(polygon.contains(p), "{p:?} is inside"));
        outside.iter().for_each(|&p| assert!(!polygon.contains(p), "{p:?} is outside"));
    }

    #[test]
    fn inside_boundary_and_outside() {
        let square = [[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]];
        let on = [[0.0, 0.0], [2.0, 1.0], [1.0, 2.0], [1.0, 0.0], [0.0, 2.0]];
        check(
            &square,
            &[[1.0, 1.0], [1e-9, 1.9]],
            &[[-1.0, 0.0], [3.0, 2.0], [3.0, 1.0], [1.0, 2.1]],
        );
        check(&square, &on, &[[f64::NAN, 1.0], [1.0, f64::NAN]]);
        let arrow = [[0.0, 0.0], [4.0, 0.0], [1.0, 1.0], [0.0, 4.0]];
        check(&arrow, &[[0.5, 0.5], [1.0, 1.0], [3.0, 0.1]], &[[2.0, 2.0], [1.5, 1.5]]);
    }

    #[test]
    fn a_line_that_crosses_itself_follows_the_even_odd_rule() {
        let star: Vec<[f64; 2]> = (0..5)
            .map(|i| (f64::from(i * 2) * std::f64::consts::TAU / 5.0).sin_cos())
            .map(|(s, c)| [s, c])
            .collect();
        check(&star, &[[0.0, 0.8]], &[[0.0, 0.0], [0.9, 0.9]]);
    }

    #[test]
    fn the_first_polygon_wins_and_bad_files_are_refused() {
        let triangle = "[[0, 0], [4, 0], [0, 4]]";
        let text = format!(
            r#"{{"x": "a", "y": "b", "polygons": [{triangle}, [[0, 0], [9, 0], [0, 9]]]}}"#
        );
        let lasso = Lasso::parse(&text).unwrap();
        assert_eq!(lasso.labels(&[1.0, 4.0, 9.0], &[1.0, 4.0, 9.0]).unwrap(), [1, 2, 0]);
        for bad in [
            "",
            r#"{"x": "a", "y": "b", "polygons": []}"#,
            r#"{"x": "a", "y": "b", "polygons": [[[0, 0], [1, 1]]]}"#,
            r#"{"x": "a", "polygons": [[[0, 0], [1, 1], [2, 2]]]}"#,
            r#"{"x": "a", "y": "b", "polygons": [[[0, 0, 1], [1, 1], [2, 2]]]}"#,
        ] {
            assert!(Lasso::parse(bad).is_err(), "{bad}");
        }
        assert!(Lasso::open("no/such/file.json").is_err() && lasso.labels(&[1.0], &[]).is_err());
    }
}
