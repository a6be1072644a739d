//! C of many kinds, with frame pointers and without, libc, and Rust.

use super::*;
use crate::sys::memory::{self, PAGE};
use core::ffi::CStr;

unsafe extern "C" {
    fn qsort(base: *mut u8, n: usize, size: usize, f: extern "C" fn(*const u8, *const u8) -> c_int);
}

#[inline(never)]
fn below(depth: usize, call: &mut dyn FnMut()) {
    if depth == 0 {
        call();
    } else {
        below(depth - 1, call);
    }
    std::hint::black_box(&depth);
}

#[test]
fn rust_s_own_stacks() {
    for depth in 0..100 {
        below(depth, &mut || {
            let mut check = |caller: Caller, theirs: &[u64]| {
                assert!(theirs.len() > depth);
                exact_walks(caller, theirs);
            };
            visit_by(Api::Malloc, |entry, visit| entry(visit), &mut check);
        });
    }
}

#[test]
fn what_the_unwinder_allocates_has_no_stack() {
    let local = Local::NEW;
    let mut check = |caller: Caller, _: &[u64]| {
        let mut room = [MaybeUninit::uninit(); FRAMES];
        let mut walk = || {
            exact::walk(
                &local.bounds,
                &local.inside,
                registers(caller),
                &mut room,
                8,
            )
        };
        assert_eq!(walk(), 8);
        local.inside.set(true);
        assert_eq!(walk(), 1);
        local.inside.set(false);
        assert_eq!(walk(), 8);
    };
    below(8, &mut || {
        visit_by(Api::Malloc, |entry, visit| entry(visit), &mut check)
    });
}

const STACKS: [&CStr; 11] = [
    c"nested",
    c"busy",
    c"variable",
    c"realigned",
    c"through_libc",
    c"by_a_signal",
    c"on_a_signal_stack",
    c"on_an_own_stack",
    c"by_new",
    c"in_a_thread",
    c"in_a_thread_on_given_memory",
];

#[test]
fn the_table_is_right_for_c() {
    let _one = signals();
    for library in libraries() {
        for name in STACKS {
            for depth in [0, 1, 5, 40, 100] {
                library.visit(name, depth, &mut |caller, theirs| {
                    assert!(library.contains(theirs[0]), "{name:?} {depth}");
                    exact_walks(caller, theirs);
                });
            }
        }
    }
}

#[test]
fn frame_pointers_are_right_for_c_that_keeps_them() {
    let _one = signals();
    let [library, _] = libraries();
    for name in STACKS {
        for depth in [0, 1, 5, 40, 100] {
            library.visit(name, depth, &mut |caller, theirs| {
                // Their caller is known for all of the library's frames up to the first that is
                // not; and what a signal has interrupted.
                let inside = |pc: &&u64| library.contains(**pc);
                let mut sure = theirs.iter().take_while(inside).count() + 1;
                if name.to_bytes().ends_with(b"signal") || name == c"on_a_signal_stack" {
                    sure += 1;
                }
                let sure = sure.min(FRAMES);
                let ours = by_frame_pointers(caller);
                assert_eq!(
                    ours.get(..sure),
                    theirs.get(..sure),
                    "{name:?} {ours:x?} {theirs:x?}"
                );
            });
        }
    }
}

#[test]
fn the_caller_is_right_without_frame_pointers() {
    let _one = signals();
    let [_, library] = libraries();
    for name in STACKS {
        library.visit(name, 5, &mut |caller, theirs| {
            assert_eq!(by_frame_pointers(caller)[0], theirs[0], "{name:?}");
        });
    }
}

#[test]
fn garbage_in_the_frame_pointer_leads_nowhere() {
    let hole = memory::reserve(PAGE, PAGE).expect("a page");
    let here = &raw const hole as usize;
    let words = [0usize; 4];
    let elsewhere = std::boxed::Box::new([hole; 4]);
    for library in libraries() {
        for garbage in [
            0,
            1,
            8,
            16,
            usize::MAX,
            usize::MAX & !7,
            1 << 47,
            hole,
            here & !7,
            words.as_ptr() as usize,
            elsewhere.as_ptr() as usize,
            // The end of the stack, and beyond.
            (here & !(PAGE - 1)) + (64 << 20),
        ] {
            library.visit(c"with_garbage", garbage, &mut |caller, theirs| {
                assert_eq!(caller.fp(), garbage);
                let ours = by_frame_pointers(caller);
                assert_eq!(ours[0], theirs[0], "{garbage:#x}");
                exact_walks(caller, theirs);
            });
        }
    }
}

#[test]
fn the_table_goes_through_libc() {
    extern "C" fn compare(_: *const u8, _: *const u8) -> c_int {
        visit_by(Api::Malloc, |entry, visit| entry(visit), &mut exact_walks);
        0
    }
    let mut items = [3, 1, 2];
    // SAFETY: three items of one byte.
    unsafe { qsort(items.as_mut_ptr(), 3, 1, compare) };
}
