//! Why a forest decided so: SHAP values, their interactions, and a yardstick of pure chance.

mod control;
mod interventional;
mod legendre;
mod paths;
mod patterns;
mod quadrature;
mod shap;
mod tree_shap;

#[cfg(test)]
mod reference;

pub use control::{RANDOM_CONTROL, with_random_control};
pub use shap::Shap;
pub use tree_shap::{Explainable, TreeShap};
