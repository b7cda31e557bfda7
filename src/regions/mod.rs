//! From a label image to a table of region properties.
