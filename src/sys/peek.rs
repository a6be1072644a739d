//! This process's memory, read where it may not be there: what cannot be read is left out, and
//! nothing faults. And which pages of it have been written to at all, so that address space that
//! was never touched is not brought in by reading it.

use super::contents::File;
use super::memory::PAGE;
use super::{errno, keep_errno};
use core::cell::Cell;

/// How memory is read.
pub(crate) struct Memory {
    /// `/proc/self/mem`, for where the system call is not allowed.
    file: Option<File>,
    /// `/proc/self/pagemap`.
    pages: Option<File>,
    process: usize,
    /// The system call is refused.
    is_refused: Cell<bool>,
}

/// In an entry of the page map: the page is in memory, or was swapped out.
const THERE: u64 = 1 << 63 | 1 << 62;

impl Memory {
    pub(crate) fn open() -> Memory {
        Memory {
            file: File::open(c"/proc/self/mem"),
            pages: File::open(c"/proc/self/pagemap"),
            process: super::process::id() as usize,
            is_refused: Cell::new(false),
        }
    }

    /// Copies words from `address` on, a multiple of 8, as far as they can be read: says how many.
    pub(crate) fn read(&self, address: usize, words: &mut [usize]) -> usize {
        if !self.is_refused.get() {
            match self.call(address, words) {
                Ok(bytes) => return bytes / size_of::<usize>(),
                Err(libc::EFAULT) => return 0,
                Err(_) => self.is_refused.set(true),
            }
        }
        let bytes = self
            .file
            .as_ref()
            .map_or(0, |file| file.read_words_at(address, words));
        bytes / size_of::<usize>()
    }

    fn call(&self, address: usize, words: &mut [usize]) -> Result<usize, i32> {
        let len = size_of_val(words);
        let local = libc::iovec {
            iov_base: words.as_mut_ptr().cast(),
            iov_len: len,
        };
        let remote = libc::iovec {
            iov_base: address as *mut core::ffi::c_void,
            iov_len: len,
        };
        // SAFETY: the local range is writable; of the remote one the kernel finds out.
        keep_errno(|| unsafe {
            let read = libc::syscall(
                libc::SYS_process_vm_readv,
                self.process,
                &raw const local,
                1usize,
                &raw const remote,
                1usize,
                0usize,
            );
            usize::try_from(read).map_err(|_| errno())
        })
    }

    /// Which of the pages from `start` on, where a page begins, have something in them: an entry
    /// each, not 0 if it has. Where the system does not say, all have.
    pub(crate) fn touched(&self, start: usize, entries: &mut [usize]) {
        let at = start / PAGE * size_of::<usize>();
        let pages = self.pages.as_ref();
        let known = pages.map_or(0, |pages| pages.read_words_at(at, entries)) / size_of::<usize>();
        let (known, unknown) = entries.split_at_mut(known.min(entries.len()));
        for entry in known {
            *entry &= THERE as usize;
        }
        unknown.fill(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::memory;

    #[test]
    #[cfg_attr(miri, ignore = "asks the kernel")]
    fn what_is_there_is_read_and_what_is_not_is_left_out() {
        let memory = Memory::open();
        let place = memory::reserve(4 * PAGE, PAGE).expect("pages");
        // SAFETY: reserved above, here and below.
        assert!(unsafe { memory::commit(place, 2 * PAGE) });
        let last = place + 2 * PAGE - 8;
        // SAFETY: as above.
        unsafe { *(last as *mut usize) = 4711 };
        let mut words = [0; 4];
        assert_eq!(memory.read(last - 8, &mut words), 2);
        assert_eq!(words[1], 4711);
        assert_eq!(memory.read(place + 2 * PAGE, &mut words), 0);
        // As where the call is not allowed.
        memory.is_refused.set(true);
        words = [0; 4];
        assert!(memory.read(last - 8, &mut words) >= 2);
        assert_eq!(words[1], 4711);
        let mut touched = [1; 2];
        memory.touched(place, &mut touched);
        assert_eq!(touched[0], 0, "nobody has written there");
        assert_ne!(touched[1], 0);
        // SAFETY: as above.
        unsafe { memory::unmap(place, 4 * PAGE) };
    }
}
