//! [`Child`]: one process, measured by the kernel's account of it.

use hakmem_benches::usage::Usage;
use std::ffi::OsString;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt;
use std::process::{self, Command, Stdio};
use std::time::Instant;

/// Variables that configure an allocator, or load one, begin with one of these.
const ALLOCATOR_VARIABLES: [&str; 9] = [
    "HAKMEM_",
    "MIMALLOC_",
    "MALLOC_",
    "_RJEM_",
    "JE_",
    "TCMALLOC_",
    "GLIBC_TUNABLES",
    "LD_PRELOAD",
    "LD_AUDIT",
];

/// Why a run does not count.
pub type Failure = String;

/// What a child may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// CPUs to pin to; all if empty.
    pub cpus: Vec<usize>,
    /// Seconds until the child is killed.
    pub timeout: u32,
}

/// A started process.
#[derive(Debug)]
pub struct Child {
    process: process::Child,
    start: Instant,
}

/// A process that ended with status 0.
#[derive(Debug)]
pub struct Ended {
    /// What it wrote to stdout.
    pub output: String,
    /// CPU time and peak memory, with those of its own children.
    pub usage: Usage,
    /// Seconds from start to end.
    pub wall: f64,
}

impl Child {
    /// Starts `command` without input, with its output kept and without the variables
    /// of allocators, except those that `command` sets itself.
    pub fn start(mut command: Command, limits: &Limits) -> Result<Self, Failure> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        confine(&mut command, limits);
        let start = Instant::now();
        match command.spawn() {
            Ok(process) => Ok(Self { process, start }),
            Err(error) => {
                let program = command.get_program().display();
                Err(format!("{program} does not start: {error}"))
            }
        }
    }

    /// Waits for the end.
    pub fn end(mut self) -> Result<Ended, Failure> {
        let output = output_of(&mut self.process);
        let (status, usage) = wait(&self.process).map_err(|error| format!("wait4: {error}"))?;
        let wall = self.start.elapsed().as_secs_f64();
        succeeded(status)?;
        let output = output.map_err(|error| format!("its output: {error}"))?;
        Ok(Ended {
            output,
            usage,
            wall,
        })
    }
}

/// A command whose environment has no variables of allocators.
pub fn clean_command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    for variable in allocator_variables(std::env::vars_os().map(|(name, _)| name)) {
        command.env_remove(variable);
    }
    command
}

/// Pins the child and limits its time, between fork and exec.
///
/// A closure before exec also makes the standard library fork in place of vfork: a
/// vforked child runs on its parent's memory until exec, and its peak would start
/// with the resident set of this process.
fn confine(command: &mut Command, limits: &Limits) {
    // SAFETY: zeroes are an empty set of CPUs.
    let mut set: libc::cpu_set_t = unsafe { MaybeUninit::zeroed().assume_init() };
    for &cpu in &limits.cpus {
        // SAFETY: `set` is a whole set; CPUs beyond its end are rejected at start.
        unsafe { libc::CPU_SET(cpu, &mut set) };
    }
    let pinned = !limits.cpus.is_empty();
    let timeout = limits.timeout;
    let before_exec = move || {
        // SAFETY: the pointer is to a whole set of the given size.
        if pinned && unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: alarm takes any number; it outlives exec and then kills.
        unsafe { libc::alarm(timeout) };
        Ok(())
    };
    // SAFETY: the closure makes two system calls and does not allocate, as is needed
    // between fork and exec.
    unsafe { command.pre_exec(before_exec) };
}

/// Those of `names` that configure an allocator or load another one.
fn allocator_variables(names: impl Iterator<Item = OsString>) -> Vec<OsString> {
    names
        .filter(|name| {
            let name = name.to_string_lossy();
            let mut starts = ALLOCATOR_VARIABLES.iter();
            starts.any(|start| name.starts_with(start))
        })
        .collect()
}

fn output_of(child: &mut process::Child) -> io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(stdout) = &mut child.stdout {
        stdout.read_to_end(&mut bytes)?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Reaps the child with its resource usage, which the standard library does not give.
fn wait(child: &process::Child) -> io::Result<(i32, Usage)> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    loop {
        let pid = child.id() as libc::pid_t;
        // SAFETY: both pointers are to whole values; `pid` is our child, not reaped yet.
        let reaped = unsafe { libc::wait4(pid, &mut status, 0, usage.as_mut_ptr()) };
        if reaped == pid {
            // SAFETY: all bytes were zero at least, which is a valid rusage.
            return Ok((status, Usage::from(&unsafe { usage.assume_init() })));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn succeeded(status: i32) -> Result<(), Failure> {
    if libc::WIFSIGNALED(status) {
        return Err(match libc::WTERMSIG(status) {
            libc::SIGALRM => "killed after the time limit".to_owned(),
            signal => format!("killed by signal {signal}"),
        });
    }
    match libc::WEXITSTATUS(status) {
        0 => Ok(()),
        code => Err(format!("exit status {code}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        cpus: Vec::new(),
        timeout: 600,
    };

    fn shell(script: &str) -> Result<Ended, Failure> {
        let mut command = clean_command("/bin/sh");
        command.args(["-c", script]);
        Child::start(command, &LIMITS)?.end()
    }

    #[test]
    fn variables_of_allocators_are_recognised() {
        let names = ["HAKMEM_STATS", "PATH", "LD_PRELOAD", "MALLOC_CONF", "HOME"];
        assert_eq!(
            allocator_variables(names.iter().map(OsString::from)),
            ["HAKMEM_STATS", "LD_PRELOAD", "MALLOC_CONF"]
        );
    }

    #[test]
    fn output_and_memory_are_reported() {
        let ended = shell("echo hello").unwrap();
        assert_eq!(ended.output, "hello\n");
        assert!(ended.usage.peak_rss_kib > 0);
    }

    #[test]
    fn failures_say_how_the_child_ended() {
        assert_eq!(shell("exit 3").unwrap_err(), "exit status 3");
        assert_eq!(shell("kill -9 $$").unwrap_err(), "killed by signal 9");
        assert_eq!(
            shell("kill -ALRM $$").unwrap_err(),
            "killed after the time limit"
        );
        let failure = Child::start(Command::new("/nowhere/x"), &LIMITS).unwrap_err();
        assert!(
            failure.starts_with("/nowhere/x does not start"),
            "{failure}"
        );
    }
}
