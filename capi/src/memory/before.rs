//! How a function is looked at before libc's own begins, which then has the program's frame and
//! arguments: threads are cancelled in there, and nothing of ours is on the stack.

use hakmem_alloc::c_abi::find_originals;

/// What was passed, in the order of the arguments.
pub(super) type Passed = [usize; 6];

/// Looks libc's functions up, for one that is called before anything is set up.
pub(super) extern "C" fn find() {
    find_originals();
}

/// Keeps what was passed, for it to be looked at and loaded again, and passes where that is and the frame;
/// libc's function is known then.
macro_rules! keep_passed {
    () => {
        concat!(
            "sub rsp, 48
            ",
            crate::memory::save_arguments!(),
            "
             cmp qword ptr [rip + {originals} + {index}], 0
             jne 3f
             call {find}
             3:
             mov rdi, rsp
             mov rsi, rbp"
        )
    };
}
pub(super) use keep_passed;

/// Defines functions. The body looks, with the [`Call`](hakmem_alloc::c_abi::Call) that it names, at what was passed, and may
/// change that.
macro_rules! before {
    ($(
        $(#[$attribute:meta])*
        fn $name:ident of $count:tt |$call:ident, $passed:ident| $body:expr;
    )*) => {$(
        const _: () = {
            extern "C" fn seen($passed: &mut crate::memory::before::Passed, frame: *const usize) {
                // SAFETY: the function below makes the frame and waits.
                let $call = unsafe {
                    hakmem_alloc::c_abi::Call::new(frame, hakmem_alloc::c_abi::Function::$name)
                };
                $body
            }

            crate::memory::begin::function! {
                $(#[$attribute])*
                $name of $count (),
                [
                    crate::memory::before::keep_passed!(),
                    "call {seen}",
                    crate::memory::load_arguments!(),
                    "leave",
                    ".cfi_def_cfa rsp, 8",
                    "jmp qword ptr [rip + {originals} + {index}]",
                ],
                find = crate::memory::before::find,
                seen = seen,
            }
        };
    )*};
}
pub(super) use before;
