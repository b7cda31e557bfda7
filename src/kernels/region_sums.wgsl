// Labels become sums of coordinate powers and boxes; see region_sums.rs for what they mean.

// Powers of each coordinate: 4, or 3 for moments up to the second order; 1 along z in a plane.
override POWERS: u32 = 3u;
override Z_POWERS: u32 = 1u;

// Per label: the largest of -z - 1, z, -y - 1, y, -x - 1, x. Complements turn the least into the largest, and 0 into
// no pixel yet.
@group(0) @binding(3) var<storage, read_write> boxes: array<atomic<u32>>;

fn add_run(slot: u32, line: u32, x: u32, n: u32) {
    let z = line / p.height;
    let y = line % p.height;
    // Sums of the powers of 0, 1, .. n - 1; below 2^32 for a segment.
    let s1 = n * (n - 1u) / 2u;
    let s2 = s1 * (2u * n - 1u) / 3u;
    let s3 = s1 * s1;
    // From the first pixel of the run to the first of the image: (x + i)^k by the binomial formula.
    let x2 = product(x, x);
    let x3 = times(x2, wide(x));
    var along = array<vec2u, 4>(
        wide(n),
        plus(product(n, x), wide(s1)),
        plus(plus(times(wide(n), x2), product(2u * s1, x)), wide(s2)),
        plus(plus(times(wide(n), x3), times(wide(3u * s1), x2)), plus(product(3u * s2, x), wide(s3))),
    );
    var power_z = wide(1u);
    for (var k = 0u; k < Z_POWERS; k++) {
        var power = power_z;
        for (var j = 0u; j < POWERS; j++) {
            for (var i = 0u; i < POWERS; i++) {
                if POWERS == 4u || i + j + k < 3u {
                    let entry = ((slot * Z_POWERS + k) * POWERS + j) * POWERS + i;
                    add(2u * entry, times(power, along[i]));
                }
            }
            power = times(power, wide(y));
        }
        power_z = times(power_z, wide(z));
    }
    let box = 6u * slot;
    atomicMax(&boxes[box], ~z);
    atomicMax(&boxes[box + 1u], z);
    atomicMax(&boxes[box + 2u], ~y);
    atomicMax(&boxes[box + 3u], y);
    atomicMax(&boxes[box + 4u], ~x);
    atomicMax(&boxes[box + 5u], x + n - 1u);
}

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let segment = segment_of(item_of(id, n_groups));
    var x = segment.begin;
    while x < segment.end {
        let slot = slot_of(labels[segment.row + x]);
        let end = run_end(segment, x);
        if slot < p.n_labels {
            add_run(slot, segment.line, x, end - x);
        }
        x = end;
    }
}
