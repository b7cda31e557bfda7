// What kernels over a plane share: one invocation per pixel.

struct Parameters {
    width: u32,
    height: u32,
    // Of the kernel: how far it reaches, whether it runs along x or y, which step it is, or where its part begins.
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
