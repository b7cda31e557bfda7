//! A classifier becomes program text: `OpenCL` as APOC writes and reads it, and a WGSL compute shader.

use std::fmt::Write;

use super::header::{TITLE, WGSL_TITLE};
use crate::apoc::classifier::Classifier;
use crate::apoc::forest::{Forest, LEAF};

/// The version of APOC whose files these follow.
const APOC_VERSION: &str = "0.12.0";

/// The text of a model file.
pub(in crate::apoc) fn write(model: &Classifier) -> String {
    let forest = &model.forest;
    let (n_features, n_classes) = (forest.n_features, forest.n_classes);
    let mut text = header(model, TITLE);
    text += "__kernel void predict (";
    for i in 0..n_features {
        let _ = write!(text, "IMAGE_in{i}_TYPE in{i}, ");
    }
    text += "IMAGE_out_TYPE out) {\n \
             sampler_t sampler = CLK_NORMALIZED_COORDS_FALSE | CLK_ADDRESS_CLAMP_TO_EDGE | CLK_FILTER_NEAREST;\n \
             const int x = get_global_id(0);\n \
             const int y = get_global_id(1);\n \
             const int z = get_global_id(2);\n";
    for i in 0..n_features {
        let _ = writeln!(
            text,
            " float i{i} = READ_IMAGE(in{i}, sampler, POS_in{i}_INSTANCE(x,y,z,0)).x;"
        );
    }
    for k in 0..n_classes {
        let _ = writeln!(text, " float s{k}=0;");
    }
    trees(&mut text, forest, |f| format!("i{f}"), |k| format!("s{k}"));
    let place = "POS_out_INSTANCE(x,y,z,0)";
    if let Some(class) = model.probability_of.checked_sub(1) {
        text += " float sum_s=s0;\n int cls=1;\n";
        for k in 1..n_classes {
            let _ = writeln!(text, " sum_s = sum_s + s{k};");
        }
        let _ = writeln!(text, " WRITE_IMAGE (out, {place}, s{class} / sum_s);\n}}");
    } else {
        text += " float max_s=s0;\n int cls=1;\n";
        for k in 1..n_classes {
            let class = k + 1;
            let _ = writeln!(text, " if (max_s < s{k}) {{\n  max_s = s{k};\n  cls={class};\n }}");
        }
        let _ = writeln!(text, " WRITE_IMAGE (out, {place}, cls);\n}}");
    }
    text
}

fn header(model: &Classifier, title: &str) -> String {
    let importances: Vec<String> = model.importances.iter().map(|x| format!("{x:?}")).collect();
    let positive = model
        .positive_class
        .map_or(String::new(), |class| format!("positive_class_identifier = {class}\n"));
    format!(
        "/*\n{title}\n\
         classifier_class_name = {}\n\
         feature_specification = {}\n\
         num_ground_truth_dimensions = {}\n\
         num_classes = {}\n\
         num_features = {}\n\
         max_depth = {}\n\
         num_trees = {}\n\
         feature_importances = {}\n\
         {positive}apoc_version = {APOC_VERSION}\n*/\n",
        model.kind.class_name(),
        one_line(&model.features),
        model.n_dims,
        model.forest.n_classes,
        model.forest.n_features,
        model.max_depth,
        model.forest.roots.len(),
        importances.join(","),
    )
}

/// The classifier as a WGSL compute shader with the entry point `predict`.
///
/// Binding 0 holds the features as planes of `f32`, one after the other; binding 1 receives a number per
/// pixel: its class from 1 (0 where a feature is NaN), or for a probability mapper the class' share. Votes
/// are added as `f32`, where the CPU adds doubles: a share may differ in its last bits, and with it a tie.
pub(in crate::apoc) fn wgsl(model: &Classifier) -> String {
    let forest = &model.forest;
    let (n_features, n_classes) = (forest.n_features, forest.n_classes);
    let mut rules = String::new();
    trees(&mut rules, forest, |f| format!("x[{f}]"), |k| format!("s[{k}]"));
    let ending = match model.probability_of.checked_sub(1) {
        None => WGSL_WINNER.to_owned(),
        Some(class) => format!("{WGSL_TOTAL} s[{class}] / total;\n"),
    };
    let begin = wgsl_begin(n_features, n_classes, model.probability_of > 0);
    format!(
        "{}const N_FEATURES = {n_features}u;\nconst N_CLASSES = {n_classes}u;\n{begin}{rules}{ending}}}\n",
        header(model, WGSL_TITLE)
    )
}

/// What follows the two constants, up to the trees.
pub(super) fn wgsl_begin(n_features: usize, n_classes: usize, is_share: bool) -> String {
    let kind = if is_share { "f32" } else { "u32" };
    format!(
        "\n\
         @group(0) @binding(0) var<storage, read> features: array<f32>;\n\
         @group(0) @binding(1) var<storage, read_write> results: array<{kind}>;\n\n\
         @compute @workgroup_size(64)\n\
         fn predict(@builtin(global_invocation_id) id: vec3<u32>) {{\n \
         let pixel = id.x;\n \
         let n = arrayLength(&results);\n \
         if (pixel >= n) {{\n  return;\n }}\n \
         var x: array<f32, {n_features}>;\n \
         var missing = false;\n \
         for (var i = 0u; i < N_FEATURES; i++) {{\n  \
         x[i] = features[i * n + pixel];\n  \
         // Compilers may assume that NaN does not occur: its bits cannot be argued with.\n  \
         missing = missing || (bitcast<u32>(x[i]) & 0x7fffffffu) > 0x7f800000u;\n }}\n \
         if (missing) {{\n  results[pixel] = {kind}(0);\n  return;\n }}\n \
         var s: array<f32, {n_classes}>;\n"
    )
}

/// The largest sum, of equal ones the lowest, names the class.
pub(super) const WGSL_WINNER: &str = " var best = 0u;\n for (var k = 1u; k < N_CLASSES; k++) {\n  \
     if (s[best] < s[k]) {\n   best = k;\n  }\n }\n results[pixel] = best + 1u;\n";
/// All sums together; the share of one of them follows.
pub(super) const WGSL_TOTAL: &str = " var total = s[0];\n for (var k = 1u; k < N_CLASSES; k++) {\n  \
     total += s[k];\n }\n results[pixel] =";

/// All trees as nested conditions.
fn trees(
    text: &mut String,
    forest: &Forest,
    value: impl Fn(u32) -> String,
    sum: impl Fn(usize) -> String,
) {
    enum Step {
        Node(u32, usize),
        Text(usize, &'static str),
    }
    for &root in &forest.roots {
        let mut open = vec![Step::Node(root, 0)];
        while let Some(step) = open.pop() {
            match step {
                Step::Text(depth, line) => {
                    let _ = writeln!(text, "{:depth$}{line}", "");
                }
                Step::Node(i, depth) => {
                    let node = forest.nodes[i as usize];
                    if node.left == LEAF {
                        for (k, vote) in forest.votes_of(node.right as usize).iter().enumerate() {
                            if *vote != 0.0 {
                                let _ = writeln!(text, "{:depth$}{}+={vote:?};", "", sum(k));
                            }
                        }
                        continue;
                    }
                    let threshold = f64::from(node.threshold);
                    let value = value(node.feature);
                    let _ = writeln!(text, "{:depth$}if({value}<{threshold:?}){{", "");
                    open.extend([
                        Step::Text(depth, "}"),
                        Step::Node(node.right, depth + 1),
                        Step::Text(depth, "} else {"),
                        Step::Node(node.left, depth + 1),
                    ]);
                }
            }
        }
    }
}

/// A text that cannot leave its comment.
fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    // Comments of a shader may be nested.
    text.replace("*/", "* /").replace("/*", "/ *")
}
