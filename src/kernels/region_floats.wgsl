// Labels and single precision values become sums without rounding; see `ExactSum` in region_intensity.rs.
//
// A number is m 2^e with 53 bits of m, as the double of the same value has it. Sums keep four words for each multiple
// of 32 that e may have; values beside each other in a run mostly share it. Per label: how many values are not
// numbers, the largest complement and the largest of the keys that order as values do, the sum, the sum of squares.

const N_SUMS: u32 = 10u;
const N_SQUARES: u32 = 18u;
const N_WORDS: u32 = 3u + 4u * (N_SUMS + N_SQUARES);
const NOWHERE: u32 = 0xffffffffu;

@group(0) @binding(3) var<storage, read> values: array<u32>;

// A sum on its way: where it belongs, and its bits.
struct Part {
    at: u32,
    sum: vec4u,
}

fn plus4(a: vec4u, b: vec4u) -> vec4u {
    let low = plus(a.xy, b.xy);
    let carry = u32(low.y < a.y || (low.y == a.y && low.x < a.x));
    return vec4u(low, plus(plus(a.zw, b.zw), wide(carry)));
}

fn minus4(a: vec4u) -> vec4u {
    return plus4(~a, vec4u(1u, 0u, 0u, 0u));
}

// Two words moved up by less than 64.
fn moved_up(value: vec2u, by: u32) -> vec4u {
    let bits = by & 31u;
    var moved = vec3u(value, 0u);
    if bits != 0u {
        let down = 32u - bits;
        moved = vec3u(value.x << bits, (value.y << bits) | (value.x >> down), value.y >> down);
    }
    return select(vec4u(moved, 0u), vec4u(0u, moved), by >= 32u);
}

fn flush(part: Part) {
    if part.at == NOWHERE {
        return;
    }
    var carry = 0u;
    for (var i = 0u; i < 4u; i++) {
        let value = part.sum[i] + carry;
        let lost = u32(value < carry);
        let before = atomicAdd(&sums[part.at + i], value);
        carry = lost + u32(before + value < before);
    }
}

// The part with a value more; what belongs elsewhere goes to memory first.
fn joined(part: Part, at: u32, value: vec4u) -> Part {
    if part.at == at {
        return Part(at, plus4(part.sum, value));
    }
    flush(part);
    return Part(at, value);
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
            let first = slot * N_WORDS;
            var n_odd = 0u;
            var least = 0xffffffffu;
            var largest = 0u;
            var sum = Part(NOWHERE, vec4u());
            var squares = Part(NOWHERE, vec4u());
            for (var x = begin; x < end; x++) {
                let bits = values[row + x];
                let exponent = (bits >> 23u) & 255u;
                if exponent == 255u {
                    n_odd++;
                    continue;
                }
                let key = bits ^ select(0x80000000u, 0xffffffffu, (bits >> 31u) == 1u);
                least = min(least, key);
                largest = max(largest, key);
                var mantissa = bits & 0x7fffffu;
                if exponent == 0u && mantissa == 0u {
                    continue;
                }
                // 24 bits, the first one set; `power` is e + 224, never negative.
                var power = i32(exponent) + 45;
                if exponent == 0u {
                    let missing = countLeadingZeros(mantissa) - 8u;
                    mantissa <<= missing;
                    power = 46 - i32(missing);
                } else {
                    mantissa |= 0x800000u;
                }
                let place = u32(power) >> 5u;
                var value = moved_up(wide(mantissa), 29u + (u32(power) & 31u));
                if (bits >> 31u) == 1u {
                    value = minus4(value);
                }
                sum = joined(sum, first + 3u + 4u * place, value);
                // Of 106 bits of the square the upper 53 belong to 2 e + 53; the lower ones are 0.
                let power2 = u32(2 * (power - 224) + 53 + 352);
                let square = moved_up(product(mantissa, mantissa), 5u + (power2 & 31u));
                squares = joined(squares, first + 3u + 4u * (N_SUMS + (power2 >> 5u)), square);
            }
            flush(sum);
            flush(squares);
            if n_odd > 0u {
                atomicAdd(&sums[first], n_odd);
            }
            atomicMax(&sums[first + 1u], ~least);
            atomicMax(&sums[first + 2u], largest);
        }
        begin = end;
    }
}
