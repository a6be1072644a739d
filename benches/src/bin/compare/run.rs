//! [`Run`]: one run of a workload on an allocator, and the proof that it is that one.

use crate::allocator::Allocator;
use crate::child::{Child, Ended, Failure, Limits, clean_command};
use crate::cli::Options;
use crate::scratch::Scratch;
use crate::workload::Work;
use hakmem_benches::loaded;
use hakmem_benches::report::Report;
use std::path::{Path, PathBuf};
use std::process::Command;

/// With this variable the dynamic loader lists what it would load, in the order in which
/// it looks for symbols, and does not start the program.
const LIST_ONLY: &str = "LD_TRACE_LOADED_OBJECTS";

/// As a preload: glibc's malloc is found before that of any library that the program is
/// linked to.
const GLIBC: &str = "libc.so.6";

/// How every run of a comparison is started.
#[derive(Debug)]
pub struct Runner {
    /// Where the programs of this package are.
    programs: PathBuf,
    /// Where the sources for the real programs are.
    scratch: Scratch,
    /// Whether the short arguments are used.
    quick: bool,
    limits: Limits,
}

/// What one run cost and what it answered.
#[derive(Clone, Debug)]
pub struct Run {
    /// User and kernel seconds, with those of the child's own children.
    pub cpu: f64,
    /// Elapsed seconds from start to end.
    pub wall: f64,
    /// Elapsed seconds by the program's own clock; those from start to end if it does
    /// not tell.
    pub timed: f64,
    /// Operations per second by the program's own clock, if it tells.
    pub ops_per_s: Option<f64>,
    /// The largest resident set, in KiB.
    pub peak_rss_kib: u64,
    /// What must be equal on every allocator.
    pub answer: String,
}

impl Runner {
    /// As the command line says; the programs are beside this one.
    pub fn new(options: &Options) -> std::io::Result<Self> {
        let this = std::env::current_exe()?;
        Ok(Self {
            programs: this.parent().map(Path::to_owned).unwrap_or_default(),
            scratch: Scratch::new()?,
            quick: options.quick,
            limits: Limits {
                cpus: options.cpus.clone(),
                timeout: options.timeout,
            },
        })
    }

    /// Whether `work` can be run here; if not, why.
    pub fn is_ready(&self, work: &Work) -> Result<(), Failure> {
        self.program(work).map(|_| ())
    }

    /// Runs `work` on `allocator`.
    pub fn run(&self, work: &Work, allocator: &Allocator) -> Result<Run, Failure> {
        allocator.is_unchanged()?;
        let child = Child::start(self.command(work, allocator)?, &self.limits)?;
        let replies = match work {
            Work::Command {
                client: Some(client),
                ..
            } => client(&self.scratch.path("socket"), self.quick),
            _ => Ok(String::new()),
        };
        let ended = child.end()?;
        let replies = replies.map_err(|error| format!("its client: {error}"))?;
        match work {
            Work::Program { .. } => {
                Run::of_program(&ended).ok_or_else(|| format!("no report in {:?}", ended.output))
            }
            Work::Command { .. } => Ok(Run::of_command(&ended, &replies)),
        }
    }

    /// Proves that a run of `work` is on `allocator`. The dynamic loader only warns
    /// about a preload that it cannot load.
    pub fn prove(&self, work: &Work, allocator: &Allocator) -> Result<(), Failure> {
        let mut command = self.command(work, allocator)?;
        match work {
            Work::Program { .. } => {
                command.env(loaded::ASK, "1");
                let ended = Child::start(command, &self.limits)?.end()?;
                is_mapped(&ended.output, allocator)
            }
            Work::Command { .. } => {
                command.env(LIST_ONLY, "1");
                let ended = Child::start(command, &self.limits)?.end()?;
                is_first(&ended.output, allocator)
            }
        }
    }

    fn program(&self, work: &Work) -> Result<PathBuf, Failure> {
        match work {
            Work::Program { name, .. } => {
                let path = self.programs.join(name);
                let place = self.programs.display();
                path.exists()
                    .then_some(path)
                    .ok_or_else(|| format!("{name} is not in {place}; build hakmem-benches"))
            }
            Work::Command { program, .. } => self.scratch.find(program),
        }
    }

    fn command(&self, work: &Work, allocator: &Allocator) -> Result<Command, Failure> {
        let mut command = clean_command(self.program(work)?);
        for argument in work.arguments(self.quick) {
            command.arg(self.scratch.fill_in(argument));
        }
        if let Work::Command { environment, .. } = work {
            command.envs(environment.iter().copied());
        }
        match (&allocator.library, work) {
            (Some(library), _) => command.env("LD_PRELOAD", library),
            (None, Work::Command { .. }) => command.env("LD_PRELOAD", GLIBC),
            (None, Work::Program { .. }) => &mut command,
        };
        command.envs(allocator.variable);
        Ok(command)
    }
}

impl Run {
    fn of_program(ended: &Ended) -> Option<Self> {
        let mut lines = ended.output.lines();
        let line = lines.find(|line| line.starts_with("program="))?;
        Some(Self {
            timed: Report::field(line, "seconds")?.parse().ok()?,
            ops_per_s: Some(Report::field(line, "ops_per_s")?.parse().ok()?),
            answer: Report::field(line, "checksum")?.to_owned(),
            ..Self::of_command(ended, "")
        })
    }

    /// The answer is a digest of the output and of what a client was told.
    fn of_command(ended: &Ended, replies: &str) -> Self {
        let output = ended.output.bytes().chain(replies.bytes());
        Self {
            cpu: ended.usage.cpu(),
            wall: ended.wall,
            timed: ended.wall,
            ops_per_s: None,
            peak_rss_kib: ended.usage.peak_rss_kib,
            answer: format!("{:016x}", digest(output)),
        }
    }
}

/// FNV-1a.
fn digest(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Looks for the library in the list of a program of this package.
fn is_mapped(output: &str, allocator: &Allocator) -> Result<(), Failure> {
    let list = output
        .lines()
        .find_map(|line| line.strip_prefix("loaded="))
        .ok_or("the program did not list what is loaded")?;
    match &allocator.library {
        Some(library) if !list.split(':').any(|path| Path::new(path) == library) => {
            Err(format!("{} was not loaded", library.display()))
        }
        None => match list.split(':').find(|path| is_an_allocator(path)) {
            Some(other) => Err(format!("{other} was loaded")),
            None => Ok(()),
        },
        Some(_) => Ok(()),
    }
}

/// Looks for the library in the loader's list: the first one that has a malloc serves.
fn is_first(list: &str, allocator: &Allocator) -> Result<(), Failure> {
    let mut paths = list.lines().filter_map(|line| {
        let line = line.rsplit("=> ").next().unwrap_or(line);
        line.split_whitespace().next()
    });
    let is_glibc = |path: &str| path.ends_with(GLIBC);
    let first = match &allocator.library {
        Some(library) => {
            paths.find(|path| is_glibc(path) || is_an_allocator(path) || Path::new(path) == library)
        }
        None => paths.find(|path| is_glibc(path) || is_an_allocator(path)),
    };
    match (first, &allocator.library) {
        (None, _) => Err("the loader lists nothing: not a dynamic program?".to_owned()),
        (Some(first), Some(library)) if Path::new(first) == library => Ok(()),
        (Some(first), None) if is_glibc(first) => Ok(()),
        (Some(first), _) => Err(format!("malloc would come from {first}")),
    }
}

fn is_an_allocator(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.contains("malloc") || name.contains("hakmem")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hakmem_benches::usage::Usage;

    fn on(library: Option<&str>) -> Allocator {
        Allocator::new("x", library.map(PathBuf::from))
    }

    fn ended(output: &str) -> Ended {
        Ended {
            output: output.to_owned(),
            usage: Usage {
                user: 1.0,
                sys: 0.5,
                peak_rss_kib: 99,
            },
            wall: 2.0,
        }
    }

    #[test]
    fn a_preload_must_be_in_the_list() {
        let output = "program=x\nloaded=/lib/libc.so.6:/lib/libx.so\n";
        assert_eq!(is_mapped(output, &on(Some("/lib/libx.so"))), Ok(()));
        assert_eq!(is_mapped(output, &on(None)), Ok(()));
        let missing = is_mapped(output, &on(Some("/lib/liby.so"))).unwrap_err();
        assert_eq!(missing, "/lib/liby.so was not loaded");
        assert!(is_mapped("program=x\n", &on(None)).is_err());
    }

    #[test]
    fn glibc_must_be_alone() {
        let output = "loaded=/lib/libc.so.6:/lib/libmimalloc.so.2.0";
        assert!(is_mapped(output, &on(None)).is_err());
        let output = "loaded=/src/malloc/libc.so.6";
        assert_eq!(is_mapped(output, &on(None)), Ok(()));
    }

    #[test]
    fn the_first_library_with_a_malloc_serves() {
        let list = "\tlinux-vdso.so.1 (0x1)\n\
                    \t/opt/libx.so (0x2)\n\
                    \tlibm.so.6 => /lib/libm.so.6 (0x3)\n\
                    \tlibjemalloc.so.2 => /lib/libjemalloc.so.2 (0x4)\n\
                    \tlibc.so.6 => /lib/libc.so.6 (0x5)\n";
        assert_eq!(is_first(list, &on(Some("/opt/libx.so"))), Ok(()));
        let other = "malloc would come from /lib/libjemalloc.so.2";
        assert_eq!(is_first(list, &on(None)), Err(other.to_owned()));
        assert_eq!(is_first(list, &on(Some("/y.so"))), Err(other.to_owned()));
        let list = "\tlibc.so.6 => /lib/libc.so.6 (0x5)\n";
        assert_eq!(is_first(list, &on(None)), Ok(()));
        assert!(is_first("", &on(None)).is_err());
    }

    #[test]
    fn a_report_becomes_a_run() {
        let output = "program=x seconds=0.5 ops_per_s=200 checksum=ab\nloaded=\n";
        let run = Run::of_program(&ended(output)).unwrap();
        assert_eq!((run.cpu, run.wall, run.timed), (1.5, 2.0, 0.5));
        assert_eq!((run.ops_per_s, run.peak_rss_kib), (Some(200.0), 99));
        assert_eq!(run.answer, "ab");
        assert!(Run::of_program(&ended("nothing")).is_none());
    }

    #[test]
    fn a_command_answers_with_its_output() {
        let answer = |output: &str, replies: &str| Run::of_command(&ended(output), replies).answer;
        assert_eq!(answer("1\n", ""), answer("1\n", ""));
        assert_ne!(answer("1\n", ""), answer("2\n", ""));
        assert_ne!(answer("", "a"), answer("", "b"));
    }
}
