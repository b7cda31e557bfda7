// Labels are replaced through a table; what it does not hold becomes background.

@group(0) @binding(1) var<storage, read_write> labels: array<u32>;
@group(0) @binding(2) var<storage, read> names: array<u32>;

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let at = item_of(id, n_groups);
    if at < n_pixels() {
        let label = labels[at];
        labels[at] = select(0u, names[min(label, arrayLength(&names) - 1u)], label < arrayLength(&names));
    }
}
