// The least or largest value in a box, axis by axis; see segment/filters.rs.

override LARGEST: bool = false;

@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read_write> picked: array<f32>;

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let at = item_of(id, n_groups);
    if at >= p.width * p.height {
        return;
    }
    let along_x = p.axis == 2u;
    let place = select(at / p.width, at % p.width, along_x);
    let length = select(p.height, p.width, along_x);
    let step = select(p.width, 1u, along_x);
    let first = at - place * step;
    var best = values[at];
    for (var i = place - min(place, p.reach); i <= min(place + p.reach, length - 1u); i++) {
        let value = values[first + i * step];
        best = select(min(best, value), max(best, value), LARGEST);
    }
    picked[at] = best;
}
