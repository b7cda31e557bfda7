// Rows go down the trees of a forest; classes leave. See forest_votes.rs for the rules.

struct Parameters {
    n_rows: u32,
    n_features: u32,
    n_classes: u32,
    n_trees: u32,
    // Splits above the lowest leaf: invocations that run beside a group find none.
    depth: u32,
    // For `share` alone, from 0.
    class_of_share: u32,
}

const LEAF: u32 = 0xffffffffu;

@group(0) @binding(0) var<uniform> p: Parameters;
// Feature by feature, so that neighbouring rows are neighbours in memory.
@group(0) @binding(1) var<storage, read> features: array<f32>;
// Per node: the bits of the threshold, the feature, the left and the right child; a leaf has no left child, and its
// number on the right.
@group(0) @binding(2) var<storage, read> nodes: array<vec4u>;
@group(0) @binding(3) var<storage, read> roots: array<u32>;
// Per leaf and class: the bits of a double, the low word first.
@group(0) @binding(4) var<storage, read> votes: array<vec2u>;
@group(0) @binding(5) var<storage, read_write> classes: array<u32>;
// Class by class; 0 at first.
@group(0) @binding(6) var<storage, read_write> sums: array<f32>;

// What `(f64::from(sum) + vote) as f32` is on the CPU.
fn added(sum: f32, vote: vec2u) -> f32 {
    return single(double(sum_of(exact(sum), exact_double(vote))));
}

// `a < b`, of numbers below the normal ones too, which devices may take for 0.
fn is_less(a: f32, b: f32) -> bool {
    return key_of(bitcast<u32>(a)) < key_of(bitcast<u32>(b));
}

// Keys order as the numbers do; both zeros have the same.
fn key_of(word: u32) -> u32 {
    let size = word & 0x7fffffffu;
    return select(0x80000000u + size, 0x80000000u - size, (word >> 31u) == 1u);
}

fn sum_of_class(k: u32, row: u32) -> f32 {
    return sums[k * p.n_rows + row];
}

fn vote(row: u32) {
    for (var t = 0u; t < p.n_trees; t++) {
        var node = nodes[roots[t]];
        for (var level = 0u; level < p.depth && node.z != LEAF; level++) {
            let goes_left = is_less(features[node.y * p.n_rows + row], bitcast<f32>(node.x));
            node = nodes[select(node.w, node.z, goes_left)];
        }
        for (var k = 0u; k < p.n_classes; k++) {
            let sum = added(sum_of_class(k, row), votes[node.w * p.n_classes + k]);
            sums[k * p.n_rows + row] = sum;
        }
    }
}

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let row = item_of(id, n_groups);
    if row >= p.n_rows {
        return;
    }
    // Compilers may assume that NaN does not occur: its bits cannot be argued with.
    for (var f = 0u; f < p.n_features; f++) {
        if (bitcast<u32>(features[f * p.n_rows + row]) & 0x7fffffffu) > 0x7f800000u {
            classes[row] = 0u;
            return;
        }
    }
    vote(row);
    var best = 0u;
    for (var k = 1u; k < p.n_classes; k++) {
        if sum_of_class(best, row) < sum_of_class(k, row) {
            best = k;
        }
    }
    classes[row] = best + 1u;
}

// The share of a class in the votes, as the bits of a single.
@compute @workgroup_size(GROUP)
fn share(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let row = item_of(id, n_groups);
    if row >= p.n_rows {
        return;
    }
    vote(row);
    var total = sum_of_class(0u, row);
    for (var k = 1u; k < p.n_classes; k++) {
        total += sum_of_class(k, row);
    }
    // Without a vote there is no share: the CPU's 0 / 0.
    let is_none = total == 0.0;
    let share = exact(sum_of_class(p.class_of_share, row));
    let found = single(quotient_of(share, exact(select(total, 1.0, is_none))));
    classes[row] = select(bitcast<u32>(found), 0x7fc00000u, is_none);
}
