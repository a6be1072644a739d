//! A process that is waited for: signals that come for it are passed on, and its end becomes ours.
//!
//! The signals are blocked and taken one by one, SIGCHLD among them: nothing runs in a handler. What is typed at a terminal goes to the whole foreground group, and
//! so to the process as well: it is not passed on.

use std::io::{self, IsTerminal};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitCode, ExitStatus};

use nix::sys::signal::{self, SigSet, Signal};
use nix::unistd::Pid;
use rustix::process::{Resource, Rlimit, setrlimit};

/// Passed on.
const FORWARDED: [Signal; 6] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

/// A process that was started and has ended.
pub struct Ended {
    /// Its number.
    pub pid: u32,
    /// How.
    pub status: ExitStatus,
}

/// Starts a process and waits for its end.
pub fn supervise(command: &mut Command) -> io::Result<Ended> {
    let mut signals: SigSet = FORWARDED.into_iter().collect();
    signals.add(Signal::SIGCHLD);
    // Before they are blocked: what is blocked is so in the process as well.
    let mut child = command.spawn()?;
    signals.thread_block()?;
    let status = wait(&mut child, &signals);
    signals.thread_unblock()?;
    Ok(Ended {
        pid: child.id(),
        status: status?,
    })
}

fn wait(child: &mut Child, signals: &SigSet) -> io::Result<ExitStatus> {
    loop {
        // Its end may have come before the signals were blocked.
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let signal = signals.wait()?;
        if signal != Signal::SIGCHLD && !is_typed(signal) {
            pass_on(child, signal);
        }
    }
}

/// Whether a signal is likely to come from the keyboard.
fn is_typed(signal: Signal) -> bool {
    matches!(signal, Signal::SIGINT | Signal::SIGQUIT)
        && (io::stdin().is_terminal() || io::stderr().is_terminal())
}

fn pass_on(child: &Child, signal: Signal) {
    if let Ok(pid) = i32::try_from(child.id()) {
        // It is not reaped yet, so the number is still its own. That it has ended is no fault.
        let _ = signal::kill(Pid::from_raw(pid), signal);
    }
}

/// Ends this process as that one ended; comes back with a status where that cannot be.
pub fn end_like(status: ExitStatus) -> ExitCode {
    if let Some(code) = status.code() {
        return ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX));
    }
    let number = status.signal().unwrap_or(0);
    if let Ok(signal) = Signal::try_from(number) {
        // The core file is the other one's.
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        let _ = setrlimit(Resource::Core, none);
        // Rust's handler of SIGSEGV and SIGBUS takes the first one, and puts the default back.
        for _ in 0..2 {
            let _ = signal::raise(signal);
        }
    }
    // As a shell says it. SIGPIPE comes here: this process ignores it.
    ExitCode::from(128_u8.wrapping_add(u8::try_from(number).unwrap_or(0)))
}
