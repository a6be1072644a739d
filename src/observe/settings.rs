//! What the debug variables say: read by observers when they are set up, and not again.
//!
//! A switch is on if its variable is 1, or if one of the master switches names its area:
//! `HAKMEM_TRACE=ptr,lookup` is `HAKMEM_PTR_TRACE_VERBOSE=1 HAKMEM_SUPER_LOOKUP_DEBUG=1`.

use crate::options::DEBUG;
use crate::sys::environment;
use crate::sys::stderr;

/// The areas of the master switches, and the variable that each stands for.
const AREAS: [(&str, &str, &str); 14] = [
    ("HAKMEM_STATS", "profile", "HAKMEM_TINY_PROFILE"),
    ("HAKMEM_STATS", "sll", "HAKMEM_TINY_SLL_DIAG"),
    ("HAKMEM_STATS", "state", "HAKMEM_TINY_ALLOC_DEBUG"),
    ("HAKMEM_STATS", "timing", "HAKMEM_TIMING"),
    ("HAKMEM_STATS", "trace", "HAKMEM_PTR_TRACE_DUMP"),
    ("HAKMEM_TRACE", "alloc", "HAKMEM_TRACE_ALLOCATIONS"),
    ("HAKMEM_TRACE", "free", "HAKMEM_SS_FREE_DEBUG"),
    ("HAKMEM_TRACE", "lookup", "HAKMEM_SUPER_LOOKUP_DEBUG"),
    ("HAKMEM_TRACE", "lru", "HAKMEM_SS_LRU_DEBUG"),
    ("HAKMEM_TRACE", "mask", "HAKMEM_TINY_FREELIST_MASK"),
    ("HAKMEM_TRACE", "p0", "HAKMEM_TINY_P0_LOG"),
    ("HAKMEM_TRACE", "prewarm", "HAKMEM_SS_PREWARM_DEBUG"),
    ("HAKMEM_TRACE", "ptr", "HAKMEM_PTR_TRACE_VERBOSE"),
    ("HAKMEM_TRACE", "reg", "HAKMEM_SUPER_REG_DEBUG"),
];

/// The value of a variable, if it is set. Only to be called while the process sets itself up;
/// the value may change later, so it is to be copied.
pub(crate) fn text(name: &str) -> Option<&'static [u8]> {
    // SAFETY: this runs in one of the process's first allocations; a program that changes
    // its environment from another thread by then has undefined behaviour of its own.
    let mut variables = unsafe { environment::variables() }?;
    variables.find_map(|entry| {
        entry
            .strip_prefix(name.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"="))
    })
}

/// Whether a switch of [`DEBUG`] is on.
pub(crate) fn is_on(name: &str) -> bool {
    let named = AREAS
        .iter()
        .filter(|(_, _, variable)| *variable == name)
        .any(|(master, area, _)| {
            text(master)
                .is_some_and(|list| list.split(|&b| b == b',').any(|w| w == area.as_bytes()))
        });
    named || count(name) != 0
}

/// The number that a variable of [`DEBUG`] says, or its default.
pub(crate) fn count(name: &str) -> u32 {
    let Some(row) = DEBUG.iter().find(|row| row.name == name) else {
        return 0;
    };
    let Some(value) = text(name) else {
        return row.default.unwrap_or(0);
    };
    row.number(value, &mut |warning| {
        for piece in warning.pieces() {
            stderr::write(piece);
        }
    })
}

/// Whether the value of the production variable `name` is a list of areas of this build.
pub(crate) fn is_list(name: &str) -> bool {
    let knows = |word: &[u8]| {
        AREAS
            .iter()
            .any(|(master, area, _)| *master == name && area.as_bytes() == word)
    };
    text(name).is_some_and(|list| list.split(|&byte| byte == b',').all(knows))
}
