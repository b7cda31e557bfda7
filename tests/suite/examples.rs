//! The examples as a reader runs them, and what they print: `examples/NN_name.txt` beside each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An example is something to read in a minute.
const MAX_LINES: usize = 40;

/// The numbered examples, in order.
pub fn numbered() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|file| {
        let name = file.file_name().unwrap().to_string_lossy();
        name.starts_with(|c: char| c.is_ascii_digit()) && name.ends_with(".rs")
    });
    files.sort();
    files
}

/// Beside this test's binary, where `cargo test` puts them.
fn run(name: &str) -> String {
    let folder = Path::new(env!("CARGO_BIN_EXE_explore")).parent().unwrap();
    let output = Command::new(folder.join("examples").join(name))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap_or_else(|e| panic!("{name}: {e}; `cargo test` builds the examples"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_example_prints_what_stands_beside_it() {
    let examples = numbered();
    assert!(examples.len() >= 12, "{examples:?}");
    let mut wrong = Vec::new();
    for (file, number) in examples.iter().zip(1..) {
        let name = file.file_stem().unwrap().to_string_lossy();
        assert!(name.starts_with(&format!("{number:02}_")), "{name} is not number {number}");
        let printed = run(&name);
        let beside = file.with_extension("txt");
        if super::book::blessing() {
            fs::write(&beside, &printed).unwrap();
        }
        let expected = fs::read_to_string(&beside).unwrap_or_default();
        if printed != expected {
            wrong.push(format!("{name} printed\n{printed}but beside it stands\n{expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn examples_are_short() {
    for file in numbered() {
        let n_lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(n_lines < MAX_LINES, "{}: {n_lines} lines", file.display());
    }
}
