//! Where the program's part of the stack ends at exit.
//!
//! ```text
//! low   │ frames of our handler
//!       │ frame of glibc's __run_exit_handlers: words that it does not use
//!       │   the six registers that it keeps for its caller      ◄── from here on
//!       │   return address into exit
//!       │ frame of exit: a word that it does not use
//!       │   return address into the program
//! high  │ frames of the program that has called exit
//! ```
//!
//! What those frames do not use is left from calls before, and would hide what they have lost.

use crate::sys::halt;
use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

const WORD: usize = size_of::<usize>();
/// Registers that a function keeps for its caller, and puts on the stack before all else.
const KEPT: usize = 6;
/// How far up the return address into `exit` is looked for, in words.
const FAR: usize = 64;
/// How far in `exit` its one call may be.
const EXIT_BYTES: usize = 64;

/// The function. Relaxed, as the others: one thread ends the process.
static HANDLER: AtomicUsize = AtomicUsize::new(0);
/// Where the program's part begins.
static START: AtomicUsize = AtomicUsize::new(0);
/// Registers that may be the program's still.
static REGISTERS: [AtomicUsize; KEPT] = [const { AtomicUsize::new(0) }; KEPT];

/// Has `handler` called at exit. May allocate.
pub(crate) fn at_exit_of_observers(handler: extern "C" fn()) {
    HANDLER.store(handler as usize, Ordering::Relaxed);
    super::at_exit(entry);
}

/// In the handler: the lowest address of the stack that is the program's, and the registers that
/// may be its.
pub(crate) fn program_stack() -> (usize, [usize; KEPT]) {
    let registers = REGISTERS
        .each_ref()
        .map(|word| word.load(Ordering::Relaxed));
    (START.load(Ordering::Relaxed), registers)
}

extern "C" fn entry() {
    // SAFETY: `run` takes anything.
    unsafe { halt::with_registers(ptr::null_mut(), run) };
}

extern "C" fn run(_: *mut c_void, sp: usize) {
    for (place, register) in REGISTERS.iter().zip(halt::kept_registers(sp)) {
        place.store(register, Ordering::Relaxed);
    }
    START.store(start(sp), Ordering::Relaxed);
    let handler = HANDLER.load(Ordering::Relaxed);
    // SAFETY: stored before this was registered.
    unsafe { core::mem::transmute::<usize, extern "C" fn()>(handler)() };
}

/// Looks for the return address into `exit`; `sp` if there is none.
fn start(sp: usize) -> usize {
    let exit = libc::exit as *const () as usize;
    // SAFETY: above are at least the frames of what has called us, and what the kernel, or glibc,
    // has put above all frames of a thread.
    let word = |at: usize| unsafe { *(at as *const usize) };
    let mut places = (sp..).step_by(WORD).take(FAR);
    let Some(place) = places.find(|&at| (1..EXIT_BYTES).contains(&word(at).wrapping_sub(exit)))
    else {
        return sp;
    };
    if leaves_a_word(exit) {
        // SAFETY: the word that `exit` does not use, in its frame.
        unsafe { *((place + WORD) as *mut usize) = 0 };
    }
    (place - KEPT * WORD).max(sp)
}

/// Whether a function begins by moving the stack pointer by a word that it does not use.
fn leaves_a_word(function: usize) -> bool {
    const LANDING: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];
    const SUBTRACT: [u8; 4] = [0x48, 0x83, 0xec, 0x08];
    const PUSH_RAX: u8 = 0x50;
    // SAFETY: a function of libc's, which is longer.
    let code = unsafe { *(function as *const [u8; 8]) };
    let code = code.strip_prefix(&LANDING).unwrap_or(&code);
    code.starts_with(&SUBTRACT) || code[0] == PUSH_RAX
}
