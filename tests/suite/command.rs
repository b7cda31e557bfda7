//! The command as people run it: outputs, exit codes, errors, the same bytes again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use polariscope::image::LabelImage;
use polariscope::output::Existing;
use polariscope::seed::Seed;
use serde_json::Value;

/// A folder of this test's own, empty.
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
    Command::new(env!("CARGO_BIN_EXE_explore"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn stdout(folder: &Path, arguments: &[&str]) -> String {
    let output = explore(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&stdout(folder, arguments)).unwrap()
}

#[test]
fn a_recipe_repeats_an_analysis() {
    let here = folder("recipe");
    let table = &dataset("blobs.csv")[..];
    let flags = ["-k", "3", "--runs", "3", "--seed", "5", "--exclude", "area*", "-o", "first"];
    stdout(&here, &[&[table][..], &flags[..]].concat());
    stdout(&here, &[table, "--recipe", "first/recipe.toml", "-o", "again"]);
    for file in ["summary.json", "objects.csv", "recipe.toml"] {
        let [first, again] =
            ["first", "again"].map(|run| fs::read(here.join(run).join(file)).unwrap());
        assert!(first == again, "{file} differs");
    }
    let refused = |arguments: &[&str], code: i32, what: &str| {
        let output = explore(&here, &[&[table, "--recipe"][..], arguments].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(code) && errors.contains(what), "{errors}");
    };
    refused(&["first/recipe.toml", "-k", "2"], 2, "cannot be used with");
    refused(&["first/recipes.toml"], 1, "did you mean `first/recipe.toml`?");
    fs::write(here.join("odd.toml"), "k = 2\nn_neighbours = 5\n").unwrap();
    refused(&["odd.toml"], 1, "n_neighbors");
}

#[test]
fn maps_of_large_tables_have_the_same_bytes_on_any_number_of_threads() {
    let here = folder("large_maps");
    let mut stream = Seed::new(3).stream("large table", 0);
    let mut table = String::from("a,b,c\n");
    // More than 10,000 rows are not worked on in the order in which they stand.
    for i in 0..10_200 {
        let [a, b, c] = std::array::from_fn(|_| stream.normal() + 6.0 * f64::from(i % 3));
        table += &format!("{a},{b},{c}\n");
    }
    fs::write(here.join("table.csv"), table).unwrap();
    for method in ["umap", "tsne"] {
        let map = |threads: &str| {
            stdout(
                &here,
                &[
                    "embed",
                    method,
                    "table.csv",
                    "-o",
                    "map.csv",
                    "--overwrite",
                    "--threads",
                    threads,
                ],
            );
            fs::read(here.join("map.csv")).unwrap()
        };
        assert!(map("1") == map("7"), "{method}");
    }
}

#[test]
fn the_main_job_writes_what_it_promises() {
    let here = folder("main_job");
    let screen = stdout(&here, &[&dataset("blobs.csv"), "--labels", &dataset("blobs_labels.tif")]);
    assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
    for label in ["PCA", "UMAP", "t-SNE", "K-means", "Features", "Forest", "report"] {
        assert!(screen.lines().any(|line| line.starts_with(label)), "no {label} in\n{screen}");
    }
    let out = here.join("blobs.explore");
    for file in ["report.html", "features.csv", "model.json", "model.cl", "objects.parquet"] {
        assert!(out.join(file).is_file(), "{file}");
    }
    let objects = fs::read_to_string(out.join("objects.csv")).unwrap();
    let head = objects.lines().next().unwrap();
    for column in [
        "label",
        "pca_0",
        "umap_0",
        "umap_1",
        "tsne_1",
        "cluster",
        "cluster_confidence",
        "stability",
    ] {
        assert!(head.split(',').any(|c| c == column), "{column} in {head}");
    }
    assert_eq!(objects.lines().count(), 62);
    let summary: Value =
        serde_json::from_slice(&fs::read(out.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["schema_version"], 1);
    let trust = &summary["trust"];
    assert!(["green", "amber", "red"].contains(&trust["light"].as_str().unwrap()));
    let sources = &trust["sources"];
    assert_eq!(sources["machine"]["same_bits"], true);
    assert_eq!(sources["seed"]["groups"]["n_runs"], 50);
    assert_eq!(sources["seed"]["maps"]["n_runs"], 20);
    assert!(sources["seed"]["classifiers_kappa"]["value"].as_f64().unwrap() > 0.0);
    assert_eq!(sources["sample"]["n_runs"], 50);
    // The labels were given: they are measured again with outlines a pixel larger and smaller.
    assert_eq!(sources["measurement"]["variants"].as_array().unwrap().len(), 2);
    let area = sources["measurement"]["reliability"][0].clone();
    assert!(area["feature"] == "area" && area["icc"].as_f64().unwrap() > 0.5, "{area}");
    assert!(sources["choices"]["map"].as_array().unwrap().len() == 2);
    let n_components = summary["pca"]["intervals"].as_array().unwrap().len();
    assert!(n_components > 2 && summary["pca"]["loadings_low"].as_array().unwrap().len() > 2);
    families_share_what_their_features_explain(&summary["forest"], &summary["features"]);
    assert!(out.join("figures/shap_families.svg").is_file());
    let report = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.contains("dilute each other") && report.contains("read their bar by families"));
    assert!(report.contains("Content-Security-Policy") && !report.contains("https://"));
}

/// Every feature is in one family; a family moves the forest no further than its features do one by one.
fn families_share_what_their_features_explain(forest: &Value, features: &Value) {
    let families = forest["shap_families"].as_array().unwrap();
    let mut seen: Vec<&str> = Vec::new();
    let mut weights = Vec::new();
    for family in families {
        let members: Vec<&str> =
            family["features"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
        let alone: f64 = members.iter().map(|f| forest["shap_mean_abs"][f].as_f64().unwrap()).sum();
        let together = family["shap_mean_abs"].as_f64().unwrap();
        assert!(together <= alone * (1.0 + 1e-12), "{family}");
        assert!(members.len() > 1 || (together - alone).abs() < 1e-12, "{family}");
        weights.push(together);
        seen.extend(members);
    }
    seen.sort_unstable();
    let mut all: Vec<&str> =
        features.as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
    all.sort_unstable();
    assert_eq!(seen, all);
    assert!(weights.is_sorted_by(|a, b| a >= b) && families.len() < all.len(), "{weights:?}");
}

#[test]
fn the_same_bytes_on_any_number_of_threads_and_again() {
    let here = folder("threads");
    let mut seen: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for (run, threads) in ["1", "2", "7", "2"].into_iter().enumerate() {
        let out = format!("run{run}");
        stdout(
            &here,
            &[&dataset("cells.csv"), "-q", "-o", &out, "--threads", threads, "--runs", "4"],
        );
        let read = |name: &str| fs::read(here.join(&out).join(name)).unwrap();
        seen.push((read("objects.csv"), read("summary.json")));
    }
    assert!(seen.iter().all(|files| *files == seen[0]));
}

#[test]
fn cells_of_known_kinds_are_found_again() {
    let here = folder("cells");
    let summary = json(&here, &["--json", &dataset("cells.csv"), "--runs", "4", "-k", "4"]);
    assert_eq!(summary["clusters"]["k"], 4);
    let objects = fs::read_to_string(here.join("cells.explore/objects.csv")).unwrap();
    let head: Vec<&str> = objects.lines().next().unwrap().split(',').collect();
    let column = |name: &str| head.iter().position(|c| *c == name).unwrap();
    let (truth, cluster) = (column("truth"), column("cluster"));
    let mut kinds: Vec<&str> = Vec::new();
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for line in objects.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let kind = kinds.iter().position(|k| *k == cells[truth]).unwrap_or_else(|| {
            kinds.push(cells[truth]);
            kinds.len() - 1
        });
        a.push(kind + 1);
        b.push(cells[cluster].parse::<usize>().unwrap());
    }
    let agreement = polariscope::cluster::agreement::adjusted_rand(&a, &b).unwrap();
    assert!(agreement > 0.85, "adjusted Rand index with the truth: {agreement}");
}

#[test]
fn single_steps_speak_json_and_csv() {
    let here = folder("steps");
    let blobs = dataset("blobs.csv");
    let described = json(&here, &["describe", &blobs, "--json"]);
    assert_eq!(described["columns"][0]["name"], "label");
    let correlated = stdout(&here, &["correlate", &blobs, "--method", "spearman"]);
    assert!(correlated.starts_with("column,area,"), "{}", &correlated[..80]);
    let pca = json(&here, &["embed", "pca", &blobs, "--json", "-o", "pca.csv"]);
    let shares: f64 = pca["explained_variance_ratio"]
        .as_array()
        .unwrap()
        .iter()
        .map(|share| share.as_f64().unwrap())
        .sum();
    assert!(shares > 0.9 && shares <= 1.0 + 1e-12);
    let groups =
        json(&here, &["cluster", "kmeans", &blobs, "-k", "2", "--json", "-o", "g.parquet"]);
    assert_eq!(groups["sizes"].as_array().unwrap().len(), 2);
    let ranking = stdout(&here, &["select", "g.parquet"]);
    assert!(ranking.starts_with("rank,feature,correlation"), "{ranking}");
    let trained =
        json(&here, &["train", "g.parquet", "--target", "cluster", "-o", "m.json", "--json"]);
    assert!(trained["cv_accuracy"].as_f64().unwrap() > 0.8);
    let predicted = stdout(&here, &["predict", "m.json", &blobs]);
    assert!(predicted.lines().next().unwrap().ends_with("predicted,probability_1,probability_2"));
    let shap = stdout(&here, &["explain", "m.json", &blobs]);
    assert!(shap.starts_with("row,feature,output,shap\n0,"));
    let columns = json(&here, &["columns", "Circ.", "--json"]);
    assert_eq!(columns["name"], "circularity");
    assert!(json(&here, &["doctor", "--json"])["threads"].as_u64().unwrap() > 0);
    assert!(stdout(&here, &["completions", "bash"]).contains("_explore"));
    let demo = stdout(&here, &["demo", "there"]);
    assert_eq!(demo.trim(), "explore there/blobs.csv");
}

#[test]
fn measuring_the_demo_gives_its_table() {
    let here = folder("measure");
    let (labels, image) = (dataset("blobs_labels.tif"), dataset("blobs.tif"));
    let whole = stdout(&here, &["measure", &labels, "--image", &image]);
    assert_eq!(whole, fs::read_to_string(dataset("blobs.csv")).unwrap());
    let tiled = stdout(&here, &["measure", &labels, "--image", &image, "--tile", "37"]);
    assert_eq!(tiled, whole);
    stdout(&here, &["segment", &image, "-o", "s.tif", "--spot-sigma", "4", "--outline-sigma", "1"]);
    let same = json(&here, &["compare", &labels, &labels, "--json"]);
    assert_eq!((&same["f1"], &same["fp"]), (&Value::from(1.0), &Value::from(0)));
    stdout(&here, &[&labels, "--image", &image, "-o", "from_pixels", "--runs", "3"]);
    assert!(here.join("from_pixels/report.html").is_file());
}

/// A bad input: the arguments after the file, the file's content, and words the message must have.
struct Bad {
    name: &'static str,
    content: &'static [u8],
    words: &'static [&'static str],
}

#[test]
fn an_image_is_segmented_first() {
    let here = folder("raw_image");
    let image = dataset("blobs.tif");
    let screen = stdout(&here, &[&image, "--runs", "3", "--embed", "pca"]);
    for words in
        ["blobs.tif", "61 objects", "taken for an intensity image", "voronoi-otsu", "--as labels"]
    {
        assert!(screen.contains(words), "no {words} in\n{screen}");
    }
    let out = here.join("blobs.explore");
    let labels = LabelImage::open(out.join("labels.tif")).unwrap();
    let summary: Value =
        serde_json::from_slice(&fs::read(out.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["n_rows"], labels.labels().len());
    assert!(summary["features"].as_array().unwrap().contains(&"intensity_mean".into()));
    // The same objects as by the single steps, through a store.
    stdout(&here, &["segment", &image, "-o", "labels.ome.zarr"]);
    assert_eq!(&LabelImage::open(here.join("labels.ome.zarr")).unwrap(), &labels);
    let table = stdout(&here, &["measure", "labels.ome.zarr", "--image", &image]);
    let tiled = ["measure", "labels.ome.zarr", "--image", &image, "--tile", "50"];
    assert_eq!(stdout(&here, &tiled), table);
    assert_eq!(table.lines().count(), 62);
    // Labels are told by their pixels; what was decided can be overruled.
    let decided = explore(&here, &["describe", "labels.ome.zarr", "--json"]);
    assert!(String::from_utf8_lossy(&decided.stderr).contains("taken for a label image"));
    let forced = explore(&here, &[&image, "--as", "labels", "-o", "forced", "--runs", "2"]);
    assert!(!String::from_utf8_lossy(&forced.stdout).contains("voronoi-otsu"));
}

#[test]
fn matches_and_errors_are_drawn() {
    let here = folder("compare_picture");
    let (image, truth) = (dataset("blobs.tif"), dataset("blobs_labels.tif"));
    stdout(&here, &["segment", &image, "-o", "found.tif", "--spot-sigma", "1"]);
    let compared = ["compare", &truth, "found.tif", "-o", "errors.png", "--json"];
    let scores = json(&here, &compared);
    assert!(scores["fp"].as_u64().unwrap() + scores["fn"].as_u64().unwrap() > 0);
    assert!(fs::read(here.join("errors.png")).unwrap().starts_with(b"\x89PNG"));
    assert!(explore(&here, &compared).stdout.starts_with(b"{\n  \"error\""));
    stdout(&here, &["compare", &truth, "found.tif", "-o", "errors.svg"]);
    assert!(fs::read_to_string(here.join("errors.svg")).unwrap().contains("outline differs"));
}

#[test]
fn units_of_the_image_travel_with_the_table() {
    let here = folder("units");
    let labels = LabelImage::open(dataset("blobs_labels.tif")).unwrap();
    labels
        .with_spacing(&[0.5, 0.5], Some("µm"))
        .unwrap()
        .save(here.join("l.tif"), Existing::Keep)
        .unwrap();
    for table in ["t.parquet", "t.arrow"] {
        stdout(&here, &["measure", "l.tif", "-o", table]);
        let columns = &json(&here, &["describe", table, "--json"])["columns"];
        let of =
            |name: &str| columns.as_array().unwrap().iter().find(|c| c["name"] == name).unwrap();
        assert_eq!(
            (&of("area")["unit"], &of("perimeter")["unit"]),
            (&"µm²".into(), &"µm".into()),
            "{table}"
        );
        assert_eq!(of("solidity")["unit"], "");
    }
    stdout(&here, &["measure", &dataset("blobs_labels.tif"), "-o", "px.parquet"]);
    assert_eq!(json(&here, &["describe", "px.parquet", "--json"])["columns"][1]["unit"], "px²");
}

#[test]
fn bad_tables_are_refused_with_a_remedy_and_leave_nothing_behind() {
    let here = folder("bad");
    let cases = [
        Bad { name: "empty.csv", content: b"", words: &["empty.csv"] },
        Bad { name: "header.csv", content: b"label,area,perimeter\n", words: &["header.csv"] },
        Bad { name: "one_row.csv", content: b"label,area,perimeter\n1,2,3\n", words: &["row"] },
        Bad { name: "text.csv", content: b"a,b\nx,y\nz,w\n", words: &["column"] },
        Bad {
            name: "constant.csv",
            content: b"area,perimeter\n1,2\n1,2\n1,2\n1,2\n1,2\n",
            words: &["constant"],
        },
        Bad {
            name: "ragged.csv",
            content: b"area,perimeter,extent\n1,2,3\n1,2\n4,5,6\n",
            words: &["row 3"],
        },
        Bad { name: "twice.csv", content: b"area,area\n1,2\n3,4\n", words: &["area", "twice"] },
        Bad {
            name: "few.csv",
            content: b"area,perimeter\n1,2\n3,5\n2,2\n7,4\n9,1\n6,6\n",
            words: &["n_neighbors = 15", "--n-neighbors"],
        },
    ];
    for case in cases {
        fs::write(here.join(case.name), case.content).unwrap();
        let output = explore(&here, &[case.name]);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{}: {message}", case.name);
        for word in case.words {
            assert!(message.contains(word), "{}: no `{word}` in {message}", case.name);
        }
        assert!(!message.contains("panicked"), "{}: {message}", case.name);
        let stem = case.name.trim_end_matches(".csv");
        assert!(!here.join(format!("{stem}.explore")).exists(), "{} left a folder", case.name);
        let output = explore(&here, &[case.name, "--json"]);
        let error: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(error["error"]["message"].is_string(), "{error}");
    }
    assert_eq!(explore(&here, &["missing.csv"]).status.code(), Some(1));
    assert_eq!(explore(&here, &["."]).status.code(), Some(1));
    assert_eq!(explore(&here, &["--no-such-flag"]).status.code(), Some(2));
    let too_many = explore(&here, &[&dataset("blobs.csv"), "-k", "62"]);
    assert!(String::from_utf8_lossy(&too_many.stderr).contains("at most the number of rows (61)"));
}

#[test]
fn what_is_not_ours_is_not_replaced() {
    let here = folder("foreign");
    fs::create_dir(here.join("blobs.explore")).unwrap();
    fs::write(here.join("blobs.explore/thesis.txt"), "years of work").unwrap();
    let output = explore(&here, &[&dataset("blobs.csv"), "--runs", "2"]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("was not written by explore"), "{message}");
    stdout(&here, &[&dataset("blobs.csv"), "--runs", "2", "--overwrite"]);
    assert_eq!(fs::read_to_string(here.join("blobs.explore/thesis.txt")).unwrap(), "years of work");
    // A second run replaces its own folder without being asked.
    stdout(&here, &[&dataset("blobs.csv"), "--runs", "2"]);

    fs::write(here.join("mine.csv"), "precious").unwrap();
    let output = explore(&here, &["standardize", &dataset("blobs.csv"), "-o", "mine.csv"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read_to_string(here.join("mine.csv")).unwrap(), "precious");
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_nothing() {
    let here = folder("interrupted");
    let mut child = Command::new(env!("CARGO_BIN_EXE_explore"))
        .args([&dataset("cells.csv"), "-q"])
        .current_dir(&here)
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(400));
    let told = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(told.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(fs::read_dir(&here).unwrap().count(), 0);
}

#[test]
fn every_kind_of_figure_is_drawn_alone() {
    let here = folder("plot");
    let grouped = here.join("grouped.csv").display().to_string();
    stdout(&here, &["cluster", "kmeans", &dataset("blobs.csv"), "-k", "2", "-o", &grouped]);
    let labels = dataset("blobs_labels.tif");
    let help = stdout(&here, &["plot", "--help"]);
    let kinds: Vec<&str> = help
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("- "))
        .filter_map(|line| line.split(':').next())
        .filter(|word| !word.contains(' '))
        .collect();
    assert!(kinds.len() >= 20, "{kinds:?}");
    for kind in kinds {
        let out = format!("{kind}.svg");
        let mut arguments = vec!["plot", kind, &grouped, "-o", &out];
        match kind {
            "scatter" => arguments.extend(["--x", "area", "--y", "solidity"]),
            "labels" => arguments.extend(["--labels", &labels, "--color-by", "area"]),
            "shap-dependence" => arguments.extend(["--feature", "roundness"]),
            _ => {}
        }
        stdout(&here, &arguments);
        let svg = fs::read_to_string(here.join(&out)).unwrap();
        assert!(svg.starts_with("<svg") && svg.len() > 2_000, "{kind}");
    }
    stdout(&here, &["plot", "pca", &grouped, "-o", "pca.png"]);
    assert!(fs::read(here.join("pca.png")).unwrap().starts_with(b"\x89PNG"));
    for (kind, more, expected) in [
        ("scatter", ["--x", "aera", "--y", "area"], "did you mean `area`?"),
        ("tree", ["--tree", "0", "--color-by", "area"], "at least 1"),
        ("shap-bar", ["--class", "9", "--color-by", "area"], "1, 2"),
    ] {
        let arguments =
            [["plot", kind, &grouped, "-o"], ["bad.svg", more[0], more[1], more[2]]].concat();
        let output = explore(&here, &[arguments.as_slice(), &[more[3]]].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{kind}: {errors}");
        assert!(errors.contains(expected), "{kind}: {errors}");
        assert!(!here.join("bad.svg").exists());
    }
}

#[test]
fn a_few_whole_numbers_are_coloured_as_groups() {
    let here = folder("colours");
    let mut table = String::from("x,y,plate,cells\n");
    (0..40).for_each(|i| table += &format!("{i},{},{},{i}\n", i % 7, 3 + i % 5 / 2 % 2));
    fs::write(here.join("plates.csv"), table).unwrap();
    let draw = |column: &str| {
        let out = format!("{column}.svg");
        let arguments = ["plot", "scatter", "plates.csv", "--x", "x", "--y", "y", "-o", &out];
        stdout(&here, &[arguments.as_slice(), &["--color-by", column]].concat());
        fs::read_to_string(here.join(out)).unwrap()
    };
    // A legend of groups shows their sizes.
    let are_groups = |svg: &str| svg.contains(">16<") && svg.contains(">24<");
    assert!(are_groups(&draw("plate")));
    assert!(!are_groups(&draw("cells")));
}

#[test]
fn dense_regions_make_groups_and_the_rest_is_noise() {
    let here = folder("hdbscan");
    let cells = dataset("cells.csv");
    let group = |more: &[&str]| {
        let arguments = ["cluster", "hdbscan", &cells, "--json", "--overwrite", "-o", "g.csv"];
        json(&here, &[arguments.as_slice(), more].concat())
    };
    let found = group(&["--min-cluster-size", "50"]);
    let sizes: Vec<u64> =
        found["sizes"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    assert_eq!(found["k"].as_u64(), Some(sizes.len() as u64));
    assert!(sizes.is_sorted_by(|a, b| a >= b) && sizes.iter().all(|&n| n >= 50), "{sizes:?}");
    let noise = found["not_assigned"].as_u64().unwrap();
    assert_eq!(sizes.iter().sum::<u64>() + noise, 3000);
    let text = fs::read_to_string(here.join("g.csv")).unwrap();
    assert!(text.lines().next().unwrap().ends_with("cluster,cluster_confidence"));
    let zeros = text.lines().filter(|line| line.ends_with(",0,0") || line.ends_with(",0,0.0"));
    assert_eq!(zeros.count() as u64, noise);
    // What is asked of an object is more than what is asked of a group.
    assert!(group(&["--min-cluster-size", "50", "--min-samples", "5"]) != found);
    let output = explore(&here, &["cluster", "hdbscan", &cells, "--min-cluster-size", "1"]);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("min_cluster_size = 1 is invalid: must be at least 2"), "{errors}");
}

#[test]
fn rules_make_groups() {
    let here = folder("rules");
    let long = "aspect_ratio > 1.6 and area >= 200";
    let found = json(
        &here,
        &[
            "cluster",
            "where",
            &dataset("blobs.csv"),
            "--json",
            "-o",
            "g.csv",
            "--where",
            long,
            "--where",
            "circularity > 0.9",
        ],
    );
    assert_eq!(found["k"], 2);
    let text = fs::read_to_string(here.join("g.csv")).unwrap();
    assert!(text.lines().next().unwrap().ends_with("cluster"));
    let output =
        explore(&here, &["cluster", "where", &dataset("blobs.csv"), "--where", "aera > 3"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("did you mean `area`?"));
}
