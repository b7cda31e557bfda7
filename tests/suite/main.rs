//! The integration tests, in one binary so that the libraries are linked once.

mod browser;
mod command;
mod estimators;
mod figures;
mod images;
mod readers;
mod tables;
mod tidy;
