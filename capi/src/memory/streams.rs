//! Functions that end or flush a stream of C's: the stream itself, and what it holds and has not written
//! yet, which may be in a buffer that the program has given it and freed.

use super::before::before;
use super::names::name;
use hakmem_alloc::c_abi::{Call, is_there};

/// The beginning of a stream as glibc has it (`struct _IO_FILE`, part of its ABI).
#[repr(C)]
struct Stream {
    flags: usize,
    read: [usize; 3],
    write_base: usize,
    write_ptr: usize,
}

/// A stream, and what it holds; null is none.
fn stream(call: Call, address: usize) {
    let bytes = size_of::<Stream>();
    let is_one = address != 0 && address.is_multiple_of(align_of::<Stream>());
    // Of one that was closed before, glibc ends the program by itself.
    if !is_one || call.readable(address, bytes) < bytes || !is_there(address, bytes) {
        return;
    }
    // SAFETY: asked just now.
    let stream = unsafe { &*(address as *const Stream) };
    let held = stream.write_ptr.saturating_sub(stream.write_base);
    let _ = call.readable(stream.write_base, held);
}

fn reopened(call: Call, path: usize, mode: usize, of: usize) {
    name(call, path);
    name(call, mode);
    stream(call, of);
}

before! {
    /// C11 `fclose`.
    fn fclose of list |call, passed| stream(call, passed[0]);

    /// C11 `fflush`; of all streams that there are it looks at none.
    fn fflush of list |call, passed| stream(call, passed[0]);

    /// POSIX `pclose`.
    fn pclose of list |call, passed| stream(call, passed[0]);

    /// C11 `freopen`, whose stream is still there.
    fn freopen of list |call, passed| reopened(call, passed[0], passed[1], passed[2]);

    /// The same.
    fn freopen64 of list |call, passed| reopened(call, passed[0], passed[1], passed[2]);
}
