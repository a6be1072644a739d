//! A signal that somebody outside sends to ask for something.

use super::fatal_signal::FATAL;
use super::{action, keep_errno};
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

/// The signals that can be asked with, by name.
const NAMES: [(&[u8], i32); 12] = [
    (b"HUP", libc::SIGHUP),
    (b"INT", libc::SIGINT),
    (b"QUIT", libc::SIGQUIT),
    (b"USR1", libc::SIGUSR1),
    (b"USR2", libc::SIGUSR2),
    (b"ALRM", libc::SIGALRM),
    (b"TERM", libc::SIGTERM),
    (b"URG", libc::SIGURG),
    (b"VTALRM", libc::SIGVTALRM),
    (b"PROF", libc::SIGPROF),
    (b"WINCH", libc::SIGWINCH),
    (b"PWR", libc::SIGPWR),
];

/// The number of a signal: from its name, with or without SIG in front, or its number. `None` if
/// there is none, or it is not for asking: it ends or stops a process.
pub(crate) fn number(text: &[u8]) -> Option<i32> {
    let name = text.strip_prefix(b"SIG").unwrap_or(text);
    if let Some((_, number)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Some(*number);
    }
    let number: i32 = core::str::from_utf8(text).ok()?.parse().ok()?;
    // The 32nd and 33rd are glibc's.
    let is_open = (1..=libc::SIGSYS).contains(&number)
        || (libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(&number);
    let is_fixed = [libc::SIGKILL, libc::SIGSTOP, libc::SIGCHLD].contains(&number);
    (is_open && !is_fixed && !FATAL.contains(&number)).then_some(number)
}

/// What is done; set with Release before the handler can run, which reads it Acquire.
static ASKED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn entry(_: i32) {
    let asked = ASKED.load(Ordering::Acquire);
    // SAFETY: `install` stored such a function.
    let asked = unsafe { core::mem::transmute::<usize, fn()>(asked) };
    keep_errno(asked);
}

/// Has `asked` called, in a handler, when the signal comes; false if the system refuses. One at a
/// time.
pub(crate) fn install(signal: i32, asked: fn()) -> bool {
    ASKED.store(asked as usize, Ordering::Release);
    // SAFETY: all zero bytes are a valid action.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    action.sa_sigaction = entry as extern "C" fn(i32) as usize;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the handler is a static function.
    keep_errno(|| unsafe { action::set(signal, &action, ptr::null_mut()) == 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        assert_eq!(number(b"USR2"), Some(libc::SIGUSR2));
        assert_eq!(number(b"SIGUSR1"), Some(libc::SIGUSR1));
        assert_eq!(number(b"12"), Some(12));
        assert_eq!(number(b"64"), Some(64));
        for none in [
            "", "USR3", "0", "-1", "9", "19", "11", "17", "32", "33", "65", "SIG12",
        ] {
            assert_eq!(number(none.as_bytes()), None, "{none}");
        }
    }
}
