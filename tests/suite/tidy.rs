//! The invariants of ARCHITECTURE.md that a machine can check.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules in reading order: a module imports only from itself and from those before it.
const ORDER: [&str; 20] = [
    "error",
    "output",
    "progress",
    "seed",
    "backend",
    "kernels",
    "image",
    "segment",
    "regions",
    "table",
    "embed",
    "cluster",
    "classify",
    "explain",
    "apoc",
    "select",
    "stability",
    "report",
    "walkthrough",
    "cli",
];
/// A file longer than this is two rooms.
const MAX_LINES: usize = 600;
/// Calls that only the command may make.
const COMMAND_ONLY: [&str; 7] = [
    "println!",
    "eprintln!",
    "print!(",
    "std::env::",
    "Instant::now",
    "SystemTime::now",
    "stdin()",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if entry.is_dir() {
            files.extend(rust_files(&entry));
        } else if entry.extension().is_some_and(|e| e == "rs") {
            files.push(entry);
        }
    }
    files.sort();
    files
}

/// Whether the file is a module of tests: its parent declares it under `#[cfg(test)]`.
fn is_test(file: &Path) -> bool {
    let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
    let declaration = format!("#[cfg(test)]\nmod {stem};");
    let folder = file.parent().unwrap();
    [folder.join("mod.rs"), folder.with_extension("rs")]
        .iter()
        .filter_map(|parent| fs::read_to_string(parent).ok())
        .any(|text| text.contains(&declaration))
}

/// `src/embed/umap/graph.rs` -> `embed`.
fn module_of(file: &Path) -> String {
    let inside = file.strip_prefix(root().join("src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The code of a file without its tests and its comments.
fn code_of(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn imports_point_up_the_page() {
    let mut wrong = Vec::new();
    for file in rust_files(&root().join("src")) {
        let module = module_of(&file);
        let Some(place) = ORDER.iter().position(|m| *m == module) else {
            assert!(["lib", "main"].contains(&module.as_str()), "{} has no place", file.display());
            continue;
        };
        for other in &ORDER[place + 1..] {
            if code_of(&file).contains(&format!("crate::{other}::")) && module != "cli" {
                wrong.push(format!("{} imports {other}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut wrong = Vec::new();
    for folder in ["src", "tests", "benches", "examples"] {
        for file in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(&file).unwrap();
            if text.lines().count() > MAX_LINES {
                wrong.push(format!("{}: {} lines", file.display(), text.lines().count()));
            }
            if !text.starts_with("//!") {
                wrong.push(format!("{}: no //! line that says what it is", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_command_prints_and_looks_around() {
    let mut wrong = Vec::new();
    for file in rust_files(&root().join("src")) {
        if ["cli", "main"].contains(&module_of(&file).as_str()) || is_test(&file) {
            continue;
        }
        let code = code_of(&file);
        for call in COMMAND_ONLY.iter().filter(|call| code.contains(**call)) {
            wrong.push(format!("{}: {call}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A build without the GPU has the same surface, chosen in one place.
#[test]
fn only_the_backend_knows_whether_there_is_a_gpu() {
    for file in rust_files(&root().join("src")) {
        let n = fs::read_to_string(&file).unwrap().matches("feature = \"gpu\"").count();
        let allowed = if file.ends_with("src/backend/mod.rs") { 2 } else { 0 };
        assert_eq!(n, allowed, "{}", file.display());
    }
}

#[test]
fn names_say_what_things_are() {
    for file in rust_files(&root().join("src")) {
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(
            !["utils", "util", "helpers", "helper", "common", "misc"].contains(&stem.as_str()),
            "{} names nothing",
            file.display()
        );
    }
}
