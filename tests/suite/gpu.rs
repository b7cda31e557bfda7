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
    let files = |arguments: &[&str], ending: &str| {
        let written = ["gpu", "cpu"].map(|backend| {
            let file = format!("{backend}.{ending}");
            on(&here, backend, &[arguments, &["-o", &file, "--overwrite"]].concat());
            fs::read(here.join(file)).unwrap()
        });
        assert!(written[0] == written[1], "{arguments:?}");
    };
    stack(&here.join("stack.npy"));
    for method in ["voronoi-otsu", "gauss-otsu", "otsu"] {
        files(&["segment", &image, "--method", method], "tif");
        files(&["segment", "stack.npy", "--method", method, "--exclude-edges"], "tif");
        files(&["segment", &image, "--method", method, "--tile", "70"], "tif");
    }
    // From labels, and from raw pixels.
    for arguments in [&[&labels[..], "--image", &image][..], &[&image]] {
        let folders = ["gpu", "cpu"].map(|backend| {
            let out = format!("walk_{backend}");
            let how = ["-o", &out, "--runs", "3", "--overwrite"];
            on(&here, backend, &[arguments, &how].concat());
            here.join(out)
        });
        for file in ["objects.csv", "features.csv", "summary.json", "model.json"] {
            let [gpu, cpu] = folders.each_ref().map(|folder| fs::read(folder.join(file)).unwrap());
            assert!(gpu == cpu, "{file} of {arguments:?}");
        }
    }
}

/// A stack of bright balls in a box, as npy.
fn stack(path: &Path) {
    let extent = [18usize, 30, 33];
    let mut header = format!(
        "{{'descr': '|u1', 'fortran_order': False, 'shape': ({}, {}, {}), }}",
        extent[0], extent[1], extent[2]
    );
    header += &" ".repeat(63 - (10 + header.len()) % 64);
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    for i in 0..extent.iter().product::<usize>() {
        let place = [i / (30 * 33), i / 33 % 30, i % 33];
        let off = place.map(|x| (x % 11).abs_diff(5).pow(2)).iter().sum::<usize>();
        bytes.push(200u8.saturating_sub(8 * off.min(30) as u8) / if off > 16 { 8 } else { 1 });
    }
    fs::write(path, bytes).unwrap();
}

#[test]
fn classifiers_of_pixels_have_the_bytes_of_the_cpu() {
    let here = folder("gpu_apoc");
    if !has_adapter(&here) {
        return;
    }
    let (image, marks) = (dataset("blobs.tif"), dataset("blobs_pixel_annotation.tif"));
    for (kind, features) in [
        ("pixel-classifier", "object_size_1_to_5_px"),
        ("object-segmenter", "original sobel_of_gaussian_blur=2 laplace_diamond=0"),
        ("probability-mapper", "gaussian_blur=3 difference_of_gaussian=2"),
    ] {
        let trained = ["--features", features, "--annotation", &marks, "--overwrite"];
        let train = ["apoc", "train", kind, "--image", &image, "-o", "model.cl", "--n-trees", "20"];
        on(&here, "cpu", &[&train[..], &trained].concat());
        let written = ["gpu", "cpu"].map(|backend| {
            let file = format!("{backend}.tif");
            let predict = ["apoc", "predict", "model.cl", "--image", &image, "-o", &file];
            on(&here, backend, &[&predict[..], &["--overwrite"]].concat());
            fs::read(here.join(file)).unwrap()
        });
        assert!(written[0] == written[1], "{kind}");
    }
}

#[test]
fn a_map_from_a_device_is_as_good() {
    let here = folder("gpu_map");
    if !has_adapter(&here) {
        return;
    }
    let map = |method: &str, backend: &str| {
        let embed =
            ["embed", method, &dataset("blobs.csv"), "-o", "map.csv", "--overwrite", "--json"];
        let quality: serde_json::Value = serde_json::from_str(&on(&here, backend, &embed)).unwrap();
        (quality, fs::read(here.join("map.csv")).unwrap())
    };
    for (method, qualities) in
        [("tsne", &["trustworthiness", "kl_divergence"][..]), ("umap", &["trustworthiness"])]
    {
        let (gpu, cpu) = (map(method, "gpu"), map(method, "cpu"));
        for name in qualities {
            let [gpu, cpu] = [&gpu, &cpu].map(|(quality, _)| quality[name].as_f64().unwrap());
            assert!((gpu - cpu).abs() < 0.02, "{method}, {name}: {gpu}, not {cpu}");
        }
        assert!(gpu.1 != cpu.1, "{method}: the device had no part in it");
        assert!(gpu.1 == map(method, "gpu").1, "{method}: another map on the same adapter");
    }
}

#[test]
fn classes_of_rows_have_the_bytes_of_the_cpu() {
    let here = folder("gpu_rows");
    if !has_adapter(&here) {
        return;
    }
    let groups = ["cluster", "kmeans", &dataset("blobs.csv"), "-k", "3", "-o", "groups.csv"];
    on(&here, "cpu", &groups);
    let train = ["apoc", "train", "table-row-classifier", "--table", "groups.csv", "-o", "rows.cl"];
    let how = ["--target", "cluster", "--features", "area,solidity,intensity_mean"];
    on(&here, "cpu", &[&train[..], &how].concat());
    let written = ["gpu", "cpu"].map(|backend| {
        let file = format!("{backend}.csv");
        on(&here, backend, &["apoc", "predict", "rows.cl", "--table", "groups.csv", "-o", &file]);
        fs::read_to_string(here.join(file)).unwrap()
    });
    assert!(written[0] == written[1]);
    assert!(written[0].starts_with("label,") && written[0].contains("prediction"));
}

#[test]
fn what_a_gpu_does_not_do_is_one_sentence() {
    let here = folder("no_gpu");
    let gpu = |arguments: &[&str]| {
        explore(&here).args(arguments).args(["--backend", "gpu"]).output().unwrap()
    };
    let nothing = "nothing that this command does with a table runs on a GPU";
    refused(&gpu(&["describe", &dataset("blobs.csv")]), nothing);
    refused(&gpu(&["embed", "pca", &dataset("blobs.csv")]), nothing);
    refused(&gpu(&["train", &dataset("blobs.csv"), "--target", "label", "-o", "m.json"]), nothing);
    refused(&gpu(&["columns"]), "reads no image and no table");
    refused(&gpu(&[&dataset("blobs.csv")]), nothing);
    let labels = dataset("blobs_labels.tif");
    refused(&gpu(&["compare", &labels, &labels]), "labels are compared on the CPU");
    let train = ["apoc", "train", "pixel-classifier", "--image", &labels, "-o", "m.cl"];
    refused(&gpu(&train), "only trained classifiers of pixels and of table rows run on a GPU");
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
