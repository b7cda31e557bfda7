//! Tables against the numbers of pandas, scipy and scikit-learn on the lecture's 44 objects, and columns of other tools.

use std::path::{Path, PathBuf};

use ndarray::Array2;
use polariscope::table::{
    Columns, Correlation, Features, Role, Scale, Scaler, Table, correlate, describe, families,
    redundancies, representative,
};

/// The lecture's data with expected numbers, if they are at hand.
fn shared(file: &str) -> Option<PathBuf> {
    let folder = std::env::var("POLARISCOPE_SHARED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data").into());
    let path = Path::new(&folder).join("expected").join(file);
    if !path.exists() {
        println!("skipped: no ../shared/data");
        return None;
    }
    Some(path)
}

fn open(file: &str) -> Option<Table> {
    shared(file).map(|path| Table::open(path).unwrap())
}

/// Column `name` as numbers, NaN for missing.
fn numbers(table: &Table, name: &str) -> Vec<f64> {
    let column =
        table.frame.column(name).unwrap().cast(&polars::prelude::DataType::Float64).unwrap();
    column.f64().unwrap().iter().map(|v| v.unwrap_or(f64::NAN)).collect()
}

fn names(table: &Table) -> Vec<String> {
    table.frame.columns().iter().map(|c| c.name().to_string()).collect()
}

/// Ours and theirs differ by rounding only: both are sums of 44 numbers.
const ROUNDING: f64 = 1e-9;

fn assert_close(ours: f64, theirs: f64, what: &str) {
    let same = ours.is_nan() && theirs.is_nan();
    assert!(
        same || (ours - theirs).abs() <= ROUNDING * theirs.abs().max(1.0),
        "{what}: {ours} {theirs}"
    );
}

#[test]
fn describe_equals_pandas() {
    let (Some(table), Some(expected)) =
        (open("ml/measurements_44x21.csv"), open("ml/describe_44.csv"))
    else {
        return;
    };
    let summary = describe(&table.frame);
    let rows = names(&expected)[0].clone();
    let rows = expected.frame.column(&rows).unwrap().str().unwrap().clone();
    assert_eq!(summary.len(), rows.len());
    for (i, ours) in summary.iter().enumerate() {
        assert_eq!(Some(ours.name.as_str()), rows.get(i));
        let figures = [
            ("count", Some(ours.count as f64)),
            ("mean", ours.mean),
            ("std", ours.std),
            ("min", ours.min),
            ("25%", ours.q25),
            ("50%", ours.median),
            ("75%", ours.q75),
            ("max", ours.max),
        ];
        for (name, figure) in figures {
            assert_close(
                figure.unwrap(),
                numbers(&expected, name)[i],
                &format!("{} {name}", ours.name),
            );
        }
    }
}

#[test]
fn correlations_equal_pandas() {
    for (file, how) in [
        ("ml/corr_pearson_44.csv", Correlation::Pearson),
        ("ml/corr_spearman_44.csv", Correlation::Spearman),
    ] {
        let (Some(table), Some(expected)) = (open("ml/measurements_44x21.csv"), open(file)) else {
            return;
        };
        let known = names(&table);
        let shared: Vec<String> =
            names(&expected).into_iter().filter(|n| known.contains(n)).collect();
        assert!(shared.len() > 15);
        let ours = correlate(&table.frame, &shared, how).unwrap();
        let rows = expected.frame.columns()[0].str().unwrap().clone();
        for (j, b) in shared.iter().enumerate() {
            let theirs = numbers(&expected, b);
            for (i, a) in shared.iter().enumerate() {
                let row = rows.iter().position(|name| name == Some(a)).unwrap();
                assert_close(ours[[i, j]], theirs[row], &format!("{file} {a} {b}"));
            }
        }
    }
}

#[test]
fn standardized_equals_scikit_learn() {
    let (Some(table), Some(expected)) =
        (open("ml/measurements_44x21.csv"), open("ml/standard_scaled_44x16.csv"))
    else {
        return;
    };
    let wanted = Columns::measurements().features(names(&expected));
    let features = Features::from_frame(&table.frame, wanted).unwrap();
    assert_eq!(features.names(), names(&expected));
    let scaled = features.standardized().unwrap();
    for (j, name) in names(&expected).iter().enumerate() {
        let theirs = numbers(&expected, name);
        scaled.matrix().column(j).iter().zip(theirs).for_each(|(a, b)| assert_close(*a, b, name));
    }
    let scaler = Scaler::fit(&features, Scale::Zscore);
    let back = scaler.inverse(scaled.matrix()).unwrap();
    back.iter().zip(features.matrix()).for_each(|(a, b)| assert_close(*a, *b, "inverse"));
}

#[test]
fn the_lectures_table_is_understood() {
    let Some(table) = open("ml/measurements_44x21.csv") else { return };
    let columns = Columns::of(&table.frame);
    assert_eq!(columns.key(), Some("label"));
    assert_eq!(
        columns.left_out(),
        "label (key) · min_intensity (constant) · local_centroid-* (position) · orientation (angle)"
    );
    assert_eq!(columns.features().len(), 16);
    let r = correlate(&table.frame, &columns.features(), Correlation::Spearman).unwrap();
    let families = families(&r, 0.85);
    assert_eq!(families.iter().map(Vec::len).sum::<usize>(), 16);
    let first = &families[0];
    let size = representative(first, &columns.features(), &r);
    assert_eq!(columns.features()[size], "area");
    assert!(redundancies(&r, 0.95)[0].len() > 2);
}

#[test]
fn tables_of_other_tools_leave_only_measurements() {
    let cases = [
        (
            "skimage_regionprops.csv",
            "label",
            ["area", "eccentricity"],
            ["label", "bbox-0", "centroid-1", "orientation"],
        ),
        (
            "nsr_regionprops.csv",
            "label",
            ["area", "roundness"],
            ["label", "bbox-3", "weighted_centroid-0", "orientation"],
        ),
        (
            "sitk_label_statistics.csv",
            "label",
            ["perimeter", "median"],
            ["label", "bbox_0", "centroid_0", "bbox_3"],
        ),
        (
            "cle_statistics_of_labelled_pixels.csv",
            "label",
            ["area", "mean_intensity"],
            ["label", "original_label", "bbox_min_x", "mass_center_y"],
        ),
    ];
    for (file, key, features, others) in cases {
        let Some(table) = open(&format!("blobs_gt120_44/{file}")) else { return };
        let columns = Columns::of(&table.frame);
        assert_eq!(columns.key(), Some(key), "{file}");
        println!("{file}: {}\n   features: {:?}", columns.left_out(), columns.features());
        for name in features {
            assert!(columns.features().contains(&name), "{file} {name}: {:?}", columns.get(name));
        }
        for name in others {
            assert!(!columns.features().contains(&name), "{file} {name}: {:?}", columns.get(name));
        }
    }
}

fn roles(text: &str) -> Vec<(String, Role, Option<String>)> {
    let table = Table::from_bytes("t.csv", text.as_bytes()).unwrap();
    let columns = Columns::of(&table.frame);
    columns.iter().map(|c| (c.name.clone(), c.role, c.left_out.clone())).collect()
}

#[test]
fn names_and_values_give_roles() {
    // Nobody knows these names: all numbers that vary are features.
    let plain = roles("a,b,c\n1.5,2,7\n2.5,1,7\n3.5,4,7\n");
    assert_eq!(plain[0], ("a".into(), Role::Feature, None));
    assert_eq!(plain[1], ("b".into(), Role::Feature, None));
    assert_eq!(plain[2].2.as_deref(), Some("constant"));
    // `x` and `group` are features beside nothing known.
    let plain = roles("x,y\n1.5,2\n2.5,1\n3.5,9\n");
    assert!(plain.iter().all(|c| c.2.is_none()), "{plain:?}");
    let known = roles("x,y,area\n1.5,2,3\n2.5,1,5\n3.5,9,6\n");
    assert_eq!((known[0].1, known[2].1), (Role::Position, Role::Feature));
    // Counted rows are keys; class labels repeat.
    assert_eq!(roles(",a\n0,1.5\n1,2.5\n2,2.5\n")[0].1, Role::Key);
    assert_eq!(roles("label,a\n1,1.5\n3,2.5\n2,2.5\n")[0].1, Role::Key);
    assert_eq!(roles("label,a\n1,1.5\n2,2.5\n1,2.5\n")[0].1, Role::Annotation);
    let text = roles("name,a,gone\nu,1.5,\nv,2.5,\nw,2.5,\n");
    assert_eq!(text[0].2.as_deref(), Some("text"));
    assert_eq!(text[2].2.as_deref(), Some("empty"));
    let missing = roles(&format!("a,b\n{}", "1,2\n2,3\n,4\n".repeat(10)));
    assert_eq!(missing[0].2.as_deref(), Some("33 % missing"));
}

#[test]
fn tools_name_their_columns_in_their_own_ways() {
    let text = "ImageNumber,ObjectNumber,Nuclei_AreaShape_Area,Nuclei_AreaShape_Orientation,Nuclei_Location_Center_X\n\
                1,1,5,10,3\n1,2,6,20,4\n2,1,7,30,5\n";
    let cellprofiler = roles(text);
    assert_eq!(
        cellprofiler.iter().map(|c| c.1).collect::<Vec<_>>(),
        [Role::Metadata, Role::Key, Role::Feature, Role::Angle, Role::Position]
    );
    let imagej = roles(
        " ,Area,Mean,X,Y,Circ.,Angle,Feret\n1,5,10,3,1,0.9,30,4\n2,6,20,4,2,0.8,20,5\n3,7,10,4,2,0.7,2,6\n",
    );
    let expected = [
        Role::Key,
        Role::Feature,
        Role::Feature,
        Role::Position,
        Role::Position,
        Role::Feature,
        Role::Angle,
        Role::Feature,
    ];
    assert_eq!(imagej.iter().map(|c| c.1).collect::<Vec<_>>(), expected);
    let table =
        Table::from_bytes("q.tsv", "Nucleus: Area µm^2\tCentroid X µm\n5.5\t1\n6\t9\n".as_bytes())
            .unwrap();
    let columns = Columns::of(&table.frame);
    let area = columns.get("Nucleus: Area µm^2").unwrap();
    assert_eq!((area.canonical.as_deref(), area.unit.as_str()), (Some("area"), "µm²"));
    assert_eq!(columns.left_out(), "Centroid X µm (position)");
}

#[test]
fn globs_choose_and_suggest() {
    let table = Table::from_bytes(
        "t.csv",
        b"label,area,area_bbox,one,name\n1,5,6,1,a\n2,6,9,1,b\n3,5,2,1,c\n",
    )
    .unwrap();
    let chosen = |selection: polariscope::table::Selection| {
        let columns = Columns::chosen(&table.frame, selection)?;
        Ok::<Vec<String>, polariscope::Error>(
            columns.features().into_iter().map(Into::into).collect(),
        )
    };
    assert_eq!(chosen(Columns::measurements()).unwrap(), ["area", "area_bbox"]);
    assert_eq!(
        chosen(Columns::measurements().features(["*"])).unwrap(),
        ["label", "area", "area_bbox", "one"]
    );
    assert_eq!(chosen(Columns::measurements().features(["area*"])).unwrap(), ["area", "area_bbox"]);
    assert_eq!(chosen(Columns::measurements().exclude(["*_bbox"])).unwrap(), ["area"]);
    let error = chosen(Columns::measurements().features(["aera"])).unwrap_err();
    assert_eq!(error.remedy(), Some("did you mean `area`?"));
    let error = chosen(Columns::measurements().features(["name"])).unwrap_err();
    assert!(error.to_string().contains("text"), "{error}");
    let error =
        Features::from_frame(&table.frame, Columns::measurements().exclude(["*"])).unwrap_err();
    assert!(error.to_string().contains("no column is left"), "{error}");
}

#[test]
fn families_by_average_linkage() {
    // Against scipy.cluster.hierarchy.average on 1 - |r| for the same matrix, cut at 0.15.
    let r = Array2::from_shape_fn((6, 6), |(i, j)| {
        let close = [[1.0, 0.95, 0.9], [0.95, 1.0, 0.7], [0.9, 0.7, 1.0]];
        if i / 3 == j / 3 { close[i % 3][j % 3] } else { 0.1 }
    });
    // 0.95 joins first; then the mean of 0.9 and 0.7 is 0.8, below the cut.
    assert_eq!(families(&r, 0.85), [vec![0, 1], vec![2], vec![3, 4], vec![5]]);
    assert_eq!(families(&r, 0.75), [vec![0, 1, 2], vec![3, 4, 5]]);
}
