//! The examples as a reader runs them, and what they print.

use std::process::Command;

/// Beside this test's binary, where `cargo test` puts them.
fn run(name: &str) -> String {
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_explore")).parent().unwrap();
    let output = Command::new(folder.join("examples").join(name))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap_or_else(|e| panic!("{name}: {e}; `cargo test` builds the examples"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_table_becomes_a_report() {
    let printed = run("01_table_to_report");
    assert!(printed.starts_with("2 groups, repeatable."), "{printed}");
    assert!(printed.contains("group 1: 39 objects\ngroup 2: 22 objects\n"), "{printed}");
}

#[test]
fn pixels_become_a_table() {
    let printed = run("02_pixels_to_table");
    assert!(printed.contains("of 61 true objects found"), "{printed}");
}

#[test]
fn linfa_and_polariscope_share_their_datasets() {
    assert_eq!(run("03_with_linfa"), "21 features projected to 6: ARI 0.93\n");
}
