// Rows go down the trees of a forest; classes leave. See forest_votes.rs for the rules.

struct Parameters {
    n_rows: u32,
    n_features: u32,
    n_classes: u32,
    n_trees: u32,
}

const LEAF: u32 = 0xffffffffu;
const MOST_CLASSES: u32 = 32u;

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

// The single nearest to the double nearest to a sum of both, halves to even: what `(f64::from(sum) + vote) as f32`
// is on the CPU. Neither is negative nor far from 1.
fn added(sum: f32, vote: vec2u) -> f32 {
    if (vote.y | vote.x) == 0u {
        return sum;
    }
    // Both as 64-bit mantissas with the first bit at 61, and the exponent of that bit.
    var a = vec2u(0u, 0u);
    var a_exponent = -2000;
    let bits = bitcast<u32>(sum);
    if bits != 0u {
        a = vec2u(0u, ((bits & 0x7fffffu) | 0x800000u) << 6u);
        a_exponent = i32(bits >> 23u) - 127;
    }
    // 53 bits, the first at 52, moved up by 9.
    let high = (vote.y & 0xfffffu) | 0x100000u;
    var b = vec2u(vote.x << 9u, (high << 9u) | (vote.x >> 23u));
    var exponent = i32(vote.y >> 20u) - 1023;
    if a_exponent > exponent {
        let other = b;
        b = moved(a, 0u);
        a = moved(other, u32(a_exponent - exponent));
        exponent = a_exponent;
    } else {
        a = moved(a, u32(exponent - a_exponent));
    }
    var total = plus(a, b);
    if (total.y >> 30u) != 0u {
        total = moved(total, 1u);
        exponent++;
    }
    // To the 53 bits of a double: those from 61 to 9.
    let below = total.x & 511u;
    let up = u32(below > 256u || (below == 256u && (total.x & 512u) != 0u));
    total = plus(vec2u(total.x - below, total.y), wide(up << 9u));
    if (total.y >> 30u) != 0u {
        total = moved(total, 1u);
        exponent++;
    }
    // To 24 bits: those from 61 to 38.
    var kept = total.y >> 6u;
    let half = (total.y >> 5u) & 1u;
    let rest = u32((total.y & 31u) != 0u || total.x != 0u);
    kept += half & (rest | (kept & 1u));
    // A carry out of the mantissa raises the exponent by itself.
    return bitcast<f32>(u32(exponent + 126) * 0x800000u + kept);
}

// Moved down, what is lost remembered in the last bit.
fn moved(value: vec2u, by: u32) -> vec2u {
    if by == 0u {
        return value;
    }
    if by >= 62u {
        return vec2u(u32((value.x | value.y) != 0u), 0u);
    }
    if by >= 32u {
        let lost = value.x != 0u || (value.y & ((1u << (by - 32u)) - 1u)) != 0u;
        return vec2u((value.y >> (by - 32u)) | u32(lost), 0u);
    }
    let lost = (value.x & ((1u << by) - 1u)) != 0u;
    return vec2u((value.x >> by) | (value.y << (32u - by)) | u32(lost), value.y >> by);
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
    var sums = array<f32, MOST_CLASSES>();
    for (var t = 0u; t < p.n_trees; t++) {
        var node = nodes[roots[t]];
        while node.z != LEAF {
            let is_below = features[node.y * p.n_rows + row] < bitcast<f32>(node.x);
            node = nodes[select(node.w, node.z, is_below)];
        }
        for (var k = 0u; k < p.n_classes; k++) {
            sums[k] = added(sums[k], votes[node.w * p.n_classes + k]);
        }
    }
    var best = 0u;
    for (var k = 1u; k < p.n_classes; k++) {
        if sums[best] < sums[k] {
            best = k;
        }
    }
    classes[row] = best + 1u;
}
