// Values become their range and their histogram, for Otsu's threshold; see segment/bins.rs.
//
// Bins are told apart by their least values, which the CPU finds with its own formula: no division here can round
// a value into another bin.

// Pixels of an invocation.
const STRETCH: u32 = 64u;

@group(0) @binding(1) var<storage, read> values: array<f32>;
// The largest complement and the largest of the values' keys.
@group(0) @binding(2) var<storage, read_write> ends: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read> least: array<f32>;
@group(0) @binding(4) var<storage, read_write> counts: array<atomic<u32>>;

// Keys order as the values do.
fn key_of(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    return bits ^ select(0x80000000u, 0xffffffffu, (bits >> 31u) == 1u);
}

@compute @workgroup_size(GROUP)
fn range(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let first = item_of(id, n_groups) * STRETCH;
    let n = n_pixels();
    if first >= n {
        return;
    }
    var low = 0xffffffffu;
    var high = 0u;
    for (var at = first; at < min(first + STRETCH, n); at++) {
        let key = key_of(values[at]);
        low = min(low, key);
        high = max(high, key);
    }
    atomicMax(&ends[0], ~low);
    atomicMax(&ends[1], high);
}

// The last bin whose least value is not above `value`; bin 0 takes the rest.
fn bin_of(value: f32) -> u32 {
    var low = 0u;
    var high = arrayLength(&least);
    while high - low > 1u {
        let middle = (low + high) / 2u;
        if least[middle] <= value {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

@compute @workgroup_size(GROUP)
fn count(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let first = item_of(id, n_groups) * STRETCH;
    let n = n_pixels();
    if first >= n {
        return;
    }
    // Neighbours often share a bin: they are added at once.
    var bin = bin_of(values[first]);
    var same = 1u;
    for (var at = first + 1u; at < min(first + STRETCH, n); at++) {
        let next = bin_of(values[at]);
        if next != bin {
            atomicAdd(&counts[bin], same);
            bin = next;
            same = 0u;
        }
        same++;
    }
    atomicAdd(&counts[bin], same);
}
