//! Blocks that are armed: a write to them is to be noticed, by one of three means.
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
use super::target::{self, Means, Target, Words};
use crate::observe::report::turn::{Taken, Turn};
use crate::sys::breakpoint::{REGISTERS, Refusal, WORD};
use crate::sys::clock;
use crate::sys::memory;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Blocks that can be armed at once, by all means together.
const GUARDS: usize = 16;
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
    held: AtomicBool,
    keep: AtomicBool,
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
    steps: AtomicU32,
    /// The instruction that it steps over.
    pub(super) pc: AtomicUsize,
    /// When it was last looked at.
    pub(super) looked: AtomicU64,
}

static TABLE: [Guard; GUARDS] = [const {
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
}; GUARDS];

static TURN: Turn = Turn::new();
/// Guards that were ever begun. Relaxed: each gets a number of its own.
static SERIAL: AtomicU32 = AtomicU32::new(0);
/// A bit for the hash of each block that is armed: the first question of each hook. Written by who
/// has [`TURN`], as the next two; Relaxed, for who notices late looks late.
static FILTER: AtomicU64 = AtomicU64::new(0);
/// How many are compared.
static COMPARED: AtomicU32 = AtomicU32::new(0);
/// Whether an armed block had to make room for another.
static HAS_EVICTED: AtomicBool = AtomicBool::new(false);

/// What is to be said to the user, once each.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// The means by which the first block was armed.
    Armed(Means),
    /// The kernel refuses watchpoints, with this error.
    Refused(i32),
    /// The registers are somebody else's.
    Taken,
    /// An armed block made room.
    Evicted,
    /// There are more threads than can be watched.
    TooManyThreads,
}

fn bit(address: usize) -> u64 {
    1 << ((address >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58)
}

/// Whether a block may be armed.
#[inline(always)]
pub(super) fn may_have(address: usize) -> bool {
    let filter = FILTER.load(Ordering::Relaxed);
    filter != 0 && filter & bit(address) != 0
}

/// Whether any is compared, and so to be looked at now and then.
#[inline(always)]
pub(super) fn compares() -> bool {
    COMPARED.load(Ordering::Relaxed) > 0
}

impl Guard {
    fn means(&self) -> Means {
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

    fn is_used(&self) -> bool {
        self.serial.load(Ordering::Relaxed) != 0
    }

    fn is_at(&self, address: usize) -> bool {
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

    fn in_pages(&self) -> (usize, usize) {
        let address = self.address.load(Ordering::Relaxed);
        (address, self.bytes.load(Ordering::Relaxed))
    }

    /// Has its first word be the one at `address`, as it stands there now.
    pub(super) fn look_at(&self, address: usize) {
        self.words[0].store(address, Ordering::Relaxed);
        self.look(0);
    }

    /// Lets its pages be written, or not.
    fn open_pages(&self, open: bool) -> bool {
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
}

/// The guard and the word that a signal's `data` names; `None` in the middle if it has been
/// disarmed since, and at all if the signal is not ours.
pub(super) fn of_data(data: u64) -> Option<Option<(&'static Guard, usize)>> {
    if data >> 48 != MAGIC {
        return None;
    }
    let (index, word) = ((data >> 2 & 31) as usize, (data & 3) as usize);
    let guard = TABLE.get(index)?;
    let serial = (data >> 8) as u32;
    Some((guard.serial() == serial).then_some((guard, word)))
}

/// The guard whose pages an address lies in.
pub(super) fn of_page(address: usize) -> Option<&'static Guard> {
    TABLE.iter().find(|guard| {
        let (start, len) = guard.in_pages();
        guard.serial() != 0
            && guard.means() == Means::Pages
            && (start..start + len).contains(&address)
    })
}

/// Whether the pages that an address lies in were guarded a while ago: the write came while
/// they were opened, and is free to be tried again.
pub(super) fn was_page(address: usize) -> bool {
    TABLE.iter().any(|guard| {
        let (start, len) = guard.in_pages();
        guard.means() != Means::Pages && (start..start + len).contains(&address)
    })
}

/// The guard that this thread steps in.
pub(super) fn of_step(thread: u32) -> Option<&'static Guard> {
    TABLE
        .iter()
        .find(|guard| guard.steps.load(Ordering::Relaxed) == thread)
}

/// Opens a guard's pages for one instruction of this thread; its serial number, `None` if it is
/// another thread's turn, or the guard is another one by now.
pub(super) fn begin_step(guard: &Guard, thread: u32) -> Option<u32> {
    let _turn = TURN.take()?;
    let is_free = guard.steps.load(Ordering::Relaxed) == 0;
    if !guard.is_used() || guard.means() != Means::Pages || !is_free {
        return None;
    }
    guard.steps.store(thread, Ordering::Relaxed);
    guard.open_pages(true);
    Some(guard.serial())
}

/// Closes them behind it, if they still are this guard's.
pub(super) fn end_step(guard: &Guard, serial: u32) {
    let _turn = TURN.take();
    if serial != 0 && guard.serial() == serial && guard.means() == Means::Pages {
        guard.open_pages(false);
    }
    guard.steps.store(0, Ordering::Relaxed);
}

/// Looks at all that is compared.
pub(super) fn compare_all(mut each: impl FnMut(&'static Guard, usize, u64, u64)) {
    let Some(_turn) = TURN.take() else {
        return;
    };
    for guard in &TABLE {
        if guard.is_used() && guard.means() == Means::Comparison {
            guard.compare(|word, old, new| each(guard, word, old, new));
            guard.looked.store(clock::now_ms(), Ordering::Relaxed);
        }
    }
}

/// A freed block that is armed and held back.
pub(super) fn is_held(address: usize) -> bool {
    TABLE
        .iter()
        .any(|guard| guard.is_at(address) && guard.held.load(Ordering::Relaxed))
}

fn data_of(index: usize, serial: u32, word: usize) -> u64 {
    MAGIC << 48 | u64::from(serial) << 8 | (index as u64) << 2 | word as u64
}

/// Arms a block that is not held back yet, as `rule` says; whether it is armed, and is held back
/// from here on. Others make room.
pub(super) fn arm(target: &Target, rule: &Numbered, mut tell: impl FnMut(News)) -> Option<bool> {
    let turn = TURN.take()?;
    if is_held(target.address) {
        return None;
    }
    disarm_at(&turn, target.address);
    let words = target::words(target, rule)?;
    let mut means = target::means(target, rule);
    let mut count = words.needed;
    if means == Means::Watchpoints {
        while registers::free() < words.needed && give_up_spare(&turn, 1).is_some() {}
        while registers::free() < words.needed {
            if rule.rotate.is_none() && !HAS_EVICTED.swap(true, Ordering::Relaxed) {
                tell(News::Evicted);
            }
            disarm_oldest(&turn, Some(Means::Watchpoints))?;
        }
        // Of what is to spare it gets as much as the others have.
        let may_have = || registers::free().min(words.useful);
        while may_have() < words.useful && give_up_spare(&turn, may_have() + 1).is_some() {}
        count = may_have();
    }
    // A thread that steps in one of them has yet to come back.
    let is_unused = |guard: &Guard| !guard.is_used() && guard.steps.load(Ordering::Relaxed) == 0;
    if !TABLE.iter().any(is_unused) {
        disarm_oldest(&turn, None)?;
    }
    let index = TABLE.iter().position(is_unused)?;
    let guard = &TABLE[index];
    let serial = (SERIAL.fetch_add(1, Ordering::Relaxed) + 1).max(1);
    guard.fill(target, rule, &words, count);
    loop {
        guard.means.store(means as u8, Ordering::Relaxed);
        guard.remember();
        guard.serial.store(serial, Ordering::Release);
        match guard.begin(index, serial) {
            Ok(()) => break,
            Err(why) => {
                guard.serial.store(0, Ordering::Release);
                guard.means.store(Means::Nothing as u8, Ordering::Relaxed);
                match why {
                    Refusal::Forbidden(error) => {
                        target::without_watchpoints();
                        tell(News::Refused(error));
                    }
                    _ => tell(News::Taken),
                }
                means = target::without(target);
                if target.freed && !target.hold {
                    // The allocator is about to write to it.
                    return None;
                }
            }
        }
    }
    if means == Means::Comparison {
        COMPARED.fetch_add(1, Ordering::Relaxed);
    }
    filter();
    tell(News::Armed(means));
    if registers::overflows() {
        tell(News::TooManyThreads);
    }
    Some(target.hold)
}

impl Guard {
    fn fill(&self, target: &Target, rule: &Numbered, words: &Words, count: usize) {
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

    /// Called by who has the turn.
    fn disarm(&self) {
        match self.means() {
            Means::Watchpoints => {
                self.release_registers(self.count.load(Ordering::Relaxed), registers::release);
            }
            Means::Pages => {
                self.open_pages(true);
            }
            Means::Comparison => {
                COMPARED.fetch_sub(1, Ordering::Relaxed);
            }
            Means::Nothing => {}
        }
        self.means.store(Means::Nothing as u8, Ordering::Relaxed);
        self.serial.store(0, Ordering::Release);
        if self.held.swap(false, Ordering::Relaxed) {
            held::put(self.address.load(Ordering::Relaxed));
        }
    }
}

/// Called by who has the turn.
fn disarm_at(_: &Taken<'_>, address: usize) {
    if may_have(address) {
        TABLE
            .iter()
            .filter(|guard| guard.is_at(address))
            .for_each(Guard::disarm);
        filter();
    }
}

/// Has the block that has most watchpoints to spare give up one, if it has more words than `than`.
/// Called by who has the turn.
fn give_up_spare(_: &Taken<'_>, than: usize) -> Option<()> {
    let has_spare = |guard: &&Guard| guard.words() > than.max(guard.needed.load(Ordering::Relaxed));
    let of_watchpoints = |guard: &&Guard| guard.is_used() && guard.means() == Means::Watchpoints;
    let guards = TABLE.iter().filter(of_watchpoints).filter(has_spare);
    let guard = guards.max_by_key(|guard| guard.words())?;
    let last = guard.words() - 1;
    guard.count.store(last, Ordering::Relaxed);
    registers::release(guard.registers[last].load(Ordering::Relaxed));
    Some(())
}

fn disarm_oldest(_: &Taken<'_>, means: Option<Means>) -> Option<()> {
    let of_means = |guard: &&Guard| means.is_none_or(|means| guard.means() == means);
    let used = TABLE.iter().filter(|guard| guard.is_used());
    let oldest = used.filter(of_means).min_by_key(|guard| guard.serial())?;
    oldest.disarm();
    Some(())
}

fn filter() {
    let used = TABLE.iter().filter(|guard| guard.is_used());
    let bits = used.fold(0, |bits, guard| {
        bits | bit(guard.address.load(Ordering::Relaxed))
    });
    FILTER.store(bits, Ordering::Relaxed);
}

/// Disarms what is armed at `address`.
pub(super) fn disarm(address: usize) {
    if may_have(address)
        && let Some(turn) = TURN.take()
    {
        disarm_at(&turn, address);
    }
}

/// The block at `address` is handed out again: disarms it, unless its rule says otherwise.
pub(super) fn reused(address: usize) {
    let stays = |guard: &Guard| guard.is_at(address) && guard.keep.load(Ordering::Relaxed);
    if may_have(address) && !TABLE.iter().any(stays) {
        disarm(address);
    }
}

/// Disarms blocks of a slab that is closed, whose memory may become something else.
pub(super) fn closed(start: usize, class: usize, span: usize) {
    if FILTER.load(Ordering::Relaxed) == 0 {
        return;
    }
    let Some(_turn) = TURN.take() else {
        return;
    };
    let inside = |guard: &&Guard| {
        guard.is_used()
            && guard.class.load(Ordering::Relaxed) == class
            && (start..start + span).contains(&guard.address.load(Ordering::Relaxed))
    };
    TABLE.iter().filter(inside).for_each(Guard::disarm);
    filter();
}

/// Disarms what a rule has armed.
pub(super) fn disarm_of(number: u32) {
    let Some(_turn) = TURN.take() else {
        return;
    };
    let of_rule =
        |guard: &&Guard| guard.is_used() && guard.number.load(Ordering::Relaxed) == number;
    TABLE.iter().filter(of_rule).for_each(Guard::disarm);
    filter();
}

/// Disarms one, from a signal handler or a hook, if it still is the one of this number.
pub(super) fn disarm_this(guard: &Guard, serial: u32) {
    if let Some(_turn) = TURN.take()
        && guard.serial() == serial
    {
        guard.disarm();
        filter();
    }
}

/// In a fork's child: the events are the parent's, and the child gets its own on the same words.
pub(super) fn forked() {
    TURN.reset();
    let Some(_turn) = TURN.take() else {
        return;
    };
    for (index, guard) in TABLE.iter().enumerate() {
        guard.steps.store(0, Ordering::Relaxed);
        if guard.is_used() && guard.means() == Means::Watchpoints {
            let count = guard.count.load(Ordering::Relaxed);
            guard.release_registers(count, registers::forget);
            if guard.begin(index, guard.serial()).is_err() {
                guard.means.store(Means::Nothing as u8, Ordering::Relaxed);
                guard.disarm();
            }
        }
    }
    filter();
}
