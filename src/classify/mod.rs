//! Random forests that give the same answer every time, their validation and their model files.
