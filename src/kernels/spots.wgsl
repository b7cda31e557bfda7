// Blurred values become a mask and the local maxima inside it; see segment/tiles.rs.

@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> threshold: array<f32>;
@group(0) @binding(3) var<storage, read_write> mask: array<u32>;
@group(0) @binding(4) var<storage, read_write> spots: array<u32>;

@compute @workgroup_size(GROUP)
fn above(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let at = item_of(id, n_groups);
    if at < n_pixels() {
        mask[at] = u32(values[at] > threshold[0]);
    }
}

// Pixels of the mask that no neighbour exceeds.
@compute @workgroup_size(GROUP)
fn peaks(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let at = item_of(id, n_groups);
    if at >= n_pixels() {
        return;
    }
    let first = first_near(place_of(at));
    let last = last_near(place_of(at));
    var is_peak = mask[at] != 0u;
    if is_peak {
        for (var z = first.z; z <= last.z; z++) {
            for (var y = first.y; y <= last.y; y++) {
                for (var x = first.x; x <= last.x; x++) {
                    is_peak = is_peak && values[pixel_at(x, y, z)] <= values[at];
                }
            }
        }
    }
    spots[at] = u32(is_peak);
}
