//! Factor: splits big integers, with every intermediate number in a block of its own.
//!
//! Pollard's rho with Floyd's cycle. Each number is the product of two primes near
//! 2^`bits`; the primes are drawn by the seed. The blocks have a few words and live for
//! one operation or two; they are not counted. An operation is one step of the cycle.

use hakmem_benches::args::{Parameter, Program};
use hakmem_benches::natural::Natural;
use hakmem_benches::prng::Prng;
use hakmem_benches::report::{Outcome, Report};

const PROGRAM: Program = Program {
    name: "factor",
    about: "Splits products of two primes by Pollard's rho, with tiny short-lived blocks.",
    parameters: &[
        Parameter::new("numbers", "to be split", 10, 1, 1 << 32),
        Parameter::new("bits", "of each prime", 34, 16, 60),
        Parameter::seed(),
    ],
};

/// Steps between two looks at the greatest common divisor.
const STEPS: u64 = 64;

fn main() {
    Report::run(&PROGRAM, |[numbers, bits, seed]| {
        factor(numbers, bits, seed)
    });
}

fn factor(numbers: u64, bits: u64, seed: u64) -> Outcome {
    let mut prng = Prng::new(seed);
    let mut outcome = Outcome::default();
    for _ in 0..numbers {
        let p = prime(bits, &mut prng);
        let q = loop {
            let q = prime(bits, &mut prng);
            if q != p {
                break q;
            }
        };
        let number = Natural::new(p).multiply(&Natural::new(q));
        let found = split(&number, p, q, &mut outcome);
        outcome.checksum = outcome.checksum.rotate_left(1) ^ found;
    }
    outcome
}

/// Either of the primes.
fn split(number: &Natural, p: u64, q: u64, outcome: &mut Outcome) -> u64 {
    for constant in 1.. {
        match rho(number, &Natural::new(constant), outcome).to_u64() {
            Some(factor) if factor == p || factor == q => return factor,
            _ => {}
        }
    }
    unreachable!("some constant leads to a factor")
}

/// A divisor of `number` above 1; it may be the number itself.
fn rho(number: &Natural, constant: &Natural, outcome: &mut Outcome) -> Natural {
    let next = |x: &Natural| x.multiply(x).add(constant).modulo(number);
    let one = Natural::new(1);
    let mut slow = Natural::new(2);
    let mut fast = slow.clone();
    loop {
        let mut product = one.clone();
        for _ in 0..STEPS {
            slow = next(&slow);
            fast = next(&next(&fast));
            let distance = slow.distance(&fast);
            product = product.multiply(&distance).modulo(number);
        }
        outcome.operations += STEPS;
        let divisor = product.gcd(number);
        if divisor != one {
            return divisor;
        }
    }
}

/// The first prime from a random number with `bits` bits on.
fn prime(bits: u64, prng: &mut Prng) -> u64 {
    let top = 1u64 << (bits - 1);
    let start = top | (prng.next_u64() % top);
    (start..).find(|&n| is_prime(n)).expect("primes do not end")
}

/// Miller and Rabin with the bases that decide every number of 64 bits.
fn is_prime(n: u64) -> bool {
    const BASES: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    if let Some(&base) = BASES.iter().find(|&&base| n.is_multiple_of(base)) {
        return n == base;
    }
    n > 1 && BASES.iter().all(|&base| passes(n, base))
}

fn passes(n: u64, base: u64) -> bool {
    let times = |a: u64, b: u64| (u128::from(a) * u128::from(b) % u128::from(n)) as u64;
    let twos = (n - 1).trailing_zeros();
    let mut exponent = (n - 1) >> twos;
    let (mut power, mut square) = (1, base);
    while exponent > 0 {
        if exponent & 1 == 1 {
            power = times(power, square);
        }
        square = times(square, square);
        exponent >>= 1;
    }
    if power == 1 || power == n - 1 {
        return true;
    }
    (1..twos).any(|_| {
        power = times(power, power);
        power == n - 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_do_the_same() {
        let first = factor(2, 16, 42);
        assert_eq!(first, factor(2, 16, 42));
        assert_ne!(first, factor(2, 16, 43));
    }

    #[test]
    fn primes_are_prime() {
        let small: Vec<u64> = (0..60).filter(|&n| is_prime(n)).collect();
        assert_eq!(
            small,
            [
                2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59
            ]
        );
        assert!(is_prime(1_000_000_007) && !is_prime(1_000_000_007 * 998_244_353));
    }

    #[test]
    fn a_product_is_split() {
        let number = Natural::new(10_007 * 10_009);
        let found = split(&number, 10_007, 10_009, &mut Outcome::default());
        assert!(found == 10_007 || found == 10_009);
    }
}
