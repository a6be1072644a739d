//! The subcommands, one a file.

mod config;
mod history;
mod run;

use std::process::ExitCode;

use clap::Subcommand;

use crate::failure::Failure;

/// What `hakmem` was asked to do.
#[derive(Subcommand)]
pub enum Command {
    Run(run::Run),
    History(history::History),
    Config(config::Config),
}

impl Command {
    /// Does it. The exit status on success is the command's own.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Run(run) => match run.execute()? {},
            Self::History(history) => history.execute(),
            Self::Config(config) => config.execute(),
        }
    }
}
