// Values convolved along one axis; the definition is segment/convolve.rs, to the bit.

override IS_ODD: bool = false;
// Beyond the border: the border pixel again, or the image mirrored.
override MIRRORED: bool = false;

// The weights of the centre and of the pixels after it.
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read_write> convolved: array<f32>;

fn inside(at: i32, length: i32) -> u32 {
    if !MIRRORED {
        return u32(clamp(at, 0, length - 1));
    }
    let round = 2 * length;
    let turned = ((at % round) + round) % round;
    return u32(min(turned, round - 1 - turned));
}

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let at = item_of(id, n_groups);
    if at >= n_pixels() {
        return;
    }
    let line = line_of(at);
    let place = i32(line.x);
    let length = i32(line.y);
    let step = line.z;
    let first = at - line.x * step;
    var sum = 0.0;
    for (var i = i32(p.reach); i > 0; i--) {
        let before = values[first + inside(place - i, length) * step];
        let after = values[first + inside(place + i, length) * step];
        let pair = rounded(select(after + before, after - before, IS_ODD));
        sum = rounded(sum + rounded(weights[i] * pair));
    }
    let center = select(weights[0], 0.0, IS_ODD);
    convolved[at] = sum + rounded(center * values[at]);
}
