// Values of two images joined pixel by pixel, as segment/filters.rs does.

// 0: a - b; 1: a + b; 2: a a + b b; 3: a + b b; 4: the root of half of a; 5: the root of a third of a.
override OPERATION: u32 = 0u;

@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> joined: array<f32>;

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let at = item_of(id, n_groups);
    if at >= n_pixels() {
        return;
    }
    switch OPERATION {
        case 0u: { joined[at] = a[at] - b[at]; }
        case 1u: { joined[at] = a[at] + b[at]; }
        case 2u: { joined[at] = rounded(a[at] * a[at]) + rounded(b[at] * b[at]); }
        case 3u: { joined[at] = a[at] + rounded(b[at] * b[at]); }
        default: {
            let mean = single(quotient_of(exact(a[at]), exact(f32(OPERATION - 2u))));
            joined[at] = single(root_of(exact(mean)));
        }
    }
}
