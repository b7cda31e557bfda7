// The inner part of an image, word by word: what a margin was needed for. The raster is that of the part.

@group(0) @binding(1) var<storage, read> whole: array<u32>;
// The first pixel of the part, and the steps from row to row and from layer to layer of the whole.
@group(0) @binding(2) var<storage, read> strides: array<u32>;
@group(0) @binding(3) var<storage, read_write> cropped: array<u32>;

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
    let at = item_of(id, n_groups);
    if at < n_pixels() {
        let place = place_of(at);
        cropped[at] = whole[strides[0] + place.x + place.y * strides[1] + place.z * strides[2]];
    }
}
