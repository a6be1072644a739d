//! The `hakmem` command.
//!
//! The tree, from the top down; each file may use those below it:
//!
//! | file | what it is |
//! |---|---|
//! | `main.rs` | `main`; the rest is a library, so that its readers can be fuzzed |
//! | `lib.rs` | the command line: parses it, calls the subcommand, reports its failure |
//! | `command/` | the subcommands, one a file |
//! | `library.rs`, `checkout.rs` | `libhakmem.so`: where it lies, whether it is one, how a clone builds it |
//! | `preload.rs` | the value of `LD_PRELOAD` |
//! | `trace.rs` | where the observed library records to |
//! | `wishes.rs` | the options that set the observed library's variables |
//! | `supervisor.rs` | a process that is waited for |
//! | `summary.rs` | what is said at the end of a run |
//! | `program.rs` | the program to run: found, followed through scripts, checked |
//! | `search_path.rs`, `shebang.rs`, `elf.rs`, `privilege.rs` | what that takes: `PATH`, `#!` lines, ELF files, setuid and its kin |
//! | `misdeed.rs` | what a run's trace says was done wrong, and by whom |
//! | `symbols.rs` | the functions of a trace's program counters |
//! | `version.rs` | whether a source was written by another version of hakmem |
//! | `printable.rs` | text of a trace, without what a terminal would take as orders |
//! | `log.rs` | what hakmem says of its own work, with `-v` |
//! | `failure.rs` | an error as the user sees it, with its exit status |
//!
//! Standard output belongs to the program that is run, to what a trace was asked for, and to help
//! that was asked for. All else that `hakmem` says goes to standard error.

#![forbid(unsafe_code)]

mod again;
mod answer;
mod checkout;
mod command;
mod data_symbols;
mod elf;
mod event;
mod failure;
pub mod heap;
pub mod image;
mod in_module;
mod library;
mod log;
mod misdeed;
mod output;
mod preload;
mod printable;
mod privilege;
mod program;
mod progress;
mod search_path;
mod shebang;
mod signals;
pub mod source;
mod summary;
mod supervisor;
mod symbols;
mod trace;
mod version;
mod wishes;

use std::process::ExitCode;

use clap::Parser;

use command::Command;

/// Run programs on the hakmem memory allocator, and read what it recorded of them.
#[derive(Parser)]
#[command(name = "hakmem", version, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  hakmem demo
  hakmem run -- ./program --its-options
  hakmem run --release -- python3 script.py
  hakmem history trace/ 0x7f12a4001040

`hakmem help COMMAND` tells more about a command.")]
struct CommandLine {
    /// Say on standard error what hakmem itself does; twice says more
    #[arg(short, long, global = true, display_order = 900, action = clap::ArgAction::Count)]
    verbose: u8,

    #[command(subcommand)]
    command: Command,
}

/// Parses the command line, and does what it says.
pub fn main() -> ExitCode {
    let line = CommandLine::parse();
    log::begin(line.verbose);
    match line.command.execute() {
        Ok(status) => status,
        Err(failure) => {
            failure.report();
            failure.exit_code()
        }
    }
}
