//! The story in Rust: unsafe code in a thread writes past the end of its buffer, into a neighbour's
//! session; the main thread uses the session later, and dies.

use std::alloc::{Layout, alloc};
use std::hint::black_box;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::thread;

#[repr(C)]
struct Session {
    notify: fn(&Session),
    name: [u8; 40],
}

static SESSION: AtomicPtr<Session> = AtomicPtr::new(std::ptr::null_mut());
static NAME_BUFFER: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());

fn ignore(_: &Session) {}

#[inline(never)]
fn make_buffer(size: usize) -> *mut u8 {
    // SAFETY: the size is not zero, and so there is a first byte.
    unsafe {
        let made = alloc(Layout::from_size_align(size, 8).unwrap());
        made.write(0);
        made
    }
}

#[inline(never)]
fn make_session() -> *mut Session {
    Box::into_raw(Box::new(Session { notify: black_box(ignore), name: [0; 40] }))
}

/// The culprit: it takes the length of the text for the buffer's.
#[inline(never)]
fn copy_name(to: *mut u8, text: &[u8]) {
    // SAFETY: none; that is the story.
    unsafe { to.copy_from_nonoverlapping(text.as_ptr(), text.len()) } // THE WRITE
    // Without this the call would be a jump, and this function on no stack.
    black_box(to);
}

#[inline(never)]
fn use_session(of: &mut Session) {
    (of.notify)(of);
    of.name[0] = of.name[0].wrapping_add(1);
}

fn main() {
    // Neighbours: the buffer, and behind it the session.
    NAME_BUFFER.store(make_buffer(48), Ordering::Relaxed);
    SESSION.store(make_session(), Ordering::Relaxed);
    thread::spawn(|| copy_name(NAME_BUFFER.load(Ordering::Relaxed), black_box(&[b'A'; 79])))
        .join()
        .unwrap();
    for size in 1..1000 {
        drop(black_box(Vec::<u8>::with_capacity(size)));
    }
    // SAFETY: it was made above.
    use_session(unsafe { &mut *SESSION.load(Ordering::Relaxed) });
}
