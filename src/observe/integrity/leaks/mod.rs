//! Leaks: live blocks that the program cannot reach any more.
//!
//! ```text
//! roots: variables, thread-local storage, stacks in use, registers, other mappings
//!    │ a pointer to a block's start          │ a pointer into a block
//!    ▼                                       ▼
//!  reachable ──► what its words point to    possibly lost ──► what its words point to
//!
//!  neither: lost. Those that nothing points to are told, with what only they point to.
//! ```
//!
//! 1. What may be a pointer is one: an aligned word with an address in a live block. So a leak can
//!    hide behind a number, and nothing that the program can reach is called lost, unless it hides its
//!    pointers: in tagged, compressed, or unaligned words.
//! 2. The other threads are stopped meanwhile. If one could not be, all is done twice, and lost is
//!    what both found lost.
//! 3. Memory that is looked at is read by the kernel: it may vanish. What the scan needs itself is
//!    mapped for it.

mod blocks;
pub(super) mod mappings;
mod marks;
mod room;
mod roots;
mod suppressions;
mod tell;
mod threads;
mod unused_stack;
mod words;

use super::policy::{self, Level, OnError};
use super::report;
use crate::observe::report::Line;
use crate::observe::settings;
use crate::sys::halt;
use crate::sys::process;
use crate::sys::stderr;
use blocks::{Blocks, Mark};
use core::ffi::c_void;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use marks::Marks;
use threads::Threads;
use words::Words;

/// What the process ends with when blocks leaked and nothing else was found.
const STATUS: i32 = 23;

/// Whether it is looked for leaks at exit. Relaxed: written at the set-up.
static AT_EXIT: AtomicBool = AtomicBool::new(false);
/// Leaks that were told. Relaxed: a count.
static TOLD: AtomicU32 = AtomicU32::new(0);
/// A scan is under way.
static BUSY: AtomicBool = AtomicBool::new(false);

/// Reads the variables.
pub(super) fn set_up(level: Level) {
    const NAME: &str = "HAKMEM_LEAKS";
    let wanted = settings::count(NAME) != 0;
    if wanted && level == Level::Off {
        Line::new()
            .text(b"HAKMEM_LEAKS=1 finds nothing with HAKMEM_INTEGRITY_CHECKS=0: set that to light or 1")
            .write();
        return;
    }
    if wanted {
        // Some programs close it before they end.
        stderr::keep();
    }
    AT_EXIT.store(wanted, Ordering::Relaxed);
    suppressions::set_up();
}

/// The program ends; does not come back if that is to be seen by its status.
pub(super) fn at_exit() {
    if !AT_EXIT.load(Ordering::Relaxed) {
        return;
    }
    let others = report::count() - TOLD.load(Ordering::Relaxed);
    let (sp, registers) = process::program_stack();
    if look(b"the leak scan at exit", sp, &registers) == 0 || others > 0 {
        return;
    }
    match policy::on_error() {
        OnError::Continue => {}
        OnError::Stop => {
            process::stop();
            process::exit(STATUS)
        }
        OnError::Abort => process::exit(STATUS),
    }
}

/// The program asks: how many blocks nothing points to.
#[inline(always)]
pub(super) fn on_demand() -> usize {
    extern "C" fn run(blocks: *mut c_void, sp: usize) {
        let found = look(b"a leak scan that the program asked for", sp, &[]);
        // SAFETY: `on_demand` passes it, and waits.
        unsafe { *blocks.cast::<usize>() = found };
    }
    let mut blocks = 0usize;
    // SAFETY: `run` takes a number.
    unsafe { halt::with_registers((&raw mut blocks).cast(), run) };
    blocks
}

/// In a fork's child.
pub(super) fn forked() {
    threads::forked();
    TOLD.store(0, Ordering::Relaxed);
    BUSY.store(false, Ordering::Release);
}

/// Looks, tells, and says how many blocks nothing points to. What the program has of this thread's
/// stack begins at `sp`; `registers` are its as well.
#[inline(never)]
fn look(when: &'static [u8], sp: usize, registers: &[usize]) -> usize {
    if BUSY.swap(true, Ordering::Acquire) {
        return 0;
    }
    let sums = lost(sp, registers).and_then(|mut blocks| tell::tell(&mut blocks, when));
    if sums.is_none() {
        Line::new()
            .text(b"leaks: unknown, for the system has no memory for the scan, or does not show /proc/self/maps")
            .write();
    }
    let (blocks, told) = sums.map_or((0, 0), |sums| (sums.blocks, sums.told));
    TOLD.fetch_add(told, Ordering::Relaxed);
    BUSY.store(false, Ordering::Release);
    blocks
}

/// All blocks, with those that nothing leads to grouped; the stack is in use from `sp` up.
fn lost(sp: usize, registers: &[usize]) -> Option<Blocks> {
    let mut words = Words::new()?;
    let (mut marks, runs_on) = marked(&mut words, sp, registers)?;
    if runs_on {
        // A pointer may have moved from where it was not looked yet to where it was.
        let (again, _) = marked(&mut words, sp, registers)?;
        marks = both(marks, again)?;
    }
    marks.group(&mut words)?;
    Some(marks.into_blocks())
}

/// Marks what can be reached; also says whether threads went on meanwhile.
fn marked(words: &mut Words, sp: usize, registers: &[usize]) -> Option<(Marks, bool)> {
    let threads = Threads::stop(sp, registers)?;
    words.forget();
    let mut marks = Marks::new(Blocks::collect()?)?;
    if !roots::mark(&mut marks, words, &threads) {
        return None;
    }
    marks.follow(words);
    marks.follow_inside(words);
    Some((marks, threads.runs_on))
}

/// The newer of two, in which a block is reachable that was so in the older one, or is new.
fn both(older: Marks, newer: Marks) -> Option<Marks> {
    let mut older = older.into_blocks();
    let mut newer = newer.into_blocks();
    for block in newer.all() {
        let before = older.at(block.start).map(|number| older.all()[number]);
        if !before.is_some_and(|before| before.is(block) && before.mark == Mark::None) {
            block.mark = match block.mark {
                Mark::None => Mark::Start,
                mark => mark,
            };
        }
    }
    Marks::new(newer)
}
