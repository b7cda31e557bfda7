//! Label and intensity images: reading, writing, tiles.
