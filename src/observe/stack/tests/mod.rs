//! The walks, compared with what glibc says of the same stack.
//!
//! | file | what it walks |
//! |---|---|
//! | `chains.rs` | frames made up, whole and broken |
//! | `other_code.rs` | C of many kinds, libc, Rust |
//! | `interrupted.rs` | what a signal has interrupted |
//! | `files.rs` | code that is loaded and unloaded |
//! | `rules.rs` | nothing: all rules of all files are compared with gimli's |
//! | `cost.rs` | a deep stack, often, and prints how long that took |

mod chains;
mod cost;
mod files;
mod interrupted;
mod library;
mod other_code;
mod rules;

use super::*;
use crate::observe::api::Api;
use core::ffi::{c_int, c_void};
use library::{Library, libraries, signals};
use std::vec::Vec;

unsafe extern "C" {
    fn backtrace(buffer: *mut u64, size: c_int) -> c_int;
}

/// What is done at the inner end of a stack.
struct Visit<'a> {
    api: Api,
    visit: &'a mut dyn FnMut(Caller, &[u64]),
    visits: usize,
}

/// As an entry of the C ABI: makes a frame and hands its address on.
#[unsafe(naked)]
extern "C" fn entry(visit: *mut c_void) {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_rel_offset rbp, 0",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "mov rsi, rbp",
        "call {seen}",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
        seen = sym seen,
    )
}

/// Calls the visitor with the caller and what glibc's `backtrace` says from there on.
extern "C" fn seen(visit: *mut c_void, frame: *const usize) {
    // SAFETY: `visit_by` passes a visit and waits.
    let visit = unsafe { &mut *visit.cast::<Visit<'_>>() };
    // SAFETY: `entry` has made the frame, and waits.
    let caller = unsafe { Caller::new(frame, visit.api) };
    let mut buffer = [0; 256];
    // SAFETY: the buffer has room for as many.
    let count = unsafe { backtrace(buffer.as_mut_ptr(), 256) } as usize;
    let here = buffer[..count]
        .iter()
        .position(|&pc| pc == caller.pc() as u64);
    let theirs = &buffer[here.expect("the caller")..count];
    visit.visits += 1;
    (visit.visit)(caller, theirs);
}

/// Has `call` call [`entry`], once at least, and the visitor from there.
fn visit_by(
    api: Api,
    call: impl FnOnce(extern "C" fn(*mut c_void), *mut c_void),
    visit: &mut dyn FnMut(Caller, &[u64]),
) {
    let mut visit = Visit {
        api,
        visit,
        visits: 0,
    };
    call(entry, (&raw mut visit).cast());
    assert!(visit.visits > 0);
}

fn registers(caller: Caller) -> Registers {
    let (pc, sp, fp) = (caller.pc(), caller.sp(), caller.fp());
    Registers { pc, sp, fp }
}

/// What a walk says, the first time and later: the slow walk, the fast one with its first look at
/// each rule, and with all in place.
fn thrice(walk: impl Fn(&Local, &mut Room) -> usize) -> Vec<u64> {
    let local = Local::NEW;
    let mut room = [MaybeUninit::uninit(); FRAMES];
    let [first, second, third] = [(); 3].map(|()| {
        let count = walk(&local, &mut room);
        // SAFETY: the walk says how many it has written.
        unsafe { room[..count].assume_init_ref() }.to_vec()
    });
    assert!(
        first == second && second == third,
        "{first:x?} {second:x?} {third:x?}"
    );
    first
}

fn by_table(caller: Caller) -> Vec<u64> {
    thrice(|local, room| table::walk(&local.bounds, registers(caller), room, FRAMES, |_, _| {}))
}

fn by_frame_pointers(caller: Caller) -> Vec<u64> {
    thrice(|local, room| frame_pointers::walk(&local.bounds, registers(caller), room, FRAMES))
}

fn by_unwinder(caller: Caller) -> Vec<u64> {
    thrice(|local, room| {
        exact::walk(
            &local.bounds,
            &local.inside,
            registers(caller),
            room,
            FRAMES,
        )
    })
}

/// That the table, and libgcc, say what glibc says.
#[track_caller]
fn exact_walks(caller: Caller, theirs: &[u64]) {
    let theirs = &theirs[..theirs.len().min(FRAMES)];
    let table = by_table(caller);
    assert_eq!(table, theirs, "by table:\n{table:x?}\n{theirs:x?}");
    assert_eq!(by_unwinder(caller), theirs, "by libgcc");
}
