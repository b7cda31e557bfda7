// Labels of a stack become crossings in 13 directions and the Euler number; see region_solid.rs.
//
// Needs a plane and a row above those it counts. Neighbours before a voxel are told by one bit for each direction.

const N_COUNTS: u32 = 14u;

fn label_at(z: i32, y: i32, x: i32) -> u32 {
    let row = z * i32(p.height) + y - i32(p.start);
    if z < 0 || y < 0 || y >= i32(p.height) || row < 0 || x < 0 || x >= i32(p.width) {
        return 0u;
    }
    return labels[u32(row) * p.width + u32(x)];
}

// The neighbours before a voxel: against each of the directions, which are in the order of `bit_of`.
fn neighbours(label: u32, z: i32, y: i32, x: i32) -> u32 {
    var bits = 0u;
    for (var dz = -1; dz <= 0; dz++) {
        for (var dy = -1; dy <= 1; dy++) {
            for (var dx = -1; dx <= 1; dx++) {
                let bit = bit_of(dz, dy, dx);
                if bit < 13u && label_at(z + dz, y + dy, x + dx) == label {
                    bits |= 1u << bit;
                }
            }
        }
    }
    return bits;
}

// Which direction leads back from a neighbour; 13 or more for the voxel itself and those after it.
fn bit_of(dz: i32, dy: i32, dx: i32) -> u32 {
    if dz == 0 {
        if dy == 0 {
            return select(13u, 0u, dx == -1);
        }
        return select(13u, u32(2 - dx), dy == -1);
    }
    return u32(8 - 3 * dy - dx);
}

// Vertices minus edges plus faces minus the voxel itself, of those that no neighbour before it has.
fn pieces(bits: u32) -> i32 {
    var sum = 0;
    for (var sz = -1; sz <= 1; sz++) {
        for (var sy = -1; sy <= 1; sy++) {
            for (var sx = -1; sx <= 1; sx++) {
                // Of the cell on these sides, those that share it lie towards some of them.
                var others = 0u;
                for (var i = 1u; i < 8u; i++) {
                    let bit = bit_of(
                        select(0, sz, (i & 4u) != 0u),
                        select(0, sy, (i & 2u) != 0u),
                        select(0, sx, (i & 1u) != 0u),
                    );
                    let is_before = select(sz, 0, (i & 4u) == 0u) <= 0 && bit < 13u;
                    others |= select(0u, 1u << min(bit, 31u), is_before);
                }
                if (bits & others) == 0u {
                    let n_spans = u32(sz == 0) + u32(sy == 0) + u32(sx == 0);
                    sum += select(1, -1, (n_spans & 1u) == 1u);
                }
            }
        }
    }
    return sum;
}

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let segment = segment_of(item_of(id, n_groups));
    let z = i32(segment.line / p.height);
    let y = i32(segment.line % p.height);
    var begin = segment.begin;
    while begin < segment.end {
        let label = labels[segment.row + begin];
        let slot = slot_of(label);
        let end = run_end(segment, begin);
        if slot < p.n_labels {
            var crossings = array<u32, 13>();
            var euler = 0;
            for (var x = begin; x < end; x++) {
                let bits = neighbours(label, z, y, i32(x));
                // With all neighbours nothing is new: the terms cancel.
                if bits != 0x1fffu {
                    for (var k = 0u; k < 13u; k++) {
                        crossings[k] += 1u - ((bits >> k) & 1u);
                    }
                    euler += pieces(bits);
                }
            }
            for (var k = 0u; k < 13u; k++) {
                if crossings[k] != 0u {
                    add(2u * (slot * N_COUNTS + k), wide(crossings[k]));
                }
            }
            if euler != 0 {
                add(2u * (slot * N_COUNTS + 13u), vec2u(bitcast<u32>(euler), bitcast<u32>(euler >> 31u)));
            }
        }
        begin = end;
    }
}
