//! Leaks that are not told: `HAKMEM_LEAKS_SUPPRESS`, patterns of functions and files of code.

use super::super::policy::complain;
use super::super::stacks;
use crate::metadata;
use crate::observe::report::place::Place;
use crate::observe::{settings, stack};
use crate::sys::contents::Contents;
use core::ffi::CStr;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

const NAME: &str = "HAKMEM_LEAKS_SUPPRESS";

/// The patterns as they were written, with commas or line ends between; for good. The length is
/// released when they are there.
static TEXT: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
static LEN: AtomicUsize = AtomicUsize::new(0);

/// Reads the variable, and the file that it may name.
pub(super) fn set_up() {
    let Some(value) = settings::text(NAME) else {
        return;
    };
    let Some(path) = value.strip_prefix(b"@") else {
        return keep(value);
    };
    match read(path) {
        Some(contents) => keep(contents.bytes()),
        None => complain(
            NAME,
            value,
            b"a file with patterns: it cannot be read, or is empty; nothing is suppressed",
        ),
    }
}

fn read(path: &[u8]) -> Option<Contents> {
    let mut buffer = [0; 1024];
    buffer.get_mut(..path.len())?.copy_from_slice(path);
    Contents::of(CStr::from_bytes_until_nul(&buffer).ok()?)
}

fn keep(patterns: &[u8]) {
    let Some(place) = metadata::allocate(patterns.len().max(1)) else {
        return;
    };
    // SAFETY: so many bytes that nobody else has.
    unsafe { place.copy_from_nonoverlapping(ptr::NonNull::from(patterns).cast(), patterns.len()) };
    TEXT.store(place.as_ptr(), Ordering::Relaxed);
    LEN.store(patterns.len(), Ordering::Release);
}

fn patterns() -> impl Iterator<Item = &'static [u8]> {
    let len = LEN.load(Ordering::Acquire);
    let text: &'static [u8] = match len {
        0 => &[],
        // SAFETY: written by `keep` before the length, and never changed.
        _ => unsafe { core::slice::from_raw_parts(TEXT.load(Ordering::Relaxed), len) },
    };
    text.split(|&byte| byte == b'\n')
        .filter(|line| !line.trim_ascii_start().starts_with(b"#"))
        .flat_map(|line| line.split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|pattern| !pattern.is_empty())
}

/// Whether a frame of a stack has a function or a file that a pattern names.
pub(super) fn has(stack: u32) -> bool {
    if patterns().next().is_none() {
        return false;
    }
    let mut room = [0; stack::FRAMES];
    let frames = stacks::frames(stack, &mut room);
    frames.iter().any(|&frame| {
        // A frame is where a call returns to.
        let Some(place) = Place::of((frame as usize).wrapping_sub(1)) else {
            return false;
        };
        let function = place.function();
        patterns().any(|pattern| {
            matches(pattern, place.file())
                || matches(pattern, place.path())
                || function.is_some_and(|function| matches(pattern, function.name()))
        })
    })
}

/// Whether all of `text` is as the pattern says, in which a star stands for anything.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&byte) if byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                // The last star takes one more.
                let Some((at, from)) = star else {
                    return false;
                };
                star = Some((at, from + 1));
                p = at + 1;
                t = from + 1;
            }
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text) in [
            ("", ""),
            ("leak", "leak"),
            ("*", "anything"),
            ("*", ""),
            ("lib*.so*", "libfoo.so.1"),
            ("*init*", "module_init_once"),
            ("a*b*c", "aXbXbXc"),
            ("**x", "x"),
        ] {
            assert!(
                matches(pattern.as_bytes(), text.as_bytes()),
                "{pattern} {text}"
            );
        }
        for (pattern, text) in [
            ("", "x"),
            ("leak", "leaks"),
            ("leak", "a leak"),
            ("a*b*c", "aXbXb"),
            ("*x", "xy"),
        ] {
            assert!(
                !matches(pattern.as_bytes(), text.as_bytes()),
                "{pattern} {text}"
            );
        }
    }
}
