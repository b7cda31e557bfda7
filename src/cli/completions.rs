//! `explore completions`: shell completions, or the man page.

use clap::{Args, ValueEnum};
use clap_complete::{Shell, generate};
use polariscope::{Error, Result};

use super::Console;
use super::args::Globals;

#[derive(Debug, Args)]
pub struct Completions {
    /// The shell, or `man`
    #[arg(value_enum)]
    what: What,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
    Man,
}

impl Completions {
    pub fn run(&self, _globals: &Globals, console: &Console) -> Result<()> {
        let shell = match self.what {
            What::Bash => Shell::Bash,
            What::Elvish => Shell::Elvish,
            What::Fish => Shell::Fish,
            What::Powershell => Shell::PowerShell,
            What::Zsh => Shell::Zsh,
            What::Man => return man_page(console),
        };
        let mut bytes = Vec::new();
        generate(shell, &mut super::tree(), "explore", &mut bytes);
        console.print(&String::from_utf8_lossy(&bytes))
    }
}

fn man_page(console: &Console) -> Result<()> {
    let mut bytes = Vec::new();
    clap_mangen::Man::new(super::tree())
        .render(&mut bytes)
        .map_err(|e| Error::internal(format!("the man page cannot be rendered: {e}")))?;
    console.print(&String::from_utf8_lossy(&bytes))
}
