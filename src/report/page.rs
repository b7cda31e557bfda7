//! The report page: a story in sections, one file, no network.

use std::path::Path;

use minijinja::{AutoEscape, Environment, Value, context};
use ndarray::ArrayView2;

use super::explorer::Explorer;
use super::figures::{ColorBy, Figure, Map, Ranked, Ranking, Shap, map, ranking};
use super::number::{printable, significant};
use crate::error::{Error, Result};
use crate::output::{Existing, write_whole};
use crate::stability::Light;

const TEMPLATE: &str = include_str!("assets/page.html");
const STYLE: &str = include_str!("assets/page.css");
const FONTS: &str = include_str!("assets/fonts.css");
const SCRIPT: &str = include_str!("assets/page.js");

/// What the page may do: run the script and style it was built with, and nothing else. A test keeps the
/// hashes current.
const STYLE_HASH: &str = "sha256-i3gZVyNSdH0gbK18KK8e36Ejvg7vr+/2hoKEyirR+cU=";
const FONTS_HASH: &str = "sha256-+GKCtJXvwWPBCvc9thNyhhEE6kRKx/RVkh/AEyAweZs=";
const SCRIPT_HASH: &str = "sha256-+n5oakx8amtq6FMJFzoDP4XhoA2ewurGSuUCVf4YJmc=";

/// A report in the making: parts are shown in the order in which they are added.
///
/// ```
/// use ndarray::array;
/// use polariscope::report::Report;
///
/// let folder = std::env::temp_dir().join("polariscope-doc-report");
/// std::fs::create_dir_all(&folder).unwrap();
/// let coordinates = array![[0.0, 0.1], [0.2, 0.0], [4.0, 4.1]];
/// Report::new("Nuclei")
///     .scatter("UMAP", &coordinates, &[1, 1, 2])
///     .importance("SHAP", &[("area".to_string(), 0.4), ("solidity".to_string(), 0.1)])
///     .write(folder.join("report.html"))?;
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Report {
    title: String,
    subtitle: String,
    verdict: Option<(Light, String)>,
    parts: Vec<Part>,
    facts: Vec<(String, String)>,
    recipe: String,
}

#[derive(Debug, Clone)]
enum Part {
    Section(Box<Section>),
    Explorer { heading: String, sentence: String, explorer: Box<Explorer> },
}

/// One step of the story: what was found, the pictures, the doubt.
#[derive(Debug, Clone, Default)]
pub struct Section {
    heading: String,
    paragraphs: Vec<String>,
    figures: Vec<Figure>,
    tables: Vec<Rows>,
    doubt: String,
}

/// A small table in a section.
#[derive(Debug, Clone, Default)]
struct Rows {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Rows {
    fn context(&self) -> Value {
        let plain = |cells: &Vec<String>| cells.iter().map(|c| printable(c)).collect::<Vec<_>>();
        context! { head => plain(&self.head), rows => self.rows.iter().map(plain).collect::<Vec<_>>() }
    }
}

impl Section {
    /// A section under a heading.
    pub fn new(heading: impl Into<String>) -> Self {
        Self { heading: heading.into(), ..Self::default() }
    }

    /// A paragraph.
    pub fn says(mut self, sentence: impl Into<String>) -> Self {
        self.paragraphs.push(sentence.into());
        self
    }

    /// A figure.
    pub fn shows(mut self, figure: Figure) -> Self {
        self.figures.push(figure);
        self
    }

    /// A table of a few rows.
    pub fn table<H: Into<String>>(
        mut self,
        head: impl IntoIterator<Item = H>,
        rows: Vec<Vec<String>>,
    ) -> Self {
        self.tables.push(Rows { head: head.into_iter().map(Into::into).collect(), rows });
        self
    }

    /// What this part of the story does not show.
    pub fn doubt(mut self, sentence: impl Into<String>) -> Self {
        self.doubt = sentence.into();
        self
    }
}

/// Whatever can say how much each feature matters.
pub trait Importance {
    /// Features with their importance, in any order.
    fn importance(&self) -> Vec<(String, f64)>;
}

impl Importance for [(String, f64)] {
    fn importance(&self) -> Vec<(String, f64)> {
        self.to_vec()
    }
}

/// Mean absolute SHAP values, summed over the classes.
impl Importance for crate::explain::Shap {
    fn importance(&self) -> Vec<(String, f64)> {
        self.features.iter().cloned().zip(self.importances()).collect()
    }
}

impl Importance for Vec<(String, f64)> {
    fn importance(&self) -> Vec<(String, f64)> {
        self.clone()
    }
}

impl<const N: usize> Importance for [(String, f64); N] {
    fn importance(&self) -> Vec<(String, f64)> {
        self.to_vec()
    }
}

/// Mean absolute SHAP values.
impl Importance for Shap {
    fn importance(&self) -> Vec<(String, f64)> {
        let n = self.shap.nrows().max(1) as f64;
        let mean = |f: usize| self.shap.column(f).iter().map(|v| v.abs()).sum::<f64>() / n;
        let shown = self.features.len().min(self.shap.ncols());
        (0..shown).map(|f| (self.features[f].clone(), mean(f))).collect()
    }
}

impl Report {
    /// An empty report.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// A line under the title: the file, the number of objects.
    pub fn subtitle(mut self, subtitle: impl Into<String>) -> Self {
        self.subtitle = subtitle.into();
        self
    }

    /// The result in a sentence, with its light.
    pub fn verdict(mut self, light: Light, sentence: impl Into<String>) -> Self {
        self.verdict = Some((light, sentence.into()));
        self
    }

    /// A step of the story.
    pub fn section(mut self, section: Section) -> Self {
        self.parts.push(Part::Section(Box::new(section)));
        self
    }

    /// The linked view: plot, image, table and histograms with one selection.
    pub fn explorer(
        mut self,
        heading: impl Into<String>,
        sentence: impl Into<String>,
        explorer: Explorer,
    ) -> Self {
        let (heading, sentence) = (heading.into(), sentence.into());
        self.parts.push(Part::Explorer { heading, sentence, explorer: Box::new(explorer) });
        self
    }

    /// A line of the table at the end: version, seed, settings.
    pub fn fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push((name.into(), value.into()));
        self
    }

    /// The recipe that repeats the job, shown at the end.
    pub fn recipe(mut self, recipe: impl Into<String>) -> Self {
        self.recipe = recipe.into();
        self
    }

    /// A section with one figure under the figure's own title.
    pub fn figure(self, figure: Figure) -> Self {
        let heading = figure.title().to_string();
        self.section(Section::new(heading).shows(figure))
    }

    /// A section with a map: coordinates of shape `(n_rows, 2)` and one group per row (0 = not assigned).
    pub fn scatter<'a>(
        self,
        title: impl Into<String>,
        coordinates: impl Into<ArrayView2<'a, f64>>,
        groups: &[usize],
    ) -> Self {
        let (title, coordinates) = (title.into(), coordinates.into());
        let column = |c: usize| {
            if c < coordinates.ncols() { coordinates.column(c).to_vec() } else { Vec::new() }
        };
        let color = if groups.is_empty() { ColorBy::Nothing } else { ColorBy::clusters(groups) };
        let drawn = map(&Map { title, x: column(0), y: column(1), color, ..Map::default() });
        self.figure(drawn)
    }

    /// A section with a bar per feature, longest first.
    pub fn importance(
        self,
        title: impl Into<String>,
        importance: &(impl Importance + ?Sized),
    ) -> Self {
        let mut features = importance.importance();
        features.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let rows = features.into_iter().map(|(name, value)| Ranked {
            name,
            value,
            chosen: true,
            note: significant(value),
            ..Ranked::default()
        });
        let (title, measure) = (title.into(), "importance".to_string());
        self.figure(ranking(&Ranking {
            title,
            measure,
            rows: rows.collect(),
            ..Ranking::default()
        }))
    }

    /// The page.
    ///
    /// # Errors
    /// When the linked view's columns differ in length.
    pub fn html(&self) -> Result<String> {
        let failed =
            |e: minijinja::Error| Error::internal(format!("the page cannot be written: {e}"));
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.add_template("page.html", TEMPLATE).map_err(failed)?;
        let mut island = None;
        let mut parts = Vec::new();
        for (i, part) in self.parts.iter().enumerate() {
            parts.push(Self::part(i, part, &mut island)?);
        }
        let verdict = self.verdict.as_ref().map(|(light, sentence)| {
            context! { light => light.name(), sentence => printable(sentence) }
        });
        let page = context! {
            title => printable(&self.title),
            subtitle => printable(&self.subtitle),
            verdict,
            parts,
            facts => self.facts.iter().map(|(k, v)| vec![printable(k), printable(v)]).collect::<Vec<_>>(),
            recipe => self.recipe.as_str(),
            style => Value::from_safe_string(STYLE.into()),
            script => Value::from_safe_string(SCRIPT.into()),
            fonts => Value::from_safe_string(FONTS.into()),
            style_hash => STYLE_HASH,
            fonts_hash => FONTS_HASH,
            script_hash => SCRIPT_HASH,
            island => island.map(Value::from_safe_string),
        };
        environment.get_template("page.html").map_err(failed)?.render(page).map_err(failed)
    }

    fn part(i: usize, part: &Part, island: &mut Option<String>) -> Result<Value> {
        let id = format!("part-{}", i + 1);
        Ok(match part {
            Part::Section(section) => context! {
                id,
                heading => printable(&section.heading),
                paragraphs => section.paragraphs.iter().map(|p| printable(p)).collect::<Vec<_>>(),
                figures => section
                    .figures
                    .iter()
                    .map(|f| Value::from_safe_string(f.inline_svg()))
                    .collect::<Vec<_>>(),
                tables => section.tables.iter().map(Rows::context).collect::<Vec<_>>(),
                doubt => printable(&section.doubt),
            },
            Part::Explorer { heading, sentence, explorer } => {
                if island.is_some() {
                    let help = "add the second one to a report of its own";
                    return Err(Error::data("a report has one linked view").help(help));
                }
                *island = Some(explorer.json()?);
                context! {
                    id,
                    heading => printable(heading),
                    paragraphs => [printable(sentence), explorer.remark()]
                        .into_iter()
                        .filter(|p| !p.is_empty())
                        .collect::<Vec<_>>(),
                    explorer => true,
                    has_image => explorer.image.is_some(),
                    has_brightness => explorer.image.iter().any(|i| !i.brightness.is_empty()),
                    n_runs => explorer.runs.len(),
                }
            }
        })
    }

    /// Writes the page; a file that is there already is replaced.
    ///
    /// # Errors
    /// As [`html`](Self::html), or a place that cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        self.write_as(path, Existing::Overwrite)
    }

    /// Like [`write`](Self::write), deciding what happens to a file that is there already.
    ///
    /// # Errors
    /// As [`html`](Self::html), an existing file that must be kept, or a place that cannot be written.
    pub fn write_as(&self, path: impl AsRef<Path>, existing: Existing) -> Result<()> {
        let html = self.html()?;
        write_whole(path.as_ref(), existing, |file| {
            file.write_all(html.as_bytes())
                .map_err(|e| Error::io(format!("cannot be written: {e}")))
        })
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::report::base64;
    use crate::report::explorer::{Column, Explorer};

    const EVIL: &str = "</script><img src=x onerror=alert(1)>\"'{{ 7919 * 7 }}";

    fn evil_report() -> Report {
        let column = |name: &str| Column {
            name: name.into(),
            unit: EVIL.into(),
            values: vec![1.0, f64::NAN, 3.0],
        };
        let explorer = Explorer {
            key: EVIL.into(),
            columns: vec![column(EVIL), column("b")],
            ..Explorer::default()
        };
        Report::new(EVIL)
            .subtitle(EVIL)
            .verdict(Light::Amber, EVIL)
            .section(
                Section::new(EVIL).says(EVIL).table([EVIL], vec![vec![EVIL.into()]]).doubt(EVIL),
            )
            .importance(EVIL, &[(EVIL.to_string(), 1.0)])
            .explorer(EVIL, EVIL, explorer)
            .fact(EVIL, EVIL)
            .recipe(EVIL)
    }

    #[test]
    fn the_policy_names_the_script_and_style_as_they_are() {
        for (text, hash) in [(STYLE, STYLE_HASH), (FONTS, FONTS_HASH), (SCRIPT, SCRIPT_HASH)] {
            let current = format!("sha256-{}", base64::encoded(&Sha256::digest(text)));
            assert_eq!(hash, current, "put this value into page.rs");
        }
    }

    #[test]
    fn hostile_names_stay_text() {
        let html = evil_report().html().unwrap();
        assert!(!html.contains("<img"), "markup from a name");
        assert!(!html.contains("55433"), "a template in a name was run");
        assert_eq!(html.matches("</script>").count(), 2);
    }

    #[test]
    fn a_page_asks_for_nothing_from_outside() {
        let html = evil_report().html().unwrap();
        let html = html.replace("http://www.w3.org/2000/svg", "");
        assert!(!html.contains("http://") && !html.contains("https://"));
        assert_eq!(html.matches("url(").count(), html.matches("url(data:").count());
        assert!(html.contains("default-src 'none'"));
        assert_eq!(html, evil_report().html().unwrap().replace("http://www.w3.org/2000/svg", ""));
    }

    #[test]
    fn one_linked_view_is_enough() {
        let report = evil_report().explorer("again", "", Explorer::default());
        assert!(report.html().is_err());
    }
}
