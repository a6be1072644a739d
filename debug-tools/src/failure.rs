//! An error as the user sees it: what failed, where, why, and what to do next.
//!
//! ```text
//! hakmem: error: cannot run `prog` on hakmem: it is statically linked
//!   where: /home/user/bin/prog
//!   why:   …
//!   next:  …
//! ```

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The exit statuses that `hakmem` itself ends with when something failed.
///
/// 126 and 127 mean what they mean in a shell, so that `hakmem run` can stand in front of any
/// command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The request cannot be met: usage, or an input that does not fit it.
    Usage = 2,
    /// The program is there, but cannot be executed.
    NotExecutable = 126,
    /// There is no such program.
    NotFound = 127,
}

/// Writes a line to standard error. One that is closed is no reason to fail.
pub fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// An error, to be reported once, by `main`.
#[derive(Debug)]
pub struct Failure {
    status: Status,
    what: String,
    place: Option<PathBuf>,
    why: String,
    next: String,
}

impl Failure {
    /// A failure without a place: `what` failed, `why`, and what to do `next`.
    pub fn new(
        status: Status,
        what: impl Into<String>,
        why: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            status,
            what: what.into(),
            place: None,
            why: why.into(),
            next: next.into(),
        }
    }

    /// The same failure, with the file or directory that it is about.
    pub fn at(mut self, place: &Path) -> Self {
        self.place = Some(place.to_owned());
        self
    }

    /// What `hakmem` ends with for it.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Says it on standard error.
    pub fn report(&self) {
        say(format_args!("{self}"));
    }

    /// The exit status that goes with it.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.status() as u8)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "hakmem: error: {}", self.what)?;
        // A text of the command line may be empty: the reason says so.
        if let Some(place) = self
            .place
            .as_ref()
            .filter(|place| !place.as_os_str().is_empty())
        {
            writeln!(f, "  where: {}", place.display())?;
        }
        writeln!(f, "  why:   {}", self.why)?;
        write!(f, "  next:  {}", self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_where_why_and_next() {
        let failure = Failure::new(Status::Usage, "no such thing", "it is gone", "make it");
        assert_eq!(
            failure.to_string(),
            "hakmem: error: no such thing\n  why:   it is gone\n  next:  make it"
        );
        let failure = failure.at(Path::new(""));
        assert!(!failure.to_string().contains("where"), "{failure}");
        assert_eq!(
            failure.at(Path::new("/a/b")).to_string(),
            "hakmem: error: no such thing\n  where: /a/b\n  why:   it is gone\n  next:  make it"
        );
    }
}
