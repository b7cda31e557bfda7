//! Every figure with made-up data: none panics, each is a document, sizes stay in bounds. With
//! `POLARISCOPE_GALLERY=FOLDER` the pictures are written there to be looked at.

use ndarray::Array2;

use polariscope::report::figures::*;
use polariscope::report::{Column, Explorer, LabelLayer, Report, Section};
use polariscope::seed::Seed;
use polariscope::stability::Light;

const NAMES: [&str; 16] = [
    "area",
    "area_convex",
    "equivalent_diameter_area",
    "perimeter",
    "axis_major_length",
    "axis_minor_length",
    "feret_diameter_max",
    "aspect_ratio",
    "eccentricity",
    "elongation",
    "roundness",
    "circularity",
    "solidity",
    "intensity_mean__dapi",
    "intensity_max__dapi",
    "intensity_std__dapi",
];

/// Two kinds of blobs (and a third of bright ones): labels, features and a map.
struct Blobs {
    labels: Vec<usize>,
    table: Array2<f64>,
    x: Vec<f64>,
    y: Vec<f64>,
    stability: Vec<f64>,
}

fn blobs(n: usize, k: usize) -> Blobs {
    let mut draw = Seed::new(1).stream("gallery", 0);
    let mut normal = move || (0..12).map(|_| draw.uniform()).sum::<f64>() - 6.0;
    let labels: Vec<usize> = (0..n).map(|i| 1 + i * i % 7 % k).collect();
    let mut table = Array2::zeros((n, NAMES.len()));
    let (mut x, mut y, mut stability) = (vec![], vec![], vec![]);
    for (i, &label) in labels.iter().enumerate() {
        let size = (300.0 + 80.0 * normal() + 140.0 * (label % 3) as f64).max(20.0);
        let ratio = 1.1 + 0.9 * (label % 2) as f64 + 0.12 * normal().abs();
        let bright = 120.0 + 9.0 * normal() + 40.0 * (label > 2) as u8 as f64;
        let minor = (4.0 * size / std::f64::consts::PI / ratio).sqrt();
        let row = [
            size,
            size * 1.05 + 4.0 * normal(),
            (4.0 * size / std::f64::consts::PI).sqrt(),
            minor * (1.0 + ratio) * 1.6 + normal(),
            minor * ratio,
            minor,
            minor * ratio + 0.4 * normal(),
            ratio,
            (1.0 - 1.0 / (ratio * ratio)).sqrt(),
            1.0 - 1.0 / ratio,
            1.0 / ratio + 0.01 * normal(),
            1.0 / ratio.sqrt() + 0.03 * normal(),
            0.95 + 0.01 * normal(),
            bright,
            bright * 1.6 + 8.0 * normal(),
            12.0 + 2.0 * normal(),
        ];
        for (c, v) in row.into_iter().enumerate() {
            table[(i, c)] = v;
        }
        let angle = label as f64 / k as f64 * std::f64::consts::TAU;
        let (dx, dy) = (normal(), normal());
        x.push(4.2 * angle.cos() + dx);
        y.push(4.2 * angle.sin() + 0.8 * dy);
        stability.push((1.15 - 0.25 * dx.hypot(dy)).clamp(0.0, 1.0));
    }
    Blobs { labels, table, x, y, stability }
}

fn correlations(table: &Array2<f64>) -> Array2<f64> {
    let p = table.ncols();
    Array2::from_shape_fn((p, p), |(a, b)| {
        let (a, b) = (table.column(a), table.column(b));
        let (ma, mb) = (a.mean().unwrap(), b.mean().unwrap());
        let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
            a.iter().zip(b).map(|(x, y)| f(x - ma, y - mb)).sum()
        };
        sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt()
    })
}

fn names() -> Vec<String> {
    NAMES.iter().map(|n| (*n).to_string()).collect()
}

fn umap(n: usize, k: usize) -> Map {
    let b = blobs(n, k);
    Map {
        title: "UMAP".into(),
        subtitle:
            "The most typical of 20 runs. Groups of 25 objects and larger keep their place; 4 \
                   objects do not."
                .into(),
        x: b.x,
        y: b.y,
        color: ColorBy::clusters(b.labels),
        stability: Some(b.stability),
        ..Map::default()
    }
}

fn shap_of_blobs() -> Shap {
    let b = blobs(300, 2);
    let mut draw = Seed::new(2).stream("gallery", 1);
    let shap = Array2::from_shape_fn(b.table.dim(), |(r, c)| {
        let weight =
            [0.02, 0.01, 0.01, 0.04, 0.03, 0.0, 0.02, 0.21, 0.12, 0.1, 0.08, 0.05][c.min(11)];
        let sign = if b.labels[r] == 2 { -1.0 } else { 1.0 };
        weight * (sign + 0.5 * (draw.uniform() - 0.5))
    });
    Shap {
        features: names(),
        values: b.table,
        shap,
        base: 0.52,
        output: "probability of group 2".into(),
    }
}

fn small_label_image() -> LabelPicture {
    let (width, height) = (254, 256);
    let labels = (0..width * height)
        .map(|i| {
            let (x, y) = (i % width, i / width);
            let (cx, cy) = (x / 32, y / 32);
            let (dx, dy) = (x as f64 % 32.0 - 16.0, y as f64 % 32.0 - 16.0);
            let stretch = if (cx + cy) % 2 == 0 { 0.45 } else { 1.0 };
            let inside = dx * dx + dy * dy / stretch / stretch < 169.0;
            if inside { (cy * 8 + cx + 1) as u32 * 3 } else { 0 }
        })
        .collect();
    let keys: Vec<u32> = (1..=60).map(|k| k * 3).collect();
    let groups: Vec<usize> =
        keys.iter().map(|k| ((k / 3 - 1) % 8 + (k / 3 - 1) / 8) as usize % 2 + 1).collect();
    LabelPicture {
        title: "The groups in the image".into(),
        subtitle:
            "Objects in the colour of their group; 4 objects without a row in the table are grey."
                .into(),
        width,
        height,
        labels,
        keys,
        color: ColorBy::clusters(groups),
    }
}

fn stump() -> Tree {
    let split = |name: &str, at: f64, l, r| Some((name.to_string(), at, l, r));
    let node = |split, counts: [f64; 2]| TreeNode { split, counts: counts.to_vec() };
    Tree {
        title: "One tree of the forest".into(),
        subtitle: "Read from the top: each box asks a question; colour is the group most objects belong to."
            .into(),
        nodes: vec![
            node(split("aspect_ratio", 1.4821, 1, 4), [36.0, 25.0]),
            node(split("equivalent_diameter_area", 23.1, 2, 3), [34.0, 2.0]),
            node(None, [30.0, 0.0]),
            node(None, [4.0, 2.0]),
            node(split("circularity", 0.82, 5, 6), [2.0, 23.0]),
            node(None, [0.0, 22.0]),
            node(None, [2.0, 1.0]),
        ],
        classes: vec![],
    }
}

fn card() -> StabilityCard {
    let between = [1, 2, 3, 5, 8, 12, 18, 27, 40, 60, 90, 130, 200, 300];
    StabilityCard {
        light: Light::Green,
        sentence:
            "2 groups, repeatable. Sizes and members can be reported; distances on the map cannot. \
                   It is a hypothesis: test it on new images."
                .into(),
        between_runs: between.map(|k| (k, 1.0 - 0.8 * (-(k as f64) / 40.0).exp())).to_vec(),
        with_data: between.map(|k| (k, 0.62 - 0.35 * (-(k as f64) / 30.0).exp())).to_vec(),
        band: Some((18, 300)),
        agreement: (0..50).map(|i| 0.9 + 0.1 * f64::from(i * 17 % 50) / 50.0).collect(),
        groups: vec![(160, 0.97), (140, 0.94), (31, 0.71)],
        sources: vec![
            ("machine".into(), Some(0.0)),
            ("seed".into(), Some(0.012)),
            ("sample".into(), Some(0.035)),
            ("measurement".into(), None),
            ("choices".into(), Some(0.11)),
        ],
    }
}

fn gallery() -> Vec<(&'static str, Figure)> {
    let b = blobs(300, 2);
    let color = || ColorBy::clusters(b.labels.clone());
    let pca = Map {
        title: "K-means on the first two principal components".into(),
        subtitle: "k = 2; crosses are the centres.".into(),
        color: color(),
        axes: MapAxes::Alike("PC1 (62 % of the variance)".into(), "PC2 (21 %)".into()),
        centers: vec![(4.2, 0.0), (-4.2, 0.0)],
        stability: None,
        ..umap(300, 2)
    };
    let arrows = NAMES
        .iter()
        .enumerate()
        .map(|(i, n)| {
            let a = i as f64 * 0.22 + if i > 6 { 1.0 } else { 0.0 };
            ((*n).to_string(), 0.4 * a.cos(), 0.35 * a.sin())
        })
        .collect();
    let families = vec![0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 3, 3, 4];
    let wide: Vec<String> = (0..90).map(|i| format!("{}_{i}", NAMES[i % 16])).collect();
    let shap = shap_of_blobs();
    let shares = vec![0.62, 0.21, 0.08, 0.04, 0.02, 0.012, 0.008, 0.005, 0.003, 0.002];
    vec![
        ("scree", scree(&Scree {
            intervals: shares.iter().map(|s| (s * 0.92, s * 1.08)).collect(),
            noise: vec![0.135, 0.125, 0.115, 0.108, 0.1, 0.095, 0.09, 0.085, 0.08, 0.07],
            shares: shares.clone(),
            n_above_noise: 2,
            subtitle: "2 components stand above noise and explain 83 % of the variance; 2.9 features' \
                       worth of independent information.".into(),
        })),
        ("loadings", loadings(&Loadings {
            features: names(),
            components: (0..4).map(|c| (0..16).map(|f| ((f * (c + 1)) as f64 * 0.37).sin() * 0.45).collect()).collect(),
            shares,
        })),
        ("biplot", biplot(&Biplot { x: b.x.clone(), y: b.y.clone(), color: color(), arrows, axes: ("PC1 (62 %)".into(), "PC2 (21 %)".into()) })),
        ("umap", map(&umap(61, 2))),
        ("umap_5000", map(&umap(20_000, 12))),
        ("umap_values", map(&Map { color: ColorBy::values("intensity_mean__dapi [a.u.]", b.table.column(13).to_vec()), stability: None, ..umap(300, 2) })),
        ("clusters", map(&pca)),
        ("scatter", map(&Map {
            title: "area and aspect_ratio".into(), subtitle: String::new(),
            x: b.table.column(0).to_vec(), y: b.table.column(7).to_vec(), color: color(),
            axes: MapAxes::Own("area [px²]".into(), "aspect_ratio".into()), ..Map::default()
        })),
        ("correlation", correlation(&Correlation { features: names(), matrix: correlations(&b.table), families, method: "Spearman".into() })),
        ("correlation_90", correlation(&Correlation {
            matrix: Array2::from_shape_fn((90, 90), |(r, c)| if r == c { 1.0 } else { ((r / 9 + 1) as f64 * (c / 9 + 1) as f64).sin() }),
            families: (0..90).map(|i| i / 9).collect(), features: wide, method: "Pearson".into() })),
        ("ranking", ranking(&Ranking {
            title: "Which features separate the groups".into(),
            subtitle: "How well each feature alone tells the groups apart, over 50 runs; blue: chosen in most runs.".into(),
            measure: "AUC (0.5 = chance)".into(),
                baseline: 0.5,
            rows: NAMES.iter().enumerate().map(|(i, n)| {
                let value = 0.98 - 0.03 * i as f64;
                Ranked { name: (*n).into(), value, interval: Some((value - 0.04, value + 0.02)), chosen: i < 2,
                    note: format!("{} of 50 runs", 50 - 3 * i) }
            }).collect(),
        })),
        ("histograms", histograms(&Histograms {
            subtitle: "By group.".into(),
            features: NAMES.iter().enumerate().map(|(c, n)| ((*n).into(), if c == 0 { "px²".into() } else { String::new() }, b.table.column(c).to_vec())).collect(),
            color: color(),
        })),
        ("silhouette", silhouette(&Silhouette { values: b.x.iter().map(|x| (x.abs() / 6.0 - 0.1).min(0.9)).collect(), labels: b.labels.clone() })),
        ("curves", curves(&Curves {
            title: "How many groups".into(), subtitle: "Silhouette and stability of K-means for each k.".into(),
            axes: ("k".into(), "score".into()),
            curves: vec![("silhouette".into(), (2..=10).map(|k| (f64::from(k), 0.58 - 0.04 * f64::from(k - 2))).collect()),
                ("stability".into(), (2..=10).map(|k| (f64::from(k), 0.97 - 0.07 * f64::from(k - 2))).collect())],
            marker: Some((2.0, "chosen".into())),
        })),
        ("confusion", confusion(&Confusion { title: "Does the forest know the groups?".into(), subtitle: "Out of bag: each object is judged by trees that have not seen it.".into(),
            classes: vec!["1".into(), "2".into(), "3".into()], counts: vec![vec![158, 2, 0], vec![3, 135, 2], vec![0, 4, 27]] })),
        ("confusion_names", confusion(&Confusion { title: "Confusion".into(), subtitle: String::new(),
            classes: (0..9).map(|i| format!("a class with name {i}")).collect(), counts: (0..9).map(|r| (0..9).map(|c| if r == c { 40 } else { (r * c) % 4 }).collect()).collect() })),
        ("tree", tree(&stump())),
        ("shap_bar", shap_bar(&shap)),
        ("shap_families", shap_families(&ShapFamilies::of(&shap, &[
            ("area and 5 more".into(), (0..6).collect()), ("intensity_mean__dapi and 1 more".into(), vec![13, 14])]))),
        ("shap_summary", shap_summary(&shap)),
        ("shap_dependence", shap_dependence(&shap, 7, Some(13))),
        ("shap_waterfall", shap_waterfall(&shap, 3, "object 17")),
        ("stability", stability(&card())),
        ("label_image", label_image(&small_label_image())),
    ]
}

#[test]
fn every_figure_is_a_document() {
    for (name, figure) in gallery() {
        let svg = figure.svg();
        assert!(svg.starts_with("<svg xmlns") && svg.ends_with("</svg>\n"), "{name}");
        assert!(!svg.contains("NaN") && !svg.contains("inf\""), "{name}");
        assert!(svg.len() < 250_000, "{name} has {} bytes", svg.len());
        assert_eq!(svg, figure.svg());
        if let Ok(folder) = std::env::var("POLARISCOPE_GALLERY") {
            for suffix in ["svg", "png"] {
                figure.write(format!("{folder}/{name}.{suffix}")).unwrap();
            }
        }
    }
}

#[test]
fn a_png_shows_the_same_picture() {
    let (_, figure) = gallery().swap_remove(0);
    let (width, height, pixels) = figure.pixels().unwrap();
    assert_eq!((width as f64, height as f64), (2.0 * figure.size().0, 2.0 * figure.size().1));
    assert_eq!(&pixels[..3], [255, 255, 255]);
    let bar = pixels.chunks(3).filter(|p| *p == [0x00, 0x72, 0xb2]).count();
    assert!(bar > 10_000, "{bar} pixels of the bars");
    assert!(figure.png().unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn nothing_and_nonsense_are_drawn_without_panic() {
    let nan = f64::NAN;
    for figure in [
        scree(&Scree::default()),
        loadings(&Loadings::default()),
        biplot(&Biplot::default()),
        map(&Map::default()),
        map(&Map {
            x: vec![nan, 1.0, 1.0],
            y: vec![2.0, f64::INFINITY, 1.0],
            color: ColorBy::clusters([0, 7, 99]),
            stability: Some(vec![nan]),
            ..Map::default()
        }),
        correlation(&Correlation::default()),
        correlation(&Correlation {
            features: vec!["a".into()],
            families: vec![3],
            ..Correlation::default()
        }),
        ranking(&Ranking::default()),
        ranking(&Ranking {
            rows: vec![Ranked { value: nan, ..Ranked::default() }],
            ..Ranking::default()
        }),
        histograms(&Histograms::default()),
        histograms(&Histograms {
            features: vec![(String::new(), String::new(), vec![nan])],
            ..Histograms::default()
        }),
        silhouette(&Silhouette::default()),
        silhouette(&Silhouette { values: vec![nan, 0.1], labels: vec![1, 5] }),
        curves(&Curves::default()),
        confusion(&Confusion::default()),
        confusion(&Confusion { classes: vec!["x".into(); 3], ..Confusion::default() }),
        tree(&Tree::default()),
        tree(&Tree {
            nodes: vec![TreeNode { split: Some(("a".into(), nan, 0, 9)), counts: vec![] }],
            ..Tree::default()
        }),
        shap_bar(&Shap::default()),
        shap_families(&ShapFamilies::default()),
        shap_summary(&Shap::default()),
        shap_dependence(&Shap::default(), 3, Some(1)),
        shap_waterfall(&Shap::default(), 3, "x"),
        stability(&StabilityCard::default()),
        label_image(&LabelPicture::default()),
        label_image(&LabelPicture { width: 3, height: 3, ..LabelPicture::default() }),
    ] {
        assert!(!figure.svg().contains("NaN"), "{}", figure.svg());
    }
}

#[test]
fn groups_on_a_map_carry_the_names_of_the_legend() {
    let names = ["mother", "bud"].map(str::to_owned).to_vec();
    let color = ColorBy::Groups { name: "kind".into(), labels: vec![1, 1, 2, 2], names };
    let (x, y) = (vec![0.0, 1.0, 5.0, 6.0], vec![0.0, 1.0, 1.0, 0.0]);
    let svg = map(&Map { x, y, color, ..Map::default() }).svg();
    for name in ["mother", "bud"] {
        assert_eq!(svg.matches(&format!(">{name}<")).count(), 2, "{name}: {svg}");
    }
}

#[test]
fn a_tree_has_room_for_long_names() {
    let classes = ["mother cells in division", "debris and other fragments"].map(str::to_owned);
    let svg = tree(&Tree { classes: classes.to_vec(), ..stump() }).svg();
    for class in &classes {
        assert!(svg.contains(&format!(">{class}<")), "leaf {class}: {svg}");
    }
    assert!(svg.contains("59 % mother cells in division, 61 objects"), "{svg}");
    let endless = tree(&Tree { classes: vec!["endless ".repeat(20); 2], ..stump() }).svg();
    assert!(endless.contains('\u{2026}'), "{endless}");
}

#[test]
fn hostile_names_stay_text() {
    let evil = "</text><script>alert(1)</script>\u{1b}\"'";
    let figure = ranking(&Ranking {
        title: evil.into(),
        rows: vec![Ranked { name: evil.into(), value: 1.0, ..Ranked::default() }],
        ..Ranking::default()
    });
    assert!(!figure.svg().contains("<script") && !figure.svg().contains('\u{1b}'));
}

/// The page with everything on it, for the eye and for the browser.
#[test]
fn the_whole_page_stays_small() {
    let b = blobs(60, 2);
    let picture = small_label_image();
    let column = |name: &str, unit: &str, values: Vec<f64>| Column {
        name: name.into(),
        unit: unit.into(),
        values,
    };
    let mut columns: Vec<Column> = NAMES
        .iter()
        .enumerate()
        .map(|(c, name)| column(name, if c == 0 { "px²" } else { "" }, b.table.column(c).to_vec()))
        .collect();
    columns.push(column("umap_0", "", b.x.clone()));
    columns.push(column("umap_1", "", b.y.clone()));
    let turned = |r: usize| {
        let shift =
            |i: usize| if i.is_multiple_of(15) { r as f64 - 3.0 } else { 0.1 * (i * r % 7) as f64 };
        let x = b.x.iter().enumerate().map(|(i, x)| x + shift(i)).collect();
        (x, b.y.clone())
    };
    let explorer = Explorer {
        key: "label".into(),
        keys: picture.keys.clone(),
        columns,
        groups: b.labels.clone(),
        axes: ("umap_0".into(), "umap_1".into()),
        image: Some(LabelLayer {
            width: picture.width,
            height: picture.height,
            labels: picture.labels,
            brightness: Vec::new(),
        }),
        runs: (1..=6).map(turned).collect(),
    };
    let mut figures = gallery();
    let mut take = |name: &str| {
        let at = figures.iter().position(|f| f.0 == name).unwrap();
        figures.swap_remove(at).1
    };
    let card = card();
    let report = Report::new("blobs.csv")
        .subtitle("61 objects x 30 columns, key: label (unique)")
        .verdict(card.light, card.sentence)
        .section(
            Section::new("What is in the table")
                .says("16 of 30 columns describe the objects; 14 say where they are or name them.")
                .shows(take("histograms"))
                .shows(take("correlation"))
                .table(["left out", "because"], vec![vec!["label".into(), "key".into()]])
                .doubt("A histogram hides which objects are extreme in several features at once."),
        )
        .section(
            Section::new("What the components explain")
                .says("Two components stand above noise.")
                .shows(take("scree"))
                .shows(take("biplot"))
                .doubt("Components see straight lines only."),
        )
        .section(
            Section::new("A map of the objects")
                .says("Objects that are alike lie close together.")
                .shows(take("umap"))
                .doubt("Distances between groups and the size of groups mean nothing on this map."),
        )
        .explorer(
            "Look for yourself",
            "All pictures here share one selection of objects.",
            explorer,
        )
        .section(Section::new("How far this can be trusted").shows(take("stability")))
        .fact("polariscope", "0.1.0")
        .fact("seed", "0")
        .recipe("scale = \"zscore\"\nk = \"auto\"\n");
    let html = report.html().unwrap();
    assert!(html.len() < 600_000, "{} bytes", html.len());
    if let Ok(folder) = std::env::var("POLARISCOPE_GALLERY") {
        report.write(format!("{folder}/report.html")).unwrap();
    }
}
