//! Records of what happens to a thread's cache, to its slabs, and to watched memory.

use super::local::Local;
use super::session::{self, Session};
use super::state::session_if_on;
use super::{clock, is_filtered, say_if_verbose};
use crate::observe::Event;
use crate::size_class::{SLOT_BYTES, SizeClass};
use crate::sys::thread;
use hakmem_trace_format::{Api, Kind, Record, STACK_NONE};

/// Records what happened to a thread's cache.
pub(super) fn happened(local: &Local, event: Event<'_>) {
    let now = clock::now();
    let record = |kind, address: usize| Record::new(kind, Api::Internal, now, address as u64);
    let of_class = |kind, class: usize, blocks: usize| {
        record(kind, 0)
            .with_class(class as u8)
            .with_value(blocks as u64)
    };
    let record = match event {
        Event::Refilled { class, blocks } => of_class(Kind::Refill, class, blocks),
        Event::Drained { class, blocks } => of_class(Kind::Drain, class, blocks),
        Event::Collected { slab, blocks } => record(Kind::Collect, slab).with_value(blocks as u64),
        Event::SlabOpened { start, class } => {
            return of_slab(local, record(Kind::SlabOpened, start), class);
        }
        Event::SlabClosed { start, class } => {
            return of_slab(local, record(Kind::SlabClosed, start), class);
        }
        _ => return,
    };
    if clock::is_due(now)
        && let Some(page) = session::get().and_then(Session::page)
    {
        clock::add_point(page);
    }
    // A filter is for what the program does; what this makes the caches do would drown it.
    if is_filtered() {
        return;
    }
    say_if_verbose(&record.with_thread(local.writer().thread()));
    // The cache may be one that no thread has.
    if local.writer().file.get().is_some() {
        local.write(record);
    } else if let Some(session) = session_if_on() {
        session.apart.put(record.with_thread(thread::id()));
    }
}

fn of_slab(local: &Local, record: Record, class: usize) {
    let Some(session) = session_if_on() else {
        return;
    };
    let size_class = SizeClass::from_index(class);
    let bytes = size_class.slots() * SLOT_BYTES;
    let record = record
        .with_class(class as u8)
        .with_size(bytes as u64)
        .with_value(size_class.bytes() as u64)
        .with_thread(local.writer().thread());
    say_if_verbose(&record);
    session.slabs.put(record);
}

/// Records a write to watched memory. Runs in a signal handler.
#[cold]
#[inline(never)]
pub(super) fn hit(event: Event<'_>) {
    let Event::WatchHit {
        address,
        pc,
        old,
        new,
        class,
        frames,
    } = event
    else {
        return;
    };
    let Some(session) = session_if_on() else {
        return;
    };
    let stack = session.stacks().map_or(STACK_NONE, |s| s.insert(frames));
    let record = Record::new(Kind::WatchHit, Api::Internal, clock::now(), address as u64)
        .with_value(new)
        .with_caller(pc as u64)
        .with_class(class as u8)
        .with_stack(stack)
        .with_thread(thread::id());
    say_if_verbose(&record);
    // The old value, and with its length the size of the word.
    session.rare.put_with_text(record, &old.to_le_bytes());
}
