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
        if word == address && address.is_multiple_of(ALIGN) {
            found = found.or(Some(address));
        }
    });
    let Some(block) = found.and_then(|address| Block::read(address, words, lowest)) else {
        return;
    };
    each(Unused::ButFor(block.vector.wrapping_sub(HEAD)));
    if block.end == 0 || block.end > mapping.end {
        return;
    }
    // The kernel clears it when the thread ends, and glibc sets it to -1 when it is joined.
    if block.number == 0 || block.number == u32::MAX {
        return each(Unused::Range(mapping.start, block.end));
    }
    let thread = threads
        .all()
        .iter()
        .find(|thread| thread.id == block.number);
    if let Some(sp) = thread.map(|thread| thread.sp)
        && (mapping.start..block.address).contains(&sp)
    {
        each(Unused::Range(mapping.start, sp));
    }
}

/// glibc's block for a thread.
#[derive(Default)]
struct Block {
    address: usize,
    vector: usize,
    number: u32,
    /// Where its stack ends; 0 if that is not known.
    end: usize,
}

impl Block {
    /// The one at an address, if there is one. Its stack begins at `lowest` or above.
    fn read(address: usize, words: &mut Words, lowest: usize) -> Option<Block> {
        let mut block = Block {
            address,
            ..Block::default()
        };
        let mut is_block = false;
        let mut before = 0usize;
        words.each((address, address + WORDS * WORD), false, |at, word| {
            match (at - address) / WORD {
                SELF => is_block = word == address,
                VECTOR => block.vector = word,
                NUMBER => block.number = word as u32,
                _ => {}
            }
            // Where the stack begins, and behind that how long it is.
            let is_start = (lowest..address).contains(&before) && before.is_multiple_of(PAGE);
            let end = before.wrapping_add(word);
            if is_start && (address + 1..=address + BEHIND).contains(&end) {
                block.end = end;
            }
            before = word;
        });
        is_block.then_some(block)
    }
}
