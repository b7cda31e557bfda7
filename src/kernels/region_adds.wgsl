// Sums in memory that any invocation may add to, two words each: exact in every order of additions.

@group(0) @binding(2) var<storage, read_write> sums: array<atomic<u32>>;

fn add(at: u32, value: vec2u) {
    let before = atomicAdd(&sums[at], value.x);
    let high = value.y + u32(before + value.x < before);
    if high != 0u {
        atomicAdd(&sums[at + 1u], high);
    }
}
