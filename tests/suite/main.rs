//! The integration tests, in one binary so that the libraries are linked once.

mod tidy;
