//! `hakmem completions`: for a shell, made of the command line's own description.

use std::io;
use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::CommandLine;
use crate::failure::Failure;
use crate::output::Output;

/// Print completions for a shell
#[derive(Args)]
#[command(after_help = "\
Examples:
  hakmem completions bash > /usr/local/share/bash-completion/completions/hakmem
  hakmem completions zsh > /usr/local/share/zsh/site-functions/_hakmem

Exit status: 0, or 2 if the command line is wrong.")]
pub struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    /// Prints them.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        let mut script = io::Cursor::new(vec![]);
        clap_complete::generate(
            self.shell,
            &mut CommandLine::command(),
            "hakmem",
            &mut script,
        );
        let mut output = Output::new();
        output.line(String::from_utf8_lossy(script.get_ref()).trim_end())?;
        output.end()?;
        Ok(ExitCode::SUCCESS)
    }
}
