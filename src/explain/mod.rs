//! Why a forest decided so: SHAP values and permutation importance.
