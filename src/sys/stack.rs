//! The stack of this thread: where it may end, and what of memory can be read.

use super::keep_errno;
use core::arch::asm;

/// Where the stack of a thread may end: behind all frames of one that `pthread_create` made, glibc
/// puts its block for the thread; behind all frames of the first one the kernel put 16 random
/// bytes. Which of them is above this thread's frames, if any, is for the caller to find out.
pub(crate) fn possible_ends() -> [usize; 2] {
    let thread_block: usize;
    // SAFETY: the x86-64 ABI has the address of the thread's block in its first word.
    unsafe {
        asm!(
            "mov {}, qword ptr fs:[0]",
            out(reg) thread_block,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    // SAFETY: getauxval reads the vector that the kernel passed to the process.
    let random = unsafe { libc::getauxval(libc::AT_RANDOM) } as usize;
    [thread_block, random]
}

/// Whether eight bytes can be read at `address`: the kernel is asked to read a signal mask from
/// there, and to do with it what cannot be done. It says so if it could read it.
pub(crate) fn is_readable(address: usize) -> bool {
    const NOTHING: usize = usize::MAX;
    // SAFETY: with such an operation the call changes nothing, whatever it reads.
    keep_errno(|| unsafe {
        let done = libc::syscall(libc::SYS_rt_sigprocmask, NOTHING, address, 0usize, 8usize);
        done != 0 && super::errno() == libc::EINVAL
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::memory;

    #[test]
    fn what_can_be_read_is_known() {
        let local = 1u64;
        assert!(is_readable(&raw const local as usize));
        assert!(!is_readable(0));
        assert!(!is_readable(1 << 62));
        let page = memory::reserve(memory::PAGE, memory::PAGE).expect("a page");
        assert!(!is_readable(page));
        // SAFETY: reserved above.
        assert!(unsafe { memory::commit(page, memory::PAGE) });
        assert!(is_readable(page) && is_readable(page + memory::PAGE - 8));
        // SAFETY: as above.
        unsafe { memory::unmap(page, memory::PAGE) };
        assert!(!is_readable(page));
    }
}
