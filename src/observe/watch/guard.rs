//! A block that is armed: a write to it is to be noticed, by one of three means.
//!
//! | means | for | what a write leads to |
//! |---|---|---|
//! | watchpoints | 4 words at a time | SIGTRAP in the thread that wrote, at once |
//! | pages | freed blocks that have their pages to themselves | SIGSEGV, at once |
//! | comparison | all others, where the kernel refuses watchpoints | a difference, at the next look |
//!
//! A block has the watchpoints that its rule needs. Those that are to spare watch more of its words,
//! if its rule leaves that open, until another block needs them.
//!
//! A freed block is held back while it is armed, unless its rule says otherwise: its free is put
//! off, so that neither the allocator nor the next owner writes to it.
//!
//! 1. Guards are changed by the thread that has the turn, and read by all. A guard whose serial
//!    number is not the expected one, before or after, is another one's.
//! 2. A block that is held back is in one guard, or waits in `held.rs`, and nowhere else.

use super::held;
use super::registers;
use super::rules::Numbered;
use super::target::{Means, Target, Words};
use crate::sys::breakpoint::{REGISTERS, Refusal, WORD};
use crate::sys::clock;
use crate::sys::memory;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Words of a block that are compared.
const COPY: usize = 32;
/// What each signal's `data` begins with.
const MAGIC: u64 = 0x4857;

/// A block that is armed. Relaxed all, but for the serial number: it is released when the rest
/// is complete.
pub(super) struct Guard {
    /// 0 while it guards nothing; else larger than that of every guard armed before.
    serial: AtomicU32,
    means: AtomicU8,
    pub(super) address: AtomicUsize,
    pub(super) bytes: AtomicUsize,
    pub(super) class: AtomicUsize,
    pub(super) life: AtomicU32,
    pub(super) freed: AtomicBool,
    pub(super) held: AtomicBool,
    pub(super) keep: AtomicBool,
    /// The rule.
    pub(super) number: AtomicU32,
    /// Writes that were noticed, and how many are reported.
    pub(super) hits: AtomicU32,
    pub(super) limit: AtomicU32,
    count: AtomicUsize,
    /// How many of the words have to be watched; the others have watchpoints to spare.
    needed: AtomicUsize,
    words: [AtomicUsize; REGISTERS],
    registers: [AtomicUsize; REGISTERS],
    /// What stood there at the last look.
    last: [AtomicU64; COPY],
    /// The thread that steps over a write to its pages; 0 for none.
    pub(super) steps: AtomicU32,
    /// The instruction that it steps over.
    pub(super) pc: AtomicUsize,
    /// When it was last looked at.
    pub(super) looked: AtomicU64,
}

impl Guard {
    /// One that guards nothing.
    pub(super) const fn new() -> Guard {
        Guard {
            serial: AtomicU32::new(0),
            means: AtomicU8::new(0),
            address: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            class: AtomicUsize::new(0),
            life: AtomicU32::new(0),
            freed: AtomicBool::new(false),
            held: AtomicBool::new(false),
            keep: AtomicBool::new(false),
            number: AtomicU32::new(0),
            hits: AtomicU32::new(0),
            limit: AtomicU32::new(0),
            count: AtomicUsize::new(0),
            needed: AtomicUsize::new(0),
            words: [const { AtomicUsize::new(0) }; REGISTERS],
            registers: [const { AtomicUsize::new(0) }; REGISTERS],
            last: [const { AtomicU64::new(0) }; COPY],
            steps: AtomicU32::new(0),
            pc: AtomicUsize::new(0),
            looked: AtomicU64::new(0),
        }
    }

    pub(super) fn means(&self) -> Means {
        match self.means.load(Ordering::Relaxed) {
            1 => Means::Watchpoints,
            2 => Means::Pages,
            3 => Means::Comparison,
            _ => Means::Nothing,
        }
    }

    pub(super) fn serial(&self) -> u32 {
        self.serial.load(Ordering::Acquire)
    }

    /// How many words are watched.
    pub(super) fn words(&self) -> usize {
        self.count.load(Ordering::Relaxed).min(REGISTERS)
    }

    pub(super) fn is_used(&self) -> bool {
        self.serial.load(Ordering::Relaxed) != 0
    }

    pub(super) fn is_at(&self, address: usize) -> bool {
        self.is_used() && self.address.load(Ordering::Relaxed) == address
    }

    /// The address of one of its words, and what stood there at the last look. What stands
    /// there now is looked at from here on.
    pub(super) fn look(&self, word: usize) -> Option<(usize, u64, u64)> {
        let address = self.words.get(word)?.load(Ordering::Relaxed);
        // SAFETY: a word of a block that is the program's or held back, or still in the slab
        // that it was in: user memory stays mapped while it is armed. Another thread may write.
        let new = unsafe { (address as *const u64).read_volatile() };
        let old = self.last[word].swap(new, Ordering::Relaxed);
        Some((address, old, new))
    }

    pub(super) fn in_pages(&self) -> (usize, usize) {
        let address = self.address.load(Ordering::Relaxed);
        (address, self.bytes.load(Ordering::Relaxed))
    }

    /// Has its first word be the one at `address`, as it stands there now.
    pub(super) fn look_at(&self, address: usize) {
        self.words[0].store(address, Ordering::Relaxed);
        self.look(0);
    }

    /// Lets its pages be written, or not.
    pub(super) fn open_pages(&self, open: bool) -> bool {
        let (address, len) = self.in_pages();
        // SAFETY: pages of a block that is held back, and that has them to itself.
        unsafe { memory::set_writable(address, len, open) }
    }

    /// Looks at what is compared: calls `each` with each word that has changed, its old value
    /// and its new one.
    pub(super) fn compare(&self, mut each: impl FnMut(usize, u64, u64)) {
        let (address, bytes) = self.in_pages();
        for (at, last) in self.last[..(bytes / WORD).min(COPY)].iter().enumerate() {
            let word = address + at * WORD;
            // SAFETY: as in `look`.
            let new = unsafe { (word as *const u64).read_volatile() };
            let old = last.swap(new, Ordering::Relaxed);
            if old != new {
                each(word, old, new);
            }
        }
    }

    pub(super) fn fill(&self, target: &Target, rule: &Numbered, words: &Words, count: usize) {
        self.address.store(target.address, Ordering::Relaxed);
        self.bytes.store(target.bytes, Ordering::Relaxed);
        self.class.store(target.class, Ordering::Relaxed);
        self.life.store(target.life, Ordering::Relaxed);
        self.freed.store(target.freed, Ordering::Relaxed);
        self.held.store(target.hold, Ordering::Relaxed);
        self.keep.store(rule.keep, Ordering::Relaxed);
        self.number.store(rule.number, Ordering::Relaxed);
        self.hits.store(0, Ordering::Relaxed);
        self.limit.store(rule.hits, Ordering::Relaxed);
        self.count.store(count, Ordering::Relaxed);
        self.needed.store(words.needed, Ordering::Relaxed);
        for (place, word) in self.words.iter().zip(&words.addresses) {
            place.store(*word, Ordering::Relaxed);
        }
        self.looked.store(clock::now_ms(), Ordering::Relaxed);
    }

    /// Guards the block from here on, by these means or, where pages cannot be closed, by comparison.
    /// `index` is its place among all guards. Called by who has the turn, as what follows.
    pub(super) fn arm(&self, index: usize, serial: u32, means: Means) -> Result<(), Refusal> {
        self.means.store(means as u8, Ordering::Relaxed);
        self.remember();
        self.serial.store(serial, Ordering::Release);
        let begun = self.begin(index, serial);
        if begun.is_err() {
            self.serial.store(0, Ordering::Release);
            self.means.store(Means::Nothing as u8, Ordering::Relaxed);
        }
        begun
    }

    /// In a fork's child: begins anew, with events of the child's own.
    pub(super) fn forked(&self, index: usize) {
        self.steps.store(0, Ordering::Relaxed);
        if self.is_used() && self.means() == Means::Watchpoints {
            let count = self.count.load(Ordering::Relaxed);
            self.release_registers(count, registers::forget);
            if self.begin(index, self.serial()).is_err() {
                self.means.store(Means::Nothing as u8, Ordering::Relaxed);
                self.disarm();
            }
        }
    }

    /// Takes note of what stands there.
    fn remember(&self) {
        if self.means() == Means::Comparison {
            return self.compare(|_, _, _| ());
        }
        for word in 0..self.count.load(Ordering::Relaxed) {
            self.look(word);
        }
    }

    fn begin(&self, index: usize, serial: u32) -> Result<(), Refusal> {
        match self.means() {
            Means::Watchpoints => {
                for word in 0..self.count.load(Ordering::Relaxed) {
                    let address = self.words[word].load(Ordering::Relaxed);
                    match registers::watch(address, data_of(index, serial, word)) {
                        Ok(register) => self.registers[word].store(register, Ordering::Relaxed),
                        // Somebody else has what was to spare.
                        Err(_) if word >= self.needed.load(Ordering::Relaxed) => {
                            self.count.store(word, Ordering::Relaxed);
                            break;
                        }
                        Err(why) => {
                            self.release_registers(word, registers::release);
                            return Err(why);
                        }
                    }
                }
                Ok(())
            }
            Means::Pages if !self.open_pages(false) => {
                // What is left is to compare.
                self.means.store(Means::Comparison as u8, Ordering::Relaxed);
                self.remember();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn release_registers(&self, count: usize, release: fn(usize)) {
        for register in &self.registers[..count] {
            release(register.load(Ordering::Relaxed));
        }
    }

    pub(super) fn disarm(&self) {
        match self.means() {
            Means::Watchpoints => {
                self.release_registers(self.count.load(Ordering::Relaxed), registers::release);
            }
            Means::Pages => {
                self.open_pages(true);
            }
            Means::Comparison | Means::Nothing => {}
        }
        self.means.store(Means::Nothing as u8, Ordering::Relaxed);
        self.serial.store(0, Ordering::Release);
        if self.held.swap(false, Ordering::Relaxed) {
            held::put(self.address.load(Ordering::Relaxed));
        }
    }

    /// Whether it has watchpoints to spare, and watches more words than `than`.
    pub(super) fn has_spare(&self, than: usize) -> bool {
        self.is_used()
            && self.means() == Means::Watchpoints
            && self.words() > than.max(self.needed.load(Ordering::Relaxed))
    }

    /// Gives up a watchpoint that is to spare.
    pub(super) fn give_up_spare(&self) {
        let last = self.words() - 1;
        self.count.store(last, Ordering::Relaxed);
        registers::release(self.registers[last].load(Ordering::Relaxed));
    }
}

fn data_of(index: usize, serial: u32, word: usize) -> u64 {
    MAGIC << 48 | u64::from(serial) << 8 | (index as u64) << 2 | word as u64
}

/// What a signal's `data` names: the guard's place, its serial number, and the word; `None` if the signal
/// is not ours.
pub(super) fn named(data: u64) -> Option<(usize, u32, usize)> {
    let is_ours = data >> 48 == MAGIC;
    is_ours.then_some((
        (data >> 2 & 31) as usize,
        (data >> 8) as u32,
        (data & 3) as usize,
    ))
}
