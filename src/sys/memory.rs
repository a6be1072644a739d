//! Address space and the pages in it.
//!
//! Reserved address space (`PROT_NONE`, not charged) is committed (readable and
//! writable, zero), purged (pages given back, zero again) and retired (reserved
//! again). All lengths are bytes and multiples of the 4 KiB page.

use super::keep_errno;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};

/// Bytes of a page.
pub(crate) const PAGE: usize = 4096;

const NAME: &core::ffi::CStr = c"hakmem";

/// What a call for an address returns when the system refuses.
const FAILED: libc::c_long = -1;

fn map(at: usize, len: usize, protection: i32, flags: i32) -> Option<usize> {
    let flags = flags | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: an anonymous mapping; with MAP_FIXED the callers pass a range that
    // they own.
    let address = keep_errno(|| unsafe {
        let (protection, flags) = (protection as usize, flags as usize);
        let (no_file, offset) = (usize::MAX, 0usize);
        libc::syscall(libc::SYS_mmap, at, len, protection, flags, no_file, offset)
    });
    (address != FAILED).then_some(address as usize)
}

/// Has the processor fetch the cache line at `address`, whatever it is, to be written.
#[inline(always)]
pub(crate) fn fetch_to_write(address: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a hint, which accesses nothing as far as the program can tell.
    unsafe {
        core::arch::asm!(
            "prefetchw byte ptr [{0}]",
            in(reg) address,
            options(readonly, nostack, preserves_flags),
        );
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}

/// Names the range in `/proc/self/maps`, where the kernel can (5.17).
pub(crate) fn name(address: usize, len: usize) {
    /// The kernel has refused once. Relaxed: all that hangs on it is a system call in vain.
    static REFUSED: AtomicBool = AtomicBool::new(false);
    if REFUSED.load(Ordering::Relaxed) {
        return;
    }
    // SAFETY: PR_SET_VMA changes the name of the range alone; the string is static.
    let refused = keep_errno(|| unsafe {
        let result = libc::syscall(
            libc::SYS_prctl,
            libc::PR_SET_VMA,
            libc::PR_SET_VMA_ANON_NAME as usize,
            address,
            len,
            NAME.as_ptr(),
        );
        result != 0 && super::errno() != libc::ENOMEM
    });
    if refused {
        REFUSED.store(true, Ordering::Relaxed);
    }
}

/// Reserves `len` bytes that start on a multiple of `align`; nothing is accessible.
pub(crate) fn reserve(len: usize, align: usize) -> Option<usize> {
    map_aligned(len, align, libc::PROT_NONE)
}

/// Maps `len` zero bytes that start on a multiple of `align`.
pub(crate) fn map_zeroed(len: usize, align: usize) -> Option<usize> {
    map_aligned(len, align, libc::PROT_READ | libc::PROT_WRITE)
}

fn map_aligned(len: usize, align: usize, protection: i32) -> Option<usize> {
    let first = map(0, len, protection, 0)?;
    if first % align == 0 {
        name(first, len);
        return Some(first);
    }
    // SAFETY: the mapping was made just now and nobody knows of it.
    unsafe { unmap(first, len) };
    let wide = len.checked_add(align - PAGE)?;
    let around = map(0, wide, protection, 0)?;
    let start = around.next_multiple_of(align);
    // SAFETY: both ranges are the ends of the mapping made just now.
    unsafe {
        unmap(around, start - around);
        unmap(start + len, around + wide - (start + len));
    }
    name(start, len);
    Some(start)
}

/// # Safety
/// The caller owns the range, and nobody uses it any more.
pub(crate) unsafe fn unmap(address: usize, len: usize) {
    if len > 0 {
        // SAFETY: the caller's clause.
        keep_errno(|| unsafe { libc::syscall(libc::SYS_munmap, address, len) });
    }
}

/// Makes reserved pages readable and writable; false when the system refuses.
///
/// # Safety
/// The caller owns the range.
pub(crate) unsafe fn commit(address: usize, len: usize) -> bool {
    // SAFETY: the caller's clause; access is only widened.
    let refused = keep_errno(|| unsafe {
        libc::syscall(
            libc::SYS_mprotect,
            address,
            len,
            (libc::PROT_READ | libc::PROT_WRITE) as usize,
        )
    });
    refused == 0
}

/// Lets pages be written, or only read; false when the system refuses.
///
/// # Safety
/// The caller owns the range, which is committed; who writes to it meanwhile is to get a signal.
#[cfg(feature = "watch")]
pub(crate) unsafe fn set_writable(address: usize, len: usize, writable: bool) -> bool {
    let write = if writable { libc::PROT_WRITE } else { 0 };
    // SAFETY: the caller's clauses.
    let refused = keep_errno(|| unsafe {
        let protection = (libc::PROT_READ | write) as usize;
        libc::syscall(libc::SYS_mprotect, address, len, protection)
    });
    refused == 0
}

/// Turns pages back into reserved address space.
///
/// # Safety
/// The caller owns the range, and nobody uses its contents any more.
pub(crate) unsafe fn retire(address: usize, len: usize) {
    if map(address, len, libc::PROT_NONE, libc::MAP_FIXED).is_some() {
        name(address, len);
    } else {
        // The kernel refuses to split another mapping: give back the pages at least.
        // SAFETY: the caller's clause.
        unsafe { purge(address, len) };
    }
}

/// Makes the pages read as zero from here on, and gives back those that the kernel will
/// take: it refuses a range with a locked page (mlock), which is overwritten instead.
///
/// # Safety
/// The caller owns the range, which is committed, and nobody uses its contents any more.
pub(crate) unsafe fn purge(address: usize, len: usize) {
    // SAFETY: the caller's clause.
    if len > 0 && !unsafe { advise(address, len, libc::MADV_DONTNEED) } {
        // SAFETY: the caller's clause.
        unsafe { ptr::write_bytes(address as *mut u8, 0, len) };
    }
}

/// Reserves `len` bytes at `address`; false if something is there.
pub(crate) fn reserve_at(address: usize, len: usize) -> bool {
    match map(address, len, libc::PROT_NONE, libc::MAP_FIXED_NOREPLACE) {
        Some(there) if there == address => true,
        Some(elsewhere) => {
            // Before Linux 4.17 the address is a mere wish.
            // SAFETY: mapped just now, and nobody knows of it.
            unsafe { unmap(elsewhere, len) };
            false
        }
        None => false,
    }
}

/// Asks for the pages now, so that no first touch has to (Linux 5.14; a refusal
/// is harmless).
///
/// # Safety
/// The caller owns the range, which is committed.
pub(crate) unsafe fn populate(address: usize, len: usize) {
    // SAFETY: the caller's clause; the contents stay as they are.
    unsafe { advise(address, len, libc::MADV_POPULATE_WRITE) };
}

/// Asks for huge pages, where the kernel has them (`madvise` or `always` in
/// `/sys/kernel/mm/transparent_hugepage/enabled`): the first touch of a huge page's place
/// brings all of it. Says whether the kernel took note.
///
/// # Safety
/// The caller owns the range.
pub(crate) unsafe fn advise_huge(address: usize, len: usize) -> bool {
    // SAFETY: the caller's clause; the contents stay as they are.
    unsafe { advise(address, len, libc::MADV_HUGEPAGE) }
}

/// Asks for small pages from here on, also of the kernel's thread that joins them.
///
/// # Safety
/// The caller owns the range.
pub(crate) unsafe fn advise_small(address: usize, len: usize) -> bool {
    // SAFETY: the caller's clause; the contents stay as they are.
    unsafe { advise(address, len, libc::MADV_NOHUGEPAGE) }
}

/// Has the range read as zero in a child that is forked, however it is forked (Linux 4.14);
/// says whether it will.
///
/// # Safety
/// The caller owns the range, which is private and anonymous.
#[cfg(feature = "trace")]
pub(crate) unsafe fn wipe_on_fork(address: usize, len: usize) -> bool {
    // SAFETY: the caller's clause; the contents stay as they are here.
    unsafe { advise(address, len, libc::MADV_WIPEONFORK) }
}

/// Puts zeroes of this process alone in the place of what is mapped there.
///
/// # Safety
/// The caller owns the range, and nobody relies on its contents.
#[cfg(feature = "trace")]
pub(crate) unsafe fn cover(address: usize, len: usize) -> bool {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    map(address, len, protection, libc::MAP_FIXED).is_some()
}

/// # Safety
/// The caller owns the range and allows what `advice` does to its contents.
unsafe fn advise(address: usize, len: usize, advice: i32) -> bool {
    // SAFETY: the caller's clause.
    keep_errno(|| unsafe { libc::syscall(libc::SYS_madvise, address, len, advice) }) == 0
}

/// What has become of the place that pages were to move to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    /// The pages are there.
    Done,
    /// The system does not move pages, and nothing has changed.
    Not,
    /// They are not, and the place is reserved again.
    Reserved,
    /// They are not, and the place is no longer ours.
    Lost,
}

/// The system has refused to move pages: it may be older than Linux 5.7, or out of what it
/// needs, and then the place may be lost. So it is not asked again. Relaxed: at worst two
/// threads ask.
static IMMOVABLE: AtomicBool = AtomicBool::new(false);

/// Whether the system moves pages, as far as is known.
pub(crate) fn moves_pages() -> bool {
    !IMMOVABLE.load(Ordering::Relaxed)
}

/// Moves the pages of a mapping to an owned range, without copying them. The range that they
/// leave stays mapped and reads as zero: a hole could be taken by anybody.
///
/// # Safety
/// The caller owns both ranges, and nobody uses them now; `from` is part of one mapping, and
/// `to` has at least `len` bytes.
pub(crate) unsafe fn relocate(from: usize, len: usize, to: usize) -> Moved {
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED | libc::MREMAP_DONTUNMAP;
    // SAFETY: the caller's clause.
    let error = keep_errno(|| unsafe {
        let moved = libc::syscall(libc::SYS_mremap, from, len, len, flags as usize, to);
        (moved == FAILED).then(super::errno)
    });
    let Some(error) = error else {
        return Moved::Done;
    };
    IMMOVABLE.store(true, Ordering::Relaxed);
    match error {
        libc::EINVAL | libc::ENOSYS | libc::EPERM => Moved::Not,
        // It may have unmapped the place before it refused.
        _ if reserve_at(to, len) => Moved::Reserved,
        _ => Moved::Lost,
    }
}

/// The limit on the process's address space (RLIMIT_AS), bytes.
pub(crate) fn address_space_limit() -> Option<usize> {
    let mut limit = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: `limit` is a valid place for the result.
    keep_errno(|| unsafe {
        let (this_process, no_new) = (0, ptr::null::<libc::rlimit>());
        libc::syscall(
            libc::SYS_prlimit64,
            this_process,
            libc::RLIMIT_AS,
            no_new,
            &raw mut limit,
        )
    });
    (limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur as usize)
}

/// Pages of the range that are in memory, counted by mincore.
///
/// # Safety
/// The range is mapped.
pub(crate) unsafe fn resident_pages(address: usize, len: usize) -> usize {
    let mut pages = 0;
    let mut done = 0;
    let mut state = [0u8; 512];
    while done < len {
        let part = (len - done).min(state.len() * PAGE);
        // SAFETY: `state` has a byte for each page of the part.
        let failed = keep_errno(|| unsafe {
            libc::syscall(libc::SYS_mincore, address + done, part, state.as_mut_ptr())
        });
        if failed == 0 {
            pages += state[..part / PAGE].iter().filter(|s| *s & 1 == 1).count();
        }
        done += part;
    }
    pages
}
