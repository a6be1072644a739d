//! Calls that are wrong: looks into them, and makes a finding of each. Nothing here is on the way of a
//! sound program.

use super::check;
use super::kind::{Family, Kind, is_same_form};
use super::pattern::{self, FREED};
use super::record::{Asked, BlockRecord, Moment, State};
use super::report::{self, Finder, Finding, Subject};
use super::{damage, own_operators};
use crate::fault::{Call, Fault};
use crate::observe::api::Api;
use crate::observe::caller::Caller;
use crate::observe::report::{Line, name_of, place::Place};
use crate::observe::{Block, Release, Request, Verdict, modules, stack};
use crate::sys::thread;
use crate::walk::{self, BlockState, NoBlock};
use core::ptr::NonNull;

/// Runs `tell` with who called, and from where.
pub(super) fn with_caller(caller: Caller, tell: impl FnOnce(Finder<'_>)) {
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
        mismatch(
            Kind::MismatchedFree,
            &mut given_back(caller, address, asked),
        );
    }
    if !is_same_form(caller.api(), asked.api()) {
        let mut sentence = given_back(caller, address, asked);
        sentence.text(b": one of the two is told an alignment");
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
        damage::around(block, asked, finder, report::tell);
    });
}

/// What was called to free a block that something else has handed out.
fn given_back(caller: Caller, address: usize, asked: Asked) -> Line {
    let mut sentence = begin(caller, address);
    sentence
        .text(b"a block that ")
        .text(name_of(asked.api()))
        .text(b" handed out is given back to ")
        .text(name_of(caller.api()));
    sentence
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

/// As [`begin`], where it is not known who called.
fn begin_without(call: Call, address: usize) -> Line {
    let mut sentence = Line::part();
    sentence
        .text(match call {
            Call::Free => b"free",
            Call::Realloc => b"realloc",
            Call::UsableSize => b"malloc_usable_size",
        })
        .text(b"(")
        .address(address)
        .text(b"): ");
    sentence
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
    let mut sentence = if caller.is_some() {
        begin(caller, address)
    } else {
        begin_without(call, address)
    };
    let subject = Subject::of(address);
    let kind = what_is_wrong(&mut sentence, subject.as_ref(), address, fault, caller);
    tell_call(caller, kind, &sentence, address, subject);
    Verdict::Ignore
}

/// Says what is wrong with an address that is no start of a live block.
fn what_is_wrong(
    sentence: &mut Line,
    subject: Option<&Subject>,
    address: usize,
    fault: Fault,
    caller: Caller,
) -> Kind {
    match subject {
        Some(subject)
            if fault == Fault::Interior && is_first_of_array(subject, address, caller) =>
        {
            sentence
                .text(b"an array of objects that ")
                .text(name_of(subject.allocated_by))
                .text(b" handed out, with their count in front, is given back to ")
                .text(name_of(caller.api()));
            Kind::MismatchedFree
        }
        Some(subject) if fault == Fault::Interior && subject.covers(address) => {
            sentence
                .text(b"no start of a block: the address is ")
                .number(address.wrapping_sub(subject.address))
                .text(b" bytes inside of one of ")
                .number(subject.size)
                .text(b" bytes, which is ")
                .text(subject.state_name().as_bytes());
            Kind::InvalidFree
        }
        Some(_) if fault == Fault::DoubleFree => {
            sentence.text(b"this block is free already");
            Kind::DoubleFree
        }
        Some(_) if fault == Fault::BrokenLink => {
            sentence.text(b"the link in this free block is broken");
            Kind::LinkCorruption
        }
        _ => {
            what_it_is(sentence, address, caller);
            match address {
                FILLING => Kind::UseAfterFree,
                _ => Kind::InvalidFree,
            }
        }
    }
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
    } else if walk::state_of(address) == Err(NoBlock::Interior) {
        sentence.text(b"no block was handed out at this address");
    } else {
        sentence.text(b"no block of this allocator, nor was there one whose slab is still there");
    }
}

/// The allocator has found something wrong, and is about to abort.
#[cold]
pub(super) fn aborting(call: Call, address: usize, fault: Fault) {
    let mut sentence = begin_without(call, address);
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
