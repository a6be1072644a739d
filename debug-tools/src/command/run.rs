//! `hakmem run`: a program on hakmem, by `LD_PRELOAD`.
//!
//! ```text
//! Program::find ── is there such a program, and can a library be preloaded into it?
//! Library::find ── where is libhakmem.so, and is it one? (a clone builds it)
//! Preload       ── LD_PRELOAD = the library, then what was set before
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

use crate::failure::{Failure, Status};
use crate::library::Library;
use crate::preload::{self, Preload};
use crate::program::Program;

/// Run a program on hakmem
///
/// The program runs with libhakmem.so preloaded, in the place of hakmem itself: same process id,
/// its own exit status, signals go straight to it. A preload that is already set is kept, behind
/// hakmem.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hakmem run --release -- python3 script.py
  hakmem run --release -- sh -c 'make && ./server --port 80'
  HAKMEM_STATS=1 hakmem run --release -- git gc
  hakmem run --release --lib ./target/release/libhakmem.so -- ls -l

The library is taken from beside the hakmem binary, or from ../lib as seen from there. In a clone
of the project it is taken from target/release, and built if it is not there yet.

Exit status: the program's own. 127 if there is no such program, 126 if it cannot be executed,
2 if it cannot run on hakmem or the command line is wrong.")]
pub struct Run {
    /// Use the production library, without any debugging (required in this version)
    #[arg(long)]
    release: bool,

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
        if !self.release {
            return Err(observed_build_missing());
        }
        let (name, arguments) = (&self.program[0], &self.program[1..]);
        let program = Program::find(name)?;
        let library = match &self.lib {
            Some(path) => Library::at(path)?,
            None => Library::find()?,
        };
        let preload = Preload::new(&library, std::env::var_os(preload::VARIABLE).as_deref())?;

        let error = process::Command::new(program.path())
            .arg0(name)
            .args(arguments)
            .env(preload::VARIABLE, preload.value())
            .exec();
        Err(program.not_executed(&error))
    }
}

fn observed_build_missing() -> Failure {
    Failure::new(
        Status::Usage,
        "`hakmem run` needs `--release`",
        "without it the program would run on the observed library, which records and checks \
         what the program does with memory; that library is not part of this version",
        "run the program on the production library: `hakmem run --release -- PROGRAM`",
    )
}
