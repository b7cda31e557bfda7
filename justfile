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

# The picture of the report in the README and the book.
screenshot:
    cargo run --release -- datasets/blobs.csv -q -o target/screenshot --overwrite
    chromium --headless --no-sandbox --hide-scrollbars --window-size=1366,768 --virtual-time-budget=4000 --screenshot=book/src/report.png "file://$PWD/target/screenshot/report.html"

# Writes what the programs print now into the book, the README and beside the examples: read the diff.
bless:
    EXPLORE_BLESS=1 cargo test --release -- book:: examples::
