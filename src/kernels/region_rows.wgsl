// Labels become the first and last column of each of their rows, from which the hull follows; see region_hull.rs.

// Per label: where its rows begin in `ends`, two words a row, and its first row.
@group(0) @binding(3) var<storage, read> rows: array<u32>;
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
            let at = rows[2u * slot] + 2u * (segment.y - rows[2u * slot + 1u]);
            atomicMax(&ends[at], ~x);
            atomicMax(&ends[at + 1u], end - 1u);
        }
        x = end;
    }
}
