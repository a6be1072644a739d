//! The processor's watchpoints: four for each thread, on the same words in all of them.
//!
//! ```text
//! register 0..3 ──► word, who watches it ──► an event on each thread that was there
//!                                            (threads that these begin inherit it)
//! ```
//!
//! 1. All of it is changed by the thread alone that has the guards' turn.

use crate::metadata;
use crate::sys::breakpoint::{Breakpoint, REGISTERS, Refusal};
use crate::sys::contents::File;
use core::cell::Cell;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

/// Threads of a process whose registers are used.
const THREADS: usize = 1024;

/// Events of one register.
struct Events {
    count: Cell<usize>,
    threads: [Cell<u32>; THREADS],
    breakpoints: [Cell<Option<Breakpoint>>; THREADS],
}

/// One for each register, zeroed memory to begin with: set once. Released, read Acquire.
static EVENTS: AtomicPtr<Events> = AtomicPtr::new(core::ptr::null_mut());
/// The watched word of each register; 0 for none. Relaxed: written by who has the turn, and who
/// only counts them may be late.
static WORDS: [AtomicUsize; REGISTERS] = [const { AtomicUsize::new(0) }; REGISTERS];
/// There were more threads than [`THREADS`]. Relaxed: it is only told.
static TOO_MANY: AtomicBool = AtomicBool::new(false);

fn events(register: usize) -> Option<&'static Events> {
    let mut table = EVENTS.load(Ordering::Acquire);
    if table.is_null() {
        let memory = metadata::allocate(REGISTERS * size_of::<Events>())?;
        table = memory.as_ptr().cast();
        for register in 0..REGISTERS {
            // SAFETY: memory for so many, aligned, that nobody else knows.
            unsafe {
                let events = table.add(register);
                (&raw mut (*events).count).write(Cell::new(0));
                for thread in 0..THREADS {
                    (&raw mut (*events).threads[thread]).write(Cell::new(0));
                    (&raw mut (*events).breakpoints[thread]).write(Cell::new(None));
                }
            }
        }
        EVENTS.store(table, Ordering::Release);
    }
    // SAFETY: the table has one for each register, initialised above, and is never unmapped;
    // its cells are used by one thread at a time.
    Some(unsafe { &*table.add(register) })
}

/// How many registers watch nothing.
pub(super) fn free() -> usize {
    let is_free = |word: &&AtomicUsize| word.load(Ordering::Relaxed) == 0;
    WORDS.iter().filter(is_free).count()
}

/// Whether some threads are not watched, for there are too many. Says so once.
pub(super) fn overflows() -> bool {
    TOO_MANY.swap(false, Ordering::Relaxed)
}

/// Watches a word in all threads: which register does. `data` comes with each signal.
pub(super) fn watch(word: usize, data: u64) -> Result<usize, Refusal> {
    let unused = |at: &usize| WORDS[*at].load(Ordering::Relaxed) == 0;
    let register = (0..REGISTERS).find(unused).ok_or(Refusal::Full)?;
    let events = events(register).ok_or(Refusal::Files)?;
    WORDS[register].store(word, Ordering::Relaxed);
    let mut refused = None;
    let list = File::open(c"/proc/self/task");
    // A thread that is begun between the list and the event on who begins it is in the next list.
    for _ in 0..4 {
        let mut threads = 0;
        for_each_thread(list.as_ref(), |thread| {
            threads += 1;
            if !events.has(thread) {
                match Breakpoint::open(word, thread, data) {
                    Ok(breakpoint) => events.add(thread, breakpoint),
                    Err(Refusal::NoThread) => {}
                    Err(why) => refused = Some(why),
                }
            }
        });
        let now = list.as_ref().and_then(File::directories);
        if now.is_none_or(|now| now <= threads) {
            break;
        }
    }
    match refused {
        Some(why) if events.count.get() == 0 => {
            WORDS[register].store(0, Ordering::Relaxed);
            Err(why)
        }
        _ if events.count.get() == 0 => {
            WORDS[register].store(0, Ordering::Relaxed);
            Err(Refusal::Forbidden(0))
        }
        _ => Ok(register),
    }
}

impl Events {
    fn has(&self, thread: u32) -> bool {
        let known = self.threads[..self.count.get()].iter();
        known.map(Cell::get).any(|known| known == thread)
    }

    fn add(&self, thread: u32, breakpoint: Breakpoint) {
        let count = self.count.get();
        if count == THREADS {
            TOO_MANY.store(true, Ordering::Relaxed);
            return breakpoint.close();
        }
        self.threads[count].set(thread);
        self.breakpoints[count].set(Some(breakpoint));
        self.count.set(count + 1);
    }

    fn each(&self, each: fn(Breakpoint)) {
        for breakpoint in &self.breakpoints[..self.count.replace(0)] {
            if let Some(breakpoint) = breakpoint.take() {
                each(breakpoint);
            }
        }
    }
}

/// Ends what a register watches.
pub(super) fn release(register: usize) {
    if let Some(events) = events(register) {
        events.each(Breakpoint::close);
    }
    WORDS[register].store(0, Ordering::Relaxed);
}

/// As [`release`] in a fork's child: the events are the parent's.
pub(super) fn forget(register: usize) {
    if let Some(events) = events(register) {
        events.each(Breakpoint::forget);
    }
    WORDS[register].store(0, Ordering::Relaxed);
}

/// Calls `each` with the kernel's number of every thread of the process.
fn for_each_thread(list: Option<&File>, mut each: impl FnMut(u32)) {
    let Some(list) = list else {
        return each(crate::sys::thread::id());
    };
    list.rewind();
    list.for_each_name(|name| {
        let digit = |number: u32, byte: &u8| {
            let digit = char::from(*byte).to_digit(10)?;
            number.checked_mul(10)?.checked_add(digit)
        };
        if let Some(thread) = name.iter().try_fold(0, digit) {
            each(thread);
        }
    });
}
