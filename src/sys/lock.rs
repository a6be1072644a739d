//! A mutual exclusion lock on a futex: four bytes, no allocation, no poisoning.
//!
//! ```text
//! 0 free    1 held    2 held, and somebody may sleep
//! ```

use super::keep_errno;
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};

const FREE: u32 = 0;
const HELD: u32 = 1;
const CONTENDED: u32 = 2;
const SPINS: u32 = 100;

/// A value that one thread at a time may use.
pub(crate) struct Lock<T> {
    /// Acquire on taking pairs with Release on giving back.
    state: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through the lock alone.
unsafe impl<T> Sync for Lock<T> {}

/// The right to the value; gives it back when dropped.
pub(crate) struct Guard<'a, T>(&'a Lock<T>);

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Lock {
            state: AtomicU32::new(FREE),
            value: UnsafeCell::new(value),
        }
    }

    /// Waits until the value is free and takes it.
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        if self.take(FREE, HELD) {
            return Guard(self);
        }
        self.lock_slow()
    }

    #[cold]
    fn lock_slow(&self) -> Guard<'_, T> {
        for _ in 0..SPINS {
            core::hint::spin_loop();
            if self.state.load(Ordering::Relaxed) == FREE && self.take(FREE, HELD) {
                return Guard(self);
            }
        }
        while self.state.swap(CONTENDED, Ordering::Acquire) != FREE {
            futex(&self.state, libc::FUTEX_WAIT, CONTENDED);
        }
        Guard(self)
    }

    /// Takes the value if it is free now.
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        // Not `then_some`: the guard that it made for a failure would release the lock.
        self.take(FREE, HELD).then(|| Guard(self))
    }

    fn take(&self, from: u32, to: u32) -> bool {
        self.state
            .compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// Takes the lock and keeps it: for the moment of a fork.
    pub(crate) fn hold(&self) {
        core::mem::forget(self.lock());
    }

    /// Gives back what [`Lock::hold`] took.
    ///
    /// # Safety
    /// This thread, or in a fork's child the thread it was copied from, holds the
    /// lock by [`Lock::hold`].
    pub(crate) unsafe fn let_go(&self) {
        self.release();
    }

    fn release(&self) {
        if self.state.swap(FREE, Ordering::Release) == CONTENDED {
            futex(&self.state, libc::FUTEX_WAKE, 1);
        }
    }

    /// The address of the value, for readers of a core file.
    pub(crate) const fn address(&self) -> *const T {
        self.value.get()
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock, so nobody else uses the value.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock, and is borrowed mutably.
        unsafe { &mut *self.0.value.get() }
    }
}

fn futex(word: &AtomicU32, operation: i32, value: u32) {
    // SAFETY: `word` is a live, aligned u32; FUTEX_WAIT without a time limit and
    // FUTEX_WAKE take no further arguments.
    keep_errno(|| unsafe {
        libc::syscall(
            libc::SYS_futex,
            ptr::from_ref(word),
            operation | libc::FUTEX_PRIVATE_FLAG,
            value,
            ptr::null::<libc::timespec>(),
        )
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        static COUNT: Lock<u64> = Lock::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        *COUNT.lock() += 1;
                    }
                });
            }
        });
        assert_eq!(*COUNT.lock(), 40_000);
        let held = COUNT.lock();
        assert!(COUNT.try_lock().is_none());
        // An attempt that fails leaves the lock with its holder.
        assert!(COUNT.try_lock().is_none());
        drop(held);
        assert!(COUNT.try_lock().is_some());
    }
}
