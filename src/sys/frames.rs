//! Frames of a stack that are compared with what stood there before.

use core::arch::asm;

/// The most frames that are compared.
pub(crate) const MOST: usize = 15;
/// Bytes of the code that compares one.
const CODE_BYTES: usize = 17;

/// What [`differ`] is told where there are so many frames, at most [`MOST`].
pub(crate) const fn skip_for(frames: usize) -> usize {
    (MOST - frames) * CODE_BYTES
}

/// The code that compares a frame: with what stands at so many bytes from the middle of `was`.
/// An offset is written in one byte, but for 0, which is not written: it is none.
macro_rules! frame {
    ($offset:literal) => {
        concat!(
            "movdqu xmm1, xmmword ptr [rax]\n",
            "pxor xmm1, xmmword ptr [rcx + ",
            $offset,
            "]\n",
            "mov rax, qword ptr [rcx + ",
            $offset,
            "]\n",
            "por xmm0, xmm1\n",
        )
    };
}

/// From the beginning of `was` to where its offsets are counted from.
const MIDDLE: usize = 120;

/// Whether a chain of frames is not what the last ones of `was` say: 16 bytes at `fp`, then 16
/// bytes at the address that the first of them begins with, and so on. All are read before it is
/// known whether any differs. The code for a frame is there [`MOST`] times, and entered where as
/// much of it is left as there are frames: a loop took half as long again.
///
/// # Safety
/// - `skip` is what [`skip_for`] says of a number of frames.
/// - 16 bytes can be read at `fp` and wherever one of the last so many of `was` leads, but the
///   very last one.
#[inline(always)]
pub(crate) unsafe fn differ(fp: usize, was: *const Frames, skip: usize) -> bool {
    let mask: u32;
    // SAFETY: reads what the caller says can be read; jumps to the beginning of a frame's code, or
    // behind the last.
    unsafe {
        asm!(
            "lea rdx, [rip + 2f]",
            "pxor xmm0, xmm0",
            "add rdx, {skip}",
            "jmp rdx",
            "2:",
            frame!("-120"), frame!("-104"), frame!("-88"), frame!("-72"), frame!("-56"),
            frame!("-40"), frame!("-24"), frame!("-8"), frame!("8"), frame!("24"),
            frame!("40"), frame!("56"), frame!("72"), frame!("88"), frame!("104"),
            "pxor xmm1, xmm1",
            "pcmpeqb xmm0, xmm1",
            "pmovmskb {mask:e}, xmm0",
            skip = in(reg) skip,
            mask = lateout(reg) mask,
            inout("rax") fp => _,
            in("rcx") was.byte_add(MIDDLE),
            out("rdx") _,
            out("xmm0") _,
            out("xmm1") _,
            options(nostack, readonly),
        );
    }
    mask != 0xffff
}

/// What stood at frame pointers: at each the next frame pointer, and a return address.
#[repr(C, align(16))]
pub(crate) struct Frames(pub(crate) [[core::cell::Cell<usize>; 2]; MOST]);

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;
    use std::boxed::Box;

    #[test]
    fn a_difference_anywhere_is_noticed() {
        for count in 0..=MOST {
            let is = Box::new(Frames([const { [const { Cell::new(0) }; 2] }; MOST]));
            let was = Box::new(Frames([const { [const { Cell::new(0) }; 2] }; MOST]));
            for (at, frame) in is.0.iter().enumerate() {
                let next = is.0.get(at + 1).map_or(7, |next| next.as_ptr() as usize);
                frame[0].set(next);
                frame[1].set(10 * at + 10);
                was.0[at][0].set(next);
                was.0[at][1].set(frame[1].get());
            }
            let first = MOST - count;
            let fp = is.0.get(first).map_or(8, |frame| frame.as_ptr() as usize);
            // SAFETY: the frames are there.
            let differ = || unsafe { differ(fp, &raw const *was, skip_for(count)) };
            assert!(!differ());
            for word in
                is.0.iter()
                    .enumerate()
                    .flat_map(|(at, frame)| frame.iter().map(move |word| (at, word)))
            {
                let (at, word) = word;
                for bit in 0..64 {
                    word.set(word.get() ^ 1 << bit);
                    assert_eq!(differ(), at >= first, "{count} frames, {at}");
                    word.set(word.get() ^ 1 << bit);
                }
            }
        }
    }
}
