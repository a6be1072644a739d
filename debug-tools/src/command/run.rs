//! `hakmem run`: a program on hakmem, by `LD_PRELOAD`.
//!
//! ```text
//! Wishes ───────── what the observed library is to do, as variables; told if not understood
//! Program::find ── is there such a program, and can a library be preloaded into it?
//! Library::find ── where is libhakmem.so, and is it one? (a clone builds it)
//! Preload ──────── LD_PRELOAD = the library, then what was set before
//! TraceDirectory ─ HAKMEM_TRACE_DIR, for the observed library
//! execve ───────── hakmem becomes the program
//!     └─ supervise: of an observed run another hakmem waits for it, and says what it has left
//! ```
//!
//! The program takes the place of `hakmem` in the same process. So on the production library, and
//! with `--quiet`, it keeps the process id, the terminal and the parent, and there is nothing in
//! between that could lose a signal or the exit status. Otherwise that process is the child of one
//! that waits, passes signals on, says at the end what was found, and ends in the same way.
//!
//! Whatever would make the loader ignore `LD_PRELOAD` without a word is looked for first, since
//! the program would run then, but on another allocator.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::{CommandExt, parent_id};
use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::time::SystemTime;

use clap::Args;
use hakmem_alloc::options::Builds;
use nix::sys::personality::{self, Persona};
use rustix::process::{Signal, set_parent_process_death_signal};
use tracing::{debug, info};

use crate::again::Again;
use crate::command::config;
use crate::failure::{Failure, Status, say};
use crate::library::{Face, Library};
use crate::preload::{self, Preload};
use crate::program::Program;
use crate::summary;
use crate::supervisor;
use crate::trace::{self, TraceDirectory};
use crate::wishes::Wishes;

/// Run a program on hakmem
///
/// The program runs with libhakmem.so preloaded; its exit status, or the signal that ends it, is that
/// of hakmem, and signals reach it. A preload that is already set is kept, behind hakmem. Without
/// --release it is the observed library, which checks the program's memory, records what happens to it
/// in a trace directory, and does what the options and the debug variables say; at the end hakmem says
/// what was found and what to run next.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hakmem run -- ./program --its-options
  hakmem run --stacks table --trace-dir /tmp/trace -- python3 script.py
  hakmem run --watch 'site=parse_line on=free do=arm' -- ./program
  hakmem run --fixed-addresses --watch 0x7f0012345678 -- ./program
  hakmem run --guard size=16-512 -- ./program
  hakmem run --leaks --on-error continue -- ./program
  hakmem run --release -- sh -c 'make && ./server --port 80'
  HAKMEM_STATS=1 hakmem run --release -- git gc

The rules of --watch and --guard are those of HAKMEM_WATCH and HAKMEM_GUARD, which docs/OBSERVABILITY.md \
describes; an option replaces the variable. What would not be understood is told before the program \
starts.

The library is the one that --lib or HAKMEM_RUN_LIBRARY names; else it is taken from beside the \
hakmem binary, or from ../lib as seen from there. In a clone of the project it is taken from \
target/observed or target/release, and built if it is not there yet.

With --release and with --quiet hakmem becomes the program: the same process. Else the program is its \
child, whose number stands in the name of the trace directory.

Exit status: the program's own. 127 if there is no such program, 126 if it cannot be executed, \
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

    /// Say neither where the trace goes nor what was found
    #[arg(short, long)]
    quiet: bool,

    #[command(flatten)]
    wishes: Wishes,

    /// The libhakmem.so to preload, in place of the one that is found
    #[arg(long, value_name = "PATH")]
    lib: Option<PathBuf>,

    /// The program, and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

/// Tells a hakmem that becomes a program the number of the one that waits for it.
const WAITED_FOR: &str = "HAKMEM_RUN_WAITED_FOR";

impl Run {
    /// Becomes the program, or has another hakmem become it and waits.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        let waiting = env::var(WAITED_FOR).ok();
        if waiting == Some(parent_id().to_string()) {
            // Nobody would hear of the program, or end it.
            let _ = set_parent_process_death_signal(Some(Signal::KILL));
            return self.become_program();
        }
        if !self.quiet {
            self.say_unread();
        }
        if self.release || self.quiet {
            return self.become_program();
        }
        self.wait_for_program()
    }

    /// Says which variables are set in vain: one letter of a name, and a run of hours was for nothing.
    fn say_unread(&self) {
        let build = if self.release {
            Builds::Every
        } else {
            Builds::Observed
        };
        for variable in config::unread(build) {
            say(format_args!("hakmem: note: {variable}"));
        }
    }

    /// Starts this very command as a process of its own, which becomes the program.
    fn wait_for_program(&self) -> Result<ExitCode, Failure> {
        let directory = TraceDirectory::choose(self.trace_dir.as_deref())?;
        let failed = |error: std::io::Error| {
            let next = "run it with --quiet: hakmem then becomes the program";
            let what = "cannot start a process for the program";
            Failure::new(Status::Usage, what, error.to_string(), next)
        };
        let executable = env::current_exe().map_err(failed)?;
        let mut command = process::Command::new(executable);
        command
            .arg0("hakmem")
            .args(env::args_os().skip(1))
            .env(WAITED_FOR, process::id().to_string());
        let since = SystemTime::now();
        let ended = supervisor::supervise(&mut command).map_err(failed)?;
        info!("process {} ended: {}", ended.pid, ended.status);
        // What hakmem itself ends with where it could not become the program.
        let is_refused = matches!(ended.status.code(), Some(2 | 126 | 127));
        if !is_refused || directory.of_process(ended.pid).exists() {
            summary::say_end(&directory, ended.pid, since, &Again::of(&self.program));
        }
        Ok(supervisor::end_like(ended.status))
    }

    /// Becomes the program. Returns only if that fails.
    fn become_program(self) -> Result<ExitCode, Failure> {
        let (name, arguments) = (&self.program[0], &self.program[1..]);
        let settings = self.wishes.settings()?;
        let face = if self.release {
            Wishes::not_with_release(&settings)?;
            Face::Release
        } else {
            Face::Observed
        };
        let program = Program::find(name)?;
        debug!("the program is {}", program.path().display());
        let library = match &self.lib {
            Some(path) => Library::at(path)?,
            None => Library::find(face)?,
        };
        info!("preloads {}", library.path().display());
        Wishes::check_library(&settings, &library)?;
        let preload = Preload::new(&library, env::var_os(preload::VARIABLE).as_deref())?;

        let mut command = process::Command::new(program.path());
        command
            .arg0(name)
            .args(arguments)
            .env_remove(WAITED_FOR)
            .env(preload::VARIABLE, preload.value());
        for (name, value) in settings {
            info!("sets {name}={value}");
            command.env(name, value);
        }
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
