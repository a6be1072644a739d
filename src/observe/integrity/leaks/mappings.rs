//! What is mapped in this process: `/proc/self/maps`, read without allocating.

use crate::sys::contents::File;

/// A line of it.
pub(in super::super) struct Mapping<'a> {
    pub(super) start: usize,
    pub(super) end: usize,
    /// `rwxp` or `rwxs`, with dashes.
    pub(super) rights: &'a [u8],
    /// A path, a name in brackets, or nothing.
    pub(in super::super) name: &'a [u8],
}

impl Mapping<'_> {
    /// Whether the program may read and write it.
    pub(super) fn is_writable(&self) -> bool {
        self.rights.starts_with(b"rw")
    }

    /// Whether it is of a file's code.
    pub(in super::super) fn is_code(&self) -> bool {
        self.rights.get(2) == Some(&b'x') && self.name.starts_with(b"/")
    }

    /// Whether nobody can touch it.
    pub(super) fn is_barred(&self) -> bool {
        self.rights.starts_with(b"---")
    }

    /// Whether others may see what is written.
    pub(super) fn is_shared(&self) -> bool {
        self.rights.ends_with(b"s")
    }
}

/// Bytes that a line may have; longer ones are not understood.
const LONGEST: usize = 5 << 10;

/// Calls `each` with every mapping, from the lowest address up; false if the system does not
/// say.
pub(in super::super) fn each(mut each: impl FnMut(&Mapping<'_>)) -> bool {
    let Some(file) = File::open(c"/proc/self/maps") else {
        return false;
    };
    let mut buffer = [0; 2 * LONGEST];
    let mut len = 0;
    loop {
        let read = file.read(&mut buffer[len..]);
        len += read;
        let mut from = 0;
        while let Some(at) = buffer[from..len].iter().position(|&byte| byte == b'\n') {
            if let Some(mapping) = parse(&buffer[from..from + at]) {
                each(&mapping);
            }
            from += at + 1;
        }
        if read == 0 {
            return true;
        }
        buffer.copy_within(from..len, 0);
        len -= from;
        if len == buffer.len() {
            return false;
        }
    }
}

fn parse(line: &[u8]) -> Option<Mapping<'_>> {
    let mut fields = line.splitn(6, |&byte| byte == b' ');
    let mut range = fields.next()?.split(|&byte| byte == b'-');
    let (start, end) = (hexadecimal(range.next()?)?, hexadecimal(range.next()?)?);
    let rights = fields.next()?;
    let name = fields.nth(3).unwrap_or_default();
    Some(Mapping {
        start,
        end,
        rights,
        name: name.trim_ascii(),
    })
}

/// A number without its `0x`.
pub(super) fn hexadecimal(digits: &[u8]) -> Option<usize> {
    usize::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood() {
        let line =
            b"7ffff504f000-7ffff5070000 rw-p 00000000 00:00 0                          [stack]";
        let mapping = parse(line).expect("a mapping");
        assert_eq!(
            (mapping.start, mapping.end),
            (0x7fff_f504_f000, 0x7fff_f507_0000)
        );
        assert!(mapping.is_writable() && !mapping.is_shared() && !mapping.is_barred());
        assert_eq!(mapping.name, b"[stack]");
        let line = b"5560-5561 ---s 00001000 fe:00 247030 /a path/with spaces";
        let mapping = parse(line).expect("a mapping");
        assert!(mapping.is_barred() && mapping.is_shared() && !mapping.is_writable());
        assert_eq!(mapping.name, b"/a path/with spaces");
        let mapping = parse(b"1000-2000 rw-p 00000000 00:00 0 ").expect("a mapping");
        assert_eq!(mapping.name, b"");
        assert!(parse(b"").is_none() && parse(b"x-y rw-p").is_none());
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the kernel")]
    fn this_stack_is_mapped() {
        let local = 0u8;
        let here = &raw const local as usize;
        let mut found = 0;
        let mut last = 0;
        let mapped = each(|mapping| {
            assert!(last <= mapping.start && mapping.start < mapping.end);
            last = mapping.end;
            let inside = (mapping.start..mapping.end).contains(&here);
            found += usize::from(inside && mapping.is_writable());
        });
        assert!(mapped && found == 1);
    }
}
