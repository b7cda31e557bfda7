//! A shader becomes a pipeline that binds buffers and parameters by their names in the source.

use wgpu::naga::{AddressSpace, Module, TypeInner};

use super::super::{Launch, Timing};
use super::{Gpu, WORD, locked};
use crate::error::{Error, Result};

/// What tells pipelines apart: shader, entry, group size and the bits of the constants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(&'static str, &'static str, u32, Vec<(&'static str, u64)>);

impl Key {
    pub fn of(launch: &Launch<'_>, group_size: u32) -> Self {
        let constants = launch.constants.iter().map(|(name, value)| (*name, value.to_bits()));
        Self(launch.shader.name, launch.entry, group_size, constants.collect())
    }
}

/// Invocations in a group of the shaders that forests are exported to.
const OTHERS_GROUP_SIZE: u32 = 64;

#[derive(Debug)]
pub(super) struct Pipeline {
    compute: wgpu::ComputePipeline,
    group_size: u32,
    names: Names,
}

/// Where the names of a shader are bound.
#[derive(Debug, Default)]
struct Names {
    buffers: Vec<(String, u32)>,
    /// The binding of the uniform, and its members in order, one word each.
    parameters: Option<(u32, Vec<String>)>,
}

impl Names {
    fn of(module: &Module) -> Self {
        let mut names = Self::default();
        for (_, variable) in module.global_variables.iter() {
            let Some(place) = &variable.binding else { continue };
            let name = variable.name.clone().unwrap_or_default();
            if variable.space != AddressSpace::Uniform {
                names.buffers.push((name, place.binding));
            } else if let TypeInner::Struct { members, .. } = &module.types[variable.ty].inner {
                let members = members.iter().map(|m| m.name.clone().unwrap_or_default());
                names.parameters = Some((place.binding, members.collect()));
            }
        }
        names
    }

    fn binding(&self, name: &str) -> Option<u32> {
        self.buffers.iter().find(|(known, _)| known == name).map(|(_, binding)| *binding)
    }
}

impl Pipeline {
    pub fn new(gpu: &Gpu, launch: &Launch<'_>) -> Result<Self> {
        let (shader, entry) = (launch.shader, launch.entry);
        let module = parsed(shader.source)
            .map_err(|error| Error::internal(format!("{}.wgsl: {error}", shader.name)))?;
        let code = gpu.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(shader.name),
            source: wgpu::ShaderSource::Wgsl(shader.source.into()),
        });
        let mut constants = launch.constants.to_vec();
        // Shaders of others have a group of their own.
        let named =
            |name: &str| module.overrides.iter().any(|(_, o)| o.name.as_deref() == Some(name));
        let mut group_size = OTHERS_GROUP_SIZE;
        if named("GROUP") {
            group_size = gpu.group_size;
            constants.push(("GROUP", f64::from(group_size)));
        }
        let compute = gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(shader.name),
            layout: None,
            module: &code,
            entry_point: Some(entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &constants,
                ..wgpu::PipelineCompilationOptions::default()
            },
            cache: None,
        });
        gpu.checked(&format!("compiling {}", shader.name))?;
        Ok(Self { compute, group_size, names: Names::of(&module) })
    }

    pub fn run(&self, gpu: &Gpu, launch: &Launch<'_>) -> Result<()> {
        let layout = self.compute.get_bind_group_layout(0);
        let unknown = |name: &str| {
            Error::internal(format!("{}.wgsl has no binding `{name}`", launch.shader.name))
        };
        let uniform = self.uniform(gpu, launch)?;
        let mut entries = Vec::new();
        if let (Some(buffer), Some((binding, _))) = (&uniform, &self.names.parameters) {
            let resource = buffer.as_entire_binding();
            entries.push(wgpu::BindGroupEntry { binding: *binding, resource });
        }
        for (name, buffer) in launch.buffers {
            let binding = self.names.binding(name).ok_or_else(|| unknown(name))?;
            let resource = buffer.buffer().as_entire_binding();
            entries.push(wgpu::BindGroupEntry { binding, resource });
        }
        let group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(launch.shader.name),
            layout: &layout,
            entries: &entries,
        });
        let clock = gpu.is_timed.then(|| Clock::new(gpu));
        let mut encoder = gpu.encoder();
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some(launch.shader.name),
                timestamp_writes: clock.as_ref().map(Clock::writes),
            });
            pass.set_pipeline(&self.compute);
            pass.set_bind_group(0, &group, &[]);
            let (x, y) = self.groups(gpu, launch.n_items);
            pass.dispatch_workgroups(x, y, 1);
        }
        if let Some(clock) = &clock {
            clock.resolve(&mut encoder);
        }
        gpu.queue.submit([encoder.finish()]);
        gpu.checked(&format!("running {}", launch.shader.name))?;
        if let Some(clock) = clock {
            let bytes = launch.buffers.iter().map(|(_, buffer)| buffer.buffer().size()).sum();
            let seconds = clock.seconds(gpu)?;
            locked(&gpu.timings).push(Timing { kernel: launch.shader.name, seconds, bytes });
        }
        Ok(())
    }

    /// Groups along x and y: rows of the most that one dimension takes.
    fn groups(&self, gpu: &Gpu, n_items: usize) -> (u32, u32) {
        let n_groups = n_items.div_ceil(self.group_size as usize) as u32;
        let most = gpu.device.limits().max_compute_workgroups_per_dimension;
        (n_groups.min(most), n_groups.div_ceil(most))
    }

    /// The parameters in the order of the shader.
    fn uniform(&self, gpu: &Gpu, launch: &Launch<'_>) -> Result<Option<wgpu::Buffer>> {
        let Some((_, members)) = &self.names.parameters else { return Ok(None) };
        let value = |member: &String| {
            launch.parameters.iter().find(|(name, _)| name == member).map(|(_, value)| *value)
        };
        let mut words: Vec<u32> = members.iter().filter_map(value).collect();
        if words.len() != members.len() || launch.parameters.len() != members.len() {
            return Err(Error::internal(format!(
                "{}.wgsl wants the parameters {members:?}",
                launch.shader.name
            )));
        }
        // Uniform structs end on 16 bytes.
        words.resize(words.len().next_multiple_of(4), 0);
        let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("parameters"),
            size: words.len() as u64 * WORD,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        gpu.queue.write_buffer(&buffer, 0, bytemuck::cast_slice(&words));
        Ok(Some(buffer))
    }
}

/// Two ticks of the device's clock around a kernel.
struct Clock {
    ticks: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    staging: wgpu::Buffer,
}

impl Clock {
    fn new(gpu: &Gpu) -> Self {
        let ticks = gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: None,
            ty: wgpu::QueryType::Timestamp,
            count: 2,
        });
        let buffer = |usage| {
            gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: 16,
                usage,
                mapped_at_creation: false,
            })
        };
        let (copy, map) = (wgpu::BufferUsages::COPY_DST, wgpu::BufferUsages::MAP_READ);
        let source = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        Self { ticks, resolved: buffer(source), staging: buffer(copy | map) }
    }

    fn writes(&self) -> wgpu::ComputePassTimestampWrites<'_> {
        wgpu::ComputePassTimestampWrites {
            query_set: &self.ticks,
            beginning_of_pass_write_index: Some(0),
            end_of_pass_write_index: Some(1),
        }
    }

    fn resolve(&self, encoder: &mut wgpu::CommandEncoder) {
        encoder.resolve_query_set(&self.ticks, 0..2, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.staging, 0, 16);
    }

    fn seconds(&self, gpu: &Gpu) -> Result<f64> {
        let words: Vec<u32> = gpu.mapped(&self.staging)?;
        let tick = |at: usize| u64::from(words[at]) | u64::from(words[at + 1]) << 32;
        let ticks = tick(2).saturating_sub(tick(0)) as f64;
        Ok(ticks * f64::from(gpu.queue.get_timestamp_period()) * 1e-9)
    }
}

fn parsed(source: &str) -> std::result::Result<Module, String> {
    wgpu::naga::front::wgsl::parse_str(source).map_err(|error| error.emit_to_string(source))
}

/// Whether a shader is valid with what every adapter has: no f64, no 64-bit integers, no float atomics, no subgroups.
#[cfg(test)]
pub(crate) fn check_shader(source: &str) -> std::result::Result<(), String> {
    use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};
    let module = parsed(source)?;
    Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&module)
        .map(|_| ())
        .map_err(|error| error.emit_to_string(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shaders_are_valid_on_every_adapter() {
        for shader in crate::kernels::SHADERS {
            check_shader(shader.source).unwrap_or_else(|e| panic!("{}: {e}", shader.name));
            let module = parsed(shader.source).unwrap();
            let n_buffers = Names::of(&module).buffers.len();
            // The storage buffers that the least of all adapters binds.
            assert!(n_buffers <= 8, "{}: {n_buffers} buffers", shader.name);
            let has_group =
                module.overrides.iter().any(|(_, o)| o.name.as_deref() == Some("GROUP"));
            assert!(has_group && !module.entry_points.is_empty(), "{}", shader.name);
        }
    }
}
