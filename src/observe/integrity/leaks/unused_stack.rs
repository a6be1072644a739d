//! Stack memory that nobody uses: it holds what was once, and so hides leaks.
//!
//! glibc puts its block for a thread at the end of the thread's stack, and keeps the stacks of
//! threads that have ended. A block is known by its address, which stands in it twice (the x86-64
//! ABI has the first), the thread by its number, the stack by where it begins and how long it is.
//! All of that is checked: where a word is not what it should be the memory is looked at, as any
//! other.

use super::mappings::{self, Mapping};
use super::threads::Threads;
use super::words::Words;
use crate::sys::memory::PAGE;
use crate::sys::process;
use crate::sys::stack;
use crate::sys::thread;

/// What is found.
pub(super) enum Unused {
    /// Nobody uses what is between these addresses.
    Range(usize, usize),
    /// A word there that is used all the same.
    ButFor(usize),
}

const WORD: usize = size_of::<usize>();
/// Where in a block its address stands the second time, in words; where the thread's vector of
/// thread-local storage; where the thread's number.
const SELF: usize = 2;
const VECTOR: usize = 1;
const NUMBER: usize = 90;
/// Words of a block in which the place of the stack is looked for.
const WORDS: usize = 288;
/// The vector begins so many bytes behind its memory's start.
const HEAD: usize = 16;
/// What a block is aligned to.
const ALIGN: usize = 64;
/// The most bytes from a block to the end of its stack.
const BEHIND: usize = 4 * PAGE;

/// Calls `each` with what is found; false if the system does not say what is mapped.
pub(super) fn find(words: &mut Words, threads: &Threads, mut each: impl FnMut(Unused)) -> bool {
    let knows_numbers = knows_numbers();
    let mut barred = (0, 0);
    mappings::each(|mapping| {
        if mapping.name == b"[stack]" {
            of_first_thread(mapping, threads, &mut each);
        } else if knows_numbers && mapping.is_writable() && mapping.start == barred.1 {
            of_others(mapping, barred.0, words, threads, &mut each);
        }
        if mapping.is_barred() {
            barred = (mapping.start, mapping.end);
        }
    })
}

/// Whether this thread's number stands where it should.
fn knows_numbers() -> bool {
    let address = thread::identity() + NUMBER * WORD;
    // SAFETY: looked at before; the block of a thread that runs is there.
    stack::is_readable(address) && unsafe { *(address as *const u32) } == thread::id()
}

fn of_first_thread(mapping: &Mapping<'_>, threads: &Threads, each: &mut impl FnMut(Unused)) {
    let first = threads
        .all()
        .iter()
        .find(|thread| thread.id == process::id());
    if let Some(sp) = first.map(|first| first.sp)
        && (mapping.start..mapping.end).contains(&sp)
    {
        each(Unused::Range(mapping.start, sp));
    }
}

/// A mapping behind one that cannot be touched is most often a stack.
fn of_others(
    mapping: &Mapping<'_>,
    lowest: usize,
    words: &mut Words,
    threads: &Threads,
    each: &mut impl FnMut(Unused),
) {
    let mut found = None;
    words.each((mapping.start, mapping.end), false, |address, word| {
        if word == address && address % ALIGN == 0 && found.is_none() {
            found = Some(address);
        }
    });
    let Some(block) = found else {
        return;
    };
    let mut is_block = false;
    let mut number = 0;
    let mut vector = 0;
    let mut before = 0usize;
    let mut end = 0;
    words.each((block, block + WORDS * WORD), false, |address, word| {
        match (address - block) / WORD {
            SELF => is_block = word == block,
            VECTOR => vector = word,
            NUMBER => number = word as u32,
            _ => {}
        }
        // Where the stack begins, and behind that how long it is.
        let ends = before.wrapping_add(word);
        let is_place = before >= lowest && before <= mapping.start && before.is_multiple_of(PAGE);
        if is_place && ends > block && ends - block <= BEHIND && ends <= mapping.end {
            end = ends;
        }
        before = word;
    });
    if !is_block {
        return;
    }
    each(Unused::ButFor(vector.wrapping_sub(HEAD)));
    if end == 0 {
        return;
    }
    // The kernel clears it when the thread ends, and glibc sets it to -1 when it is joined.
    if number == 0 || number == u32::MAX {
        return each(Unused::Range(mapping.start, end));
    }
    let thread = threads.all().iter().find(|thread| thread.id == number);
    if let Some(sp) = thread.map(|thread| thread.sp)
        && (mapping.start..block).contains(&sp)
    {
        each(Unused::Range(mapping.start, sp));
    }
}
