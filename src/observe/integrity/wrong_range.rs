//! A memory function that goes too far: looks into it, and makes a finding of it.

use super::kind::Kind;
use super::pattern::{self, FREED};
use super::ranges::{Call, UNLIMITED, left};
use super::record::State;
use super::report::{self, Finder, Finding, Subject};
use super::untouched;
use crate::observe::api::Api;
use crate::observe::caller::Caller;
use crate::observe::report::{Line, name_of};
use crate::observe::stack;
use crate::sys::system_malloc;
use crate::sys::thread;
use crate::walk;
use core::sync::atomic::{AtomicUsize, Ordering};

/// How the memory is used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Write,
    Read,
    /// A write that the kernel has refused.
    Refused,
}

/// See [`Call::writable`].
#[cold]
#[inline(never)]
pub(super) fn written(call: Call, address: usize, len: usize) -> usize {
    looked_into(call, address, Some(len), Access::Write)
}

/// See [`Call::has_written`]. What has been told is not to be found once more.
#[cold]
#[inline(never)]
pub(super) fn has_written(call: Call, address: usize, len: usize) {
    let sound = looked_into(call, address, Some(len), Access::Write);
    let Some(block) = Subject::of(address).filter(|_| sound < len) else {
        return;
    };
    let from = if block.is_live() {
        address.max(block.address + block.size)
    } else {
        address
    };
    let end = (block.address + block.bytes).min(address + len);
    if block.is_live() || block.is_quarantined() {
        // SAFETY: the rest of a live block's place, or the place of one that no program has.
        unsafe { pattern::fill(from, end.saturating_sub(from), FREED) };
    }
}

/// See [`Call::was_to_write`].
#[cold]
#[inline(never)]
pub(super) fn refused(call: Call, address: usize, len: usize) {
    looked_into(call, address, Some(len), Access::Refused);
}

/// See [`Call::takes_from_heap`].
#[cold]
#[inline(never)]
pub(super) fn taken_away(call: Call, address: usize, len: usize) -> bool {
    let Some(block) = Subject::of(address) else {
        return false;
    };
    // SAFETY: as in `looked_into`.
    let caller = unsafe { Caller::new(call.frame, Api::Unknown) };
    let mut sentence = Line::part();
    sentence
        .text(call.function.name())
        .text(b"(")
        .address(address)
        .text(b", ")
        .number(len)
        .text(b"): these are pages of the heap, no mapping of the program's: of a block of ")
        .number(block.size)
        .text(b" bytes at ")
        .address(block.address)
        .text(b", ");
    if block.is_live() {
        sentence
            .text(b"which ")
            .text(name_of(block.allocated_by))
            .text(b" handed out");
    } else {
        sentence.text(block.state_name().as_bytes());
    }
    let kind = if block.is_live() {
        Kind::MismatchedFree
    } else {
        Kind::InvalidFree
    };
    tell(call, caller, kind, &sentence, address, block);
    true
}

/// See [`Call::readable`].
#[cold]
#[inline(never)]
pub(super) fn read(call: Call, address: usize, len: usize) -> usize {
    looked_into(call, address, Some(len), Access::Read)
}

/// See [`Call::past_end`].
#[cold]
#[inline(never)]
pub(super) fn not_found(call: Call, address: usize) -> usize {
    looked_into(call, address, None, Access::Read)
}

/// See [`Call::overlapping`]. No error: libc's does what is meant, as far as is known.
#[cold]
#[inline(never)]
pub(super) fn overlapping(call: Call, to: usize, from: usize, len: usize) {
    // SAFETY: as in `looked_into`.
    let caller = unsafe { Caller::new(call.frame, Api::Unknown) };
    let pc = caller.pc();
    let place = &NOTED[pc % NOTED.len()];
    if system_malloc::own_file().contains(&pc) || place.swap(pc, Ordering::Relaxed) == pc {
        return;
    }
    Line::new()
        .text(b"note: ")
        .text(call.function.name())
        .text(b" copies ")
        .number(len)
        .text(b" bytes from ")
        .address(from)
        .text(b" to ")
        .address(to)
        .text(b", which overlap: memmove is meant; called from ")
        .function(pc, true)
        .write();
}

/// Callers that were told of, by their lowest bits. Relaxed: each is told at least once.
static NOTED: [AtomicUsize; 251] = [const { AtomicUsize::new(0) }; 251];

/// Tells, and says how many bytes may be used. `len` is unknown of a function that looks for
/// something.
fn looked_into(call: Call, address: usize, len: Option<usize>, access: Access) -> usize {
    let wanted = len.unwrap_or(UNLIMITED);
    // SAFETY: the call waits, and so does its frame. `Unknown` has the frame of a C function.
    let caller = unsafe { Caller::new(call.frame, Api::Unknown) };
    // This library fills blocks that are free, and moves those that are resized.
    if system_malloc::own_file().contains(&caller.pc()) {
        return wanted;
    }
    let Some(subject) = subject(address, wanted) else {
        return wanted;
    };
    let left = left(address);
    if left >= wanted {
        return wanted;
    }
    let mut sentence = begin(call, len, access);
    let kind = if !subject.is_live() {
        after_free(&mut sentence, &subject, address);
        Kind::UseAfterFree
    } else if address < subject.address {
        sentence
            .text(b", beginning ")
            .number(subject.address - address)
            .text(b" in front of a block of ")
            .number(subject.size);
        Kind::HeapUnderflow
    } else {
        behind(&mut sentence, &subject, address, len);
        Kind::HeapOverflow
    };
    sentence.text(b" bytes at ").address(subject.address);
    if kind == Kind::UseAfterFree {
        sentence
            .text(b", which was freed by ")
            .text(name_of(subject.freed_by));
        if subject.freed_thread() != 0 {
            sentence
                .text(b" in thread ")
                .number(subject.freed_thread() as usize);
        }
    }
    let first_wrong = if kind == Kind::HeapOverflow {
        address + left
    } else {
        address
    };
    tell(call, caller, kind, &sentence, first_wrong, subject);
    match (kind, access) {
        // What is in a freed block, or before a live one, can be read.
        (Kind::UseAfterFree | Kind::HeapUnderflow, Access::Read) => {
            let end = subject.address + subject.bytes;
            wanted.min(end.saturating_sub(address))
        }
        _ => left,
    }
}

/// The block that a range is about, which is the one that it begins in, or the next one if it
/// begins in what lies between them.
fn subject(address: usize, wanted: usize) -> Option<Subject> {
    let Some(block) = Subject::of(address) else {
        return walk::first_above(address)
            .map(|first| Subject::from(&first))
            .filter(Subject::is_live);
    };
    if block.state == State::Untouched {
        // Far from where it belongs.
        let nearest = |step| untouched::nearest(block.address, step);
        return nearest(-1).or_else(|| nearest(1));
    }
    let is_behind = address >= block.address + block.size;
    let above = block.neighbour(1).filter(Subject::is_live);
    match above {
        Some(above)
            if is_behind
                && (!block.is_live() || address > block.address + block.size)
                && wanted > above.address - address =>
        {
            Some(above)
        }
        _ => Some(block),
    }
}

fn begin(call: Call, len: Option<usize>, access: Access) -> Line {
    let mut sentence = Line::part();
    sentence.text(call.function.name()).text(match access {
        Access::Write => b" writes",
        Access::Read => b" reads",
        Access::Refused => &b" was to write"[..],
    });
    if let Some(len) = len {
        sentence
            .text(b" ")
            .number(len)
            .text(if len == 1 { b" byte" } else { b" bytes" });
    }
    sentence
}

fn after_free(sentence: &mut Line, subject: &Subject, address: usize) {
    sentence
        .text(b" at offset ")
        .number(address.wrapping_sub(subject.address))
        .text(b" of a block of ")
        .number(subject.size);
}

fn behind(sentence: &mut Line, subject: &Subject, address: usize, len: Option<usize>) {
    let offset = address - subject.address;
    match len {
        Some(len) => {
            let too_many = (offset.saturating_add(len)).saturating_sub(subject.size);
            sentence
                .text(b" from offset ")
                .number(offset)
                .text(b", which is ")
                .number(too_many)
                .text(b" past the end of a block of ")
        }
        None => sentence
            .text(b" past the end, as nothing stops it from offset ")
            .number(offset)
            .text(b" on, of a block of "),
    }
    .number(subject.size);
}

fn tell(call: Call, caller: Caller, kind: Kind, sentence: &Line, address: usize, subject: Subject) {
    let mut frames = [0; stack::FRAMES];
    let local = stack::Local::NEW;
    let depth = stack::capture_from(&local, caller.pc(), caller.sp(), caller.fp(), &mut frames);
    report::tell(&Finding {
        kind,
        sentence: sentence.bytes(),
        address,
        subject: Some(subject),
        damage: None,
        finder: Finder {
            what: call.function.name(),
            thread: thread::id(),
            frames: &frames[..depth],
            returns: true,
        },
        unknown: b"",
    });
}
