//! The integration tests, in one binary so that the libraries are linked once.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod annotation;
mod apoc;
mod book;
mod browser;
mod command;
mod estimators;
mod examples;
mod figures;
mod gpu;
mod images;
mod made;
mod readers;
mod stores;
mod tables;
mod tidy;
mod trust;
