//! The command tree, the flags that every command shares, and the way from an error to an exit code.

mod args;
mod console;
mod pixels;
mod target;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use polariscope::{Error, Result};
use polars::prelude::{Column, DataFrame};

use args::Globals;
pub use console::Console;

/// From a table of measurements to a hypothesis that holds when the analysis is run again.
#[derive(Debug, Parser)]
#[command(name = "explore", version, subcommand_negates_reqs = true, after_help = AFTER_HELP)]
#[command(override_usage = "explore TABLE [OPTIONS]\n       explore COMMAND ...")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    walk: walk::Walk,
    #[command(flatten, next_help_heading = "Options of every command")]
    globals: Globals,
}

const AFTER_HELP: &str = "\
Examples:
  explore measurements.csv                 the whole walk-through: screen and measurements.explore/
  explore demo blobs && explore blobs/blobs.csv
  explore describe measurements.csv        one row per column
  explore embed umap measurements.csv -o with_umap.csv";

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident => $module:ident),* $(,)?) => {
        $(mod $module;)*
        mod walk;

        #[derive(Debug, Subcommand)]
        enum Command {
            $($(#[$doc])* $name($module::$name)),*
        }

        impl Command {
            fn run(&self, globals: &Globals, console: &Console) -> polariscope::Result<()> {
                match self {
                    $(Self::$name(command) => command.run(globals, console)),*
                }
            }
        }
    };
}

commands! {
    /// Region properties of a label image
    Measure => measure,
    /// From an image to labels
    Segment => segment,
    /// Predicted labels against the truth
    Compare => compare,
    /// One row per column: counts, mean, quartiles, role and unit
    Describe => describe,
    /// Square table of correlations between the columns
    Correlate => correlate,
    /// The features on one scale
    Standardize => standardize,
    /// Few coordinates for many features: pca, umap or tsne
    Embed => embed,
    /// Groups of objects: adds the column `cluster`
    Cluster => cluster,
    /// What survives another run and another sample: the non-determinism report alone
    Stability => stability,
    /// Which features separate the groups
    Select => select,
    /// A random forest on a table column
    Train => train,
    /// Apply a trained model to a table
    Predict => predict,
    /// SHAP values of a model's predictions
    Explain => explain,
    /// Any single figure of the report, as .svg or .png
    Plot => plot,
    /// Pixel and object classification with APOC's models
    Apoc => apoc,
    /// What each column means: definition, unit, source, aliases
    Columns => columns,
    /// Write a small image, its labels and measurements to try things on
    Demo => demo,
    /// Adapters, threads, versions
    Doctor => doctor,
    /// Shell completions and the man page
    Completions => completions,
}

impl Command {
    /// Whether it has work for a GPU beside the measuring of images.
    fn has_kernels(&self) -> bool {
        match self {
            Self::Measure(_) | Self::Segment(_) | Self::Apoc(_) => true,
            Self::Embed(embed) => embed.has_kernels(),
            _ => false,
        }
    }
}

/// The exit code of a program that was told to stop, as shells give it.
const INTERRUPTED: i32 = 130;

/// Parses the arguments, runs the command and reports what went wrong, if anything did.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let has_kernels = cli.command.as_ref().is_some_and(Command::has_kernels);
    let console = Console::new(&cli.globals, has_kernels);
    // Fails only when a handler exists already, which nothing before this line sets.
    let _ = ctrlc::set_handler(|| {
        polariscope::output::remove_partials();
        std::process::exit(INTERRUPTED);
    });
    if let Some(n_threads) = cli.globals.threads {
        // Fails only when a pool exists already, which nothing before this line makes.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(n_threads.get()).build_global();
    }
    let outcome = match &cli.command {
        Some(
            Command::Columns(_) | Command::Demo(_) | Command::Doctor(_) | Command::Completions(_),
        ) if cli.globals.backend == args::Where::Gpu => {
            console.refuse_gpu("this command reads no image and no table")
        }
        Some(command) => command.run(&cli.globals, &console),
        None => cli.walk.run(&cli.globals, &console),
    };
    console.finish(outcome)
}

/// The whole command, for completions and the man page.
fn tree() -> clap::Command {
    Cli::command()
}

/// Columns become a table.
fn frame_of(columns: Vec<Column>) -> Result<DataFrame> {
    let n_rows = columns.first().map_or(0, Column::len);
    DataFrame::new(n_rows, columns).map_err(|e| Error::internal(e.to_string()))
}

#[cfg(test)]
mod tests {
    /// Two flags of one name, and other mistakes that clap finds only when a command is used.
    #[test]
    fn the_command_tree_is_sound() {
        super::tree().debug_assert();
    }
}
