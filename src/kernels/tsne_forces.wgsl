// Points of a map become the push of all others on each; see tsne_forces.rs. One invocation per point; the others pass
// through the group's own memory in tiles, and sums of a tile are added to those before it, which keeps them precise.

struct Parameters {
    n_points: u32,
    n_others: u32,
    // Numbers of the first ones among all points.
    first_point: u32,
    first_other: u32,
}

const TILE: u32 = 256u;

@group(0) @binding(0) var<uniform> p: Parameters;
// Up to three coordinates, 0 where there are fewer.
@group(0) @binding(1) var<storage, read> points: array<vec4f>;
@group(0) @binding(2) var<storage, read> others: array<vec4f>;
// The push, and behind it the sum of the potentials.
@group(0) @binding(3) var<storage, read_write> pushes: array<vec4f>;

var<workgroup> tile: array<vec4f, TILE>;

@compute @workgroup_size(GROUP)
fn main(
    @builtin(global_invocation_id) id: vec3u,
    @builtin(local_invocation_index) lane: u32,
    @builtin(num_workgroups) n_groups: vec3u,
) {
    let item = item_of(id, n_groups);
    let is_point = item < p.n_points;
    let point = points[min(item, p.n_points - 1u)];
    let me = p.first_point + item;
    var sum = vec4f(0.0);
    for (var first = 0u; first < p.n_others; first += TILE) {
        let n = min(TILE, p.n_others - first);
        workgroupBarrier();
        for (var i = lane; i < n; i += GROUP) {
            tile[i] = others[first + i];
        }
        workgroupBarrier();
        var part = vec4f(0.0);
        for (var i = 0u; i < n; i++) {
            let gap = point - tile[i];
            let q = select(1.0 / (1.0 + dot(gap, gap)), 0.0, p.first_other + first + i == me);
            part += vec4f(q * q * gap.xyz, q);
        }
        sum += part;
    }
    if is_point {
        pushes[item] += sum;
    }
}
