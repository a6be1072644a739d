//! What C's standard streams hold and have not written yet.

/// The beginning of a stream as glibc has it (`struct _IO_FILE`, part of its ABI).
#[repr(C)]
struct Stream {
    flags: i32,
    read_ptr: usize,
    read_end: usize,
    read_base: usize,
    write_base: usize,
    write_ptr: usize,
}

unsafe extern "C" {
    static stdout: *const Stream;
    static stderr: *const Stream;
}

/// The names of the streams that are written to, with where what they hold begins and its bytes.
/// Those at an address that is not `usable` hold nothing.
pub(crate) fn pending(usable: impl Fn(usize) -> bool) -> [(&'static str, usize, usize); 2] {
    // SAFETY: libc's variables, which a program may set to another stream.
    let streams = unsafe { [("stdout", stdout), ("stderr", stderr)] };
    streams.map(|(name, stream)| {
        let stream = Some(stream).filter(|stream| usable(stream.addr()));
        // SAFETY: null, or a stream that has not been closed.
        let held = stream.and_then(|stream| unsafe { stream.as_ref() });
        let start = held.map_or(0, |held| held.write_base);
        let end = held.map_or(0, |held| held.write_ptr);
        (name, start, end.saturating_sub(start))
    })
}
