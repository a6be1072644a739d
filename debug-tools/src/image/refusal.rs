//! Why a process cannot be read, and what to do: whose it is and which rule of the kernel's keeps it
//! from being read decide.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::failure::{Failure, Status};

/// Of a file of the process's in `/proc`.
pub fn of(pid: u32, error: &io::Error) -> Failure {
    let place = PathBuf::from(format!("/proc/{pid}"));
    let text = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    let (why, next) = match error.kind() {
        io::ErrorKind::NotFound => (
            format!("there is no process {pid}"),
            "look for its number with `pgrep`".into(),
        ),
        io::ErrorKind::PermissionDenied => {
            let rule = text(Path::new("/proc/sys/kernel/yama/ptrace_scope"));
            let user = user_of(&text(&place.join("status")));
            refused(geteuid().as_raw(), user, rule.trim().parse().unwrap_or(0))
        }
        _ => (
            error.to_string(),
            "see whether the process still runs".into(),
        ),
    };
    let what = format!("cannot read process {pid}");
    Failure::new(Status::Usage, what, why, next).at(&place)
}

/// The user that a process runs as, by its `status`.
fn user_of(status: &str) -> Option<u32> {
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    ids.split_whitespace().nth(1)?.parse().ok()
}

/// Why the user `own` may not read a process of the user `its`, and what to do; `scope` is the kernel's
/// `ptrace_scope`, 0 if it has no such rule.
fn refused(own: u32, its: Option<u32>, scope: u32) -> (String, String) {
    if let Some(its) = its.filter(|its| *its != own) {
        return (
            format!("it runs as user {its}, and this is user {own}"),
            format!("run hakmem as that user (`sudo -u '#{its}' hakmem …`) or as root"),
        );
    }
    match scope {
        0 => (
            "it is of the same user, but the kernel keeps it from being read: it has changed its user, or \
             asked for that (PR_SET_DUMPABLE)"
                .into(),
            "run hakmem as root (with CAP_SYS_PTRACE)".into(),
        ),
        1 => (
            "the kernel lets none but its parents and its debugger read it (kernel.yama.ptrace_scope is 1)".into(),
            "run hakmem as root, or ask in gdb, which may read it (`hakmem help` there), or allow it: \
             `sudo sysctl kernel.yama.ptrace_scope=0`"
                .into(),
        ),
        2 => (
            "the kernel lets none but root read it (kernel.yama.ptrace_scope is 2)".into(),
            "run hakmem as root (with CAP_SYS_PTRACE), or allow it: `sudo sysctl kernel.yama.ptrace_scope=0`".into(),
        ),
        other => (
            format!("the kernel lets nobody read it until it starts anew (kernel.yama.ptrace_scope is {other})"),
            "have the program leave a core file (`ulimit -c unlimited`, `kill -ABRT`), and name that".into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_read_is_told_why_and_what_to_do() {
        let says = |(why, next): (String, String), parts: &[&str]| {
            for part in parts {
                assert!(
                    format!("{why}; {next}").contains(part),
                    "{part}: {why}; {next}"
                );
            }
        };
        says(
            refused(1000, Some(0), 1),
            &["user 0", "user 1000", "sudo -u '#0'"],
        );
        says(
            refused(1000, Some(1000), 0),
            &["PR_SET_DUMPABLE", "CAP_SYS_PTRACE"],
        );
        says(
            refused(1000, Some(1000), 1),
            &["ptrace_scope is 1", "in gdb", "ptrace_scope=0"],
        );
        says(
            refused(1000, Some(1000), 2),
            &["none but root", "CAP_SYS_PTRACE"],
        );
        says(refused(0, None, 3), &["nobody", "core file"]);
    }

    #[test]
    fn the_user_is_the_one_that_counts_now() {
        let status = "Name:\tdaemon\nUid:\t1000\t33\t1000\t33\nGid:\t1\t1\t1\t1\n";
        assert_eq!(user_of(status), Some(33));
        assert_eq!(user_of(""), None);
    }
}
