//! C++'s operators that a library has of its own: one that is linked with `-static-libstdc++
//! -Bsymbolic`, as LLVM's is in Rust's toolchain. Its `new` is not ours and asks `malloc`, its
//! `delete` gives to `free`; and an object of its goes to others' `delete`, which is ours.
//!
//! ```text
//! malloc ◄── its new ◄── code        handed out by malloc, given to delete: right
//! free ◄── its delete ◄── code       handed out by new, given to free: right
//! ```
//!
//! Asked only where a mismatch would be told. Where the stack of the allocation is not known (at the
//! level `light`) one such library is enough for the first case to be no mismatch; and as its `delete`
//! ends in a jump to `free`, any call of `free` in it is taken for one in the second.

use super::kind::Family;
use super::leaks::mappings;
use super::report::Subject;
use super::stacks;
use crate::observe::caller::Caller;
use crate::observe::modules::{self, Module};
use crate::observe::report::place::{self, Place};
use crate::observe::stack;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

/// How the names of all forms of `new` begin.
const NEW: [&[u8]; 2] = [b"_Znw", b"_Zna"];

/// The plain forms, which whoever has others has as well. Those that place an object in memory that there is
/// (`_ZnwmPv`, `_ZdlPvS_`) are in each program that is not optimised.
const PLAIN: [&[u8]; 4] = [b"_Znwm", b"_Znam", b"_ZdlPv", b"_ZdaPv"];

/// The libraries that have the operators for all: calls of these come to ours.
const FOR_ALL: [&[u8]; 4] = [b"libstdc++.so", b"libc++.so", b"libc++abi.so", b"libhakmem"];

/// Whether a block comes from or goes to an operator of a library's own, by the function that takes it
/// back and the one that handed it out.
#[cold]
pub(super) fn are_between(taken_back: Caller, handed_out: u8, subject: Option<Subject>) -> bool {
    match (Family::of(handed_out), Family::of(taken_back.api())) {
        (Family::Malloc, Family::New | Family::NewArray) => {
            let stack = subject.map_or(0, |block| block.allocated.stack);
            let mut room = [0; stack::FRAMES];
            match stacks::frames(stack, &mut room).first() {
                Some(&frame) => is_in(frame as usize, &NEW),
                None => any_has_them(),
            }
        }
        (Family::New | Family::NewArray, Family::Malloc) => {
            modules::meet(taken_back.pc()).is_some_and(this_has_them)
        }
        _ => false,
    }
}

/// Whether a call comes from a function whose name begins so.
fn is_in(frame: usize, names: &[&[u8]]) -> bool {
    let function = Place::of(frame - 1).and_then(|place| place.function());
    function.is_some_and(|function| names.iter().any(|name| function.name().starts_with(name)))
}

/// Whether a file of code has one.
fn has_them(path: &[u8]) -> bool {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    if FOR_ALL.iter().any(|library| name.starts_with(library)) {
        return false;
    }
    let Some(elf) = place::open_path(path) else {
        return false;
    };
    let mut found = false;
    elf.for_each_function(|function| {
        found |= PLAIN.contains(&function.name);
    });
    found
}

/// As [`has_them`], which reads the file: of the one that was asked about last it is known.
fn this_has_them(module: &'static Module) -> bool {
    /// Of those that have not and that have them the last ones. Relaxed: a module is there for good.
    static LAST: [AtomicPtr<Module>; 2] = [const { AtomicPtr::new(ptr::null_mut()) }; 2];
    let its = ptr::from_ref(module).cast_mut();
    if let Some(known) = LAST
        .iter()
        .position(|last| last.load(Ordering::Relaxed) == its)
    {
        return known == 1;
    }
    let has = has_them(module.path);
    LAST[usize::from(has)].store(its, Ordering::Relaxed);
    has
}

/// Whether any file of code that is mapped has them. Not asked of the list of modules, which has those
/// alone from which somebody called, and more only with the loader's lock.
fn any_has_them() -> bool {
    /// Once one was seen its blocks may be anywhere. Relaxed: who does not see it looks again.
    static SEEN: AtomicBool = AtomicBool::new(false);
    let mut seen = SEEN.load(Ordering::Relaxed);
    if !seen {
        mappings::each(|mapping| seen |= !seen && mapping.is_code() && has_them(mapping.name));
        SEEN.store(seen, Ordering::Relaxed);
    }
    seen
}
