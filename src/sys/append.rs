//! A file that is appended to, for what is printed.

use super::keep_errno;
use core::ffi::CStr;

/// An open file; closed when dropped.
pub(crate) struct Append(i32);

impl Append {
    /// Opens the file, which is made if it is not there.
    pub(crate) fn open(path: &CStr) -> Option<Self> {
        const MODE: u32 = 0o666;
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_CLOEXEC;
        // SAFETY: the path ends with a zero byte.
        let opened = keep_errno(|| unsafe {
            libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, MODE)
        });
        (opened >= 0).then_some(Append(opened as i32))
    }

    /// Writes all of it, if the system takes it.
    pub(crate) fn write(&self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            // SAFETY: the bytes are readable for their length.
            let written = keep_errno(|| unsafe {
                libc::syscall(libc::SYS_write, self.0, bytes.as_ptr(), bytes.len())
            });
            match usize::try_from(written) {
                Ok(written) if written > 0 => bytes = &bytes[written.min(bytes.len())..],
                _ => return,
            }
        }
    }
}

impl Drop for Append {
    fn drop(&mut self) {
        // SAFETY: nobody else knows of the descriptor.
        keep_errno(|| unsafe { libc::syscall(libc::SYS_close, self.0) });
    }
}
