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
//! `writer.rs` `shared_ring.rs` write records; `session.rs` `path.rs` have the files, `clock.rs`
//! the time, `life.rs` what is kept of each block.

mod clock;
mod life;
mod path;
mod session;
mod shared_ring;
mod writer;

use super::caller::Caller;
use super::modules;
use super::settings;
use super::stack;
use super::{Block, Event, Observer, Path as Way, Release, Request};
use crate::sys::file::{self, Refusal};
use crate::sys::memory;
use crate::sys::thread;
use crate::sys::time_stamp;
use core::cell::Cell;
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, Ordering};
use hakmem_trace_format::{
    Api, CLASS_LARGE, ClockKind, End, Flags, Kind, Mode, RING_HEADER_BYTES, Record, RingHeader,
    RingKind, STACK_NONE, Slot, Total, hash_of_frames,
};
use life::{Asked, Life};
use path::Path;
use session::Plan;
use writer::Writer;

/// What the hooks do. Written by the set-up, and once more when something cannot be had. Relaxed:
/// a thread that notices late records late.
static STATE: Aligned = Aligned(AtomicU8::new(OFF));
const OFF: u8 = 0;
/// Record all, with the time of the processor's counter.
const ON: u8 = 1;
/// As the slow paths say.
const OTHERWISE: u8 = 2;

/// Apart from what is written often.
#[repr(align(128))]
struct Aligned(AtomicU8);

/// Events not recorded since the last session. Relaxed: a sum.
static LOST: AtomicU64 = AtomicU64::new(0);

/// The newest of all [`Local`]s that have a writer. Pushed Release, read Acquire.
static LOCALS: AtomicPtr<Local> = AtomicPtr::new(ptr::null_mut());

/// Records.
pub(crate) struct Recorder;

/// What a thread cache has of it.
pub(crate) struct Local {
    /// Never null.
    writer: Cell<*const Writer>,
    stack: stack::Local,
    /// The ring that is mapped, for a child to cover: here, as the writer forgets.
    mapping: Cell<usize>,
    /// The [`Local`] pushed before this one.
    before: Cell<*const Local>,
}

impl Local {
    #[inline(always)]
    fn writer(&self) -> &Writer {
        // SAFETY: writers are never unmapped.
        unsafe { &*self.writer.get() }
    }

    /// All that have a writer.
    fn all() -> impl Iterator<Item = &'static Local> {
        // SAFETY: a local is part of a cache, which is never unmapped.
        let first = unsafe { LOCALS.load(Ordering::Acquire).as_ref() };
        // SAFETY: as above.
        core::iter::successors(first, |local| unsafe { local.before.get().as_ref() })
    }
}

#[inline(always)]
fn state() -> u8 {
    STATE.0.load(Ordering::Relaxed)
}

/// Stops, for want of what the line says.
#[cold]
fn give_up(what: &[u8], path: &[u8], refusal: Refusal) {
    if STATE.0.swap(OFF, Ordering::Relaxed) != OFF {
        session::complain(what, path, refusal);
    }
}

impl Observer for Recorder {
    type Local = Local;
    const NEW: Local = Local {
        writer: Cell::new(Writer::NONE),
        stack: stack::Local::NEW,
        mapping: Cell::new(0),
        before: Cell::new(ptr::null()),
    };
    type Record = Life;
    type Span = ();

    fn set_up() -> bool {
        let Some(plan) = read_plan() else {
            return false;
        };
        stack::set_up();
        modules::set_up();
        clock::choose();
        if !session::set_up(plan) {
            return false;
        }
        let state = match clock::kind() {
            ClockKind::Tsc => ON,
            _ => OTHERWISE,
        };
        STATE.0.store(state, Ordering::Relaxed);
        session().is_some()
    }

    fn exits() {
        let Some(session) = session::get() else {
            return;
        };
        let mut events = 0;
        for local in Local::all() {
            let writer = local.writer();
            events += writer.next_seq() - 1;
            if let Some(file) = writer.file.get() {
                // SAFETY: the mapped file of a ring.
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
        if let Some(page) = session.page() {
            page.set_total(Total::Events, events);
            clock::add_point(page);
            page.set_end(End::Exited, 0, clock::now());
        }
    }

    fn forked() {
        session::forget();
        for local in Local::all() {
            local.writer().wipe();
        }
    }

    fn began(local: &Local, _adopted: bool) {
        local.stack.began();
        if state() != OFF {
            begin(local);
        }
    }

    fn ended(local: &Local) {
        end(local);
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
        allocated_slow(local, copy(block), *request);
    }

    #[inline(always)]
    fn freeing(local: &Local, block: &Block<'_, Life>, release: &Release) -> Option<NonNull<u8>> {
        let state = state();
        if state == OFF {
            return Some(block.address);
        }
        if state == ON
            && let Some((writer, stack)) = known(local, release.caller)
        {
            let record = free(block, release, time_stamp::now());
            writer.put_known(record.with_stack(stack).with_thread(writer.thread()));
        } else {
            freeing_slow(local, copy(block), *release);
        }
        Some(block.address)
    }

    fn resized(local: &Local, block: &Block<'_, Life>, request: &Request) {
        if state() == OFF {
            return;
        }
        let caller = request.caller;
        let (old, new) = (caller.other() as u64, block.address.as_ptr() as u64);
        let was = block
            .record
            .map_or_else(|| Life::without(0), |life| life.asked(0));
        let generation = block.record.map_or(0, Life::generation);
        let asked = Asked::new(request.size, request.align);
        if let Some(life) = block.record {
            life.resize(asked);
        }
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
        let Some(session) = session_if_on() else {
            return;
        };
        let record = allocation(block, request, clock::now());
        session.apart.put(record.with_thread(thread::id()));
    }

    fn freeing_apart(block: &Block<'_, Life>, release: &Release) {
        if let Some(session) = session_if_on() {
            let record = free(block, release, clock::now());
            session.apart.put(record.with_thread(thread::id()));
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
        session.rare.put_with_text(record, text);
    }

    #[inline(always)]
    fn span(_: Way) {}
}

/// What the variables ask for; `None` if nothing is to be recorded.
fn read_plan() -> Option<Plan> {
    let named = settings::text("HAKMEM_TRACE_DIR").filter(|path| !path.is_empty());
    if named.is_none() && !settings::is_on("HAKMEM_TRACE_ALLOCATIONS") {
        return None;
    }
    let mut template = Path::EMPTY;
    let directory = named.unwrap_or(b"hakmem-trace.%p");
    if !directory.starts_with(b"/") {
        let mut buffer = [0; 1024];
        if let Some(length) = file::working_directory(&mut buffer) {
            template.push(&buffer[..length]);
            template.push(b"/");
        }
    }
    template.push(directory);
    let kilobytes = settings::count("HAKMEM_TRACE_RING_KB").max(1);
    let slots = u64::from(kilobytes) * 1024 / size_of::<Slot>() as u64;
    Some(Plan {
        template: Some(template),
        mode: Mode::Ring,
        ring_slots: slots.next_power_of_two(),
        stacks_bytes: u64::from(settings::count("HAKMEM_TRACE_STACKS_MB").max(1)) << 20,
        full_bytes: 0,
    })
}

/// The session, made if there is none and something is to be recorded.
fn session() -> Option<&'static session::Session> {
    match session::get_or_make()? {
        Ok(session) => Some(session),
        Err(refusal) => {
            let directory = match &session::plan().template {
                Some(path) => path.bytes(),
                None => b"memory",
            };
            give_up(b"cannot make a session in ", directory, refusal);
            None
        }
    }
}

fn session_if_on() -> Option<&'static session::Session> {
    (state() != OFF).then(session)?
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
    let record = allocation(&block, &request, clock::now());
    write_with_stack(local, record, request.caller);
}

#[cold]
#[inline(never)]
fn freeing_slow(local: &Local, block: Block<'_, Life>, release: Release) {
    let record = free(&block, &release, clock::now());
    write_with_stack(local, record, release.caller);
}

/// This thread's writer and the id of the call's stack, if it is at hand.
#[inline(always)]
fn known(local: &Local, caller: Caller) -> Option<(&Writer, u32)> {
    let mut room: stack::Room = [const { MaybeUninit::uninit() }; stack::FRAMES];
    let hash = hash_of_frames(stack::capture_into(&local.stack, caller, &mut room));
    let writer = local.writer();
    match writer.known(hash) {
        0 => None,
        id => Some((writer, id)),
    }
}

/// Writes a record, with the thread and the stack of the call.
#[cold]
#[inline(never)]
fn write_with_stack(local: &Local, record: Record, caller: Caller) {
    if !local.writer().has_ring() {
        begin(local);
    }
    let mut room: stack::Room = [const { MaybeUninit::uninit() }; stack::FRAMES];
    let frames = stack::capture_into(&local.stack, caller, &mut room);
    let id = local
        .writer()
        .stack_id(hash_of_frames(frames), || add_stack(frames));
    write(local, record.with_stack(id));
}

/// Puts a stack in the table; `None` if there is none to put it in.
#[cold]
#[inline(never)]
fn add_stack(frames: &[u64]) -> Option<u32> {
    let stacks = session::get()?.stacks()?;
    let id = stacks.insert(frames);
    (id != STACK_NONE).then_some(id)
}

#[inline(always)]
fn write(local: &Local, record: Record) {
    let writer = local.writer();
    if !writer.put(record.with_thread(writer.thread())) {
        write_slow(local, record);
    }
}

/// A thread's first record, or one of a child that was forked.
#[cold]
#[inline(never)]
fn write_slow(local: &Local, record: Record) {
    begin(local);
    let writer = local.writer();
    if !writer.put(record.with_thread(writer.thread())) && state() != OFF {
        lose(1);
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

/// Gives this thread a ring to write to, if it has none, and notes that it is this thread's.
#[cold]
fn begin(local: &Local) {
    if local.writer.get() == Writer::NONE {
        let Some(writer) = Writer::make() else {
            return give_up(b"cannot make a ring", b"", Refusal::NO_MEMORY);
        };
        local.writer.set(writer);
        push(local);
    }
    let writer = local.writer();
    // A signal handler may come in the middle.
    if writer.is_making.replace(true) {
        return;
    }
    if let Some(session) = session_if_on() {
        let tid = thread::id();
        if !writer.has_ring() {
            make_ring(local, writer, session);
        }
        if let Some(file) = writer.file.get() {
            writer.set_thread(tid);
            let now = clock::now();
            // SAFETY: the mapped file of a ring.
            unsafe {
                RingHeader::set_owner(file, tid, writer.next_seq(), now, &thread::name());
            }
            session.add(Total::Threads, 1);
            let lost = LOST.swap(0, Ordering::Relaxed);
            if lost > 0 {
                session.add(Total::Lost, lost);
            }
            session.rare.put(
                Record::new(Kind::ThreadBegan, Api::Internal, now, 0)
                    .with_value(u64::from(writer.next_seq() > 1))
                    .with_thread(tid),
            );
        }
    }
    writer.is_making.set(false);
}

fn make_ring(local: &Local, writer: &Writer, session: &session::Session) {
    let slots = session::plan().ring_slots;
    let bytes = RingHeader::file_bytes(slots) as usize;
    let old = local.mapping.replace(0);
    if old != 0 {
        // SAFETY: the parent's ring, which this process does not use.
        unsafe { memory::cover(old, bytes) };
    }
    let number = session.number_a_ring();
    match session.make_ring(RingKind::Ring, number, slots) {
        Ok(file) => {
            local.mapping.set(file.as_ptr() as usize);
            writer.ring.set(number);
            writer.file.set(Some(file));
            // SAFETY: the slots lie behind the header, and are never unmapped.
            unsafe { writer.set_ring(file.as_ptr().add(RING_HEADER_BYTES).cast(), slots) };
        }
        Err(refusal) => give_up(
            b"cannot make a ring in ",
            session.directory().bytes(),
            refusal,
        ),
    }
}

fn push(local: &Local) {
    let new = ptr::from_ref(local).cast_mut();
    let mut head = LOCALS.load(Ordering::Relaxed);
    loop {
        local.before.set(head);
        match LOCALS.compare_exchange_weak(head, new, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => return,
            Err(now) => head = now,
        }
    }
}

/// Notes that this thread writes no more.
fn end(local: &Local) {
    let writer = local.writer();
    let (Some(file), Some(session)) = (writer.file.get(), session::get()) else {
        return;
    };
    // SAFETY: the mapped file of a ring.
    unsafe { RingHeader::set_idle(file, writer.next_seq()) };
    let record = Record::new(Kind::ThreadEnded, Api::Internal, clock::now(), 0);
    session.rare.put(record.with_thread(writer.thread()));
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
    match event {
        Event::Refilled { class, blocks } => write(local, of_class(Kind::Refill, class, blocks)),
        Event::Drained { class, blocks } => write(local, of_class(Kind::Drain, class, blocks)),
        Event::Collected { slab, blocks } => {
            write(local, record(Kind::Collect, slab).with_value(blocks as u64))
        }
        Event::SlabOpened { start, class } => slab(local, record(Kind::SlabOpened, start), class),
        Event::SlabClosed { start, class } => slab(local, record(Kind::SlabClosed, start), class),
        _ => return,
    }
    if clock::is_due(now)
        && let Some(page) = session::get().and_then(session::Session::page)
    {
        clock::add_point(page);
    }
}

fn slab(local: &Local, record: Record, class: usize) {
    let size_class = crate::size_class::SizeClass::from_index(class);
    if let Some(session) = session_if_on() {
        let bytes = size_class.slots() * crate::size_class::SLOT_BYTES;
        session.slabs.put(
            record
                .with_class(class as u8)
                .with_size(bytes as u64)
                .with_value(size_class.bytes() as u64)
                .with_thread(local.writer().thread()),
        );
    }
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
