//! Which allocations are recorded: `HAKMEM_TRACE_FILTER`, conditions with commas between, all of
//! which have to hold.
//!
//! ```text
//! every=100         of those for which the others hold, one in 100 of each thread
//! size=64-1024      bytes asked for; size=64 is 64 alone, size=64- has no end
//! class=3-7         size classes; 254 is LARGE
//! thread=1234       the kernel's number
//! site=0x401234     the return address, or file name+0xoffset
//! ```
//!
//! It is decided when a block is handed out, and kept with the block.

use crate::observe::modules;
use crate::sys::stderr::Line;
use core::cell::Cell;

/// The longest name of a file, bytes.
const NAME: usize = 64;

/// See the head of this file.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Filter {
    every: u32,
    sizes: (u64, u64),
    classes: (u64, u64),
    thread: Option<u32>,
    site: Option<Site>,
}

/// A place in the program's code.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Site {
    /// The file's name, padded with zeroes; all zero: addresses are absolute.
    name: [u8; NAME],
    offset: usize,
}

impl Filter {
    /// All.
    pub(super) const NONE: Filter = Filter {
        every: 1,
        sizes: (0, u64::MAX),
        classes: (0, u64::MAX),
        thread: None,
        site: None,
    };

    /// Reads the conditions; what cannot be read is said, and left out.
    pub(super) fn read(text: &[u8]) -> Filter {
        Filter::read_or(text, |condition| {
            Line::new()
                .text(b"hakmem: HAKMEM_TRACE_FILTER: ")
                .text(&condition[..condition.len().min(NAME)])
                .text(b" is no condition; ignored")
                .write();
        })
    }

    fn read_or(text: &[u8], mut complain: impl FnMut(&[u8])) -> Filter {
        let mut filter = Filter::NONE;
        for condition in text.split(|&byte| byte == b',') {
            if !condition.is_empty() && filter.add(condition).is_none() {
                complain(condition);
            }
        }
        filter
    }

    fn add(&mut self, condition: &[u8]) -> Option<()> {
        let at = condition.iter().position(|&byte| byte == b'=')?;
        let (name, value) = (&condition[..at], &condition[at + 1..]);
        match name {
            b"every" => self.every = u32::try_from(number(value)?).ok().filter(|&n| n > 0)?,
            b"size" => self.sizes = range(value)?,
            b"class" => self.classes = range(value)?,
            b"thread" => self.thread = Some(u32::try_from(number(value)?).ok()?),
            b"site" => self.site = Some(Site::read(value)?),
            _ => return None,
        }
        Some(())
    }

    /// Whether a block that is handed out is to be recorded. `skip` counts for the thread.
    pub(super) fn takes(
        &self,
        size: usize,
        class: usize,
        thread: u32,
        pc: usize,
        skip: &Cell<u32>,
    ) -> bool {
        let is_in = |(first, last): (u64, u64), value| (first..=last).contains(&(value as u64));
        if !is_in(self.sizes, size)
            || !is_in(self.classes, class)
            || self.thread.is_some_and(|only| only != thread)
            || self.site.is_some_and(|site| !site.is(pc))
        {
            return false;
        }
        let rest = skip.get();
        skip.set(match rest {
            0 => self.every - 1,
            _ => rest - 1,
        });
        rest == 0
    }
}

impl Site {
    fn read(text: &[u8]) -> Option<Site> {
        let mut name = [0; NAME];
        let offset = match text.iter().rposition(|&byte| byte == b'+') {
            None => text,
            Some(at) => {
                name.get_mut(..at)
                    .filter(|_| at > 0)?
                    .copy_from_slice(&text[..at]);
                &text[at + 1..]
            }
        };
        let offset = offset.strip_prefix(b"0x").unwrap_or(offset);
        if offset.is_empty() || offset.len() > 16 {
            return None;
        }
        let offset = offset.iter().try_fold(0, |sum, &digit| {
            Some(sum << 4 | char::from(digit).to_digit(16)? as usize)
        })?;
        Some(Site { name, offset })
    }

    fn is(&self, pc: usize) -> bool {
        if self.name[0] == 0 {
            return pc == self.offset;
        }
        modules::meet(pc).is_some_and(|module| {
            let file = module.path.rsplit(|&byte| byte == b'/').next();
            let length = self.name.iter().position(|&byte| byte == 0).unwrap_or(NAME);
            file == Some(&self.name[..length]) && pc.wrapping_sub(module.base) == self.offset
        })
    }
}

fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |sum, &digit| {
        let digit = char::from(digit).to_digit(10)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

fn range(text: &[u8]) -> Option<(u64, u64)> {
    let Some(at) = text.iter().position(|&byte| byte == b'-') else {
        return number(text).map(|only| (only, only));
    };
    let first = number(&text[..at])?;
    let last = match &text[at + 1..] {
        b"" => u64::MAX,
        last => number(last)?,
    };
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn read(text: &str) -> (Filter, usize) {
        let mut complaints = 0;
        let filter = Filter::read_or(text.as_bytes(), |_| complaints += 1);
        (filter, complaints)
    }

    #[test]
    fn conditions_are_read() {
        let (filter, complaints) =
            read("every=100,size=64-1024,class=3,thread=1234,site=libx.so+0x1f");
        assert_eq!(complaints, 0);
        assert_eq!(filter.every, 100);
        assert_eq!(filter.sizes, (64, 1024));
        assert_eq!(filter.classes, (3, 3));
        assert_eq!(filter.thread, Some(1234));
        let site = filter.site.expect("a site");
        assert_eq!((&site.name[..8], site.offset), (&b"libx.so\0"[..], 0x1f));
        assert_eq!(read("size=100-").0.sizes, (100, u64::MAX));
        assert_eq!(read(""), (Filter::NONE, 0));
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        for text in [
            "every=0",
            "every",
            "size=",
            "size=9-1",
            "size=-5",
            "class=x",
            "thread=99999999999",
            "site=",
            "site=+5",
            "site=0xg",
            "colour=red",
            "every=1x",
        ] {
            assert_eq!(read(text), (Filter::NONE, 1), "{text}");
        }
        let (filter, complaints) = read("size=7,colour=red,every=2");
        assert_eq!((filter.sizes, filter.every, complaints), ((7, 7), 2, 1));
    }

    #[test]
    fn all_conditions_have_to_hold() {
        let skip = Cell::new(0);
        let filter = read("size=10-20,class=2-3,thread=5,site=0xabc").0;
        assert!(filter.takes(10, 2, 5, 0xabc, &skip));
        assert!(filter.takes(20, 3, 5, 0xabc, &skip));
        for (size, class, thread, pc) in [
            (9, 2, 5, 0xabc),
            (21, 2, 5, 0xabc),
            (10, 4, 5, 0xabc),
            (10, 2, 6, 0xabc),
            (10, 2, 5, 0xabd),
        ] {
            assert!(!filter.takes(size, class, thread, pc, &skip));
        }
    }

    #[test]
    fn one_in_so_many() {
        let skip = Cell::new(0);
        let filter = read("every=3,size=1-").0;
        let taken: Vec<bool> = (0..7).map(|n| filter.takes(n, 0, 0, 0, &skip)).collect();
        assert_eq!(taken, [false, true, false, false, true, false, false]);
    }
}
