//! The command on a graphics card gives the bytes of the command on the processor, or says why not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn dataset(name: &str) -> String {
    format!("{}/datasets/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn explore(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_explore"));
    command.current_dir(folder);
    command
}

fn on(folder: &Path, backend: &str, arguments: &[&str]) -> String {
    let output = explore(folder).args(arguments).args(["--backend", backend]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(output: &Output, words: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains(words), "{errors}");
    assert!(output.stdout.is_empty());
}

/// Whether there is an adapter; without one there must be none that was required.
fn has_adapter(folder: &Path) -> bool {
    let doctor = explore(folder).args(["doctor", "--json"]).output().unwrap();
    let doctor: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let adapters = doctor["adapters"].as_array().unwrap();
    if let Some(adapter) = adapters.first() {
        assert!(adapter["name"].is_string() && adapter["max_binding_bytes"].as_u64() > Some(0));
        return true;
    }
    assert!(std::env::var("EXPLORE_GPU").map_or(true, |v| v != "require"), "no adapter");
    println!("skipped: no adapter");
    false
}

#[test]
fn outputs_have_the_bytes_of_the_cpu() {
    let here = folder("gpu");
    if !has_adapter(&here) {
        return;
    }
    let (labels, image) = (dataset("blobs_labels.tif"), dataset("blobs.tif"));
    let same = |arguments: &[&str]| {
        assert_eq!(on(&here, "gpu", arguments), on(&here, "cpu", arguments), "{arguments:?}");
    };
    same(&["measure", &labels, "--image", &image]);
    same(&[
        "measure",
        &labels,
        "--properties",
        "core,moments_hu",
        "--spacing",
        "0.3,0.5",
        "--json",
    ]);
    same(&["describe", &labels]);
    same(&["embed", "umap", &dataset("blobs.csv")]);
    same(&["embed", "tsne", &dataset("blobs.csv"), "--metric", "cosine"]);
    for method in ["voronoi-otsu", "gauss-otsu", "otsu"] {
        let written = ["gpu", "cpu"].map(|backend| {
            let file = format!("{method}_{backend}.tif");
            on(&here, backend, &["segment", &image, "-o", &file, "--method", method]);
            fs::read(here.join(file)).unwrap()
        });
        assert!(written[0] == written[1], "{method}");
    }
    let folders = ["gpu", "cpu"].map(|backend| {
        let out = format!("from_pixels_{backend}");
        on(&here, backend, &[&labels, "--image", &image, "-o", &out, "--runs", "3"]);
        here.join(out)
    });
    for file in ["objects.csv", "features.csv", "summary.json", "model.json"] {
        let [gpu, cpu] = folders.each_ref().map(|folder| fs::read(folder.join(file)).unwrap());
        assert!(gpu == cpu, "{file}");
    }
}

#[test]
fn what_a_gpu_does_not_do_is_one_sentence() {
    let here = folder("no_gpu");
    let gpu = |arguments: &[&str]| {
        explore(&here).args(arguments).args(["--backend", "gpu"]).output().unwrap()
    };
    let nothing = "nothing that this command does with a table runs on a GPU";
    refused(&gpu(&["describe", &dataset("blobs.csv")]), nothing);
    refused(&gpu(&[&dataset("blobs.csv")]), nothing);
    if has_adapter(&here) {
        let all = ["measure", &dataset("blobs_labels.tif"), "--properties", "all"];
        refused(&gpu(&all), "the GPU does not measure");
    }
    if cfg!(target_os = "linux") {
        // The loader of drivers finds none.
        let without = explore(&here)
            .args(["measure", &dataset("blobs_labels.tif"), "--backend", "gpu"])
            .env("VK_DRIVER_FILES", "/nowhere.json")
            .env("VK_ICD_FILENAMES", "/nowhere.json")
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&without.stderr).into_owned();
        refused(&without, "");
        let known = ["no graphics adapter was found", "this build has no GPU backend"];
        assert!(known.iter().any(|words| errors.contains(words)), "{errors}");
        assert!(errors.contains("--backend cpu") && !errors.contains(".tif"), "{errors}");
    }
}
