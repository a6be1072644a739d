//! A number in decimal digits, without allocation and without formatting machinery.

/// Digits of the largest number.
const MOST: usize = 20;

/// The digits stand at the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decimal {
    digits: [u8; MOST],
    first: usize,
}

impl Decimal {
    pub(crate) const fn new(number: u64) -> Self {
        let mut digits = [b'0'; MOST];
        let (mut first, mut rest) = (MOST - 1, number);
        digits[first] += (rest % 10) as u8;
        while rest > 9 {
            rest /= 10;
            first -= 1;
            digits[first] += (rest % 10) as u8;
        }
        Decimal { digits, first }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.digits.get(self.first..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_its_digits() {
        for number in [0, 7, 9, 10, 99, 100, 4096, u64::from(u32::MAX), u64::MAX] {
            let text = std::format!("{number}");
            assert_eq!(Decimal::new(number).bytes(), text.as_bytes());
        }
    }
}
