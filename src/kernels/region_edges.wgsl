// Labels of a plane become what is counted along their borders; see region_edges.rs for what the counts mean.
//
// Needs two rows above and below those it counts. Per label: border crossings along x, y and the two diagonals,
// first corners, and border pixels of the three classes of perimeter codes.

const N_COUNTS: u32 = 8u;

fn label_at(y: i32, x: i32) -> u32 {
    let row = y - i32(p.start);
    if row < 0 || row >= i32(p.n_held) || x < 0 || x >= i32(p.width) {
        return 0u;
    }
    return labels[u32(row) * p.width + u32(x)];
}

// Whether a pixel belongs to the label and a 4-connected erosion would remove it.
fn is_border(label: u32, y: i32, x: i32) -> bool {
    return label_at(y, x) == label
        && (label_at(y - 1, x) != label || label_at(y + 1, x) != label
            || label_at(y, x - 1) != label || label_at(y, x + 1) != label);
}

// The class of a border pixel by its neighbours on the border: 0, 1, 2, or 3 for none.
fn class_of(label: u32, y: i32, x: i32) -> u32 {
    let edges = u32(is_border(label, y - 1, x)) + u32(is_border(label, y + 1, x))
        + u32(is_border(label, y, x - 1)) + u32(is_border(label, y, x + 1));
    let corners = u32(is_border(label, y - 1, x - 1)) + u32(is_border(label, y - 1, x + 1))
        + u32(is_border(label, y + 1, x - 1)) + u32(is_border(label, y + 1, x + 1));
    switch 1u + 2u * edges + 10u * corners {
        case 5u, 7u, 15u, 17u, 25u, 27u: { return 0u; }
        case 21u, 33u: { return 1u; }
        case 13u, 23u: { return 2u; }
        default: { return 3u; }
    }
}

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let segment = segment_of(item_of(id, n_groups));
    let y = i32(segment.line);
    var begin = segment.begin;
    while begin < segment.end {
        let label = labels[segment.row + begin];
        let slot = slot_of(label);
        let end = run_end(segment, begin);
        if slot < p.n_labels {
            var counts = array<u32, N_COUNTS>();
            for (var at = begin; at < end; at++) {
                let x = i32(at);
                let west = label_at(y, x - 1) == label;
                let north_west = label_at(y - 1, x - 1) == label;
                let north = label_at(y - 1, x) == label;
                let north_east = label_at(y - 1, x + 1) == label;
                counts[0] += u32(!west);
                counts[1] += u32(!north);
                counts[2] += u32(!north_east);
                counts[3] += u32(!north_west);
                // Corners of the pixel that no earlier pixel of the object has.
                counts[4] += u32(!(west || north_west || north)) + u32(!(north || north_east));
                let inside = west && north && label_at(y, x + 1) == label && label_at(y + 1, x) == label;
                if !inside {
                    let kind = class_of(label, y, x);
                    if kind < 3u {
                        counts[5u + kind]++;
                    }
                }
            }
            for (var i = 0u; i < N_COUNTS; i++) {
                if counts[i] != 0u {
                    add(2u * (slot * N_COUNTS + i), wide(counts[i]));
                }
            }
        }
        begin = end;
    }
}
