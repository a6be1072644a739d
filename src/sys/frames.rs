//! Frames of a stack that are compared with what stood there before.

use core::arch::asm;

/// Whether a chain of frames is not what `was` says: 16 bytes at `fp`, then 16 bytes at the
/// address that the first of `was` begins with, and so on. All are read before it is known
/// whether any differs; a loop in Rust is unrolled, which costs more than it brings for so few.
///
/// # Safety
/// - 16 bytes can be read at `fp` and wherever one of `was` but the last leads.
/// - `was` is aligned to 16, and so many bytes: a multiple of 16.
#[inline(always)]
pub(crate) unsafe fn differ(fp: usize, was: *const u8, bytes: usize) -> bool {
    let mask: u32;
    // SAFETY: reads what the caller says can be read.
    unsafe {
        asm!(
            "pxor {differences}, {differences}",
            "test {bytes}, {bytes}",
            "je 3f",
            "add {bytes}, {was}",
            "2:",
            "movdqu {frame}, xmmword ptr [{fp}]",
            "pxor {frame}, xmmword ptr [{was}]",
            "mov {fp}, qword ptr [{was}]",
            "por {differences}, {frame}",
            "add {was}, 16",
            "cmp {was}, {bytes}",
            "jne 2b",
            "3:",
            "pxor {frame}, {frame}",
            "pcmpeqb {frame}, {differences}",
            "pmovmskb {mask:e}, {frame}",
            fp = inout(reg) fp => _,
            was = inout(reg) was => _,
            bytes = inout(reg) bytes => _,
            mask = lateout(reg) mask,
            frame = out(xmm_reg) _,
            differences = out(xmm_reg) _,
            options(nostack, readonly),
        );
    }
    mask != 0xffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C, align(16))]
    struct Frames([[usize; 2]; 3]);

    #[test]
    fn a_difference_anywhere_is_noticed() {
        let mut is = Frames([[0, 10], [0, 20], [7, 30]]);
        is.0[0][0] = &raw const is.0[1] as usize;
        is.0[1][0] = &raw const is.0[2] as usize;
        let was = Frames(is.0);
        let fp = &raw const is.0[0] as usize;
        // SAFETY: the frames are there.
        let differ = |bytes| unsafe { differ(fp, (&raw const was).cast(), bytes) };
        assert!(!differ(0) && !differ(16) && !differ(48));
        for frame in 0..3 {
            for half in 0..2 {
                for bit in 0..64 {
                    // SAFETY: our own local, which the asm reads.
                    unsafe {
                        let place = (&raw mut is.0[frame][half]).cast::<usize>();
                        place.write_volatile(place.read_volatile() ^ 1 << bit);
                        assert!(differ(48));
                        assert!(!differ(16 * frame));
                        place.write_volatile(place.read_volatile() ^ 1 << bit);
                    }
                }
            }
        }
    }
}
