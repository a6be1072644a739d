//! How a function is looked at before libc's own begins, which then has the program's frame and
//! arguments: threads are cancelled in there, and nothing of ours is on the stack.

use hakmem_alloc::c_abi::find_originals;

/// What was passed, in the order of the arguments.
pub(super) type Passed = [usize; 6];

/// Looks libc's functions up, for one that is called before anything is set up.
pub(super) extern "C" fn find() {
    find_originals();
}

/// Defines functions. The body looks, with the [`Call`](hakmem_alloc::c_abi::Call) that it names, at what was passed, and may
/// change that.
macro_rules! before {
    ($(
        $(#[$attribute:meta])*
        fn $name:ident of $count:tt |$call:ident, $passed:ident| $body:expr;
    )*) => {$(
        const _: () = {
            static WAY: crate::memory::way::Way = crate::memory::way::way_of!(look);

            extern "C" fn seen($passed: &mut crate::memory::before::Passed, frame: *const usize) {
                // SAFETY: the function below makes the frame and waits.
                let $call = unsafe {
                    hakmem_alloc::c_abi::Call::new(frame, hakmem_alloc::c_abi::Function::$name)
                };
                $body
            }

            #[unsafe(naked)]
            unsafe extern "C" fn look() {
                core::arch::naked_asm!(
                    ".cfi_startproc",
                    look!($count),
                    crate::memory::make_frame!(),
                    "sub rsp, 48",
                    crate::memory::save_arguments!(),
                    "cmp qword ptr [rip + {originals} + {index}], 0",
                    "jne 3f",
                    "call {find}",
                    "3:",
                    "mov rdi, rsp",
                    "mov rsi, rbp",
                    "call {seen}",
                    crate::memory::load_arguments!(),
                    "leave",
                    ".cfi_def_cfa rsp, 8",
                    "jmp qword ptr [rip + {originals} + {index}]",
                    ".cfi_endproc",
                    bounds = sym hakmem_alloc::c_abi::BOUNDS,
                    originals = sym hakmem_alloc::c_abi::ORIGINALS,
                    index = const hakmem_alloc::c_abi::Function::$name as usize * 8,
                    find = sym crate::memory::before::find,
                    way = sym WAY,
                    seen = sym seen,
                )
            }

            $(#[$attribute])*
            ///
            /// # Safety
            /// As libc's.
            #[unsafe(no_mangle)]
            #[unsafe(naked)]
            #[unsafe(link_section = ".text.hot.hakmem")]
            pub unsafe extern "C" fn $name() {
                crate::memory::way::go_way!(WAY)
            }
        };
    )*};
}
pub(super) use before;
