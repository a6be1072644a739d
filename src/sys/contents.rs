//! Files, read without allocating: the kernel's about this process, and those of its code.

use super::keep_errno;
use core::ffi::CStr;

/// A file that is open for reading; closed when dropped.
pub(crate) struct File(usize);

impl File {
    /// Opens a file or a directory.
    pub(crate) fn open(path: &CStr) -> Option<File> {
        // SAFETY: the path ends with a zero byte.
        let descriptor = keep_errno(|| unsafe {
            libc::syscall(
                libc::SYS_openat,
                libc::AT_FDCWD as isize,
                path.as_ptr(),
                (libc::O_RDONLY | libc::O_CLOEXEC) as usize,
                0usize,
            )
        });
        usize::try_from(descriptor).ok().map(File)
    }

    fn stat(&self) -> Option<libc::stat> {
        // SAFETY: all zero bytes are a valid `stat`.
        let mut stat: libc::stat = unsafe { core::mem::zeroed() };
        // SAFETY: `stat` is a valid place for the result.
        let failed =
            keep_errno(|| unsafe { libc::syscall(libc::SYS_fstat, self.0, &raw mut stat) });
        (failed == 0).then_some(stat)
    }

    fn len(&self) -> usize {
        self.stat()
            .map_or(0, |stat| usize::try_from(stat.st_size).unwrap_or(0))
    }

    /// Reads on; says how many bytes, 0 at the end.
    #[cfg(feature = "integrity")]
    pub(crate) fn read(&self, buffer: &mut [u8]) -> usize {
        // SAFETY: the buffer is writable for its length.
        let read = keep_errno(|| unsafe {
            libc::syscall(libc::SYS_read, self.0, buffer.as_mut_ptr(), buffer.len())
        });
        usize::try_from(read).unwrap_or(0)
    }

    /// Reads words at an offset; says how many bytes.
    #[cfg(feature = "integrity")]
    pub(crate) fn read_words_at(&self, offset: usize, words: &mut [usize]) -> usize {
        let len = size_of_val(words);
        // SAFETY: the words are writable, and may have any bytes.
        let read = keep_errno(|| unsafe {
            libc::syscall(libc::SYS_pread64, self.0, words.as_mut_ptr(), len, offset)
        });
        usize::try_from(read).unwrap_or(0)
    }

    /// How many directories this one has in it, as the system counts them now.
    pub(crate) fn directories(&self) -> Option<usize> {
        // Its own name and the one inside of it are counted as well.
        (self.stat()?.st_nlink as usize).checked_sub(2)
    }

    /// Reads a directory from the start again.
    pub(crate) fn rewind(&self) {
        // SAFETY: sets the position of a descriptor of ours.
        keep_errno(|| unsafe {
            libc::syscall(libc::SYS_lseek, self.0, 0usize, libc::SEEK_SET as usize)
        });
    }

    /// Calls `each` with every name in a directory.
    pub(crate) fn for_each_name(&self, mut each: impl FnMut(&[u8])) {
        /// Where in an entry its length stands, and its name.
        const LENGTH: usize = 16;
        const NAME: usize = 19;
        #[repr(align(8))]
        struct Entries([u8; 2048]);
        let mut entries = Entries([0; 2048]);
        loop {
            // SAFETY: the buffer is writable for its length.
            let read = keep_errno(|| unsafe {
                libc::syscall(
                    libc::SYS_getdents64,
                    self.0,
                    entries.0.as_mut_ptr(),
                    entries.0.len(),
                )
            });
            let Some(mut rest) = usize::try_from(read).ok().and_then(|n| entries.0.get(..n)) else {
                return;
            };
            if rest.is_empty() {
                return;
            }
            while let [.., _] = rest
                && rest.len() > NAME
            {
                let len = usize::from(u16::from_le_bytes([rest[LENGTH], rest[LENGTH + 1]]));
                let Some((entry, behind)) = rest.split_at_checked(len.max(NAME)) else {
                    return;
                };
                let name = entry[NAME..].split(|&byte| byte == 0).next();
                each(name.unwrap_or(&[]));
                rest = behind;
            }
        }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: opened by `open`, and nobody else has it.
        keep_errno(|| unsafe { libc::syscall(libc::SYS_close, self.0) });
    }
}

/// A file's contents in memory; unmapped when dropped.
pub(crate) struct Contents {
    address: usize,
    len: usize,
}

impl Contents {
    /// Maps a file; `None` if it cannot be read, or is empty.
    pub(crate) fn of(path: &CStr) -> Option<Contents> {
        let file = File::open(path)?;
        let len = file.len();
        if len == 0 {
            return None;
        }
        // SAFETY: a private mapping for reading at an address that the kernel chooses.
        let address = keep_errno(|| unsafe {
            libc::syscall(
                libc::SYS_mmap,
                0usize,
                len,
                libc::PROT_READ as usize,
                libc::MAP_PRIVATE as usize,
                file.0,
                0usize,
            )
        });
        (address != -1).then_some(Contents {
            address: address as usize,
            len,
        })
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: mapped for reading by `of` and until this is dropped. A file of code that
        // somebody cuts short meanwhile ends the programs that run it as well.
        unsafe { core::slice::from_raw_parts(self.address as *const u8, self.len) }
    }
}

impl Drop for Contents {
    fn drop(&mut self) {
        // SAFETY: mapped by `of`, and no borrow is left.
        unsafe { super::memory::unmap(self.address, self.len) };
    }
}
