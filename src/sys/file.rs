//! Files: made, given their space on the disk, mapped; and small ones read.
//!
//! A file is open for as long as it takes: what is left of it is its mapping.

use super::memory::PAGE;
use super::{errno, keep_errno};
use core::ffi::CStr;
use core::ptr::NonNull;

/// Why something could not be had: a number of `errno`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Refusal(i32);

impl Refusal {
    /// A name is taken.
    pub(crate) const TAKEN: Refusal = Refusal(libc::EEXIST);
    /// There is no memory for it.
    pub(crate) const NO_MEMORY: Refusal = Refusal(libc::ENOMEM);
    /// It does not fit where it should.
    pub(crate) const TOO_LONG: Refusal = Refusal(libc::ENAMETOOLONG);

    /// What it means.
    pub(crate) fn text(self) -> &'static [u8] {
        match self.0 {
            libc::EACCES | libc::EPERM => b"permission denied",
            libc::EDQUOT => b"disk quota exceeded",
            libc::EEXIST => b"the name is taken",
            libc::EFBIG => b"file size limit exceeded",
            libc::EMFILE | libc::ENFILE => b"too many open files",
            libc::ENAMETOOLONG => b"name too long",
            libc::ENOENT => b"no such file or directory",
            libc::ENOMEM => b"out of memory",
            libc::ENOSPC => b"no space left on device",
            libc::ENOTDIR => b"not a directory",
            libc::EROFS => b"read-only file system",
            _ => b"the system refuses",
        }
    }
}

/// A system call's result, or why there is none.
fn result(call: impl FnOnce() -> libc::c_long) -> Result<usize, Refusal> {
    keep_errno(|| match call() {
        -1 => Err(Refusal(errno())),
        result => Ok(result as usize),
    })
}

/// An open file or directory; closed when dropped.
pub(crate) struct Descriptor(i32);

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: nobody else knows of the descriptor.
        keep_errno(|| unsafe { libc::syscall(libc::SYS_close, self.0) });
    }
}

fn open(directory: i32, path: &CStr, flags: i32) -> Result<Descriptor, Refusal> {
    const MODE: u32 = 0o600;
    // SAFETY: the path ends with a zero byte.
    let opened = result(|| unsafe {
        let flags = flags | libc::O_CLOEXEC;
        libc::syscall(libc::SYS_openat, directory, path.as_ptr(), flags, MODE)
    });
    opened.map(|descriptor| Descriptor(descriptor as i32))
}

/// Makes a directory for its owner alone.
pub(crate) fn make_directory(path: &CStr) -> Result<(), Refusal> {
    const MODE: u32 = 0o700;
    // SAFETY: the path ends with a zero byte.
    let made =
        result(|| unsafe { libc::syscall(libc::SYS_mkdirat, libc::AT_FDCWD, path.as_ptr(), MODE) });
    made.map(drop)
}

/// A directory, to make files in.
pub(crate) fn open_directory(path: &CStr) -> Result<Descriptor, Refusal> {
    open(libc::AT_FDCWD, path, libc::O_DIRECTORY | libc::O_PATH)
}

impl Descriptor {
    /// A new file in this directory.
    pub(crate) fn create(&self, name: &CStr) -> Result<Descriptor, Refusal> {
        open(self.0, name, libc::O_RDWR | libc::O_CREAT | libc::O_EXCL)
    }

    /// Takes `name` out of this directory.
    pub(crate) fn remove(&self, name: &CStr) {
        // SAFETY: the name ends with a zero byte.
        keep_errno(|| unsafe { libc::syscall(libc::SYS_unlinkat, self.0, name.as_ptr(), 0) });
    }

    /// Gives the new file `len` bytes of zeroes, and the space that they take on the disk: to
    /// write to them later is not refused.
    pub(crate) fn allocate(&self, len: usize) -> Result<(), Refusal> {
        // The kernel ends a process that goes beyond its limit (SIGXFSZ).
        if file_size_limit().is_some_and(|limit| len > limit) {
            return Err(Refusal(libc::EFBIG));
        }
        // SAFETY: changes the file alone.
        let allocated =
            result(|| unsafe { libc::syscall(libc::SYS_fallocate, self.0, 0, 0usize, len) });
        match allocated {
            Err(Refusal(libc::EOPNOTSUPP | libc::ENOSYS | libc::EINVAL)) => self.write_zeroes(len),
            Err(Refusal(libc::EINTR)) => self.allocate(len),
            other => other.map(drop),
        }
    }

    fn write_zeroes(&self, len: usize) -> Result<(), Refusal> {
        static ZEROES: [u8; PAGE] = [0; PAGE];
        let mut done = 0;
        while done < len {
            let part = (len - done).min(PAGE);
            // SAFETY: as many bytes are readable.
            let written = result(|| unsafe {
                libc::syscall(libc::SYS_pwrite64, self.0, ZEROES.as_ptr(), part, done)
            });
            match written {
                Ok(0) => return Err(Refusal(libc::ENOSPC)),
                Ok(bytes) => done += bytes,
                Err(Refusal(libc::EINTR)) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(())
    }

    /// Maps the first `len` bytes of the file, for everybody who maps it as well.
    pub(crate) fn map(&self, len: usize) -> Result<NonNull<u8>, Refusal> {
        let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
        let flags = libc::MAP_SHARED as usize;
        // SAFETY: a new mapping, at an address of the kernel's choice.
        let address = result(|| unsafe {
            libc::syscall(
                libc::SYS_mmap,
                0usize,
                len,
                protection,
                flags,
                self.0 as isize,
                0usize,
            )
        })?;
        NonNull::new(address as *mut u8).ok_or(Refusal(libc::ENOMEM))
    }
}

/// The limit on the size of a file (RLIMIT_FSIZE), bytes.
fn file_size_limit() -> Option<usize> {
    let mut limit = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: `limit` is a valid place for the result.
    keep_errno(|| unsafe {
        let (this_process, no_new) = (0, core::ptr::null::<libc::rlimit>());
        libc::syscall(
            libc::SYS_prlimit64,
            this_process,
            libc::RLIMIT_FSIZE,
            no_new,
            &raw mut limit,
        )
    });
    (limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur as usize)
}

/// Reads the beginning of a file, as far as the buffer goes; says how many bytes.
pub(crate) fn read(path: &CStr, buffer: &mut [u8]) -> Option<usize> {
    let file = open(libc::AT_FDCWD, path, libc::O_RDONLY).ok()?;
    let mut length = 0;
    while length < buffer.len() {
        let rest = &mut buffer[length..];
        // SAFETY: `rest` is writable for its length.
        let got = result(|| unsafe {
            libc::syscall(libc::SYS_read, file.0, rest.as_mut_ptr(), rest.len())
        });
        match got {
            Ok(0) => break,
            Ok(bytes) => length += bytes,
            Err(Refusal(libc::EINTR)) => {}
            Err(_) => return None,
        }
    }
    Some(length)
}

/// Writes a text to a file of the kernel's, at once; false if it refuses.
pub(crate) fn write_at_once(path: &CStr, text: &[u8]) -> bool {
    let Ok(file) = open(libc::AT_FDCWD, path, libc::O_WRONLY) else {
        return false;
    };
    // SAFETY: `text` is readable for its length.
    let written =
        result(|| unsafe { libc::syscall(libc::SYS_write, file.0, text.as_ptr(), text.len()) });
    written == Ok(text.len())
}

/// Where a link leads, as far as the buffer goes; says how many bytes.
pub(crate) fn read_link(path: &CStr, buffer: &mut [u8]) -> Option<usize> {
    // SAFETY: the path ends with a zero byte; the buffer is writable for its length.
    let length = result(|| unsafe {
        libc::syscall(
            libc::SYS_readlinkat,
            libc::AT_FDCWD,
            path.as_ptr(),
            buffer.as_mut_ptr(),
            buffer.len(),
        )
    });
    length.ok()
}

/// The directory that the process works in; says how many bytes.
pub(crate) fn working_directory(buffer: &mut [u8]) -> Option<usize> {
    // SAFETY: the buffer is writable for its length.
    let length =
        result(|| unsafe { libc::syscall(libc::SYS_getcwd, buffer.as_mut_ptr(), buffer.len()) });
    // The length counts the zero byte. A directory that cannot be reached has no absolute path.
    let length = length.ok()?.checked_sub(1)?;
    buffer[..length].starts_with(b"/").then_some(length)
}

/// Adds bytes at the end of a file, which is made if there is none.
#[cfg(any(feature = "diagnostics", feature = "integrity", feature = "trace"))]
pub(crate) fn append(path: &CStr, mut bytes: &[u8]) -> Result<(), Refusal> {
    let file = open(
        libc::AT_FDCWD,
        path,
        libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND,
    )?;
    while !bytes.is_empty() {
        // SAFETY: the bytes are readable for their length.
        let written = result(|| unsafe {
            libc::syscall(libc::SYS_write, file.0, bytes.as_ptr(), bytes.len())
        });
        match written {
            Ok(0) => return Err(Refusal(libc::ENOSPC)),
            Ok(written) => bytes = &bytes[written..],
            Err(Refusal(libc::EINTR)) => {}
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(())
}
