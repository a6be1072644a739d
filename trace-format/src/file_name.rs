//! The names of a session's files.

use core::fmt;

/// A file of a session, as its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileName {
    /// `session`
    Session,
    /// `ring.NNNN`
    Ring(u32),
    /// `rare.NNNN`
    Rare(u32),
    /// `full.NNNN.SSSSSS`: ring and segment.
    Full(u32, u32),
    /// `stacks`
    Stacks,
    /// `modules`
    Modules,
    /// `crash`
    Crash,
}

impl FileName {
    /// Bytes that any name fits into, with the zero byte at its end.
    pub const MAX_BYTES: usize = 32;

    /// Writes the name with a zero byte at its end, as `open` takes it, and says how long it is
    /// without that byte.
    pub fn write(self, to: &mut [u8; Self::MAX_BYTES]) -> usize {
        *to = [0; Self::MAX_BYTES];
        let (stem, first, second): (&[u8], _, _) = match self {
            Self::Session => (b"session", None, None),
            Self::Ring(ring) => (b"ring", Some(ring), None),
            Self::Rare(ring) => (b"rare", Some(ring), None),
            Self::Full(ring, segment) => (b"full", Some(ring), Some(segment)),
            Self::Stacks => (b"stacks", None, None),
            Self::Modules => (b"modules", None, None),
            Self::Crash => (b"crash", None, None),
        };
        to[..stem.len()].copy_from_slice(stem);
        let mut end = stem.len();
        for (number, width) in [(first, 4), (second, 6)] {
            let Some(number) = number else { continue };
            to[end] = b'.';
            let digits = (number.checked_ilog10().unwrap_or(0) as usize + 1).max(width);
            let mut rest = number;
            for place in to[end + 1..=end + digits].iter_mut().rev() {
                *place = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
            end += 1 + digits;
        }
        end
    }

    /// The file that a name stands for. None if it is none of a session's.
    pub fn parse(name: &str) -> Option<Self> {
        let number = |text: &str, width: usize| {
            let digits = text.len() >= width && text.bytes().all(|b| b.is_ascii_digit());
            let number: u32 = digits.then(|| text.parse().ok()).flatten()?;
            (text.len() == width || !text.starts_with('0')).then_some(number)
        };
        match name.split_once('.') {
            None => match name {
                "session" => Some(Self::Session),
                "stacks" => Some(Self::Stacks),
                "modules" => Some(Self::Modules),
                "crash" => Some(Self::Crash),
                _ => None,
            },
            Some(("ring", ring)) => number(ring, 4).map(Self::Ring),
            Some(("rare", ring)) => number(ring, 4).map(Self::Rare),
            Some(("full", rest)) => {
                let (ring, segment) = rest.split_once('.')?;
                Some(Self::Full(number(ring, 4)?, number(segment, 6)?))
            }
            Some(_) => None,
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0; Self::MAX_BYTES];
        let length = self.write(&mut buffer);
        // All of it is ASCII.
        f.write_str(core::str::from_utf8(&buffer[..length]).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for (file, name) in [
            (FileName::Session, "session"),
            (FileName::Ring(0), "ring.0000"),
            (FileName::Rare(12), "rare.0012"),
            (FileName::Ring(123_456), "ring.123456"),
            (FileName::Full(3, 40), "full.0003.000040"),
            (
                FileName::Full(u32::MAX, u32::MAX),
                "full.4294967295.4294967295",
            ),
            (FileName::Stacks, "stacks"),
            (FileName::Modules, "modules"),
            (FileName::Crash, "crash"),
        ] {
            let mut buffer = [1; FileName::MAX_BYTES];
            let length = file.write(&mut buffer);
            assert_eq!(&buffer[..length], name.as_bytes());
            assert_eq!(buffer[length], 0);
            assert_eq!(FileName::parse(name), Some(file));
        }
        for foreign in [
            "",
            "sessions",
            "ring",
            "ring.",
            "ring.12",
            "ring.00001",
            "ring.+123",
            "full.0001",
            "full.0001.1",
            "ring.99999999999",
            "crash.0001",
        ] {
            assert_eq!(FileName::parse(foreign), None, "{foreign}");
        }
    }
}
