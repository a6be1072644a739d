//! One run of a program, under hakmem or without it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::witness::{self, Sighting};
use crate::{Outcome, Scratch, compile, library, reference, tool};

/// After this long a program hangs: none of ours takes a fifth of it.
const HANGS: Duration = Duration::from_secs(600);

/// Whose malloc a program gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allocator {
    /// hakmem's (glibc's in reference mode), and every process has to prove it.
    Tested,
    /// hakmem's with observers in it, and every process has to prove it.
    Observed,
    /// The one that the program has by itself.
    Own,
    /// hakmem's, linked into the program: no preload, and no testimony, for a
    /// static program loads no witness.
    Linked,
}

impl Allocator {
    /// Variables that a test may set otherwise. Blocks are not checked but where a test asks for
    /// it: what recording and watching are tested by are often programs that do wrong.
    fn defaults(self) -> Option<(&'static str, &'static str)> {
        (self == Self::Observed).then_some(("HAKMEM_INTEGRITY_CHECKS", "0"))
    }

    /// The library that is to be preloaded, and that has to be at work.
    fn library(self) -> Option<&'static Path> {
        match self {
            _ if reference() => None,
            Self::Tested => Some(library::shared()),
            Self::Observed => Some(library::observed()),
            Self::Own | Self::Linked => None,
        }
    }
}

/// A program to be run, with its arguments and surroundings. Variables named
/// `HAKMEM_…` come from the test alone.
#[derive(Clone)]
pub struct Run {
    program: PathBuf,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    allocator: Allocator,
    prelude: String,
    stdin: Option<PathBuf>,
    directory: Option<PathBuf>,
    beside: Vec<PathBuf>,
    strict: bool,
}

/// Variables for every program under test (`HAKMEM_TESTS_SETTINGS="NAME=value …"`): so that all
/// tests can be run with observers on.
fn everywhere() -> Vec<(String, String)> {
    let settings = std::env::var("HAKMEM_TESTS_SETTINGS").unwrap_or_default();
    let pairs = settings
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

impl Run {
    /// A program of the system.
    pub fn new(program: impl AsRef<Path>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            variables: Vec::new(),
            allocator: Allocator::Tested,
            prelude: String::new(),
            stdin: None,
            directory: None,
            beside: Vec::new(),
            strict: true,
        }
    }

    /// A program of `programs/`.
    pub fn program(source: &str) -> Self {
        Self::new(compile::program(source))
    }

    /// One more argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// More arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        let arguments = arguments.into_iter().map(|a| a.as_ref().to_owned());
        self.arguments.extend(arguments);
        self
    }

    /// A variable of the environment.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let pair = (name.as_ref().to_owned(), value.as_ref().to_owned());
        self.variables.push(pair);
        self
    }

    /// Whose malloc it gets; hakmem's if not said.
    pub fn allocator(mut self, allocator: Allocator) -> Self {
        self.allocator = allocator;
        self
    }

    /// RLIMIT_AS from before it starts, in MiB.
    pub fn address_space(self, mebibytes: u64) -> Self {
        self.after(&format!("ulimit -v {}", mebibytes * 1024))
    }

    /// A shell command that is carried out in the process before it turns into
    /// the program.
    pub fn after(mut self, command: &str) -> Self {
        self.prelude += command;
        self.prelude += " && ";
        self
    }

    /// A file to read from; nothing if not said.
    pub fn stdin(mut self, file: impl AsRef<Path>) -> Self {
        self.stdin = Some(file.as_ref().to_owned());
        self
    }

    /// The directory that it starts in.
    pub fn directory(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = Some(directory.as_ref().to_owned());
        self
    }

    /// A library that stands behind hakmem and those named before in `LD_PRELOAD`.
    pub fn beside(mut self, library: impl AsRef<Path>) -> Self {
        self.beside.push(library.as_ref().to_owned());
        self
    }

    /// Only the first process has to prove whose malloc it has: its children
    /// may be given another environment by the program itself.
    pub fn children_unproven(mut self) -> Self {
        self.strict = false;
        self
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn output(self) -> Outcome {
        self.start().finish()
    }

    /// Starts it.
    #[track_caller]
    pub fn start(self) -> Running {
        let scratch = Scratch::new();
        let witness = scratch.file("witness");
        let output = |name| File::create(scratch.file(name)).expect("a file for the output");
        fs::write(&witness, "").expect("a file for the witness");
        let (mut command, shown) = self.command(&witness);
        command.stdout(output("stdout")).stderr(output("stderr"));
        let child = command
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", self.program.display()));
        Running {
            child,
            shown,
            scratch,
            allocator: self.allocator,
            strict: self.strict,
        }
    }

    /// The command, and how one types it.
    fn command(&self, witness: &Path) -> (Command, String) {
        let (program, arguments) = self.with_prelude();
        let mut command = Command::new(&program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HAKMEM_") {
                command.env_remove(name);
            }
        }
        let preload = self.preload();
        command
            .args(&arguments)
            .env("LD_PRELOAD", &preload)
            .env("WITNESS_FILE", witness)
            .env("WITNESS_PARENT", process::id().to_string())
            .envs(self.allocator.defaults())
            .envs(everywhere())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            // A group of its own, so that a program that hangs dies with its children.
            .process_group(0);
        if reference() {
            command.env("TESTS_REFERENCE", "1");
        }
        match &self.stdin {
            Some(file) => command.stdin(File::open(file).expect("a file to read from")),
            None => command.stdin(Stdio::null()),
        };
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        } else if self.allocator == Allocator::Observed {
            // A trace without a name of its own is made where the program was started.
            command.current_dir(witness.parent().expect("the witness's directory"));
        }
        let mut shown = format!("LD_PRELOAD={}", preload.display());
        for (name, value) in &self.variables {
            shown += &format!(" {}={}", name.display(), value.display());
        }
        shown += &format!(" {}", program.display());
        for argument in &arguments {
            shown += &format!(" '{}'", argument.display());
        }
        (command, shown)
    }

    /// The program, or the shell that makes ready and becomes the program.
    fn with_prelude(&self) -> (PathBuf, Vec<OsString>) {
        if self.prelude.is_empty() {
            return (self.program.clone(), self.arguments.clone());
        }
        let script = format!("{} exec \"$0\" \"$@\"", self.prelude);
        let mut arguments: Vec<OsString> = vec!["-c".into(), script.into()];
        arguments.push(self.program.clone().into());
        arguments.extend(self.arguments.iter().cloned());
        ("/bin/sh".into(), arguments)
    }

    fn preload(&self) -> OsString {
        let mut preload = OsString::new();
        if let Some(library) = self.hakmem() {
            preload.push(library);
            preload.push(":");
        }
        for library in &self.beside {
            preload.push(library);
            preload.push(":");
        }
        preload.push(witness::library());
        preload
    }

    fn hakmem(&self) -> Option<&'static Path> {
        self.allocator.library()
    }
}

/// A program that has been started. It dies with this value.
pub struct Running {
    child: Child,
    shown: String,
    scratch: Scratch,
    allocator: Allocator,
    strict: bool,
}

impl Running {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to standard error so far.
    pub fn stderr(&self) -> String {
        fs::read_to_string(self.scratch.file("stderr")).unwrap_or_default()
    }

    /// What it has written to standard output so far.
    pub fn stdout(&self) -> String {
        fs::read_to_string(self.scratch.file("stdout")).unwrap_or_default()
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until it has stopped itself (SIGSTOP).
    #[track_caller]
    pub fn wait_until_stopped(&mut self) {
        let stat = format!("/proc/{}/stat", self.pid());
        let is_stopped = || {
            let stat = fs::read_to_string(&stat).unwrap_or_default();
            let state = stat.rsplit(") ").next();
            state.is_some_and(|rest| rest.starts_with('T'))
        };
        while self.is_running() && !is_stopped() {
            thread::sleep(Duration::from_millis(2));
        }
        assert!(self.is_running(), "it ended: {}", self.stderr());
    }

    /// Lets it go on after a stop.
    pub fn go_on(&self) {
        tool::output("kill", ["-CONT", &self.pid().to_string()]);
    }

    /// Waits for its end, and checks whose malloc was at work.
    #[track_caller]
    pub fn finish(mut self) -> Outcome {
        let status = self.wait();
        let read = |name| fs::read(self.scratch.file(name)).expect("the output");
        let outcome = Outcome {
            command: self.shown.clone(),
            status,
            stdout: read("stdout"),
            stderr: read("stderr"),
            seen: witness::read(&self.scratch.file("witness")),
        };
        self.judge(&outcome);
        outcome
    }

    #[track_caller]
    fn wait(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the child's status") {
                return status;
            }
            if started.elapsed() > HANGS {
                self.kill();
                panic!("hangs: {}\n{}", self.shown, self.stderr());
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Every process that testified, and certainly the first one.
    #[track_caller]
    fn judge(&self, outcome: &Outcome) {
        if self.allocator == Allocator::Linked {
            return;
        }
        let expected = self.allocator.library();
        let first = |seen: &&Sighting| seen.pid == self.child.id();
        assert!(
            outcome.seen.iter().any(|seen| first(&seen)),
            "no proof of whose malloc was at work\n{}",
            outcome.report()
        );
        for seen in outcome
            .seen
            .iter()
            .filter(|seen| self.strict || first(seen))
        {
            let is_as_expected = match expected {
                Some(library) => seen.malloc == library,
                None => !seen.has_hakmem(),
            };
            assert!(
                is_as_expected,
                "its malloc has to be {expected:?}: {seen:?}"
            );
        }
    }

    fn kill(&mut self) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.is_running() {
            self.kill();
        }
    }
}
