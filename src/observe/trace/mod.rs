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
//! `writer.rs` `full.rs` `shared_ring.rs` write records; `session.rs` `path.rs` `module_file.rs`
//! `crash.rs` have the other files, `clock.rs` the time, `known_stacks.rs` the ids of stacks,
//! `life.rs` what is kept of each block, `filter.rs` which are left out; `dump.rs` and `text.rs`
//! say records on standard error.

mod clock;
mod crash;
mod dump;
mod filter;
mod full;
mod known_stacks;
mod life;
mod local;
mod module_file;
mod path;
mod plan;
mod session;
mod shared_ring;
mod text;
mod writer;

use super::caller::Caller;
use super::modules;
use super::stack;
use super::{Block, Event, Observer, Path as Way, Release, Request};
use crate::fault::Fault;
use crate::size_class::{SLOT_BYTES, SizeClass};
use crate::sys::file::Refusal;
use crate::sys::stderr::Line;
use crate::sys::thread;
use crate::sys::time_stamp;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use filter::Filter;
use hakmem_trace_format::{
    Api, CLASS_LARGE, ClockKind, End, Flags, Kind, Mode, Record, RingHeader, STACK_NONE, Total,
    hash_of_frames,
};
use known_stacks::Innermost;
use life::{Asked, Life};
use local::Local;
use plan::Plan;
use session::Session;
use writer::Writer;

/// What the hooks do. Written by the set-up, and once more when something cannot be had. Relaxed:
/// a thread that notices late records late.
static STATE: Aligned = Aligned(AtomicU8::new(OFF));
const OFF: u8 = 0;
/// Record all in rings, with the time of the processor's counter, and stacks along frame pointers
/// or none.
const ON: u8 = 1;
/// As the slow paths say.
const OTHERWISE: u8 = 2;

/// Apart from what is written often.
#[repr(align(128))]
struct Aligned(AtomicU8);

/// Events not recorded and not counted by a session yet. Relaxed: a sum.
static LOST: AtomicU64 = AtomicU64::new(0);

/// Records.
pub(crate) struct Recorder;

#[inline(always)]
fn state() -> u8 {
    STATE.0.load(Ordering::Relaxed)
}

/// Stops, for want of what the line says.
#[cold]
fn complain(what: &[u8], path: &[u8], refusal: Refusal) {
    if STATE.0.swap(OFF, Ordering::Relaxed) != OFF {
        // The end says more than the beginning, and the reason has to fit.
        const SHOWN: usize = 120;
        let cut = path.len().saturating_sub(SHOWN);
        Line::new()
            .text(b"hakmem: trace: ")
            .text(what)
            .text(if cut > 0 { b"..." } else { b"" })
            .text(&path[cut..])
            .text(b": ")
            .text(refusal.text())
            .text(b"; nothing more is recorded")
            .write();
    }
}

/// Says, once, that the segments are as large as they may be.
#[cold]
fn say_full() {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !SAID.swap(true, Ordering::Relaxed) {
        Line::new()
            .text(b"hakmem: trace: HAKMEM_TRACE_MAX_MB is reached; ")
            .text(b"from here on the newest records of each thread are kept")
            .write();
    }
}

/// Counts events that are not recorded.
#[cold]
fn lose(events: u64) {
    match session::get() {
        Some(session) => session.add(Total::Lost, events),
        None => {
            LOST.fetch_add(events, Ordering::Relaxed);
        }
    }
}

/// Takes what was counted without a session.
fn lost() -> u64 {
    LOST.swap(0, Ordering::Relaxed)
}

/// The session, made if there is none; `None` if that cannot be, or somebody else makes it.
fn session() -> Option<&'static Session> {
    match session::get_or_make() {
        None => {
            lose(1);
            None
        }
        Some(Ok(session)) => Some(session),
        Some(Err(refusal)) => {
            let directory = match &session::plan().template {
                Some(path) => path.bytes(),
                None => b"memory",
            };
            complain(b"cannot make a session in ", directory, refusal);
            None
        }
    }
}

fn session_if_on() -> Option<&'static Session> {
    (state() != OFF).then(session)?
}

impl Observer for Recorder {
    type Local = Local;
    const NEW: Local = Local::NEW;
    type Record = Life;
    type Span = ();

    fn set_up() -> bool {
        let Some(plan) = Plan::read() else {
            return false;
        };
        stack::set_up();
        modules::set_up();
        clock::choose();
        let is_plain = clock::kind() == ClockKind::Tsc
            && matches!(stack::mode(), stack::Mode::Off | stack::Mode::FramePointers)
            && plan.mode == Mode::Ring
            && plan.filter == Filter::NONE
            && !plan.is_verbose;
        if !session::set_up(plan) {
            return false;
        }
        let state = if is_plain { ON } else { OTHERWISE };
        STATE.0.store(state, Ordering::Relaxed);
        if session().is_none() {
            return false;
        }
        crash::set_up();
        true
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
        if state() == ON
            && let Some((writer, stack)) = known(local, request.caller)
        {
            let record = allocation(block, request, time_stamp::now());
            return writer.put_known(record.with_stack(stack).with_thread(writer.thread()));
        }
        allocated_slow(local, copy(block), *request);
    }

    #[inline(always)]
    fn freeing(local: &Local, block: &Block<'_, Life>, release: &Release) -> Option<NonNull<u8>> {
        if state() == ON
            && let Some((writer, stack)) = known(local, release.caller)
        {
            let record = free(block, release, time_stamp::now());
            writer.put_known(record.with_stack(stack).with_thread(writer.thread()));
        } else {
            freeing_slow(local, copy(block), *release);
        }
        Some(block.address)
    }

    #[inline(always)]
    fn resizing(local: &Local, block: &Block<'_, Life>, _: &Request) -> bool {
        if state() == OTHERWISE {
            let is_traced = block
                .record
                .is_some_and(|life| life.asked(block.bytes).is_traced());
            local.begin_if_new();
            local.writer().set_resizes_traced(is_traced);
        }
        true
    }

    fn resized(local: &Local, block: &Block<'_, Life>, request: &Request) {
        if state() == OFF {
            return;
        }
        let caller = request.caller;
        let (was, generation) = match block.record {
            Some(life) => (life.asked(0), life.generation()),
            None => (Life::without(0), 0),
        };
        let mut asked = Asked::new(request.size, request.align);
        let is_left_out = is_filtered() && !was.is_traced();
        if is_left_out {
            asked = asked.untraced();
        }
        if let Some(life) = block.record {
            life.resize(asked);
        }
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
        let into = of_block(Kind::ResizeIn, block, asked, generation, caller, now)
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
        let is_left_out = || {
            let is_traced = |life: &Life| life.asked(block.bytes).is_traced();
            is_filtered() && !block.record.is_some_and(is_traced)
        };
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
        let asked = Asked::new(request.size, request.align);
        let caller = request.caller;
        let record = Record::new(Kind::Allocate, Api::Unknown, clock::now(), 0)
            .with_api_code(caller.api())
            .with_size(asked.size())
            .with_align_log2(asked.align_log2())
            .with_caller(caller.pc() as u64)
            .with_flags(Flags::FAILED);
        write_with_stack(local, record, caller);
    }

    #[inline(always)]
    fn event(local: &Local, event: Event<'_>) {
        if state() != OFF {
            happened(local, event);
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

    fn aborting(fault: Fault, address: *const u8, line: &[u8]) {
        if let Some(session) = session::get() {
            crash::leave(session, fault as i32, address as usize, line);
        }
    }

    #[inline(always)]
    fn span(_: Way) {}
}

/// Whether a filter leaves out some blocks. There is a plan.
fn is_filtered() -> bool {
    state() == OTHERWISE && session::plan().filter != Filter::NONE
}

/// Says a record on standard error, if all are said.
#[cold]
fn say_if_verbose(record: &Record) {
    if state() == OTHERWISE && session::plan().is_verbose {
        text::say(record);
    }
}

fn put_apart(session: &Session, record: Record) {
    let record = record.with_thread(thread::id());
    say_if_verbose(&record);
    session.apart.put(record);
}

/// A record about a block, but for its value, stack and thread.
#[inline(always)]
fn of_block(
    kind: Kind,
    block: &Block<'_, Life>,
    asked: Asked,
    generation: u32,
    caller: Caller,
    now: u64,
) -> Record {
    let address = block.address.as_ptr() as u64;
    Record::new(kind, Api::Unknown, now, address)
        .with_api_code(caller.api())
        .with_size(asked.size())
        .with_align_log2(asked.align_log2())
        .with_class(block.class as u8)
        .with_caller(caller.pc() as u64)
        .with_generation(generation)
}

/// The record of a block that is handed out, whose life begins.
#[inline(always)]
fn allocation(block: &Block<'_, Life>, request: &Request, now: u64) -> Record {
    let caller = request.caller;
    let (kind, value) = match caller.other() {
        0 => (Kind::Allocate, block.bytes),
        other => (Kind::ResizeIn, other),
    };
    let asked = Asked::new(request.size, request.align);
    let generation = block.record.map_or(0, |life| life.begin(asked));
    of_block(kind, block, asked, generation, caller, now).with_value(value as u64)
}

/// The record of a block that is given back.
#[inline(always)]
fn free(block: &Block<'_, Life>, release: &Release, now: u64) -> Record {
    let caller = release.caller;
    let kind = match caller.other() {
        0 if release.is_remote => Kind::RemoteFree,
        0 => Kind::Free,
        _ => Kind::ResizeOut,
    };
    let (asked, generation) = match block.record {
        Some(life) => (life.asked(block.bytes), life.generation()),
        None => (Life::without(block.bytes), 0),
    };
    let record = of_block(kind, block, asked, generation, caller, now);
    record.with_value(caller.other() as u64)
}

/// A block by value: a reference to one that is in registers would bring it into memory.
#[inline(always)]
fn copy<'a>(block: &Block<'a, Life>) -> Block<'a, Life> {
    Block { ..*block }
}

#[cold]
#[inline(never)]
fn allocated_slow(local: &Local, block: Block<'_, Life>, request: Request) {
    if state() == OFF {
        return;
    }
    let caller = request.caller;
    if is_filtered() {
        local.begin_if_new();
        let writer = local.writer();
        let is_traced = match caller.other() {
            0 => {
                let (thread, pc) = (writer.thread(), caller.pc());
                let filter = &session::plan().filter;
                filter.takes(request.size, block.class, thread, pc, writer.skip())
            }
            _ => writer.resizes_traced(),
        };
        if !is_traced {
            if let Some(life) = block.record {
                life.begin(Asked::new(request.size, request.align).untraced());
            }
            return;
        }
    }
    let record = allocation(&block, &request, clock::now());
    write_with_stack(local, record, caller);
}

#[cold]
#[inline(never)]
fn freeing_slow(local: &Local, block: Block<'_, Life>, release: Release) {
    if state() == OFF {
        return;
    }
    let is_traced = |life: &Life| life.asked(block.bytes).is_traced();
    if is_filtered() && !block.record.is_some_and(is_traced) {
        return;
    }
    let record = free(&block, &release, clock::now());
    write_with_stack(local, record, release.caller);
}

/// This thread's writer and the id of the call's stack, if it is at hand.
#[inline(always)]
fn known(local: &Local, caller: Caller) -> Option<(&Writer, u32)> {
    let writer = local.writer();
    // SAFETY: the call waits for us.
    let id = unsafe { writer.known.id(innermost(caller)) }?;
    Some((writer, id))
}

#[inline(always)]
fn innermost(caller: Caller) -> Innermost {
    Innermost {
        pc: caller.pc(),
        sp: caller.sp(),
        fp: caller.fp(),
    }
}

/// Writes a record, with the thread and the stack of the call.
#[cold]
#[inline(never)]
fn write_with_stack(local: &Local, record: Record, caller: Caller) {
    local.begin_if_new();
    let mut room: stack::Room = [const { MaybeUninit::uninit() }; stack::FRAMES];
    let frames = stack::capture_into(&local.stack, caller, &mut room);
    let writer = local.writer();
    let id = writer.stack_id(hash_of_frames(frames), || add_stack(frames));
    if id != STACK_NONE && state() == ON {
        // Of none but the caller nothing is read.
        let is_off = stack::mode() == stack::Mode::Off;
        let is_own = |address| is_off || local.stack.has(address);
        // SAFETY: the call waits for us; the own stack is mapped.
        unsafe { writer.known.keep(innermost(caller), frames, id, is_own) };
    }
    let record = record.with_stack(id);
    say_if_verbose(&record.with_thread(writer.thread()));
    local.write(record);
}

/// Puts a stack in the table; `None` if there is none to put it in.
#[cold]
#[inline(never)]
fn add_stack(frames: &[u64]) -> Option<u32> {
    let session = session::get()?;
    let id = session.stacks()?.insert(frames);
    for &frame in frames {
        modules::meet(frame as usize);
    }
    module_file::update(session);
    (id != STACK_NONE).then_some(id)
}

/// Records what happened to a thread's cache.
fn happened(local: &Local, event: Event<'_>) {
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
