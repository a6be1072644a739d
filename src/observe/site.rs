//! A place in the program's code that calls the allocator.
//!
//! A call is known by where it returns to. A place is an address, an offset in a file of code,
//! or a function by its name; the last two are looked up while no hook runs, and again when a
//! file that was not there before has been mapped.
//!
//! 1. What a site was resolved to is added to and never changed.

use super::modules::{self, Module};
use super::report::place;
use crate::options::numerals;
use crate::options::site_text::{NAME_MAX, SiteText};
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// Functions of one name: copies for other arguments, parts, and in other files.
const RANGES: usize = 16;

/// See the head of this file.
pub(crate) struct Site {
    what: What,
    text: [u8; NAME_MAX],
    len: u8,
    /// First return address, and the one behind the last. The count is released when a range
    /// is complete, and read Acquire.
    ranges: [(AtomicUsize, AtomicUsize); RANGES],
    count: AtomicU32,
}

enum What {
    /// A return address.
    Address,
    /// An offset in the file that the text names.
    Offset(usize),
    /// A function that the text names.
    Function,
}

impl Site {
    /// The one that a text names.
    pub(crate) fn new(text: SiteText<'_>) -> Site {
        let (what, name): (What, &[u8]) = match text {
            SiteText::Address(_) => (What::Address, &[]),
            SiteText::Offset(name, offset) => (What::Offset(offset), name),
            SiteText::Function(name) => (What::Function, name),
        };
        let name = &name[..name.len().min(NAME_MAX)];
        let mut kept = [0; NAME_MAX];
        kept[..name.len()].copy_from_slice(name);
        let site = Site {
            what,
            text: kept,
            len: name.len() as u8,
            ranges: [const { (AtomicUsize::new(0), AtomicUsize::new(0)) }; RANGES],
            count: AtomicU32::new(0),
        };
        if let SiteText::Address(address) = text {
            site.add(address, address + 1);
        }
        site
    }

    fn name(&self) -> &[u8] {
        &self.text[..usize::from(self.len)]
    }

    fn ranges(&self) -> &[(AtomicUsize, AtomicUsize)] {
        &self.ranges[..self.count.load(Ordering::Acquire) as usize]
    }

    /// Whether a call that returns to `pc` is made there.
    pub(crate) fn is(&self, pc: usize) -> bool {
        self.ranges()
            .iter()
            .any(|(from, to)| from.load(Ordering::Relaxed) <= pc && pc < to.load(Ordering::Relaxed))
    }

    /// The lowest and the highest return address; an empty range if it was not found.
    pub(crate) fn bounds(&self) -> (usize, usize) {
        let ranges = self.ranges().iter();
        ranges.fold((usize::MAX, 0), |(first, last), (from, to)| {
            let (from, to) = (from.load(Ordering::Relaxed), to.load(Ordering::Relaxed));
            (first.min(from), last.max(to))
        })
    }

    /// Whether one of these calls is made there.
    pub(crate) fn is_in(&self, calls: &[u64]) -> bool {
        calls.iter().any(|&pc| self.is(pc as usize))
    }

    /// Whether it was found.
    pub(crate) fn is_known(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Looks it up in the files that are mapped. Called by one thread at a time.
    pub(crate) fn resolve(&self) {
        modules::each(|module| match self.what {
            _ if !module.is_loaded() => {}
            What::Address => {}
            What::Offset(offset) if place::is_called(module, self.name()) => {
                let address = module.base.wrapping_add(offset);
                self.add(address, address.wrapping_add(1));
            }
            What::Offset(_) => {}
            What::Function => self.resolve_in(module),
        });
    }

    fn resolve_in(&self, module: &Module) {
        let Some(elf) = place::open(module) else {
            return;
        };
        elf.for_each_function(|function| {
            if names(function.name, self.name()) {
                let start = module.base.wrapping_add(function.start);
                // A call at the very end of a function returns behind it.
                self.add(start + 1, start + function.bytes.max(1) + 1);
            }
        });
    }

    fn add(&self, from: usize, to: usize) {
        let count = self.count.load(Ordering::Relaxed) as usize;
        let is_there = self
            .ranges()
            .iter()
            .any(|range| range.0.load(Ordering::Relaxed) == from);
        if let Some(range) = self.ranges.get(count)
            && !is_there
        {
            range.0.store(from, Ordering::Relaxed);
            range.1.store(to, Ordering::Relaxed);
            self.count.store(count as u32 + 1, Ordering::Release);
        }
    }
}

/// Whether a symbol is a function called `name`: by its whole name, or that and a suffix of the
/// compiler's (`.part.0`), or as the end of a path in a mangled one (`run`, `server::run`).
fn names(symbol: &[u8], name: &[u8]) -> bool {
    if let Some(rest) = symbol.strip_prefix(name) {
        return rest.is_empty() || rest[0] == b'.';
    }
    if !symbol.starts_with(b"_Z") && !symbol.starts_with(b"_R") {
        return false;
    }
    (0..symbol.len()).any(|at| {
        let inside_a_number = at > 0 && symbol[at - 1].is_ascii_digit();
        !inside_a_number && is_path_at(&symbol[at..], name)
    })
}

/// Whether a mangled name goes on with the parts of `path`, each behind its length.
fn is_path_at(mut mangled: &[u8], mut path: &[u8]) -> bool {
    loop {
        let end = path.windows(2).position(|pair| pair == b"::");
        let part = &path[..end.unwrap_or(path.len())];
        let digits = mangled
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let Some(len) = numerals::number(&mangled[..digits]).filter(|_| digits > 0) else {
            return false;
        };
        // A name that begins with a digit or an underscore has one more in between.
        let rest = &mangled[digits..];
        let rest = match rest.strip_prefix(b"_") {
            Some(shorter) if !part.starts_with(b"_") => shorter,
            _ => rest,
        };
        if len != part.len() || part.is_empty() || !rest.starts_with(part) {
            return false;
        }
        mangled = &rest[len..];
        match end {
            Some(end) => path = &path[end + 2..],
            // What follows in Rust's names is a hash (`17h…`), or the end of the path.
            None => return !continues(mangled),
        }
    }
}

/// Whether another part of a path follows that is not a hash.
fn continues(mangled: &[u8]) -> bool {
    mangled.first().is_some_and(u8::is_ascii_digit) && !mangled.starts_with(b"17h")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_called_by_their_names() {
        for (symbol, name) in [
            ("parse_line", "parse_line"),
            ("parse_line.part.0", "parse_line"),
            ("parse_line.constprop.0.isra.0", "parse_line"),
            ("_ZN6server3run17h0123456789abcdefE", "run"),
            ("_ZN6server3run17h0123456789abcdefE", "server::run"),
            ("_Z3runi", "run"),
            ("_ZN6server3runEv", "server::run"),
            ("_RNvCs1234_6server3run", "run"),
            ("_RNvCs1234_6server3run", "server::run"),
        ] {
            assert!(names(symbol.as_bytes(), name.as_bytes()), "{symbol} {name}");
        }
        for (symbol, name) in [
            ("parse_lines", "parse_line"),
            ("parse", "parse_line"),
            ("_ZN6server3run17h0123456789abcdefE", "server"),
            ("_ZN6server3run17h0123456789abcdefE", "un"),
            ("_ZN6server13runrunrunrun017h0123456789abcdefE", "run"),
            ("_ZN6server3runEv", "client::run"),
            ("3run", "run"),
        ] {
            assert!(
                !names(symbol.as_bytes(), name.as_bytes()),
                "{symbol} {name}"
            );
        }
    }

    #[test]
    fn addresses_need_no_look_up() {
        let site = site(b"0x1234");
        assert!(site.is(0x1234) && !site.is(0x1233) && !site.is(0x1235));
        assert!(site.is_known());
        assert!(!self::site(b"no_such_function").is_known());
    }

    fn site(text: &[u8]) -> Site {
        Site::new(SiteText::parse(text).expect("a site"))
    }

    #[test]
    #[cfg_attr(miri, ignore = "reads files of the system")]
    fn a_function_of_this_program_is_found() {
        modules::refresh();
        let site = site(b"a_function_of_this_program_is_found");
        site.resolve();
        assert!(site.is_known());
        assert!(site.is(a_function_of_this_program_is_found as fn() as usize + 5));
    }
}
