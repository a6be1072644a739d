//! Whether a slab's counts fit what a batch refill took from it.

use super::super::trace_lines::{self, Object};
use super::super::{Event, SlabCounts};
use super::Area;
use crate::size_class::SizeClass;
use crate::sys::stderr::Line;

/// A refill's numbers, and what is wrong with them.
pub(super) struct RefillCheck {
    slab: usize,
    class: usize,
    wanted: usize,
    taken: usize,
    before: SlabCounts,
    after: SlabCounts,
}

impl RefillCheck {
    /// Of [`Event::Taken`], and of no other event.
    pub(super) fn of(event: &Event<'_>) -> Option<RefillCheck> {
        let Event::Taken {
            slab,
            class,
            wanted,
            taken,
            before,
            after,
        } = *event
        else {
            return None;
        };
        Some(RefillCheck {
            slab,
            class,
            wanted,
            taken,
            before,
            after,
        })
    }

    /// What does not fit, if something does not.
    fn fault(&self) -> Option<&'static str> {
        if self.taken != self.wanted.min(self.before.free) {
            Some("took another number than were wanted or free")
        } else if self.after.free + self.taken != self.before.free {
            Some("the free bits do not fit the number taken")
        } else if self.after.used != self.before.used + self.taken {
            Some("the used count does not fit the number taken")
        } else {
            None
        }
    }

    fn line(&self) -> Line {
        let line = match self.fault() {
            Some(fault) => Area::Refills.error().text(fault.as_bytes()).text(b": "),
            None => Area::Refills.line_of_thread(),
        };
        line.text(b"slab ")
            .address(self.slab)
            .text(b" of ")
            .number(SizeClass::from_index(self.class).bytes() as u64)
            .text(b" bytes: took ")
            .number(self.taken as u64)
            .text(b" of ")
            .number(self.wanted as u64)
            .text(b", used ")
            .number(self.before.used as u64)
            .text(b" -> ")
            .number(self.after.used as u64)
            .text(b", free bits ")
            .number(self.before.free as u64)
            .text(b" -> ")
            .number(self.after.free as u64)
    }

    fn object(&self) -> Object {
        let object = Object::of(Area::Refills.name(), "refilled")
            .address("slab", self.slab)
            .number("bytes", SizeClass::from_index(self.class).bytes() as u64)
            .number("wanted", self.wanted as u64)
            .number("taken", self.taken as u64)
            .number("used_before", self.before.used as u64)
            .number("used", self.after.used as u64)
            .number("free_before", self.before.free as u64)
            .number("free", self.after.free as u64);
        match self.fault() {
            Some(fault) => object.word("error", fault),
            None => object,
        }
    }

    pub(super) fn write(&self) {
        let line = match trace_lines::as_json() {
            true => self.object().end(),
            false => self.line(),
        };
        line.end_with(trace_lines::write);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    fn line(taken: usize, (used, free): (usize, usize), after: (usize, usize)) -> String {
        let check = RefillCheck {
            slab: 0x1000,
            class: 0,
            wanted: 16,
            taken,
            before: SlabCounts { used, free },
            after: SlabCounts {
                used: after.0,
                free: after.1,
            },
        };
        String::from_utf8_lossy(check.line().bytes()).into_owned()
    }

    #[test]
    fn what_fits_is_logged() {
        let line = line(16, (10, 90), (26, 74));
        assert!(line.starts_with("hakmem: [p0] thread "), "{line}");
        let told = "slab 0x1000 of 16 bytes: took 16 of 16, used 10 -> 26, free bits 90 -> 74";
        assert!(line.ends_with(told), "{line}");
        // A slab that has fewer gives those.
        assert!(!self::line(3, (97, 3), (100, 0)).contains("ERROR"));
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        for (taken, before, after, what) in [
            (15, (10, 90), (25, 75), "another number"),
            (16, (10, 10), (26, 0), "another number"),
            (16, (10, 90), (26, 75), "free bits"),
            (16, (10, 90), (25, 74), "used count"),
        ] {
            let line = line(taken, before, after);
            assert!(line.starts_with("hakmem: ERROR [p0] thread "), "{line}");
            assert!(line.contains(what), "{line}");
        }
    }
}
