//! `hakmem man`: the manual pages, made of what `--help` says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man as Page;

use crate::CommandLine;
use crate::failure::{Failure, Status};

/// Write the manual pages
///
/// Writes hakmem.1 and a page for each command, hakmem-run.1 and so on.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hakmem man /usr/local/share/man/man1
  hakmem man . && man ./hakmem-run.1

Exit status: 0, or 2 if they cannot be written or the command line is wrong.")]
pub struct Man {
    /// The directory that they go to; made if it is missing
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

impl Man {
    /// Writes them.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        let failed = |path: &Path, error: std::io::Error| {
            let next = "name a directory that you may write to";
            Failure::new(
                Status::Usage,
                "cannot write the manual",
                error.to_string(),
                next,
            )
            .at(path)
        };
        fs::create_dir_all(&self.directory).map_err(|error| failed(&self.directory, error))?;
        let mut whole = CommandLine::command().disable_help_subcommand(true);
        whole.build();
        self.write(whole.clone(), "hakmem")
            .map_err(|error| failed(&self.directory, error))?;
        for command in whole
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
        {
            let name = format!("hakmem-{}", command.get_name());
            self.write(command.clone(), &name)
                .map_err(|error| failed(&self.directory, error))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn write(&self, command: Command, name: &str) -> std::io::Result<()> {
        let mut page = vec![];
        Page::new(command.display_name(name.to_owned()))
            .title(name.to_uppercase())
            .render(&mut page)?;
        fs::write(self.directory.join(format!("{name}.1")), page)
    }
}
