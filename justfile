# What continuous integration runs, without installing anything.
check:
    cargo test --release
    cargo clippy --release --all-targets -- -D warnings
    cargo fmt --check
    RUSTDOCFLAGS="-D warnings" cargo doc --release --no-deps
