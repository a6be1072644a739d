//! What glibc's programs ask their allocator about, and `hakmem.h`.

use core::ffi::{CStr, c_char, c_int, c_ulong, c_void};
use core::ops::ControlFlow;
use hakmem_alloc::debug::{self, WatchError, WatchId};
use hakmem_alloc::{BlockState, c_abi as heap, entry};

/// `struct mallinfo2` of glibc's malloc.h; `mallinfo` has the same fields as `int`.
#[repr(C)]
#[derive(Default)]
pub struct MallInfo<T> {
    arena: T,
    ordblks: T,
    smblks: T,
    hblks: T,
    hblkhd: T,
    usmblks: T,
    fsmblks: T,
    uordblks: T,
    fordblks: T,
    keepcost: T,
}

/// As in glibc, LARGE blocks are counted apart: what the program holds is `uordblks` and
/// `hblkhd` together.
fn summary() -> MallInfo<usize> {
    let statistics = hakmem_alloc::statistics();
    let large = statistics.tiers[3];
    let small = &statistics.tiers[..3];
    let live: usize = small.iter().map(|tier| tier.live_bytes).sum();
    let mapped = statistics.mapped.saturating_sub(large.live_bytes);
    MallInfo {
        arena: mapped,
        ordblks: statistics.classes.iter().map(|c| c.free + c.cached).sum(),
        hblks: large.live,
        hblkhd: large.live_bytes,
        uordblks: live,
        fordblks: mapped.saturating_sub(live),
        keepcost: statistics.dirty,
        ..MallInfo::default()
    }
}

/// glibc's `mallinfo2`: `arena` is what is mapped for blocks to 32 KiB, `uordblks` what the
/// program holds of it, `fordblks` the rest, `hblks` and `hblkhd` LARGE blocks and their
/// bytes, `keepcost` what `malloc_trim` would give back at least.
#[unsafe(no_mangle)]
pub extern "C" fn mallinfo2() -> MallInfo<usize> {
    summary()
}

/// glibc's `mallinfo`: as [`mallinfo2`], in `int`, which larger values do not fit.
#[unsafe(no_mangle)]
pub extern "C" fn mallinfo() -> MallInfo<c_int> {
    let wide = summary();
    MallInfo {
        arena: wide.arena as c_int,
        ordblks: wide.ordblks as c_int,
        smblks: wide.smblks as c_int,
        hblks: wide.hblks as c_int,
        hblkhd: wide.hblkhd as c_int,
        usmblks: wide.usmblks as c_int,
        fsmblks: wide.fsmblks as c_int,
        uordblks: wide.uordblks as c_int,
        fordblks: wide.fordblks as c_int,
        keepcost: wide.keepcost as c_int,
    }
}

/// glibc's `mallopt`: its parameters are those of another design. Known ones are accepted
/// (1) and change nothing; others are refused (0).
#[unsafe(no_mangle)]
pub extern "C" fn mallopt(parameter: c_int, _value: c_int) -> c_int {
    // M_MXFAST is 1; the others are -1 (M_TRIM_THRESHOLD) to -8 (M_ARENA_MAX).
    c_int::from(matches!(parameter, 1 | -8..=-1))
}

/// glibc's `malloc_trim`: gives back what nobody uses; 1 if there was something.
#[unsafe(no_mangle)]
pub extern "C" fn malloc_trim(_pad: usize) -> c_int {
    c_int::from(heap::collect())
}

/// glibc's `malloc_stats`: the statistics on standard error.
#[unsafe(no_mangle)]
pub extern "C" fn malloc_stats() {
    heap::print_statistics();
}

/// glibc's `malloc_info`: XML to a stream; EINVAL for any option but 0.
///
/// # Safety
/// `stream` is an open stream.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn malloc_info(options: c_int, stream: *mut libc::FILE) -> c_int {
    if options != 0 {
        heap::set_errno(libc::EINVAL);
        return -1;
    }
    let statistics = hakmem_alloc::statistics();
    // SAFETY: the caller's clause.
    statistics.write_xml(&mut |piece| unsafe { put(piece, stream) });
    0
}

/// Not inlined: the compiler would make a call of `fputc` of each piece of one byte, which is one more name
/// that the loader looks up at each start.
///
/// # Safety
/// `stream` is an open stream.
#[inline(never)]
unsafe fn put(piece: &[u8], stream: *mut libc::FILE) {
    // SAFETY: the piece is readable for its length; the caller's clause.
    unsafe { libc::fwrite(piece.as_ptr().cast(), 1, piece.len(), stream) };
}

/// The version, as `MAJOR.MINOR.PATCH`.
#[unsafe(no_mangle)]
pub extern "C" fn hakmem_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

entry! {
    /// As `malloc_usable_size`.
    ///
    /// # Safety
    /// `block` is a live block or null.
    pub fn hakmem_usable_size(block: *mut c_void) -> usize = Unknown, |caller| {
        // SAFETY: the caller's clause.
        unsafe { heap::usable_size(block.cast(), caller) }
    };
}

/// The size that a request is rounded up to.
#[unsafe(no_mangle)]
pub extern "C" fn hakmem_good_size(size: usize) -> usize {
    heap::good_size(size)
}

/// What is in force of a variable.
///
/// # Safety
/// `value` may be written, if there is a value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hakmem_option(option: c_int, value: *mut c_ulong) -> c_int {
    let Some(number) = u32::try_from(option).ok().and_then(heap::option) else {
        return -1;
    };
    let Some(number) = number else { return 0 };
    // SAFETY: the caller's clause.
    unsafe { value.write(c_ulong::from(number)) };
    1
}

/// Ends learning.
#[unsafe(no_mangle)]
pub extern "C" fn hakmem_learn_freeze() -> c_int {
    c_int::from(heap::freeze())
}

/// As `malloc_trim(0)`.
#[unsafe(no_mangle)]
pub extern "C" fn hakmem_collect() -> c_int {
    c_int::from(heap::collect())
}

/// Writes the statistics as JSON, with a terminating zero byte, to `buffer` of `size` bytes.
/// Returns the length without that byte; when it is not below `size`, the text was cut.
///
/// # Safety
/// `buffer` is writable for `size` bytes; null if `size` is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hakmem_stats_json(buffer: *mut c_char, size: usize) -> usize {
    let mut length = 0;
    hakmem_alloc::statistics().write_json(&mut |piece| {
        for &byte in piece {
            if length + 1 < size {
                // SAFETY: `length` is below `size`.
                unsafe { *buffer.add(length) = byte as c_char };
            }
            length += 1;
        }
    });
    if size > 0 {
        // SAFETY: below `size`.
        unsafe { *buffer.add(length.min(size - 1)) = 0 };
    }
    length
}

/// Writes the statistics as a table to standard error.
#[unsafe(no_mangle)]
pub extern "C" fn hakmem_stats_print() {
    heap::print_statistics();
}

/// What `hakmem_walk` calls: a block, its bytes, its state (`enum hakmem_block_state`), and
/// the caller's argument. A result other than 0 ends the walk.
pub type Visitor = extern "C" fn(*const c_void, usize, c_int, *mut c_void) -> c_int;

/// Calls `visitor` for every block until it returns non-zero; returns that, or 0. The
/// visitor must not allocate or free.
#[unsafe(no_mangle)]
pub extern "C" fn hakmem_walk(visitor: Option<Visitor>, argument: *mut c_void) -> c_int {
    let Some(visitor) = visitor else { return 0 };
    let ended = hakmem_alloc::walk(|block| {
        let state = match block.state {
            BlockState::Live => 1,
            BlockState::Free => 2,
            BlockState::Cached => 3,
            _ => 4,
        };
        match visitor(block.address.cast(), block.bytes, state, argument) {
            0 => ControlFlow::Continue(()),
            result => ControlFlow::Break(result),
        }
    });
    ended.break_value().unwrap_or(0)
}

/// The root structure, for debuggers.
#[unsafe(no_mangle)]
pub extern "C" fn hakmem_root() -> *const c_void {
    heap::root_address().cast()
}

/// The number below 0 that stands for an error of `hakmem_watch` and `hakmem_unwatch`.
fn error_number(error: WatchError) -> c_int {
    -match error {
        WatchError::NotBuilt => libc::ENOTSUP,
        WatchError::TooMany => libc::ENOSPC,
        WatchError::NoMemory => libc::ENOMEM,
        WatchError::NoSuchWatch => libc::ENOENT,
        _ => libc::EINVAL,
    }
}

/// Watches what a rule of the language of `HAKMEM_WATCH` says; the watch's number, or an error
/// below 0.
///
/// # Safety
/// `rule` is a string that ends with a zero byte, or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hakmem_watch(rule: *const c_char) -> c_int {
    if rule.is_null() {
        return -libc::EINVAL;
    }
    // SAFETY: the caller's clause.
    let text = unsafe { CStr::from_ptr(rule) };
    let Ok(text) = text.to_str() else {
        return -libc::EINVAL;
    };
    match debug::watch(text) {
        Ok(watch) => watch.number() as c_int,
        Err(error) => error_number(error),
    }
}

/// Ends a watch; 0, or an error below 0.
#[unsafe(no_mangle)]
pub extern "C" fn hakmem_unwatch(watch: c_int) -> c_int {
    let number = u32::try_from(watch).unwrap_or(0);
    match debug::unwatch(WatchId::from_number(number)) {
        Ok(()) => 0,
        Err(error) => error_number(error),
    }
}
