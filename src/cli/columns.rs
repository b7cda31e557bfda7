//! `explore columns`: what each column means.

use clap::Args;
use polariscope::regions::{PROPERTIES, Property, recognize};
use polariscope::{Error, Result, error::closest};
use serde_json::{Value, json};

use super::Console;
use super::args::Globals;

#[derive(Debug, Args)]
pub struct Columns {
    /// A column's name, in the words of any known tool; all columns when left out
    name: Option<String>,
}

impl Columns {
    pub fn run(&self, _globals: &Globals, console: &Console) -> Result<()> {
        let Some(name) = &self.name else {
            console.print_json(json!({ "columns": PROPERTIES.iter().map(record).collect::<Vec<_>>() }))?;
            let lines: Vec<String> = PROPERTIES
                .iter()
                .map(|p| format!("{:28} {:10} {}\n", p.name, p.role.name(), p.unit.with("px")))
                .collect();
            return console.print(&lines.concat());
        };
        let known = recognize(name).ok_or_else(|| unknown(name))?;
        console.print_json(record(known.property))?;
        console.print(&card(known.property))
    }
}

fn unknown(name: &str) -> Error {
    let error = Error::data("no known column has this name").at_column(name);
    match closest(name, PROPERTIES.iter().map(|p| p.name)) {
        Some(close) => error.help(format!("did you mean `{close}`?")),
        None => error.help("`explore columns` lists all of them"),
    }
}

fn record(property: &Property) -> Value {
    json!({
        "name": property.name,
        "role": property.role.name(),
        "unit": property.unit.with("px"),
        "definition": property.definition,
        "range": property.range,
        "source": property.source,
        "aliases": property.aliases,
        "scikit_image": property.skimage,
    })
}

fn card(property: &Property) -> String {
    let mut lines = format!("{}\n", property.name);
    let mut line = |head: &str, text: &str| {
        if !text.is_empty() {
            let indent = " ".repeat(14);
            let options = format!("  {head:10}  ");
            lines += &options;
            lines += &wrapped(text, 80 - indent.len(), &indent);
            lines += "\n";
        }
    };
    line("definition", property.definition);
    line("unit", &property.unit.with("px"));
    line("range", property.range);
    line("role", property.role.name());
    line("source", property.source);
    line("also", &property.aliases.join(", "));
    lines
}

/// Breaks a text at spaces so that no line is wider than `width`.
fn wrapped(text: &str, width: usize, indent: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let used = lines.last().map_or(0, |l| l.chars().count());
        if used > 0 && used + 1 + word.chars().count() > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join(&format!("\n{indent}"))
}
