//! Flags that several commands share, in one vocabulary: flag = builder method = recipe key.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use polariscope::Result;
use polariscope::backend::Backend;
use polariscope::error::ErrorKind;
use polariscope::output::Existing;
use polariscope::table::{Columns, Features, Scale, Selection, Table};

/// Flags of every command.
#[derive(Debug, Args)]
pub struct Globals {
    /// One JSON object on stdout, errors included
    #[arg(long, global = true)]
    pub json: bool,
    /// Nothing but results and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Colours on the screen
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
    /// Worker threads; never changes a result
    #[arg(long, global = true, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// Seed of every random choice
    #[arg(long, global = true, default_value_t = 0, value_name = "N")]
    pub seed: u64,
    /// Where the heavy kernels run
    #[arg(long, global = true, value_enum, default_value_t = Where::Auto, value_name = "WHERE")]
    pub backend: Where,
    /// Replace existing outputs
    #[arg(long, global = true)]
    pub overwrite: bool,
}

impl Globals {
    /// What to do with files that stand where outputs go.
    pub fn existing(&self) -> Existing {
        if self.overwrite { Existing::Overwrite } else { Existing::Keep }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

/// The CPU measures so many pixels in about the time that a device needs to start.
const WORTH_A_CARD: usize = 1 << 24;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Where {
    Auto,
    Cpu,
    Gpu,
}

impl Where {
    /// Does work on so many pixels there; left to itself it takes the CPU for what a device refuses.
    pub fn run<T>(self, n_pixels: usize, work: impl Fn(Backend) -> Result<T>) -> Result<T> {
        match self {
            Self::Cpu => work(Backend::Cpu),
            Self::Gpu => work(Backend::gpu()?),
            // Waking a card takes longer than the whole work on a small image.
            Self::Auto if n_pixels < WORTH_A_CARD => work(Backend::Cpu),
            Self::Auto => match work(Backend::auto()) {
                Err(refused) if refused.kind() == ErrorKind::Backend => work(Backend::Cpu),
                done => done,
            },
        }
    }
}

/// Which columns enter the analysis.
#[derive(Debug, Args, Clone, Default)]
pub struct Choice {
    /// Columns to use, as names or globs; overrides the roles
    #[arg(long, value_name = "GLOB,...", value_delimiter = ',')]
    pub features: Vec<String>,
    /// Columns to leave out, as names or globs
    #[arg(long, value_name = "GLOB,...", value_delimiter = ',')]
    pub exclude: Vec<String>,
}

impl Choice {
    /// The library's form of it.
    pub fn selection(&self) -> Selection {
        Columns::measurements().features(&self.features).exclude(&self.exclude)
    }

    /// The chosen columns as a finite matrix, as measured.
    pub fn raw(&self, table: &Table) -> Result<Features> {
        Features::from_frame(&table.frame, self.selection())
    }
}

/// The chosen columns on one scale.
#[derive(Debug, Args, Clone)]
pub struct Scaled {
    #[command(flatten)]
    pub choice: Choice,
    /// Scale of the features
    #[arg(long, default_value = "zscore", value_name = "zscore|robust|none")]
    pub scale: Scale,
}

impl Scaled {
    /// The chosen columns as a finite, scaled matrix.
    pub fn features(&self, table: &Table) -> Result<Features> {
        self.choice.raw(table)?.into_scaled(self.scale)
    }
}

/// The table to read.
#[derive(Debug, Args)]
pub struct Input {
    /// Measurements: csv, tsv (also .gz), parquet, arrow; `-` is stdin
    pub table: PathBuf,
}

/// Where a table goes.
#[derive(Debug, Args)]
pub struct Output {
    /// Output file: .csv .tsv .parquet .arrow; `-` is stdout as CSV
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
}
