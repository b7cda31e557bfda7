// Values of two planes joined pixel by pixel, as segment/filters.rs does.

// 0: a - b; 1: a + b; 2: a a + b b; 3: the root of half of a a + b b.
override OPERATION: u32 = 0u;

@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> joined: array<f32>;

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let at = item_of(id, n_groups);
    if at >= p.width * p.height {
        return;
    }
    let squares = rounded(rounded(a[at] * a[at]) + rounded(b[at] * b[at]));
    switch OPERATION {
        case 0u: { joined[at] = a[at] - b[at]; }
        case 1u: { joined[at] = a[at] + b[at]; }
        case 2u: { joined[at] = squares; }
        default: { joined[at] = sqrt(squares / 2.0); }
    }
}
