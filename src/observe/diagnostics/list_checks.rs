//! The lists behind the fronts, walked: whether each holds what it should.
//!
//! A walk counts the blocks, which has to give the list's length; asks of each whether it
//! belongs there, which is also what makes it safe to follow its link; and finds a list that
//! bites its tail by Brent's method: a mark is moved up to the walk at each power of two.

use super::super::{Cache, Occasion, Place};
use super::profile::share;
use super::{Area, Count};
use crate::block::FreeList;
use crate::size_class::{CLASSES, SizeClass};
use crate::sys::stderr::Line;

/// What a walk along a list has found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Walk {
    /// Blocks met.
    met: u64,
    /// Of the steps from one to the next, those to a higher address.
    up: u64,
    fault: Option<Fault>,
}

/// What is wrong with a list, at the block that was met last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    Stranger(Place, usize),
    Cycle(usize),
}

impl Walk {
    fn along(list: &FreeList, mut place: impl FnMut(*mut u8) -> Place) -> Walk {
        let mut walk = Walk::default();
        let mut mark = core::ptr::null_mut();
        let mut moved_at = 1;
        let mut last = core::ptr::null_mut();
        list.walk(|block| {
            let what = place(block);
            if what != Place::Listed {
                walk.fault = Some(Fault::Stranger(what, block as usize));
                return false;
            }
            if block == mark {
                walk.fault = Some(Fault::Cycle(block as usize));
                return false;
            }
            walk.met += 1;
            walk.up += u64::from(walk.met > 1 && block > last);
            last = block;
            if walk.met == moved_at {
                mark = block;
                moved_at *= 2;
            }
            true
        });
        walk
    }
}

/// What was found of one class.
struct Found {
    checks: Count,
    blocks: Count,
    longest: Count,
    errors: Count,
}

impl Found {
    const fn new() -> Found {
        Found {
            checks: Count::new(),
            blocks: Count::new(),
            longest: Count::new(),
            errors: Count::new(),
        }
    }
}

/// What was found of the lists of one thread.
pub(super) struct ListChecks([Found; CLASSES]);

impl ListChecks {
    pub(super) const fn new() -> ListChecks {
        ListChecks([const { Found::new() }; CLASSES])
    }

    /// Walks the list of a class, and writes what is wrong with it.
    pub(super) fn check(&self, cache: &dyn Cache, class: usize) -> u64 {
        let Some(found) = self.0.get(class) else {
            return 0;
        };
        let list = cache.list(class);
        let walk = Walk::along(list, |block| cache.place(block, class));
        found.checks.add(1);
        found.blocks.add(walk.met);
        found
            .longest
            .add(walk.met.saturating_sub(found.longest.get()));
        if let Some(line) = error(class, &walk, u64::from(list.len())) {
            found.errors.add(1);
            line.write();
        }
        walk.up
    }

    /// Walks the lists once more if they hold still, and shows what was found so far.
    pub(super) fn show(&self, cache: &dyn Cache, occasion: Occasion) {
        if occasion != Occasion::Forked {
            (0..CLASSES).for_each(|class| self.show_class(cache, class));
        }
        if matches!(occasion, Occasion::ThreadEnds | Occasion::Forked) {
            self.forget();
        }
    }

    fn show_class(&self, cache: &dyn Cache, class: usize) {
        let found = &self.0[class];
        let len = u64::from(cache.list(class).len());
        if found.checks.get() == 0 && len == 0 {
            return;
        }
        let up = cache.is_own().then(|| self.check(cache, class));
        let mut line = Area::Lists
            .line()
            .text(b"thread ")
            .number(u64::from(cache.thread()))
            .text(b", blocks of ")
            .number(SizeClass::from_index(class).bytes() as u64)
            .text(b": ")
            .number(found.checks.get())
            .text(b" checks of ")
            .number(found.blocks.get())
            .text(b" blocks, ")
            .number(found.errors.get())
            .text(b" errors; longest ")
            .number(found.longest.get())
            .text(b", now ")
            .number(len);
        if let Some(up) = up {
            let steps = len.saturating_sub(1);
            line = line.text(b", ascending ").text(share(up, steps).bytes());
        }
        line.write();
    }

    fn forget(&self) {
        for found in &self.0 {
            for count in [&found.checks, &found.blocks, &found.longest, &found.errors] {
                count.take();
            }
        }
    }
}

/// What is wrong with a list of `len` blocks, as a line.
fn error(class: usize, walk: &Walk, len: u64) -> Option<Line> {
    if walk.fault.is_none() && walk.met == len {
        return None;
    }
    let bytes = SizeClass::from_index(class).bytes() as u64;
    let line = Area::Lists.error().text(b"list of ").number(bytes);
    let line = line.text(b" bytes: ");
    Some(match walk.fault {
        Some(Fault::Stranger(place, block)) => {
            let what: &[u8] = match place {
                Place::NoBlock => b"is no block",
                Place::OtherClass => b"is of another class",
                Place::OtherCache => b"is another thread's",
                Place::Unlisted => b"is not noted as listed",
                Place::Listed => b"is listed",
            };
            line.address(block)
                .text(b" behind ")
                .number(walk.met)
                .text(b" of ")
                .number(len)
                .text(b" blocks ")
                .text(what)
        }
        Some(Fault::Cycle(block)) => line
            .text(b"it comes back to ")
            .address(block)
            .text(b" after ")
            .number(walk.met)
            .text(b" blocks, its length is ")
            .number(len),
        None => line
            .number(walk.met)
            .text(b" blocks counted, its length is ")
            .number(len),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    /// Memory for blocks, and a list of them in the order of `push`.
    fn list(memory: &mut [[usize; 2]], push: &[usize]) -> (FreeList, Vec<*mut u8>) {
        let blocks: Vec<*mut u8> = memory.iter_mut().map(|b| b.as_mut_ptr().cast()).collect();
        let list = FreeList::new();
        for &index in push {
            // SAFETY: each element of `memory` is 16 bytes and ours.
            unsafe { list.push(blocks[index]) };
        }
        (list, blocks)
    }

    #[test]
    fn a_sound_list_is_counted_and_its_order_seen() {
        let mut memory = [[0; 2]; 8];
        let (list, _) = list(&mut memory, &[7, 6, 5, 0, 1]);
        let walk = Walk::along(&list, |_| Place::Listed);
        // 1 0 5 6 7
        assert_eq!((walk.met, walk.up, walk.fault), (5, 3, None));
        assert!(error(0, &walk, 5).is_none());
        let line = error(0, &walk, 6).expect("a wrong length");
        let line = String::from_utf8_lossy(line.bytes()).into_owned();
        assert!(line.starts_with("hakmem: ERROR [sll] thread "), "{line}");
        assert!(
            line.ends_with("5 blocks counted, its length is 6"),
            "{line}"
        );
    }

    #[test]
    fn strangers_are_not_followed() {
        let mut memory = [[0; 2]; 4];
        let (list, blocks) = list(&mut memory, &[0, 1, 2, 3]);
        let walk = Walk::along(&list, |block| match block == blocks[1] {
            true => Place::OtherClass,
            false => Place::Listed,
        });
        assert_eq!(walk.met, 2);
        let stranger = Fault::Stranger(Place::OtherClass, blocks[1] as usize);
        assert_eq!(walk.fault, Some(stranger));
        assert!(error(0, &walk, 4).is_some());
    }

    #[test]
    fn a_list_that_bites_its_tail_is_left() {
        for (blocks, back) in [(1, 0), (2, 0), (9, 0), (9, 5), (9, 8), (64, 33)] {
            let mut memory = [[0; 2]; 64];
            let order: Vec<usize> = (0..blocks).rev().collect();
            let (list, addresses) = list(&mut memory, &order);
            // The last one's link leads back.
            let link = |at: usize| addresses[at].cast::<usize>();
            // SAFETY: links of blocks of ours; two with the same target are equal.
            unsafe { *link(blocks - 1) = addresses[back] as usize ^ crate::block::key() };
            let walk = Walk::along(&list, |_| Place::Listed);
            assert!(
                matches!(walk.fault, Some(Fault::Cycle(_))),
                "{blocks} {back}: {walk:?}"
            );
            assert!(walk.met <= 4 * blocks as u64, "{walk:?}");
        }
    }
}
