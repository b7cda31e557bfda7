// What all kernels share: the number of an invocation, and numbers of 64 bits as two words, the low one first.
// Sums and products are modulo 2^64, so that they do not depend on order.

override GROUP: u32 = 64u;

fn item_of(id: vec3u, n_groups: vec3u) -> u32 {
    return id.y * n_groups.x * GROUP + id.x;
}

fn wide(value: u32) -> vec2u {
    return vec2u(value, 0u);
}

fn plus(a: vec2u, b: vec2u) -> vec2u {
    let low = a.x + b.x;
    return vec2u(low, a.y + b.y + u32(low < a.x));
}

fn product(a: u32, b: u32) -> vec2u {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let left = (a >> 16u) * (b & 0xffffu);
    let right = (a & 0xffffu) * (b >> 16u);
    let middle = (low >> 16u) + (left & 0xffffu) + (right & 0xffffu);
    let high = (a >> 16u) * (b >> 16u) + (left >> 16u) + (right >> 16u) + (middle >> 16u);
    return vec2u((middle << 16u) | (low & 0xffffu), high);
}

fn times(a: vec2u, b: vec2u) -> vec2u {
    let low = product(a.x, b.x);
    return vec2u(low.x, low.y + a.x * b.y + a.y * b.x);
}
