//! The process's environment, read without allocating.

use core::ffi::{CStr, c_char};

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// The `NAME=value` strings of the environment; `None` while libc has not set
/// `environ` yet, which is so for allocations before its initialisation.
/// Empty for a set-user-id program (AT_SECURE), whose environment is not trusted.
///
/// # Safety
/// No other thread changes the environment during the iteration; it is read in
/// the process's first allocations only.
pub(crate) unsafe fn variables() -> Option<impl Iterator<Item = &'static [u8]>> {
    // SAFETY: `environ` is libc's variable, read once.
    let mut entry = unsafe { environ };
    if entry.is_null() {
        return None;
    }
    // SAFETY: getauxval reads the vector that the kernel passed to the process.
    let trusted = unsafe { libc::getauxval(libc::AT_SECURE) } == 0;
    Some(core::iter::from_fn(move || {
        // SAFETY: `entry` stays within the array, which ends with null.
        let string = unsafe { *entry };
        if !trusted || string.is_null() {
            return None;
        }
        // SAFETY: the entry just read was not the last, so there is a next one.
        entry = unsafe { entry.add(1) };
        // SAFETY: environment strings end with a zero byte.
        Some(unsafe { CStr::from_ptr(string) }.to_bytes())
    }))
}
