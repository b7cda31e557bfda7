// Numbers rounded as IEEE 754 has it, in whole numbers: for what devices may round otherwise (quotients, roots, fused
// sums, numbers below the normal ones) or do not know at all (doubles). There is no infinity and no NaN.

// Its value is bits * 2^(exponent - 61). The first bit is bit 61, but 0 has none; what was lost below bit 0 is
// remembered there.
struct Exact {
    bits: vec2u,
    exponent: i32,
    is_negative: bool,
}

fn normal(bits: vec2u, exponent: i32, is_negative: bool) -> Exact {
    if (bits.x | bits.y) == 0u {
        return Exact(bits, 0, false);
    }
    let zeros = select(countLeadingZeros(bits.y), 32u + countLeadingZeros(bits.x), bits.y == 0u);
    let up = zeros - 2u;
    return Exact(raised(bits, up), exponent - i32(up), is_negative);
}

fn exact(value: f32) -> Exact {
    let word = bitcast<u32>(value);
    let stored = i32((word >> 23u) & 0xffu);
    // Numbers below the normal ones have no hidden bit.
    let mantissa = (word & 0x7fffffu) | select(0x800000u, 0u, stored == 0);
    return normal(vec2u(0u, mantissa << 6u), max(stored, 1) - 127, (word >> 31u) == 1u);
}

// A double of normal size, the low word first.
fn exact_double(word: vec2u) -> Exact {
    if (word.x | (word.y << 1u)) == 0u {
        return Exact(vec2u(0u), 0, false);
    }
    // 53 bits, the first at 52, moved up by 9.
    let high = (word.y & 0xfffffu) | 0x100000u;
    let bits = vec2u(word.x << 9u, (high << 9u) | (word.x >> 23u));
    return Exact(bits, i32((word.y >> 20u) & 0x7ffu) - 1023, (word.y >> 31u) == 1u);
}

fn negated(a: Exact) -> Exact {
    return Exact(a.bits, a.exponent, !a.is_negative);
}

// The mantissa of a single, its first bit at 23.
fn mantissa_of(a: Exact) -> u32 {
    return a.bits.y >> 6u;
}

// Of singles.
fn product_of(a: Exact, b: Exact) -> Exact {
    let bits = raised(product(mantissa_of(a), mantissa_of(b)), 14u);
    return normal(bits, a.exponent + b.exponent + 1, a.is_negative != b.is_negative);
}

fn sum_of(one: Exact, other: Exact) -> Exact {
    var a = one;
    var b = other;
    if (b.bits.x | b.bits.y) == 0u {
        return a;
    }
    let is_swapped = a.exponent < b.exponent || (a.exponent == b.exponent && is_below(a.bits, b.bits));
    if (a.bits.x | a.bits.y) == 0u || is_swapped {
        a = other;
        b = one;
    }
    let small = lowered(b.bits, u32(a.exponent - b.exponent));
    if a.is_negative != b.is_negative {
        return normal(minus(a.bits, small), a.exponent, a.is_negative);
    }
    let bits = plus(a.bits, small);
    let carry = bits.y >> 30u;
    return Exact(lowered(bits, carry), a.exponent + i32(carry), a.is_negative);
}

// Of singles, none of them 0 below.
fn quotient_of(a: Exact, b: Exact) -> Exact {
    if a.bits.y == 0u {
        return a;
    }
    let divisor = mantissa_of(b);
    var rest = mantissa_of(a);
    var exponent = a.exponent - b.exponent;
    if rest < divisor {
        rest <<= 1u;
        exponent--;
    }
    var digits = 0u;
    // 24 bits, one to round by, and what is left over.
    for (var i = 0u; i < 26u; i++) {
        let fits = u32(rest >= divisor);
        rest = (rest - fits * divisor) << 1u;
        digits = (digits << 1u) | fits;
    }
    return Exact(vec2u(u32(rest != 0u), digits << 4u), exponent, a.is_negative != b.is_negative);
}

// Of a single that is not negative.
fn root_of(a: Exact) -> Exact {
    let is_odd = u32(a.exponent & 1);
    // Its first bit at 31, or at 30 in front of an even exponent; two of its bits make one of the root.
    var radicand = (mantissa_of(a) << is_odd) << 7u;
    var root = 0u;
    var rest = 0u;
    for (var i = 0u; i < 26u; i++) {
        rest = (rest << 2u) | (radicand >> 30u);
        radicand <<= 2u;
        let trial = (root << 2u) | 1u;
        let fits = u32(rest >= trial);
        rest -= fits * trial;
        root = (root << 1u) | fits;
    }
    return normal(vec2u(u32(rest != 0u), root << 4u), (a.exponent - i32(is_odd)) / 2, false);
}

// Rounded to the 53 bits of a double, halves to even.
fn double(a: Exact) -> Exact {
    let below = a.bits.x & 511u;
    let up = u32(below > 256u || (below == 256u && (a.bits.x & 512u) != 0u));
    let bits = plus(vec2u(a.bits.x - below, a.bits.y), wide(up << 9u));
    let carry = bits.y >> 30u;
    return Exact(lowered(bits, carry), a.exponent + i32(carry), a.is_negative);
}

// Rounded to a single, halves to even.
fn single(a: Exact) -> f32 {
    // Below the normal numbers places are missing.
    let bits = lowered(a.bits, u32(max(-126 - a.exponent, 0)));
    let half = (bits.y >> 5u) & 1u;
    let rest = u32((bits.y & 31u) != 0u || bits.x != 0u);
    let kept = bits.y >> 6u;
    // A carry out of the mantissa raises the exponent by itself.
    let word = u32(max(a.exponent, -126) + 126) * 0x800000u + kept + (half & (rest | (kept & 1u)));
    let is_zero = (a.bits.x | a.bits.y) == 0u;
    return bitcast<f32>(select(word | (u32(a.is_negative) << 31u), 0u, is_zero));
}

fn minus(a: vec2u, b: vec2u) -> vec2u {
    return vec2u(a.x - b.x, a.y - b.y - u32(a.x < b.x));
}

fn is_below(a: vec2u, b: vec2u) -> bool {
    return a.y < b.y || (a.y == b.y && a.x < b.x);
}

fn raised(value: vec2u, by: u32) -> vec2u {
    if by == 0u {
        return value;
    }
    if by >= 32u {
        return vec2u(0u, value.x << (by - 32u));
    }
    return vec2u(value.x << by, (value.y << by) | (value.x >> (32u - by)));
}

// Moved down, what is lost remembered in the last bit.
fn lowered(value: vec2u, by: u32) -> vec2u {
    if by == 0u {
        return value;
    }
    if by >= 62u {
        return vec2u(u32((value.x | value.y) != 0u), 0u);
    }
    if by >= 32u {
        let lost = value.x != 0u || (value.y & ((1u << (by - 32u)) - 1u)) != 0u;
        return vec2u((value.y >> (by - 32u)) | u32(lost), 0u);
    }
    let lost = (value.x & ((1u << by) - 1u)) != 0u;
    return vec2u((value.x >> by) | (value.y << (32u - by)) | u32(lost), value.y >> by);
}
