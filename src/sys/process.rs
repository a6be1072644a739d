//! The process: its end, its forks, its exit.

use super::keep_errno;

/// A number that the kernel drew for this process (AT_RANDOM); 0 if there is none.
pub(crate) fn random() -> usize {
    // SAFETY: getauxval reads the vector that the kernel passed to the process.
    let address = unsafe { libc::getauxval(libc::AT_RANDOM) } as *const usize;
    // The first eight bytes become the stack protector's canary; these are the others.
    // SAFETY: AT_RANDOM is the address of 16 bytes, or 0.
    unsafe { address.wrapping_add(1).as_ref() }
        .filter(|_| !address.is_null())
        .copied()
        .unwrap_or(0)
}

/// Writes out what the program has printed and C's streams still hold, as its exit would.
#[cfg(feature = "integrity")]
pub(crate) fn flush_streams() {
    // SAFETY: a null stream stands for all of them.
    keep_errno(|| unsafe { libc::fflush(core::ptr::null_mut()) });
}

/// Ends the process with SIGABRT.
pub(crate) fn abort() -> ! {
    // SAFETY: abort has no preconditions.
    unsafe { libc::abort() }
}

/// Stops the process, as a debugger or `kill -STOP` would; this thread here, where it is.
#[cfg(any(feature = "watch", feature = "integrity"))]
pub(crate) fn stop() {
    // SAFETY: sends a signal to this thread, which acts on the whole process.
    keep_errno(|| unsafe {
        let process = libc::syscall(libc::SYS_getpid) as usize;
        let thread = super::thread::id() as usize;
        libc::syscall(libc::SYS_tgkill, process, thread, libc::SIGSTOP as usize)
    });
}

/// Registers the handlers that run around each fork. May allocate.
pub(crate) fn at_fork(prepare: extern "C" fn(), parent: extern "C" fn(), child: extern "C" fn()) {
    unsafe extern "C" {
        fn pthread_atfork(
            prepare: extern "C" fn(),
            parent: extern "C" fn(),
            child: extern "C" fn(),
        ) -> i32;
    }
    // SAFETY: the handlers are static functions; the library is never unloaded.
    keep_errno(|| unsafe { pthread_atfork(prepare, parent, child) });
}

/// Registers a function that runs at exit. May allocate.
pub(crate) fn at_exit(handler: extern "C" fn()) {
    // SAFETY: the handler is a static function; the library is never unloaded.
    keep_errno(|| unsafe { libc::atexit(handler) });
}

/// Sleeps for a moment, 50 microseconds or somewhat more.
#[cfg(any(feature = "watch", feature = "integrity"))]
pub(crate) fn nap() {
    let moment = libc::timespec {
        tv_sec: 0,
        tv_nsec: 50_000,
    };
    // SAFETY: `moment` is readable; the rest is not asked for.
    keep_errno(|| unsafe {
        libc::syscall(
            libc::SYS_nanosleep,
            &raw const moment,
            core::ptr::null_mut::<libc::timespec>(),
        )
    });
}

/// The process, by number.
#[cfg(any(feature = "trace", feature = "integrity"))]
pub(crate) fn id() -> u32 {
    // SAFETY: getpid has no preconditions.
    keep_errno(|| unsafe { libc::syscall(libc::SYS_getpid) as u32 })
}

/// The process, its parent, and its user, by number.
#[cfg(feature = "trace")]
pub(crate) fn ids() -> (u32, u32, u32) {
    // SAFETY: these have no preconditions.
    keep_errno(|| unsafe {
        (
            libc::syscall(libc::SYS_getpid) as u32,
            libc::syscall(libc::SYS_getppid) as u32,
            libc::syscall(libc::SYS_getuid) as u32,
        )
    })
}

/// Random bytes; as many as the kernel has without waiting.
#[cfg(feature = "trace")]
pub(crate) fn fill_random(bytes: &mut [u8]) {
    // SAFETY: the bytes are writable for their length.
    keep_errno(|| unsafe {
        libc::syscall(
            libc::SYS_getrandom,
            bytes.as_mut_ptr(),
            bytes.len(),
            libc::GRND_NONBLOCK,
        )
    });
}

/// The path of the program's file; the bytes of it.
#[cfg(feature = "observed")]
pub(crate) fn program(buffer: &mut [u8]) -> usize {
    let link = c"/proc/self/exe".as_ptr();
    // SAFETY: the buffer is writable for its length.
    let len = keep_errno(|| unsafe {
        libc::syscall(libc::SYS_readlink, link, buffer.as_mut_ptr(), buffer.len())
    });
    usize::try_from(len).unwrap_or(0)
}

/// The path of the directory that the process is in; the bytes of it, 0 if it has none.
#[cfg(feature = "observed")]
pub(crate) fn directory(buffer: &mut [u8]) -> usize {
    // SAFETY: the buffer is writable for its length.
    let len = keep_errno(|| unsafe {
        libc::syscall(libc::SYS_getcwd, buffer.as_mut_ptr(), buffer.len())
    });
    // With the zero byte at its end; a directory out of reach has no slash at its start.
    match usize::try_from(len) {
        Ok(len) if len > 1 && buffer[0] == b'/' => len - 1,
        _ => 0,
    }
}
