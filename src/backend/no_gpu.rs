//! The surface of the GPU in a build without the feature `gpu`: nothing of it can exist.

use std::convert::Infallible;
use std::marker::PhantomData;

use super::{Adapter, Launch, Timing};
use crate::error::{Error, Result};

/// What buffers are made of.
pub(crate) trait Word: Copy + Default {}
impl Word for u32 {}
impl Word for f32 {}

/// A buffer of any type.
pub(crate) trait Bound {}
impl<T> Bound for Buffer<T> {}

/// Words on the device.
#[derive(Debug)]
pub(crate) struct Buffer<T>(Infallible, PhantomData<T>);

impl<T> Buffer<T> {
    pub fn len(&self) -> usize {
        match self.0 {}
    }
}

/// A device that kernels run on; this build has none.
#[derive(Debug)]
pub enum Gpu {}

/// The adapters of this machine; this build looks for none.
pub fn adapters() -> Vec<Adapter> {
    Vec::new()
}

#[allow(missing_docs, clippy::missing_errors_doc, reason = "documented where they exist")]
impl Gpu {
    pub fn open() -> Result<Self> {
        Err(Error::backend("this build has no GPU backend")
            .help("build it with the feature `gpu`, or use --backend cpu"))
    }
    pub fn with_binding_limit(self, _bytes: u64) -> Self {
        match self {}
    }
    pub fn with_group_size(self, _n: u32) -> Self {
        match self {}
    }
    pub fn timed(self) -> Self {
        match self {}
    }
    pub fn adapter(&self) -> &Adapter {
        match *self {}
    }
    pub fn timings(&self) -> Vec<Timing> {
        match *self {}
    }
    pub(crate) fn max_words(&self) -> usize {
        match *self {}
    }
    pub(crate) fn upload<T: Word>(&self, _words: &[T]) -> Result<Buffer<T>> {
        match *self {}
    }
    pub(crate) fn zeros<T: Word>(&self, _len: usize) -> Result<Buffer<T>> {
        match *self {}
    }
    pub(crate) fn read<T: Word>(&self, _buffer: &Buffer<T>) -> Result<Vec<T>> {
        match *self {}
    }
    pub(crate) fn place<T: Word>(&self, _: &Buffer<T>, _: &Buffer<T>, _at: usize) -> Result<()> {
        match *self {}
    }
    pub(crate) fn clear<T: Word>(&self, _buffer: &Buffer<T>) -> Result<()> {
        match *self {}
    }
    pub(crate) fn launch(&self, launch: &Launch<'_>) -> Result<()> {
        // Named, so that they count as read.
        let Launch { shader, entry, constants, parameters, buffers, n_items } = launch;
        let _ = (shader.name, shader.source, entry, constants, parameters, buffers, n_items);
        match *self {}
    }
}

/// Whether a shader is valid: this build cannot say.
#[cfg(test)]
pub(crate) fn check_shader(_source: &str) -> std::result::Result<(), String> {
    Ok(())
}
