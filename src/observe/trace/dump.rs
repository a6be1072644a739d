//! The newest records of all rings, as lines on standard error: `HAKMEM_PTR_TRACE_DUMP`, at exit.
//!
//! Rings are read side by side from their ends, the newest record first, until there are as many
//! as wanted; from there on forward again, the oldest first. Where each ring has been read to
//! stands in its own cell, so that nothing has to be allocated.

use super::local::Local;
use super::session::Session;
use super::text;
use core::cell::Cell;
use hakmem_trace_format::Record;

/// A ring, and how far it has been read.
struct Source<'a> {
    /// Numbers that were given out.
    end: u64,
    slots: u64,
    cursor: &'a Cell<u64>,
}

/// Writes the `count` newest records.
pub(super) fn dump(session: &Session, count: u32) {
    let shared = [Cell::new(0), Cell::new(0), Cell::new(0)];
    each(session, &shared, |source, _| source.cursor.set(source.end));
    for _ in 0..count {
        let mut newest: Option<(u64, *const Cell<u64>)> = None;
        each(session, &shared, |source, get| {
            let at = source.cursor.get();
            if at > source.end.saturating_sub(source.slots)
                && newest.is_none_or(|(time, _)| get(at - 1).time() >= time)
            {
                newest = Some((get(at - 1).time(), source.cursor));
            }
        });
        let Some((_, cursor)) = newest else { break };
        // SAFETY: the cells of this function's, and of writers, which are never unmapped.
        let cursor = unsafe { &*cursor };
        cursor.set(cursor.get() - 1);
    }
    loop {
        let mut oldest: Option<(Record, *const Cell<u64>)> = None;
        each(session, &shared, |source, get| {
            let at = source.cursor.get();
            if at < source.end {
                let record = get(at);
                if oldest.is_none_or(|(other, _)| record.time() < other.time()) {
                    oldest = Some((record, source.cursor));
                }
            }
        });
        let Some((record, cursor)) = oldest else {
            break;
        };
        // SAFETY: as above.
        let cursor = unsafe { &*cursor };
        cursor.set(cursor.get() + 1);
        if record.is_whole() {
            text::say(&record);
        }
    }
}

/// Calls `look` for each ring, with what reads a record of it.
fn each(
    session: &Session,
    shared: &[Cell<u64>; 3],
    mut look: impl FnMut(&Source<'_>, &dyn Fn(u64) -> Record),
) {
    let rings = [&session.rare, &session.slabs, &session.apart];
    for (ring, cursor) in rings.into_iter().zip(shared) {
        let source = Source {
            end: ring.next_seq() - 1,
            slots: ring.slots(),
            cursor,
        };
        look(&source, &|number| ring.get(number));
    }
    for local in Local::all() {
        let writer = local.writer();
        if writer.has_ring() {
            let source = Source {
                end: writer.next_seq() - 1,
                slots: writer.slots(),
                cursor: &writer.cursor,
            };
            look(&source, &|number| writer.get(number));
        }
    }
}
