// The features of pixels that APOC's classifiers see, to the bit of src/apoc/blur.rs and src/apoc/filters.rs.

// Whether this device's `fma` rounds once; see `probe`.
override FUSED: bool = false;
// Whether filters reach into other layers.
override IS_STACK: bool = false;

// The weights of a blur from the first pixel to the last, and their sum.
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read> others: array<f32>;
@group(0) @binding(4) var<storage, read_write> filtered: array<f32>;
@group(0) @binding(5) var<storage, read_write> wrong: array<atomic<u32>>;

fn fused_slowly(a: f32, b: f32, c: f32) -> f32 {
    return single(sum_of(product_of(exact(a), exact(b)), exact(c)));
}

// a * b + c, rounded once.
fn fused(a: f32, b: f32, c: f32) -> f32 {
    if FUSED {
        return fma(a, b, c);
    }
    return fused_slowly(a, b, c);
}

// Sums and differences of doubles.
fn more(a: Exact, b: Exact) -> Exact {
    return double(sum_of(a, b));
}

fn less(a: Exact, b: Exact) -> Exact {
    return double(sum_of(a, negated(b)));
}

// Twice as much, `n` times.
fn doubled(a: Exact, n: u32) -> Exact {
    return Exact(a.bits, a.exponent + i32(n), a.is_negative);
}

// The value so far away from a pixel, or the nearest one that is there.
fn near(place: vec3u, to: vec3i) -> Exact {
    let last = vec3i(vec3u(p.width, p.height, p.depth)) - vec3i(1);
    let at = vec3u(clamp(vec3i(place) + to, vec3i(0), last));
    return exact(values[pixel_at(at.x, at.y, at.z)]);
}

fn near_in_plane(place: vec3u, x: i32, y: i32) -> Exact {
    return near(place, vec3i(x, y, 0));
}

@compute @workgroup_size(GROUP)
fn mean(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let at = item_of(id, n_groups);
    if at >= n_pixels() {
        return;
    }
    let line = line_of(at);
    let first = at - line.x * line.z;
    let reach = i32(p.reach);
    var sum = 0.0;
    for (var i = -reach; i <= reach; i++) {
        let place = u32(clamp(i32(line.x) + i, 0, i32(line.y) - 1));
        sum = fused(weights[i + reach], values[first + place * line.z], sum);
    }
    filtered[at] = single(quotient_of(exact(sum), exact(weights[2u * p.reach + 1u])));
}

@compute @workgroup_size(GROUP)
fn difference(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let at = item_of(id, n_groups);
    if at < n_pixels() {
        filtered[at] = single(sum_of(exact(values[at]), negated(exact(others[at]))));
    }
}

// The slope between the pixels before and after along one axis, twice in the middle of the other one of a plane.
fn slope_of_plane(place: vec3u, along_x: bool) -> f32 {
    var steps = array<Exact, 3>();
    for (var i = 0; i < 3; i++) {
        let before = select(vec2i(i - 1, -1), vec2i(-1, i - 1), along_x);
        let after = select(vec2i(i - 1, 1), vec2i(1, i - 1), along_x);
        steps[i] = less(near_in_plane(place, after.x, after.y), near_in_plane(place, before.x, before.y));
    }
    return single(more(more(steps[0], doubled(steps[1], 1u)), steps[2]));
}

// The same in a stack, along axis 0 for x, 1 for y, 2 for z; x is slowest in the sum.
fn slope_of_stack(place: vec3u, axis: u32) -> f32 {
    var sum = exact(0.0);
    for (var i = 0; i < 27; i++) {
        let to = vec3i(i / 9, i / 3 % 3, i % 3) - vec3i(1);
        let sign = to[axis];
        if sign == 0 {
            continue;
        }
        let n_middle = u32(to.x == 0) + u32(to.y == 0) + u32(to.z == 0);
        let value = doubled(near(place, to), n_middle);
        sum = more(sum, Exact(value.bits, value.exponent, value.is_negative != (sign < 0)));
    }
    return single(sum);
}

@compute @workgroup_size(GROUP)
fn sobel(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let at = item_of(id, n_groups);
    if at >= n_pixels() {
        return;
    }
    let place = place_of(at);
    var square = 0.0;
    if IS_STACK {
        for (var axis = 3u; axis > 0u; axis--) {
            let slope = slope_of_stack(place, axis - 1u);
            square = fused_slowly(slope, slope, square);
        }
    } else {
        for (var axis = 2u; axis > 0u; axis--) {
            let slope = slope_of_plane(place, axis == 1u);
            square = fused_slowly(slope, slope, square);
        }
    }
    filtered[at] = single(root_of(exact(square)));
}

@compute @workgroup_size(GROUP)
fn laplace_box(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let at = item_of(id, n_groups);
    if at >= n_pixels() {
        return;
    }
    let place = place_of(at);
    if IS_STACK {
        var sum = exact(0.0);
        for (var i = 0; i < 27; i++) {
            let to = vec3i(i / 9, i / 3 % 3, i % 3) - vec3i(1);
            let value = near(place, to);
            // All but the centre are taken away.
            let part = Exact(value.bits, value.exponent, value.is_negative != (i != 13));
            sum = exact(single(sum_of(sum, part)));
        }
        filtered[at] = single(sum);
        return;
    }
    let above = more(more(near_in_plane(place, -1, -1), near_in_plane(place, 0, -1)), near_in_plane(place, 1, -1));
    let below = more(more(near_in_plane(place, -1, 1), near_in_plane(place, 0, 1)), near_in_plane(place, 1, 1));
    let here = less(less(doubled(near_in_plane(place, 0, 0), 3u), near_in_plane(place, -1, 0)), near_in_plane(place, 1, 0));
    filtered[at] = single(less(here, more(above, below)));
}

@compute @workgroup_size(GROUP)
fn laplace_diamond(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let at = item_of(id, n_groups);
    if at >= n_pixels() {
        return;
    }
    let place = place_of(at);
    let sides = more(near_in_plane(place, -1, 0), near_in_plane(place, 1, 0));
    var rest = more(near_in_plane(place, 0, -1), near_in_plane(place, 0, 1));
    var center = doubled(near_in_plane(place, 0, 0), 2u);
    if IS_STACK {
        rest = more(more(rest, near(place, vec3i(0, 0, -1))), near(place, vec3i(0, 0, 1)));
        center = product_of(exact(6.0), near_in_plane(place, 0, 0));
    }
    filtered[at] = single(less(less(center, sides), rest));
}

// Counts numbers for which `fma` is not a sum rounded once: products that nearly cancel with what they are added to.
@compute @workgroup_size(GROUP)
fn probe(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let item = item_of(id, n_groups);
    let a = number(3u * item);
    let b = number(3u * item + 1u);
    var c = number(3u * item + 2u);
    if item % 2u == 0u {
        c = -rounded(a * b);
    }
    if bitcast<u32>(fma(a, b, c)) != bitcast<u32>(fused_slowly(a, b, c)) {
        atomicAdd(&wrong[0], 1u);
    }
}

// A number from 2^-8 to 2^8 of either sign.
fn number(index: u32) -> f32 {
    var bits = index * 0x9e3779b9u;
    bits = (bits ^ (bits >> 15u)) * 0x85ebca6bu;
    bits ^= bits >> 13u;
    return bitcast<f32>((bits & 0x807fffffu) | ((119u + ((bits >> 23u) & 15u)) << 23u));
}
