//! Features, statistics and predictions against those of APOC itself (`tests/reference/make_apoc.py`).

use std::path::PathBuf;

use serde_json::Value;

use super::object_statistics::Objects;
use super::objects::measure;
use super::*;
use crate::image::{Grid, IntensityImage, LabelImage, Pixels};

/// Statistics there are sums of singles, in another order than ours.
const TOLERANCE: f64 = 1e-5;

fn reference() -> Value {
    serde_json::from_str(include_str!("../../tests/reference/apoc.json")).unwrap()
}

/// Numbers; null is one that is not finite.
fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
}

fn grid(record: &Value) -> Grid {
    let shape: Vec<usize> = numbers(&record["shape"]).iter().map(|n| *n as usize).collect();
    Grid::new(&shape).unwrap()
}

fn image(grid: &Grid, values: &Value) -> IntensityImage {
    let pixels = numbers(values).iter().map(|v| *v as u8).collect();
    IntensityImage::new(grid.clone(), Pixels::U8(pixels)).unwrap()
}

fn labels(grid: &Grid, values: &Value) -> LabelImage {
    LabelImage::new(grid.clone(), numbers(values).iter().map(|v| *v as u32).collect()).unwrap()
}

fn singles(image: &IntensityImage) -> Vec<f64> {
    image.pixels().to_f64()
}

fn whole(labels: &LabelImage) -> Vec<f64> {
    labels.pixels().iter().map(|&l| f64::from(l)).collect()
}

#[test]
fn features_have_the_bits_of_clesperanto() {
    for record in reference()["features"].as_array().unwrap() {
        let spec = FeatureSpec::parse(record["features"].as_str().unwrap()).unwrap();
        let found = feature_images(&spec, &[image(&grid(record), &record["pixels"])]).unwrap();
        for (feature, expected) in found.iter().zip(record["expected"].as_array().unwrap()) {
            assert_eq!(singles(feature), numbers(expected), "{:?}", feature.name());
        }
    }
}

#[test]
fn strips_of_any_height_and_any_threads_give_the_same_pixels() {
    let reference = reference();
    for record in reference["models"].as_array().unwrap() {
        let model = Classifier::from_cl(record["cl"].as_str().unwrap()).unwrap();
        let grid = grid(record);
        let channels: Vec<IntensityImage> =
            record["channels"].as_array().unwrap().iter().map(|c| image(&grid, c)).collect();
        for (rows, threads) in [(1, 1), (4, 2), (100, 7)] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let prediction = PixelPrediction::in_memory(&model, &channels).unwrap().tile(rows);
            let found = pool.install(|| match model.kind() {
                Kind::ProbabilityMapper => singles(&prediction.probabilities().unwrap()),
                _ => whole(&prediction.labels().unwrap()),
            });
            assert_eq!(found, numbers(&record["expected"]), "{} in strips of {rows}", model.kind());
        }
    }
}

#[test]
fn what_is_written_is_read_and_decides_alike() {
    for record in reference()["models"].as_array().unwrap() {
        let model = Classifier::from_cl(record["cl"].as_str().unwrap()).unwrap();
        assert_eq!(Classifier::from_cl(&model.to_cl()).unwrap(), model);
        let again = Classifier::from_json(&model.to_json()).unwrap();
        // Node orders and covers differ, the rules do not.
        assert_eq!(again.to_cl(), model.to_cl());
        assert_eq!(Classifier::from_cl(&model.to_wgsl()).unwrap(), model);
        assert_eq!(again.to_wgsl(), model.to_wgsl());
        let (found, expected) = (model.statistics(), &record["counts"]);
        for (name, counts) in found.features.iter().zip(&found.counts) {
            let expected = expected[name].as_array();
            // APOC counts the first channel only.
            let Some(expected) = expected else { continue };
            let expected: Vec<usize> =
                expected.iter().map(|n| n.as_u64().unwrap() as usize).collect();
            assert_eq!(counts, &expected, "{name}");
        }
    }
}

/// Parameters of a training as the file that came of it tells them.
macro_rules! grown_as {
    ($trainer:expr, $theirs:expr) => {
        $trainer.max_depth($theirs.max_depth).n_trees($theirs.n_trees())
    };
}

/// Our forest is theirs: the same questions in the same order, and the same votes.
fn same_model(ours: &Classifier, theirs: &Classifier) {
    assert_eq!(ours.forest, theirs.forest, "{}", theirs.kind());
    for (ours, theirs) in ours.importances.iter().zip(&theirs.importances) {
        // Sums of doubles, in an order of numpy's own.
        assert!((ours - theirs).abs() < 1e-12, "{ours}, not {theirs}");
    }
}

#[test]
fn training_on_the_same_marks_gives_the_model_of_apoc() {
    for record in reference()["models"].as_array().unwrap() {
        let theirs = Classifier::from_cl(record["cl"].as_str().unwrap()).unwrap();
        let grid = grid(record);
        let channels: Vec<IntensityImage> =
            record["channels"].as_array().unwrap().iter().map(|c| image(&grid, c)).collect();
        let spec = theirs.feature_specification();
        let mut trainer = grown_as!(PixelTrainer::<PixelClassifier>::new(spec).unwrap(), theirs);
        trainer.add(&channels, &labels(&grid, &record["annotation"])).unwrap();
        same_model(&trainer.fit().unwrap(), &theirs);
    }
}

#[test]
fn trees_are_those_of_scikit_learn() {
    let reference: Value =
        serde_json::from_str(include_str!("../../tests/reference/apoc_forest.json")).unwrap();
    for record in reference.as_array().unwrap() {
        let classes: Vec<u32> = numbers(&record["classes"]).iter().map(|c| *c as u32).collect();
        let columns: Vec<Vec<f32>> = record["columns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|column| numbers(column).iter().map(|v| *v as f32).collect())
            .collect();
        let names: Vec<String> = (0..columns.len()).map(|i| format!("f{i}")).collect();
        let trainer = TableRowClassifier::params(&names.join(" ")).unwrap();
        let whole = |key: &str| record[key].as_u64().unwrap();
        let mut trainer = trainer
            .seed(whole("random_state"))
            .n_trees(whole("n_trees") as usize)
            .max_depth(whole("max_depth") as usize);
        trainer.add(&columns, &classes).unwrap();
        let forest = &trainer.fit().unwrap().forest;
        // A split as feature and threshold, a leaf as -1 and its shares.
        let nodes: Vec<f64> = forest
            .nodes
            .iter()
            .flat_map(|node| {
                if node.is_leaf() {
                    let votes = forest.votes_of(node.right as usize).iter().copied();
                    std::iter::once(-1.0).chain(votes).collect::<Vec<_>>()
                } else {
                    vec![f64::from(node.feature), f64::from(node.threshold)]
                }
            })
            .collect();
        assert_eq!(nodes, numbers(&record["nodes"]));
    }
}

#[test]
fn object_features_are_those_of_clesperanto() {
    let reference = reference();
    let record = &reference["objects"];
    let grid = grid(record);
    let (labels, intensity) =
        (labels(&grid, &record["labels"]), image(&grid, &record["intensity"]));
    let objects = Objects::of(&labels, Some(&intensity)).unwrap();
    let features = record["features"].as_object().unwrap();
    assert!(features.len() > 80);
    for (name, expected) in features {
        let found = measure(std::slice::from_ref(name), &objects, true).unwrap().remove(0);
        for ((label, found), expected) in objects.labels.iter().zip(&found).zip(numbers(expected)) {
            let found = f64::from(*found);
            let off = (found - expected).abs() <= TOLERANCE * expected.abs().max(1.0);
            assert!(
                off || !found.is_finite() && expected.is_nan(),
                "{name} of {label}: {found}, not {expected}"
            );
        }
    }
}

#[test]
fn objects_are_classified_selected_and_merged_as_by_apoc() {
    let reference = reference();
    let record = &reference["objects"];
    let grid = grid(record);
    let (labels_, intensity) =
        (labels(&grid, &record["labels"]), image(&grid, &record["intensity"]));
    for kind in [Kind::ObjectClassifier, Kind::ObjectSelector, Kind::ObjectMerger] {
        let record = &record[kind.class_name()];
        let model = Classifier::from_cl(record["cl"].as_str().unwrap()).unwrap();
        let found = model.predict_objects(&labels_, Some(&intensity)).unwrap();
        assert_eq!(whole(&found), numbers(&record["expected"]), "{kind}");
        assert!(model.predict_objects(&labels_, None).is_err() || kind == Kind::ObjectSelector);
        if kind != Kind::ObjectMerger {
            let spec = model.feature_specification();
            let mut trainer = grown_as!(ObjectClassifier::params(spec).unwrap(), model);
            let marks = labels(&grid, &record["annotation"]);
            trainer.add(&labels_, &marks, Some(&intensity)).unwrap();
            let ours = trainer.fit().unwrap();
            assert_eq!(ours.forest.votes, model.forest.votes, "{kind}");
            for (ours, theirs) in ours.forest.nodes.iter().zip(&model.forest.nodes) {
                assert_eq!(
                    (ours.feature, ours.left, ours.right),
                    (theirs.feature, theirs.left, theirs.right)
                );
                // Measured values agree to 1e-5 only.
                let off = (ours.threshold - theirs.threshold).abs();
                assert!(off <= 1e-4 * theirs.threshold.abs().max(1.0), "{kind}: {off}");
            }
        }
    }
    let marks = labels(&grid, &record["ObjectMerger"]["annotation"]);
    let mut trainer =
        ObjectMerger::params("touch_portion area_difference centroid_distance").unwrap();
    trainer.add(&labels_, &marks, None).unwrap();
    let merged = trainer.fit().unwrap().predict(&labels_, None).unwrap();
    assert!(merged.max_label() < labels_.max_label());
}

/// The lecture's data, if it is there.
fn lecture() -> Option<PathBuf> {
    let folder = std::env::var("SHARED_DATA").map_or_else(
        |_| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")),
        PathBuf::from,
    );
    if folder.join("expected/apoc").is_dir() {
        return Some(folder);
    }
    println!("skipped: no ../shared/data");
    None
}

#[test]
fn the_lectures_models_give_the_lectures_results() {
    let Some(data) = lecture() else { return };
    let expected = data.join("expected/apoc");
    let image = [IntensityImage::open(data.join("blobs/blobs.tif")).unwrap()];
    let open = |name: &str| LabelImage::open(expected.join(name)).unwrap();
    let pixels = PixelClassifier::open(expected.join("pixel_classifier.cl")).unwrap();
    assert_eq!(
        pixels.predict(&image).unwrap().pixels(),
        open("pixel_classifier_prediction.tif").pixels()
    );
    let mapper = ProbabilityMapper::open(expected.join("probability_mapper.cl")).unwrap();
    let map = IntensityImage::open(expected.join("probability_mapper_prediction.tif")).unwrap();
    assert_eq!(mapper.predict(&image).unwrap().pixels(), map.pixels());
    let segmenter = ObjectSegmenter::open(expected.join("blobs_object_segmenter_100.cl")).unwrap();
    let segmented = open("object_segmenter_prediction.tif");
    assert_eq!(segmenter.predict(&image).unwrap().pixels(), segmented.pixels());
    let labels = open("object_classifier_labels.tif");
    for (model, result) in [
        ("object_classifier.cl", "object_classifier_prediction.tif"),
        ("object_selector.cl", "object_selector_prediction.tif"),
    ] {
        let model = Classifier::open(expected.join(model)).unwrap();
        let found = model.predict_objects(&labels, None).unwrap();
        assert_eq!(found.pixels(), open(result).pixels());
    }
    // Trained by us on the same marks, the model is the lecture's, and so is the segmentation.
    let marks = LabelImage::open(data.join("blobs/blobs_annotations.tif")).unwrap();
    let mut trainer = ObjectSegmenter::params(segmenter.feature_specification()).unwrap();
    trainer.add(&image, &marks).unwrap();
    let ours = trainer.fit().unwrap();
    same_model(&ours, &segmenter);
    assert_eq!(ours.predict(&image).unwrap().pixels(), segmented.pixels());
}

/// Other seeds give other borders: as far from the lecture's as those of scikit-learn with the same seeds. Of
/// 200 of its seeds 53 stay more than 0.01 below it: no seed but APOC's own can promise more.
#[test]
fn other_seeds_lie_as_far_from_the_lectures_result_as_those_of_scikit_learn() {
    let Some(data) = lecture() else { return };
    let image = [IntensityImage::open(data.join("blobs/blobs.tif")).unwrap()];
    let marks = LabelImage::open(data.join("blobs/blobs_annotations.tif")).unwrap();
    let theirs =
        LabelImage::open(data.join("expected/apoc/object_segmenter_prediction.tif")).unwrap();
    let spec = "original gaussian_blur=2 sobel_of_gaussian_blur=2";
    let trainer = ObjectSegmenter::params(spec).unwrap();
    for (seed, both, either) in SCIKIT_LEARN {
        let mut trainer = trainer.clone().seed(seed);
        trainer.add(&image, &marks).unwrap();
        let ours = trainer.fit().unwrap().predict(&image).unwrap();
        let pairs = || ours.pixels().iter().zip(theirs.pixels()).map(|(a, b)| (*a > 0, *b > 0));
        assert_eq!(pairs().filter(|(a, b)| *a && *b).count(), both, "seed {seed}");
        assert_eq!(pairs().filter(|(a, b)| *a || *b).count(), either, "seed {seed}");
    }
}

/// Seed, and the pixels of both and of either segmentation (tests/reference/make_apoc_forest.py).
const SCIKIT_LEARN: [(u64, usize, usize); 8] = [
    (0, 18624, 18624),
    (1, 18612, 18745),
    (2, 18599, 18832),
    (3, 18620, 18730),
    (4, 18604, 18797),
    (5, 18601, 18753),
    (6, 18616, 18850),
    (7, 18608, 18656),
];

#[test]
fn the_lectures_features_have_their_bits() {
    let Some(data) = lecture() else { return };
    let image = [IntensityImage::open(data.join("blobs/blobs.tif")).unwrap()];
    for feature in [
        "gaussian_blur=1",
        "gaussian_blur=25",
        "difference_of_gaussian=5",
        "laplace_box_of_gaussian_blur=25",
        "sobel_of_gaussian_blur=2",
    ] {
        let file = format!("expected/apoc/feature_{}.tif", feature.replace('=', "_"));
        let expected = IntensityImage::open(data.join(file)).unwrap();
        let found = feature_images(&FeatureSpec::parse(feature).unwrap(), &image).unwrap();
        let worst = singles(&found[0])
            .iter()
            .zip(singles(&expected))
            .fold(0.0, |worst: f64, (a, b)| worst.max((a - b).abs()));
        assert_eq!(worst, 0.0, "{feature}");
    }
}
