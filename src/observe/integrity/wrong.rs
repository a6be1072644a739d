//! What is wrong: looks into it, and makes a finding of it. Nothing here is on the way of a sound
//! program.

use super::check;
use super::kind::{Family, Kind, is_same_form};
use super::known::Known;
use super::light;
use super::overwritten;
use super::pattern::{self, FREED, FRONT};
use super::record::{Asked, BlockRecord, Moment, State};
use super::report::{self, Finder, Finding, Subject};
use super::{own_operators, stacks, untouched};
use crate::fault::{Call, Fault};
use crate::observe::api::Api;
use crate::observe::caller::Caller;
use crate::observe::report::{Line, name_of, place::Place};
use crate::observe::{Block, Release, Request, Verdict, modules, stack};
use crate::sys::thread;
use crate::walk::{self, BlockState};
use core::ptr::NonNull;

/// Runs `tell` with who called, and from where.
fn with_caller(caller: Caller, tell: impl FnOnce(Finder<'_>)) {
    let mut frames = [0; stack::FRAMES];
    let (what, depth): (&[u8], usize) = if caller.is_some() {
        let local = stack::Local::NEW;
        let (pc, sp, fp) = (caller.pc(), caller.sp(), caller.fp());
        let depth = stack::capture_from(&local, pc, sp, fp, &mut frames);
        (function(caller), depth)
    } else {
        (b"a call of the allocator", 0)
    };
    tell(Finder {
        what,
        thread: thread::id(),
        frames: &frames[..depth],
        returns: true,
    });
}

/// The function that was called. One of them has no number: no trace has its calls.
fn function(caller: Caller) -> &'static [u8] {
    const UNNUMBERED: u8 = Api::Unknown as u8;
    match caller.api() {
        UNNUMBERED => b"malloc_usable_size",
        api => name_of(api),
    }
}

/// Tells of a call that is wrong by itself.
fn tell_call(
    caller: Caller,
    kind: Kind,
    sentence: &Line,
    address: usize,
    subject: Option<Subject>,
) {
    with_caller(caller, |finder| {
        report::tell(&Finding {
            kind,
            sentence: sentence.bytes(),
            address,
            subject,
            damage: None,
            finder,
            unknown: b"",
        });
    });
}

/// A block that was not live is freed. Says whether the free goes on: nothing is known of it.
#[cold]
#[inline(never)]
pub(super) fn freed_again(
    block: &Block<'_, BlockRecord>,
    record: &BlockRecord,
    asked: Asked,
    release: &Release,
) -> bool {
    freed_before(block, asked, record.freed(), release)
}

/// As [`freed_again`], of a block that was freed at a moment, by a function.
pub(super) fn freed_before(
    block: &Block<'_, BlockRecord>,
    asked: Asked,
    freed: (Moment, u8),
    release: &Release,
) -> bool {
    let address = block.address.as_ptr() as usize;
    let mut sentence = Line::part();
    let kind = match asked.state() {
        State::Live => return true,
        State::New if walk::state_of(address) == Ok(BlockState::Live) => return true,
        State::New | State::Untouched => {
            sentence
                .text(name_of(release.caller.api()))
                .text(b"(")
                .address(address)
                .text(b"): no block was handed out at this address");
            Kind::InvalidFree
        }
        _ => {
            sentence
                .text(name_of(release.caller.api()))
                .text(b"(")
                .address(address)
                .text(b"): this block of ")
                .number(asked.size())
                .text(b" bytes was freed before, by ")
                .text(name_of(freed.1));
            if freed.0.thread != 0 {
                sentence
                    .text(b" in thread ")
                    .number(freed.0.thread as usize);
            }
            Kind::DoubleFree
        }
    };
    tell_call(
        release.caller,
        kind,
        &sentence,
        address,
        Subject::of(address),
    );
    false
}

/// A live block is freed, or resized, in a way that it was not asked for, or with damage around it.
#[cold]
#[inline(never)]
pub(super) fn freed(block: &Block<'_, BlockRecord>, asked: Asked, release: &Release) {
    let caller = release.caller;
    let address = block.address.as_ptr() as usize;
    let subject = Subject::of(address).map(Subject::as_live);
    let mismatch = |kind: Kind, sentence: &mut Line| {
        tell_call(caller, kind, sentence, address, subject);
    };
    if !Family::of(caller.api()).matches(Family::of(asked.api()))
        && !own_operators::are_between(caller, asked.api(), subject)
    {
        let mut sentence = begin(caller, address);
        sentence
            .text(b"a block that ")
            .text(name_of(asked.api()))
            .text(b" handed out is given back to ")
            .text(name_of(caller.api()));
        mismatch(Kind::MismatchedFree, &mut sentence);
    }
    if !is_same_form(caller.api(), asked.api()) {
        let mut sentence = begin(caller, address);
        sentence
            .text(b"a block that ")
            .text(name_of(asked.api()))
            .text(b" handed out is given back to ")
            .text(name_of(caller.api()))
            .text(b": one of the two is told an alignment");
        mismatch(Kind::AlignMismatch, &mut sentence);
    }
    if let Some(size) = caller.told_size().filter(|size| *size != asked.size()) {
        let mut sentence = begin(caller, address);
        sentence
            .text(b"the block is said to have ")
            .number(size)
            .text(b" bytes, and was asked for with ")
            .number(asked.size());
        mismatch(Kind::SizeMismatch, &mut sentence);
    }
    if let Some(align) = caller.told_align()
        && !check::is_same_align(align, asked)
    {
        let mut sentence = begin(caller, address);
        sentence
            .text(b"the block is said to be aligned to ")
            .number(1 << align)
            .text(b", and was asked for with an alignment of ")
            .number(1 << asked.align_log2());
        mismatch(Kind::AlignMismatch, &mut sentence);
    }
    with_caller(caller, |finder| {
        around(block, asked, finder, report::tell);
    });
}

/// Looks for damage around a block with a word, in a call.
#[cold]
pub(super) fn look_around(block: &Block<'_, BlockRecord>, caller: Caller) {
    with_caller(caller, |finder| {
        around_word(block, finder, report::tell);
    });
}

/// As [`around`], of a block with a word.
fn around_word(block: &Block<'_, BlockRecord>, finder: Finder<'_>, tell: fn(&Finding<'_>)) -> bool {
    let (start, bytes) = (block.address.as_ptr() as usize, block.bytes);
    let finds = |start| overwritten::end(start, bytes, finder, tell);
    let is_own = finds(start);
    finds(start - bytes) || is_own
}

fn begin(caller: Caller, address: usize) -> Line {
    let mut sentence = Line::part();
    sentence
        .text(function(caller))
        .text(b"(")
        .address(address)
        .text(b"): ");
    sentence
}

/// Looks for damage around a live block, and tells it; says whether there was some.
pub(super) fn around(
    block: &Block<'_, BlockRecord>,
    asked: Asked,
    finder: Finder<'_>,
    tell: fn(&Finding<'_>),
) -> bool {
    if light::has_word(block) {
        return around_word(block, finder, tell);
    }
    let address = block.address.as_ptr() as usize;
    let [front, tail] = check::guards(block, asked.size());
    let mut found = false;
    // SAFETY: the end of the place below, and the rest of the block's own.
    if let Some((first, last)) = unsafe { pattern::damage(tail.0, tail.1) } {
        let damage = (first, untouched::through(address, block.bytes, last));
        let below = Subject::of(address).map(Subject::as_live);
        let above = below.and_then(|block| block.neighbour(1));
        let above = above.filter(|above| !is_of_this_call(above, finder));
        gap(below, above, damage, finder, tell);
        // SAFETY: behind what was asked for.
        unsafe { pattern::fill(tail.0, tail.1, FREED) };
        untouched::make_whole(address, block.bytes, damage.1);
        found = true;
    }
    // SAFETY: as above.
    if let Some(damage) = unsafe { pattern::damage(front.0, front.1) } {
        let above = Subject::of(address).map(Subject::as_live);
        let below = above.and_then(|block| block.neighbour(-1));
        gap(below, above, damage, finder, tell);
        // SAFETY: the end of the place below, which is no program's.
        unsafe { pattern::fill(front.0, front.1, FREED) };
        found = true;
    }
    found
}

/// Whether a block was handed out by the call that has found something, as far as stacks say: a
/// resize looks at the old block when it has the new one, in front of which nobody has written yet.
fn is_of_this_call(block: &Subject, finder: Finder<'_>) -> bool {
    let mut room = [0; stack::FRAMES];
    let frames = stacks::frames(block.allocated.stack, &mut room);
    let is_same = frames.iter().zip(finder.frames).all(|(a, b)| a == b);
    block.is_live() && is_same && !frames.is_empty() && !finder.frames.is_empty()
}

/// Tells of damage between what was asked for of one block and the start of the next one: who
/// ran over its end, or below its start?
pub(super) fn gap(
    below: Option<Subject>,
    above: Option<Subject>,
    damage: (usize, usize),
    finder: Finder<'_>,
    tell: fn(&Finding<'_>),
) {
    let (first, last) = damage;
    let touches_below =
        below.is_some_and(|block| block.is_live() && first == block.address + block.size);
    let touches_above = above.is_some_and(|block| block.is_live() && last + 1 == block.address);
    // The nearer one of the two, if they do not touch it both, or neither.
    let is_nearer_below = match (&below, &above) {
        (Some(below), Some(above)) if above.is_live() => {
            let behind = first.wrapping_sub(below.address + below.size);
            behind <= above.address.wrapping_sub(last + 1)
        }
        _ => true,
    };
    let overflows = match (&below, &above) {
        (Some(below), _) if below.is_live() => touches_below || !touches_above && is_nearer_below,
        (_, Some(_)) => false,
        _ => true,
    };
    let (kind, subject) = if overflows {
        (Kind::HeapOverflow, below.or(above))
    } else {
        (Kind::HeapUnderflow, above)
    };
    let mut sentence = Line::part();
    sentence.number(last - first + 1).text(if first == last {
        b" byte was written "
    } else {
        b" bytes were written "
    });
    if let Some(subject) = &subject {
        if overflows {
            let end = subject.address + subject.size;
            distance(&mut sentence, first.wrapping_sub(end));
            sentence.text(b"behind the end of a block of ");
        } else {
            // As of an access: where it begins.
            let is_beside = last + 1 == subject.address;
            let before = subject.address.wrapping_sub(first);
            distance(&mut sentence, if is_beside { 0 } else { before });
            sentence.text(b"in front of a block of ");
        }
        sentence.bytes_at(subject.size, subject.address);
    }
    sentence.text(b"; found by ").text(finder.what);
    tell(&Finding {
        kind,
        sentence: sentence.bytes(),
        address: first,
        subject,
        damage: Some(damage),
        finder,
        unknown:
            b"who wrote; it happened after the block was allocated, and before it was looked at",
    });
}

/// How far from a block's end something lies.
fn distance(sentence: &mut Line, bytes: usize) {
    match bytes {
        0 => sentence.text(b"directly "),
        1 => sentence.text(b"1 byte "),
        _ => sentence.number(bytes).text(b" bytes "),
    };
}

/// A freed block was written to, which shows when its place is handed out again, or looked at.
/// Its first `skip` bytes may be the allocator's.
#[cold]
#[inline(never)]
pub(super) fn written_after_free(
    block: &Block<'_, BlockRecord>,
    record: &BlockRecord,
    skip: usize,
    when: &[u8],
    tell: Option<fn(&Finding<'_>)>,
) {
    let start = block.address.as_ptr() as usize;
    let finder = Finder::uncalled(when);
    let tell = tell.unwrap_or(report::tell);
    written(start, block.bytes, record, skip, finder, tell);
}

/// A block in quarantine was written to, which shows when it leaves.
#[cold]
#[inline(never)]
pub(super) fn written_in_quarantine(address: usize, record: &BlockRecord) {
    let bytes = walk::find(address).map_or(0, |found| found.block.bytes);
    let finder = Finder::uncalled(b"the look at a block that leaves the quarantine");
    written(address, bytes, record, 0, finder, report::tell);
}

fn written(
    start: usize,
    bytes: usize,
    record: &BlockRecord,
    skip: usize,
    finder: Finder<'_>,
    tell: fn(&Finding<'_>),
) {
    // SAFETY: the place of a block that no program has.
    let Some(damage) = (unsafe { pattern::damage(start + skip, bytes - skip) }) else {
        return;
    };
    let (first, last) = damage;
    let mut subject = Subject::of(start);
    if let Some(subject) = &mut subject {
        subject.tell(&Known::of_record(record));
    }
    // What touches the block above alone, and begins close to it, ran below its start.
    let above = subject.and_then(|block| block.neighbour(1));
    let below = subject.and_then(|block| block.neighbour(-1));
    let is_underflow = first + FRONT >= start + bytes
        && above.is_some_and(|above| above.is_live())
        && first >= start + record.asked().size();
    // What begins at the block's start, and has gone through the end of the one below, ran over it.
    let overflowing = below.filter(|below| {
        let end = below.address + below.size;
        // SAFETY: the rest of the place below.
        below.is_live() && first == start && unsafe { pattern::damage(end, start - end) }.is_some()
    });
    if is_underflow {
        gap(subject, above, damage, finder, tell);
    } else if let Some(below) = overflowing {
        let end = below.address + below.size;
        gap(Some(below), subject, (end, last), finder, tell);
        // SAFETY: the rest of the place below.
        unsafe { pattern::fill(end, start - end, FREED) };
    } else {
        let mut sentence = Line::part();
        sentence
            .number(last - first + 1)
            .text(if first == last {
                b" byte was written at offset "
            } else {
                b" bytes were written at offset "
            })
            .number(first - start)
            .text(b" of a block of ")
            .number(record.asked().size())
            .text(b" bytes at ")
            .address(start)
            .text(b", after it was freed; found by ")
            .text(finder.what);
        tell(&Finding {
            kind: Kind::WriteAfterFree,
            sentence: sentence.bytes(),
            address: first,
            subject,
            damage: Some(damage),
            finder,
            unknown: b"who wrote; it happened after the free, and before the block was looked at",
        });
    }
    // SAFETY: the place of a block that no program has.
    unsafe { pattern::fill(start + skip, bytes - skip, FREED) };
}

/// A block is resized that was freed.
#[cold]
#[inline(never)]
pub(super) fn resized_after_free(block: &Block<'_, BlockRecord>, asked: Asked, request: &Request) {
    let address = block.address.as_ptr() as usize;
    let mut sentence = begin(request.caller, address);
    sentence
        .text(b"this block of ")
        .number(asked.size())
        .text(b" bytes was freed before; the program gets a new one");
    tell_call(
        request.caller,
        Kind::UseAfterFree,
        &sentence,
        address,
        Subject::of(address),
    );
}

/// The size of a block is asked for that was freed.
#[cold]
#[inline(never)]
pub(super) fn asked_after_free(block: &Block<'_, BlockRecord>, asked: Asked, caller: Caller) {
    let address = block.address.as_ptr() as usize;
    let mut sentence = begin(caller, address);
    sentence
        .text(b"this block of ")
        .number(asked.size())
        .text(b" bytes was freed before");
    tell_call(
        caller,
        Kind::UseAfterFree,
        &sentence,
        address,
        Subject::of(address),
    );
}

/// The program has passed an address that is not the start of a block of ours.
#[cold]
#[inline(never)]
pub(super) fn stray(call: Call, address: usize, fault: Fault, caller: Caller) -> Verdict {
    let mut sentence = Line::part();
    if caller.is_some() {
        sentence.text(function(caller));
    } else {
        sentence.text(match call {
            Call::Free => b"free",
            Call::Realloc => b"realloc",
            Call::UsableSize => b"malloc_usable_size",
        });
    }
    sentence.text(b"(").address(address).text(b"): ");
    let subject = Subject::of(address);
    let mut kind = Kind::InvalidFree;
    match &subject {
        Some(subject)
            if fault == Fault::Interior && is_first_of_array(subject, address, caller) =>
        {
            kind = Kind::MismatchedFree;
            sentence
                .text(b"an array of objects that ")
                .text(name_of(subject.allocated_by))
                .text(b" handed out, with their count in front, is given back to ")
                .text(name_of(caller.api()));
        }
        Some(subject) if fault == Fault::Interior && subject.covers(address) => {
            sentence
                .text(b"no start of a block: the address is ")
                .number(address.wrapping_sub(subject.address))
                .text(b" bytes inside of one of ")
                .number(subject.size)
                .text(b" bytes, which is ")
                .text(subject.state_name().as_bytes());
        }
        Some(_) if fault == Fault::DoubleFree => {
            kind = Kind::DoubleFree;
            sentence.text(b"this block is free already");
        }
        Some(_) if fault == Fault::BrokenLink => {
            kind = Kind::LinkCorruption;
            sentence.text(b"the link in this free block is broken");
        }
        _ => {
            what_it_is(&mut sentence, address, caller);
            if address == FILLING {
                kind = Kind::UseAfterFree;
            }
        }
    }
    tell_call(caller, kind, &sentence, address, subject);
    Verdict::Ignore
}

/// Whether an address is that of the first object of an array that `new` has made, and another
/// function than its `delete[]` is given it. C++ keeps how many objects with a destructor there are
/// in front of them (Itanium C++ ABI, 2.7).
fn is_first_of_array(subject: &Subject, address: usize, caller: Caller) -> bool {
    const COUNT: usize = size_of::<usize>();
    let is_array = Family::of(subject.allocated_by) == Family::NewArray;
    let is_other = Family::of(caller.api()) != Family::NewArray;
    let offset = address.wrapping_sub(subject.address);
    // Objects that are aligned to more have as much in front of them.
    let is_behind_count = offset >= COUNT && offset.is_power_of_two() && offset < subject.size;
    if !(subject.is_live() && is_array && is_other && is_behind_count) {
        return false;
    }
    // SAFETY: in a live block, in front of an address that is aligned so.
    let count = unsafe { ((address - COUNT) as *const usize).read_volatile() };
    let bytes = subject.size - offset;
    count != 0 && count <= bytes && bytes.is_multiple_of(count)
}

/// What a pointer is that was read from a freed block.
const FILLING: usize = usize::from_ne_bytes([FREED; 8]);

/// What an address is that is in no block.
fn what_it_is(sentence: &mut Line, address: usize, caller: Caller) {
    const FIRST_PAGE: usize = 4096;
    const NEAR: usize = 8 << 20;
    let sp = if caller.is_some() { caller.sp() } else { 0 };
    if address < FIRST_PAGE {
        sentence.text(b"next to null, no block");
    } else if address >= sp && sp != 0 && address - sp < NEAR && modules::of(address).is_none() {
        sentence.text(b"an address on the stack of the thread that calls, no block of the heap");
    } else if modules::of(address).is_some() {
        sentence.text(b"an address in ");
        match Place::of(address) {
            Some(place) => sentence
                .foreign(place.file())
                .text(b"+")
                .address(place.offset),
            None => sentence.text(b"a file of code"),
        };
        sentence.text(b" (a variable, a constant, code), no block of the heap");
    } else if address == FILLING {
        sentence.text(b"what freed memory is filled with: the pointer was read from a freed block");
    } else if address == usize::from_ne_bytes([pattern::FRESH; 8]) {
        sentence.text(
            b"what new memory is filled with: the pointer was read from memory never written to",
        );
    } else {
        sentence.text(b"no block of this allocator, nor was there one whose slab is still there");
    }
}

/// The allocator has found something wrong, and is about to abort.
#[cold]
pub(super) fn aborting(call: Call, address: usize, fault: Fault) {
    let mut sentence = Line::part();
    sentence.text(match call {
        Call::Free => b"free",
        Call::Realloc => b"realloc",
        Call::UsableSize => b"malloc_usable_size",
    });
    sentence.text(b"(").address(address).text(b"): ");
    let kind = match fault {
        Fault::Foreign | Fault::Interior => Kind::InvalidFree,
        Fault::DoubleFree => Kind::DoubleFree,
        Fault::BrokenLink => Kind::LinkCorruption,
    };
    sentence.text(match fault {
        Fault::Foreign => b"no block of this allocator",
        Fault::Interior => b"no start of a block",
        Fault::DoubleFree => b"this block is free already; found when it came back to its slab",
        Fault::BrokenLink => b"the link in this free block was overwritten",
    });
    let finder = Finder::uncalled(b"the allocator's own checks");
    report::only_tell(&Finding {
        kind,
        sentence: sentence.bytes(),
        address,
        subject: NonNull::new(address as *mut u8).and_then(|_| Subject::of(address)),
        damage: None,
        finder,
        unknown: b"",
    });
}
