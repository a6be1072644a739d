//! Where stands what observers keep of blocks: beside each slab's bitmap, and that of each observer
//! in a lane apart from the others', so that one which is off takes no memory.
//!
//! ```text
//! a slab's records       ┌ blocks 0 to 255 ┬ blocks 256 to 511 ┬ …
//!                        start             start + GROUP_BYTES
//!   the last observer's  start
//!   the one before       start + LANE
//!   …
//! ```
//!
//! 1. There is memory for each lane of each group.
//! 2. Of a block of a slab there are all lanes; of any other there is the one record alone.

use super::Record;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;

/// Blocks of a group.
pub(crate) const GROUP: usize = 256;

/// Bytes from one group to the next one; none where nothing is kept.
pub(crate) const GROUP_BYTES: usize = if Record::LANES != 0 { 32 * GROUP } else { 0 };

/// Lanes that there are, and bytes from one to the next.
pub(crate) const LANES: usize = Record::LANES;
pub(crate) const LANE: usize = 2 << 20;

/// What can be kept of blocks, or of what several keep of them. Zero bytes are a valid one, and stand
/// for a block of a slab that was opened just now.
pub(crate) trait Keep: 'static {
    /// Lanes that it takes.
    const LANES: usize;

    /// Makes zero what is kept of the first `blocks` blocks of the group that begins at `start`.
    ///
    /// # Safety
    /// The group is there, and none of the blocks is in use.
    unsafe fn wipe(start: NonNull<u8>, blocks: usize);
}

/// What is kept of one block by one observer.
pub(crate) trait Part: Keep + Sized {
    /// How far from the start of the group it is, in bytes.
    #[inline(always)]
    fn offset(index: usize) -> usize {
        index * size_of::<Self>()
    }
}

impl Keep for () {
    const LANES: usize = 0;

    #[inline(always)]
    unsafe fn wipe(_: NonNull<u8>, _: usize) {}
}

/// The second one's lanes come first.
impl<A: Keep, B: Keep> Keep for (A, B) {
    const LANES: usize = A::LANES + B::LANES;

    unsafe fn wipe(start: NonNull<u8>, blocks: usize) {
        // SAFETY: the caller's clause, here and below.
        unsafe { B::wipe(start, blocks) };
        // SAFETY: as above; the first one's lanes are behind the second one's.
        unsafe { A::wipe(start.byte_add(B::LANES * LANE), blocks) };
    }
}

/// What is kept of a block.
pub(crate) struct Kept<'a, R> {
    /// Where its group begins.
    start: NonNull<u8>,
    /// Which one of the group it is.
    index: usize,
    of: PhantomData<&'a R>,
}

impl<R> Clone for Kept<'_, R> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Kept<'_, R> {}

impl<'a, R: Keep> Kept<'a, R> {
    /// Of block `index` of the slab whose records begin at `records`.
    ///
    /// # Safety
    /// They are there, for as long as this is used.
    #[inline(always)]
    pub(crate) unsafe fn of_slab(records: NonNull<u8>, index: usize) -> Self {
        Kept {
            // SAFETY: the caller's clause.
            start: unsafe { records.byte_add(index / GROUP * GROUP_BYTES) },
            index: index % GROUP,
            of: PhantomData,
        }
    }
}

impl<'a, A: Keep, B: Keep> Kept<'a, (A, B)> {
    /// What the first one keeps.
    #[inline(always)]
    pub(crate) fn first(self) -> Kept<'a, A> {
        Kept {
            // SAFETY: the lanes of both are there.
            start: unsafe { self.start.byte_add(B::LANES * LANE) },
            index: self.index,
            of: PhantomData,
        }
    }

    /// What the second one keeps.
    #[inline(always)]
    pub(crate) fn second(self) -> Kept<'a, B> {
        Kept {
            start: self.start,
            index: self.index,
            of: PhantomData,
        }
    }
}

impl<'a, R: Part> Kept<'a, R> {
    /// Of a block of no slab, which has its own.
    #[allow(dead_code, reason = "observers ask for it")]
    pub(crate) fn of(record: &'a R) -> Self {
        Kept {
            start: NonNull::from(record).cast(),
            index: 0,
            of: PhantomData,
        }
    }

    #[inline(always)]
    pub(crate) fn get(self) -> &'a R {
        // SAFETY: the group's lane is there, and zero bytes are a valid one.
        unsafe { self.start.byte_add(R::offset(self.index)).cast().as_ref() }
    }

    /// That of the block below.
    ///
    /// # Safety
    /// It is that of a block in a slab, and not of the slab's first.
    #[inline(always)]
    #[allow(dead_code, reason = "observers ask for it")]
    pub(crate) unsafe fn below(self) -> Self {
        let (start, index) = match self.index.checked_sub(1) {
            Some(index) => (self.start, index),
            // SAFETY: the caller's clause: there is a group before this one.
            None => unsafe { (self.start.byte_sub(GROUP_BYTES), GROUP - 1) },
        };
        Kept {
            start,
            index,
            of: PhantomData,
        }
    }
}

impl<R: Part> Deref for Kept<'_, R> {
    type Target = R;

    #[inline(always)]
    fn deref(&self) -> &R {
        self.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicU32, Ordering};

    struct Number(AtomicU32);

    impl Keep for Number {
        const LANES: usize = 1;

        unsafe fn wipe(start: NonNull<u8>, blocks: usize) {
            // SAFETY: the caller's clause.
            unsafe { start.write_bytes(0, blocks * size_of::<Number>()) };
        }
    }

    impl Part for Number {}

    #[test]
    fn each_has_its_own() {
        const GROUPS: usize = 2 * 32 * GROUP;
        // Words, for their alignment.
        let memory = std::vec![0u64; (LANE + GROUPS) / 8];
        let memory: std::boxed::Box<[u64]> = memory.into();
        let records = NonNull::new(std::boxed::Box::into_raw(memory).cast::<u8>());
        let records = records.expect("it is there");
        type Both = (Number, ((), Number));
        // SAFETY: the memory is there, for two groups of two lanes.
        let of = |index| unsafe { Kept::<Both>::of_slab(records, index) };
        let count = if GROUP_BYTES != 0 { 2 * GROUP } else { GROUP };
        for index in 0..count {
            let number = index as u32;
            let (first, second) = (of(index).first(), of(index).second().second());
            first.0.store(2 * number + 1, Ordering::Relaxed);
            second.0.store(2 * number, Ordering::Relaxed);
        }
        let is = |index: usize| {
            let first = of(index).first().0.load(Ordering::Relaxed);
            (first, of(index).second().second().0.load(Ordering::Relaxed))
        };
        assert!((0..count).all(|index| is(index) == (2 * index as u32 + 1, 2 * index as u32)));
        for index in [1, GROUP - 1, count - GROUP + 1, count - GROUP].map(|index| index.max(1)) {
            // SAFETY: there is one below.
            let below = unsafe { of(index).first().below() };
            assert_eq!(below.0.load(Ordering::Relaxed), 2 * index as u32 - 1);
        }
        // SAFETY: as above.
        unsafe { Both::wipe(records, 2) };
        assert_eq!([is(0), is(1), is(2)], [(0, 0), (0, 0), (5, 4)]);
    }
}
