//! Which features separate the groups.
