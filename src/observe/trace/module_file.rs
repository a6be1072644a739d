//! The file `modules`, brought up to date: which files' code is mapped where.
//!
//! The list of modules grows when code that was not known is met on a stack, so that is when the
//! file is looked after; and at the session's beginning and end.
//!
//! 1. A module has the same place in the file as in the list.
//! 2. One thread at a time notes; another one does not wait for it, and the next new stack sees
//!    to what it left.

use super::clock;
use super::session::{MODULES, Session};
use crate::observe::modules::{self, Module};
use core::cell::Cell;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use hakmem_trace_format::{Api, Kind, ModuleRecord, Record};

/// What the file has of the list. All bytes zero: nothing.
pub(super) struct Noted {
    /// Somebody notes. Acquire and Release around the cells.
    busy: AtomicBool,
    /// The generation of the list that the file shows, plus one. Relaxed: at worst it is looked
    /// at once more.
    generation: AtomicU32,
    count: Cell<u64>,
    /// A bit for each module that the file says is not mapped any more.
    gone: [Cell<u64>; MODULES as usize / 64],
}

/// Notes what has changed since the last time.
#[inline]
pub(super) fn update(session: &Session) {
    let generation = modules::generation().wrapping_add(1);
    if session.noted.generation.load(Ordering::Relaxed) != generation {
        update_slow(session, generation);
    }
}

#[cold]
fn update_slow(session: &Session, generation: u32) {
    let noted = &session.noted;
    if noted.busy.swap(true, Ordering::Acquire) {
        return;
    }
    let mut index = 0;
    modules::each(|module| {
        if index < MODULES {
            note(session, index, module);
        }
        index += 1;
    });
    noted.generation.store(generation, Ordering::Relaxed);
    noted.busy.store(false, Ordering::Release);
}

fn note(session: &Session, index: u64, module: &Module) {
    let (noted, Some(file)) = (&session.noted, session.modules.get()) else {
        return;
    };
    let gone = &noted.gone[index as usize / 64];
    let bit = 1 << (index % 64);
    let was_loaded = index < noted.count.get() && gone.get() & bit == 0;
    if was_loaded == module.is_loaded() {
        return;
    }
    let now = clock::now();
    let kind = match module.is_loaded() {
        true => {
            let (path, id) = (module.path, module.build_id);
            let [base, start, end] = [module.base, module.start, module.end].map(|at| at as u64);
            let record = ModuleRecord::new(path, id, base, start, end, now);
            // SAFETY: the mapped file has more records; this thread alone writes (2).
            unsafe { record.publish(file, index) };
            gone.set(gone.get() & !bit);
            Kind::ModuleLoaded
        }
        false if index < noted.count.get() => {
            // SAFETY: as above; the record was written before.
            unsafe { ModuleRecord::unload(file, index, now) };
            gone.set(gone.get() | bit);
            Kind::ModuleUnloaded
        }
        false => {
            // Gone before it was noted.
            gone.set(gone.get() | bit);
            noted.count.set(noted.count.get().max(index + 1));
            return;
        }
    };
    noted.count.set(noted.count.get().max(index + 1));
    let record = Record::new(kind, Api::Internal, now, module.start as u64);
    session.rare.put(
        record
            .with_size((module.end - module.start) as u64)
            .with_value(index),
    );
}
