// Pixels of a mask become connected components, numbered from 1 in raster order of their first pixel; see
// segment/runs.rs. Every pixel points to an earlier one of its component until all point to the first: the least
// place wins in any order of events (union-find with atomic minima, Playne and Hawick 2018).

const NONE: u32 = 0xffffffffu;
// Pixels whose first ones are counted together.
const STRETCH: u32 = 256u;

@group(0) @binding(1) var<storage, read> mask: array<u32>;
@group(0) @binding(2) var<storage, read_write> parents: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read_write> counts: array<u32>;
@group(0) @binding(4) var<storage, read_write> numbers: array<u32>;

@compute @workgroup_size(GROUP)
fn start(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let at = item_of(id, n_groups);
    if at < n_pixels() {
        atomicStore(&parents[at], select(NONE, at, mask[at] != 0u));
    }
}

fn root_of(at: u32) -> u32 {
    var root = at;
    var up = atomicLoad(&parents[root]);
    while up != root {
        root = up;
        up = atomicLoad(&parents[root]);
    }
    return root;
}

fn unite(one: u32, other: u32) {
    var a = root_of(one);
    var b = root_of(other);
    while a != b {
        let late = max(a, b);
        let early = min(a, b);
        let before = atomicMin(&parents[late], early);
        if before == late {
            return;
        }
        // Another invocation was here first: its root and ours belong together.
        a = root_of(before);
        b = root_of(early);
    }
}

// Joins a pixel with its neighbours in the layer before.
fn join_above(at: u32, place: vec3u) {
    let above = at - p.width * p.height;
    if mask[above] != 0u {
        // It is joined with its own neighbours already.
        unite(at, above);
        return;
    }
    let first = first_near(place);
    let last = last_near(place);
    for (var y = first.y; y <= last.y; y++) {
        for (var x = first.x; x <= last.x; x++) {
            let near = pixel_at(x, y, place.z - 1u);
            if mask[near] != 0u {
                unite(at, near);
            }
        }
    }
}

// Joins every pixel with the neighbours before it, corners included.
@compute @workgroup_size(GROUP)
fn join(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let at = item_of(id, n_groups);
    if at >= n_pixels() || mask[at] == 0u {
        return;
    }
    let place = place_of(at);
    let x = place.x;
    if x > 0u && mask[at - 1u] != 0u {
        unite(at, at - 1u);
    }
    if place.z > 0u {
        join_above(at, place);
    }
    if place.y == 0u {
        return;
    }
    let north = at - p.width;
    if mask[north] != 0u {
        // It is joined with its own neighbours already.
        unite(at, north);
        return;
    }
    if x > 0u && mask[north - 1u] != 0u {
        unite(at, north - 1u);
    }
    if x + 1u < p.width && mask[north + 1u] != 0u {
        unite(at, north + 1u);
    }
}

// Counts the first pixels of components in each stretch.
@compute @workgroup_size(GROUP)
fn count(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let stretch = item_of(id, n_groups);
    let n = n_pixels();
    if stretch * STRETCH >= n {
        return;
    }
    var n_first = 0u;
    for (var at = stretch * STRETCH; at < min((stretch + 1u) * STRETCH, n); at++) {
        n_first += u32(atomicLoad(&parents[at]) == at);
    }
    counts[stretch] = n_first;
}

// Numbers them; `counts` holds how many came before each stretch.
@compute @workgroup_size(GROUP)
fn number(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let stretch = item_of(id, n_groups);
    let n = n_pixels();
    if stretch * STRETCH >= n {
        return;
    }
    var last = counts[stretch];
    for (var at = stretch * STRETCH; at < min((stretch + 1u) * STRETCH, n); at++) {
        if atomicLoad(&parents[at]) == at {
            last++;
            numbers[at] = last;
        }
    }
}

// Gives every pixel the number of its component's first.
@compute @workgroup_size(GROUP)
fn spread(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let at = item_of(id, n_groups);
    if at >= n_pixels() {
        return;
    }
    if mask[at] == 0u {
        numbers[at] = 0u;
        return;
    }
    let root = root_of(at);
    if root != at {
        numbers[at] = numbers[root];
    }
}
