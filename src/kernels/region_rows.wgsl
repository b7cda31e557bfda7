// Labels become the first and last column of each of their rows, from which the hull follows; see region_hull.rs.

// Per label: where its rows begin in `ends`, two words a row; its first plane, first row, and rows of a plane.
@group(0) @binding(3) var<storage, read> rows: array<vec4u>;
// Per row of a label: the largest complement of a column, and the largest column; 0 and 0 without a pixel.
@group(0) @binding(2) var<storage, read_write> ends: array<atomic<u32>>;

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let segment = segment_of(item_of(id, n_groups));
    var x = segment.begin;
    while x < segment.end {
        let slot = slot_of(labels[segment.row + x]);
        let end = run_end(segment, x);
        if slot < p.n_labels {
            let own = rows[slot];
            let row = (segment.line / p.height - own.y) * own.w + segment.line % p.height - own.z;
            let at = own.x + 2u * row;
            atomicMax(&ends[at], ~x);
            atomicMax(&ends[at + 1u], end - 1u);
        }
        x = end;
    }
}
