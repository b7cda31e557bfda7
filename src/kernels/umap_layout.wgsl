// Rows of a map become where they go in one epoch; see umap_layout.rs. One invocation per row: it reads where all rows
// stood and writes its own place.

struct Parameters {
    n_rows: u32,
    // The rows whose edges are here.
    first_row: u32,
    n_here: u32,
    epoch: u32,
    n_strangers: u32,
    // Of the combs, and of the strangers of this epoch.
    comb_key: u32,
    epoch_key: u32,
    // Bits of singles.
    a: u32,
    b: u32,
    repulsion: u32,
    rate: u32,
}

override AXES: u32 = 2u;
const LONGEST_STEP: f32 = 4.0;
const GOLDEN: u32 = 0x9e3779b9u;

@group(0) @binding(0) var<uniform> p: Parameters;
// Where the edges of each of these rows begin, and the end of the last.
@group(0) @binding(1) var<storage, read> starts: array<u32>;
// The other row of each edge, and the share of the epochs in which it pulls.
@group(0) @binding(2) var<storage, read> edges: array<vec2u>;
@group(0) @binding(3) var<storage, read> older: array<f32>;
@group(0) @binding(4) var<storage, read_write> newer: array<f32>;

fn place_of(row: u32) -> vec4f {
    var place = vec4f(0.0);
    for (var d = 0u; d < AXES; d++) {
        place[d] = older[row * AXES + d];
    }
    return place;
}

fn scramble(word: u32) -> u32 {
    var bits = word ^ (word >> 16u);
    bits *= 0x7feb352du;
    bits ^= bits >> 15u;
    bits *= 0x846ca68bu;
    return bits ^ (bits >> 16u);
}

// How often an edge between these rows pulls in this epoch because of the first of them.
fn pulls(from_row: u32, to_row: u32, share: u32) -> u32 {
    let comb = scramble(from_row ^ scramble(to_row ^ p.comb_key)) + p.epoch * share;
    return u32(comb + share < comb);
}

// x^b of a positive number.
fn power(x: f32, b: f32) -> f32 {
    return exp2(b * log2(x));
}

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let item = item_of(id, n_groups);
    if item >= p.n_here {
        return;
    }
    let row = p.first_row + item;
    let a = bitcast<f32>(p.a);
    let b = bitcast<f32>(p.b);
    let rate = bitcast<f32>(p.rate);
    let push = 2.0 * bitcast<f32>(p.repulsion) * b;
    let key = scramble(row ^ p.epoch_key);
    var draw = 0u;
    var place = place_of(row);
    for (var e = starts[item]; e < starts[item + 1u]; e++) {
        let edge = edges[e];
        let other = place_of(edge.x);
        let own = pulls(row, edge.x, edge.y);
        for (var n = own + pulls(edge.x, row, edge.y); n > 0u; n--) {
            let gap = place - other;
            let square = 1e-12 + dot(gap, gap);
            let near = power(square, b);
            let strength = -2.0 * a * b * near / (square * (1.0 + a * near));
            place += rate * clamp(strength * gap, vec4f(-LONGEST_STEP), vec4f(LONGEST_STEP));
        }
        if own == 0u {
            continue;
        }
        var step = vec4f(0.0);
        for (var n = 0u; n < p.n_strangers; n++) {
            draw++;
            let stranger = product(scramble(key + draw * GOLDEN), p.n_rows).y;
            let gap = place - place_of(stranger);
            let square = 1e-12 + dot(gap, gap);
            let strength = push / ((0.001 + square) * (1.0 + a * power(square, b)));
            let force = clamp(strength * gap, vec4f(-LONGEST_STEP), vec4f(LONGEST_STEP));
            step += select(force, vec4f(0.0), stranger == row);
        }
        place += rate * step;
    }
    for (var d = 0u; d < AXES; d++) {
        newer[row * AXES + d] = place[d];
    }
}
