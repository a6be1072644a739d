//! What a thread cache has of the recorder: the thread's writer, and its ring.
//!
//! 1. A writer is made once and stays with the cache, whose owner uses it; so a ring goes from a
//!    thread that has ended to one that begins, and there are as many as there were threads at a
//!    time.
//! 2. In a forked child the writer is without a ring until the thread records; `mapping` says
//!    what the parent had mapped, whose place memory of the child alone takes then.

use super::clock;
use super::crash;
use super::session::{self, Session};
use super::state::{complain, lost, session_if_on};
use super::writer::Writer;
use crate::observe::stack;
use crate::sys::fatal_signal;
use crate::sys::file::Refusal;
use crate::sys::memory;
use crate::sys::process;
use crate::sys::thread;
use core::cell::Cell;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use hakmem_trace_format::{
    Api, Kind, Mode, RING_HEADER_BYTES, Record, RingHeader, RingKind, Total,
};

/// See the head of this file.
pub(crate) struct Local {
    /// Never null.
    writer: Cell<*const Writer>,
    pub(super) stack: stack::Local,
    /// The address and the bytes of the ring, or the segment, that is mapped.
    mapping: Cell<(usize, usize)>,
    /// The process in which the thread is in the middle of [`Local::begin`]; 0 if it is not.
    beginning: Cell<u32>,
    /// A stack for signal handlers; 0 if there is none.
    signal_stack: Cell<usize>,
    /// The [`Local`] pushed before this one.
    before: Cell<*const Local>,
}

/// The newest of all that have a writer. Pushed Release, read Acquire.
static NEWEST: AtomicPtr<Local> = AtomicPtr::new(ptr::null_mut());

impl Local {
    #[expect(
        clippy::declare_interior_mutable_const,
        reason = "each thread has a copy"
    )]
    pub(super) const NEW: Local = Local {
        writer: Cell::new(Writer::NONE),
        stack: stack::Local::NEW,
        mapping: Cell::new((0, 0)),
        beginning: Cell::new(0),
        signal_stack: Cell::new(0),
        before: Cell::new(ptr::null()),
    };

    #[inline(always)]
    pub(super) fn writer(&self) -> &Writer {
        // SAFETY: writers are never unmapped.
        unsafe { &*self.writer.get() }
    }

    /// All that have a writer.
    pub(super) fn all() -> impl Iterator<Item = &'static Local> {
        // SAFETY: a local is part of a cache, which is never unmapped.
        let first = unsafe { NEWEST.load(Ordering::Acquire).as_ref() };
        // SAFETY: as above.
        core::iter::successors(first, |local| unsafe { local.before.get().as_ref() })
    }

    fn push(&self) {
        let new = ptr::from_ref(self).cast_mut();
        let mut head = NEWEST.load(Ordering::Relaxed);
        loop {
            self.before.set(head);
            match NEWEST.compare_exchange_weak(head, new, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Writes a record of this thread's.
    #[inline(always)]
    pub(super) fn write(&self, record: Record) {
        let writer = self.writer();
        if !writer.put(record.with_thread(writer.thread())) {
            self.write_slow(record);
        }
    }

    /// Of a thread without a ring: it has none yet, or writes to segments.
    #[cold]
    #[inline(never)]
    fn write_slow(&self, record: Record) {
        let Some(session) = session_if_on() else {
            return;
        };
        self.begin_if_new();
        let writer = self.writer();
        let record = record.with_thread(writer.thread());
        if session::plan().mode == Mode::Full && writer.file.get().is_some() && !writer.has_ring() {
            writer.put_in_segments(self, session, record);
        } else if !writer.put(record) {
            // A signal handler has come while the ring is made.
            session.apart.put(record.with_thread(thread::id()));
        }
    }

    /// Sees to it that this thread can write, if nothing is in the way.
    pub(super) fn begin_if_new(&self) {
        if self.writer().file.get().is_none() {
            self.begin();
        }
    }

    /// Gives this thread a ring to write to, if it has none, and notes that it is this thread's.
    /// Does nothing in a signal handler that comes in the middle.
    #[cold]
    pub(super) fn begin(&self) {
        let process = process::id();
        // A child that was forked in the middle begins anew.
        if self.beginning.replace(process) == process {
            return;
        }
        if self.writer.get() == Writer::NONE
            && let Some(writer) = Writer::make()
        {
            self.writer.set(writer);
            self.push();
        }
        if self.writer.get() == Writer::NONE {
            complain(b"cannot make a ring", b"", Refusal::NO_MEMORY);
        } else if let Some(session) = session_if_on() {
            self.begin_in(session);
        }
        self.beginning.set(0);
    }

    fn begin_in(&self, session: &Session) {
        let writer = self.writer();
        let thread = thread::id();
        let is_first = writer.file.get().is_none();
        if !is_first && writer.thread() == thread {
            // The thread's first allocation came before its cache said that it begins.
            return;
        }
        // Another thread, another stack.
        writer.known.forget();
        writer.set_thread(thread);
        if is_first {
            self.cover();
            writer.ring.set(session.number_a_ring());
            let made = match session::plan().mode {
                Mode::Full => writer.begin_segments(self, session),
                _ => self.make_ring(session),
            };
            if let Err(refusal) = made {
                let directory = session.directory().bytes();
                return complain(b"cannot make a ring in ", directory, refusal);
            }
        }
        self.note_owner();
        self.use_signal_stack();
        session.add(Total::Threads, 1);
        session.add(Total::Lost, lost());
        session.rare.put(
            Record::new(Kind::ThreadBegan, Api::Internal, clock::now(), 0)
                .with_value(u64::from(!is_first))
                .with_thread(thread),
        );
    }

    /// Notes in the file that is written to whose it is.
    pub(super) fn note_owner(&self) {
        let writer = self.writer();
        if let Some(file) = writer.file.get() {
            let (next, now) = (writer.next_seq(), clock::now());
            // SAFETY: the mapped file of a ring or segment.
            unsafe { RingHeader::set_owner(file, writer.thread(), next, now, &thread::name()) };
        }
    }

    /// Memory of this process alone takes the place of what its parent had mapped.
    fn cover(&self) {
        let (address, bytes) = self.mapping.replace((0, 0));
        if address != 0 {
            // SAFETY: the parent's, which this process does not use.
            unsafe { memory::cover(address, bytes) };
        }
    }

    /// Notes what a child has to cover.
    pub(super) fn set_mapping(&self, address: usize, bytes: u64) {
        self.mapping.set((address, bytes as usize));
    }

    /// Makes a ring for this thread.
    pub(super) fn make_ring(&self, session: &Session) -> Result<(), Refusal> {
        let writer = self.writer();
        let slots = session::plan().ring_slots;
        let file = session.make_ring(RingKind::Ring, writer.ring.get(), slots)?;
        self.set_mapping(file.as_ptr() as usize, RingHeader::file_bytes(slots));
        writer.file.set(Some(file));
        // SAFETY: the slots lie behind the header, and are never unmapped.
        unsafe { writer.set_ring(file.as_ptr().add(RING_HEADER_BYTES).cast(), slots) };
        Ok(())
    }

    fn use_signal_stack(&self) {
        if !crash::is_set_up() {
            return;
        }
        if self.signal_stack.get() == 0 {
            self.signal_stack
                .set(fatal_signal::make_stack().unwrap_or(0));
        }
        if self.signal_stack.get() != 0 {
            fatal_signal::use_stack(self.signal_stack.get());
        }
    }

    /// This thread writes no more: it ends.
    pub(super) fn end(&self) {
        if self.signal_stack.get() != 0 {
            fatal_signal::leave_stack(self.signal_stack.get());
        }
        let writer = self.writer();
        let (Some(file), Some(session)) = (writer.file.get(), session::get()) else {
            return;
        };
        // SAFETY: the mapped file of a ring or segment.
        unsafe { RingHeader::set_idle(file, writer.next_seq()) };
        let record = Record::new(Kind::ThreadEnded, Api::Internal, clock::now(), 0);
        session.rare.put(record.with_thread(writer.thread()));
        // What others do with the cache from here on is not this thread's doing.
        writer.set_thread(0);
    }
}
