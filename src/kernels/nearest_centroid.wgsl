// Rows become the numbers of their nearest centres, with a word where single precision leaves a doubt; see
// nearest_centroid.rs. One invocation per row; the centres pass through the group's own memory in tiles.

struct Parameters {
    width: u32,
    n_rows: u32,
    n_centres: u32,
    // The gap to the second score is sure above slack_by_length * |row| + slack; bits of singles.
    slack_by_length: u32,
    slack: u32,
}

const TILE: u32 = 2048u;
const DOUBT: u32 = 0x80000000u;
const LOWEST: f32 = -3.0e38;

@group(0) @binding(0) var<uniform> p: Parameters;
@group(0) @binding(1) var<storage, read> rows: array<f32>;
// Each with minus half its squared length behind it.
@group(0) @binding(2) var<storage, read> centres: array<f32>;
@group(0) @binding(3) var<storage, read_write> nearest: array<u32>;

var<workgroup> tile: array<f32, TILE>;

@compute @workgroup_size(GROUP)
fn main(
    @builtin(global_invocation_id) id: vec3u,
    @builtin(local_invocation_index) lane: u32,
    @builtin(num_workgroups) n_groups: vec3u,
) {
    let row = item_of(id, n_groups);
    let is_row = row < p.n_rows;
    let depth = p.width + 1u;
    let at_once = TILE / depth;
    var best = 0u;
    var best_score = LOWEST;
    var second_score = LOWEST;
    for (var first = 0u; first < p.n_centres; first += at_once) {
        let n = min(at_once, p.n_centres - first);
        workgroupBarrier();
        for (var i = lane; i < n * depth; i += GROUP) {
            tile[i] = centres[first * depth + i];
        }
        workgroupBarrier();
        if !is_row {
            continue;
        }
        for (var c = 0u; c < n; c++) {
            var score = tile[c * depth + p.width];
            for (var j = 0u; j < p.width; j++) {
                score += rows[row * p.width + j] * tile[c * depth + j];
            }
            if score > best_score {
                second_score = best_score;
                best_score = score;
                best = first + c;
            } else {
                second_score = max(second_score, score);
            }
        }
    }
    if !is_row {
        return;
    }
    var square = 0.0;
    for (var j = 0u; j < p.width; j++) {
        square += rows[row * p.width + j] * rows[row * p.width + j];
    }
    let slack = bitcast<f32>(p.slack_by_length) * sqrt(square) + bitcast<f32>(p.slack);
    nearest[row] = select(best | DOUBT, best, best_score - second_score > slack);
}
