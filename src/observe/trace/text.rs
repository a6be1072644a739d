//! A record as a line of text.

use crate::observe::trace_lines::{self, Object};
use crate::sys::stderr;
use core::fmt::{self, Write};
use hakmem_trace_format::{Api, Flags, Kind, Record};

/// Bytes of a line.
const LENGTH: usize = 256;

/// A line under construction; what does not fit is cut.
pub(super) struct Text {
    bytes: [u8; LENGTH],
    len: usize,
}

impl Text {
    pub(super) const fn new() -> Text {
        Text {
            bytes: [0; LENGTH],
            len: 0,
        }
    }

    /// What a record says of its block: neither when, nor from where.
    pub(super) fn of_block(record: &Record) -> Text {
        let mut text = Text::new();
        // A line that is full says so to nobody.
        let _ = write!(text, "thread {}: ", record.thread());
        let _ = what(record, &mut text);
        text
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Writes it as a line.
    fn write(mut self, out: impl FnOnce(&[u8])) {
        self.bytes[self.len.min(LENGTH - 1)] = b'\n';
        out(&self.bytes[..=self.len.min(LENGTH - 1)]);
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.bytes[self.len..LENGTH - 1];
        let fits = text.len().min(room.len());
        room[..fits].copy_from_slice(&text.as_bytes()[..fits]);
        self.len += fits;
        Ok(())
    }
}

/// Writes a record to standard error.
pub(super) fn say(record: &Record) {
    if record.kind() != Some(Kind::Continuation) {
        line(record).write(stderr::write);
    }
}

/// Writes a record as a line of the area `ptr`.
pub(super) fn log(record: &Record) {
    if record.kind() == Some(Kind::Continuation) {
        return;
    }
    match trace_lines::as_json() {
        true => object(record).end().end_with(trace_lines::write),
        false => line(record).write(trace_lines::write),
    }
}

fn line(record: &Record) -> Text {
    let mut text = Text::new();
    // A line that is full says so to nobody.
    let _ = write!(text, "hakmem: trace: ");
    let _ = describe(record, &mut text);
    text
}

/// What this thread has recorded, as an object; what is 0 or says nothing is left out.
fn object(record: &Record) -> Object {
    let event = record.kind().map_or("?", Kind::name);
    let mut object = Object::of("ptr", event).number("time", record.time());
    if record.address() != 0 {
        object = object.address("address", record.address() as usize);
    }
    if record.kind().is_some_and(Kind::has_block) {
        object = object.number("size", record.size());
        if record.align_log2() != 0 {
            object = object.number("align", 1u64 << (record.align_log2() & 63));
        }
    }
    match record.kind() {
        Some(Kind::Allocate) => object = object.number("bytes", record.value()),
        Some(Kind::ResizeIn) => object = object.address("from", record.value() as usize),
        Some(Kind::ResizeOut) => object = object.address("to", record.value() as usize),
        Some(Kind::Refill | Kind::Drain | Kind::Collect) => {
            object = object.number("blocks", record.value());
        }
        Some(Kind::Mark) => object = object.number("value", record.value()),
        _ => {}
    }
    if record.class() < 254 {
        object = object.number("class", u64::from(record.class()));
    }
    if record.generation() != 0 {
        object = object.number("life", u64::from(record.generation()));
    }
    if record.flags().has(Flags::FAILED) {
        object = object.word("result", "refused");
    } else if record.flags().has(Flags::IN_PLACE) {
        object = object.word("result", "in place");
    }
    if record.caller() != 0 {
        let api = record.api().map_or("?", Api::name);
        object = object.word("api", api);
        object = object.address("caller", record.caller() as usize);
    }
    object
}

fn describe(record: &Record, text: &mut Text) -> fmt::Result {
    write!(text, "thread {} at {}: ", record.thread(), record.time())?;
    what(record, text)?;
    if record.caller() != 0 {
        write!(text, " from {:#x}", record.caller())?;
    }
    Ok(())
}

fn what(record: &Record, text: &mut Text) -> fmt::Result {
    text.write_str(record.kind().map_or("?", Kind::name))?;
    if record.address() != 0 {
        write!(text, " {:#x}", record.address())?;
    }
    let is_block = record.kind().is_some_and(Kind::has_block);
    if is_block {
        write!(text, " size {}", record.size())?;
        if record.align_log2() != 0 {
            write!(text, " align {}", 1u64 << (record.align_log2() & 63))?;
        }
    }
    match record.kind() {
        Some(Kind::Allocate) => write!(text, " of {}", record.value())?,
        Some(Kind::ResizeIn) => write!(text, " from {:#x}", record.value())?,
        Some(Kind::ResizeOut) => write!(text, " to {:#x}", record.value())?,
        Some(Kind::Refill | Kind::Drain | Kind::Collect) => {
            write!(text, " blocks {}", record.value())?;
        }
        Some(Kind::Mark) => write!(text, " value {}", record.value())?,
        _ => {}
    }
    if record.class() < 254 {
        write!(text, " class {}", record.class())?;
    }
    if record.generation() != 0 {
        write!(text, " life {}", record.generation())?;
    }
    for (flag, name) in [(Flags::IN_PLACE, "in place"), (Flags::FAILED, "refused")] {
        if record.flags().has(flag) {
            write!(text, " {name}")?;
        }
    }
    if record.caller() != 0 {
        let api = record.api().map_or("?", Api::name);
        write!(text, " by {api}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_a_line() {
        let record = Record::new(Kind::Allocate, Api::Malloc, 77, 0x1000)
            .with_size(100)
            .with_align_log2(6)
            .with_class(5)
            .with_value(112)
            .with_generation(2)
            .with_caller(0x401234)
            .with_thread(9)
            .seal(3);
        let mut text = Text::new();
        describe(&record, &mut text).expect("it fits");
        assert_eq!(
            core::str::from_utf8(text.bytes()),
            Ok(
                "thread 9 at 77: allocate 0x1000 size 100 align 64 of 112 class 5 life 2 \
                by malloc from 0x401234"
            )
        );
        for _ in 0..10 {
            let _ = describe(&record, &mut text);
        }
        assert_eq!(text.bytes().len(), LENGTH - 1);
    }
}
