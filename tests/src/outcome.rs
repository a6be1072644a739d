//! What came out of a run.

use std::borrow::Cow;
use std::fmt::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use crate::witness::Sighting;

const SIGABRT: i32 = 6;

/// The end of a process, all that it wrote, and who was seen on the way.
pub struct Outcome {
    /// What was run, to be pasted into a shell.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
    /// It and its children, as far as they inherited the environment.
    pub seen: Vec<Sighting>,
}

impl Outcome {
    /// It exited with 0.
    #[track_caller]
    pub fn success(&self) -> &Self {
        assert!(self.status.success(), "expected success\n{}", self.report());
        self
    }

    /// It died of SIGABRT.
    #[track_caller]
    pub fn aborted(&self) -> &Self {
        let signal = self.status.signal();
        assert_eq!(
            signal,
            Some(SIGABRT),
            "expected an abort\n{}",
            self.report()
        );
        self
    }

    /// It wrote the same as `other`, and ended the same way.
    #[track_caller]
    pub fn equals(&self, other: &Self) -> &Self {
        let same = self.stdout == other.stdout && self.status == other.status;
        assert!(
            same,
            "expected equal outputs\n{}\n{}",
            self.report(),
            other.report()
        );
        self
    }

    /// Standard output as text.
    pub fn stdout_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }

    /// Standard error as text.
    pub fn stderr_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stderr)
    }

    /// The whole of it for a failed test's message.
    pub fn report(&self) -> String {
        let mut report = format!("$ {}\n{}\n", self.command, self.status);
        for (name, bytes) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            // The end is where a program says what it died of.
            let text = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(8192)..]);
            let _ = writeln!(report, "--- {name} ({} bytes)\n{text}", bytes.len());
        }
        report
    }
}
