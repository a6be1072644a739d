//! A file that a variable names and that lines are added to; `%p` in its name stands for the
//! process's number.
//!
//! It is open for as long as a line takes: a program may close descriptors that it does not
//! know, and find files of its own there. Where the file cannot be had it is told once, and no
//! more is written.

use super::settings;
use crate::sys::file;
use crate::sys::process;
use crate::sys::stderr::Line;
use core::cell::UnsafeCell;
use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The most bytes of a path, the zero byte among them.
const PATH: usize = 1024;

/// See the head of this file.
pub(super) struct LineFile {
    variable: &'static str,
    /// What is so without the file, for who reads that it cannot be had.
    otherwise: &'static str,
    template: UnsafeCell<[u8; PATH]>,
    /// Of the template; 0 while there is no file. Released after the template is written, read
    /// Acquire.
    len: AtomicUsize,
    is_refused: AtomicBool,
}

// SAFETY: the template is written by the set-up, before `len` says that there is one; read after.
unsafe impl Sync for LineFile {}

impl LineFile {
    pub(super) const fn of(variable: &'static str, otherwise: &'static str) -> LineFile {
        LineFile {
            variable,
            otherwise,
            template: UnsafeCell::new([0; PATH]),
            len: AtomicUsize::new(0),
            is_refused: AtomicBool::new(false),
        }
    }

    /// Reads the variable. Called once, by the set-up.
    pub(super) fn set_up(&self) {
        let text = settings::text(self.variable).unwrap_or(b"");
        if text.len() >= PATH {
            return self.complain(b"the path is too long");
        }
        // SAFETY: nobody reads it before `len` is set.
        let template = unsafe { &mut *self.template.get() };
        template[..text.len()].copy_from_slice(text);
        self.len.store(text.len(), Ordering::Release);
    }

    /// Whether lines go to the file.
    pub(super) fn is_wanted(&self) -> bool {
        self.len.load(Ordering::Acquire) != 0 && !self.is_refused.load(Ordering::Relaxed)
    }

    /// Adds a line, its end included; says whether the file has it.
    pub(super) fn add(&self, line: &[u8]) -> bool {
        if !self.is_wanted() {
            return false;
        }
        let len = self.len.load(Ordering::Acquire);
        // SAFETY: written before `len` was, and not any more.
        let template = unsafe { &(&*self.template.get())[..len] };
        let mut path = [0; PATH];
        let Some(path) = numbered(template, &mut path) else {
            self.complain(b"the path is too long");
            return false;
        };
        match file::append(path, line) {
            Ok(()) => true,
            Err(refusal) => {
                self.complain(refusal.text());
                false
            }
        }
    }

    fn complain(&self, why: &[u8]) {
        if !self.is_refused.swap(true, Ordering::Relaxed) {
            Line::new()
                .text(b"hakmem: ")
                .text(self.variable.as_bytes())
                .text(b": ")
                .text(why)
                .text(b"; ")
                .text(self.otherwise.as_bytes())
                .write();
        }
    }
}

/// The path with the process's number for each `%p`.
fn numbered<'a>(template: &[u8], path: &'a mut [u8; PATH]) -> Option<&'a CStr> {
    let mut len = 0;
    let mut push = |bytes: &[u8]| {
        let place = path.get_mut(len..len + bytes.len())?;
        place.copy_from_slice(bytes);
        len += bytes.len();
        Some(())
    };
    let mut rest = template;
    while let Some(at) = rest.windows(2).position(|two| two == b"%p") {
        push(&rest[..at])?;
        push(Line::new().number(u64::from(process::id())).bytes())?;
        rest = &rest[at + 2..];
    }
    push(rest)?;
    push(b"\0")?;
    CStr::from_bytes_until_nul(path).ok()
}
