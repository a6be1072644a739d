//! Where stands what observers keep of blocks: beside each slab's bitmap, and that of each observer
//! in a lane apart from the others', so that one which is off takes no memory.
//!
//! ```text
//! a slab's records         ┌ block 0 ┬ block 1  ┬ block 2 ┬ …
//!   the last observer's    start     + STRIDE
//!   the one before         start + LANE
//!   …
//! ```
//!
//! 1. There is memory for each lane of each block of a slab.
//! 2. Of a block of a slab there are all lanes; of any other there is the one record alone.

use super::Record;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;

/// Bytes that a lane has for a block.
pub(crate) const STRIDE: usize = 32;

/// Lanes that there are, the bytes of one, and from one to the next: what several observers keep of a
/// block does not lie at the same place of a page in all of them, where one's stores may hold up the
/// next one's loads.
pub(crate) const LANES: usize = Record::LANES;
pub(crate) const LANE_BYTES: usize = 2 << 20;
pub(crate) const LANE: usize = LANE_BYTES + 17 * 128;

/// What can be kept of blocks, or of what several keep of them. Zero bytes are a valid one, and stand
/// for a block of a slab that was opened just now.
pub(crate) trait Keep: 'static {
    /// Lanes that it takes.
    const LANES: usize;

    /// Makes zero what is kept of `blocks` blocks, the first of which has its place at `start`.
    ///
    /// # Safety
    /// They are those of a slab, and none of them is in use.
    unsafe fn wipe(start: NonNull<u8>, blocks: usize);
}

/// What is kept of one block by one observer.
pub(crate) trait Part: Keep + Sized {
    /// How far it is in front of the block's place, in bytes.
    #[inline(always)]
    fn ahead_of(_place: usize) -> usize {
        const { assert!(size_of::<Self>() <= STRIDE) }
        0
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
    /// Its place in the first of the lanes.
    place: NonNull<u8>,
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
    #[inline(always)]
    fn at(place: NonNull<u8>) -> Self {
        Kept {
            place,
            of: PhantomData,
        }
    }

    /// Of block `index` of the slab whose records begin at `records`.
    ///
    /// # Safety
    /// They are there, for as long as this is used.
    #[inline(always)]
    pub(crate) unsafe fn of_slab(records: NonNull<u8>, index: usize) -> Self {
        // SAFETY: the caller's clause.
        Kept::at(unsafe { records.byte_add(index * STRIDE) })
    }
}

impl<'a, A: Keep, B: Keep> Kept<'a, (A, B)> {
    /// What the first one keeps.
    #[inline(always)]
    pub(crate) fn first(self) -> Kept<'a, A> {
        // SAFETY: the lanes of both are there.
        Kept::at(unsafe { self.place.byte_add(B::LANES * LANE) })
    }

    /// What the second one keeps.
    #[inline(always)]
    pub(crate) fn second(self) -> Kept<'a, B> {
        Kept::at(self.place)
    }
}

impl<'a, R: Part> Kept<'a, R> {
    /// Of a block of no slab, which has its own: where the place would be of the first block of a slab,
    /// for `Part::ahead_of`.
    pub(crate) fn of(record: &'a R) -> Self {
        let place = NonNull::from(record).cast();
        debug_assert_eq!(R::ahead_of(place.as_ptr() as usize), 0);
        Kept::at(place)
    }

    #[inline(always)]
    pub(crate) fn get(self) -> &'a R {
        let ahead = R::ahead_of(self.place.as_ptr() as usize);
        // SAFETY: the lane is there, and zero bytes are a valid one.
        unsafe { self.place.byte_sub(ahead).cast().as_ref() }
    }

    /// That of the block below.
    ///
    /// # Safety
    /// It is that of a block in a slab, and not of the slab's first.
    #[inline(always)]
    pub(crate) unsafe fn below(self) -> Self {
        // SAFETY: the caller's clause.
        Kept::at(unsafe { self.place.byte_sub(STRIDE) })
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
            unsafe { start.write_bytes(0, blocks * STRIDE) };
        }
    }

    impl Part for Number {}

    #[test]
    fn each_has_its_own() {
        const COUNT: usize = 300;
        // Words, for their alignment.
        let memory = std::vec![0u64; (LANE + COUNT * STRIDE) / 8];
        let memory: std::boxed::Box<[u64]> = memory.into();
        let records = NonNull::new(std::boxed::Box::into_raw(memory).cast::<u8>());
        let records = records.expect("it is there");
        type Both = (Number, ((), Number));
        // SAFETY: the memory is there, for so many places of two lanes.
        let of = |index| unsafe { Kept::<Both>::of_slab(records, index) };
        for index in 0..COUNT {
            let number = index as u32;
            let (first, second) = (of(index).first(), of(index).second().second());
            first.0.store(2 * number + 1, Ordering::Relaxed);
            second.0.store(2 * number, Ordering::Relaxed);
        }
        let is = |index: usize| {
            let first = of(index).first().0.load(Ordering::Relaxed);
            (first, of(index).second().second().0.load(Ordering::Relaxed))
        };
        assert!((0..COUNT).all(|index| is(index) == (2 * index as u32 + 1, 2 * index as u32)));
        for index in [1, COUNT / 2, COUNT - 1] {
            // SAFETY: there is one below.
            let below = unsafe { of(index).first().below() };
            assert_eq!(below.0.load(Ordering::Relaxed), 2 * index as u32 - 1);
        }
        // SAFETY: as above.
        unsafe { Both::wipe(records, 2) };
        assert_eq!([is(0), is(1), is(2)], [(0, 0), (0, 0), (5, 4)]);
    }
}
