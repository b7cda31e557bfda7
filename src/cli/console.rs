//! The one place that prints: results on stdout, everything else on stderr.

use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use polariscope::progress::Progress;
use polariscope::report::screen::Style;
use polariscope::table::{self, Table};
use polariscope::{Error, Result};
use polars::prelude::DataFrame;
use serde_json::{Value, json};

use super::args::{Color, Globals, Input, Output, Where};
use super::pixels::{Images, is_image, measured};
use super::segment::How;

/// How this run talks to the person or program that started it.
pub struct Console {
    json: bool,
    quiet: bool,
    color: Color,
    backend: Where,
    has_kernels: bool,
}

impl Console {
    /// Reads the flags and the environment once.
    ///
    /// `has_kernels` says whether the command can use a GPU for a table.
    pub fn new(globals: &Globals, has_kernels: bool) -> Self {
        let Globals { json, quiet, color, backend, .. } = *globals;
        Self { json, quiet, color, backend, has_kernels }
    }

    /// Whether one JSON object is wanted on stdout.
    pub fn json(&self) -> bool {
        self.json
    }

    /// Where the heavy kernels run.
    pub fn backend(&self) -> Where {
        self.backend
    }

    /// Whether only errors and results in files are wanted.
    pub fn quiet(&self) -> bool {
        self.quiet
    }

    /// Whether results on stdout carry colours.
    pub fn style(&self) -> Style {
        let colored = match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
                    && io::stdout().is_terminal()
            }
        };
        if colored { Style::Color } else { Style::Plain }
    }

    /// Refuses `--backend gpu` where there is nothing for it to do.
    pub fn refuse_gpu(&self, why: &str) -> Result<()> {
        if self.backend != Where::Gpu {
            return Ok(());
        }
        Err(Error::parameter("--backend", "gpu", "auto or cpu here").help(why))
    }

    /// Reads a table from a file or stdin and passes its warnings on.
    pub fn read(&self, input: &Input) -> Result<Table> {
        if !self.has_kernels && !is_image(&input.table) {
            self.refuse_gpu("nothing that this command does with a table runs on a GPU")?;
        }
        let table = if input.table.as_os_str() == "-" {
            let mut bytes = Vec::new();
            io::stdin()
                .read_to_end(&mut bytes)
                .map_err(|e| Error::io(format!("stdin cannot be read: {e}")))?;
            Table::from_bytes("stdin", &bytes)?
        } else if is_image(&input.table) {
            measured(&input.table, &Images::default(), None, &How::default(), self)?.table
        } else {
            Table::open(&input.table)?
        };
        for warning in &table.warnings {
            self.note(&format!("warning: {warning}"));
        }
        Ok(table)
    }

    /// A line for the person at the terminal, on stderr.
    pub fn note(&self, line: &str) {
        if !self.quiet {
            eprintln!("{line}");
        }
    }

    /// A result for people, on stdout; nothing when JSON is wanted.
    pub fn print(&self, text: &str) -> Result<()> {
        if self.json { Ok(()) } else { to_stdout(text.as_bytes()) }
    }

    /// The one JSON object of a `--json` run.
    pub fn print_json(&self, mut object: Value) -> Result<()> {
        if !self.json {
            return Ok(());
        }
        if let Value::Object(fields) = &mut object {
            fields.insert("schema_version".into(), json!(polariscope::SCHEMA_VERSION));
        }
        to_stdout(format!("{object:#}\n").as_bytes())
    }

    /// Writes a table to its file, or as CSV to stdout when no file is named and JSON is not wanted.
    pub fn write(&self, frame: &DataFrame, output: &Output, globals: &Globals) -> Result<()> {
        self.write_measured(frame, None, output, globals)
    }

    /// As [`write`](Self::write), with the unit of lengths (pixels when `None`).
    pub fn write_measured(
        &self,
        frame: &DataFrame,
        length_unit: Option<&str>,
        output: &Output,
        globals: &Globals,
    ) -> Result<()> {
        match &output.output {
            Some(path) if path.as_os_str() != "-" => {
                table::write_measured(frame, length_unit, path, globals.existing())
            }
            None if self.json => Ok(()),
            _ => {
                let mut bytes = Vec::new();
                table::write_csv(frame, &mut bytes)?;
                to_stdout(&bytes)
            }
        }
    }

    /// Refuses an output that cannot be written before any work is done.
    pub fn check_free(&self, output: &Output, globals: &Globals) -> Result<()> {
        match &output.output {
            Some(path) if path.as_os_str() != "-" => {
                polariscope::output::check_free(path, globals.existing())
            }
            _ => Ok(()),
        }
    }

    /// A progress bar on a terminal's stderr that appears after half a second; silent elsewhere.
    pub fn progress(&self, what: &str) -> Progress {
        if self.quiet || !io::stderr().is_terminal() {
            return Progress::default();
        }
        let bar = Mutex::new(Bar { what: what.to_owned(), started: Instant::now(), bar: None });
        Progress::new(move |share| {
            if let Ok(mut bar) = bar.lock() {
                bar.show(share);
            }
        })
    }

    /// Prints the error, if any, and gives the exit code.
    pub fn finish(&self, outcome: Result<()>) -> ExitCode {
        let Err(error) = outcome else {
            return ExitCode::SUCCESS;
        };
        if self.json {
            let _ = self.print_json(json!({ "error": error_json(&error) }));
        } else {
            eprintln!("error: {error}");
            if let Some(remedy) = error.remedy() {
                eprintln!("help:  {remedy}");
            }
        }
        ExitCode::from(1)
    }
}

struct Bar {
    what: String,
    started: Instant,
    bar: Option<ProgressBar>,
}

impl Bar {
    fn show(&mut self, share: f64) {
        if share >= 1.0 {
            if let Some(bar) = self.bar.take() {
                bar.finish_and_clear();
            }
        } else if self.started.elapsed() > Duration::from_millis(500) {
            let what = &self.what;
            let bar = self.bar.get_or_insert_with(|| {
                let bar = ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::stderr());
                bar.set_message(what.clone());
                bar.with_style(
                    ProgressStyle::with_template("{msg:16} {wide_bar} {percent:>3} %")
                        .unwrap_or_else(|_| ProgressStyle::default_bar()),
                )
            });
            bar.set_position((share * 1000.0) as u64);
        }
    }
}

fn error_json(error: &Error) -> Value {
    json!({
        "kind": error.kind().name(),
        "message": error.message(),
        "file": error.file().map(Path::display).map(|d| d.to_string()),
        "row": error.row(),
        "column": error.column(),
        "help": error.remedy(),
    })
}

/// Writes to stdout; a reader that went away is not an error, it has read enough.
fn to_stdout(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::io(format!("stdout cannot be written: {e}")))
        }
        _ => Ok(()),
    }
}
