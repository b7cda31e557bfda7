//! Model files, good and bad.

use crate::apoc::Classifier;

const HEADER: &str = "/*\nOpenCL RandomForestClassifier\nclassifier_class_name = PixelClassifier\n\
feature_specification = original gaussian_blur=1\nnum_classes = 2\n*/\n";
const BEGIN: &str = "__kernel void predict (IMAGE_in0_TYPE in0, IMAGE_in1_TYPE in1, IMAGE_out_TYPE out) {\n \
const int x = get_global_id(0);\n \
float i0 = READ_IMAGE(in0, sampler, POS_in0_INSTANCE(x,y,z,0)).x;\n \
float i1 = READ_IMAGE(in1, sampler, POS_in1_INSTANCE(x,y,z,0)).x;\n float s0=0;\n float s1=0;\n";
const TREE: &str = "if(i1<0.5){\n s0+=1.0;\n} else {\n if(i0<-2e-05){\n  s0+=3;\n  s1+=1.5;\n } else {\n  s1+=1.0;\n }\n}\n";
const END: &str = " float max_s=s0;\n int cls=1;\n if (max_s < s1) {\n  max_s = s1;\n  cls=2;\n }\n \
WRITE_IMAGE (out, POS_out_INSTANCE(x,y,z,0), cls);\n}\n";

fn file(trees: &str) -> String {
    format!("{HEADER}{BEGIN}{trees}{END}")
}

fn fails(text: &str, message: &str, line: Option<usize>) {
    let error = Classifier::from_cl(text).unwrap_err();
    assert!(error.to_string().contains(message), "{error}");
    assert_eq!(error.row(), line, "{error}");
}

#[test]
fn layout_does_not_matter() {
    let plain = Classifier::from_cl(&file(TREE)).unwrap();
    assert_eq!((plain.n_trees(), plain.n_classes(), plain.n_features()), (1, 2, 2));
    let dos = Classifier::from_cl(&file(TREE).replace('\n', "\r\n")).unwrap();
    let spaced = file(TREE).replace("if(i", "if ( i").replace('<', " < ").replace("+=", " += ");
    assert_eq!(dos, plain);
    assert_eq!(Classifier::from_cl(&spaced).unwrap(), plain);
    // Old versions wrote no class name and left blanks between importances.
    let old = file(TREE)
        .replace("classifier_class_name = PixelClassifier", "feature_importances = 0.25, 0.75");
    assert_eq!(Classifier::from_cl(&old).unwrap().feature_importances()["gaussian_blur=1"], 0.75);
}

#[test]
fn trees_without_a_question_are_trees() {
    let model = Classifier::from_cl(&file("s0+=0.5;\ns1+=0.5;\ns0+=1.0;\n")).unwrap();
    assert_eq!(model.n_trees(), 2);
}

#[test]
fn a_literal_is_a_double() {
    // 0.1 is less than the single next to it: that single is not below 0.1, nor is it here.
    let model =
        Classifier::from_cl(&file("if(i0<0.1){\n s0+=1.0;\n} else {\n s1+=1.0;\n}\n")).unwrap();
    assert_eq!(model.forest.nodes[0].threshold, 0.1f32);
    let model =
        Classifier::from_cl(&file("if(i0<0.3){\n s0+=1.0;\n} else {\n s1+=1.0;\n}\n")).unwrap();
    // The single nearest to 0.3 is above it as well.
    assert!(f64::from(model.forest.nodes[0].threshold) >= 0.3);
}

#[test]
fn damage_is_named_with_its_line() {
    let good = file(TREE);
    let body = HEADER.lines().count() + BEGIN.lines().count();
    for end in (0..good.len()).filter(|&end| good.is_char_boundary(end)) {
        if good[end..].trim().is_empty() {
            continue;
        }
        assert!(Classifier::from_cl(&good[..end]).is_err(), "cut after {end} bytes");
    }
    fails("", "is no APOC model", None);
    fails("import os", "is no APOC model", None);
    fails(&good.replace("i1<0.5", "i7<0.5"), "`i7` where `i0` to `i1`", Some(body + 1));
    fails(&good.replace("i1<0.5", "i1<=0.5"), "`=` where a number", Some(body + 1));
    fails(&good.replace("i1<0.5", "i1<1e999"), "1e999 is beyond", Some(body + 1));
    fails(&good.replace("i1<0.5", "i1<nan"), "`nan` where a number", Some(body + 1));
    fails(&good.replace("s1+=1.5", "s2+=1.5"), "`s2` where `s0` to `s1`", Some(body + 6));
    fails(&good.replace("cls=2", "cls=3"), "`3` where", Some(body + 15));
    fails(
        &good.replace("float max_s=s0;", "system(\"rm\"); float max_s=s0;"),
        "`system` where a tree",
        Some(body + 11),
    );
    fails(&format!("{good}more"), "`more` where the end", Some(good.lines().count() + 1));
    fails(&good.replace("num_classes = 2", "num_classes = 3"), "num_classes = 3", None);
    fails(&good.replace("num_classes = 2", "num_classes = -1"), "num_classes = -1", Some(5));
    fails(&good.replace("PixelClassifier", "Dreamer"), "Dreamer is unknown", Some(3));
}

#[test]
fn hostile_files_cost_little() {
    let deep = "if(i0<0.5){\n".repeat(100_000);
    fails(
        &file(&deep),
        "nested deeper than 256",
        Some(HEADER.lines().count() + BEGIN.lines().count() + 257),
    );
    let wide = format!(
        "{HEADER}{}",
        BEGIN.replace(
            "float s1=0;",
            &(1..9_000).map(|k| format!("float s{k}=0;\n")).collect::<String>()
        )
    );
    assert!(Classifier::from_cl(&wide).unwrap_err().to_string().contains("4096 classes"));
    let long = format!("if(i0<{}){{\n", "9".repeat(1 << 20));
    assert!(Classifier::from_cl(&file(&long)).unwrap_err().to_string().len() < 300);
    assert!(Classifier::from_cl(&"/*\n".repeat(2_000_000)).is_err());
    // A million lines that are fine.
    let many = Classifier::from_cl(&file(&TREE.repeat(100_000))).unwrap();
    assert_eq!(many.n_trees(), 100_000);
}

#[test]
fn damage_in_a_shader_is_named_with_its_line() {
    let good = Classifier::from_cl(&file(TREE)).unwrap().to_wgsl();
    let line_of = |words: &str| good.lines().position(|line| line.contains(words)).map(|i| i + 1);
    assert_eq!(Classifier::from_cl(&good).unwrap().to_wgsl(), good);
    for end in (0..good.len()).filter(|&end| !good[end..].trim().is_empty()) {
        assert!(Classifier::from_cl(&good[..end]).is_err(), "cut after {end} bytes");
    }
    fails(
        &good.replace("x[1]<0.5", "x[7]<0.5"),
        "`x[7]` where `x[0]` to `x[1]`",
        line_of("x[1]<0.5"),
    );
    fails(&good.replace("x[1]<0.5", "y[1]<0.5"), "`y` where `x[0]`", line_of("x[1]<0.5"));
    fails(&good.replace("s[1]+=1.5", "s[2]+=1.5"), "`s[2]` where `s[0]`", line_of("s[1]+=1.5"));
    fails(&good.replace("let pixel = id.x", "let pixel = id.y"), "where `.x`", line_of("id.x"));
    fails(
        &good.replace("N_CLASSES = 2u", "N_CLASSES = 0u"),
        "`0u` where",
        line_of("N_CLASSES = 2u"),
    );
    fails(&format!("{good}more"), "`more` where the end", Some(good.lines().count() + 1));
}
