// What kernels over a plane share: one invocation per pixel.

struct Parameters {
    width: u32,
    height: u32,
    // How far a filter reaches, and along which axis: 1 for y, 2 for x. A step of growth that reaches 1 goes over corners.
    reach: u32,
    axis: u32,
    // Always 0, which no compiler knows.
    zero: u32,
}

@group(0) @binding(0) var<uniform> p: Parameters;

// The bits of a product or sum as they are: what is masked with an unknown number cannot be fused with what follows,
// so that every device rounds as the CPU does.
fn rounded(value: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(value) ^ p.zero);
}
