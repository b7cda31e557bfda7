// Labels become sums of coordinate powers and boxes; see region_sums.rs for what they mean.

// Powers of each coordinate: 4, or 3 for moments up to the second order.
override POWERS: u32 = 3u;

// Per label: the largest of -y - 1, y, -x - 1, x. Complements turn the least into the largest, and 0 into no pixel yet.
@group(0) @binding(3) var<storage, read_write> boxes: array<atomic<u32>>;

fn add_run(slot: u32, y: u32, x: u32, n: u32) {
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
    var power = wide(1u);
    for (var j = 0u; j < POWERS; j++) {
        for (var i = 0u; i < POWERS; i++) {
            if POWERS == 4u || i + j < 3u {
                add(2u * ((slot * POWERS + j) * POWERS + i), times(power, along[i]));
            }
        }
        power = times(power, wide(y));
    }
    atomicMax(&boxes[4u * slot], ~y);
    atomicMax(&boxes[4u * slot + 1u], y);
    atomicMax(&boxes[4u * slot + 2u], ~x);
    atomicMax(&boxes[4u * slot + 3u], x + n - 1u);
}

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let segment = segment_of(item_of(id, n_groups));
    var x = segment.begin;
    while x < segment.end {
        let slot = slot_of(labels[segment.row + x]);
        let end = run_end(segment, x);
        if slot < p.n_labels {
            add_run(slot, segment.y, x, end - x);
        }
        x = end;
    }
}
