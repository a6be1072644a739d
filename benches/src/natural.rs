//! [`Natural`]: integers of any size, each with its limbs in a heap block of its own.
//!
//! Every result is a new number, as in the simple big-integer packages that factoring
//! programs are built on; the blocks are tiny and live for one operation or two.
//!
//! Invariant: limbs are least significant first, and the last one is not 0; so zero has
//! none.

use std::cmp::Ordering;

/// A number of 0 or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Natural {
    limbs: Vec<u32>,
}

/// Bits in a limb.
const BITS: u32 = u32::BITS;

impl Natural {
    /// The number `value`.
    pub fn new(value: u64) -> Self {
        Self::trimmed(vec![value as u32, (value >> BITS) as u32])
    }

    /// The value, if it is below 2^64.
    pub fn to_u64(&self) -> Option<u64> {
        match *self.limbs {
            [] => Some(0),
            [low] => Some(low.into()),
            [low, high] => Some(u64::from(low) | u64::from(high) << BITS),
            _ => None,
        }
    }

    /// Whether this is 0.
    pub fn is_zero(&self) -> bool {
        self.limbs.is_empty()
    }

    fn trimmed(mut limbs: Vec<u32>) -> Self {
        while limbs.last() == Some(&0) {
            limbs.pop();
        }
        Self { limbs }
    }

    /// `self + other`.
    pub fn add(&self, other: &Self) -> Self {
        let length = self.limbs.len().max(other.limbs.len());
        let mut sum = Vec::with_capacity(length + 1);
        let mut carry = 0;
        for index in 0..length {
            carry += u64::from(self.limb(index)) + u64::from(other.limb(index));
            sum.push(carry as u32);
            carry >>= BITS;
        }
        sum.push(carry as u32);
        Self::trimmed(sum)
    }

    /// The difference of the two, whichever is larger.
    pub fn distance(&self, other: &Self) -> Self {
        let (large, small) = match self.compare(other) {
            Ordering::Less => (other, self),
            _ => (self, other),
        };
        let mut difference = Vec::with_capacity(large.limbs.len());
        let mut borrow = false;
        for (index, &limb) in large.limbs.iter().enumerate() {
            let (limb, under) = limb.overflowing_sub(small.limb(index));
            let (limb, under_too) = limb.overflowing_sub(borrow.into());
            borrow = under | under_too;
            difference.push(limb);
        }
        Self::trimmed(difference)
    }

    /// `self * other`.
    pub fn multiply(&self, other: &Self) -> Self {
        let mut product = vec![0; self.limbs.len() + other.limbs.len()];
        for (index, &limb) in self.limbs.iter().enumerate() {
            let mut carry = 0;
            for (offset, &factor) in other.limbs.iter().enumerate() {
                let place = &mut product[index + offset];
                carry += u64::from(limb) * u64::from(factor) + u64::from(*place);
                *place = carry as u32;
                carry >>= BITS;
            }
            product[index + other.limbs.len()] = carry as u32;
        }
        Self::trimmed(product)
    }

    /// `self` modulo `divisor`, which is not 0; by Knuth's algorithm D.
    pub fn modulo(&self, divisor: &Self) -> Self {
        assert!(!divisor.is_zero(), "modulo zero");
        let size = divisor.limbs.len();
        if self.compare(divisor) == Ordering::Less {
            return self.clone();
        }
        if size == 1 {
            return self.modulo_limb(divisor.limbs[0]);
        }
        // With the divisor's highest bit set, a guessed digit is at most 2 too large.
        let shift = divisor.limbs[size - 1].leading_zeros();
        let divisor = divisor.shifted_up(shift);
        let mut rest = self.shifted_up(shift).limbs;
        rest.push(0);
        for place in (0..rest.len() - size).rev() {
            reduce(&mut rest[place..=place + size], &divisor.limbs);
        }
        Self::trimmed(rest).shifted_down(shift)
    }

    fn modulo_limb(&self, divisor: u32) -> Self {
        let rest = self.limbs.iter().rev().fold(0, |rest, &limb| {
            (rest << BITS | u64::from(limb)) % u64::from(divisor)
        });
        Self::new(rest)
    }

    /// The greatest common divisor, by Euclid's algorithm.
    pub fn gcd(&self, other: &Self) -> Self {
        let (mut large, mut small) = (self.clone(), other.clone());
        while !small.is_zero() {
            let rest = large.modulo(&small);
            large = small;
            small = rest;
        }
        large
    }

    /// `self * 2^bits` for fewer bits than a limb has.
    fn shifted_up(&self, bits: u32) -> Self {
        let mut shifted = Vec::with_capacity(self.limbs.len() + 1);
        let mut carry = 0;
        for &limb in &self.limbs {
            carry |= u64::from(limb) << bits;
            shifted.push(carry as u32);
            carry >>= BITS;
        }
        shifted.push(carry as u32);
        Self::trimmed(shifted)
    }

    /// `self / 2^bits` for fewer bits than a limb has.
    fn shifted_down(&self, bits: u32) -> Self {
        let shifted = (0..self.limbs.len()).map(|index| {
            let pair = u64::from(self.limb(index + 1)) << BITS | u64::from(self.limb(index));
            (pair >> bits) as u32
        });
        Self::trimmed(shifted.collect())
    }

    fn compare(&self, other: &Self) -> Ordering {
        let by_length = self.limbs.len().cmp(&other.limbs.len());
        by_length.then_with(|| self.limbs.iter().rev().cmp(other.limbs.iter().rev()))
    }

    fn limb(&self, index: usize) -> u32 {
        self.limbs.get(index).copied().unwrap_or(0)
    }
}

/// Subtracts as many times `divisor` from `window`, which is one limb longer, as leaves
/// less than `divisor`.
fn reduce(window: &mut [u32], divisor: &[u32]) {
    let size = divisor.len();
    let top = u64::from(window[size]) << BITS | u64::from(window[size - 1]);
    let digit = (top / u64::from(divisor[size - 1])).min(u32::MAX.into());
    let mut over = subtract_multiple(window, divisor, digit);
    while over {
        over = !add_back(window, divisor);
    }
}

/// `window -= divisor * digit`; whether that fell below zero.
fn subtract_multiple(window: &mut [u32], divisor: &[u32], digit: u64) -> bool {
    let mut carry = 0;
    let mut borrow = false;
    for (index, place) in window.iter_mut().enumerate() {
        carry += digit * u64::from(divisor.get(index).copied().unwrap_or(0));
        let (limb, under) = place.overflowing_sub(carry as u32);
        let (limb, under_too) = limb.overflowing_sub(borrow.into());
        *place = limb;
        borrow = under | under_too;
        carry >>= BITS;
    }
    borrow
}

/// `window += divisor`; whether that passed zero.
fn add_back(window: &mut [u32], divisor: &[u32]) -> bool {
    let mut carry = 0;
    for (index, place) in window.iter_mut().enumerate() {
        carry += u64::from(*place) + u64::from(divisor.get(index).copied().unwrap_or(0));
        *place = carry as u32;
        carry >>= BITS;
    }
    carry != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prng::Prng;

    /// A random number of up to 128 bits, often short, often with extreme limbs.
    fn random(prng: &mut Prng) -> u128 {
        let mut value = u128::from(prng.next_u64()) << 64 | u128::from(prng.next_u64());
        if prng.below(2) == 0 {
            value |= u128::from(u32::MAX) << (32 * prng.below(4));
        }
        if prng.below(4) == 0 {
            value &= !(u128::from(u32::MAX) << (32 * prng.below(4)));
        }
        value >> prng.below(128)
    }

    fn natural(value: u128) -> Natural {
        let limbs = (0..4).map(|index| (value >> (32 * index)) as u32);
        Natural::trimmed(limbs.collect())
    }

    #[test]
    fn arithmetic_agrees_with_the_machine() {
        let mut prng = Prng::new(5);
        for _ in 0..20_000 {
            let (a, b) = (random(&mut prng) >> 1, random(&mut prng) >> 1);
            let (x, y) = (natural(a), natural(b));
            assert_eq!(x.add(&y), natural(a + b));
            assert_eq!(x.distance(&y), natural(a.abs_diff(b)));
            if b != 0 {
                assert_eq!(x.modulo(&y), natural(a % b), "{a} modulo {b}");
            }
            let (a, b) = (a as u64, b as u64);
            let product = Natural::new(a).multiply(&Natural::new(b));
            assert_eq!(product, natural(u128::from(a) * u128::from(b)));
        }
    }

    #[test]
    fn products_are_zero_modulo_their_factors() {
        let mut prng = Prng::new(6);
        for _ in 0..2000 {
            let (x, y) = (natural(random(&mut prng)), natural(random(&mut prng) | 1));
            assert!(x.multiply(&y).modulo(&y).is_zero());
            let rest = x.multiply(&y).add(&Natural::new(1)).modulo(&y);
            assert_eq!(rest, Natural::new(1).modulo(&y));
        }
    }

    #[test]
    fn the_gcd_is_euclids() {
        let gcd = Natural::new(2 * 3 * 7 * 1_000_003).gcd(&Natural::new(3 * 7 * 11));
        assert_eq!(gcd.to_u64(), Some(21));
        assert_eq!(Natural::new(5).gcd(&Natural::new(0)), Natural::new(5));
    }
}
