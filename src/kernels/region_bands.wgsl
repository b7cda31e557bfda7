// What kernels over labels share: a band of rows of an image (those of a stack plane by plane), worked on in segments. A segment's
// pixels are joined into runs first: one atomic per run and sum instead of one per pixel.

struct Parameters {
    width: u32,
    // Rows of a plane.
    height: u32,
    // Rows of the image: the first one in the buffer, how many those are, the first one to count and how many.
    start: u32,
    n_held: u32,
    first: u32,
    n_rows: u32,
    // Labels to count: others, and the background, belong to another launch.
    first_label: u32,
    n_labels: u32,
}

const SEGMENT: u32 = 64u;

@group(0) @binding(0) var<uniform> p: Parameters;
@group(0) @binding(1) var<storage, read> labels: array<u32>;

struct Segment {
    // Counted through all planes.
    line: u32,
    // Place of the row in the buffer.
    row: u32,
    begin: u32,
    end: u32,
}

// Empty for invocations beyond the last segment.
fn segment_of(item: u32) -> Segment {
    let n_segments = (p.width + SEGMENT - 1u) / SEGMENT;
    if item >= n_segments * p.n_rows {
        return Segment(0u, 0u, 0u, 0u);
    }
    let line = p.first + item / n_segments;
    let begin = item % n_segments * SEGMENT;
    return Segment(line, (line - p.start) * p.width, begin, min(begin + SEGMENT, p.width));
}

// Where the run that begins at `x` ends.
fn run_end(segment: Segment, x: u32) -> u32 {
    let label = labels[segment.row + x];
    var end = x + 1u;
    while end < segment.end && labels[segment.row + end] == label {
        end++;
    }
    return end;
}

// The place of a label among those that are counted; `n_labels` or more for all others.
fn slot_of(label: u32) -> u32 {
    return label - p.first_label;
}
