//! The flight recorder: every allocation, free and resize, and what happens to slabs and threads,
//! in files that outlive the process, for `hakmem history`.
//!
//! ```text
//! hook ─► Writer (a thread's) ─► ring.NNNN     the newest records, overwriting the oldest
//!     └──► SharedRing         ─► rare.NNNN     what a flood must not push out
//!                └────────────► ring.0000     of threads that have no cache
//! ```
//!
//! A record is 64 bytes in a mapped file (the crate `trace-format`), so that it is there when the
//! process is gone, whatever ended it. No cache line is shared between threads, and there is no
//! lock, on the way of a block.
//!
//! 1. A hook that a signal handler interrupts, and whose handler records as well, loses nothing:
//!    numbers are taken in one instruction.
//! 2. A forked child never writes to its parent's files: what leads there reads as zero in it.
//! 3. What cannot be had is said on one line, and recording goes off: the program goes on.
//!
//! `blocks.rs` `events.rs` make records, `writer.rs` `full.rs` `shared_ring.rs` write them;
//! `session.rs` `directory.rs` `description.rs` `module_file.rs` `crash.rs` have the other files,
//! `state.rs` says whether anything is recorded, `filter.rs` what is left out; `clock.rs` has the time,
//! `life.rs` what is kept of each block;
//! `dump.rs` and `text.rs` say records on standard error, `recall.rs` those of one block in a report.

mod blocks;
mod clock;
mod core_file;
mod crash;
mod description;
mod directory;
mod dump;
mod events;
mod filter;
mod full;
mod life;
mod local;
mod module_file;
mod path;
mod plan;
mod recall;
mod session;
mod shared_ring;
mod state;
mod text;
mod writer;

use super::caller::Caller;
use super::modules;
use super::own_memory;
use super::settings;
use super::stack;
use super::trace_lines;
use super::{Block, Event, Observer, Path as Way, Release, Request, Resize, Sees};
use crate::fault::{self, Call, Fault};
use crate::sys::thread;
use crate::sys::time_stamp;
use blocks::{allocated_slow, allocation, free, freeing_slow, known, of_block, write_with_stack};
use core::ptr::NonNull;
use filter::Filter;
use hakmem_trace_format::{
    Api, CLASS_LARGE, CLASS_NONE, ClockKind, End, Flags, Kind, Mode, Record, RingHeader, Total,
};
use life::{Life, Shape};
use local::Local;
use plan::Plan;
use session::Session;
use state::{OFF, ON, OTHERWISE, session, session_if_on, state, switch};

/// The number of the first kind of finding, among the numbers of faults.
const FINDINGS: i32 = 16;

/// Records.
pub(crate) struct Recorder;

impl Observer for Recorder {
    type Local = Local;
    const NEW: Local = Local::NEW;
    type Record = Life;
    type Span = ();

    fn arena_base() -> usize {
        settings::arena_base()
    }

    fn set_up() -> Sees {
        let Some(plan) = Plan::read() else {
            return Sees::Nothing;
        };
        stack::set_up();
        modules::set_up();
        clock::choose();
        if plan.is_verbose {
            trace_lines::set_up();
        }
        let is_plain = clock::kind() == ClockKind::Tsc
            && matches!(stack::mode(), stack::Mode::Off | stack::Mode::FramePointers)
            && plan.mode == Mode::Ring
            && plan.filter == Filter::NONE
            && !plan.is_verbose;
        if !session::set_up(plan) {
            return Sees::Nothing;
        }
        let state = if is_plain { ON } else { OTHERWISE };
        switch(state);
        if session().is_none() {
            return Sees::Nothing;
        }
        crash::set_up();
        Sees::All
    }

    const NAMES: usize = 1 + own_memory::NAMES;

    fn describe(put: fn(&str, usize), _: usize) {
        put("trace.session", session::id_address());
        own_memory::describe(put);
    }

    fn exits() {
        let Some(session) = session::get() else {
            return;
        };
        let mut events = 0;
        for writer in Local::all().map(Local::writer) {
            events += writer.next_seq() - 1;
            if let Some(file) = writer.file.get() {
                // SAFETY: the mapped file of a ring or segment.
                unsafe { RingHeader::set_next_seq(file, writer.next_seq()) };
            }
        }
        for ring in [&session.rare, &session.slabs, &session.apart] {
            events += ring.next_seq() - 1;
            if let Some(file) = ring.file() {
                // SAFETY: the mapped file of a ring.
                unsafe { RingHeader::set_next_seq(file, ring.next_seq()) };
            }
        }
        module_file::update(session);
        if let Some(page) = session.page() {
            page.set_total(Total::Events, events);
            clock::add_point(page);
            page.set_end(End::Exited, 0, clock::now());
        }
        if session::plan().dump > 0 {
            dump::dump(session, session::plan().dump);
        }
    }

    fn forked() {
        if session::forget() {
            for local in Local::all() {
                local.writer().wipe();
            }
        }
    }

    fn began(local: &Local, _adopted: bool) {
        local.stack.began();
        if state() != OFF {
            local.begin();
        }
    }

    fn ended(local: &Local) {
        local.end();
    }

    #[inline(always)]
    fn allocated(local: &Local, block: &Block<'_, Life>, request: &Request) {
        let state = state();
        if state == OFF {
            return;
        }
        if state == ON
            && let Some((writer, stack)) = known(local, request.caller)
        {
            let record = allocation(block, request, time_stamp::now());
            return writer.put_known(record.with_stack(stack).with_thread(writer.thread()));
        }
        allocated_slow(local, block.copy(), request.copy());
    }

    #[inline(always)]
    fn freeing(local: &Local, block: &Block<'_, Life>, release: &Release) -> Option<NonNull<u8>> {
        let state = state();
        if state == ON
            && let Some((writer, stack)) = known(local, release.caller)
        {
            let record = free(block, release, time_stamp::now());
            writer.put_known(record.with_stack(stack).with_thread(writer.thread()));
        } else if state != OFF {
            freeing_slow(local, block.copy(), release.copy());
        }
        Some(block.address)
    }

    #[inline(always)]
    fn resizing(local: &Local, block: &Block<'_, Life>, _: &Request) -> Resize {
        if state() == OTHERWISE {
            let is_traced = block.record.is_some_and(|life| life.is_traced());
            local.begin_if_new();
            local.writer().set_resizes_traced(is_traced);
        }
        Resize::InPlaceAllowed
    }

    fn resized(local: &Local, block: &Block<'_, Life>, request: &Request) {
        if state() == OFF {
            return;
        }
        let caller = request.caller;
        let shape = Shape::new(request.size, request.align, block.class);
        let was = block.record.and_then(|life| life.shape());
        let was = was.unwrap_or_else(|| Shape::unknown(0, block.class));
        let is_left_out = is_filtered() && !block.record.is_some_and(|life| life.is_traced());
        let generation = block.record.map_or(0, |life| {
            life.leave_out(is_left_out);
            life.resize(shape)
        });
        if is_left_out {
            return;
        }
        let (old, new) = (caller.other() as u64, block.address.as_ptr() as u64);
        let now = clock::now();
        let out = of_block(Kind::ResizeOut, block, was, generation, caller, now)
            .with_address(old)
            .with_value(new)
            .with_flags(Flags::IN_PLACE);
        write_with_stack(local, out, caller);
        let into = of_block(Kind::ResizeIn, block, shape, generation, caller, now)
            .with_value(old)
            .with_flags(Flags::IN_PLACE);
        write_with_stack(local, into, caller);
    }

    fn allocated_apart(block: &Block<'_, Life>, request: &Request) {
        if let Some(session) = session_if_on()
            && !is_filtered()
        {
            let record = allocation(block, request, clock::now());
            put_apart(session, record);
        }
    }

    fn freeing_apart(block: &Block<'_, Life>, release: &Release) {
        let is_left_out = || is_filtered() && !block.record.is_some_and(|life| life.is_traced());
        if let Some(session) = session_if_on()
            && !is_left_out()
        {
            put_apart(session, free(block, release, clock::now()));
        }
    }

    fn refused(local: &Local, request: &Request) {
        if state() == OFF {
            return;
        }
        let caller = request.caller;
        let class = usize::from(CLASS_NONE);
        let record = Record::new(Kind::Allocate, Api::Unknown, clock::now(), 0)
            .with_api_code(caller.api())
            .with_shape(Shape::new(request.size, request.align, class).0)
            .with_caller(caller.pc() as u64)
            .with_flags(Flags::FAILED);
        write_with_stack(local, record, caller);
    }

    #[inline(always)]
    fn event(local: &Local, event: Event<'_>) {
        if state() != OFF {
            events::happened(local, event);
        }
    }

    #[inline(always)]
    fn notice(event: Event<'_>) {
        match event {
            Event::WatchHit { .. } => events::hit(event),
            Event::Found {
                kind,
                address,
                text,
            } => {
                if let Some(session) = session::get() {
                    crash::leave(session, FINDINGS + i32::from(kind), address, text);
                }
            }
            _ => {}
        }
    }

    fn marked(text: &[u8], address: usize, value: u64, caller: Caller) {
        let Some(session) = session_if_on() else {
            return;
        };
        let mut record = Record::new(Kind::Mark, Api::Unknown, clock::now(), address as u64)
            .with_value(value)
            .with_thread(thread::id());
        if caller.is_some() {
            record = record.with_caller(caller.pc() as u64);
        }
        say_if_verbose(&record);
        session.rare.put_with_text(record, text);
    }

    fn aborting(call: Call, address: *const u8, fault: Fault) {
        if let Some(session) = session::get() {
            let line = fault::line(call, address, fault);
            crash::leave(session, fault as i32, address as usize, line.bytes());
        }
    }

    fn recall(address: usize, tell: &mut dyn FnMut(&[u8], usize)) {
        if let Some(session) = session::get() {
            recall::newest(session, address, tell);
        }
    }

    #[inline(always)]
    fn span(_: Way) {}
}

/// Whether a filter leaves out some blocks. There is a plan.
fn is_filtered() -> bool {
    state() == OTHERWISE && session::plan().filter != Filter::NONE
}

/// Logs a record, if all are logged.
#[cold]
fn say_if_verbose(record: &Record) {
    if state() == OTHERWISE && session::plan().is_verbose {
        text::log(record);
    }
}

fn put_apart(session: &Session, record: Record) {
    let record = record.with_thread(thread::id());
    say_if_verbose(&record);
    session.apart.put(record);
}

const _: () = assert!(super::LARGE == CLASS_LARGE as usize);

/// The numbers of [`super::api::Api`] are those of the format.
const _: () = {
    use super::api::Api as Ours;
    const fn same(ours: Ours, theirs: Api) -> bool {
        ours as u8 == theirs as u8
    }
    assert!(same(Ours::Unknown, Api::Unknown));
    assert!(same(Ours::RustAlloc, Api::RustAlloc) && same(Ours::RustRealloc, Api::RustRealloc));
    assert!(same(Ours::Malloc, Api::Malloc) && same(Ours::Cfree, Api::Cfree));
    assert!(same(Ours::New, Api::New));
    assert!(same(
        Ours::NewArrayAlignedNothrow,
        Api::NewArrayAlignedNothrow
    ));
    assert!(same(Ours::Delete, Api::Delete));
    assert!(same(
        Ours::DeleteArraySizedAligned,
        Api::DeleteArraySizedAligned
    ));
};
