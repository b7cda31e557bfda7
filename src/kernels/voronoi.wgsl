// Spots grow inside a mask, step by step; see segment/grow.rs for the rules.

const FREE: u32 = 0u;
const OUTSIDE: u32 = 0xffffffffu;

@group(0) @binding(1) var<storage, read> mask: array<u32>;
// The component of every spot pixel, from 1 in raster order.
@group(0) @binding(2) var<storage, read> numbers: array<u32>;
// Per component: the largest complement of (x * height + y) * depth + z, then its label.
@group(0) @binding(3) var<storage, read_write> firsts: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> labels: array<u32>;
@group(0) @binding(5) var<storage, read> older: array<u32>;
@group(0) @binding(6) var<storage, read_write> changes: array<atomic<u32>>;

@compute @workgroup_size(GROUP)
fn first(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let at = item_of(id, n_groups);
    if at < n_pixels() && numbers[at] != 0u {
        let place = place_of(at);
        let by_columns = (place.x * p.height + place.y) * p.depth + place.z;
        atomicMax(&firsts[numbers[at] - 1u], ~by_columns);
    }
}

@compute @workgroup_size(GROUP)
fn seed(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let at = item_of(id, n_groups);
    if at >= n_pixels() {
        return;
    }
    if mask[at] == 0u {
        labels[at] = OUTSIDE;
    } else if numbers[at] == 0u {
        labels[at] = FREE;
    } else {
        labels[at] = atomicLoad(&firsts[numbers[at] - 1u]);
    }
}

// One step: over corners too if `reach` is 1.
@compute @workgroup_size(GROUP)
fn grow(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let at = item_of(id, n_groups);
    if at >= n_pixels() {
        return;
    }
    var label = older[at];
    if label == FREE {
        let place = place_of(at);
        let first = first_near(place);
        let last = last_near(place);
        for (var z = first.z; z <= last.z; z++) {
            for (var y = first.y; y <= last.y; y++) {
                for (var x = first.x; x <= last.x; x++) {
                    let near = older[pixel_at(x, y, z)];
                    let n_axes = u32(x != place.x) + u32(y != place.y) + u32(z != place.z);
                    if near != OUTSIDE && (p.reach == 1u || n_axes == 1u) {
                        label = max(label, near);
                    }
                }
            }
        }
        if label != FREE {
            atomicStore(&changes[0], 1u);
        }
    }
    labels[at] = label;
}
