//! Why a forest decided so: SHAP values and permutation importance.

mod legendre;
mod patterns;
mod quadrature;
mod shap;
mod tree_shap;

pub use shap::Shap;
pub use tree_shap::{Explainable, TreeShap};
