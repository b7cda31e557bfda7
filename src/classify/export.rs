//! The same forest as program text: `OpenCL` as APOC reads and writes it, and a WGSL compute shader.
//!
//! Both work in `f32` and go left on `x < T`. `T` is the smallest `f32` above our threshold, so a
//! row of `f32` values takes the way that it takes here; two training values closer than an `f32`
//! step cannot be told apart there.

use std::fmt::Write;

use super::model::Model;
use super::tree::{Kind, Tree};
use crate::backend::Backend;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::forest_votes::{LEAF, Node, Voters};

/// Shader compilers give up on braces nested deeper.
const MAX_NESTING: usize = 100;

/// How one of the two languages says things.
struct Language {
    sum: fn(usize) -> String,
    value: fn(usize) -> String,
}

const OPENCL: Language = Language { sum: |k| format!("s{k}"), value: |f| format!("i{f}") };
const WGSL: Language = Language { sum: |k| format!("s[{k}]"), value: |f| format!("x[{f}]") };

impl Model {
    /// The forest as an APOC model file (`.cl`) of the given kind, e.g. `TableRowClassifier`.
    ///
    /// APOC counts classes from 1: class `k` there is `classes()[k - 1]` here. A tie goes to the lower class.
    ///
    /// # Errors
    /// A regression, or a tree nested deeper than 100 splits.
    pub fn to_cl(&self, classifier_class_name: &str) -> Result<String> {
        let classes = self.exportable()?.len();
        let names: Vec<String> =
            self.feature_names().iter().map(|n| n.replace(char::is_whitespace, "_")).collect();
        let importances: Vec<String> =
            self.summary().importances.iter().map(|x| format!("{x:?}")).collect();
        let n_features = self.trees().n_features();
        let each = |n: std::ops::Range<usize>, line: fn(usize) -> String| {
            n.map(line).collect::<Vec<_>>().concat()
        };
        let inputs = each(0..n_features, |i| format!("IMAGE_in{i}_TYPE in{i}, "));
        let reads = each(0..n_features, |i| {
            format!(" float i{i} = READ_IMAGE(in{i}, sampler, POS_in{i}_INSTANCE(x,y,z,0)).x;\n")
        });
        let sums = each(0..classes, |k| format!(" float s{k}=0;\n"));
        let winner = each(1..classes, |k| {
            format!(" if (max_s < s{k}) {{\n  max_s = s{k};\n  cls={};\n }}\n", k + 1)
        });
        Ok(format!(
            "/*\nOpenCL RandomForestClassifier\n\
             classifier_class_name = {classifier_class_name}\n\
             feature_specification = {}\n\
             num_ground_truth_dimensions = 1\n\
             num_classes = {classes}\n\
             num_features = {n_features}\n\
             max_depth = {}\n\
             num_trees = {}\n\
             feature_importances = {}\n\
             apoc_version = {APOC_VERSION}\n*/\n\
             __kernel void predict ({inputs}IMAGE_out_TYPE out) {{\n \
             sampler_t sampler = CLK_NORMALIZED_COORDS_FALSE | CLK_ADDRESS_CLAMP_TO_EDGE | CLK_FILTER_NEAREST;\n \
             const int x = get_global_id(0);\n \
             const int y = get_global_id(1);\n \
             const int z = get_global_id(2);\n\
             {reads}{sums}{} \
             float max_s=s0;\n int cls=1;\n{winner} \
             WRITE_IMAGE (out, POS_out_INSTANCE(x,y,z,0), cls);\n}}\n",
            names.join(" "),
            self.trees().depth(),
            self.trees().as_slice().len(),
            importances.join(","),
            self.rules(&OPENCL),
        ))
    }

    /// The forest as a WGSL compute shader, entry point `predict`.
    ///
    /// Binding 0 holds the rows as `f32`, one after the other; binding 1 receives a class per row,
    /// counted from 1 as in [`to_cl`](Self::to_cl), 0 for a row with a NaN.
    ///
    /// # Errors
    /// As [`to_cl`](Self::to_cl).
    pub fn to_wgsl(&self) -> Result<String> {
        let classes = self.exportable()?;
        let (n_classes, n_features) = (classes.len(), self.trees().n_features());
        let mut legend = String::new();
        for (i, name) in self.feature_names().iter().enumerate() {
            let _ = writeln!(legend, "// x[{i}]: {}", one_line(name));
        }
        for (k, name) in classes.iter().enumerate() {
            let _ = writeln!(legend, "// class {}: {}", k + 1, one_line(name));
        }
        Ok(format!(
            "// A random forest of {} trees: {n_features} features in, classes 1..{n_classes} out, 0 for a row with a NaN.\n\
             {legend}\n\
             const N_FEATURES = {n_features}u;\n\
             const N_CLASSES = {n_classes}u;\n\n\
             @group(0) @binding(0) var<storage, read> rows: array<f32>;\n\
             @group(0) @binding(1) var<storage, read_write> classes: array<u32>;\n\n\
             @compute @workgroup_size(64)\n\
             fn predict(@builtin(global_invocation_id) id: vec3<u32>) {{\n \
             let row = id.x;\n \
             if (row >= arrayLength(&classes)) {{\n  return;\n }}\n \
             var x: array<f32, {n_features}>;\n \
             var missing = false;\n \
             for (var i = 0u; i < N_FEATURES; i++) {{\n  \
             x[i] = rows[row * N_FEATURES + i];\n  \
             // Compilers may assume that NaN does not occur: its bits cannot be argued with.\n  \
             missing = missing || (bitcast<u32>(x[i]) & 0x7fffffffu) > 0x7f800000u;\n }}\n \
             if (missing) {{\n  classes[row] = 0u;\n  return;\n }}\n \
             var s: array<f32, {n_classes}>;\n\
             {} \
             var best = 0u;\n \
             for (var k = 1u; k < N_CLASSES; k++) {{\n  if (s[best] < s[k]) {{\n   best = k;\n  }}\n }}\n \
             classes[row] = best + 1u;\n}}\n",
            self.trees().as_slice().len(),
            self.rules(&WGSL),
        ))
    }

    /// The classes that the program text gives, counted from 1, 0 for a row with a NaN; on the processor or a device,
    /// with the same answer. `columns[f][row]` are the features of many rows, pixels for instance, in `f32`.
    ///
    /// # Errors
    /// As [`to_cl`](Self::to_cl); columns of different length or number; what the device has no room for.
    pub fn votes(&self, backend: &Backend, columns: &[&[f32]]) -> Result<Vec<u32>> {
        let n_classes = self.exportable()?.len();
        let n_features = self.trees().n_features();
        let n_rows = columns.first().map_or(0, |column| column.len());
        if columns.len() != n_features || columns.iter().any(|column| column.len() != n_rows) {
            let what = format!("{} columns, of {n_rows} rows the first", columns.len());
            return Err(Error::parameter("columns", what, format!("{n_features} of one length")));
        }
        let (mut nodes, mut roots, mut votes) = (Vec::new(), Vec::new(), Vec::new());
        for tree in self.trees().as_slice() {
            let first = nodes.len() as u32;
            let first_leaf = (votes.len() / n_classes) as u32;
            roots.push(first);
            nodes.extend(tree.kinds().map(|kind| match kind {
                Kind::Split { feature, threshold, left } => Node {
                    threshold: above(self.unscaled(feature, threshold)) as f32,
                    feature: feature as u32,
                    left: first + left as u32,
                    right: first + left as u32 + 1,
                },
                Kind::Leaf(leaf) => {
                    Node { threshold: 0.0, feature: 0, left: LEAF, right: first_leaf + leaf as u32 }
                }
            }));
            votes.extend_from_slice(&tree.values);
        }
        let (nodes, roots, votes) = (&nodes, &roots, &votes);
        let voters = Voters { nodes, roots, votes, n_features, n_classes };
        match backend {
            Backend::Cpu => Ok(voters.classes(columns)),
            Backend::Gpu(gpu) => voters.classes_on(gpu, columns),
        }
    }

    /// A threshold on the scale of the table.
    fn unscaled(&self, feature: usize, threshold: f64) -> f64 {
        self.scaling().map_or(threshold, |s| threshold * s.scale[feature] + s.center[feature])
    }

    /// The classes, where the forest has classes and can be nested into braces.
    fn exportable(&self) -> Result<&[String]> {
        let depth = self.trees().depth();
        if depth > MAX_NESTING {
            let allowed = format!("at most {MAX_NESTING} for program text");
            return Err(Error::parameter("max_depth", depth, allowed));
        }
        self.classes().ok_or_else(|| {
            Error::new(ErrorKind::Parameter, "a regression has no classes to write as a program")
        })
    }

    fn rules(&self, language: &Language) -> String {
        let mut text = String::new();
        for tree in self.trees().as_slice() {
            self.write_tree(&mut text, tree, language);
        }
        text
    }
}

/// The version of APOC whose files these follow.
const APOC_VERSION: &str = "0.12.0";

enum Step<'a> {
    Node(usize, usize),
    Text(usize, &'a str),
}

impl Model {
    /// One tree as nested conditions; leaves add their shares to the sums.
    fn write_tree(&self, text: &mut String, tree: &Tree, language: &Language) {
        let mut open = vec![Step::Node(0, 0)];
        while let Some(step) = open.pop() {
            match step {
                Step::Text(depth, line) => {
                    let _ = writeln!(text, "{}{line}", " ".repeat(depth));
                }
                Step::Node(i, depth) => match tree.kind(i) {
                    Kind::Split { feature, threshold, left } => {
                        let threshold = above(self.unscaled(feature, threshold));
                        let value = (language.value)(feature);
                        let _ = writeln!(text, "{}if({value}<{threshold:?}){{", " ".repeat(depth));
                        open.extend([
                            Step::Text(depth, "}"),
                            Step::Node(left + 1, depth + 1),
                            Step::Text(depth, "} else {"),
                            Step::Node(left, depth + 1),
                        ]);
                    }
                    Kind::Leaf(leaf) => {
                        let values = tree.leaf_values(leaf, self.trees().n_outputs());
                        for (k, value) in values.iter().enumerate().filter(|(_, v)| **v != 0.0) {
                            let sum = (language.sum)(k);
                            let _ = writeln!(text, "{}{sum}+={value:?};", " ".repeat(depth));
                        }
                    }
                },
            }
        }
    }
}

/// The smallest `f32` above a threshold, so that `x < T` says for an `f32` what `x <= threshold` says.
///
/// Beyond the range of `f32` it is the largest one, as program text has no infinity.
fn above(threshold: f64) -> f64 {
    let near = threshold as f32;
    let next = if f64::from(near) > threshold { near } else { near.next_up() };
    f64::from(next.clamp(f32::MIN, f32::MAX))
}

/// A name that cannot leave its comment.
fn one_line(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::{RandomForest, Scaling};
    use crate::seed::Seed;
    use linfa::DatasetBase;
    use linfa::traits::Fit;
    use ndarray::{Array1, Array2};

    /// What a compiler would make of the rules in a `.cl` file, for one row.
    fn run(cl: &str, row: &[f32], n_classes: usize) -> usize {
        let mut sums = vec![0f32; n_classes];
        // Per open brace: whether this branch is taken.
        let mut taken: Vec<bool> = Vec::new();
        let body = cl.lines().skip_while(|l| !l.starts_with(" float s0"));
        for line in body.take_while(|l| !l.contains("max_s")).map(str::trim) {
            if let Some(rule) = line.strip_prefix("if(i") {
                let (feature, threshold) =
                    rule.strip_suffix("){").unwrap().split_once('<').unwrap();
                let value = row[feature.parse::<usize>().unwrap()];
                taken.push(value < threshold.parse::<f32>().unwrap());
            } else if line == "} else {" {
                *taken.last_mut().unwrap() ^= true;
            } else if line == "}" {
                taken.pop();
            } else if let Some(leaf) = line.strip_suffix(';').and_then(|l| l.strip_prefix('s')) {
                let Some((class, value)) = leaf.split_once("+=") else { continue };
                if taken.iter().all(|t| *t) {
                    sums[class.parse::<usize>().unwrap()] += value.parse::<f32>().unwrap();
                }
            }
        }
        (0..n_classes).rev().max_by(|&a, &b| sums[a].total_cmp(&sums[b])).unwrap() + 1
    }

    fn model(n_trees: usize) -> (Model, Array2<f64>) {
        let mut stream = Seed::new(5).stream("table", 0);
        // Values that `f32` holds exactly, many of them on thresholds' neighbours.
        let matrix = Array2::from_shape_simple_fn((200, 3), || f64::from(stream.uniform() as f32));
        let labels = matrix.rows().into_iter().map(|r| 10 * (r[0] * 2.0 + r[1]) as usize);
        let data = DatasetBase::new(matrix.clone(), labels.collect::<Array1<usize>>());
        (Model::of(&RandomForest::params().n_trees(n_trees).fit(&data).unwrap()), matrix)
    }

    #[test]
    fn opencl_text_decides_as_the_forest_does() {
        let (model, matrix) = model(9);
        let cl = model.to_cl("TableRowClassifier").unwrap();
        let outputs = model.outputs_of(matrix.view()).unwrap();
        for (row, outputs) in matrix.rows().into_iter().zip(outputs.rows()) {
            let row: Vec<f32> = row.iter().map(|&x| x as f32).collect();
            let best = outputs.iter().copied().fold(0.0, f64::max);
            let found = run(&cl, &row, 3);
            // Where two classes tie, sums of `f32` may fall either way.
            assert!(outputs[found - 1] > best - 1e-6, "{row:?} {outputs}");
        }
    }

    #[test]
    fn a_scaled_model_reads_unscaled_values() {
        let (plain, matrix) = model(5);
        let scaling = Scaling { center: vec![2.0, 0.0, -1.0], scale: vec![4.0, 1.0, 0.5] };
        let scaled = plain.clone().with_scaling(scaling.clone()).unwrap();
        let cl = scaled.to_cl("TableRowClassifier").unwrap();
        for row in matrix.rows() {
            let raw = |i: usize| row[i] * scaling.scale[i] + scaling.center[i];
            let row: Vec<f32> = row.iter().map(|&x| x as f32).collect();
            let raw: Vec<f32> = (0..3).map(|i| raw(i) as f32).collect();
            let expected = run(&plain.to_cl("TableRowClassifier").unwrap(), &row, 3);
            assert_eq!(run(&cl, &raw, 3), expected);
        }
    }

    #[test]
    fn thresholds_become_the_next_float() {
        for t in [0.5, 0.1, 2.45, -3.7, 1e-50, 0.0] {
            let text = above(t);
            assert!(text > t && f64::from((text as f32).next_down()) <= t, "{t} {text}");
        }
        assert_eq!(above(1e300), f64::from(f32::MAX));
    }

    #[test]
    fn shader_text_has_every_rule() {
        let (model, _) = model(4);
        let (cl, wgsl) = (model.to_cl("TableRowClassifier").unwrap(), model.to_wgsl().unwrap());
        assert_eq!(wgsl.matches("if(x[").count(), cl.matches("if(i").count());
        assert_eq!(wgsl.matches('{').count(), wgsl.matches('}').count());
    }

    #[test]
    fn exported_shaders_are_valid_and_run() {
        use crate::backend::{Bound, Launch, Shader, check_shader, test_device};

        let mut stream = Seed::new(8).stream("rows", 0);
        let rows = Array2::from_shape_fn((300, 4), |_| (stream.uniform() * 20.0).round() / 2.0);
        let targets: Array1<usize> =
            rows.outer_iter().map(|r| usize::from(r[0] > 5.0) + usize::from(r[2] > 7.0)).collect();
        let forest = RandomForest::params()
            .n_trees(20)
            .seed(1)
            .fit(&DatasetBase::new(rows.clone(), targets))
            .unwrap();
        let model = Model::of(&forest);
        let source: &'static str = model.to_wgsl().unwrap().leak();
        check_shader(source).unwrap_or_else(|error| panic!("{error}"));
        let Some(gpu) = test_device() else { return };
        let shader = Box::leak(Box::new(Shader { name: "exported", source }));
        let mut values: Vec<f32> = rows.iter().map(|v| *v as f32).collect();
        values[5] = f32::NAN;
        let (held, classes) = (gpu.upload(&values).unwrap(), gpu.zeros::<u32>(300).unwrap());
        let buffers: [(_, &dyn Bound); 2] = [("rows", &held), ("classes", &classes)];
        let (constants, parameters) = (&[], &[]);
        let entry = "predict";
        gpu.launch(&Launch {
            shader,
            entry,
            constants,
            parameters,
            buffers: &buffers,
            n_items: 300,
        })
        .unwrap();
        let found = gpu.read(&classes).unwrap();
        assert_eq!(found[1], 0, "a row with a NaN");
        let columns: Vec<Vec<f32>> =
            (0..4).map(|f| values.iter().skip(f).step_by(4).copied().collect()).collect();
        let columns: Vec<&[f32]> = columns.iter().map(Vec::as_slice).collect();
        let backend = Backend::Gpu(std::sync::Arc::new(gpu));
        let votes = model.votes(&backend, &columns).unwrap();
        assert_eq!(votes, model.votes(&Backend::Cpu, &columns).unwrap());
        assert_eq!(votes[1], 0);
        let expected = forest.probabilities(rows.view()).unwrap();
        for (row, (found, shares)) in found.iter().zip(expected.outer_iter()).enumerate() {
            // Where two classes are a rounding apart, either may win.
            let best = shares.iter().copied().fold(0.0, f64::max);
            for class in [*found, votes[row]] {
                assert!(row == 1 || best - shares[class as usize - 1] < 1e-5, "row {row}");
            }
        }
    }
}
