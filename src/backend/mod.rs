//! Where kernels run: on the processor, or on a graphics card through wgpu.
//!
//! It knows buffers of words and shaders, not what they mean. A [`Backend`] is a value that is passed once;
//! what was asked of a card runs there or is an error, never silently somewhere else.

#[cfg(feature = "gpu")]
mod gpu;
#[cfg(not(feature = "gpu"))]
#[path = "no_gpu.rs"]
mod gpu;
#[cfg(test)]
mod test_device;

use std::sync::Arc;

#[cfg(test)]
pub(crate) use gpu::check_shader;
pub(crate) use gpu::{Bound, Buffer, Word};
pub use gpu::{Gpu, adapters};
#[cfg(test)]
pub(crate) use test_device::test_device;

use crate::error::Result;

/// Where kernels run.
///
/// ```
/// use polariscope::backend::Backend;
/// assert_eq!(Backend::default().name(), "CPU");
/// ```
#[derive(Debug, Clone, Default)]
pub enum Backend {
    /// On the processor, where every kernel has its definition.
    #[default]
    Cpu,
    /// On a card, or on software that stands for one.
    Gpu(Arc<Gpu>),
}

impl Backend {
    /// The best adapter of this machine: hardware before software.
    ///
    /// # Errors
    /// No adapter, no device, or a build without the feature `gpu`; the sentence says which.
    pub fn gpu() -> Result<Self> {
        Ok(Self::Gpu(Arc::new(Gpu::open()?)))
    }

    /// A hardware adapter if there is one that works, else the processor. [`name`](Self::name) says what it is.
    ///
    /// Software adapters run on the processor, where the CPU's own code is faster.
    pub fn auto() -> Self {
        let has_hardware = adapters().iter().any(Adapter::is_hardware);
        if has_hardware { Self::gpu().unwrap_or_default() } else { Self::Cpu }
    }

    /// What it is, for people.
    pub fn name(&self) -> String {
        match self {
            Self::Cpu => "CPU".to_owned(),
            Self::Gpu(gpu) => format!("GPU {}", gpu.adapter().name),
        }
    }
}

/// A graphics card, or software that stands for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// Its name.
    pub name: String,
    /// `discrete`, `integrated`, `virtual`, `software` or `other`.
    pub kind: &'static str,
    /// Vulkan, Metal or Dx12.
    pub api: String,
    /// The driver and its version.
    pub driver: String,
    /// The largest piece of memory that a kernel sees at once; more is worked on in pieces.
    pub max_binding_bytes: u64,
    /// Whether kernels can be timed on the device.
    pub has_timestamps: bool,
}

impl Adapter {
    /// Whether it is more than software on the processor.
    pub fn is_hardware(&self) -> bool {
        ["discrete", "integrated", "virtual"].contains(&self.kind)
    }
}

/// How long a kernel took on the device.
#[derive(Debug, Clone, PartialEq)]
pub struct Timing {
    /// The shader.
    pub kernel: &'static str,
    /// By the device's own clock.
    pub seconds: f64,
    /// Every bound buffer counted once: what must move at least.
    pub bytes: u64,
}

/// A kernel in WGSL, with the name of the file beside its CPU definition.
#[derive(Debug)]
pub(crate) struct Shader {
    pub name: &'static str,
    pub source: &'static str,
}

/// One run of a shader over `n_items`; everything is bound by the name it has in the shader.
pub(crate) struct Launch<'a> {
    pub shader: &'static Shader,
    pub entry: &'static str,
    /// Values of `override` constants beside `GROUP`, which the device chooses.
    pub constants: &'a [(&'static str, f64)],
    /// Members of the uniform `Parameters`, as bits.
    pub parameters: &'a [(&'static str, u32)],
    pub buffers: &'a [(&'static str, &'a dyn Bound)],
    /// One invocation each.
    pub n_items: usize,
}
