//! `hakmem run`: a program on hakmem, by `LD_PRELOAD`.
//!
//! ```text
//! Program::find ── is there such a program, and can a library be preloaded into it?
//! Library::find ── where is libhakmem.so, and is it one? (a clone builds it)
//! Preload       ── LD_PRELOAD = the library, then what was set before
//! TraceDirectory ─ HAKMEM_TRACE_DIR, for the observed library
//! execve        ── hakmem becomes the program
//! ```
//!
//! The program takes the place of `hakmem` in the same process. So it keeps the process id, the
//! terminal and the parent, gets every signal itself, and its exit status, or the signal that
//! ended it, is what the caller sees; there is nothing in between that could lose either.
//!
//! Whatever would make the loader ignore `LD_PRELOAD` without a word is looked for first, since
//! the program would run then, but on another allocator.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process;

use clap::Args;
use nix::sys::personality::{self, Persona};

use crate::failure::{Failure, Status};
use crate::library::{Face, Library};
use crate::preload::{self, Preload};
use crate::program::Program;
use crate::trace::{self, TraceDirectory};

/// Run a program on hakmem
///
/// The program runs with libhakmem.so preloaded, in the place of hakmem itself: same process id,
/// its own exit status, signals go straight to it. A preload that is already set is kept, behind
/// hakmem. Without --release it is the observed library, which records what happens to the
/// program's memory in a trace directory, and does what the debug variables say.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hakmem run -- ./program --its-options
  hakmem run --trace-dir /tmp/trace -- python3 script.py
  HAKMEM_WATCH_ADDR=0x7f0012345678 hakmem run --fixed-addresses -- ./program
  hakmem run --release -- sh -c 'make && ./server --port 80'
  HAKMEM_STATS=1 hakmem run --release -- git gc

The library is the one that --lib or HAKMEM_RUN_LIBRARY names; else it is taken from beside the
hakmem binary, or from ../lib as seen from there. In a clone of the project it is taken from
target/observed or target/release, and built if it is not there yet.

Exit status: the program's own. 127 if there is no such program, 126 if it cannot be executed,
2 if it cannot run on hakmem or the command line is wrong.")]
pub struct Run {
    /// Use the production library, which records nothing
    #[arg(long)]
    release: bool,

    /// Where the trace goes; %p stands for the process id [default: hakmem-trace.%p]
    #[arg(long, value_name = "DIR", conflicts_with = "release")]
    trace_dir: Option<PathBuf>,

    /// Switch address randomisation off, so that a program that does the same gets the same
    /// addresses again
    #[arg(long)]
    fixed_addresses: bool,

    /// Say nothing of where the trace goes
    #[arg(short, long)]
    quiet: bool,

    /// The libhakmem.so to preload, in place of the one that is found
    #[arg(long, value_name = "PATH")]
    lib: Option<PathBuf>,

    /// The program, and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

impl Run {
    /// Becomes the program. Returns only if that fails.
    pub fn execute(self) -> Result<Infallible, Failure> {
        let (name, arguments) = (&self.program[0], &self.program[1..]);
        let program = Program::find(name)?;
        let face = if self.release {
            Face::Release
        } else {
            Face::Observed
        };
        let library = match &self.lib {
            Some(path) => Library::at(path)?,
            None => Library::find(face)?,
        };
        let preload = Preload::new(&library, std::env::var_os(preload::VARIABLE).as_deref())?;

        let mut command = process::Command::new(program.path());
        command
            .arg0(name)
            .args(arguments)
            .env(preload::VARIABLE, preload.value());
        if face == Face::Observed {
            let trace = TraceDirectory::choose(self.trace_dir.as_deref())?;
            if !self.quiet {
                trace.announce();
            }
            command.env(trace::VARIABLE, trace.value());
        }
        if self.fixed_addresses {
            fix_addresses()?;
            command.env(FIXED_ADDRESSES, "1");
        }
        let error = command.exec();
        Err(program.not_executed(&error))
    }
}

/// Tells the observed library to put its arena at the same address each time.
const FIXED_ADDRESSES: &str = "HAKMEM_FIXED_ADDRESSES";

/// Switches address randomisation off for what this process becomes.
fn fix_addresses() -> Result<(), Failure> {
    personality::get()
        .and_then(|now| personality::set(now | Persona::ADDR_NO_RANDOMIZE))
        .map(drop)
        .map_err(|error| {
            Failure::new(
                Status::Usage,
                "cannot switch address randomisation off",
                format!("personality(2) was refused: {error} (a container's seccomp filter?)"),
                "run it where that is allowed, or without --fixed-addresses",
            )
        })
}
