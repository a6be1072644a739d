//! The stacks of allocations and frees, each kept once, by number.
//!
//! The table is that of the trace format, in memory of the process alone. Stacks are walked by
//! unwind tables, if `HAKMEM_STACKS` does not say otherwise: programs are seldom built with frame
//! pointers. One that a thread has been called from lately is known ([`PlacedStacks`]), and is not
//! walked again.
//!
//! [`PlacedStacks`]: super::placed_stacks::PlacedStacks

use super::placed_stacks;
use super::thread::Thread;
use crate::observe::api::Api;
use crate::observe::caller::Caller;
use crate::observe::{modules, own_memory, settings, stack};
use crate::sys::memory::PAGE;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use hakmem_trace_format::{STACK_FULL, STACK_NONE, StackTable, hash_of_frames};

/// Places in the table's index, and words in its log: memory that is used as it fills.
const INDEX: u64 = 1 << 17;
const WORDS: u64 = 4 << 20;

struct Table(UnsafeCell<MaybeUninit<StackTable>>);

// SAFETY: written by `set_up`, before `IS_THERE` is released; read after.
unsafe impl Sync for Table {}

static TABLE: Table = Table(UnsafeCell::new(MaybeUninit::uninit()));
/// Released when the table is there; read Acquire.
static IS_THERE: AtomicBool = AtomicBool::new(false);
/// Where the table is, for a reader of a core file; 0 before it is there.
static ADDRESS: AtomicUsize = AtomicUsize::new(0);

/// Stacks are walked by unwind tables. Written by the set-up; Relaxed.
static BY_TABLES: AtomicBool = AtomicBool::new(false);

/// Return addresses that are kept of a stack, and of one of C's `free`. As above.
static DEPTH: AtomicUsize = AtomicUsize::new(USUAL);
static DEPTH_OF_FREE: AtomicUsize = AtomicUsize::new(USUAL_OF_FREE);
/// As many if `HAKMEM_STACK_DEPTH` does not say otherwise: deep recursion has many stacks, and a
/// walk costs by its length.
const USUAL: usize = 8;
/// In C half of them say who has freed: no frames of a library's destructors are in between. Programs
/// have the fewer stacks to be walked and looked up.
const USUAL_OF_FREE: usize = 4;

/// Makes the table, once; without memory for it blocks have no stacks.
pub(super) fn set_up() {
    let by_tables = settings::text("HAKMEM_STACKS").is_none_or(|way| way == b"table");
    BY_TABLES.store(by_tables, Ordering::Relaxed);
    if settings::text("HAKMEM_STACK_DEPTH").is_some() {
        DEPTH.store(stack::FRAMES, Ordering::Relaxed);
        DEPTH_OF_FREE.store(stack::FRAMES, Ordering::Relaxed);
    }
    let bytes = StackTable::file_bytes(INDEX, WORDS) as usize;
    let Some(address) = own_memory::map(bytes.next_multiple_of(PAGE)) else {
        return;
    };
    let Some(memory) = NonNull::new(address as *mut u8) else {
        return;
    };
    // SAFETY: mapped just now, zero, and for good.
    if let Some(table) = unsafe { StackTable::create(memory, [0; 2], INDEX, WORDS) } {
        // SAFETY: nobody reads it before `IS_THERE` is set.
        unsafe { (*TABLE.0.get()).write(table) };
        ADDRESS.store(address, Ordering::Relaxed);
        IS_THERE.store(true, Ordering::Release);
    }
}

/// The address of the word that has the table's address.
pub(super) fn word_address() -> usize {
    &raw const ADDRESS as usize
}

fn table() -> Option<&'static StackTable> {
    // SAFETY: written before it was there, and not any more.
    IS_THERE
        .load(Ordering::Acquire)
        .then(|| unsafe { (*TABLE.0.get()).assume_init_ref() })
}

/// The number of the stack of a call that waits for us; 0 if there is none.
#[inline(always)]
pub(super) fn id(thread: &Thread, caller: Caller) -> u32 {
    match thread.known.id(caller) {
        Some(id) => id,
        None => id_slow(thread, caller.copy()),
    }
}

#[cold]
#[inline(never)]
fn id_slow(thread: &Thread, caller: Caller) -> u32 {
    let Some(table) = table() else {
        return STACK_NONE;
    };
    let mut room: stack::Room = [const { MaybeUninit::uninit() }; stack::FRAMES];
    let mut places = Places::new();
    let by_tables = BY_TABLES.load(Ordering::Relaxed);
    let frames = if by_tables {
        let most = depth(caller).load(Ordering::Relaxed);
        let each = |end, by_fp| places.add(end, by_fp);
        stack::capture_by_tables(&thread.stack, &thread.rules, caller, &mut room, most, each)
    } else {
        stack::capture_into(&thread.stack, caller, &mut room)
    };
    let hash = hash_of_frames(frames);
    let id = match thread.ids.known(hash) {
        STACK_NONE => add(table, frames),
        known => known,
    };
    if id == STACK_NONE {
        return STACK_NONE;
    }
    thread.ids.keep(hash, id);
    let is_own = |address: &usize| thread.stack.has(address.wrapping_sub(1));
    // Along frame pointers nothing is known of a function that keeps none.
    if by_tables
        && thread.known.wants(caller, hash)
        && let Some(ends) = places.ends.get(..places.count)
        && is_own(&caller.sp())
        && ends.iter().all(is_own)
    {
        // SAFETY: the call waits; the own stack is mapped.
        unsafe {
            thread
                .known
                .keep(caller, frames, ends, places.depend_on_fp, id)
        };
    }
    id
}

/// How many return addresses are kept of the stack of such a call.
fn depth(caller: Caller) -> &'static AtomicUsize {
    if Api::is_free(caller.api()) {
        &DEPTH_OF_FREE
    } else {
        &DEPTH
    }
}

/// Where the return addresses of a stack stand: the ends of their words, as far as there is room.
struct Places {
    ends: [usize; placed_stacks::MOST],
    count: usize,
    /// A frame pointer was asked for one of them.
    depend_on_fp: bool,
}

impl Places {
    fn new() -> Places {
        Places {
            ends: [0; placed_stacks::MOST],
            count: 0,
            depend_on_fp: false,
        }
    }

    #[inline(always)]
    fn add(&mut self, end: usize, by_fp: bool) {
        self.depend_on_fp |= by_fp;
        if let Some(place) = self.ends.get_mut(self.count) {
            *place = end;
        }
        self.count += 1;
    }
}

/// The number of a stack in the table, where it is put if it is new.
#[inline(never)]
fn add(table: &StackTable, frames: &[u64]) -> u32 {
    let (id, is_new) = table.insert_new(frames);
    if id == STACK_FULL {
        return STACK_NONE;
    }
    if is_new {
        modules::meet_stack(frames);
    }
    id
}

/// The return addresses of a stack by its number, the innermost first; as many as there are.
pub(super) fn frames(id: u32, frames: &mut [u64; stack::FRAMES]) -> &[u64] {
    let count = table().map_or(0, |table| table.frames(id, frames));
    &frames[..count]
}
