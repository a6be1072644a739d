//! The lines of the areas of `HAKMEM_TRACE`: as text or as JSON, on standard error or in a file.
//!
//! ```text
//! HAKMEM_TRACE=lru            hakmem: [lru] thread 7: SuperSlab 0x7e0000200000 kept, …
//! HAKMEM_TRACE=lru,json       {"area":"lru","thread":7,"event":"kept","superslab":"0x7e…", …}
//! HAKMEM_TRACE_FILE=trace.%p  either of them is added to the file
//! ```
//!
//! Each line is written at once and with one write, so that those of several threads stand whole
//! beside each other.

use super::line_file::LineFile;
use super::settings;
use crate::sys::stderr::{self, Line};
use crate::sys::thread;
use core::sync::atomic::{AtomicBool, Ordering};

static FILE: LineFile = LineFile::of("HAKMEM_TRACE_FILE", "the lines go to standard error");
/// Written by the set-up; Relaxed, for what is read before is text.
static AS_JSON: AtomicBool = AtomicBool::new(false);

/// Reads the variables. The observers that write lines call it, the first one counts.
pub(super) fn set_up() {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.swap(true, Ordering::Relaxed) {
        AS_JSON.store(settings::traces_as_json(), Ordering::Relaxed);
        FILE.set_up();
    }
}

/// Whether lines are objects.
pub(super) fn as_json() -> bool {
    AS_JSON.load(Ordering::Relaxed)
}

/// Writes a line, its end included.
pub(super) fn write(line: &[u8]) {
    if !FILE.add(line) {
        stderr::write(line);
    }
}

/// A line of JSON under construction: an object without objects in it. The names and the words in
/// it are ours, so nothing has to be escaped.
pub(super) struct Object(Line);

impl Object {
    /// What happened in an area, to this thread.
    pub(super) fn of(area: &str, event: &str) -> Object {
        let object = Object(
            Line::new()
                .text(b"{\"area\":\"")
                .text(area.as_bytes())
                .text(b"\""),
        );
        object
            .number("thread", u64::from(thread::id()))
            .word("event", event)
    }

    fn name(self, name: &str) -> Line {
        self.0.text(b",\"").text(name.as_bytes()).text(b"\":")
    }

    pub(super) fn word(self, name: &str, word: &str) -> Object {
        let line = self.name(name).text(b"\"");
        Object(line.text(word.as_bytes()).text(b"\""))
    }

    pub(super) fn number(self, name: &str, number: u64) -> Object {
        Object(self.name(name).number(number))
    }

    /// As a string: most readers' numbers have no 64 bits.
    pub(super) fn address(self, name: &str, address: usize) -> Object {
        Object(self.name(name).text(b"\"").address(address).text(b"\""))
    }

    /// The whole line.
    pub(super) fn end(self) -> Line {
        self.0.text(b"}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::String;

    #[test]
    fn an_object_is_a_line() {
        let object = Object::of("lru", "kept")
            .address("superslab", 0x1000)
            .number("cached", 3);
        let line = String::from_utf8_lossy(object.end().bytes()).into_owned();
        let thread = thread::id();
        assert_eq!(
            line,
            format!(
                r#"{{"area":"lru","thread":{thread},"event":"kept","superslab":"0x1000","cached":3}}"#
            )
        );
    }
}
