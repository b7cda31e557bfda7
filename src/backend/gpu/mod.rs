//! A device of wgpu: its buffers, what may go wrong with it, and the kernels that run on it.

mod pipeline;

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(test)]
pub(crate) use pipeline::check_shader;
use pipeline::{Key, Pipeline};
use wgpu::{Backends, BufferUsages, DeviceType, Features};

use super::{Adapter, Launch, Timing};
use crate::error::{Error, Result};

/// What buffers are made of.
pub(crate) trait Word: bytemuck::Pod + Default {}
impl Word for u32 {}
impl Word for f32 {}

/// A buffer of any type.
pub(crate) trait Bound {
    fn buffer(&self) -> &wgpu::Buffer;
}
impl<T> Bound for Buffer<T> {
    fn buffer(&self) -> &wgpu::Buffer {
        &self.buffer
    }
}

/// Words on the device.
#[derive(Debug)]
pub(crate) struct Buffer<T> {
    buffer: wgpu::Buffer,
    len: usize,
    words: PhantomData<T>,
}

impl<T> Buffer<T> {
    pub fn len(&self) -> usize {
        self.len
    }
}

/// A device that kernels run on, with the kernels it has compiled.
#[derive(Debug)]
pub struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
    adapter: Adapter,
    binding_limit: u64,
    group_size: u32,
    is_timed: bool,
    pipelines: Mutex<BTreeMap<Key, Arc<Pipeline>>>,
    timings: Mutex<Vec<Timing>>,
    fault: Fault,
}

/// The first thing that went wrong since it was last asked: a lost device, or an error of wgpu.
#[derive(Debug, Clone, Default)]
struct Fault(Arc<Mutex<Option<Trouble>>>);

#[derive(Debug)]
enum Trouble {
    Lost(String),
    Memory,
    Other(String),
}

/// Bytes of a word.
const WORD: u64 = 4;
/// Invocations that run together: a multiple of what cards run in step, and below the 256 that all of them offer.
const GROUP_SIZE: u32 = 64;

/// The adapters of this machine, the best first.
pub fn adapters() -> Vec<Adapter> {
    found().iter().map(describe).collect()
}

fn found() -> Vec<wgpu::Adapter> {
    let descriptor = wgpu::InstanceDescriptor {
        backends: Backends::PRIMARY,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    };
    let instance = wgpu::Instance::new(descriptor);
    let mut found = pollster::block_on(instance.enumerate_adapters(Backends::PRIMARY));
    found.sort_by_key(|adapter| match adapter.get_info().device_type {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    });
    found
}

fn describe(adapter: &wgpu::Adapter) -> Adapter {
    let info = adapter.get_info();
    let kind = match info.device_type {
        DeviceType::DiscreteGpu => "discrete",
        DeviceType::IntegratedGpu => "integrated",
        DeviceType::VirtualGpu => "virtual",
        DeviceType::Cpu => "software",
        DeviceType::Other => "other",
    };
    Adapter {
        name: info.name,
        kind,
        api: format!("{:?}", info.backend),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        max_binding_bytes: adapter.limits().max_storage_buffer_binding_size,
        has_timestamps: adapter.features().contains(Features::TIMESTAMP_QUERY),
    }
}

impl Gpu {
    /// Opens the best adapter: discrete, integrated, virtual, then software.
    ///
    /// # Errors
    /// No adapter, or one that gives no device.
    pub fn open() -> Result<Self> {
        let found = found();
        let Some(best) = found.first() else {
            return Err(Error::backend("no graphics adapter was found on this machine").help(
                "install a driver for Vulkan, Metal or DirectX 12 (Mesa has one in software), or use --backend cpu",
            ));
        };
        let adapter = describe(best);
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("polariscope"),
            required_features: best.features() & Features::TIMESTAMP_QUERY,
            required_limits: best.limits(),
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) =
            pollster::block_on(best.request_device(&descriptor)).map_err(|error| {
                Error::backend(format!("the adapter {} gives no device: {error}", adapter.name))
                    .help("update its driver, or use --backend cpu")
            })?;
        let fault = Fault::default();
        let (lost, uncaptured) = (fault.clone(), fault.clone());
        device.set_device_lost_callback(move |_, reason| lost.set(Trouble::Lost(reason)));
        device.on_uncaptured_error(Arc::new(move |error| uncaptured.set(Trouble::of(&error))));
        Ok(Self {
            device,
            queue,
            binding_limit: adapter.max_binding_bytes,
            adapter,
            group_size: GROUP_SIZE,
            is_timed: false,
            pipelines: Mutex::default(),
            timings: Mutex::default(),
            fault,
        })
    }

    /// Pretends that kernels see no more than this many bytes at once. No result depends on it.
    pub fn with_binding_limit(mut self, bytes: u64) -> Self {
        self.binding_limit = bytes.min(self.adapter.max_binding_bytes);
        self
    }

    /// Runs so many invocations together. No result depends on it.
    pub fn with_group_size(mut self, n: u32) -> Self {
        self.group_size = n.clamp(1, self.device.limits().max_compute_invocations_per_workgroup);
        self
    }

    /// Times every kernel by the device's clock, if it has one.
    pub fn timed(mut self) -> Self {
        self.is_timed = self.adapter.has_timestamps;
        self
    }

    /// What the device is.
    pub fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// The kernels that ran since it was asked last, in order; empty unless [`timed`](Self::timed).
    pub fn timings(&self) -> Vec<Timing> {
        std::mem::take(&mut locked(&self.timings))
    }

    /// Words that a kernel sees at once.
    pub(crate) fn max_words(&self) -> usize {
        (self.binding_limit / WORD) as usize
    }

    /// Copies words to the device.
    pub(crate) fn upload<T: Word>(&self, words: &[T]) -> Result<Buffer<T>> {
        let buffer = self.zeros(words.len())?;
        self.queue.write_buffer(&buffer.buffer, 0, bytemuck::cast_slice(words));
        self.checked("copying to it")?;
        Ok(buffer)
    }

    /// Words that are 0.
    pub(crate) fn zeros<T: Word>(&self, len: usize) -> Result<Buffer<T>> {
        if len > self.max_words() {
            return Err(Error::backend(format!(
                "{} needs {} bytes in one piece and gives {}",
                self.adapter.name,
                len as u64 * WORD,
                self.binding_limit
            ))
            .help("use --backend cpu"));
        }
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: len.max(1) as u64 * WORD,
            usage: BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.checked("making room on it")?;
        Ok(Buffer { buffer, len, words: PhantomData })
    }

    /// Copies words from the device, after all that was launched before.
    pub(crate) fn read<T: Word>(&self, buffer: &Buffer<T>) -> Result<Vec<T>> {
        let size = buffer.len as u64 * WORD;
        if size == 0 {
            return Ok(Vec::new());
        }
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("staging"),
            size,
            usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.encoder();
        encoder.copy_buffer_to_buffer(&buffer.buffer, 0, &staging, 0, size);
        self.queue.submit([encoder.finish()]);
        self.checked("copying from it")?;
        self.mapped(&staging)
    }

    /// Copies the words of one buffer into another, from place `at` on.
    pub(crate) fn place<T: Word>(
        &self,
        words: &Buffer<T>,
        into: &Buffer<T>,
        at: usize,
    ) -> Result<()> {
        let (at, size) = (at as u64 * WORD, words.len as u64 * WORD);
        let mut encoder = self.encoder();
        encoder.copy_buffer_to_buffer(&words.buffer, 0, &into.buffer, at, size);
        self.queue.submit([encoder.finish()]);
        self.checked("copying on it")
    }

    /// Sets all words to 0.
    pub(crate) fn clear<T: Word>(&self, buffer: &Buffer<T>) -> Result<()> {
        let mut encoder = self.encoder();
        encoder.clear_buffer(&buffer.buffer, 0, None);
        self.queue.submit([encoder.finish()]);
        self.checked("clearing its memory")
    }

    /// Runs a kernel; its results are there for what is launched or read later.
    pub(crate) fn launch(&self, launch: &Launch<'_>) -> Result<()> {
        if launch.n_items == 0 {
            return Ok(());
        }
        let pipeline = self.pipeline(launch)?;
        pipeline.run(self, launch)
    }

    fn encoder(&self) -> wgpu::CommandEncoder {
        self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
    }

    fn pipeline(&self, launch: &Launch<'_>) -> Result<Arc<Pipeline>> {
        let key = Key::of(launch, self.group_size);
        let mut known = locked(&self.pipelines);
        if let Some(pipeline) = known.get(&key) {
            return Ok(Arc::clone(pipeline));
        }
        let pipeline = Arc::new(Pipeline::new(self, launch)?);
        known.insert(key, Arc::clone(&pipeline));
        Ok(pipeline)
    }

    /// The words of a staging buffer.
    fn mapped<T: Word>(&self, staging: &wgpu::Buffer) -> Result<Vec<T>> {
        staging.map_async(wgpu::MapMode::Read, .., |_| {});
        let waited = self.device.poll(wgpu::PollType::wait_indefinitely());
        self.checked("waiting for it")?;
        let broken = |error: String| Trouble::Other(error).error(&self.adapter.name, "reading");
        waited.map_err(|error| broken(error.to_string()))?;
        let view = staging.get_mapped_range(..).map_err(|error| broken(error.to_string()))?;
        Ok(bytemuck::cast_slice(&view).to_vec())
    }

    /// What went wrong up to now, if anything did.
    fn checked(&self, doing: &str) -> Result<()> {
        let Some(trouble) = self.fault.take() else { return Ok(()) };
        // A device that is gone makes odd troubles first and says so when it is asked.
        let _ = self.device.poll(wgpu::PollType::Poll);
        let trouble = self.fault.take().unwrap_or(trouble);
        let error = trouble.error(&self.adapter.name, doing);
        if let Trouble::Lost(_) = trouble {
            // It does not come back.
            self.fault.set(trouble);
        }
        Err(error)
    }
}

impl Fault {
    /// A lost device explains what follows; of other troubles the first one counts.
    fn set(&self, trouble: Trouble) {
        let mut held = locked(&self.0);
        if held.is_none() || matches!(trouble, Trouble::Lost(_)) {
            *held = Some(trouble);
        }
    }

    fn take(&self) -> Option<Trouble> {
        locked(&self.0).take()
    }
}

impl Trouble {
    fn of(error: &wgpu::Error) -> Self {
        match error {
            wgpu::Error::OutOfMemory { .. } => Self::Memory,
            other => Self::Other(other.to_string()),
        }
    }

    /// One sentence, and what to do.
    fn error(&self, adapter: &str, doing: &str) -> Error {
        match self {
            Self::Lost(reason) => {
                let reason = if reason.is_empty() { "no reason was given" } else { reason };
                Error::backend(format!("the GPU {adapter} was lost while {doing}: {reason}")).help(
                    "its driver was reset or another program took it: run again, or use --backend cpu",
                )
            }
            Self::Memory => Error::backend(format!(
                "the GPU {adapter} has no memory left while {doing}"
            ))
            .help("close other programs that use it, segment with --tile, or use --backend cpu"),
            Self::Other(what) => Error::internal(format!(
                "the GPU {adapter} failed while {doing}: {}",
                what.split_whitespace().collect::<Vec<_>>().join(" ")
            ))
            .help("please report it; --backend cpu gives the same numbers"),
        }
    }
}

/// A thread that panicked while it held the lock left whole values behind.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::test_device;

    #[test]
    fn words_come_back_as_they_went() {
        let Some(gpu) = test_device() else { return };
        let words: Vec<u32> = (0..100_000).map(|i| i * 40_503).collect();
        assert_eq!(gpu.read(&gpu.upload(&words).unwrap()).unwrap(), words);
        assert_eq!(gpu.read(&gpu.zeros::<f32>(3).unwrap()).unwrap(), [0.0; 3]);
        assert!(gpu.read(&gpu.upload::<u32>(&[]).unwrap()).unwrap().is_empty());
        let buffer = gpu.upload(&[1.5f32, 2.0]).unwrap();
        gpu.clear(&buffer).unwrap();
        assert_eq!(gpu.read(&buffer).unwrap(), [0.0; 2]);
    }

    #[test]
    fn what_goes_wrong_is_said() {
        let Some(gpu) = test_device() else { return };
        let gpu = gpu.with_binding_limit(1024);
        let error = gpu.zeros::<u32>(257).unwrap_err();
        assert!(error.message().contains("needs 1028 bytes in one piece and gives 1024"));
        assert!(gpu.zeros::<u32>(256).is_ok());
        gpu.device.destroy();
        let error = gpu.upload(&[1u32]).and_then(|buffer| gpu.read(&buffer)).unwrap_err();
        assert!(error.message().contains("was lost while"), "{error}");
        assert!(error.remedy().unwrap().contains("--backend cpu"));
        // Later calls say the same, not that something odd happened.
        assert!(gpu.zeros::<u32>(1).unwrap_err().message().contains("was lost while"));
        let memory = Trouble::Memory.error("Card", "making room on it");
        assert_eq!(memory.message(), "the GPU Card has no memory left while making room on it");
    }
}
