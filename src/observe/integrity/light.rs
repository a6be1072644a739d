//! The checks of each call at the level `light`, of a block in a slab: by the words in front of it and
//! at the end of its place alone, which are in its own cache lines as a rule.
//!
//! 1. Each place in a slab has a word, from before the first block of it that is handed out: as it is
//!    carved. Before that a place may hold anything, and nothing is known of a block that was handed out before
//!    the level was known.
//! 2. Of two threads that do not own a block's slab and free it at a time one finds it freed.

use super::check;
use super::kind;
use super::known::Known;
use super::overwritten;
use super::pattern::{self, FREED};
use super::policy;
use super::record::{BlockRecord, State};
use super::word::{WORD, Word};
use super::{damage, wrong};
use crate::observe::caller::Caller;
use crate::observe::{Block, LARGE, Release, Request, Resize};
use crate::walk;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};

const PATTERN: u64 = u64::from_ne_bytes([FREED; WORD]);

/// Whether what is kept of a block, which is no guarded one, stands in a word.
#[inline(always)]
pub(super) fn has_word(block: &Block<'_, BlockRecord>) -> bool {
    block.class != LARGE && policy::is_light()
}

/// Where the word of a place stands.
#[inline(always)]
pub(super) fn word_of(start: usize, bytes: usize) -> usize {
    start + bytes - WORD
}

#[inline(always)]
fn at(address: usize) -> &'static AtomicU64 {
    // SAFETY: the end of a place, which no program has; slabs stay while their blocks are used.
    unsafe { &*(address as *const AtomicU64) }
}

/// What stands where a word does. Acquire: who hands a block over, and who takes it back, writes it last.
#[inline(always)]
pub(super) fn read(address: usize) -> Word {
    Word(at(address).load(Ordering::Acquire))
}

#[inline(always)]
pub(super) fn write(address: usize, word: Word) {
    at(address).store(word.0, Ordering::Release);
}

/// A place is handed out from now on, or was already, if it is not free.
pub(super) fn carved(start: usize, bytes: usize, is_free: bool) {
    let word_at = word_of(start, bytes);
    if is_free || !read(word_at).is_of(word_at) {
        write(word_at, Word::new_at(word_at));
    }
}

/// A block in a slab is handed out, in which the program has written nothing yet.
#[inline(always)]
pub(super) fn handed_out(start: usize, bytes: usize, request: &Request) {
    let word_at = word_of(start, bytes);
    // From the word on in which it begins: what is in front of it is nobody's yet.
    let mut tail_at = round_down(start + request.size);
    while tail_at < word_at {
        at(tail_at).store(PATTERN, Ordering::Relaxed);
        tail_at += WORD;
    }
    write(word_at, word_for(word_at, bytes, request));
}

/// The multiple of 8 at an address or in front of it.
#[inline(always)]
fn round_down(address: usize) -> usize {
    address & !(WORD - 1)
}

#[inline(always)]
fn word_for(word_at: usize, bytes: usize, request: &Request) -> Word {
    let caller = request.caller;
    let align = match caller.told_align() {
        Some(log2) => log2,
        None => request.align.trailing_zeros(),
    };
    Word::live(word_at, bytes - request.size, align, caller.api())
}

/// A block is handed out, or has another size now.
#[inline(never)]
pub(super) fn allocated(block: &Block<'_, BlockRecord>, request: &Request) {
    if !has_word(block) {
        return check::allocated_light(block, request);
    }
    stayed(block.address.as_ptr() as usize, block.bytes, request);
}

/// A block in a slab has another size where it is, or another begins there: what the program has of it
/// stays.
#[inline(never)]
pub(super) fn stayed(start: usize, bytes: usize, request: &Request) {
    let (from, word_at) = (start + request.size, word_of(start, bytes));
    // SAFETY: behind what was asked for, in front of the word.
    unsafe { pattern::fill(from, word_at - from, FREED) };
    write(word_at, word_for(word_at, bytes, request));
}

/// Whether the pattern stands from the end of what was asked for to the word.
#[inline(always)]
fn is_tail_whole((start, bytes): (usize, usize), word: Word) -> bool {
    let from = start + bytes - word.slack();
    let word_at = word_of(start, bytes);
    let mut tail_at = round_down(from);
    // The program's bytes in front of it are none of it.
    let mut mask = u64::MAX << (8 * (from - tail_at));
    while tail_at < word_at {
        if (at(tail_at).load(Ordering::Relaxed) ^ PATTERN) & mask != 0 {
            return false;
        }
        mask = u64::MAX;
        tail_at += WORD;
    }
    true
}

/// Whether nothing is wrong with the end of the use of a block, whose word is `word`.
#[inline(always)]
fn is_sound(place: (usize, usize), word: Word, release: &Release) -> bool {
    let (start, bytes) = place;
    let word_at = word_of(start, bytes);
    word.is_of(word_at)
        && word
            .live_api()
            .is_some_and(|api| kind::takes_back(release.caller.api(), api))
        && is_as_told(release.caller, word, bytes)
        && is_tail_whole(place, word)
}

/// Whether what stands in front of an address in a slab is the end of a place. No block begins where a
/// SuperSlab does: what is in front of that may not be there.
#[inline(always)]
fn is_front_whole(start: usize) -> bool {
    let front_at = start - WORD;
    !walk::is_at_superslab(start) && read(front_at).is_of(front_at)
}

/// Whether a block has the size and the alignment that a caller says, if one does.
#[inline(always)]
fn is_as_told(caller: Caller, word: Word, bytes: usize) -> bool {
    let is_of_size = caller
        .told_size()
        .is_none_or(|size| size == bytes - word.slack());
    let is_of_align = caller
        .told_align()
        .is_none_or(|align| check::is_same_align(align, word.asked(bytes)));
    is_of_size && is_of_align
}

/// The life of a block ends whose word was `word`; false if another thread was faster.
#[inline(always)]
fn end(word_at: usize, word: Word, release: &Release) -> bool {
    let freed = word.freed(release.caller.api());
    if release.is_remote {
        return at(word_at)
            .compare_exchange(word.0, freed.0, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok();
    }
    write(word_at, freed);
    true
}

/// A block in a slab is freed, if nothing is wrong with that; false, and nothing is done, if there is,
/// or if no block of so many bytes begins there.
#[inline(always)]
pub(super) fn taken_back(start: usize, bytes: usize, release: &Release) -> bool {
    // In front of what is no place nothing of the kind stands; so no more than a place is read.
    if !is_front_whole(start) {
        return false;
    }
    let word_at = word_of(start, bytes);
    let word = read(word_at);
    is_sound((start, bytes), word, release) && end(word_at, word, release)
}

/// The bytes that were asked for of the live block in a slab that a program wants resized, if nothing is
/// wrong with it.
#[inline(always)]
pub(super) fn asked_of(start: usize, bytes: usize, release: &Release) -> Option<usize> {
    if !is_front_whole(start) {
        return None;
    }
    let word = read(word_of(start, bytes));
    is_sound((start, bytes), word, release).then(|| bytes - word.slack())
}

/// A block is freed: says whether it goes back.
#[inline(never)]
pub(super) fn freeing(block: &Block<'_, BlockRecord>, release: &Release) -> Option<NonNull<u8>> {
    if !has_word(block) {
        return check::freeing_light(block, release);
    }
    let (start, bytes) = (block.address.as_ptr() as usize, block.bytes);
    let word_at = word_of(start, bytes);
    let word = read(word_at);
    let is_sound = is_front_whole(start) && is_sound((start, bytes), word, release);
    if is_sound && end(word_at, word, release) {
        return Some(block.address);
    }
    freeing_slow(block, release)
}

/// As [`freeing`], where something is wrong, or nothing is known.
#[cold]
#[inline(never)]
fn freeing_slow(block: &Block<'_, BlockRecord>, release: &Release) -> Option<NonNull<u8>> {
    let (start, bytes) = (block.address.as_ptr() as usize, block.bytes);
    let word_at = word_of(start, bytes);
    loop {
        let known = valid_known(block, release.caller);
        let word = read(word_at);
        if known.asked.state() != State::Live {
            let freed = (known.freed, known.freed_by);
            let goes_on = wrong::freed_before(block, known.asked, freed, release);
            return goes_on.then_some(block.address);
        }
        if !is_front_whole(start) || !is_sound((start, bytes), word, release) {
            wrong::freed(block, known.asked, release);
        }
        if end(word_at, word, release) {
            return Some(block.address);
        }
    }
}

/// What is known of a block; if that was overwritten, it is told and put right first.
fn valid_known(block: &Block<'_, BlockRecord>, caller: Caller) -> Known {
    let (start, bytes) = (block.address.as_ptr() as usize, block.bytes);
    let word_at = word_of(start, bytes);
    if !read(word_at).is_of(word_at) {
        damage::look_around(block, caller);
    }
    known(block)
}

/// How a block may be resized.
#[cold]
pub(super) fn resizing(block: &Block<'_, BlockRecord>, request: &Request) -> Resize {
    let (start, bytes) = (block.address.as_ptr() as usize, block.bytes);
    let known = valid_known(block, request.caller);
    match known.asked.state() {
        State::Live => {}
        State::New => return Resize::InPlaceAllowed,
        _ => {
            wrong::resized_after_free(block, known.asked, request);
            return Resize::Refuse;
        }
    }
    let release = Release {
        caller: request.caller,
        is_remote: false,
    };
    let word = read(word_of(start, bytes));
    if !is_front_whole(start) || !is_sound((start, bytes), word, &release) {
        wrong::freed(block, known.asked, &release);
    }
    Resize::InPlaceAllowed
}

/// Bytes that the program may use of a block.
pub(super) fn usable(block: &Block<'_, BlockRecord>, caller: Caller) -> usize {
    let asked = known(block).asked;
    if asked.state().is_freed() {
        wrong::asked_after_free(block, asked, caller);
    }
    asked.live_size().unwrap_or(block.bytes - WORD)
}

/// What is known of a block in a slab.
pub(super) fn known(block: &Block<'_, BlockRecord>) -> Known {
    let (start, bytes) = (block.address.as_ptr() as usize, block.bytes);
    let word_at = word_of(start, bytes);
    let word = valid_word(start, bytes);
    let asked = match word {
        Some(word) => word.asked(bytes),
        // No more than that was asked for.
        None => Word::live(word_at, WORD, 0, 0)
            .asked(bytes)
            .with_state(State::Overwritten),
    };
    Known {
        asked,
        life: 0,
        allocated: check::UNKNOWN,
        freed: check::UNKNOWN,
        freed_by: word.map_or(0, Word::freed_by),
    }
}

/// The word of a place: as it stands there, or as it was; `None` if that cannot be said any more.
pub(super) fn valid_word(start: usize, bytes: usize) -> Option<Word> {
    let word_at = word_of(start, bytes);
    let word = read(word_at);
    if word.is_of(word_at) {
        Some(word)
    } else if !walk::is_carved(start) {
        Some(Word::new_at(word_at))
    } else {
        overwritten::before(word, start, bytes)
    }
}

/// Whether all that the program does not have of a place is as it has to be, as far as it says itself.
pub(super) fn is_whole(start: usize, bytes: usize) -> bool {
    let word_at = word_of(start, bytes);
    let word = read(word_at);
    if !word.is_of(word_at) {
        return !walk::is_carved(start);
    }
    !word.is_live() || is_tail_whole((start, bytes), word)
}
