// What kernels over a plane or a stack share: one invocation per pixel, x fastest.

struct Parameters {
    width: u32,
    height: u32,
    depth: u32,
    // How far a filter reaches, and along which axis: 0 for z, 1 for y, 2 for x. A step of growth that reaches 1 goes
    // over corners.
    reach: u32,
    axis: u32,
    // Always 0, which no compiler knows.
    zero: u32,
}

@group(0) @binding(0) var<uniform> p: Parameters;

fn n_pixels() -> u32 {
    return p.width * p.height * p.depth;
}

// x, y and z of a pixel.
fn place_of(at: u32) -> vec3u {
    let row = at / p.width;
    return vec3u(at % p.width, row % p.height, row / p.height);
}

// The line of pixels along the axis: the place of one of them in it, its length, and the step between its pixels.
fn line_of(at: u32) -> vec3u {
    let place = place_of(at);
    switch p.axis {
        case 0u: { return vec3u(place.z, p.depth, p.width * p.height); }
        case 1u: { return vec3u(place.y, p.height, p.width); }
        default: { return vec3u(place.x, p.width, 1u); }
    }
}

// The first and the last neighbour of a pixel in every axis, itself included.
fn first_near(place: vec3u) -> vec3u {
    return max(place, vec3u(1u)) - vec3u(1u);
}

fn last_near(place: vec3u) -> vec3u {
    return min(place + vec3u(1u), vec3u(p.width, p.height, p.depth) - vec3u(1u));
}

fn pixel_at(x: u32, y: u32, z: u32) -> u32 {
    return (z * p.height + y) * p.width + x;
}

// The bits of a product or sum as they are: what is masked with an unknown number cannot be fused with what follows,
// so that every device rounds as the CPU does.
fn rounded(value: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(value) ^ p.zero);
}
