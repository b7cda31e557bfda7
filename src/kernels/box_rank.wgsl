// The least or largest value in a box, axis by axis; see segment/filters.rs.

override LARGEST: bool = false;

@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read_write> picked: array<f32>;

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let at = item_of(id, n_groups);
    if at >= n_pixels() {
        return;
    }
    let line = line_of(at);
    let first = at - line.x * line.z;
    var best = values[at];
    for (var i = line.x - min(line.x, p.reach); i <= min(line.x + p.reach, line.y - 1u); i++) {
        let value = values[first + i * line.z];
        best = select(min(best, value), max(best, value), LARGEST);
    }
    picked[at] = best;
}
