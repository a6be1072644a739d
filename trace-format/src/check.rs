//! The check of a record: 32 bits over its sequence number and all of its content, so that a slot
//! of which half was overwritten is known for what it is.
//!
//! ```text
//! a = w0 ^ rotl(w5, 32) ^ rotl(w6, 16) ^ rotl(w3, 24)    w0 … w6   the first seven words
//! b = w1 ^ rotl(w2, 32) ^ rotl(w4, 52) ^ g               g         the upper half of the eighth,
//! h = a * K0 + b * K1                                              the lower one being 0
//! ```
//!
//! modulo 2^64; the check is the upper half of h. It is made with each record, so it is what two
//! multiplications that do not wait for each other can do. Words that share one are turned so that
//! those of their bits that change from record to record mostly meet bits that do not. One flipped
//! bit is always noticed; that is a property of the factors, checked below. So are several, unless
//! they meet in one sum and make up for each other there; else one change in 2^32 goes unnoticed.

const FACTORS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9];

// Flipping bit b of a sum's factor adds or takes K << b. The upper half of the sum changes
// whatever its lower half is, if that is at least 2^32 away from 0.
const _: () = {
    let mut factor = 0;
    while factor < FACTORS.len() {
        let mut bit = 0;
        while bit < 64 {
            let change = (FACTORS[factor] << bit) as i64;
            assert!(change.unsigned_abs() >= 1 << 32);
            bit += 1;
        }
        factor += 1;
    }
};

/// The check of a record of these words. The lower half of the last word, where the check stands,
/// is left out.
#[inline(always)]
pub(crate) const fn check(words: &[u64; 8]) -> u32 {
    let [w0, w1, w2, w3, w4, w5, w6, w7] = *words;
    let g = w7 >> 32 << 32;
    let a = w0 ^ w5.rotate_left(32) ^ w6.rotate_left(16) ^ w3.rotate_left(24);
    let b = w1 ^ w2.rotate_left(32) ^ w4.rotate_left(52) ^ g;
    let sum = (a.wrapping_mul(FACTORS[0])).wrapping_add(b.wrapping_mul(FACTORS[1]));
    (sum >> 32) as u32
}
