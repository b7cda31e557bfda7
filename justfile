# What continuous integration runs, without installing anything.
check:
    cargo test --release
    cargo clippy --release --all-targets -- -D warnings
    cargo fmt --check
    RUSTDOCFLAGS="-D warnings" cargo doc --release --no-deps

# The book, with pictures that its tests have drawn: open book/book/index.html.
book:
    cargo test --release --test suite book
    mdbook build book
