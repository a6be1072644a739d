//! The rules that were needed before, by address: one table for all threads.
//!
//! ```text
//! index of the address ──► ┌──────────────────┬──────────────────┐
//!                          │ key ^ rule       │ rule             │
//!                          └──────────────────┴──────────────────┘
//! key = generation of the modules << 47 | address
//! ```
//!
//! 1. An entry counts if its words give the key that is looked for: so words of two writers, or of
//!    another generation, are no entry, and no lock is needed.
//!
//! One table and not one a thread: what one has looked up serves all, and lines that all only read
//! cost nothing. The generation's upper bits are lost, so an entry that has survived 2^17 changes
//! of the modules would count again.

use super::rule::Rule;
use super::unwind_table;
use crate::observe::modules;
use crate::sys::stack;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const ENTRIES: usize = 1 << 15;
const ADDRESS_BITS: u32 = 47;
/// The code of a signal trampoline that has no unwind table: `mov rax, 15` and `syscall`.
const TRAMPOLINE_CODE: [u8; 9] = [0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05];

/// See the head of this file. Relaxed: invariant 1 makes up for any order.
struct Entry {
    check: AtomicU64,
    rule: AtomicU64,
}

static ENTRIES_BY_ADDRESS: [Entry; ENTRIES] = [const {
    Entry {
        check: AtomicU64::new(0),
        rule: AtomicU64::new(0),
    }
}; ENTRIES];

/// Where signal handlers return to, as far as anybody has seen it; 1, which nothing returns to,
/// until then. Relaxed: always the same, and a hint.
static TRAMPOLINE: AtomicUsize = AtomicUsize::new(1);

/// The rules as of a state of the modules.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    generation: u64,
}

impl Rules {
    /// As of now.
    #[inline(always)]
    pub(super) fn now() -> Rules {
        Rules {
            generation: u64::from(modules::generation()) << ADDRESS_BITS,
        }
    }

    /// Which state that is.
    #[inline(always)]
    pub(super) fn generation(self) -> u64 {
        self.generation
    }

    /// The rule for what is on the stack while the instruction at `address` runs; of a call that
    /// is the byte before the return address, for the next one may be another function's.
    #[inline(always)]
    pub(super) fn at(self, address: usize) -> Rule {
        let entry = &ENTRIES_BY_ADDRESS[(address ^ address >> 15) % ENTRIES];
        let rule = entry.rule.load(Ordering::Relaxed);
        let check = entry.check.load(Ordering::Relaxed);
        if check ^ rule == address as u64 ^ self.generation && check != rule {
            return Rule::from_bits(rule);
        }
        find(address, entry)
    }
}

#[cold]
#[inline(never)]
fn find(address: usize, entry: &Entry) -> Rule {
    if address >> ADDRESS_BITS != 0 {
        return Rule::UNKNOWN;
    }
    // May enter a module, and so begin a generation.
    let module = modules::meet(address);
    let key = address as u64 ^ Rules::now().generation;
    let rule = match module {
        None => Rule::CHAIN,
        Some(module) if module.eh_frame_hdr == 0 => Rule::CHAIN,
        Some(module) => match unwind_table::rule(module, address) {
            Some(rule) => rule,
            None if is_trampoline_code(address + 1) => Rule::SIGNAL,
            None => Rule::UNKNOWN,
        },
    };
    if rule == Rule::SIGNAL {
        TRAMPOLINE.store(address + 1, Ordering::Relaxed);
    }
    entry.rule.store(rule.bits(), Ordering::Relaxed);
    entry.check.store(rule.bits() ^ key, Ordering::Relaxed);
    rule
}

/// Whether the instructions at `pc` are those of a signal trampoline.
fn is_trampoline_code(pc: usize) -> bool {
    let last = pc + TRAMPOLINE_CODE.len() - size_of::<u64>();
    // SAFETY: the bytes can be read, as the kernel has found just now.
    stack::is_readable(pc)
        && stack::is_readable(last)
        && unsafe { *(pc as *const [u8; TRAMPOLINE_CODE.len()]) } == TRAMPOLINE_CODE
}

/// Whether signal handlers return to `pc`.
#[inline(always)]
pub(super) fn is_trampoline(pc: usize) -> bool {
    match TRAMPOLINE.load(Ordering::Relaxed) {
        1 => Rules::now().at(pc.wrapping_sub(1)) == Rule::SIGNAL,
        known => pc == known,
    }
}
