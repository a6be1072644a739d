//! The log: a line for each event of an area that is on.

use super::super::Event;
use super::super::trace_lines::{self, Object};
use super::Area;
use crate::size_class::SizeClass;
use crate::sys::stderr::Line;

/// Writes the line of an event, if its area is on.
pub(super) fn write(event: &Event<'_>, on: u32) {
    if let Some(area) = area_of(event).filter(|area| area.is_in(on)) {
        let line = match trace_lines::as_json() {
            true => object(area, event).end(),
            false => tell(area.line_of_thread(), event),
        };
        line.end_with(trace_lines::write);
    }
}

/// The area whose log has the event.
fn area_of(event: &Event<'_>) -> Option<Area> {
    Some(match event {
        Event::SuperSlabFreed { .. } => Area::Free,
        Event::LookedUp { .. } => Area::Lookup,
        Event::CacheKept { .. }
        | Event::CacheTaken { .. }
        | Event::CacheEvicted { .. }
        | Event::CachePurged { .. } => Area::Lru,
        Event::MaskChanged { before, after, .. } if before != after => Area::Mask,
        Event::Prewarmed { .. } => Area::Prewarm,
        Event::Registered { .. }
        | Event::Unregistered { .. }
        | Event::SuperSlabRegistered { .. }
        | Event::SuperSlabUnregistered { .. } => Area::Registry,
        Event::Learnt { .. } => Area::Learning,
        _ => return None,
    })
}

/// Adds to `line` what happened.
fn tell(line: Line, event: &Event<'_>) -> Line {
    match *event {
        Event::SuperSlabFreed { base } => superslab(line, base).text(b" given back to the system"),
        Event::LookedUp { address, found: 0 } => line.address(address).text(b" -> none"),
        Event::LookedUp { address, found } => {
            line.address(address).text(b" -> slab ").address(found)
        }
        Event::CacheKept { base, cached } => in_cache(superslab(line, base).text(b" kept"), cached),
        Event::CacheTaken { base, cached } => {
            in_cache(superslab(line, base).text(b" taken"), cached)
        }
        Event::CacheEvicted { base, cached, why } => {
            let line = superslab(line, base).text(b" evicted (");
            in_cache(line.text(why.as_bytes()).text(b")"), cached)
        }
        Event::CachePurged { base, why } => {
            let line = superslab(line, base).text(b" purged (");
            line.text(why.as_bytes()).text(b")")
        }
        Event::MaskChanged {
            slab,
            word,
            before,
            after,
        } => line
            .text(b"slab ")
            .address(slab)
            .text(b" word ")
            .number(word as u64)
            .text(b": ")
            .address(before as usize)
            .text(b" -> ")
            .address(after as usize),
        Event::Prewarmed { base, class, left } => {
            let line = superslab(line, base).text(b" mapped and populated for ");
            let line = match class {
                Some(class) => line
                    .text(b"blocks of ")
                    .number(SizeClass::from_index(class).bytes() as u64),
                None => line.text(b"the cache"),
            };
            line.text(b", ").number(left as u64).text(b" to go")
        }
        Event::Registered { start, slots } => {
            slots_of(line.text(b"entered slab ").address(start), slots)
        }
        Event::Unregistered { start, slots } => {
            slots_of(line.text(b"cleared slab ").address(start), slots)
        }
        Event::SuperSlabRegistered { base } => superslab(line.text(b"entered "), base),
        Event::SuperSlabUnregistered { base } => superslab(line.text(b"cleared "), base),
        Event::Learnt {
            what,
            class,
            from,
            to,
        } => {
            let line = line.text(what.as_bytes());
            let line = match class {
                Some(class) => line.text(b" of class ").number(class as u64),
                None => line,
            };
            let line = line.text(b": ").number(from as u64);
            line.text(b" -> ").number(to as u64)
        }
        _ => line,
    }
}

/// The same as an object.
fn object(area: Area, event: &Event<'_>) -> Object {
    let of = |event| Object::of(area.name(), event);
    let superslab = |event, base| of(event).address("superslab", base);
    match *event {
        Event::SuperSlabFreed { base } => superslab("given back", base),
        Event::LookedUp { address, found } => {
            let object = of("looked up").address("address", address);
            match found {
                0 => object,
                found => object.address("slab", found),
            }
        }
        Event::CacheKept { base, cached } => {
            superslab("kept", base).number("cached", cached as u64)
        }
        Event::CacheTaken { base, cached } => {
            superslab("taken", base).number("cached", cached as u64)
        }
        Event::CacheEvicted { base, cached, why } => superslab("evicted", base)
            .number("cached", cached as u64)
            .word("why", why),
        Event::CachePurged { base, why } => superslab("purged", base).word("why", why),
        Event::MaskChanged {
            slab,
            word,
            before,
            after,
        } => of("mask changed")
            .address("slab", slab)
            .number("word", word as u64)
            .address("before", before as usize)
            .address("after", after as usize),
        Event::Prewarmed { base, class, left } => {
            let object = superslab("prewarmed", base).number("left", left as u64);
            match class {
                Some(class) => object.number("bytes", SizeClass::from_index(class).bytes() as u64),
                None => object,
            }
        }
        Event::Registered { start, slots } => of("entered")
            .address("slab", start)
            .number("slots", slots as u64),
        Event::Unregistered { start, slots } => of("cleared")
            .address("slab", start)
            .number("slots", slots as u64),
        Event::SuperSlabRegistered { base } => superslab("entered", base),
        Event::SuperSlabUnregistered { base } => superslab("cleared", base),
        Event::Learnt {
            what,
            class,
            from,
            to,
        } => {
            let object = of("learnt").word("what", what);
            let object = match class {
                Some(class) => object.number("class", class as u64),
                None => object,
            };
            object.number("from", from as u64).number("to", to as u64)
        }
        _ => of("?"),
    }
}

fn superslab(line: Line, base: usize) -> Line {
    line.text(b"SuperSlab ").address(base)
}

fn in_cache(line: Line, cached: usize) -> Line {
    line.text(b", ")
        .number(cached as u64)
        .text(b" in the cache")
}

fn slots_of(line: Line, slots: usize) -> Line {
    match slots {
        0 => line.text(b", a mapping"),
        1 => line.text(b", 1 slot"),
        _ => line.text(b", ").number(slots as u64).text(b" slots"),
    }
}
