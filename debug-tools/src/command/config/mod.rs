//! `hakmem config`: what the variables are, whether an environment is right, and what is in force.
//!
//! ```text
//! Source  ── where the variables stand: this environment, a file, a process
//! check   ── what is wrong with them         list     ── all that there are
//! show    ── what they come to, and why      explain  ── one of them
//! ```
//!
//! All of it comes from the table in the allocator, `hakmem_alloc::options`.

mod check;
mod explain;
mod list;
mod running;
mod show;
mod source;

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use hakmem_alloc::options::Builds;

use crate::failure::Failure;
pub use check::unread;
use source::Source;

/// Explain and check hakmem's variables
///
/// hakmem is configured by environment variables. This knows all of them: those that every build
/// reads, the debug variables that the observed library reads beside them, and names of earlier
/// versions.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hakmem config check
  hakmem config check --strict service.env
  hakmem config show pid:1234
  hakmem config explain HAKMEM_TINY_TLS_CAP
  hakmem config list --format markdown

Exit status: 0 if all is well, 1 if `check` finds an error, 2 if what is asked about cannot be read \
or the command line is wrong.")]
pub struct Config {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Check(check::Check),
    Explain(explain::Explain),
    List(list::List),
    Show(show::Show),
}

impl Config {
    /// Does what was asked for.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        match self.action {
            Action::Check(check) => check.execute(),
            Action::Explain(explain) => explain.execute(),
            Action::List(list) => list.execute(),
            Action::Show(show) => show.execute(),
        }
    }
}

/// Which library the variables are for.
#[derive(Clone, Copy, ValueEnum)]
enum Build {
    /// The production library, which reads no debug variable
    Release,
    /// The library with observers
    Observed,
}

impl Build {
    fn builds(self) -> Builds {
        match self {
            Self::Release => Builds::Every,
            Self::Observed => Builds::Observed,
        }
    }
}

/// Where the variables are taken from.
#[derive(Args)]
struct Place {
    /// A file with NAME=VALUE lines, or pid:N for a running process [default: this environment]
    #[arg(value_name = "FILE|pid:N")]
    source: Option<Source>,

    /// The build that reads them [default: what the process has loaded, else release]
    #[arg(long, value_enum, value_name = "BUILD")]
    build: Option<Build>,
}
