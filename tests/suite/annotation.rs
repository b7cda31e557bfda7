//! The main job with an annotation in place of clusters.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use polariscope::image::{Grid, LabelImage};
use polariscope::output::Existing;
use serde_json::Value;

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn dataset(name: &str) -> String {
    format!("{}/datasets/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn explore(folder: &Path, arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_explore");
    Command::new(program).args(arguments).current_dir(folder).output().unwrap()
}

fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = explore(folder, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(folder: &Path, arguments: &[&str], code: i32, words: &[&str]) {
    let output = explore(folder, arguments);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(words.iter().all(|word| message.contains(word)), "{message}");
    let left = fs::read_dir(folder).unwrap().flatten();
    assert!(left.into_iter().all(|e| !e.path().is_dir()), "nothing is left behind");
}

/// The columns of a CSV file of plain numbers and words.
fn column(file: &Path, name: &str) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let at = text.lines().next().unwrap().split(',').position(|c| c == name).unwrap();
    text.lines().skip(1).map(|line| line.split(',').nth(at).unwrap().to_owned()).collect()
}

/// The words of a screen, whose lines are broken anywhere.
fn words_of(screen: &str) -> String {
    screen.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn summary(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("summary.json")).unwrap()).unwrap()
}

/// Saves marks for the labels of the blobs.
fn mark(folder: &Path, name: &str, class: impl Fn(u32) -> u32) -> String {
    let labels = LabelImage::open(dataset("blobs_labels.tif")).unwrap();
    let marks = labels.pixels().iter().map(|&l| if l > 0 { class(l) } else { 0 }).collect();
    let path = folder.join(name);
    let marks = LabelImage::new(labels.grid().clone(), marks).unwrap();
    marks.save(&path, Existing::Overwrite).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn marked_classes_take_the_place_of_clusters() {
    let here = folder("annotation");
    let (table, labels) = (dataset("blobs.csv"), dataset("blobs_labels.tif"));
    let marks = dataset("blobs_object_annotation.tif");
    let job = [table.as_str(), "--labels", &labels, "--annotation", &marks];
    let few = ["--runs", "3", "--image"];
    let image = dataset("blobs.tif");
    let screen = done(&here, &[&job[..], &few, &[&image, "-o", "out"]].concat());
    assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
    for start in ["PCA", "UMAP", "Classes", "Features", "Forest", "Doubt", "2 classes"] {
        assert!(screen.lines().any(|line| line.starts_with(start)), "no {start} in\n{screen}");
    }
    assert!(
        words_of(&screen).contains("2 classes from marks on 20 of 61 objects (1: 13, 2: 7)"),
        "{screen}"
    );
    assert!(!screen.contains("K-means"));

    let out = here.join("out");
    let objects = out.join("objects.csv");
    let (marked, class) = (column(&objects, "annotation"), column(&objects, "cluster"));
    assert_eq!(marked.iter().filter(|mark| *mark != "0").count(), 20);
    assert!(marked.iter().zip(&class).all(|(mark, class)| mark == "0" || mark == class));
    // Nearly all of the objects that nobody marked are what they were made as.
    let truth = column(Path::new(&dataset("blobs_truth.csv")), "truth");
    let right = class.iter().zip(&truth).filter(|(c, t)| (*c == "2") == (*t == "elongated"));
    assert!(right.count() >= 58);

    let summary = summary(&out);
    assert_eq!(summary["annotation"]["marked"], serde_json::json!([13, 7]));
    let held_out = &summary["annotation"]["held_out"];
    assert_eq!((held_out["n_marks"].as_u64(), held_out["n_folds"].as_u64()), (Some(20), Some(20)));
    assert!(held_out["low"].as_f64().unwrap() < held_out["accuracy"].as_f64().unwrap());
    assert!(summary["annotation"]["shuffled_marks"]["p_value"].as_f64().unwrap() < 0.05);
    assert_eq!(summary["clusters"]["k"], 2);
    assert_eq!(summary["clusters"]["single_population"], Value::Null);
    assert!(summary["trust"]["sources"]["measurement"]["variants"][0]["moved"].is_number());
    assert!(summary["trust"]["sentence"].as_str().unwrap().contains("held-out marks"));
    assert_eq!(summary["recipe"]["annotation"], true);
    assert!(fs::read_to_string(out.join("recipe.toml")).unwrap().contains("annotation = true"));
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("Classes, and whether they can be learned"));

    // The written model says of the table what predicted_cluster says.
    done(&here, &["predict", "out/model.json", &table, "-o", "predicted.csv"]);
    assert_eq!(
        column(&here.join("predicted.csv"), "predicted"),
        column(&objects, "predicted_cluster")
    );
}

#[test]
fn threads_do_not_matter_and_an_image_is_measured_first() {
    let here = folder("annotation_threads");
    let (labels, image) = (dataset("blobs_labels.tif"), dataset("blobs.tif"));
    let marks = dataset("blobs_object_annotation.tif");
    let job = [labels.as_str(), "--image", &image, "--annotation", &marks, "--embed", "pca"];
    let json = done(&here, &[&job[..], &["--threads", "1", "-o", "one", "--json"]].concat());
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["annotation"]["numbers"], serde_json::json!([1, 2]));
    done(&here, &[&job[..], &["--threads", "7", "-o", "seven"]].concat());
    for file in ["objects.csv", "summary.json", "features.csv", "model.json"] {
        let of = |folder: &str| fs::read(here.join(folder).join(file)).unwrap();
        assert_eq!(of("one"), of("seven"), "{file}");
    }
    // The doubts alone, too.
    let screen = done(&here, &[&["stability"], &job[..]].concat());
    let words = words_of(&screen);
    assert!(words.contains("Classes") && words.contains("times 80 % of the marks"), "{screen}");
}

#[test]
fn marks_that_mean_nothing_are_not_reported() {
    let here = folder("annotation_nothing");
    // Labels are numbered by place: odd and even ones differ in nothing.
    let marks =
        mark(&here, "parity.tif", |label| if label <= 40 { 1 + 2 * (label % 2) } else { 0 });
    let (table, labels) = (dataset("blobs.csv"), dataset("blobs_labels.tif"));
    let job = [&table, "--labels", &labels, "--annotation", &marks, "--embed", "pca", "-o", "out"];
    let screen = done(&here, &job);
    let summary = summary(&here.join("out"));
    assert_eq!(summary["trust"]["light"], "red", "{screen}");
    let words = words_of(&screen);
    assert!(words.contains("Do not report these 2 classes"), "{screen}");
    assert!(words.contains("the annotation has the classes 1, 3"), "{screen}");
}

#[test]
fn annotations_that_cannot_be_used_are_refused() {
    let here = folder("annotation_wrong");
    let (table, labels) = (dataset("blobs.csv"), dataset("blobs_labels.tif"));
    let with = |marks: &str, words: &[&str]| {
        let job = [&table, "--labels", &labels, "--annotation", marks, "-o", "out"];
        refused(&here, &job, 1, words);
    };
    let small = LabelImage::new(Grid::new(&[4, 5]).unwrap(), vec![1; 20]).unwrap();
    small.save(here.join("small.tif"), Existing::Overwrite).unwrap();
    with("small.tif", &["annotation is 4 x 5", "300 x 300"]);
    with(&mark(&here, "none.tif", |_| 0), &["marks none of the 61 objects", "mark objects"]);
    with(&mark(&here, "one.tif", |label| u32::from(label < 6)), &["one class only", "two kinds"]);
    let single =
        mark(&here, "single.tif", |label| if label == 9 { 2 } else { u32::from(label < 6) });
    with(&single, &["class 2 has 1 marked object", "at least 2"]);
    with(&mark(&here, "labels.tif", |label| label), &["has 1 marked object", "no classes"]);
    with("missing.tif", &["missing.tif"]);
    refused(&here, &[&table, "--annotation", &single], 1, &["--annotation", "--labels"]);
    refused(&here, &[&table, "--labels", &labels, "--annotation", &single, "-k", "3"], 2, &["-k"]);
    let keyless: Vec<String> = fs::read_to_string(&table)
        .unwrap()
        .lines()
        .map(|line| line.split_once(',').unwrap().1.to_owned())
        .collect();
    fs::write(here.join("keyless.csv"), keyless.join("\n")).unwrap();
    let two = mark(&here, "two.tif", |label| 1 + label % 2);
    let job = ["keyless.csv", "--labels", &labels, "--annotation", &two];
    refused(&here, &job, 1, &["no column says which label"]);
}
