//! What is said of a value that cannot be used as it is.
//!
//! A [`Warning`] is data, and comes as pieces of bytes: whoever receives it
//! writes them out one after the other. So nothing here needs memory or the
//! formatting machinery of the standard library.

use super::variable::Range;
use crate::decimal::Decimal;

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A switch that is neither `0` nor `1`.
    NotASwitch,
    /// Not decimal digits alone, or nothing at all.
    NotANumber,
    /// Digits alone, but more than 32 bits can hold.
    TooLarge,
    /// A word that is not known.
    NotAWord,
    /// A list with a word that is not known.
    NotAList,
    /// No `name=number` with a name that is known.
    NotAField,
    /// A number outside this range.
    Outside(Range),
}

/// One line about one variable, and what is used in place of its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Warning {
    name: &'static [u8],
    value: Excerpt,
    fault: Fault,
    min: Decimal,
    max: Decimal,
    /// What is used: a number, or the absence of a limit.
    using: Option<Decimal>,
}

impl Warning {
    /// A warning about `name=value`, in whose place `using` counts (`None`: no limit).
    #[cold]
    pub(super) fn new(name: &'static [u8], value: &[u8], fault: Fault, using: Option<u32>) -> Self {
        let range = match fault {
            Fault::Outside(range) => range,
            _ => Range::UNBOUNDED,
        };
        Self {
            name,
            value: Excerpt::new(value),
            fault,
            min: Decimal::new(u64::from(range.min)),
            max: Decimal::new(u64::from(range.max)),
            using: using.map(|number| Decimal::new(u64::from(number))),
        }
    }

    /// The variable.
    pub(crate) fn name(&self) -> &'static [u8] {
        self.name
    }

    /// The line, its newline included, as pieces to be written in this order;
    /// some may be empty. All of them are printable ASCII (but for the newline),
    /// and together they have less than 160 bytes.
    pub(crate) fn pieces(&self) -> [&[u8]; 11] {
        let is: [&[u8]; 4] = match self.fault {
            Fault::NotASwitch => [b" is not 0 or 1", b"", b"", b""],
            Fault::NotANumber => [b" is not a number", b"", b"", b""],
            Fault::TooLarge => [b" is too large a number", b"", b"", b""],
            Fault::NotAWord => [b" is not one of its words", b"", b"", b""],
            Fault::NotAList => [b" is not 0, 1 or a list of areas", b"", b"", b""],
            Fault::NotAField => [b" is not name=number with a known name", b"", b"", b""],
            Fault::Outside(_) => [
                b" is outside its range (",
                self.min.bytes(),
                b"-",
                self.max.bytes(),
            ],
        };
        let using: [&[u8]; 2] = match (&self.using, self.fault) {
            (Some(number), Fault::Outside(_)) => [b"); using ", number.bytes()],
            (_, Fault::NotAList) => [b"; using its areas alone", b""],
            (None, Fault::NotAWord | Fault::NotAField) => [b"; it is ignored", b""],
            (Some(number), _) => [b"; using the default ", number.bytes()],
            (None, _) => [b"; using the default, ", b"no limit"],
        };
        [
            b"hakmem: ",
            self.name,
            b"=",
            self.value.bytes(),
            is[0],
            is[1],
            is[2],
            is[3],
            using[0],
            using[1],
            b"\n",
        ]
    }
}

/// The beginning of a value, fit to be shown on a terminal: printable ASCII, what
/// is not that as `\xNN` (and `\` as `\\`), and `...` where the value goes on.
#[derive(Clone, Copy, Debug)]
struct Excerpt {
    buffer: [u8; Excerpt::LONGEST],
    len: usize,
}

impl Excerpt {
    const LONGEST: usize = 32;
    const MORE: &'static [u8] = b"...";

    fn new(value: &[u8]) -> Self {
        let mut excerpt = Self {
            buffer: [0; Self::LONGEST],
            len: 0,
        };
        // Where the last character ended that leaves room for the dots.
        let mut short = 0;
        for &byte in value {
            let whole = match byte {
                b'\\' => excerpt.push(b"\\\\"),
                b' '..=b'~' => excerpt.push(&[byte]),
                _ => excerpt.push(&[b'\\', b'x', hexadecimal(byte >> 4), hexadecimal(byte & 15)]),
            };
            if !whole {
                excerpt.len = short;
                excerpt.push(Self::MORE);
                break;
            }
            if excerpt.len <= Self::LONGEST - Self::MORE.len() {
                short = excerpt.len;
            }
        }
        excerpt
    }

    /// Appends all of `bytes` and returns true, or nothing where there is no room.
    fn push(&mut self, bytes: &[u8]) -> bool {
        let room = self
            .buffer
            .get_mut(self.len..)
            .and_then(|rest| rest.get_mut(..bytes.len()));
        match room {
            Some(room) => {
                for (to, from) in room.iter_mut().zip(bytes) {
                    *to = *from;
                }
                self.len += bytes.len();
                true
            }
            None => false,
        }
    }

    fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or(&[])
    }
}

/// The digit for a number below 16.
fn hexadecimal(number: u8) -> u8 {
    match number {
        0..=9 => b'0' + number,
        _ => b'a' + (number - 10),
    }
}
