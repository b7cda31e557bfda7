//! What people look at: figures, the page, the terminal screen. Plain data in; SVG, PNG, HTML, text out.

pub mod figures;
pub mod screen;

mod base64;
mod explorer;
mod number;
mod page;

pub use explorer::{Column, Explorer, LabelLayer};
pub use figures::Figure;
pub use number::{count, digits, histogram, printable, shortened, significant, sparkline};
pub use page::{Importance, Report, Section};
