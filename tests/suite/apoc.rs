//! Models as others see them: a reader of `.cl` files that shares no code with ours, and APOC itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use polariscope::apoc::{
    Classifier, FeatureSpec, Kind, ObjectSegmenter, PixelClassifier, PixelPrediction,
    ProbabilityMapper, feature_images,
};
use polariscope::image::{Grid, IntensityImage, LabelImage, Pixels};
use polariscope::output::Existing;

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

fn done(folder: &Path, arguments: &[&str]) {
    let output = explore(folder, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn refused(folder: &Path, arguments: &[&str], words: &str) {
    let output = explore(folder, arguments);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains(words), "{message}");
}

/// What the lines between the sums and the arg-max say for one pixel, line by line.
fn class_of(cl: &str, pixel: &[f32]) -> u32 {
    let mut sums = vec![0f32; cl.lines().filter(|l| l.starts_with(" float s")).count()];
    let mut taken: Vec<bool> = Vec::new();
    let body = cl.lines().skip_while(|l| !l.starts_with(" float s0=0"));
    for line in body.take_while(|l| !l.contains("max_s")).map(str::trim) {
        if let Some(rule) = line.strip_prefix("if(i") {
            let (feature, threshold) = rule.trim_end_matches("){").split_once('<').unwrap();
            let value = f64::from(pixel[feature.parse::<usize>().unwrap()]);
            taken.push(value < threshold.parse::<f64>().unwrap());
        } else if line == "} else {" {
            *taken.last_mut().unwrap() ^= true;
        } else if line == "}" {
            taken.pop();
        } else if let Some((class, vote)) = line.trim_end_matches(';').split_once("+=")
            && taken.iter().all(|t| *t)
        {
            let sum = &mut sums[class[1..].parse::<usize>().unwrap()];
            *sum = (f64::from(*sum) + vote.parse::<f64>().unwrap()) as f32;
        }
    }
    let best = sums.iter().copied().fold(f32::MIN, f32::max);
    sums.iter().position(|s| *s == best).unwrap() as u32 + 1
}

fn trained(here: &Path, features: &str, depth: &str) -> String {
    let (image, marks) = (dataset("blobs.tif"), dataset("blobs_pixel_annotation.tif"));
    let train = ["apoc", "train", "pixel-classifier", "--image", &image, "--annotation", &marks];
    done(
        here,
        &[&train[..], &["--features", features, "--max-depth", depth, "-o", "model.cl"]].concat(),
    );
    done(here, &["apoc", "predict", "model.cl", "--image", &image, "-o", "classes.tif"]);
    fs::read_to_string(here.join("model.cl")).unwrap()
}

#[test]
fn another_reader_finds_the_same_classes() {
    let here = folder("apoc_reader");
    let cl = trained(&here, "small_dog_log", "5");
    let image = [IntensityImage::open(dataset("blobs.tif")).unwrap()];
    let planes = feature_images(&FeatureSpec::parse("small_dog_log").unwrap(), &image).unwrap();
    let planes: Vec<Vec<f32>> = planes.iter().map(|p| p.pixels().to_f32()).collect();
    let found = LabelImage::open(here.join("classes.tif")).unwrap();
    for i in (0..found.pixels().len()).step_by(7) {
        let pixel: Vec<f32> = planes.iter().map(|plane| plane[i]).collect();
        assert_eq!(found.pixels()[i], class_of(&cl, &pixel), "pixel {i}");
    }
    // The same model by way of the other languages, in every direction.
    let names = ["model.cl", "model.json", "model.wgsl"];
    for from in names {
        for to in names.iter().filter(|to| **to != from) {
            done(&here, &["apoc", "convert", from, "-o", to, "--overwrite"]);
            done(&here, &["apoc", "convert", to, "-o", "again.cl", "--overwrite"]);
            assert_eq!(fs::read_to_string(here.join("again.cl")).unwrap(), cl, "{from} to {to}");
        }
    }
    done(
        &here,
        &["apoc", "predict", "model.wgsl", "--image", &dataset("blobs.tif"), "-o", "again.tif"],
    );
    assert_eq!(
        fs::read(here.join("again.tif")).unwrap(),
        fs::read(here.join("classes.tif")).unwrap()
    );
}

/// Files that are written while their pixels are found, beside those that were held whole: several bands of tiles, and
/// of layers.
#[test]
fn what_is_written_by_bands_is_what_would_be_written_whole() {
    let here = folder("apoc_bands");
    let image = |shape: &[usize]| {
        let grid = Grid::new(shape).unwrap();
        let values = (0..grid.n_pixels()).map(|i| (i / 300 * 71 % 251) as u8).collect();
        [IntensityImage::new(grid, Pixels::U8(values)).unwrap()]
    };
    // A row of 66 tiles is a band, and so are 64 layers.
    let (wide, deep) = (image(&[600, 33_500]), image(&[70, 9, 11]));
    for images in [&wide, &deep] {
        let marks = images[0].pixels().to_f64();
        let marks = marks.iter().enumerate();
        let marks = marks
            .map(|(i, v)| if i % 97 == 0 && i < 99_000 { 1 + u32::from(*v > 125.0) } else { 0 });
        let marks = LabelImage::new(images[0].grid().clone(), marks.collect()).unwrap();
        let spec = "original";
        let mut pixels = PixelClassifier::params(spec).unwrap().n_trees(5);
        let mut objects = ObjectSegmenter::params(spec).unwrap().n_trees(5);
        let mut shares = ProbabilityMapper::params(spec).unwrap().n_trees(5);
        pixels.add(images, &marks).unwrap();
        objects.add(images, &marks).unwrap();
        shares.add(images, &marks).unwrap();
        let (pixels, objects) = (pixels.fit().unwrap(), objects.fit().unwrap());
        let shares = shares.fit().unwrap();
        let models: [&Classifier; 3] = [&pixels, &objects, &shares];
        for model in models.into_iter().take(if images[0].shape().len() == 2 { 1 } else { 3 }) {
            let prediction = PixelPrediction::in_memory(model, images).unwrap();
            for name in ["image.tif", "image.npy"] {
                let (bands, whole) = (here.join(format!("bands_{name}")), here.join(name));
                let written = prediction.save(&bands, Existing::Overwrite).unwrap();
                let counted: u64 = written.pixels.iter().sum();
                if model.kind() == Kind::ProbabilityMapper {
                    let image = prediction.probabilities().unwrap();
                    image.save(&whole, Existing::Overwrite).unwrap();
                    assert_eq!(written.sum, image.pixels().to_f64().iter().fold(0.0, |s, p| s + p));
                } else {
                    let labels = prediction.labels().unwrap();
                    labels.save(&whole, Existing::Overwrite).unwrap();
                    assert_eq!(counted as usize, images[0].grid().n_pixels());
                    assert_eq!(written.pixels.len(), labels.max_label() as usize + 1);
                }
                assert!(
                    fs::read(bands).unwrap() == fs::read(whole).unwrap(),
                    "{} {name}",
                    model.kind()
                );
            }
        }
        let prediction = PixelPrediction::in_memory(models[0], images).unwrap();
        prediction.save(here.join("image.zarr"), Existing::Overwrite).unwrap();
        let stored = LabelImage::open(here.join("image.zarr")).unwrap();
        assert!(stored.pixels() == prediction.labels().unwrap().pixels());
    }
}

/// `EXPLORE_APOC` is a Python with apoc 0.12 and an OpenCL device; see tests/reference/predict_apoc.py.
#[test]
fn apoc_reads_our_files_and_finds_the_same_classes() {
    let Some(python) = std::env::var_os("EXPLORE_APOC") else {
        println!("skipped: no EXPLORE_APOC");
        return;
    };
    let here = folder("apoc_itself");
    trained(&here, "object_size_1_to_5_px", "2");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/predict_apoc.py");
    let arguments = [script, "model.cl", &dataset("blobs.tif"), "theirs.npy"];
    let output = Command::new(python).args(arguments).current_dir(&here).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs = LabelImage::open(here.join("theirs.npy")).unwrap();
    let ours = LabelImage::open(here.join("classes.tif")).unwrap();
    assert_eq!(ours.pixels(), theirs.pixels());
}

#[test]
fn wrong_calls_are_told_what_is_right() {
    let here = folder("apoc_wrong");
    let (image, labels) = (dataset("blobs.tif"), dataset("blobs_labels.tif"));
    let marks = dataset("blobs_pixel_annotation.tif");
    trained(&here, "small_quick", "2");
    let predict = ["apoc", "predict", "model.cl"];
    refused(&here, &[&predict[..], &["--labels", &labels, "-o", "x.tif"]].concat(), "--labels");
    refused(&here, &[&predict[..], &["-o", "x.tif"]].concat(), "--image");
    let two = ["--image", &image, "--image", &image, "-o", "x.tif"];
    refused(&here, &[&predict[..], &two].concat(), "2 channels, the model was trained on 1");
    let train = ["apoc", "train", "pixel-classifier", "--image", &image, "-o", "x.cl"];
    refused(
        &here,
        &[&train[..], &["--annotation", &marks, "--features", "gausian_blur=1"]].concat(),
        "gausian_blur",
    );
    let nothing = LabelImage::new(Grid::new(&[300, 300]).unwrap(), vec![0; 90_000]).unwrap();
    nothing.save(here.join("nothing.tif"), Existing::Overwrite).unwrap();
    refused(&here, &[&train[..], &["--annotation", "nothing.tif"]].concat(), "marks nothing");
    refused(&here, &[&train[..], &["--annotation", "missing.tif"]].concat(), "missing.tif");
    let objects = ["apoc", "train", "object-classifier", "--labels", &labels, "-o", "x.cl"];
    refused(&here, &[&objects[..], &["--annotation", "nothing.tif"]].concat(), "marks nothing");
    refused(
        &here,
        &[&objects[..], &["--annotation", &marks, "--features", "aera"]].concat(),
        "did you mean `area`",
    );
    fs::write(here.join("short.cl"), &fs::read_to_string(here.join("model.cl")).unwrap()[..2000])
        .unwrap();
    refused(
        &here,
        &["apoc", "predict", "short.cl", "--image", &image, "-o", "x.tif"],
        "the file ends",
    );
    assert!(!here.join("x.tif").exists() && !here.join("x.cl").exists());
    let ignored = ["--annotation", &marks, "--features", "original gaussian_blur", "--overwrite"];
    let output = explore(&here, &[&train[..], &ignored].concat());
    assert!(String::from_utf8_lossy(&output.stderr).contains("`gaussian_blur` is no feature"));
}

#[test]
fn folders_are_trained_on_pair_by_pair() {
    let here = folder("apoc_folders");
    for (name, file) in [("images", "blobs.tif"), ("masks", "blobs_pixel_annotation.tif")] {
        fs::create_dir(here.join(name)).unwrap();
        for copy in ["b.tif", "a.tif"] {
            fs::copy(dataset(file), here.join(name).join(copy)).unwrap();
        }
    }
    let spec = "original gaussian_blur=2";
    let train = ["apoc", "train", "pixel-classifier", "--features", spec, "-o", "folders.cl"];
    done(&here, &[&train[..], &["--folder", "images", "masks"]].concat());
    // The same as one pair after the other.
    let image = [IntensityImage::open(dataset("blobs.tif")).unwrap()];
    let marks = LabelImage::open(dataset("blobs_pixel_annotation.tif")).unwrap();
    let mut trainer = PixelClassifier::params(spec).unwrap();
    trainer.add(&image, &marks).unwrap();
    let once = trainer.fit().unwrap().to_cl();
    trainer.add(&image, &marks).unwrap();
    let twice = trainer.fit().unwrap().to_cl();
    assert_ne!(once, twice);
    assert_eq!(fs::read_to_string(here.join("folders.cl")).unwrap(), twice);

    fs::remove_file(here.join("masks/b.tif")).unwrap();
    let again = [&train[..], &["--overwrite", "--folder", "images", "masks"]].concat();
    refused(&here, &again, "has no partner of the same name");
}
