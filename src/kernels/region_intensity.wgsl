// Labels and values become exact sums; see region_intensity.rs for what they mean.
//
// Values of 8, 16 or 32 bits lie beside each other in words; the first of them is that of the first row to count.
// Per label: the sum (two words), the sum of squares (three), the largest complement and the largest value.

override BITS: u32 = 16u;
const N_WORDS: u32 = 7u;

@group(0) @binding(3) var<storage, read> values: array<u32>;

fn value_at(at: u32) -> u32 {
    let in_word = 32u / BITS;
    return extractBits(values[at / in_word], at % in_word * BITS, BITS);
}

// Adds three words, carrying by hand.
fn add3(at: u32, value: vec3u) {
    let before = atomicAdd(&sums[at], value.x);
    let middle = value.y + u32(before + value.x < before);
    let lost = u32(middle < value.y);
    let between = atomicAdd(&sums[at + 1u], middle);
    let high = value.z + lost + u32(between + middle < between);
    if high != 0u {
        atomicAdd(&sums[at + 2u], high);
    }
}

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let segment = segment_of(item_of(id, n_groups));
    let row = (segment.line - p.first) * p.width;
    var begin = segment.begin;
    while begin < segment.end {
        let slot = slot_of(labels[segment.row + begin]);
        let end = run_end(segment, begin);
        if slot < p.n_labels {
            var sum = vec2u();
            var squares = vec3u();
            var least = 0xffffffffu;
            var largest = 0u;
            for (var x = begin; x < end; x++) {
                let value = value_at(row + x);
                sum = plus(sum, wide(value));
                let square = product(value, value);
                let low = plus(squares.xy, square);
                let carry = u32(low.y < square.y || (low.y == square.y && low.x < square.x));
                squares = vec3u(low, squares.z + carry);
                least = min(least, value);
                largest = max(largest, value);
            }
            let at = slot * N_WORDS;
            add(at, sum);
            add3(at + 2u, squares);
            atomicMax(&sums[at + 5u], ~least);
            atomicMax(&sums[at + 6u], largest);
        }
        begin = end;
    }
}
