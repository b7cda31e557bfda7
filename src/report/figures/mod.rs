//! Figures: plain numbers in, one picture out, as SVG or PNG by the same strokes.
//!
//! Each figure is one function from a plain struct to a [`Figure`]. The same input gives the same bytes:
//! there is no clock and no random number in a figure.

mod axis;
mod bitmap;
mod canvas;
mod distribution;
mod heat;
mod label_image;
mod legend;
mod map;
mod palette;
mod places;
mod ranking;
mod shap;
mod stability;
mod svg;
mod text;
mod tree;
mod variance;

pub use canvas::Figure;
pub use distribution::{Histograms, Silhouette, histograms, silhouette};
pub use heat::{Confusion, Correlation, confusion, correlation};
pub use label_image::{LabelPicture, label_image};
pub use legend::ColorBy;
pub use map::{Biplot, Map, MapAxes, biplot, component_title, map};
pub use palette::{Color, Mark, diverging, group, sequential};
pub use places::{PlacesPicture, places};
pub use ranking::{Ranked, Ranking, ranking};
pub use shap::{
    Shap, ShapFamilies, ShapFamily, shap_bar, shap_dependence, shap_families, shap_summary,
    shap_waterfall,
};
pub use stability::{StabilityCard, stability};
pub use tree::{Tree, TreeNode, tree};
pub use variance::{Curves, Loadings, Scree, curves, loadings, scree};
