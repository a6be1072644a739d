//! The check of a record: 32 bits over its sequence number and all of its content, so that a slot
//! of which half was overwritten is known for what it is.
//!
//! ```text
//! h = (w0 ^ rotl(w5, 32)) * K0      w0 … w6   the first seven words
//!   + (w1 ^ rotl(w6, 32)) * K1      g         the low half of the eighth
//!   + (w2 ^ rotl(g,  32)) * K2
//!   + (w3 ^ rotl(w4, 32)) * K3
//!   + SEED                          modulo 2^64; the check is the upper half of h
//! ```
//!
//! Four multiplications that do not wait for each other. Of two words that share one, the first is
//! one whose low bits change, and the second is turned so that its low bits, or those of its two
//! halves, meet bits that rarely change at the same time. One flipped bit is always noticed; that
//! is a property of the factors, checked below. Anything else passes with a probability of 2^-32.

const FACTORS: [u64; 4] = [
    0x9e37_79b9_7f4a_7c15,
    0xbf58_476d_1ce4_e5b9,
    0x94d0_49bb_1331_11eb,
    0xd1b5_4a32_d192_ed03,
];
const SEED: u64 = 0x6861_6b6d_656d_2031;

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

/// The check of a record of these words. The upper half of the last word, where the check stands,
/// is left out.
#[inline(always)]
pub(crate) const fn check(words: &[u64; 8]) -> u32 {
    let [w0, w1, w2, w3, w4, w5, w6, w7] = *words;
    let g = w7 << 32;
    let a = (w0 ^ w5.rotate_left(32)).wrapping_mul(FACTORS[0]);
    let b = (w1 ^ w6.rotate_left(32)).wrapping_mul(FACTORS[1]);
    let c = (w2 ^ g).wrapping_mul(FACTORS[2]);
    let d = (w3 ^ w4.rotate_left(32)).wrapping_mul(FACTORS[3]);
    let sum = (a.wrapping_add(b)).wrapping_add(c.wrapping_add(d));
    (sum.wrapping_add(SEED) >> 32) as u32
}
