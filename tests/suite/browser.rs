//! The report page in a real browser: headless Chromium, driven over its debugging pipe.
//!
//! Without Chromium the tests print `skipped: no chromium`; with `EXPLORE_BROWSER=require` they fail.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use polariscope::cluster::Lasso;
use polariscope::report::{Column, Explorer, LabelLayer, Report, Section};
use polariscope::seed::Seed;
use serde_json::{Value, json};

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];
/// A page that is not ready by then is broken.
const PATIENCE: Duration = Duration::from_mins(1);

/// A browser with one tab.
struct Browser {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: Option<String>,
    last_id: u64,
    events: Vec<Value>,
    profile: PathBuf,
}

impl Browser {
    /// Starts Chromium, or says that there is none.
    fn start(name: &str) -> Option<Self> {
        let found = NAMES.iter().find(|n| {
            Command::new(n)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok()
        });
        let Some(program) = found else {
            let required = std::env::var("EXPLORE_BROWSER").is_ok_and(|v| v == "require");
            assert!(!required, "EXPLORE_BROWSER=require, but none of {NAMES:?} can be started");
            println!("skipped: no chromium");
            return None;
        };
        let profile =
            std::env::temp_dir().join(format!("polariscope-browser-{name}-{}", std::process::id()));
        // The debugging pipe wants descriptors 3 and 4; a shell can hand over its own 0 and 1 as these.
        let line = "exec \"$0\" --headless --no-sandbox --disable-gpu --no-first-run \
                    --disable-background-networking --disable-component-update --disable-sync \
                    --disable-dev-shm-usage --hide-scrollbars --window-size=1366,768 \
                    --user-data-dir=\"$1\" --remote-debugging-pipe about:blank 3<&0 4>&1";
        let mut process = Command::new("sh")
            .args(["-c", line, program])
            .arg(&profile)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let to = process.stdin.take().unwrap();
        let from = BufReader::new(process.stdout.take().unwrap());
        let mut browser =
            Self { process, to, from, session: None, last_id: 0, events: vec![], profile };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = browser.call("Target.attachToTarget", &attach);
        browser.session = Some(session["sessionId"].as_str().unwrap().into());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        Some(browser)
    }

    /// One command of the `DevTools` protocol; events that come in between are kept.
    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.last_id += 1;
        let mut message = json!({"id": self.last_id, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).unwrap();
        self.to.flush().unwrap();
        loop {
            let mut bytes = Vec::new();
            self.from.read_until(0, &mut bytes).unwrap();
            assert!(bytes.pop().is_some(), "the browser went away during {method}");
            let answer: Value = serde_json::from_slice(&bytes).unwrap();
            if answer["id"] != self.last_id {
                self.events.push(answer);
                continue;
            }
            assert!(answer.get("error").is_none(), "{method}: {}", answer["error"]);
            return answer["result"].clone();
        }
    }

    /// The value of a JavaScript expression.
    fn eval(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", &params);
        let thrown = &answer["exceptionDetails"];
        assert!(thrown.is_null(), "{expression}: {thrown}");
        answer["result"]["value"].clone()
    }

    /// Opens a report from a file and waits until its script has run.
    fn open(&mut self, report: &Report) -> PathBuf {
        let path = self.profile.with_extension("html");
        report.write(&path).unwrap();
        self.show(&path);
        path
    }

    /// Opens a page that was written before and waits until its script has run.
    fn show(&mut self, path: &Path) {
        self.call("Page.navigate", &json!({"url": format!("file://{}", path.display())}));
        let start = Instant::now();
        while self.eval("document.documentElement?.dataset.ready") != "true" {
            assert!(start.elapsed() < PATIENCE, "not ready: {:?}", self.complaints());
            std::thread::sleep(Duration::from_millis(50));
        }
        self.eval("document.getElementById('explorer').scrollIntoView({behavior: 'instant'})");
    }

    /// Errors and warnings of the console, exceptions, violations of the policy, requests to a network.
    fn complaints(&self) -> Vec<String> {
        self.events
            .iter()
            .filter(|e| match e["method"].as_str() {
                Some("Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Log.entryAdded") => {
                    true
                }
                Some("Network.requestWillBeSent") => {
                    let url = e["params"]["request"]["url"].as_str().unwrap_or_default();
                    !["file:", "data:", "blob:"].iter().any(|s| url.starts_with(s))
                }
                _ => false,
            })
            .map(Value::to_string)
            .collect()
    }

    /// Drags the mouse over a canvas along points in its own pixels.
    fn drag(&mut self, canvas: &str, path: &[(f64, f64)]) {
        let corner = self.eval(&format!(
            "(() => {{ const r = document.getElementById('{canvas}').getBoundingClientRect(); \
             return [r.left, r.top]; }})()"
        ));
        let corner = (corner[0].as_f64().unwrap(), corner[1].as_f64().unwrap());
        let mut event = |kind: &str, at: (f64, f64)| {
            let (x, y) = (corner.0 + at.0, corner.1 + at.1);
            let buttons = i32::from(kind != "mouseReleased");
            let params = json!({"type": kind, "x": x, "y": y, "button": "left",
                "buttons": buttons, "clickCount": 1});
            self.call("Input.dispatchMouseEvent", &params);
        };
        event("mousePressed", path[0]);
        for &at in &path[1..] {
            event("mouseMoved", at);
        }
        event("mouseReleased", path[path.len() - 1]);
    }

    /// A point of the page in the pixels of a canvas.
    fn place(&mut self, function: &str, x: f64, y: f64) -> (f64, f64) {
        let at = self.eval(&format!("explore.{function}({x}, {y})"));
        (at[0].as_f64().unwrap(), at[1].as_f64().unwrap())
    }

    fn numbers(&mut self, expression: &str) -> Vec<u64> {
        let list = self.eval(expression);
        list.as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_file(self.profile.with_extension("html"));
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

const SIDE: usize = 120;

/// Nine squares of growing size in a grid, labelled with gaps; their rows stand in another order than their
/// labels, and one square has no row.
fn squares() -> (Explorer, Vec<u32>) {
    let mut labels = vec![0; SIDE * SIDE];
    for s in 0..9_usize {
        let (left, top, side) = (s % 3 * 40 + 4, s / 3 * 40 + 4, 10 + 2 * s);
        for y in top..top + side {
            for x in left..left + side {
                labels[y * SIDE + x] = 10 * (s as u32 + 1);
            }
        }
    }
    let keys: Vec<u32> = vec![50, 20, 90, 10, 70, 30, 80, 60];
    let column = |name: &str, value: fn(u32) -> f64| Column {
        name: name.into(),
        values: keys.iter().map(|&k| value(k)).collect(),
        ..Column::default()
    };
    let explorer = Explorer {
        key: "label".into(),
        columns: vec![
            column("area", |k| f64::from(8 + k / 5).powi(2)),
            column("umap_0", |k| f64::from((k / 10 - 1) % 3)),
            column("umap_1", |k| f64::from((k / 10 - 1) / 3)),
            column("half", |k| if k > 40 { f64::from(k) / 7.0 } else { f64::NAN }),
        ],
        groups: keys.iter().map(|&k| if k > 40 { 1 } else { 2 }).collect(),
        axes: ("umap_0".into(), "umap_1".into()),
        image: Some(LabelLayer {
            width: SIDE,
            height: SIDE,
            labels: labels.clone(),
            brightness: Vec::new(),
        }),
        runs: Vec::new(),
        keys,
    };
    (explorer, labels)
}

fn page(explorer: Explorer) -> Report {
    Report::new("squares.csv")
        .section(Section::new("What is in the table").says("Squares."))
        .explorer("Look for yourself", "One selection.", explorer)
}

fn masked(labels: &[u32], keys: &[u64]) -> usize {
    labels.iter().filter(|&&l| keys.contains(&u64::from(l))).count()
}

#[test]
fn a_lasso_on_the_plot_lights_exactly_its_objects() {
    let Some(mut browser) = Browser::start("plot") else { return };
    let (explorer, labels) = squares();
    let keys = explorer.keys.clone();
    browser.open(&page(explorer));
    // Around the left and the middle column of squares: umap_0 is 0 or 1.
    let corners = [(-0.08, -0.08), (1.5, -0.08), (1.5, 2.08), (-0.08, 2.08), (-0.08, 0.0)];
    let path: Vec<_> = corners.map(|(x, y)| browser.place("toScreen", x, y)).to_vec();
    browser.drag("plot", &path);
    let selected = browser.numbers("explore.selection()");
    let expected: Vec<u64> =
        keys.iter().map(|&k| u64::from(k)).filter(|k| (k / 10 - 1) % 3 < 2).collect();
    assert_eq!(selected, expected);
    assert_eq!(browser.eval("explore.lit()"), masked(&labels, &selected));
    // Square 40 has no row: it is never lit. A lit one has its group's colour, the others are paler.
    let color = |browser: &mut Browser, x: usize, y: usize| {
        browser.eval(&format!("explore.pixel({x}, {y})"))
    };
    assert_eq!(color(&mut browser, 6, 6), json!([0xd5, 0x5e, 0x00, 255]));
    assert_ne!(color(&mut browser, 86, 6), json!([0xd5, 0x5e, 0x00, 255]));
    assert_eq!(color(&mut browser, 46, 46), json!([0x00, 0x72, 0xb2, 255]));
    // The lasso that is saved selects the same objects here.
    let lasso = browser.eval("explore.lassoFile()");
    let lasso = Lasso::parse(lasso.as_str().unwrap()).unwrap();
    assert_eq!((lasso.x.as_str(), lasso.y.as_str()), ("umap_0", "umap_1"));
    let replayed: Vec<u64> = keys
        .iter()
        .filter(|&&k| {
            let place = [f64::from((k / 10 - 1) % 3), f64::from((k / 10 - 1) / 3)];
            lasso.polygons[0].contains(place)
        })
        .map(|&k| u64::from(k))
        .collect();
    assert_eq!(replayed, expected);
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_lasso_on_the_image_selects_exactly_its_rows() {
    let Some(mut browser) = Browser::start("image") else { return };
    let (mut explorer, labels) = squares();
    if let Some(image) = &mut explorer.image {
        image.brightness = (0..SIDE * SIDE).map(|i| (i % SIDE) as f32).collect();
    }
    browser.open(&page(explorer));
    // The lower two rows of squares: labels 40 to 90, of which 40 has no row.
    let corners = [(1.0, 41.0), (119.0, 41.0), (119.0, 119.0), (1.0, 119.0)];
    let path: Vec<_> = corners.map(|(x, y)| browser.place("imageToScreen", x, y)).to_vec();
    browser.drag("image", &path);
    let selected = browser.numbers("explore.selection()");
    assert_eq!(selected, [50, 90, 70, 80, 60]);
    assert_eq!(browser.eval("explore.lit()"), masked(&labels, &selected));
    // A click selects the one object under it; a click beside clears.
    let at = browser.place("imageToScreen", 8.0, 8.0);
    browser.drag("image", &[at]);
    assert_eq!(browser.numbers("explore.selection()"), [10]);
    let at = browser.place("imageToScreen", 8.0, 46.0);
    browser.drag("image", &[at]);
    assert_eq!(browser.numbers("explore.selection()"), [0; 0]);
    // Between the squares shows what was labelled, from black at the left to white at the right, until it is hidden.
    let grey =
        |browser: &mut Browser| browser.numbers("[2, 60, 117].map((x) => explore.pixel(x, 2)[1])");
    let shown = grey(&mut browser);
    assert!(shown[0] < 10 && (115..140).contains(&shown[1]) && shown[2] > 245, "{shown:?}");
    browser.eval("document.getElementById('under-labels').click()");
    let hidden = grey(&mut browser);
    assert!(hidden.iter().all(|&v| v == hidden[0]), "{hidden:?}");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn sorting_filtering_and_saving_agree_with_the_table() {
    let Some(mut browser) = Browser::start("table") else { return };
    let (explorer, _) = squares();
    let (area, half) = (explorer.columns[0].values.clone(), explorer.columns[3].values.clone());
    browser.open(&page(explorer));
    // Columns of the table: key, group, area, umap_0, umap_1, half.
    browser.eval("explore.sort(2, true)");
    assert_eq!(browser.numbers("explore.order()"), [90, 80, 70, 60, 50, 30, 20, 10]);
    browser.eval("explore.sort(5, true)");
    assert_eq!(browser.numbers("explore.order()"), [90, 80, 70, 60, 50, 20, 10, 30]);
    browser.eval("explore.filter('area > 300, half < 12')");
    assert_eq!(browser.numbers("explore.order()"), [80, 70, 60, 50]);
    browser.eval("explore.filter('colour > 300')");
    let says = browser.eval("document.getElementById('filter-says').textContent");
    assert_eq!(says, "no column \u{201c}colour\u{201d}");
    browser.eval("explore.filter('')");
    browser.eval("explore.select([0, 3])");
    let expected = format!(
        "label,cluster,area,umap_0,umap_1,half\n50,1,{},1,1,{}\n10,2,{},0,0,\n",
        area[0], half[0], area[3]
    );
    assert_eq!(browser.eval("explore.csv()"), expected);
    let rows = "[...document.querySelectorAll('#rows .row.on')].map((r) => +r.dataset.row)";
    let mut lit = browser.numbers(rows);
    lit.sort_unstable();
    assert_eq!(lit, [0, 3]);
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn hostile_names_stay_text_in_the_browser() {
    let Some(mut browser) = Browser::start("hostile") else { return };
    let evil = "</script><img src=x onerror=\"window.pwned=1\"><script>window.pwned=1</script>";
    let (mut explorer, _) = squares();
    explorer.key = evil.into();
    explorer.columns[0].name = evil.into();
    explorer.columns[1].unit = evil.into();
    let report = Report::new(evil)
        .section(Section::new(evil).says(evil).table([evil], vec![vec![evil.into()]]).doubt(evil))
        .importance(evil, &[(evil.to_string(), 1.0)])
        .explorer(evil, evil, explorer)
        .fact(evil, evil)
        .recipe(evil);
    browser.open(&report);
    assert_eq!(browser.eval("window.pwned === undefined"), true);
    assert_eq!(browser.eval("document.querySelectorAll('img').length"), 0);
    assert_eq!(browser.eval("document.scripts.length"), 2);
    assert_eq!(browser.eval("document.querySelector('h1').textContent"), evil);
    assert_eq!(browser.complaints(), [""; 0]);
    // The policy holds: markup that did get in could not run.
    browser.eval(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.pwned=1\">')",
    );
    browser.eval("new Promise((done) => setTimeout(done, 300))");
    assert_eq!(browser.eval("window.pwned === undefined"), true);
    assert!(browser.complaints().iter().any(|c| c.contains("Content Security Policy")));
}

#[test]
fn a_hundred_thousand_points_move_at_interactive_speed() {
    let Some(mut browser) = Browser::start("many") else { return };
    let n = 100_000;
    let column = |c: usize| {
        let mut draw = Seed::new(0).stream("browser", c as u64);
        let values = (0..n).map(|_| draw.uniform()).collect();
        Column { name: format!("feature_{c}"), values, ..Column::default() }
    };
    let explorer = Explorer {
        columns: (0..20).map(column).collect(),
        groups: (0..n).map(|i| 1 + i % 5).collect(),
        ..Explorer::default()
    };
    let exact = explorer.columns[0].values.iter().filter(|&&x| x < 0.5).count() as u64;
    let path = browser.open(&page(explorer));
    let size = std::fs::metadata(path).unwrap().len();
    assert!(size <= 5_000_000, "{size} bytes");
    let seconds = browser.eval(
        "(() => { const start = performance.now(); \
         for (let i = 0; i < 20; i++) { explore.move(i % 2 ? .02 : -.02, .01); explore.redraw(); } \
         return (performance.now() - start) / 20; })()",
    );
    let milliseconds = seconds.as_f64().unwrap();
    println!("100,000 points: {milliseconds:.1} ms a frame, {size} bytes");
    // A few frames a second even without a graphics card and with other work on the machine.
    assert!(milliseconds < 250.0, "{milliseconds:.1} ms a frame");
    browser.eval("explore.lasso([[-1, -1], [0.5, -1], [0.5, 2], [-1, 2]])");
    let selected = browser.eval("explore.selection().length").as_u64().unwrap();
    assert!(selected.abs_diff(exact) <= 25, "{selected} for {exact}: steps of 1/4094 of the range");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn keys_move_zoom_select_and_step_through_the_runs() {
    let Some(mut browser) = Browser::start("keys") else { return };
    let (mut explorer, _) = squares();
    let mirrored = |c: &Column| c.values.iter().map(|v| 2.0 - v).collect::<Vec<f64>>();
    let run = (mirrored(&explorer.columns[1]), mirrored(&explorer.columns[2]));
    let same = (explorer.columns[1].values.clone(), explorer.columns[2].values.clone());
    explorer.runs = vec![same, run];
    browser.open(&page(explorer));
    let mut key = |key: &str, on: &str| {
        browser.eval(&format!(
            "document.getElementById('{on}').dispatchEvent(new KeyboardEvent('keydown', {{ key: '{key}', bubbles: true, cancelable: true }}))"
        ));
        let place = browser.eval("JSON.stringify(explore.toScreen(1, 1))");
        let selected = browser.numbers("explore.selection()").len();
        (place.as_str().unwrap_or_default().to_owned(), selected)
    };
    let start = key("Shift", "plot");
    assert_ne!(key("ArrowRight", "plot").0, start.0, "arrows move the plot");
    let moved = key("Shift", "plot").0;
    assert_ne!(key("+", "plot").0, moved, "plus zooms");
    key("ArrowDown", "rows");
    assert_eq!(key(" ", "rows").1, 1, "space selects the row");
    assert_eq!(key("Escape", "plot").1, 0, "escape clears");
    // The slider is a range input: its own keys work; what it shows is the other run.
    let step = "const r = document.getElementById('run'); r.value = 2; r.dispatchEvent(new Event('input')); document.getElementById('run-name').textContent";
    assert_eq!(
        browser.eval(&format!(
            "(() => {{ {} }})()",
            step.replace(
                "; document.getElementById('run-name')",
                "; return document.getElementById('run-name')"
            )
        )),
        "run 2 of 2"
    );
    assert_eq!(browser.complaints(), [""; 0]);
}

/// What the main job writes about the blobs, by the command.
fn blobs(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let data = |name: &str| format!("{}/datasets/{name}", env!("CARGO_MANIFEST_DIR"));
    let status = Command::new(env!("CARGO_BIN_EXE_explore"))
        .args([&data("blobs_labels.tif"), "--image", &data("blobs.tif"), "-q", "--overwrite"])
        .arg("-o")
        .arg(&folder)
        .status();
    assert!(status.unwrap().success());
    folder
}

#[test]
fn the_page_of_the_main_job_fits_a_desk_and_a_phone_by_day_and_by_night() {
    let Some(mut browser) = Browser::start("fits") else { return };
    let page = blobs("page_fits").join("report.html");
    for (width, height, scheme) in
        [(1366, 768, "light"), (1366, 768, "dark"), (390, 844, "light"), (390, 844, "dark")]
    {
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 800});
        browser.call("Emulation.setDeviceMetricsOverride", &screen);
        let feature = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        browser.call("Emulation.setEmulatedMedia", &json!({"features": feature}));
        browser.show(&page);
        // Wide tables and figures scroll in their own frames; the page itself does not.
        assert_eq!(browser.eval("document.documentElement.scrollWidth"), width, "{scheme}");
        let paper = browser.eval("getComputedStyle(document.body).backgroundColor");
        let expected = if scheme == "dark" { "rgb(21, 24, 30)" } else { "rgb(255, 255, 255)" };
        assert_eq!(paper, expected);
        let shown = browser.eval("document.getElementById('plot').getBoundingClientRect().width");
        assert!(shown.as_f64().unwrap() > 0.4 * f64::from(width) - 40.0, "{shown} of {width}");
    }
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_lasso_drawn_on_the_page_is_replayed_by_the_command() {
    let Some(mut browser) = Browser::start("replay") else { return };
    let folder = blobs("page_replay");
    browser.show(&folder.join("report.html"));
    // Everything right of the middle of the map.
    let box_ = browser.eval(
        "(() => { const r = document.getElementById('plot').getBoundingClientRect(); return [r.width, r.height]; })()",
    );
    let (width, height) = (box_[0].as_f64().unwrap(), box_[1].as_f64().unwrap());
    let path = [(0.5, 0.02), (0.98, 0.02), (0.98, 0.98), (0.5, 0.98), (0.5, 0.1)];
    browser.drag("plot", &path.map(|(x, y)| (x * width, y * height)));
    let mut selected = browser.numbers("explore.selection()");
    assert!(!selected.is_empty() && selected.len() < 61, "{selected:?}");
    let lasso = browser.eval("explore.lassoFile()");
    std::fs::write(folder.join("lasso.json"), lasso.as_str().unwrap()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_explore"))
        .args(["cluster", "lasso", "objects.csv", "--lasso", "lasso.json", "-o", "-", "-q"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8(output.stdout).unwrap();
    let head: Vec<&str> = table.lines().next().unwrap().split(',').collect();
    let at = |name: &str| head.iter().position(|column| *column == name).unwrap();
    let (key, group) = (at("label"), at("cluster"));
    let mut replayed: Vec<u64> = table
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect::<Vec<_>>())
        .filter(|cells| cells[group] == "1")
        .map(|cells| cells[key].parse().unwrap())
        .collect();
    selected.sort_unstable();
    replayed.sort_unstable();
    assert_eq!(replayed, selected);
    assert_eq!(browser.complaints(), [""; 0]);
}
