// Queries and references become the references of largest sum for each query; nearest_rows.rs proves and measures.
//
// One invocation per query; the references pass through the group's own memory in tiles. A list of the best stays in
// memory between launches, so that references may come in parts.

// Less the absolute differences instead of the products.
override IS_ABSOLUTE: bool = false;

struct Parameters {
    // Columns of a row.
    depth: u32,
    n_references: u32,
    n_queries: u32,
    // Numbers of the first ones in the buffers.
    first_reference: u32,
    first_query: u32,
    // How many are kept, and whether queries are references that do not count themselves.
    keep: u32,
    skip_self: u32,
}

const TILE: u32 = 2048u;

@group(0) @binding(0) var<uniform> p: Parameters;
@group(0) @binding(1) var<storage, read> references: array<f32>;
@group(0) @binding(2) var<storage, read> queries: array<f32>;
// The best of each query, in no order, and how many there are.
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;
@group(0) @binding(4) var<storage, read_write> places: array<u32>;
@group(0) @binding(5) var<storage, read_write> counts: array<u32>;

var<workgroup> tile: array<f32, TILE>;

@compute @workgroup_size(GROUP)
fn main(
    @builtin(global_invocation_id) id: vec3u,
    @builtin(local_invocation_index) lane: u32,
    @builtin(num_workgroups) n_groups: vec3u,
) {
    let query = item_of(id, n_groups);
    let is_query = query < p.n_queries;
    let list = query * p.keep;
    var n_kept = 0u;
    // The place of the least of a full list.
    var least = list;
    if is_query {
        n_kept = counts[query];
        if n_kept == p.keep {
            least = least_of(list);
        }
    }
    let at_once = TILE / p.depth;
    for (var first = 0u; first < p.n_references; first += at_once) {
        let n = min(at_once, p.n_references - first);
        workgroupBarrier();
        for (var i = lane; i < n * p.depth; i += GROUP) {
            tile[i] = references[first * p.depth + i];
        }
        workgroupBarrier();
        if !is_query {
            continue;
        }
        for (var r = 0u; r < n; r++) {
            var sum = 0.0;
            for (var c = 0u; c < p.depth; c++) {
                let x = queries[query * p.depth + c];
                let y = tile[r * p.depth + c];
                sum += select(x * y, -abs(x - y), IS_ABSOLUTE);
            }
            let place = p.first_reference + first + r;
            if p.skip_self == 1u && place == p.first_query + query {
                continue;
            }
            if n_kept < p.keep {
                sums[list + n_kept] = sum;
                places[list + n_kept] = place;
                n_kept++;
                if n_kept == p.keep {
                    least = least_of(list);
                }
            } else if sum > sums[least] {
                sums[least] = sum;
                places[least] = place;
                least = least_of(list);
            }
        }
    }
    if is_query {
        counts[query] = n_kept;
    }
}

fn least_of(list: u32) -> u32 {
    var least = list;
    for (var i = list + 1u; i < list + p.keep; i++) {
        if sums[i] < sums[least] {
            least = i;
        }
    }
    return least;
}
