//! Words of memory, where it can be read and has been written to.

use super::room::Room;
use crate::sys::memory::PAGE;
use crate::sys::peek::Memory;

const WORD: usize = size_of::<usize>();
/// Words that are copied at a time: 16 pages.
const AT_A_TIME: usize = 16 * PAGE / WORD;
/// Pages that the kernel is asked about at a time.
const PAGES: usize = 512;
/// Below this it is cheaper to read than to ask what was written to.
const FEW: usize = 4 * PAGE;
/// Pages that are kept: neighbouring blocks are looked at one soon after the other.
const KEPT: usize = 1024;
const WORDS_OF_PAGE: usize = PAGE / WORD;

/// Reads memory, for a scan.
pub(super) struct Words {
    memory: Memory,
    buffer: Room<usize>,
    pages: Room<usize>,
    kept: Room<usize>,
    /// Which page each of them is; 0 for none.
    kept_pages: Room<usize>,
}

impl Words {
    pub(super) fn new() -> Option<Words> {
        Some(Words {
            memory: Memory::open(),
            buffer: Room::new(AT_A_TIME)?,
            pages: Room::new(PAGES)?,
            kept: Room::new(KEPT * WORDS_OF_PAGE)?,
            kept_pages: Room::new(KEPT)?,
        })
    }

    /// Its own memory, which is to be left out.
    pub(super) fn ranges(&self) -> [(usize, usize); 4] {
        [
            self.buffer.range(),
            self.pages.range(),
            self.kept.range(),
            self.kept_pages.range(),
        ]
    }

    /// Forgets what was read.
    pub(super) fn forget(&mut self) {
        self.kept_pages.fill(0);
    }

    /// Calls `each` with the address and the value of every aligned word of a range. Pages that
    /// nobody has written to are left out, unless others may have done so (`shared`).
    pub(super) fn each(
        &mut self,
        (start, end): (usize, usize),
        shared: bool,
        mut each: impl FnMut(usize, usize),
    ) {
        let start = start.next_multiple_of(WORD);
        let end = end & !(WORD - 1);
        if shared {
            return self.read((start, end), &mut each);
        }
        if end.saturating_sub(start) <= FEW {
            return self.read_kept((start, end), &mut each);
        }
        let mut page = start & !(PAGE - 1);
        while page < end {
            let count = (end - page).div_ceil(PAGE).min(PAGES);
            self.memory.touched(page, &mut self.pages[..count]);
            let mut at = 0;
            while at < count {
                let run = self.pages[at..count].iter();
                let len = run.take_while(|&&entry| entry != 0).count();
                let (from, to) = (page + at * PAGE, page + (at + len) * PAGE);
                self.read((from.max(start), to.min(end)), &mut each);
                at += len + 1;
            }
            page += count * PAGE;
        }
    }

    /// As [`Words::read`], of a range of few pages.
    fn read_kept(&mut self, (start, end): (usize, usize), each: &mut impl FnMut(usize, usize)) {
        let mut at = start;
        while at < end {
            let page = at & !(PAGE - 1);
            let to = end.min(page + PAGE);
            for (number, &word) in self.page(page)[(at - page) / WORD..(to - page) / WORD]
                .iter()
                .enumerate()
            {
                each(at + number * WORD, word);
            }
            at = to;
        }
    }

    /// The words of a page; zeroes if it cannot be read.
    fn page(&mut self, page: usize) -> &[usize] {
        let place = page / PAGE % KEPT;
        let words = &mut self.kept[place * WORDS_OF_PAGE..(place + 1) * WORDS_OF_PAGE];
        if self.kept_pages[place] != page {
            let read = self.memory.read(page, words).min(WORDS_OF_PAGE);
            words[read..].fill(0);
            self.kept_pages[place] = page;
        }
        words
    }

    fn read(&mut self, (start, end): (usize, usize), each: &mut impl FnMut(usize, usize)) {
        let mut at = start;
        while at < end {
            let wanted = ((end - at) / WORD).min(AT_A_TIME);
            let read = self.memory.read(at, &mut self.buffer[..wanted]).min(wanted);
            for (number, &word) in self.buffer[..read].iter().enumerate() {
                each(at + number * WORD, word);
            }
            at += read * WORD;
            if read < wanted {
                // This page cannot be read.
                at = (at & !(PAGE - 1)) + PAGE;
            }
        }
    }
}
