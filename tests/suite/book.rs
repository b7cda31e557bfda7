//! The book: its shell blocks run here, its numbers are what was printed, its links lead somewhere.
//!
//! With `EXPLORE_BLESS=1` the outputs, numbers and tables in the pages are rewritten instead of compared.
//! CONTRIBUTING.md explains the notation.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use polariscope::regions::PROPERTIES;
use serde_json::Value;

/// Ends a value or a table that is generated.
const END: &str = "<!--=-->";
/// A line of a block that stands for any lines left out.
const LEFT_OUT: &str = "...";

/// Whether expected outputs are to be written rather than compared.
pub fn blessing() -> bool {
    std::env::var_os("EXPLORE_BLESS").is_some()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn source() -> PathBuf {
    root().join("book/src")
}

/// The README, then the pages of the book in the order of its summary.
fn pages() -> Vec<PathBuf> {
    let summary = fs::read_to_string(source().join("SUMMARY.md")).unwrap();
    let listed = links(&summary).into_iter().map(|target| source().join(target));
    std::iter::once(root().join("README.md")).chain(listed).collect()
}

/// An empty folder with a copy of the datasets, as the book tells its readers to make it.
fn scratch() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("book");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("datasets")).unwrap();
    for entry in fs::read_dir(root().join("datasets")).unwrap().map(|e| e.unwrap()) {
        fs::copy(entry.path(), folder.join("datasets").join(entry.file_name())).unwrap();
    }
    folder
}

/// What a command prints on a screen of 80 columns, and whether it succeeded.
fn run(folder: &Path, command: &str) -> (String, bool) {
    let programs = Path::new(env!("CARGO_BIN_EXE_explore")).parent().unwrap();
    let others = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("sh")
        .args(["-c", &format!("exec 2>&1\n{command}")])
        .env("PATH", format!("{}:{others}", programs.display()))
        .env("COLUMNS", "80")
        .env("NO_COLOR", "1")
        .current_dir(folder)
        .output()
        .unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.success())
}

/// One page with all that is generated in it made again.
fn regenerated(text: &str, folder: &Path) -> Result<String, String> {
    let mut page = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(command) = line.strip_prefix("<!-- $ ") {
            let command = command.trim_end_matches("-->");
            let (printed, success) = run(folder, command);
            if !success {
                return Err(format!("{command}: {printed}"));
            }
            page += line;
        } else if line == "<!-- columns -->" {
            lines.find(|line| *line == END).ok_or("a table of columns without an end")?;
            let _ = write!(page, "{line}\n\n{}\n{END}", table_of_columns());
        } else if line == "```console" {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let _ = write!(page, "{line}\n{}```", block_again(&block, folder)?);
        } else if line.starts_with("```") {
            page += line;
            for line in lines.by_ref() {
                let _ = write!(page, "\n{line}");
                if line == "```" {
                    break;
                }
            }
        } else {
            page += &values_again(line, folder)?;
        }
        page.push('\n');
    }
    Ok(page)
}

/// The commands of a block, each with what it prints now.
fn block_again(block: &[&str], folder: &Path) -> Result<String, String> {
    let mut again = String::new();
    let mut rest = block;
    while let Some((first, after)) = rest.split_first() {
        let mut command = first.strip_prefix("$ ").ok_or(format!("{first}: no `$ `"))?.to_owned();
        let _ = writeln!(again, "{first}");
        rest = after;
        while command.ends_with('\\') {
            let (next, after) = rest.split_first().ok_or("a command without an end")?;
            let _ = write!(command, "\n{next}");
            let _ = writeln!(again, "{next}");
            rest = after;
        }
        let n_shown = rest.iter().take_while(|line| !line.starts_with("$ ")).count();
        let (shown, after) = rest.split_at(n_shown);
        let (printed, success) = run(folder, &command);
        let expects_error = shown.first().is_some_and(|line| line.starts_with("error:"));
        if success == expects_error {
            return Err(format!("{command}: {printed}"));
        }
        let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
        for line in abridged(shown, &printed).map_err(|e| format!("{command}: {e}"))? {
            let _ = writeln!(again, "{line}");
        }
        rest = after;
    }
    Ok(again)
}

/// What was printed, without what the page leaves out. Lines after a gap are found by their first word.
fn abridged<'a>(shown: &[&'a str], printed: &[&'a str]) -> Result<Vec<&'a str>, String> {
    let parts: Vec<&[&str]> = shown.split(|line| *line == LEFT_OUT).collect();
    if parts.len() == 1 {
        return Ok(printed.to_vec());
    }
    let first_word = |line: &str| line.split_whitespace().next().map(str::to_owned);
    let mut kept = Vec::new();
    let mut at = 0;
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            kept.push(LEFT_OUT);
            let Some(wanted) = part.first() else { continue };
            let found = printed[at..].iter().position(|l| first_word(l) == first_word(wanted));
            at += found.ok_or(format!("no line begins as `{wanted}` does"))?;
        }
        let is_last = number > 0 && number + 1 == parts.len();
        let end = if is_last { printed.len() } else { (at + part.len()).min(printed.len()) };
        kept.extend(&printed[at..end]);
        at = end;
    }
    Ok(kept)
}

/// A line of text with its generated values, `<!--= FILE POINTER [FORMAT]-->VALUE<!--=-->`, made again.
fn values_again(line: &str, folder: &Path) -> Result<String, String> {
    let mut again = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("<!--= ") {
        if before.is_empty() && again.is_empty() {
            return Err(format!(
                "a line must not begin with a value, or it is taken as HTML: {line}"
            ));
        }
        let (what, after) = after.split_once("-->").ok_or(format!("no --> in {line}"))?;
        let (_, after) = after.split_once(END).ok_or(format!("no {END} in {line}"))?;
        let _ = write!(again, "{before}<!--= {what}-->{}{END}", value(what, folder)?);
        rest = after;
    }
    Ok(again + rest)
}

/// A value of a JSON file in the folder: as it is, with digits (`.2`), or in percent (`%`, `%.1`).
fn value(what: &str, folder: &Path) -> Result<String, String> {
    let mut words = what.split_whitespace();
    let (file, pointer) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let text = fs::read_to_string(folder.join(file)).map_err(|e| format!("{file}: {e}"))?;
    let json: Value = serde_json::from_str(&text).map_err(|e| format!("{file}: {e}"))?;
    let value = json.pointer(pointer).ok_or(format!("{file} has no {pointer}"))?;
    let Some(format) = words.next() else {
        return Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    };
    let number = value.as_f64().ok_or(format!("{file} {pointer} is no number"))?;
    let scaled = if format.starts_with('%') { 100.0 * number } else { number };
    let digits = format.trim_start_matches(['%', '.']);
    let digits = if digits.is_empty() { 0 } else { digits.parse().map_err(|_| what.to_owned())? };
    Ok(format!("{scaled:.digits$}"))
}

/// Every property that `explore measure` knows.
fn table_of_columns() -> String {
    let mut table = String::from(
        "| column | unit | what it is | range | whose definition |\n|---|---|---|---|---|\n",
    );
    for property in PROPERTIES {
        let _ = writeln!(
            table,
            "| `{}` | {} | {} | {} | {} |",
            property.name,
            property.unit.with("px"),
            property.definition.replace('|', "\\|"),
            property.range.replace('|', "\\|"),
            property.source
        );
    }
    table
}

/// Pictures that the blocks made go where mdBook finds them.
fn take_figures(folder: &Path) {
    let to = source().join("figures");
    let _ = fs::remove_dir_all(&to);
    fs::create_dir_all(&to).unwrap();
    for entry in fs::read_dir(folder.join("figures")).unwrap().map(|e| e.unwrap()) {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Where the page and what it should be first part.
fn difference(page: &str, again: &str) -> String {
    let mut lines =
        page.lines().zip(again.lines()).enumerate().filter(|(_, (old, new))| old != new);
    match lines.next() {
        Some((number, (old, new))) => format!("line {}:\n  {old}\nshould be\n  {new}", number + 1),
        None => "the end differs".into(),
    }
}

#[test]
fn blocks_print_what_the_book_says() {
    let folder = scratch();
    let mut wrong = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        match regenerated(&text, &folder) {
            Ok(again) if again == text => {}
            Ok(again) if blessing() => fs::write(&page, again).unwrap(),
            Ok(again) => wrong.push(format!("{}, {}", page.display(), difference(&text, &again))),
            Err(error) => wrong.push(format!("{}: {error}", page.display())),
        }
    }
    take_figures(&folder);
    assert!(wrong.is_empty(), "{}\n(EXPLORE_BLESS=1 rewrites the pages)", wrong.join("\n"));
    for page in pages() {
        for target in links(&fs::read_to_string(&page).unwrap()) {
            check_link(&page, &target);
        }
    }
}

/// Text outside fenced blocks.
fn prose(text: &str) -> String {
    let mut inside = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.starts_with("```") {
            inside = !inside;
        } else if !inside {
            let _ = writeln!(prose, "{line}");
        }
    }
    prose
}

/// Targets of the links and pictures of a page.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let targets = prose.split("](").skip(1).filter_map(|after| after.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).collect()
}

fn check_link(page: &Path, target: &str) {
    if target.starts_with("https://") {
        return;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let to = if file.is_empty() { page.to_owned() } else { page.parent().unwrap().join(file) };
    assert!(to.exists(), "{}: {target} does not exist", page.display());
    if !anchor.is_empty() {
        let headings = prose(&fs::read_to_string(&to).unwrap());
        let found = headings.lines().filter(|line| line.starts_with('#')).any(|h| id(h) == anchor);
        assert!(found, "{}: {target}: no such heading", page.display());
    }
}

/// The identifier that mdBook and GitHub give a heading.
fn id(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words.chars().filter(|c| c.is_alphanumeric() || ['_', '-', ' '].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn programs_come_from_the_examples() {
    let mut included = Vec::new();
    for page in pages().into_iter().skip(1) {
        let text = fs::read_to_string(&page).unwrap();
        assert!(!text.contains("```sh") || page.ends_with("start.md"), "{}", page.display());
        for (fence, block) in text.split("\n```").zip(text.split("\n```").skip(1)) {
            assert!(!fence.is_empty());
            let Some(code) = block.strip_prefix("rust") else { continue };
            let file = code
                .split_once("{{#include ")
                .and_then(|(_, rest)| rest.split_once("}}"))
                .filter(|(_, rest)| rest.trim().is_empty())
                .unwrap_or_else(|| panic!("{}: Rust that is not included", page.display()));
            included.push(page.parent().unwrap().join(file.0).canonicalize().unwrap());
        }
    }
    for example in super::examples::numbered() {
        assert!(included.contains(&example), "{} is on no page", example.display());
    }
}

#[test]
fn every_command_has_its_help_in_the_book() {
    let page = fs::read_to_string(source().join("commands.md")).unwrap();
    let (help, _) = run(root(), "explore --help");
    let listed = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands = listed.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    for command in commands.filter_map(|line| line.split_whitespace().next()) {
        let asked = page.contains(&format!("$ explore {command} --help\n"));
        assert!(asked || command == "help", "no help of {command}");
    }
}
